"""The registry's history: equal to as-of views at any time, whole day by day, the same made again.

The lake is the generators' own, forty days in which people join, leave, are suspended, change plan,
phone, SIM and number; that somebody comes back, which takes longer, is put into its last day.
"""

import datetime as dt
import json
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from telco_pipeline import asof, production
from telco_pipeline.cli import app
from telco_pipeline.cli.options import with_inputs
from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import history, ledger, loading, versions
from telco_pipeline.warehouse.database import Database
from telco_pipeline_tests.postgres import OwnPostgres
from telco_pipeline_tests.shell.kit import tiny_world

EPOCH = dt.date(2026, 1, 1)
DAYS = [EPOCH + dt.timedelta(days=number) for number in range(40)]
LAST = DAYS[-1]
SIZE = 2500
BACK = dt.datetime.combine(LAST, dt.time(10, 30), dt.UTC)
ENDED = ("ported out", "terminated")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("history") / "lake")
    config = tiny_world(subscribers=SIZE)
    for name in with_inputs(["identity_changes", "subscriber_state", "prospects"]):
        production.produce(config, lake, name, DAYS if DATASETS[name].daily else None)
    bring_back(lake)
    return lake


def bring_back(lake: Lake) -> int:
    """Let somebody who ported out come back on the last day; returns who."""
    gone = lake.scan(asof.CHANGES, EPOCH, DAYS[-3]).filter(
        pl.col("change_type").cast(pl.String) == "port_out"
    )
    row = gone.collect().row(0, named=True)
    day = row.pop("day")
    assert day < LAST
    who = row["subscriber_id"]
    (path,) = lake.files(asof.CHANGES, LAST)
    changes = pl.read_parquet(path)
    news = row | {"event_id": 77, "event_time": BACK, "change_type": "win_back"}
    news |= {"serving_plmn": "20661"}
    changes = pl.concat([changes, pl.DataFrame([news], schema=changes.schema)])
    changes.sort("event_time").write_parquet(path)
    (path,) = lake.files(versions.STATE, LAST)
    state = pl.read_parquet(path)
    back = pl.col("subscriber_id") == who
    state.with_columns(
        pl.when(back).then(pl.lit("win-back")).otherwise("change").cast(state.schema["change"])
        .alias("change"),
        pl.when(back).then(pl.lit(BACK)).otherwise("change_time").alias("change_time")
        .cast(state.schema["change_time"]),
        pl.when(back).then(pl.lit(dt.date(2028, 2, 9))).otherwise("contract_end")
        .alias("contract_end"),
    ).write_parquet(path)  # fmt: skip
    return int(who)


@pytest.fixture(scope="module")
def lake_versions(lake: Lake) -> pl.DataFrame:
    """All versions that the lake's days make, as a history holds them."""
    found = [*versions.first_versions(lake), *(versions.versions_of_day(lake, day) for day in DAYS)]
    return pl.concat(found, how="diagonal")


def table(database: Database, name: str = history.HISTORY) -> pl.DataFrame:
    """Return a table as it is in the database, by its key."""
    of = history.history_table if name == history.HISTORY else history.changes_table
    ours = of(database.metadata)
    with database.reading() as connection:
        rows = connection.execute(sa.select(ours).order_by(*ours.primary_key.columns)).fetchall()
    schema = {column.name: _type(column) for column in ours.columns}
    return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")


def _type(column: sa.Column[Any]) -> pl.DataType:
    kinds = {
        sa.BigInteger: pl.Int64(),
        sa.SmallInteger: pl.Int16(),
        sa.Text: pl.String(),
        sa.TIMESTAMP: pl.Datetime("us"),
        sa.Boolean: pl.Boolean(),
        sa.DATE: pl.Date(),
        sa.Double: pl.Float64(),
    }
    return kinds[type(column.type)]


