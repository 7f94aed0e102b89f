"""Labels: which records of a day an incident made or touched.

Belongs here: the rows of `truth_records`, from the records in the lake and the scenario layers of
the world. Does not belong here: the records, what an effect does to them (its home).

A record counts if it is of a touched subscriber, cell or element (those of a touched site
included), lies in the time of the touch, and in a dataset that the effect reaches
(`scenarios.effects.Effect.records`). So it says *touched by*, which is not *caused by*: a call that
drops at a cell in distress might have dropped anyway. What would have been is what a counterfactual
world tells. Of collected files, those count that went missing or came twice, and of an offer what
it left: the message that made it, and the return of who took it. A contact with care by phone takes
the call in `cdrs_voice` along that it was.

*Touched* are the targets. What a fault takes along elsewhere is a consequence: cells behind a
router, calls through an element of the core, the other sites of a feeder without mains. Which cells
suffer from it, `network_state` tells, and `network_faults` that it was this one.
"""

import datetime as dt
from collections.abc import Iterator
from itertools import product
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts.codes import IdentityChange
from telco_pipeline.contracts.truth import TRUTH_RECORDS
from telco_pipeline.engine.calendar import DAY, day_number, day_start
from telco_pipeline.engine.identifiers import EventIds
from telco_pipeline.generators.cdrs.offers import RECIPIENT, message_numbers
from telco_pipeline.generators.truth import grouped, incident_ids
from telco_pipeline.lake import Lake
from telco_pipeline.oss import collection
from telco_pipeline.oss.stories import story_of
from telco_pipeline.scenarios.effects import CELLS, EFFECTS, ELEMENTS, SITES, SUBSCRIBERS, Offer
from telco_pipeline.scenarios.selection import KEYS
from telco_pipeline.scenarios.story import Episodes, Story, Touch
from telco_pipeline.settings import WorldConfig
from telco_pipeline.state.offers import UPGRADE, Offered, offered

_CARE: Final = "customer_service"
_CALLS: Final = "cdrs_voice"
_MESSAGES: Final = "cdrs_sms"
_CHANGES: Final = "identity_changes"
_KEY: Final = ("subscriber_id", "cell_id", "element_id")
_Known = dict[tuple[str, int, tuple[str, ...]], pl.DataFrame | None]
"""Targets by key of records, first touch and names of effects: most datasets ask for the same."""


def make(config: WorldConfig, lake: Lake, day: dt.date) -> pl.DataFrame:
    """Return the touched records of a day, sorted by time and id.

    Args:
        config: The world.
        lake: Where its records lie.
        day: The day.
    """
    nothing = pl.DataFrame(schema=TRUTH_RECORDS.polars_schema)
    if not config.layers:
        return nothing
    story, episodes = story_of(config, lake), episodes_of(config, lake, day)
    touches = grouped(story.on(day, episodes).touches)
    frames: list[pl.DataFrame] = []
    known: _Known = {}
    for name in TRUTH_RECORDS.depends:
        if name in DATASETS and "event_id" in DATASETS[name].columns:
            found = list(_of_dataset(story, lake, name, day, list(touches.values()), known))
            frames += found
            if name == _CARE:
                frames += _calls_to_care(lake, day, found)
    frames += _of_files(config, lake, day)
    frames += _of_offers(story, episodes, lake, day)
    if not frames:
        return nothing
    found = pl.concat(frames).select(TRUTH_RECORDS.columns).cast(TRUTH_RECORDS.polars_schema)
    key = ["event_id", "incident_id", "stage", "role"]
    return found.unique(key, keep="first", maintain_order=True).sort("event_time", *key)


