"""Causality: whether what happens to customers comes before what they do about it.

Belongs here: that contacts with care resolve to what caused them and are those that state decided,
and that bad service precedes complaints and complaints precede leaving. Does not belong here: rules
within one dataset (`integrity`), care calls and other sums (`reconciliation`), identities
(`consistency`), shapes and levels (`analytics`).

It reads the lake alone and shares no code with what makes the rows. A *person-day* is a customer
on a day on which he is one. Rates are events over person-days. Who pays in advance leaves three
times as often and has no bill to complain about; so that this does not hide what is looked for,
rates are compared among those who pay alike: the ratio is that of Mantel and Haenszel over
strata i of a events in S person-days against b in T, N = S + T,

    ratio = sum(a T / N) / sum(b S / N),

with the log-normal interval ratio exp(-+1.96 s), where
s^2 = sum((a + b) S T / N^2) / (sum(a T / N) sum(b S / N)) (Greenland and Robins 1985); of one
stratum that is the usual 1 / a + 1 / b.
"""

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline import asof
from telco_pipeline.consistency import SAMPLE_ROWS, Faults
from telco_pipeline.contracts.codes import (
    CellStatus,
    LifeChange,
    LifeStatus,
    Reason,
)
from telco_pipeline.lake import Lake

CARE: Final = "customer_service"
STATE: Final = "subscriber_state"
FAULTS: Final = "network_faults"
NETWORK: Final = "network_state"
CALLS: Final = "cdrs_voice"

EXPOSURE_DAYS: Final = 3
"""Days before a day whose bad service may be what somebody complains about on it."""
COMPLAINT_DAYS: Final = 30
"""Days after a contact within which leaving counts as after it."""
NEEDED: Final = 30
"""Events that each of two groups must have for their rates to be compared."""

_EXPOSED: Final = 0.25  # hours without service in those days together: a quarter was noticed
_QUIET_LEVEL: Final = 0.01  # hours a day over the last weeks
_QUIET_SHOCK: Final = 0.05  # of the usual bill
_Z: Final = 1.96
# Above these levels of a healthy hour a customer may complain of the cell (practice: drop 0.3 to
# 0.5 %, set-up success 99 %).
_BAD_DROP: Final = 0.005
_BAD_BLOCK: Final = 0.005
_BAD_CORE: Final = 0.005
_BAD_THROUGHPUT: Final = 0.35
_COMPLAINTS: Final = (Reason.NETWORK, Reason.BILLING, Reason.ROAMING)
_NEVER: Final = -(10**6)

Flags = npt.NDArray[np.bool_]


# Causes of contacts -------------------------------------------------------------------------------


def cause_faults(lake: Lake, day: dt.date) -> Faults:
    """Find the contacts of a day whose cause is not there, comes later, or is not what state says.

    Args:
        lake: The lake.
        day: A day of `customer_service`.
    """
    columns = [
        "event_id",
        "event_time",
        "subscriber_id",
        "reason",
        "topic",
        "case_id",
        "contact_number",
        "cause_fault_id",
        "cause_cell_id",
        "cause_time",
    ]
    contacts = lake.scan(CARE, day, day, columns).collect()
    faults = Faults(contacts.height)
    late = contacts.filter(pl.col("cause_time") > pl.col("event_time"))
    _add(faults, late, "contacts come before their cause")
    network = contacts.filter(pl.col("reason") == Reason.NETWORK)
    nothing = pl.col("cause_time").is_null() | (
        pl.col("cause_fault_id").is_null() & pl.col("cause_cell_id").is_null()
    )
    _add(faults, network.filter(nothing), "contacts about the network name nothing of it")
    named = network.filter(~nothing)
    if named.height:
        _judge_faults(lake, named, day, faults)
        _judge_cells(lake, named, faults)
    if lake.exists(STATE):
        _judge_state(lake, contacts, day, faults)
    return faults


