"""Partitions go in and come out, by day and by world; other worlds are refused."""

import datetime as dt
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake, write_part
from telco_pipeline_tests.lake.kit import (
    CARE,
    CONFIG,
    DAY,
    LINKS,
    bound_lake,
    commit,
    frame,
    leftovers,
    origin,
)

NEXT = DAY + dt.timedelta(days=1)
LATER = DAY + dt.timedelta(days=9)


def fill(lake: Lake, seed: int = 42) -> Lake:
    commit(lake, LINKS, frame(LINKS, mark=7), seed=seed)
    for mark, day in enumerate((DAY, NEXT, LATER)):
        commit(lake, CARE, [frame(CARE, 2, mark), frame(CARE, 1, mark)], day, seed)
    return lake


def test_static_dataset_round_trip(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path))
    assert_frame_equal(lake.read("network_links"), frame(LINKS, mark=7))
    assert lake.exists("network_links")
    assert not lake.exists("plans")
    assert lake.rows("network_links") == 3


def test_daily_dataset_has_its_day(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path))
    found = lake.read("customer_service")
    assert found.columns == [*CARE.columns, "day"]
    assert found["day"].to_list() == [DAY] * 3 + [NEXT] * 3 + [LATER] * 3
    assert found["event_id"].to_list() == [0] * 3 + [1] * 3 + [2] * 3
    assert lake.days("customer_service") == [DAY, NEXT, LATER]
    assert lake.rows("customer_service") == 9
    assert lake.rows("customer_service", NEXT) == 3
    assert lake.datasets() == ["network_links", "customer_service"]


def test_scan_takes_days_and_columns(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path))
    found = lake.read("customer_service", NEXT, LATER, ["day", "event_id"])
    assert found.columns == ["day", "event_id"]
    assert found["day"].unique().sort().to_list() == [NEXT, LATER]


def test_scan_does_not_open_other_days(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path))
    for file in lake.files("customer_service", DAY):
        file.write_bytes(b"no Parquet")
    assert lake.read("customer_service", first=NEXT).height == 6


@pytest.mark.parametrize("harm", [lambda content: content[:-20], lambda _: b"no Parquet"])
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    lake = fill(bound_lake(tmp_path))
    file = lake.files("customer_service", NEXT)[1]
    file.write_bytes(harm(file.read_bytes()))
    words = rf"{file} cannot be read \(.*\): make it anew with `telco generate --lake .*"
    with pytest.raises(TelcoError, match=rf"{words}customer_service --start {NEXT}"):
        lake.read("customer_service", NEXT)


def test_damage_is_told_by_file(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path))
    first, second = lake.files("customer_service", DAY)
    assert lake.damage("customer_service", DAY) == {}
    first.rename(first.with_name("part-00007.parquet"))
    second.write_bytes(b"other")
    assert lake.damage("customer_service", DAY) == {
        "part-00000.parquet": "part-00000.parquet is missing",
        "part-00007.parquet": "part-00007.parquet is a stranger",
        "part-00001.parquet": "part-00001.parquet was changed",
    }


def test_an_empty_trash_does_not_stay(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path))
    commit(lake, LINKS, frame(LINKS, rows=1))
    assert not (tmp_path / "_trash").exists()


def test_other_readers_see_the_partitions_only(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path / "lake"))
    pending = lake.begin("customer_service", LATER, origin())
    frame(CARE).write_parquet(pending.path(0))
    pattern = f"{lake.root}/customer_service/*/*.parquet"
    source = f"read_parquet('{pattern}', hive_partitioning=true)"
    found = duckdb.sql(f"select count(*), count(distinct day) from {source}").fetchall()
    assert found == [(9, 3)]
    assert pl.scan_parquet(pattern, hive_partitioning=True).collect().height == 9
    assert pl.read_parquet(f"{lake.root}/network_links/*.parquet").height == 3
    pending.abort()


def test_a_path_with_signs_of_a_glob_is_read(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path / "a[b]*?"))
    assert lake.read("customer_service").height == 9
    assert lake.read("network_links").height == 3


def test_provenance_tells_what_lies_there(tmp_path: Path) -> None:
    lake = bound_lake(tmp_path)
    made = commit(lake, CARE, [frame(CARE, 2), frame(CARE, 1)], DAY)
    assert lake.provenance("customer_service", DAY) == made
    assert (made.rows, made.day, made.seed, made.world_name) == (3, DAY, 42, "main")
    assert made.contract_fingerprint == CARE.fingerprint()
    assert [file.name for file in made.files] == ["part-00000.parquet", "part-00001.parquet"]
    assert made.bytes == sum(path.stat().st_size for path in lake.files("customer_service", DAY))
    assert lake.provenance("customer_service", NEXT) is None


