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
    SIM_SWAP,
)
from telco_pipeline.behaviour.contacts import Directory
from telco_pipeline.behaviour.identities import Identities
from telco_pipeline.behaviour.population import BUSINESS, MACHINE, PERSON, RATS, VISITOR
from telco_pipeline.behaviour.ports import operator_after_port_out
from telco_pipeline.contracts.codes import Rat
from telco_pipeline.engine.calendar import DAY, HOUR, day_start
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators import Inputs
from telco_pipeline.state.lifecycle import Calendar
from telco_pipeline.world import numbering
from telco_pipeline_tests.generators.kit import LOCAL, inputs_of, make_day, small_world
from telco_pipeline_tests.lake.small_lake import luhn_holds

EPOCH = dt.date(2026, 1, 1)
DAYS = [EPOCH + dt.timedelta(days=offset) for offset in range(60)]
ENDS = ["port-out", "termination"]
RECORDED = {
    "port-out": "port_out",
    "termination": "termination",
    "win-back": "win_back",
    "activation": "activation",
}
"""What identity changes call the changes of life with which an identity begins or ends."""
RANK = {Rat.GERAN: 0, Rat.UTRAN: 1, Rat.EUTRAN: 2, Rat.NR: 3}


@cache
def world() -> Inputs:
    return inputs_of(small_world(subscribers=30_000, part_size=8192))


@cache
def long_run() -> Identities:
    """Return ten years of changes, so that every window is used well."""
    return identities_until(world(), dt.date(2035, 6, 1))


def identities_until(inputs: Inputs, until: dt.date) -> Identities:
    return Identities.of(inputs.config, inputs.population, inputs.frames["devices"], until)


@cache
def sixty_days() -> pl.DataFrame:
    """Return the records of the first sixty days, with the entity of each."""
    found = [make_day(world(), "identity_changes", day) for day in DAYS]
    entity = pl.Series("entity", range(world().population.size))
    keys = pl.DataFrame([pl.Series("subscriber_id", world().population.subscriber_id), entity])
    whole = pl.concat(found).with_columns(pl.col("change_type").cast(pl.String))
    return whole.join(keys, on="subscriber_id", how="left", maintain_order="left")


def state_of(day: dt.date) -> pl.DataFrame:
    """Return what the state decides for a day."""
    everybody = Part(0, 0, world().population.size)
    frame = world().book.before(day + dt.timedelta(days=1), everybody)
    assert frame is not None
    return frame.with_row_index("entity").with_columns(pl.col("status", "change").cast(pl.String))


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
    # Of the customers of the epoch: who joins changes nothing before.
    people[world().config.subscribers :] = False
    rows = first_year(identities, kind)
    share = people[identities.entity[rows]].sum() / people.sum()
    assert low <= share <= high, share


def test_who_leaves_follows_the_hazards_and_those_the_churn_scores() -> None:
    """Over sixty days and as a whole: who ports out, who ends, and who of them has a high score."""
    inputs = world()
    config, population, frame = inputs.config, inputs.population, inputs.frames["subscribers"]
    days = []
    for day in DAYS:
        state = state_of(day).filter(pl.col("entity") < config.subscribers)
        weight = Calendar.of(config, day).weight
        left = (pl.col("status") == "active") & pl.col("change").is_in(ENDS)
        days.append(
            state.select(
                "entity",
                expected=pl.col("churn_hazard") * weight,
                left=left.fill_null(False),
                ports=(pl.col("change") == "port-out").fill_null(False),
            )
        )
    found = pl.concat(days).group_by("entity").agg(pl.all().sum()).sort("entity")
    expected, left = found["expected"].to_numpy(), found["left"].to_numpy().astype(float)
    size = config.subscribers
    kind = population.kind[:size]
    people = (kind == PERSON) | (kind == BUSINESS)
    prepaid = (inputs.plans["payment"] == "prepaid").to_numpy()[population.plan[:size]]
    churn = frame["churn_score"].to_numpy()[:size]
    assert not left[kind == VISITOR].any()
    for able in (people & prepaid, people & ~prepaid):
        high = able & (churn > np.median(churn[able]))
        for chosen in (able, high, able & ~high):
            assert expected[chosen].sum() > 40
            error = np.sqrt(expected[chosen].sum())
            assert abs(left[chosen].sum() - expected[chosen].sum()) < 4 * error
        assert left[high].sum() > 1.3 * left[able & ~high].sum()
    # 60 % take the number along (BIPT), fewer of the prepaid ones.
    ports = found["ports"].to_numpy()
    assert 0.5 < ports[people & ~prepaid].sum() / left[people & ~prepaid].sum() < 0.7
    assert 0.2 < ports[people & prepaid].sum() / left[people & prepaid].sum() < 0.4


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
        code = getattr(identities, name).to_series().rank("dense").cast(pl.Int64).to_numpy() - 1
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
    numbers = identities.msisdn.to_series().to_list()
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
    outside = set(directory.number.to_series()[directory.own :])
    assert outside.isdisjoint(identities.msisdn.to_series())


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
    # A second SIM has no upgrade of its own: the phone is its leader's, also when that one is gone.
    assert pairs.height == frame["second"].sum()


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


