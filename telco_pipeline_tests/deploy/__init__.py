"""Tests of `deploy/`: brokers and compositions for people and for tests."""
