"""`telco warehouse`: the lake's rows in the tables of a SQL database.

Belongs here: what is typed, and what is shown of what was loaded. Does not belong here: loading
(`telco_pipeline.warehouse`), the flat table (`flat`).
"""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from telco_pipeline.cli import options
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.lake import Lake
    from telco_pipeline.warehouse.database import Database
    from telco_pipeline.warehouse.ledger import Record
    from telco_pipeline.warehouse.loading import Loaded

app = typer.Typer(
    help="Load the lake into a SQL database: PostgreSQL, SQLite, DuckDB, SQL Server.",
    no_args_is_help=False,
)

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        help="SQLAlchemy URL; default: $TELCO_DATABASE_URL or duckdb:///data/warehouse.duckdb.",
        rich_help_panel=options.WHERE,
    ),
]
Schema = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Schema of the tables; default: $TELCO_DATABASE_SCHEMA or the database's own.",
        rich_help_panel=options.WHERE,
    ),
]
Batch = Annotated[
    int,
    typer.Option(
        metavar="N",
        help="Rows of each INSERT (SQLite, SQL Server).",
        rich_help_panel=options.HOW,
    ),
]
BATCH = 10_000
MOST_PARAMETERS = 1_000_000
_MOST_NAMED = 3


@app.callback(invoke_without_command=True)
def _warehouse(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def load(
    datasets: options.Datasets = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="First day; default: the first in the lake.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Number of days; default: to the last in the lake.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    lake: options.LakeDirectory = None,
    world: options.World = "main",
    database_url: DatabaseUrl = None,
    schema: Schema = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Load what is there already, too.", rich_help_panel=options.HOW
        ),
    ] = False,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Remove the rows of another world that the database holds.",
            rich_help_panel=options.HOW,
        ),
    ] = False,
    batch: Batch = BATCH,
) -> None:
    """Load datasets of the lake into tables of the same names.

    A day of a dataset is one transaction: it is there whole or not at all, loaded again it replaces
    itself, and what is there with the same content is left alone. Tables are made where they are
    missing, with keys, indexes and comments.

    For example:

      telco warehouse load --lake data/small

      telco warehouse load --datasets cdrs_voice,cells --database-url
      postgresql://telco@localhost/telco

      telco warehouse status
    """
    options.at_least_one("--days", days)
    options.at_least_one("--batch", batch)
    if batch > MOST_PARAMETERS:
        raise TelcoError(f"--batch must be {MOST_PARAMETERS} or less, not {batch}")
    names = options.dataset_names(datasets)
    first = options.day_of("--start", start)
    root = options.lake_root(lake)

    from telco_pipeline.cli.display import count, print_line, progress
    from telco_pipeline.lake import Lake
    from telco_pipeline.warehouse import loading
    from telco_pipeline.warehouse.database import Database

    database = Database.from_environment(database_url, schema)
    store = Lake(root, world)
    wanted, missing = _partitions(store, names, first, days)
    if replace and (held := store.held_world()) is not None:
        loading.remove_world(database, held.world_hash)
    done: list[tuple[str, Loaded]] = []
    with progress("partitions", f"Loading into {database.address}", len(wanted)) as meter:
        for name, day in wanted:
            label = f"{name} {day}" if day else name

            def tell(rows: int, label: str = label) -> None:
                meter.show.advance(meter, f"{label}: {count(rows)} rows")

            found = loading.load(
                database, store, name, day, again=again, batch=batch, progress=tell
            )
            done.append((name, found))
            meter.step(label, 0 if found.skipped else found.rows)
    _show(database, done)
    if missing:
        print_line(_of_missing(missing))


