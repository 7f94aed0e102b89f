"""Ties: who knows whom among our subscribers, and how well.

Belongs here: households, colleagues, friends, acquaintances and the customers of businesses, as
pairs with a weight; how sociable somebody is. Does not belong here: parties of other networks
(`behaviour.contacts`), when anybody calls.

Nobody draws a degree, a clustering or an overlap: they follow from where people meet. Friends meet
in circles (whose members all know each other), of people who live near each other, with a jitter
of distance whose density falls as 1/d (Liben-Nowell 2005); couples bring each other along, so the
strongest ties have the most friends in common (Onnela 2007). How many circles somebody is in is
log-normal. Colleagues share a team, a team a firm, a firm a site. Acquaintances are pairs from
anywhere; a firm has customers around it.

Circles are found by sorting; every draw is a hash, weights are whole thousandths
until the end, so rows are a function of the world alone.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts.world import PERSON_KINDS, SOCIAL_TIES, TIE_KINDS
from telco_pipeline.engine import draws
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.keys import rows_of
from telco_pipeline.engine.tables import Choice, QuantileTable
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world.places import plane

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MASS_CALLER: Final = 40.0
"""Whoever starts more calls a day than this is a call centre and knows nobody."""

WEIGHT_UNIT: Final = 1000
"""Weights are whole numbers of this part of one."""

MAX_WEIGHT: Final = 2_000 * WEIGHT_UNIT
"""Whoever has a tie of this weight calls hardly anybody else."""

_PERSON, _BUSINESS = PERSON_KINDS.index("person"), PERSON_KINDS.index("business")
_HOUSEHOLD, _COLLEAGUE, _FRIEND, _ACQUAINTANCE, _CUSTOMER = range(len(TIE_KINDS))

# Numbers of circles are log-normal over people; who phones more knows more people, but less than
# in proportion (degree grows as the root of the activity).
_SOCIABILITY = QuantileTable.log_normal(math.exp(-0.6 * 0.6 / 2), 0.6)

# The constants below were set by a simulation of 28 days of calls, so that the graph of pairs who
# called each other meets Onnela 2007 (degree about 3, giant component 84 %) and CNS (clustering
# 0.2-0.25), at a market share of 40 %; what others hold lies in `behaviour.contacts`.
_SHARE: Final = 0.40

_FRIEND_LAYERS: Final = 12
_FRIEND_CIRCLES: Final = 0.92  # mean number of circles of a person
_CIRCLE_SIZE = Choice.of([0.25, 0.33, 0.25, 0.17])  # 3 to 6
_SMALLEST_CIRCLE: Final = 3
_CIRCLE_PAIR: Final = 0.94  # that two of a circle phone at all
_TOGETHER: Final = 0.95  # that the members of a household meet friends together
# Jitter of where people meet, as a share of the population: from the neighbours within about one
# km (1e-4 of the people) to half the country.
_NEAREST: Final = 1e-4
_FARTHEST: Final = 0.5

_ACQUAINTANCE_LAYERS: Final = 10
_ACQUAINTANCES: Final = 2.7
_ACQUAINTANCE_NEAREST: Final = 0.02

# Sizes of firms have a tail of exponent 1.1 (Axtell 2001), here of those that phone us at one site.
_FIRM_SIZE = QuantileTable.of(lambda p: min(2.0 * (1.0 - p) ** (-1.0 / 1.1), 3000.0))
_TEAM_SIZE = Choice.of([0.22, 0.20, 0.18, 0.14, 0.11, 0.08, 0.07])  # 3 to 9
_SMALLEST_TEAM: Final = 3
_LARGEST_TEAM: Final = 9
_TEAM_PAIR: Final = 0.65
_OTHER_TEAM: Final = 0.20  # that somebody has a tie with another team of the firm
_PHONES_COLLEAGUES: Final = 0.28  # of those who work; the others do not phone for work
_WORK_SIM: Final = 0.6  # share of the second SIMs that are for work

_CUSTOMERS = QuantileTable.of(lambda p: min(3.0 * (1.0 - p) ** (-1.0 / 2.0), 150.0))
_CUSTOMER_NEAREST: Final = 5e-4

# Weights: median by kind, and how much circles, and pairs inside them, differ (standard deviation
# of the logarithm). Members of a household differ most: a couple phones daily, others hardly do.
_MEDIAN: Final = {
    _HOUSEHOLD: 20.00,
    _COLLEAGUE: 0.25,
    _FRIEND: 0.35,
    _ACQUAINTANCE: 0.15,
    _CUSTOMER: 0.12,
}
_OF_CIRCLE: Final = QuantileTable.log_normal(1.0, 1.7)
_OF_PAIR: Final = {
    _HOUSEHOLD: QuantileTable.log_normal(1.0, 3.4),
    _COLLEAGUE: QuantileTable.log_normal(1.0, 1.1),
    _FRIEND: QuantileTable.log_normal(1.0, 1.1),
    _ACQUAINTANCE: QuantileTable.log_normal(1.0, 0.8),
    _CUSTOMER: QuantileTable.log_normal(1.0, 0.8),
}

_GRID_KM: Final = 0.1
_GRID_LOG2: Final = 13  # 8,192 squares: 819 km, with room for a shift by layer


def sociability(seed: int, entity: Integers, level: Floats) -> Floats:
    """Return how sociable each holder is, about 1 on average.

    Args:
        seed: The world's seed.
        entity: Entity numbers.
        level: Personal level of activity of each.
    """
    keys = draws.keys(draws.stream(seed, "sociability"), entity)
    return _SOCIABILITY.sample(keys) * np.sqrt(np.minimum(level, 16.0))


@dataclass(frozen=True)
class _Pairs:
    """Pairs of entities with kind and weight in thousandths; a pair may occur more than once."""

    one: Integers
    other: Integers
    kind: int
    weight: Integers


@dataclass(frozen=True)
class _Society:
    """What ties are made from: one array element per SIM.

    Attributes:
        seed: The world's seed.
        share: Market share over the one that the constants are for.
        holder: Entity number of the holder's first SIM.
        household: Number of the household; of who has none, one of their own.
        people: First SIMs of persons.
        business: First SIMs of businesses that have customers.
        sociable: Sociability.
        work: First SIMs of who works, or the second one, if that is for work.
        home: Row of the cell of the home.
        workplace: Row of the cell of work or school; -1 if there is none.
        student: Whether a student.
        site: Number of the site by cell.
        east: Kilometres east by cell.
        north: Kilometres north by cell.
    """

    seed: int
    share: float
    holder: Integers
    household: Integers
    people: Integers
    business: Integers
    sociable: Floats
    work: Integers
    home: Integers
    workplace: Integers
    student: npt.NDArray[np.bool_]
    site: Integers
    east: Floats
    north: Floats

    @classmethod
    def of(cls, config: WorldConfig, subscribers: pl.DataFrame, cells: pl.DataFrame) -> "_Society":
        """Turn the registry into arrays."""
        kind = _codes(subscribers["kind"], PERSON_KINDS)
        number = np.arange(subscribers.height)
        holder = _first_sims(subscribers["holder_id"], subscribers["sim_slot"].to_numpy())
        calls = np.array([persona.calls for persona in config.personas.values()])
        persona = _codes(subscribers["persona"], list(config.personas))
        quiet = calls[persona] <= MASS_CALLER
        first = holder == number
        person = kind == _PERSON
        household = subscribers["household_id"].rank("dense").cast(pl.Int64)
        home = rows_of(subscribers["home_cell_id"], cells["cell_id"])
        workplace = rows_of(subscribers["work_cell_id"], cells["cell_id"])
        student = subscribers["student"].to_numpy()
        east, north = plane(cells["latitude"].to_numpy(), cells["longitude"].to_numpy())
        works = (workplace >= 0) & ~student & (person | (kind == _BUSINESS)) & quiet
        society = cls(
            seed=config.seed,
            share=config.own_operator.share / _SHARE,
            holder=holder,
            household=household.fill_null(-1).to_numpy(),
            people=np.flatnonzero(person & first & quiet),
            business=np.flatnonzero((kind == _BUSINESS) & first & quiet),
            sociable=sociability(config.seed, holder, subscribers["activity_level"].to_numpy()),
            work=np.zeros(0, np.int64),
            home=home,
            workplace=workplace,
            student=student,
            site=cells["site_id"].rank("dense").cast(pl.Int64).to_numpy(),
            east=east,
            north=north,
        )
        return society._with_work(first, works)

    def _with_work(self, first: npt.NDArray[np.bool_], works: npt.NDArray[np.bool_]) -> "_Society":
        """Return the society with the SIMs that people use for work."""
        second = np.flatnonzero(~first & works[self.holder])
        second = second[draws.chance(self.bits("work sim", second), _WORK_SIM)]
        private = np.zeros(len(first), np.bool_)
        private[self.holder[second]] = True
        work = np.concatenate([np.flatnonzero(first & works & ~private), second])
        phones = draws.chance(self.bits("phones colleagues", work), _PHONES_COLLEAGUES)
        return replace(self, work=np.sort(work[phones]))

    def bits(self, aspect: str, numbers: Integers) -> Bits:
        """Return random bits of one aspect per entity (or other number)."""
        return draws.keys(draws.stream(self.seed, f"ties/{aspect}"), numbers)

    def pair_bits(self, aspect: str, one: Integers, other: Integers) -> Bits:
        """Return random bits of one aspect per pair of entities, whatever their order."""
        return draws.events(self.bits(aspect, np.minimum(one, other)), np.maximum(one, other))


def build_ties(
    config: WorldConfig, subscribers: pl.DataFrame, cells: pl.DataFrame, places: pl.DataFrame
) -> pl.DataFrame:
    """Return the ties of a world in the columns of the `social_ties` contract.

    Args:
        config: The world.
        subscribers: The whole registry, in the order of entity numbers.
        cells: Frame of the cells.
        places: Frame of the places (homes are placed by their cells; kept for the contract).

    Returns:
        One row per pair of subscribers, sorted. Visitors, machines and call centres have no ties.
    """
    society = _Society.of(config, subscribers, cells)
    pairs = [
        _households(society),
        *_colleagues(society),
        *(_circle_ties(society, layer) for layer in range(_FRIEND_LAYERS)),
        *(_acquaintances(society, layer) for layer in range(_ACQUAINTANCE_LAYERS)),
        _customers(society),
    ]
    return _frame(society, subscribers["subscriber_id"].to_numpy(), pairs)


# --- where people meet ---------------------------------------------------------------------


def _households(society: _Society) -> _Pairs:
    """Tie all members of a household to each other."""
    members = society.people[society.household[society.people] >= 0]
    order = members[np.argsort(society.household[members], kind="stable")]
    group = society.household[order]
    largest = int(np.bincount(group).max()) if group.size else 0
    one, other = _within(order, group, largest)
    weight = _weights(society, _HOUSEHOLD, "household/weight", one, other)
    return _Pairs(one, other, _HOUSEHOLD, weight)


def _colleagues(society: _Society) -> list[_Pairs]:
    """Tie the members of a team, and some across the teams of a firm."""
    work = society.work
    site = society.site[society.workplace[society.holder[work]]]
    mixed = society.bits("desk", work) >> np.uint64(32)
    order = np.argsort((site << 32) | mixed.astype(np.int64), kind="stable")
    people, site = work[order], site[order]
    numbers = np.arange(len(people))
    size = np.maximum(_FIRM_SIZE.sample(society.bits("firm", numbers)).astype(np.int64), 1)
    firm = _cut(size, np.diff(site, prepend=-1) != 0)
    sizes = _TEAM_SIZE.sample(society.bits("team", numbers)).astype(np.int64) + _SMALLEST_TEAM
    team = _cut(sizes, np.diff(firm, prepend=-1) != 0)

    one, other = _within(people, team, _LARGEST_TEAM)
    tied = draws.chance(society.pair_bits("team/pair", one, other), _TEAM_PAIR)
    one, other = one[tied], other[tied]
    close = _OF_CIRCLE.sample(society.bits("team/close", _group_of(people, team, one)))
    weight = _weights(society, _COLLEAGUE, "team/weight", one, other, close)

    start = np.searchsorted(firm, firm, side="left")
    staff = np.searchsorted(firm, firm, side="right") - start
    bits = society.bits("other team", people)
    met = start + draws.below(draws.bits(bits, "who"), staff)
    across = draws.chance(bits, _OTHER_TEAM) & (team[met] != team)
    far_one, far_other = people[across], people[met[across]]
    far = _weights(society, _COLLEAGUE, "firm/weight", far_one, far_other)
    return [
        _Pairs(one, other, _COLLEAGUE, weight),
        _Pairs(far_one, far_other, _COLLEAGUE, np.maximum(far // 3, 1)),
    ]


def _circle_ties(society: _Society, layer: int) -> _Pairs:
    """Tie the friends of one layer of circles."""
    wanted = society.sociable * (_FRIEND_CIRCLES * society.share / _FRIEND_LAYERS)
    order = _meeting(society, f"friend/{layer}", wanted, _NEAREST)
    numbers = np.arange(len(order))
    sizes = _CIRCLE_SIZE.sample(society.bits(f"circle/{layer}", numbers)).astype(np.int64)
    circle = _cut(sizes + _SMALLEST_CIRCLE, np.zeros(len(order), np.bool_))
    one, other = _within(order, circle, 6)
    tied = draws.chance(society.pair_bits(f"friend/pair/{layer}", one, other), _CIRCLE_PAIR)
    one, other = one[tied], other[tied]
    group = _group_of(order, circle, one)
    close = _OF_CIRCLE.sample(society.bits(f"circle/close/{layer}", group))
    weight = _weights(society, _FRIEND, f"friend/weight/{layer}", one, other, close)
    return _Pairs(one, other, _FRIEND, weight)


def _acquaintances(society: _Society, layer: int) -> _Pairs:
    """Tie people from anywhere, two by two."""
    wanted = society.sociable * (_ACQUAINTANCES * society.share / _ACQUAINTANCE_LAYERS)
    order = _meeting(society, f"acquaintance/{layer}", wanted, _ACQUAINTANCE_NEAREST)
    one, other = order[0 : len(order) // 2 * 2 : 2], order[1::2]
    weight = _weights(society, _ACQUAINTANCE, f"acquaintance/weight/{layer}", one, other)
    return _Pairs(one, other, _ACQUAINTANCE, weight)


def _customers(society: _Society) -> _Pairs:
    """Tie businesses to people near them."""
    people, business = society.people, society.business
    if not people.size or not business.size:
        nothing = np.zeros(0, np.int64)
        return _Pairs(nothing, nothing, _CUSTOMER, nothing)
    position, line = _positions(society, "customer", np.concatenate([people, business]))
    near = np.argsort(position[: len(people)], kind="stable")
    sorted_positions = position[near]
    wanted = _CUSTOMERS.sample(society.bits("customers", business)) * society.share
    count = np.minimum(np.rint(wanted).astype(np.int64), len(people))
    firm = np.repeat(np.arange(len(business)), count)
    number = np.arange(len(firm)) - np.repeat(np.cumsum(count) - count, count)
    bits = draws.events(society.bits("customer", business)[firm], number)
    target = (position[len(people) + firm] + _jitter(bits, _CUSTOMER_NEAREST, line)) % line
    found = np.searchsorted(sorted_positions, target) % len(people)
    one, other = business[firm], people[near[found]]
    weight = _weights(society, _CUSTOMER, "customer/weight", one, other)
    return _Pairs(one, other, _CUSTOMER, weight)


# --- tools -----------------------------------------------------------------------------------


def _meeting(society: _Society, aspect: str, chance: Floats, nearest: float) -> Integers:
    """Return who takes part in a layer, in the order of where they meet.

    Args:
        society: The society.
        aspect: Name of the layer.
        chance: Chance to take part, by entity.
        nearest: Smallest jitter, as a share of the population.
    """
    people = society.people
    taking = people[draws.chance(society.bits(f"{aspect}/in", people), chance[people])]
    if not taking.size:
        return taking
    position, line = _positions(society, aspect, taking)
    # Members of a household who go together have one jitter.
    home = society.household[taking]
    with_others = society.bits(f"{aspect}/together", np.maximum(home, 0))
    together = (home >= 0) & draws.chance(with_others, _TOGETHER)
    bits = np.where(together, draws.bits(with_others, "where"), society.bits(aspect, taking))
    place = (position + _jitter(bits, nearest, line)) % line
    return taking[np.argsort(place, kind="stable")]


def _positions(society: _Society, aspect: str, people: Integers) -> tuple[Integers, int]:
    """Return where people stand on a line through all homes, and the length of the line.

    The line is a Hilbert curve, shifted by layer, so that no border is one in all layers; its
    length is counted in people (who lives between), not in kilometres. In every second layer
    students stand at their school.
    """
    shift = draws.below(society.bits("curve", np.arange(2)) ^ _aspect_bits(society, aspect), 4096)
    curve = _hilbert(society.east, society.north, shift)
    anchor = society.home[people]
    school = society.student[people] & (society.workplace[people] >= 0)
    if int(shift[0]) % 2:
        anchor = np.where(school, society.workplace[people], anchor)
    order = np.argsort(curve, kind="stable")
    crowd = np.bincount(society.home[society.people], minlength=len(curve))
    before = np.zeros(len(curve), np.int64)
    before[order] = np.cumsum(crowd[order]) - crowd[order]
    # Sixteen steps per head, so that few stand on the same one.
    door = np.where(society.household[people] >= 0, society.household[people], -2 - people)
    within = draws.below(society.bits("door", door), np.maximum(16 * crowd[anchor], 1))
    return 16 * before[anchor] + within, 16 * max(len(society.people), 1)


def _aspect_bits(society: _Society, aspect: str) -> Bits:
    return np.array([draws.stream(society.seed, f"ties/{aspect}/line")], dtype=np.uint64)


def _jitter(bits: Bits, nearest: float, line: int) -> Integers:
    """Return jitters on the line, to both sides.

    Two who meet are about as far apart as the larger of their jitters. The larger of two squared
    uniforms is uniform, so the density of their distance falls as 1/distance.
    """
    table = QuantileTable.of(lambda p: nearest * (_FARTHEST / nearest) ** (p * p))
    steps = np.rint(table.sample(draws.bits(bits, "far")) * line).astype(np.int64)
    return np.where(draws.chance(draws.bits(bits, "side"), 0.5), steps, -steps)


def _hilbert(east: Floats, north: Floats, shift: Integers) -> Integers:
    """Return the place of points on a Hilbert curve over a shifted grid."""
    x = np.rint((east - east.min()) / _GRID_KM).astype(np.int64) + shift[0]
    y = np.rint((north - north.min()) / _GRID_KM).astype(np.int64) + shift[1]
    top = (1 << _GRID_LOG2) - 1
    x, y = np.minimum(x, top), np.minimum(y, top)
    place = np.zeros(len(x), np.int64)
    side = 1 << (_GRID_LOG2 - 1)
    while side:
        right, upper = (x & side) > 0, (y & side) > 0
        place += side * side * np.where(upper, np.where(right, 2, 1), np.where(right, 3, 0))
        # Turn the quarter, so that the curve goes on without a jump.
        turned = right & ~upper
        x, y = np.where(turned, top - x, x), np.where(turned, top - y, y)
        x, y = np.where(upper, x, y), np.where(upper, y, x)
        side >>= 1
    return place


def _cut(sizes: Integers, fresh: npt.NDArray[np.bool_]) -> Integers:
    """Return the group of each place in a list that is cut into groups.

    Args:
        sizes: Size of each next group; as many as the list is long, the first ones are used.
        fresh: Where a group begins in any case.
    """
    begins = fresh.copy()
    starts = np.cumsum(sizes) - sizes
    begins[starts[starts < len(fresh)]] = True
    return np.cumsum(begins) - 1


def _within(order: Integers, group: Integers, largest: int) -> tuple[Integers, Integers]:
    """Return all pairs inside groups of at most `largest` neighbours in a list."""
    ones, others = [], []
    for apart in range(1, min(largest, len(order))):
        same = np.flatnonzero(group[:-apart] == group[apart:])
        ones.append(order[same])
        others.append(order[same + apart])
    nothing = np.zeros(0, np.int64)
    return np.concatenate([nothing, *ones]), np.concatenate([nothing, *others])


def _group_of(order: Integers, group: Integers, entity: Integers) -> Integers:
    """Return the group of some entities of a list."""
    found = np.zeros(int(order.max()) + 1 if order.size else 1, np.int64)
    found[order] = group
    return found[entity]


def _weights(
    society: _Society,
    kind: int,
    aspect: str,
    one: Integers,
    other: Integers,
    close: Floats | float = 1.0,
) -> Integers:
    """Return weights in thousandths, log-normal around the level of the kind."""
    pair = _OF_PAIR[kind].sample(society.pair_bits(aspect, one, other))
    whole = np.rint(pair * close * (_MEDIAN[kind] * WEIGHT_UNIT))
    return np.clip(whole, 1.0, MAX_WEIGHT).astype(np.int64)


def _frame(society: _Society, ids: Integers, pairs: list[_Pairs]) -> pl.DataFrame:
    """Put each pair together once and sort: the weight is the sum, the kind the closest one's."""
    one = np.concatenate([some.one for some in pairs])
    other = np.concatenate([some.other for some in pairs])
    kind = np.concatenate([np.full(len(some.one), some.kind, np.int8) for some in pairs])
    weight = np.concatenate([some.weight for some in pairs])
    by_id = np.argsort(ids)
    rank = np.empty(len(ids), np.int64)
    rank[by_id] = np.arange(len(ids))
    low, high = rank[one], rank[other]
    key = np.minimum(low, high) * len(ids) + np.maximum(low, high)
    kept = np.flatnonzero(society.holder[one] != society.holder[other])
    order = kept[np.argsort(key[kept], kind="stable")]
    key, weight, kind = key[order], weight[order], kind[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    if not first.size:
        return pl.DataFrame(schema=SOCIAL_TIES.polars_schema)
    low, high = by_id[key[first] // len(ids)], by_id[key[first] % len(ids)]
    across = society.east[society.home[low]] - society.east[society.home[high]]
    up = society.north[society.home[low]] - society.north[society.home[high]]
    frame = pl.DataFrame(
        {
            "subscriber_id": ids[low],
            "other_subscriber_id": ids[high],
            "tie_kind": pl.Series(np.minimum.reduceat(kind, first).astype(np.uint8)).cat.to(
                pl.Enum(TIE_KINDS)
            ),
            "weight": np.add.reduceat(weight, first) / WEIGHT_UNIT,
            "distance_km": np.round(np.sqrt(across * across + up * up), 2),
        }
    )
    return frame.cast(dict(SOCIAL_TIES.polars_schema))  # type: ignore[arg-type]


def _first_sims(holder: pl.Series, slot: Integers) -> Integers:
    """Return the entity number of the first SIM of each SIM's holder."""
    number = np.arange(len(holder))
    second = np.flatnonzero(slot == 2)
    if second.size:
        first = np.flatnonzero(slot == 1)
        number[second] = first[rows_of(holder.gather(second), holder.gather(first))]
    return number


def _codes(values: pl.Series, names: list[str]) -> Integers:
    """Return the position in `names` of each value."""
    return rows_of(values.cast(pl.String), pl.Series(names))
