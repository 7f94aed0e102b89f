"""Publisher: sends the entries of a day in transactions, each of which also says how far it came.

Belongs here: producing, committing, what to do when the broker does not answer. Does not belong
here: the entries (`feed`), when they are due (`pacing`), who may stop it (`control`), what a
transaction adds up to (`tally`), why a broker refuses (`obstacles`).

Whatever breaks, there is one way on: a new producer of the same transactional id. The broker ends
what the old one left open, and only then tells progress, so that both agree on what was sent. The
same happens when a publisher is killed and another is started.
"""

import contextlib
import datetime as dt
import gc
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import length_hint
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming import obstacles, progress
from telco_pipeline.streaming.connection import Connection, explain
from telco_pipeline.streaming.control import Control
from telco_pipeline.streaming.delivery import Delivery, Sent
from telco_pipeline.streaming.entries import Batch, Feed, Part
from telco_pipeline.streaming.layout import StreamSettings
from telco_pipeline.streaming.pacing import Lateness, Pace, Seconds
from telco_pipeline.streaming.progress import Claim, Ends, Progress
from telco_pipeline.streaming.tally import Tally

PATIENCE: Final = 60.0
"""Seconds without a commit after which a broker that does not answer is given up."""
FAST_RECORDS: Final = 50_000
"""Records in a transaction without a clock; what larger ones did is told in docs/streaming.md."""
SENDING: Final[Mapping[str, Any]] = {
    "acks": "all",
    # Java's: a subscriber lies in the same partition whoever writes.
    "partitioner": "murmur2_random",
    "linger.ms": 20,
    "batch.size": 1_000_000,
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 131_072,
}
"""How librdkafka sends; the benchmark gives its rival the same."""
_CHUNK: Final = 2_000
"""Records between two looks at clock, control and broker."""
_STUCK: Final = 6.0
"""Seconds after which a broker that takes nothing is asked why."""
_START_SECONDS: Final = 10.0
_SLICE: Final = 1.0
_NAP: Final = 0.05
_OBJECTS: Final = 200_000
"""New objects after which Python looks for garbage."""
_USUAL_BATCH: Final = 1_000_000
_SAMPLES_A_SECOND: Final = 1_000
_FENCED: Final = (
    KafkaError._FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.PRODUCER_FENCED,
)
_HOPELESS: Final = (
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._AUTHENTICATION,
    KafkaError.POLICY_VIOLATION,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_TRANSACTION_TIMEOUT,
    KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError.UNSUPPORTED_COMPRESSION_TYPE,
    KafkaError._INVALID_ARG,
)
"""What no second try mends."""


OnProgress = Callable[[int, int], None]
"""Called after each commit of records with those committed by this run, and their bytes."""


