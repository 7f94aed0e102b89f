"""What all generators share, in one place to import it from, and what a generator is.

Belongs here: `Generator`. Does not belong here: any one kind of record; what is shared lies in
`inputs` (the world and its days), `events` (drawing) and `columns`.

A generator is a pure function ``rows(inputs, day, part) -> Rowset``.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import polars as pl

from telco_pipeline.contracts import Dataset
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.columns import (
    LEGACY,
    NARROW,
    Column,
    Columns,
    enum_of,
    enum_or_null,
    merge,
    moment,
    moment_or_null,
    nullable,
    packet_access,
    parties,
    rat_of,
    served_columns,
    speaks_over_ims,
    time_order,
    visited_cells,
    where_columns,
    within_day,
)
from telco_pipeline.generators.events import (
    BLOCK,
    EVENT_KINDS,
    EVENTS_PER_WINDOW,
    RECORDS_PER_EVENT,
    WIDE_BLOCK,
    Events,
    blocks,
    can_start,
    draw_events,
    with_tail,
)
from telco_pipeline.generators.inputs import Day, Inputs, Rows
from telco_pipeline.lake import Rowset

Entities = Literal["subscribers", "network_elements"]


@dataclass(frozen=True)
class Generator:
    """How the records of one dataset are made.

    Attributes:
        dataset: Its contract.
        entities: What the parts are cut from.
        rows: Makes the rows of one day and one part.
    """

    dataset: Dataset
    entities: Entities
    rows: Callable[[Inputs, dt.date, Part], Rowset]

    def make(self, inputs: Inputs, day: dt.date, part: Part) -> pl.DataFrame:
        """Return the rows as a frame: for whoever looks at them, not for writing."""
        return self.rows(inputs, day, part).to_frame()


__all__ = [
    "BLOCK",
    "EVENTS_PER_WINDOW",
    "EVENT_KINDS",
    "LEGACY",
    "NARROW",
    "RECORDS_PER_EVENT",
    "WIDE_BLOCK",
    "Column",
    "Columns",
    "Day",
    "Entities",
    "Events",
    "Generator",
    "Inputs",
    "Rows",
    "blocks",
    "can_start",
    "draw_events",
    "enum_of",
    "enum_or_null",
    "merge",
    "moment",
    "moment_or_null",
    "nullable",
    "packet_access",
    "parties",
    "rat_of",
    "served_columns",
    "speaks_over_ims",
    "time_order",
    "visited_cells",
    "where_columns",
    "with_tail",
    "within_day",
]
