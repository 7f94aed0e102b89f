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
from telco_pipeline.generators import Inputs, alarms, logs, metrics
from telco_pipeline.generators.alarm_kinds import ALARM_KINDS, Kind
from telco_pipeline.generators.log_faults import Silence, silence
from telco_pipeline.generators.log_messages import ABOUT, ALARM_LINES
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
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
    # An element boots before its cells are back, and says so once.
    said = ~pl.col("msg_id").is_in(["SYSTEM_START"])
    for _, elements, first, last in dark:
        written = lines().filter(
            pl.col("element_id").is_in(elements), time.is_between(first, last, "left"), said
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
        tested = lines().filter(
            pl.col("msg_id") == "SELF_TEST", time.is_between(end, end + 5_000_000)
        )
        assert set(elements) <= set(tested["element_id"])


def test_a_start_takes_its_time_and_cells_come_after_it():
    """Self-tests take what their lines say, and no cell is in service before they are over."""
    time = pl.col("event_time").dt.epoch("us")
    told = lines().filter(pl.col("msg_id").is_in(["SYSTEM_START", "SELF_TEST", "CELL_IN"]))
    rows = told.select("element_id", "msg_id", "message", time=time).sort("element_id", "time")
    seen, long = 0, 0
    for _, mine in rows.group_by("element_id"):
        started = None
        for kind, message, when in mine.select("msg_id", "message", "time").iter_rows():
            if kind == "SYSTEM_START":
                started = when
            elif kind == "SELF_TEST" and started is not None:
                span = int(message.split()[3])
                assert abs((when - started) / 1e6 - span) <= 1
                started, seen, long = None, seen + 1, long + (span > 120)
            elif kind == "CELL_IN":
                assert started is None, "in service before the self-test is over"
    assert seen > 40
    assert long > 0.3 * seen


def test_figures_in_lines_are_those_of_the_element_in_those_five_minutes():
    date = DAYS[1]
    measured = metrics.make(inputs(), date, whole()).to_frame()
    patterns = {
        "TUNNEL_STATS": {"active_sessions": r"tunnels (\d+)", "throughput": r"(\d+) kbit/s"},
        "IF_STATS": {"throughput": r"(\d+) kbit/s", "capacity_used": r"use ([\d.]+) %"},
        "SESSION_STATS": {"active_sessions": r"sessions (\d+)"},
        "ATTACH_STATS": {"active_sessions": r"in use (\d+)"},
        "CALL_STATS": {"active_sessions": r"in progress (\d+)"},
        "PEER_STATS": {"active_sessions": r"sessions (\d+)"},
        "CPU_LOAD": {"cpu_use": r"load ([\d.]+) %"},
        "LINK_STATS": {"capacity_used": r"use ([\d.]+) %"},
    }
    today = lines().filter(pl.col("event_time").dt.date() == date)
    for msg_id, columns in patterns.items():
        told = today.filter(pl.col("msg_id") == msg_id).with_columns(
            pl.col("event_time").dt.truncate("5m"),
            **{
                f"said_{n}": pl.col("message").str.extract(p).cast(pl.Float64)
                for n, p in columns.items()
            },
        )
        both = told.join(measured, on=["element_id", "event_time"])
        assert both.height > max(5, 0.9 * told.height), msg_id
        for name in columns:
            assert (both[f"said_{name}"] == both[name]).all(), (msg_id, name)


def test_what_users_do_in_a_minute_follows_how_many_they_are():
    told = lines().filter(pl.col("msg_id") == "ATTACH_STATS")
    pattern = r"accepted (\d+), rejected (\d+) .* use (\d+)"
    figures = told.select(
        *(
            pl.col("message").str.extract(pattern, n).cast(pl.Int64).alias(name)
            for n, name in enumerate(("accepted", "rejected", "users"), start=1)
        )
    )
    assert figures.height > 100
    assert (figures["accepted"] <= 0.6 * figures["users"] + 1).all()
    assert (figures["accepted"] >= 0.4 * figures["users"] - 1).all()
    assert (figures["rejected"] <= 0.02 * figures["accepted"] + 1).all()
    assert figures["users"].n_unique() > 5


def test_a_controller_without_cells_tells_of_none():
    plain = inputs().frames["network_elements"]
    idle = plain.filter(pl.col("element_type").cast(pl.String) == "RNC")["element_id"]
    written = lines().filter(pl.col("element_id").is_in(idle.to_list()))
    assert written.height > 10
    assert set(written["msg_id"]) <= {
        "CPU_LOAD", "CLOCK_SYNC", "LOGIN", "LOGIN_FAILED", "POLL", "SYSTEM_START", "SELF_TEST",
        "PLANNED_RESTART", "ECC_CORRECTED", "FAN_SLOW", "PAGE_RETIRED", "QUEUE_HIGH",
        "TASK_RESTARTED", "RX_ERRORS", "PORT_RESET", "INPUT_DIP", "SUPPLY_SWITCHED",
        "MEMORY_HIGH", "MEMORY_NORMAL", "ALARM_CHANGED",
    }  # fmt: skip


def test_rejects_of_an_overload_come_at_uneven_distances():
    told = lines().filter(pl.col("msg_id") == "OVERLOAD_REJECT").sort("element_id", "event_time")
    gap = pl.col("event_time").diff().over("element_id").dt.total_microseconds()
    # Longer ones lie between two overloads.
    gaps = told.select(gap=gap).drop_nulls().filter(pl.col("gap") < 600_000_000)["gap"]
    assert len(gaps) > 8
    assert gaps.n_unique() > 0.95 * len(gaps)
    assert gaps.min() >= 25_000_000
    assert gaps.std() > 0.3 * gaps.mean()


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
        boot=np.array([190, 390, 55]),
        end=np.array([200, 400, 60]),
        fault=np.array([1, 2, 3]),
    )
    element = np.array([3, 3, 3, 3, 7, 7, 8])
    time = np.array([99, 100, 200, 399, 50, 100, 55])
    expected = [False, True, False, True, True, False, False]
    assert quiet.covers(element, time).tolist() == expected
    but = np.array([1, 1, 1, 1, 3, 3, 3])
    others = [False, False, False, True, False, False, False]
    assert quiet.covers(element, time, but=but).tolist() == others
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


