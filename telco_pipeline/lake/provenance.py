"""Where a partition comes from and what is in it: the record that lies beside its rows.

Belongs here: `Origin`, `FileStats`, `Provenance` and their JSON. Does not belong here: whether
the record is true (`telco_pipeline.integrity`).
"""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from telco_pipeline.errors import TelcoError
from telco_pipeline.lake.layout import PROVENANCE_FILE, read_json, write_json


@dataclass(frozen=True)
class Origin:
    """What rows are made from.

    Attributes:
        seed: Seed of every draw.
        world_hash: Hash of everything that makes rows, the seed included.
        world_name: Name of the world; `main` or a variant.
        layers: Hash of each scenario layer that is on, by name.
        code_version: Version of the code that makes the rows.
    """

    seed: int
    world_hash: str
    world_name: str
    layers: dict[str, str] = field(default_factory=dict)
    code_version: str = ""


@dataclass(frozen=True)
class FileStats:
    """One Parquet file: its name, rows, size in bytes and the XXH3-128 of its bytes."""

    name: str
    rows: int
    bytes: int
    xxh3: str


@dataclass(frozen=True)
class Provenance:
    """What one partition is and where it comes from.

    Attributes:
        dataset: Name of the dataset.
        day: Day of the partition; None for a dataset without days.
        world_name: Name of the world.
        world_hash: Hash of everything that makes rows.
        seed: Seed of every draw.
        layers: Hash of each scenario layer that was on, by name.
        code_version: Version of the code that made the rows.
        contract_version: Version of the dataset's contract.
        contract_fingerprint: Hash of what the contract promises.
        rows: Rows in all files.
        bytes: Size of all files.
        files: The files, in the order of their names.
        content_hash: Hash over the files' hashes. The files hold no name, time or hash of a
            world, so rows that are equal and in equal order give equal hashes (with one version
            of Polars), in any world.
        created_at: When the partition was committed (UTC).
        seconds: How long making it took.
        libraries: Versions of the libraries that wrote the files.
    """

    dataset: str
    day: dt.date | None
    world_name: str
    world_hash: str
    seed: int
    layers: dict[str, str]
    code_version: str
    contract_version: int
    contract_fingerprint: str
    rows: int
    bytes: int
    files: tuple[FileStats, ...]
    content_hash: str
    created_at: dt.datetime
    seconds: float
    libraries: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values that JSON can hold."""
        plain = asdict(self)
        plain["day"] = None if self.day is None else self.day.isoformat()
        plain["created_at"] = self.created_at.isoformat()
        plain["files"] = [asdict(file) for file in self.files]
        return plain

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "Provenance":
        """Return the record of plain values; ValueError if they are not one."""
        try:
            values = dict(plain)
            values["day"] = None if plain["day"] is None else dt.date.fromisoformat(plain["day"])
            values["created_at"] = dt.datetime.fromisoformat(plain["created_at"])
            values["files"] = tuple(FileStats(**file) for file in plain["files"])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a provenance record: {error}") from error

    def write(self, directory: Path) -> None:
        """Write the record into a partition's directory."""
        write_json(directory / PROVENANCE_FILE, self.to_json())

    @classmethod
    def read(cls, directory: Path) -> "Provenance | None":
        """Return the record in a partition's directory; None if there is none."""
        path = directory / PROVENANCE_FILE
        plain = read_json(path)
        if plain is None:
            return None
        try:
            return cls.from_json(plain)
        except ValueError as error:
            raise TelcoError(f"{path} is {error}; generate the partition again") from error


def combined_hash(files: Sequence[FileStats]) -> str:
    """Return one hash over the files' hashes, in the order given."""
    return hashlib.sha256("".join(file.xxh3 for file in files).encode()).hexdigest()
