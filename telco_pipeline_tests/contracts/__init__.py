"""Tests of `telco_pipeline.contracts`."""
