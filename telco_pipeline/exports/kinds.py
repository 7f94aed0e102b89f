"""The formats that datasets are exported to, by name.

Belongs here: names, endings, compressions. Does not belong here: how a file is written (`formats`).
It loads nothing, so that the command's help can.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Kind:
    """A format.

    Attributes:
        name: Name, as the command has it.
        title: Name for people.
        suffix: Ending of its files, without compression's.
        compressions: What its files can be compressed with, the default first.
        suffixes: Ending that a compression adds, for formats that are compressed as a whole.
        package: Package that writes it, where it is one of the extra `exports`.
    """

    name: str
    title: str
    suffix: str
    compressions: tuple[str, ...]
    suffixes: dict[str, str]
    package: str | None = None

    def file_name(self, stem: str, compression: str) -> str:
        """Return the name of a file that holds what the lake's file of that stem holds."""
        return f"{stem}.{self.suffix}{self.suffixes.get(compression, '')}"


_WHOLE: Final = {"gzip": ".gz", "zstd": ".zst"}

KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("csv", "CSV", "csv", ("none", "gzip", "zstd"), _WHOLE),
        Kind("ndjson", "NDJSON", "ndjson", ("none", "gzip", "zstd"), _WHOLE),
        Kind("parquet", "Parquet", "parquet", ("zstd", "snappy", "lz4", "gzip", "none"), {}),
        Kind("arrow", "Arrow IPC", "arrow", ("none", "lz4", "zstd"), {}),
        Kind("avro", "Avro", "avro", ("deflate", "bzip2", "xz", "none"), {}, "fastavro"),
        Kind("delta", "Delta Lake", "parquet", ("zstd", "snappy", "gzip", "none"), {}, "deltalake"),
    )
}
