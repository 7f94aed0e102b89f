"""Pacing: when an entry is due, and how late it came.

Belongs here: the clocks of a delivery and the measure of lateness. Does not belong here: sending
(`publisher`), who asks for a pause (`control`).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from telco_pipeline.errors import TelcoError

Kind = Literal["fast", "speed", "rate", "live"]
Seconds = npt.NDArray[np.float64]

_MICROSECONDS: Final = 1e6


@dataclass
class Pace:
    """When entries are due.

    `fast`: at once. `speed`: N seconds of the day in each second, from the first entry's release
    on. `rate`: N records in each second. `live`: at their release by the wall clock. A pause
    shifts what is due by `speed` or `rate`; what became due in a `live` pause is late.

    Attributes:
        kind: Which of them.
        value: N of `speed` and `rate`; 0 for the others.
        since: Release (microseconds since 1970, UTC) with which a delivery that has not begun yet
            begins; None for the day's first entry, with `live` for the present.
        clock: Seconds; since 1970 for `live`.
        sleep: Waits some seconds.
    """

    kind: Kind = "fast"
    value: float = 0.0
    since: int | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _begun: float | None = field(default=None, init=False)
    _origin: int = field(default=0, init=False)
    _paused: float | None = field(default=None, init=False)

    @classmethod
    def of(
        cls,
        *,
        speed: float | None = None,
        rate: float | None = None,
        live: bool = False,
        since: int | None = None,
    ) -> "Pace":
        """Return the pace that options ask for; without any it is `fast`.

        Raises:
            TelcoError: More than one is asked for, or a number is not above 0.
        """
        asked = [
            name
            for name, on in (("--speed", speed is not None), ("--rate", rate is not None))
            if on
        ] + ["--live"] * live
        if len(asked) > 1:
            raise TelcoError(f"{' and '.join(asked)} are different clocks: choose one")
        for name, value in (("--speed", speed), ("--rate", rate)):
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise TelcoError(f"{name} {value:g}: must be a number above 0")
        if live:
            return cls("live", since=since, clock=time.time)
        if speed is not None:
            return cls("speed", speed, since)
        return cls("rate", rate, since) if rate is not None else cls(since=since)

    @property
    def is_fast(self) -> bool:
        """Whether entries are due at once."""
        return self.kind == "fast"

    @property
    def is_paused(self) -> bool:
        """Whether nothing is due for the time being."""
        return self._paused is not None

    def start(self) -> int | None:
        """Return the release with which a delivery begins; None for the first there is."""
        if self.since is None and self.kind == "live":
            self.since = math.floor(self.clock() * _MICROSECONDS)
        return self.since

    def due(self, release: npt.NDArray[np.int64], number: int) -> Seconds:
        """Return by this clock when entries are due.

        The clock begins with the first entry that is asked about.

        Args:
            release: Their releases, microseconds since 1970 (UTC).
            number: How many entries came before the first of them.
        """
        if self.kind == "live":
            return release / _MICROSECONDS
        if self._begun is None:
            self._begun = self.clock()
            self._origin = int(release[0]) if len(release) else 0
            if self.kind == "rate":
                self._begun -= number / self.value
        if self.kind == "speed":
            return self._begun + (release - self._origin) / (_MICROSECONDS * self.value)
        if self.kind == "rate":
            return self._begun + (number + np.arange(len(release))) / self.value
        return np.full(len(release), self._begun)

    def pause(self) -> None:
        """Let nothing be due until `resume`."""
        if self._paused is None:
            self._paused = self.clock()

    def resume(self) -> float:
        """Go on; return by how many seconds what is due was shifted."""
        if self._paused is None:
            return 0.0
        lasted = self.clock() - self._paused
        self._paused = None
        if self._begun is None or self.kind not in ("speed", "rate"):
            return 0.0
        self._begun += lasted
        return lasted


_FINEST: Final = 0.001
_STEP: Final = math.log(1.02)
_BUCKETS: Final = math.ceil(math.log(7 * 86_400 / _FINEST) / _STEP)


@dataclass
class Lateness:
    """How late entries came: counts in buckets, each 2 % wider than the one before.

    Its size does not grow with the number of entries. What came early counts as not late.

    Attributes:
        count: Entries.
        worst: The latest of them, seconds.
    """

    count: int = 0
    worst: float = 0.0
    _buckets: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(_BUCKETS + 1, np.int64), repr=False
    )

    def add(self, seconds: Seconds) -> None:
        """Take in entries."""
        if not len(seconds):
            return
        seconds = np.maximum(seconds, 0.0)
        steps = np.ceil(np.log(np.maximum(seconds, _FINEST) / _FINEST) / _STEP)
        self._buckets += np.bincount(
            np.minimum(steps.astype(np.int64), _BUCKETS), minlength=_BUCKETS + 1
        )
        self.count += len(seconds)
        self.worst = max(self.worst, float(seconds.max()))

    def quantile(self, share: float) -> float:
        """Return the lateness, in seconds, that a share of all entries does not exceed.

        It is the upper end of a bucket: up to 2 % too much, never too little. 0 without entries.
        """
        if not self.count:
            return 0.0
        wanted = max(math.ceil(share * self.count), 1)
        bucket = int(np.searchsorted(np.cumsum(self._buckets), wanted))
        return min(_FINEST * math.exp(bucket * _STEP), self.worst)

    @property
    def median(self) -> float:
        """Seconds that half of the entries do not exceed."""
        return self.quantile(0.5)

    @property
    def p99(self) -> float:
        """Seconds that 99 of 100 entries do not exceed."""
        return self.quantile(0.99)
