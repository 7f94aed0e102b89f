"""Tests of `telco_pipeline.oss`."""
