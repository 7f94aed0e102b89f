"""Whom: books of contacts, numbers of other parties."""

from functools import cache

import numpy as np
import polars as pl

from telco_pipeline.behaviour.population import MACHINE
from telco_pipeline.engine import draws
from telco_pipeline.generators import Inputs
from telco_pipeline_tests.generators.kit import inputs_of, small_world


@cache
def _inputs() -> Inputs:
    return inputs_of(small_world(subscribers=3000, part_size=1024))


def _calls(entity: int, count: int = 4000, *, incoming: bool = False) -> np.ndarray:
    inputs = _inputs()
    events = draws.keys(draws.stream(5, "test events"), np.arange(count))
    choose = inputs.contacts.incoming if incoming else inputs.contacts.outgoing
    return choose(np.full(count, entity), events)


def _of(persona: str) -> np.ndarray:
    names = list(_inputs().config.personas)
    return np.flatnonzero(_inputs().population.persona == names.index(persona))


def test_a_book_is_small_and_its_first_contact_frequent() -> None:
    for entity in _of("commuter")[:20]:
        parties, counts = np.unique(_calls(int(entity)), return_counts=True)
        assert 20 <= len(parties) <= 40 + 4  # and the services
        assert 0.22 < counts.max() / counts.sum() < 0.6


def test_a_call_centre_calls_everybody() -> None:
    parties = _calls(int(_of("call_centre")[0]))
    assert np.unique(parties).size > 0.6 * parties.size


def test_nobody_calls_oneself() -> None:
    inputs = _inputs()
    people = np.flatnonzero(inputs.population.kind < MACHINE)
    entity = np.repeat(people, 40)
    events = draws.keys(draws.stream(6, "test events"), np.arange(len(entity)))
    party = inputs.contacts.outgoing(entity, events)
    assert (party != entity).all()
    # Our subscribers whom others call are people and businesses.
    own = party[party < inputs.directory.own]
    assert own.size > 0.2 * party.size
    assert (inputs.population.kind[own] < 2).all()


def test_friends_live_near() -> None:
    inputs = _inputs()
    people = np.flatnonzero(inputs.population.kind == 0)
    events = draws.keys(draws.stream(7, "test events"), people)
    party = inputs.contacts.outgoing(people, events)
    ours = party < inputs.directory.own
    cells = inputs.frames["cells"]
    latitude = cells["latitude"].to_numpy()
    home = inputs.population.home
    apart = np.abs(latitude[home[people[ours]]] - latitude[home[party[ours]]])
    strangers = np.abs(latitude[home[people[ours]]] - latitude[home[np.roll(people[ours], 7)]])
    assert np.median(apart) < 0.6 * np.median(strangers)


def test_calls_from_outside_come_from_outside() -> None:
    inputs = _inputs()
    for entity in _of("family")[:5]:
        assert (_calls(int(entity), incoming=True) >= inputs.directory.own).all()


def test_numbers_are_unique_and_well_formed() -> None:
    number = _inputs().directory.number
    assert number.n_unique() == len(number)
    assert number.str.contains(r"^\+?\d{3,15}$").all()
    fixed = number.filter(number.str.contains(r"^\+32[1-35-9]") & ~number.str.contains(r"^\+3277"))
    # Geographic numbers have eight national digits, freephone and services too.
    assert set(fixed.str.len_chars().unique()) == {11}


def test_the_market_decides_on_the_network() -> None:
    inputs = _inputs()
    people = np.repeat(_of("commuter"), 20)
    events = draws.keys(draws.stream(8, "test events"), np.arange(len(people)))
    party = inputs.contacts.outgoing(people, events)
    networks = inputs.directory.plmn.gather(party).drop_nulls()
    shares = dict(networks.value_counts(normalize=True).iter_rows())
    for operator in inputs.config.operators:
        assert abs(shares[operator.plmn] - operator.share) < 0.05
    assert inputs.directory.plmn.gather(party).null_count() / len(party) > 0.1
    assert isinstance(inputs.directory.number, pl.Series)
