"""Options that several commands share, and the request that they add up to.

Belongs here: reading and checking what was typed. Does not belong here: rules of the world,
which `settings` knows.
"""

import datetime as dt
import inspect
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.settings import WorldConfig

SIZE = "The operator"
WHERE = "Where and what"
HOW = "How"

Subscribers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="SIM cards in service; default: as in the world file.",
        rich_help_panel=SIZE,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        metavar="S",
        help="Seed of every draw; default: as in the world file.",
        rich_help_panel=SIZE,
    ),
]
Scenarios = Annotated[
    str,
    typer.Option(
        metavar="all|none|A,B",
        help="Scenario layers that are on; all: those that their files enable.",
        rich_help_panel=SIZE,
    ),
]
WorldFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="The operator's description; default: $TELCO_WORLD or scenarios/world.yaml.",
        rich_help_panel=SIZE,
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        metavar="DATE",
        help="First day (2026-01-31); default: the world's epoch.",
        rich_help_panel=WHERE,
    ),
]
Days = Annotated[int, typer.Option(metavar="N", help="Number of days.", rich_help_panel=WHERE)]
LakeDirectory = Annotated[
    str | None,
    typer.Option(
        "--lake",
        metavar="DIR",
        help="The lake; default: $TELCO_LAKE or data/lake.",
        rich_help_panel=WHERE,
    ),
]
Datasets = Annotated[
    str | None,
    typer.Option(
        metavar="A,B", help="Datasets, separated by commas; default: all.", rich_help_panel=WHERE
    ),
]
World = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="World in the lake: main, or a variant that lies beside it in _worlds/NAME.",
        rich_help_panel=WHERE,
    ),
]
Shards = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Shares that a day's parts are dealt into; never changes the rows.",
        rich_help_panel=HOW,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Processes at a time; default: $TELCO_WORKERS or the cores.",
        rich_help_panel=HOW,
    ),
]
Replace = Annotated[
    bool,
    typer.Option(
        "--replace",
        help="Make again what exists, inputs too; removes another world that lies there.",
        rich_help_panel=HOW,
    ),
]


@dataclass(frozen=True)
class Request:
    """What a user asked to make.

    Attributes:
        config: The world, with the options' overrides and the layers that are on.
        lake: Root of the lake.
        world: Name of the world in the lake.
        datasets: Datasets asked for, in the order in which they are made; None: all.
        first: First day.
        days: Number of days.
        workers: Processes at a time.
        shards: Shares of a day's parts; None: as many as workers.
        replace: Whether to make again what exists.
    """

    config: "WorldConfig"
    lake: str
    world: str
    datasets: list[str] | None
    first: dt.date
    days: int
    workers: int
    shards: int | None
    replace: bool


def request(
    *,
    subscribers: Subscribers = None,
    seed: Seed = None,
    scenarios: Scenarios = "all",
    world_file: WorldFile = None,
    start: Start = None,
    days: Days = 1,
    lake: LakeDirectory = None,
    datasets: Datasets = None,
    world: World = "main",
    shards: Shards = None,
    workers: Workers = None,
    replace: Replace = False,
) -> Request:
    """Check what was typed and return it as one request; only the world and layers are read.

    Raises:
        TelcoError: When an option or the world file is wrong.
    """
    from telco_pipeline.settings import Settings, check_day

    at_least_one("--days", days)
    at_least_one("--shards", shards)
    at_least_one("--workers", workers)
    names = dataset_names(datasets)
    settings = Settings.from_env()
    config = operator_of(
        Path(world_file or settings.world_file), scenarios, subscribers=subscribers, seed=seed
    )
    first = day_of("--start", start) or config.epoch
    last = last_day(first, days)
    check_day(config, first)
    check_day(config, last)
    return Request(
        config=config,
        lake=lake_root(lake),
        world=world,
        datasets=names,
        first=first,
        days=days,
        workers=workers or settings.workers,
        shards=shards,
        replace=replace,
    )


