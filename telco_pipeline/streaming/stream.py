"""A stream: the days of a lake, one after another, from feed to broker.

Belongs here: putting feed, topics and publisher together for a day, and going from day to day, as
far as there are days or as the clock goes. Does not belong here: any of those parts, options
(`cli`), runs of Dagster.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.streaming import progress, topics
from telco_pipeline.streaming.connection import Connection
from telco_pipeline.streaming.control import Control
from telco_pipeline.streaming.disturb import Disturbance
from telco_pipeline.streaming.encoding import Encoder, JsonEncoder
from telco_pipeline.streaming.feed import DayFeed
from telco_pipeline.streaming.layout import StreamSettings, Topic
from telco_pipeline.streaming.pacing import Pace
from telco_pipeline.streaming.people import People
from telco_pipeline.streaming.publisher import Delivery, OnProgress, deliver
from telco_pipeline.streaming.sources import inputs_of, lacking

FOLDER: Final = "_streams"
"""Where in a lake its streams tell of themselves; see `control`."""
DAY: Final = dt.timedelta(days=1)
_LOOK_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Stream:
    """What goes where, the same for all days.

    Attributes:
        lake: Where the records are; a world beside the main one is streamed as it shows.
        topics: Where to.
        settings: How.
        connection: The broker.
        people: Send only what is of these.
        again: Send days anew that were sent.
    """

    lake: Lake
    topics: tuple[Topic, ...]
    settings: StreamSettings
    connection: Connection
    people: People | None = None
    again: bool = False

    @property
    def world(self) -> str:
        """Hash of the world that the lake holds."""
        held = self.lake.held_world()
        if held is None:
            raise TelcoError(f"{self.lake.root} holds no world: make one with telco generate")
        return held.world_hash

    @property
    def folder(self) -> Path:
        """Where its state is kept while it runs."""
        return Path(self.lake.root) / FOLDER

    @property
    def datasets(self) -> list[str]:
        """The datasets that are sent."""
        return [name for topic in self.topics for name in topic.datasets]

    def prepared(self) -> tuple[Topic, ...]:
        """Have the topics at the broker; return all that are written.

        Raises:
            TelcoError: The broker or the schema registry cannot be reached, a topic there is not as
                it should be, or the registry refuses a schema.
        """
        self._encoder()  # registers its schemas before anything is made
        written = self.topics
        if self.disturbance is not None:
            written = (*written, self.settings.disturbances)
        topics.ensure(self.connection, written, encoding=self.settings.encoding)
        progress.ensure(self.connection, self.settings.progress)
        return written

    @property
    def disturbance(self) -> Disturbance | None:
        """What is disturbed on purpose; None for nothing."""
        rates = self.settings.disturb
        return Disturbance(rates, self.settings.disturbances) if any(rates.values()) else None

    def feed(
        self, day: dt.date, start: dt.datetime | None = None, end: dt.datetime | None = None
    ) -> DayFeed:
        """Return the entries of a day.

        Raises:
            TelcoError: The lake lacks a dataset of that day.
        """
        return DayFeed(
            self.lake,
            day,
            self.topics,
            encoder=self._encoder(),
            headers=self.settings.headers != "none",
            people=self.people,
            disturbance=self.disturbance,
            start=start,
            end=end,
        )

    def _encoder(self) -> Encoder:
        if self.settings.encoding == "json":
            return JsonEncoder()
        # Here, not above: what it needs is an extra.
        from telco_pipeline.streaming.avro import AvroEncoder

        return AvroEncoder.of(self.settings, self.topics)

    def push(
        self,
        day: dt.date,
        pace: Pace,
        *,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        control: Control | None = None,
        on_progress: OnProgress | None = None,
        max_count: int | None = None,
    ) -> Delivery:
        """Send what of a day is not sent yet; see `publisher.deliver`.

        Args:
            day: The day.
            pace: When entries are due.
            start: Leave out what happened before.
            end: Leave out what happened then or later.
            control: Who may stop or pause it, entered by the caller.
            on_progress: Told of each commit.
            max_count: End after so many entries.

        Raises:
            TelcoError: As `deliver`, or the lake lacks a dataset of that day.
        """
        return deliver(
            self.feed(day, start, end),
            self.connection,
            pace,
            world=self.world,
            day=day,
            settings=self.settings,
            control=control,
            on_progress=on_progress,
            again=self.again,
            max_count=max_count,
        )

    def absent(self, day: dt.date) -> list[str]:
        """Return the datasets of a day that are sent and not in the lake."""
        return lacking(self.lake, self.datasets, day)

    def lacks(self, day: dt.date) -> list[str]:
        """Return what the rows of a day are read from and the lake does not have.

        More than what is `absent`: a live stream awaits all of it, as rows of users that are read
        before all is there would be others afterwards. Days that were made long ago are read from
        what there is.

        Raises:
            TelcoError: The lake does not say when its world begins, and users are sent.
        """
        return lacking(self.lake, inputs_of(self.datasets), day)


OnDay = Callable[[dt.date], None]
Waiting = Callable[[dt.date], AbstractContextManager[object]]
Now = Callable[[], dt.datetime]


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def replay(
    stream: Stream,
    days: Sequence[dt.date],
    pace: Callable[[], Pace],
    *,
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    control: Control | None = None,
    on_day: OnDay | None = None,
    on_progress: OnProgress | None = None,
    max_count: int | None = None,
) -> Iterator[Delivery]:
    """Send days in order; yield what was done after each.

    Ends early when `control` says so, or after `max_count` entries over all days.
    """
    left = max_count
    for day in days:
        if on_day is not None:
            on_day(day)
        done = stream.push(
            day,
            pace(),
            start=start,
            end=end,
            control=control,
            on_progress=on_progress,
            max_count=left,
        )
        yield done
        left = None if left is None else left - done.records
        if done.stopped or (control is not None and control.is_stopping) or left == 0:
            return


def live(
    stream: Stream,
    *,
    since: dt.datetime | None = None,
    control: Control | None = None,
    make: Callable[[dt.date], None] | None = None,
    on_day: OnDay | None = None,
    on_progress: OnProgress | None = None,
    max_count: int | None = None,
    now: Now = _now,
    waiting: Waiting = lambda _: nullcontext(),
) -> Iterator[Delivery]:
    """Send the running day's entries at their times, then the next day's, until told to stop.

    A stream that stopped today, or over the last midnight, goes on behind its last entry: what
    became due meanwhile is sent at once. One that begins does so with what is due from now on.

    Args:
        stream: What goes where.
        since: Begin with what is due from then on (of the running day), not from now on.
        control: Who may stop or pause it.
        make: Makes what the lake lacks of a day; called before the day is sent. Without it a day
            that is not there is waited for.
        on_day: Told of each day that begins.
        on_progress: Told of each commit.
        max_count: End after so many entries.
        now: The clock.
        waiting: Surrounds a wait for a day, to tell people.

    Raises:
        TelcoError: As `Stream.push`.
    """
    control = control or Control()
    day = (since or now()).date()
    left = max_count
    if since is None:
        eve = _begun(stream, day - DAY, control)
    else:
        eve = None
        _tell_of_begun(stream, day, since, control)
    if eve is not None:
        if on_day is not None:
            on_day(day - DAY)
        done = eve.push(
            day - DAY, Pace.of(live=True), control=control, on_progress=on_progress, max_count=left
        )
        yield done
        left = None if left is None else left - done.records
        if done.stopped or left == 0:
            return
    while not control.is_stopping:
        if stream.lacks(day) and make is not None:
            make(day)
        if stream.lacks(day):
            with waiting(day):
                _await(stream, day, control)
            if control.is_stopping:
                return
        if on_day is not None:
            on_day(day)
        begin = None if since is None else int(since.timestamp() * 1e6)
        done = stream.push(
            day,
            Pace.of(live=True, since=begin),
            control=control,
            on_progress=on_progress,
            max_count=left,
        )
        yield done
        left = None if left is None else left - done.records
        if done.stopped or left == 0:
            return
        # The next day begins with its first entry, not with the time at which this one ended.
        day += DAY
        since = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        # Sent anew is what was sent before this stream began.
        stream = replace(stream, again=False)


def _begun(stream: Stream, day: dt.date, control: Control) -> Stream | None:
    """Return the stream of those topics whose day was begun and not sent to its end; None if all.

    None, too, if the lake no longer has the day: it is sent when somebody asks for it. Topics that
    were begun from other rows or with other settings are told of and left out: today goes on.
    """
    if stream.again or stream.absent(day):
        return None
    sent = progress.read(stream.connection, stream.settings.progress.name).of(stream.world, day)
    begun = [one for one in stream.topics if one.name in sent and not sent[one.name].done]
    if not begun:
        return None
    try:
        content = replace(stream, topics=tuple(begun)).feed(day).content
    except TelcoError as error:
        control.tell(f"what is left of {day} is not sent: {error}")
        return None
    fitting = tuple(one for one in begun if sent[one.name].content == content[one.name])
    others = ", ".join(one.name for one in begun if one not in fitting)
    if others:
        control.tell(
            f"{day} was begun in {others} from other rows or with other settings (times, encoding, "
            "headers, users, disturbances): what is left of it there is not sent. Send it with "
            f"those settings, or all of it: telco stream --from {day} --to {day} --again"
        )
    return replace(stream, topics=fitting) if fitting else None


def _tell_of_begun(stream: Stream, day: dt.date, since: dt.datetime, control: Control) -> None:
    """Say of which topics a day was begun before, so that the time asked for does not matter."""
    if stream.again:
        return
    sent = progress.read(stream.connection, stream.settings.progress.name).of(stream.world, day)
    begun = [one.name for one in stream.topics if one.name in sent and sent[one.name].records]
    if begun:
        control.tell(
            f"{day} was begun before in {', '.join(begun)}: it goes on behind the last record "
            f"there, not from {since:%H:%M} on; --again sends it anew from then on"
        )


def _await(stream: Stream, day: dt.date, control: Control) -> None:
    """Wait until the lake has a day, or until told to stop."""
    control.update(
        force=True,
        status="running",
        message=f"{day} is not in the lake yet ({', '.join(stream.lacks(day))})",
    )
    while stream.lacks(day) and not control.is_stopping:
        until = time.monotonic() + _LOOK_SECONDS
        while time.monotonic() < until and not control.is_stopping:
            time.sleep(0.2)
    control.update(force=True, message="")
