"""Metrics of elements: they add up along the wires, follow cells and faults, and have no seams."""

import datetime as dt
from functools import cache
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from telco_pipeline.contracts.codes import ElementType, FaultKind
from telco_pipeline.contracts.oss import ELEMENT_METRICS, ElementMetrics
from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE, SECOND, day_start
from telco_pipeline.engine.parts import Part, parts
from telco_pipeline.generators import logs, metrics
from telco_pipeline.generators.alarm_kinds import Kind
from telco_pipeline.generators.alarm_nuisances import of_itself
from telco_pipeline.generators.inputs import Day, Inputs
from telco_pipeline.generators.metrics import _queue
from telco_pipeline.generators.traffic import SLOTS, Traffic, bandwidth_of, wiring_of
from telco_pipeline.generators.wear import FULL, Ailments, Leaks, Stops, starts_before
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.state.faults import FAULT_KINDS, Faults, faults_beginning
from telco_pipeline.state.hazards import OUT_OF_MEMORY
from telco_pipeline.state.network import HOURS, MEASURES, NetworkDay
from telco_pipeline.state.plant import Plant
from telco_pipeline_tests.generators.kit import inputs_of, small_world

DATE = dt.date(2026, 2, 3)
NEXT = DATE + dt.timedelta(days=1)


@cache
def world() -> Inputs:
    """Return a small world."""
    return inputs_of(small_world(subscribers=1000))