def episodes_of(config: WorldConfig, lake: Lake, day: dt.date) -> Episodes:
    """Return the stages with a trigger that have begun by a day, from `subscriber_state`."""
    story = story_of(config, lake)
    if not story.triggers:
        return Episodes.none()
    columns = ["episode", "episode_start"]
    frame = lake.read("subscriber_state", day, day, columns).with_row_index("row")
    begun = frame.drop_nulls("episode")
    return Episodes(
        begun["row"].to_numpy().astype(np.int64),
        begun["episode"].to_numpy(),
        begun["episode_start"].cast(pl.Int64).to_numpy(),
    )


def _of_dataset(
    story: Story,
    lake: Lake,
    name: str,
    day: dt.date,
    groups: list[list[Touch]],
    known: _Known,
) -> Iterator[pl.DataFrame]:
    """Yield the touched records of a dataset, by how they are found."""
    reached = [[one for one in touches if name in EFFECTS[one.name].records] for touches in groups]
    by_condition: dict[str | None, list[list[Touch]]] = {}
    for touches in filter(None, reached):
        by_condition.setdefault(_condition(touches), []).append(touches)
    for key, condition in product(_KEY, by_condition):
        if key not in DATASETS[name].columns:
            continue
        found = [_targets(story, touches, key, known) for touches in by_condition[condition]]
        found = [one for one in found if one is not None]
        if not found:
            continue
        wanted = pl.concat(found)
        records = lake.scan(name, day, day)
        if condition is not None:
            records = records.filter(pl.sql_expr(condition))
        records = records.select("event_id", "event_time", key)
        among = records.filter(pl.col(key).is_in(wanted[key].unique().implode())).collect()
        joined = among.join(wanted, on=key)
        inside = (pl.col("event_time") >= pl.col("start")) & (pl.col("event_time") < pl.col("end"))
        yield joined.filter(inside).select(
            pl.lit(name).alias("dataset"),
            "event_id",
            "incident_id",
            "stage",
            "role",
            "event_time",
            "effects",
            "benign",
        )


def _calls_to_care(
    lake: Lake, day: dt.date, contacts: list[pl.DataFrame]
) -> Iterator[pl.DataFrame]:
    """Yield the calls that touched contacts with care were; each contact names its own."""
    named = lake.scan(_CARE, day, day).select("event_id", "call_reference").drop_nulls().collect()
    for touched in contacts:
        told = touched.drop("dataset", "event_time").join(named, on="event_id").drop("event_id")
        if told.is_empty():
            continue
        calls = lake.scan(_CALLS, day, day).select("event_id", "event_time", "call_reference")
        wanted = told["call_reference"].unique().implode()
        found = calls.filter(pl.col("call_reference").is_in(wanted)).collect()
        yield found.join(told, on="call_reference").select(
            pl.lit(_CALLS).alias("dataset"), *touched.columns[1:]
        )


def _condition(touches: list[Touch]) -> str | None:
    """Return which of their targets' records some effects touch, in SQL; None for all."""
    told = {EFFECTS[touch.name].among for touch in touches}
    return None if None in told else " OR ".join(f"({one})" for one in sorted(filter(None, told)))


def _of_files(config: WorldConfig, lake: Lake, day: dt.date) -> Iterator[pl.DataFrame]:
    """Yield the files of a day that layers lost or doubled, by the ids of their arrivals.

    Here *touched* is *caused*: all other files of an element in its time are as they would be.
    """
    for touch, ids, times in collection.touched(config, lake, day):
        yield pl.DataFrame({"event_id": ids, "event_time": times}).select(
            pl.lit(collection.NAME).alias("dataset"),
            "event_id",
            incident_id=pl.lit(incident_ids(config.seed, touch.incident)),
            stage=pl.lit(touch.stage.name),
            role=pl.lit(touch.effect.who),
            event_time="event_time",
            effects=pl.lit(touch.name),
            benign=pl.lit(touch.benign),
        )


