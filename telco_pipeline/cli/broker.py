"""`telco broker`: the embedded broker in the foreground.

Belongs here: what is said of it. Does not belong here: the broker (`streaming.broker`).
"""

import threading

from telco_pipeline.cli.display import print_line


def broker() -> None:
    """Run a small Kafka broker for demonstrations, without Java or Docker, until Ctrl-C.

    It is the one that librdkafka carries for tests: topics lie in memory, about the last 5 MB of
    each partition, 4 partitions each, gone when it ends; transactions are answered, but nothing is
    promised. It takes a free port of 127.0.0.1. For everything else there is `make kafka`.

    For example:

      telco broker

      telco stream --bootstrap-servers 127.0.0.1:PORT --max-count 1000

      telco consume --bootstrap-servers 127.0.0.1:PORT
    """
    from telco_pipeline.streaming.broker import LIMITS, embedded

    try:
        with embedded() as connection:
            print_line(f"The embedded broker serves {connection.address} until Ctrl-C.")
            for limit in LIMITS:
                print_line(f"  {limit}")
            print_line("  For a real broker: make kafka (docs/streaming.md).")
            print_line(f"export KAFKA_BOOTSTRAP_SERVERS={connection.address}")
            threading.Event().wait()
    except KeyboardInterrupt:
        print_line("The embedded broker has ended; its topics are gone.")
