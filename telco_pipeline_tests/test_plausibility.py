"""The check of positions passes what a phone can do and finds what it cannot."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from telco_pipeline import integrity, plausibility
from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts.codes import CellClass
from telco_pipeline_tests.generators.kit import Operator, large_operator

NOON = dt.datetime(2026, 1, 14, 12, tzinfo=dt.UTC)
DATASETS_WITH_POSITIONS = ("cdrs_voice", "cdrs_sms", "cdrs_data", "location_updates")
# A degree of latitude is 111.2 km: cells 0, 11.1 and 111 km north of the first.
CELLS = pl.DataFrame(
    {
        "cell_id": ["here", "near", "far"],
        "latitude": [50.0, 50.1, 51.0],
        "longitude": [4.5, 4.5, 4.5],
        "range_m": [2000, 2000, 2000],
        "cell_class": [str(CellClass.MICRO)] * 3,
        "frequency": [1845] * 3,
    }
)


def observed(*seen: tuple[int, float, str]) -> pl.LazyFrame:
    """Return positions of subscribers, some seconds after noon."""
    return pl.LazyFrame(
        {
            "subscriber_id": [who for who, _, _ in seen],
            "event_time": [NOON + dt.timedelta(seconds=after) for _, after, _ in seen],
            "cell_id": [cell for _, _, cell in seen],
        }
    )


@pytest.mark.parametrize(
    ("seconds", "cell", "offenders"),
    [
        (0.0, "here", 0),
        # 11.1 km less twice two ranges: 3.1 km, which 350 km/h cover in 32 s (two are slack).
        (33.0, "near", 0),
        (25.0, "near", 1),
        (1100.0, "far", 0),
        (1000.0, "far", 1),
    ],
)
def test_a_move_has_to_be_possible(seconds: float, cell: str, offenders: int) -> None:
    found = plausibility.jumps(observed((1, 0, "here"), (1, seconds, cell)), CELLS)
    assert (found.rows, found.offenders) == (2, offenders)
    assert len(found.sample) == offenders
    assert bool(plausibility.words(found, NOON.date())) == bool(offenders)


def test_masts_are_heard_beyond_their_range() -> None:
    masts = CELLS.with_columns(cell_class=pl.lit(str(CellClass.MACRO)))
    # 11.1 km less twice 5 km: 1.1 km, in 12 s at the least.
    for seconds, offenders in ((10.0, 0), (5.0, 1)):
        seen = observed((1, 0, "here"), (1, seconds, "near"))
        assert plausibility.jumps(seen, masts).offenders == offenders


def test_subscribers_do_not_meet_each_other() -> None:
    seen = observed((1, 0, "here"), (2, 1, "far"), (1, 2, "here"), (2, 3, "far"))
    assert plausibility.jumps(seen, CELLS).offenders == 0


def test_rows_may_come_in_any_order_and_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(who, who + 10 * step, "here") for who in range(40) for step in range(5)]
    rows += [(7, 20, "far"), (23, 200, "far")]
    seen = observed(*reversed(rows))
    # There and, for the one who is seen again, back.
    assert plausibility.jumps(seen, CELLS).offenders == 3
    monkeypatch.setattr(plausibility, "_BUCKET_ROWS", 20)
    assert plausibility.jumps(seen, CELLS).offenders == 3


def test_the_end_of_a_record_is_a_position_too() -> None:
    record = pl.LazyFrame(
        {
            "subscriber_id": [1],
            "event_time": [NOON],
            "cell_id": ["here"],
            "last_cell_id": ["far"],
            "duration": [60],
        }
    )
    assert plausibility.jumps(plausibility.positions(record), CELLS).offenders == 1
    late = record.with_columns(duration=pl.lit(3600))
    assert plausibility.jumps(plausibility.positions(late), CELLS).offenders == 0
    abroad = record.with_columns(last_cell_id=pl.lit(None, pl.String))
    assert plausibility.jumps(plausibility.positions(abroad), CELLS).rows == 1


def test_which_datasets_are_checked() -> None:
    checked = [name for name in DATASETS if integrity.CHECK_POSITIONS in integrity.checks_of(name)]
    assert sorted(checked) == sorted(DATASETS_WITH_POSITIONS)


def _day(operator: Operator) -> pl.LazyFrame:
    return pl.concat(
        [
            plausibility.positions(operator.day(name, operator.days[1]).lazy())
            for name in DATASETS_WITH_POSITIONS
        ]
    )


def test_nobody_is_in_two_places_in_all_records_of_a_day() -> None:
    operator = large_operator()
    found = plausibility.jumps(_day(operator), operator.frame("cells"))
    assert found.rows > 400_000
    assert found.offenders == 0, found.sample


def test_a_phone_that_is_elsewhere_is_found() -> None:
    operator = large_operator()
    cells = operator.frame("cells")
    south = cells.sort("latitude")["cell_id"][0]
    day = _day(operator).collect()
    moved = day.with_row_index("row").with_columns(
        cell_id=pl.when(pl.col("row") == 1000).then(pl.lit(south)).otherwise(pl.col("cell_id"))
    )
    before = plausibility.jumps(day.lazy(), cells).offenders
    assert plausibility.jumps(moved.drop("row").lazy(), cells).offenders > before


def test_the_check_shares_no_code_with_the_generators() -> None:
    source = Path(plausibility.__file__).read_text()
    for room in ("behaviour", "world", "generators", "engine"):
        assert f"from telco_pipeline.{room}" not in source