def _judge_faults(lake: Lake, contacts: pl.DataFrame, day: dt.date, faults: Faults) -> None:
    """Note the contacts whose fault does not exist, or did not last in the hour of their cause."""
    about = contacts.filter(pl.col("cause_fault_id").is_not_null())
    there = [each for each in lake.days(FAULTS) if each <= day]
    if about.is_empty() or not there:
        return
    ids = about["cause_fault_id"].unique()
    known = (
        lake.scan(FAULTS, None, day, ["fault_id", "impact_time", "end_time"])
        .filter(pl.col("fault_id").is_in(ids.implode()))
        .collect()
    )
    judged = about.join(known, left_on="cause_fault_id", right_on="fault_id", how="left")
    # It may have begun on any day since the epoch: where one is not in the lake, nobody can tell.
    first, known = asof.epoch_of(lake), set(there)
    since = (first + dt.timedelta(days=number) for number in range((day - first).days + 1))
    gap = next((each for each in since if each not in known), day + dt.timedelta(days=1))
    lost = judged.filter(pl.col("end_time").is_null() & (pl.col("cause_time").dt.date() < gap))
    _add(faults, lost, f"contacts are about a fault that is not in {FAULTS}")
    # The cause is an hour, within which the fault may begin or end.
    hour = pl.col("cause_time").dt.truncate("1h")
    apart = (pl.col("impact_time") >= hour + pl.duration(hours=1)) | (pl.col("end_time") <= hour)
    _add(faults, judged.filter(apart), "contacts are about a fault at another time")


def _judge_cells(lake: Lake, contacts: pl.DataFrame, faults: Faults) -> None:
    """Note the contacts about a cell that was not bad in the hour of their cause."""
    about = contacts.filter(pl.col("cause_cell_id").is_not_null()).with_columns(
        cause_day=pl.col("cause_time").dt.date(), hour=pl.col("cause_time").dt.truncate("1h")
    )
    if about.is_empty() or not lake.exists(NETWORK):
        return
    there = set(lake.days(NETWORK))
    for (date,), rows in about.group_by("cause_day", maintain_order=True):
        assert isinstance(date, dt.date)
        if date not in there:
            _add(faults, rows, f"contacts are about {date}, of which {NETWORK} is not in the lake")
            faults.recover = lake.command(NETWORK, date, date)
            continue
        cells = rows["cause_cell_id"].unique().implode()
        hours = (
            lake.scan(NETWORK, date, date)
            .filter(pl.col("cell_id").is_in(cells))
            .select("cell_id", hour="event_time", bad=_bad())
            .collect()
        )
        judged = rows.join(
            hours, left_on=["cause_cell_id", "hour"], right_on=["cell_id", "hour"], how="left"
        )
        well = judged.filter(~pl.col("bad").fill_null(False))
        _add(faults, well, "contacts are about a cell that was well in that hour")


def _bad() -> pl.Expr:
    """Return whether a customer may have noticed something of a cell in an hour."""
    core = pl.max_horizontal("voice_failure", "data_failure", "signalling_failure")
    return (
        (pl.col("status") != CellStatus.IN_SERVICE)
        | (pl.col("drop_probability") > _BAD_DROP)
        | (pl.col("block_probability") > _BAD_BLOCK)
        | (core > _BAD_CORE)
        | (pl.col("throughput_factor") < _BAD_THROUGHPUT)
    )


