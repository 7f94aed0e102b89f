"""A small lake of the flat table's own world, made once for the tests that read it."""

import datetime as dt
from functools import cache
from pathlib import Path

from telco_pipeline.cli.flat import Order, _make
from telco_pipeline.lake import Lake
from telco_pipeline.settings import DEFAULT_WORLD_FILE, WorldConfig
from telco_pipeline.settings.flat import CALL_TYPES, load_preset, world_of

SUBSCRIBERS = 1200
DAYS = 2


@cache
def flat_world() -> WorldConfig:
    """Return the world of the shipped preset, small."""
    preset, source = load_preset()
    return world_of(preset, source, DEFAULT_WORLD_FILE, subscribers=SUBSCRIBERS)


def days() -> list[dt.date]:
    """Return the days of the lake."""
    return [flat_world().epoch + dt.timedelta(days=number) for number in range(DAYS)]


def make_flat_lake(root: Path) -> Lake:
    """Make the lake."""
    lake = Lake(root)
    order = Order(1, CALL_TYPES, flat_world(), lake, 1, replace=False)
    for day in days():
        _make(order, day, lambda *_: None)
    return lake
