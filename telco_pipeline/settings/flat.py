"""Presets of the flat CDR table: which world its rows are of, and how the table is called.

Belongs here: the keys of a preset such as `scenarios/flat_cdrs.yaml`, and the world that they
describe. Does not belong here: the columns of the table and where they come from
(`warehouse.flat`), what bounds do in a world (`settings.bounds`).

A preset changes the operator of a world file before anything is made: market shares, the number of
antennas, and bounds outside which nothing arises. Rows are never changed afterwards.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from telco_pipeline.errors import TelcoError
from telco_pipeline.settings import bounds, checks, problems, values, world_file
from telco_pipeline.settings.environment import DEFAULT_WORLD_FILE, Settings
from telco_pipeline.settings.loading import load_world
from telco_pipeline.settings.model import WorldConfig
from telco_pipeline.settings.values import RefusedError, Rule
from telco_pipeline.settings.world_file import WorldFile

DEFAULT_PRESET: Final = DEFAULT_WORLD_FILE.with_name("flat_cdrs.yaml")
CALL_TYPES: Final = ("VOICE", "SMS", "DATA")
AUTO: Final = "auto"
_KIND: Final = "preset"
# Workers make records, and the table takes them, part by part: so large that two workers and a load
# stay below 1.5 GB together.
_PART_SIZE: Final = 1 << 13

CallType = Literal["VOICE", "SMS", "DATA"]


def _call_types(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise RefusedError
    for each in value:
        if each not in CALL_TYPES:
            raise RefusedError(values.closest(each, CALL_TYPES))
    if len(set(value)) < len(value):
        raise RefusedError("one of them is there twice")
    return tuple(each for each in CALL_TYPES if each in value)


def _subscribers(value: Any) -> int | str:
    return value if value == AUTO else values.whole(1, checks.MAX_SUBSCRIBERS).convert(value)


_TABLE: Final = values.pattern(
    "a table's name of lower-case letters, digits and _ (at most 50, a letter first)",
    r"[a-z][a-z0-9_]{0,49}",
)
_TYPES: Final = Rule("a list of one or more of VOICE, SMS and DATA", _call_types)
_SIZE: Final = Rule(f"auto or a whole number from 1 to {checks.MAX_SUBSCRIBERS:,}", _subscribers)


class FlatPreset(BaseModel):
    """The settings of a flat CDR table, each with the default of the Belgian one.

    Attributes:
        version: Version of the file's shape, 1.
        table: Name of the table.
        call_types: Which kinds of calls are made.
        market_shares: Share of each operator among the country's human SIMs, by its name; None: as
            the world file has them.
        duration_s: Shortest and longest answered call and data session, in seconds.
        altitude_m: Lowest and highest antenna, in metres above ground.
        latitude: South and north of what is covered.
        longitude: West and east of it.
        antennas: How many antennas (radio sites) the operator plans.
        subscribers: SIM cards, or `auto`: as many as the rows asked for need.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: Annotated[int, BeforeValidator(values.VERSION)]
    table: Annotated[str, BeforeValidator(_TABLE)] = "flat_cdrs"
    call_types: Annotated[tuple[CallType, ...], BeforeValidator(_TYPES)] = CALL_TYPES
    market_shares: Annotated[
        Mapping[str, Annotated[float, BeforeValidator(values.number(0, 1, above=True))]] | None,
        BeforeValidator(values.mapping("market shares by operator", 100)),
    ] = None
    duration_s: bounds.Duration = (10, 3600)
    altitude_m: bounds.Height = (0, 100)
    latitude: bounds.Latitude = (49.5, 51.5)
    longitude: bounds.Longitude = (2.5, 6.5)
    antennas: Annotated[int, BeforeValidator(values.whole(1, 20_000))] = 1000
    subscribers: Annotated[int | Literal["auto"], BeforeValidator(_SIZE)] = AUTO


def load_preset(path: Path | None = None) -> tuple[FlatPreset, WorldFile]:
    """Read a preset.

    Args:
        path: The file; `scenarios/flat_cdrs.yaml` when None.

    Returns:
        The preset, and its file for errors.

    Raises:
        TelcoError: When the file cannot be read or a value is refused: one line with the line of
            the file, and what to write instead.
    """
    path = path or DEFAULT_PRESET
    if not path.is_file():
        raise TelcoError(
            f"{path}: there is no such preset: name a file like scenarios/flat_cdrs.yaml"
        )
    source = world_file.read(path, _KIND)
    try:
        return FlatPreset.model_validate(source.tree), source
    except ValidationError as error:
        raise TelcoError(problems.describe(error, FlatPreset, source, ())) from None


def world_of(
    preset: FlatPreset,
    source: WorldFile,
    world: Path | None = None,
    *,
    subscribers: int,
    seed: int | None = None,
) -> WorldConfig:
    """Return the world of a preset: the operator of a world file, as the preset limits it.

    Args:
        preset: The preset.
        source: Its file.
        world: The world file; that of `Settings.from_env` when None.
        subscribers: SIM cards in service on the epoch.
        seed: Seed of all draws; the world file's when None.

    Raises:
        TelcoError: When the world file is wrong, or the preset does not fit it.
    """
    file = world or Settings.from_env().world_file
    config = load_world(file, seed=seed)
    values_of = config.to_dict()
    charging = dict(values_of["charging"])
    # A session is cut at the time limit: a rest could be shorter than the shortest.
    for limit in charging:
        charging[limit] = max(charging[limit], preset.duration_s[1])
    update = {
        "subscribers": subscribers,
        "part_size": min(values_of["part_size"], _PART_SIZE),
        "operators": _operators(preset, source, config, values_of["operators"]),
        "charging": charging,
        "network": {**values_of["network"], "sites": preset.antennas},
        "bounds": {
            "duration_s": list(preset.duration_s),
            "latitude": list(preset.latitude),
            "longitude": list(preset.longitude),
            "antenna_height_m": list(preset.altitude_m),
        },
    }
    try:
        return config.model_copy(update=update)
    except ValidationError as error:
        # `duration_s`, which is the preset's, reads like the world's `bounds.duration_s`.
        inner = {**source.lines, ("bounds",): source.line(("duration_s",))}
        known = WorldFile(source.name, source.tree, inner, source.raw)
        raise TelcoError(problems.describe(error, WorldConfig, known, ())) from None


def _operators(
    preset: FlatPreset, source: WorldFile, config: WorldConfig, operators: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the operators of the world with the preset's market shares."""
    shares = preset.market_shares
    if shares is None:
        return operators
    names = [operator.name for operator in config.operators]
    where = f"{source.name}:{source.line(('market_shares',))}: market_shares"
    for name in shares:
        if name not in names:
            line = source.line(("market_shares", name))
            hint = values.closest(name, names) or f"they are {', '.join(names)}"
            raise TelcoError(
                f"{source.name}:{line}: market_shares: no operator {name[:40]!r} in the world "
                f"file: {hint}"
            )
    if lacking := [name for name in names if name not in shares]:
        raise TelcoError(f"{where}: lacks {', '.join(lacking)}: write the share of every operator")
    total = math.fsum(shares.values())
    if abs(total - 1) > checks.SHARES_TOLERANCE:
        raise TelcoError(f"{where}: must sum to 1, not {total:.7g}")
    return [{**operator, "share": shares[operator["name"]]} for operator in operators]