def network(plant: Plant, level: float = 0.4, outages: tuple[tuple[int, int, int], ...] = ()):
    """Return a day on which the load of all cells rises by the hour; outages: cell, start, end."""
    cells = len(plant.rat)
    measures = {name: np.zeros((cells, HOURS), np.float32) for name in MEASURES}
    capacity = np.rint(plant.capacity)[:, None] * np.ones(HOURS)
    rising = level * (0.5 + np.arange(HOURS) / HOURS)
    dead = np.zeros((cells, HOURS), dtype=bool)
    for cell, start, end in outages:
        dead[cell, -(-start // HOUR) : end // HOUR] = True
    measures["demand"] = np.where(dead, 0, np.rint(capacity * rising)).astype(np.float32)
    measures["capacity"] = np.where(dead, 0, capacity).astype(np.float32)
    measures["active_users"] = np.where(dead, 0, 20 * rising).astype(np.float32)
    cell, start, end = (np.array([out[n] for out in outages], dtype=np.int64) for n in range(3))
    has = np.zeros(cells, dtype=bool)
    has[cell] = True
    return NetworkDay(measures, np.full((cells, HOURS), -1), has, cell, start, end, plant.takers)


def faults(*rows: dict[str, float]) -> Faults:
    """Return faults; each row has kind, element, start and end (of `DATE`), and what differs.

    A hazard, if given, is the number in `state.hazards`.
    """
    begin, usual = day_start(DATE), {"cell": -1, "capacity": 1.0, "failure": 0.0, "cause": 1}
    given = [
        {
            **usual,
            **row,
            "number": (row.get("hazard", 0) << 8) + number,
            "kind": FAULT_KINDS.index(row["kind"]),
            "start": begin + row["start"],
            "impact": begin + row.get("impact", row["start"]),
            "end": begin + row["end"],
        }
        for number, row in enumerate(rows)
    ]
    names = ("number", "kind", "start", "impact", "end", "element", "cell", "capacity", "failure")
    batch = {name: np.array([row[name] for row in given]) for name in (*names, "cause")}
    return Faults.of(7, [batch] if given else [])


def set_days(
    date: dt.date = DATE, net: NetworkDay | None = None, broken: Faults | None = None
) -> Day:
    """Return a day that is as given, after one that was like any other."""
    inputs = world()
    eve, day = inputs.day(date - dt.timedelta(days=1)), inputs.day(date)
    eve.network = network(inputs.plant)
    day.network = net or network(inputs.plant)
    day.faults = broken or faults()
    return day


def made(
    date: dt.date = DATE,
    net: NetworkDay | None = None,
    broken: Faults | None = None,
    part: Part | None = None,
) -> pl.DataFrame:
    """Return the metrics of a day (arguments: `set_days`), with the types of the elements."""
    set_days(date, net, broken)
    plant = world().plant
    frame = metrics.make(world(), date, part or Part(0, 0, plant.elements.height)).to_frame()
    types = plant.elements.select(
        "element_id", "site_id", kind=pl.col("element_type").cast(pl.String)
    )
    slot = (pl.col("event_time").dt.timestamp("us") - day_start(date)) // (5 * MINUTE)
    return frame.join(types, on="element_id", maintain_order="left").with_columns(slot=slot)


@cache
def healthy() -> pl.DataFrame:
    """Return a day without faults."""
    return made()


def of(frame: pl.DataFrame, element: int, column: str) -> np.ndarray:
    """Return a column of one element by its row."""
    key = world().plant.elements["element_id"][int(element)]
    return frame.filter(pl.col("element_id") == key)[column].to_numpy()


def test_every_element_every_five_minutes() -> None:
    frame = healthy()
    ElementMetrics.validate(frame.select(ELEMENT_METRICS.columns))
    assert frame.height == world().plant.elements.height * SLOTS
    assert frame.select("event_time", "element_id").is_unique().all()
    assert frame.select("event_time", "element_id").equals(
        frame.select("event_time", "element_id").sort("event_time", "element_id")
    )
    assert set(frame["kind"]) == {str(kind) for kind in ElementType}


def test_parts_are_the_whole() -> None:
    cut = [made(part=part) for part in parts(world().plant.elements.height, 100)]
    assert pl.concat(cut).sort("event_time", "element_id").equals(healthy())


def test_days_are_independent_of_their_order() -> None:
    later = made(NEXT)
    assert made(DATE).equals(healthy())
    assert made(NEXT).equals(later)


def test_a_site_router_carries_its_stations() -> None:
    frame = healthy()
    stations = frame.filter(pl.col("kind").is_in(["BTS", "eNB", "gNB"]))
    behind = stations.group_by("site_id", "event_time").agg(pl.col("throughput").sum())
    routers = frame.filter(pl.col("kind") == "site router").join(
        behind, on=["site_id", "event_time"]
    )
    # The router's own supervision comes on top, and its link is the limit.
    off = (routers["throughput"] - routers["throughput_right"]).abs()
    free = routers["bandwidth_left"] > 0
    assert off.filter(free).max() <= 3
    assert free.mean() > 0.95


def test_the_core_carries_all_cells() -> None:
    frame = healthy()
    stations = frame.filter(pl.col("kind").is_in(["BTS", "eNB", "gNB"]))
    sent = stations.group_by("slot").agg(pl.col("throughput").sum()).sort("slot")["throughput"]
    for kinds, whose in (
        (["switch"], ["BTS", "eNB", "gNB"]),
        (["UPF"], ["gNB"]),
        (["SGW"], ["BTS", "eNB"]),
        (["BSC"], ["BTS"]),
    ):
        wanted = stations.filter(pl.col("kind").is_in(whose)).group_by("slot")
        wanted = wanted.agg(pl.col("throughput").sum()).sort("slot")["throughput"]
        got = frame.filter(pl.col("kind").is_in(kinds)).group_by("slot")
        got = got.agg(pl.col("throughput").sum()).sort("slot")["throughput"]
        assert ((got - wanted).abs() <= 0.002 * wanted + 20).all(), kinds
    assert sent.min() > 0


def test_throughput_follows_the_hours_of_the_cells() -> None:
    frame, measures = healthy(), network(world().plant).measures
    carried = np.minimum(measures["demand"], measures["capacity"]).sum(axis=0)
    stations = frame.filter(pl.col("kind").is_in(["BTS", "eNB", "gNB"]))
    by_slot = stations.group_by("slot").agg(pl.col("throughput").sum()).sort("slot")["throughput"]
    by_hour = by_slot.to_numpy().reshape(HOURS, 12).mean(axis=1)
    assert by_hour[1:] == pytest.approx(carried[1:], rel=0.03)
    # No steps: neighbours differ by noise and a straight line only.
    settled = by_slot.to_numpy()[6:]  # the first half hour comes from the day before
    steps = np.abs(np.diff(settled)) / settled[1:]
    assert steps.max() < 0.03


def test_there_is_no_seam_at_midnight() -> None:
    """Load falls by half from midnight on, and the day before ends where the next one begins."""
    today, later = healthy(), made(NEXT)
    kinds = pl.col("kind") == "switch"
    last = today.filter(kinds & (pl.col("slot") == SLOTS - 1))["throughput"].sum()
    first = later.filter(kinds & (pl.col("slot") == 0))["throughput"].sum()
    settled = later.filter(kinds & (pl.col("slot") == 5))["throughput"].sum()
    assert first == pytest.approx(last, rel=0.1)
    assert settled < 0.5 * first
    # Slow curves of noise go on: memory moves by less in a step than over the day.
    ends = [
        frame.filter(pl.col("slot") == slot).sort("element_id")["memory_use"].to_numpy()
        for frame, slot in ((today, SLOTS - 1), (later, 0))
    ]
    assert np.abs(ends[0] - ends[1]).mean() < 2.0


def test_noise_is_correlated_over_half_an_hour() -> None:
    core = healthy().filter(pl.col("kind") == "HSS").sort("element_id", "slot")
    cpu = core["cpu_use"].to_numpy().reshape(-1, SLOTS)
    cpu = cpu - np.apply_along_axis(lambda row: np.convolve(row, np.ones(36) / 36, "same"), 1, cpu)
    middle = cpu[:, 36:-36]
    near = np.corrcoef(middle[:, :-1].ravel(), middle[:, 1:].ravel())[0, 1]
    far = np.corrcoef(middle[:, :-12].ravel(), middle[:, 12:].ravel())[0, 1]
    assert near > 0.6
    assert abs(far) < 0.35


def test_an_outage_takes_away_its_minutes() -> None:
    plant = world().plant
    station = plant.station[0]
    cells = np.flatnonzero(plant.station == station)
    out = tuple((int(cell), 8 * HOUR + 20 * MINUTE, 11 * HOUR + 10 * MINUTE) for cell in cells)
    frame = made(net=network(plant, outages=out))
    volume, users = of(frame, station, "throughput"), of(frame, station, "active_sessions")
    # Supervision goes on; from 08:20 to 11:10 nothing else does.
    assert volume[100:134].max() <= 3
    assert users[100:134].max() == 0
    before = of(healthy(), station, "throughput")
    assert volume[:100] == pytest.approx(before[:100], rel=0.06)
    assert volume[134:] == pytest.approx(before[134:], rel=0.06)


def test_half_a_slot_of_outage_is_half_of_its_traffic() -> None:
    plant, wiring = world().plant, wiring_of(world())
    start = 9 * HOUR + 2 * MINUTE + 30 * SECOND
    whole = Traffic.of(set_days(), wiring)
    out = Traffic.of(
        set_days(net=network(plant, outages=((0, start, start + 30 * MINUTE),))), wiring
    )
    station = int(wiring.of_cell[0])
    share = np.rint(plant.capacity)[0] / np.rint(plant.capacity[wiring.of_cell == station]).sum()
    early, late = np.array([108]), np.array([115])
    usual = whole.at(early)[0][0, station]
    assert out.at(early)[0][0, station] == pytest.approx(usual * (1 - share / 2), rel=0.02)
    # The hour's level, which the outage hides, comes from its neighbours.
    assert out.at(late)[0][0, station] == pytest.approx(whole.at(late)[0][0, station], rel=0.02)
    assert out.at(early)[1][0, station] < whole.at(early)[1][0, station]


def test_without_power_there_are_no_rows() -> None:
    plant = world().plant
    router = int(plant.router[plant.site[0]])
    cut = {"kind": FaultKind.POWER, "element": router, "capacity": 0.0}
    hours = {"start": 10 * HOUR, "impact": 12 * HOUR, "end": 13 * HOUR + MINUTE}
    frame = made(broken=faults({**cut, **hours}))
    dark = set(range(144, 157))
    for element in (router, int(plant.station[0])):
        assert set(range(SLOTS)) - set(of(frame, element, "slot").tolist()) == dark
    elsewhere = plant.elements_of(ElementType.HSS)[0]
    assert len(of(frame, elsewhere, "slot")) == SLOTS


def test_a_battery_that_lasts_leaves_all_rows() -> None:
    router = int(world().plant.router[0])
    cut = {"kind": FaultKind.POWER, "element": router, "capacity": 0.0}
    hours = {"start": HOUR, "impact": 2 * HOUR, "end": 2 * HOUR}
    assert made(broken=faults({**cut, **hours})).equals(healthy())


def test_faults_show_where_they_are_and_on_what_hangs_there() -> None:
    plant = world().plant
    router, station = int(plant.router[plant.site[0]]), int(plant.station[0])
    core = int(plant.elements_of(ElementType.MME)[0])
    cut = {"kind": FaultKind.BACKHAUL, "element": router, "capacity": 0.0}
    loop = {"kind": FaultKind.SOFTWARE, "element": core, "failure": 0.2}
    frame = made(
        broken=faults(
            {**cut, "start": 6 * HOUR, "end": 7 * HOUR},
            {**loop, "start": 15 * HOUR, "end": 18 * HOUR},
        )
    )
    # Nobody answers behind a line that is cut: no latency, no throughput, no sessions.
    for element in (router, station):
        assert set(range(SLOTS)) - set(of(frame, element, "slot").tolist()) == set(range(72, 84))
    calm, sick = of(healthy(), core, "cpu_use"), of(frame, core, "cpu_use")
    assert (sick[180:216] - calm[180:216]).mean() > 25
    assert sick[:180] == pytest.approx(calm[:180])
    assert of(frame, core, "packet_loss")[180:216].min() > 19


def test_a_line_that_is_degraded_delays_and_loses() -> None:
    plant = world().plant
    router, station = int(plant.router[plant.site[0]]), int(plant.station[0])
    poor = {"kind": FaultKind.BACKHAUL, "element": router, "capacity": 0.4, "failure": 0.02}
    frame = made(broken=faults({**poor, "start": 6 * HOUR, "end": 7 * HOUR}))
    for element in (router, station):
        latency, loss = of(frame, element, "latency"), of(frame, element, "packet_loss")
        assert len(latency) == SLOTS
        assert (latency[72:84] - of(healthy(), element, "latency")[72:84]).min() > 15
        assert loss[72:84].min() >= 2
        assert loss[:72].max() < 1


def _absent(frame: pl.DataFrame, element: int) -> set[int]:
    """Return the five minutes of which an element reports nothing."""
    return set(range(SLOTS)) - set(of(frame, element, "slot").tolist())


def test_a_station_that_starts_anew_reports_nothing_and_forgets_its_leak() -> None:
    plant = world().plant
    router = int(plant.router[plant.site[0]])
    stations = [int(row) for row in plant.elements_of(ElementType.ENB)[:30]]
    watchdog = {"kind": FaultKind.SOFTWARE, "capacity": 0.0, "hazard": 3}
    broken = faults(
        *({**watchdog, "element": row, "start": 8 * HOUR, "end": 9 * HOUR} for row in stations)
    )
    frame = made(broken=broken)
    calm = healthy()
    before, after = [], []
    for row in stations:
        assert _absent(frame, row) == set(range(96, 108))
        was, now = of(calm, row, "memory_use"), of(frame, row, "memory_use")
        assert now[:96] == pytest.approx(was[:96])
        before.append(was[108:])
        after.append(now[96:])
        # The start itself takes processor time for ten minutes.
        assert (of(frame, row, "cpu_use")[96:98] - of(calm, row, "cpu_use")[108:110]).min() > 25
    assert _absent(frame, router) == set()
    # What has leaked since the start is less than since the one before.
    freed = np.mean(before) - np.mean(after)
    seed, free = world().config.seed, np.full(len(stations), 52.0)
    starts = [starts_before(set_days(broken=one)) for one in (None, broken)]
    leaks = [Leaks.of(seed, np.array(stations), DATE, free, one) for one in starts]
    expected = np.mean([(leaks[0].at(n) - leaks[1].at(n)).mean() for n in range(108, SLOTS)])
    assert freed == pytest.approx(expected, abs=0.05)
    assert expected > 1
    assert (leaks[1].at(108) == 0).all()
    assert (leaks[1].at(107) == leaks[0].at(107)).all()


def test_a_start_of_days_ago_still_counts() -> None:
    """Whatever broke since the last planned restart, memory has leaked since the last start."""
    inputs = inputs_of(small_world(subscribers=1000))
    date = inputs.config.epoch + dt.timedelta(days=12)
    element, slot = starts_before(inputs.day(date))
    assert element.size
    assert slot.max() < SLOTS
    assert slot.min() < -5 * SLOTS
    start, told = day_start(date), []
    for number in range(13):
        begun = faults_beginning(inputs.plant, date - dt.timedelta(days=number))
        stops = Stops.of(inputs.plant, begun)
        ended = stops.end < start + DAY
        when = (stops.end[ended] - start) // (5 * MINUTE)
        told += zip(stops.element[ended].tolist(), when.tolist(), strict=True)
    told.sort()
    assert sorted(zip(element.tolist(), slot.tolist(), strict=True)) == told


def test_a_station_without_radio_answers_until_it_is_switched_off() -> None:
    plant = world().plant
    station = int(plant.elements_of(ElementType.ENB)[0])
    broken = {"kind": FaultKind.HARDWARE, "element": station, "capacity": 0.0, "hazard": 1}
    frame = made(broken=faults({**broken, "start": 6 * HOUR, "end": 9 * HOUR}))
    # For the repair it is off and boots from 08:50 to 09:00.
    assert _absent(frame, station) == {106, 107}
    latency, loss = of(frame, station, "latency"), of(frame, station, "packet_loss")
    assert latency[72:106] == pytest.approx(of(healthy(), station, "latency")[72:106])
    assert loss.max() < 1


def test_stations_of_a_controller_that_starts_cannot_be_reached() -> None:
    plant = world().plant
    controller = int(plant.elements_of(ElementType.BSC)[0])
    broken = {"kind": FaultKind.SOFTWARE, "element": controller, "capacity": 0.0, "hazard": 9}
    frame = made(broken=faults({**broken, "start": 6 * HOUR, "end": 6 * HOUR + 5 * MINUTE}))
    full = frame.group_by("kind", "element_id").len()
    gone = full.filter(pl.col("len") < SLOTS)
    assert set(gone["kind"]) == {"BTS", "BSC"}
    assert (gone["len"] == SLOTS - 1).all()


def test_nobody_reports_while_off() -> None:
    """Of a day of the world's own faults: no row lies in a stop, and the others are there."""
    inputs = inputs_of(small_world(subscribers=1000))
    date = inputs.config.epoch + dt.timedelta(days=9)
    day, ids = inputs.day(date), inputs.plant.elements["element_id"]
    frame = metrics.make(inputs, date, Part(0, 0, len(ids))).to_frame()
    stops = Stops.of(inputs.plant, day.faults)
    assert len(stops.element) > 3
    assert (stops.start <= stops.boot).all()
    assert (stops.boot < stops.end).all()
    slots = frame["event_time"].dt.timestamp("us").to_numpy()
    for row, start, end in zip(stops.element, stops.start, stops.end, strict=True):
        mine = slots[(frame["element_id"] == ids[int(row)]).to_numpy()]
        assert not ((mine + 5 * MINUTE > start) & (mine < end)).any()
    assert frame.height > 0.98 * len(ids) * SLOTS


def test_memory_runs_out_before_a_process_ends_for_want_of_it() -> None:
    core = int(world().plant.elements_of(ElementType.MME)[0])
    ended = {
        "kind": FaultKind.CORE, "element": core, "failure": 0.3, "cause": OUT_OF_MEMORY,
        "hazard": 10,
    }  # fmt: skip
    frame = made(
        broken=faults(
            {**ended, "start": HOUR, "end": HOUR + 10 * MINUTE},
            {**ended, "start": 15 * HOUR, "end": 15 * HOUR + 10 * MINUTE},
        )
    )
    calm, slot = of(healthy(), core, "memory_use"), of(frame, core, "slot")
    memory, cpu = np.full(SLOTS, np.nan), np.full(SLOTS, np.nan)
    memory[slot] = of(frame, core, "memory_use")
    cpu[slot] = of(frame, core, "cpu_use") - of(healthy(), core, "cpu_use")[slot]
    for start, run_up in ((12, 12), (180, 24)):
        rising = memory[start - run_up : start]
        assert (np.diff(rising) >= -2).all()
        assert rising[-1] == FULL
        assert rising[0] < 65
        # Nothing is heard of the restart, and then it is free again.
        assert np.isnan(memory[start : start + 2]).all()
        assert memory[start + 2] <= calm[start + 2]
        assert cpu[start + 2 : start + 4].min() > 20
    # Its leak began anew with the first restart.
    freed = calm[14:156] - memory[14:156]
    assert freed.max() - freed.min() < 0.25
    assert freed.mean() > 0.5


def test_what_hangs_on_an_aggregation_router_suffers_with_it() -> None:
    plant = world().plant
    router = int(plant.aggregation[plant.site[0]])
    cut = {"kind": FaultKind.BACKHAUL, "element": router, "capacity": 0.0}
    found = Ailments.of(plant, faults({**cut, "start": 0, "end": HOUR}), DATE)
    cells = np.flatnonzero(plant.aggregation[plant.site] == router)
    below = {*plant.station[cells].tolist(), *plant.router[plant.site[cells]].tolist(), router}
    assert set(found.element.tolist()) == below
    assert found.absent.all()
    # Only at the root does the processor have more to do.
    assert set(found.element[found.cpu > 0].tolist()) == {router}


def test_one_cell_at_fault_is_a_part_of_its_station() -> None:
    plant = world().plant
    station = int(plant.station[0])
    share = 1 / np.count_nonzero(plant.station == station)
    broken = {"kind": FaultKind.HARDWARE, "element": station, "cell": 0, "capacity": 0.0}
    ailments = Ailments.of(plant, faults({**broken, "start": -HOUR, "end": HOUR}), DATE)
    mine = ailments.element == station
    assert mine.sum() == 12
    assert ailments.cpu[mine] == pytest.approx(12 * share)
    # Its links lose nothing, and it is there.
    assert (ailments.loss == 0).all()
    assert (ailments.latency == 0).all()
    assert not ailments.absent.any()
    # The site router is none of what suffers.
    assert set(ailments.element.tolist()) == {station}


def test_a_fault_of_yesterday_goes_on_and_one_of_tonight_ends_at_midnight() -> None:
    plant = world().plant
    element = int(plant.elements_of(ElementType.UPF)[0])
    core = {"kind": FaultKind.CORE, "element": element, "failure": 0.1}
    found = Ailments.of(
        plant,
        faults(
            {**core, "start": -5 * HOUR, "end": HOUR}, {**core, "start": DAY - HOUR, "end": 2 * DAY}
        ),
        DATE,
    )
    touched = np.unique(found.at(np.arange(SLOTS)).slot).tolist()
    assert touched == [*range(12), *range(276, SLOTS)]


def test_bandwidth_is_what_is_used_and_what_is_left() -> None:
    frame = healthy()
    total = frame.with_columns(total=pl.col("throughput") + pl.col("bandwidth_left"))
    assert total.group_by("element_id").agg(pl.col("total").n_unique())["total"].max() == 1
    used = 100 * total["throughput"] / total["total"]
    assert (used - total["capacity_used"]).abs().max() < 0.051
    assert bandwidth_of(world().plant).min() > 0


def test_memory_is_high_while_its_alarm_is_open() -> None:
    inputs = world()
    day, part = set_days(), Part(0, 0, inputs.plant.elements.height)
    found = of_itself(day, part)
    found = found.select((found.kind == Kind.MEMORY_HIGH) & (found.raised >= day.start))
    assert len(found) > 0
    for row, raised, cleared in zip(found.element, found.raised, found.cleared, strict=True):
        first, last = ((time - day.start) // (5 * MINUTE) for time in (raised, cleared))
        memory = of(healthy(), row, "memory_use")
        assert (memory[first : min(last, SLOTS - 1) + 1] > 85).all()
        assert np.median(memory) < 80


@pytest.mark.parametrize(("register", "control"), [("HSS", ["MME", "AMF"]), ("UDM", ["AMF"])])
def test_registers_are_asked_for_as_many_as_are_active(register: str, control: list[str]) -> None:
    by_slot = [
        healthy()
        .filter(pl.col("kind").is_in(kinds))
        .group_by("slot", maintain_order=True)
        .agg(pl.col("active_sessions").sum())["active_sessions"]
        .to_numpy()
        for kinds in ([register], control)
    ]
    asked, active = by_slot
    # Each register rounds its own.
    assert np.abs(asked - 0.5 * active).max() <= 4
    assert asked[SLOTS - 1] > 1.5 * asked[20]


def test_leaks_grow_over_days_and_end_with_a_restart() -> None:
    elements, free = np.arange(4000), np.full(4000, 50.0)
    days = [DATE + dt.timedelta(days=n) for n in range(90)]
    leaks = [Leaks.of(3, elements, day, free) for day in days]
    for today, tomorrow in pairwise(leaks):
        # The line goes on over midnight, restarted or not.
        assert tomorrow.at(0) == pytest.approx(today.at(SLOTS), abs=1e-9)
    restarts = np.array([leak.restart < SLOTS for leak in leaks])
    # Each element every 14 to 60 days: at least once in 60 of the 90 days.
    assert restarts.any(axis=0).all()
    assert restarts.sum(axis=0).max() <= 7
    begun = leaks[0].restart[restarts[0]]
    assert ((begun >= 12) & (begun < 48)).all()
    first = np.flatnonzero(restarts[0])[0]
    assert leaks[0].at(int(leaks[0].restart[first]))[first] == 0
    levels = np.array([leak.at(SLOTS - 1) for leak in leaks])
    full = (levels >= 50).mean()
    assert 0.0001 < full < 0.003
    assert np.median(levels) < 10


def test_an_exhausted_element_shows_it() -> None:
    plant, seed = world().plant, world().config.seed
    rows = np.arange(plant.elements.height)
    dates = [DATE + dt.timedelta(days=offset) for offset in range(400)]
    # The closed form needs no day before: look for one on which an element runs out.
    free = np.full(len(rows), 40.0)
    date = next(day for day in dates if (Leaks.of(seed, rows, day, free).at(200) >= 40).any())
    frame = made(date).filter(pl.col("slot") == 200)
    worst = frame.filter(pl.col("memory_use") == FULL)
    usual = frame.filter(
        pl.col("kind").is_in(worst["kind"].to_list()), pl.col("memory_use") < FULL - 5
    )
    assert worst.height > 0
    assert worst["cpu_use"].mean() > usual["cpu_use"].mean() + 10


@pytest.mark.parametrize(("rho", "loss"), [(0.0, 0.0), (0.5, 0.0), (1.0, 100 / 65), (2.0, 50.0)])
def test_the_queue_loses_as_m_m_1_k(rho: float, loss: float) -> None:
    lost, mean, spread = _queue(np.array([rho]), np.array([1.0]))
    assert lost[0] == pytest.approx(loss, abs=0.01)
    part = min(rho, 0.98)
    assert mean[0] == pytest.approx(1 / (1 - part))
    assert spread[0] == pytest.approx((part * (2 - part)) ** 0.5 / (1 - part))


def test_full_links_lose_and_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    # Links of the least width that an operator gives them: 80 % of what the cells can carry.
    narrow = bandwidth_of(world().plant) * 0.01
    monkeypatch.setattr(metrics, "_bandwidth", lambda _: narrow)
    frame = made(net=network(world().plant, level=0.8)).filter(pl.col("kind") == "site router")
    full = frame.filter(pl.col("capacity_used") >= 99.9)
    calm = frame.filter(pl.col("capacity_used") < 70)
    assert full.height > 100
    assert full["packet_loss"].min() > 1
    assert calm["packet_loss"].max() < 0.01
    latency = pl.col("latency").mean()
    both = (
        full.group_by("element_id")
        .agg(latency)
        .join(calm.group_by("element_id").agg(latency), on="element_id", suffix="_calm")
    )
    assert both.height > 10
    assert (both["latency"] > both["latency_calm"]).all()
    assert (both["latency"] / both["latency_calm"]).median() > 1.1
    assert full["bandwidth_left"].max() < 0.001 * full["throughput"].max() + 1


# What layers do.

_TARGETS = {"of": "network_elements", "where": {"element_type": ["eNB", "MME"]}, "number": 10}


def _strained(role: dict[str, object] = _TARGETS, number: int = 1, **what: object) -> Layer:
    """Return a layer that strains elements from 09:00 to 15:00 local time of the third day."""
    return Layer.model_validate(
        {
            "version": 1,
            "number": number,
            "title": "A test",
            "story": "Something gets worse.",
            "kind": "network",
            "when": {"first": "2d", "at": "09:00"},
            "cast": {"targets": role},
            "stages": [
                {"name": "it", "lasts": "6h", "do": [{"strain": {"who": "targets", **what}}]}
            ],
        }
    )


THIRD = dt.date(2026, 1, 3)


@cache
def _plain() -> Inputs:
    return inputs_of(small_world(subscribers=600, epoch=dt.date(2026, 1, 1)))


def _with(*layers: Layer) -> Inputs:
    named = {f"one{number}": layer for number, layer in enumerate(layers)}
    return Inputs(with_layers(_plain().config, named), _plain().frames)


def _day(inputs: Inputs, date: dt.date = THIRD) -> pl.DataFrame:
    elements = inputs.frames["network_elements"].height
    return metrics.make(inputs, date, Part(0, 0, elements)).to_frame()


@cache
def _usual_day(date: dt.date = THIRD) -> pl.DataFrame:
    return _day(_plain(), date)


def _compared(inputs: Inputs) -> pl.DataFrame:
    """Return the rows of targets in the time of the layers, with those of the world without.

    All others are equal.
    """
    found, usual = _day(inputs), _usual_day()
    touches = inputs.story.on(THIRD).touches
    elements = {int(row) for touch in touches for row in inputs.story.elements_under(touch)[1]}
    names = inputs.frames["network_elements"]["element_id"].gather(sorted(elements))
    (start,), (end,) = {int(t.start[0]) for t in touches}, {int(t.end[0]) for t in touches}
    theirs = pl.col("element_id").cast(pl.String).is_in(names.implode())
    theirs &= pl.col("event_time").dt.epoch("us").is_between(start, end, closed="left")
    assert found.filter(~theirs).equals(usual.filter(~theirs))
    return found.filter(theirs).join(
        usual, on=["element_id", "event_time"], maintain_order="left", suffix="_usual"
    )


def test_strain_adds_to_the_figures_of_its_targets_in_its_time() -> None:
    world = _with(_strained(cpu=20, memory=10, loss=1.5, latency=40))
    both = _compared(world)
    assert both.height == 10 * 72
    for name, more in (("cpu_use", 20), ("memory_use", 10), ("packet_loss", 1.5), ("latency", 40)):
        free = both.filter(pl.col(name) < 100)
        assert (free[name] - free[f"{name}_usual"]).to_numpy() == pytest.approx(more, abs=0.11), (
            name
        )
    assert (both["jitter"] > both["jitter_usual"]).all()
    for name in ("throughput", "active_sessions", "capacity_used", "bandwidth_left"):
        assert both[name].equals(both[f"{name}_usual"].alias(name))
    for date in (THIRD - dt.timedelta(days=1), THIRD + dt.timedelta(days=1)):
        assert _day(world, date).equals(_usual_day(date))


def test_strain_of_sites_of_two_layers_and_beyond_the_limit() -> None:
    role = {"of": "sites", "number": 2}
    once = _compared(_with(_strained(role, latency=10)))
    sites = _with(_strained(role, latency=10)).story.on(THIRD).touches[0].rows
    at = np.isin(_plain().plant.element_site, sites).sum()
    assert once["element_id"].n_unique() == at
    twice = _compared(
        _with(
            _strained(_TARGETS, cpu=90, memory=95, loss=50),
            _strained({**_TARGETS, "number": 500}, number=2, cpu=90, memory=95, loss=50),
        )
    )
    worst = twice.filter(pl.col("cpu_use") == 100)
    assert worst.height >= 10 * 72
    assert twice["memory_use"].max() == FULL
    assert twice["packet_loss"].max() == pytest.approx(100, abs=0.1)


def test_strain_rises_over_its_ramp() -> None:
    both = _compared(_with(_strained(latency=60, ramp="6h")))
    more = both.group_by("event_time", maintain_order=True).agg(
        (pl.col("latency") - pl.col("latency_usual")).mean().alias("more")
    )["more"]
    assert more.to_numpy() == pytest.approx(np.arange(72) * 60 / 72, abs=0.01)


def test_strain_does_not_depend_on_parts() -> None:
    world = _with(_strained(cpu=20, memory=10))
    elements = world.frames["network_elements"].height
    cut = [metrics.make(world, THIRD, part).to_frame() for part in parts(elements, 300)]
    assert pl.concat(cut).sort("event_time", "element_id").equals(_day(world))


def test_lines_say_of_a_strained_element_what_it_measures() -> None:
    role = {"of": "network_elements", "where": {"element_type": ["BSC"]}}
    world = _with(_strained(role, cpu=40))
    elements = world.frames["network_elements"].height
    lines = logs.make(world, THIRD, Part(0, 0, elements)).to_frame()
    told = lines.filter(pl.col("msg_id") == "CPU_LOAD").select(
        "element_id",
        pl.col("event_time").dt.truncate("5m"),
        said=pl.col("message").str.extract(r"load ([\d.]+) %").cast(pl.Float64),
    )
    both = told.join(_compared(world), on=["element_id", "event_time"])
    assert both.height > 0
    assert (both["said"] == both["cpu_use"]).all()
    assert (both["said"] > both["cpu_use_usual"] + 30).all()
