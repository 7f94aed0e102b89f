"""`telco export collected-files`: all files are read back; nothing is lost without truth."""

import datetime as dt
import json
import resource
import shutil
import signal
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from telco_pipeline.contracts import DATASETS
from telco_pipeline.exports.asn1 import codec
from telco_pipeline.exports.collected import export as exporting
from telco_pipeline.exports.collected.dirt import Dirt
from telco_pipeline.exports.collected.export import Wanted, export
from telco_pipeline.lake import Lake
from telco_pipeline_tests.cli.conftest import LakeOnDisk, Telco, assert_refused
from telco_pipeline_tests.exports import cdr_reader

FILED = ("cdrs_voice", "cdrs_sms", "cdrs_data", "cdrs_voip", "cdrs_ims")
ENDS = {
    "cdrs_voice": pl.col("release_time"),
    "cdrs_sms": pl.col("event_time"),
    "cdrs_data": pl.col("event_time") + pl.duration(seconds=pl.col("duration")),
    "cdrs_voip": pl.col("release_time"),
    "cdrs_ims": pl.coalesce("delivery_end_time", "event_time"),
}
ZONE = ZoneInfo("Europe/Brussels")
TIMES = ("opened", "received", "received_undisturbed")


@pytest.fixture(scope="module")
def lake(small_lake: LakeOnDisk) -> Lake:
    return Lake(small_lake.path)


@pytest.fixture(scope="module")
def days(lake: Lake) -> list[dt.date]:
    return lake.days("collected_files")


def ended(lake: Lake, dataset: str, days: Iterable[dt.date]) -> pl.DataFrame:
    """Return the records of a dataset that ended on some days, whenever they began."""
    rows = lake.read(dataset).drop("day")
    return rows.filter(ENDS[dataset].dt.date().is_in(list(days)))


def index(lake: Lake, days: Iterable[dt.date]) -> pl.DataFrame:
    rows = lake.read("collected_files")
    return rows.filter(pl.col("day").is_in(list(days))).with_columns(
        pl.col("dataset").cast(pl.String)
    )


def truth_of(out: Path) -> pl.DataFrame:
    found = pl.read_csv(out / "_truth.csv", infer_schema=False)
    return found.with_columns(
        *(pl.col(name).str.to_datetime(time_zone="UTC", time_unit="us") for name in TIMES),
        *(pl.col(name).cast(pl.Int32) for name in ("records", "records_readable")),
    )


def typed(dataset: str, rows: list[list[str]]) -> pl.DataFrame:
    """Return the lines of records in the contract's types."""
    contract = DATASETS[dataset]
    texts = pl.DataFrame(rows, schema=dict.fromkeys(contract.columns, pl.String), orient="row")
    made = []
    for name, dtype in contract.polars_schema.items():
        column = pl.when(pl.col(name) != "").then(pl.col(name))
        if isinstance(dtype, pl.Datetime):
            column = column.str.to_datetime(
                "%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC"
            )
        elif dtype == pl.Boolean:
            column = column == "true"
        made.append(column.cast(dtype).alias(name))
    return texts.select(made)


