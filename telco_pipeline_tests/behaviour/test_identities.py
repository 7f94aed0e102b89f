"""Changes of identity: how often, when, and that nothing is ever held by two at once."""

import datetime as dt
from functools import cache

import numpy as np
import polars as pl
import pytest

from telco_pipeline.behaviour import allotment
from telco_pipeline.behaviour.allotment import QUARANTINE_DAYS, own_window
from telco_pipeline.behaviour.changes import (
    DEVICE_UPGRADE,
    KINDS,
    NUMBER_CHANGE,
    PORT_IN,
    PORT_OUT,
    SIM_SWAP,
)
from telco_pipeline.behaviour.contacts import Directory
from telco_pipeline.behaviour.identities import Identities
from telco_pipeline.behaviour.population import BUSINESS, MACHINE, PERSON, RATS, VISITOR
from telco_pipeline.contracts.codes import Rat
from telco_pipeline.engine.calendar import DAY, HOUR, day_start
from telco_pipeline.generators import Inputs
from telco_pipeline.world import numbering
from telco_pipeline_tests.generators.kit import LOCAL, inputs_of, make_day, small_world
from telco_pipeline_tests.lake.small_lake import luhn_holds

EPOCH = dt.date(2026, 1, 1)
RANK = {Rat.GERAN: 0, Rat.UTRAN: 1, Rat.EUTRAN: 2, Rat.NR: 3}


@cache
def world() -> Inputs:
    return inputs_of(small_world(subscribers=30_000, part_size=8192))


@cache
def long_run() -> Identities:
    """Return ten years of changes, so that every window is used well."""
    return identities_until(world(), dt.date(2035, 6, 1))


def identities_until(inputs: Inputs, until: dt.date) -> Identities:
    frames = inputs.frames
    return Identities.of(
        inputs.config,
        inputs.population,
        frames["subscribers"],
        frames["devices"],
        frames["plans"],
        until,
    )


def first_year(identities: Identities, kind: int) -> np.ndarray:
    """Return the changes of a kind in 2026."""
    end = day_start(dt.date(2027, 1, 1))
    return np.flatnonzero((identities.kind == kind) & (identities.time < end))


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (SIM_SWAP, 0.021, 0.029),
        (DEVICE_UPGRADE, 0.26, 0.34),
        (NUMBER_CHANGE, 0.006, 0.010),
        # Who has another operator's number already, as one in seven does, brings no other one.
        (PORT_IN, 0.017, 0.029),
    ],
)
def test_rates_of_people_are_in_band(kind: int, low: float, high: float) -> None:
    population = world().population
    people = (population.kind == PERSON) | (population.kind == BUSINESS)
    identities = long_run()
    rows = first_year(identities, kind)
    share = people[identities.entity[rows]].sum() / people.sum()
    assert low <= share <= high, share


def test_port_outs_follow_the_churn_scores() -> None:
    inputs, identities = world(), long_run()
    population, frame = inputs.population, inputs.frames["subscribers"]
    prepaid = (inputs.plans["payment"] == "prepaid").to_numpy()[population.plan]
    people = (population.kind == PERSON) | (population.kind == BUSINESS)
    able = people & ~prepaid
    left = np.zeros(population.size, dtype=np.bool_)
    left[identities.entity[first_year(identities, PORT_OUT)]] = True
    assert not left[~able].any()
    churn = frame["churn_score"].to_numpy()
    expected = 1 - (1 - 0.6 * churn) ** 12
    for chosen in (
        able,
        able & (churn < np.median(churn[able])),
        able & (churn > np.median(churn[able])),
    ):
        mean, count = expected[chosen].mean(), chosen.sum()
        error = (mean / count) ** 0.5
        assert abs(left[chosen].mean() - mean) < 4 * error


def test_machines_hardly_and_visitors_never_change() -> None:
    identities, kind = long_run(), world().population.kind
    of_machines = identities.kind[kind[identities.entity] == MACHINE]
    assert set(of_machines.tolist()) == {DEVICE_UPGRADE}
    assert len(of_machines) < 0.01 * 10 * (kind == MACHINE).sum()
    assert not (kind[identities.entity] == VISITOR).any()


