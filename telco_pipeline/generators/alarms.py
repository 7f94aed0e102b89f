"""Rows of `alarms`: the notifications of a day.

Belongs here: when an operator acknowledges, which notifications lie in a day, their columns. Does
not belong here: which alarms there are (`alarm_faults`, `alarm_thresholds`, `alarm_nuisances`),
what they say (`alarm_kinds`).

A notification lies in the day of its own time; all that it says of its alarm (when it was raised,
who has acknowledged it, how often it was repeated) is the same from whichever day one looks.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.population import EUTRAN, GERAN, NR
from telco_pipeline.contracts import oss
from telco_pipeline.contracts.codes import AlarmType, ElementType, NotificationType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, MINUTE, SECOND
from telco_pipeline.engine.identifiers import (
    DAY_BITS,
    ENTITY_BITS,
    INDEX_BITS,
    EventIds,
    pack,
)
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.generators.alarm_faults import of_faults
from telco_pipeline.generators.alarm_kinds import (
    ALARM_KINDS,
    CLEARED,
    CONGESTION,
    DROP_RATE,
    MEMORY_USE,
    SETUP_SUCCESS,
    SEVERITIES,
    TEMPERATURE,
    Kind,
)
from telco_pipeline.generators.alarm_life import (
    CHANGES,
    DAY_SHIFT,
    NEVER,
    NONE,
    OF_FAULTS,
    Alarms,
    alarm_keys,
)
from telco_pipeline.generators.alarm_nuisances import of_itself
from telco_pipeline.generators.alarm_thresholds import of_thresholds
from telco_pipeline.generators.base import (
    EVENT_KINDS,
    Day,
    Inputs,
    Rows,
    enum_of,
    moment,
    moment_or_null,
)
from telco_pipeline.lake import CodedText, Rowset
from telco_pipeline.state.plant import ELEMENT_TYPES
from telco_pipeline.world.core import operator_slug

_TYPES: Final = [str(kind) for kind in AlarmType]
_NOTIFICATIONS: Final = [str(kind) for kind in NotificationType]
_NEW, _CHANGED, _ACKNOWLEDGED, _CLEARED = range(4)
_ACK_STATES: Final = ["unacknowledged", "acknowledged"]

# An operator takes notice after some minutes, by severity (critical, major, minor, warning); part
# of the alarms that are looked at at all. At night fewer are on duty.
_ACK_MINUTES: Final = np.array([4.0, 11.0, 40.0, 150.0, 150.0, 0.0])
_ACK_CHANCE: Final = np.array([0.99, 0.95, 0.80, 0.40, 0.40, 0.0])
_ACK_SPREAD: Final = QuantileTable.log_normal(1.0, 0.8)
_NIGHT_FACTOR: Final = 1.5
# Three shifts of eight operators each: from 22, 6 and 14 o'clock local.
_OPERATORS: Final = 24
_SHIFT_HOURS: Final = 8
_SHIFT_FIRST: Final = 22

# Classes of managed objects.
_CLASSES: Final = (
    "ManagedElement", "GsmCell", "EUtranCellFDD", "NRCellDU", "BtsSiteMgr", "ENBFunction",
    "GNBDUFunction", "EthernetPort", "PowerUnit", "Cabinet",
)  # fmt: skip
_OF_MANAGED: Final = {"ManagedElement": 0, "link": 7, "power": 8, "cabinet": 9}
_OF_RAT: Final = {GERAN: 1, EUTRAN: 2, NR: 3}
_RATS: Final = (GERAN, EUTRAN, NR)  # in the order of `Threshold.measures`
_OF_STATION: Final = {ElementType.BTS: 4, ElementType.ENB: 5, ElementType.GNB: 6}
_THRESHOLDS: Final = (CONGESTION, SETUP_SUCCESS, DROP_RATE, TEMPERATURE)

# A notification's number within its day and object: how many days before the alarm's cause began,
# source, what tells it apart, kind of alarm; then which notification of the alarm it is.
_OFFSET_SHIFT: Final = 12
_PLACE_BITS: Final = 3
_ACK_PLACE: Final = 5
_CLEAR_PLACE: Final = 6


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the notifications of a day about elements of a part, sorted by event time."""
    day = inputs.day(date)
    alarms = alarms_around(day, part)
    sent = _sent(day, alarms)
    if not len(sent.row):
        return Rowset.empty(oss.ALARMS)
    return Rowset.of(oss.ALARMS, _columns(day, alarms, sent))


