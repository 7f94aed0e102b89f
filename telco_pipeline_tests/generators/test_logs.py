"""Tests of log lines that follow the network: load, faults, alarms, silence."""

import datetime as dt
import itertools
from functools import cache

import numpy as np
import polars as pl

from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import FaultKind
from telco_pipeline.engine.calendar import DAY, HOUR, day_start
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators import Inputs, alarms, logs
from telco_pipeline.generators.alarm_kinds import ALARM_KINDS, Kind
from telco_pipeline.generators.log_faults import Silence, silence
from telco_pipeline.generators.log_messages import ALARM_LINES
from telco_pipeline.state.faults import faults_on
from telco_pipeline.state.hanging import Hanging
from telco_pipeline_tests.generators.kit import inputs_of, small_world

FIRST = dt.date(2026, 3, 9)
DAYS = [FIRST + dt.timedelta(days=number) for number in range(6)]
ALARM = r'\[alarm@32473 resource="([^"]*)" probableCause="(\d+)" perceivedSeverity="(\w+)"\]'


@cache
def inputs() -> Inputs:
    """Return a small world that breaks five times as often as usual."""
    config = small_world(subscribers=600)
    network = config.network.model_copy(update={"fault_rate": 5.0})
    return inputs_of(config.model_copy(update={"network": network}))


def whole() -> Part:
    return Part(0, 0, inputs().frames["network_elements"].height)


@cache
def lines() -> pl.DataFrame:
    return pl.concat([logs.make(inputs(), date, whole()).to_frame() for date in DAYS])


@cache
def notifications() -> pl.DataFrame:
    return pl.concat([alarms.make(inputs(), date, whole()).to_frame() for date in DAYS])


def test_lines_keep_the_contract_and_their_order():
    for date in DAYS[:2]:
        frame = logs.make(inputs(), date, whole()).to_frame()
        records.NETWORK_LOGS.schema.validate(frame)
        assert frame["event_time"].is_sorted()
    assert lines()["event_id"].is_unique().all()


