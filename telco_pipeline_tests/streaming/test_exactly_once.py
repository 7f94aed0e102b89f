"""Each record once, in order, whatever is killed, restarted or cut."""

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming.disturb import Disturbance
from telco_pipeline.streaming.feed import DayFeed
from telco_pipeline_tests.kafka import ApacheKafka, delete_topics, read, unique
from telco_pipeline_tests.streaming import small_day, victim
from telco_pipeline_tests.streaming.synthetic import SyntheticFeed, make_topics

TIMEOUT = 60


def check(client: dict, feed: SyntheticFeed, *, times: int = 1) -> None:
    """Compare what a consumer of committed records sees with the feed: bytes, number, order.

    The consumer is the tests' own, which knows nothing of progress.
    """
    for name, expected in feed.expected().items():
        seen = [(record.key or b"", record.value or b"") for record in read(client, name)]
        assert len(seen) == times * len(expected), f"{len(seen)} of {len(expected)} in {name}"
        assert sorted(seen) == sorted(expected * times)
        for key in {key for key, _ in expected}:
            order = [value for own, value in seen if own == key]
            assert order == [value for own, value in expected if own == key] * times


def draw(random_: random.Random) -> tuple[victim.Plan, dict, float | None]:
    """Return how the next one dies: its plan, its arguments, and when others kill it."""
    where = random_.choice(
        ["record", "before commit", "during commit", "after commit", "from outside"]
    )
    if where == "from outside":
        return victim.Plan(), {"rate": 400.0}, random_.uniform(0.2, 2.5)
    number = random_.randint(1, 400) if where == "record" else random_.randint(1, 4)
    # A commit takes some milliseconds: some die before its request is sent, some after it.
    plan = victim.Plan(where, number, random_.uniform(0, 0.03))  # type: ignore[arg-type]
    return plan, {"records": random_.choice([50, 200])}, None


def kill_many(broker: ApacheKafka, kills: int, count: int, seed: int) -> None:
    client = broker.client()
    progress, names = unique("progress"), (unique("one"), unique("two"))
    make_topics(client, *names, partitions=3)
    feed = SyntheticFeed(names, count=count, headers=seed % 2 == 0)
    random_ = random.Random(seed)
    where = {"bootstrap": broker.bootstrap_servers, "progress": progress}
    done = 0
    while done < kills:
        plan, arguments, after = draw(random_)
        process, _ = victim.start(plan, feed, **where, **arguments)
        if after is not None:
            process.join(after)
            process.kill()
        process.join(TIMEOUT)
        assert process.exitcode in (0, -signal.SIGKILL), (seed, done, plan, process.exitcode)
        done += process.exitcode == -signal.SIGKILL
        assert process.exitcode or done >= kills, f"seed {seed}: all was sent before {done} kills"
    process, answer = victim.start(victim.Plan(), feed, **where, records=5_000)
    left = answer(TIMEOUT)
    assert isinstance(left, int), left
    assert left > 0, "the last one had nothing left to do"
    check(client, feed)
    delete_topics(client, *names, progress)


@pytest.mark.parametrize("seed", [1])
def test_ten_kills(apache_kafka: ApacheKafka, seed: int) -> None:
    print("seed", seed)  # noqa: T201
    kill_many(apache_kafka, kills=10, count=8_000, seed=seed)


@pytest.mark.long
def test_a_hundred_kills(apache_kafka: ApacheKafka) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)  # noqa: T201
    kill_many(apache_kafka, kills=100, count=60_000, seed=seed)


def test_kills_between_rows_of_a_lake(apache_kafka: ApacheKafka, tmp_path: Path) -> None:
    """As above with the feed that reads Parquet, merges files and disturbs some records."""
    lake = small_day.small_lake(tmp_path)
    client, progress = apache_kafka.client(), unique("progress")
    topics = [replace(topic, name=unique(topic.name)) for topic in small_day.TOPICS]
    truth = replace(small_day.TRUTH, name=unique("truth"))
    names = [topic.name for topic in (*topics, truth)]
    make_topics(client, *names, partitions=2)
    rates = dict.fromkeys(("late", "out_of_order", "duplicated", "malformed"), 0.1)
    disturbance = Disturbance(rates, truth)
    feed = DayFeed(lake, small_day.DAY, topics, disturbance=disturbance, batch=64)
    expected: dict[str, list[tuple[bytes | None, bytes]]] = {name: [] for name in names}
    for batch in feed.batches({}):
        for topic, key, value in zip(batch.topic.tolist(), batch.key, batch.value, strict=True):
            expected[names[topic]].append((key, value))
    random_ = random.Random(3)
    where = {"bootstrap": apache_kafka.bootstrap_servers, "progress": progress, "records": 50}
    for _ in range(8):
        plan = victim.Plan(
            random_.choice(["record", "before commit", "after commit"]),  # type: ignore[arg-type]
            random_.randint(1, 3),
        )
        process, _ = victim.start(plan, feed, **where)
        process.join(TIMEOUT)
        assert process.exitcode == -signal.SIGKILL, plan
    process, answer = victim.start(victim.Plan(), feed, **where)
    left = answer(TIMEOUT)
    assert isinstance(left, int), left
    assert 0 < left < sum(map(len, expected.values()))
    for name in names:
        seen = [(record.key, record.value) for record in read(client, name)]
        assert sorted(seen, key=repr) == sorted(expected[name], key=repr)
        for key in {key for key, _ in seen if key is not None}:
            mine = [value for own, value in seen if own == key]
            assert mine == [value for own, value in expected[name] if own == key]
    assert expected[truth.name], "nothing was disturbed"
    delete_topics(client, *names, progress)


