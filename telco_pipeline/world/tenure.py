"""How long a customer has been ours, how content, how likely to leave, and what that is worth.

Belongs here: contract dates, satisfaction, churn hazard and lifetime value on the epoch. Does not
belong here: how they change from day to day (`state`).

Numbers without another source are our assumptions within the bands of operator practice: churn
1 to 1.5 % a month for postpaid, 3 to 5 % for prepaid, a fraction of a percent for machines.
"""

import datetime as dt
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DayClock
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import QuantileTable

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Days = npt.NDArray[np.datetime64]

POSTPAID: Final = 0
PREPAID: Final = 1
MACHINE: Final = 2
VISITOR: Final = 3
"""Groups of contracts, in the order of the tables below."""

_DAYS_PER_YEAR: Final = 365.25
# Years since the contract began: exponential, cut at ten years (postpaid mean 3.4 years,
# prepaid 1.5, machines 3.0). A visitor's contract is one with the network at home, as old as
# anybody's: when the visit began and ends is a matter of `behaviour`.
_TENURE_SCALE: Final = (5.0, 1.6, 4.0, 5.0)
_MAX_TENURE: Final = (10.0, 8.0, 9.0, 10.0)
_SUNDAY: Final = 6
_SATURDAY: Final = 5

# Minimum terms in months. Belgian law caps a consumer's at 24 months and lets the customer go
# after six, so at any time many are free of term: after each term a part takes a new handset and
# with it a new term. Firms and fleets have 36 months and always renew.
_CONSUMER_TERM: Final = 24
_FIRM_TERM: Final = 36
_RENEWS: Final = 0.55

# Satisfaction: Kumaraswamy (the beta's closed-form sibling), mean 0.70, standard deviation 0.15.
_SATISFACTION_A: Final = 4.5
_SATISFACTION_B: Final = 2.6
_MEAN_SATISFACTION: Final = 0.70

_HAZARD: Final = (0.0125, 0.040, 0.004, 0.0)  # a month, before the factors; visitors just leave
_DISCONTENT: Final = 2.0  # each 0.1 of satisfaction below the mean adds a fifth to the hazard
_IN_TERM: Final = 0.75
_TERM_ENDS: Final = 2.0
_FREE: Final = 1.15
_TERM_ENDS_DAYS: Final = 92
_MIN_FACTOR: Final = 0.2

_MARGIN: Final = (0.40, 0.35, 0.45, 0.25)  # of the expected spend
_DISCOUNT: Final = 0.01  # a month: what is far away is worth less
_VISIT_MONTHS: Final = 0.15  # about half of a visit is still to come
_CENT: Final = 10_000  # micro-euro


@dataclass(frozen=True)
class Tenure:
    """What a part's holders bring to the epoch; one array element per holder.

    Attributes:
        contract_start: First day of the contract.
        contract_end: Last day of the minimum term, NaT without one.
        satisfaction: 0 to 1, four decimals.
        churn_score: Monthly hazard, six decimals.
    """

    contract_start: Days
    contract_end: Days
    satisfaction: Floats
    churn_score: Floats


