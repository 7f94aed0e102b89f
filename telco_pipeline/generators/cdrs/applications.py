"""Applications: which one a data session is of, how many bytes it moves and how long it lasts.

Belongs here: the services of world.yaml as tables, and their draws. Does not belong here: when a
session starts, what the radio access carries of it and its records (`data`).

Volumes are log-normal by service. Durations belong to them by v = a d^b (Zanella et al., IMC 2023),
which says what a session of some duration moves in the mean: sessions of one duration differ in
volume, so the duration is drawn from what the volume tells, drawn nearer to the middle, and a rest.
Moving pictures are watched in the evening more than other applications are used.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import STANDARD_NORMAL, Choice, QuantileFamily
from telco_pipeline.settings import WorldConfig

LONGEST: Final = 3600
"""The model's durations are clipped to an hour (Zanella et al.)."""
LEAST_VOLUME: Final = 64.0
MOST_UPLINK: Final = 0.95

Floats = npt.NDArray[np.float64]

# Below this exponent duration hardly follows volume and is drawn on its own.
_LOOSE_EXPONENT: Final = 0.3
_OWN_DURATION: Final = (70.0, 1.28)  # median seconds, sigma of ln
# Part of the variance of log volume that the duration explains, where one follows the other.
_EXPLAINED: Final = 0.94
_UPLINK_SIGMA: Final = 0.4
_MAX_VOLUME: Final = 40e9
_LOG_MAX_SECONDS: Final = 6.0

# What machines send: median bytes and sigma of ln, the same of seconds, uplink part.
_REPORT: Final = "telemetry"
_REPORT_BYTES: Final = (9_000.0, 1.1)
_REPORT_SECONDS: Final = (12.0, 0.92)
_REPORT_UPLINK: Final = 0.74

# A service whose bytes grow about as fast as its sessions last streams: moving pictures have
# exponents near and above 1, all else has lower ones (Zanella et al.).
_STREAMS_FROM: Final = 0.9
# How much larger their part of the sessions is in each local hour than over the day: the evening
# is prime time (practice; the whole day keeps the shares of world.yaml).
_PRIME_TIME: Final = (
    1.25, 1.15, 1.00, 0.95, 0.85, 0.75, 0.65, 0.62, 0.66, 0.70, 0.74, 0.78,
    0.88, 0.86, 0.80, 0.80, 0.85, 0.92, 1.02, 1.18, 1.36, 1.46, 1.46, 1.36,
)  # fmt: skip
_ROOM: Final = 0.9  # of the other services' part that streams may take
MACHINES: Final = len(_PRIME_TIME)
"""Instead of the hour: sessions of machines, which are reports."""

# Fine draws share one hash: fields of so many bits, middles of as many quantiles.
_FIELD: Final = 10
_CELLS: Final = 1 << _FIELD


def field(random_bits: Bits, first: int, bits: int = _FIELD) -> npt.NDArray[np.int64]:
    """Return some bits of a hash as a number.

    Args:
        random_bits: 64 random bits per value.
        first: Bits above the field that are left out.
        bits: Its size.
    """
    if first:
        random_bits = random_bits << np.uint64(first)
    return (random_bits >> np.uint64(64 - bits)).astype(np.int64)


def middles(median: float, sigma: float, bits: int = _FIELD) -> Floats:
    """Return quantiles of a log-normal for the numbers of a field: the middle of each."""
    count = 1 << bits
    return np.array(
        [
            float(f"{median * math.exp(sigma * STANDARD_NORMAL.inv_cdf((n + 0.5) / count)):.7g}")
            for n in range(count)
        ]
    )


@dataclass(frozen=True)
class Services:
    """Services as tables; the last one is the machines' reports.

    Attributes:
        names: Their names.
        report: Row of the machines' reports.
        choice: Which service, by local hour, and `MACHINES`.
        volume: Bytes by service.
        duration: Seconds by service, as the volume's quantile tells them, or on their own.
        shift: By how much the volume's bits are shifted to draw the duration, by service: 0 where
            duration follows volume.
        rest: What the duration differs by, [services, 1,024] in one array.
        uplink: Part of the bytes from the device, [services, 1,024] in one array.
    """

    names: pl.Series
    report: int
    choice: Choice
    volume: QuantileFamily
    duration: QuantileFamily
    shift: npt.NDArray[np.uint64]
    rest: Floats
    uplink: Floats

    def durations(
        self, service: npt.NDArray[np.uint8], volume_bits: Bits, cell: npt.NDArray[np.int64]
    ) -> Floats:
        """Return seconds of sessions, not yet clipped.

        Args:
            service: Service of each.
            volume_bits: The 64 bits from which its volume was drawn.
            cell: A field of random bits.
        """
        seconds = self.duration.sample(volume_bits << self.shift[service], service)
        seconds *= self.rest[(service.astype(np.int64) << _FIELD) + cell]
        return seconds

    def uplinks(self, service: npt.NDArray[np.uint8], cell: npt.NDArray[np.int64]) -> Floats:
        """Return the part of the bytes that goes up, by service and a field of random bits."""
        return self.uplink[(service.astype(np.int64) << _FIELD) + cell]