# What layers do.

EVE = dt.date(2026, 1, 3)


def _layer(number: int = 1, **effect: object) -> Layer:
    """Return a layer that touches some for eight hours of the third day, from 09:00 local on."""
    (name, what), *_ = effect.items()
    assert isinstance(what, dict)
    return Layer.model_validate(
        {
            "version": 1,
            "number": number,
            "title": "A test",
            "story": "Something wears out.",
            "kind": "network",
            "when": {"first": "2d", "at": "09:00"},
            "cast": {"targets": what.pop("role")},
            "stages": [
                {"name": "it", "lasts": "8h", "do": [{name: {"who": "targets", **what}}]},
            ],
        }
    )


STATIONS = {"of": "network_elements", "where": {"element_type": ["eNB"]}, "number": 12}


@cache
def _plain() -> Inputs:
    return inputs_of(small_world(subscribers=600, epoch=dt.date(2026, 1, 1)))


def _with(*layers: Layer) -> Inputs:
    named = {f"one{number}": layer for number, layer in enumerate(layers)}
    return Inputs(with_layers(_plain().config, named), _plain().frames)


def _made(world: Inputs, date: dt.date = EVE) -> pl.DataFrame:
    elements = world.frames["network_elements"].height
    return logs.make(world, date, Part(0, 0, elements)).to_frame()


@cache
def _usual_day(date: dt.date = EVE) -> pl.DataFrame:
    return _made(_plain(), date)


def _more(world: Inputs, date: dt.date = EVE) -> pl.DataFrame:
    """Return the lines that a layer adds; all others are those of the world without it."""
    found, usual = _made(world, date), _usual_day(date)
    added = found.join(usual, on="event_id", how="anti")
    kept = found.join(added, on="event_id", how="anti")
    # With the bytes of each line, in the same order.
    assert kept.equals(usual)
    return added


