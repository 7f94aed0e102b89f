"""Contracts of the truth: what the scenario layers did, to whom, and in which records.

Belongs here: labels. Does not belong here: anything that can be observed (`records`, `oss`), how
things stand (`state`).

Truth stands beside the records and never in them. It knows the whole incident from its first day
on: join it by key and time, and let no model see it before its end.
"""

import dataframely as dy

from telco_pipeline.contracts import codes
from telco_pipeline.contracts.base import (
    Dataset,
    ForeignKey,
    Layout,
    big,
    code,
    flag,
    moment,
    number,
    real,
    text,
)

# A table of one row a line reads better wide.
# fmt: off


class TruthIncidents(dy.Schema):
    """Incidents that begin on the day: each time that a layer's story happens."""

    incident_id = big("Key of the incident.", key=True)
    event_time = moment("When it begins.")
    end_time = moment("When it is over for all.")
    layer = text("Layer: the name of its file.")
    title = text("What the layer is called.")
    incident_kind = code("What it belongs to.", codes.IncidentKind)
    severity = code("How bad it is for whom it hits.", codes.IncidentSeverity)
    difficulty = real("How well it hides among what only looks like it, 0 to 1.", minimum=0.0, maximum=1.0)
    subscribers = number("Subscribers who take part, as victims or as actors.")
    cells = number("Cells that it is aimed at; what goes wrong elsewhere as a consequence is not counted.")
    elements = number("Network elements and sites that it is aimed at.")
    look_alikes = number("Subscribers, cells, elements and sites that only look like them.")
    parameters = text("The stages and effects with their strengths, as JSON.")


class TruthEntities(dy.Schema):
    """Who is touched by an incident from this day on, in which role, and until when."""

    incident_id = big("The incident.", key=True)
    stage = text("Stage of the incident.", key=True)
    role = text("Role in it.", key=True)
    entity_kind = code("What is touched.", codes.EntityKind)
    entity_id = text("Its key, as text.", key=True, personal="pseudonym")
    subscriber_id = big("The subscriber; null for others.", nullable=True, minimum=1, personal="pseudonym")
    cell_id = text("The cell; null for others.", nullable=True)
    element_id = text("The network element; null for others.", nullable=True)
    site_id = text("The site; null for others.", nullable=True)
    event_time = moment("From when on.")
    end_time = moment("Until when.")
    effects = text("What happens to it: names of effects, separated by commas.")
    benign = flag("It only looks like the others of its kind.")


class TruthRecords(dy.Schema):
    """Records of the day that an incident made or touched."""

    dataset = code("Dataset of the record.", codes.TouchedDataset)
    event_id = big("The record.", key=True)
    incident_id = big("The incident.", key=True)
    stage = text("Stage of the incident.", key=True)
    role = text("Role of whom the record is of.", key=True)
    event_time = moment("Time of the record.")
    effects = text("Effects that reach such records: names, separated by commas.")
    benign = flag("It is of somebody who only looks like the others.")


_TOUCHED = tuple(str(dataset) for dataset in codes.TouchedDataset)

TRUTH_INCIDENTS = Dataset("truth_incidents", 1, TruthIncidents, Layout.DAILY, "truth", "Incidents of the scenario layers that begin on the day, with what they do.", sort=("event_time", "incident_id"), time="event_time", depends=("subscribers", "cells", "network_elements"), whole=True)
TRUTH_ENTITIES = Dataset("truth_entities", 1, TruthEntities, Layout.DAILY, "truth", "Subscribers, cells, elements and sites that incidents touch from this day on, with role and time; benign look-alikes are told apart.", (ForeignKey("cell_id", "cells", "cell_id"), ForeignKey("element_id", "network_elements", "element_id"), ForeignKey("site_id", "sites", "site_id"), ForeignKey("subscriber_id", "subscribers", "subscriber_id", ("prospects",))), sort=("event_time", "incident_id"), time="event_time", depends=("truth_incidents", "subscriber_state"), whole=True)
TRUTH_RECORDS = Dataset("truth_records", 1, TruthRecords, Layout.DAILY, "truth", "Records of the day that incidents made or touched: those of touched subscribers, cells and elements in their time, in the datasets that the effect reaches.", sort=("event_time", "event_id"), time="event_time", depends=("truth_entities", *_TOUCHED), whole=True)
