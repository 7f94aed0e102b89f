"""Reach: which records the layers that a counterfactual leaves out can have changed.

Belongs here: who is in reach on which day, from targets and from the state of both worlds, and
which rows of each dataset that makes. Does not belong here: what a counterfactual world is
(`counterfactuals`), what the layers did in figures (`uplift`).

Rows outside the reach are equal in both worlds. It is worked out before any record is looked at:
`felt` tells in which hours subscribers, cells and elements meet another world, `lines` whose calls
go otherwise because a call before them did, `days` how far that leads, `rows` which rows of a
dataset it makes. Counters and files are sums of records: they are in reach where a record in reach
counts.
"""
