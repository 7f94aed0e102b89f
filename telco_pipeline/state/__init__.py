"""State: how network and subscribers change from day to day, before any record exists.

Belongs here: faults, load and quality of cells by hour, satisfaction and life cycle of
subscribers by day. Does not belong here: records that follow from it (`generators`), Dagster.

State depends on the world, the calendar and the day before, never on generated records.
"""
