"""The identity check passes on records that bear what was valid, and finds those that do not."""

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from telco_pipeline import consistency, integrity
from telco_pipeline.behaviour.allotment import QUARANTINE_DAYS
from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts.codes import IdentityChange
from telco_pipeline.integrity import Finding
from telco_pipeline.lake import Lake
from telco_pipeline_tests.identity_lake import (
    BACK,
    BORNE,
    DAYS,
    changes,
    ending,
    identity_inputs,
    identity_lake,
    records,
    returns,
    write_records,
)
from telco_pipeline_tests.lake.kit import commit

LAST = DAYS[-1]
REST = consistency._REST
MOMENT = pl.Datetime("us", "UTC")
KEPT = ("imsi", "msisdn", "imei", "iccid", "device_id", "number_holder")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return identity_lake(tmp_path_factory.mktemp("sound")).root


@pytest.fixture
def lake(sound: Path, tmp_path: Path) -> Lake:
    return Lake(shutil.copytree(sound, tmp_path / "lake"))


def judged(lake: Lake, name: str, day: dt.date = LAST) -> Finding:
    return integrity.CHECKS[integrity.CHECK_IDENTITY](lake, name, day)


def some_change(kind: str, days: list[dt.date], skip: int = 0) -> dict[str, Any]:
    """Return a change of a kind on one of the days."""
    rows = [row for day in days for row in changes(day).to_dicts() if row["change_type"] == kind]
    return rows[skip]


def day_of(kind: str) -> dt.date:
    """Return the first day with a change of a kind."""
    return next(each for each in DAYS if changes(each)["change_type"].is_in([kind]).any())


def test_which_datasets_bear_identities() -> None:
    checked = {name for name in DATASETS if integrity.CHECK_IDENTITY in integrity.checks_of(name)}
    assert checked == {
        "identity_changes", "cdrs_voice", "cdrs_sms", "cdrs_data", "cdrs_voip", "cdrs_ims",
        "location_updates", "customer_service",
    }  # fmt: skip
    assert consistency.identity_columns(DATASETS["location_updates"]) == ["imsi", "imei"]


def test_sound_records_pass(lake: Lake) -> None:
    kinds = {row["change_type"] for day in DAYS for row in changes(day).to_dicts()}
    assert kinds == {str(kind) for kind in IdentityChange}
    for name in ("cdrs_data", "location_updates"):
        for day in (DAYS[0], LAST):
            finding = judged(lake, name, day)
            assert finding.passed, finding
            assert finding.rows == records(name, day).height
    for day in DAYS:
        assert judged(lake, "identity_changes", day).passed


@pytest.mark.parametrize("column", ["imsi", "msisdn", "imei"])
def test_an_identity_of_another_is_found(lake: Lake, column: str) -> None:
    rows = records("cdrs_data", LAST)
    wrong = rows.with_columns(
        pl.when(pl.int_range(pl.len()) == 77)
        .then(pl.col(column).last())
        .otherwise(column)
        .alias(column)
    )
    write_records(lake, "cdrs_data", LAST, wrong)
    finding = judged(lake, "cdrs_data")
    assert (finding.passed, finding.offenders) == (False, 1)
    assert "1 rows with another imsi or msisdn or imei than was valid" in finding.message
    assert finding.sample[0][column] != finding.sample[0][f"{column}_as_of"]
    assert "--datasets cdrs_data --start 2026-01-12 --days 1" in finding.recover


@pytest.mark.parametrize("days", [DAYS[:5], [LAST]])
def test_an_outdated_identity_is_found(lake: Lake, days: list[dt.date]) -> None:
    """A phone that goes on with its IMEI after the upgrade, days before or on the day itself."""
    change = some_change("device_upgrade", days)
    whose = (pl.col("subscriber_id") == change["subscriber_id"]) & (
        pl.col("event_time") >= change["event_time"]
    )
    rows = records("location_updates", LAST)
    late = rows.filter(whose).height
    assert late > 0
    old = pl.when(whose).then(pl.lit(change["previous_imei"])).otherwise("imei").alias("imei")
    write_records(lake, "location_updates", LAST, rows.with_columns(old))
    assert judged(lake, "location_updates").offenders == late


def test_an_identity_of_tomorrow_is_found(lake: Lake) -> None:
    change = some_change("device_upgrade", [LAST])
    whose = (pl.col("subscriber_id") == change["subscriber_id"]) & (
        pl.col("event_time") < change["event_time"]
    )
    rows = records("cdrs_data", LAST)
    new = pl.when(whose).then(pl.lit(change["imei"])).otherwise("imei").alias("imei")
    write_records(lake, "cdrs_data", LAST, rows.with_columns(new))
    assert judged(lake, "cdrs_data").offenders == rows.filter(whose).height > 0