def _judge_state(lake: Lake, contacts: pl.DataFrame, day: dt.date, faults: Faults) -> None:
    """Note contacts that state did not decide, and those that it decided and nobody had."""
    if day not in lake.days(STATE):
        faults.add(max(contacts.height, 1), f"{STATE} of {day} is not in the lake")
        faults.recover = lake.command(STATE, day, day)
        return
    same = {
        "reason": "contact_reason",
        "topic": "contact_topic",
        "contact_number": "contact_number",
        "case_id": "case_id",
        "cause_fault_id": "cause_fault_id",
        "cause_cell_id": "cause_cell_id",
        "cause_time": "cause_time",
    }
    decided = (
        lake.scan(STATE, day, day)
        .filter(pl.col("contact_time").is_not_null())
        .select(
            "subscriber_id",
            event_time="contact_time",
            **{f"{name}_decided": pl.col(other) for name, other in same.items()},
        )
        .collect()
    )
    keys = ["subscriber_id", "event_time"]
    extra = contacts.join(decided, on=keys, how="anti")
    _add(faults, extra, f"contacts that {STATE} did not decide")
    absent = decided.join(contacts, on=keys, how="anti")
    shown = [*keys, "reason_decided", "topic_decided"]
    words = f"contacts that {STATE} decided are not there"
    faults.add(absent.height, f"{absent.height} {words}", absent.head(5).select(shown).to_dicts())
    both = contacts.join(decided, on=keys, how="inner")
    other = pl.any_horizontal(
        [
            pl.col(name).cast(pl.String).ne_missing(pl.col(f"{name}_decided").cast(pl.String))
            for name in same
        ]
    )
    _add(faults, both.filter(other), f"contacts say something else than {STATE}")


def _add(faults: Faults, rows: pl.DataFrame, words: str) -> None:
    faults.add(rows.height, f"{rows.height} {words}", rows.head(SAMPLE_ROWS).to_dicts())


# What precedes what -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stratum:
    """Customers who are alike but for a trait: events and person-days with it and without it."""

    events: int
    days: int
    other_events: int
    other_days: int


@dataclass(frozen=True)
class Rates:
    """Rates of an event with a trait and without it.

    Attributes:
        name: What is compared, a key of `CHAINS`.
        strata: The customers, by how they pay.
    """

    name: str
    strata: tuple[Stratum, ...]

    @property
    def all(self) -> Stratum:
        """All strata together."""
        return Stratum(
            sum(one.events for one in self.strata),
            sum(one.days for one in self.strata),
            sum(one.other_events for one in self.strata),
            sum(one.other_days for one in self.strata),
        )

    @property
    def ratio(self) -> float:
        """Rate with the trait over that without; NaN where it cannot be told."""
        above, below, _ = self._sums()
        return above / below if below else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the ratio; (0, inf) where it cannot be told."""
        above, below, spread = self._sums()
        if not above or not below:
            return 0.0, math.inf
        width = math.exp(_Z * math.sqrt(spread / (above * below)))
        return above / below / width, above / below * width

    def _sums(self) -> tuple[float, float, float]:
        """Return the three sums of the module's docstring.

        Where one side has no event at all, half of one is added to both (Haldane 1956).
        """
        whole = self.all
        strata, more = self.strata, 0.0
        if bool(whole.events) != bool(whole.other_events):
            strata, more = (whole,), 0.5
        above = below = spread = 0.0
        for one in strata:
            days = one.days + one.other_days
            if one.days and one.other_days:
                events, others = one.events + more, one.other_events + more
                above += events * one.other_days / days
                below += others * one.days / days
                spread += (events + others) * one.days * one.other_days / days**2
        return above, below, spread

    @property
    def enough(self) -> bool:
        """Whether both groups have `NEEDED` events."""
        return min(self.all.events, self.all.other_events) >= NEEDED

    @property
    def reversed(self) -> bool:
        """Whether the order is surely the wrong one: the whole interval lies below 1."""
        return self.interval[1] < 1.0

    @property
    def passed(self) -> bool:
        """Whether the ratio is surely above 1; with too few events, whether it is not reversed."""
        return self.interval[0] > 1.0 if self.enough else not self.reversed

    @property
    def words(self) -> str:
        """What was found, in one line."""
        (low, high), whole = self.interval, self.all
        told = (
            f"rate ratio {self.ratio:.2f} ({low:.2f} to {high:.2f}): "
            f"{whole.events:,} in {whole.days:,} person-days against "
            f"{whole.other_events:,} in {whole.other_days:,}"
        )
        if self.enough:
            return told
        if not math.isfinite(high) or not (whole.events and whole.other_events):
            told = f"in {whole.days:,} and {whole.other_days:,} person-days"
        return f"not enough cases: {whole.events:,} and {whole.other_events:,}; {told}"


CHAINS: Final = {
    "exposure_precedes_complaints": "Who met bad service on a day or the three before it "
    "complains of the network more often on it than who did not: the 95 % interval of the rate "
    "ratio lies above 1.",
    "complaints_precede_leaving": "Who complained to care, of the network, a bill or costs abroad, "
    "leaves within the 30 days after it more often than who did not: the 95 % interval of the rate "
    "ratio lies above 1.",
    "quiet_customers_stay": "Customers without a contact in 30 days, without bad service in the "
    "last weeks and without a price shock leave less often than all others: the 95 % interval of "
    "the others' rate over theirs lies above 1.",
}
"""What each comparison promises."""


class _Counts:
    """Person-days and events of one comparison, summed over the days."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._sums = np.zeros((2, 4), dtype=np.int64)

    def add(self, customer: Flags, prepaid: Flags, trait: Flags, event: Flags) -> None:
        """Add a day of who is a customer."""
        for stratum, pays in enumerate((~prepaid, prepaid)):
            for group, has in enumerate((trait, ~trait)):
                chosen = customer & pays & has
                self._sums[stratum, 2 * group] += np.count_nonzero(chosen & event)
                self._sums[stratum, 2 * group + 1] += np.count_nonzero(chosen)

    def rates(self, name: str) -> Rates:
        """Return what was counted."""
        return Rates(name, tuple(Stratum(*row) for row in self._sums.tolist()))


