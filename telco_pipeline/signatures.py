"""Signatures: whether what a scenario layer must leave behind is seen, and not without it.

Belongs here: running a layer's queries over the observable data of a lake and of its control world,
and judging the figures. Does not belong here: which layers there are (`scenarios`), making the
control world (`counterfactuals`), how a judgement is shown (`checks`, `cli`).

The queries see nothing but observable datasets: no state, no truth.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import duckdb
import polars as pl

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.scenarios.language import Layer, Signature
from telco_pipeline.settings import WorldConfig

_WORD: Final = re.compile(r"[a-z_]+")
HIDDEN: Final = ("state", "truth")
"""Groups of datasets that nobody can observe."""
CONTROL: Final = "control"
"""Name of the world without any layer that lies beside a main world."""


class Verdict(StrEnum):
    """What came of looking for a signature."""

    SEEN = "seen"
    NOT_SEEN = "not seen"
    ALSO_WITHOUT = "also seen without the layer"
    NO_CONTROL = "no control world"
    TOO_SMALL = "not judged"


@dataclass(frozen=True)
class Judgement:
    """What was seen of a signature.

    Attributes:
        layer: Name of the layer.
        signature: The signature.
        value: The figure in the world with the layer; None where it was not judged.
        control: The figure in the world without any.
        verdict: What that means.
        note: Why it was not judged, or what to do.
    """

    layer: str
    signature: Signature
    value: float | None
    control: float | None
    verdict: Verdict
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether it is seen, and not without the layer."""
        return self.verdict is Verdict.SEEN


def observable() -> list[str]:
    """Return the datasets that a query may look at."""
    return [name for name, one in DATASETS.items() if one.group not in HIDDEN]


def judge(
    config: WorldConfig, lake: Lake, layers: Mapping[str, Layer], days: Sequence[dt.date]
) -> Iterator[Judgement]:
    """Yield what is seen of the signatures of some layers.

    Args:
        config: The world.
        lake: Its lake; the control world lies beside it.
        layers: The layers by name.
        days: The days to look at, in order. Those of which the lake lacks what a query names do
            not count as days that its signature needs.

    Raises:
        TelcoError: A query is wrong, or gives no number.
    """
    control = Lake(lake.root, CONTROL)
    for name, layer in layers.items():
        for signature in layer.signatures:
            there = _days_of(lake, signature, days)
            if note := _too_small(config, signature, there):
                yield Judgement(name, signature, None, None, Verdict.TOO_SMALL, note)
                continue
            value = figure(lake, name, signature, days)
            if lacking := _lacking(lake, control, signature, there):
                note = (
                    f"{lacking}: make it with `telco counterfactual --without all`, or with the "
                    "job `counterfactual`"
                )
                yield Judgement(name, signature, value, None, Verdict.NO_CONTROL, note)
                continue
            yield _judged(name, signature, value, figure(control, name, signature, days))


def query_faults(layer: Layer) -> Iterator[tuple[int, str]]:
    """Yield which signatures have a query that cannot run on any lake, by place, and why not."""
    with duckdb.connect() as connection:
        for name in observable():
            relation = connection.from_arrow(_empty(name).to_arrow())
            relation.create_view(name)
        for place, signature in enumerate(layer.signatures):
            if fault := _query_fault(connection, signature.sql):
                yield place, fault


