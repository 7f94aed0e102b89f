"""Files hold the records that ended while they were open; layers lose and double files only."""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from telco_pipeline import reconciliation
from telco_pipeline.contracts.collection import COLLECTED_FILES
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.oss import collection, labels
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.settings import WorldConfig
from telco_pipeline_tests.oss.kit import CONFIG, DAYS, FIRST, put

ELEMENTS = {
    "MSC-1": "MSC",
    "MMTEL-1": "MMTel-AS",
    "SMSC-1": "SMSC",
    "PGW-1": "PGW",
    "PGW-2": "PGW",
    "SCSCF-1": "S-CSCF",
    "ENB-1": "eNB",
}
STREAMS = {
    ("MSC-1", "cdrs_voice"),
    ("MMTEL-1", "cdrs_voice"),
    ("MSC-1", "cdrs_sms"),
    ("SMSC-1", "cdrs_sms"),
    ("PGW-1", "cdrs_data"),
    ("PGW-2", "cdrs_data"),
    ("MMTEL-1", "cdrs_voip"),
    ("SCSCF-1", "cdrs_ims"),
}
_TIME = pl.Datetime("us", "UTC")
START = dt.datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=dt.UTC)
ENDS = {
    "cdrs_voice": "release_time",
    "cdrs_sms": None,
    "cdrs_data": "duration",
    "cdrs_voip": "release_time",
    "cdrs_ims": "delivery_end_time",
}

Record = tuple[str, float, float | None]
"""Who wrote it, when it began in seconds from the start of the first day, how long it took."""


def write(lake: Lake, **records: list[Record]) -> None:
    """Write records of all datasets, those that are not named as none."""
    for number, (name, end) in enumerate(ENDS.items()):
        rows = []
        for place, (element, start, length) in enumerate(records.get(name, [])):
            began = START + dt.timedelta(seconds=start)
            row: dict[str, Any] = {
                "event_id": 1 + place + 1_000_000 * number,
                "event_time": began,
                "recording_entity": element,
            }
            if end == "duration":
                row[end] = length or 0
            elif end:
                row[end] = None if length is None else began + dt.timedelta(seconds=length)
            rows.append(row)
        schema = {"event_id": pl.Int64, "event_time": _TIME, "recording_entity": pl.String}
        schema |= {end: pl.Int32 if end == "duration" else _TIME} if end else {}
        frame = pl.DataFrame(rows, schema=schema)
        for day in DAYS:
            put(lake, name, day, [frame.filter(pl.col("event_time").dt.date() == day)])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    elements = pl.DataFrame(
        {
            "element_id": list(ELEMENTS),
            "element_type": list(ELEMENTS.values()),
            "site_id": [None] * (len(ELEMENTS) - 1) + ["S1"],
            "installed": [FIRST] * len(ELEMENTS),
        },
        schema_overrides={"site_id": pl.String},
    )
    put(lake, "network_elements", None, [elements])
    write(lake)
    return lake


def made(lake: Lake, day: dt.date = FIRST, config: WorldConfig = CONFIG) -> pl.DataFrame:
    return collection.make(config, lake, day)


def full(frame: pl.DataFrame) -> dict[tuple[str, str, int], int]:
    """Return the records by element, dataset and quarter of the files that have some."""
    some = frame.filter(pl.col("record_count") > 0)
    quarter = pl.col("event_time").dt.hour() * 4 + pl.col("event_time").dt.minute() // 15
    rows = some.select("element_id", pl.col("dataset").cast(pl.String), quarter, "record_count")
    return {(row[0], row[1], row[2]): row[3] for row in rows.rows()}


def layer(number: int = 7, **effect: Any) -> Layer:
    """Return a layer that damages the files of a gateway on the second day from 06:00 to 18:00."""
    return Layer.model_validate(
        {
            "version": 1,
            "number": number,
            "title": "Damage",
            "story": "Files of one gateway do not arrive as they should.",
            "kind": "revenue",
            "when": {"first": "1d", "at": "07:00"},
            "cast": {
                "gateway": {
                    "of": "network_elements",
                    "where": {"element_id": "PGW-1"},
                }
            },
            "stages": [
                {
                    "name": "damage",
                    "lasts": "12h",
                    "do": [{"files": {"who": "gateway", **effect}}],
                }
            ],
        }
    )


def damaged(number: int = 7, **effect: Any) -> WorldConfig:
    return with_layers(CONFIG, {"one": layer(number, **effect)})


