"""`telco scenarios`: the worlds and layers that there are, and whether a file of them is right.

Belongs here: listing, showing and checking files. Does not belong here: the rules of world.yaml
(`settings`) and, once there are any, of layers.
"""

from pathlib import Path
from typing import Annotated

import typer

from telco_pipeline.cli.options import LAYERS, NO_LAYERS_YET, WorldFile, did_you_mean, layer_files
from telco_pipeline.errors import TelcoError

app = typer.Typer(
    help="Show the operator's world and its scenario layers, and check their files.",
    no_args_is_help=False,
)


@app.callback(invoke_without_command=True)
def _scenarios(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
def list_(world_file: WorldFile = None) -> None:
    """List the world (hash, seed, size) and the layer files beside it.

    For example:

      telco scenarios list
    """
    from telco_pipeline.cli.display import Column, count, print_line, print_table
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
    layers = layer_files(path)
    if not layers:
        print_line(f"No layers in {path.parent / LAYERS}.")
        return
    print_table(
        "Layers",
        [Column("name"), Column("file"), Column("state")],
        [[layer.stem, str(layer), "not read: no layer language yet"] for layer in layers],
    )


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
    if name == "world":
        config = load_world(path)
        typer.echo(f"# {path}, world hash {config.world_hash}")
        typer.echo(config.to_yaml(), nl=False)
        return
    layers = {layer.stem: layer for layer in layer_files(path)}
    if name not in layers:
        raise TelcoError(f"no scenario {name!r}{did_you_mean(name, ['world', *layers])}")
    typer.echo(layers[name].read_text(encoding="utf-8"), nl=False)


@app.command()
def validate(
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE]", help="File to check; default: the world file."),
    ] = None,
) -> None:
    """Check a world file: every key, type and sum; says the line and what to write instead.

    For example:

      telco scenarios validate

      telco scenarios validate my-operator.yaml
    """
    from telco_pipeline.settings import load_world

    path = _world_path(file)
    if path.parent.name == LAYERS and path.exists():
        raise TelcoError(f"{path}: {NO_LAYERS_YET}, so it cannot be checked; only world files can")
    config = load_world(path)
    typer.echo(f"{path}: a sound world, hash {config.world_hash}, {config.subscribers} subscribers")


def _world_path(given: str | None) -> Path:
    from telco_pipeline.settings import Settings

    return Path(given or Settings.from_env().world_file)
