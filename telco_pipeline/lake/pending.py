"""A partition on its way into the lake: staged, checked, and put in its place in one step.

Belongs here: staging, the swap, what dead writers leave behind. Does not belong here: rows.

Files are written into a directory of staging and moved by one rename, so a reader or a kill at
any moment finds a partition whole or not at all. A partition that is made again is moved aside
just before: between the two renames it is absent. A writer holds a lock on a file beside its
directory; the kernel frees it when the writer dies, and the next writer sweeps the directory away.

There is no fsync: it protects against a power cut and not against a kill, it costs 20 ms for
75 MB, and every partition can be made again. After a power cut `telco check` finds by the hash
in the provenance what did not reach the disk.
"""

import datetime as dt
import fcntl
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from telco_pipeline.contracts import Dataset
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import layout, locks
from telco_pipeline.lake.provenance import FileStats, Origin, Provenance, combined_hash
from telco_pipeline.lake.worlds import LakeWorld, refuse_other_world


class PendingPartition:
    """One partition that is being made; made by `Lake.begin`, used as a context manager.

    Leaving the context without a commit removes what was staged. The files may be written by
    other processes; the one that began must live until the commit.

    Attributes:
        directory: Staging directory for the files.
    """

    def __init__(
        self, root: Path, world: str, dataset: str, day: dt.date | None, origin: Origin
    ) -> None:
        """Stage a partition, after sweeping away what dead writers left."""
        self._root = root
        self._world = world
        self._dataset = dataset
        self._day = day
        self._origin = origin
        self._target = layout.partition_directory(layout.world_base(root, world), dataset, day)
        self._alive: int | None = None
        with layout.disk_errors("begin a partition in", root):
            with layout.locked(root):
                self._check_place()
                _sweep(root)
                self.directory = layout.new_staging(root)
                self._stage()
            layout.empty_trash(root)

    def path(self, part_number: int) -> Path:
        """Return the path of a part's file in staging."""
        return self.directory / layout.part_name(part_number)

    def commit(
        self, stats: Sequence[FileStats], *, seconds: float, contract: Dataset
    ) -> Provenance:
        """Put the partition in its place, in the stead of an older one of the same world.

        Args:
            stats: What `write_part` returned for each file, in any order.
            seconds: How long making the rows took.
            contract: The dataset's contract.

        Returns:
            The provenance that now lies beside the rows.

        Raises:
            TelcoError: Another world lies there by now, or the disk refuses.
            ValueError: The files are not those that `stats` names.
        """
        files = tuple(sorted(stats, key=lambda file: file.name))
        self._check_files(files, contract)
        provenance = self._provenance(files, seconds, contract)
        try:
            with layout.disk_errors("commit", self._target):
                provenance.write(self.directory)
                with layout.locked(self._root):
                    self._check_place()
                    self._swap()
                layout.empty_trash(self._root)
        finally:
            self.abort()
        return provenance

    def abort(self) -> None:
        """Remove what is staged; a commit or an earlier abort leaves nothing to remove."""
        if self._alive is None:
            return
        shutil.rmtree(self.directory, ignore_errors=True)
        with suppress(OSError):
            _alive_file(self.directory).unlink(missing_ok=True)
        os.close(self._alive)
        self._alive = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()

    def _stage(self) -> None:
        # The lock comes before the directory: a directory without a held lock is a dead writer's.
        alive = _alive_file(self.directory)
        self._alive = os.open(alive, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._alive, fcntl.LOCK_EX)
            self.directory.mkdir()
        except OSError:
            self.abort()
            raise

    def _check_place(self) -> None:
        base = layout.world_base(self._root, self._world)
        held = LakeWorld.read(base)
        if held is None:
            raise TelcoError(
                f"{base} names no world yet: call Lake.bind before a partition is made"
            )
        refuse_other_world(self._root, held, self._origin, None)
        if not self._target.is_dir() or not any(self._target.iterdir()):
            return
        try:
            there = Provenance.read(self._target)
        except TelcoError:
            return  # a partition of ours that cannot be read is made again
        if there is None:
            raise TelcoError(
                f"{self._target} holds files that the pipeline did not write: move them away, or "
                "name another directory with --lake"
            )
        if there.world_hash != self._origin.world_hash:
            raise TelcoError(
                f"{self._target} belongs to the world {there.world_hash} (seed {there.seed}), not "
                f"to {self._origin.world_hash}: remove it, or name another directory with --lake"
            )

    def _check_files(self, files: Sequence[FileStats], contract: Dataset) -> None:
        if contract.name != self._dataset:
            raise ValueError(f"a partition of {self._dataset} got the contract of {contract.name}")
        named = {file.name: file.bytes for file in files}
        found = {path.name: path.stat().st_size for path in self.directory.iterdir()}
        if named != found or len(named) != len(files) or not files:
            raise ValueError(
                f"{self._dataset}: staged are {sorted(found.items())}, named are "
                f"{sorted(named.items())}; an empty partition has one file without rows"
            )

    def _provenance(
        self, files: tuple[FileStats, ...], seconds: float, contract: Dataset
    ) -> Provenance:
        return Provenance(
            dataset=self._dataset,
            day=self._day,
            world_name=self._origin.world_name,
            world_hash=self._origin.world_hash,
            seed=self._origin.seed,
            layers=dict(self._origin.layers),
            code_version=self._origin.code_version,
            contract_version=contract.version,
            contract_fingerprint=contract.fingerprint(),
            rows=sum(file.rows for file in files),
            bytes=sum(file.bytes for file in files),
            files=files,
            content_hash=combined_hash(files),
            created_at=dt.datetime.now(dt.UTC),
            seconds=round(seconds, 3),
            libraries={"polars": pl.__version__},
        )

    def _swap(self) -> None:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        if self._target.exists():
            layout.to_trash(self._root, self._target)
        self.directory.rename(self._target)


def _alive_file(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}{layout.ALIVE}")


def _sweep(root: Path) -> None:
    """Move the staging directories of dead writers to the trash; the caller holds the lock."""
    for directory in layout.staged(root):
        alive = _alive_file(directory)
        if locks.is_held(alive):
            continue
        with suppress(FileNotFoundError):  # a writer may just be removing its own
            layout.to_trash(root, directory)
        alive.unlink(missing_ok=True)