def test_equal_rows_have_equal_content_hashes_in_any_world(tmp_path: Path) -> None:
    lake, other = bound_lake(tmp_path), bound_lake(tmp_path, 43, "other")
    made = commit(lake, CARE, frame(CARE), DAY)
    assert commit(other, CARE, frame(CARE), DAY, 43).content_hash == made.content_hash
    assert commit(other, CARE, frame(CARE, mark=1), NEXT, 43).content_hash != made.content_hash


def test_the_same_partition_again_replaces_it(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path))
    commit(lake, LINKS, frame(LINKS, rows=1, mark=8))
    commit(lake, CARE, frame(CARE, mark=9), DAY)
    assert lake.read("network_links")["link_id"].to_list() == ["8"]
    assert lake.read("customer_service", DAY, DAY)["event_id"].to_list() == [9] * 3
    assert leftovers(lake) == []


def test_an_empty_day_is_a_partition(tmp_path: Path) -> None:
    lake = bound_lake(tmp_path)
    assert commit(lake, CARE, frame(CARE, rows=0), DAY).rows == 0
    assert lake.read("customer_service").is_empty()


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    lake = bound_lake(tmp_path)

    def fail() -> None:
        with lake.begin("customer_service", DAY, origin()) as pending:
            frame(CARE).write_parquet(pending.path(0))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not lake.exists("customer_service")
    assert leftovers(lake) == []


def test_commit_refuses_files_that_it_was_not_told_of(tmp_path: Path) -> None:
    lake = bound_lake(tmp_path)
    with lake.begin("customer_service", DAY, origin()) as pending:
        frame(CARE).write_parquet(pending.path(0))
        with pytest.raises(ValueError, match="staged are"):
            pending.commit([], seconds=0, contract=CARE)
    assert not lake.exists("customer_service")


def test_a_lake_can_go_to_another_process(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path))
    assert pickle.loads(pickle.dumps(lake)).rows("customer_service") == 9


# Other worlds


def test_another_world_is_refused(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path))
    with pytest.raises(TelcoError, match=r"holds the world 'main' 0+2a \(seed 42, 5000 subscr.*"):
        lake.bind(origin(43), CONFIG)
    with pytest.raises(TelcoError, match=r"seed 43.*--lake.*--world NAME.*--replace"):
        lake.begin("customer_service", DAY, origin(43))
    assert lake.read("customer_service", DAY, DAY)["event_id"].to_list() == [0] * 3


def test_a_partition_of_another_world_is_refused_even_if_the_lake_forgot(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path))
    (tmp_path / "_world.json").unlink()
    with pytest.raises(TelcoError, match="holds the world"):
        lake.bind(origin(43), CONFIG)
    (tmp_path / "_world.json").write_text(json.dumps(
        {"name": "main", "seed": 43, "world_hash": f"{43:016x}", "overlays": None, "config": None}
    ))  # fmt: skip
    with pytest.raises(TelcoError, match="belongs to the world"):
        lake.begin("customer_service", DAY, origin(43))


@pytest.mark.parametrize("content", ["", "[]", '{"name": "main"}'])
def test_a_damaged_name_of_a_world_says_how_to_recover(tmp_path: Path, content: str) -> None:
    lake = fill(bound_lake(tmp_path))
    (tmp_path / "_world.json").write_text(content)
    with pytest.raises(TelcoError, match=r"_world.json is damaged.*remove this file.*--seed 42"):
        lake.bind(origin(), CONFIG)
    assert " --seed 42 " in lake.command("network_links")
    # Nothing is known of the size without `subscribers`, nor of anything without partitions.
    assert "--subscribers" not in lake.command("network_links")
    (tmp_path / "_world.json").unlink()
    lake.bind(origin(), CONFIG)
    assert "--subscribers 5000 --seed 42" in lake.command("network_links")


def test_a_world_is_remembered_although_a_record_is_broken(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path))
    (tmp_path / "_world.json").unlink()
    (tmp_path / "network_links" / "_provenance.json").write_text("{")
    assert " --seed 42 " in lake.command("plans")
    with pytest.raises(TelcoError, match="holds the world"):
        lake.bind(origin(43), CONFIG)


