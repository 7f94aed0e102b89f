"""Data sessions: quality, the way during a session, machines that follow the clock."""

import numpy as np
import polars as pl
import pytest

from telco_pipeline.behaviour import machines
from telco_pipeline.behaviour.rhythm import windows
from telco_pipeline.engine.calendar import DAY, SECOND
from telco_pipeline.generators.cdrs.data_sessions import TAIL
from telco_pipeline_tests.generators.kit import large_operator
from telco_pipeline_tests.generators.test_semantics import holds

RAT = pl.col("rat_type").cast(pl.String)


@pytest.fixture(scope="module")
def data() -> pl.DataFrame:
    operator = large_operator()
    return operator.all("cdrs_data").filter(pl.col("day") == operator.days[1])


def test_throughput_is_at_least_the_mean_rate_and_at_most_what_the_access_gives(
    data: pl.DataFrame,
) -> None:
    most = RAT.replace_strict(
        {"GERAN": 220, "EUTRAN": 250_000, "NB-IoT": 60, "LTE-M": 800, "NR": 900_000}
    )
    whole = data.filter(pl.col("duration") >= 2)
    for way in ("downlink", "uplink"):
        # The duration is rounded to seconds, the throughput to kbit/s.
        mean = pl.col(f"data_volume_{way}") * 8 / 1000 / (pl.col("duration") + 0.5)
        holds(data, pl.col(f"throughput_{way}") + 0.5 >= mean)
        holds(whole, pl.col(f"throughput_{way}") <= most)
        # Whatever was sent had a rate.
        holds(data, (pl.col(f"throughput_{way}") > 0) == (pl.col(f"data_volume_{way}") > 0))
    # Small transfers are over before they are up to speed.
    small = data.filter((RAT == "EUTRAN") & (pl.col("data_volume_downlink") < 5000))
    large = data.filter((RAT == "EUTRAN") & (pl.col("data_volume_downlink") > 5_000_000))
    assert 10 * small["throughput_downlink"].median() < large["throughput_downlink"].median()


@pytest.mark.parametrize(
    ("rat", "low", "high"),
    [("NR", 12, 25), ("EUTRAN", 30, 60), ("GERAN", 300, 700), ("NB-IoT", 1000, 2000)],
)
def test_latency_by_radio_access(data: pl.DataFrame, rat: str, low: float, high: float) -> None:
    home = data.filter((rat == RAT) & ~pl.col("roaming"))["latency"]
    assert low < home.median() < high
    assert home.is_between(low / 2, high * 2).mean() > 0.97
    assert (home.round(1) == home).all()


def test_home_routing_costs_time(data: pl.DataFrame) -> None:
    lte = data.filter(RAT == "EUTRAN")
    added = (
        lte.filter("roaming")["latency"].median()
        - lte.filter(~pl.col("roaming"))["latency"].median()
    )
    assert 30 < added < 90


def test_throughput_is_bounded_by_the_carrier(data: pl.DataFrame) -> None:
    cells = large_operator().frame("cells").select("cell_id", "band", "bandwidth")
    home = data.filter(~pl.col("roaming")).join(cells, on="cell_id")
    width = pl.col("bandwidth")
    lte, nr = home.filter(RAT == "EUTRAN"), home.filter(RAT == "NR")
    as_lte = pl.min_horizontal(width / 20, 1) * 250_000
    # Less than a second is rounded: the throughput counts, not the recorded duration.
    holds(lte, pl.col("throughput_downlink") <= as_lte)
    holds(nr, pl.col("throughput_downlink") <= pl.max_horizontal(width * 9_000, as_lte) + 1)
    large = home.filter(pl.col("data_volume_downlink") > 2_000_000)
    rate = {
        str(band): value
        for band, value in large.group_by("band")
        .agg(pl.col("throughput_downlink").median())
        .iter_rows()
    }
    assert rate["B20"] < 0.7 * rate["B3"]
    assert rate["n28"] < 0.3 * rate["n78"]
    assert rate["n28"] > 0.7 * rate["B20"]


def test_sessions_of_a_phone_at_a_time_have_one_radio_access() -> None:
    # Both days: what goes on after midnight agrees with what begins then.
    records = (
        large_operator()
        .all("cdrs_data")
        .filter(~pl.col("roaming") & (pl.col("handovers") == 0))
        .with_columns(
            rat=RAT,
            end=pl.col("event_time") + pl.duration(seconds=pl.col("duration") - 1),
        )
        .sort("subscriber_id", "event_time")
    )
    pairs = records.with_columns(
        pl.col("event_time", "end", "rat", "cell_id", "last_cell_id", "day", "charging_id")
        .shift(-1)
        .over("subscriber_id")
        .name.prefix("next_")
    ).filter(
        (pl.col("next_event_time") < pl.col("end"))
        & (pl.col("charging_id") != pl.col("next_charging_id"))
    )
    assert pairs.height > 5000
    assert pairs["rat"].n_unique() >= 3
    agree = pairs.select((pl.col("rat") == pl.col("next_rat")).mean()).item()
    assert agree > 0.9999, agree


