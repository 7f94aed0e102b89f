"""Counterfactuals: the same world without some of its layers, beside the main one.

Belongs here: what such a world is called and where it begins to differ. Does not belong here:
making its days (`runs`), which records differ (`reach`), what the layers did (`paired`).

A counterfactual world has the same seed, so that everything the layers do not reach has equal rows.
It lies over the main world: static datasets do not hang on layers, and until the first incident of
what is left out both worlds are the same, so these partitions show through and are not made again.
"""

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from telco_pipeline.code_version import code_version
from telco_pipeline.contracts import DAILY_DATASETS
from telco_pipeline.contracts.state import HISTORY
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.story import layers_of, without
from telco_pipeline.scenarios.timeline import incidents
from telco_pipeline.settings import WorldConfig, without_words
from telco_pipeline.settings.values import closest
from telco_pipeline.signatures import CONTROL

_LONGEST_NAME: Final = 64
_WEEK: Final = dt.timedelta(days=8)
_HORIZON: Final = dt.timedelta(days=3660)  # farther than anybody makes days


@dataclass(frozen=True)
class Counterfactual:
    """A world without some layers.

    Attributes:
        name: Name of the world in the lake.
        config: The world.
        left_out: Layers that it does not have.
        first: The first day on which it can differ from the main one; None if it never does.
    """

    name: str
    config: WorldConfig
    left_out: tuple[str, ...]
    first: dt.date | None


def held_config(lake: Lake) -> WorldConfig:
    """Return the configuration of the main world that lies in a lake.

    Raises:
        TelcoError: None lies there.
    """
    held = lake.held_world()
    if held is None or held.config is None:
        raise TelcoError(f"{lake.root} holds no world: make one first, with `{lake.command()}`")
    return WorldConfig.model_validate(held.config)


def counterfactual(config: WorldConfig, names: Sequence[str], until: dt.date) -> Counterfactual:
    """Return the world without some layers.

    Args:
        config: The main world.
        names: Layers to leave out, or `all`.
        until: The last day of interest.

    Raises:
        TelcoError: A layer is not on in this world.
    """
    layers = layers_of(config)
    if not layers:
        raise TelcoError("this world has no layer on: there is nothing to leave out")
    if "all" in names and len(names) > 1:
        raise TelcoError(f"--without {','.join(names)}: all stands alone")
    every = list(names) == ["all"]
    left_out = tuple(layers) if every else tuple(dict.fromkeys(names))
    for name in left_out:
        if name not in layers:
            meant = closest(name, layers)
            raise TelcoError(
                f"layer {name!r} is not on in this world: {', '.join(layers)} are"
                f"{f'; {meant}' if meant else ''}"
            )
    other = without(config, *left_out)
    called = _name_without(left_out) if other.layers else CONTROL
    return Counterfactual(called, other, left_out, _first_day(config, left_out, until))


def _name_without(left_out: Sequence[str]) -> str:
    """Return the name of a world; where names add up to too much, a hash stands for the rest."""
    name = "without-" + "-".join(sorted(left_out))
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    return f"{name[: _LONGEST_NAME - len(digest) - 1]}-{digest}"


def days_apart(lake: Lake, made: Counterfactual) -> list[dt.date]:
    """Return the days in a lake on which a counterfactual world can differ.

    Raises:
        TelcoError: There is none.
    """
    days = lake.days("network_state")
    if not days:
        raise TelcoError(f"{lake.root} has no day yet: make some first, with `{lake.command()}`")
    if made.first is None or made.first > days[-1]:
        raise TelcoError(
            f"no incident of {', '.join(made.left_out)} begins by {days[-1]}, the last day in "
            f"{lake.root}: both worlds are the same"
        )
    return [day for day in days if day >= made.first]


def refuse_other_code(lake: Lake, days: Sequence[dt.date]) -> None:
    """Refuse to make the counterpart of days that were made by other code than this.

    What differs would then be the work of the code too, and not of the layers alone.

    Args:
        lake: Where the main world lies.
        days: The days on which the worlds can differ.
    """
    version = code_version(daily=True)
    for name, day, held in _made(lake, days):
        if held != version:
            raise TelcoError(
                f"{name} of {day} in {lake.root} was made by other code ({held}, this is "
                f"{version}), so not all that differs would be an effect of the layers: make the "
                f"main world anew with `{_anew(lake)}`"
            )


def check_pair(lake: Lake, other: Lake, days: Sequence[dt.date]) -> None:
    """Refuse a counterfactual world that lacks days, or was made by other code.

    Args:
        lake: Where the main world lies.
        other: Where the counterfactual one lies.
        days: The days on which they can differ.
    """
    command = f"`telco counterfactual --without ... --lake {lake.root}`"
    for name in HISTORY:
        for day in days:
            if lake.directory(name, day) == other.directory(name, day):
                raise TelcoError(
                    f"the world {other.world} in {lake.root} has no {name} of {day}, which the "
                    f"main world has: make it again with {command}, without --report"
                )
    beside = {(name, day): version for name, day, version in _made(other, days)}
    for name, day, held in _made(lake, days):
        version = beside.get((name, day), held)
        if held != version:
            raise TelcoError(
                f"{name} of {day} in {lake.root} was made by other code ({held}) than that of the "
                f"world {other.world} ({version}), so not all that differs is an effect of the "
                f"layers: make the main world anew with `{_anew(lake)}`, and then the other with "
                f"{command}"
            )


def _made(lake: Lake, days: Sequence[dt.date]) -> Iterator[tuple[str, dt.date, str]]:
    """Yield by which code the days of each dataset were made that lie in a lake."""
    for name in DAILY_DATASETS:
        for day in days:
            if (held := lake.provenance(name, day)) is not None:
                yield name, day, held.code_version


def _anew(lake: Lake) -> str:
    """Return the command that makes the main world in a lake anew."""
    days = lake.days("network_state")
    return f"{lake.command()} --days {(days[-1] - days[0]).days + 1} --replace"


def first_difference(main: WorldConfig, other: WorldConfig) -> dt.date:
    """Return the first day on which two worlds can differ that have the same seed and world file.

    The day of the first incident of any layer that only one of them has; the end of the calendar
    where there is none, the epoch where they are not alike otherwise.
    """
    if without(main, *main.layers).world_hash != without(other, *other.layers).world_hash:
        return main.epoch
    days = [
        first
        for one, two in ((main, other), (other, main))
        for name, layer in one.layers.items()
        if without_words(two.layers.get(name)) != without_words(layer)
        and (first := _first_day(one, (name,), one.epoch + _HORIZON)) is not None
    ]
    return min(days, default=dt.date.max)


def _first_day(config: WorldConfig, names: Sequence[str], until: dt.date) -> dt.date | None:
    """Return the first day that any incident of some layers can change; None if there is none."""
    layers = layers_of(config)
    found = [
        dt.date(1970, 1, 1) + dt.timedelta(microseconds=incident.start) - _lead(layers[name])
        for name in names
        for incident in incidents(config, layers[name], until)
    ]
    return max(min(found), config.epoch) if found else None


def _lead(layer: Layer) -> dt.timedelta:
    """Return how long before an incident its targets can already be reached.

    Whom it sends somewhere gives up a journey of his own in the same week and leaves in time.
    """
    plans = any(deed.effect.ahead for stage in layer.stages for deed in stage.do)
    return _WEEK if plans else dt.timedelta()