def ghost(who: dict[str, Any], moment: dt.datetime, name: str = "cdrs_data") -> pl.DataFrame:
    """Return a record with the identity that a change says, at a moment of the last day."""
    borne = {key: pl.lit(who[key]) for key in consistency.identity_columns(DATASETS[name])}
    return (
        records(name, LAST)
        .tail(1)
        .with_columns(
            subscriber_id=pl.lit(who["subscriber_id"], pl.Int64),
            event_time=pl.lit(moment).cast(MOMENT),
            **borne,
        )
    )


def with_ghost(lake: Lake, who: dict[str, Any], moment: dt.datetime) -> Finding:
    """Write the records of the last day and such a one, and judge them."""
    rows = pl.concat([records("cdrs_data", LAST), ghost(who, moment)])
    write_records(lake, "cdrs_data", LAST, rows)
    return judged(lake, "cdrs_data")


@pytest.mark.parametrize("kind", ["port_out", "termination"])
@pytest.mark.parametrize("days", [DAYS[:5], [LAST]])
def test_a_record_after_the_end_is_found(lake: Lake, days: list[dt.date], kind: str) -> None:
    """Of a subscription that ended days before, or on the day itself; before it, all is well."""
    gone = ending(kind, days)
    finding = with_ghost(lake, gone, dt.datetime(2026, 1, 12, 23, 59, tzinfo=dt.UTC))
    assert finding.offenders == 1
    assert "1 rows outside the time of the subscription" in finding.message
    if days == [LAST]:
        assert with_ghost(lake, gone, gone["event_time"] - dt.timedelta(microseconds=1)).passed
        assert not with_ghost(lake, gone, gone["event_time"]).passed


@pytest.mark.parametrize("number", [0, 1])
def test_a_record_between_the_end_and_the_return_is_found(lake: Lake, number: int) -> None:
    back = returns()[number]
    moment = back["event_time"]
    of_him = pl.col("subscriber_id") == back["subscriber_id"]
    assert records("cdrs_data", LAST).filter(of_him).height == 4  # from 12:00 on
    finding = with_ghost(lake, back, moment - dt.timedelta(microseconds=1))
    assert finding.offenders == 1
    assert "1 rows outside the time of the subscription" in finding.message
    assert with_ghost(lake, back, moment).passed
    # Back is who he is now, not who he was.
    before = {**back, "imei": returns()[1 - number]["imei"]}
    assert "with another" in with_ghost(lake, before, moment).message


def test_a_record_of_who_has_not_joined_yet_is_found(lake: Lake) -> None:
    joined = some_change("activation", [LAST])
    moment = joined["event_time"]
    finding = with_ghost(lake, joined, moment - dt.timedelta(microseconds=1))
    assert (finding.passed, finding.offenders) == (False, 1)
    assert with_ghost(lake, joined, moment).passed
    earlier = some_change("activation", DAYS[:5])
    assert with_ghost(lake, earlier, dt.datetime(2026, 1, 12, tzinfo=dt.UTC)).passed


def test_a_subscriber_that_nobody_knows_is_found(lake: Lake) -> None:
    rows = records("cdrs_data", LAST)
    stranger = pl.lit(5, pl.Int64).alias("subscriber_id")
    write_records(lake, "cdrs_data", LAST, rows.tail(4).with_columns(stranger))
    assert judged(lake, "cdrs_data").offenders == 4


def test_missing_days_of_changes_name_their_command(lake: Lake) -> None:
    for day in DAYS[2:4]:
        shutil.rmtree(lake.directory("identity_changes", day))
    finding = judged(lake, "cdrs_data")
    assert not finding.passed
    assert "identity_changes of 2026-01-03 to 2026-01-04 is not in the lake" in finding.message
    assert "--datasets identity_changes --start 2026-01-03 --days 2" in finding.recover
    assert judged(lake, "cdrs_data", DAYS[0]).passed


def test_a_missing_registry_is_told(lake: Lake) -> None:
    shutil.rmtree(lake.directory("subscribers"))
    finding = judged(lake, "cdrs_data")
    assert not finding.passed
    assert "has no subscribers" in finding.message