def alarms_around(day: Day, part: Part) -> Alarms:
    """Return all alarms of a part of the elements that may send a notification on a day."""
    faults = of_faults(day)
    mine = (faults.element >= part.start) & (faults.element < part.stop)
    return Alarms.joined([faults.select(mine), of_thresholds(day, part), of_itself(day, part)])


@dataclass(frozen=True)
class _Sent:
    """Notifications of a day in order of time.

    Attributes:
        row: Row of the alarm.
        what: Position in `NotificationType`.
        place: Which notification of its alarm it is.
        step: How many changes of severity have been: 0 when raised.
        time: Microseconds since 1970-01-01 UTC.
        acknowledged: Whether an operator has taken notice by then.
        user: Number of that operator, from 1.
    """

    row: Rows
    what: Rows
    place: Rows
    step: Rows
    time: Rows
    acknowledged: npt.NDArray[np.bool_]
    user: Rows


def _sent(day: Day, alarms: Alarms) -> _Sent:
    """Return the notifications that lie in a day."""
    acknowledged, user = _acknowledgements(day, alarms)
    rows = np.arange(len(alarms))
    pieces = [
        (_NEW, 0, alarms.raised),
        *((_CHANGED, 1 + change, alarms.changed[:, change]) for change in range(CHANGES)),
        (_ACKNOWLEDGED, _ACK_PLACE, acknowledged),
        (_CLEARED, _CLEAR_PLACE, alarms.cleared),
    ]
    row, what, place, time = (
        np.concatenate(column)
        for column in zip(
            *(
                (rows, np.full(len(rows), what), np.full(len(rows), place), time)
                for what, place, time in pieces
            ),
            strict=True,
        )
    )
    today = np.flatnonzero((time >= day.start) & (time < day.start + DAY))
    order = today[np.lexsort((place[today], alarms.number[row[today]], time[today]))]
    row, time = row[order], time[order]
    return _Sent(
        row=row,
        what=what[order],
        place=place[order],
        step=(alarms.changed[row] <= time[:, None]).sum(axis=1),
        time=time,
        acknowledged=acknowledged[row] <= time,
        user=user[row],
    )


def _acknowledgements(day: Day, alarms: Alarms) -> tuple[Rows, Rows]:
    """Return when an operator acknowledges each alarm (`NEVER` if none does), and which one.

    Alarms with a common root are acknowledged by one hash, so that they go together.
    """
    key = alarm_keys(day, np.where(alarms.root == NONE, alarms.number, alarms.root))
    severity = alarms.severity[:, 0]
    minutes = _ACK_MINUTES[severity] * _ACK_SPREAD.sample(draws.bits(key, "ack"))
    away = _shift(day, alarms.raised) == 0
    minutes = minutes * np.where(away, _NIGHT_FACTOR, 1.0)
    # Whole seconds, and then the moment at which somebody presses the key.
    moment = draws.below(draws.bits(alarm_keys(day, alarms.number), "ack/moment"), SECOND)
    seconds = np.rint(minutes * (MINUTE / SECOND)).astype(np.int64)
    when = alarms.raised + seconds * SECOND + moment
    seen = draws.chance(draws.bits(key, "acknowledged"), _ACK_CHANCE[severity])
    seen &= when < alarms.cleared
    team = _OPERATORS // 3
    user = 1 + _shift(day, when) * team + draws.below(draws.bits(key, "user"), team)
    return np.where(seen, when, NEVER), user


