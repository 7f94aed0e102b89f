"""What a transaction adds to progress."""

import dataclasses

import numpy as np

from telco_pipeline.streaming.entries import Position
from telco_pipeline.streaming.progress import Progress
from telco_pipeline.streaming.tally import Tally
from telco_pipeline_tests.streaming.synthetic import DAY, WORLD, SyntheticFeed

NAMES = ("one", "two", "three")


def book(*names: str) -> dict[str, Progress]:
    made = (Progress(WORLD, DAY, name, "content", since=None, begun={}) for name in names)
    return {one.topic: dataclasses.replace(one, records=100, size=1_000) for one in made}


def test_parts_of_batches_add_up_by_topic() -> None:
    feed = SyntheticFeed(NAMES[:2], count=90, batch=40, disturbed={3: 1, 44: 2, 45: 1, 89: 1})
    before = book(*NAMES[:2])
    tally = Tally(feed)
    # The last entry is left out.
    for batch in feed.batches({}):
        last = len(batch) - (90 in (batch.row + 1))
        tally.add(batch, slice(0, 7))
        tally.add(batch, slice(7, last))
    assert tally.records == 89
    after = tally.on(before)
    for index, name in enumerate(NAMES[:2]):
        mine = [number for number in range(89) if feed.topic_of(number) == index]
        assert after[name].position == feed.position(mine[-1])
        assert after[name].records == 100 + len(mine)
        assert after[name].size == 1_000 + sum(len(feed.value(number)) for number in mine)
        kinds = [feed.disturbed[number] for number in mine if number in feed.disturbed]
        assert after[name].disturbed == {feed.disturbances[k]: kinds.count(k) for k in {*kinds}}
        assert before[name].records == 100


def test_truth_counts_in_its_topic_and_moves_that_of_its_record() -> None:
    feed = SyntheticFeed(NAMES, count=4)
    batch = next(iter(feed.batches({})))
    batch = dataclasses.replace(
        batch, topic=np.array([0, 0, 2, 2], np.int16), owner=np.array([0, 0, 0, 1], np.int16)
    )
    tally = Tally(feed)
    tally.add(batch, slice(0, 4))
    before = book(*NAMES)
    after = tally.on(before)
    assert [after[name].records - 100 for name in NAMES] == [2, 0, 2]
    assert after["one"].position == Position(*batch.position(2))
    assert after["two"].position == batch.position(3)
    assert after["three"].position is None
    untouched = Tally(feed).on(before)
    assert all(untouched[name] is before[name] for name in NAMES)
