"""Tests of analytics: what the records say."""
