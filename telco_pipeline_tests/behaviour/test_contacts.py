"""Whom: ties by entity, books of outside contacts, numbers of other parties."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from telco_pipeline.behaviour import contacts as module
from telco_pipeline.behaviour.allotment import own_window, ported_window
from telco_pipeline.behaviour.contacts import Contacts, Directory
from telco_pipeline.behaviour.population import BUSINESS, MACHINE, PERSON, VISITOR, Population
from telco_pipeline.behaviour.ties import Ties
from telco_pipeline.engine import draws
from telco_pipeline.engine.parts import parts
from telco_pipeline.settings import WorldConfig, load_world
from telco_pipeline.world import numbering
from telco_pipeline.world.cards import reserved_positions
from telco_pipeline.world.catalogue import build_devices, build_plans
from telco_pipeline.world.network import build_network
from telco_pipeline.world.places import build_places
from telco_pipeline.world.subscribers import SubscriberInputs, build_subscribers
from telco_pipeline.world.ties import build_ties

WORLD_FILE = Path(__file__).parents[1] / "golden" / "world.yaml"


@dataclass(frozen=True)
class _World:
    config: WorldConfig
    population: Population
    directory: Directory
    frame: pl.DataFrame
    cells: pl.DataFrame
    tie_frame: pl.DataFrame
    ties: Ties

    def contacts(self) -> Contacts:
        return Contacts(self.config, self.population, self.directory, self.ties)


@cache
def _world(subscribers: int = 8000, own_share: float = 0.4) -> _World:
    config = load_world(WORLD_FILE, subscribers=subscribers)
    operators = [
        each.model_copy(update={"share": own_share if each.own else (1 - own_share) / 2})
        for each in config.operators
    ]
    config = config.model_copy(update={"operators": operators})
    places = build_places(config)
    network = build_network(config, places)
    devices, plans = build_devices(config), build_plans(config)
    registry = SubscriberInputs.of(config, places, network.sites, network.cells, devices, plans)
    frame = pl.concat(
        [build_subscribers(config, registry, part) for part in parts(subscribers, config.part_size)]
    )
    population = Population.of(config, frame, network.cells, devices, plans)
    directory = Directory.of(config, population, frame["home_plmn"])
    ties = build_ties(config, frame, network.cells, places)
    by_entity = Ties.of(population.subscriber_id, ties)
    return _World(config, population, directory, frame, network.cells, ties, by_entity)


@cache
def _contacts() -> Contacts:
    return _world().contacts()


def _events(count: int, aspect: str = "test events") -> draws.Bits:
    return draws.keys(draws.stream(5, aspect), np.arange(count))


def _calls(entity: int, count: int = 4000, *, incoming: bool = False) -> np.ndarray:
    choose = _contacts().incoming if incoming else _contacts().outgoing
    return choose(np.full(count, entity), _events(count))


def _of(persona: str) -> np.ndarray:
    names = list(_world().config.personas)
    return np.flatnonzero(_world().population.persona == names.index(persona))


def _people(times: int = 20) -> np.ndarray:
    return np.repeat(np.flatnonzero(_world().population.kind == PERSON), times)


# --- ties by entity ------------------------------------------------------------------------------


def test_ties_are_indexed_both_ways_and_the_strongest_comes_first() -> None:
    world, ties = _world(), _world().ties
    rows = {int(key): row for row, key in enumerate(world.population.subscriber_id)}
    expected: dict[int, list[tuple[float, int]]] = {}
    for one, other, _, weight, _ in world.tie_frame.iter_rows():
        expected.setdefault(rows[one], []).append((weight, rows[other]))
        expected.setdefault(rows[other], []).append((weight, rows[one]))
    weights = ties.weight()
    assert len(ties.other) == 2 * world.tie_frame.height
    for entity in range(0, world.population.size, 7):
        own = slice(ties.start[entity], ties.start[entity + 1])
        found = set(zip(weights[own].tolist(), ties.other[own].tolist(), strict=True))
        assert found == set(expected.get(entity, []))
        assert (np.diff(weights[own]) <= 0).all()
    entities = np.arange(world.population.size)
    assert ties.degree(entities).sum() == len(ties.other)
    assert ties.strength(entities).sum() == ties.cumulated[-1]


def test_a_tie_of_a_stranger_is_refused() -> None:
    world = _world()
    broken = world.tie_frame.head(3).with_columns(other_subscriber_id=pl.lit(1, pl.Int64))
    with pytest.raises(ValueError, match="other_subscriber_id"):
        Ties.of(world.population.subscriber_id, broken)


# --- the choice ----------------------------------------------------------------------------------


def test_somebody_calls_few_people_and_one_of_them_often() -> None:
    shares = []
    for entity in _of("commuter")[:60]:
        parties, counts = np.unique(_calls(int(entity), 1000), return_counts=True)
        assert 5 <= len(parties) <= 90
        shares.append(counts.max() / counts.sum())
    assert 0.35 < np.median(shares) < 0.65  # most of a user's events (CNS)
    assert max(shares) < 0.95


def test_own_parties_are_ties_in_proportion_to_their_weight() -> None:
    world, entity = _world(), _people(60)
    party = _contacts().outgoing(entity, _events(len(entity)))
    own = party < world.directory.own
    pairs = pl.DataFrame({"one": entity[own], "other": party[own]})
    size = world.population.size
    start, other = world.ties.start, world.ties.other.astype(np.int64)
    ends = np.repeat(np.arange(size), np.diff(start))
    frame = pl.DataFrame({"one": ends, "other": other, "weight": world.ties.weight()})
    called = pairs.group_by("one", "other").len().join(frame, on=["one", "other"], how="left")
    assert called["weight"].null_count() == 0
    # Among the own parties of one person, whoever weighs twice as much gets about twice as much,
    # but for the part of the events that goes to any of them.
    both = frame.join(called.select("one", "other", "len"), on=["one", "other"], how="left")
    strong = both.with_columns(pl.col("len").fill_null(0)).with_columns(
        share=pl.col("weight") / pl.col("weight").sum().over("one"),
        got=pl.col("len") / pl.col("len").sum().over("one"),
        called=pl.col("len").sum().over("one"),
    )
    for low, high in ((0.3, 0.5), (0.5, 0.7), (0.7, 0.9)):
        some = strong.filter(pl.col("share").is_between(low, high) & (pl.col("called") > 15))
        assert some.height > 50
        assert 0.6 < some["got"].mean() / some["share"].mean() < 1.1  # type: ignore[operator]
    # Weak ties are met as well.
    weak = strong.filter((pl.col("share") < 0.02) & (pl.col("called") > 15))
    assert 0.2 < (weak["len"] > 0).mean() < 0.9  # type: ignore[operator]


def test_choices_do_not_depend_on_what_was_asked_before() -> None:
    entity = _people(3)
    events = _events(len(entity))
    for messages in (False, True):
        for name in ("outgoing", "incoming"):
            once = getattr(_contacts(), name)(entity, events, messages=messages)
            fresh = getattr(_world().contacts(), name)
            order = np.random.default_rng(1).permutation(len(entity))
            again = np.empty_like(once)
            for rows in np.array_split(order, 7):
                again[rows] = fresh(entity[rows], events[rows], messages=messages)
            assert (once == again).all()


def test_no_event_has_no_party() -> None:
    nothing = np.zeros(0, np.int64)
    for messages in (False, True):
        assert _contacts().outgoing(nothing, _events(0), messages=messages).size == 0
        assert _contacts().incoming(nothing, _events(0), messages=messages).size == 0


def test_the_blocks_in_which_slots_are_filled_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    entity = _people(2)
    expected = _contacts().outgoing(entity, _events(len(entity)))
    monkeypatch.setattr(module, "_BLOCK", 500)
    assert (_world().contacts().outgoing(entity, _events(len(entity))) == expected).all()


def test_a_call_centre_calls_everybody() -> None:
    world = _world()
    parties = _calls(int(_of("call_centre")[0]))
    assert np.unique(parties).size > 0.6 * parties.size
    ours = parties[parties < world.directory.own]
    assert 0.2 < ours.size / parties.size < 0.45
    assert (world.population.kind[ours] < VISITOR).all()


def test_machines_write_to_their_platform() -> None:
    world = _world()
    machines = np.flatnonzero(world.population.kind == MACHINE)
    for choose in (_contacts().outgoing, _contacts().incoming):
        party = choose(machines, _events(len(machines)), messages=True)
        assert set(world.directory.number.gather(party).unique()) == {"80770"}


def test_visitors_call_home_and_know_nobody_here() -> None:
    world = _world()
    visitors = np.repeat(np.flatnonzero(world.population.kind == VISITOR), 20)
    party = _contacts().outgoing(visitors, _events(len(visitors)))
    assert (party >= world.directory.own).all()
    abroad = (party >= world.directory.first[2]) & (party < world.directory.first[3])
    assert 0.3 < abroad.mean() < 0.7


def test_nobody_calls_oneself_or_the_other_sim() -> None:
    world = _world()
    entity = np.repeat(np.arange(world.population.size), 20)
    for messages in (False, True):
        party = _contacts().outgoing(entity, _events(len(entity)), messages=messages)
        own = party < world.directory.own
        leader = world.population.leader
        assert (leader[party[own]] != leader[entity[own]]).all()
        # Our subscribers whom others call are people and businesses.
        assert own.sum() > 0.2 * party.size
        assert (world.population.kind[party[own]] < VISITOR).all()


def test_messages_go_to_the_closest_and_not_to_fixed_lines() -> None:
    world, entity = _world(), _people(30)
    share = {}
    for messages in (False, True):
        party = _contacts().outgoing(entity, _events(len(entity)), messages=messages)
        if messages:
            back = _contacts().incoming(entity, _events(len(entity)), messages=True)
            for some in (party, back):
                fixed = (some >= world.directory.first[1]) & (some < world.directory.first[2])
                assert not fixed.any()
        pairs = pl.DataFrame({"one": entity, "other": party}).group_by("one", "other").len()
        share[messages] = (
            pairs.group_by("one").agg(pl.col("len").max() / pl.col("len").sum())["len"].mean()
        )
    assert share[True] > share[False] + 0.02


def test_calls_from_outside_come_from_the_outside_contacts() -> None:
    world = _world()
    for entity in _of("family")[:10]:
        out, back = _calls(int(entity)), _calls(int(entity), incoming=True)
        assert (back >= world.directory.own).all()
        service = world.directory.is_service(out)
        theirs = set(out[(out >= world.directory.own) & ~service].tolist())
        assert np.isin(back, list(theirs)).mean() > 0.97


@pytest.mark.parametrize("own_share", [0.25, 0.4, 0.6])
def test_the_market_decides_on_the_network(own_share: float) -> None:
    world = _world(8000, own_share)
    people = np.flatnonzero(world.population.kind == PERSON)
    level = world.population.level[people]
    entity = np.repeat(people, np.minimum(np.rint(10 * level), 200).astype(np.int64))
    contacts = world.contacts()
    for messages in (False, True):
        party = contacts.outgoing(entity, _events(len(entity)), messages=messages)
        mobile = party[party < world.directory.first[1]]
        networks = world.directory.plmn.gather(mobile)
        shares = dict(networks.value_counts(normalize=True).iter_rows())
        for operator in world.config.operators:
            assert abs(shares[operator.plmn] - operator.share) < 0.06
    # Whoever has strong ties on the network calls more on the network.
    own = contacts.outgoing(entity, _events(len(entity))) < world.directory.own
    strong = world.ties.strength(entity) > np.median(world.ties.strength(people))
    assert own[strong].mean() > 1.5 * own[~strong].mean()


def test_other_classes_than_mobile_have_their_part() -> None:
    world, entity = _world(), _people(10)
    party = _contacts().outgoing(entity, _events(len(entity)))
    group = np.searchsorted(world.directory.first, party, side="right")
    mobile, fixed, abroad = [(group == n).mean() for n in (0, 2, 3)]
    assert 0.09 < fixed < 0.18
    assert 0.02 < abroad < 0.05
    assert mobile < 0.5
    assert (world.directory.plmn.gather(party).null_count() / len(party)) > 0.1


def test_businesses_call_their_customers() -> None:
    world = _world()
    firms = np.flatnonzero(world.population.kind == BUSINESS)
    entity = np.repeat(firms, 50)
    party = _contacts().outgoing(entity, _events(len(entity)))
    own = party < world.directory.own
    assert 0.12 < own.mean() < 0.5
    called = pl.DataFrame({"one": entity[own], "other": party[own]}).unique()
    per_firm = called.group_by("one").len()["len"]
    assert per_firm.mean() > 3  # type: ignore[operator]


# --- numbers -------------------------------------------------------------------------------------


def test_numbers_are_unique_and_well_formed() -> None:
    number = _world().directory.number.to_series()
    assert number.n_unique() == len(number)
    assert number.str.contains(r"^\+?\d{3,15}$").all()
    fixed = number.filter(number.str.contains(r"^\+32[1-35-9]") & ~number.str.contains(r"^\+3277"))
    # Geographic numbers have eight national digits, freephone and services too.
    assert set(fixed.str.len_chars().unique()) == {11}


def test_a_fifth_of_the_others_brought_their_number_along() -> None:
    world = _world()
    first = world.directory.first
    frame = pl.DataFrame(
        {
            "number": world.directory.number.gather(np.arange(first[0], first[1])),
            "plmn": world.directory.plmn[first[0] : first[1]],
        }
    ).with_columns(ndc=pl.col("number").str.slice(3, 3))
    holders = {ndc: each.plmn for each in world.config.operators for ndc in each.ndcs}
    frame = frame.with_columns(holder=pl.col("ndc").replace_strict(holders))
    ported = frame.filter(pl.col("plmn") != pl.col("holder"))
    assert 0.18 < ported.height / frame.height < 0.22
    assert ported["holder"].n_unique() == len(world.config.operators)
    ours = ported.filter(pl.col("holder") == world.config.own_operator.plmn)
    assert ours.height > 100
    assert ours["number"].is_in(world.frame["msisdn"].implode()).sum() == 0


@pytest.mark.parametrize(
    ("subscribers", "joins"),
    [
        (1, 0.0),
        (50_000, 0.0),
        (1_000_000, 0.0),
        (1_790_000, 0.0),
        (50_000, 0.013),
        (1_500_000, 0.016),
    ],
)
def test_outside_numbers_leave_room_for_those_that_are_given_later(
    subscribers: int, joins: float
) -> None:
    growth = {"joins_per_month": joins, "months": 12}
    config = load_world(WORLD_FILE, subscribers=subscribers, growth=growth)
    size = config.all_subscribers
    numbers, networks = module._mobile_parties(config, size)
    assert numbers.n_unique() == len(numbers) == len(networks)
    # Positions in the order in which each range is given out.
    for operator in config.operators:
        if operator.own:
            start, stop = own_window(config)
            reserved = reserved_positions(config)
            order = module.Permutation(
                numbering.msisdn_capacity(operator.ndcs, reserved), config.seed, "msisdn"
            )
        else:
            start, stop = ported_window(config, operator)
            reserved = []
            order = numbering.other_range(config.seed, operator.ndcs)
        some = np.unique(np.linspace(start, max(stop - 1, start), 20_000).astype(np.int64))
        some = some[some < min(stop, order.size)]
        later = numbering.international(
            numbering.msisdn(config.numbering.country_code, operator.ndcs, reserved, order(some))
        )
        assert not later.is_in(numbers.implode()).any()
    held = order_of_own(config, size)
    assert not held.is_in(numbers.implode()).any()


def order_of_own(config: WorldConfig, size: int) -> pl.Series:
    """Return some of the numbers that the registry may give to its subscribers."""
    own, reserved = config.own_operator, reserved_positions(config)
    capacity = numbering.msisdn_capacity(own.ndcs, reserved)
    order = module.Permutation(capacity, config.seed, "msisdn")
    some = np.unique(np.linspace(0, size - 1, 20_000).astype(np.int64))
    return numbering.international(
        numbering.msisdn(config.numbering.country_code, own.ndcs, reserved, order(some))
    )
