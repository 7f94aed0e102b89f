"""What is there: tables of a database held against ours, and made where they are missing.

Belongs here: looking into a database's catalogue, CREATE. Does not belong here: what a table should
be (`tables`), rows (`loading`).

DuckDB is asked through information_schema: SQLAlchemy cannot reflect it.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from telco_pipeline.errors import TelcoError
from telco_pipeline.warehouse import tables
from telco_pipeline.warehouse.database import Database

_ALIKE: Final = {
    **dict.fromkeys(("text", "varchar", "nvarchar", "character varying", "char", "string"), "text"),
    **dict.fromkeys(("timestamp", "timestamp without time zone", "datetime2"), "timestamp"),
    **dict.fromkeys(("double", "double precision", "float", "float8"), "double"),
    **dict.fromkeys(("boolean", "bool", "bit"), "boolean"),
    **dict.fromkeys(("integer", "int", "int4"), "integer"),
    **dict.fromkeys(("bigint", "int8"), "bigint"),
    **dict.fromkeys(("smallint", "int2"), "smallint"),
}
"""Names of types that mean the same; lengths and collations are left out before."""

_MOST_NAMED: Final = 5


def columns_of(
    connection: Connection, dialect: str, name: str, schema: str | None
) -> dict[str, str]:
    """Return the columns of a table or view with their types; nothing if there is none."""
    if dialect == "sqlite":
        found = connection.execute(
            sa.text("SELECT name, type FROM pragma_table_info(:name)"), {"name": name}
        )
    else:
        default = "schema_name()" if dialect == "mssql" else "current_schema()"
        found = connection.execute(
            sa.text(
                "SELECT column_name, data_type FROM information_schema.columns WHERE "
                f"table_name = :name AND table_schema = COALESCE(:schema, {default})"
                + (" AND table_catalog = current_database()" if dialect == "duckdb" else "")
                + " ORDER BY ordinal_position"
            ),
            {"name": name, "schema": schema},
        )
    return {str(row[0]): _alike(str(row[1])) for row in found}


def has_table(connection: Connection, database: Database, name: str) -> bool:
    """Return whether a table or view of that name is there."""
    return bool(columns_of(connection, database.dialect, name, database.schema))


def ensure(database: Database, *wanted: sa.Table) -> None:
    """Make the tables that are missing; hold those that are there against ours.

    All that is missing is made in one transaction, with comments and indexes.

    Raises:
        TelcoError: A table has other columns, or the database refuses.
    """
    database.make_place()
    doing = f"preparing {', '.join(table.name for table in wanted)}"[:80]
    with database.writing(doing) as connection:
        if database.dialect == "postgresql":
            # Two loads that begin at once would both make what is missing.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('telco tables'))"))
        if database.schema is not None:
            _ensure_schema(connection, database)
        for table in wanted:
            there = columns_of(connection, database.dialect, table.name, database.schema)
            if there:
                _check(connection, database, table, there)
                continue
            for statement in tables.create_statements(table, connection.dialect):
                connection.exec_driver_sql(_for_driver(statement, connection))
            _forget(connection, database, table)


def _forget(connection: Connection, database: Database, table: sa.Table) -> None:
    """Remove what the ledger says of a table that somebody dropped."""
    ours = tables.ledger_table(database.metadata)
    if table is not ours and has_table(connection, database, tables.LEDGER):
        connection.execute(sa.delete(ours).where(ours.c.dataset == table.name))


def _for_driver(statement: str, connection: Connection) -> str:
    doubled = connection.dialect.paramstyle in ("format", "pyformat")
    return statement.replace("%", "%%") if doubled else statement


def _ensure_schema(connection: Connection, database: Database) -> None:
    there = connection.execute(
        sa.text("SELECT 1 FROM information_schema.schemata WHERE schema_name = :name"),
        {"name": database.schema},
    ).first()
    if there is None:
        connection.execute(sa.schema.CreateSchema(str(database.schema)))


def _check(
    connection: Connection, database: Database, table: sa.Table, there: dict[str, str]
) -> None:
    dialect = connection.dialect
    ours = {column.name: _alike(column.type.compile(dialect=dialect)) for column in table.columns}
    differences = _differences(ours, there)
    if not differences and tables.is_daily(table) and database.dialect == "postgresql":
        kind = connection.execute(
            sa.text("SELECT relkind FROM pg_class WHERE oid = to_regclass(:name)"),
            {"name": _full(database, table.name)},
        ).scalar()
        # Read as bytes by some versions of the driver.
        if str(kind).strip("b'") != "p":
            differences = ["it is not partitioned by day"]
    if differences:
        shown = "; ".join(differences[:_MOST_NAMED])
        more = len(differences) - _MOST_NAMED
        raise TelcoError(
            f"{database.address}: the table {table.name} is there with other columns ({shown}"
            f"{f'; and {more} more' if more > 0 else ''}): name another schema or database, or "
            f"rename it (ALTER TABLE {_full(database, table.name)} RENAME TO {table.name}_old) and "
            "load again"
        )


def _differences(ours: dict[str, str], there: dict[str, str]) -> list[str]:
    """Return in words how columns differ; their order counts only if all else is equal."""
    found = [f"it lacks {name}" for name in ours if name not in there]
    found += [f"it has {name}, which we have not" for name in there if name not in ours]
    found += [
        f"{name} is {there[name]} and not {kind}"
        for name, kind in ours.items()
        if name in there and there[name] != kind
    ]
    return found


def _alike(kind: str) -> str:
    """Return one name for all names of a type."""
    bare = kind.lower().partition(" collate ")[0]
    bare = " ".join(part.partition(")")[2] if ")" in part else part for part in bare.split("("))
    bare = " ".join(bare.split())
    return _ALIKE.get(bare, bare)


def _full(database: Database, name: str) -> str:
    return f"{database.schema}.{name}" if database.schema else name


def count_by_day(connection: Connection, database: Database, table: sa.Table) -> dict[Any, int]:
    """Return how many rows a table has of each day; of one without days under None."""
    if not tables.is_daily(table):
        found = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        return {None: int(found)}
    day: sa.ColumnElement[Any] = table.c[tables.day_column(table)]
    if day.name != tables.DAY:
        of_time = sa.func.date(day, type_=sa.Date())
        day = of_time if database.dialect == "sqlite" else sa.cast(day, sa.Date)
    found = connection.execute(sa.select(day, sa.func.count()).group_by(day))
    return {row[0]: int(row[1]) for row in found}