def chain_rates(lake: Lake) -> list[Rates]:
    """Compare the rates of all days that lie in the lake, one `Rates` for each of `CHAINS`.

    Contacts are those of `customer_service`; only days that have both its records and state count.
    What lies before the first day is not known, so that who has a trait only from then counts as
    who has it not: this draws the ratios towards 1.

    Raises:
        TelcoError: The registry is not in the lake, or a file cannot be read.
    """
    people, prepaid = _people(lake), _prepaid_plans(lake)
    counts = {name: _Counts() for name in CHAINS}
    recent = np.zeros((EXPOSURE_DAYS + 1, len(people)))
    complained, asked = (np.full(len(people), _NEVER) for _ in range(2))
    last: dt.date | None = None
    for day, number in _days(lake):
        if last is not None and (day - last).days > 1:
            recent[:] = 0.0
        last = day
        state = _Evening.of(lake, day, people, prepaid)
        of_network, complains, turns = _contacts(lake, day, people)
        recent[number % len(recent)] = state.exposure
        exposed = recent.sum(axis=0) >= _EXPOSED
        quiet = (
            (number - asked > COMPLAINT_DAYS)
            & (state.level < _QUIET_LEVEL)
            & (state.shock < _QUIET_SHOCK)
        )
        told = (
            (exposed, of_network),
            (number - complained <= COMPLAINT_DAYS, state.leaves),
            (~quiet, state.leaves),
        )
        for name, (trait, event) in zip(CHAINS, told, strict=True):
            counts[name].add(state.customer, state.prepaid, trait, event)
        complained[complains], asked[turns] = number, number
    return [count.rates(name) for name, count in counts.items()]


def _days(lake: Lake) -> Iterator[tuple[dt.date, int]]:
    """Return the days that have both state and records of care, with their number."""
    if not lake.exists(STATE) or not lake.exists(CARE):
        return
    for day in sorted(set(lake.days(STATE)) & set(lake.days(CARE))):
        yield day, day.toordinal()


