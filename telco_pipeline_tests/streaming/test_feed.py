"""The feed: every row once, in order, the same whatever the sizes, from anywhere on."""

import datetime as dt
import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.streaming import disturb
from telco_pipeline.streaming.disturb import Disturbance
from telco_pipeline.streaming.entries import Batch, Position
from telco_pipeline.streaming.feed import DayFeed, ahead
from telco_pipeline.streaming.layout import Topic
from telco_pipeline_tests.lake.kit import CONFIG, DAY, commit, origin
from telco_pipeline_tests.streaming.small_day import (
    CDRS,
    LOGS,
    START,
    TOPICS,
    TRUTH,
    registry,
    rows_of,
    small_lake,
    subscriber,
    told,
)

RATES = {"late": 0.2, "out_of_order": 0.1, "duplicated": 0.2, "malformed": 0.1}
DISTURBED = Disturbance(RATES, TRUTH)
sizes = st.builds(
    dict,
    batch=st.integers(1, 500),
    span=st.sampled_from([60, 300, 1000]),
    buffered=st.integers(1, 5000),
)


@pytest.fixture(autouse=True, scope="module")
def short_slices() -> Iterator[None]:
    """Have even small files read in several slices."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("telco_pipeline.streaming.feed.SHORTEST_SLICE", 7)
        yield


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return small_lake(tmp_path_factory.mktemp("feed"))


def entries(feed: DayFeed, after: dict[str, Position] | None = None) -> list[dict[str, Any]]:
    """Return the entries of a feed one by one, having checked their batches."""
    made = []
    for batch in feed.batches(after or {}):
        check_form(batch)
        # Who stopped between a record and the truth about it goes on with that.
        assert batch.copy[0] < disturb.TRUTH or (after and not made), "truth was parted"
        owners = batch.topic if batch.owner is None else batch.owner
        made += [
            {
                "topic": feed.topics[batch.topic[i]].name,
                "owner": feed.topics[owners[i]].name,
                "position": batch.position(i),
                "time": int(batch.event_time[i]),
                "key": batch.key[i],
                "value": batch.value[i],
                "headers": None if batch.headers is None else batch.headers[i],
                "kind": feed.disturbances[batch.disturbance[i]],
            }
            for i in range(len(batch))
        ]
    positions = [entry["position"] for entry in made]
    assert positions == sorted(set(positions)), "not in order, or not unique"
    return made


def check_form(batch: Batch) -> None:
    assert len(batch) > 0
    lists = [batch.key, batch.value, batch.topic, batch.event_time, batch.release, batch.file]
    lists += [batch.row, batch.copy, batch.disturbance]
    lists += [] if batch.headers is None else [batch.headers]
    assert {len(each) for each in lists} == {len(batch)}


def test_every_row_once_in_order_with_its_key_and_value(lake: Lake) -> None:
    made = entries(DayFeed(lake, DAY, TOPICS))
    expected = told()
    assert [(e["topic"], e["time"], e["key"]) for e in made] == [
        (e["topic"], e["time"], e["key"]) for e in expected
    ]
    assert [json.loads(e["value"]) for e in made] == [e["value"] for e in expected]
    assert [list(json.loads(e["value"])) for e in made[:50]] == [
        list(e["value"]) for e in expected[:50]
    ], "members are not in the contract's order"
    assert all(e["position"].release == e["time"] and e["kind"] == "" for e in made)
    assert all(e["owner"] == e["topic"] for e in made)


def test_headers_say_what_a_record_is(lake: Lake) -> None:
    made = entries(DayFeed(lake, DAY, TOPICS))
    for entry in made:
        value = json.loads(entry["value"])
        name = value["dataset"]
        headers = entry["headers"]
        assert list(headers) == [
            *("ce_id", "ce_time", "ce_specversion", "ce_source", "ce_type"),
            *("schema_version", "content-type"),
        ]
        assert headers["ce_specversion"] == b"1.0"
        assert headers["ce_source"] == b"/telco/000000000000002a"
        assert headers["ce_type"] == f"telco.{name}".encode()
        assert headers["ce_time"] == value["event_time"].encode()
        assert headers["schema_version"] == str(DATASETS[name].version).encode()
        assert headers["content-type"] == b"application/json"
        if "event_id" in value:
            assert headers["ce_id"] == str(value["event_id"]).encode()
    counters = [e for e in made if b'"pm_counters"' in e["value"][:30]]
    assert counters[0]["headers"]["ce_id"].startswith(b"pm_counters/")


def test_a_feed_without_headers_has_none(lake: Lake) -> None:
    assert all(e["headers"] is None for e in entries(DayFeed(lake, DAY, [LOGS], headers=False)))


@pytest.fixture(scope="module")
def plain(lake: Lake) -> list[dict[str, Any]]:
    return entries(DayFeed(lake, DAY, TOPICS))


@pytest.fixture(scope="module")
def disturbed(lake: Lake) -> list[dict[str, Any]]:
    return entries(DayFeed(lake, DAY, TOPICS, disturbance=DISTURBED))


@settings(max_examples=8)
@given(options=sizes, noise=st.booleans())
def test_sizes_change_no_entry(
    lake: Lake,
    plain: list[dict[str, Any]],
    disturbed: list[dict[str, Any]],
    options: dict[str, int],
    noise: bool,
) -> None:
    feed = DayFeed(lake, DAY, TOPICS, disturbance=DISTURBED if noise else None, **options)
    assert entries(feed) == (disturbed if noise else plain)


@settings(max_examples=25)
@given(data=st.data(), options=sizes, noise=st.booleans())
def test_going_on_anywhere_gives_exactly_the_rest(
    lake: Lake,
    plain: list[dict[str, Any]],
    disturbed: list[dict[str, Any]],
    data: st.DataObject,
    options: dict[str, int],
    noise: bool,
) -> None:
    """Each topic has come as far as some entry of its own, or to a place between entries."""
    whole = disturbed if noise else plain
    after: dict[str, Position] = {}
    for topic in TOPICS:
        own = [e["position"] for e in whole if e["owner"] == topic.name]
        index = data.draw(st.none() | st.integers(0, len(own) - 1), label=topic.name)
        if index is not None:
            shift = data.draw(st.integers(-1, 1), label="rows off")
            after[topic.name] = own[index]._replace(row=own[index].row + shift)
    feed = DayFeed(lake, DAY, TOPICS, disturbance=DISTURBED if noise else None, **options)
    nothing = Position(0, 0, 0, 0)
    rest = [e for e in whole if e["position"] > after.get(e["owner"], nothing)]
    assert entries(feed, after) == rest


def test_truth_goes_by_its_records_topic_alone(lake: Lake, disturbed: list[dict[str, Any]]) -> None:
    """A topic that is delivered later has its truth, though that topic has come further."""
    feed = DayFeed(lake, DAY, [LOGS], disturbance=DISTURBED)
    last = disturbed[-1]["position"]
    made = entries(feed, {CDRS.name: last, TRUTH.name: last})
    assert made == [e for e in disturbed if e["owner"] == LOGS.name]
    assert any(e["topic"] == TRUTH.name for e in made)


def test_topics_that_are_sent_apart_are_as_together(
    lake: Lake, plain: list[dict[str, Any]]
) -> None:
    for topic in TOPICS:
        assert entries(DayFeed(lake, DAY, [topic])) == [
            e for e in plain if e["topic"] == topic.name
        ]


@settings(max_examples=8)
@given(first=st.integers(0, 24 * 60), length=st.integers(1, 24 * 60), noise=st.booleans())
def test_a_window_leaves_out_what_happened_outside(
    lake: Lake,
    plain: list[dict[str, Any]],
    disturbed: list[dict[str, Any]],
    first: int,
    length: int,
    noise: bool,
) -> None:
    start = START + dt.timedelta(minutes=first)
    end = start + dt.timedelta(minutes=length)
    if first == 24 * 60:
        with pytest.raises(TelcoError, match="choose other times"):
            DayFeed(lake, DAY, TOPICS, start=start, end=end)
        return
    chosen = DISTURBED if noise else None
    feed = DayFeed(lake, DAY, TOPICS, start=start, end=end, disturbance=chosen)
    bounds = start.timestamp() * 1e6, end.timestamp() * 1e6
    whole = disturbed if noise else plain
    assert entries(feed) == [e for e in whole if bounds[0] <= e["time"] < bounds[1]]


def test_content_tells_whatever_changes_entries(lake: Lake, tmp_path: Path) -> None:
    base = DayFeed(lake, DAY, TOPICS).content
    assert set(base) == {"cdrs", "logs", "rest"}
    assert len(set(base.values())) == 3
    assert DayFeed(lake, DAY, TOPICS, batch=3, span=9, buffered=99).content == base
    assert DayFeed(lake, DAY, [LOGS]).content == {"logs": base["logs"]}
    noon = START + dt.timedelta(hours=12)
    others: list[dict[str, Any]] = [
        {"headers": False},
        {"start": noon},
        {"end": noon},
        {"disturbance": DISTURBED},
        {"disturbance": Disturbance({"late": 0.1}, TRUTH)},
    ]
    found = [DayFeed(lake, DAY, TOPICS, **each).content for each in others]
    for name in base:
        hashes = [content[name] for content in found]
        assert len({base[name], *hashes}) == 1 + len(hashes)
    again = small_lake(tmp_path)
    assert DayFeed(again, DAY, TOPICS).content == base
    rows = rows_of("cdrs_sms")
    commit(again, DATASETS["cdrs_sms"], [rows[1], rows[0], rows[2]], DAY)
    changed = DayFeed(again, DAY, TOPICS).content
    assert {name for name in base if changed[name] != base[name]} == {"cdrs"}


def test_truth_tells_every_disturbance(
    plain: list[dict[str, Any]], disturbed: list[dict[str, Any]]
) -> None:
    truths = [e for e in disturbed if e["topic"] == TRUTH.name]
    records = [e for e in disturbed if e["topic"] != TRUTH.name]
    assert {e["kind"] for e in records} == set(disturb.KINDS)
    assert [e["position"] for e in truths] == [
        e["position"]._replace(copy=e["position"].copy + disturb.TRUTH)
        for e in records
        if e["kind"]
    ]
    by_place = {e["position"][1:3]: e for e in plain}
    at = {e["position"]: e for e in records}
    for truth in truths:
        position = truth["position"]._replace(copy=truth["position"].copy - disturb.TRUTH)
        record = at[position]
        original = by_place[position[1:3]]
        value = json.loads(truth["value"])
        assert value["dataset"] == disturb.DATASET
        assert value["kind"] == record["kind"]
        assert value["topic"] == record["topic"] == truth["owner"]
        assert value["record"] == json.loads(original["value"])["dataset"]
        assert value["id"].encode() == original["headers"]["ce_id"]
        assert value["event_id"] == json.loads(original["value"]).get("event_id")
        assert value["copy"] == record["position"].copy
        assert value["key"].encode() == truth["key"] == record["key"]
        assert dt.datetime.fromisoformat(value["release"]).timestamp() * 1e6 == position.release
        assert truth["headers"]["ce_type"] == b"telco.disturbances"
    copies = [e for e in records if e["position"].copy]
    assert len(records) - len(copies) == len(plain)
    assert all(e["kind"] == "duplicated" for e in copies)
    for record in records:
        original = by_place[record["position"][1:3]]
        assert (record["value"] == original["value"]) == (record["kind"] != "malformed")
        assert record["headers"] == original["headers"]


def test_registry_comes_as_of_the_days_start(tmp_path: Path) -> None:
    lake = small_lake(tmp_path)
    users = Topic("users", ("subscribers",), cleanup="compact")
    logs = Topic("logs", ("network_logs",))
    first = entries(DayFeed(lake, DAY, [logs, users], span=7, buffered=20))
    people = [json.loads(e["value"]) for e in first if e["topic"] == "users"]
    expected = [
        row
        for frame in (registry(range(25)), registry(range(25, 40), 2))
        for row in frame.to_dicts()
    ]
    assert [e["subscriber_id"] for e in people] == [row["subscriber_id"] for row in expected]
    assert [e["msisdn"] for e in people] == [row["msisdn"] for row in expected]
    assert all(e["in_service"] for e in people)
    assert [e["topic"] for e in first[:40]] == ["users"] * 40, "they come before all records"
    for limit in (0, 20, 24, 25, 39):
        after = {"users": first[limit]["position"]}
        rest = entries(DayFeed(lake, DAY, [users]), after)
        assert rest == first[limit + 1 : 40]

    # The day after: 3 has another number, 4 has left, 41 has joined.
    changes = pl.DataFrame(
        [
            _change(3, "number change", msisdn="+32470000999"),
            _change(4, "termination"),
            _change(41, "activation"),
        ],
        schema=DATASETS["identity_changes"].polars_schema,
    )
    commit(lake, DATASETS["identity_changes"], changes, DAY)
    commit(lake, DATASETS["network_logs"], rows_of("network_logs"), DAY + dt.timedelta(days=1))
    later = entries(DayFeed(lake, DAY + dt.timedelta(days=1), [users]))
    found = {value["subscriber_id"]: value for e in later for value in [json.loads(e["value"])]}
    assert len(found) == 41
    assert found[subscriber(3)]["msisdn"] == "+32470000999"
    assert [key for key, value in found.items() if not value["in_service"]] == [subscriber(4)]
    assert found[subscriber(41)]["in_service"]
    assert subscriber(42) not in found


def _change(number: int, kind: str, **changed: str) -> dict[str, Any]:
    row = registry(range(number, number + 1)).to_dicts()[0] | changed
    dtype = DATASETS["identity_changes"].polars_schema["change_type"]
    assert isinstance(dtype, pl.Enum)
    names = dtype.categories.to_list()
    close = next(name for name in names if name.replace("_", " ") == kind)
    return {
        "event_id": number,
        "event_time": START + dt.timedelta(hours=5),
        "subscriber_id": row["subscriber_id"],
        "change_type": close,
        **{name: row[name] for name in ("imsi", "msisdn", "imei", "iccid", "device_id")},
        "number_holder": row["number_holder"],
    }


def test_a_missing_partition_is_one_clear_line(lake: Lake) -> None:
    with pytest.raises(
        TelcoError, match=r"has no cdrs_data of 2026-01-01: make it with `telco gen"
    ):
        DayFeed(lake, DAY, [Topic("data", ("cdrs_data",))])


def test_a_damaged_file_is_one_clear_line(tmp_path: Path) -> None:
    lake = small_lake(tmp_path)
    file = lake.files("network_logs", DAY)[1]
    data = file.read_bytes()
    file.write_bytes(data[:500] + b"\x00" * (len(data) // 2) + data[500 + len(data) // 2 :])
    with pytest.raises(TelcoError, match="make it anew with") as caught:
        entries(DayFeed(lake, DAY, [LOGS]))
    assert "\n" not in str(caught.value)
    file.write_bytes(b"PAR1")
    with pytest.raises(TelcoError, match="make it anew with"):
        DayFeed(lake, DAY, [LOGS])


def test_rows_of_another_contract_are_refused(tmp_path: Path) -> None:
    lake = small_lake(tmp_path)
    note = lake.directory("network_logs", DAY) / "_provenance.json"
    plain = json.loads(note.read_text())
    note.write_text(json.dumps(plain | {"contract_version": 99}))
    with pytest.raises(TelcoError, match="keeps version 99 of its contract"):
        DayFeed(lake, DAY, [LOGS])


def test_a_counterfactual_shows_through(tmp_path: Path) -> None:
    small_lake(tmp_path)
    beside = Lake(tmp_path, "without")
    other = origin(43, "without")
    beside.bind(other, CONFIG, overlays=origin().world_hash)
    rows = rows_of("cdrs_sms")
    commit(beside, DATASETS["cdrs_sms"], rows[:1], DAY, seed=43)
    made = entries(DayFeed(beside, DAY, [CDRS]))
    kinds = [json.loads(e["value"])["dataset"] for e in made]
    assert kinds.count("cdrs_sms") == rows[0].height
    assert kinds.count("cdrs_voice") == 210
    assert made[0]["headers"]["ce_source"] == b"/telco/000000000000002b"


# --- ahead --------------------------------------------------------------------------------------


def feeding() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "feed"]


def test_no_thread_is_left_when_the_consumer_stops_early(lake: Lake) -> None:
    batches = DayFeed(lake, DAY, TOPICS, batch=5).batches({})
    next(batches)
    assert feeding()
    batches.close()  # type: ignore[attr-defined]
    assert not feeding()
    for _ in DayFeed(lake, DAY, TOPICS, batch=5).batches({}):
        break
    assert not feeding()


def test_what_a_source_raises_comes_after_what_it_gave() -> None:
    def source() -> Iterator[int]:
        yield from range(7)
        raise TelcoError("no more")

    got: list[int] = []
    with pytest.raises(TelcoError, match="no more"):
        got.extend(ahead(source, 2))
    assert got == list(range(7))
    assert not feeding()


def test_the_source_is_closed_and_not_far_ahead() -> None:
    begun: list[int] = []
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            for number in itertools.count():
                begun.append(number)
                yield number
        finally:
            closed.set()

    values = ahead(source, 2)
    assert [next(values) for _ in range(10)] == list(range(10))
    values.close()  # type: ignore[attr-defined]
    assert len(begun) <= 14
    assert closed.wait(5)