# The volume takes the upper 35 bits of its hash (more of one in 2,000); these are the others.
_UNUSED: Final = 35


def services(config: WorldConfig) -> Services:
    """Build the tables of the world's services."""
    profile = config.rhythms["data"]
    hours = [
        5 * weekday / sum(profile.weekday) + 2 * weekend / sum(profile.weekend)
        for weekday, weekend in zip(profile.weekday, profile.weekend, strict=True)
    ]
    rows = [(name, s.share, s.u, s.s, s.a, s.b, s.uplink) for name, s in config.services.items()]
    return _services(tuple(rows), tuple(hours))


@lru_cache(maxsize=2)
def _services(
    rows: tuple[tuple[str, float, float, float, float, float, float], ...],
    hours: tuple[float, ...],
) -> Services:
    volumes, durations, rests = [], [], []
    for _, _, mean, sigma, a, b, _ in rows:
        volumes.append(lambda p, mean=mean, sigma=sigma: _volume(p, mean, sigma))
        if b < _LOOSE_EXPONENT:
            durations.append(lambda p: _log_normal(p, *_OWN_DURATION))
            rests.append(0.0)
        else:
            # log d = (u - log a) / b + r (s / b) z, where z is normal with variance r and a part
            # of it is the volume's own: then log v over log d has the slope b.
            durations.append(
                lambda p, mean=mean, sigma=sigma, a=a, b=b: (
                    10.0
                    ** min(
                        (mean - math.log10(a) + _EXPLAINED * sigma * STANDARD_NORMAL.inv_cdf(p))
                        / b,
                        _LOG_MAX_SECONDS,
                    )
                )
            )
            rest = math.sqrt(_EXPLAINED * (1.0 - _EXPLAINED)) * sigma / b
            rests.append(min(rest, _LOG_MAX_SECONDS) * math.log(10.0))
    volumes.append(lambda p: _log_normal(p, *_REPORT_BYTES))
    durations.append(lambda p: _log_normal(p, *_REPORT_SECONDS))
    rests.append(0.0)
    uplinks = [*(row[6] for row in rows), _REPORT_UPLINK]
    loose = [*(row[5] < _LOOSE_EXPONENT for row in rows), True]
    return Services(
        names=pl.Series([*(row[0] for row in rows), _REPORT]),
        report=len(rows),
        choice=Choice.of(_choices(rows, hours)),
        volume=QuantileFamily.of(volumes),
        duration=QuantileFamily.of(durations),
        shift=np.where(loose, np.uint64(_UNUSED), np.uint64(0)),
        rest=np.concatenate([middles(1.0, rest) for rest in rests]),
        uplink=np.concatenate(
            [np.minimum(middles(part, _UPLINK_SIGMA), MOST_UPLINK) for part in uplinks]
        ),
    )


def _choices(
    rows: tuple[tuple[str, float, float, float, float, float, float], ...],
    hours: tuple[float, ...],
) -> list[list[float]]:
    """Return the weights of the services in each local hour, and those of machines."""
    total = math.fsum(row[1] for row in rows)
    streams = [row[5] >= _STREAMS_FROM for row in rows]
    part = math.fsum(row[1] for row, is_one in zip(rows, streams, strict=True) if is_one) / total
    mean = math.fsum(map(math.prod, zip(_PRIME_TIME, hours, strict=True))) / math.fsum(hours)
    swings = [hour / mean - 1.0 for hour in _PRIME_TIME]
    if 0.0 < part < 1.0:
        damped = min(1.0, _ROOM * (1.0 - part) / (part * max(*swings, 1e-6)))
        others = part / (1.0 - part)
    else:
        damped = others = 0.0
    table = [
        [
            row[1] * (1.0 + damped * swing * (1.0 if is_one else -others))
            for row, is_one in zip(rows, streams, strict=True)
        ]
        + [0.0]
        for swing in swings
    ]
    return [*table, [0.0] * len(rows) + [1.0]]


def _log_normal(probability: float, median: float, sigma: float) -> float:
    return median * math.exp(sigma * STANDARD_NORMAL.inv_cdf(probability))


def _volume(probability: float, mean: float, sigma: float) -> float:
    exponent = mean + sigma * STANDARD_NORMAL.inv_cdf(probability)
    return min(10.0**exponent, _MAX_VOLUME)