@pytest.mark.parametrize(
    ("kind", "column", "other", "words"),
    [
        ("device_upgrade", "previous_imsi", "206619999999999", "say another identity before"),
        ("device_upgrade", "previous_msisdn", "+32461555555", "say another identity before"),
        ("device_upgrade", "previous_imei", "000019999999990", "say another identity before"),
        ("device_upgrade", "iccid", "8932610000000000000", "change more than their kind does"),
        ("device_upgrade", "number_holder", "20699", "change more than their kind does"),
        ("port_in", "device_id", "D001", "change more than their kind does"),
    ],
)
def test_a_change_that_does_not_follow_is_found(
    lake: Lake, kind: str, column: str, other: str, words: str
) -> None:
    day = day_of(kind)
    of_kind = pl.col("change_type") == kind
    first = of_kind & (of_kind.cast(pl.UInt32).cum_sum() == 1)
    wrong = pl.when(first).then(pl.lit(other)).otherwise(column).alias(column)
    commit(lake, DATASETS["identity_changes"], changes(day).with_columns(wrong), day)
    finding = judged(lake, "identity_changes", day)
    assert finding.offenders == 1, finding
    assert f"1 changes {words}" in finding.message


def test_a_number_given_twice_is_found(lake: Lake) -> None:
    day = day_of("number_change")
    rows, taken = changes(day), records("cdrs_data", DAYS[0])["msisdn"].last()
    number = pl.when(pl.col("change_type") == "number_change").then(pl.lit(taken))
    commit(
        lake,
        DATASETS["identity_changes"],
        rows.with_columns(number.otherwise("msisdn").alias("msisdn")),
        day,
    )
    finding = judged(lake, "identity_changes", day)
    assert "values of msisdn belong to two subscribers at once" in finding.message


def planted(lake: Lake, *rows: dict[str, Any], without: int = 0) -> Finding:
    """Write the changes of the last day with others among them, and judge them.

    Args:
        lake: The lake.
        rows: The others, given their kind, time and identities.
        without: Subscriber whose own changes of the day are left out.
    """
    day = changes(LAST).filter(pl.col("subscriber_id") != without)
    more = [{**row, "event_id": 1000 + number} for number, row in enumerate(rows)]
    both = pl.concat([day, pl.DataFrame(more, schema=day.schema)]).sort("event_time")
    commit(lake, DATASETS["identity_changes"], both, LAST)
    return judged(lake, "identity_changes")


def change(kind: str, who: dict[str, Any], hour: int, **other: Any) -> dict[str, Any]:
    """Return a change of the last day that begins, ends or keeps what somebody has."""
    begins = kind in ("win_back", "activation")
    home = identity_inputs().config.own_operator.plmn
    elsewhere = {"termination": None, "port_out": "20663"}
    return {
        "subscriber_id": who["subscriber_id"],
        "event_time": dt.datetime(2026, 1, 12, hour, tzinfo=dt.UTC),
        "change_type": kind,
        **{key: who[key] for key in KEPT},
        "serving_plmn": elsewhere.get(kind, home),
        **{f"previous_{key}": None if begins else who[key] for key in BORNE},
        **other,
    }


def quiet() -> dict[str, Any]:
    """Return a customer of the epoch of whom nothing changes."""
    registry = identity_inputs().frames["subscribers"].head(2000)
    busy = pl.concat([changes(day) for day in DAYS])["subscriber_id"]
    person = (pl.col("kind").cast(pl.String) == "person") & ~pl.col("subscriber_id").is_in(
        busy.implode()
    )
    return registry.filter(person).row(0, named=True)


def test_whole_chains_pass(lake: Lake) -> None:
    """Ends, returns and what happens in between, on one day and over days."""
    who, home = quiet(), identity_inputs().config.own_operator.plmn
    assert planted(lake, change("termination", who, 10)).passed
    chain = [
        change("sim_swap", who, 9, imsi=f"{home}9999999991", iccid="8932610000000000001"),
    ]
    now = {**who, "imsi": f"{home}9999999991", "iccid": "8932610000000000001"}
    chain += [change("port_out", now, 11), change("win_back", now, 13)]
    chain += [change("termination", now, 15), change("win_back", now, 17)]
    finding = planted(lake, *chain)
    assert finding.passed, finding
    joined = some_change("activation", DAYS[:5])
    finding = planted(lake, change("port_out", joined, 9), change("win_back", joined, 12))
    assert finding.passed, finding
    # Another number at the return, as it was given up in between.
    gone = ending("termination", DAYS[:5])
    finding = planted(lake, change("win_back", gone, 12, msisdn="+32461999998"))
    assert finding.passed, finding


