"""Reading: the records of a lake as plain arrays, by user, time, other party and place.

Belongs here: which columns are read, what counts as a call, a message, a session, a sighting; the
sample of users. Does not belong here: statistics (`estimators`), targets (`catalogue`).

Records are read a day at a time, with the columns that are needed, so memory is that of one day
of data records and of the calls and messages of all days. Users are rows of the registry sorted by
`subscriber_id`. Other parties are users too, or numbers of other networks, numbered from the count
of users upward.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.analytics.realism.estimators import Flags, Floats, Ints, plane, scrambled
from telco_pipeline.contracts.codes import RecordType
from telco_pipeline.engine.calendar import DAY, HOUR, DayClock, day_start
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.lake.worlds import LakeWorld

SAMPLE: Final = 5_000
"""People whose places are followed one by one."""

SESSION_SAMPLE: Final = 1_500
"""People whose data sessions are, and three times as many as machines."""

JOINING: Final = "prospects"
"""Static dataset of those who join after the epoch."""

_CODE: Final = pl.Int32


@dataclass(frozen=True)
class Source:
    """What is measured: a lake's world, its days, users and cells.

    Attributes:
        lake: The lake.
        world: Its world.
        days: Days to read, in order.
        users: Registry, those who join later included, sorted by `subscriber_id`:
            `subscriber_id`, `msisdn`, `kind`, `payment`, `registered` (in service on the epoch).
        cells: Cells in the order of their keys: `cell_id`, `site`, `rat_type`.
        sites: Kilometres east and north of each site, [sites, 2].
        sampled: Which users belong to the sample of people.
        followed: Which users' data sessions are looked at one by one.
    """

    lake: Lake
    world: LakeWorld
    days: tuple[dt.date, ...]
    users: pl.DataFrame
    cells: pl.DataFrame
    sites: Floats
    sampled: Flags
    followed: Flags

    @classmethod
    def of(cls, lake: Lake, days: Sequence[dt.date] | None) -> Self:
        """Read what is needed of a lake's static datasets; TelcoError if they are not there."""
        world = lake.held_world()
        if world is None or world.config is None:
            raise TelcoError(f"no world lies in {lake.root}: make one with `telco generate`")
        there = lake.days("cdrs_voice")
        wanted = there if days is None else sorted(set(days) & set(there))
        if not wanted:
            raise TelcoError(
                f"no cdrs_voice of these days in {lake.root}: make them with `telco generate`"
            )
        plans = lake.read("plans", columns=["plan_id", "payment"])
        users = (
            _registry(lake)
            .join(plans, on="plan_id", how="left")
            .with_columns(pl.col("kind", "payment").cast(pl.String))
            .sort("subscriber_id")
        )
        cells = lake.read("cells", columns=["cell_id", "site_id", "rat_type"]).sort("cell_id")
        sites = lake.read("sites", columns=["site_id", "latitude", "longitude"]).sort("site_id")
        number = sites.select("site_id", pl.int_range(pl.len(), dtype=_CODE).alias("site"))
        cells = cells.join(number, on="site_id", how="left", maintain_order="left")
        ids = users["subscriber_id"].to_numpy()
        people = (users["kind"] == "person").to_numpy()
        machines = (users["kind"] == "machine").to_numpy()
        there = users["registered"].to_numpy()
        return cls(
            lake=lake,
            world=world,
            days=tuple(wanted),
            users=users,
            cells=cells.with_columns(pl.col("rat_type").cast(pl.String)),
            sites=plane(sites["latitude"].to_numpy(), sites["longitude"].to_numpy()),
            sampled=_sample(ids, people & there, SAMPLE),
            followed=_sample(ids, people & there, SESSION_SAMPLE)
            | _sample(ids, machines & there, SESSION_SAMPLE // 3),
        )

    @property
    def config(self) -> dict:
        """The world's configuration in plain values."""
        return self.world.config or {}

    @property
    def count(self) -> int:
        """How many users there are, those who join later included."""
        return self.users.height

    @cached_property
    def registered(self) -> Flags:
        """Which users stand in the registry: those in service on the epoch."""
        return self.users["registered"].to_numpy()

    def of_kind(self, *kinds: str) -> Flags:
        """Return which users are of some kinds."""
        return self.users["kind"].is_in(list(kinds)).to_numpy()

    @cached_property
    def people(self) -> Flags:
        """Which users are people."""
        return self.of_kind("person")

    @cached_property
    def humans(self) -> Flags:
        """Which users are customers with a telephone: people and businesses."""
        return self.of_kind("person", "business")

    @cached_property
    def machines(self) -> Flags:
        """Which users are machines."""
        return self.of_kind("machine")

    @cached_property
    def prepaid(self) -> Flags:
        """Which users pay in advance, by the plan of the registry."""
        return (self.users["payment"] == "prepaid").fill_null(value=False).to_numpy()

    @cached_property
    def months(self) -> float:
        """How many mean months the days are."""
        return len(self.days) / (365.25 / 12)

    @cached_property
    def _ids(self) -> npt.NDArray[np.int64]:
        return self.users["subscriber_id"].to_numpy()

    def rows_of(self, subscriber_id: pl.Series) -> Ints:
        """Return the users of some keys; TelcoError if one is in no registry."""
        keys = subscriber_id.to_numpy()
        if not self.count and len(keys):
            raise TelcoError(f"the registry in {self.lake.root} is empty: make it anew")
        found = np.minimum(np.searchsorted(self._ids, keys), self.count - 1)
        if (self._ids[found] != keys).any():
            raise TelcoError(
                f"records in {self.lake.root} name subscribers that its registry does not have: "
                "make both anew with `telco generate`"
            )
        return found

    @cached_property
    def _offsets(self) -> tuple[int, Ints]:
        first = self.days[0] - dt.timedelta(days=1)
        last = self.days[-1] + dt.timedelta(days=1)
        span = [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]
        clocks = [DayClock(day, self.config["time_zone"], self.config["country"]) for day in span]
        return day_start(first), np.concatenate([clock.offset for clock in clocks])

    def local(self, time: Ints) -> Ints:
        """Return local times (microseconds) of UTC ones, both since 1970."""
        start, offsets = self._offsets
        return time + offsets[(time - start) // HOUR]

    def holiday(self, day: dt.date) -> bool:
        """Return whether a date is a public holiday."""
        return DayClock(day, self.config["time_zone"], self.config["country"]).holiday() is not None

    def frames(
        self, name: str, columns: Sequence[str | pl.Expr]
    ) -> "tuple[pl.LazyFrame, ...] | tuple[()]":
        """Return one lazy frame per day that has the dataset, with some columns."""
        there = set(self.lake.days(name))
        return tuple(
            self.lake.scan(name, day, day).select(columns) for day in self.days if day in there
        )

    def has(self, name: str, column: str) -> bool:
        """Return whether the first day's records of a dataset have a column."""
        day = self.days[0]
        return column in self.lake.scan(name, day, day).collect_schema().names()

    @cached_property
    def cell_names(self) -> pl.Enum:
        """The cells' keys as a type whose numbers are rows of `cells`."""
        return pl.Enum(self.cells["cell_id"])

    @cached_property
    def site_of_cell(self) -> Ints:
        """The site of each cell."""
        return self.cells["site"].to_numpy().astype(np.int64)

    def cell(self) -> pl.Expr:
        """Return the row of a record's cell; -1 abroad."""
        number = pl.col("cell_id").cast(self.cell_names).to_physical().cast(_CODE)
        return number.fill_null(-1).alias("cell")


def _registry(lake: Lake) -> pl.DataFrame:
    """Return the registry, and behind it who joins after the epoch, if the world grows."""
    columns = ["subscriber_id", "msisdn", "kind", "plan_id"]
    parts = [lake.read("subscribers", columns=columns).with_columns(registered=pl.lit(True))]
    if lake.exists(JOINING):
        later = lake.read(JOINING, columns=columns)
        parts.append(later.with_columns(registered=pl.lit(False)))
    return pl.concat(parts)


def _sample(ids: npt.NDArray[np.int64], wanted: Flags, size: int) -> Flags:
    order = np.argsort(scrambled(ids), kind="stable")
    taken = np.zeros(len(ids), bool)
    taken[order[wanted[order]][:size]] = True
    return taken


@dataclass(frozen=True)
class Contacts:
    """Calls or messages from the users' side, sorted by user and time.

    Attributes:
        user: The user whose record it is.
        other: The other party: a user, or the count of users and more for another network's.
        time: UTC, microseconds since 1970.
        out: Whether the user began it.
        answered: Whether the called party answered; of a message, whether it was delivered.
        duration: Whole seconds of talk with the called party.
        mobile: Whether a mobile network serves the other party: no service, no fixed line.
        site: Site of the user; -1 abroad.
    """

    user: Ints
    other: Ints
    time: Ints
    out: Flags
    answered: Flags
    duration: Ints
    mobile: Flags
    site: Ints

    def __len__(self) -> int:
        return len(self.user)

    def where(self, chosen: Flags) -> "Contacts":
        """Return some of the contacts."""
        return Contacts(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def sort(self, *keys: npt.NDArray[np.integer]) -> "Contacts":
        """Return the contacts sorted by keys, the first weighing most."""
        order = np.lexsort(keys[::-1])
        return Contacts(*(getattr(self, name)[order] for name in self.__dataclass_fields__))


def read_calls(source: Source) -> Contacts:
    """Return all calls that users made, got or missed.

    The leg of a call that is forwarded to another number belongs to nobody: left out. So are calls
    to the operator's own voicemail and care. A call that the voicemail took was not answered.
    """
    out = pl.col("record_type").cast(pl.String) == RecordType.MO_CALL.value
    answered = pl.col("answer_time").is_not_null()
    if source.has("cdrs_voice", "connected_number"):
        answered &= pl.col("connected_number").is_null()
    own = [source.config["numbering"][name] for name in ("care_number", "voicemail_number")]
    return _contacts(
        source,
        "cdrs_voice",
        pl.col("calling_number"),
        pl.col("called_number"),
        out,
        answered,
        pl.col("call_duration"),
        ~(out & (pl.col("calling_number") != pl.col("msisdn")))
        & ~pl.col("called_number").is_in(own),
    )


def read_messages(source: Source) -> Contacts:
    """Return all SMS that users sent or got."""
    kind = pl.col("record_type").cast(pl.String)
    return _contacts(
        source,
        "cdrs_sms",
        pl.col("calling_number"),
        pl.col("called_number"),
        kind == RecordType.MO_SMS.value,
        pl.col("sms_result") == 0,
        pl.lit(0),
        kind.is_in([RecordType.MO_SMS.value, RecordType.MT_SMS.value]),
    )


def _contacts(
    source: Source,
    name: str,
    calling: pl.Expr,
    called: pl.Expr,
    out: pl.Expr,
    answered: pl.Expr,
    duration: pl.Expr,
    kept: pl.Expr,
) -> Contacts:
    columns = [
        "subscriber_id",
        pl.col("event_time").dt.timestamp("us").alias("time"),
        pl.when(out).then(called).otherwise(calling).hash().alias("number"),
        pl.col("msisdn").hash().alias("own"),
        out.alias("out"),
        answered.alias("answered"),
        pl.when(answered).then(duration).otherwise(0).cast(pl.Int32).alias("duration"),
        pl.col("other_plmn").is_not_null().alias("mobile"),
        source.cell(),
        kept.alias("kept"),
    ]
    frames = [frame.filter("kept").drop("kept").collect() for frame in source.frames(name, columns)]
    if not frames:
        raise TelcoError(
            f"no {name} of these days in {source.lake.root}: make them with `telco generate`"
        )
    rows = pl.concat(frames)
    user = source.rows_of(rows["subscriber_id"])
    holders = (
        pl.concat(
            [
                source.users.select(
                    number=pl.col("msisdn").hash(), party=pl.int_range(pl.len(), dtype=pl.Int64)
                ),
                pl.DataFrame({"number": rows["own"], "party": user}).unique(maintain_order=True),
            ]
        )
        # A number that came to another user within the days stays with its first one.
        .unique("number", keep="first", maintain_order=True)
    )
    others = rows.select("number").unique(maintain_order=True).join(holders, "number", how="left")
    foreign = others["party"].is_null().to_numpy()
    party = others["party"].fill_null(0).to_numpy().copy()
    party[foreign] = source.count + np.arange(int(foreign.sum()))
    other = (
        rows.select("number")
        .join(others.with_columns(party=party), "number", how="left", maintain_order="left")
        .get_column("party")
        .to_numpy()
    )
    cell = rows["cell"].to_numpy()
    contacts = Contacts(
        user=user,
        other=other,
        time=rows["time"].to_numpy(),
        out=rows["out"].to_numpy(),
        answered=rows["answered"].to_numpy(),
        duration=rows["duration"].to_numpy().astype(np.int64),
        mobile=rows["mobile"].to_numpy(),
        site=np.where(cell >= 0, source.site_of_cell[cell], -1),
    )
    return contacts.sort(contacts.user, contacts.time)


@dataclass
class Traffic:
    """What a pass over all data records leaves.

    Attributes:
        uplink: Bytes of each user from the device.
        downlink: Bytes of each user to the device.
        sessions: Sessions of each user.
        volume_by_hour: Bytes that begin in each local hour.
        sessions_by_hour: Sessions that begin in each local hour, [people or machines, 24].
        by_cell: Sessions of each cell by weekday or free day and local hour, [cells, 2, 24].
        volume_by_site: Bytes of each site.
        minutes: Machines' sessions by the minute of the hour.
        lowest_site: The lowest site in which each user was; beyond all if none.
        highest_site: The highest; -1 if none.
        records: Records that were read.
        sample: Sessions' records of the users that are followed.
        seen: User, UTC time and site of the sampled people's records at home, day by day.
    """

    uplink: Floats
    downlink: Floats
    sessions: Ints
    volume_by_hour: Floats
    sessions_by_hour: Ints
    by_cell: Ints
    volume_by_site: Floats
    minutes: Ints
    lowest_site: Ints
    highest_site: Ints
    records: int = 0
    sample: list[pl.DataFrame] = field(default_factory=list)
    seen: list[tuple[Ints, Ints, Ints]] = field(default_factory=list)


def read_traffic(source: Source, progress: Callable[[str], None]) -> Traffic:
    """Return what the data records of all days say, in one pass over them."""
    users, cells, sites = source.count, source.cells.height, len(source.sites)
    traffic = Traffic(
        np.zeros(users),
        np.zeros(users),
        np.zeros(users, np.int64),
        np.zeros(24),
        np.zeros((2, 24), np.int64),
        np.zeros((cells, 2, 24), np.int64),
        np.zeros(sites),
        np.zeros(60, np.int64),
        np.full(users, sites),
        np.full(users, -1),
    )
    columns = [
        "subscriber_id",
        pl.col("event_time").dt.timestamp("us").alias("time"),
        "charging_id",
        "service",
        "duration",
        (pl.col("record_sequence_number") == 1).alias("first"),
        pl.col("data_volume_uplink").alias("up"),
        pl.col("data_volume_downlink").alias("down"),
        source.cell(),
    ]
    for number, frame in enumerate(source.frames("cdrs_data", columns), start=1):
        progress(f"data records, day {number} of {len(source.days)}")
        _add_day(source, traffic, frame.collect())
    return traffic


def _add_day(source: Source, traffic: Traffic, rows: pl.DataFrame) -> None:
    if rows.is_empty():
        return
    user = source.rows_of(rows["subscriber_id"])
    up, down = rows["up"].to_numpy(), rows["down"].to_numpy()
    first, cell = rows["first"].to_numpy(), rows["cell"].to_numpy()
    local = source.local(rows["time"].to_numpy())
    hour = local % DAY // HOUR
    machine = source.machines[user]
    users = source.count
    traffic.records += rows.height
    traffic.uplink += np.bincount(user, weights=up, minlength=users)
    traffic.downlink += np.bincount(user, weights=down, minlength=users)
    traffic.sessions += np.bincount(user[first], minlength=users)
    traffic.volume_by_hour += np.bincount(hour, weights=up + down, minlength=24)
    mixed = (machine * 24 + hour)[first]
    traffic.sessions_by_hour += np.bincount(mixed, minlength=48).reshape(2, 24)
    minute = (local % HOUR // 60_000_000)[first & machine]
    traffic.minutes += np.bincount(minute, minlength=60)

    here = cell >= 0
    site = source.site_of_cell[cell]
    free = _free_days(source, local)
    place = (cell.astype(np.int64) * 2 + free) * 24 + hour
    shape = traffic.by_cell.shape
    counts = np.bincount(place[here & first], minlength=int(np.prod(shape)))
    traffic.by_cell += counts.reshape(shape)
    volume = np.bincount(site[here], weights=(up + down)[here], minlength=len(source.sites))
    traffic.volume_by_site += volume
    np.minimum.at(traffic.lowest_site, user[here], site[here])
    np.maximum.at(traffic.highest_site, user[here], site[here])

    seen = source.sampled[user] & here
    traffic.seen.append((user[seen], rows["time"].to_numpy()[seen], site[seen]))
    chosen = source.followed[user]
    traffic.sample.append(
        rows.filter(chosen)
        .select("charging_id", "service", "duration", "up", "down")
        .with_columns(user=user[chosen])
    )


def _free_days(source: Source, local: Ints) -> Flags:
    number = local // DAY
    low = int(number.min())
    dates = [
        dt.date(1970, 1, 1) + dt.timedelta(days=each) for each in range(low, int(number.max()) + 1)
    ]
    free = np.array([date.weekday() >= 5 or source.holiday(date) for date in dates])
    return free[number - low]


def sightings(
    source: Source, calls: Contacts, messages: Contacts, traffic: Traffic
) -> tuple[Ints, Ints, Ints]:
    """Return user, UTC time and site of each record of the sampled people here, sorted by both."""
    parts = [
        *((each.user, each.time, each.site) for each in (calls, messages)),
        *traffic.seen,
    ]
    user, time, site = (
        np.concatenate([part[column][_kept(source, part)] for part in parts]) for column in range(3)
    )
    order = np.lexsort((time, user))
    return user[order], time[order], site[order]


def _kept(source: Source, part: tuple[Ints, Ints, Ints]) -> Flags:
    """Return which sightings are of sampled people, here."""
    return source.sampled[part[0]] & (part[2] >= 0)
