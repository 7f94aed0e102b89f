"""PostgreSQL that goes away in mid-load, deadlocks, and what is not tried again."""

import datetime as dt
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import ledger, loading, tables
from telco_pipeline.warehouse.database import Database
from telco_pipeline_tests.lake.kit import DAY
from telco_pipeline_tests.postgres import OwnPostgres
from telco_pipeline_tests.warehouse.kit import NEXT_DAY, expected, held, lake_of, rows_of

VOICE = "cdrs_voice"
NEW = ledger.Record(VOICE, DAY, "new", DATASETS[VOICE].version, f"{42:016x}", 42)
BIG = 40_000
"""Rows of a frame: more than the driver holds back before it sends them."""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return lake_of(tmp_path / "lake", [VOICE], rows=[500])


def new_rows() -> pl.DataFrame:
    return rows_of(VOICE, BIG, 77)


def disturbed(
    disturb: Callable[[], None], tries: list[int]
) -> Callable[[], Iterator[pl.DataFrame]]:
    """Return frames that disturb the load once, after the first of them is on its way."""

    def frames() -> Iterator[pl.DataFrame]:
        tries.append(1)
        rows = new_rows()
        yield rows[: BIG // 2]
        if len(tries) == 1:
            disturb()
        yield rows[BIG // 2 :]

    return frames


def voice_table(database: Database) -> sa.Table:
    return tables.table_of(DATASETS[VOICE], database.metadata)


def check_new_day(database: Database, lake: Lake) -> None:
    """Nothing lost, nothing twice, the other day untouched."""
    both = held(database, VOICE)
    fresh = new_rows().with_columns(pl.lit(DAY).alias(tables.DAY)).select(both.columns)
    assert_frame_equal(both.filter(pl.col("day") == DAY), fresh.sort("event_id"))
    other = expected(lake, VOICE).filter(pl.col("day") == NEXT_DAY)
    assert_frame_equal(both.filter(pl.col("day") == NEXT_DAY), other)
    lines = ledger.loaded(database, VOICE)
    assert [(line.content_hash == "new", line.rows) for line in lines] == [
        (True, fresh.height),
        (False, other.height),
    ]


@pytest.mark.parametrize("hard", [False, True], ids=["stopped", "killed"])
def test_a_server_that_comes_back_in_mid_load_has_every_row_once(
    own_postgres: Callable[..., OwnPostgres], lake: Lake, hard: bool
) -> None:
    server = own_postgres()
    database = Database.from_environment(server.create_database(), environ={})
    for day in (DAY, NEXT_DAY):
        loading.load(database, lake, VOICE, day)
    tries: list[int] = []
    back = threading.Event()

    def disturb() -> None:
        (server.kill if hard else server.stop)()

        def later() -> None:
            server.start()
            back.set()

        threading.Timer(1.0, later).start()

    frames = disturbed(disturb, tries)
    rows = loading.replace(database, voice_table(database), DAY, frames, NEW)
    assert back.wait(30)
    assert rows == new_rows().height
    assert len(tries) >= 2
    check_new_day(database, lake)


def comes_back(server: OwnPostgres) -> threading.Timer:
    """Kill a server, and start it a second later."""
    server.kill()
    later = threading.Timer(1.0, server.start)
    later.start()
    return later


def test_a_server_that_is_restarted_between_two_days_is_waited_for(
    own_postgres: Callable[..., OwnPostgres], lake: Lake
) -> None:
    server = own_postgres()
    database = Database.from_environment(server.create_database(), environ={})
    loading.load(database, lake, VOICE, DAY)
    later = comes_back(server)
    loading.load(database, lake, VOICE, NEXT_DAY)
    later.join(30)
    assert_frame_equal(held(database, VOICE), expected(lake, VOICE))
    database.ready.clear()
    later = comes_back(server)  # tables are looked at, too, before a first day
    assert loading.load(database, lake, VOICE, DAY).skipped
    later.join(30)


def test_a_server_that_stays_away_leaves_the_old_day(
    own_postgres: Callable[..., OwnPostgres], lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_LONGEST_PAUSE", 0.1)
    server = own_postgres()
    database = Database.from_environment(server.create_database(), environ={})
    for day in (DAY, NEXT_DAY):
        loading.load(database, lake, VOICE, day)
    tries: list[int] = []
    frames = disturbed(server.kill, tries)
    with pytest.raises(TelcoError, match=r"loading cdrs_voice 2026-01-01 at .*refused") as caught:
        loading.replace(database, voice_table(database), DAY, frames, NEW)
    assert "\n" not in str(caught.value)
    server.start()
    assert_frame_equal(held(database, VOICE), expected(lake, VOICE))
    loading.replace(database, voice_table(database), DAY, disturbed(lambda: None, []), NEW)
    check_new_day(database, lake)


def test_a_session_that_is_ended_is_begun_anew(postgres_url: str, lake: Lake) -> None:
    database = Database.from_environment(postgres_url, environ={})
    for day in (DAY, NEXT_DAY):
        loading.load(database, lake, VOICE, day)
    tries: list[int] = []

    def disturb() -> None:
        with database.reading() as connection:
            ended = connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE query LIKE 'COPY%' AND datname = current_database()"
                )
            ).fetchall()
        assert len(ended) == 1

    loading.replace(database, voice_table(database), DAY, disturbed(disturb, tries), NEW)
    assert len(tries) == 2
    check_new_day(database, lake)


def test_rows_that_can_be_had_once_are_not_tried_again(postgres_url: str, lake: Lake) -> None:
    database = Database.from_environment(postgres_url, environ={})
    for day in (DAY, NEXT_DAY):
        loading.load(database, lake, VOICE, day)
    table = voice_table(database)

    def disturb() -> None:
        with database.reading() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE "
                    "'COPY%' AND datname = current_database()"
                )
            )

    frames = disturbed(disturb, [])()
    with pytest.raises(TelcoError, match="loading cdrs_voice 2026-01-01"):
        loading.replace(database, table, DAY, frames, NEW)
    assert_frame_equal(held(database, VOICE), expected(lake, VOICE))