def in_thread(action: Callable[[], object]) -> Callable[[float], object]:
    """Start an action; call the result to wait for what it returns or raises."""
    ended: list[object] = []

    def run() -> None:
        try:
            ended.append(action())
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def wait(timeout: float) -> object:
        thread.join(timeout)
        assert ended, f"it did not end within {timeout} s"
        if isinstance(ended[0], BaseException):
            raise ended[0]
        return ended[0]

    return wait


@pytest.mark.parametrize("hard", [False, True], ids=["stopped", "killed"])
def test_the_broker_is_restarted(own_kafka: Callable[..., ApacheKafka], hard: bool) -> None:
    broker = own_kafka()
    client = broker.client()
    names = ("one", "two")
    make_topics(client, *names, partitions=2)
    feed = SyntheticFeed(names, count=6_000)
    wait = in_thread(lambda: victim.publish(feed, broker.bootstrap_servers, "progress", rate=500.0))
    for _ in range(2):
        time.sleep(2)
        broker.restart(hard=hard)
    delivery = wait(120)
    assert isinstance(delivery, victim.Delivery)
    assert delivery.records == feed.count
    assert delivery.done
    check(client, feed)


@pytest.mark.parametrize("how", ["cut", "freeze"])
def test_the_network_fails(own_kafka: Callable[..., ApacheKafka], how: str) -> None:
    broker = own_kafka(proxied=True)
    assert broker.proxy is not None
    client = broker.client()
    make_topics(client, "one", "two", partitions=2)
    feed = SyntheticFeed(("one", "two"), count=6_000)
    address = str(broker.client("proxied")["bootstrap.servers"])
    wait = in_thread(lambda: victim.publish(feed, address, "progress", rate=500.0))
    # The last time for longer than the broker waits for the end of a transaction.
    for seconds in (0.5, 3.0, 20.0):
        time.sleep(1.5)
        getattr(broker.proxy, how)()
        time.sleep(seconds)
        broker.proxy.heal()
    delivery = wait(120)
    assert isinstance(delivery, victim.Delivery)
    assert delivery.records == feed.count
    check(client, feed)


def test_a_network_that_stays_cut_is_given_up(own_kafka: Callable[..., ApacheKafka]) -> None:
    broker = own_kafka(proxied=True)
    assert broker.proxy is not None
    client = broker.client()
    make_topics(client, "one", partitions=2)
    feed = SyntheticFeed(("one",), count=2_000)
    address = str(broker.client("proxied")["bootstrap.servers"])
    wait = in_thread(lambda: victim.publish(feed, address, "progress", rate=500.0, patience=4.0))
    time.sleep(2.5)
    broker.proxy.cut()
    begun = time.monotonic()
    with pytest.raises(TelcoError, match="the next run goes on after them"):
        wait(60)
    assert time.monotonic() - begun < 30
    broker.proxy.heal()
    assert victim.publish(feed, address, "progress").done
    check(client, feed)


def test_the_second_publisher_of_a_day_takes_over(apache_kafka: ApacheKafka) -> None:
    client = apache_kafka.client()
    progress, name = unique("progress"), unique("fenced")
    make_topics(client, name, partitions=2)
    feed = SyntheticFeed((name,), count=3_000)
    bootstrap = apache_kafka.bootstrap_servers
    first = in_thread(lambda: victim.publish(feed, bootstrap, progress, rate=300.0))
    time.sleep(3)
    second = in_thread(lambda: victim.publish(feed, bootstrap, progress, rate=3_000.0))
    with pytest.raises(TelcoError, match=r"another publisher of 2026-01-01 has taken over \(proc"):
        first(30)
    delivery = second(30)
    assert isinstance(delivery, victim.Delivery)
    assert 0 < delivery.records < feed.count
    assert delivery.done
    check(client, feed)
    delete_topics(client, name, progress)
