"""Small worlds with layers and without some of them, side by side in a lake, with all datasets."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from telco_pipeline.contracts import DAILY_DATASETS, STATIC_DATASETS
from telco_pipeline.counterfactuals import Counterfactual, counterfactual, days_apart
from telco_pipeline.lake import Lake
from telco_pipeline.production import produce
from telco_pipeline.reach.measure import Walk
from telco_pipeline.reach.rows import COLUMNS
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.settings import WorldConfig
from telco_pipeline_tests.generators.kit import small_world

# What the records are made from, and the records; truth is about one world.
DATASETS = [name for name, one in DAILY_DATASETS.items() if one.group != "truth"]

Cast = dict[str, dict[str, Any]]
Deed = dict[str, dict[str, Any]]


def layer(number: int, cast: Cast, *deeds: Deed, lasts: str = "1d", **when: Any) -> Layer:
    """Return a layer of one stage that begins on the second day."""
    return Layer.model_validate(
        {
            "version": 1,
            "number": number,
            "title": "Something",
            "story": "Something happens.",
            "kind": "fraud",
            "when": {"first": "1d", "at": "09:00", **when},
            "cast": cast,
            "stages": [{"name": "it", "lasts": lasts, "do": list(deeds)}],
        }
    )


def people(number: int, **where: Any) -> Cast:
    """Return a cast of some people."""
    return {"them": {"of": "subscribers", "where": {"kind": "person", **where}, "number": number}}


def deed(name: str, who: str = "them", **what: Any) -> Deed:
    """Return a deed."""
    return {name: {"who": who, **what}}


_POSTPAID = {"plan.payment": "postpaid"}
_SITES: Cast = {"there": {"of": "sites", "number": 2}}
_STATIONS = {"of": "network_elements", "where": {"element_type": ["eNB", "gNB"]}, "number": 3}
_WRITERS = {"of": "network_elements", "where": {"element_type": ["PGW", "MSC", "SMSC"]}}

LAYERS: dict[str, Layer] = {
    "boxes": layer(
        1,
        people(8) | {"mast": {"of": "cells", "number": 1}},
        deed("sharing", devices=4),
        deed("presence", at="mast"),
        deed("usage", calls=8, called=0.1, codes=5, evenly=True),
        deed("destinations", share=0.9, to="anyone"),
    ),
    "cut": layer(2, _SITES, deed("fault", "there", kind="power"), lasts="6h"),
    "bad": layer(3, _SITES, deed("degrade", "there", drops=0.3, blocks=0.2, loss=2), lasts="9h"),
    "crowd": layer(
        4,
        people(40) | {"there": {"of": "sites", "number": 1}},
        deed("presence", at="there"),
        deed("usage", calls=4, sessions=4),
        lasts="4h",
        at="18:00",
    ),
    "quarrel": layer(
        5,
        people(20, **_POSTPAID),
        deed("care", topic="billing", share=0.9),
        deed("content", by=-0.1),
        deed("churn", factor=300, ports=0.9),
        lasts="2d",
    ),
    "refused": layer(
        6, people(8), deed("reject", share=0.8, of="all", cause=3), deed("signalling", factor=5)
    ),
    "lost": layer(7, {"gates": _WRITERS}, deed("files", "gates", lost=0.2, doubled=0.1)),
    "slow": layer(8, people(20), deed("qos", qci=9, rate=0.3), deed("unrated", share=0.5)),
    "campaign": layer(
        9, people(60, **_POSTPAID), deed("offer", what="upgrade", lift=0.5), lasts="2d"
    ),
    "rung": layer(
        10, people(8), deed("incoming", per_day=3, ranges=["+3710"], call_back=0.3), lasts="30h"
    ),
    "taken": layer(11, people(8), deed("swap")),
    "travel": layer(12, people(8), deed("roaming", country="FR"), at="20:00"),
    "asleep": layer(
        13,
        {"them": {"of": "cells", "where": {"cell_class": "MACRO"}, "number": 2}},
        deed("sleep", share=0.7),
        lasts="20h",
    ),
    "worn": layer(
        14,
        {"them": _STATIONS},
        deed("errors", per_hour=5),
        deed("strain", cpu=30, loss=1),
    ),
    "storm": layer(
        15, {"them": {"of": "sites", "number": 8}}, deed("hazard", factor=80), lasts="30h"
    ),
    "shrunk": layer(17, _SITES, deed("degrade", "there", coverage=0.4), lasts="9h"),
    "broken": layer(18, people(12), deed("malfunction", drops=0.3, restarts=12)),
    "core": layer(
        19,
        {
            "them": {
                "of": "network_elements",
                "where": {"element_type": ["MSC", "S-CSCF"]},
                "number": 2,
            }
        },
        deed("fault", kind="core", out=False, failures=0.5),
        lasts="9h",
    ),
    "owing": layer(
        16,
        people(40, **_POSTPAID),
        deed("unpaid"),
        deed("bill", more=3),
        first="0d",
        at="01:00",
        lasts="3d",
    ),
}
"""One for each kind of effect, or of a few that go together."""


@dataclass(frozen=True)
class Pair:
    """A main world and a counterfactual one in a lake.

    Attributes:
        config: The main world.
        made: The counterfactual one.
        lakes: Where both lie.
        days: The days on which they can differ.
    """

    config: WorldConfig
    made: Counterfactual
    lakes: tuple[Lake, Lake]
    days: list[dt.date]

    def walk(self) -> Walk:
        """Return a walk through both worlds."""
        return Walk(self.config, self.made.left_out, self.lakes, self.days)


@dataclass(frozen=True)
class Outcome:
    """What a dataset's rows are over all days.

    Attributes:
        rows: Rows of both worlds.
        inside: Those in reach.
        differ: Those that the other world does not have.
        outside: Days on which the rows outside the reach are not equal.
    """

    rows: int
    inside: int
    differ: int
    outside: list[dt.date]


def main_world(
    root: Path, layers: Mapping[str, Layer], *, subscribers: int, sites: int, days: int
) -> tuple[WorldConfig, Lake]:
    """Make a world with layers, all datasets of some days."""
    world = small_world(subscribers=subscribers)
    network = world.network.model_copy(update={"sites": sites})
    config = with_layers(world.model_copy(update={"network": network}), layers)
    lake = Lake(root)
    span = [config.epoch + dt.timedelta(days=number) for number in range(days)]
    for name in STATIC_DATASETS:
        produce(config, lake, name)
    for name in DATASETS:
        produce(config, lake, name, span)
    return config, lake


def without(config: WorldConfig, lake: Lake, names: Sequence[str]) -> Pair:
    """Make the world without some layers over a main one, all datasets."""
    made = counterfactual(config, names, lake.days("network_state")[-1])
    other, days = Lake(lake.root, made.name), days_apart(lake, made)
    for name in DATASETS:
        produce(made.config, other, name, days, overlays=config.world_hash)
    return Pair(config, made, (lake, other), days)


def outcomes(pair: Pair) -> dict[str, Outcome]:
    """Compare all rows of both worlds inside and outside the reach."""
    found: dict[str, list[tuple[dt.date, Outcome]]] = {name: [] for name in COLUMNS}
    for day, name, one in _compared(pair):
        found[name].append((day, one))
    return {
        name: Outcome(
            sum(one.rows for _, one in days),
            sum(one.inside for _, one in days),
            sum(one.differ for _, one in days),
            [day for day, one in days if one.outside],
        )
        for name, days in found.items()
    }


def _compared(pair: Pair) -> Iterator[tuple[dt.date, str, Outcome]]:
    walk = pair.walk()
    for day, sums in walk.days():
        for name in COLUMNS:
            frames = [_plain(lake.read(name, day.date, day.date)) for lake in pair.lakes]
            inside = [pl.Series(walk.inside(day, sums, name, frame)) for frame in frames]
            rest = [frame.filter(~flags) for frame, flags in zip(frames, inside, strict=True)]
            every = pl.concat(frames)
            single = every.group_by(every.columns).len().filter(pl.col("len") % 2 == 1)
            yield (
                day.date,
                name,
                Outcome(
                    rows=every.height,
                    inside=sum(int(flags.sum()) for flags in inside),
                    differ=single.height,
                    outside=[] if rest[0].equals(rest[1]) else [day.date],
                ),
            )


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    coded = pl.selectors.enum() | pl.selectors.categorical()
    return frame.with_columns(coded.cast(pl.String))
