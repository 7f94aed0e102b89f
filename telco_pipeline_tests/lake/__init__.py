"""Tests of `telco_pipeline.lake`."""
