"""What is made from the records in the lake: counters, files of records, labels of records.

Belongs here: datasets that sum up, file or mark records that are there (`counters`, `collection`,
`labels`). Does not belong here: records (`generators`), the state that decides them (`state`),
checks of the sums (`reconciliation`).
"""