def test_a_load_that_loses_a_deadlock_is_done_again(postgres_url: str, lake: Lake) -> None:
    """The other holds the ledger and wants the table; the load has the table first."""
    database = Database.from_environment(postgres_url, environ={})
    for day in (DAY, NEXT_DAY):
        loading.load(database, lake, VOICE, day)
    tries: list[int] = []
    other_has_ledger = threading.Event()
    waiting = sa.text(
        "SELECT 1 FROM pg_locks WHERE relation = 'telco_loads'::regclass AND NOT granted"
    )
    errors: list[BaseException] = []

    def other() -> None:
        try:
            with database.writing() as connection:
                # Who waits longer than deadlock_timeout looks for deadlocks, and is the one to go.
                connection.execute(sa.text("SET LOCAL deadlock_timeout = '60s'"))
                connection.execute(sa.text("LOCK TABLE telco_loads IN ACCESS EXCLUSIVE MODE"))
                other_has_ledger.set()
                while connection.execute(waiting).first() is None:
                    time.sleep(0.02)
                connection.execute(sa.text("LOCK TABLE cdrs_voice IN ACCESS EXCLUSIVE MODE"))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=other)

    def disturb() -> None:
        thread.start()
        assert other_has_ledger.wait(20)

    with database.writing() as connection:
        connection.execute(
            sa.text(
                "ALTER DATABASE " + str(database.url.database) + " SET deadlock_timeout = '200ms'"
            )
        )
    rows = loading.replace(database, voice_table(database), DAY, disturbed(disturb, tries), NEW)
    thread.join(20)
    assert not errors
    assert len(tries) == 2
    assert rows == new_rows().height
    check_new_day(database, lake)


def two_that_meet(database: Database, isolation: str) -> tuple[list[BaseException], list[int]]:
    """Let two transactions change two rows in opposite order; return errors, and tries of each."""
    with database.writing() as connection:
        connection.execute(sa.text("CREATE TABLE pair (id INT PRIMARY KEY, n INT)"))
        connection.execute(sa.text("INSERT INTO pair VALUES (1, 0), (2, 0)"))
    meet = threading.Barrier(2)
    errors: list[BaseException] = []
    tries = [0, 0]

    def change(me: int) -> None:
        def once() -> None:
            tries[me] += 1
            with database.writing() as connection:
                connection.execute(sa.text(f"SET TRANSACTION ISOLATION LEVEL {isolation}"))
                connection.execute(sa.text("SELECT * FROM pair"))
                if tries[me] == 1 and isolation != "READ COMMITTED":
                    meet.wait(20)
                connection.execute(sa.text(f"UPDATE pair SET n = n + 1 WHERE id = {1 + me}"))
                if tries[me] == 1 and isolation == "READ COMMITTED":
                    meet.wait(20)
                connection.execute(sa.text(f"UPDATE pair SET n = n + 1 WHERE id = {2 - me}"))

        try:
            loading.retried(database, once)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=change, args=(me,)) for me in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with database.reading() as connection:
        assert connection.execute(sa.text("SELECT sum(n) FROM pair")).scalar_one() == 4
    return errors, tries


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_a_deadlock_or_serialization_failure_is_tried_again(
    postgres_url: str, isolation: str
) -> None:
    errors, tries = two_that_meet(Database.from_environment(postgres_url, environ={}), isolation)
    assert errors == []
    assert sorted(tries)[1] >= 2


