"""Changes of identity: the fields of `identity_changes`.

Belongs here: the records. Does not belong here: who has which identity when
(`behaviour.identities`), who comes and who leaves (`state.customers`).
"""

import datetime as dt
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.behaviour.changes import KINDS
from telco_pipeline.behaviour.ports import operator_after_port_out
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import IdentityChange, LifeChange
from telco_pipeline.engine.identifiers import pack
from telco_pipeline.engine.numerals import Numerals
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.base import (
    EVENT_KINDS,
    Column,
    Columns,
    Day,
    Inputs,
    Rows,
    enum_of,
)
from telco_pipeline.lake import CodedText, Rowset

# Changes in the life of a subscription with which an identity begins or ends.
_OF_LIFE: Final = {
    LifeChange.PORT_OUT: IdentityChange.PORT_OUT,
    LifeChange.TERMINATION: IdentityChange.TERMINATION,
    LifeChange.WIN_BACK: IdentityChange.WIN_BACK,
    LifeChange.ACTIVATION: IdentityChange.ACTIVATION,
}
_LIFE_KIND: Final = np.array(
    [KINDS.index(_OF_LIFE[change]) if change in _OF_LIFE else -1 for change in LifeChange]
)
_BEGINS: Final = np.isin(
    np.arange(len(KINDS)),
    [KINDS.index(k) for k in (IdentityChange.WIN_BACK, IdentityChange.ACTIVATION)],
)
_KIND_ROOM: Final = 16  # above the number of kinds, which ids contain
_PORT_OUT: Final = KINDS.index(IdentityChange.PORT_OUT)
_TERMINATION: Final = KINDS.index(IdentityChange.TERMINATION)


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the changes of a day and a part, sorted by time."""
    day = inputs.day(date)
    changed = merge_changes(_swaps(day, part), _lives(day, part))
    if not len(changed["entity"]):
        return Rowset.empty(records.IDENTITY_CHANGES)
    return _rows(day, changed)


def merge_changes(*batches: Columns) -> Columns:
    """Put changes into the order of time; those of one moment by entity."""
    joined = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    order = np.lexsort((joined["entity"], joined["time"]))
    return {name: values[order] for name, values in joined.items()}


def _swaps(day: Day, part: Part) -> Columns:
    """Return what changes of the identities of customers."""
    identities = day.inputs.identities_until(day.date)
    changes = identities.changes_of(day.date)
    entity = identities.entity[changes]
    time = identities.time[changes]
    mine = (entity >= part.start) & (entity < part.stop)
    mine[mine] = day.customers.is_customer(entity[mine], time[mine] - day.start)
    changes = changes[mine]
    return {
        "entity": identities.entity[changes],
        "time": identities.time[changes],
        "kind": identities.kind[changes].astype(np.int64),
        "after": identities.size + changes,
        "before": identities.previous[changes],
    }


def _lives(day: Day, part: Part) -> Columns:
    """Return with whom an identity begins or ends."""
    customers = day.customers
    change = customers.change[part.start : part.stop]
    entity = part.start + np.flatnonzero((change >= 0) & (_LIFE_KIND[change] >= 0))
    time = customers.change_time[entity]
    version = day.identity(entity, time).astype(np.int64)
    return {
        "entity": entity,
        "time": time + day.start,
        "kind": _LIFE_KIND[customers.change[entity]],
        "after": version,
        "before": version,
    }


def _rows(day: Day, changed: Columns) -> Rowset:
    """Return the records of some changes of a day."""
    inputs = day.inputs
    identities = inputs.identities
    entity, kind, after, before = (changed[name] for name in ("entity", "kind", "after", "before"))
    new = _BEGINS[kind]
    # The same may happen to somebody twice on a day; few layers know how.
    number = kind + _KIND_ROOM * _times_before(entity, kind)
    ids = pack(EVENT_KINDS["identity"], day.number, entity, number)

    def earlier(values: pl.Series | Numerals) -> pl.Series:
        return values.gather(before).set(pl.Series(new), None)

    columns: dict[str, Column] = {
        "event_id": pl.Series(inputs.ids.event.of(ids)),
        "event_time": pl.Series(changed["time"]).cast(pl.Datetime("us", "UTC")),
        "subscriber_id": pl.Series(inputs.population.subscriber_id[entity]),
        "change_type": enum_of([str(each) for each in KINDS], kind),
        "imsi": identities.imsi.gather(after),
        "msisdn": identities.msisdn.gather(after),
        "imei": identities.imei.gather(after),
        "iccid": identities.iccid.gather(after),
        "device_id": inputs.frames["devices"]["device_id"].gather(identities.device[after]),
        "number_holder": identities.number_holder.gather(after).cast(pl.String),
        "serving_plmn": _serving(inputs, entity, kind),
        "previous_imsi": earlier(identities.imsi),
        "previous_msisdn": earlier(identities.msisdn),
        "previous_imei": earlier(identities.imei),
    }
    return Rowset.of(records.IDENTITY_CHANGES, columns)


def _times_before(entity: Rows, kind: Rows) -> Rows:
    """Return how often the same kind of change stands before each one of the same subscriber."""
    packed = entity * _KIND_ROOM + kind
    order = np.argsort(packed, kind="stable")
    ordered = packed[order]
    before = np.empty_like(packed)
    before[order] = np.arange(len(packed)) - np.searchsorted(ordered, ordered, side="left")
    return before


def _serving(inputs: Inputs, entity: Rows, kind: Rows) -> CodedText:
    """Return the network that serves each number from then on; null for nobody."""
    served = inputs.home_plmn
    operators = pl.Series([operator.plmn for operator in inputs.config.operators])
    codes = served.codes[entity].copy()
    gone = np.flatnonzero(kind == _PORT_OUT)
    codes[gone] = operator_after_port_out(inputs.config, entity[gone]) + len(served.texts)
    texts = pl.concat([served.texts.cast(pl.String), operators])
    return CodedText.of(texts, codes, kind == _TERMINATION).distinct()
