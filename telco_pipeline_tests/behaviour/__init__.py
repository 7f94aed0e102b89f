"""Tests of behaviour: when, where, with whom."""
