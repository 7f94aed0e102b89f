"""Tables follow from the contracts, for each kind of database."""

import re

import polars as pl
import pytest
import sqlalchemy as sa
import sqlglot
from sqlglot import exp

from telco_pipeline.contracts import DAILY_DATASETS, DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.warehouse import existing, ledger, loading, tables
from telco_pipeline.warehouse.database import Database

READERS = {"postgresql": "postgres", "sqlite": "sqlite", "duckdb": "duckdb", "mssql": "tsql"}
MSSQL_KEY_BYTES = 900


def statements(name: str, dialect: str) -> list[str]:
    metadata = tables.all_tables()
    return list(tables.create_statements(metadata.tables[name], tables.dialect_named(dialect)))


@pytest.mark.parametrize("dialect", tables.DIALECTS)
@pytest.mark.parametrize("name", [*DATASETS, tables.LEDGER])
def test_all_statements_are_sql_of_their_dialect(name: str, dialect: str) -> None:
    for text in statements(name, dialect):
        if text.startswith("execute sp_addextendedproperty"):
            assert text.count("'") % 2 == 0
            continue
        tree = sqlglot.parse_one(text, read=READERS[dialect], error_level=sqlglot.ErrorLevel.RAISE)
        assert isinstance(tree, exp.Create | exp.Comment), text


@pytest.mark.parametrize("dialect", tables.DIALECTS)
def test_a_table_has_the_contracts_columns_in_their_order(dialect: str) -> None:
    for name, contract in DATASETS.items():
        tree = sqlglot.parse_one(statements(name, dialect)[0], read=READERS[dialect])
        found = [column.name for column in tree.find_all(exp.ColumnDef)]
        assert found == (["day"] if contract.daily else []) + contract.columns
        needed = {
            column.name
            for column in tree.find_all(exp.ColumnDef)
            if any(
                isinstance(each.kind, exp.NotNullColumnConstraint)
                and not each.kind.args.get("allow_null")
                for each in column.constraints
            )
        }
        columns = contract.schema.columns()
        assert needed - {"day"} == {each for each in columns if not columns[each].nullable}


def test_types_of_each_dialect() -> None:
    def types(dialect: str) -> dict[str, str]:
        text = statements("cdrs_voice", dialect)[0]
        return dict(re.findall(r"^\t(\w+) ([^,\n]+?)(?: NOT NULL| NULL)?,? ?$", text, re.MULTILINE))

    found = types("postgresql")
    assert found["day"] == "DATE"
    assert found["event_time"] == "TIMESTAMP WITHOUT TIME ZONE"
    assert found["event_id"] == "BIGINT"
    assert found["imsi"] == found["record_type"] == "TEXT"
    assert found["chargeable"] == "BOOLEAN"
    assert found["latitude"] == "DOUBLE PRECISION"
    assert found["altitude"] == "SMALLINT"
    found = types("mssql")
    assert found["day"] == "DATE"
    assert found["event_time"] == "DATETIME2(6)"
    assert found["imsi"] == "NVARCHAR(max)"
    assert found["cell_id"] == "NVARCHAR(100)", "an index needs a bound"
    assert found["chargeable"] == "BIT"


def test_keys_of_sql_server_are_short_enough() -> None:
    sizes = {sa.BigInteger: 8, sa.Integer: 4, sa.SmallInteger: 2, sa.DATE: 3, sa.TIMESTAMP: 8}
    dialect = tables.dialect_named("mssql")
    for table in tables.all_tables().tables.values():
        for columns in (table.primary_key.columns, *(index.columns for index in table.indexes)):
            size = 0
            for column in columns:
                kind = column.type.dialect_impl(dialect)
                length = getattr(kind, "length", None)
                assert length or not isinstance(column.type, sa.Text), (table.name, column.name)
                size += 2 * length if length else sizes.get(type(column.type), 8)
            assert size <= MSSQL_KEY_BYTES, (table.name, [column.name for column in columns])


def test_the_primary_key_is_the_contracts_after_the_day() -> None:
    for name, table in tables.all_tables().tables.items():
        if name == tables.LEDGER:
            continue
        contract = DATASETS[name]
        first = ["day"] if contract.daily else []
        assert [c.name for c in table.primary_key.columns] == first + contract.schema.primary_key()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("cdrs_voice", ["cell_id,event_time", "event_time", "subscriber_id,event_time"]),
        ("alarms", ["cell_id,event_time", "element_id,event_time", "event_time"]),
        ("network_logs", ["element_id,event_time", "event_time"]),
        ("network_state", ["event_time"]),
        ("element_metrics", ["event_time"]),
        ("truth_records", ["event_time"]),
        ("social_ties", []),
        ("plans", []),
    ],
)
def test_indexes_follow_from_what_a_row_is_about(name: str, wanted: list[str]) -> None:
    table = tables.all_tables().tables[name]
    found = sorted(",".join(c.name for c in index.columns) for index in table.indexes)
    assert found == wanted