def test_every_record_lies_in_the_file_that_the_dataset_names(
    telco: Telco, lake: Lake, days: list[dt.date], tmp_path: Path
) -> None:
    result = telco("export", "collected-files", "--lake", lake.root, "--out", "out")
    assert result.exit_code == 0, result.output

    arrivals = {row["file_name"]: row for row in index(lake, days).iter_rows(named=True)}
    found: dict[str, list[list[str]]] = defaultdict(list)
    paths = cdr_reader.files_in(tmp_path / "out" / "files")
    assert len(paths) == len(arrivals)
    for path in paths:
        row, lines = arrivals[path.name], cdr_reader.read_lines(path.read_bytes())
        received = row["received"]
        assert path.parent.name == row["element_id"]
        assert path.parent.parent.name == str(received.date())
        assert abs(path.stat().st_mtime - received.timestamp()) < 1e-3
        assert lines.rest == b""
        assert lines.header is not None
        assert lines.trailer is not None
        assert lines.header[1:7] == [
            *("1", path.name, row["element_id"], row["dataset"]),
            *(str(DATASETS[row["dataset"]].version), str(row["sequence_number"])),
        ]
        assert lines.trailer[1] == str(row["sequence_number"])
        assert lines.trailer[2] == str(row["record_count"]) == str(len(lines.records))
        assert lines.trailer[3] == row["checksum"]
        entity = DATASETS[row["dataset"]].columns.index("recording_entity")
        assert {record[entity] for record in lines.records} <= {row["element_id"]}
        found[row["dataset"]] += lines.records
    for dataset in FILED:
        expected = ended(lake, dataset, days).sort("event_id")
        assert expected.height > 100
        assert_frame_equal(typed(dataset, found[dataset]).sort("event_id"), expected)
    assert truth_of(tmp_path / "out").height == 0
    log = pl.read_csv(tmp_path / "out" / "_arrivals.csv")
    assert log.height == len(paths)
    assert "Not as they should be: none" in result.stdout


def test_records_of_a_file_are_in_the_order_of_their_ends(
    lake: Lake, days: list[dt.date], tmp_path: Path
) -> None:
    export(lake, tmp_path / "out", Wanted(days[0], days[0], datasets=["cdrs_data"]))
    several = 0
    for path in cdr_reader.files_in(tmp_path / "out" / "files"):
        rows = typed("cdrs_data", cdr_reader.read_lines(path.read_bytes()).records)
        closed = rows.select(end=ENDS["cdrs_data"])["end"]
        assert closed.is_sorted()
        several += closed.len() > 1
    assert several > 50


def test_ber_holds_the_same_records(lake: Lake, days: list[dt.date], tmp_path: Path) -> None:
    """Each file by its header, each record by its fields, against the lake's rows."""
    out, day = tmp_path / "out", days[1]
    export(lake, out, Wanted(day, day, "ber"))

    arrivals = {row["file_name"]: row for row in index(lake, [day]).iter_rows(named=True)}
    addresses = dict(lake.read("network_elements").select("element_id", "address").iter_rows())
    rows = {
        row["event_id"]: (dataset, row)
        for dataset in FILED
        for row in ended(lake, dataset, [day]).iter_rows(named=True)
    }
    seen: Counter[str] = Counter()
    for path in cdr_reader.files_in(out / "files"):
        told, row = cdr_reader.read_cdr_file(path.read_bytes()), arrivals[path.name]
        assert told.length == path.stat().st_size
        assert told.count == len(told.records) == row["record_count"]
        assert (told.sequence, told.reason, told.lost) == (row["sequence_number"], 2, 0)
        assert told.address == addresses[row["element_id"]]
        assert told.rest == b""
        opened = row["event_time"].astimezone(ZONE)
        assert told.opened[:4] == (opened.month, opened.day, opened.hour, opened.minute)
        for _, octets in told.records:
            kind, fields = codec.decode(octets)
            (extension,) = fields["recordExtensions"]
            dataset, own = rows.pop(int.from_bytes(extension["information"], "big"))
            assert dataset == row["dataset"]
            assert own["recording_entity"] == row["element_id"]
            _compare(kind, fields, own)
            seen[kind] += 1
    assert rows == {}
    assert seen.keys() >= {
        *("moCallRecord", "mtCallRecord", "moSMSRecord", "mtSMSRecord", "pGWRecord"),
        *("chargingFunctionRecord", "mMTelRecord", "sCSCFRecord", "pCSCFRecord"),
    }


