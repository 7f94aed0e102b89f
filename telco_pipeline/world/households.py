"""Who lives with whom, and who holds two SIMs: households out of people whose age is known.

Belongs here: second SIMs, couples, children at home, heads of households. Does not belong here:
what the members then share, such as names, address and cells (`subscribers`), and whom they call
(`ties`).

People are drawn first, each with persona and age; then they find each other within their *block*,
`BLOCK` consecutive SIMs. So shares of personas and ages are what the world says, a household is a
function of its block alone, and parts never show. Within a block

1. a person's SIM may be the second one of the person before it;
2. young people live at their parents' by a chance that falls with age, minors always;
3. part of the others live as couples, each with the one next in age;
4. every child, the youngest first, goes to one of the couples and singles who may be its parents:
   old enough, young enough, and not with a child born within the same months.

A child for whom the block has no parents lives alone if it is of age. A minor goes to whoever
comes nearest to the age of a parent (a grandparent, say); if the block has nobody (worlds of a few
SIMs), the minor is reported as `alone` and the registry makes a grown-up of it, if its persona
has any.

Only SIMs of ours make up a household here: children without a phone and members with another
operator are not seen, so households are smaller than Statbel's (36 % of one, 32 % of two).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.draws import Bits

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

BLOCK: Final = 64
"""Consecutive SIMs among which households are made."""

FULL_AGE: Final = 18
WOMAN: Final = 0
MAN: Final = 1
"""Sexes, as in `vocabulary.SEXES`."""

# Chance that a person's SIM is a second one, so that 6 % of them are: who comes first in a block
# or behind another second SIM is not.
_SECOND_SIM: Final = 0.065

_BLOCK_LOG2: Final = 6
_BIRTH_LOG2: Final = 22
_OLDEST: Final = 120
_DAYS_PER_YEAR: Final = 365.25
_WOMEN: Final = 0.507  # Statbel 2024

# Who lives at the parents', by last year of age (Eurostat: half of the Belgians have left at 25,
# men later), and who lives with a partner (Statbel's LIPRO household positions), rounded by us.
_AT_HOME: Final = ((17, 1.0), (20, 0.95), (22, 0.88), (24, 0.75), (26, 0.52), (28, 0.30),
                   (31, 0.14), (35, 0.05))  # fmt: skip
_COUPLED: Final = ((19, 0.05), (22, 0.30), (26, 0.60), (30, 0.76), (74, 0.82), (84, 0.66),
                   (_OLDEST, 0.38))  # fmt: skip
_MAX_PARTNER_GAP: Final = int(15 * _DAYS_PER_YEAR)
_ELDER_IS_MAN: Final = 0.70
_OPPOSITE_SEXES: Final = 0.97
_MOTHER_ALONE: Final = 0.80  # of parents without a partner (Statbel: four in five)

_MIN_PARENT_GAP: Final = int(19 * _DAYS_PER_YEAR)  # the younger parent to the child
_MAX_PARENT_GAP: Final = int(44 * _DAYS_PER_YEAR)  # the elder parent to the child
_MIN_GUARDIAN_GAP: Final = int(16 * _DAYS_PER_YEAR)
_COMMON_PARENT_GAP: Final = (int(23 * _DAYS_PER_YEAR), int(38 * _DAYS_PER_YEAR))
_UNCOMMON_PARENT: Final = 0.2  # how much less likely others are chosen than those
_USUAL_PARENT_GAP: Final = int(30 * _DAYS_PER_YEAR)
_SIBLING_GAP: Final = 400  # days between two births, at least
_MAX_CHILDREN: Final = 3
# How much likelier a couple is chosen than a single, and who has children already.
_SINGLE_PARENT: Final = 0.5
_SIBLINGS: Final = np.array([1.0, 1.2, 0.7, 0.0])


@dataclass(frozen=True)
class Households:
    """Who belongs to whom; one array element per SIM, members given as positions in the arrays.

    Attributes:
        head: Head of the household; who is in none is his own.
        partner: Whether the partner of the head.
        parent: The parent whose family name a child bears; -1 for who is no child at home.
        sibling: Which child of the household, from 0, the youngest first.
        sex: `WOMAN` or `MAN`.
        alone: Whether a minor without anybody of age.
    """

    head: Integers
    partner: Flags
    parent: Integers
    sibling: Integers
    sex: Integers
    alone: Flags


def first_sims(keys: Bits, person: Flags, may_have_two: Flags) -> Integers:
    """Return the position of the first SIM of each SIM's holder: its own, but for second SIMs.

    Args:
        keys: Key per SIM of whole blocks, in order.
        person: Whether a person holds the SIM.
        may_have_two: Whether who holds the SIM may have a phone for two.
    """
    first = np.arange(len(keys))
    people = np.flatnonzero(person)
    drawn = draws.chance(draws.bits(keys[people], "second SIM"), _SECOND_SIM)
    before = people[:-1]
    second = drawn[1:] & ~drawn[:-1] & may_have_two[before]
    second &= before // BLOCK == people[1:] // BLOCK
    first[people[1:][second]] = before[second]
    return first


def households(keys: Bits, members: Integers, birth: Integers, age: Integers) -> Households:
    """Make households of the people in whole blocks.

    Args:
        keys: Key per SIM of whole blocks, in order; the last block may be shorter.
        members: Positions of the first SIMs of people; nobody else is in a household.
        birth: Day of birth per SIM, in days since 1970.
        age: Age on the epoch in years per SIM.

    Returns:
        Households of all SIMs; second SIMs stand alone, like firms, and are to be given what
        their first SIM has.
    """
    sex = (~draws.chance(draws.bits(keys, "sex"), _WOMEN)).astype(np.int64)
    whole = Households(
        head=np.arange(len(keys)),
        partner=np.zeros(len(keys), dtype=np.bool_),
        parent=np.full(len(keys), -1),
        sibling=np.zeros(len(keys), dtype=np.int64),
        sex=sex,
        alone=np.zeros(len(keys), dtype=np.bool_),
    )
    if members.size:
        child, homes = _couples(whole, keys, members, birth, age)
        _place_children(whole, homes, keys, child, birth, age)
    return whole


@dataclass(frozen=True)
class _Homes:
    """Couples and singles of each block, as matrices of blocks by homes; -1 where there is none.

    Attributes:
        head: Position of the head.
        partner: Position of the partner; that of the head for singles.
        young: Day of birth of the younger one.
        old: Day of birth of the elder one.
    """

    head: Integers
    partner: Integers
    young: Integers
    old: Integers

    @classmethod
    def of(
        cls, blocks: int, block: Integers, head: Integers, partner: Integers, birth: Integers
    ) -> "_Homes":
        """Spread the homes, which come block by block, over matrices of so many blocks."""
        column = _rank(block)
        shape = (blocks, int(column.max(initial=0)) + 1)
        matrices = np.full((4, *shape), -1)
        for matrix, values in zip(
            matrices, (head, partner, birth[partner], birth[head]), strict=True
        ):
            matrix[block, column] = values
        return cls(*matrices)


def _couples(
    whole: Households, keys: Bits, members: Integers, birth: Integers, age: Integers
) -> tuple[Integers, _Homes]:
    """Pair the grown-ups; return the children, youngest first in each block, and the homes."""
    position, block, status = _by_status(keys, members, birth, age)
    day = birth[position]
    group = block * 3 + status
    # The first and the second, the third and the fourth by age, as far as they suit each other.
    younger = np.flatnonzero((status == 1) & (_rank(group) % 2 == 0))
    younger = younger[younger + 1 < len(group)]
    younger = younger[group[younger] == group[younger + 1]]
    younger = younger[day[younger] - day[younger + 1] <= _MAX_PARTNER_GAP]
    elder, partner = position[younger + 1], position[younger]
    man = draws.chance(draws.bits(keys[elder], "elder"), _ELDER_IS_MAN).astype(np.int64)
    opposite = draws.chance(draws.bits(keys[elder], "opposite"), _OPPOSITE_SEXES)
    whole.sex[elder] = man
    whole.sex[partner] = np.where(opposite, 1 - man, man)
    whole.head[partner] = elder
    whole.partner[partner] = True

    partners = position.copy()
    partners[younger + 1] = partner
    is_head = status > 0
    is_head[younger] = False
    heads = np.flatnonzero(is_head)
    blocks = -(-len(keys) // BLOCK)
    homes = _Homes.of(blocks, block[heads], position[heads], partners[heads], birth)
    return position[status == 0], homes


def _by_status(
    keys: Bits, members: Integers, birth: Integers, age: Integers
) -> tuple[Integers, Integers, Integers]:
    """Sort people by block, status and age, the youngest first.

    Returns:
        Position, block and status (0 child at home, 1 looks for a partner, 2 single) of each.
    """
    years = np.minimum(age[members], _OLDEST)
    at_home = draws.chance(draws.bits(keys[members], "at home"), _by_age(_AT_HOME)[years])
    coupled = draws.chance(draws.bits(keys[members], "coupled"), _by_age(_COUPLED)[years])
    status = np.where(at_home, 0, np.where(coupled, 1, 2))
    # One sort of packed numbers: block and status, days, position in the block.
    group = (members >> _BLOCK_LOG2) * 3 + status
    youth = (1 << (_BIRTH_LOG2 - 1)) - birth[members]
    packed = (((group << _BIRTH_LOG2) | youth) << _BLOCK_LOG2) | (members % BLOCK)
    packed.sort()
    block, status = np.divmod(packed >> (_BIRTH_LOG2 + _BLOCK_LOG2), 3)
    return block * BLOCK + packed % BLOCK, block, status


def _place_children(
    whole: Households, homes: _Homes, keys: Bits, child: Integers, birth: Integers, age: Integers
) -> None:
    """Give every child a home, the youngest of each block first."""
    turn = _rank(child >> _BLOCK_LOG2)
    couple = np.where(homes.partner != homes.head, 1.0, _SINGLE_PARENT)
    count = np.zeros(homes.head.shape, dtype=np.int64)
    before = np.full(homes.head.shape, np.iinfo(np.int64).max)  # when the next one may be born
    columns = np.arange(homes.head.shape[1])
    for number in range(int(turn.max(initial=-1)) + 1):
        own = child[turn == number]
        row, day = own >> _BLOCK_LOG2, birth[own][:, None]
        room = (homes.head[row] >= 0) & (count[row] < _MAX_CHILDREN) & (day <= before[row])
        gap = day - homes.young[row]
        suits = room & (gap >= _MIN_PARENT_GAP) & (day - homes.old[row] <= _MAX_PARENT_GAP)
        random_bits = draws.bits(draws.events(keys[own][:, None], columns), "parents")
        liking = couple[row] * _SIBLINGS[count[row]] * draws.uniform(random_bits)
        common = (gap >= _COMMON_PARENT_GAP[0]) & (gap <= _COMMON_PARENT_GAP[1])
        liking = np.where(suits, np.where(common, liking, _UNCOMMON_PARENT * liking), -1.0)
        # A minor goes to whom it can before it goes to nobody.
        needs = (age[own] < FULL_AGE) & ~suits.any(axis=1)
        nearness = 1.0 / (1 + np.abs(gap - _USUAL_PARENT_GAP))
        possible = needs[:, None] & room & (gap >= _MIN_GUARDIAN_GAP)
        liking = np.where(possible, nearness, liking)
        best = np.argmax(liking, axis=1)
        found = liking[np.arange(len(own)), best] >= 0.0
        whole.alone[own[~found]] = age[own[~found]] < FULL_AGE
        own, row, best = own[found], row[found], best[found]
        whole.sibling[own] = count[row, best]
        count[row, best] += 1
        before[row, best] = birth[own] - _SIBLING_GAP
        head, partner = homes.head[row, best], homes.partner[row, best]
        whole.head[own] = head
        whole.parent[own] = np.where(whole.sex[partner] > whole.sex[head], partner, head)
    single = homes.head[(count > 0) & (homes.partner == homes.head)]
    mother = draws.chance(draws.bits(keys[single], "single parent"), _MOTHER_ALONE)
    whole.sex[single] = np.where(mother, WOMAN, MAN)


def _rank(group: Integers) -> Integers:
    """Return the position of each element within its group; groups follow each other."""
    start = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    return np.arange(len(group)) - np.repeat(start, np.diff(start, append=len(group)))


def _by_age(steps: tuple[tuple[int, float], ...]) -> Floats:
    """Return a chance per year of age from steps of (last year, chance); 0 beyond them."""
    chances = np.zeros(_OLDEST + 1)
    for last, chance in reversed(steps):
        chances[: last + 1] = chance
    return chances
