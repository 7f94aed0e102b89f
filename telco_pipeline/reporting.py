"""The realism report of a lake: making it, writing it down, reading it again.

Belongs here: which days are measured, what is too little to measure, the files of a report. Does
not belong here: any measure (`analytics.realism`), Dagster (`assets.realism`), the terminal
(`cli.realism`).

    <lake>/_reports/realism/realism.md            the page
    <lake>/_reports/realism/realism.json          the same for programs; the asset checks read it
    <lake>/_reports/realism/img/<group>.png       its pictures
"""

import datetime as dt
import io
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from telco_pipeline.analytics import realism
from telco_pipeline.analytics.realism import Report, Row, Verdict
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.lake.layout import disk_errors, read_json, report_directory

NAME: Final = "realism"
ASSET: Final = "realism_report"
"""Name of the report among the assets."""
RECORDS: Final = (
    *("cdrs_voice", "cdrs_sms", "cdrs_data", "location_updates"),
    *("identity_changes", "customer_service", "pm_counters"),
)
"""Daily datasets without which a day is not measured."""
USUAL_DAYS: Final = 28
"""Four whole weeks: what the bands of the report are made for."""
FEWEST_DAYS: Final = 7
FEWEST_SUBSCRIBERS: Final = 1_000
"""Below these a report would say more of chance than of the records."""
GOOD_SHARE: Final = 0.9
"""Share of the counted rows that is to be in band."""
LARGEST_PICTURE: Final = 60_000
"""Bytes; a page with pictures is read over slow lines, and Dagster keeps them in its storage."""

_PALETTE: Final = 64
_STEPS_BESIDE_DAYS: Final = 10
"""Steps of measuring that are not days of data records, the pictures included."""


@dataclass(frozen=True)
class Judged:
    """A row as a written report has it.

    Attributes:
        row: The row of the present catalogue with the measure of the report.
        why: Why it is out of band, if somebody wrote it down.
    """

    row: Row
    why: str


def days_to_measure(
    lake: Lake, first: dt.date | None = None, count: int | None = None
) -> list[dt.date]:
    """Return the days to measure; without a wish the newest 28 that lie there.

    Args:
        lake: The lake.
        first: First day; without it as many days as wanted up to the newest.
        count: Number of days.

    Raises:
        TelcoError: Fewer than 7 days are wished for, there is no lake, or it has too few days of
            what is measured.
    """
    if count is not None and count < FEWEST_DAYS:
        raise TelcoError(
            f"{count} days are too few to measure realism: ask for {FEWEST_DAYS} or more "
            f"({USUAL_DAYS} are usual)"
        )
    there = _days_there(lake)
    if first is None:
        wanted = there[-(count or USUAL_DAYS) :]
    else:
        last = first + dt.timedelta(days=(count or USUAL_DAYS) - 1)
        wanted = [day for day in there if first <= day <= last]
        if not wanted:
            raise TelcoError(
                f"{lake.root} has no day from {first} to {last}; it has {there[0]} to {there[-1]}"
            )
    if count is not None and len(wanted) < count:
        raise TelcoError(
            f"{lake.root} has {len(wanted)} of these {count} days; it has {there[0]} to "
            f"{there[-1]}, each with {', '.join(RECORDS)}"
        )
    if len(wanted) < FEWEST_DAYS:
        raise TelcoError(
            f"{len(wanted)} days are too few to measure realism: {FEWEST_DAYS} are the fewest, "
            f"{USUAL_DAYS} the usual; make more with {lake.command()} --days {USUAL_DAYS}"
        )
    return wanted


def _days_there(lake: Lake) -> list[dt.date]:
    """Return the days of which all records lie in the lake."""
    if not lake.root.is_dir():
        raise TelcoError(f"no lake at {lake.root}: make one with telco generate, or name --lake")
    for name in ("subscribers", *RECORDS):
        if not lake.exists(name):
            raise TelcoError(f"{lake.root} has no {name}: make it with {lake.command(name)}")
    there = set.intersection(*(set(lake.days(name)) for name in RECORDS))
    if not there:
        raise TelcoError(f"{lake.root} has no day with all of {', '.join(RECORDS)}")
    return sorted(there)


def check_size(lake: Lake) -> None:
    """Refuse a lake with too few subscribers to measure."""
    subscribers = lake.rows("subscribers")
    if subscribers < FEWEST_SUBSCRIBERS:
        raise TelcoError(
            f"{subscribers} subscribers are too few to measure realism: "
            f"{FEWEST_SUBSCRIBERS:,} are the fewest"
        )


def enough(subscribers: int, days: int) -> bool:
    """Return whether so many subscribers and days can be measured."""
    return subscribers >= FEWEST_SUBSCRIBERS and days >= FEWEST_DAYS


def make(
    lake: Lake, days: Sequence[dt.date], progress: Callable[[str], None] | None = None
) -> Report:
    """Measure the records of some days.

    Args:
        lake: The lake.
        days: Days, as `days_to_measure` gives them.
        progress: Told of each step before it is done.

    Raises:
        TelcoError: The lake does not hold what is measured, or too little of it.
    """
    check_size(lake)
    return realism.measure(lake, days, progress)


def steps_of(days: Sequence[dt.date]) -> int:
    """Return how many steps `make` and the pictures take, for a bar: about, not exactly."""
    return len(days) + _STEPS_BESIDE_DAYS