@pytest.mark.parametrize("kind", ["port_out", "termination"])
@pytest.mark.parametrize("later", ["sim_swap", "port_out", "termination"])
def test_a_change_after_the_end_is_found(lake: Lake, kind: str, later: str) -> None:
    finding = planted(lake, change(later, ending(kind, DAYS[:5]), 12))
    assert "1 changes come after the subscription ended" in finding.message
    # On the day itself too.
    who = quiet()
    finding = planted(lake, change(kind, who, 10), change(later, who, 12))
    assert "1 changes come after the subscription ended" in finding.message


@pytest.mark.parametrize("kind", ["activation", "win_back"])
def test_a_beginning_of_who_is_a_customer_is_found(lake: Lake, kind: str) -> None:
    for who in (quiet(), some_change("activation", DAYS[:5])):
        finding = planted(lake, change(kind, who, 12))
        assert finding.offenders == 1
        assert finding.message == "1 changes begin a subscription that has not ended"
    back = returns()[0]
    finding = planted(lake, change(kind, back, BACK.hour + 3))
    assert finding.message == "1 changes begin a subscription that has not ended"


def test_a_beginning_that_is_a_return_and_the_reverse_are_found(lake: Lake) -> None:
    words = "1 changes call a return what is a beginning, or the reverse"
    gone = ending("port_out", DAYS[:5])
    assert planted(lake, change("activation", gone, 12)).message == words
    new = some_change("activation", [LAST])
    planted_first = change("win_back", new, 12)
    finding = planted(lake, planted_first, without=new["subscriber_id"])
    assert finding.message == words
    finding = planted(lake, change("sim_swap", new, 12), without=new["subscriber_id"])
    assert "1 changes say another identity before than there was" in finding.message


@pytest.mark.parametrize("column", BORNE)
def test_a_previous_identity_of_who_begins_is_found(lake: Lake, column: str) -> None:
    previous = f"previous_{column}"
    words = "1 changes say another identity before than there was"
    new = some_change("activation", [LAST])
    wrong = {**new, previous: new[column]}
    finding = planted(lake, wrong, without=new["subscriber_id"])
    assert finding.message == words
    gone = ending("termination", DAYS[:5])
    finding = planted(lake, change("win_back", gone, 12, **{previous: gone[column]}))
    assert finding.message == words
    # And none of who is a customer.
    finding = planted(lake, change("termination", quiet(), 12, **{previous: None}))
    assert finding.message == words


@pytest.mark.parametrize(
    ("kind", "serving"),
    [
        ("termination", "20661"),
        ("termination", "20662"),
        ("port_out", None),
        ("port_out", "20661"),
        ("win_back", None),
        ("sim_swap", None),
    ],
)
def test_a_serving_network_that_does_not_fit_is_found(
    lake: Lake, kind: str, serving: str | None
) -> None:
    who = ending("port_out", DAYS[:5]) if kind == "win_back" else quiet()
    assert kind == "sim_swap" or planted(lake, change(kind, who, 12)).passed
    finding = planted(lake, change(kind, who, 12, serving_plmn=serving))
    assert "1 changes name a serving network that does not fit" in finding.message


def test_what_the_end_leaves_as_it_was_may_not_change(lake: Lake) -> None:
    other = change("termination", quiet(), 12, msisdn="+32461999998")
    assert "1 changes change more than their kind does" in planted(lake, other).message


@pytest.mark.parametrize("column", ["imsi", "msisdn", "imei", "iccid"])
def test_what_was_somebodys_lately_is_nobody_elses(lake: Lake, column: str) -> None:
    """A number rests for 90 days after its holder left; all else is never given to another."""
    gone, new = ending("termination", DAYS[:5]), some_change("activation", [LAST])
    taken = {**new, column: gone[column]}
    finding = planted(lake, taken, without=new["subscriber_id"])
    assert finding.message == f"1 values of {column} belong to two subscribers at once"


@pytest.mark.parametrize(("more", "shared"), [(0, 0), (1, 1)])
def test_a_number_that_has_rested_is_given_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, more: int, shared: int
) -> None:
    gone, new = ending("termination", DAYS[:5]), some_change("activation", [LAST])
    rest = LAST - gone["event_time"].date() + dt.timedelta(days=more)
    monkeypatch.setattr(consistency, "_REST", rest)
    taken = {**new, "msisdn": gone["msisdn"]}
    assert planted(lake, taken, without=new["subscriber_id"]).offenders == shared
    assert dt.timedelta(days=QUARANTINE_DAYS) == REST