def test_nothing_follows_the_end_of_a_subscription_but_its_return() -> None:
    """In the records, which leave out what would have changed of somebody who is gone."""
    inputs, rows = world(), sixty_days()
    ends = rows["change_type"].is_in(["port_out", "termination"])
    begins = rows["change_type"].is_in(["win_back", "activation"])
    gone: set[int] = set(range(inputs.config.subscribers, inputs.population.size))
    for entity, end, begin in zip(rows["entity"], ends, begins, strict=True):
        assert (entity in gone) == begin
        gone.discard(entity)
        if end:
            gone.add(entity)
    counts = dict(rows["change_type"].value_counts().iter_rows())
    assert set(counts) == {str(kind) for kind in KINDS}
    # Of the known changes, those of customers are told, and no others.
    known = inputs.identities_until(DAYS[-1])
    swaps = np.concatenate([known.changes_of(day) for day in DAYS])
    told = rows.filter(~(ends | begins)).select("entity", "event_time").rows()
    micros = {(entity, round(moment.timestamp() * 1e6)) for entity, moment in told}
    meant = set(zip(known.entity[swaps].tolist(), known.time[swaps].tolist(), strict=True))
    assert micros < meant
    assert len(meant) - len(micros) < 0.05 * len(meant)


def test_the_serving_network_says_who_is_gone_and_where() -> None:
    config, rows = world().config, sixty_days()
    names = [operator.plmn for operator in config.operators]
    home = world().home_plmn.to_series()
    for kind, entity, serving in rows.select("change_type", "entity", "serving_plmn").rows():
        if kind == "termination":
            assert serving is None
        elif kind == "port_out":
            assert serving == names[int(operator_after_port_out(config, np.array([entity]))[0])]
            assert serving != config.own_operator.plmn
        else:
            assert serving == home[entity]
    out = rows.filter(pl.col("change_type") == "port_out")
    assert out["serving_plmn"].n_unique() == len(config.operators) - 1


def test_who_begins_had_nothing_before_and_nobody_elses_identity() -> None:
    inputs, rows = world(), sixty_days()
    before = [f"previous_{name}" for name in ("imsi", "msisdn", "imei")]
    begins = pl.col("change_type").is_in(["win_back", "activation"])
    new, old = rows.filter(begins), rows.filter(~begins)
    assert new.select(pl.all_horizontal(pl.col(before).is_null().all())).item()
    assert old.select(pl.all_horizontal(pl.col(before).is_not_null().all())).item()
    # Prospects begin with what the registry has for them, each once and in their order.
    joined = rows.filter(pl.col("change_type") == "activation")
    config = inputs.config
    expected = range(config.subscribers, config.joined_by(DAYS[-1]))
    assert joined["entity"].sort().to_list() == list(expected)
    prospects = inputs.frames["subscribers"][expected.start : expected.stop]
    by_key = joined.sort("entity")
    for name in ("subscriber_id", "imsi", "msisdn", "imei", "iccid", "device_id"):
        assert by_key[name].to_list() == prospects[name].to_list(), name