@pytest.fixture(scope="module")
def whole(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A database with all days."""
    file = tmp_path_factory.mktemp("whole") / "history.sqlite"
    database = Database.from_environment(f"sqlite:///{file}", environ={})
    history.write(database, lake)
    return database


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    return Database.from_environment(f"sqlite:///{tmp_path / 'history.sqlite'}", environ={})


def as_of(rows: pl.DataFrame, moment: dt.datetime) -> pl.DataFrame:
    naive = moment.replace(tzinfo=None)
    return rows.filter(
        pl.col("valid_from") <= naive,
        pl.col("valid_to").is_null() | (pl.col("valid_to") > naive),
    ).sort("subscriber_id")


# --- what it says ---------------------------------------------------------------------------


def test_it_is_what_as_of_views_say_at_any_time(lake: Lake, database: Database) -> None:
    written = history.write(database, lake)
    assert (written.until, written.days) == (LAST, len(DAYS))
    rows = table(database)
    assert written.rows == written.versions == rows.height > SIZE
    draw = random.Random(3)
    span = len(DAYS) * 86_400_000_000
    moments = [
        dt.datetime.combine(EPOCH, dt.time(), dt.UTC)
        + dt.timedelta(microseconds=draw.randrange(span))
        for _ in range(25)
    ]
    exact = asof.changes_until(lake, LAST).select("event_time").collect()["event_time"]
    moments += draw.sample(exact.to_list(), 8)  # a version holds from its very moment on
    moments += [moment - dt.timedelta(microseconds=1) for moment in moments[-8:]]
    for moment in moments:
        view = asof.identities_as_of(lake, moment).sort("subscriber_id").collect()
        ours = as_of(rows, moment).with_columns(in_service=~pl.col("status").is_in(ENDED))
        columns = [*asof.IDENTITY, "in_service"]
        assert ours.select(columns).equals(view.select(columns)), moment


def test_plan_status_and_term_are_those_of_the_state(
    lake: Lake, lake_versions: pl.DataFrame
) -> None:
    """The state of each day's start, which says nothing of moments."""
    rows = lake_versions.with_columns(pl.col("valid_from").dt.replace_time_zone(None))
    rows = rows.with_columns(
        valid_to=pl.col("valid_from")
        .sort()
        .shift(-1)
        .over("subscriber_id", mapping_strategy="group_to_rows")
    )
    for day in DAYS[1:]:
        ours = as_of(rows, dt.datetime.combine(day, dt.time(), dt.UTC))
        state = (
            lake.scan(versions.STATE, day, day)
            .filter(pl.col("status").cast(pl.String) != "prospect")
            .sort("subscriber_id")
            .select("subscriber_id", pl.col("status").cast(pl.String), "plan_id", "tenure_days")
            .collect()
        )
        columns = ["subscriber_id", "status", "plan_id"]
        assert ours.select(columns).equals(state.select(columns)), day
        eve = day - dt.timedelta(days=1)
        terms = (
            lake.scan(versions.STATE, eve, eve)
            .select("subscriber_id", pl.col("contract_end").alias("term"))
            .collect()
        )
        here = ours.filter(~pl.col("status").is_in(ENDED)).join(terms, on="subscriber_id")
        wrong = here.filter(pl.col("contract_end").ne_missing(pl.col("term")))
        assert wrong.is_empty(), (day, wrong.select("subscriber_id", "contract_end", "term"))


def test_all_kinds_of_change_are_there(lake: Lake, lake_versions: pl.DataFrame) -> None:
    told = asof.changes_until(lake, LAST).select("change_type").collect()["change_type"]
    assert set(told.cast(pl.String)) >= {
        "activation", "device_upgrade", "port_out", "termination", "sim_swap", "win_back",
    }  # fmt: skip
    assert set(lake_versions["status"]) == {"active", "suspended", *ENDED}


def test_versions_follow_each_other(whole: Database) -> None:
    rows = table(whole).sort("subscriber_id", "valid_from", "version_id")
    follows = rows.with_columns(then=pl.col("valid_from").shift(-1).over("subscriber_id"))
    assert follows.filter(pl.col("then").ne_missing(pl.col("valid_to"))).is_empty()
    assert follows.filter(pl.col("is_current") != pl.col("valid_to").is_null()).is_empty()
    assert rows["version_id"].n_unique() == rows.height
    assert rows["subscriber_id"].n_unique() == rows.filter("is_current").height
    assert rows.filter(pl.col("valid_to") <= pl.col("valid_from")).is_empty()


def test_constant_columns_are_those_of_the_registry(
    lake: Lake, lake_versions: pl.DataFrame
) -> None:
    registry = pl.concat(lake.read(name) for name in (asof.REGISTRY, versions.PROSPECTS))
    columns = ["subscriber_id", "persona", "home_cell_id", "birth_date", "activity_level"]
    joined = lake_versions.select(columns).join(registry.select(columns), on="subscriber_id")
    assert joined.height == lake_versions.height
    for name in columns[1:]:
        assert joined.filter(pl.col(name).ne_missing(pl.col(f"{name}_right"))).is_empty()


# --- the feed -------------------------------------------------------------------------------


def test_the_feed_leads_from_the_beginning_to_what_is_current(whole: Database) -> None:
    """Whoever replays it has the customers of the end."""
    rows, feed = table(whole), table(whole, history.CHANGES)
    (told,) = [one.rows for one in ledger.loaded(whole) if one.dataset == history.CHANGES]
    assert feed.height == told
    assert feed["changed_at"].is_sorted()
    begun = rows.filter(pl.col("version_id") < SIZE)
    plain = begun.with_columns(
        pl.col("birth_date", "contract_start", "contract_end").cast(pl.String)
    )
    held = {
        row["subscriber_id"]: {name: row[name] for name in ("subscriber_id", *versions.VALUES)}
        for row in plain.to_dicts()
    }
    for line in feed.to_dicts():
        who = line["subscriber_id"]
        before = json.loads(line["before"]) if line["before"] else None
        after = json.loads(line["after"]) if line["after"] else None
        assert held.get(who) == before
        assert (before is None, after is None) == {
            "insert": (True, False), "update": (False, False), "delete": (False, True),
        }[line["op"]]  # fmt: skip
        assert line["day"] == line["changed_at"].date()
        if after is None:
            del held[who]
        else:
            held[who] = after
    current = rows.filter("is_current", ~pl.col("status").is_in(ENDED))
    assert set(held) == set(current["subscriber_id"])
    for row in current.to_dicts():
        assert held[row["subscriber_id"]]["plan_id"] == row["plan_id"]
        assert held[row["subscriber_id"]]["imei"] == row["imei"]
    assert set(feed["op"]) == {"insert", "update", "delete"}


def test_who_comes_back_is_inserted_again(lake: Lake, lake_versions: pl.DataFrame) -> None:
    back = lake_versions.filter(pl.col("valid_from") == BACK).row(0, named=True)
    assert (back["status"], back["op"], back["before"]) == ("active", "insert", None)
    assert (back["contract_start"], back["contract_end"]) == (LAST, dt.date(2028, 2, 9))


# --- day by day -----------------------------------------------------------------------------


def test_day_by_day_is_the_same_as_at_once(lake: Lake, sqlite: Database, tmp_path: Path) -> None:
    for day in (DAYS[0], DAYS[1], DAYS[7], DAYS[3], LAST):
        history.write(sqlite, lake, day)
    other = Database.from_environment(f"sqlite:///{tmp_path / 'other.sqlite'}", environ={})
    history.write(other, lake)
    for name in (history.HISTORY, history.CHANGES):
        assert table(sqlite, name).equals(table(other, name))


def test_what_is_there_is_left_alone(lake: Lake, sqlite: Database) -> None:
    first = history.write(sqlite, lake, DAYS[9])
    for day in (DAYS[9], DAYS[4], DAYS[0]):
        again = history.write(sqlite, lake, day)
        assert (again.until, again.days, again.versions) == (DAYS[9], 0, 0)
        assert again.rows == first.rows
    assert not history.write(sqlite, lake).again
    before = table(sqlite)
    anew = history.write(sqlite, lake, again=True)
    assert anew.again
    assert table(sqlite).equals(before), "the same keys, too"


def test_a_lake_that_was_made_anew_makes_it_anew(
    lake: Lake, sqlite: Database, tmp_path: Path
) -> None:
    copy = Lake(shutil.copytree(lake.root, tmp_path / "copy"))
    history.write(sqlite, copy, DAYS[5])
    path = copy.directory(asof.CHANGES, DAYS[3]) / "_provenance.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"content_hash": "another"}))
    written = history.write(sqlite, copy, DAYS[6])
    assert written.again
    assert written.days == 7
    assert written.rows == table(sqlite).height


def test_a_day_that_fails_leaves_the_day_before(
    lake: Lake, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.write(database, lake, DAYS[2])
    before = {name: table(database, name) for name in (history.HISTORY, history.CHANGES)}

    def broken(*_: object) -> None:
        raise TelcoError("the ledger cannot be written")

    with monkeypatch.context() as patched:
        patched.setattr(history, "_note", broken)
        with pytest.raises(TelcoError, match="ledger cannot be written"):
            history.write(database, lake, DAYS[3])
    for name, rows in before.items():
        assert table(database, name).equals(rows)
    history.write(database, lake, DAYS[3])
    assert table(database).height > before[history.HISTORY].height


def test_a_server_that_is_killed_in_the_middle(
    lake: Lake,
    own_postgres: Callable[..., OwnPostgres],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is killed just before a commit and comes back: nothing is lost, nothing is there twice."""
    server = own_postgres()
    database = Database.from_environment(server.create_database(), environ={})
    killed: list[float] = []
    note = history._note

    def kill_once(*arguments: Any) -> None:
        note(*arguments)
        if not killed and arguments[2].rows > SIZE:
            killed.append(server.restart(hard=True))

    monkeypatch.setattr(history, "_note", kill_once)
    written = history.write(database, lake, DAYS[5])
    assert killed
    expected = pl.concat(
        [*versions.first_versions(lake), *(versions.versions_of_day(lake, d) for d in DAYS[:6])],
        how="diagonal",
    )
    assert written.rows == table(database).height == expected.height
    server.kill()
    later = threading.Timer(1.0, server.start)
    later.start()
    assert history.write(database, lake, DAYS[6]).days == 1, "it is waited for between two writings"
    later.join(30)


# --- errors ---------------------------------------------------------------------------------


@pytest.fixture
def broken(lake: Lake, tmp_path: Path) -> Lake:
    return Lake(shutil.copytree(lake.root, tmp_path / "copy"))


def test_a_missing_day(broken: Lake, sqlite: Database) -> None:
    shutil.rmtree(broken.directory(versions.STATE, DAYS[4]))
    with pytest.raises(TelcoError, match=r"has no subscriber_state of 2026-01-05.*telco generate"):
        history.write(sqlite, broken, DAYS[8])
    assert history.write(sqlite, broken).until == DAYS[3], "as far as there is no gap"


def test_no_day_at_all(broken: Lake, sqlite: Database) -> None:
    for day in DAYS:
        shutil.rmtree(broken.directory(asof.CHANGES, day))
    with pytest.raises(TelcoError, match="has no identity_changes of 2026-01-01"):
        history.write(sqlite, broken)


def test_a_day_before_the_epoch(lake: Lake, sqlite: Database) -> None:
    with pytest.raises(TelcoError, match="lies before the epoch 2026-01-01"):
        history.write(sqlite, lake, dt.date(2025, 12, 31))


def test_another_world_is_refused_and_can_be_removed(
    lake: Lake, sqlite: Database, tmp_path: Path
) -> None:
    history.write(sqlite, lake, DAYS[0])
    other = Lake(tmp_path / "other")
    config = tiny_world(subscribers=300)
    for name in with_inputs(["identity_changes", "subscriber_state", "prospects"]):
        production.produce(config, other, name, DAYS[:1] if DATASETS[name].daily else None)
    with pytest.raises(TelcoError, match="holds the world"):
        history.write(sqlite, other)
    held = other.held_world()
    assert held is not None
    assert loading.remove_world(sqlite, held.world_hash) > SIZE
    written = history.write(sqlite, other)
    assert written.rows == table(sqlite).height < SIZE
    assert {record.dataset for record in ledger.loaded(sqlite)} == {
        history.HISTORY, history.CHANGES,
    }  # fmt: skip


def test_a_table_of_somebody_else(lake: Lake, sqlite: Database) -> None:
    with sqlite.writing() as connection:
        connection.execute(sa.text("CREATE TABLE subscribers_history (a INTEGER)"))
    with pytest.raises(TelcoError, match="subscribers_history is there with other columns"):
        history.write(sqlite, lake, DAYS[0])


# --- the command ----------------------------------------------------------------------------


def telco(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        app(["warehouse", "history", *arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_the_command(lake: Lake, sqlite: Database, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--lake", str(lake.root), "--database-url", str(sqlite.url))
    assert telco(*where, "--until", "2026-01-03") == 0
    told = capsys.readouterr().out
    assert told.startswith("3 days written: ")
    assert f"{sqlite.address} holds" in told
    assert "until 2026-01-03." in told
    assert telco(*where, "--until", "2026-01-02") == 0
    assert capsys.readouterr().out.startswith("0 days written: 0 states, 0 changes")
    assert table(sqlite)["valid_from"].max() < dt.datetime(2026, 1, 4)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--until", "2026-02-30"), "--until: not a date"),
        (("--until", "2026-03-01"), "has no identity_changes of 2026-02-10"),
        (("--lake", "nowhere"), "no lake at nowhere: make one with telco generate"),
        (("--database-url", "nothing"), "--database-url is no URL of a database"),
    ],
)
def test_what_the_command_refuses(
    lake: Lake,
    sqlite: Database,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, str],
    line: str,
) -> None:
    where = {"--lake": str(lake.root), "--database-url": str(sqlite.url)} | dict([arguments])
    assert telco(*(word for pair in where.items() for word in pair)) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("telco: ")
    assert line in said