def test_what_does_not_pass_by_itself_is_tried_once(postgres_url: str) -> None:
    database = Database.from_environment(postgres_url, environ={})
    for wrong in ("SELECT 1/0", "SELECT * FROM nothing", "SELECT 'a'::int", "syntax error"):
        tries: list[int] = []

        def once(wrong: str = wrong, tries: list[int] = tries) -> None:
            tries.append(1)
            with database.writing() as connection:
                connection.execute(sa.text(wrong))

        with pytest.raises(TelcoError):
            loading.retried(database, once)
        assert tries == [1]


def test_a_server_that_never_answered_is_not_waited_for() -> None:
    database = Database.from_environment("postgresql://x:y@127.0.0.1:1/z", environ={})
    tries: list[int] = []

    def once() -> None:
        tries.append(1)
        with database.writing():
            pass

    with pytest.raises(TelcoError, match="connection refused"):
        loading.retried(database, once)
    assert tries == [1]


def test_ctrl_c_ends_a_load_and_leaves_the_old_day(postgres_url: str, lake: Lake) -> None:
    database = Database.from_environment(postgres_url, environ={})
    for day in (DAY, NEXT_DAY):
        loading.load(database, lake, VOICE, day)

    def disturb() -> None:
        # From the thread that encodes, while the main thread waits for more.
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)

    with pytest.raises(KeyboardInterrupt):
        loading.replace(database, voice_table(database), DAY, disturbed(disturb, []), NEW)
    assert_frame_equal(held(database, VOICE), expected(lake, VOICE))


def test_a_query_sees_the_old_day_while_the_new_one_is_loaded(
    postgres_url: str, lake: Lake
) -> None:
    database = Database.from_environment(postgres_url, environ={})
    for day in (DAY, NEXT_DAY):
        loading.load(database, lake, VOICE, day)
    seen: list[bool] = []

    def look() -> None:
        seen.append(held(database, VOICE).equals(expected(lake, VOICE)))

    loading.replace(database, voice_table(database), DAY, disturbed(look, []), NEW)
    assert seen == [True]
    check_new_day(database, lake)


def test_a_day_is_a_partition_with_its_indexes(postgres_url: str, lake: Lake) -> None:
    database = Database.from_environment(postgres_url, environ={})
    for day in (DAY, NEXT_DAY, DAY):
        loading.load(database, lake, VOICE, day, again=True)
    with database.reading() as connection:
        names = connection.execute(
            sa.text(
                "SELECT inhrelid::regclass::text FROM pg_inherits "
                "WHERE inhparent = 'cdrs_voice'::regclass ORDER BY 1"
            )
        ).scalars()
        assert list(names) == ["cdrs_voice_20260101", "cdrs_voice_20260102"]
        kinds = connection.execute(
            sa.text(
                "SELECT am.amname, indisprimary FROM pg_index "
                "JOIN pg_class c ON c.oid = indexrelid JOIN pg_am am ON am.oid = c.relam "
                "WHERE indrelid = 'cdrs_voice_20260101'::regclass ORDER BY 1, 2"
            )
        ).fetchall()
        assert [tuple(kind) for kind in kinds] == [
            ("brin", False),
            ("btree", False),
            ("btree", False),
            ("btree", True),
        ]
        # Each is the parent's, or the parent would have made another of its own.
        attached = connection.execute(
            sa.text(
                "SELECT count(*) FROM pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid "
                "WHERE indrelid = 'cdrs_voice_20260101'::regclass"
            )
        ).scalar_one()
        assert attached == 4
        plan = connection.execute(
            sa.text(f"EXPLAIN SELECT count(*) FROM cdrs_voice WHERE day = '{NEXT_DAY}'")
        ).scalars()
        assert not any("cdrs_voice_20260101" in line for line in plan), "the day is not pruned"


def test_days_that_are_loaded_at_once_do_not_wait_for_each_other_in_a_ring(
    postgres_url: str, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are in the midst of their rows when both go on; neither has to be done again."""
    tries: dict[dt.date, int] = {DAY: 0, NEXT_DAY: 0}
    for day in tries:
        loading.load(Database.from_environment(postgres_url, environ={}), lake, VOICE, day)
    meet = threading.Barrier(2)
    errors: list[BaseException] = []
    read = loading.read

    def slowly(lake: Lake, dataset: str, day: dt.date) -> Iterator[pl.DataFrame]:
        tries[day] += 1
        yield from read(lake, dataset, day)
        if tries[day] == 1:
            meet.wait(20)

    def load(day: dt.date) -> None:
        database = Database.from_environment(postgres_url, environ={})
        try:
            loading.load(database, lake, VOICE, day, again=True)
        except BaseException as error:
            errors.append(error)

    monkeypatch.setattr(loading, "read", slowly)
    threads = [threading.Thread(target=load, args=(day,)) for day in tries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert tries == {DAY: 1, NEXT_DAY: 1}
    database = Database.from_environment(postgres_url, environ={})
    assert_frame_equal(held(database, VOICE), expected(lake, VOICE))
