"""People: a file of users that says whose records are sent, and with which identities.

Belongs here: the file, its faults, what it does to rows. Does not belong here: who had which
identity when in the lake (`asof`).

The rule is that every subscriber on every topic is in the file, as the file has him, also when it
was edited by hand. So a record of somebody who is not in it is not sent; every record of somebody
who is bears the file's IMSI, number and IMEI, whatever changes of SIM, phone or number the lake
knows; and who was added by hand stands in for a subscriber of the world who is not in the file.
The other end of a call or message may be anybody; who is in the file is there, too, as the file
has him.
"""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from telco_pipeline import asof
from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts.world import IMEI, IMSI, MSISDN
from telco_pipeline.engine import draws
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.lake.layout import write_json
from telco_pipeline.streaming.sources import PROSPECTS, REGISTRY

_FORMS: Final = {
    "phone_number": (MSISDN, "a number in international form, such as +32470123456"),
    "imsi": (IMSI, "14 or 15 digits"),
    "imei": (IMEI, "15 digits"),
}
_COLUMNS: Final = {"phone_number": "msisdn", "imsi": "imsi", "imei": "imei"}
_PARTIES: Final = (
    "calling_number",
    "called_number",
    "connected_number",
    "calling_party_address",
    "called_party_address",
)
"""Columns of numbers that may be anybody's."""
_TEXTS: Final = ("structured_data", "message", "line", "note", "additional_text")
"""Columns of text in which an identity may stand."""
_IDENTITY: Final = r"\+?\d{10,15}"
_MOST_ID: Final = 2**63 - 1
_OWN_IDS: Final = 10**15
"""Ids that follow from an IMSI of 15 digits begin here, of 14 at twice that."""


@dataclass(frozen=True)
class User:
    """Somebody in the file; what is None is as the world has it."""

    subscriber_id: int | None
    phone_number: str | None
    imsi: str | None
    imei: str | None
    plan_id: str | None

    @property
    def own_id(self) -> int | None:
        """The id that his records bear: the file's or, of who was added without one, his own.

        That follows from the IMSI, and is above all ids of a world's subscribers and holders, so
        that no record bears the id of somebody who is not in the file.
        """
        if self.subscriber_id is not None or self.imsi is None:
            return self.subscriber_id
        return _OWN_IDS * (16 - len(self.imsi)) + int(self.imsi)


