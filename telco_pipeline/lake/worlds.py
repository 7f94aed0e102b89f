"""Which world lies where in a lake, and why another one is never mixed into it.

Belongs here: `_world.json`, binding a lake to a world, removing a world. Does not belong here:
what a world is (`telco_pipeline.settings`); here it is a name, a seed, a hash and a dictionary.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import layout
from telco_pipeline.lake.provenance import Origin, Provenance
from telco_pipeline.settings import without_words


@dataclass(frozen=True)
class LakeWorld:
    """The world that lies in a lake or, as a variant, beside its main world.

    Attributes:
        name: Name of the world.
        seed: Seed of every draw.
        world_hash: Hash of everything that makes rows.
        overlays: Hash of the main world that shows through where this variant has no partition
            of its own; None if the variant is whole in itself.
        config: The world's whole configuration, for people; None if nobody knows it any more.
    """

    name: str
    seed: int
    world_hash: str
    overlays: str | None
    config: dict[str, Any] | None

    @classmethod
    def read(cls, base: Path) -> "LakeWorld | None":
        """Return the world that a directory names; None if it names none."""
        path = base / layout.WORLD_FILE
        try:
            file = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return _read(path, (file.st_ino, file.st_mtime_ns, file.st_size))
        except (TelcoError, TypeError) as error:
            raise TelcoError(
                f"{path} is damaged and does not name a world: remove this file and generate "
                f"again{_told_by_partitions(base)}; the file is then written anew"
            ) from error

    def write(self, base: Path) -> None:
        """Write which world lies in a directory."""
        layout.write_json(base / layout.WORLD_FILE, asdict(self))

    def options(self) -> str:
        """Return the options of the command that name the world, as far as they are known."""
        size = (self.config or {}).get("subscribers")
        told = f"{'' if size is None else f'--subscribers {size} '}--seed {self.seed}"
        layers = _layers(self.config)
        return f"{told} --scenarios {','.join(layers)}" if layers else told

    def told(self) -> str:
        """Return the world in words."""
        facts = [f"seed {self.seed}"]
        if self.config and "subscribers" in self.config:
            facts.append(f"{self.config['subscribers']} subscribers")
        return f"'{self.name}' {self.world_hash} ({', '.join(facts)})"


# Every look for a partition of a world that lies over another one asks for both, and a world with
# layers is long. Who writes the file puts a new one in its place, so a change always shows.
@lru_cache(maxsize=8)
def _read(path: Path, _version: tuple[int, int, int]) -> LakeWorld | None:
    plain = layout.read_json(path)
    return None if plain is None else LakeWorld(**plain)


def bind(
    root: Path,
    world: str,
    origin: Origin,
    config: dict[str, Any],
    overlays: str | None,
    replace: bool,
) -> None:
    """Write which world lies here, or refuse if it is another one; see `Lake.bind`."""
    base = layout.world_base(root, world)
    plain = json.loads(json.dumps(config, default=str))  # as it will be read again
    wanted = LakeWorld(world, origin.seed, origin.world_hash, overlays, plain)
    with layout.disk_errors("write to", root):
        with layout.locked(root):
            held = _held(base, world, broken_is_none=replace)
            if held is not None and held.world_hash != wanted.world_hash:
                if not replace:
                    refuse_other_world(root, held, origin, plain)
                _remove(root, base)
            if held is None or held != wanted:
                wanted.write(base)
        layout.empty_trash(root)


def refuse_other_world(
    root: Path, held: LakeWorld, origin: Origin, config: dict[str, Any] | None
) -> None:
    """Raise a TelcoError unless the world that lies there is the one asked for."""
    if held.world_hash == origin.world_hash:
        return
    asked = f"{origin.world_hash} (seed {origin.seed}"
    if config and "subscribers" in config:
        asked += f", {config['subscribers']} subscribers"
    layers = _layers_told(_layers(held.config), _layers(config)) if held.config and config else ""
    raise TelcoError(
        f"{root} holds the world {held.told()}; you asked for {asked}){layers}: "
        "choose another --lake, "
        "lay it beside with --world NAME, or remove the old one with --replace"
    )


def _layers(config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the scenario layers of a configuration by name."""
    layers = (config or {}).get("layers")
    return layers if isinstance(layers, Mapping) else {}


def _layers_told(held: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Return in words which layers are in one of two worlds only, or differ."""
    told = {
        "it has": [name for name in held if name not in asked],
        "it lacks": [name for name in asked if name not in held],
        "it has other versions of": [
            name
            for name in held
            if name in asked and without_words(held[name]) != without_words(asked[name])
        ],
    }
    words = [f"{what} {', '.join(sorted(names))}" for what, names in told.items() if names]
    return f"; of the scenario layers {', '.join(words)}" if words else ""


def _held(base: Path, world: str, broken_is_none: bool) -> LakeWorld | None:
    """Return the world that lies in a directory, by its name or else by its first partition."""
    try:
        named = LakeWorld.read(base)
    except TelcoError:
        if not broken_is_none:
            raise
        named = None
    return remembered(base, world) if named is None else named


def remembered(base: Path, world: str) -> LakeWorld | None:
    """Return the world that lies in a directory by the provenance of its partitions.

    Of its configuration no more is known than the number of subscribers, by their rows.

    Raises:
        TelcoError: There are partitions, and the provenance of none of them can be read.
    """
    broken: TelcoError | None = None
    for partition in _partitions(base):
        try:
            found = Provenance.read(partition)
        except TelcoError as error:
            broken = broken or error
            continue
        if found is not None:
            return LakeWorld(world, found.seed, found.world_hash, None, _size(base, found))
    if broken is not None:
        raise broken
    return None


def _size(base: Path, of: Provenance) -> dict[str, Any] | None:
    """Return the number of subscribers of the world that a partition belongs to, if it is known."""
    with suppress(TelcoError):
        people = Provenance.read(layout.partition_directory(base, "subscribers", None))
        if people is not None and people.world_hash == of.world_hash:
            return {"subscribers": people.rows}
    return None


def _told_by_partitions(base: Path) -> str:
    with suppress(TelcoError):
        if (known := remembered(base, base.name)) is not None:
            return f" with {known.options()}, as the provenance of its partitions tells"
    return " with the options of its world"


def _partitions(base: Path) -> Iterator[Path]:
    """Find the partitions, those without days first: there are few of them."""
    for pattern in (layout.PROVENANCE_FILE, f"day=*/{layout.PROVENANCE_FILE}"):
        for dataset in layout.dataset_directories(base):
            for record in sorted(dataset.glob(pattern)):
                yield record.parent


def _remove(root: Path, base: Path) -> None:
    """Move a world's datasets to the trash; directories without partitions of ours stay.

    The name goes first: a kill half-way leaves partitions that still tell their world.
    """
    (base / layout.WORLD_FILE).unlink(missing_ok=True)
    for dataset in {found.parent if layout.day_of(found) else found for found in _partitions(base)}:
        layout.to_trash(root, dataset)