def test_changes_are_made_at_hours_when_people_make_them() -> None:
    identities = long_run()
    local = (
        pl.Series(identities.time).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(LOCAL)
    ).to_frame("t")
    hours = local.select(pl.col("t").dt.hour()).to_series()
    assert hours.min() == 9
    assert hours.is_between(9, 23).all()
    sunday = local.filter(pl.col("t").dt.weekday() == 7).select(pl.col("t").dt.hour()).to_series()
    # Shops are closed, what is online is done in the evening.
    assert (sunday >= 17).all()
    assert 0.02 < sunday.len() / len(identities.time) < 0.08
    christmas = local.filter((pl.col("t").dt.month() == 12) & (pl.col("t").dt.day() == 25))
    assert christmas.filter(pl.col("t").dt.hour() < 17).is_empty()
    saturdays = local.filter(pl.col("t").dt.weekday() == 6).height / len(identities.time)
    assert saturdays > 1 / 6


def test_nothing_is_held_by_two_at_once() -> None:
    """Sweep through the changes: who gets something must find it free."""
    identities, size = long_run(), world().population.size
    for name in ("imsi", "iccid", "msisdn", "imei"):
        code = getattr(identities, name).rank("dense").cast(pl.Int64).to_numpy() - 1
        holder = np.full(code.max() + 1, -1)
        assert len(np.unique(code[:size])) == size, f"{name} of the registry"
        holder[code[:size]] = np.arange(size)
        for change, entity in enumerate(identities.entity.tolist()):
            before, after = code[identities.previous[change]], code[size + change]
            if before == after:
                continue
            assert holder[before] == entity, name
            assert holder[after] == -1, name
            holder[before], holder[after] = -1, entity


def test_numbers_rest_before_they_come_back() -> None:
    identities, size = long_run(), world().population.size
    own = world().config.own_operator.plmn
    given_up: dict[str, tuple[int, int]] = {}
    recycled = 0
    numbers = identities.msisdn.to_list()
    holders = identities.number_holder.to_list()
    moving = np.flatnonzero(np.isin(identities.kind, [NUMBER_CHANGE, PORT_IN]))
    registry = set(numbers[:size])
    for change in moving.tolist():
        time, entity = int(identities.time[change]), int(identities.entity[change])
        before, after = int(identities.previous[change]), size + change
        assert numbers[before] != numbers[after]
        if numbers[after] in given_up:
            rested, whose = given_up[numbers[after]]
            assert time - rested >= QUARANTINE_DAYS * DAY
            assert whose != entity
            recycled += 1
        else:
            assert numbers[after] not in registry
        assert (holders[after] == own) == (identities.kind[change] == NUMBER_CHANGE)
        assert numbers[after].startswith(
            ("+32461", "+32462") if holders[after] == own else ("+32481", "+32482")
        )
        given_up[numbers[before]] = (time, entity)
        if holders[before] != own:  # it went back to its operator, and nobody gets it here
            given_up[numbers[before]] = (np.iinfo(np.int64).max, -1)
    changed = (identities.kind == NUMBER_CHANGE).sum()
    assert 0.3 < recycled / changed < 0.6


def test_others_have_none_of_our_numbers() -> None:
    """Ported parties outside and ports of ours take numbers from windows that never meet."""
    inputs, identities = world(), long_run()
    plmn = inputs.frames["subscribers"]["home_plmn"]
    directory = Directory.of(inputs.config, inputs.population, plmn)
    outside = set(directory.number.slice(directory.own).to_list())
    assert outside.isdisjoint(identities.msisdn.to_list())


def test_both_sims_of_a_phone_change_together() -> None:
    inputs, identities = world(), long_run()
    population, size = inputs.population, inputs.population.size
    assert (population.leader != np.arange(size)).any()
    upgrades = np.flatnonzero(identities.kind == DEVICE_UPGRADE)
    frame = pl.DataFrame(
        {
            "leader": population.leader[identities.entity[upgrades]],
            "second": population.leader[identities.entity[upgrades]] != identities.entity[upgrades],
            "time": identities.time[upgrades],
            "device": identities.device[size + upgrades],
            "imei": identities.imei.gather(size + upgrades),
        }
    )
    assert all(luhn_holds(imei) for imei in frame["imei"].head(2000))
    pairs = frame.filter(~pl.col("second")).join(
        frame.filter("second"), on=["leader", "time"], suffix="_2"
    )
    assert pairs.height > 100
    assert (pairs["device"] == pairs["device_2"]).all()
    body = pairs["imei"].str.head(14).cast(pl.Int64)
    assert (pairs["imei_2"].str.head(14).cast(pl.Int64) == body + 1).all()
    assert (body % 2 == 0).all()
    dual = inputs.frames["devices"]["dual_sim"].to_numpy()
    assert dual[pairs["device"].to_numpy()].all()
    # A second SIM has an upgrade of its own only when the first one is gone.
    gone = {
        int(identities.entity[row]): int(identities.time[row])
        for row in np.flatnonzero(identities.kind == PORT_OUT)
    }
    lonely = frame.filter("second").join(
        frame.filter(~pl.col("second")), on=["leader", "time"], how="anti"
    )
    assert all(gone[leader] < time for leader, time in lonely.select("leader", "time").rows())