def _shift(day: Day, time: Rows) -> Rows:
    """Return the shift (0 night, 1, 2) on duty at times since 1970 UTC."""
    moments = pl.Series(time, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    local = moments.dt.convert_time_zone(day.inputs.config.time_zone).dt.hour().to_numpy()
    return (local.astype(np.int64) - _SHIFT_FIRST) % 24 // _SHIFT_HOURS


def _columns(day: Day, alarms: Alarms, sent: _Sent) -> dict[str, pl.Series | CodedText]:
    """Return the columns of the contract."""
    inputs, plant = day.inputs, day.inputs.plant
    about = alarms.select(sent.row)
    rows = np.arange(len(sent.row))
    cleared = sent.what == _CLEARED
    alarm_id = EventIds(inputs.config.seed, "alarm_id")
    severity = np.where(cleared, CLEARED, about.severity[rows, sent.step])
    # What was observed last: at the clearing, at the last change or when it was raised.
    seen = np.where(cleared, 1 + CHANGES, sent.step)
    correlated = alarm_id.of(np.maximum(about.root, 0))
    return {
        "event_id": pl.Series(inputs.ids.event.of(_event_numbers(day, about.number, sent.place))),
        "event_time": moment(day, sent.time - day.start),
        "notification_type": enum_of(_NOTIFICATIONS, sent.what),
        "alarm_id": pl.Series(alarm_id.of(about.number)),
        "element_id": CodedText.of(plant.elements["element_id"], about.element),
        "cell_id": CodedText.of(plant.cells["cell_id"], about.cell, about.cell == NONE),
        **_managed(day, about),
        "event_type": enum_of(_TYPES, _EVENT_TYPE[about.kind]),
        "probable_cause": pl.Series(about.cause),
        "specific_problem": CodedText.of(_PROBLEMS, about.kind).distinct(),
        "perceived_severity": enum_of([str(one) for one in SEVERITIES], severity),
        "raised_time": moment(day, about.raised - day.start),
        "cleared_time": moment_or_null(day, np.where(cleared, sent.time - day.start, 0), ~cleared),
        "threshold_info": _threshold_info(day, about, about.value[rows, seen]),
        "correlated_alarm_id": pl.Series(correlated).set(pl.Series(about.root == NONE), None),
        "root_cause": pl.Series(about.is_root),
        "ack_state": enum_of(_ACK_STATES, sent.acknowledged),
        "ack_user": CodedText.of(_USERS, sent.user - 1, ~sent.acknowledged),
        "repeat_count": pl.Series(_repeats(about, sent, about.repeats[rows, seen])),
        "additional_text": _additional_text(about, sent),
    }


def _event_numbers(day: Day, number: Rows, place: Rows) -> Rows:
    """Return what the notifications' ids are made from."""
    low = number & ((1 << INDEX_BITS) - 1)
    entity = (number >> INDEX_BITS) & ((1 << ENTITY_BITS) - 1)
    begun = (number >> (INDEX_BITS + ENTITY_BITS)) & ((1 << DAY_BITS) - 1)
    source = number >> (INDEX_BITS + ENTITY_BITS + DAY_BITS)
    # Those of faults that layers bring may be cleared at any later day: by the day of the cause.
    brought = (source == OF_FAULTS) & (low >= 1 << (_OFFSET_SHIFT - 2))
    offset = np.where(brought, 0, ((day.number - begun) << 2) | source)
    index = (((offset << (_OFFSET_SHIFT - 2)) | low) << _PLACE_BITS) | place
    usual = pack(EVENT_KINDS["alarm"], day.number, entity, np.where(brought, 0, index))
    lasting = pack(EVENT_KINDS["fault_alarm"], 0, entity, np.where(brought, index, 0))
    return np.where(brought, lasting + (begun << DAY_SHIFT), usual)


_EVENT_TYPE: Final = np.array([_TYPES.index(kind.event_type) for kind in ALARM_KINDS])
_PROBLEMS: Final = pl.Series([kind.problem for kind in ALARM_KINDS])
_USERS: Final = pl.Series([f"NOC{number:02d}" for number in range(1, _OPERATORS + 1)])
_REPEAT: Final = np.array([kind.repeat for kind in ALARM_KINDS])
# Texts of all kinds as raised, then as changed, then as cleared; then the same of announced works.
_TEXTS: Final = [
    getattr(kind, name) for name in ("raised", "changed", "cleared") for kind in ALARM_KINDS
]
_ANNOUNCED: Final = ", announced work"
_RESET: Final = "Closed as supervision starts anew, value is still above the lower limit"
_ALL_TEXTS: Final = pl.Series([*_TEXTS, *(text + _ANNOUNCED for text in _TEXTS), _RESET])
_REARM: Final = np.full(len(ALARM_KINDS), np.inf)
for _threshold in (*_THRESHOLDS, MEMORY_USE):
    _REARM[_threshold.kind] = _threshold.rearm


def _additional_text(about: Alarms, sent: _Sent) -> CodedText:
    """Return what the element adds: an acknowledgement repeats what was said last."""
    cleared = sent.what == _CLEARED
    when = np.where(cleared, 2, np.minimum(sent.step, 1))
    row = when * len(ALARM_KINDS) + about.kind
    row += (about.announced & (about.kind != Kind.WORK)) * len(_TEXTS)
    closed = cleared & (about.value[:, 1 + CHANGES] >= _REARM[about.kind])
    return CodedText.of(_ALL_TEXTS, np.where(closed, 2 * len(_TEXTS), row)).distinct()


def _repeats(about: Alarms, sent: _Sent, counted: Rows) -> Rows:
    """Return the equal reports so far: counted ones, or by the time since the alarm was raised."""
    every = _REPEAT[about.kind]
    passed = (sent.time - about.raised) // (np.maximum(every, 1) * MINUTE)
    return np.where(counted > 0, counted, 1 + np.where(every > 0, passed, 0))


def _threshold_info(day: Day, about: Alarms, value: npt.NDArray[np.float64]) -> pl.Series:
    """Return measure, value and thresholds; null for alarms without one."""
    rat = day.inputs.plant.rat[np.maximum(about.cell, 0)]
    columns = {"kind": about.kind, "rat": np.where(about.cell == NONE, NONE, rat), "value": value}
    info = pl.lit(None, dtype=pl.String)
    for one in _THRESHOLDS:
        rats = _RATS if len(one.measures) > 1 else (NONE,)
        for access, measure in zip(rats, one.measures, strict=True):
            said = pl.format(one.info, pl.lit(measure), "value")
            its = (pl.col("kind") == int(one.kind)) & (pl.col("rat") == access)
            info = pl.when(its).then(said).otherwise(info)
    return pl.DataFrame(columns).select(info=info).to_series()


def _managed(day: Day, about: Alarms) -> dict[str, pl.Series | CodedText]:
    """Return class and distinguished name of the managed objects."""
    plant = day.inputs.plant
    of_rat = np.zeros(1 + max(_OF_RAT), dtype=np.int64)
    of_rat[list(_OF_RAT)] = list(_OF_RAT.values())
    of_type = np.zeros(len(ELEMENT_TYPES), dtype=np.int64)
    for kind, number in _OF_STATION.items():
        of_type[ELEMENT_TYPES.index(kind)] = number
    number = np.zeros(len(about), dtype=np.int64)
    for kind in ALARM_KINDS:
        rows = np.flatnonzero(about.kind == kind.kind)
        if kind.managed == "cell":
            number[rows] = of_rat[plant.rat[about.cell[rows]]]
        elif kind.managed == "station":
            number[rows] = of_type[plant.kind[about.about[rows]]]
        else:
            number[rows] = _OF_MANAGED[kind.managed]
    subnet = operator_slug(day.inputs.config)
    names = pl.DataFrame(
        {
            "element": plant.elements["element_id"].gather(about.about),
            "class": pl.Series(_CLASSES).gather(number),
            "part": plant.cells["cell_id"].gather(np.maximum(about.cell, 0)),
            "whole": pl.Series(number == 0),
            "cell": pl.Series(about.cell != NONE),
        }
    )
    element = pl.format(f"SubNetwork={subnet},ManagedElement={{}}", "element")
    within = pl.when("cell").then("part").otherwise(pl.lit("1"))
    instance = (
        pl.when("whole")
        .then(element)
        .otherwise(pl.format("{},{}={}", element, pl.col("class"), within))
    )
    return {
        "managed_object_class": CodedText.of(pl.Series(_CLASSES), number),
        "managed_object_instance": names.select(name=instance).to_series(),
    }