def test_a_later_horizon_only_adds_rows() -> None:
    inputs = world()
    short, middle = (identities_until(inputs, dt.date(year, 3, 1)) for year in (2026, 2028))
    for earlier, later in ((short, middle), (middle, long_run())):
        count, versions = len(earlier.entity), len(earlier.imsi)
        assert len(later.entity) > count
        for name in ("entity", "time", "kind", "previous"):
            assert (getattr(later, name)[:count] == getattr(earlier, name)).all(), name
        for name in ("imsi", "msisdn", "imei", "iccid"):
            known = getattr(earlier, name).numbers
            assert (getattr(later, name).numbers[:versions] == known).all(), name
        assert later.number_holder.head(versions).equals(earlier.number_holder)
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
    monkeypatch.setattr(numbering, "ICCID_CAPACITY", inputs.population.size + 40)
    tight = identities_until(inputs, dt.date(2028, 1, 1))
    counts = {kind: int((tight.kind == kind).sum()) for kind in range(len(KINDS))}
    assert counts[SIM_SWAP] == 40
    assert counts[PORT_IN] == 40
    assert 10 < counts[NUMBER_CHANGE] < (usual.kind == NUMBER_CHANGE).sum()
    assert 2000 < counts[DEVICE_UPGRADE] < (usual.kind == DEVICE_UPGRADE).sum()
    assert tight.imei.to_series().str.slice(5, 3).max() == "999"


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
    rows = found.row(asked, time)
    changes: dict[int, list[int]] = {}
    for change, who in enumerate(identities.entity.tolist()):
        changes.setdefault(who, []).append(change)
    for who, moment, row in zip(asked.tolist(), time.tolist(), rows.tolist(), strict=True):
        done = [
            change
            for change in changes.get(who, [])
            if identities.time[change] <= day_start(day) + moment
        ]
        assert row == (size + done[-1] if done else who)
    at_start = identities.version_at_start(day)
    assert (at_start == found.row(np.arange(size), np.full(size, -1))).all()
    assert (at_start == found.start_version).all()
    with pytest.raises(ValueError, match="a moment lies"):
        found.row(np.array([0]), np.array([3 * DAY]))


def test_the_records_are_the_changes_of_the_day() -> None:
    inputs, date = world(), DAYS[11]
    day = inputs.day(date)
    frame = sixty_days().filter(pl.col("event_time").dt.date() == date)
    assert frame.height > 30
    assert frame["event_id"].n_unique() == frame.height
    lives = state_of(date).filter(pl.col("change").is_in(list(RECORDED)))
    recorded = frame.filter(pl.col("change_type").is_in(list(RECORDED.values())))
    assert lives.height == recorded.height > 0
    merged = lives.join(recorded, on="subscriber_id", validate="1:1")
    assert merged.height == lives.height
    assert (merged["change"].replace_strict(RECORDED) == merged["change_type"]).all()
    assert (merged["change_time"] == merged["event_time"]).all()
    identities = inputs.identities
    for entity, moment, *identity in frame.select(
        "entity", "event_time", "imsi", "msisdn", "imei"
    ).rows():
        micros = round(moment.timestamp() * 1e6) - day.start
        row = int(day.identity(np.array([entity]), np.array([micros]))[0])
        assert [identities.imsi[row], identities.msisdn[row], identities.imei[row]] == identity


def test_parts_never_show() -> None:
    day = DAYS[4]
    coarse, fine = (
        make_day(inputs_of(small_world(subscribers=6000, part_size=size)), "identity_changes", day)
        for size in (8192, 1024)
    )
    assert coarse.height > 0
    assert coarse.sort("event_time").equals(fine.sort("event_time"))


def test_the_day_of_the_generators_knows_devices_and_grows_its_horizon() -> None:
    inputs = inputs_of(small_world(subscribers=3000))
    size = inputs.population.size
    first = inputs.day(EPOCH)
    assert (first.rat == inputs.population.rat).all()
    assert (first.volte == inputs.population.volte).all()
    known = len(inputs.identities.imsi)
    later = inputs.day(dt.date(2026, 12, 31))
    assert (later.rat != inputs.population.rat).any()
    everybody = np.arange(size)
    rows = later.identity(everybody, np.full(size, DAY + 5 * HOUR))
    assert len(inputs.identities.imsi) > known
    assert (rows >= size).sum() > 500


def test_the_day_of_the_generators_knows_who_is_in_service() -> None:
    """From before a record of an end, or of a beginning, to after it; also over midnight."""
    date = DAYS[12]
    rows = sixty_days().filter(pl.col("event_time").dt.date() == date)
    day, after = world().day(date), world().day(date + dt.timedelta(days=1))
    for kinds, ends in ((["port_out", "termination"], True), (["activation", "win_back"], False)):
        some = rows.filter(pl.col("change_type").is_in(kinds))
        entity = some["entity"].to_numpy()
        assert len(entity) > 5
        time = some["event_time"].cast(pl.Int64).to_numpy() - day.start
        for asked, shift in ((day, 0), (after, DAY)):
            assert (asked.in_service(entity, time - shift - 1) == ends).all()
            assert (asked.in_service(entity, time - shift) != ends).all()
        assert (day.in_service(entity, np.full(len(entity), DAY + HOUR)) != ends).all()
