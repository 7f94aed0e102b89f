"""Contract of the collected files: how records get from the network to mediation.

Belongs here: what mediation keeps of each file that it collects. Does not belong here: the records
in the files (`records`), what mediation makes of them.
"""

import dataframely as dy

from telco_pipeline.contracts import codes
from telco_pipeline.contracts.base import (
    Dataset,
    ForeignKey,
    Layout,
    big,
    code,
    moment,
    number,
    text,
)

# A table of one row a line reads better wide.
# fmt: off


class CollectedFiles(dy.Schema):
    """Files of records that mediation has received: one row for each time that one arrived."""

    file_id = big("Key of the arrival; tells nothing.", key=True)
    event_time = moment("When the element opened the file.", standard="TS 32.297 file opening timestamp")
    element_id = text("Element that wrote the file: `recording_entity` of its records.", standard="TS 32.297 node address")
    dataset = code("Dataset in which its records lie.", codes.FiledDataset)
    file_name = text("Name: element, running count, local date and time of closing, kind of records.", regex=r"^\S+_-_\d+\.\d{8}_-_\d{4}[+-]\d{4}\.[a-z]+\.cdr$", standard="TS 32.297 file naming")
    sequence_number = number("Running count of the element's files of this kind: one more with each, from 0 on after a restart of its software.", standard="TS 32.297 file sequence number")
    closed = moment("When the element closed the file, a quarter of an hour later.")
    received = moment("When mediation had it.")
    record_count = number("Records in it, by the moment at which each was closed.", standard="TS 32.297 number of CDRs in file")
    file_length = big("Size of the file, with its header; estimated from what such records take when they are encoded.", unit="byte", standard="TS 32.297 file length")
    first_event_time = moment("Earliest `event_time` of its records; null if it has none.", nullable=True)
    last_event_time = moment("Latest `event_time` of its records; null likewise.", nullable=True)
    checksum = text("Sum, modulo 2^64, of the splitmix64 hashes of its records' event ids: equal for equal records in any order.", regex=r"^[0-9a-f]{16}$")


_ELEMENT = ForeignKey("element_id", "network_elements", "element_id")
_FILED = tuple(str(name) for name in codes.FiledDataset)

COLLECTED_FILES = Dataset("collected_files", 1, CollectedFiles, Layout.DAILY, "cdrs", "Files of records as mediation has received them (TS 32.297): each element that writes records closes one every quarter of an hour, also without records, and numbers them. The records of a file that was lost lie in their datasets all the same.", (_ELEMENT,), sort=("event_time", "file_name", "received"), time="event_time", depends=("network_elements", *_FILED), whole=True)