def test_the_way_over_midnight_ends_where_the_next_day_says() -> None:
    operator = large_operator()
    day = operator.inputs.day(operator.days[0])
    entity = np.arange(operator.inputs.population.size)
    start = np.full(len(entity), DAY - 3600 * SECOND) + entity * SECOND // 4
    end = start + 3600 * SECOND
    row, time, cell, before = day.changes(entity, start, end)
    assert ((time > start[row] - SECOND) & (time <= end[row])).all()
    order = np.lexsort((time, row))
    assert (order == np.arange(len(row))).all()
    first, last = (day.positions(entity, moment) for moment in (start, end))
    there = first.cell.astype(np.int64)
    for one in range(len(row)):
        assert before[one] == there[row[one]]
        there[row[one]] = cell[one]
    home = ~first.abroad & ~last.abroad
    assert (there == last.cell)[home].all()
    assert (day.handovers(entity, start, end) == np.bincount(row, minlength=len(entity))).all()
    assert (time >= DAY).any()
    assert (time < DAY).any()


def test_few_packets_are_lost(data: pl.DataFrame) -> None:
    people = data.filter(pl.col("service") != "telemetry")
    assert people["packet_loss"].is_between(0, 100).all()
    assert 0.01 < people["packet_loss"].mean() < 0.5
    # Packets are lost whole: of a few thousand bytes mostly none.
    small = people.filter(pl.col("data_volume_downlink") < 5000)
    assert (small["packet_loss"] == 0).mean() > 0.9


def test_a_session_goes_on_where_it_was(data: pl.DataFrame) -> None:
    home = data.filter(~pl.col("roaming"))
    holds(home, (pl.col("cell_id") == pl.col("last_cell_id")) | (pl.col("handovers") > 0))
    assert 0.005 < (home["handovers"] > 0).mean() < 0.2
    assert data.filter("roaming")["last_cell_id"].null_count() == data.filter("roaming").height
    records = home.sort("charging_id", "record_sequence_number").with_columns(
        pl.col("rat_type", "event_time", "record_sequence_number")
        .shift(-1)
        .over("charging_id")
        .name.prefix("next_")
    )
    changed = records.filter(pl.col("cause_for_rec_closing") == 22).filter(
        pl.col("next_rat_type").is_not_null()
    )
    assert changed.height > 100
    holds(changed, pl.col("next_rat_type") != pl.col("rat_type"))
    holds(changed, pl.col("next_record_sequence_number") == pl.col("record_sequence_number") + 1)
    gap = (pl.col("next_event_time") - pl.col("event_time")).dt.total_milliseconds() / 1000
    holds(changed, (gap - pl.col("duration")).abs() <= 0.51)
    # Nothing happens in the round second.
    assert (changed["next_event_time"].dt.microsecond() == 0).mean() < 0.01
    limited = records.filter(
        (pl.col("cause_for_rec_closing") == 17) & pl.col("next_rat_type").is_not_null()
    )
    holds(limited, pl.col("next_rat_type") == pl.col("rat_type"))


def test_meters_follow_the_clock_and_vehicles_do_not(data: pl.DataFrame) -> None:
    operator = large_operator()
    kinds = operator.frame("subscribers").select("subscriber_id", "kind", "work_cell_id")
    reports = data.join(kinds, on="subscriber_id").filter(pl.col("kind") == "machine")
    time = pl.col("event_time").dt
    second = time.minute().cast(pl.Int64) * 60 + time.second().cast(pl.Int64)
    still = reports.filter(pl.col("work_cell_id").is_null())
    on_the_hour = still.select((second < 45).mean()).item()
    assert 0.2 < on_the_hour < 0.6
    moving = reports.filter(pl.col("work_cell_id").is_not_null())
    assert moving.select((second < 45).mean()).item() < 0.03


def test_schedules_keep_the_mean_and_have_no_seam() -> None:
    inputs = large_operator().inputs
    config, population = inputs.config, inputs.population
    entities = np.arange(population.size)
    entities = entities[machines.report_by_schedule(config, population, entities)]
    assert len(entities) > 1000
    rates = np.array([persona.sessions for persona in config.personas.values()])
    expected = (rates[population.persona[entities]] * population.level[entities]).sum()
    times, rows, first = [], [], 9500
    for day in range(first, first + 4):
        for window in windows(TAIL):
            made = machines.reports(config, population, entities, day, window, 1.0, 2048)
            times.append(made.time + (day - first) * DAY)
            rows.append(made.row)
            assert made.time.min() >= 0
            assert made.time.max() < window.stop + machines.LONGEST_DELAY
    time, row = np.concatenate(times), np.concatenate(rows)
    assert abs(len(time) / 4 / expected - 1) < 0.02
    # The gaps of a machine over all four days: one period, but for the strokes of the clock.
    order = np.lexsort((time, row))
    gap, same = np.diff(time[order]), np.diff(row[order]) == 0
    mean = DAY / (rates[population.persona[entities]] * population.level[entities])
    longest = gap[same] - mean[row[order][1:][same]]
    assert longest.max() < 3600e6 + machines.LONGEST_DELAY
    assert gap[same].min() > 0


def test_applications_are_opened_together(data: pl.DataFrame) -> None:
    people = data.filter(
        (pl.col("service") != "telemetry") & (pl.col("record_sequence_number") == 1)
    )
    gaps = people.sort("subscriber_id", "event_time").select(
        pl.col("event_time").diff().over("subscriber_id").dt.total_seconds()
    )
    assert 0.15 < (gaps.to_series().drop_nulls() < 60).mean() < 0.4
