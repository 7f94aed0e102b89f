"""The lake: partitions of datasets on disk, by world and day.

Belongs here: `Lake`, its reads and the doors to its writes. Does not belong here: how a
partition is swapped in (`pending`), which world lies where (`worlds`), whether the rows are
right (`telco_pipeline.integrity`).
"""

import datetime as dt
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import layout, worlds
from telco_pipeline.lake.files import changed_files, is_readable
from telco_pipeline.lake.pending import PendingPartition
from telco_pipeline.lake.provenance import Origin, Provenance
from telco_pipeline.lake.worlds import LakeWorld


class Lake:
    """Partitions of one world in one directory; other worlds lie beside it.

    Naming a lake touches nothing on disk but to see that its path is no file. A variant that
    overlays the main world shows the main world's partition where it has none of its own.

    Attributes:
        root: Directory of the lake.
        world: Name of the world that is read and written: `main`, or a variant.
    """

    def __init__(self, root: str | Path, world: str = layout.MAIN) -> None:
        """Name a lake; TelcoError if the path or the name cannot be one."""
        self.root = layout.check_root(root)
        self.world = world
        self._base = layout.world_base(self.root, world)

    def __repr__(self) -> str:
        return f"Lake({str(self.root)!r}, world={self.world!r})"

    def held_world(self) -> LakeWorld | None:
        """Return which world lies here; None if none does yet."""
        return LakeWorld.read(self._base)

    def bind(
        self,
        origin: Origin,
        config: dict[str, Any],
        *,
        overlays: str | None = None,
        replace: bool = False,
    ) -> None:
        """Say which world lies here, before its partitions are made; the same again is nothing.

        Args:
            origin: The world's name, seed and hash.
            config: Its whole configuration in plain values, for people.
            overlays: For a variant with only what differs: hash of the main world beneath.
            replace: Remove the partitions of another world that lies here.

        Raises:
            TelcoError: Another world lies here, or the disk refuses.
        """
        self._check_name(origin)
        if overlays is not None and self.world == layout.MAIN:
            raise ValueError("the main world overlays nothing")
        worlds.bind(self.root, self.world, origin, config, overlays, replace)

    def begin(self, dataset: str, day: dt.date | None, origin: Origin) -> PendingPartition:
        """Begin to make a partition; use it as a context manager and commit it inside.

        Args:
            dataset: Name of the dataset.
            day: Day of the partition; None for a dataset without days.
            origin: Where the rows come from; the world that the lake is bound to.

        Raises:
            TelcoError: Another world lies here, or files that the pipeline did not write.
        """
        self._check_name(origin)
        _check_day(dataset, day)
        return PendingPartition(self.root, self.world, dataset, day, origin)

    def datasets(self) -> list[str]:
        """Return the names of the datasets that lie here, those of the contracts first in order.

        A directory of a dataset that no contract knows comes last.
        """
        found = {path.name for base in self._bases() for path in layout.dataset_directories(base)}
        known = [name for name in DATASETS if name in found]
        return known + sorted(found - set(known))

    def days(self, name: str) -> list[dt.date]:
        """Return the days of a daily dataset that lie here, in order."""
        found: set[dt.date] = set()
        for base in self._bases():
            directory = base / name
            if directory.is_dir():
                found.update(day for entry in directory.iterdir() if (day := layout.day_of(entry)))
        return sorted(found)

    def directory(self, name: str, day: dt.date | None = None) -> Path:
        """Return where a partition lies or, if there is none, where it would lie."""
        _check_day(name, day)
        for base in self._bases():
            directory = layout.partition_directory(base, name, day)
            if directory.is_dir():
                return directory
        return layout.partition_directory(self._base, name, day)

    def exists(self, name: str, day: dt.date | None = None) -> bool:
        """Return whether a partition lies here; for a daily dataset without a day, whether any."""
        if day is None and _is_daily(name):
            return bool(self.days(name))
        return self.directory(name, day).is_dir()

    def files(self, name: str, day: dt.date | None = None) -> list[Path]:
        """Return a partition's Parquet files in order; of all days if a day is not named."""
        if day is None and _is_daily(name):
            return [file for each in self.days(name) for file in self.files(name, each)]
        return sorted(self.directory(name, day).glob("*.parquet"))

    def provenance(self, name: str, day: dt.date | None = None) -> Provenance | None:
        """Return where a partition comes from; None if it does not exist or does not tell."""
        return Provenance.read(self.directory(name, day))

    def world_of(self, name: str, day: dt.date | None = None) -> LakeWorld | None:
        """Return the world that a partition lies in: this one, or the main world beneath it."""
        for base in self._bases():
            if layout.partition_directory(base, name, day).is_dir():
                return LakeWorld.read(base)
        return self.held_world()

    def strays(self) -> list[Path]:
        """Return what lies in this world's directory and is no dataset or partition of one."""
        found = layout.strangers(self._base)
        for directory in layout.dataset_directories(self._base):
            if directory.name not in DATASETS:
                found.append(directory)
                continue
            entries = [entry for entry in directory.iterdir() if not entry.name.startswith(".")]
            if DATASETS[directory.name].daily:
                found += [entry for entry in entries if layout.day_of(entry) is None]
            else:  # a file that does not belong is found by its partition's provenance
                found += [entry for entry in entries if entry.is_dir()]
        return sorted(found)

    def rows(self, name: str, day: dt.date | None = None) -> int:
        """Return the rows by provenance: of a partition, or of all days of a daily dataset."""
        days: Sequence[dt.date | None] = (
            self.days(name) if day is None and _is_daily(name) else [day]
        )
        records = [self.provenance(name, each) for each in days]
        return sum(record.rows for record in records if record is not None)

    def scan(
        self,
        name: str,
        first: dt.date | None = None,
        last: dt.date | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """Return a dataset lazily; a daily one has a column `day` at its end.

        Args:
            name: Name of the dataset.
            first: First day; without it the first that lies here.
            last: Last day, included; without it the last that lies here.
            columns: Columns to read, in this order; without it all.

        Raises:
            TelcoError: The dataset or the days do not lie here.
        """
        files = self._files_between(name, first, last)
        if _is_daily(name):
            frame = pl.scan_parquet(
                files, hive_partitioning=True, hive_schema={"day": pl.Date}, glob=False
            )
        else:
            frame = pl.scan_parquet(files, hive_partitioning=False, glob=False)
        return frame if columns is None else frame.select(columns)

    def read(
        self,
        name: str,
        first: dt.date | None = None,
        last: dt.date | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Return a dataset in memory; arguments and errors are those of `scan`.

        Raises:
            TelcoError: Besides, a file cannot be read.
        """
        try:
            return self.scan(name, first, last, columns).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            files = self._files_between(name, first, last)
            guilty = next((file for file in files if not is_readable(file)), None)
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TelcoError(
                f"{guilty or f'{name} in {self._base}'} cannot be read ({reason}): make it anew "
                f"with `{self.command(name, first, last)}`"
            ) from error

    def damage(self, name: str, day: dt.date | None = None) -> dict[str, str]:
        """Return in words which Parquet files of a partition are not those of its provenance.

        Returns:
            What is wrong with each file, by its name; of a partition without provenance nothing.

        Raises:
            TelcoError: The provenance or a file cannot be read.
        """
        record, directory = self.provenance(name, day), self.directory(name, day)
        if record is None:
            return {}
        with layout.disk_errors("read", directory):
            return changed_files(directory, record.files)

    def _files_between(self, name: str, first: dt.date | None, last: dt.date | None) -> list[Path]:
        if not _is_daily(name):
            if first is not None or last is not None:
                raise ValueError(f"{name} has no days")
            found = self.files(name)
        else:
            found = [
                file
                for day in self.days(name)
                if (first is None or day >= first) and (last is None or day <= last)
                for file in self.files(name, day)
            ]
        if not found:
            raise TelcoError(self._missing(name, first, last))
        return found

    def _missing(self, name: str, first: dt.date | None, last: dt.date | None) -> str:
        days = self.days(name) if _is_daily(name) else []
        what = f"no {name}"
        if days:
            asked = f"from {first or 'its first day'} to {last or 'its last day'}"
            what = f"nothing of {name} {asked} (it has {days[0]} to {days[-1]})"
        return f"{self._base} has {what}: make it with `{self.command(name, first, last)}`"

    def command(
        self,
        name: str | None = None,
        first: dt.date | None = None,
        last: dt.date | None = None,
    ) -> str:
        """Return the command that makes a dataset (or all), or some days of it, in this lake."""
        words = f"telco generate --lake {self.root}{self._world_options()}"
        if name is not None:
            words += f" --datasets {name}"
        if self.world != layout.MAIN:
            words += f" --world {self.world}"
        if first is not None:
            words += f" --start {first}"
            if last is not None and last >= first:
                words += f" --days {(last - first).days + 1}"
        return words

    def _world_options(self) -> str:
        """Return the options that name the world that lies here, as far as they can.

        Where the file that names it is lost or damaged, the partitions tell.
        """
        known: LakeWorld | None = None
        with suppress(TelcoError):
            known = self.held_world()
        if known is None:
            with suppress(TelcoError):
                known = worlds.remembered(self._base, self.world)
        return "" if known is None else f" {known.options()}"

    def _bases(self) -> list[Path]:
        """Return the directories to look into, the world's own first."""
        if self.world == layout.MAIN:
            return [self._base]
        held = self.held_world()
        if held is None or held.overlays is None:
            return [self._base]
        main = LakeWorld.read(self.root)
        beneath = main is not None and main.world_hash == held.overlays
        return [self._base, self.root] if beneath else [self._base]

    def _check_name(self, origin: Origin) -> None:
        if origin.world_name != self.world:
            raise ValueError(f"an origin of world {origin.world_name!r} in {self!r}")


def _is_daily(name: str) -> bool:
    # A dataset that no contract knows is read as it lies: by the command `check` only.
    return name in DATASETS and DATASETS[name].daily


def _check_day(name: str, day: dt.date | None) -> None:
    if name in DATASETS and DATASETS[name].daily != (day is not None):
        raise ValueError(
            f"{name} {'is kept by day: name one' if DATASETS[name].daily else 'has no days'}"
        )
