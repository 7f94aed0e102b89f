"""The day of the customers: what records ask of `subscriber_state`.

Belongs here: one UTC day of the subscribers as arrays, and who is served with which plan at a time.
Does not belong here: how the state follows from day to day (`customers`), the network (`network`).
"""

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.engine.calendar import day_start
from telco_pipeline.scenarios.story import Episodes
from telco_pipeline.state import lifecycle
from telco_pipeline.state.customer_columns import (
    CHANGES,
    CONTACT,
    REASONS,
    STATUSES,
    Texts,
    matters_of,
    or_none,
    positions,
    rows_of,
)
from telco_pipeline.state.lifecycle import ACTIVE, PROSPECT, SUSPENDED

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
Plans = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Contacts:
    """Contacts with care of one UTC day, by entity.

    Attributes:
        entity: Who, rising.
        time: Microseconds of the day.
        reason: Position in `Reason`.
        topic: Position in `Topic`.
        number: Which contact about the matter, 1 the first.
        case: The matter.
        fault_id: Fault behind it, -1 none.
        cell: Row of the cell in which it was met, -1 none.
        cause_time: Moment of the cause, microseconds since 1970, -1 none.
        usual_spend: What each is used to pay a month, micro-euro.
    """

    entity: Rows
    time: Rows
    reason: Codes
    topic: Codes
    number: npt.NDArray[np.int16]
    case: Rows
    fault_id: Rows
    cell: npt.NDArray[np.int32]
    cause_time: Rows
    usual_spend: Rows

    def __len__(self) -> int:
        """Return the number of contacts."""
        return len(self.entity)


# After which changes a subscription is active.
_GOES_ON: Final = lifecycle.AFTER == ACTIVE


@dataclass(frozen=True)
class CustomersDay:
    """Subscribers on one UTC day, as generators ask for them; arrays by entity number.

    Attributes:
        status: Position in `LifeStatus` at the start of the day.
        change: Position in `LifeChange`, -1 for none.
        change_time: When, in microseconds of the day; -1 for none.
        plan: Row of the plan at the start of the day.
        new_plan: Row of the plan from the change on, -1 where it stays.
        satisfaction: At the end of the day.
        contacts: Contacts with care.
        episodes: Stages of scenario layers that the state of a subscriber has triggered.
    """

    status: Codes
    change: Codes
    change_time: Rows
    plan: Plans
    new_plan: Plans
    satisfaction: npt.NDArray[np.float32]
    contacts: Contacts
    episodes: Episodes = field(default_factory=Episodes.none)

    COLUMNS = (
        "status",
        "plan_id",
        "satisfaction",
        "change",
        "change_time",
        "new_plan_id",
        "usual_spend",
        "contact_time",
        "contact_reason",
        *CONTACT,
        "episode",
        "episode_start",
    )
    """Columns of `subscriber_state` that `read` needs."""

    @classmethod
    def read(
        cls, frame: pl.DataFrame, date: dt.date, plan_id: pl.Series, cell_id: pl.Series
    ) -> Self:
        """Read a day from all rows of its `subscriber_state`, in the order of the entities.

        Args:
            frame: The rows, with `COLUMNS` at least.
            date: The day.
            plan_id: Keys of the plans.
            cell_id: Keys of the cells.
        """
        start = day_start(date)
        time = or_none(frame["change_time"].cast(pl.Int64))
        called = np.flatnonzero(frame["contact_time"].is_not_null().to_numpy())
        some = frame.select("contact_time", "contact_reason", *CONTACT)[called]
        matters = matters_of(some, "contact_time", CONTACT, Texts(plan_id, cell_id))
        return cls(
            status=positions(frame["status"], STATUSES),
            change=positions(frame["change"], CHANGES),
            change_time=np.where(time < 0, -1, time - start),
            plan=rows_of(frame["plan_id"], plan_id),
            new_plan=rows_of(frame["new_plan_id"], plan_id),
            satisfaction=frame["satisfaction"].to_numpy().astype(np.float32),
            contacts=Contacts(
                entity=called,
                time=matters.time - start,
                reason=positions(some["contact_reason"], REASONS),
                topic=matters.topic,
                number=matters.number,
                case=matters.case,
                fault_id=matters.fault,
                cell=matters.cell,
                cause_time=matters.cause,
                usual_spend=frame["usual_spend"].to_numpy()[called],
            ),
            episodes=_episodes(frame),
        )

    def status_at(self, entity: npt.NDArray[np.integer], time: Rows) -> Codes:
        """Return the status of each subscription at a time: position in `LifeStatus`.

        Args:
            entity: Entity numbers.
            time: Microseconds of the day; before it as at its start, beyond it as at its end.
        """
        found = self.status[entity]
        change = self.change[entity]
        done = np.flatnonzero(change >= 0)
        done = done[time[done] >= self.change_time[entity[done]]]
        found[done] = lifecycle.AFTER[change[done]]
        return found

    def padded(self, size: int) -> Self:
        """Return the same for so many subscribers: those behind have not joined yet."""
        more = size - len(self.status)
        if more <= 0:
            return self
        behind = {"status": PROSPECT, "change": -1, "change_time": -1, "plan": 0, "new_plan": -1}
        behind["satisfaction"] = 0
        longer = {
            name: np.concatenate(
                [(old := getattr(self, name)), np.full(more, value, dtype=old.dtype)]
            )
            for name, value in behind.items()
        }
        return replace(self, **longer)

    def is_customer(self, entity: npt.NDArray[np.integer], time: Rows) -> Flags:
        """Return who has a subscription at a time, suspended ones too (see `status_at`)."""
        status = self.status_at(entity, time)
        return (status == ACTIVE) | (status == SUSPENDED)

    def leavers(self, entities: Rows) -> tuple[Rows, Rows]:
        """Return which of some subscribers end being served on the day, and when."""
        change = self.change[entities]
        leaving = entities[(change >= 0) & ~_GOES_ON[change]]
        leaving = leaving[self.status[leaving] == ACTIVE]
        return leaving, self.change_time[leaving]

    def in_service(self, entity: npt.NDArray[np.integer], time: Rows) -> Flags:
        """Return whose subscription is active at a time (arguments: `status_at`)."""
        return self.status_at(entity, time) == ACTIVE

    def plan_at(self, entity: npt.NDArray[np.integer], time: Rows) -> Plans:
        """Return the row of the plan of each subscription at a time (arguments: `status_at`)."""
        new = self.new_plan[entity]
        changed = (new >= 0) & (time >= self.change_time[entity])
        return np.where(changed, new, self.plan[entity])


def _episodes(frame: pl.DataFrame) -> Episodes:
    """Return the stages that have begun, from all rows of a day in the order of the entities."""
    rows = np.flatnonzero(frame["episode"].is_not_null().to_numpy())
    some = frame.select("episode", "episode_start")[rows]
    return Episodes(
        rows, some["episode"].to_numpy(), some["episode_start"].cast(pl.Int64).to_numpy()
    )
