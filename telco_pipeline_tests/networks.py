"""State made by hand for tests: healthy networks, a worse cell, outages; customers."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from telco_pipeline.contracts.codes import LifeStatus
from telco_pipeline.generators.inputs import Inputs
from telco_pipeline.state.customers_day import Contacts, CustomersDay
from telco_pipeline.state.network import HOURS, MEASURES, NetworkDay
from telco_pipeline.state.plant import TAKERS

HEALTHY = {
    "load": 0.3,
    "prb_use": 34.0,
    "throughput_factor": 0.7,
    "latency_added": 1.7,
    "loss_added": 0.0,
    "block_probability": 0.003,
    "drop_probability": 0.0035,
    "handover_failure": 0.0125,
    "voice_failure": 0.0006,
    "data_failure": 0.0005,
    "signalling_failure": 0.0015,
    "active_users": 10.0,
    "demand": 20_000.0,
    "capacity": 60_000.0,
}
"""The measures of a healthy network: every cell in every hour alike."""

Outage = tuple[int, int, int]
"""Cell, and start and end in microseconds of the day."""


def network_day(
    cells: int,
    takers: npt.NDArray[np.integer] | None = None,
    *,
    outages: Iterable[Outage] = (),
    **measures: float | npt.NDArray[np.floating],
) -> NetworkDay:
    """Return a network on a day: healthy but for what is given.

    Args:
        cells: Number of cells.
        takers: Cells that take over for each (`Plant.takers`); none by default.
        outages: Stretches without service.
        **measures: By name of `MEASURES`: a value for all, or an array that fits (cells, 24).
    """
    values = {
        name: np.broadcast_to(measures.pop(name, HEALTHY[name]), (cells, HOURS))
        for name in MEASURES
    }
    if measures:
        raise ValueError(f"no measures of a network: {', '.join(measures)}")
    stretches = np.array(sorted(outages), dtype=np.int64).reshape(-1, 3)
    has_outage = np.zeros(cells, dtype=np.bool_)
    has_outage[stretches[:, 0]] = True
    if takers is None:
        takers = np.full((cells, TAKERS), -1, dtype=np.int32)
    return NetworkDay(
        measures={name: np.array(value, dtype=np.float32) for name, value in values.items()},
        fault=np.full((cells, HOURS), -1, dtype=np.int64),
        has_outage=has_outage,
        outage_cell=stretches[:, 0].copy(),
        outage_start=stretches[:, 1].copy(),
        outage_end=stretches[:, 2].copy(),
        takers=takers,
    )


def worse(
    network: NetworkDay,
    cell: int,
    hour: int,
    **measures: float,
) -> NetworkDay:
    """Return the same network with other measures in one cell and hour."""
    changed = {name: values.copy() for name, values in network.measures.items()}
    for name, value in measures.items():
        changed[name][cell, hour] = value
    return replace(network, measures=changed)


def customers_day(
    size: int,
    *,
    contacts: Iterable[tuple[int, int]] = (),
    changes: dict[int, tuple[int, int]] | None = None,
    **statuses: Iterable[int],
) -> CustomersDay:
    """Return a day on which everybody is active but for what is given.

    Args:
        size: Number of subscribers.
        contacts: Who turns to care, and when (microseconds of the day).
        changes: By entity: position in `LifeChange`, and when.
        **statuses: By name of `LifeStatus`: who has another status.
    """
    status = np.full(size, list(LifeStatus).index(LifeStatus.ACTIVE), dtype=np.int8)
    for name, entities in statuses.items():
        status[list(entities)] = [each.name.lower() for each in LifeStatus].index(name)
    change, when = np.full(size, -1, dtype=np.int8), np.full(size, -1, dtype=np.int64)
    for entity, (kind, time) in (changes or {}).items():
        change[entity], when[entity] = kind, time
    calls = np.array(sorted(contacts), dtype=np.int64).reshape(-1, 2)
    count = len(calls)
    return CustomersDay(
        status=status,
        change=change,
        change_time=when,
        plan=np.zeros(size, dtype=np.int32),
        new_plan=np.full(size, -1, dtype=np.int32),
        satisfaction=np.full(size, 0.7, dtype=np.float32),
        contacts=Contacts(
            entity=calls[:, 0].copy(),
            time=calls[:, 1].copy(),
            reason=np.zeros(count, dtype=np.int8),
            topic=np.zeros(count, dtype=np.int8),
            number=np.ones(count, dtype=np.int16),
            case=np.arange(count, dtype=np.int64),
            fault_id=np.full(count, -1, dtype=np.int64),
            cell=np.full(count, -1, dtype=np.int32),
            cause_time=np.full(count, -1, dtype=np.int64),
            usual_spend=np.zeros(count, dtype=np.int64),
        ),
    )


class HandBook:
    """State that a test has made by hand, in the place of `Inputs.book`: the same on every day.

    Attributes:
        steady: The network of every day without one of its own.
        on: Networks of single days.
        people: The customers of every day.
        people_on: Those of single days.
    """

    def __init__(
        self,
        inputs: Inputs,
        network: NetworkDay | None = None,
        people: CustomersDay | None = None,
    ) -> None:
        """Take the place of the inputs' book; days that were made before are forgotten.

        Args:
            inputs: The inputs.
            network: Healthy by default.
            people: All active by default.
        """
        if network is None:
            network = network_day(inputs.frames["cells"].height, inputs.plant.takers)
        self.steady = network
        self.people = customers_day(inputs.population.size) if people is None else people
        self.on: dict[dt.date, NetworkDay] = {}
        self.people_on: dict[dt.date, CustomersDay] = {}
        inputs.book = self
        inputs._days.clear()

    def network(self, date: dt.date) -> NetworkDay:
        """Return the network on a UTC day."""
        return self.on.get(date, self.steady)

    def customers(self, date: dt.date) -> CustomersDay:
        """Return the subscribers on a UTC day."""
        return self.people_on.get(date, self.people)