def _compare(kind: str, fields: dict[str, Any], row: dict[str, Any]) -> None:
    """Compare what a record of any kind tells with its row, read without our own packing."""
    if "servedIMSI" in fields:
        assert cdr_reader.digits(fields["servedIMSI"]) == row["imsi"]
        assert "+" + cdr_reader.digits(fields["servedMSISDN"][1:]) == row["msisdn"]
        assert cdr_reader.digits(fields["servedIMEI"]) == row["imei"]
    for name, column in (
        ("seizureTime", "event_time"),
        ("answerTime", "answer_time"),
        ("releaseTime", "release_time"),
        ("originationTime", "event_time"),
        ("deliveryTime", "event_time"),
        ("recordOpeningTime", "event_time"),
        ("recordTimeStamp", "event_time"),
        ("serviceRequestTimeStamp", "event_time"),
    ):
        if name in fields:
            assert cdr_reader.bcd_time(fields[name]) == row[column].replace(microsecond=0)
        elif kind.endswith("CallRecord") and column == "answer_time":
            assert row[column] is None
    for name, column in (
        ("callDuration", "call_duration"),
        ("causeForTerm", "cause_for_term"),
        ("duration", "duration"),
        ("causeForRecClosing", "cause_for_rec_closing"),
        ("recordSequenceNumber", "record_sequence_number"),
        ("messageSize", "message_size"),
    ):
        if name in fields:
            assert fields[name] == row[column]
    if kind == "pGWRecord":
        (used,) = fields["listOfServiceData"]
        assert used["datavolumeFBCUplink"] == row["data_volume_uplink"]
        assert used["datavolumeFBCDownlink"] == row["data_volume_downlink"]
    if kind == "chargingFunctionRecord":
        (used,) = fields["listOfMultipleUnitUsage"][0]["usedUnitContainers"]
        assert used["dataVolumeDownlink"] == row["data_volume_downlink"]
    if "serviceReasonReturnCode" in fields:
        assert fields["serviceReasonReturnCode"] == str(row["sip_response"])
        assert fields["iMS-Charging-Identifier"] == str(row["icid"]).encode()


DIRT = Dirt(duplicates=0.1, gaps=0.1, late=0.1, truncated=0.1)


@pytest.mark.parametrize("kind", ["csv", "ber"])
def test_nothing_is_lost_without_truth(
    kind: str, lake: Lake, days: list[dt.date], tmp_path: Path
) -> None:
    out, chosen = tmp_path / "out", ["cdrs_voice", "cdrs_sms"]
    done = export(lake, out, Wanted(days[0], days[1], kind, chosen, DIRT))

    truth = truth_of(out)
    assert dict(truth["kind"].value_counts().iter_rows()) == done.fates
    assert min(done.fates[each] for each in ("duplicate", "gap", "late", "truncated")) > 20
    assert set(truth["origin"]) == {"option"}
    by_path = {row["path"]: row for row in truth.iter_rows(named=True) if row["path"]}
    known = index(lake, days[:2]).filter(pl.col("dataset").is_in(chosen))
    rows = {row["file_name"]: row for row in known.iter_rows(named=True)}

    readable: Counter[str] = Counter()
    first: dict[str, bytes] = {}
    for path in cdr_reader.files_in(out / "files"):
        octets = path.read_bytes()
        name = path.name.removesuffix(".2")
        row, told = rows[name], by_path.get(str(path.relative_to(out / "files")))
        assert path.parent.parent.name == str(
            (told["received"] if told else row["received"]).date()
        )
        if told and told["kind"] == "duplicate":
            assert octets == first[name]
            assert told["received"] > row["received"]
            continue
        assert name not in first
        first[name] = octets
        whole, said = _count(kind, octets)
        assert said == row["record_count"] or (kind == "csv" and told is not None)
        if told and told["kind"] == "truncated":
            assert whole == told["records_readable"] < row["record_count"] == told["records"]
        else:
            assert whole == row["record_count"]
        if told and told["kind"] == "late":
            assert told["received_undisturbed"] == row["received"]
            delay = told["received"] - row["received"]
            assert dt.timedelta(days=1) <= delay <= dt.timedelta(days=3)
        readable[row["dataset"]] += whole

    gaps = truth.filter(pl.col("kind") == "gap")
    assert set(gaps["file_name"]) == set(rows) - set(first)
    assert gaps["path"].null_count() == gaps.height
    for dataset in chosen:
        missing = truth.filter(
            pl.col("kind").is_in(["gap", "truncated"]), pl.col("dataset") == dataset
        )
        gone = (missing["records"] - missing["records_readable"]).sum()
        assert gone > 0
        assert readable[dataset] + gone == ended(lake, dataset, days[:2]).height


