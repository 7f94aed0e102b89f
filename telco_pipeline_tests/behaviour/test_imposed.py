"""Changes of identity that layers impose: swapped SIMs, SIMs that share devices."""

import datetime as dt
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from telco_pipeline.behaviour.changes import DEVICE_UPGRADE, SIM_SWAP
from telco_pipeline.behaviour.identities import Identities
from telco_pipeline.behaviour.population import MACHINE, PERSON, VISITOR
from telco_pipeline.behaviour.terrain import PREFERENCE_OF_RAT
from telco_pipeline.engine.calendar import DAY as DAY_LENGTH
from telco_pipeline.engine.calendar import MINUTE, day_start
from telco_pipeline.generators import Inputs
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.story import Touch
from telco_pipeline.world import numbering
from telco_pipeline_tests.behaviour.layered import DAY, EPOCH, layer, without, world
from telco_pipeline_tests.generators.kit import make_day
from telco_pipeline_tests.lake.small_lake import luhn_holds

Rows = npt.NDArray[np.int64]

_ONE = dt.timedelta(days=1)
_SHARING = [{"sharing": {"who": "them", "devices": 8}}]
_SWAP = [{"swap": {"who": "them"}}]


def _at(inputs: Inputs, moment: int) -> Rows:
    """Return everybody's version row just before a moment."""
    known = inputs.identities_until(dt.date(1970, 1, 1) + dt.timedelta(days=moment // DAY_LENGTH))
    return known.version_at(moment).astype(np.int64)


@cache
def _boxes() -> Inputs:
    return world(a=layer(7, _SHARING, people=60, lasts="20d", spread="2h"))


@cache
def _takeovers() -> Inputs:
    return world(a=layer(7, _SWAP, people=300, at="15:00", lasts="8h", spread="2h"))


@cache
def _crowded() -> Inputs:
    """Return a world in which the same people are in several devices, and bought new ones."""
    return world(
        a=layer(7, _SHARING, people=600, lasts="20d", spread="2d", every="5d", times=6),
        b=layer(8, _SWAP, people=100, lasts="8h", every="1d", at="15:00", spread="2h"),
    )


def _touch(inputs: Inputs, name: str) -> Touch:
    (touch,) = inputs.story.on(DAY).of(name)
    return touch


def test_the_sims_share_as_few_devices_as_told_as_long_as_told() -> None:
    inputs = _boxes()
    touch, known = _touch(inputs, "sharing"), inputs.identities_until(DAY + 30 * _ONE)
    rows = touch.rows
    start, end = int(touch.start.min()), int(touch.end.max())
    own = known.imei.numbers[_at(inputs, start)]
    inside = known.version_at(int(touch.start.max()) + 2 * MINUTE)
    imei, count = np.unique(known.imei.numbers[inside[rows]], return_counts=True)
    assert sorted(count.tolist()) == [4, *[8] * 7]
    # Phones of some of them, with their models.
    assert np.isin(imei, own[rows]).all()
    model = {int(known.imei.numbers[row]): int(known.device[row]) for row in inside}
    before = known.version_at(start)
    assert all(model[int(known.imei.numbers[row])] == known.device[row] for row in before[rows]
               if known.imei.numbers[row] in imei)  # fmt: skip
    after = known.version_at(end)
    assert (known.imei.numbers[after[rows]] == own[rows]).all()
    assert (known.device[after[rows]] == known.device[before[rows]]).all()
    # SIM and number stay.
    for column in (known.imsi, known.iccid):
        assert (column.numbers[inside[rows]] == column.numbers[before[rows]]).all()


def test_meanwhile_nobody_of_them_buys_a_phone() -> None:
    """Whoever would have, without the layer, does not."""
    inputs = world(a=layer(7, _SHARING, people=1500, lasts="40d"))
    touch = _touch(inputs, "sharing")
    until = DAY + 60 * _ONE
    known, usual = inputs.identities_until(until), without().identities_until(until)
    start, end = int(touch.start[0]), int(touch.end[0])

    def bought(all_of: Identities, first: int, last: int) -> set[int]:
        chosen = (all_of.kind == DEVICE_UPGRADE) & np.isin(all_of.entity, touch.rows)
        chosen &= (all_of.time >= first) & (all_of.time < last)
        return set(all_of.time[chosen].tolist())

    assert len(bought(usual, start + 2 * MINUTE, end - 2 * MINUTE)) > 20
    assert not bought(known, start + 2 * MINUTE, end - 2 * MINUTE)
    later = bought(usual, end, int(day_start(until)))
    assert later
    assert later <= bought(known, end, int(day_start(until)))


def test_a_swap_brings_another_sim_in_somebody_elses_phone() -> None:
    inputs = _takeovers()
    touch, known = _touch(inputs, "swap"), inputs.identities_until(DAY + 5 * _ONE)
    able = inputs.population.kind[touch.rows] != VISITOR
    rows, start = touch.rows[able], touch.start[able]
    changes = np.flatnonzero(np.isin(known.entity, rows) & (known.time >= start.min()))
    changes = changes[known.time[changes] < start.max() + 2 * MINUTE]
    for kind in (SIM_SWAP, DEVICE_UPGRADE):
        some = changes[known.kind[changes] == kind]
        assert set(known.entity[some]) == set(rows)
        late = known.time[some] - start[np.searchsorted(rows, known.entity[some])]
        assert ((late > 0) & (late < 2 * MINUTE)).all()
        assert (known.time[some] % 8 == kind).all()
        # Of no moment is there anything special.
        assert len(np.unique(known.time[some] % 1_000_000)) == len(some)
    before, after = _at(inputs, day_start(DAY)), known.version_at(day_start(DAY + _ONE))
    for column in (known.imsi, known.iccid, known.imei):
        assert not np.isin(column.numbers[after[rows]], column.numbers[: known.size]).any()
        assert len(np.unique(column.numbers[after])) == known.size
    quiet = np.setdiff1d(rows, known.entity[known.kind > DEVICE_UPGRADE])
    assert (known.msisdn.numbers[after[quiet]] == known.msisdn.numbers[before[quiet]]).all()
    assert all(map(luhn_holds, known.imei.gather(after[rows])))
    assert all(map(luhn_holds, known.iccid.gather(after[rows])))
    assert (known.imsi.gather(after[rows]).str.len_chars() == 15).all()
    # For good.
    assert (known.version_at(int(touch.end.max())) == after)[quiet].all()


def test_phones_from_outside_are_of_the_types_that_people_have() -> None:
    """Their type allocation codes and IMSI classes are in use, so that none gives them away."""
    inputs = _takeovers()
    known, population = inputs.identities_until(DAY + 5 * _ONE), inputs.population
    rows = _touch(inputs, "swap").rows
    rows = rows[population.kind[rows] != VISITOR]
    after = known.version_at(day_start(DAY + _ONE))
    people = np.flatnonzero(population.kind == PERSON)
    codes = population.imei.numbers[people] // 10**7
    assert np.isin(known.imei.numbers[after[rows]] // 10**7, codes).all()
    ours = np.flatnonzero(population.kind[rows] != MACHINE)
    classes = known.imsi.numbers[after[rows]] // 10**8
    assert (classes == population.imsi.numbers[rows] // 10**8)[ours].all()
    # A machine's new card is of the range of its customer.
    ranges = known.imsi.numbers[after[rows]] // numbering.MACHINE_RANGE
    machines = np.flatnonzero(population.kind[rows] == MACHINE)
    assert len(machines) > 10
    same = ranges == population.imsi.numbers[rows] // numbering.MACHINE_RANGE
    assert same[machines].all()
    assert len(np.unique(known.device[after[rows]])) > 20


def test_nothing_else_changes() -> None:
    inputs, until = (
        world(
            a=layer(7, _SHARING, people=200, lasts="20d", spread="2d"),
            b=layer(8, _SWAP, people=20, lasts="8h", every="1d", at="15:00", spread="2h"),
        ),
        DAY + 20 * _ONE,
    )
    known, usual = inputs.identities_until(until), without().identities_until(until)
    touched = np.unique(
        np.concatenate(
            [t.rows for t in inputs.story.between(EPOCH, known.until, "swap", "sharing")]
        )
    )
    limit = day_start(known.until) + DAY_LENGTH
    mine = np.flatnonzero(~np.isin(known.entity, touched))
    same = np.flatnonzero(~np.isin(usual.entity, touched) & (usual.time < limit))
    assert len(mine) > 30
    for name in ("entity", "time", "kind"):
        assert (getattr(known, name)[mine] == getattr(usual, name)[same]).all()
    for name in ("imsi", "iccid", "imei", "msisdn"):
        one, other = getattr(known, name).numbers, getattr(usual, name).numbers
        assert (one[known.size + mine] == other[usual.size + same]).all()
    # Before the first of it nothing is different at all.
    assert (known.version_at(day_start(DAY)) == usual.version_at(day_start(DAY))).all()


def test_a_later_horizon_only_adds_rows() -> None:
    inputs = _crowded()
    devices = inputs.frames["devices"]
    made = [
        Identities.of(inputs.config, inputs.population, devices, until, inputs.story)
        for until in (DAY, DAY + 9 * _ONE, DAY + 40 * _ONE, dt.date(2026, 12, 28))
    ]
    assert [one.until for one in made] == sorted({one.until for one in made})
    for short, long in pairwise(made):
        rows = len(short.imsi)
        assert len(long.imsi) > rows
        for name in ("imsi", "iccid", "imei", "msisdn"):
            one, other = getattr(short, name).numbers, getattr(long, name).numbers
            assert (one == other[:rows]).all(), name
        assert (short.device == long.device[:rows]).all()
        assert (short.time == long.time[: len(short.time)]).all()
        assert (short.time < day_start(short.until) + DAY_LENGTH).all()


def test_the_records_tell_of_each_change_once() -> None:
    inputs = _crowded()
    made = pl.concat(
        [make_day(inputs, "identity_changes", DAY + offset * _ONE) for offset in range(8)]
    )
    assert made["event_id"].n_unique() == made.height
    assert (made.filter(change_type="device_upgrade")["imei"]
            != made.filter(change_type="device_upgrade")["previous_imei"]).all()  # fmt: skip
    same = made.filter(change_type="device_upgrade")
    assert (same["imsi"] == same["previous_imsi"]).all()
    # A chain: what one leaves the next one finds.
    chain = made.sort("subscriber_id", "event_time").with_columns(
        was=pl.col("imei").shift(1).over("subscriber_id")
    )
    chain = chain.filter(pl.col("was").is_not_null() & pl.col("previous_imei").is_not_null())
    assert chain.height > 100
    assert (chain["was"] == chain["previous_imei"]).all()


def test_cells_serve_both_devices_of_a_day() -> None:
    """Who sits in a lesser device for a part of the day camps on what that speaks, all day."""
    inputs = _boxes()
    day, usual = inputs.day(DAY), without().day(DAY)
    known, rows = inputs.identities_until(DAY), _touch(inputs, "sharing").rows
    later = PREFERENCE_OF_RAT[known.rat[known.version_at(day_start(DAY + _ONE))[rows]]]
    before = PREFERENCE_OF_RAT[usual.rat[rows]]
    assert (PREFERENCE_OF_RAT[day.rat[rows]] == np.maximum(later, before)).all()
    assert (later > before).any()
    others = np.setdiff1d(np.arange(known.size), rows)
    assert (day.rat[others] == usual.rat[others]).all()


@pytest.mark.parametrize("deed", [_SHARING[0], _SWAP[0]])
def test_no_state_can_trigger_them(deed: dict[str, Any]) -> None:
    right = layer(7, [deed]).to_dict()
    right["stages"][0]["trigger"] = {"satisfaction": {"to": 0.3}}
    with pytest.raises(ValueError, match="cannot be in a stage with a trigger"):
        Layer.model_validate(right)
