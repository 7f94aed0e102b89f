"""Features: what was known of an entity at a cut-off.

Belongs here: the columns of a row and how they follow from a window's measures, and who has a row.
Does not belong here: counting (`measures`), what the truth says (`labels`).

Features are general figures of use, signalling, care, errors and load. None is made for a story,
and none bears an identity (a number, a cell, a serial number), so what is learnt of one entity can
be said of another.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import polars as pl

from telco_pipeline import asof
from telco_pipeline.contracts.codes import EntityKind
from telco_pipeline.lake import Lake
from telco_pipeline.training.measures import (
    NETWORK_SOURCES,
    SUBSCRIBER_SOURCES,
    Sketches,
    Source,
    counted,
    window,
)

KEYS: Final = {
    EntityKind.SUBSCRIBER: "subscriber_id",
    EntityKind.CELL: "cell_id",
    EntityKind.ELEMENT: "element_id",
    EntityKind.SITE: "site_id",
}
"""The column that names an entity."""
GROUP: Final = "group"
"""Which entities stay together in a split; see `splits`."""


@dataclass(frozen=True)
class Feature:
    """A column of the table.

    Attributes:
        name: Its name.
        sql: What it is, over the measures of a window and what is known of the entity.
        text: What it is, for people.
        unit: Its unit.
    """

    name: str
    sql: str
    text: str
    unit: str = ""


def _plain(text: str, *names: str, unit: str = "") -> list[Feature]:
    """Return measures as they are, told by one text each after the other, parted by bars."""
    return [
        Feature(name, name, told.strip(), unit)
        for name, told in zip(names, text.split("|"), strict=True)
    ]


def _ratio(name: str, of: str, over: str, text: str, unit: str = "") -> Feature:
    """Return one measure over another, such as a part or a mean; null where that is zero."""
    return Feature(name, f"({of}) / nullif({over}, 0)", text, unit)


def _last(measure: str, text: str, unit: str = "") -> Feature:
    return Feature(f"{measure}_last_day", f"last_{measure}", f"{text} on the last day", unit)


def _high(measure: str, text: str, unit: str = "") -> Feature:
    return Feature(f"{measure}_high", f"high_{measure}", f"{text} on the day with most", unit)


SUBSCRIBER_FEATURES: Final = (
    *_plain(
        "Person, business, visitor or machine; null of who joined after the epoch"
        "|Plan on the epoch, which may have changed since; null likewise"
        "|Class of the device that is in use at the cut-off",
        *("kind", "plan_on_epoch", "device_class"),
    ),
    *_plain(
        "Since the contract began|Since the device in use came out"
        "|Age of the holder, firms' and machines' is null",
        *("contract_days", "device_days", "age_days"),
        unit="day",
    ),
    *_plain(
        "Calls made|Calls taken or missed|Different numbers called"
        "|Calls made between 22 and 6 h local|Calls made abroad"
        "|Calls that were blocked or failed|Calls that were cut off"
        "|Calls missed|Calls missed that came from other countries",
        *("calls_out", "calls_in", "called", "calls_night", "calls_roaming"),
        *("calls_failed", "calls_dropped", "missed", "missed_abroad"),
    ),
    _last("calls_out", "Calls made"),
    _high("calls_out", "Calls made"),
    _ratio("calls_new_part", "called", "calls_out", "Different numbers to calls made"),
    _ratio("calls_out_part", "calls_out", "calls_out + calls_in", "Calls made to all calls"),
    _ratio("calls_night_part", "calls_night", "calls_out", "Calls by night to calls made"),
    _ratio(
        "calls_abroad_part", "calls_abroad", "calls_out", "Calls to other countries to all made"
    ),
    _ratio("answered_part", "answered_out", "calls_out", "Calls answered to calls made"),
    _ratio("seconds_a_call", "seconds_out", "answered_out", "Mean of calls made and answered", "s"),
    _ratio("seconds_a_call_in", "seconds_in", "answered_in", "Mean of calls taken", "s"),
    _ratio("ring_missed", "missed_ring", "missed", "How long missed calls rang", "s"),
    *_plain(
        "Talk in calls made|Talk to other countries",
        *("seconds_out", "seconds_abroad"),
        unit="s",
    ),
    *_plain(
        "Messages sent|Messages got|Messages got from services|Different numbers written to"
        "|Messages to other countries|Messages that failed",
        *("texts_out", "texts_in", "texts_in_services", "texted", "texts_abroad", "texts_failed"),
    ),
    _last("texts_out", "Messages sent"),
    _high("texts_out", "Messages sent"),
    _ratio("texts_out_part", "texts_out", "texts_out + texts_in", "Messages sent to all"),
    *_plain(
        "Data sessions|Sessions between 22 and 6 h|Sessions abroad|Sessions refused by the network"
        "|Sessions that were lost|Hours in which a session began|Different applications",
        *("sessions", "sessions_night", "sessions_roaming", "sessions_failed", "sessions_lost"),
        *("hours_online", "services"),
    ),
    _last("sessions", "Data sessions"),
    _high("sessions", "Data sessions"),
    *_plain("Sent|Received", "bytes_up", "bytes_down", unit="byte"),
    _last("bytes_up", "Sent", "byte"),
    _high("bytes_up", "Sent", "byte"),
    _ratio("bytes_up_part", "bytes_up", "bytes_up + bytes_down", "Sent to all bytes"),
    _ratio("bytes_a_session", "bytes_up + bytes_down", "sessions", "Mean of a session", "byte"),
    _ratio("seconds_a_session", "data_seconds", "sessions", "Mean of a session", "s"),
    _ratio("latency", "latency_total", "measured", "Mean round trip", "ms"),
    _ratio("packet_loss", "loss_total", "measured", "Mean loss of packets", "%"),
    _ratio("rate_down", "rate_total", "measured", "Mean rate downwards", "kbit/s"),
    *_plain(
        "Different cells in which it was seen|Attaches|Updates with another tracking area"
        "|Updates with another cell|All updates of the location|Updates that were refused",
        *("cells", "attaches", "area_changes", "cell_changes", "updates", "refused"),
    ),
    _last("updates", "Updates"),
    _high("updates", "Updates"),
    _last("refused", "Updates refused"),
    *_plain(
        "Different equipment in calls|SIM swaps|New devices|New numbers",
        *("equipment", "sim_swaps", "new_devices", "new_numbers"),
    ),
    *_plain(
        "Contacts with care|about bills|about the network|about fraud",
        *("contacts", "contacts_billing", "contacts_network", "contacts_fraud"),
    ),
    _ratio("sentiment", "sentiment_total", "contacts", "Mean sentiment of the contacts"),
)

NETWORK_FEATURES: Final = (
    *_plain(
        "Type of the element; radio access of the cell; null of sites"
        "|Vendor|Class of the cell; null of others",
        *("type", "vendor", "cell_class"),
    ),
    *_plain("Since it was installed or built", "age_days", unit="day"),
    *_plain(
        "Log lines|Lines of severity 3 (error) and worse|Lines of warning"
        "|Hours with an error|Different kinds of errors",
        *("lines", "errors", "warnings", "hours_with_errors", "error_kinds"),
    ),
    _last("errors", "Errors"),
    _high("errors", "Errors"),
    _last("hours_with_errors", "Hours with an error"),
    _ratio("errors_part", "errors", "lines", "Errors to all lines"),
    _ratio("errors_last_part", "last_errors", "errors", "Errors on the last day to all errors"),
    *_plain(
        "Alarms raised|critical|major|of equipment|of the quality of service",
        *("alarms", "alarms_critical", "alarms_major", "alarms_equipment", "alarms_quality"),
    ),
    _last("alarms", "Alarms"),
    _ratio("cpu", "cpu_total", "periods", "Mean use of the processor", "%"),
    _ratio("memory", "memory_total", "periods", "Mean use of memory", "%"),
    _ratio("link_loss", "link_loss_total", "periods", "Mean loss on its links", "%"),
    _ratio(
        "link_loss_last_day",
        "last_link_loss_total",
        "last_periods",
        "Mean loss on its links on the last day",
        "%",
    ),
    _ratio("link_latency", "link_latency_total", "periods", "Mean round trip", "ms"),
    _ratio("jitter", "jitter_total", "periods", "Mean jitter", "ms"),
    _ratio("throughput", "throughput_total", "periods", "Mean traffic", "kbit/s"),
    *_plain(
        "Highest use of the processor|Highest loss|Highest use of its links",
        *("cpu_top", "link_loss_top", "links_used_top"),
        unit="%",
    ),
    *_plain("Highest round trip", "link_latency_top", unit="ms"),
    *_plain("Periods of five minutes that it told of", "periods"),
    *_plain(
        "Attempts to connect|Quarters of an hour without any|Legs of calls|Bearers set up",
        *("attempts", "quiet_quarters", "legs", "bearers"),
    ),
    _last("attempts", "Attempts to connect"),
    _last("quiet_quarters", "Quarters of an hour without any"),
    _high("quiet_quarters", "Quarters of an hour without any"),
    _ratio("attempts_last_part", "last_attempts", "attempts", "Attempts on the last day to all"),
    _ratio("attempts_low_part", "low_attempts", "attempts", "Those on the day with least to all"),
    _ratio("attempts_failed_part", "attempts_failed", "attempts", "Attempts that failed"),
    _ratio("bearers_failed_part", "bearers_failed", "bearers", "Bearers that were not set up"),
    _ratio("lost_part", "lost", "released", "Bearers that were lost to all released"),
    _ratio(
        "lost_last_part", "last_lost", "last_released", "Bearers that were lost on the last day"
    ),
    _ratio("legs_blocked_part", "legs_blocked", "legs", "Legs of calls that were blocked"),
    _ratio("legs_dropped_part", "legs_dropped", "legs", "Legs of calls that were cut off"),
    *_plain("From devices|To devices", "volume_up", "volume_down", unit="byte"),
    _last("volume_down", "To devices", "byte"),
    _ratio("prb_part", "prb_used", "prb_there", "Resource blocks in use"),
    *_plain("Time out of service", "unavailable", unit="s"),
)


def sources_of(kind: EntityKind) -> tuple[Source, ...]:
    """Return what is counted for entities of a kind."""
    return SUBSCRIBER_SOURCES if kind == EntityKind.SUBSCRIBER else NETWORK_SOURCES


def features_of(kind: EntityKind) -> tuple[Feature, ...]:
    """Return the columns of a row of an entity of a kind."""
    return SUBSCRIBER_FEATURES if kind == EntityKind.SUBSCRIBER else NETWORK_FEATURES


def rows_at(
    lake: Lake, sketches: Sketches, kind: EntityKind, cut_off: dt.date, days: int
) -> pl.DataFrame:
    """Return the features of all entities at a cut-off.

    Args:
        lake: The lake, of which only what was known at the cut-off is read.
        sketches: With the days of the window.
        kind: Whose rows.
        cut_off: Day at whose beginning (UTC) the row is true: nothing of it is seen.
        days: Length of the window before it.

    Returns:
        The entity's key, the `GROUP` it belongs to, and its features, by key.

    Raises:
        TelcoError: The lake lacks what is needed.
    """
    people = _subscribers(lake, cut_off) if kind == EntityKind.SUBSCRIBER else None
    entities = _network(lake, kind, cut_off) if people is None else people
    members = _members(lake, kind) if people is None else _themselves(entities)
    connection = sketches.connection
    connection.register("members", members)
    connection.register("entities", entities)
    sources = sketches.sources
    zero = counted(sources)
    known = ", ".join(f"coalesce({name}, 0) AS {name}" for name in zero)
    columns = ", ".join(f"({one.sql}) AS {one.name}" for one in features_of(kind))
    rows = connection.sql(
        f"""
        WITH counted AS ({window(sources, cut_off - dt.timedelta(days=days), cut_off)}),
        filled AS (
            SELECT entities.*, counted.* EXCLUDE (entity) REPLACE ({known})
            FROM entities LEFT JOIN counted USING (entity))
        SELECT entity AS {KEYS[kind]}, "{GROUP}", {columns} FROM filled ORDER BY 1"""
    )
    # DuckDB adds whole numbers up to ones of 128 bits, which are decimals elsewhere.
    found = rows.pl().cast({pl.Decimal: pl.Int64})
    connection.unregister("members")
    connection.unregister("entities")
    return found


def _themselves(entities: pl.DataFrame) -> pl.DataFrame:
    return entities.select("entity", member="entity")


def _subscribers(lake: Lake, cut_off: dt.date) -> pl.DataFrame:
    """Return who is a customer when a day begins, and what the operator knows of him then.

    The registry is true on the epoch. Of who joined later only the changes of identity tell.
    """
    registry = lake.scan("subscribers").select(
        "subscriber_id",
        "holder_id",
        pl.col("kind").cast(pl.String),
        "birth_date",
        "contract_start",
        plan_on_epoch="plan_id",
    )
    devices = lake.scan("devices").select(
        "device_id", "released", pl.col("device_class").cast(pl.String)
    )
    changes = asof.changes_until(lake, cut_off - dt.timedelta(days=1))
    joined = changes.group_by("subscriber_id").agg(joined=pl.col("event_time").min().dt.date())
    return (
        asof.identities_before(lake, cut_off)
        .filter("in_service")
        .select("subscriber_id", "device_id")
        .join(registry, on="subscriber_id", how="left")
        .join(joined, on="subscriber_id", how="left")
        .join(devices, on="device_id", how="left")
        .select(
            pl.col("holder_id").fill_null(pl.col("subscriber_id")).cast(pl.String).alias(GROUP),
            "kind",
            "plan_on_epoch",
            "device_class",
            entity="subscriber_id",
            contract_days=_days(cut_off, pl.coalesce("contract_start", "joined")),
            device_days=_days(cut_off, pl.col("released")),
            age_days=_days(cut_off, pl.col("birth_date")),
        )
        .collect()
    )


def _network(lake: Lake, kind: EntityKind, cut_off: dt.date) -> pl.DataFrame:
    """Return all cells, elements or sites, and what is known of them."""
    nothing = pl.lit(None, dtype=pl.String)
    if kind == EntityKind.CELL:
        age = pl.col("hardware_age_days") + (cut_off - asof.epoch_of(lake)).days
        columns = {"type": pl.col("rat_type").cast(pl.String)}
        columns["cell_class"] = pl.col("cell_class").cast(pl.String)
        rows = lake.scan("cells")
    elif kind == EntityKind.ELEMENT:
        age = _days(cut_off, pl.col("installed"))
        columns = {"type": pl.col("element_type").cast(pl.String), "cell_class": nothing}
        rows = lake.scan("network_elements")
    else:
        age = _days(cut_off, pl.col("built"))
        columns = {"type": nothing, "cell_class": nothing}
        rows = lake.scan("sites")
    key = pl.col(KEYS[kind])
    return rows.select(
        "vendor",
        pl.coalesce("site_id", key).alias(GROUP),
        entity=key,
        age_days=age.cast(pl.Int64),
        **columns,
    ).collect()


def _members(lake: Lake, kind: EntityKind) -> pl.DataFrame:
    """Return of which cells and elements the records tell of an entity.

    Those of a cell are its own and its base station's; those of an element its own and its cells';
    those of a site all that stand on it.
    """
    cells = lake.read("cells", columns=["cell_id", "element_id", "site_id"])
    elements = lake.read("network_elements", columns=["element_id", "site_id"])
    if kind == EntityKind.CELL:
        pairs = [("cell_id", "cell_id", cells), ("cell_id", "element_id", cells)]
    elif kind == EntityKind.ELEMENT:
        pairs = [("element_id", "element_id", elements), ("element_id", "cell_id", cells)]
    else:
        elements = elements.drop_nulls("site_id")
        pairs = [("site_id", "element_id", elements), ("site_id", "cell_id", cells)]
    found = [rows.select(entity=entity, member=member) for entity, member, rows in pairs]
    return pl.concat(found).unique()


def _days(cut_off: dt.date, since: pl.Expr) -> pl.Expr:
    return (pl.lit(cut_off) - since).dt.total_days()