@app.command()
def status(database_url: DatabaseUrl = None, schema: Schema = None) -> None:
    """Show what is loaded: datasets, days, rows, and of which world.

    For example:

      telco warehouse status --database-url sqlite:///data/warehouse.sqlite
    """
    from telco_pipeline.cli.display import Column, count, print_line, print_table
    from telco_pipeline.warehouse import ledger
    from telco_pipeline.warehouse.database import Database

    database = Database.from_environment(database_url, schema)
    records = ledger.loaded(database)
    if not records:
        print_line(f"{database.address} holds nothing yet: load some with telco warehouse load")
        return
    columns = [Column("table"), Column("days", True), Column("from"), Column("to")]
    columns += [Column("rows", True), Column("world"), Column("seed", True), Column("loaded (UTC)")]
    print_table(
        f"Loaded into {database.address}",
        columns,
        [
            [
                name,
                "-" if group[0].day is None else count(len(group)),
                str(group[0].day or "-"),
                str(group[-1].day or "-"),
                count(sum(record.rows for record in group)),
                group[0].world_hash,
                str(group[0].seed),
                f"{max(r.loaded_at for r in group if r.loaded_at):%Y-%m-%d %H:%M:%S}",
            ]
            for name, group in _by_table(records)
        ],
    )


@app.command()
def ddl(
    dialect: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="postgresql, sqlite, duckdb or mssql (Microsoft SQL Server)."
        ),
    ],
    datasets: options.Datasets = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The flat CDR table of this preset alone, such as scenarios/flat_cdrs.yaml.",
        ),
    ] = None,
    schema: Schema = None,
) -> None:
    """Print the CREATE statements of all tables, with keys, comments and indexes.

    No database is needed. On PostgreSQL each day's partition is made by loading it. Loads into SQL
    Server (mssql+pyodbc, extra `sqlserver`) are not tested against a live server.

    For example:

      telco warehouse ddl --dialect mssql --datasets cdrs_voice,cells

      telco warehouse ddl --dialect mssql --preset scenarios/flat_cdrs.yaml
    """
    names = options.dataset_names(datasets)
    if names is not None and preset is not None:
        raise TelcoError("--datasets and --preset: name datasets or a preset, not both")

    from telco_pipeline.warehouse import tables
    from telco_pipeline.warehouse.database import checked_schema

    target = tables.dialect_named(dialect)
    metadata = tables.all_tables(checked_schema(schema or "", dialect))
    if names is None:
        from telco_pipeline.settings.flat import load_preset
        from telco_pipeline.warehouse.flat_table import flat_table
        from telco_pipeline.warehouse.history import changes_table, history_table

        for make in (history_table, changes_table):
            make(metadata)
        flat = flat_table(load_preset(Path(preset) if preset else None)[0].table, metadata)
        names = [flat.name] if preset else None
    for table in metadata.tables.values():
        if names is None or table.name in names:
            for statement in tables.create_statements(table, target):
                typer.echo(f"{statement};\n")


def _partitions(
    store: "Lake",
    names: list[str] | None,
    first: dt.date | None,
    days: int | None,
) -> "tuple[list[tuple[str, dt.date | None]], dict[str, _Missing]]":
    """Return which partitions to load, and which days that were asked for the lake lacks.

    Raises:
        TelcoError: The lake lacks a dataset that is named, or every day that is asked for.
    """
    from telco_pipeline.contracts import DATASETS

    if not store.root.is_dir():
        raise TelcoError(f"no lake at {store.root}: make one with telco generate, or name --lake")
    there = [name for name in store.datasets() if name in DATASETS]
    if not there:
        raise TelcoError(f"{store.root} holds no datasets: make some with telco generate")
    chosen = names or there
    held = {name: store.days(name) for name in chosen if DATASETS[name].daily}
    known = sorted({day for each in held.values() for day in each})
    begin = first or (known[0] if known else None)
    end = options.last_day(begin, days) if begin and days else known[-1] if known else None
    wanted = [day for day in known if begin and end and begin <= day <= end]
    asked = first is not None or days is not None
    for name, each in held.items():
        if names is not None and set(wanted).isdisjoint(each):
            raise _nothing(store, name, each, begin, end if days else None)
    if asked and held and not wanted:
        raise _nothing(store, None, known, begin, end if days else None)
    found: list[tuple[str, dt.date | None]] = []
    missing: dict[str, _Missing] = {}
    for name in chosen:
        there_days = held.get(name)
        if there_days is None:
            found.append((name, None))
            continue
        found += [(name, day) for day in wanted if day in there_days]
        if asked and begin and end and (lacking := _lacking(set(there_days), begin, end)):
            missing[name] = lacking
    return found, missing


