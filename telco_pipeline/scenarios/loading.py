"""Reading layers: the files of `scenarios/layers`, and which of them are on.

Belongs here: `load_operator`, `load_layers`, `chosen`, `with_words`. Does not belong here: YAML
(`settings.world_file`), the shape of a layer (`language`), what comes of it (`story`).
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from telco_pipeline.errors import TelcoError
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.settings import WorldConfig, load_world, values

DIRECTORY: Final = "layers"
ALL: Final = "all"
NONE: Final = "none"
WORLD: Final = "world"
"""What `telco scenarios show` calls the world itself."""


def layer_files(world_file: Path) -> list[Path]:
    """Return the layer files that lie beside a world file, in the order of their names.

    Raises:
        TelcoError: A file there ends in .yml, and would be left out without a word.
    """
    directory = world_file.parent / DIRECTORY
    for path in sorted(directory.glob("*.yml")):
        raise TelcoError(f"{path}: rename it: the name of a layer file ends in .yaml")
    return sorted(directory.glob("*.yaml"))


def load_layer(path: Path) -> Layer:
    """Read a layer.

    Raises:
        TelcoError: When the file cannot be read or a value is refused. One line: file, line, what
            is wrong and what to write instead.
    """
    layer, faults = read_layer(path)
    if layer is None:
        # Here, not above: YAML is slow to import.
        from telco_pipeline.settings import problems

        raise TelcoError(f"{faults[0]}{problems.others(len(faults))}")
    return layer


def read_layer(path: Path) -> tuple[Layer | None, list[str]]:
    """Read a layer; if values are refused, return none and a line for each that is.

    Raises:
        TelcoError: When the file cannot be read.
    """
    # Here, not above: YAML is slow to import, and so are the contracts.
    from telco_pipeline.scenarios import selection
    from telco_pipeline.settings import problems, world_file

    source = world_file.read(path, "layer")
    if not values.IDENTIFIER.takes(path.stem):
        raise TelcoError(
            f"{source.name}: rename it: before .yaml must stand {values.IDENTIFIER.expects}"
        )
    if path.stem in (ALL, NONE, WORLD):
        raise TelcoError(
            f"{source.name}: rename it: {path.stem} is no layer's name, but a word of telco"
        )
    try:
        layer = Layer.model_validate(source.tree)
    except ValidationError as error:
        return None, problems.lines(error, Layer, source, {})
    found = [problems.line(source, at, at, text) for at, text in selection.problems(layer)]
    return (None if found else layer), found


def load_layers(world_file: Path) -> dict[str, Layer]:
    """Read all layers beside a world file, by name.

    Raises:
        TelcoError: As `load_layer`; or two layers have the same number.
    """
    paths = layer_files(world_file)
    found = {path.stem: load_layer(path) for path in paths}
    check_numbers(paths, found)
    return found


def check_numbers(paths: Sequence[Path], layers: Mapping[str, Layer]) -> None:
    """Refuse layers of which two have the same number.

    Args:
        paths: Their files.
        layers: Some or all of them, by name.

    Raises:
        TelcoError: At the line of the number.
    """
    holders: dict[int, str] = {}
    for path in paths:
        layer = layers.get(path.stem)
        if layer is None:
            continue
        if layer.number in holders:
            from telco_pipeline.settings import problems, world_file

            at = ("number",)
            text = (
                f"{layer.number} is that of {holders[layer.number]} too: draws hang on it, so "
                f"choose another, such as {free_number(layers.values())}"
            )
            raise TelcoError(problems.line(world_file.read(path, "layer"), at, at, text))
        holders[layer.number] = path.stem


def chosen(wanted: Sequence[str], known: Mapping[str, Layer]) -> dict[str, Layer]:
    """Return the layers that are on: all that are enabled, none, or those that are named.

    Raises:
        TelcoError: When a name is unknown, or all or none does not stand alone.
    """
    asked = [name.strip() for name in wanted if name.strip()]
    if not asked:
        raise TelcoError("--scenarios is empty; write all, none, or names separated by commas")
    if len(asked) > 1 and {ALL, NONE} & set(asked):
        raise TelcoError(f"--scenarios {','.join(asked)}: all and none stand alone")
    if asked == [ALL]:
        return {name: layer for name, layer in known.items() if layer.enabled}
    if asked == [NONE]:
        return {}
    for name in asked:
        if name not in known:
            raise TelcoError(f"no scenario layer {name[:80]!r}: {_known(name, known)}")
    return {name: layer for name, layer in known.items() if name in asked}


def with_layers(config: WorldConfig, layers: Mapping[str, Layer]) -> WorldConfig:
    """Return a world with some layers on."""
    trees: dict[str, Any] = {name: layer.to_dict() for name, layer in sorted(layers.items())}
    for tree in trees.values():
        # It is on: whether it would be so unasked makes no other world.
        tree.pop("enabled", None)
    return config.model_copy(update={"layers": trees})


def with_words(config: WorldConfig, world_file: Path) -> tuple[WorldConfig, list[str]]:
    """Return a world whose layers tell of themselves what their files say now.

    Story, signatures and tells make no records, so those of the files hold for a lake that was made
    before they were written, as long as the layer does the same.

    Args:
        config: The world, such as that of a lake.
        world_file: The world file beside which the layers lie.

    Returns:
        The world, and the names of the layers whose files now do something else, or cannot be read:
        these are as they were, as are those whose files are gone.
    """
    # Here, not above: NumPy is slow to import.
    from telco_pipeline.scenarios.story import layers_of

    layers = dict(layers_of(config))
    changed = []
    for name, held in layers.items():
        # Each by its own name: what else lies there does not matter here.
        path = world_file.parent / DIRECTORY / f"{name}.yaml"
        if not path.exists():
            continue
        try:
            now = load_layer(path)
        except TelcoError:
            now = None
        if now is not None and now.acts_hash == held.acts_hash:
            layers[name] = now
        else:
            changed.append(name)
    return (with_layers(config, layers) if layers else config), changed


def load_operator(
    world_file: Path, scenarios: Sequence[str] = (ALL,), **overrides: Any
) -> WorldConfig:
    """Read a world with the layers beside its file that are on.

    Args:
        world_file: The world file.
        scenarios: `all` (those that are enabled), `none`, or names of layers.
        **overrides: As of `load_world`.

    Raises:
        TelcoError: As of `load_world`, `load_layers` and `chosen`.
    """
    config = load_world(world_file, **overrides)
    if [name.strip() for name in scenarios] == [NONE]:
        return config  # whatever is wrong with their files does not matter then
    layers = chosen(scenarios, load_layers(world_file))
    return with_layers(config, layers) if layers else config


def free_number(layers: Iterable[Layer]) -> int:
    """Return the smallest number that no layer has.

    Raises:
        TelcoError: All are taken.
    """
    used = {layer.number for layer in layers}
    for number in range(1, 1000):
        if number not in used:
            return number
    raise TelcoError("all numbers of layers from 1 to 999 are taken: remove a layer")


def _known(name: str, known: Mapping[str, Layer]) -> str:
    if not known:
        return "there are none yet: write one with telco scenarios new"
    return values.closest(name, known) or f"there are: {', '.join(known)}"