def test_every_writer_closes_a_file_each_quarter_with_or_without_records(lake: Lake) -> None:
    frame = made(lake)
    assert frame.schema == COLLECTED_FILES.polars_schema
    _, failure = COLLECTED_FILES.schema.filter(frame)
    assert len(failure) == 0
    counts = frame.group_by("element_id", pl.col("dataset").cast(pl.String)).len().rows()
    assert {row[:2]: row[2] for row in counts} == dict.fromkeys(STREAMS, 96)
    assert frame["event_time"].dt.date().unique().to_list() == [FIRST]
    assert (frame["closed"] - frame["event_time"]).unique().to_list() == [dt.timedelta(minutes=15)]
    assert frame["record_count"].sum() == 0
    assert frame["first_event_time"].null_count() == frame.height
    assert frame["checksum"].unique().to_list() == ["0" * 16]
    assert frame.equals(frame.sort(*COLLECTED_FILES.sort))


@pytest.mark.parametrize(
    ("name", "element", "start", "length", "quarter"),
    [
        ("cdrs_sms", "SMSC-1", 899.999, None, 0),
        ("cdrs_sms", "SMSC-1", 900.0, None, 1),
        ("cdrs_voice", "MSC-1", 890.0, 9.0, 0),
        ("cdrs_voice", "MSC-1", 890.0, 11.0, 1),
        ("cdrs_voice", "MMTEL-1", 890.0, 7200.0, 8),
        ("cdrs_data", "PGW-1", 0.0, 3600, 4),
        ("cdrs_voip", "MMTEL-1", 890.0, 11.0, 1),
        ("cdrs_ims", "SCSCF-1", 890.0, 11.0, 1),
        ("cdrs_ims", "SCSCF-1", 890.0, None, 0),
    ],
)
def test_a_record_is_in_the_file_that_is_open_when_it_ends(
    lake: Lake, name: str, element: str, start: float, length: float | None, quarter: int
) -> None:
    write(lake, **{name: [(element, start, length)]})
    frame = made(lake)
    assert full(frame) == {(element, name, quarter): 1}
    row = frame.filter(pl.col("record_count") == 1).row(0, named=True)
    began = START + dt.timedelta(seconds=start)
    assert row["first_event_time"] == row["last_event_time"] == began
    assert row["file_length"] > 54


def test_what_ends_after_midnight_is_in_a_file_of_the_next_day(lake: Lake) -> None:
    late: list[Record] = [("PGW-2", 86_390.0, 20), ("PGW-2", 86_390.0, 5)]
    write(lake, cdrs_data=late, cdrs_voice=[("MSC-1", 86_000.0, 1000.0)])
    assert full(made(lake)) == {("PGW-2", "cdrs_data", 95): 1}
    second = made(lake, DAYS[1])
    assert full(second) == {("PGW-2", "cdrs_data", 0): 1, ("MSC-1", "cdrs_voice", 0): 1}
    began = second.filter(pl.col("record_count") == 1)["first_event_time"]
    assert began.dt.date().unique().to_list() == [FIRST]


def test_every_record_is_in_one_file(lake: Lake) -> None:
    times = [37.5 * number for number in range(4600)]  # two days
    write(
        lake,
        cdrs_sms=[("SMSC-1", time, None) for time in times],
        cdrs_data=[("PGW-1" if time % 2 else "PGW-2", time, 300) for time in times],
    )
    frames = pl.concat([made(lake, day) for day in DAYS])
    sums = frames.group_by(pl.col("dataset").cast(pl.String)).agg(pl.col("record_count").sum())
    found = {name: count for name, count in sums.rows() if count}
    assert found == {"cdrs_sms": len(times), "cdrs_data": len(times)}


def test_an_element_that_nobody_expects_has_files_too(lake: Lake) -> None:
    write(lake, cdrs_sms=[("ENB-1", 5.0, None)])
    frame = made(lake)
    assert full(frame) == {("ENB-1", "cdrs_sms", 0): 1}
    assert frame.filter(pl.col("element_id") == "ENB-1").height == 96


