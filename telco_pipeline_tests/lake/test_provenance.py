"""The record beside the rows survives its JSON."""

import datetime as dt
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.lake import FileStats, Provenance

NAMES = st.text(min_size=1, max_size=20)
HASHES = st.text(string.hexdigits, min_size=16, max_size=64)
COUNTS = st.integers(0, 1 << 62)

RECORDS = st.builds(
    Provenance,
    dataset=NAMES,
    day=st.none() | st.dates(),
    world_name=NAMES,
    world_hash=HASHES,
    seed=st.integers(-(1 << 63), 1 << 63),
    layers=st.dictionaries(NAMES, HASHES, max_size=3),
    code_version=NAMES,
    contract_version=COUNTS,
    contract_fingerprint=HASHES,
    rows=COUNTS,
    bytes=COUNTS,
    files=st.lists(st.builds(FileStats, NAMES, COUNTS, COUNTS, HASHES), max_size=3).map(tuple),
    content_hash=HASHES,
    created_at=st.datetimes(timezones=st.just(dt.UTC)),
    seconds=st.floats(0, 1e9),
    libraries=st.dictionaries(NAMES, NAMES, max_size=3),
)


@given(RECORDS)
def test_round_trip(record: Provenance) -> None:
    assert Provenance.from_json(json.loads(json.dumps(record.to_json()))) == record


@given(RECORDS, st.sampled_from(list(Provenance.__dataclass_fields__)))
def test_a_record_that_lacks_something_is_refused(record: Provenance, name: str) -> None:
    plain = record.to_json()
    del plain[name]
    with pytest.raises(ValueError, match="not a provenance record"):
        Provenance.from_json(plain)
