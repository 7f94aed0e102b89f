"""The engine: draws, distributions, identifiers, calendar, parts and runners.

Belongs here: what every generator needs and knows nothing of telecoms. Does not belong here:
places, subscribers, records, files, Dagster.
"""
