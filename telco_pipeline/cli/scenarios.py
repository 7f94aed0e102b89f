"""`telco scenarios`: the world and its layers: list, show, check, write, turn on and off, preview.

Belongs here: what is typed, and showing it. Does not belong here: the rules of world.yaml
(`settings`) and of layers (`scenarios`), text of layer files (`scenarios.editing`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telco_pipeline.cli import options
from telco_pipeline.cli.options import WorldFile, did_you_mean
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.scenarios.language import Layer
    from telco_pipeline.scenarios.preview import Bar, Reach
    from telco_pipeline.scenarios.selection import Ground
    from telco_pipeline.scenarios.timeline import Incident
    from telco_pipeline.settings import WorldConfig

WORLD = "world"
PREVIEW_DAYS = 35
MOST_INCIDENTS = 12
"""Incidents that a preview shows; those that follow are counted."""
LINE = 56
"""Characters of a timeline."""
_LAYER_KEYS = {"when", "cast", "stages", "story", "kind"}

app = typer.Typer(
    help="Show the operator's world and its scenario layers; write, check and preview layers.",
    no_args_is_help=False,
)

LayerNames = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of layers.")]


@app.callback(invoke_without_command=True)
def _scenarios(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
def list_(world_file: WorldFile = None) -> None:
    """List the world (hash, seed, size) and the layers beside it: when, how hard, on or off.

    For example:

      telco scenarios list
    """
    from telco_pipeline.cli.display import Column, count, print_line, print_table
    from telco_pipeline.scenarios.loading import DIRECTORY, layer_files
    from telco_pipeline.settings import load_world

    path = _world_path(world_file)
    config = load_world(path)
    print_table(
        "World",
        [
            Column("file"),
            Column("hash"),
            Column("seed", True),
            Column("subscribers", True),
            Column("epoch"),
        ],
        [
            [
                str(path),
                config.world_hash,
                str(config.seed),
                count(config.subscribers),
                str(config.epoch),
            ]
        ],
    )
    files = layer_files(path)
    if not files:
        print_line(f"No layers in {path.parent / DIRECTORY}: write one with telco scenarios new.")
        return
    print_table(
        "Layers",
        [
            Column("name"),
            Column("number", True),
            Column("kind"),
            Column("on"),
            Column("difficulty", True),
            Column("first incident"),
            Column("incidents"),
            Column("title"),
        ],
        [_row(config, file) for file in files],
    )


def _row(config: "WorldConfig", file: Path) -> list[str]:
    """Return the row of a layer; of one that is wrong its first fault."""
    from telco_pipeline.scenarios.loading import load_layer
    from telco_pipeline.scenarios.timeline import incidents, parallel
    from telco_pipeline.settings import LAST_DAY

    try:
        layer = load_layer(file)
    except TelcoError as error:
        return [file.stem, "", "", "wrong", "", "", "", _escaped(str(error))]
    first = next(incidents(config, layer, LAST_DAY), None)
    when, at_a_time = layer.when, parallel(config, layer)
    often = "" if when.every is None else f" every {when.every}"
    times = 1 if when.every is None else when.times
    number = f"{at_a_time} at a time,{often}" if times is None else f"{times * at_a_time:,}{often}"
    return [
        file.stem,
        str(layer.number),
        layer.kind,
        "on" if layer.enabled else "off",
        f"{layer.difficulty:g}",
        "never" if first is None else _local(config, first.start),
        number,
        _escaped(layer.title),
    ]


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="world, or a layer's name.")],
    world_file: WorldFile = None,
) -> None:
    """Print a file: the world as it is understood (defaults filled in), or a layer as it stands.

    For example:

      telco scenarios show world

      telco scenarios show world --world-file my-operator.yaml
    """
    from telco_pipeline.settings import load_world

    path = _world_path(world_file)
    if name == WORLD:
        config = load_world(path)
        typer.echo(f"# {path}, world hash {config.world_hash}")
        typer.echo(config.to_yaml(), nl=False)
        return
    typer.echo(_text(_file_of(path, name, WORLD)), nl=False)


@app.command()
def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="World or layer files; default: the world file and all layers beside it.",
        ),
    ] = None,
) -> None:
    """Check files: every key, type, name, sum and query; says the line and what to write instead.

    Every fault of a layer is a line of its own. Exit status 2 if there is any.

    For example:

      telco scenarios validate

      telco scenarios validate my-operator.yaml scenarios/layers/my_layer.yaml
    """
    from telco_pipeline.scenarios.language import Layer
    from telco_pipeline.scenarios.loading import check_numbers, layer_files

    faults: list[str] = []
    layers: dict[str, Layer] = {}
    if files:
        paths = files
    else:
        world = _world_path(None)
        paths = [world, *layer_files(world)]
    for path in paths:
        try:
            layer, found, told = _checked(path)
        except TelcoError as error:
            faults.append(str(error))
            continue
        faults += found
        if layer is not None:
            layers[path.stem] = layer
        if told:
            typer.echo(told)
    if not files:
        try:
            check_numbers(paths[1:], layers)
        except TelcoError as error:
            faults.append(str(error))
    for fault in faults[:-1]:
        typer.echo(f"telco: {fault}", err=True)
    if faults:
        raise TelcoError(faults[-1])


def _checked(path: Path) -> tuple["Layer | None", list[str], str]:
    """Return a layer, what is wrong with a file, and that it is sound."""
    from telco_pipeline.scenarios.loading import DIRECTORY, read_layer
    from telco_pipeline.settings import load_world, problems, world_file
    from telco_pipeline.signatures import query_faults

    if not path.exists():
        told = "telco scenarios list shows those there are"
        raise TelcoError(f"{path}: there is no such file: {told}")
    of_layers = path.parent.name == DIRECTORY
    source = world_file.read(path, "layer" if of_layers else WORLD)
    if not of_layers and not _LAYER_KEYS & set(source.tree):
        config = load_world(path)
        told = f"hash {config.world_hash}, {config.subscribers} subscribers"
        return None, [], f"{path}: a sound world, {told}"
    layer, faults = read_layer(path)
    if layer is None:
        return None, faults, ""
    queries = [(("signatures", place, "sql"), text) for place, text in query_faults(layer)]
    if queries:
        return layer, [problems.line(source, at, at, text) for at, text in queries], ""
    return layer, [], f"{path}: a sound layer, number {layer.number}, hash {layer.layer_hash}"


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the layer and its file.")],
    kind: Annotated[
        str,
        typer.Option(metavar="KIND", help="network, customers, fraud, revenue, marketing or iot."),
    ] = "network",
    world_file: WorldFile = None,
) -> None:
    """Write a new layer to begin with: a commented file that is valid, with a number of its own.

    For example:

      telco scenarios new router_trouble

      telco scenarios new my_story --kind customers
    """
    from telco_pipeline.scenarios.editing import skeleton, write_atomically
    from telco_pipeline.scenarios.language import KINDS
    from telco_pipeline.scenarios.loading import (
        ALL,
        DIRECTORY,
        NONE,
        free_number,
        load_layers,
    )
    from telco_pipeline.scenarios.schema import FILE_NAME
    from telco_pipeline.settings import load_world, values

    if not values.IDENTIFIER.takes(name) or name in (WORLD, ALL, NONE):
        raise TelcoError(
            f"{name[:80]!r} cannot be a layer's name: write {values.IDENTIFIER.expects}, and not "
            f"{WORLD}, {ALL} or {NONE}"
        )
    if kind not in KINDS:
        raise TelcoError(f"--kind: no kind {kind[:80]!r}{did_you_mean(kind, KINDS)}")
    path = _world_path(world_file)
    load_world(path)  # a layer beside no world would be of no use
    file = path.parent / DIRECTORY / f"{name}.yaml"
    if file.exists() or file.is_symlink():
        raise TelcoError(f"{file} is there already: choose another name, or remove it")
    number = free_number(load_layers(path).values())
    options.directory_to_be("telco scenarios new", file.parent)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, skeleton(name, kind, number))
    typer.echo(f"{file}: a new layer, number {number}. Change it, then:")
    typer.echo("")
    option = f" --world-file {path}" if world_file else ""
    typer.echo(f"  telco scenarios validate {file}")
    typer.echo(f"  telco scenarios preview {name}{option}")
    typer.echo(f"  telco generate --scenarios {name} --lake data/{name}{option}")
    if not (path.parent / FILE_NAME).exists():
        typer.echo("")
        typer.echo(f"For completion in an editor: telco scenarios schema --write{option}")


@app.command("on")
def on(names: LayerNames, world_file: WorldFile = None) -> None:
    """Turn layers on: `--scenarios all` then has them. Edits the line `enabled:` of their files.

    For example:

      telco scenarios on another_story fibre_cut
    """
    _turn(names, world_file, on=True)


@app.command("off")
def off(names: LayerNames, world_file: WorldFile = None) -> None:
    """Turn layers off: `--scenarios all` then leaves them out; named, they are on all the same.

    For example:

      telco scenarios off another_story
    """
    _turn(names, world_file, on=False)


def _turn(names: Sequence[str], world_file: str | None, *, on: bool) -> None:
    """Edit the files of layers, all of them or none."""
    from telco_pipeline.scenarios.editing import turned, write_atomically
    from telco_pipeline.scenarios.loading import load_layer

    path = _world_path(world_file)
    word = "on" if on else "off"
    texts: dict[Path, str] = {}
    for name in dict.fromkeys(names):
        file = _file_of(path, name)
        if load_layer(file).enabled != on:
            texts[file] = turned(_text(file), on=on)
    for name in dict.fromkeys(names):
        file = _file_of(path, name)
        if file not in texts:
            typer.echo(f"{name} is {word} already")
            continue
        write_atomically(file, texts[file])
        typer.echo(f"{name} is {word} now ({file})")


@app.command()
def schema(
    write: Annotated[
        bool, typer.Option("--write", help="Write it beside the world file instead.")
    ] = False,
    world_file: WorldFile = None,
) -> None:
    """Print the JSON Schema of layer files, by which editors complete and check as one types.

    For example:

      telco scenarios schema --write
    """
    from telco_pipeline.scenarios.editing import write_atomically
    from telco_pipeline.scenarios.schema import FILE_NAME, schema_text

    text = schema_text()
    if not write:
        typer.echo(text, nl=False)
        return
    file = _world_path(world_file).parent / FILE_NAME
    options.file_to_be("--write", file)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, text)
    typer.echo(f"{file}: written")


@app.command()
def preview(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A layer's name.")],
    subscribers: options.Subscribers = None,
    seed: options.Seed = None,
    world_file: WorldFile = None,
    days: options.Days = PREVIEW_DAYS,
    lake: options.LakeDirectory = None,
    picture: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Draw the timeline as a PNG too.", rich_help_panel=options.WHERE
        ),
    ] = None,
) -> None:
    """Draw when a layer happens and whom it reaches, before anything is generated.

    Roles are found in the lake's static datasets if it has those of this world, seed and size;
    else these are made in memory. Nothing is written but the picture.

    For example:

      telco scenarios preview another_story

      telco scenarios preview another_story --subscribers 5000 --days 60 --picture another_story.png
    """
    from telco_pipeline.scenarios import preview as previews
    from telco_pipeline.scenarios.loading import load_layer
    from telco_pipeline.settings import load_world

    options.at_least_one("--days", days)
    path = _world_path(world_file)
    config = load_world(path, subscribers=subscribers, seed=seed)
    if picture is not None:
        if not picture.lower().endswith(".png"):
            raise TelcoError(f"--picture: {picture} must end in .png")
        options.file_to_be("--picture", Path(picture))
    root = options.lake_root(lake)
    options.last_day(config.epoch, days)
    layer = load_layer(_file_of(path, name))
    bars = previews.timeline(config, layer, config.epoch, days)
    found = list(previews.touching(config, layer, config.epoch, days))
    _show_timeline(config, name, layer, bars, days)
    if not found:
        return
    if picture is not None:
        _draw(config, layer, found, days, Path(picture))
    from telco_pipeline.cli.display import print_line, progress

    with progress("steps", f"Looking for whom {name} reaches") as meter:
        ground, origin = _ground(config, root, meter.step)
        meter.total = meter.done + len(found)
        reached = previews.reach(ground, found, meter.step)
    _show_reach(layer, reached)
    print_line(f"Roles were found in {origin}; nothing was generated.")


def _ground(config: "WorldConfig", root: str, tell: Callable[[str], None]) -> tuple["Ground", str]:
    """Return the world to find roles in, and in words where it comes from."""
    import polars as pl

    from telco_pipeline.code_version import code_version
    from telco_pipeline.lake import Lake
    from telco_pipeline.scenarios.effects import SUBSCRIBERS
    from telco_pipeline.scenarios.preview import StaticWorld, same_ground
    from telco_pipeline.scenarios.selection import KEYS, Ground

    lake = Lake(root)
    held = lake.held_world() if Path(root).is_dir() else None
    records = [lake.provenance(name) for name in (*KEYS, "prospects")] if held else []
    current = code_version(daily=False)
    if (
        held is None
        or not same_ground(held.config, config)
        or any(record is None or record.code_version != current for record in records)
    ):
        return Ground(config, StaticWorld(config, tell).read), "a world made in memory"

    def read(dataset: str, column: str) -> pl.Series:
        names = [dataset, "prospects"] if dataset == SUBSCRIBERS else [dataset]
        return pl.concat([lake.read(each, columns=[column]) for each in names])[column]

    return Ground(config, read), f"the lake {root}"


def _show_timeline(
    config: "WorldConfig", name: str, layer: "Layer", bars: Sequence["Bar"], days: int
) -> None:
    """Print the stages of incidents, a line each."""
    from telco_pipeline.cli.display import Column, print_line, print_table

    span = f"{days} days from {config.epoch}"
    if not bars:
        print_line(f"{name} has no incident in {span}: ask for more --days, or change its 'when'.")
        return
    shown = list(dict.fromkeys(bar.incident for bar in bars))
    rows = []
    for bar in bars:
        if bar.incident in shown[:MOST_INCIDENTS]:
            waits = " (waits for its trigger)" if bar.waits else ""
            first, last = _local(config, bar.start), _local(config, bar.end)
            line = _line(config, bar, days)
            rows.append([str(bar.incident), f"{bar.stage}{waits}", first, last, line])
    print_table(
        f"{_escaped(layer.title)} ({name}, number {layer.number}, difficulty "
        f"{layer.difficulty:g}): {span}, local time ({config.time_zone})",
        [
            Column("incident", True),
            Column("stage"),
            Column("from", True),
            Column("to", True),
            Column(_ruler(days), True),
        ],
        rows,
    )
    if len(shown) > MOST_INCIDENTS:
        print_line(f"and {len(shown) - MOST_INCIDENTS:,} more incidents")


def _line(config: "WorldConfig", bar: "Bar", days: int) -> str:
    """Return the time of a stage as a stretch of a line over all days."""
    from telco_pipeline.cli.display import stdout
    from telco_pipeline.engine.calendar import DAY, day_start

    full, open_ = "█░" if "utf" in stdout().encoding.lower() else "#-"
    width = min(LINE, days)
    start, length = day_start(config.epoch), days * DAY
    first = max((bar.start - start) * width // length, 0)
    last = min(-(-(bar.end - start) * width // length), width)
    stretch = (open_ if bar.waits else full) * max(last - first, 1)
    return f"{'·' if full == '█' else '.'}" * first + stretch.ljust(
        width - first, "·" if full == "█" else "."
    )


def _ruler(days: int) -> str:
    """Return the head of the line: the first and the last day, counted from 1."""
    width = min(LINE, days)
    return f"1{str(days).rjust(width - 1)}" if width > len(str(days)) else "days"


def _show_reach(layer: "Layer", reached: Sequence["Reach"]) -> None:
    """Print the members of each role in each incident, and whom they add up to."""
    from telco_pipeline.cli.display import Column, count, print_line, print_table

    single = [one for one in reached if one.incident is not None]
    print_table(
        "Who takes part",
        [
            Column("incident", True),
            Column("role"),
            Column("of"),
            Column("members", True),
            Column("share", True),
            Column(""),
        ],
        [
            [
                str(one.incident),
                role.role,
                role.of,
                count(role.members),
                f"{role.share:.2%}",
                "benign" if role.benign else "" if role.members else "nobody fits",
            ]
            for one in single[:MOST_INCIDENTS]
            for role in one.roles
        ],
    )
    triggers = any(stage.trigger is not None for stage in layer.stages)
    most = "at most " if triggers else ""
    for one in [*single[:MOST_INCIDENTS], *(each for each in reached if each.incident is None)]:
        who = "All incidents" if one.incident is None else f"Incident {one.incident}"
        parts = [
            f"{one.subscribers:,} subscribers ({one.of_subscribers:.2%})"
            if one.subscribers
            else "",
            f"{one.cells:,} cells ({one.of_cells:.2%})" if one.cells else "",
        ]
        told = " and ".join(part for part in parts if part)
        print_line(f"{who}: {most + told if told else 'nobody'}")


def _draw(
    config: "WorldConfig", layer: "Layer", found: Sequence["Incident"], days: int, file: Path
) -> None:
    from telco_pipeline import timelines
    from telco_pipeline.cli.display import print_line

    png = timelines.png(config, layer, found, options.last_day(config.epoch, days))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(png)
    print_line(f"{file}: the timeline as a picture")


def _local(config: "WorldConfig", time: int) -> str:
    """Return a time of the operator's country for people."""
    import datetime as dt

    moment = dt.datetime.fromtimestamp(time // 1_000_000, config.country_tz)
    return f"{moment:%Y-%m-%d %H:%M}"


def _escaped(text: str) -> str:
    """Return a text of a file as it stands: what Rich would take for markup is none."""
    from rich.markup import escape

    return escape(text)


def _file_of(world: Path, name: str, *words: str) -> Path:
    """Return the file of a layer that is there."""
    from telco_pipeline.scenarios.loading import layer_files

    files = {file.stem: file for file in layer_files(world)}
    if name not in files:
        known = did_you_mean(name, [*words, *files]) or "; there are none yet: telco scenarios new"
        raise TelcoError(f"no scenario {name[:80]!r}{known}")
    return files[name]


def _text(file: Path) -> str:
    """Return the text of a file with its line ends as they are."""
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise TelcoError(f"{file}: is not UTF-8 text: save the file as UTF-8") from None
    except OSError as error:
        raise TelcoError(f"{file}: cannot be read: {error.strerror}") from None


def _world_path(given: str | Path | None) -> Path:
    from telco_pipeline.settings import Settings

    return Path(given or Settings.from_env().world_file)