def test_lines_do_not_depend_on_parts():
    elements = whole().stop
    cuts = [0, elements // 4, elements // 2, elements]
    pieces = [
        logs.make(inputs(), FIRST, Part(number, start, stop)).to_frame()
        for number, (start, stop) in enumerate(itertools.pairwise(cuts))
    ]
    day = lines().filter(pl.col("event_time").dt.date() == FIRST)
    assert pl.concat(pieces).sort("event_id").equals(day.sort("event_id"))


def test_blocks_do_not_show_in_the_rows(monkeypatch):
    monkeypatch.setattr(logs, "_BLOCK", 997)
    frame = logs.make(inputs(), FIRST, whole()).to_frame()
    assert frame.equals(lines().filter(pl.col("event_time").dt.date() == FIRST))


def test_load_in_a_line_is_that_of_its_cell_and_hour():
    places = {name: row for row, name in enumerate(inputs().frames["cells"]["cell_id"])}
    seen = 0
    for date in DAYS[:2]:
        day = inputs().day(date)
        found = lines().filter(
            pl.col("event_time").dt.date() == date,
            pl.col("msg_id").is_in(["CELL_LOAD", "TCH_LOAD"]),
        )
        told = found.select(
            hour=pl.col("event_time").dt.hour(),
            cell=pl.col("message").str.extract(r"^cell (\S+)"),
            users=pl.col("message").str.extract(r"(?:users|channels) ([\d.]+)").cast(pl.Float64),
            use=pl.col("message").str.extract(r"use ([\d.]+) %").cast(pl.Float64),
        )
        cell = np.array([places[name] for name in told["cell"]])
        hour = told["hour"].to_numpy()
        for name, column in (("active_users", "users"), ("prb_use", "use")):
            expected = day.network.measures[name][cell, hour].astype(np.float64)
            assert (np.round(expected, 1) == told[column].to_numpy()).all()
        seen += told.height
        assert told["use"].n_unique() > 100
    assert seen > 1000


def test_handovers_in_a_line_follow_its_hour():
    found = (
        lines()
        .filter(pl.col("msg_id") == "HO_STATS")
        .select(
            moves=pl.col("message").str.extract(r"handovers (\d+)").cast(pl.Int64),
            lost=pl.col("message").str.extract(r"failed (\d+)").cast(pl.Int64),
            night=pl.col("event_time").dt.hour().is_in([1, 2, 3]),
        )
    )
    assert (found["lost"] <= found["moves"]).all()
    assert found.filter("night")["moves"].mean() < found.filter(~pl.col("night"))["moves"].mean()


def _dark() -> list[tuple[dt.date, list[str], int, int]]:
    """Return the power cuts that outlast batteries: day, elements, and when they have no power.

    Worked out from the faults and the sites, not with `log_faults`.
    """
    plant, found = inputs().plant, []
    hanging = Hanging.of(plant)
    for date in DAYS:
        faults, start = faults_on(plant, date), day_start(date)
        chosen = faults.is_kind(FaultKind.POWER) & (faults.impact < faults.end)
        for row in np.flatnonzero(chosen):
            feeder = hanging.feeder[plant.element_site[faults.element[row]]]
            sites = set(np.flatnonzero(hanging.feeder == feeder).tolist())
            elements = [
                name
                for name, site in zip(
                    plant.elements["element_id"], plant.element_site.tolist(), strict=True
                )
                if site in sites
            ]
            first, last = (
                max(int(faults.impact[row]), start),
                min(int(faults.end[row]), start + DAY),
            )
            found.append((date, elements, first, last))
    return found


def test_an_element_without_power_writes_nothing():
    dark = _dark()
    hours = sum(last - first for _, _, first, last in dark) / HOUR
    assert hours > 3
    time = pl.col("event_time").dt.epoch("us")
    for _, elements, first, last in dark:
        written = lines().filter(
            pl.col("element_id").is_in(elements), time.is_between(first, last, "left")
        )
        assert written.height == 0
        around = lines().filter(pl.col("element_id").is_in(elements))
        assert around.height > 0


def test_who_is_back_says_so():
    ended = [
        (elements, last) for date, elements, _, last in _dark() if last < day_start(date) + DAY
    ]
    assert ended
    time = pl.col("event_time").dt.epoch("us")
    for elements, end in ended:
        started = lines().filter(
            pl.col("msg_id") == "SYSTEM_START", time.is_between(end, end + 5_000_000)
        )
        assert set(elements) <= set(started["element_id"])


def test_nothing_is_told_of_a_cell_out_of_service():
    places = {name: row for row, name in enumerate(inputs().frames["cells"]["cell_id"])}
    for date in DAYS:
        day = inputs().day(date)
        found = lines().filter(
            pl.col("event_time").dt.date() == date,
            pl.col("msg_id").is_in(["CELL_LOAD", "TCH_LOAD", "HO_STATS", "VSWR_HIGH"]),
        )
        names = found["message"].str.extract(r"^cell (\S+)")
        cell = np.array([places[name] for name in names])
        time = found["event_time"].dt.epoch("us").to_numpy() - day_start(date)
        assert not day.network.is_down(cell, time).any()


def test_an_alarm_in_a_line_is_one_that_was_sent():
    told = (
        lines()
        .filter(pl.col("structured_data").str.contains("alarm@"))
        .select(
            "event_time",
            "msg_id",
            "severity",
            resource=pl.col("structured_data").str.extract(ALARM, 1),
            cause=pl.col("structured_data").str.extract(ALARM, 2).cast(pl.Int16),
            perceived=pl.col("structured_data").str.extract(ALARM, 3),
        )
    )
    assert told.height > 300
    sent = notifications().select(
        "event_time",
        resource=pl.coalesce(
            "cell_id", pl.col("managed_object_instance").str.extract(r"ManagedElement=([^,]+)")
        ),
        cause="probable_cause",
        perceived=pl.col("perceived_severity").cast(pl.String),
    )
    joined = told.join(sent.unique(), on=["event_time", "resource", "cause", "perceived"])
    assert joined.height == told.height
    # RFC 5674.
    level = {"critical": 1, "major": 2, "minor": 3, "warning": 4, "cleared": 5}
    expected = told["perceived"].replace_strict(level, return_dtype=pl.Int16)
    assert (told["severity"] == expected).all()


def test_elements_write_when_a_fault_begins_hits_and_is_repaired():
    kinds = set(lines()["msg_id"])
    assert {
        "MAINS_LOST", "BATTERY_LOW", "LINK_DOWN", "LINK_UP", "ASSOC_LOST", "ASSOC_UP", "CELL_OUT",
        "CELL_IN", "WATCHDOG", "SYSTEM_START", "UNIT_FAULT", "UNIT_OK", "RU_FAULT", "RU_OK",
        "LOCKED", "UNLOCKED", "OVERLOAD_START", "OVERLOAD_REJECT", "OVERLOAD_END", "DOOR_OPEN",
    } <= kinds  # fmt: skip


def test_the_core_tells_of_stations_that_it_no_longer_hears():
    elements = inputs().frames["network_elements"]
    kinds = dict(elements.select("element_id", pl.col("element_type").cast(pl.String)).iter_rows())
    stations = dict(
        elements.filter(pl.col("element_type").cast(pl.String).is_in(["BTS", "eNB", "gNB"]))
        .select("address", pl.col("element_type").cast(pl.String))
        .iter_rows()
    )
    told = lines().filter(
        pl.col("msg_id") == "ASSOC_LOST", ~pl.col("structured_data").str.contains("alarm@")
    )
    assert told.height > 20
    expected = {"BTS": "BSC", "eNB": "MME", "gNB": "AMF"}
    links = {"BTS": "Abis link", "eNB": "S1 association", "gNB": "N2 association"}
    for element, message in told.select("element_id", "message").iter_rows():
        station = stations[message.split()[3]]
        assert kinds[element] == expected[station]
        assert message.startswith(links[station])


def test_silence_covers_its_stretch_and_nothing_else():
    quiet = Silence(
        element=np.array([3, 3, 7]),
        start=np.array([100, 300, 50]),
        end=np.array([200, 400, 60]),
        fault=np.array([1, 2, 3]),
    )
    element = np.array([3, 3, 3, 3, 7, 7, 8])
    time = np.array([99, 100, 200, 399, 50, 100, 55])
    expected = [False, True, False, True, True, False, False]
    assert quiet.covers(element, time).tolist() == expected
    assert len(silence(inputs().day(FIRST)).element) > 5


def test_every_alarm_that_elements_raise_has_its_lines():
    counted = {Kind.CONGESTION, Kind.SETUP_SUCCESS, Kind.DROP_RATE}
    assert set(ALARM_LINES) == {kind.kind for kind in ALARM_KINDS} - counted


def test_without_logs_there_are_none():
    config = small_world(subscribers=300)
    weights = config.record_weights.model_copy(update={"network_logs": 0.0})
    world = inputs_of(config.model_copy(update={"record_weights": weights}))
    part = Part(0, 0, world.frames["network_elements"].height)
    assert logs.make(world, FIRST, part).height == 0
