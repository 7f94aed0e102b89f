"""Tests of `telco_pipeline.training`."""
