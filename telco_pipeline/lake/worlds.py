"""Which world lies where in a lake, and why another one is never mixed into it.

Belongs here: `_world.json`, binding a lake to a world, removing a world. Does not belong here:
what a world is (`telco_pipeline.settings`); here it is a name, a seed, a hash and a dictionary.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import layout
from telco_pipeline.lake.provenance import Origin, Provenance


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
        plain = layout.read_json(path)
        if plain is None:
            return None
        try:
            return cls(**plain)
        except TypeError as error:
            raise TelcoError(
                f"{path} does not name a world ({error}): choose another --lake, or remove the "
                "world with --replace"
            ) from error

    def write(self, base: Path) -> None:
        """Write which world lies in a directory."""
        layout.write_json(base / layout.WORLD_FILE, asdict(self))

    def told(self) -> str:
        """Return the world in words."""
        facts = [f"seed {self.seed}"]
        if self.config and "subscribers" in self.config:
            facts.append(f"{self.config['subscribers']} subscribers")
        return f"'{self.name}' {self.world_hash} ({', '.join(facts)})"


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
                    refuse_other_world(root, held, origin, config)
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
    raise TelcoError(
        f"{root} holds the world {held.told()}; you asked for {asked}): choose another --lake, "
        "lay it beside with --world NAME, or remove the old one with --replace"
    )


def _held(base: Path, world: str, broken_is_none: bool) -> LakeWorld | None:
    """Return the world that lies in a directory, by its name or else by its first partition."""
    try:
        named = LakeWorld.read(base)
    except TelcoError:
        if not broken_is_none:
            raise
        named = None
    if named is not None:
        return named
    for partition in _partitions(base):
        found = Provenance.read(partition)
        if found is not None:
            return LakeWorld(world, found.seed, found.world_hash, None, None)
    return None


def _partitions(base: Path) -> list[Path]:
    return [
        record.parent
        for dataset in layout.dataset_directories(base)
        for pattern in (layout.PROVENANCE_FILE, f"day=*/{layout.PROVENANCE_FILE}")
        for record in sorted(dataset.glob(pattern))
    ]


def _remove(root: Path, base: Path) -> None:
    """Move a world's datasets to the trash; directories without partitions of ours stay.

    The name goes first: a kill half-way leaves partitions that still tell their world.
    """
    (base / layout.WORLD_FILE).unlink(missing_ok=True)
    for dataset in {found.parent if layout.day_of(found) else found for found in _partitions(base)}:
        layout.to_trash(root, dataset)