def deliver(
    feed: Feed,
    connection: Connection,
    pace: Pace,
    *,
    world: str,
    day: dt.date,
    settings: StreamSettings,
    control: Control | None = None,
    on_progress: OnProgress | None = None,
    again: bool = False,
    max_count: int | None = None,
    patience: float = PATIENCE,
    transaction_records: int = FAST_RECORDS,
    client: Mapping[str, Any] | None = None,
) -> Delivery:
    """Send what of a day is not sent yet, each entry once.

    Args:
        feed: The entries. Its topics are there (`topics.ensure`).
        connection: The broker.
        pace: When entries are due.
        world: Hash of the world.
        day: The day.
        settings: Names of the progress topic and of the publisher, seconds between commits.
        control: Who may stop or pause it; entered by the caller.
        on_progress: Told of each commit.
        again: Forget that the day was sent into these topics, and send all of it.
        max_count: End after so many entries, if there are more.
        patience: Seconds without a commit after which a broker that does not answer is given up.
        transaction_records: Entries in a transaction, at most.
        client: More settings of librdkafka, by their own names.

    Returns:
        What was sent, also if it was stopped.

    Raises:
        TelcoError: The broker refuses, does not answer any more, another publisher took this day
            over, or the day was sent from other rows or with other settings.
    """
    run = _Run(
        feed,
        connection,
        pace,
        world,
        day,
        settings,
        control or Control(),
        on_progress,
        again,
        max_count,
        patience,
        transaction_records,
        dict(client or {}),
    )
    with _rare_collections():
        return run.run()


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """Let Python look for garbage less often while hundreds of thousands of objects are sent.

    Records make no reference cycles, and are freed without it. After every 700 of them it would
    look through all lists of records that are on the way, a tenth of all the work.
    """
    usual = gc.get_threshold()
    gc.set_threshold(max(usual[0], _OBJECTS) if usual[0] else 0, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


class _BrokenError(Exception):
    """A producer is of no use any more; a new one may be."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(error.str())
        self.error = error


@dataclass
class _Run:
    """One call of `deliver`."""

    feed: Feed
    connection: Connection
    pace: Pace
    world: str
    day: dt.date
    settings: StreamSettings
    control: Control
    on_progress: OnProgress | None
    again: bool
    max_count: int | None
    patience: float
    transaction_records: int
    client: dict[str, Any]

    claim: Claim = field(default_factory=Claim.mine)
    producer: Producer | None = None
    complaints: list[KafkaError] = field(default_factory=list)
    failures: list[KafkaError] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    book: dict[str, Progress] = field(default_factory=dict)
    at_start: dict[str, Progress] = field(default_factory=dict)
    first: dict[str, Ends] = field(default_factory=dict)
    last: dict[str, Ends] = field(default_factory=dict)

    open_since: float | None = None
    open_due: list[Seconds] = field(default_factory=list)
    tally: Tally = field(init=False)
    sample: int = 1

    without_time: npt.NDArray[np.bool_] = field(init=False)
    sent: int = 0
    timeless: int = 0
    size: int = 0
    transactions: int = 0
    restarts: int = 0
    first_due: float | None = None
    last_due: float = 0.0
    shift: float = 0.0
    last_ack: float = 0.0
    begun: float = field(default_factory=time.monotonic)
    alive: float = field(default_factory=time.monotonic)
    committed_at: float = 0.0
    acknowledged: Lateness = field(default_factory=Lateness)
    committed: Lateness = field(default_factory=Lateness)
    stopped: bool = False
    is_waiting: bool = False

    def __post_init__(self) -> None:
        self.tally = Tally(self.feed)
        # By another clock than the wall's they are due like all others.
        self.without_time = np.array(
            [self.pace.kind == "live" and not topic.is_timed for topic in self.feed.topics]
        )

    # --- from the start to the end ---------------------------------------------------------

    def run(self) -> Delivery:
        names = [topic.name for topic in self.feed.topics]
        self.control.update(
            force=True, status="starting", day=self.day.isoformat(), topics=tuple(names)
        )
        progress.ensure(self.connection, self.settings.progress)
        self.first = progress.end_offsets(self.connection, *names)
        told = obstacles.configured(self.connection, names)
        obstacles.check_kept(told, self.day)
        self.limits = obstacles.limits(told, names)
        cause: KafkaError | None = None
        while True:
            try:
                self._open(cause)
                self._send()
                break
            except _BrokenError as broken:
                cause = self._again(broken.error)
            except KafkaException as error:
                cause = self._again(error.args[0])
            finally:
                self._drop()
        return self._result(self.last or progress.end_offsets(self.connection, *names))

    def _result(self, last: Mapping[str, Ends]) -> Delivery:
        topics: dict[str, Sent] = {}
        for name, now in self.book.items():
            before = self.at_start[name]
            topics[name] = Sent(
                now.records - before.records,
                now.size - before.size,
                {
                    kind: count - before.disturbed.get(kind, 0)
                    for kind, count in now.disturbed.items()
                },
                now.records,
                dict(now.begun),
                self.first[name],
                last[name],
                now.done,
                now.began,
            )
        return Delivery(
            self.day,
            topics,
            time.monotonic() - self.begun,
            self.transactions,
            self.restarts,
            self._asked(),
            self._achieved(),
            self.acknowledged,
            self.committed,
            self.stopped,
        )

    def _asked(self) -> float | None:
        """Return the records a second that were due, over the time in which they were."""
        if self.pace.is_fast or self.first_due is None:
            return None
        if self.pace.kind == "rate":
            return self.pace.value
        span, count = self.last_due - self.first_due, self.sent - self.timeless
        return (count - 1) / span if span > 0 and count > 1 else None

    def _achieved(self) -> float:
        if self.first_due is None:
            span, count = self.committed_at - self.begun, self.sent
        else:
            span, count = self.last_ack - self.first_due, self.sent - self.timeless
        return count / span if span > 0 else 0.0

    # --- producers come and go -------------------------------------------------------------

    def _open(self, cause: KafkaError | None) -> None:
        """Make a producer that is the only one of this day, and see how far the day came."""
        if cause is not None:
            self._still_mine(cause)
        self.complaints, self.failures = [], []
        smallest = min(self.limits.values(), default=obstacles.USUAL_LIMIT)
        own: dict[str, Any] = {
            "transactional.id": f"{self.settings.prefix}-{self.world[:8]}-{self.day.isoformat()}",
            "transaction.timeout.ms": int(progress.TRANSACTION_SECONDS * 1000),
            **SENDING,
            "linger.ms": SENDING["linger.ms"] if self.pace.is_fast else 10,
            "batch.size": min(SENDING["batch.size"], smallest),
            "message.max.bytes": min(max(_USUAL_BATCH, *self.limits.values()), 10**9),
            "topic.metadata.propagation.max.ms": 5_000,
            "socket.timeout.ms": 10_000,
            "reconnect.backoff.max.ms": 1_000,
            "retry.backoff.max.ms": 500,
            "error_cb": self.complaints.append,
        }
        try:
            self.producer = Producer(self.connection.client() | own | self.client)
        except KafkaException as error:
            raise explain(error, self.connection, "making a producer") from error
        self._wait_for(self.producer.init_transactions, "beginning")
        found = self._found()
        if self.at_start:
            self.book = {name: found[name] for name in self.book}
        else:
            self._first_time(found)
        self.open_since, self.open_due = None, []
        self.tally = Tally(self.feed)
        self.sent = sum(
            self.book[name].records - before.records for name, before in self.at_start.items()
        )
        self.timeless = sum(
            self.book[topic.name].records - self.at_start[topic.name].records
            for topic, is_without in zip(self.feed.topics, self.without_time, strict=True)
            if is_without
        )
        self.alive = time.monotonic()

    def _found(self) -> dict[str, Progress]:
        """Read how far the day came."""
        try:
            return progress.read(
                self.connection,
                self.settings.progress.name,
                stopping=lambda: self.control.is_stopping and not self.at_start,
            ).of(self.world, self.day)
        except TelcoError as error:
            if not self.at_start:
                raise
            self._gone_again(error)

    def _gone_again(self, error: TelcoError) -> NoReturn:
        """Go on with a new producer: the broker is gone, or has no leader for a topic yet."""
        self._check_patience(error)
        time.sleep(_NAP)
        raise _BrokenError(KafkaError(KafkaError._TRANSPORT)) from error

    def _first_time(self, found: Mapping[str, Progress]) -> None:
        """Check what was sent before, and write down that this process goes on with it."""
        since = self.pace.start()
        # Not sooner: until `init_transactions` an earlier publisher of the day may have sent more.
        self.first = progress.end_offsets(self.connection, *self.first)
        truth = self.first.get(self.settings.disturbances.name, {})
        timed = {topic.name: topic.is_timed for topic in self.feed.topics}
        for name in self.first:
            content = self.feed.content[name]
            before = found.get(name)
            # Truth about records of several topics has no position of its own, nor a beginning.
            shared = before is not None and before.records > 0 and before.position is None
            # Of a start that failed before it sent anything nothing is left to go on with.
            void = before is not None and before.records == 0 and before.content != content
            if before is None or void or (self.again and not shared):
                before = Progress(
                    self.world,
                    self.day,
                    name,
                    content,
                    # All of what has no time of its own is of the day's start.
                    since=since if timed[name] else None,
                    begun=self.first[name],
                    told=truth,
                    part=self.feed.parts.get(name, Part()),
                )
            elif before.content != content:
                raise TelcoError(
                    f"{self.day} was sent to {name} up to record {before.records:,} from other "
                    "rows or with other settings (times, encoding, headers, users, disturbances): "
                    "set them back to go on, or send the whole day again with --again"
                )
            self.book[name] = before
        assert self.producer is not None
        self.producer.begin_transaction()
        key = progress.day_key(self.world, self.day).encode()
        self._keep(key, self.claim.value())
        for name, one in self.book.items():
            if one is not found.get(name):
                self._keep(one.key, one.value())
        self._wait_for(self.producer.commit_transaction, "beginning")
        self.at_start = dict(self.book)

    def _still_mine(self, cause: KafkaError) -> None:
        """Refuse to go on if another publisher has taken the day over.

        The broker fences a producer if another one of its name has begun, or if a transaction was
        open for too long. What was not open for that long was fenced by another.
        """
        fenced = cause.code() in _FENCED
        open_for = 0.0 if self.open_since is None else time.monotonic() - self.open_since
        taken = fenced and open_for < progress.TRANSACTION_SECONDS - 2.0
        holder = self._other_claim(wait=3.0 if fenced else 0.0)
        if holder is None and not taken:
            return
        who = f" (process {holder.pid} on {holder.host})" if holder else ""
        raise TelcoError(
            f"another publisher of {self.day} has taken over{who}: what this one had not "
            "committed, that one sends; stop it first if this one is to go on"
        )

    def _other_claim(self, wait: float) -> Claim | None:
        """Return who else claims the day; waits some seconds for that, as it may just do so."""
        end = time.monotonic() + wait
        while True:
            try:
                book = progress.read(self.connection, self.settings.progress.name, wait=0)
            except TelcoError as error:
                # No answer: what broke the producer is still so.
                self._check_patience(error)
                return None
            holder = book.claims.get(progress.day_key(self.world, self.day))
            if holder is not None and holder.publisher != self.claim.publisher and self.at_start:
                return holder
            if time.monotonic() >= end:
                return None
            time.sleep(0.2)

    def _check_patience(self, why: TelcoError) -> None:
        if time.monotonic() - self.alive > self._longest:
            raise why

    @property
    def _longest(self) -> float:
        """Seconds without a commit after which we give up; before the first one somebody waits."""
        return self.patience if self.transactions else min(self.patience, _START_SECONDS)

    def _again(self, error: KafkaError) -> KafkaError:
        """Note that a new producer goes on after an error; raise it if none can."""
        cause = self._mendable(error)
        self.restarts += 1
        self.is_waiting = True
        left = self._longest - (time.monotonic() - self.alive)
        told = explain(self._telling(cause), self.connection, "lost the broker")
        self.control.tell(f"{told}; tries again for {max(left, 0):.0f} s")
        return cause

    def _mendable(self, error: KafkaError) -> KafkaError:
        """Return an error after which a new producer may go on; raise it if none can."""
        if self.producer is not None:
            try:
                self.producer.poll(0)
            except KafkaException as fatal:
                self.complaints.append(fatal.args[0])
        for one in (*self.failures, error):
            if one.code() in _HOPELESS:
                raise self._explained(one)
        for one in self.complaints:
            if one.code() in _HOPELESS:
                raise self._explained(one)
        waited = time.monotonic() - self.alive
        if self.control.is_stopping or waited > self._longest:
            raise self._explained(self._telling(error), f" ({waited:.0f} s without a commit)")
        # What a call raises may just say that something fatal was said before.
        fenced = [one for one in (*self.complaints, *self.failures) if one.code() in _FENCED]
        return (fenced or [error])[0]

    def _telling(self, error: KafkaError) -> KafkaError:
        """Return what says most of why something failed: the last complaint, if there is one."""
        empty = (KafkaError._ALL_BROKERS_DOWN, *_FENCED)
        return next((one for one in reversed(self.complaints) if one.code() not in empty), error)

    def _explained(self, error: KafkaError, more: str = "") -> TelcoError:
        names = ", ".join(self.first)
        told = explain(error, self.connection, f"sending {self.day} to {names}")
        return TelcoError(f"{told}{more}; {self._kept}")

    @property
    def _kept(self) -> str:
        """What is not lost, in words."""
        return (
            f"{self.sent - self.tally.records:,} records of this run are committed, the next run "
            "goes on after them"
        )

    def _drop(self) -> None:
        """Let go of the producer, and of what it has not sent."""
        producer, self.producer = self.producer, None
        if producer is None:
            return
        with contextlib.suppress(KafkaException):
            producer.purge()
        if self.open_since is not None:
            # Else the broker would end it only after its timeout, and hide what others commit.
            with contextlib.suppress(KafkaException):
                producer.abort_transaction(2.0)
        with contextlib.suppress(KafkaException):  # that it was fenced, once more
            producer.poll(0)

    def _wait_for(self, action: Callable[[float], None], doing: str) -> None:
        """Do what a broker may take some time for; ask why if it takes long."""
        begun = time.monotonic()
        asked = False
        # An open transaction is lost by then, and a new producer sees more. Of an outage that
        # lasts, what is left of our patience.
        left = self._longest - (begun - self.alive if self.is_waiting else 0.0)
        longest = min(progress.TRANSACTION_SECONDS, max(left, _SLICE))
        while True:
            try:
                action(_SLICE)
                return
            except KafkaException as error:
                cause: KafkaError = error.args[0]
                if not cause.retriable():
                    raise _BrokenError(cause) from error
            assert self.producer is not None
            self.producer.poll(0)
            waited = time.monotonic() - begun
            if waited > _STUCK and not asked:
                asked = True
                self._ask_why(doing)
            for one in self.complaints:
                if one.code() in _HOPELESS:
                    raise self._explained(one)
            if waited > longest:
                raise _BrokenError(self.complaints[-1] if self.complaints else cause)

    def _ask_why(self, doing: str) -> None:
        """Raise what keeps the broker from taking records; say that we wait if nobody tells."""
        why = obstacles.obstacle(self.connection, [*self.first, self.settings.progress.name])
        if why:
            raise TelcoError(
                f"{doing} {self.day} at {self.connection.address}: {why}; {self._kept}"
            )
        if self.is_waiting:  # that was said
            return
        silent = time.monotonic() - self.alive
        since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=silent)
        self.is_waiting = True
        what = "does not answer" if why is None else "answers, but takes nothing"
        self.control.tell(
            f"the broker at {self.connection.address} {what}, the last commit was at "
            f"{since:%H:%M:%S} UTC; waits {max(self._longest - silent, 0):.0f} s more (it may be "
            "restarting; a full or read-only disk ends a broker: its log says so)"
        )

    # --- sending ---------------------------------------------------------------------------

    def _send(self) -> None:
        """Send all that is left, until the end or until told to stop."""
        after = {name: one.after for name, one in self.book.items()}
        if all(one.done for one in self.book.values()):
            return
        self.control.update(force=True, status="running", message="")
        batches = self.feed.batches({name: at for name, at in after.items() if at is not None})
        with contextlib.closing(_generator(batches)) as entries:
            for batch in entries:
                if self.open_since is None:
                    self.alive = time.monotonic()  # until now the feed was waited for
                if not self._send_batch(batch):
                    self.stopped = True
                    break
        self._commit()
        if not self.stopped:
            self._finish()

    def _finish(self) -> None:
        """Write down that all is sent, and where it ends: who counts it need not read further."""
        try:
            self.last = progress.end_offsets(self.connection, *self.first)
        except TelcoError as error:
            self._gone_again(error)
        truth = self.last.get(self.settings.disturbances.name, {})
        self._commit(
            {
                name: one
                if one.done
                else replace(one, done=True, ended=self.last[name], told_ended=truth)
                for name, one in self.book.items()
            }
        )

    def _send_batch(self, batch: Batch) -> bool:
        """Send a batch; return whether there is to be more."""
        names = [topic.name for topic in self.feed.topics]
        obstacles.check_sizes(batch, names, self.limits)
        topics = [names[number] for number in batch.topic.tolist()]
        stamps = (batch.event_time // 1000).tolist()
        headers = batch.headers or []
        due = None if self.pace.is_fast else self.pace.due(batch.release, self.sent)
        at, end = 0, len(batch)
        if self.max_count is not None:
            end = min(end, self.max_count - self.sent)
        while at < end:
            if self.control.is_stopping:
                return False
            if self.control.is_paused:
                due = self._paused(due)
                continue
            until = min(end, at + _CHUNK, at + self.transaction_records - self.tally.records)
            if due is not None:
                until = at + int(np.searchsorted(due[at:until], self.pace.clock(), "right"))
            if until > at:
                if self.open_since is None:
                    self._begin()
                part = slice(at, until)
                timed = None if due is None else self._counted(batch, part, due)
                self._produce(
                    topics[part],
                    batch.value[part],
                    batch.key[part],
                    stamps[part],
                    headers[part],
                    timed,
                )
                self.tally.add(batch, part)
                self.sent += until - at
                if timed is not None:
                    self._timed(timed[~np.isnan(timed)])
                at = until
            assert self.producer is not None
            self.producer.poll(0)
            self._commit_if_due()
            if due is not None and at < end:
                self._nap(float(due[at]))
        return self.max_count is None or self.sent < self.max_count

    def _counted(self, batch: Batch, part: slice, due: Seconds) -> Seconds:
        """Return when some entries are due; NaN for those whose lateness says nothing."""
        without = self.without_time[batch.topic[part]]
        self.timeless += int(without.sum())
        return np.where(without, np.nan, due[part])

    def _nap(self, due: float) -> None:
        """Wait for the next entry, the next commit, or for what control may say."""
        wait = due - self.pace.clock()
        if self.open_since is not None:
            wait = min(wait, self.open_since + self.settings.interval - time.monotonic())
        else:
            # Nothing is owed: an outage is not counted from the last commit, hours ago perhaps.
            self.alive = time.monotonic()
        if wait > 0:
            # Some wait in any case: entries one by one would cost more than they need.
            self.pace.sleep(min(max(wait, 0.005), _NAP))
        self.control.update()

    def _paused(self, due: Seconds | None) -> Seconds | None:
        """Hold until told to go on; return when what is left is due then."""
        self._commit()
        self.pace.pause()
        self.control.update(force=True, status="paused")
        assert self.producer is not None
        while self.control.is_paused and not self.control.is_stopping:
            self.producer.poll(0)
            self.pace.sleep(_NAP)
            self.control.update()
            self.alive = time.monotonic()
        shift = self.pace.resume()
        self.shift += shift
        self.control.update(force=True, status="running")
        return None if due is None else due + shift

    def _begin(self) -> None:
        assert self.producer is not None
        self.producer.begin_transaction()
        self.open_since = time.monotonic()

    def _produce(
        self,
        topics: Sequence[str],
        values: Sequence[bytes],
        keys: Sequence[bytes | None],
        stamps: Sequence[int],
        headers: Sequence[Any],
        due: Seconds | None,
    ) -> None:
        """Hand entries to librdkafka; waits where its queue is full."""
        assert self.producer is not None
        produce = self.producer.produce
        told = _NOBODY if due is None else iter(self._watches(due))
        columns = [iter(topics), iter(values), iter(keys), _ANY, told, _NOBODY, iter(stamps)]
        if headers:
            columns.append(iter(headers))
        while True:
            try:
                # `map` into a list that holds nothing: no Python code runs for a record.
                deque(map(produce, *columns), maxlen=0)
                return
            except BufferError:
                at = len(values) - length_hint(columns[1]) - 1
            told_of = None if due is None else self._watch(at, due)
            record = (topics[at], values[at], keys[at], -1, told_of, None, stamps[at])
            self._produce_later((*record, headers[at]) if headers else record)

    def _watches(self, due: Seconds) -> list["_Watch | None"]:
        """Return what tells of some records when the broker acknowledged them."""
        told: list[_Watch | None] = [None] * len(due)
        for at in range(0, len(due), self.sample):
            told[at] = self._watch(at, due)
        return told

    def _watch(self, at: int, due: Seconds) -> "_Watch | None":
        if at % self.sample or np.isnan(due[at]):
            return None
        return _Watch(self, float(due[at]))

    def _produce_later(self, record: tuple[Any, ...]) -> None:
        assert self.producer is not None
        begun, asked = time.monotonic(), False
        while True:
            self.producer.poll(_NAP)
            try:
                self.producer.produce(*record)
                return
            except BufferError:
                waited = time.monotonic() - begun
            if waited > _STUCK and not asked:
                asked = True
                self._ask_why("sending")
            if waited > progress.TRANSACTION_SECONDS:
                raise _BrokenError(KafkaError(KafkaError._MSG_TIMED_OUT))

    def _timed(self, due: Seconds) -> None:
        if not len(due):
            return
        if self.first_due is None:
            self.first_due = float(due[0])
        else:
            self.first_due += self.shift  # a pause counts neither as asked for nor as achieved
        self.shift = 0.0
        self.last_due = max(self.last_due, float(due[-1]))
        self.open_due.append(due)

    def _commit_if_due(self) -> None:
        if self.open_since is None:
            return
        full = self.tally.records >= self.transaction_records
        waited = time.monotonic() - self.open_since
        # Without a clock a transaction ends by its size, but never so late that the broker does it.
        longest = self.settings.interval if not self.pace.is_fast else 5.0
        if full or waited >= longest:
            self._commit()

    def _commit(self, fresh: dict[str, Progress] | None = None) -> None:
        """Commit what is open with progress of all topics that moved, as it is then."""
        fresh = fresh or self.tally.on(self.book)
        moved = [one for name, one in fresh.items() if one is not self.book[name]]
        if not moved:
            return
        assert self.producer is not None
        if self.open_since is None:
            self._begin()
        for one in moved:
            self._keep(one.key, one.value())
        self._wait_for(self.producer.commit_transaction, "sending")
        self._committed(fresh)

    def _committed(self, book: dict[str, Progress]) -> None:
        now = self.pace.clock()
        self.book = book
        self.alive = time.monotonic()
        has_records = self.tally.records > 0  # else it says that all was sent before
        if has_records:
            self.committed_at, self.last_ack = self.alive, now
        self.transactions += 1
        self.complaints.clear()  # what they were about is over
        if self.is_waiting:
            self.is_waiting = False
            self.control.update(force=True, message="")
        self.size = sum(one.size - self.at_start[name].size for name, one in book.items())
        for due in self.open_due:
            self.committed.add(now - due)
        self.open_since, self.open_due = None, []
        self.tally = Tally(self.feed)
        rate = self._achieved()
        self.sample = max(1, round(rate / _SAMPLES_A_SECOND))
        self.control.update(
            records=self.sent,
            bytes=self.size,
            asked=self._asked(),
            achieved=round(rate, 1),
            lateness=None if self.pace.is_fast else round(self.committed.p99, 3),
        )
        if self.on_progress is not None and has_records:
            self.on_progress(self.sent, self.size)

    def _keep(self, key: bytes, value: bytes) -> None:
        assert self.producer is not None
        record = (self.settings.progress.name, value, key)
        try:
            self.producer.produce(*record)
        except BufferError:
            self._produce_later(record)


_ANY: Final = itertools.repeat(-1)
_NOBODY: Final = itertools.repeat(None)


@dataclass(slots=True)
class _Watch:
    """Takes in when the broker acknowledged a record."""

    run: _Run
    due: float

    def __call__(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self.run.failures.append(error)
        else:
            self.run.acknowledged.add(np.array([self.run.pace.clock() - self.due]))


def _generator(batches: Iterator[Batch]) -> Any:
    """Return batches as something that can be closed, whatever the feed gives."""
    if hasattr(batches, "close"):
        return batches
    return (batch for batch in batches)