def test_errors_come_on_top_at_their_targets_in_their_time():
    world = _with(_layer(errors={"role": STATIONS, "per_hour": 6, "of": "hardware"}))
    added = _more(world)
    (touch,) = world.story.on(EVE).touches
    names = world.frames["network_elements"]["element_id"].gather(touch.rows)
    assert set(added["element_id"].cast(pl.String)) == set(names)
    time = added["event_time"].dt.epoch("us")
    assert (time >= touch.start.min()).all()
    assert (time < touch.end.max()).all()
    # 12 elements, 8 hours: 576 in the mean, as a Poisson count.
    assert abs(added.height - 576) < 4 * 576**0.5
    assert added["event_time"].n_unique() == added.height
    by_element = added.group_by("element_id").len()["len"]
    assert by_element.min() > 20
    for date in (EVE - dt.timedelta(days=1), EVE + dt.timedelta(days=1)):
        assert _more(world, date).height == 0


def test_errors_read_as_those_of_ordinary_days():
    """Every message that a layer brings, with its severity and form, is written without it too."""
    usual = pl.concat([lines(), _usual_day()])
    shape = [
        "app_name", "msg_id", "facility", "severity",
        pl.col("message").str.replace_all(r"\d+(\.\d+)+|cell \S+|\d+", "#").alias("shape"),
    ]  # fmt: skip
    known = usual.select("element_id", *shape).unique()
    types = (
        _plain()
        .frames["network_elements"]
        .select("element_id", kind=pl.col("element_type").cast(pl.String))
    )
    known = known.with_columns(pl.col("element_id").cast(pl.String)).join(types, on="element_id")
    for about in ABOUT:
        for kind in ("eNB", "BTS", "site router", "MME"):
            role = {"of": "network_elements", "where": {"element_type": [kind]}}
            world = _with(_layer(errors={"role": role | {"number": 4}, "per_hour": 8, "of": about}))
            added = _more(world).select("element_id", *shape)
            assert added.height > 60
            fresh = added.join(
                known.filter(pl.col("kind") == kind), on=added.columns[1:], how="anti"
            )
            # What is rare may be missing in the few days of the tests.
            assert fresh.height < 0.2 * added.height, (about, kind, fresh)
            shares = added["severity"].value_counts(normalize=True)
            assert set(shares["severity"]) <= {3, 4}
            assert shares.filter(pl.col("severity") == 4)["proportion"].sum() > 0.5


def test_errors_of_a_site_are_written_by_all_its_elements():
    world = _with(_layer(errors={"role": {"of": "sites", "number": 3}, "per_hour": 10}))
    added = _more(world)
    (touch,) = world.story.on(EVE).touches
    sites = world.frames["sites"]["site_id"].gather(touch.rows)
    at = world.frames["network_elements"].filter(pl.col("site_id").is_in(sites.implode()))
    assert set(added["element_id"].cast(pl.String)) == set(at["element_id"])
    assert at.height >= 6


def test_errors_rise_over_their_ramp():
    what = {"role": STATIONS, "per_hour": 20, "ramp": "8h"}
    world = _with(_layer(errors=what))
    added = _more(world)
    (touch,) = world.story.on(EVE).touches
    since = (added["event_time"].dt.epoch("us") - int(touch.start[0])) / HOUR
    early, late = since.filter(since < 4).len(), since.filter(since >= 4).len()
    # The areas of a triangle's halves are as one to three.
    assert 2.3 < late / early < 3.9


def test_errors_of_two_layers_add_up_and_depend_on_no_part():
    both = _with(
        _layer(errors={"role": STATIONS, "per_hour": 6}),
        _layer(2, errors={"role": STATIONS, "per_hour": 2000, "of": "power"}),
    )
    one = _more(_with(_layer(errors={"role": STATIONS, "per_hour": 6})))
    added = _more(both)
    expected = 12 * 8 * 2006
    assert abs(added.height - expected) < 4 * expected**0.5
    assert added["event_id"].is_unique().all()
    assert one.join(added, on=["event_time", "message", "element_id"], how="anti").height == 0
    elements = both.frames["network_elements"].height
    cut = [
        logs.make(both, EVE, Part(number, start, stop)).to_frame()
        for number, (start, stop) in enumerate(
            itertools.pairwise([0, elements // 3, elements // 2, elements])
        )
    ]
    assert pl.concat(cut).sort("event_id").equals(_made(both).sort("event_id"))
