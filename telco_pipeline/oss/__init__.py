"""What operations see of the network, worked out from what lies in the lake.

Belongs here: datasets that are sums of records and of the network's state. Does not belong here:
records (`generators`), the state that decides them (`state`), checks of the sums
(`reconciliation`).
"""