def test_a_new_phone_is_never_worse() -> None:
    inputs, identities = world(), long_run()
    size = inputs.population.size
    upgrades = np.flatnonzero(identities.kind == DEVICE_UPGRADE)
    before, after = identities.previous[upgrades], size + upgrades
    rank = np.array([RANK.get(rat, -1) for rat in RATS])
    assert (rank[identities.rat[after]] >= rank[identities.rat[before]]).all()
    assert (identities.volte[after] >= identities.volte[before]).all()
    machine = inputs.population.kind[identities.entity[upgrades]] == MACHINE
    assert (identities.rat[after] == identities.rat[before])[machine].all()
    people = ~machine
    released = inputs.frames["devices"]["released"].to_numpy()
    assert (released[identities.device[after]] >= released[identities.device[before]]).all()
    nr = RATS.index(Rat.NR)
    first = np.flatnonzero(people & (identities.time[upgrades] < day_start(dt.date(2027, 1, 1))))
    # Later on the catalogue, which ends with the epoch, has nothing newer for many.
    assert (identities.device[after[first]] != identities.device[before[first]]).mean() > 0.8
    assert (identities.rat[after[first]] == nr).mean() > (
        identities.rat[before[first]] == nr
    ).mean() + 0.1


def test_only_what_the_kind_says_changes() -> None:
    identities, size = long_run(), world().population.size
    rows = np.arange(len(identities.entity))
    before, after = identities.previous, size + rows
    touched = {
        "imsi": (SIM_SWAP,),
        "iccid": (SIM_SWAP,),
        "msisdn": (NUMBER_CHANGE, PORT_IN),
        "imei": (DEVICE_UPGRADE,),
    }
    for name, kinds in touched.items():
        series = getattr(identities, name)
        differs = (series.gather(before) != series.gather(after)).to_numpy()
        assert (differs == np.isin(identities.kind, kinds)).all(), name


def test_nothing_follows_a_port_out() -> None:
    identities = long_run()
    last = np.zeros(world().population.size, dtype=np.int64)
    last[identities.entity] = identities.time
    out = identities.kind == PORT_OUT
    assert (identities.time[out] == last[identities.entity[out]]).all()
    config = world().config
    own = config.operators.index(config.own_operator)
    assert (identities.operator[~out] == own).all()
    assert not (identities.operator[out] == own).any()
    assert len(np.unique(identities.operator[out])) == len(config.operators) - 1


def test_a_later_horizon_only_adds_rows() -> None:
    inputs = world()
    short, middle = (identities_until(inputs, dt.date(year, 3, 1)) for year in (2026, 2028))
    for earlier, later in ((short, middle), (middle, long_run())):
        count, versions = len(earlier.entity), len(earlier.imsi)
        assert len(later.entity) > count
        for name in ("entity", "time", "kind", "previous", "operator"):
            assert (getattr(later, name)[:count] == getattr(earlier, name)).all(), name
        for name in ("imsi", "msisdn", "imei", "iccid", "number_holder"):
            assert getattr(later, name).head(versions).equals(getattr(earlier, name)), name
        for name in ("device", "rat", "volte"):
            assert (getattr(later, name)[:versions] == getattr(earlier, name)).all(), name
    assert (np.diff(long_run().time) >= 0).all()
    with pytest.raises(ValueError, match="known until 2026-12-30"):
        short.changes_of(dt.date(2026, 12, 31))