@dataclass(frozen=True)
class TenureTables:
    """Distributions of `Tenure`, computed once.

    Attributes:
        epoch: First day of the world.
        age: Days since the start of the contract, by group.
        satisfaction: Satisfaction on the epoch.
        open_ago: For each count of days before the epoch the one of the next day back on which
            contracts begin; a row for shops (open on Saturdays), then one for offices.
        open_again: The same for the next such day forward; 0 where the epoch comes first.
    """

    epoch: dt.date
    age: tuple[QuantileTable, ...]
    satisfaction: QuantileTable
    open_ago: Integers
    open_again: Integers

    @classmethod
    def of(cls, epoch: dt.date, time_zone: str, country: str) -> "TenureTables":
        """Compute the tables of a world that begins on `epoch` in a country."""
        ago, again = _opening_days(epoch, time_zone, country)
        return cls(
            epoch,
            tuple(
                _cut_exponential(scale * _DAYS_PER_YEAR, longest * _DAYS_PER_YEAR)
                for scale, longest in zip(_TENURE_SCALE, _MAX_TENURE, strict=True)
            ),
            QuantileTable.of(_satisfaction_quantile),
            ago,
            again,
        )

    def draw(self, keys: Bits, group: Integers, firm: Flags, longest: Integers) -> Tenure:
        """Draw what the holders bring to the epoch.

        Args:
            keys: Key per holder.
            group: `POSTPAID`, `PREPAID`, `MACHINE` or `VISITOR` per holder.
            firm: Whether the contract is a firm's.
            longest: Days that the contract can be old at most (a child has none).
        """
        office = firm | (group == MACHINE)
        age = self._age(draws.bits(keys, "contract age"), group, longest)
        aside = draws.bits(keys, "contract day")
        age = self._on_an_open_day(age, aside, office.astype(np.int64), longest)
        today = np.datetime64(self.epoch, "D")
        start = today - age.astype("timedelta64[D]")
        renews = draws.chance(draws.bits(keys, "renews"), _RENEWS)
        end = _term_end(start, today, group, office, renews)
        random_bits = draws.bits(keys, "satisfaction")
        satisfaction = np.rint(self.satisfaction.sample(random_bits) * 1e4) / 1e4
        return Tenure(start, end, satisfaction, _hazard(group, satisfaction, end - today))

    def _age(self, random_bits: Bits, group: Integers, longest: Integers) -> Integers:
        """Return days from the start of the contract to the epoch, at least one."""
        days = np.ones(len(group), dtype=np.int64)
        for number, table in enumerate(self.age):
            members = np.flatnonzero(group == number)
            drawn = 1 + table.sample(random_bits[members]).astype(np.int64)
            # A young holder's contract is as old as another's, on the scale of a shorter life.
            limit = int(_MAX_TENURE[number] * _DAYS_PER_YEAR)
            young = np.minimum(longest[members], limit)
            days[members] = np.maximum(drawn * young // limit, 1)
        return days

    def _on_an_open_day(
        self, age: Integers, random_bits: Bits, office: Integers, longest: Integers
    ) -> Integers:
        """Move contracts to a day on which they can begin.

        Nothing is open on Sundays and public holidays, offices neither on Saturdays. Whoever
        would have come then comes in the week before, to shops most often on the day before; who
        was too young then, on the next open day.
        """
        open_ago, row = self.open_ago.reshape(-1), office * np.int64(self.open_ago.shape[1])
        eve = open_ago[row + age]
        earlier = np.where(
            office == 1, draws.below(random_bits, 5), np.maximum(draws.below(random_bits, 8) - 2, 0)
        )
        back = open_ago[row + eve + (eve != age) * earlier]
        forward = self.open_again.reshape(-1)[row + age]
        return np.where((back <= longest) | (forward == 0), back, forward)


def _cut_exponential(scale: float, longest: float) -> QuantileTable:
    """Return an exponential distribution without its part beyond `longest`."""
    inside = -math.expm1(-longest / scale)
    return QuantileTable.of(lambda p: -scale * math.log1p(-p * inside))


def _opening_days(epoch: dt.date, time_zone: str, country: str) -> tuple[Integers, Integers]:
    """Return the tables `open_ago` and `open_again`, a column per day before the epoch."""
    days = int(max(_MAX_TENURE) * _DAYS_PER_YEAR) + 30  # the oldest contract and what it moves
    margin = 14  # no country is closed longer than that
    dates = [epoch - dt.timedelta(days=ago) for ago in range(days + margin)]
    holiday = np.array([DayClock(day, time_zone, country).holiday() is not None for day in dates])
    weekday = np.array([day.weekday() for day in dates])
    ago = np.arange(days + margin)
    tables = []
    for closed_from in (_SUNDAY, _SATURDAY):
        is_open = ~holiday & (weekday < closed_from) & (ago > 0)
        back = np.minimum.accumulate(np.where(is_open, ago, len(ago))[::-1])[::-1]
        forward = np.maximum.accumulate(np.where(is_open, ago, 0))
        tables.append((back[:days], forward[:days]))
    return np.stack([back for back, _ in tables]), np.stack([again for _, again in tables])


def _satisfaction_quantile(probability: float) -> float:
    return (1.0 - (1.0 - probability) ** (1.0 / _SATISFACTION_B)) ** (1.0 / _SATISFACTION_A)


def _term_end(
    start: Days, today: np.datetime64, group: Integers, firm: Flags, renews: Flags
) -> Days:
    """Return the last day of the current minimum term; NaT for who is free of one.

    Everybody begins with a term; after it a consumer has a new one only if he renews.
    """
    term = np.where(firm, _FIRM_TERM, _CONSUMER_TERM)
    end = _eve(start, term)
    first_term = end >= today
    # Enough terms for the longest contract.
    for terms in range(2, 2 + int(max(_MAX_TENURE) * 12) // _CONSUMER_TERM):
        over = np.flatnonzero(end < today)
        end[over] = _eve(start[over], terms * term[over])
    free = (group == PREPAID) | (group == VISITOR) | ~(first_term | renews | firm)
    return np.where(free, np.datetime64("NaT"), end)


def _eve(start: Days, months: Integers) -> Days:
    """Return the eve of the day that lies some months later (of the month's last, if shorter)."""
    month = start.astype("datetime64[M]")
    day = start - month.astype("datetime64[D]")
    later = month + months.astype("timedelta64[M]")
    first, one = later.astype("datetime64[D]"), np.timedelta64(1, "D")
    last = (later + np.timedelta64(1, "M")).astype("datetime64[D]") - one
    return (np.minimum(first + day, last) - one).astype("datetime64[D]")


def _hazard(group: Integers, satisfaction: Floats, to_end: npt.NDArray[np.timedelta64]) -> Floats:
    """Return the monthly churn hazard by contract, satisfaction and days to the end of term."""
    in_term = ~np.isnat(to_end)
    ends = in_term & (to_end <= np.timedelta64(_TERM_ENDS_DAYS, "D"))
    bound = np.where(ends, _TERM_ENDS, np.where(in_term, _IN_TERM, _FREE))
    factor = 1.0 + _DISCONTENT * (_MEAN_SATISFACTION - satisfaction)
    factor = np.maximum(factor, _MIN_FACTOR) * np.where(group == PREPAID, 1.0, bound)
    return np.rint(np.array(_HAZARD)[group] * factor * 1e6) / 1e6


def lifetime_value(group: Integers, monthly_spend: Floats, churn_score: Floats) -> Integers:
    """Return the expected margin over the expected remaining life, in micro-euro (whole cents).

    Args:
        group: Group of the contract per holder.
        monthly_spend: Expected spend a month in micro-euro.
        churn_score: Monthly churn hazard; with the discount it gives the months that are left.
    """
    months = 1.0 / (churn_score + _DISCOUNT)
    months[group == VISITOR] = _VISIT_MONTHS
    cents = np.rint(monthly_spend * np.array(_MARGIN)[group] * months / _CENT)
    return cents.astype(np.int64) * _CENT
