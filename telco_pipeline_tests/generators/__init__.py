"""Tests of the record generators."""