def test_no_table_has_so_many_indexes_that_loading_suffers() -> None:
    for table in tables.all_tables().tables.values():
        trees = [i for i in table.indexes if len(i.columns) > 1]
        assert len(trees) <= 2, table.name


def test_time_is_a_brin_index_on_postgresql_alone() -> None:
    def of_time(dialect: str) -> str:
        (found,) = [
            text for text in statements("cdrs_voice", dialect) if "ix_cdrs_voice_event_time" in text
        ]
        return found

    assert "USING brin" in of_time("postgresql")
    assert "brin" not in of_time("sqlite")
    assert not any("CREATE INDEX" in text for text in statements("cdrs_voice", "duckdb"))


def test_comments_say_what_a_column_is_in_which_unit_by_which_standard() -> None:
    text = "\n".join(statements("cdrs_voice", "postgresql"))
    words = "'IMSI of the served subscriber. TS 32.298 servedIMSI.'"
    assert f"COMMENT ON COLUMN cdrs_voice.imsi IS {words}" in text
    assert "Latitude of the antenna, WGS 84; null abroad. Unit: degree." in text
    assert f"(contract version {DATASETS['cdrs_voice'].version})" in text
    assert "COMMENT ON TABLE cdrs_voice IS" in text
    for name, contract in DATASETS.items():
        text = "\n".join(statements(name, "postgresql"))
        assert text.count("COMMENT ON COLUMN") == len(contract.columns) + contract.daily
        text = "\n".join(statements(name, "mssql"))
        assert text.count("sp_addextendedproperty") == len(contract.columns) + contract.daily + 1


@pytest.mark.parametrize("database", ["postgresql", "duckdb"], indirect=True)
def test_comments_are_in_the_database(database: Database) -> None:
    table = tables.table_of(DATASETS["network_state"], database.metadata)
    existing.ensure(database, ledger.table(database), table)
    query = {
        "postgresql": "SELECT col_description('network_state'::regclass, ordinal_position::int) "
        "FROM information_schema.columns WHERE table_name = 'network_state' "
        "ORDER BY ordinal_position",
        "duckdb": "SELECT comment FROM duckdb_columns() WHERE table_name = 'network_state' "
        "ORDER BY column_index",
    }[database.dialect]
    with database.reading() as connection:
        found = list(connection.execute(sa.text(query)).scalars())
    assert found == [column.comment for column in table.columns]
    assert any("%" in (text or "") for text in found) == any(
        "%" in (column.comment or "") for column in table.columns
    )


@pytest.mark.parametrize("database", ["postgresql", "duckdb"], indirect=True)
def test_a_percent_sign_in_a_comment_stays_one(database: Database) -> None:
    columns = [sa.Column("id", sa.BigInteger(), nullable=False, comment="100 % of %s; it's %%")]
    table = tables.make_table("shares", columns, database.metadata, daily=False, key=["id"])
    rows = pl.DataFrame({"id": [1]})
    loading.replace(database, table, None, [rows], ledger.Record("shares", None, "a", 1, "w", 1))
    query = {
        "postgresql": "SELECT col_description('shares'::regclass, 1)",
        "duckdb": "SELECT comment FROM duckdb_columns() WHERE table_name = 'shares'",
    }[database.dialect]
    with database.reading() as connection:
        assert connection.execute(sa.text(query)).scalar_one() == "100 % of %s; it's %%"


def test_a_daily_table_is_partitioned_by_day_on_postgresql_alone() -> None:
    for name in DAILY_DATASETS:
        assert "PARTITION BY RANGE (day)" in statements(name, "postgresql")[0]
        for other in ("sqlite", "duckdb", "mssql"):
            assert "PARTITION" not in "\n".join(statements(name, other))


def test_an_unknown_dialect_or_type_is_refused() -> None:
    with pytest.raises(TelcoError, match="it is one of postgresql, sqlite, duckdb, mssql"):
        tables.dialect_named("oracle")
    with pytest.raises(ValueError, match="no SQL type"):
        tables.sql_type(pl.List(pl.Int64))
