"""Streaming: the records of the lake to Kafka, exactly once, by a clock of one's choice.

Belongs here: which dataset goes to which topic, how a row becomes a Kafka record, in which order
and when records are released, and how they get to the broker once each. Does not belong here: any
record (`generators`), what is typed and shown (`cli`), sensors and assets.

A *delivery* is one day into one topic. It is a sequence of entries that follows from lake and
settings alone, so that whoever goes on with it continues after the last entry that was committed:

    feed.py       that sequence: rows of several files merged by time, encoded, disturbed if asked
    publisher.py  sends it in transactions, each of which also holds how far it came (`progress`)
    pacing.py     when an entry is due
"""