def _count(kind: str, octets: bytes) -> tuple[int, int | None]:
    """Return how many whole records a file has, and how many it says that it has."""
    if kind == "ber":
        told = cdr_reader.read_cdr_file(octets)
        assert (told.rest != b"") == (told.length != len(octets))
        return len(told.records), told.count
    lines = cdr_reader.read_lines(octets)
    assert (lines.trailer is None) == (lines.rest != b"")
    return len(lines.records), int(lines.trailer[2]) if lines.trailer else None


def test_the_same_wish_gives_the_same_files(
    lake: Lake, days: list[dt.date], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the number of processes, and however the records are dealt into shares."""
    wanted = {"datasets": ["cdrs_sms"], "dirt": DIRT, "kind": "ber"}
    export(lake, tmp_path / "one", Wanted(days[0], days[0], **wanted))
    monkeypatch.setattr(exporting, "RECORDS_OF_A_SHARE", {"ber": 500, "csv": 500})
    export(lake, tmp_path / "two", Wanted(days[0], days[0], **wanted, workers=2))

    def content(out: Path) -> dict[str, tuple[bytes, int]]:
        return {
            str(path.relative_to(out)): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in cdr_reader.files_in(out / "files")
        }

    assert content(tmp_path / "one") == content(tmp_path / "two")
    for name in ("_truth.csv", "_arrivals.csv", "_export.json"):
        assert (tmp_path / "one" / name).read_text() == (tmp_path / "two" / name).read_text()


@pytest.fixture
def copied(lake: Lake, tmp_path: Path) -> Lake:
    return Lake(shutil.copytree(lake.root, tmp_path / "copy"))


def _rewrite(lake: Lake, day: dt.date, change: Any) -> pl.DataFrame:
    """Change the rows of `collected_files` of a day in place; return those before."""
    (file,) = lake.files("collected_files", day)
    before = pl.read_parquet(file)
    change(before).write_parquet(file)
    return before


def test_files_that_a_layer_lost_or_doubled_are_so_here(
    copied: Lake, days: list[dt.date], tmp_path: Path
) -> None:
    day = days[0]
    full = pl.col("record_count") > 2

    def damage(rows: pl.DataFrame) -> pl.DataFrame:
        """Leave out files, a whole stream too, as a lossy link would; let others come again."""
        voice = rows.filter((pl.col("dataset") == "cdrs_voice") & full)
        gone = voice.head(7)["file_id"].to_list()
        twice = voice[7:10].with_columns(
            pl.col("file_id") + 1, pl.col("received") + pl.duration(minutes=40)
        )
        silent = (pl.col("element_id") == "SMSC-ANT-1") & (pl.col("dataset") == "cdrs_sms")
        return pl.concat([rows.filter(~pl.col("file_id").is_in(gone) & ~silent), twice])

    before = _rewrite(copied, day, damage)
    out = tmp_path / "out"
    done = export(copied, out, Wanted(day, day))

    truth = truth_of(out)
    assert set(truth["origin"]) == {"layer"}
    assert done.fates == {"duplicate": 3, "lost": 7 + 96}
    for row in truth.filter(pl.col("kind") == "lost").iter_rows(named=True):
        was = before.filter(
            pl.col("element_id") == row["element_id"],
            pl.col("dataset").cast(pl.String) == row["dataset"],
            pl.col("event_time") == row["opened"],
        )
        assert was["record_count"].to_list() == [row["records"]]
        assert row["records_readable"] == 0
        assert not list((out / "files").rglob(was["file_name"][0]))
    for row in truth.filter(pl.col("kind") == "duplicate").iter_rows(named=True):
        copies = list((out / "files").rglob(f"{row['file_name']}*"))
        assert len(copies) == 2
        assert len({path.read_bytes() for path in copies}) == 1
    gone = truth.filter(pl.col("kind") == "lost", pl.col("dataset") == "cdrs_voice")
    read = sum(
        len(cdr_reader.read_lines(path.read_bytes()).records)
        for path in cdr_reader.files_in(out / "files")
        if path.name.endswith(".voice.cdr")
    )
    assert read + gone["records"].sum() == ended(copied, "cdrs_voice", [day]).height


def test_records_and_files_that_do_not_fit_are_refused(
    copied: Lake, days: list[dt.date], telco: Telco, tmp_path: Path
) -> None:
    def lie(rows: pl.DataFrame) -> pl.DataFrame:
        wrong = pl.col("file_id") == rows.filter(pl.col("record_count") > 0)["file_id"][0]
        count = pl.when(wrong).then(pl.col("record_count") - 1).otherwise("record_count")
        return rows.with_columns(count.cast(pl.Int32).alias("record_count"))

    _rewrite(copied, days[0], lie)
    result = telco("export", "collected-files", "--lake", copied.root, "--out", "out", "--days", 1)
    assert_refused(result, "collected_files of", "make them anew", "--replace")
    assert not (tmp_path / "out").exists()


def test_a_damaged_record_file_is_named(copied: Lake, days: list[dt.date], telco: Telco) -> None:
    file = copied.files("cdrs_sms", days[0])[0]
    file.write_bytes(file.read_bytes()[:100])
    result = telco("export", "collected-files", "--lake", copied.root, "--out", "out")
    assert_refused(result, str(file), "cannot be read", "telco generate")


@pytest.mark.parametrize("kind", ["csv", "ber"])
def test_a_full_disk_is_told_and_leaves_nothing(
    kind: str, telco: Telco, lake: Lake, tmp_path: Path
) -> None:
    """No file may grow beyond 4 kB: the system's error is that of a disk that is full (EFBIG)."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
    try:
        wish = ("export", "collected-files", "--lake", lake.root, "--out", "out", "--days", 1)
        result = telco(*wish, "--format", kind, "--datasets", "cdrs_sms", "--workers", 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert_refused(result, "cannot write out", "free some space", "--out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--gaps", "1.5"), ["--gaps", "share from 0 to 1"]),
        (("--late", "-0.1"), ["--late"]),
        (("--late", "nan"), ["--late"]),
        (("--gaps", "0.6", "--late", "0.6"), ["must not exceed 1"]),
        (("--datasets", "cells"), ["cells does not come in files", "cdrs_voice"]),
        (("--start", "2031-01-01"), ["has no collected_files of 2031-01-01", "telco generate"]),
        (("--days", "30"), ["has no", "telco generate"]),
        (("--format", "xer"), ["csv", "ber"]),
        (("--workers", "0"), ["--workers must be 1 or more"]),
        (("--lake", "nowhere"), ["no lake at nowhere"]),
        (("--out", "full"), ["not empty"]),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    options: tuple[str, ...], words: list[str], telco: Telco, lake: Lake, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    wish = ("export", "collected-files", "--lake", lake.root, "--out", "out")
    assert_refused(telco(*wish, *options), *words)
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_an_export_stands_in_the_way_until_it_may_be_replaced(
    telco: Telco, lake: Lake, tmp_path: Path
) -> None:
    wish = ("export", "collected-files", "--lake", lake.root, "--out", "out", "--days", 1)
    wish = (*wish, "--datasets", "cdrs_sms")
    assert telco(*wish).exit_code == 0
    assert_refused(telco(*wish), "--replace")
    assert telco(*wish, "--replace", "--gaps", 1).exit_code == 0
    assert cdr_reader.files_in(tmp_path / "out" / "files") == []
    note = json.loads((tmp_path / "out" / "_export.json").read_text())
    assert note["dirt"]["gaps"] == 1


def test_the_extra_that_is_not_installed_is_named(
    telco: Telco, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec.compiled.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "asn1tools", None)
    wish = ("export", "collected-files", "--lake", lake.root, "--out", "out", "--format", "ber")
    assert_refused(telco(*wish), "asn1tools", "telco-pipeline[exports]")
    codec.compiled.cache_clear()
