"""What a data session has of the network: the rate, the round trip, lost packets.

Belongs here: rates by radio access, throughput, latency and loss of the records of `cdrs_data`.
Does not belong here: volumes and durations (`data_usage`), the load of cells (`state.load`).

While data flows it flows at the rate that the radio access gives the device: on LTE and NR the more
the wider the carrier is, of which the load of the cell leaves a part. A transfer also waits for
some round trips before it is up to speed, so that a small one is slower (TCP's slow start). What
queues in a loaded cell waits longer, and some of it is lost.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.mobility import COUNTRIES
from telco_pipeline.behaviour.population import EUTRAN, NR, RATS
from telco_pipeline.contracts.codes import Rat
from telco_pipeline.engine import draws
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.generators.base import Day, Inputs, Rows
from telco_pipeline.generators.cdrs.applications import middles
from telco_pipeline.state.network import HOURS

Floats = npt.NDArray[np.float64]

USUAL_FACTOR: Final = 0.7
"""Part of the rate of an empty cell that others leave, as it usually is: abroad, where the state of
our network does not count."""
LEAST_FACTOR: Final = 0.02
"""What a scheduler still gives in a cell that is full."""
# Downlink rate that one device sees in a cell of usual load: median in kbit/s and the most that the
# radio access gives (EDGE with 4 slots, NB-IoT Cat NB2, LTE-M Cat M1, LTE Cat 6, NR on 100 MHz;
# medians: practice) on a carrier of full width, and how many times the downlink's rate is the
# uplink's.
_RATES: Final = {
    Rat.GERAN: (110.0, 220.0, 2.0),
    Rat.UTRAN: (3_000.0, 20_000.0, 3.0),
    Rat.WLAN: (40_000.0, 300_000.0, 2.0),
    Rat.EUTRAN: (30_000.0, 250_000.0, 4.0),
    Rat.NB_IOT: (30.0, 60.0, 1.0),
    Rat.LTE_M: (300.0, 800.0, 1.0),
    Rat.NR: (110_000.0, 900_000.0, 6.0),
}
_MEDIAN_RATE, _HIGHEST_RATE, UPLINK_FACTOR = np.array([_RATES[rat] for rat in RATS]).T
# In an empty cell.
_MEDIAN_RATE = _MEDIAN_RATE / USUAL_FACTOR
_LOWEST_RATE: Final = 0.3 * _MEDIAN_RATE
KBIT_PER_MICROSECOND: Final = 8000.0
"""One byte a microsecond in kbit/s."""
# Bytes are shared out among records by milliseconds: room for that below the highest rate.
_ROOM: Final = 0.997
RATE_BITS: Final = 12
"""Bits of the number that says how fast a session is among those of its radio access."""
# Microseconds per byte down, by radio access and that number.
_PER_BYTE: Final = KBIT_PER_MICROSECOND / np.concatenate(
    [
        np.clip(median * middles(1.0, 0.6, RATE_BITS), lowest, highest * _ROOM)
        for median, lowest, highest in zip(_MEDIAN_RATE, _LOWEST_RATE, _HIGHEST_RATE, strict=True)
    ]
)

# Width of carriers in tenths of a MHz on which those rates are reached.
_FULL_WIDTH: Final = {EUTRAN: 200, NR: 1000}
_WIDEST: Final = max(_FULL_WIDTH.values())


def _shares() -> Floats:
    """Return the part of its rates that each radio access gives, by the width of the carrier.

    Widths are tenths of a MHz. NR gives at least what LTE does on a carrier of the same width.
    """
    width = np.arange(_WIDEST + 1)
    shares = np.ones((len(RATS), len(width)))
    for rat, full in _FULL_WIDTH.items():
        shares[rat, 1:] = np.minimum(width[1:] / full, 1.0)
    as_lte = shares[EUTRAN] * _HIGHEST_RATE[EUTRAN] / _HIGHEST_RATE[NR]
    shares[NR, 1:] = np.maximum(shares[NR], as_lte)[1:]
    return shares.ravel()


# Behind the widths of a radio access begin those of the next one. Width 0 is not known: abroad.
_SHARES: Final = _shares()

# Round trip between device and gateway, without the way through the country: median in ms
# (practice: NR 12-25, LTE 30-60, GERAN 300-700, NB-IoT 1-2 s); percent of packets lost, median.
_QUALITY: Final = {
    Rat.GERAN: (440.0, 0.60),
    Rat.UTRAN: (90.0, 0.15),
    Rat.WLAN: (14.0, 0.05),
    Rat.EUTRAN: (41.0, 0.06),
    Rat.NB_IOT: (1_350.0, 0.50),
    Rat.LTE_M: (95.0, 0.20),
    Rat.NR: (16.5, 0.02),
}
_ROUND_TRIP, _LOSS = np.array([_QUALITY[rat] for rat in RATS]).T
_PART_LOST: Final = _LOSS / 100.0
_TRIP_SCATTER = QuantileTable.log_normal(1.0, 0.25)
_LOSS_SCATTER = QuantileTable.log_normal(1.0, 1.1)
_PACKET: Final = 900.0  # mean bytes of a packet, acknowledgements included
_FEWEST_PACKETS: Final = 4
# Light in fibre there and back, on cables half as long again as the straight line.
_MS_PER_KM: Final = 0.015
_KM_PER_DEGREE: Final = 111.2
_EAST: Final = 0.64  # degrees of longitude are shorter, at 50 degrees of latitude
# What the way home adds abroad, in ms: the gateway is ours (home routing; practice: 40-80 in
# Europe, more across the sea).
_HOME_ROUTED: Final = {
    "FR": 44.0, "NL": 40.0, "ES": 62.0, "DE": 46.0, "IT": 60.0, "GB": 45.0, "LU": 40.0,
    "TR": 80.0, "MA": 72.0, "CH": 50.0, "US": 115.0,
}  # fmt: skip
_FARTHEST: Final = 80.0
_ABROAD: Final = np.array(
    [*(_HOME_ROUTED.get(country, _FARTHEST) for country, _, _ in COUNTRIES), 0.0]
)
# Round trips of a transfer before it is up to speed.
_SLOW_START: Final = 2.0
_ERROR: Final = 1e-6  # kbit/s

_SHIFT: Final = np.uint64(12)
_REST: Final = np.uint64(24)
_TOP: Final = np.uint64(52)


@dataclass(frozen=True)
class Quality:
    """Quality of records.

    Attributes:
        downlink, uplink: Throughput in kbit/s.
        latency: Round-trip time in tenths of a millisecond.
        loss: Packets lost in thousandths of a percent.
    """

    downlink: npt.NDArray[np.int32]
    uplink: npt.NDArray[np.int32]
    latency: npt.NDArray[np.int32]
    loss: npt.NDArray[np.int32]


def state_rows(cell: npt.NDArray[np.integer], hour: Rows) -> Rows:
    """Return where the state of each cell in an hour lies in a measure of the network's day.

    Args:
        cell: Rows of cells.
        hour: UTC hour of the day; what lies behind midnight has the state of the last hour.
    """
    row = cell * np.int64(HOURS)
    row += np.clip(hour, 0, HOURS - 1)
    return row


def part_of_rate(
    day: Day,
    cell: npt.NDArray[np.integer],
    rat: npt.NDArray[np.int8],
    state: Rows,
    away: Rows,
    rate: npt.NDArray[np.float32] | None = None,
) -> Floats:
    """Return the part of the rates of its radio access that a device gets in a cell.

    Args:
        day: The day.
        cell: Rows of cells.
        rat: Radio access (position in `RATS`).
        state: Their `state_rows`.
        away: Rows of who is abroad.
        rate: Factor on it by the quality of service (`terms`); nobody gets more than there is.
    """
    bandwidth = day.inputs.bandwidth[cell]
    factor = day.network.measures["throughput_factor"].reshape(-1)[state]
    if away.size:
        bandwidth[away] = 0
        factor[away] = USUAL_FACTOR
    if rate is not None:
        changed = np.flatnonzero(rate != 1.0)
        factor[changed] = np.minimum(factor[changed] * rate[changed], np.float32(1.0))
    np.maximum(factor, np.float32(LEAST_FACTOR), out=factor)
    share = share_of_rate(bandwidth, rat)
    share *= factor
    return share


def least_factor(day: Day) -> float:
    """Return the least part of an empty cell's rate that is left anywhere on a day."""
    if day.story.of("qos"):
        return LEAST_FACTOR
    least = float(day.network.measures["throughput_factor"].min())
    return max(min(least, USUAL_FACTOR), LEAST_FACTOR)