def test_equal_records_have_equal_checksums_in_any_order(lake: Lake) -> None:
    records: list[Record] = [("SMSC-1", 10.0, None), ("SMSC-1", 20.0, None)]
    write(lake, cdrs_sms=records)
    before = made(lake)["checksum"]
    frame = lake.read("cdrs_sms", FIRST, FIRST).drop("day")
    put(lake, "cdrs_sms", FIRST, [frame.reverse()])
    assert made(lake)["checksum"].equals(before)
    put(lake, "cdrs_sms", FIRST, [frame.with_columns(pl.col("event_id") + 1)])
    assert not made(lake)["checksum"].equals(before)


def test_numbers_go_up_by_one_but_for_restarts(lake: Lake) -> None:
    days = [FIRST + dt.timedelta(days=offset) for offset in range(130)]
    for day in days:
        for name in ENDS:
            put(lake, name, day, [lake.read(name, FIRST, FIRST).drop("day")])
    frame = pl.concat([made(lake, day) for day in days]).sort("element_id", "dataset", "event_time")
    step = pl.col("sequence_number").diff().over("element_id", "dataset")
    steps = frame.with_columns(step=step).drop_nulls("step")
    begun = steps.filter(pl.col("step") != 1)
    assert begun["sequence_number"].unique().to_list() == [0]
    # An element is restarted as a whole, about once in 64 days.
    times = begun.group_by("element_id").agg(pl.col("event_time").n_unique().alias("times"))
    assert times.height == len({element for element, _ in STREAMS})
    assert times["times"].is_between(1, 3).all()
    voice, voip = (
        begun.filter(pl.col("dataset").cast(pl.String) == name, pl.col("element_id") == "MMTEL-1")
        for name in ("cdrs_voice", "cdrs_voip")
    )
    assert voice["event_time"].to_list() == voip["event_time"].to_list()


def test_names_tell_element_number_and_local_time_of_closing(lake: Lake) -> None:
    row = made(lake).filter(pl.col("element_id") == "SMSC-1").row(95, named=True)
    next_day = FIRST + dt.timedelta(days=1)
    number = row["sequence_number"]
    assert row["file_name"] == f"SMSC-1_-_{number}.{next_day:%Y%m%d}_-_0100+0100.sms.cdr"


def test_files_arrive_within_minutes_and_rarely_hours_late(lake: Lake) -> None:
    frame = pl.concat([made(lake, day) for day in DAYS])
    delay = (frame["received"] - frame["closed"]).dt.total_seconds()
    assert delay.min() >= 1
    late = delay > 400
    assert 0 < late.mean() < 0.01
    assert delay.max() < 9 * 3600
    assert frame["received"].n_unique() == frame.height


def test_ids_are_unique_over_days(lake: Lake) -> None:
    config = damaged(doubled=0.5)
    ids = pl.concat([made(lake, day, config)["file_id"] for day in DAYS])
    assert ids.n_unique() == len(ids)


def test_lost_files_are_missing_and_all_others_equal(lake: Lake) -> None:
    write(lake, cdrs_data=[("PGW-1", 60.0 * number, 30) for number in range(2880)])
    config = damaged(lost=0.4)
    for day in (FIRST, DAYS[2]):
        assert made(lake, day, config).equals(made(lake, day)), "outside its time"
    without, with_it = made(lake, DAYS[1]), made(lake, DAYS[1], config)
    gone = without.join(with_it, on="file_id", how="anti")
    assert with_it.equals(without.join(gone, on="file_id", how="anti", maintain_order="left"))
    assert gone["element_id"].unique().to_list() == ["PGW-1"]
    assert gone["event_time"].dt.hour().is_between(6, 17).all()
    assert 8 <= gone.height <= 32  # of 48
    # The records themselves are all there.
    assert lake.read("cdrs_data", DAYS[1], DAYS[1]).height == 1440


def test_doubled_files_come_twice_and_all_others_equal(lake: Lake) -> None:
    write(lake, cdrs_data=[("PGW-1", 60.0 * number, 30) for number in range(2880)])
    without, with_it = made(lake, DAYS[1]), made(lake, DAYS[1], damaged(doubled=0.4))
    more = with_it.join(without, on="file_id", how="anti")
    rest = with_it.join(more, on="file_id", how="anti", maintain_order="left")
    assert rest.equals(without)
    assert 8 <= more.height <= 32
    first = more.join(without, on=["element_id", "dataset", "sequence_number"], suffix="_first")
    assert first.height == more.height
    for name in ("file_name", "event_time", "closed", "record_count", "file_length", "checksum"):
        assert first[name].equals(first[f"{name}_first"], check_names=False), name
    waited = (first["received"] - first["received_first"]).dt.total_minutes()
    assert waited.min() >= 5
    assert waited.max() <= 360


