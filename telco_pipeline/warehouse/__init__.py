"""The warehouse: the lake's rows in the tables of a SQL database.

Belongs here: which database (`database`), its tables (`tables`), what is in them (`ledger`), how a
day gets there whole or not at all (`loading`; by kind of database `postgres`, `embedded`,
`batches`), what goes wrong in words (`faults`). Does not belong here: how rows are made, files in
other formats (`exports`), the command (`cli`).
"""