def share_of_rate(bandwidth: Rows, rat: npt.NDArray[np.int8]) -> Floats:
    """Return the part of the rates of a radio access that a carrier gives, up to 1.

    Args:
        bandwidth: Tenths of a MHz of each carrier; 0 where it is not known.
        rat: Radio access (position in `RATS`).
    """
    width = np.minimum(bandwidth, _WIDEST)
    width += rat.astype(np.int64) * (_WIDEST + 1)
    return _SHARES[width]


def time_per_byte(
    place: npt.NDArray[np.integer], rat: npt.NDArray[np.int8], share: Floats | float = 1.0
) -> Floats:
    """Return the microseconds that the radio access takes for a byte down.

    Args:
        place: How fast each session is among those of its radio access, below 2**`RATE_BITS`.
        rat: Radio access (position in `RATS`).
        share: Part of its rates that a device gets (`part_of_rate`).
    """
    return _PER_BYTE[(rat.astype(np.int64) << RATE_BITS) + place] / share


def highest_rate(rat: npt.NDArray[np.int8], share: Floats | float = 1.0) -> Floats:
    """Return the most that each radio access gives one device in a cell, in kbit/s."""
    return _HIGHEST_RATE[rat] * share


def ways_to_gateways(inputs: Inputs) -> Floats:
    """Return the milliseconds that the way to its gateway and back takes, by cell."""
    frames = inputs.frames
    elements = frames["network_elements"].join(
        frames["places"].select("place_id", "latitude", "longitude"),
        on="place_id",
        how="left",
        maintain_order="left",
    )
    gateway = elements[inputs.cells.serving["pgw"].astype(np.int64)]
    cells = frames["cells"]
    north = gateway["latitude"].to_numpy() - cells["latitude"].to_numpy()
    east = (gateway["longitude"].to_numpy() - cells["longitude"].to_numpy()) * _EAST
    kilometres = np.sqrt(north * north + east * east) * _KM_PER_DEGREE
    return np.round(np.nan_to_num(kilometres) * _MS_PER_KM, 3)


