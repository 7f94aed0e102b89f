"""Tests of alarms: life cycle, what hangs together, thresholds."""

import datetime as dt
import itertools
from functools import cache

import numpy as np
import polars as pl
import pytest

from telco_pipeline.contracts import oss
from telco_pipeline.engine.calendar import DAY, HOUR, DayClock, day_start
from telco_pipeline.engine.identifiers import EventIds
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators import Inputs, alarms, logs, metrics
from telco_pipeline.generators.alarm_kinds import (
    ALARM_KINDS,
    CONGESTION,
    MAJOR,
    MINOR,
    OF_FAULT,
    Kind,
)
from telco_pipeline.generators.alarm_thresholds import (
    RESET_HOURS,
    _hysteresis,
    of_cabinets,
    of_memory,
    of_thresholds,
)
from telco_pipeline.generators.events import EVENT_KINDS
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.state import weather
from telco_pipeline.state.faults import cells_hit, faults_on
from telco_pipeline.state.network import MEASURES, NetworkDay
from telco_pipeline_tests.generators.kit import inputs_of, small_world

FIRST = dt.date(2026, 3, 9)
DAYS = [FIRST + dt.timedelta(days=number) for number in range(9)]
NEW, CHANGED, ACKNOWLEDGED, CLEARED = (
    "notifyNewAlarm",
    "notifyChangedAlarm",
    "notifyAckStateChanged",
    "notifyClearedAlarm",
)


@cache
def inputs() -> Inputs:
    """Return a small world that breaks five times as often as usual."""
    config = small_world(subscribers=600)
    network = config.network.model_copy(update={"fault_rate": 5.0})
    return inputs_of(config.model_copy(update={"network": network}))


def whole(world: Inputs) -> Part:
    return Part(0, 0, world.frames["network_elements"].height)


@cache
def notifications() -> pl.DataFrame:
    """Return all notifications of `DAYS`."""
    return pl.concat([alarms.make(inputs(), date, whole(inputs())).to_frame() for date in DAYS])


def lives() -> pl.DataFrame:
    """Return the notifications of alarms whose raising lies in the days, in order."""
    raised = pl.col("raised_time") >= dt.datetime.combine(FIRST, dt.time(), dt.UTC)
    return notifications().filter(raised).sort("alarm_id", "event_time")


def only(what: str) -> pl.DataFrame:
    return lives().filter(pl.col("notification_type") == what)


def test_rows_keep_the_contract():
    for date in DAYS[:3]:
        frame = alarms.make(inputs(), date, whole(inputs())).to_frame()
        oss.ALARMS.schema.validate(frame)
        assert frame["event_time"].is_sorted()
        start = dt.datetime.combine(date, dt.time(), dt.UTC)
        assert frame["event_time"].is_between(start, start + dt.timedelta(days=1), "left").all()
    assert notifications()["event_id"].is_unique().all()
    assert len(set(EVENT_KINDS.values())) == len(EVENT_KINDS)


