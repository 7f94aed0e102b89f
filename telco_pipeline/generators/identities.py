"""Changes of identity: the fields of `identity_changes`.

Belongs here: the records. Does not belong here: who has which identity when
(`behaviour.identities`).
"""

import datetime as dt

import polars as pl

from telco_pipeline.behaviour.changes import KINDS
from telco_pipeline.behaviour.identities import Identities
from telco_pipeline.contracts import records
from telco_pipeline.engine.calendar import day_number
from telco_pipeline.engine.identifiers import pack
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.base import EVENT_KINDS, Column, Inputs, Rows, enum_of
from telco_pipeline.lake import Rowset


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the changes of a day and a part, sorted by time."""
    identities = inputs.identities_until(date)
    changes = identities.changes_of(date)
    entity = identities.entity[changes]
    mine = changes[(entity >= part.start) & (entity < part.stop)]
    if not mine.size:
        return Rowset.empty(records.IDENTITY_CHANGES)
    return _rows(inputs, identities, date, mine)


def _rows(inputs: Inputs, identities: Identities, date: dt.date, changes: Rows) -> Rowset:
    """Return the records of some changes of a day."""
    entity, kind = identities.entity[changes], identities.kind[changes]
    after, before = identities.size + changes, identities.previous[changes]
    networks = pl.Series([operator.plmn for operator in inputs.config.operators])
    ids = pack(EVENT_KINDS["identity"], day_number(date), entity, kind.astype("int64"))
    columns: dict[str, Column] = {
        "event_id": pl.Series(inputs.ids.event.of(ids)),
        "event_time": pl.Series(identities.time[changes]).cast(pl.Datetime("us", "UTC")),
        "subscriber_id": pl.Series(inputs.population.subscriber_id[entity]),
        "change_type": enum_of([str(each) for each in KINDS], kind),
        "imsi": identities.imsi.gather(after),
        "msisdn": identities.msisdn.gather(after),
        "imei": identities.imei.gather(after),
        "iccid": identities.iccid.gather(after),
        "device_id": inputs.frames["devices"]["device_id"].gather(identities.device[after]),
        "number_holder": identities.number_holder.gather(after),
        "serving_plmn": networks.gather(identities.operator[changes]),
        "previous_imsi": identities.imsi.gather(before),
        "previous_msisdn": identities.msisdn.gather(before),
        "previous_imei": identities.imei.gather(before),
    }
    return Rowset.of(records.IDENTITY_CHANGES, columns)