class People:
    """The users of a file.

    Attributes:
        path: The file, for messages.
        users: Who is in it, in its order.
        world: Hash of the world that it was written from; None if it does not say.
        identity: Hash of what it says.
    """

    def __init__(self, path: Path, users: Sequence[User], world: str | None = None) -> None:
        self.path = path
        self.users = tuple(users)
        self.world = world
        told = [
            [user.own_id, user.phone_number, user.imsi, user.imei, user.plan_id] for user in users
        ]
        told.sort(key=str)
        self.identity = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]

    @classmethod
    def read(cls, path: Path) -> "People":
        """Return the users of a file.

        Raises:
            TelcoError: It cannot be read or is no file of users; with the place.
        """
        try:
            plain = json.loads(path.read_bytes())
        except FileNotFoundError as error:
            raise TelcoError(
                f"no file of users at {path}: write one with `telco export users --out {path}`, or "
                "give --num-users too"
            ) from error
        except OSError as error:
            raise TelcoError(f"{path} cannot be read: {error.strerror or error}") from error
        except json.JSONDecodeError as error:
            raise TelcoError(
                f"{path} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
            ) from error
        except (UnicodeDecodeError, RecursionError, ValueError) as error:
            raise TelcoError(f"{path} is not JSON: {str(error).splitlines()[0][:200]}") from error
        if not isinstance(plain, dict) or not isinstance(plain.get("users"), list):
            raise TelcoError(f'{path} has no list "users": write one with `telco export users`')
        world = plain.get("world")
        if world is not None and not isinstance(world, str):
            raise TelcoError(f'{path}: "world" must be a text, or be left out')
        users = [_user(path, place, each) for place, each in enumerate(plain["users"])]
        if not users:
            raise TelcoError(f'{path}: the list "users" is empty, so nothing would be sent')
        for name in ("phone_number", "imsi"):
            _check_unique(path, name, [getattr(user, name) for user in users])
        _check_unique(path, "subscriber_id", [user.own_id for user in users])
        return cls(path, users, world)

    def on(self, lake: Lake, day: dt.date) -> Callable[[str, pl.DataFrame], pl.DataFrame]:
        """Return what leaves of rows of a day those of the people, with their identities.

        Raises:
            TelcoError: The file was written from another world, or too many were added to it.
        """
        held = lake.held_world()
        if self.world is not None and held and self.world not in (held.world_hash, held.overlays):
            raise TelcoError(
                f"{self.path} was written from world {self.world}, and {lake.root} holds "
                f"{held.world_hash}: write one with `telco export users --lake {lake.root}`"
            )
        table = self._table(lake, 0 if held is None else held.seed)
        return _Choice(lake, day, table).of

    def _table(self, lake: Lake, seed: int) -> pl.DataFrame:
        """Return who is sent: `subscriber_id` in the lake, `own_id`, identities, `plan_id`."""
        columns = ["subscriber_id", "imsi", "msisdn", "imei", "kind", "plan_id"]
        world = pl.concat([lake.read(name, columns=columns) for name in (REGISTRY, PROSPECTS)])
        file = pl.DataFrame(
            {
                "own_id": [user.own_id for user in self.users],
                "_msisdn": [user.phone_number for user in self.users],
                "_imsi": [user.imsi for user in self.users],
                "_imei": [user.imei for user in self.users],
                "_plan_id": [user.plan_id for user in self.users],
                "place": range(len(self.users)),
            },
            schema={
                "own_id": pl.Int64,
                **dict.fromkeys(("_msisdn", "_imsi", "_imei", "_plan_id"), pl.String),
                "place": pl.Int64,
            },
        )
        known = file.join(world, left_on="own_id", right_on="subscriber_id", how="inner")
        known = known.with_columns(subscriber_id=pl.col("own_id"))
        added = file.join(known, on="place", how="anti").sort("place")
        plans = set(world["plan_id"].unique().to_list())
        stand_ins = self._stand_ins(added, lake, known["subscriber_id"], plans, seed)
        whole = pl.concat([known, stand_ins.join(world, on="subscriber_id")], how="diagonal")
        whole = whole.select(
            "subscriber_id",
            "own_id",
            *(pl.coalesce(f"_{name}", name).alias(name) for name in ("imsi", "msisdn", "imei")),
            pl.when(pl.col("_plan_id").is_in(plans)).then("_plan_id").alias("plan_id"),
        ).sort("subscriber_id")
        for name in ("msisdn", "imsi"):  # one that was edited may be that of one who was not
            twice = whole.filter(pl.col(name).is_duplicated())
            if twice.height:
                raise TelcoError(
                    f"{self.path}: subscribers {twice['own_id'][0]} and {twice['own_id'][1]} "
                    f"would both have the {name} {twice[name][0]}: give one another"
                )
        return whole

    def _stand_ins(
        self, added: pl.DataFrame, lake: Lake, taken: pl.Series, plans: set[str], seed: int
    ) -> pl.DataFrame:
        """Return who of the world each user who was added stands in for (`subscriber_id`)."""
        for row in added.iter_rows(named=True):
            lacking = next((key for key, name in _COLUMNS.items() if row[f"_{name}"] is None), None)
            if lacking is not None:
                who = self.users[row["place"]].subscriber_id
                why = (
                    "no subscriber_id" if who is None else f"subscriber_id {who}, whom {lake.root}"
                )
                why += "" if who is None else " does not know"
                raise TelcoError(
                    f"{self.path}: users[{row['place']}] has {why}, so it needs a {lacking} too"
                )
        people = _people(lake, seed).filter(~pl.col("subscriber_id").is_in(taken.implode()))
        if people.height < added.height:
            raise TelcoError(
                f"{self.path} adds {added.height} users, and only {people.height} people of "
                f"{lake.root} are not in it to stand in for: add fewer"
            )
        free = dict.fromkeys(people["subscriber_id"].to_list())
        by_plan: dict[str, list[int]] = {}
        for who, plan in people.select("subscriber_id", "plan_id").reverse().iter_rows():
            by_plan.setdefault(plan, []).append(who)
        chosen: dict[int, int] = {}
        for place, plan in added.sort("_imsi").select("place", "_plan_id").iter_rows():
            same = by_plan.get(plan, []) if plan in plans else []
            while same and same[-1] not in free:
                same.pop()
            who = same.pop() if same else next(iter(free))
            del free[who]
            chosen[place] = who
        ids = pl.DataFrame(
            {"place": list(chosen), "subscriber_id": list(chosen.values())},
            schema={"place": pl.Int64, "subscriber_id": pl.Int64},
        )
        return added.join(ids, on="place")