def directory_of(lake: Lake) -> Path:
    """Return where a lake keeps its report."""
    return report_directory(lake.root, lake.world, NAME)


def pictures_of(report: Report) -> dict[str, bytes]:
    """Return a PNG for each group of rows that has one, each of at most 60 kB where it can be."""
    return {group: small(png) for group, png in realism.draw_figures(report).items()}


def small(png: bytes) -> bytes:
    """Return a picture with fewer colours if it is too large; plots need no more."""
    if len(png) <= LARGEST_PICTURE:
        return png
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        few = picture.convert("RGB").quantize(_PALETTE, dither=Image.Dither.NONE)
        few.save(buffer, "PNG", optimize=True)
    return min(buffer.getvalue(), png, key=len)


def write(
    report: Report,
    pictures: Mapping[str, bytes],
    directory: Path,
    reasons: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write page, JSON and pictures into a directory; what a report left there is written over.

    Returns:
        The files.
    """
    page = directory / "realism.md"
    files = _page_files(report, pictures, page, Path("img"), reasons)
    # Last of all: the checks read it, so until it is there they speak of the report before.
    files[directory / "realism.json"] = realism.render_json(report, reasons).encode()
    _put(files)
    return [page, *(file for file in files if file != page)]


def write_page(
    report: Report,
    pictures: Mapping[str, bytes],
    page: Path,
    folder: Path,
    reasons: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write the page, and its pictures into a folder that is named from the page's directory.

    Returns:
        The files, the page first.
    """
    files = _page_files(report, pictures, page, folder, reasons)
    _put(files)
    return [page, *(file for file in files if file != page)]


def _page_files(
    report: Report,
    pictures: Mapping[str, bytes],
    page: Path,
    folder: Path,
    reasons: Mapping[str, str] | None,
) -> dict[Path, bytes]:
    """Return the content of each file: the pictures, and behind them the page that shows them."""
    names = {group: f"{slug(group)}.png" for group in pictures}
    files = {page.parent / folder / name: pictures[group] for group, name in names.items()}
    addresses = {group: (folder / name).as_posix() for group, name in names.items()}
    files[page] = realism.render_markdown(report, addresses, reasons).encode()
    return files


def slug(group: str) -> str:
    """Return the name of a group as a file's: small letters and digits, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", group.lower()).strip("-")


def reasons_of(path: Path) -> dict[str, str]:
    """Read why rows are out of band: a YAML file of keys of rows and sentences.

    Raises:
        TelcoError: The file is not there, is no such file, or names a row that does not exist.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TelcoError(f"{path}: there is no such file") from None
    except OSError as error:
        raise TelcoError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise TelcoError(f"{path}: cannot be read as YAML: {error}") from None
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(why, str) for why in found.values()):
        raise TelcoError(f"{path}: write one line for each row, such as `calls.answered: why`")
    known = {row.key for row in realism.ROWS}
    unknown = next((key for key in found if key not in known), None)
    if unknown is not None:
        raise TelcoError(f"{path}: there is no row {unknown!r} in the realism report")
    return found


def read(lake: Lake) -> list[Judged]:
    """Read the report that lies in a lake; the bands are those of the present catalogue.

    Raises:
        TelcoError: None lies there, it is of another world, or it cannot be read.
    """
    path = directory_of(lake) / "realism.json"
    written = read_json(path)
    again = f"make it with telco realism, or materialise {ASSET}"
    if written is None:
        raise TelcoError(f"{path}: there is no realism report yet: {again}")
    held = lake.held_world()
    if held is not None and written.get("world_hash") != held.world_hash:
        raise TelcoError(f"{path} is the report of another world: {again}")
    measured = {str(row["key"]): row for row in written.get("rows", [])}
    return [_judged(row, measured.get(row.key, {})) for row in realism.ROWS]


def _judged(row: Row, written: Mapping[str, Any]) -> Judged:
    measured = row.measured(written.get("value"), str(written.get("note", "")))
    if row.may_count and written.get("counted"):
        measured = measured.counting()
    return Judged(measured, str(written.get("reason") or ""))


def summary(rows: Sequence[Row]) -> str:
    """Return the score in words."""
    counted = [row for row in rows if row.counted]
    good = sum(row.verdict is Verdict.IN_BAND for row in counted)
    share = f"{100 * good / len(counted):.0f} %" if counted else "none"
    return (
        f"{good} of {len(counted)} counted rows in band ({share}); "
        f"{len(rows) - len(counted)} more are listed and not counted."
    )


def good_enough(report: Report) -> bool:
    """Return whether 90 % of the counted rows are in band."""
    return report.score >= GOOD_SHARE


def _put(files: Mapping[Path, bytes]) -> None:
    """Write files, each there whole or not at all, in their order.

    All are written beside their places before the first is moved there: a full disk or a kill
    while they are written leaves what was there. Their names aside are their own, so that two
    writers never share one.
    """
    asides: dict[Path, Path] = {}
    try:
        for path, content in files.items():
            with disk_errors("write", path):
                path.parent.mkdir(parents=True, exist_ok=True)
                asides[path] = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
                asides[path].write_bytes(content)
        for path, aside in asides.items():
            with disk_errors("write", path):
                aside.replace(path)
    finally:
        for aside in asides.values():
            with suppress(OSError):
                aside.unlink(missing_ok=True)
