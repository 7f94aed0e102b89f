"""Training: point-in-time tables of features and labels from a lake, for learning and judging.

Belongs here: what was known of a subscriber, cell, element or site at a cut-off, what the truth
says of it then, and which split it belongs to. Does not belong here: any model or detector
(`benchmarks`), what is typed and shown (`cli`).

`measures`   what is counted of the records, by entity and day
`features`   what of it makes a row of a window, and who has a row
`labels`     what the truth says
`splits`     train, validation and test, by entity and time
`table`      all of it as one Parquet file
`reference`  the columns, for docs/training.md
"""