def _people(lake: Lake) -> npt.NDArray[np.int64]:
    """Return the keys of all people and firms, rising: machines and visitors neither ask nor go."""
    kinds = pl.col("kind").cast(pl.String).is_in(["person", "business"])
    names = ["subscribers", *[name for name in ["prospects"] if lake.exists(name)]]
    known = [
        lake.scan(name).filter(kinds).select("subscriber_id").collect().to_series()
        for name in names
    ]
    return pl.concat(known).sort().to_numpy()


def _prepaid_plans(lake: Lake) -> list[str]:
    """Return the plans that are paid in advance; without a catalogue all customers count alike."""
    if not lake.exists("plans"):
        return []
    plans = lake.scan("plans", columns=["plan_id", "payment"])
    prepaid = plans.filter(pl.col("payment").cast(pl.String) == "prepaid")
    return prepaid.select("plan_id").collect().to_series().to_list()


def _place(people: npt.NDArray[np.int64], keys: pl.Series) -> tuple[npt.NDArray, Flags]:
    """Return the place of each key among the people, and which keys are theirs."""
    values = keys.to_numpy()
    place = np.minimum(np.searchsorted(people, values), max(len(people) - 1, 0))
    there = people[place] == values if len(people) else np.zeros(len(values), dtype=np.bool_)
    return place[there], there


@dataclass(frozen=True)
class _Evening:
    """What state says of people on a day.

    Attributes:
        customer: Who is a customer at its start.
        prepaid: Who pays in advance.
        exposure: Bad service of the day, in hours.
        level: The same over the last weeks.
        shock: How much more he expects to pay.
        leaves: Who leaves on the day.
    """

    customer: Flags
    prepaid: Flags
    exposure: npt.NDArray[np.float64]
    level: npt.NDArray[np.float64]
    shock: npt.NDArray[np.float64]
    leaves: Flags

    @classmethod
    def of(
        cls, lake: Lake, day: dt.date, people: npt.NDArray[np.int64], prepaid: list[str]
    ) -> "_Evening":
        """Read a day."""
        ends = [LifeChange.PORT_OUT.value, LifeChange.TERMINATION.value]
        serves = [LifeStatus.ACTIVE.value, LifeStatus.SUSPENDED.value]
        frame = (
            lake.scan(STATE, day, day)
            .select(
                "subscriber_id",
                "exposure",
                "exposure_level",
                "price_shock",
                customer=pl.col("status").cast(pl.String).is_in(serves),
                prepaid=pl.col("plan_id").is_in(prepaid),
                leaves=pl.col("change").cast(pl.String).is_in(ends).fill_null(False),
            )
            .collect()
        )
        place, there = _place(people, frame["subscriber_id"])

        def column(name: str, kind: type) -> npt.NDArray:
            values = np.zeros(len(people), dtype=kind)
            values[place] = frame[name].to_numpy()[there]
            return values

        return cls(
            column("customer", np.bool_),
            column("prepaid", np.bool_),
            column("exposure", np.float64),
            column("exposure_level", np.float64),
            column("price_shock", np.float64),
            column("leaves", np.bool_),
        )


def _contacts(
    lake: Lake, day: dt.date, people: npt.NDArray[np.int64]
) -> tuple[Flags, Flags, Flags]:
    """Return who turns to care: with a new matter of the network, to complain, with anything.

    Who comes to cancel says that he leaves: that is no reason for it.
    """
    rows = lake.scan(CARE, day, day, ["subscriber_id", "reason", "contact_number"]).collect()
    reason = rows["reason"].cast(pl.String)
    found = []
    for chosen in (
        (reason == Reason.NETWORK.value) & (rows["contact_number"] == 1),
        reason.is_in([one.value for one in _COMPLAINTS]),
        reason != Reason.CANCELLATION.value,
    ):
        flags = np.zeros(len(people), dtype=np.bool_)
        place, _ = _place(people, rows.filter(chosen)["subscriber_id"])
        flags[place] = True
        found.append(flags)
    return found[0], found[1], found[2]


__all__: Sequence[str] = [
    "CHAINS",
    "Rates",
    "Stratum",
    "cause_faults",
    "chain_rates",
]
