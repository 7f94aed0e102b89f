"""Frauds: how the records of SIM boxes, shared revenue, one-ring calls and takeovers look.

Belongs here: the rows on fraud. Does not belong here: who takes part (`incidents`), how well a
detector finds them.

Whom an incident touches is known by effects: SIMs that share devices (SIM box), that call ranges of
numbers while they are sent abroad (revenue share), that are rung up to be called back (Wangiri),
whose number goes to another SIM (takeover). What others do is measured beside it on all people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.analytics.realism.estimators import Flags, Ints
from telco_pipeline.analytics.realism.findings import Findings
from telco_pipeline.analytics.realism.incidents import (
    Cast,
    Members,
    Parameters,
    Told,
    bounds,
    contacts_of,
    records_of,
)
from telco_pipeline.analytics.realism.reading import Contacts, Source
from telco_pipeline.analytics.realism.report import FRAUD, Panel, line
from telco_pipeline.contracts.codes import IdentityChange, RecordType
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND

NIGHT: Final = (22, 7)
"""Local hours at which the night begins and ends."""

TESTS: Final = 5
"""Most calls to costly ranges that are taken for tests of what can be reached."""

PAUSE: Final = HOUR
"""Time at least between the tests and the burst."""

BURST: Final = 10
"""Calls to costly ranges from which on a SIM has a burst."""

BACK: Final = 2 * HOUR
"""Time within which a missed call is called back."""

AT_ONCE: Final = HOUR
"""Time around the beginning of a takeover in which the SIM or the device must change."""

FEWEST_CALLS: Final = 20
"""Calls from which on a share of them says something."""

_BOX: Final = tuple(
    f"fraud.sim_box.{name}" for name in ("sims", "static", "calls", "distinct", "incoming", "night")
)
_IRSF: Final = tuple(f"fraud.irsf.{name}" for name in ("tests", "long", "night"))
_WANGIRI: Final = tuple(
    f"fraud.wangiri.{name}" for name in ("ring", "called", "call_back", "holds")
)
_TAKEOVER: Final = tuple(f"fraud.takeover.{name}" for name in ("change", "place", "bank"))
_SWAPS: Final = (IdentityChange.SIM_SWAP.value, IdentityChange.DEVICE_UPGRADE.value)
_MADE: Final = RecordType.MO_CALL.value


@dataclass(frozen=True)
class Usual:
    """What people do who take part in nothing.

    Attributes:
        source: What is measured.
        calls: All calls.
        messages: All messages.
    """

    source: Source
    calls: Contacts
    messages: Contacts

    @cached_property
    def made(self) -> Flags:
        """Which calls people made."""
        return self.calls.out & self.source.people[self.calls.user]

    @cached_property
    def calls_a_day(self) -> float:
        """Calls that a person makes a day, of those who make any."""
        users = len(np.unique(self.calls.user[self.made]))
        return float(self.made.sum()) / max(users, 1) / len(self.source.days)

    @cached_property
    def night(self) -> float:
        """Share of the calls that people make at night."""
        return float(_night(self.source, self.calls.time[self.made]).mean()) if self.some else 0.0

    @cached_property
    def duration(self) -> float:
        """Median seconds of an answered call."""
        answered = self.calls.duration[self.made & self.calls.answered]
        return float(np.median(answered)) if len(answered) else 0.0

    @cached_property
    def codes_a_day(self) -> float:
        """Messages with short codes a day and person, of those who have any message."""
        own = self.source.people[self.messages.user]
        users = len(np.unique(self.messages.user[own]))
        count = int((~self.messages.mobile & own).sum())
        return count / max(users, 1) / len(self.source.days)

    @property
    def some(self) -> bool:
        """Whether people made any call."""
        return bool(self.made.any())


def measure(
    source: Source, calls: Contacts, messages: Contacts, told: Told | None, found: Findings
) -> None:
    """Add the rows on fraud."""
    if told is None:
        found.none_of_scenarios((*_BOX, *_IRSF, *_WANGIRI, *_TAKEOVER), True, "")
        return
    usual = Usual(source, calls, messages)
    _boxes(usual, told, found)
    _shared_revenue(usual, told, found)
    _one_ring(source, told, found)
    _takeovers(usual, told, found)


def _local(source: Source, time: Ints) -> tuple[Ints, Ints]:
    """Return the local hour of times, and their weekday from Monday on."""
    local = source.local(np.asarray(time))
    # 1970-01-01 was a Thursday.
    return local % DAY // HOUR, (local // DAY + 3) % 7


def _night(source: Source, time: Ints) -> Flags:
    hour, _ = _local(source, time)
    return (hour >= NIGHT[0]) | (hour < NIGHT[1])


def _within(source: Source, members: Members) -> Members:
    """Return members with the part of their time that lies in the days that are measured."""
    first, last = bounds(source)
    return Members(members.user, np.maximum(members.start, first), np.minimum(members.end, last))


def _nothing(keys: Sequence[str], what: str, found: Findings) -> None:
    found.none_of_scenarios(keys, False, what)


# --- SIM boxes -----------------------------------------------------------------------------------


def _boxes(usual: Usual, told: Told, found: Findings) -> None:
    source, calls = usual.source, usual.calls
    shared = [cast.members("sharing") for cast in told.having("sharing")]
    members = _within(source, Members.joined(shared))
    rows, whose = contacts_of(calls, members)
    made = rows[calls.out[rows]]
    if len(made) < FEWEST_CALLS or not usual.some:
        _nothing(_BOX, "SIM box with calls", found)
        return
    days = float((members.end - members.start).sum()) / DAY
    note = f"{len(members)} SIMs that share devices, {len(made):,} calls made by them"
    _devices(source, members, found)
    static = [_static(calls.site[rows[whose == one]]) for one in np.unique(whose)]
    found.add_of_scenarios(
        "fraud.sim_box.static", 100 * float(np.median(static)), f"median of {note}; calls"
    )
    rate = len(made) / days
    found.add_of_scenarios(
        "fraud.sim_box.calls",
        rate / usual.calls_a_day,
        f"{note}: {rate:.1f} a day, people {usual.calls_a_day:.1f}",
    )
    pairs = np.unique(np.stack([whose[calls.out[rows]], calls.other[made]]), axis=1)
    found.add_of_scenarios("fraud.sim_box.distinct", 100 * pairs.shape[1] / len(made), note)
    texts, _ = contacts_of(usual.messages, members)
    inward = int((~calls.out[rows]).sum() + (~usual.messages.out[texts]).sum())
    both = len(rows) + len(texts)
    found.add_of_scenarios(
        "fraud.sim_box.incoming", 100 * inward / both, f"{both:,} calls and SMS of {len(members)}"
    )
    night = float(_night(source, calls.time[made]).mean())
    found.add_of_scenarios(
        "fraud.sim_box.night",
        night / usual.night if usual.night else None,
        f"{note}: {100 * night:.0f} % at 22-07 h, people {100 * usual.night:.0f} %",
    )
    found.panels.append(_hours(usual, calls.time[made]))


def _devices(source: Source, members: Members, found: Findings) -> None:
    records = records_of(source, "cdrs_voice", members, ["imei", "imsi"])
    count = records.group_by("imei").agg(sims=pl.col("imsi").n_unique(), records=pl.len())
    # What a SIM wrote in its own phone at the edge of the time is none of the box.
    boxes = count.filter(pl.col("records") >= FEWEST_CALLS)
    if boxes.is_empty():
        _nothing(_BOX[:1], "device with calls of shared SIMs", found)
        return
    found.add_of_scenarios(
        "fraud.sim_box.sims",
        float(np.median(boxes["sims"].to_numpy())),
        f"median of {boxes.height} devices with {FEWEST_CALLS} and more calls",
    )


def _static(site: Ints) -> float:
    """Return the share of sightings at the most seen site; abroad counts as elsewhere."""
    here = site[site >= 0]
    return float(np.bincount(here).max()) / len(site) if len(here) else 0.0


def _hours(usual: Usual, time: Ints) -> Panel:
    source, hours = usual.source, np.arange(24)
    shares = []
    for some in (time, usual.calls.time[usual.made]):
        hour, _ = _local(source, some)
        shares.append(100 * np.bincount(hour, minlength=24) / max(len(hour), 1))
    return Panel(
        FRAUD, "Calls of SIM boxes by hour", "local hour", "percent of calls made",
        (
            line("SIM boxes", hours, shares[0], style="points"),
            line("people", hours, shares[1], "reference"),
        ),
    )  # fmt: skip


# --- international revenue share fraud -----------------------------------------------------------


def _costly(told: Parameters) -> bool:
    return told["to"] == "ranges" and told["of"] != "messages"


def _shared_revenue(usual: Usual, told: Told, found: Findings) -> None:
    source = usual.source
    thefts = [
        one
        for cast in told.having("roaming", "destinations")
        for one in _calls_to_ranges(source, cast)
    ]
    if not thefts or not usual.duration:
        _nothing(_IRSF, "SIM abroad with calls to costly ranges", found)
        return
    calls = pl.concat(thefts)
    note = f"{len(thefts)} SIMs abroad, {calls.height:,} calls to costly ranges"
    bursts = [one for one in thefts if one.height >= BURST]
    found.add_of_scenarios(
        "fraud.irsf.tests",
        100 * float(np.mean([_tested(one) for one in bursts])) if bursts else None,
        f"{len(bursts)} SIMs of {len(thefts)} with {BURST} and more such calls; tests: {TESTS} at "
        "most, an hour before the others, less than half as long in the median",
    )
    if calls.height < FEWEST_CALLS:
        _nothing(_IRSF[1:], f"fraud with {FEWEST_CALLS} calls to costly ranges", found)
        return
    talked = calls.filter("answered")["duration"].to_numpy()
    median = float(np.median(talked)) if len(talked) else None
    found.add_of_scenarios(
        "fraud.irsf.long",
        median / usual.duration if median is not None else None,
        f"{note}; medians: {median or 0:.0f} s, people {usual.duration:.0f} s",
    )
    time = calls["time"].to_numpy()
    _, weekday = _local(source, time)
    late = _night(source, time)
    found.add_of_scenarios(
        "fraud.irsf.night",
        100 * float((late | (weekday >= 5)).mean()),
        f"{note}: {100 * late.mean():.0f} % at 22-07 h",
    )


def _calls_to_ranges(source: Source, cast: Cast) -> list[pl.DataFrame]:
    """Return the calls of each of a cast to the ranges that its effects name, in order of time."""
    ranges = sorted(
        {start for told in cast.all_of("destinations") if _costly(told) for start in told["ranges"]}
    )
    members = _within(source, cast.members("destinations", _costly))
    if not ranges or not len(members):
        return []
    records = records_of(source, "cdrs_voice", members, _CALLS)
    costly = pl.any_horizontal(*(pl.col("called_number").str.starts_with(one) for one in ranges))
    calls = records.filter(pl.col("made") & costly)
    return [part for _, part in calls.group_by("member", maintain_order=True)]


_CALLS: Final[list[str | pl.Expr]] = [
    "calling_number",
    "called_number",
    (pl.col("record_type").cast(pl.String) == _MADE).alias("made"),
    pl.col("answer_time").is_not_null().alias("answered"),
    pl.col("call_duration").cast(pl.Int64).alias("duration"),
    pl.col("release_time").dt.timestamp("us").alias("release"),
]


def _tested(calls: pl.DataFrame) -> bool:
    """Return whether the first calls of a SIM are tests: few, well before the rest, and shorter."""
    time, duration = calls["time"].to_numpy(), calls["duration"].to_numpy()
    first = np.flatnonzero(np.diff(time) >= PAUSE)
    if not first.size or first[0] >= TESTS:
        return False
    tests, burst = np.split(duration, [first[0] + 1])
    return float(np.median(tests)) < float(np.median(burst)) / 2


# --- Wangiri -------------------------------------------------------------------------------------


def _one_ring(source: Source, told: Told, found: Findings) -> None:
    missed, back = [], []
    for number, cast in enumerate(told.having("incoming")):
        calls, returned = _rung(source, cast)
        missed.append(calls.with_columns(incident=pl.lit(number)))
        back.append(returned)
    rung = pl.concat(missed) if missed else pl.DataFrame()
    if rung.height < FEWEST_CALLS:
        _nothing(_WANGIRI, f"wave of {FEWEST_CALLS} one-ring calls", found)
        return
    returned = pl.concat(back)
    lost = rung.filter(~pl.col("answered"))
    note = f"{rung.height:,} calls from {rung['calling_number'].n_unique()} numbers"
    ring = (lost["release"] - lost["time"]).to_numpy() / SECOND
    found.add_of_scenarios(
        "fraud.wangiri.ring",
        float(np.median(ring)) if len(ring) else None,
        f"{note}, {lost.height:,} of them unanswered",
    )
    callers = rung.group_by("incident", "calling_number").agg(pl.col("member").n_unique())
    found.add_of_scenarios(
        "fraud.wangiri.called", float(np.median(callers["member"].to_numpy())), f"median; {note}"
    )
    found.add_of_scenarios(
        "fraud.wangiri.call_back",
        100 * returned.height / max(lost.height, 1),
        f"{returned.height} calls back to these numbers within 2 h of {note}",
    )
    talked = returned.filter("answered")["duration"].to_numpy()
    if not len(talked):
        _nothing(_WANGIRI[3:], "answered call back", found)
        return
    found.add_of_scenarios(
        "fraud.wangiri.holds", float(np.median(talked)) / 60, f"median of {len(talked)} calls back"
    )


def _rung(source: Source, cast: Cast) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the calls of a wave, and the calls back to its numbers."""

    def wanted(told: Parameters) -> bool:
        return float(told["call_back"]) > 0

    ranges = sorted(
        {start for told in cast.all_of("incoming") if wanted(told) for start in told["ranges"]}
    )
    members = _within(source, cast.members("incoming", wanted))
    records = records_of(source, "cdrs_voice", members.lasting(BACK), _CALLS)
    if not ranges or records.is_empty():
        return _no_calls(), _no_calls()
    of_range = [
        pl.any_horizontal(*(pl.col(name).str.starts_with(one) for one in ranges))
        for name in ("calling_number", "called_number")
    ]
    missed = records.filter(~pl.col("made") & of_range[0])
    back = records.filter(pl.col("made") & of_range[1])
    back = back.join(
        missed.select("member", called_number="calling_number", rung="time"),
        on=["member", "called_number"],
    )
    in_time = (pl.col("time") > pl.col("rung")) & (pl.col("time") - pl.col("rung") <= BACK)
    # Who was rung by one number several times calls it back once.
    return missed, back.filter(in_time).unique(["member", "time"], maintain_order=True).drop("rung")