def _of_offers(
    story: Story, episodes: Episodes, lake: Lake, day: dt.date
) -> Iterator[pl.DataFrame]:
    """Yield what offers left on a day: messages with an offer, and who came back for one.

    Nothing else of the time is an offer's: no record of the control group, nor what other short
    codes write. A message may arrive on the day after it was sent. A change of plan has no record
    of its own, only the `subscriber_state` of its day.
    """
    for touch in _offers(story, episodes, day):
        assert isinstance(touch.effect, Offer)
        made = offered(touch)
        if touch.effect.what == UPGRADE:
            name, wanted = _MESSAGES, _messages(story, touch, made, day)
            records = lake.scan(name, day, day)
        else:
            name, key = _CHANGES, "subscriber_id"
            back = made.entity[made.taken == day_start(day) // DAY]
            wanted = story.ground.column(SUBSCRIBERS, key).gather(back).to_frame()
            records = lake.scan(name, day, day).filter(
                pl.col("change_type") == str(IdentityChange.WIN_BACK)
            )
        key = wanted.columns[0]
        chosen = pl.col(key).is_in(wanted[key].implode())
        found = records.filter(chosen).select("event_id", "event_time").collect()
        yield found.select(
            pl.lit(name).alias("dataset"),
            "event_id",
            incident_id=pl.lit(incident_ids(story.config.seed, touch.incident)),
            stage=pl.lit(touch.stage.name),
            role=pl.lit(touch.effect.who),
            event_time="event_time",
            effects=pl.lit(touch.name),
            benign=pl.lit(touch.benign),
        )


def _offers(story: Story, episodes: Episodes, day: dt.date) -> list[Touch]:
    """Return the touches of offers that go on on a day or the eve."""
    if not story.has("offer"):
        return []
    eve = max(day - dt.timedelta(days=1), story.config.epoch)
    return story.between(eve, day, "offer") + story.begun(eve, day, episodes, "offer")


def _messages(story: Story, touch: Touch, made: Offered, day: dt.date) -> pl.DataFrame:
    """Return the ids of the records that messages with an offer leave, of a day and the eve."""
    ids = EventIds(story.config.seed)
    found = []
    for sent in {max(day - dt.timedelta(days=1), story.config.epoch), day}:
        entity = made.entity[made.day == day_start(sent) // DAY]
        numbers = message_numbers(touch, entity, day_number(sent))
        found.append(ids.of(numbers + RECIPIENT))
    return pl.DataFrame({"event_id": np.concatenate(found)})


def _targets(story: Story, touches: list[Touch], key: str, known: _Known) -> pl.DataFrame | None:
    asked = (key, id(touches[0]), tuple(one.name for one in touches))
    if asked not in known:
        known[asked] = targets(story, touches, key)
    return known[asked]


def targets(story: Story, touches: list[Touch], key: str) -> pl.DataFrame | None:
    """Return who is touched, by one of the keys of records; None if they have no such key."""
    touch = touches[0]
    position = np.arange(len(touch))
    if key == "subscriber_id" and touch.of == SUBSCRIBERS:
        rows, of = touch.rows, SUBSCRIBERS
    elif key == "cell_id" and touch.of in (CELLS, SITES, ELEMENTS):
        (position, rows), of = story.cells_under(touch), CELLS
    elif key == "element_id" and touch.of in (SITES, ELEMENTS):
        (position, rows), of = story.elements_under(touch), ELEMENTS
    else:
        return None
    return pl.DataFrame(
        {
            key: story.ground.column(of, KEYS[of]).gather(rows),
            "start": pl.Series(touch.start[position]).cast(pl.Datetime("us", "UTC")),
            "end": pl.Series(touch.end[position]).cast(pl.Datetime("us", "UTC")),
        }
    ).with_columns(
        incident_id=pl.lit(incident_ids(story.config.seed, touch.incident)),
        stage=pl.lit(touch.stage.name),
        role=pl.lit(touch.effect.who),
        effects=pl.lit(",".join(dict.fromkeys(one.name for one in touches))),
        benign=pl.lit(touch.benign),
    )