def test_notifications_are_the_same_again_and_in_parts():
    again = inputs_of(inputs().config)
    elements = whole(inputs()).stop
    cuts = [0, elements // 3, elements // 2, elements]
    pieces = [
        alarms.make(again, FIRST, Part(number, start, stop)).to_frame()
        for number, (start, stop) in enumerate(itertools.pairwise(cuts))
    ]
    day = notifications().filter(pl.col("event_time").dt.date() == FIRST)
    assert pl.concat(pieces).sort("event_id").equals(day.sort("event_id"))


def test_each_alarm_is_raised_once_then_changes_then_is_cleared_once():
    counts = (
        lives()
        .group_by("alarm_id")
        .agg(
            (pl.col("notification_type") == NEW).sum().alias("new"),
            (pl.col("notification_type") == CLEARED).sum().alias("cleared"),
            (pl.col("notification_type") == ACKNOWLEDGED).sum().alias("acknowledged"),
            pl.col("notification_type").first().alias("first"),
            pl.col("notification_type").last().alias("last"),
            pl.col("event_time").is_sorted().alias("sorted"),
            (pl.col("event_time").diff().dt.total_microseconds() > 0).all().alias("apart"),
        )
    )
    assert counts.height > 500
    assert (counts["new"] == 1).all()
    assert (counts["first"] == NEW).all()
    assert (counts["cleared"] <= 1).all()
    assert (counts["acknowledged"] <= 1).all()
    assert counts["apart"].all()
    closed = counts.filter(pl.col("cleared") == 1)
    assert (closed["last"] == CLEARED).all()
    assert closed.height > 0.9 * counts.height


def test_what_an_alarm_says_of_itself_never_changes():
    fixed = [
        "element_id", "cell_id", "managed_object_class", "managed_object_instance", "event_type",
        "probable_cause", "specific_problem", "raised_time", "correlated_alarm_id", "root_cause",
    ]  # fmt: skip
    spread = lives().group_by("alarm_id").agg(pl.col(name).n_unique() for name in fixed)
    for name in fixed:
        assert (spread[name] == 1).all(), name
    new = only(NEW)
    assert (new["raised_time"] == new["event_time"]).all()
    cleared = only(CLEARED)
    assert (cleared["cleared_time"] == cleared["event_time"]).all()
    assert (cleared["perceived_severity"] == "cleared").all()
    others = lives().filter(pl.col("notification_type") != CLEARED)
    assert others["cleared_time"].is_null().all()
    assert (others["perceived_severity"] != "cleared").all()


def test_some_alarms_are_open_over_midnight():
    over = notifications().filter(
        pl.col("raised_time").dt.date() < pl.col("event_time").dt.date(),
        pl.col("notification_type") == CLEARED,
        pl.col("raised_time").dt.date() >= FIRST,
    )
    assert over.height > 10
    assert over["alarm_id"].is_in(only(NEW)["alarm_id"].implode()).all()


def test_severity_rises_when_it_changes():
    order = ["critical", "major", "minor", "warning"]
    rank = (
        pl.col("perceived_severity")
        .cast(pl.String)
        .replace_strict(order, range(4), default=None, return_dtype=pl.Int8)
    )
    ranked = (
        lives()
        .with_columns(rank=rank)
        .with_columns(before=pl.col("rank").shift(1).over("alarm_id"))
    )
    changed = ranked.filter(pl.col("notification_type") == CHANGED)
    assert changed.height > 5
    assert (changed["rank"] < changed["before"]).all()
    # And at no other time.
    acknowledged = ranked.filter(pl.col("notification_type") == ACKNOWLEDGED)
    assert (acknowledged["rank"] == acknowledged["before"]).all()


def test_an_operator_acknowledges_and_it_stays_so():
    acknowledged = only(ACKNOWLEDGED)
    assert (acknowledged["ack_state"] == "acknowledged").all()
    assert acknowledged["ack_user"].str.contains(r"^NOC(0[1-9]|1\d|2[0-4])$").all()
    assert acknowledged["ack_user"].n_unique() > 12
    state = lives().with_columns(
        seen=(pl.col("notification_type") == ACKNOWLEDGED).cum_max().over("alarm_id")
    )
    assert (state["seen"] == (state["ack_state"] == "acknowledged")).all()
    assert (state["ack_user"].is_null() == ~state["seen"]).all()
    delay = (acknowledged["event_time"] - acknowledged["raised_time"]).dt.total_seconds() / 60
    urgent = acknowledged["perceived_severity"] == "critical"
    assert delay.filter(urgent).median() < 10
    assert delay.filter(urgent).median() < delay.filter(~urgent).median()
    # Shifts change at 6, 14 and 22 o'clock local.
    hour = acknowledged["event_time"].dt.convert_time_zone("Europe/Brussels").dt.hour()
    shift = ((hour.cast(pl.Int64) + 2) % 24) // 8
    user = acknowledged["ack_user"].str.slice(3).cast(pl.Int64)
    assert ((user - 1) // 8 == shift).all()


def test_repeats_are_counted_and_never_fewer():
    counted = lives().with_columns(before=pl.col("repeat_count").shift(1).over("alarm_id"))
    assert (counted["repeat_count"] >= counted["before"].fill_null(1)).all()
    assert (only(NEW)["repeat_count"] == 1).all()
    assert (only(CLEARED)["repeat_count"] > 1).any()


def test_correlated_alarms_point_to_a_root_that_is_open():
    new = notifications().filter(pl.col("notification_type") == NEW)
    followers = new.filter(
        pl.col("correlated_alarm_id").is_not_null(),
        pl.col("event_time") > dt.datetime.combine(DAYS[4], dt.time(), dt.UTC),
    )
    assert followers.height > 200
    roots = (
        notifications()
        .unique("alarm_id")
        .select(
            root="alarm_id", is_root="root_cause", since="raised_time", up="correlated_alarm_id"
        )
    )
    joined = followers.join(roots, left_on="correlated_alarm_id", right_on="root", how="left")
    known = joined.filter(pl.col("is_root").is_not_null())
    # The root of what hits long after it can lie before the first of the days.
    assert known.height > 0.95 * joined.height
    assert known["is_root"].all()
    assert (known["since"] < known["event_time"]).all()
    assert known["up"].is_null().all()
    assert not followers["root_cause"].any()


def _outage() -> tuple[dt.date, int]:
    """Return a power cut that outlasts its battery: day on which it hits, and its row."""
    for date in DAYS[1:-1]:
        faults, start = faults_on(inputs().plant, date), day_start(date)
        empty = (faults.kind == 2) & (faults.impact < faults.end - HOUR // 4)
        empty &= (faults.impact > start) & (faults.impact < start + DAY - HOUR)
        if empty.any():
            return date, int(np.flatnonzero(empty)[0])
    raise AssertionError("no battery runs empty in these days")


def test_a_power_cut_raises_what_hangs_on_it():
    date, row = _outage()
    plant = inputs().plant
    faults = faults_on(plant, date)
    root = plant.elements["element_id"][int(faults.element[row])]
    impact = dt.datetime.fromtimestamp(faults.impact[row] / 1e6, dt.UTC)
    mains = notifications().filter(
        pl.col("element_id") == root, pl.col("specific_problem") == "Commercial power failure"
    )
    started = dt.datetime.fromtimestamp(faults.start[row] / 1e6, dt.UTC)
    mains = mains.filter(
        pl.col("raised_time").is_between(started, started + dt.timedelta(minutes=1))
    )
    alarm = mains["alarm_id"].unique()
    assert len(alarm) == 1
    assert mains["root_cause"].all()
    assert (mains["probable_cause"] == 106).all()
    changed = mains.filter(pl.col("notification_type") == CHANGED)
    if changed.height:
        assert changed["perceived_severity"].to_list() == ["critical"]
        assert changed["event_time"][0] >= impact
    below = notifications().filter(
        pl.col("correlated_alarm_id") == alarm[0], pl.col("notification_type") == NEW
    )
    hit = cells_hit(plant, faults)
    cells = plant.cells["cell_id"].gather(hit[1][hit[0] == row])
    dead = below.filter(pl.col("specific_problem") == "Cell out of service")
    assert set(dead["cell_id"]) == set(cells)
    assert (dead["event_time"] >= impact).all()
    assert {"Battery low", "Link down", "Association to core lost"} <= set(
        below["specific_problem"]
    )
    battery = below.filter(pl.col("specific_problem") == "Battery low")
    assert (battery["event_time"] < impact).all()
    assert (battery["probable_cause"] == 105).all()


def test_every_cell_out_of_service_has_its_alarm():
    for date in DAYS[3:6]:
        plant, start = inputs().plant, day_start(date)
        faults = faults_on(plant, date)
        row, cell = cells_hit(plant, faults)
        begins = (faults.capacity[row] == 0) & (faults.impact[row] >= start)
        begins &= faults.impact[row] < start + DAY - HOUR
        dead = set(plant.cells["cell_id"].gather(cell[begins]).to_list())
        raised = notifications().filter(
            pl.col("event_time").dt.date() == date,
            pl.col("notification_type") == NEW,
            pl.col("specific_problem") == "Cell out of service",
        )
        assert dead <= set(raised["cell_id"])
        assert len(dead) > 20


def test_what_clears_by_itself_is_there_too():
    problems = set(notifications()["specific_problem"])
    for kind in (Kind.FLAPPING, Kind.DOOR, Kind.CLOCK, Kind.MEMORY_HIGH, Kind.PEER_RETRY):
        assert ALARM_KINDS[kind].problem in problems
    benign = notifications().filter(pl.col("specific_problem") == "Door open")
    hour = benign.filter(pl.col("notification_type") == NEW)["event_time"]
    local = hour.dt.convert_time_zone("Europe/Brussels").dt.hour()
    assert local.is_between(7, 16).all()


def test_causes_are_those_of_the_kind():
    causes = {kind.problem: kind.cause for kind in ALARM_KINDS if kind.cause != OF_FAULT}
    found = notifications().filter(pl.col("specific_problem").is_in(list(causes)))
    expected = found["specific_problem"].replace_strict(causes, return_dtype=pl.Int16)
    assert (found["probable_cause"] == expected).all()


def test_nothing_is_raised_where_nothing_breaks_but_by_load_and_leaks():
    config = small_world(subscribers=300)
    network = config.network.model_copy(update={"fault_rate": 0.0})
    quiet = inputs_of(config.model_copy(update={"network": network}))
    frame = alarms.make(quiet, FIRST, whole(quiet)).to_frame()
    assert set(frame["specific_problem"]) <= {
        "Cell congestion", "Setup success low", "Drop rate high", "Memory use high"
    }  # fmt: skip


def test_the_epoch_has_no_day_before():
    frame = alarms.make(inputs(), inputs().config.epoch, whole(inputs())).to_frame()
    start = dt.datetime.combine(inputs().config.epoch, dt.time(), dt.UTC)
    assert frame.height > 0
    assert (frame["raised_time"] >= start).all()


# Thresholds.


def _one(*values: float) -> "tuple[list[int], list[int], list[int]]":
    """Return hours at which values from the reset on raise, rise and clear alarms."""
    series = np.full((1, 44), 10.0)
    series[0, : len(values)] = values
    found = _hysteresis(CONGESTION, series, np.array([23]))
    return found.raised.tolist(), found.risen.tolist(), found.cleared.tolist()


def test_an_alarm_is_raised_at_its_threshold_and_cleared_below_a_lower_one():
    assert _one(89.9, 79.0) == ([], [], [])
    assert _one(90.0, 89.0, 80.0, 79.9) == ([0], [-1], [3])
    assert _one(91.0, 85.0, 92.0, 70.0) == ([0], [-1], [3])
    assert _one(91.0, 79.0, 85.0, 91.0, 70.0) == ([0, 3], [-1, -1], [1, 4])


def test_severity_rises_once_at_the_severe_value():
    assert _one(91.0, 98.0, 99.0, 70.0) == ([0], [1], [3])
    assert _one(98.0, 99.0, 70.0) == ([0], [-1], [2])


def test_supervision_starts_anew_once_a_day():
    busy = [95.0] * 44
    assert _one(*busy) == ([0, 24], [-1, -1], [23, -1])
    # In the last hour before it, nothing is raised.
    assert _one(*([10.0] * 23), 95.0, 10.0) == ([], [], [])


class _Book:
    """Networks in which one cell is in use in some hours, and nothing else happens."""

    def __init__(
        self, world: Inputs, cell: int | slice, use: dict[dt.date, tuple[float, slice]]
    ) -> None:
        self._world, self._cell, self._use = world, cell, use

    def network(self, date: dt.date) -> NetworkDay:
        cells = self._world.plant.cells.height
        measures = {name: np.zeros((cells, 24), dtype=np.float32) for name in MEASURES}
        use, hours = self._use.get(date, (0.0, slice(0, 0)))
        measures["prb_use"][self._cell, hours] = use
        none = np.empty(0, dtype=np.int64)
        return NetworkDay(
            measures=measures,
            fault=np.full((cells, 24), -1),
            has_outage=np.zeros(cells, dtype=np.bool_),
            outage_cell=none,
            outage_start=none,
            outage_end=none,
            takers=self._world.plant.takers,
        )


def _congestion(use: dict[dt.date, tuple[float, slice]], dates: list[dt.date]) -> pl.DataFrame:
    """Return the notifications about congestion in a network in which one cell is in use."""
    world = inputs_of(small_world(subscribers=300))
    world.book = _Book(world, 5, use)
    made = [alarms.make(world, date, whole(world)).to_frame() for date in dates]
    return pl.concat(made).filter(pl.col("specific_problem") == "Cell congestion")


def test_a_threshold_alarm_is_the_same_from_both_sides_of_midnight():
    first, second = FIRST, FIRST + dt.timedelta(days=1)
    use = {first: (93.0, slice(20, 24)), second: (88.0, slice(0, 1))}
    found = _congestion(use, [first, second])
    raised, cleared = (found.filter(pl.col("notification_type") == what) for what in (NEW, CLEARED))
    assert raised.height == cleared.height == 1
    assert raised["alarm_id"][0] == cleared["alarm_id"][0]
    assert raised["event_time"][0].date() == first
    assert raised["event_time"][0].hour == 21
    assert cleared["event_time"][0].date() == second
    assert cleared["event_time"][0].hour == 2
    assert cleared["raised_time"][0] == raised["event_time"][0]
    assert cleared["repeat_count"][0] == 4
    assert "expected=93.0 %" in raised["threshold_info"][0]


def test_an_alarm_still_open_at_the_reset_is_closed_and_says_so():
    second = FIRST + dt.timedelta(days=1)
    found = _congestion(dict.fromkeys((FIRST, second), (95.0, slice(0, 24))), [second])
    closed = found.filter(pl.col("notification_type") == CLEARED)
    assert closed.height == 1
    reset = closed["event_time"][0].hour
    assert RESET_HOURS[0] <= reset <= RESET_HOURS[1]
    assert "supervision" in closed["additional_text"][0]
    again = found.filter(pl.col("notification_type") == NEW)
    assert again["event_time"].dt.hour().to_list() == [reset + 1]


def test_supervision_starts_anew_at_a_time_of_each_element():
    world = inputs_of(small_world(subscribers=300))
    cells = world.plant.cells.height
    dates = [FIRST, FIRST + dt.timedelta(days=1)]
    world.book = _Book(world, slice(0, cells), dict.fromkeys(dates, (95.0, slice(0, 24))))
    found = alarms.make(world, dates[1], whole(world)).to_frame()
    closed = found.filter(
        pl.col("specific_problem") == "Cell congestion", pl.col("notification_type") == CLEARED
    )
    assert closed["cell_id"].n_unique() == cells == closed.height
    times = closed["event_time"]
    assert set(times.dt.hour()) == set(range(RESET_HOURS[0], RESET_HOURS[1] + 1))
    assert times.dt.minute().n_unique() > 40
    # All alarms of an element are closed together.
    assert (
        closed.group_by("element_id").agg(pl.col("event_time").n_unique())["event_time"].max() == 1
    )
    assert closed["event_time"].n_unique() > 0.9 * closed["element_id"].n_unique()


def test_a_measure_is_called_by_the_name_of_its_technology():
    world = inputs_of(small_world(subscribers=300))
    cells = world.plant.cells.height
    world.book = _Book(world, slice(0, cells), {FIRST: (95.0, slice(8, 9))})
    found = alarms.make(world, FIRST, whole(world)).to_frame()
    raised = found.filter(pl.col("threshold_info").is_not_null(), pl.col("cell_id").is_not_null())
    access = world.plant.cells.select("cell_id", rat=pl.col("rat_type").cast(pl.String))
    named = raised.join(access, on="cell_id").select(
        "rat", measure=pl.col("threshold_info").str.extract("^measure=(.+) expected=")
    )
    assert dict(named.unique().iter_rows()) == {
        "GERAN": "time slot use", "EUTRAN": "PRB use", "NR": "PRB use"
    }  # fmt: skip
    assert len(named.unique()) == 3


def test_people_acknowledge_at_any_moment_of_a_second():
    both = only(ACKNOWLEDGED).select(passed=pl.col("event_time") - pl.col("raised_time"))
    within = both["passed"].dt.total_microseconds() % 1_000_000
    assert within.n_unique() > 0.9 * len(within)
    assert 300_000 < within.mean() < 700_000


def test_cabinets_get_too_warm_on_hot_days():
    world = inputs_of(small_world(subscribers=300))
    world.book = _Book(world, 5, {})
    config, plant = world.config, world.plant
    summer = [dt.date(2026, 6, 15) + dt.timedelta(days=number) for number in range(75)]
    heat = {
        date: weather.temperature(config, DayClock(date, config.time_zone, config.country)).max()
        for date in summer
    }
    hottest, coolest = max(heat, key=heat.__getitem__), min(heat, key=heat.__getitem__)
    counts = {}
    for date in (hottest, coolest):
        found = of_cabinets(world.day(date), whole(world))
        counts[date] = len(found)
        assert (plant.element_site[found.element] >= 0).all()
        assert (found.value[:, 0] >= 50.0).all()
    assert counts[hottest] > 3
    assert counts[coolest] == 0


def test_severities_of_thresholds_are_levels_of_the_kind():
    assert CONGESTION.severities == (MINOR, MAJOR)
    day = inputs().day(FIRST)
    found = of_thresholds(day, whole(inputs()))
    assert (found.raised < found.cleared).all()
    ids = EventIds(inputs().config.seed, "alarm_id").of(found.number)
    assert len(np.unique(ids)) == len(found)


@pytest.mark.parametrize("kind", ALARM_KINDS, ids=lambda kind: kind.kind.name)
def test_kinds_say_something(kind):
    assert kind.problem
    assert kind.raised != kind.cleared
    assert kind.managed in {"cell", "station", "link", "power", "cabinet", "ManagedElement"}


# Memory, by leaks and by what layers do.

LEAKY = dt.date(2026, 1, 3)
MEMORY = "Memory use high"


@cache
def _plain() -> Inputs:
    return inputs_of(small_world(subscribers=600, epoch=dt.date(2026, 1, 1)))


def _strained(**what: object) -> Inputs:
    """Return the same world with a layer that strains ten stations from 09:00 to 15:00 local."""
    layer = Layer.model_validate(
        {
            "version": 1,
            "number": 1,
            "title": "A test",
            "story": "Something gets worse.",
            "kind": "network",
            "when": {"first": "2d", "at": "09:00"},
            "cast": {
                "targets": {
                    "of": "network_elements", "where": {"element_type": ["eNB"]}, "number": 10
                }
            },
            "stages": [
                {"name": "it", "lasts": "6h", "do": [{"strain": {"who": "targets", **what}}]}
            ],
        }
    )  # fmt: skip
    return Inputs(with_layers(_plain().config, {"one": layer}), _plain().frames)


@cache
def _memory_in_use(date: dt.date) -> pl.DataFrame:
    frame = metrics.make(_plain(), date, whole(_plain())).to_frame()
    return frame.select(pl.col("element_id").cast(pl.String), "event_time", "memory_use")


def _of_memory(world: Inputs, date: dt.date) -> pl.DataFrame:
    """Return the notifications about memory of a day that metrics raise, not a moment's haste."""
    found = alarms.make(world, date, whole(world)).to_frame()
    lasting = of_memory(world.day(date), whole(world)).number
    ids = EventIds(world.config.seed, "alarm_id").of(lasting)
    return found.filter(
        pl.col("specific_problem") == MEMORY, pl.col("alarm_id").is_in(ids.tolist())
    ).with_columns(pl.col("element_id").cast(pl.String))


def test_memory_alarms_follow_the_memory_in_use():
    """Whose memory is above the threshold at the end of an hour is told minutes later."""
    world, seen = _plain(), 0
    for date in (LEAKY, LEAKY + dt.timedelta(days=1)):
        raised = _of_memory(world, date).filter(pl.col("notification_type") == NEW)
        told = raised.with_columns(
            event_time=pl.col("event_time").dt.truncate("1h") - pl.duration(minutes=5)
        )
        same_day = told.filter(pl.col("event_time").dt.date() == date)
        both = same_day.join(_memory_in_use(date), on=["element_id", "event_time"])
        assert both.height > 0.9 * same_day.height
        assert (both["memory_use"] >= 85).all()
        seen += both.height
        short = (
            _memory_in_use(date)
            .filter(pl.col("event_time").dt.time() >= dt.time(7))
            .group_by("element_id")
            .agg(pl.col("memory_use").min())
            .filter(pl.col("memory_use") > 86)
        )
        # Who has been short of memory since supervision started anew has an alarm.
        assert set(short["element_id"]) <= set(raised["element_id"])
        assert short.height < 0.03 * whole(world).size
    assert seen > 5


def test_the_closing_of_a_memory_alarm_says_whether_memory_is_free():
    world = _plain()
    for date in (LEAKY, LEAKY + dt.timedelta(days=1)):
        closed = _of_memory(world, date).filter(pl.col("notification_type") == CLEARED)
        still = closed.filter(pl.col("additional_text").str.starts_with("Closed as supervision"))
        assert still.height > 0
        written = logs.make(world, date, whole(world)).to_frame()
        free = written.filter(pl.col("msg_id") == "MEMORY_NORMAL").select("event_time")
        # Nobody writes that memory is free while it is not.
        assert still.join(free, on="event_time").height == 0


def test_a_strained_memory_raises_the_alarm_of_a_leak_and_clears_it():
    world = _strained(memory=45)
    (touch,) = world.story.on(LEAKY).touches
    names = world.frames["network_elements"]["element_id"].gather(touch.rows)
    usual = alarms.make(_plain(), LEAKY, whole(world)).to_frame()
    found = alarms.make(world, LEAKY, whole(world)).to_frame()
    added = found.join(usual, on="event_id", how="anti")
    theirs = pl.col("element_id").cast(pl.String).is_in(names.implode())
    assert found.filter(~theirs).equals(usual.filter(~theirs))
    assert set(added["specific_problem"]) == {MEMORY}
    new = added.filter(pl.col("notification_type") == NEW)
    assert new["element_id"].n_unique() >= 8
    start, end = int(touch.start[0]), int(touch.end[0])
    time = new["event_time"].dt.epoch("us")
    # Supervision looks at the end of each hour and tells some minutes later.
    assert (time >= start).all()
    assert (time < end + HOUR).all()
    cleared = added.filter(pl.col("notification_type") == CLEARED)
    assert cleared.height >= 8
    assert (cleared["event_time"].dt.epoch("us") > end).all()
    # The next day has what it has without the layer.
    later = LEAKY + dt.timedelta(days=1)
    assert (
        alarms.make(world, later, whole(world))
        .to_frame()
        .filter(~theirs)
        .equals(alarms.make(_plain(), later, whole(world)).to_frame().filter(~theirs))
    )


def test_a_strained_element_writes_of_its_alarm():
    world = _strained(memory=45)
    (touch,) = world.story.on(LEAKY).touches
    names = world.frames["network_elements"]["element_id"].gather(touch.rows)
    told = logs.make(world, LEAKY, whole(world)).to_frame()
    sent = alarms.make(world, LEAKY, whole(world)).to_frame()
    lines = told.filter(
        pl.col("msg_id").is_in(["MEMORY_HIGH", "MEMORY_NORMAL"]),
        pl.col("element_id").cast(pl.String).is_in(names.implode()),
    )
    assert lines.filter(pl.col("msg_id") == "MEMORY_HIGH").height >= 8
    assert lines.filter(pl.col("msg_id") == "MEMORY_NORMAL").height >= 8
    assert lines.join(sent, on="event_time").height >= lines.height


def test_a_little_strain_raises_nothing():
    found = alarms.make(_strained(memory=2, cpu=50), LEAKY, whole(_plain())).to_frame()
    assert found.equals(alarms.make(_plain(), LEAKY, whole(_plain())).to_frame())