def test_used_up_ranges_make_fewer_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every number is taken, only those come that others gave up; nothing fails."""
    inputs = inputs_of(small_world(subscribers=5000))
    usual = identities_until(inputs, dt.date(2028, 1, 1))
    first = own_window(inputs.config)[0]
    monkeypatch.setattr(allotment, "own_window", lambda config: (first, first + 10))
    monkeypatch.setattr(allotment, "ported_window", lambda config, operator: (900_000, 900_020))
    monkeypatch.setattr(allotment, "_PHONES_PER_TAC", 3)
    monkeypatch.setattr(numbering, "ICCID_CAPACITY", 5040)
    tight = identities_until(inputs, dt.date(2028, 1, 1))
    counts = {kind: int((tight.kind == kind).sum()) for kind in range(len(KINDS))}
    assert counts[SIM_SWAP] == 40
    assert counts[PORT_IN] == 40
    assert 10 < counts[NUMBER_CHANGE] < (usual.kind == NUMBER_CHANGE).sum()
    assert 2000 < counts[DEVICE_UPGRADE] < (usual.kind == DEVICE_UPGRADE).sum()
    assert counts[PORT_OUT] == (usual.kind == PORT_OUT).sum()
    assert tight.imei.str.slice(5, 3).max() == "999"


@pytest.mark.parametrize("day", [EPOCH, dt.date(2026, 7, 14), dt.date(2027, 1, 1)])
def test_look_ups_agree_with_the_changes(day: dt.date) -> None:
    """Compare the look-up of a day with a walk through all changes."""
    identities, size = long_run(), world().population.size
    found = identities.day(day)
    around = identities.changes_between(day_start(day) - DAY, day_start(day) + 3 * DAY)
    entity = np.concatenate([identities.entity[around], np.arange(0, size, 997)])
    generator = np.random.default_rng(5)
    asked = np.repeat(entity, 6)
    time = generator.integers(-DAY, 3 * DAY, len(asked))
    exact = identities.time[around] - day_start(day)
    asked = np.concatenate([asked, identities.entity[around], identities.entity[around]])
    time = np.concatenate([time, exact, exact - 1])
    rows, serving = found.row(asked, time), found.in_service(asked, time)
    changes: dict[int, list[int]] = {}
    for change, who in enumerate(identities.entity.tolist()):
        changes.setdefault(who, []).append(change)
    for who, moment, row, serves in zip(
        asked.tolist(), time.tolist(), rows.tolist(), serving.tolist(), strict=True
    ):
        done = [
            change
            for change in changes.get(who, [])
            if identities.time[change] <= day_start(day) + moment
        ]
        assert row == (size + done[-1] if done else who)
        assert serves == (PORT_OUT not in identities.kind[done])
    leaving, left = found.leavers(np.arange(size))
    out = np.flatnonzero(identities.kind[around] == PORT_OUT)
    assert dict(zip(leaving.tolist(), left.tolist(), strict=True)) == dict(
        zip(identities.entity[around][out].tolist(), exact[out].tolist(), strict=True)
    )
    at_start = identities.version_at_start(day)
    assert (at_start == found.row(np.arange(size), np.full(size, -1))).all()
    assert (at_start == found.start_version).all()
    with pytest.raises(ValueError, match="a moment lies"):
        found.row(np.array([0]), np.array([3 * DAY]))


def test_the_records_are_the_changes_of_the_day() -> None:
    inputs = world()
    day = inputs.day(dt.date(2026, 5, 4))
    frame = make_day(inputs, "identity_changes", day.date)
    assert frame.height > 10
    identities = inputs.identities
    assert frame.height == len(identities.changes_of(day.date))
    assert frame["event_id"].n_unique() == frame.height
    assert (frame["event_time"].dt.date() == day.date).all()
    assert set(frame["change_type"].cast(pl.String)) <= {str(kind) for kind in KINDS}
    rows = frame.select("subscriber_id", "event_time", "imsi", "msisdn", "imei").rows()
    number = {key: n for n, key in enumerate(inputs.population.subscriber_id.tolist())}
    for subscriber, moment, *identity in rows:
        entity = np.array([number[subscriber]])
        micros = round(moment.timestamp() * 1e6) - day.start
        row = int(day.identity(entity, np.array([micros]))[0])
        assert [identities.imsi[row], identities.msisdn[row], identities.imei[row]] == identity


def test_parts_never_show() -> None:
    day = dt.date(2026, 5, 4)
    coarse, fine = (
        make_day(inputs_of(small_world(subscribers=6000, part_size=size)), "identity_changes", day)
        for size in (8192, 1024)
    )
    assert coarse.height > 0
    assert coarse.sort("event_time").equals(fine.sort("event_time"))


def test_the_day_of_the_generators_knows_devices_and_grows_its_horizon() -> None:
    inputs = inputs_of(small_world(subscribers=3000))
    first = inputs.day(EPOCH)
    assert (first.rat == inputs.population.rat).all()
    assert (first.volte == inputs.population.volte).all()
    known = len(inputs.identities.imsi)
    later = inputs.day(dt.date(2026, 12, 31))
    assert (later.rat != inputs.population.rat).any()
    everybody = np.arange(3000)
    rows = later.identity(everybody, np.full(3000, DAY + 5 * HOUR))
    assert len(inputs.identities.imsi) > known
    assert (rows >= 3000).sum() > 500
    assert not later.in_service(everybody, np.zeros(3000, dtype=np.int64)).all()