def quality(
    day: Day,
    key: Bits,
    rat: npt.NDArray[np.int8],
    country: npt.NDArray[np.integer],
    state: Rows,
    way: Floats,
    per_byte: Floats,
    up: Rows,
    down: Rows,
    duration: Rows,
) -> Quality:
    """Return the quality of some records.

    Args:
        day: The day on which their sessions start.
        key: Hash of each record.
        rat: Radio access (position in `RATS`).
        country: Row of the country visited, -1 at home.
        state: `state_rows` of cell and hour at their start.
        way: Milliseconds to the gateway and back.
        per_byte: Microseconds that the radio access takes for a byte down.
        up: Bytes from the device.
        down: Bytes to the device.
        duration: Microseconds of the record, above 0.
    """
    trip = _ROUND_TRIP[rat]
    trip *= _coarse(_TRIP_SCATTER, key)
    trip += way
    abroad = np.flatnonzero(country >= 0)
    network = day.network
    late = network.measures["latency_added"].reshape(-1)[state]
    part_lost = network.measures["loss_added"].reshape(-1)[state]
    part_lost *= np.float32(0.01)
    if abroad.size:
        late[abroad] = part_lost[abroad] = 0.0
        trip[abroad] += _ABROAD[country[abroad]]
    trip += late
    # Packets are lost whole: of a few, none or a good part of them.
    packets = (up + down) * (1.0 / _PACKET)
    packets += _FEWEST_PACKETS
    part = _PART_LOST[rat]
    part *= _coarse(_LOSS_SCATTER, key << _SHIFT)
    part += part_lost
    lost = packets * part
    lost += draws.uniform(key << _REST)
    some = np.flatnonzero(lost >= 1.0)
    loss = np.zeros(len(key), dtype=np.int32)
    share = np.minimum(np.floor(lost[some]) / packets[some], 1.0)
    loss[some] = np.rint(share * 100_000.0).astype(np.int32)
    wait = trip * (_SLOW_START * 1000.0)
    return Quality(
        downlink=_throughput(down, per_byte, wait, duration),
        uplink=_throughput(up, per_byte * UPLINK_FACTOR[rat], wait, duration),
        latency=np.rint(trip * 10.0).astype(np.int32),
        loss=loss,
    )


def _throughput(
    volume: Rows, per_byte: Floats, wait: Floats, duration: Rows
) -> npt.NDArray[np.int32]:
    """Return the mean rate while data flowed: never below that of the whole record.

    Rounded up, so that whatever was sent had a rate.
    """
    active = volume * per_byte
    active += wait
    np.minimum(active, duration, out=active)
    np.divide(volume, active, out=active)
    active *= KBIT_PER_MICROSECOND
    # What is above a whole number by the error of the divisions alone is that number.
    active -= _ERROR
    rate = np.ceil(active, out=active).astype(np.int32)
    return np.maximum(rate, volume > 0, out=rate)


def _coarse(table: QuantileTable, random_bits: Bits) -> Floats:
    """Return one of 4,096 quantiles by the upper twelve bits: enough for what is rounded anyway."""
    return table.body[(random_bits >> _TOP).astype(np.int64)]