def operator_of(file: Path, scenarios: str = "all", **overrides: int | None) -> "WorldConfig":
    """Return the world of a file with the layers that are on.

    Args:
        file: The world file.
        scenarios: As typed: all, none, or names of layers separated by commas.
        **overrides: Values of top-level keys that replace those of the file; None leaves it.

    Raises:
        TelcoError: A name, the world file or a layer file is wrong.
    """
    from telco_pipeline.scenarios.loading import load_operator

    return load_operator(file, scenarios.split(","), **overrides)


def on_request(command: Callable[[Request], None]) -> Callable[..., None]:
    """Return a command that takes the options of `request`, all of them, and hands on theirs."""

    @wraps(command)
    def typed(**values: Any) -> None:
        command(request(**values))

    # Typer reads a command's options from its signature and annotations.
    vars(typed)["__signature__"] = inspect.signature(request)
    typed.__annotations__ = request.__annotations__
    return typed


def lake_root(lake: str | None) -> str:
    """Return the lake that was named, or that of the environment."""
    from telco_pipeline.settings import Settings

    if lake is not None and not lake.strip():
        raise TelcoError("--lake is empty; name a directory, such as data/lake")
    return lake or str(Settings.from_env().lake)


def directory_to_be(option: str, path: Path) -> None:
    """Refuse a directory that could not be made, or written into.

    Raises:
        TelcoError: It or what lies above it is a file, or may not be written to.
    """
    there = next((each for each in (path, *path.parents) if each.exists()), None)
    if there is None:
        return
    if not there.is_dir():
        raise TelcoError(f"{option}: {there} is a file, not a directory; choose another path")
    if not os.access(there, os.W_OK | os.X_OK):
        raise TelcoError(f"{option}: {there} may not be written to; choose another path")


def file_to_be(option: str, path: Path) -> None:
    """Refuse a file that could not be written.

    Raises:
        TelcoError: It is a directory, or its directory cannot be.
    """
    if path.is_dir():
        raise TelcoError(f"{option}: {path} is a directory; name a file")
    directory_to_be(option, path.parent)


def at_least_one(option: str, number: int | None) -> None:
    """Refuse a number below 1."""
    if number is not None and number < 1:
        raise TelcoError(f"{option} must be 1 or more, not {number}")


def day_of(option: str, text: str | None) -> dt.date | None:
    """Return a day as typed, or None if none was."""
    from telco_pipeline.settings import parse_day

    if text is None:
        return None
    try:
        return parse_day(text)
    except TelcoError as error:
        raise TelcoError(f"{option}: {error}") from error


def last_day(first: dt.date, days: int) -> dt.date:
    """Return the last of `days` days from `first`."""
    try:
        return first + dt.timedelta(days=days - 1)
    except OverflowError:
        raise TelcoError(
            f"--days {days} from {first} leads beyond the calendar; ask for fewer days"
        ) from None


def dataset_names(text: str | None) -> list[str] | None:
    """Return the datasets that were named, each once and in the order of making.

    Raises:
        TelcoError: When a name is unknown.
    """
    from telco_pipeline.contracts import DATASETS

    if text is None or text.strip() == "all":
        return None
    names = _split(text)
    if not names:
        raise TelcoError("--datasets is empty; leave it out to get all datasets")
    for name in names:
        if name not in DATASETS:
            raise TelcoError(f"no dataset {name!r}{did_you_mean(name, DATASETS)}")
    return [name for name in DATASETS if name in names]


def with_inputs(names: list[str] | None) -> list[str]:
    """Return the datasets and all that they are made from, in the order of making."""
    from telco_pipeline.contracts import DATASETS
    from telco_pipeline.lineage import sources_of

    wanted = set(DATASETS if names is None else names)
    queue = list(wanted)
    while queue:
        lacking = set(sources_of(queue.pop())) - wanted
        wanted |= lacking
        queue.extend(lacking)
    return [name for name in DATASETS if name in wanted]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of an error about an unknown word: what is near it, or all there is."""
    names = list(known)
    near = get_close_matches(word, names, n=2, cutoff=0.55)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; there are: {', '.join(names)}" if names else ""


def names(option: str, text: str) -> list[str]:
    """Return the names in a list as typed, separated by commas; TelcoError if there is none."""
    found = _split(text)
    if not found:
        raise TelcoError(f"{option} is empty; leave it out, or name some separated by commas")
    return found


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
