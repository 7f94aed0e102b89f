"""Generators of call detail records: voice, messages, data, packet voice, IMS signalling."""