class _Choice:
    """What the file makes of rows of one day."""

    def __init__(self, lake: Lake, day: dt.date, table: pl.DataFrame) -> None:
        self._lake = lake
        self._day = day
        self._table = table
        self._ids = table["subscriber_id"].to_numpy()
        self._changed = {name: self._changes_of(name) for name in ("imsi", "msisdn", "imei")}
        self._dropped: pl.Series | None = None

    def of(self, dataset: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows that are sent, as they are sent."""
        for name in ("other_subscriber_id", "subscriber_id"):
            if name in rows.columns:
                rows = self._served(rows, name)
        if dataset == "truth_records":
            rows = rows.filter(~pl.col("event_id").is_in(self._records_of_others().implode()))
        numbers, phones = self._changed["msisdn"], self._changed["imei"]
        columns = [(name, numbers) for name in _PARTIES] + [("other_imei", phones)]
        rows = rows.with_columns(
            pl.col(name).replace(changed["old"], changed["new"])
            for name, changed in columns
            if name in rows.columns and changed.height
        )
        for name in _TEXTS:
            if name in rows.columns and rows.height:
                rows = self._told(rows, name)
        return rows

    def _served(self, rows: pl.DataFrame, name: str) -> pl.DataFrame:
        """Leave the rows of people in the file, and of nobody, as the file has them."""
        asked = rows[name]
        values = asked.fill_null(-1).to_numpy()
        places = np.minimum(np.searchsorted(self._ids, values), len(self._ids) - 1)
        hit = self._ids[places] == values
        nobody = asked.is_null().to_numpy()
        keep = hit | nobody
        if not keep.all():
            rows, places, nobody = rows.filter(keep), places[keep], nobody[keep]
        anybody = pl.lit(pl.Series(~nobody))
        mine = self._table[places]
        named = {name: mine["own_id"]}
        if name == "subscriber_id":
            for column in ("imsi", "msisdn", "imei"):
                named |= {column: mine[column], f"previous_{column}": mine[column]}
        changed = []
        for column, own in named.items():
            if column in rows.columns:
                there = anybody & pl.col(column).is_not_null()
                changed.append(pl.when(there).then(own).otherwise(column).alias(column))
        if "entity_id" in rows.columns:  # of truth: the same key as text
            same = anybody & (pl.col("entity_id") == pl.col(name).cast(pl.String))
            own = mine["own_id"].cast(pl.String)
            changed.append(pl.when(same).then(own).otherwise("entity_id").alias("entity_id"))
        if "in_service" in rows.columns:  # the registry itself
            changed.append(pl.coalesce(mine["plan_id"], "plan_id").alias("plan_id"))
        return rows.with_columns(changed)

    def _told(self, rows: pl.DataFrame, name: str) -> pl.DataFrame:
        """Leave out texts that name somebody who is not in the file, and rename who is.

        Such texts are rare, and looked at one by one.
        """
        some = rows[name].str.contains(_IDENTITY).fill_null(False)
        if not some.any():
            return rows
        texts = rows[name].to_list()
        hits = np.flatnonzero(some.to_numpy()).tolist()
        found = {word for i in hits for word in re.findall(_IDENTITY, texts[i])}
        holders = self._holders(sorted(found))
        if not holders:
            return rows
        own = dict(zip(self._table["subscriber_id"], self._table.rows(named=True), strict=True))
        out = []
        for i in hits:
            said = [
                (word, holders[word]) for word in re.findall(_IDENTITY, texts[i]) if word in holders
            ]
            if any(who not in own for _, (who, _) in said):
                out.append(i)
            for word, (who, kind) in said:
                if who in own:
                    new = own[who][kind]
                    new = new if word.startswith("+") or kind != "msisdn" else new[1:]
                    texts[i] = texts[i].replace(word, new)
        rows = rows.with_columns(pl.Series(name, texts, pl.String))
        keep = np.ones(rows.height, np.bool_)
        keep[out] = False
        return rows.filter(keep)

    def _holders(self, words: list[str]) -> dict[str, tuple[int, str]]:
        """Return of words that are identities of subscribers whose and what they are."""
        found: dict[str, tuple[int, str]] = {}
        for name in ("imei", "imsi", "msisdn"):
            asked = words if name != "msisdn" else [f"+{word.lstrip('+')}" for word in words]
            held = self._versions(name).filter(pl.col(name).is_in(asked)).collect()
            for who, value in held.select("subscriber_id", name).iter_rows():
                found[value] = (who, name)
                found[value.lstrip("+")] = (who, name)
        return {word: found[word] for word in words if word in found}

    def _versions(self, name: str) -> pl.LazyFrame:
        """Return who has had an identity up to the day's end, the last holder last."""
        columns = ["subscriber_id", name]
        parts = [self._lake.scan(each, columns=columns) for each in (PROSPECTS, REGISTRY)]
        days = [day for day in self._lake.days(asof.CHANGES) if day <= self._day]
        if days:
            changes = self._lake.scan(asof.CHANGES, days[0], days[-1])
            parts.append(changes.sort("event_time").select(columns))
        return pl.concat(parts)

    def _changes_of(self, name: str) -> pl.DataFrame:
        """Return identities of the world that are others in the file (`old`, `new`)."""
        mine = self._table.lazy().select("subscriber_id", pl.col(name).alias("new"))
        held = self._versions(name).unique(name, keep="last", maintain_order=True)
        found = held.join(mine, on="subscriber_id").filter(pl.col(name) != pl.col("new"))
        return found.select(pl.col(name).alias("old"), "new").collect()

    def _records_of_others(self) -> pl.Series:
        """Return the ids of touched records whose subscribers are not in the file."""
        if self._dropped is None:
            touched = self._lake.scan("truth_records", self._day, self._day)
            touched = touched.select("event_id", pl.col("dataset").cast(pl.String)).unique()
            found = [pl.Series("event_id", [], pl.Int64)]
            for name in touched.select("dataset").unique().collect()["dataset"].to_list():
                if "subscriber_id" in DATASETS[name].columns:
                    records = self._lake.scan(
                        name, self._day, self._day, ["event_id", "subscriber_id"]
                    )
                    others = records.join(self._table.lazy(), on="subscriber_id", how="anti")
                    mine = touched.filter(pl.col("dataset") == name)
                    found.append(
                        others.join(mine, on="event_id", how="semi")
                        .select("event_id")
                        .collect()["event_id"]
                    )
            self._dropped = pl.concat(found)
        return self._dropped


def _user(path: Path, place: int, plain: Any) -> User:
    """Return a user of the file; TelcoError with the place if it is none."""
    where = f"{path}: users[{place}]"
    if not isinstance(plain, dict):
        raise TelcoError(f"{where} is not an object in braces")
    key = plain.get("subscriber_id")
    if key is not None and (isinstance(key, bool) or not isinstance(key, int)):
        raise TelcoError(f"{where}.subscriber_id is {_short(key)}, not a whole number")
    if key is not None and not 1 <= key <= _MOST_ID:
        raise TelcoError(f"{where}.subscriber_id is {_short(key)}, not from 1 to {_MOST_ID}")
    found: dict[str, str | None] = {}
    for name, (pattern, told) in _FORMS.items():
        value = plain.get(name)
        if value is not None and not (
            isinstance(value, str) and re.fullmatch(pattern, value, re.A)
        ):
            raise TelcoError(f"{where}.{name} is {_short(value)}, not {told} in quotes")
        found[name] = value
    plan = plain.get("plan")
    plan_id = plan.get("plan_id") if isinstance(plan, dict) else plan
    if plan_id is not None and not isinstance(plan_id, str):
        raise TelcoError(f"{where}.plan is {_short(plan)}, not an object with a plan_id")
    return User(key, found["phone_number"], found["imsi"], found["imei"], plan_id)


def _short(value: Any) -> str:
    told = json.dumps(value, ensure_ascii=True)
    return told if len(told) <= 40 else told[:40] + "..."


def _check_unique(path: Path, name: str, values: Sequence[object]) -> None:
    seen: dict[object, int] = {}
    for place, value in enumerate(values):
        if value is not None and value in seen:
            raise TelcoError(
                f"{path}: users[{seen[value]}] and users[{place}] have the same {name} {value}: "
                "give one another, or take one out"
            )
        seen[value] = place


# --- writing a file -----------------------------------------------------------------------------


def _people(lake: Lake, seed: int) -> pl.DataFrame:
    """Return the people of the registry (no firms, machines, visitors), in an order of hashes."""
    rows = lake.read(REGISTRY).filter(pl.col("kind") == "person")
    stream = draws.stream(seed, "streaming/people")
    order = np.argsort(draws.keys(stream, rows["subscriber_id"].to_numpy()), kind="stable")
    return rows[order]


def profiles(lake: Lake, number: int | None = None) -> dict[str, Any]:
    """Return a file of users: everybody in the registry, or some people.

    Args:
        lake: The lake.
        number: How many people, the same ones every time; None for the whole registry.

    Raises:
        TelcoError: The lake has no registry or catalogue of plans, or not so many people.
    """
    held = lake.held_world()
    if held is None or not lake.exists(REGISTRY) or not lake.exists("plans"):
        raise TelcoError(
            f"{lake.root} has no {REGISTRY} and plans: make them with "
            f"`{lake.command(f'{REGISTRY},plans')}`"
        )
    if number is None:
        rows = lake.read(REGISTRY)
    else:
        people = _people(lake, held.seed)
        if number > people.height:
            raise TelcoError(
                f"--num-users {number}: the registry of {lake.root} has {people.height} people"
            )
        rows = people.head(number)
    plans = {row["plan_id"]: row for row in lake.read("plans").iter_rows(named=True)}
    users = [
        _profile(row, plans.get(row["plan_id"])) for row in rows.sort("subscriber_id").to_dicts()
    ]
    return {"world": held.world_hash, "users": users}


def _profile(row: dict[str, Any], plan: dict[str, Any] | None) -> dict[str, Any]:
    told: dict[str, Any] = {"plan_id": row["plan_id"]}
    if plan is not None:
        told |= {name: plan[name] for name in ("name", "payment", "segment")}
        told["monthly_fee"] = plan["monthly_fee"] / 1e6
        told |= {name: plan[name] for name in ("voice_seconds", "messages", "data_bytes")}
    return {
        "subscriber_id": row["subscriber_id"],
        "phone_number": row["msisdn"],
        "imsi": row["imsi"],
        "imei": row["imei"],
        "kind": row["kind"],
        "language": row["language"],
        "plan": told,
    }


def write(lake: Lake, path: Path, number: int | None = None, *, replace: bool = False) -> int:
    """Write a file of users and return how many are in it; see `profiles`.

    Raises:
        TelcoError: Besides, there is such a file already (it may be edited), unless `replace`;
            there is another one, which never is replaced; or the disk refuses.
    """
    if path.exists():
        if not replace:
            raise TelcoError(
                f"{path} is there already: choose another --out, or replace it (--replace)"
            )
        _refuse_other_file(path)
    plain = profiles(lake, number)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, plain)
    except OSError as error:
        raise TelcoError(f"{path} cannot be written: {error.strerror or error}") from error
    return len(plain["users"])


def _refuse_other_file(path: Path) -> None:
    """Refuse a file that is none of users."""
    try:
        People.read(path)
    except TelcoError as error:
        raise TelcoError(
            f"it would replace a file that is none of users ({error}): choose another --out, or "
            "remove it"
        ) from error


def chosen(lake: Lake, path: Path | None, number: int | None) -> People | None:
    """Return the people that options ask for: `--users-file` and `--num-users`.

    A file that is there is used as it is; one that is not is written first if a number is given.

    Args:
        lake: The lake.
        path: The file; None for none, or `users.json` if a number is given.
        number: How many people a new file has.

    Raises:
        TelcoError: The file is bad, or is there and has another number of users.
    """
    if path is None and number is None:
        return None
    path = path or Path("users.json")
    if not path.exists() and number is not None:
        write(lake, path, number)
    people = People.read(path)
    if number is not None and len(people.users) != number:
        raise TelcoError(
            f"{path} has {len(people.users)} users and --num-users asks for {number}: leave "
            "--num-users out to use the file, or name another --users-file"
        )
    return people
