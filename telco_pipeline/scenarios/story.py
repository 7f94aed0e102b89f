"""Story: what the layers of a world do on a day, to whom, and how strongly.

Belongs here: `Story.on`, which the homes of the effects ask. Does not belong here: what an effect
does (its home), whom a role means (`selection`), when (`timeline`).

Nothing here looks at a record or at another day: what touches whom on a day is a function of the
world, its layers and the date, but for stages with a trigger, which begin when the state of a
subscriber says so; these come from the state of the day (`Episodes`).
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND, day_start
from telco_pipeline.scenarios.effects import CELLS, ELEMENTS, SITES, Effect, Gradual, Presence
from telco_pipeline.scenarios.language import Layer, Stage, Trigger
from telco_pipeline.scenarios.selection import Ground, cast_of, nearest_cells
from telco_pipeline.scenarios.timeline import Incident, incidents
from telco_pipeline.scenarios.words import Amount
from telco_pipeline.settings import WorldConfig

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_HOURS: Final = 24
_STAGE_BITS: Final = 5
_DENSE: Final = 64
_KEPT: Final = 1 << 19  # targets of touches that are kept, 12 MB of them


@dataclass(frozen=True)
class Touch:
    """What one effect of one incident does around a day: one array element per target.

    Attributes:
        incident: The incident.
        stage: The stage.
        name: The effect's name.
        effect: The effect, as the layer's file says.
        benign: Whether its targets only look like the others.
        rows: Targets, rising: entity numbers of subscribers, rows of cells, sites or elements.
        of: What they are.
        start, end: When it touches each, in microseconds since 1970-01-01 UTC.
        key: Key of each target's draws for this effect.
        cells: Of `presence`: rows of the cells at which they are.
    """

    incident: Incident
    stage: Stage
    name: str
    effect: Effect
    benign: bool
    rows: Rows
    of: str
    start: Rows
    end: Rows
    key: draws.Bits
    cells: Rows | None = None

    def __len__(self) -> int:
        """Return the number of targets."""
        return len(self.rows)

    def select(self, chosen: npt.NDArray) -> "Touch":
        """Return the same of some targets (mask or positions)."""
        arrays = {name: getattr(self, name)[chosen] for name in ("rows", "start", "end", "key")}
        return Touch(**{**self.__dict__, **arrays})

    def among(self, entities: Rows) -> tuple[Rows, Rows]:
        """Return which rows of some entities are targets, and the position of each as a target."""
        if not entities.size:
            return entities, entities
        low, high = int(entities.min()), int(entities.max())
        first, last = np.searchsorted(self.rows, [low, high + 1])
        if first == last:
            return entities[:0], entities[:0]
        if high - low <= _DENSE * entities.size + _DENSE:
            # Entities come in blocks: a table of the block is faster than searching.
            table = np.full(high - low + 1, -1)
            table[self.rows[first:last] - low] = np.arange(first, last)
            place = table[entities - low]
            found = np.flatnonzero(place >= 0)
        else:
            place = np.minimum(np.searchsorted(self.rows, entities), len(self.rows) - 1)
            found = np.flatnonzero(self.rows[place] == entities)
        return found, place[found]

    def amount(self, amount: Amount) -> float:
        """Return an amount of the effect at the layer's difficulty."""
        return amount.at(self.incident.layer.difficulty)

    def strength(self, position: Rows, time: Rows) -> Floats:
        """Return how strong the effect is, 0 to 1: by ramp and fade; 0 outside its time.

        Args:
            position: Positions of targets.
            time: Microseconds since 1970, one for each.
        """
        since, left = time - self.start[position], self.end[position] - time
        inside = ((since >= 0) & (left > 0)).astype(np.float64)
        effect = self.effect
        if isinstance(effect, Gradual):
            for length, passed in ((effect.ramp, since), (effect.fade, left)):
                if length.microseconds:
                    inside = inside * np.clip(passed / length.microseconds, 0.0, 1.0)
        return np.round(inside, 6)

    def by_hour(self, date: dt.date) -> Floats:
        """Return how strong the effect is on each target in each UTC hour of a day.

        The strength in the middle of the part of the hour that it touches, times that part.

        Returns:
            Shape (targets, 24).
        """
        begin = day_start(date) + np.arange(_HOURS)[None, :] * HOUR
        first = np.maximum(begin, self.start[:, None])
        last = np.minimum(begin + HOUR, self.end[:, None])
        part = np.maximum(last - first, 0) / HOUR
        middle = np.where(part > 0, (first + last) // 2, begin)
        position = np.broadcast_to(np.arange(len(self))[:, None], middle.shape)
        strength = self.strength(position.reshape(-1), middle.reshape(-1))
        return np.round(strength.reshape(part.shape) * part, 6)


@dataclass(frozen=True)
class Episodes:
    """Stages with a trigger that have begun: one array element per subscriber in one.

    Attributes:
        rows: Entity numbers, rising.
        code: `Watch.code` of the stage.
        start: When it began, in microseconds since 1970.
    """

    rows: Rows
    code: Rows
    start: Rows

    @classmethod
    def none(cls) -> "Episodes":
        """Return that nothing has begun."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, nothing)


@dataclass(frozen=True)
class Watch:
    """A stage with a trigger that is open on a day: for whom it may begin, and when.

    Attributes:
        code: What stands for the stage among all of a world.
        rows: Entity numbers of the targets for whom it may begin.
        trigger: What must come true.
        key: Key of each target's draws.
        lasts: Microseconds that it lasts.
    """

    code: int
    rows: Rows
    trigger: Trigger
    key: draws.Bits
    lasts: int


@dataclass(frozen=True)
class StoryDay:
    """What the layers do on one UTC day.

    Attributes:
        date: The day.
        touches: All that touches anybody on the day, in order of layer, incident, stage and effect.
    """

    date: dt.date
    touches: tuple[Touch, ...] = ()
    _by_name: dict[str, tuple[Touch, ...]] = field(default_factory=dict)

    def of(self, *names: str) -> tuple[Touch, ...]:
        """Return the touches of some effects."""
        if not self.touches:
            return ()
        key = ",".join(names)
        if key not in self._by_name:
            self._by_name[key] = tuple(touch for touch in self.touches if touch.name in names)
        return self._by_name[key]

    def __bool__(self) -> bool:
        """Return whether anything happens."""
        return bool(self.touches)


class Story:
    """The layers of a world."""

    def __init__(self, config: WorldConfig, ground: Ground) -> None:
        """Take the layers that are on.

        Args:
            config: The world.
            ground: Where the members of roles are looked for.
        """
        self.config = config
        self.ground = ground
        self.layers = layers_of(config)
        stages = [stage for layer in self.layers.values() for stage in layer.stages]
        self.effects = frozenset(deed.name for stage in stages for deed in stage.do)
        """Names of the effects that its layers have."""
        self.triggers = any(stage.trigger is not None for stage in stages)
        """Whether any stage begins by the state of a subscriber (`Episodes`)."""
        self._casts: dict[int, dict[str, Rows]] = {}
        self._days: dict[dt.date, StoryDay] = {}
        self._whole: dict[tuple[int, int, int], Touch] = {}
        self._held = 0

    def __bool__(self) -> bool:
        """Return whether any layer is on."""
        return bool(self.layers)

    def incidents(self, date: dt.date) -> list[Incident]:
        """Return the incidents that touch a UTC day, in order of layer and number."""
        start = day_start(date)
        return [
            incident
            for layer in self.layers.values()
            for incident in incidents(self.config, layer, date, since=date)
            if incident.end > start
        ]

    def name_of(self, layer: Layer) -> str:
        """Return the name of a layer of this world."""
        return next(name for name, one in self.layers.items() if one is layer)

    def incidents_of(self, name: str, until: dt.date) -> list[Incident]:
        """Return the incidents of one layer that begin by the end of a UTC day."""
        return list(incidents(self.config, self.layers[name], until))

    def cast(self, incident: Incident) -> dict[str, Rows]:
        """Return who takes part in an incident, by role."""
        if incident.key not in self._casts:
            self._casts[incident.key] = cast_of(self.ground, incident)
        return self._casts[incident.key]

    def on(self, date: dt.date, episodes: Episodes | None = None) -> StoryDay:
        """Return what happens on a UTC day.

        Args:
            date: The day.
            episodes: Stages with a trigger that have begun by it; without it, they are left out.
        """
        if not self.layers:
            return StoryDay(date)
        if episodes is not None and len(episodes.rows):
            return StoryDay(date, self._touches(date, episodes))
        if date not in self._days:
            while len(self._days) >= 16:
                del self._days[next(iter(self._days))]
            self._days[date] = StoryDay(date, self._touches(date, Episodes.none()))
        return self._days[date]

    def between(
        self, first: dt.date, last: dt.date, *names: str, whole: bool = False
    ) -> list[Touch]:
        """Return what some effects do from one UTC day to another, both included.

        Args:
            first: The first day.
            last: The last day.
            names: Names of effects; stages with a trigger are left out (`begun`).
            whole: Whether all targets are wanted of what touches any.

        Returns:
            Touches in order of layer, incident, stage and effect, of all targets that they touch
            on any of the days.
        """
        return self._between(first, last, names, None, whole=whole)

    def begun(self, first: dt.date, last: dt.date, episodes: Episodes, *names: str) -> list[Touch]:
        """Return what some effects of stages with a trigger do to those for whom they have begun.

        Args:
            first: The first UTC day.
            last: The last one, included.
            episodes: Stages that have begun.
            names: Names of effects.
        """
        if not len(episodes.rows):
            return []
        return self._between(first, last, names, episodes)

    def _between(
        self,
        first: dt.date,
        last: dt.date,
        names: Collection[str],
        episodes: Episodes | None,
        *,
        whole: bool = False,
    ) -> list[Touch]:
        """Return touches from one day to another of stages with a trigger or of those without."""
        start, end = day_start(first), day_start(last) + DAY
        found = []
        for layer in self.layers.values():
            deeds = [
                (number, stage, place, deed)
                for number, stage in enumerate(layer.stages)
                for place, deed in enumerate(stage.do)
                if deed.name in names and (stage.trigger is None) == (episodes is None)
            ]
            if not deeds:
                continue
            for incident in incidents(self.config, layer, last, since=first):
                if incident.end <= start:
                    continue
                for number, stage, place, deed in deeds:
                    touch = self._touch(incident, number, stage, place, deed.name, deed.effect)
                    if episodes is not None:
                        touch = _triggered(touch, _code(incident, number), episodes)
                    inside = np.flatnonzero((touch.start < end) & (touch.end > start))
                    if inside.size:
                        found.append(touch if whole else touch.select(inside))
        return found

    def lasting(self, date: dt.date) -> dict[int, int]:
        """Return how long each stage with a trigger lasts that may go on on a UTC day, by code."""
        return {
            _code(incident, number): stage.lasts.microseconds
            for incident in (self.incidents(date) if self.triggers else ())
            for number, stage in enumerate(incident.layer.stages)
            if stage.trigger is not None
        }

    def has(self, *names: str) -> bool:
        """Return whether any layer that is on has one of some effects."""
        return any(
            deed.name in names
            for layer in self.layers.values()
            for stage in layer.stages
            for deed in stage.do
        )

    def watches(self, date: dt.date) -> list[Watch]:
        """Return the stages with a trigger that may begin on a UTC day."""
        start = day_start(date)
        found = []
        for incident in self.incidents(date):
            for number, stage in enumerate(incident.layer.stages):
                begins = incident.stage_start(stage)
                if stage.trigger is None or not begins <= start < begins + _open(stage):
                    continue
                rows = np.unique(
                    np.concatenate([self.cast(incident)[deed.effect.who] for deed in stage.do])
                )
                key = draws.keys(incident.stream(self.config, f"trigger/{number}"), rows)
                chosen = draws.chance(draws.bits(key, "share"), stage.trigger.share)
                found.append(
                    Watch(
                        _code(incident, number),
                        rows[chosen],
                        stage.trigger,
                        key[chosen],
                        stage.lasts.microseconds,
                    )
                )
        return found

    def _touches(self, date: dt.date, episodes: Episodes) -> tuple[Touch, ...]:
        found = []
        for incident in self.incidents(date):
            for number, stage in enumerate(incident.layer.stages):
                for place, deed in enumerate(stage.do):
                    touch = self._touch(incident, number, stage, place, deed.name, deed.effect)
                    if stage.trigger is not None:
                        touch = _triggered(touch, _code(incident, number), episodes)
                    touch = _within(touch, date)
                    if len(touch):
                        found.append(touch)
        return tuple(found)

    def _touch(
        self, incident: Incident, number: int, stage: Stage, place: int, name: str, effect: Effect
    ) -> Touch:
        """Return an effect on all its targets; it is kept, as many days ask for it."""
        key = (incident.key, number, place)
        if key not in self._whole:
            made = self._touching(incident, number, stage, place, name, effect)
            self._held += len(made) + 1
            self._whole[key] = made
            while self._held > _KEPT and len(self._whole) > 1:
                self._held -= len(self._whole.pop(next(iter(self._whole)))) + 1
        return self._whole[key]

    def _touching(
        self, incident: Incident, number: int, stage: Stage, place: int, name: str, effect: Effect
    ) -> Touch:
        cast, roles = self.cast(incident), incident.layer.cast
        rows, role = cast[effect.who], roles[effect.who]
        # A target begins all effects of a stage at once.
        keys = draws.keys(incident.stream(self.config, f"stage/{number}"), rows)
        shift = np.zeros(len(rows), dtype=np.int64)
        if stage.spread.microseconds:
            seconds = stage.spread.microseconds // SECOND
            shift = draws.below(draws.bits(keys, "begins"), max(seconds, 1)) * SECOND
        start = incident.stage_start(stage) + shift
        cells = None
        if isinstance(effect, Presence):
            cells = nearest_cells(self.ground, roles[effect.at].of, cast[effect.at])
        return Touch(
            incident=incident,
            stage=stage,
            name=name,
            effect=effect,
            benign=role.benign,
            rows=rows,
            of=role.of,
            start=start,
            end=start + stage.lasts.microseconds,
            key=draws.keys(incident.stream(self.config, f"effect/{number}/{place}"), rows),
            cells=cells,
        )

    def whole(self, touch: Touch) -> Touch:
        """Return the same effect on all its targets, those of other days too."""
        stages = touch.incident.layer.stages
        number = next(n for n, stage in enumerate(stages) if stage.name == touch.stage.name)
        place = next(n for n, deed in enumerate(stages[number].do) if deed.effect is touch.effect)
        return self._touch(touch.incident, number, stages[number], place, touch.name, touch.effect)

    def cells_under(self, touch: Touch) -> tuple[Rows, Rows]:
        """Return the cells of a touch on cells, sites or elements of radio.

        Returns:
            Position of the target and row of the cell of each pair, in order.
        """
        if touch.of == CELLS:
            return np.arange(len(touch)), touch.rows
        assert touch.of in (SITES, ELEMENTS)
        owner = self.ground.belongs(CELLS, touch.of)
        cell = np.flatnonzero(np.isin(owner, touch.rows))
        position = np.searchsorted(touch.rows, owner[cell])
        order = np.lexsort((cell, position))
        return position[order], cell[order]

    def elements_under(self, touch: Touch) -> tuple[Rows, Rows]:
        """Return the elements of a touch on elements or sites, as pairs (see `cells_under`)."""
        if touch.of == ELEMENTS:
            return np.arange(len(touch)), touch.rows
        assert touch.of == SITES
        owner = self.ground.belongs(ELEMENTS, SITES)
        element = np.flatnonzero(np.isin(owner, touch.rows))
        position = np.searchsorted(touch.rows, owner[element])
        order = np.lexsort((element, position))
        return position[order], element[order]


def _open(stage: Stage) -> int:
    """Return how long a stage with a trigger waits for it."""
    return stage.lasts.microseconds + stage.spread.microseconds


def _code(incident: Incident, stage: int) -> int:
    return (incident.key << _STAGE_BITS) | stage


def _triggered(touch: Touch, code: int, episodes: Episodes) -> Touch:
    """Return a touch of those targets for whom its stage has begun, from then on."""
    begun = episodes.code == code
    rows, start = episodes.rows[begun], episodes.start[begun]
    chosen = np.flatnonzero(np.isin(touch.rows, rows))
    found = touch.select(chosen)
    begins = start[np.searchsorted(rows, found.rows)]
    length = touch.stage.lasts.microseconds
    return Touch(**{**found.__dict__, "start": begins, "end": begins + length})


def _within(touch: Touch, date: dt.date) -> Touch:
    """Return a touch of those targets that it touches on a UTC day."""
    start = day_start(date)
    inside = (touch.start < start + DAY) & (touch.end > start)
    return touch if inside.all() else touch.select(inside)


def layers_of(config: WorldConfig) -> Mapping[str, Layer]:
    """Return the layers of a world by name, in the order of their numbers."""
    return _made(_Told(config.layers_text, config))


@dataclass(frozen=True)
class _Told:
    """What layers say: equal worlds may have layers that tell different things of themselves."""

    text: str
    config: WorldConfig = field(compare=False)


@lru_cache(maxsize=16)
def _made(told: _Told) -> Mapping[str, Layer]:
    trees = told.config.layers
    made = {name: Layer.model_validate(tree) for name, tree in trees.items()}
    return dict(sorted(made.items(), key=lambda entry: entry[1].number))


def without(config: WorldConfig, *names: str) -> WorldConfig:
    """Return a world without some of its layers."""
    kept: dict[str, Any] = {name: tree for name, tree in config.layers.items() if name not in names}
    return config.model_copy(update={"layers": kept})
