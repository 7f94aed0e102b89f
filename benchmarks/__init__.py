"""Reproducible measurements of the generators, peers beside us in the same run.

Belongs here: what is measured, against whom, and how it is reported. Does not belong here: a
test of correctness. `telco bench` runs it; `docs` quotes its figures.

`peers`     a plain NumPy+Polars generator of random rows, and row loops with Faker and mimesis
`profile`   what our output looks like, so that the peers make as much; which cells count
`child`     one contender in a process of its own: a cold round, then a warm one
`measure`   starting a process, its wall time, the peak memory of its tree, the machine
`suite`     contenders, rounds in turn (A B A B), medians, table and JSON
`warehouse` a day of the lake into databases, beside psql (docs/warehouse.md)
`detectors` beside these: how well detectors find the layers' stories (docs/detectors.md)
"""
