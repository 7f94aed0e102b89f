"""Values are JSON that says exactly what the row says; keys keep what belongs together."""

import datetime as dt
import json
import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.contracts import DATASETS
from telco_pipeline.streaming import encoding
from telco_pipeline.streaming.encoding import JsonEncoder
from telco_pipeline.streaming.layout import Topic
from telco_pipeline_tests.streaming.small_day import random_rows

TOPIC = Topic("any", ())
MOMENTS = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2200, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=dt.UTC)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
BITS = {pl.Int16: 15, pl.Int32: 31, pl.Int64: 63}


def cells(dtype: pl.DataType) -> st.SearchStrategy[Any]:
    """Return what may stand in a column of a type."""
    if isinstance(dtype, pl.Datetime):
        return MOMENTS
    if isinstance(dtype, pl.Date):
        return st.dates(dt.date(1900, 1, 1), dt.date(2200, 1, 1))
    if isinstance(dtype, pl.Enum):
        return st.sampled_from(dtype.categories.to_list())
    if dtype == pl.Boolean:
        return st.booleans()
    if dtype == pl.Float64:
        return st.floats(allow_nan=False, allow_infinity=False)
    if dtype == pl.String:
        return TEXTS
    bits = BITS[type(dtype)]
    return st.integers(-(2**bits), 2**bits - 1)


def plain(cell: Any) -> Any:
    if isinstance(cell, dt.datetime):
        return cell.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return cell.isoformat() if isinstance(cell, dt.date) else cell


@pytest.mark.parametrize("name", ["cdrs_voice", "cdrs_data", "customer_service", "subscribers"])
@given(data=st.data())
def test_json_says_what_the_row_says(name: str, data: st.DataObject) -> None:
    schema = DATASETS[name].polars_schema
    rows = data.draw(
        st.lists(
            st.tuples(*(st.none() | cells(dtype) for dtype in schema.values())),
            min_size=1,
            max_size=4,
        )
    )
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    values = JsonEncoder().values(TOPIC, name, frame)
    assert len(values) == len(rows)
    for value, row in zip(values, frame.rows(), strict=True):
        read = json.loads(value)
        assert list(read) == ["dataset", *schema]
        assert read.pop("dataset") == name
        for found, cell in zip(read.values(), row, strict=True):
            assert found == plain(cell)
            if isinstance(cell, float):
                assert isinstance(found, float)
                assert math.copysign(1, found) == math.copysign(1, cell)


@pytest.mark.parametrize("name", list(DATASETS))
def test_every_dataset_has_values_keys_and_ids(name: str) -> None:
    frame = random_rows(name, 20, 5)
    values = [json.loads(value) for value in JsonEncoder().values(TOPIC, name, frame)]
    first = "record" if "dataset" in frame.columns else "dataset"
    for value, row in zip(values, frame.to_dicts(), strict=True):
        assert list(value) == [first, *frame.columns]
        assert value.pop(first) == name
        assert value == {column: plain(cell) for column, cell in row.items()}
    assert all(isinstance(key, bytes) for key in encoding.keys(name, frame))
    ids = encoding.ids(name, frame)
    assert ids.null_count() == 0
    assert len(ids) == 20


def test_no_number_of_json_is_not_a_number() -> None:
    frame = pl.DataFrame({"a": [math.nan, math.inf, -math.inf, -0.0, 5e-324]})
    values = encoding.json_values("x", frame)
    assert [json.loads(value)["a"] for value in values] == [None, None, None, -0.0, 5e-324]


@pytest.mark.parametrize(
    ("name", "changed", "key"),
    [
        ("cdrs_voice", {"subscriber_id": 77, "cell_id": "C"}, b"77"),
        ("network_logs", {"element_id": "ENB-1"}, b"ENB-1"),
        ("alarms", {"element_id": "E", "cell_id": "C"}, b"C"),
        ("alarms", {"element_id": "E", "cell_id": None}, b"E"),
        ("pm_counters", {"cell_id": "C"}, b"C"),
        ("element_metrics", {"element_id": "E"}, b"E"),
        ("truth_records", {"event_id": 5}, b"5"),
        ("truth_incidents", {"incident_id": 6}, b"6"),
        ("subscribers", {"subscriber_id": 8}, b"8"),
    ],
)
def test_keys(name: str, changed: dict[str, Any], key: bytes) -> None:
    schema = DATASETS[name].polars_schema
    frame = random_rows(name, 3, 1).with_columns(
        pl.lit(cell, schema[column]).alias(column) for column, cell in changed.items()
    )
    assert encoding.keys(name, frame) == [key] * 3
