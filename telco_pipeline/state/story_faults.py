"""Story faults: what scenario layers break (effect `fault`).

Belongs here: the faults that layers bring, as columns of `faults.Faults`. Does not belong here: how
often things break of themselves (`hazards`), more or less of that (`factors`), whom a fault hits
(`faults`, `hanging`).

Each target has a fault of its own, from its start to its end, however long that is: at the element;
at the cell and its station; of a site at its router. A power cut takes the mains of the feeder of
the site at which its target stands, all or nothing and behind a battery; where targets on one
feeder are cut at overlapping times, they are one fault from the first start to the last end. An
element at no site has a supply of its own: there a cut is a fault of its hardware. An element of
the core takes no capacity along: what it does not do (`failures`, or else all but `left`) fails, as
far as others of its pool do not do it.

A fault is seen as the one of the usual hazard that is most like it is seen (`_like`), so all that
follows from faults follows from it.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.contracts.codes import ElementType, FaultKind
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, day_number, day_start
from telco_pipeline.engine.identifiers import pack
from telco_pipeline.engine.remembering import remembered
from telco_pipeline.engine.tables import Choice
from telco_pipeline.scenarios.effects import CELLS, ELEMENTS, Fault
from telco_pipeline.scenarios.story import Story, Touch
from telco_pipeline.state.hanging import Hanging
from telco_pipeline.state.hazards import (
    ALL_HAZARDS,
    DEGRADED_SIGNAL,
    FAULT_KINDS,
    LOSS_OF_SIGNAL,
    MOST_ALIKE,
    POWER_SUPPLY_FAILURE,
    Columns,
    Floats,
    batteries,
    index_of,
    places,
)
from telco_pipeline.state.plant import ELEMENT_TYPES, Plant, Rows

_NONE: Final = -1
_HAZARDS: Final = {hazard.name: hazard for hazard in ALL_HAZARDS}
# The usual hazard whose causes those of a kind are, for a cell, at a site or line, in the core.
_CAUSES: Final = {
    FaultKind.HARDWARE: ("carrier", "station", "station"),
    FaultKind.SOFTWARE: ("watchdog", "watchdog", "core restart"),
    FaultKind.POWER: ("mains", "mains", "mains"),
    FaultKind.BACKHAUL: ("backhaul", "backhaul", "backhaul"),
    FaultKind.CORE: ("core overload", "core overload", "core overload"),
    FaultKind.PLANNED_WORK: ("work at a station", "work at a site", "work in the core"),
}
_STATIONS: Final = (ElementType.BTS, ElementType.ENB, ElementType.GNB)
_CONTROLLERS: Final = (ElementType.BSC, ElementType.RNC)
# What elements are, for what their faults look like.
_CARRIER, _STATION, _CONTROLLER, _SITE_ROUTER, _AGGREGATION, _CORE = range(6)


@dataclass(frozen=True)
class _Broken:
    """What one effect breaks; one array element per fault.

    Attributes:
        effect: The effect.
        touch: Whose it is.
        kind: Kind of fault.
        element: Row of the element at its root.
        cell: Row of the cell, -1 for all that hang on the element.
        start, end: Microseconds since 1970-01-01 UTC.
        key: Key of its draws.
    """

    effect: Fault
    touch: Touch
    kind: FaultKind
    element: Rows
    cell: Rows
    start: Rows
    end: Rows
    key: draws.Bits

    def select(self, chosen: npt.NDArray) -> "_Broken":
        """Return some of the faults (mask or row numbers)."""
        names = ("element", "cell", "start", "end", "key")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


def open_days(plant: Plant, story: Story, date: dt.date) -> list[dt.date]:
    """Return the days on which the layers' faults begin that touch a UTC day, in order."""
    start = day_start(date)
    begun: set[int] = set()
    for broken in _broken(plant, Hanging.of(plant), story, date):
        touches = (broken.end > start) & (broken.start < start + DAY)
        begun |= set(np.unique(broken.start[touches] // DAY).tolist())
    first = dt.date(1970, 1, 1)
    return [first + dt.timedelta(days=number) for number in sorted(begun)]


@remembered(512)
def brought(plant: Plant, story: Story, date: dt.date) -> tuple[Columns, ...]:
    """Return the faults of layers that begin on a UTC day, a batch for each effect.

    What would have begun before the epoch begins with it.

    Returns:
        Columns of `faults.Faults` but `fault_id`, in no order.
    """
    start, hanging, found = day_start(date), Hanging.of(plant), []
    alike: dict[tuple[int, int, int], int] = {}
    for broken in _broken(plant, hanging, story, date):
        mine = (broken.start >= start) & (broken.start < start + DAY)
        batch = _columns(hanging, broken.select(mine), date, alike)
        if len(batch["number"]):
            found.append(batch)
    return tuple(found)


def _broken(plant: Plant, hanging: Hanging, story: Story, date: dt.date) -> Iterator[_Broken]:
    """Yield what each effect breaks that touches a day, of power cuts those of other days too."""
    for touch in story.on(date).of("fault"):
        effect = touch.effect
        assert isinstance(effect, Fault)
        kind = FaultKind[effect.kind.upper()]
        if kind is FaultKind.POWER:
            # Targets that begin on other days may be one fault with those of this one.
            touch = story.whole(touch)
        made = _made(plant, touch, effect, kind)
        pieces = [made]
        if kind is FaultKind.POWER:
            fed = plant.element_site[made.element] >= 0
            apart = replace(made.select(~fed), kind=FaultKind.HARDWARE)
            pieces = [_cut(hanging, made.select(fed)), apart]
        epoch = day_start(plant.config.epoch)
        for piece in pieces:
            piece = piece.select(piece.end > epoch)
            yield replace(piece, start=np.maximum(piece.start, epoch))


def _made(plant: Plant, touch: Touch, effect: Fault, kind: FaultKind) -> _Broken:
    """Return a fault for each target, at its element, its cell and station, or its router."""
    rows = touch.rows.astype(np.int64)
    element, cell = rows, np.full(len(rows), _NONE)
    if touch.of == CELLS:
        element, cell = plant.station[rows].astype(np.int64), rows
    elif touch.of != ELEMENTS:
        element = plant.router[rows].astype(np.int64)
    return _Broken(effect, touch, kind, element, cell, touch.start, touch.end, touch.key)


def _cut(hanging: Hanging, made: _Broken) -> _Broken:
    """Return the cuts of the feeders of some targets: overlapping ones of a feeder are one."""
    feeder = hanging.feeder[hanging.plant.element_site[made.element]]
    order = np.lexsort((made.start, feeder))
    made, feeder = made.select(order), feeder[order]
    fresh, end = np.ones(len(feeder), dtype=np.bool_), made.end.copy()
    for row in range(1, len(feeder)):
        if feeder[row] == feeder[row - 1] and made.start[row] < end[row - 1]:
            fresh[row], end[row] = False, max(end[row], end[row - 1])
    first = np.flatnonzero(fresh)
    last = np.append(first[1:], len(feeder)) - 1 if len(first) else first
    return replace(
        made.select(first),
        element=hanging.root[feeder[first]],
        cell=np.full(len(first), _NONE),
        end=end[last],
    )


def _columns(
    hanging: Hanging, broken: _Broken, date: dt.date, alike: dict[tuple[int, int, int], int]
) -> Columns:
    """Return the columns of faults that begin on a day.

    Args:
        hanging: What hangs on what.
        broken: The faults.
        date: The day.
        alike: How many of one hazard, element and cell there have been on the day; counted on.
            Numbers go round for `MOST_ALIKE` of them: what is more is left out.
    """
    plant, effect, kind = hanging.plant, broken.effect, broken.kind
    what = _what(plant, broken.element, broken.cell)
    core = what == _CORE
    is_out = effect.out or kind is FaultKind.POWER
    like = _like(what, kind, out=is_out)
    place = places(plant, broken.element, broken.cell)
    number = np.zeros(len(what), dtype=np.int64)
    for row, same in enumerate(zip(like.tolist(), broken.element.tolist(), place.tolist(),
                                   strict=True)):  # fmt: skip
        alike[same] = number[row] = alike.get(same, 0) + 1
    known = number <= MOST_ALIKE
    broken, like, core = broken.select(known), like[known], core[known]
    place, number, what = place[known], number[known], what[known]
    count = len(like)
    left = 0.0 if is_out else round(broken.touch.amount(effect.left), 3)
    failures = round(broken.touch.amount(effect.failures), 4)
    impact = broken.start
    if kind is FaultKind.POWER:
        impact = np.minimum(impact + batteries(broken.key), broken.end)
    return {
        "number": pack(
            FAULT_KINDS.index(kind),
            day_number(date),
            broken.element,
            index_of(like, place, number),
        ),
        "kind": np.full(count, FAULT_KINDS.index(kind), dtype=np.int8),
        "start": broken.start,
        "impact": impact,
        "end": broken.end,
        "element": broken.element,
        "cell": broken.cell,
        "capacity": np.where(core, 1.0, left),
        "failure": _failure(hanging, broken, core, left, failures),
        "cause": _causes(broken, what, out=is_out),
    }


def _failure(
    hanging: Hanging, broken: _Broken, core: npt.NDArray[np.bool_], left: float, failures: float
) -> Floats:
    """Return the additional probability of failures of each fault, where anything is left."""
    lost = failures or 1.0 - left
    share = np.round(lost / hanging.pool[broken.element], 4)
    return np.where(core, share, failures if left > 0.0 else 0.0)


def _what(plant: Plant, element: Rows, cell: Rows) -> Rows:
    """Return what breaks: a carrier, a station, a controller, a router, or what is of the core."""
    kind = plant.kind[element]
    what = np.full(len(element), _CORE)
    for types, code in ((_STATIONS, _STATION), (_CONTROLLERS, _CONTROLLER),
                        ((ElementType.SITE_ROUTER,), _SITE_ROUTER)):  # fmt: skip
        what[np.isin(kind, [ELEMENT_TYPES.index(one) for one in types])] = code
    what[np.isin(element, plant.aggregation)] = _AGGREGATION
    return np.where(cell >= 0, _CARRIER, what)


def _like(what: Rows, kind: FaultKind, *, out: bool) -> Rows:
    """Return the number of the usual hazard that each fault is seen as."""
    names = {
        _CARRIER: "carrier",
        _STATION: "station",
        _CONTROLLER: "controller",
        _SITE_ROUTER: "backhaul",
        _AGGREGATION: "aggregation",
        _CORE: "core restart" if out else "core overload",
    }
    if kind is FaultKind.POWER:
        names = dict.fromkeys(names, "mains")
    elif kind is FaultKind.SOFTWARE:
        names[_STATION] = "watchdog" if out else "bad release"
    elif kind is FaultKind.PLANNED_WORK:
        names = {
            _CARRIER: "work at a station",
            _STATION: "work at a station",
            _CONTROLLER: "work in the core",
            _SITE_ROUTER: "work at a site",
            _AGGREGATION: "work at an aggregation",
            _CORE: "work in the core",
        }
    numbers = np.zeros(len(names), dtype=np.int64)
    for code, name in names.items():
        numbers[code] = _HAZARDS[name].number
    return numbers[what]


def _causes(broken: _Broken, what: Rows, *, out: bool) -> npt.NDArray[np.int16]:
    """Return the probable causes: the one that is given, or those usual for the kind."""
    count = len(what)
    if broken.effect.cause is not None:
        return np.full(count, broken.effect.cause, dtype=np.int16)
    if broken.effect.kind == "power" and broken.kind is not FaultKind.POWER:
        return np.full(count, POWER_SUPPLY_FAILURE, dtype=np.int16)
    if broken.kind is FaultKind.BACKHAUL:
        return np.full(count, LOSS_OF_SIGNAL if out else DEGRADED_SIGNAL, dtype=np.int16)
    cause = np.zeros(count, dtype=np.int16)
    where = np.where(what == _CARRIER, 0, np.where(what == _CORE, 2, 1))
    for place, name in enumerate(_CAUSES[broken.kind]):
        rows = np.flatnonzero(where == place)
        usual = _HAZARDS[name].causes
        which = Choice.of(list(usual.values())).sample(draws.bits(broken.key[rows], "cause"))
        cause[rows] = np.array(list(usual), dtype=np.int16)[which]
    return cause
