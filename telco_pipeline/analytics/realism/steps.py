"""The steps of measuring, one after the other.

Belongs here: reading once, handing arrays to each measure, putting rows and panels in order. Does
not belong here: any measure.
"""

import datetime as dt
import time
from collections.abc import Callable, Sequence

import polars as pl

from telco_pipeline.analytics.realism import (
    bursts,
    crowds,
    customers,
    frauds,
    market,
    mobility,
    quality,
    rhythm,
    ties,
    traffic,
    voice,
)
from telco_pipeline.analytics.realism.catalogue import ROWS
from telco_pipeline.analytics.realism.findings import Findings
from telco_pipeline.analytics.realism.incidents import Told
from telco_pipeline.analytics.realism.reading import (
    Source,
    read_calls,
    read_messages,
    read_traffic,
    sightings,
)
from telco_pipeline.analytics.realism.report import GROUPS, Report, Row
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake


def run(lake: Lake, days: Sequence[dt.date] | None, progress: Callable[[str], None]) -> Report:
    """Measure all rows; see `telco_pipeline.analytics.realism.measure`."""
    started = time.perf_counter()
    try:
        source = Source.of(lake, days)
        found, records = _measure(source, progress)
    except pl.exceptions.PolarsError as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TelcoError(
            f"the records in {lake.root} cannot be measured ({reason}): make sure that "
            "`telco check` finds nothing wrong there"
        ) from error
    return Report(
        world_hash=source.world.world_hash,
        seed=source.world.seed,
        subscribers=int(source.registered.sum()),
        days=source.days,
        seconds=time.perf_counter() - started,
        records=records,
        rows=tuple(_filled(row, found) for row in ROWS),
        panels=tuple(panel for group in GROUPS for panel in found.panels if panel.group == group),
    )


def _measure(source: Source, progress: Callable[[str], None]) -> tuple[Findings, int]:
    found = Findings()
    progress("calls")
    calls = read_calls(source)
    progress("messages")
    messages = read_messages(source)
    data = read_traffic(source, progress)
    progress("single calls and messages")
    voice.measure(source, calls, messages, found)
    progress("bursts")
    bursts.measure(source, calls, messages, found)
    progress("ties")
    ties.measure(source, calls, messages, found)
    progress("rhythm")
    rhythm.measure(source, calls, messages, data, found)
    progress("mobility")
    mobility.measure(source, sightings(source, calls, messages, data), found)
    progress("data sessions and machines")
    traffic.measure(source, data, found)
    progress("market")
    market.measure(source, calls, messages, data, found)
    progress("quality of the network")
    quality.measure(source, found)
    progress("churn and care")
    customers.measure(source, found)
    progress("scenarios")
    told = Told.of(source)
    crowds.measure(source, calls, told, found)
    frauds.measure(source, calls, messages, told, found)
    if told is not None and told.fraud:
        found.counting.update(key for key in bursts.OF_FRAUD if found.values[key][0] is not None)
    return found, len(calls) + len(messages) + data.records


def _filled(row: Row, found: Findings) -> Row:
    if row.key not in found.values:
        raise AssertionError(f"nothing measures {row.key}")
    measured = row.measured(*found.values[row.key])
    return measured.counting() if row.key in found.counting else measured