def _nothing(
    store: "Lake",
    name: str | None,
    held: list[dt.date],
    first: dt.date | None,
    last: dt.date | None,
) -> TelcoError:
    known = f"it has {held[0]} to {held[-1]}" if held else "it has none"
    which = f"no day of {name}" if name else "no day"
    until = f"to {last}" if last and first else "on"
    return TelcoError(
        f"{store.root} has {which} from {first or 'its first'} {until}; {known}. Make it with: "
        f"{store.command(name, first, last)}"
    )


class _Missing(NamedTuple):
    """Days that a dataset lacks: how many, and from when to when."""

    days: int
    first: dt.date
    last: dt.date


def _lacking(held: set[dt.date], first: dt.date, last: dt.date) -> _Missing | None:
    """Return which days of a span are missing; no list of them, which may be a long one."""
    count = (last - first).days + 1 - sum(first <= day <= last for day in held)
    if count <= 0:
        return None
    while first in held:
        first += dt.timedelta(days=1)
    while last in held:
        last -= dt.timedelta(days=1)
    return _Missing(count, first, last)


def _of_missing(missing: dict[str, _Missing]) -> str:
    """Return a line that names days that were not there to be loaded, and of which datasets."""
    groups: dict[_Missing, list[str]] = {}
    for name, lacking in missing.items():
        groups.setdefault(lacking, []).append(name)
    told = []
    for lacking, names in groups.items():
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        when = str(lacking.first)
        if lacking.days > 1:
            when = f"{lacking.days} days of {lacking.first} to {lacking.last}"
        told.append(f"{when} ({', '.join(names[:_MOST_NAMED])}{more})")
    rest = len(told) - _MOST_NAMED
    return (
        f"Not in the lake, so not loaded: {'; '.join(told[:_MOST_NAMED])}"
        f"{f'; and other days of {rest} groups of datasets' if rest > 0 else ''}."
    )


def _show(database: "Database", done: "list[tuple[str, Loaded]]") -> None:
    """Print what was loaded, by table."""
    from telco_pipeline.cli.display import Column, count, duration, megabytes, print_line
    from telco_pipeline.cli.display import print_table as table

    rows = []
    for name in dict.fromkeys(name for name, _ in done):
        loads = [each for held, each in done if held == name]
        fresh = [each for each in loads if not each.skipped]
        seconds = sum(each.seconds for each in fresh)
        written = sum(each.rows for each in fresh)
        rows.append(
            [
                name,
                count(len(fresh)),
                count(len(loads) - len(fresh)),
                count(sum(each.rows for each in loads)),
                megabytes(sum(each.bytes for each in loads)),
                duration(seconds) if fresh else "-",
                count(written / max(seconds, 1e-3)) if fresh else "-",
            ]
        )
    columns = [Column("table"), Column("loaded", True), Column("as before", True)]
    columns += [Column("rows", True), Column("MB of Parquet", True)]
    table("Partitions", [*columns, Column("time", True), Column("rows/s", True)], rows)
    print_line(f"In {database.address}; telco warehouse status shows all that is there.")


def _by_table(records: "list[Record]") -> "list[tuple[str, list[Record]]]":
    """Return the ledger's lines of each table and world, days in order."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.dataset, record.world_hash), []).append(record)
    return [(name, group) for (name, _), group in groups.items()]