def _no_calls() -> pl.DataFrame:
    text, flag, whole = pl.String, pl.Boolean, pl.Int64
    return pl.DataFrame(
        schema={
            "member": whole, "time": whole, "calling_number": text, "called_number": text,
            "made": flag, "answered": flag, "duration": whole, "release": whole,
        }
    )  # fmt: skip


# --- account takeover ----------------------------------------------------------------------------


def _takeovers(usual: Usual, told: Told, found: Findings) -> None:
    source = usual.source
    members = Members.joined(cast.members("swap") for cast in told.having("swap"))
    first, _ = bounds(source)
    begun = members.start >= first
    members = _within(source, Members(*(part[begun] for part in _parts(members))))
    if not len(members):
        _nothing(_TAKEOVER, "takeover of a number", found)
        return
    note = f"{len(members)} numbers taken over"
    _changed(source, members, note, found)
    contacts = (usual.calls, usual.messages)
    after = [contacts_of(each, members) for each in contacts]
    before = Members(members.user, np.full(len(members), first), members.start)
    known = _sites_of(contacts, before)
    new = total = 0
    for each, (rows, whose) in zip(contacts, after, strict=True):
        site = each.site[rows]
        total += len(rows)
        pairs = zip(site.tolist(), whose.tolist(), strict=True)
        new += sum(one not in known[member] for one, member in pairs)
    days = float((members.end - members.start).sum()) / DAY
    if not total:
        _nothing(_TAKEOVER[1:], "call or SMS of a number taken over", found)
        return
    found.add_of_scenarios(
        "fraud.takeover.place",
        100 * new / total,
        f"{total} calls and SMS of {note}; a site where none of theirs was before",
    )
    texts, _ = after[1]
    rate = int((~usual.messages.mobile[texts]).sum()) / days
    found.add_of_scenarios(
        "fraud.takeover.bank",
        rate / usual.codes_a_day if usual.codes_a_day else None,
        f"{note}: {rate:.2f} a day, people {usual.codes_a_day:.2f}",
    )


def _parts(members: Members) -> tuple[npt.NDArray[Any], ...]:
    return members.user, members.start, members.end


def _changed(source: Source, members: Members, note: str, found: Findings) -> None:
    if not source.frames("identity_changes", ["event_time"]):
        _nothing(_TAKEOVER[:1], "takeover with identity_changes", found)
        return
    around = Members(members.user, members.start - AT_ONCE, members.start + AT_ONCE)
    changes = records_of(
        source, "identity_changes", around, [pl.col("change_type").cast(pl.String)]
    )
    swapped = changes.filter(pl.col("change_type").is_in(_SWAPS))["member"].n_unique()
    found.add_of_scenarios("fraud.takeover.change", 100 * swapped / len(members), note)


def _sites_of(contacts: Sequence[Contacts], members: Members) -> list[set[int]]:
    """Return the sites at which calls and messages of each member were in its time."""
    known: list[set[int]] = [set() for _ in range(len(members))]
    for each in contacts:
        rows, whose = contacts_of(each, members)
        for site, member in zip(each.site[rows].tolist(), whose.tolist(), strict=True):
            known[member].add(site)
    return known
