"""The servers that the tests of the warehouse run on."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from telco_pipeline_tests.postgres import OwnPostgres


def _count(url: str) -> int:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return connection.execute(sa.text("SELECT count(*) FROM things")).scalar_one()


def test_each_test_has_a_database_of_its_own(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    assert sa.inspect(engine).get_table_names() == []


@pytest.mark.parametrize("hard", [False, True])
def test_a_server_that_is_stopped_or_killed_keeps_what_was_committed(
    own_postgres: Callable[..., OwnPostgres], hard: bool
) -> None:
    server = own_postgres()
    url = server.create_database()
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE things AS SELECT 1 AS thing"))
    before = server.pid
    server.restart(hard=hard)
    assert server.pid != before
    assert _count(url) == 1
    folder = server.folder
    server.close()
    assert not folder.exists()
