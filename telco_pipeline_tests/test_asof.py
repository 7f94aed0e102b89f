"""As-of views: the registry with its changes, read at any moment."""

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from telco_pipeline import asof
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline_tests.identity_lake import (
    BORNE,
    DAYS,
    SIZE,
    changes,
    ending,
    identity_inputs,
    identity_lake,
    returns,
    whole_registry,
)

NOON = dt.datetime(2026, 1, 9, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return identity_lake(tmp_path_factory.mktemp("identities"))


@pytest.mark.parametrize(
    "moment",
    [
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        NOON,
        NOON.astimezone(dt.timezone(dt.timedelta(hours=14))),
        dt.datetime(2026, 1, 12, 23, 59, tzinfo=dt.UTC),
    ],
)
def test_the_last_change_before_a_moment_holds(lake: Lake, moment: dt.datetime) -> None:
    expected = {row["subscriber_id"]: row for row in whole_registry(identity_inputs()).to_dicts()}
    for row in expected.values():
        row["serving_plmn"] = row["home_plmn"]
    for day in DAYS:
        for row in changes(day).to_dicts():
            if row["event_time"] <= moment:
                expected[row["subscriber_id"]] = row
    view = asof.identities_as_of(lake, moment).collect()
    assert view.columns == [*asof.IDENTITY, "in_service", "valid_from"]
    assert view.height == len(expected)
    assert view["subscriber_id"].n_unique() == view.height
    for row in view.to_dicts():
        wanted = expected[row["subscriber_id"]]
        assert {key: row[key] for key in asof.IDENTITY} == {
            key: wanted[key] for key in asof.IDENTITY
        }
        gone = wanted.get("change_type") in ("port_out", "termination")
        assert row["in_service"] != gone
        assert row["valid_from"] == wanted.get("event_time", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))


def test_a_view_says_who_is_in_service(lake: Lake) -> None:
    """Terminated: no network serves the number; ported out: another one; back: ours again."""
    home = identity_inputs().config.own_operator.plmn
    late = dt.datetime(2026, 1, 12, 23, 59, tzinfo=dt.UTC)
    for kind, served in (("termination", {None}), ("port_out", {"20662", "20663"})):
        gone = ending(kind, DAYS)
        before = gone["event_time"] - dt.timedelta(microseconds=1)
        assert held(lake, gone, before) == (True, home)
        in_service, serving = held(lake, gone, gone["event_time"])
        assert (in_service, serving) == held(lake, gone, late)
        assert not in_service
        assert serving in served
    for back in returns():
        before = back["event_time"] - dt.timedelta(microseconds=1)
        assert not held(lake, back, before)[0]
        assert held(lake, back, back["event_time"]) == (True, home)
    joined = next(row for row in changes(DAYS[5]).to_dicts() if row["change_type"] == "activation")
    view = asof.identities_as_of(lake, joined["event_time"] - dt.timedelta(microseconds=1))
    mine = pl.col("subscriber_id") == joined["subscriber_id"]
    assert view.filter(mine).collect().is_empty()
    assert held(lake, joined, joined["event_time"]) == (True, home)


def held(lake: Lake, who: dict[str, Any], moment: dt.datetime) -> tuple[bool, str | None]:
    """Return whether somebody is in service at a moment, and which network serves the number."""
    view = asof.identities_as_of(lake, moment)
    mine = view.filter(pl.col("subscriber_id") == who["subscriber_id"]).collect()
    return mine.select("in_service", "serving_plmn").row(0)


def test_a_day_begins_with_what_its_eve_left(lake: Lake) -> None:
    for day in (DAYS[0], DAYS[5]):
        midnight = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        before = asof.identities_before(lake, day).collect().sort("subscriber_id")
        view = asof.identities_as_of(lake, midnight).collect().sort("subscriber_id")
        assert before.equals(view)


def test_versions_follow_each_other(lake: Lake) -> None:
    versions = asof.identity_versions(lake, DAYS[-1]).collect()
    all_changes = pl.concat([changes(day) for day in DAYS])
    joined = (all_changes["change_type"] == "activation").sum()
    assert joined > 20
    assert versions.height == SIZE + all_changes.height
    assert versions.filter(pl.col("valid_to").is_null()).height == SIZE + joined
    after = versions.with_columns(
        pl.col("valid_from").shift(-1).over("subscriber_id").alias("next")
    )
    assert after.filter(pl.col("valid_to").ne_missing(pl.col("next"))).is_empty()
    some = versions.filter(
        (pl.col("valid_from") <= NOON)
        & (pl.col("valid_to").is_null() | (pl.col("valid_to") > NOON))
    )
    view = asof.identities_as_of(lake, NOON).collect()
    assert some.select(view.columns).sort("subscriber_id").equals(view.sort("subscriber_id"))
    assert versions.filter(pl.len().over("subscriber_id") > 1).select(BORNE).height > 100


def test_a_missing_day_names_the_command(lake: Lake, tmp_path: Path) -> None:
    holed = Lake(shutil.copytree(lake.root, tmp_path / "lake"))
    for day in DAYS[3:5]:
        shutil.rmtree(holed.directory("identity_changes", day))
    asof.identities_as_of(holed, dt.datetime(2026, 1, 3, 23, tzinfo=dt.UTC)).collect()
    with pytest.raises(TelcoError, match="no identity_changes of 2026-01-04 to 2026-01-05") as told:
        asof.identities_as_of(holed, NOON)
    assert "--datasets identity_changes --start 2026-01-04 --days 2`" in str(told.value)
    with pytest.raises(TelcoError, match="--start 2026-01-04 --days 10"):
        asof.identity_versions(holed, DAYS[-1] + dt.timedelta(days=1))


def test_before_the_epoch_nobody_has_an_identity(lake: Lake) -> None:
    with pytest.raises(TelcoError, match="before the epoch 2026-01-01"):
        asof.identities_as_of(lake, dt.datetime(2025, 12, 31, tzinfo=dt.UTC))
    with pytest.raises(ValueError, match="no time zone"):
        asof.identities_as_of(lake, dt.datetime(2026, 1, 3))


def test_a_lake_that_does_not_know_its_world_says_so(tmp_path: Path) -> None:
    with pytest.raises(TelcoError, match="does not say when its world begins"):
        asof.epoch_of(Lake(tmp_path / "none"))
