"""Typed settings: what `scenarios/world.yaml` says and what the environment says.

Belongs here: reading, refusing and hashing settings. Does not belong here: anything that is made
from them (places, subscribers, records), and scenario layers (`scenarios`).

`model` holds the shape of a world, `values` what a single value may be, `checks` the rules between
values, `world_file` reads the file, `problems` writes errors for people, `environment` reads the
environment, `days` reads dates. Nothing is read when the package is imported.
"""

from telco_pipeline.settings.days import LAST_DAY, check_day, parse_day
from telco_pipeline.settings.environment import DEFAULT_WORLD_FILE, Settings
from telco_pipeline.settings.loading import load_world
from telco_pipeline.settings.model import (
    Charging,
    Generation,
    Network,
    Numbering,
    Operator,
    Persona,
    RecordWeights,
    Rhythm,
    Service,
    WorldConfig,
    without_words,
)

__all__ = [
    "DEFAULT_WORLD_FILE",
    "LAST_DAY",
    "Charging",
    "Generation",
    "Network",
    "Numbering",
    "Operator",
    "Persona",
    "RecordWeights",
    "Rhythm",
    "Service",
    "Settings",
    "WorldConfig",
    "check_day",
    "load_world",
    "parse_day",
    "without_words",
]
