"""The lake: where partitions of datasets lie, whole or not at all, each with its provenance.

Belongs here: layout on disk, atomic writes, reads, worlds side by side, hashes of content. Does
not belong here: how rows are made (`world`, `generators`), whether they are right
(`telco_pipeline.integrity`), settings.
"""

from telco_pipeline.lake.files import write_part
from telco_pipeline.lake.hashing import column_hashes, content_hash
from telco_pipeline.lake.pending import PendingPartition
from telco_pipeline.lake.provenance import FileStats, Origin, Provenance
from telco_pipeline.lake.rowset import CodedText, Rowset
from telco_pipeline.lake.store import Lake
from telco_pipeline.lake.worlds import LakeWorld

__all__ = [
    "CodedText",
    "FileStats",
    "Lake",
    "LakeWorld",
    "Origin",
    "PendingPartition",
    "Provenance",
    "Rowset",
    "column_hashes",
    "content_hash",
    "write_part",
]
