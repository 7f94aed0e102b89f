"""Parts and shards: how a day's work is cut, and why the cut never shows in the rows.

Belongs here: ranges of entities. Does not belong here: what is made of a range.

A *part* is a fixed range of entities and becomes one file; its size belongs to the world, so the
files and the order of the rows depend neither on the number of shards nor of workers. A *shard*
is a share of the parts that one worker takes on.
"""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Part:
    """A range of entities [start, stop) whose rows are one file."""

    number: int
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of entities."""
        return self.stop - self.start


def parts(entities: int, part_size: int) -> list[Part]:
    """Cut `entities` into parts of `part_size` (the last may be smaller)."""
    if entities < 0 or part_size < 1:
        raise ValueError(f"cannot cut {entities} entities into parts of {part_size}")
    return [
        Part(number, start, min(start + part_size, entities))
        for number, start in enumerate(range(0, entities, part_size))
    ]


def shards(all_parts: list[Part], count: int) -> list[list[Part]]:
    """Deal parts out to `count` shards, in turn; shards left without a part are dropped."""
    if count < 1:
        raise ValueError(f"there must be at least one shard, not {count}")
    return [dealt for shard in range(count) if (dealt := all_parts[shard::count])]
