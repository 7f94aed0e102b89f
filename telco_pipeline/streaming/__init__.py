"""Streaming: the records of the lake to Kafka, exactly once, by a clock of one's choice.

Belongs here: which dataset goes to which topic, how a row becomes a Kafka record, in which order
and when records are released, and how they get to the broker once each. Does not belong here: any
record (`generators`), what is typed and shown (`cli`), sensors and assets.

A *delivery* is one day into one topic. It is a sequence of entries that follows from lake and
settings alone, so that whoever goes on with it continues after the last entry that was committed:

    stream.py         goes from day to day and puts all of this together
    feed.py           the sequence of a day: rows of several files merged by time
      sources.py      ... the files
      encoding.py     ... as JSON; avro.py, with registry.py: as Avro
      disturb.py      ... disturbed on purpose
      people.py       ... of some people only, as a file has them
    entries.py        what an entry is, and what a feed promises
    publisher.py      sends the sequence in transactions (obstacles.py: why it cannot be;
                      tally.py: what one adds; delivery.py: what came of it)
    progress.py       how far it came, committed in the same transaction
    pacing.py         when an entry is due, and how late it was
    control.py        what a running stream tells, and is told: pause, resume, stop
    layout.py         topics and settings; settings_file.py reads scenarios/streaming.yaml
    connection.py     the way to a broker, and its errors in words
    topics.py         makes and checks topics
    consumer.py       reads and counts them; audit.py compares them with the lake
    broker.py         the embedded broker
"""
