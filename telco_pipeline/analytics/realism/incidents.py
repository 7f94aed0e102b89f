"""Incidents: whom the scenario layers of a world touched, with what effects and when.

Belongs here: reading the truth beside the records, who of it belongs together, which of their
records fall into the time. Does not belong here: what those records look like (`crowds`, `frauds`).

The truth only says where to look; every figure then comes from the records. Roles are known by
their effects, never by the name of a layer: whose SIMs share devices is a SIM box, whatever its
file is called. Look-alikes are left out.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import polars as pl

from telco_pipeline.analytics.realism.estimators import Ints
from telco_pipeline.analytics.realism.reading import Contacts, Source
from telco_pipeline.contracts.codes import IncidentKind
from telco_pipeline.engine.calendar import DAY, day_start

INCIDENTS: Final = "truth_incidents"
ENTITIES: Final = "truth_entities"

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Members:
    """Subscribers and the times for which they are touched, one array element each.

    Attributes:
        user: Rows of the registry.
        start: From when on: UTC, microseconds since 1970.
        end: Until when.
    """

    user: Ints
    start: Ints
    end: Ints

    def __len__(self) -> int:
        return len(self.user)

    @classmethod
    def joined(cls, parts: "Iterable[Members]") -> "Members":
        """Return several as one."""
        told = [cls(*(np.zeros(0, dtype=np.int64) for _ in range(3))), *parts]
        names = ("user", "start", "end")
        return cls(*(np.concatenate([getattr(one, name) for one in told]) for name in names))

    def lasting(self, longer: int) -> "Members":
        """Return the same with times that end later, in microseconds."""
        return Members(self.user, self.start, self.end + longer)


@dataclass(frozen=True)
class Cast:
    """Those in one role of an incident.

    Attributes:
        incident: Key of the incident.
        effects: What happens to them: stage, name and parameters of each effect.
        touched: Who is touched from when to when, by stage: `stage`, `user`, `start`, `end`.
    """

    incident: int
    effects: tuple[tuple[str, str, Parameters], ...]
    touched: pl.DataFrame

    def all_of(self, effect: str) -> list[Parameters]:
        """Return the parameters of all effects of a name."""
        return [told for _, name, told in self.effects if name == effect]

    def members(
        self, effect: str, wanted: Callable[[Parameters], bool] = lambda _: True
    ) -> Members:
        """Return whom an effect touches, each once: from its first start to its last end.

        Args:
            effect: Name of the effect.
            wanted: Which of the effects of that name count.
        """
        stages = [stage for stage, name, told in self.effects if name == effect and wanted(told)]
        rows = (
            self.touched.filter(pl.col("stage").is_in(stages))
            .group_by("user")
            .agg(pl.col("start").min(), pl.col("end").max())
            .sort("user")
        )
        return Members(*(rows[name].to_numpy() for name in ("user", "start", "end")))


@dataclass(frozen=True)
class Told:
    """What the truth tells of the days that are measured.

    Attributes:
        casts: Roles of incidents with subscribers in them, those who only look alike left out.
        kinds: Kinds of the incidents.
    """

    casts: tuple[Cast, ...]
    kinds: frozenset[str]

    @classmethod
    def of(cls, source: Source) -> Self | None:
        """Read the truth; None where the world has no layers, or it lies there for too few days."""
        there = set(source.lake.days(INCIDENTS)) & set(source.lake.days(ENTITIES))
        if not source.config.get("layers") or not there.issuperset(source.days):
            return None
        # Who is touched from an earlier day on stands there.
        days = sorted(day for day in there if day <= source.days[-1])
        begin, end = bounds(source)
        incidents = _read(source, INCIDENTS, days).select(
            "incident_id", pl.col("incident_kind").cast(pl.String), "parameters", "end_time"
        )
        incidents = incidents.filter(pl.col("end_time").dt.timestamp("us") > begin)
        entities = (
            _read(source, ENTITIES, days, pl.col("subscriber_id").is_not_null() & ~pl.col("benign"))
            .select(
                "incident_id",
                "stage",
                "role",
                "subscriber_id",
                start=pl.col("event_time").dt.timestamp("us"),
                end=pl.col("end_time").dt.timestamp("us"),
            )
            .filter((pl.col("end") > begin) & (pl.col("start") < end))
        )
        parameters = dict(incidents.select("incident_id", "parameters").iter_rows())
        entities = entities.filter(pl.col("incident_id").is_in(list(parameters)))
        entities = entities.with_columns(user=source.rows_of(entities["subscriber_id"]))
        casts = [
            _cast(int(incident), str(role), json.loads(parameters[incident]), touched)
            for (incident, role), touched in entities.group_by(
                "incident_id", "role", maintain_order=True
            )
        ]
        return cls(tuple(casts), frozenset(incidents["incident_kind"]))

    @property
    def fraud(self) -> bool:
        """Whether any incident is a fraud."""
        return IncidentKind.FRAUD.value in self.kinds

    def having(self, *effects: str) -> list[Cast]:
        """Return the casts that have all of some effects, in any of their stages."""
        return [
            cast for cast in self.casts if set(effects) <= {name for _, name, _ in cast.effects}
        ]


def _cast(incident: int, role: str, stages: Sequence[Parameters], touched: pl.DataFrame) -> Cast:
    effects = [
        (stage["stage"], effect["effect"], effect)
        for stage in stages
        for effect in stage["effects"]
        if effect["who"] == role
    ]
    return Cast(incident, tuple(effects), touched.select("stage", "user", "start", "end"))


def bounds(source: Source) -> tuple[int, int]:
    """Return the beginning of the first day and the end of the last, in microseconds since 1970."""
    return day_start(source.days[0]), day_start(source.days[-1]) + DAY


def _read(
    source: Source, name: str, days: Sequence[dt.date], wanted: pl.Expr | None = None
) -> pl.DataFrame:
    frames = [source.lake.scan(name, day, day) for day in days]
    if wanted is not None:
        frames = [frame.filter(wanted) for frame in frames]
    return pl.concat([frame.collect() for frame in frames])


def contacts_of(contacts: Contacts, members: Members) -> tuple[Ints, Ints]:
    """Return which contacts are of members in their time.

    Args:
        contacts: Calls or messages, sorted by user and time.
        members: Who, and from when to when.

    Returns:
        Rows of the contacts, and the number of the member of each.
    """
    low = np.searchsorted(contacts.user, members.user, "left")
    high = np.searchsorted(contacts.user, members.user, "right")
    found, whose = [], []
    for number in range(len(members)):
        time = contacts.time[low[number] : high[number]]
        first, last = np.searchsorted(time, (members.start[number], members.end[number]))
        found.append(np.arange(low[number] + first, low[number] + last))
        whose.append(np.full(last - first, number))
    if not found:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    return np.concatenate(found), np.concatenate(whose)


def records_of(
    source: Source, name: str, members: Members, columns: Sequence[str | pl.Expr]
) -> pl.DataFrame:
    """Return the records of members in their time.

    Args:
        source: What is measured.
        name: A dataset with `subscriber_id` and `event_time`.
        members: Who, and from when to when.
        columns: Further columns.

    Returns:
        `member` (number of the member), `time` (UTC, microseconds since 1970) and the columns.
    """
    ids = source.users["subscriber_id"].gather(members.user)
    who = pl.DataFrame(
        {
            "subscriber_id": ids,
            "member": np.arange(len(members)),
            "start": members.start,
            "end": members.end,
        }
    )
    wanted = pl.col("subscriber_id").is_in(ids.unique().implode())
    time = pl.col("event_time").dt.timestamp("us").alias("time")
    there = set(source.lake.days(name))
    frames = [
        source.lake.scan(name, day, day).filter(wanted).select("subscriber_id", time, *columns)
        for day in source.days
        if day in there
    ]
    if not frames:
        return pl.DataFrame(
            {"member": [], "time": []}, schema={"member": pl.Int64, "time": pl.Int64}
        )
    found = pl.concat([frame.collect() for frame in frames]).join(who, on="subscriber_id")
    inside = (pl.col("time") >= pl.col("start")) & (pl.col("time") < pl.col("end"))
    return found.filter(inside).drop("subscriber_id", "start", "end").sort("member", "time")