def test_a_lost_file_cannot_come_twice(lake: Lake) -> None:
    both = made(lake, DAYS[1], damaged(lost=1.0, doubled=1.0))
    assert both.filter(pl.col("element_id") == "PGW-1").height == 96 - 48


def test_effects_of_two_layers_add_up(lake: Lake) -> None:
    one, two = layer(7, lost=0.3), layer(8, lost=0.3)
    lost = {}
    for name, layers in {"1": {"a": one}, "2": {"b": two}, "12": {"a": one, "b": two}}.items():
        frame = made(lake, DAYS[1], with_layers(CONFIG, layers))
        lost[name] = set(made(lake, DAYS[1])["file_id"]) - set(frame["file_id"])
    assert lost["12"] == lost["1"] | lost["2"]
    assert lost["1"] != lost["2"]


def test_a_renamed_layer_changes_no_row(lake: Lake) -> None:
    damage = layer(lost=0.3, doubled=0.3)
    frames = [made(lake, DAYS[1], with_layers(CONFIG, {name: damage})) for name in ("a", "b")]
    assert frames[0].equals(frames[1])


def test_truth_names_files_that_are_missing_or_came_twice(lake: Lake) -> None:
    config = damaged(lost=0.3, doubled=0.3)
    without, with_it = made(lake, DAYS[1]), made(lake, DAYS[1], config)
    put(lake, "collected_files", DAYS[1], [with_it])
    frame = pl.concat(list(labels._of_files(config, lake, DAYS[1])))
    assert frame["dataset"].unique().to_list() == ["collected_files"]
    assert frame["effects"].unique().to_list() == ["files"]
    missing = set(without["file_id"]) - set(with_it["file_id"])
    second = set(with_it["file_id"]) - set(without["file_id"])
    assert missing
    assert second
    assert set(frame["event_id"]) == missing | second
    times = pl.concat([without, with_it]).select("file_id", opened="event_time").unique("file_id")
    joined = frame.join(times, left_on="event_id", right_on="file_id")
    assert joined["event_time"].equals(joined["opened"], check_names=False)
    assert not list(labels._of_files(config, lake, FIRST))


def test_missing_records_are_told(lake: Lake) -> None:
    for file in lake.files("cdrs_voip", DAYS[1]):
        file.unlink()
    with pytest.raises(TelcoError, match=r"cdrs_voip of .* make it anew with"):
        made(lake, DAYS[1])


# The check


def faults(lake: Lake, frame: pl.DataFrame) -> list[str]:
    put(lake, "collected_files", DAYS[1], [frame])
    found = reconciliation.file_faults(lake, DAYS[1])
    assert (found.offenders > 0) == bool(found.words)
    assert found.rows == frame.height
    return found.words


def test_the_check_takes_gaps_copies_and_restarts_for_sound(lake: Lake) -> None:
    assert faults(lake, made(lake, DAYS[1], damaged(lost=0.3, doubled=0.3))) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (pl.col("sequence_number") + 3, "files that skip numbers"),
        ((pl.col("received") - pl.duration(hours=20)), "at no possible time"),
        ((pl.col("closed") + pl.duration(hours=1)), "at no possible time"),
        (pl.col("record_count") + 1, "outside their time"),
        (pl.col("sequence_number") - 1, "with the number of another"),
    ],
)
def test_the_check_sees(lake: Lake, change: pl.Expr, words: str) -> None:
    frame = made(lake, DAYS[1])
    number = pl.int_range(pl.len()) == 500
    name = change.meta.root_names()[0]
    dtype = frame.schema[name]
    off = pl.when(number).then(change.cast(dtype)).otherwise(pl.col(name)).alias(name)
    assert any(words in each for each in faults(lake, frame.with_columns(off)))


def test_the_check_sees_copies_that_differ(lake: Lake) -> None:
    frame = made(lake, DAYS[1], damaged(doubled=0.5))
    copy = frame.with_row_index().filter(
        pl.struct("element_id", "dataset", "sequence_number").is_duplicated()
    )
    row = pl.int_range(pl.len()) == copy["index"][0]
    off = pl.when(row).then(pl.lit("f" * 16)).otherwise(pl.col("checksum")).alias("checksum")
    assert any("number of another" in each for each in faults(lake, frame.with_columns(off)))
