"""Each check passes on a sound lake and finds the one thing that a test breaks."""

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline import causality, integrity, whole_lake
from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.integrity import Finding
from telco_pipeline.lake import Lake
from telco_pipeline_tests.lake.kit import bound_lake, commit
from telco_pipeline_tests.lake.small_lake import (
    DAYS,
    ROWS,
    luhn_holds,
    small_frame,
    small_lake,
    with_luhn,
)

VOICE = DATASETS["cdrs_voice"]
VOIP = DATASETS["cdrs_voip"]
"""Records with which no others are compared."""


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_lake(tmp_path_factory.mktemp("sound")).root


@pytest.fixture
def lake(sound: Path, tmp_path: Path) -> Lake:
    return Lake(shutil.copytree(sound, tmp_path / "lake"))


def failed(lake: Lake, names: list[str] | None = None) -> list[Finding]:
    return [finding for finding in whole_lake.check(lake, names) if not finding.passed]


def rewrite(lake: Lake, *changes: pl.Expr, part: int = 1) -> None:
    """Change the second day's voice records in one part, and commit them as if they were sound."""
    frames = [small_frame(VOICE, DAYS[1], number) for number in (0, 1)]
    frames[part] = frames[part].with_columns(*changes).cast(dict(VOICE.polars_schema))
    commit(lake, VOICE, frames, DAYS[1])


def at(row: int, value: object, column: str) -> pl.Expr:
    """Return a column with another value in one row."""
    here = pl.int_range(pl.len()) == row
    return pl.when(here).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)


def test_a_sound_lake_passes_every_check(lake: Lake) -> None:
    findings = whole_lake.check(lake)
    assert [finding for finding in findings if not finding.passed] == []
    assert {finding.check for finding in findings} == {
        *integrity.CHECKS, whole_lake.CHECK_EVENT_IDS, whole_lake.CHECK_STRAYS,
        whole_lake.CHECK_GAPS, *causality.CHAINS,
    }  # fmt: skip
    assert {finding.dataset for finding in findings} == {*DATASETS, integrity.WHOLE_LAKE}
    assert all(finding.recover == "" for finding in findings)
    of_ids = next(each for each in findings if each.check == whole_lake.CHECK_EVENT_IDS)
    keyed = [each for each in DATASETS.values() if each.schema.primary_key() == ["event_id"]]
    assert of_ids.rows == len(keyed) * len(DAYS) * 2 * ROWS


@pytest.mark.parametrize(
    ("change", "check", "offenders", "words"),
    [
        (at(3, "12", "imsi"), integrity.CHECK_CONTRACT, 1, r"imsi\|regex \(1 rows\)"),
        (at(3, None, "called_number"), integrity.CHECK_CONTRACT, 1, "called_number.nullability"),
        (at(3, 90_001, "call_duration"), integrity.CHECK_CONTRACT, 1, r"call_duration\|max"),
        (pl.lit(5, pl.Int64).alias("event_id"),
         integrity.CHECK_UNIQUE, ROWS - 1, "repeat event_id"),
        (pl.col("event_time") + pl.duration(hours=23, minutes=58),
         integrity.CHECK_TIMES, ROWS - 2, "event_time outside 2026-01-02"),
        (pl.col("event_time").reverse(), integrity.CHECK_ORDER, ROWS - 1, "come after"),
        (at(3, "nowhere", "cell_id"), integrity.CHECK_FOREIGN_KEYS, 1, "cell_id are not in cells"),
        (pl.lit(99, pl.Int64).alias("subscriber_id"),
         integrity.CHECK_FOREIGN_KEYS, ROWS, f"{ROWS} values of subscriber_id"),
        (at(3, "350000000000000", "imei"), integrity.CHECK_IDENTIFIERS, 1, "wrong check digit"),
    ],
)  # fmt: skip
def test_a_broken_partition_is_found(
    lake: Lake, change: pl.Expr, check: str, offenders: int, words: str
) -> None:
    rewrite(lake, change)
    finding = integrity.CHECKS[check](lake, "cdrs_voice", DAYS[1])
    assert not finding.passed
    assert finding.offenders == offenders
    assert finding.rows == 2 * ROWS
    assert pl.Series([finding.message]).str.contains(words).item(), finding.message
    assert 1 <= len(finding.sample) <= integrity.SAMPLE_ROWS
    json.dumps(finding.sample)
    assert finding.recover == (
        f"telco generate --lake {lake.root} --subscribers 5000 --seed 42 "
        "--datasets cdrs_voice --start 2026-01-02 --days 1"
    )
    assert integrity.CHECKS[check](lake, "cdrs_voice", DAYS[0]).passed
    assert integrity.check_provenance(lake, "cdrs_voice", DAYS[1]).passed