def _query_fault(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Return why a query does not give one number; nothing if it may."""
    try:
        kinds = [one.type for one in connection.extract_statements(sql)]
        if kinds != [duckdb.StatementType.SELECT]:
            return "must be one query, SELECT .. or WITH .. SELECT .."
        columns = connection.query(sql).columns
    except duckdb.Error as error:
        return f"the query cannot run: {str(error).strip().splitlines()[0]}"
    return "" if len(columns) == 1 else f"must give one number, not {len(columns)} columns"


def _empty(name: str) -> pl.DataFrame:
    """Return no rows of a dataset, with the types that its files have for a query."""
    schema = dict(DATASETS[name].polars_schema)
    texts = {key: pl.String() for key, kind in schema.items() if kind in (pl.Enum, pl.Categorical)}
    day = {"day": pl.Date()} if DATASETS[name].daily else {}
    return pl.DataFrame(schema=schema | texts | day)


def asked(config: WorldConfig, layers: Mapping[str, Layer], days: Sequence[dt.date]) -> list[str]:
    """Return the datasets that the queries ask for which can be judged, in the order of making.

    Args:
        config: The world.
        layers: The layers by name.
        days: The days to look at.
    """
    named = {
        name
        for layer in layers.values()
        for signature in layer.signatures
        if not _too_small(config, signature, days)
        for name in _named(signature)
    }
    return [name for name in observable() if name in named]


def _lacking(lake: Lake, control: Lake, signature: Signature, days: Sequence[dt.date]) -> str:
    """Return why the control world cannot answer a query; nothing if it can.

    Where it has no days of its own the main world shows through, and would answer for itself.
    """
    if control.held_world() is None:
        return "there is no world without any layer"
    for name in _named(signature):
        own = control.directory(name, days[-1]) if DATASETS[name].daily else None
        if own is not None and own == lake.directory(name, days[-1]):
            return f"it has no {name} of its own"
    return ""


def _days_of(lake: Lake, signature: Signature, days: Sequence[dt.date]) -> list[dt.date]:
    """Return the days of which a lake has all daily datasets that a query names."""
    names = [name for name in _named(signature) if DATASETS[name].daily]
    return [day for day in days if all(lake.files(name, day) for name in names)]


def _named(signature: Signature) -> list[str]:
    """Return the observable datasets that a query names."""
    words = set(_WORD.findall(signature.sql.lower()))
    return [name for name in observable() if name in words]


def _judged(name: str, signature: Signature, value: float, control: float) -> Judgement:
    verdict = Verdict.SEEN
    if not signature.seen.holds(value):
        verdict = Verdict.NOT_SEEN
    elif not signature.unseen.holds(control):
        verdict = Verdict.ALSO_WITHOUT
    return Judgement(name, signature, value, control, verdict)


def _too_small(config: WorldConfig, signature: Signature, days: Sequence[dt.date]) -> str:
    needs = signature.needs
    lacking = []
    if config.subscribers < needs.subscribers:
        lacking.append(f"{needs.subscribers:,} subscribers, not {config.subscribers:,}")
    if len(days) < needs.days:
        unit = "day" if needs.days == 1 else "days"
        lacking.append(f"{needs.days} {unit}, not {len(days)}")
    return f"needs {', and '.join(lacking)}" if lacking else ""


def figure(lake: Lake, layer: str, signature: Signature, days: Sequence[dt.date]) -> float:
    """Return the number that a signature's query gives on some days of a lake.

    Raises:
        TelcoError: The query is wrong, or gives no number.
    """
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name in observable():
            _show(connection, lake, name, days)
        try:
            row = connection.execute(signature.sql).fetchone()
        except duckdb.Error as error:
            reason = str(error).strip().splitlines()[0]
            raise TelcoError(f"layer {layer}: signature {signature.name!r}: {reason}") from None
    found = row[0] if row else None
    if found is None:
        return 0.0
    if isinstance(found, str | bytes) or (row is not None and len(row) != 1):
        raise TelcoError(
            f"layer {layer}: signature {signature.name!r}: the query must give one number in one "
            f"row, not {found!r}"
        )
    return float(found)


def _show(
    connection: duckdb.DuckDBPyConnection, lake: Lake, name: str, days: Sequence[dt.date]
) -> None:
    """Let a dataset be asked by its name, as far as the days go; an absent one has no name."""
    if DATASETS[name].daily:
        files = [str(file) for day in days for file in lake.files(name, day)]
    else:
        files = [str(file) for file in lake.files(name)]
    if files:
        relation = connection.read_parquet(files, hive_partitioning=DATASETS[name].daily)
        relation.create_view(name)