def test_a_world_that_changed_while_rows_were_made_is_refused(tmp_path: Path) -> None:
    lake = bound_lake(tmp_path)
    with lake.begin("customer_service", DAY, origin()) as pending:
        stats = write_part(frame(CARE), pending.path(0), CARE)
        lake.bind(origin(43), CONFIG, replace=True)
        with pytest.raises(TelcoError, match="seed 43"):
            pending.commit([stats], seconds=0, contract=CARE)
    assert not lake.exists("customer_service")
    assert leftovers(lake) == []


def test_replace_removes_the_old_world_and_nothing_else(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("mine")
    lake.bind(origin(43), CONFIG, replace=True)
    assert lake.days("customer_service") == []
    assert not lake.exists("network_links")
    assert (tmp_path / "thesis" / "chapter.txt").exists()
    held = lake.held_world()
    assert held is not None
    assert held.seed == 43
    assert leftovers(lake) == []


def test_replace_with_the_same_world_keeps_it(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path))
    lake.bind(origin(), CONFIG, replace=True)
    assert lake.rows("customer_service") == 9


def test_files_of_others_are_not_overwritten(tmp_path: Path) -> None:
    lake = bound_lake(tmp_path)
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "holiday.txt").write_text("mine")
    with pytest.raises(TelcoError, match="did not write"):
        lake.begin("plans", None, origin())
    assert (tmp_path / "plans" / "holiday.txt").exists()


def test_worlds_lie_side_by_side(tmp_path: Path) -> None:
    main, other = fill(bound_lake(tmp_path)), bound_lake(tmp_path, 43, "other")
    commit(other, CARE, frame(CARE, mark=5), DAY, 43)
    assert other.days("customer_service") == [DAY]
    assert not other.exists("network_links")
    assert main.read("customer_service", DAY, DAY)["event_id"].to_list() == [0] * 3
    assert main.datasets() == ["network_links", "customer_service"]


def test_a_variant_shows_the_main_world_beneath(tmp_path: Path) -> None:
    main = fill(bound_lake(tmp_path))
    variant = bound_lake(tmp_path, 43, "calm", overlays=origin().world_hash)
    commit(variant, CARE, frame(CARE, mark=5), NEXT, 43)
    found = variant.read("customer_service")
    assert found["event_id"].to_list() == [0] * 3 + [5] * 3 + [2] * 3
    assert found["day"].unique().sort().to_list() == [DAY, NEXT, LATER]
    assert variant.read("network_links").height == 3
    main.bind(origin(44), CONFIG, replace=True)
    commit(main, LINKS, frame(LINKS), seed=44)
    assert variant.days("customer_service") == [NEXT]
    with pytest.raises(TelcoError, match="has no network_links"):
        variant.read("network_links")


# Paths and people


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda path: Lake("s3://bucket/lake"), "scale-out"),
        (lambda path: Lake(path / "file"), "is a file"),
        (lambda path: Lake(path / "a=b"), "may not contain '='"),
        (lambda path: Lake(path, "No/Name"), "no name for a world"),
        (lambda path: bound_lake(path / "file" / "lake"), "Not a directory"),
        (lambda path: Lake(path / "none").scan("plans"), "no plans: make it with `telco generate"),
        (lambda path: Lake(path).begin("plans", None, origin()), "names no world"),
        (lambda path: fill(bound_lake(path)).scan("customer_service", dt.date(2027, 1, 1)),
         "it has 2026-01-01 to 2026-01-10.*--start 2027-01-01"),
    ],
)  # fmt: skip
def test_errors_say_what_where_and_what_to_do(
    tmp_path: Path, use: Callable[[Path], object], words: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TelcoError, match=words) as caught:
        use(tmp_path)
    assert "\n" not in str(caught.value)


def test_reading_makes_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "none")
    assert lake.days("cdrs_voice") == []
    assert lake.datasets() == []
    assert lake.provenance("plans") is None
    assert not (tmp_path / "none").exists()


def test_days_and_datasets_must_fit(tmp_path: Path) -> None:
    lake = bound_lake(tmp_path)
    with pytest.raises(ValueError, match="has no days"):
        lake.begin("plans", DAY, origin())
    with pytest.raises(ValueError, match="kept by day"):
        lake.begin("cdrs_voice", None, origin())
    assert DATASETS["cdrs_voice"].daily


def test_a_broken_provenance_is_told_and_made_again(tmp_path: Path) -> None:
    lake = fill(bound_lake(tmp_path))
    record = lake.directory("customer_service", DAY) / "_provenance.json"
    record.write_text('{"dataset": "customer_service"}')
    with pytest.raises(TelcoError, match="generate the partition again"):
        lake.provenance("customer_service", DAY)
    commit(lake, CARE, frame(CARE), DAY)
    assert lake.provenance("customer_service", DAY) is not None