def test_nulls_refer_to_nothing(lake: Lake) -> None:
    rewrite(lake, pl.lit(None, pl.String).alias("cell_id"))
    assert integrity.check_foreign_keys(lake, "cdrs_voice", DAYS[1]).passed


def test_the_same_id_in_two_files_is_found(lake: Lake) -> None:
    frames = [small_frame(VOICE, DAYS[1], 0)] * 2
    commit(lake, VOICE, frames, DAYS[1])
    assert integrity.check_contract(lake, "cdrs_voice", DAYS[1]).passed
    finding = integrity.check_unique(lake, "cdrs_voice", DAYS[1])
    assert (finding.passed, finding.offenders) == (False, ROWS)
    assert finding.sample[0]["rows"] == 2


def test_the_same_id_on_two_days_is_found(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = small_frame(VOIP, DAYS[0], 0)
    later = frame.with_columns(pl.col("event_time") + pl.duration(days=1))
    commit(lake, VOIP, later.cast(dict(VOIP.polars_schema)), DAYS[1])
    for rows_at_once in (16_000_000, 100):  # at once, and in buckets
        monkeypatch.setattr(integrity, "_BUCKET_ROWS", rows_at_once)
        found = failed(lake)
        assert [each.check for each in found] == [whole_lake.CHECK_EVENT_IDS]
        assert found[0].offenders == ROWS


def test_a_missing_target_is_found(lake: Lake) -> None:
    shutil.rmtree(lake.root / "cells")
    finding = integrity.check_foreign_keys(lake, "cdrs_voice", DAYS[0])
    assert not finding.passed
    assert "cells is not in the lake" in finding.message
    assert (
        finding.recover
        == f"telco generate --lake {lake.root} --subscribers 5000 --seed 42 --datasets cells"
    )


def test_subscribers_may_be_prospects(lake: Lake) -> None:
    """Each reference to a subscriber is one to the registry or to who joins later."""
    everybody = {name: small_frame(DATASETS[name]) for name in ("subscribers", "prospects")}
    commit(lake, DATASETS["subscribers"], everybody["subscribers"].head(ROWS // 2))
    commit(lake, DATASETS["prospects"], everybody["prospects"].tail(ROWS - ROWS // 2))
    for name in ("cdrs_voice", "subscriber_state", "identity_changes"):
        assert integrity.check_foreign_keys(lake, name, DAYS[0]).passed
    commit(lake, DATASETS["prospects"], everybody["prospects"].tail(ROWS // 2 - 1))
    finding = integrity.check_foreign_keys(lake, "subscriber_state", DAYS[0])
    assert finding.message == "1 values of subscriber_id are not in subscribers or prospects"
    assert finding.sample[0]["target"] == "subscribers or prospects.subscriber_id"


@pytest.mark.parametrize("bad", ["prospects", "subscribers"])
@pytest.mark.parametrize("harm", ["lost", "spoiled"])
def test_the_target_that_is_to_blame_is_named(lake: Lake, bad: str, harm: str) -> None:
    directory = lake.directory(bad)
    if harm == "lost":
        shutil.rmtree(directory)
    else:
        spoil(directory)
    finding = integrity.check_foreign_keys(lake, "subscriber_state", DAYS[0])
    told = "is not in the lake" if harm == "lost" else "cannot be read"
    assert finding.message == f"{bad} {told}"
    assert finding.recover.endswith(f"--datasets {bad}")


def test_other_types_are_found(lake: Lake) -> None:
    file = lake.files("cdrs_voice", DAYS[0])[0]
    pl.read_parquet(file).cast({"call_duration": pl.Int64}).drop("msisdn").write_parquet(file)
    finding = integrity.check_contract(lake, "cdrs_voice", DAYS[0])
    assert finding.offenders == ROWS
    assert "lacks msisdn" in finding.message
    assert "call_duration is Int64 instead of Int32" in finding.message


def lose_a_file(partition: Path) -> None:
    (partition / "part-00001.parquet").unlink()


def add_a_file(partition: Path) -> None:
    shutil.copy(partition / "part-00001.parquet", partition / "part-00002.parquet")


def change_a_byte(partition: Path) -> None:
    file = partition / "part-00000.parquet"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)


def forget(partition: Path) -> None:
    (partition / "_provenance.json").unlink()


def edit(**values: object) -> Callable[[Path], None]:
    def apply(partition: Path) -> None:
        path = partition / "_provenance.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return apply


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lose_a_file, "part-00001.parquet is missing"),
        (add_a_file, "part-00002.parquet is a stranger"),
        (change_a_byte, "part-00000.parquet was changed"),
        (forget, "has no provenance"),
        (edit(world_hash="ffff"), "is of world ffff, the lake holds 0"),
        (edit(contract_version=0), "keeps version 0 of its contract"),
        (edit(contract_fingerprint="f"), "changed without a new version"),
        (edit(day="2026-01-05"), "is a partition of cdrs_voice, 2026-01-05"),
        (edit(rows=3), "do not sum to 3 rows"),
        (edit(rows=None, files=None), "cannot be read"),
    ],
)
def test_a_partition_unlike_its_provenance_is_found(
    lake: Lake, harm: Callable[[Path], None], words: str
) -> None:
    harm(lake.directory("cdrs_voice", DAYS[0]))
    finding = integrity.check_provenance(lake, "cdrs_voice", DAYS[0])
    assert not finding.passed
    assert words in finding.message
    assert "--start 2026-01-01 --days 1" in finding.recover


def spoil(partition: Path) -> None:
    for file in partition.glob("*.parquet"):
        file.write_bytes(b"no Parquet")


def lose_all(partition: Path) -> None:
    for file in partition.glob("*.parquet"):
        file.unlink()


@pytest.mark.parametrize("harm", [spoil, lose_a_file, lose_all])
def test_files_that_cannot_be_read_are_one_finding(
    lake: Lake, harm: Callable[[Path], None]
) -> None:
    harm(lake.directory("cdrs_voip", DAYS[0]))
    told: list[tuple[int, int]] = []
    findings = whole_lake.check(lake, None, None, lambda _, done, of: told.append((done, of)))
    found = [finding for finding in findings if not finding.passed]
    assert [(each.check, each.day) for each in found] == [(integrity.CHECK_PROVENANCE, DAYS[0])]
    assert "its other checks were left out" in found[0].message
    assert told[-1] == (len(findings), len(findings))
    # Each check for itself tells it, too: Dagster runs them one by one.
    if harm is not lose_a_file:
        assert not integrity.check_contract(lake, "cdrs_voip", DAYS[0]).passed


def test_rows_of_a_partition_without_provenance_are_checked(lake: Lake) -> None:
    rewrite(lake, at(3, 90_001, "call_duration"))
    forget(lake.directory("cdrs_voice", DAYS[1]))
    found = {finding.check for finding in failed(lake)}
    assert found == {integrity.CHECK_PROVENANCE, integrity.CHECK_CONTRACT}


def test_a_target_that_cannot_be_read_is_to_be_made_again(lake: Lake) -> None:
    spoil(lake.directory("cells"))
    finding = integrity.check_foreign_keys(lake, "cdrs_voice", DAYS[0])
    assert "cells cannot be read" in finding.message
    assert finding.recover.endswith("--datasets cells")


def test_strays_are_found(lake: Lake) -> None:
    (lake.root / "cdrs_telex").mkdir()
    (lake.root / "cdrs_voice" / "day=tomorrow").mkdir()
    (lake.root / "_old").mkdir()
    (lake.root / "notes.txt").touch()
    (lake.root / ".hidden").touch()
    finding = whole_lake.check_strays(lake)
    assert [row["path"] for row in finding.sample] == [
        "_old", "cdrs_telex", "cdrs_voice/day=tomorrow", "notes.txt",
    ]  # fmt: skip
    assert finding.offenders == 4


def test_a_lake_that_forgot_its_world_names_it_by_its_partitions(lake: Lake) -> None:
    (lake.root / "_world.json").unlink()
    finding = integrity.check_provenance(lake, "cdrs_voice", DAYS[0])
    assert "does not say which world" in finding.message
    # The kit's `subscribers` have as many rows as any of its frames.
    assert f"--subscribers {ROWS} --seed 42 --datasets cdrs_voice" in finding.recover


def test_a_variant_is_checked_with_the_main_world_beneath(lake: Lake) -> None:
    held = lake.held_world()
    assert held is not None
    variant = bound_lake(lake.root, 43, "calm", overlays=held.world_hash)
    commit(variant, VOIP, small_frame(VOIP, DAYS[0], 1), DAYS[0], 43)
    assert failed(variant) == []


def test_names_and_days_choose(lake: Lake) -> None:
    findings = whole_lake.check(lake, ["cdrs_voice", "plans"], [DAYS[1]])
    assert {(finding.dataset, finding.day) for finding in findings} == {
        ("plans", None), ("cdrs_voice", DAYS[1]), (integrity.WHOLE_LAKE, None),
    }  # fmt: skip


def test_progress_tells_how_far(lake: Lake) -> None:
    told: list[tuple[int, int]] = []
    findings = whole_lake.check(lake, ["plans"], None, lambda _, done, of: told.append((done, of)))
    assert told == [(done + 1, len(findings)) for done in range(len(findings))]


@pytest.mark.parametrize(
    ("names", "days", "words"),
    [
        (["telex"], None, "there is no dataset 'telex': choose from places"),
        (["cdrs_voice"], [dt.date(2030, 1, 1)], "nothing to check"),
    ],
)
def test_wrong_choices_are_told(
    lake: Lake, names: list[str], days: list[dt.date] | None, words: str
) -> None:
    with pytest.raises(TelcoError, match=words):
        whole_lake.check(lake, names, days)


def test_missing_datasets_are_told(tmp_path: Path) -> None:
    with pytest.raises(TelcoError, match="nothing to check: make it with `telco generate"):
        whole_lake.check(Lake(tmp_path))
    with pytest.raises(TelcoError, match="no plans: make it with"):
        whole_lake.check(Lake(tmp_path), ["plans"])


# Check digits


def test_check_digits_of_the_standards() -> None:
    """The IMEI of TS 23.003 annex B.1 (body 26 0531 7931 1383) and a card number of ISO 7812."""
    numbers = pl.Series(["260531793113837", "4539578763621486", "260531793113838"])
    assert integrity.luhn_valid(numbers).to_list() == [True, True, False]


@given(st.lists(st.text("0123456789", min_size=1, max_size=20), max_size=20))
def test_check_digits_against_plain_python(bodies: list[str]) -> None:
    right = [with_luhn(body) for body in bodies]
    assert integrity.luhn_valid(pl.Series(right, dtype=pl.String)).all()
    mixed = bodies + right
    expected = [luhn_holds(number) for number in mixed]
    assert integrity.luhn_valid(pl.Series(mixed, dtype=pl.String)).to_list() == expected


@pytest.mark.parametrize("text", ["", "3500000000000x0", "٣٥", "-1", " 18"])
def test_what_is_no_number_has_no_check_digit(text: str) -> None:
    assert integrity.luhn_valid(pl.Series([text])).to_list() == [False]


def gaps(lake: Lake, names: list[str] | None = None, days: list[dt.date] | None = None) -> Finding:
    return whole_lake.check_gaps(lake, names, days)


@pytest.mark.parametrize("day", DAYS)
def test_a_day_that_the_other_datasets_have_is_missed(lake: Lake, day: dt.date) -> None:
    shutil.rmtree(lake.directory("cdrs_voip", day))
    finding = gaps(lake)
    assert not finding.passed
    assert finding.message == f"missing: cdrs_voip {day}"
    assert finding.recover.endswith(f"--datasets cdrs_voip --start {day} --days 1")
    assert [each.check for each in failed(lake)] == [whole_lake.CHECK_GAPS]
    # Only what was asked for is looked at.
    assert gaps(lake, ["cdrs_sms"]).passed
    other = next(each for each in DAYS if each != day)
    assert gaps(lake, None, [other]).passed


def test_a_hole_in_one_dataset_is_missed(lake: Lake) -> None:
    later = DAYS[-1] + dt.timedelta(days=2)
    commit(lake, VOICE, [small_frame(VOICE, later, 0)], later)
    assert gaps(lake).message == f"missing: cdrs_voice {DAYS[-1] + dt.timedelta(days=1)}"


def test_one_dataset_may_have_more_days_than_the_others(lake: Lake) -> None:
    later = DAYS[-1] + dt.timedelta(days=1)
    commit(lake, VOICE, [small_frame(VOICE, later, 0)], later)
    assert gaps(lake).passed


def test_records_without_a_static_dataset_are_missed(lake: Lake) -> None:
    shutil.rmtree(lake.directory("plans"))
    finding = gaps(lake)
    assert finding.message == "missing: plans"
    assert finding.recover.endswith("--subscribers 5000 --seed 42 --datasets plans")
    assert gaps(lake, ["cdrs_voice"]).passed
    for name in DATASETS:
        if DATASETS[name].daily:
            shutil.rmtree(lake.root / name)
    assert gaps(lake).passed  # a world without records may be half-built


def test_two_datasets_say_nothing_of_each_other(tmp_path: Path) -> None:
    names = [name for name in DATASETS if not DATASETS[name].daily]
    lake = small_lake(tmp_path / "few", [*names, "cdrs_voice", "cdrs_sms"])
    shutil.rmtree(lake.directory("cdrs_sms", DAYS[0]))
    assert gaps(lake).passed


def test_a_dataset_that_lost_its_only_days_is_missed(lake: Lake) -> None:
    for day in DAYS:
        shutil.rmtree(lake.directory("cdrs_voice", day))
    finding = gaps(lake)
    assert finding.offenders == len(DAYS)
    assert finding.recover.endswith(f"--datasets cdrs_voice --start {DAYS[0]} --days 2")


def test_what_is_missing_is_mended_by_few_commands(lake: Lake) -> None:
    for name in ("cdrs_sms", "cdrs_voice"):
        shutil.rmtree(lake.directory(name, DAYS[0]))
    later = DAYS[-1] + dt.timedelta(days=9)
    commit(lake, VOICE, [small_frame(VOICE, later, 0)], later)
    finding = gaps(lake)
    assert finding.offenders == 10
    assert finding.message.endswith("and 5 more")
    commands = [
        f"{lake.command('cdrs_voice,cdrs_sms')} --start 2026-01-01 --days 1",
        f"{lake.command('cdrs_voice')} --start 2026-01-03 --days 8",
    ]
    assert finding.recover == " && ".join(commands)
