"""Rows of `network_faults`: the faults and planned works that begin on a day.

Belongs here: the columns of the dataset. Does not belong here: what breaks when (`state.hazards`),
whom it hits (`state.faults`), what operations see of it (`alarms`, `logs`).
"""

import datetime as dt

import numpy as np
import polars as pl

from telco_pipeline.contracts import state
from telco_pipeline.contracts.codes import FaultKind
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.base import Inputs, enum_of, moment
from telco_pipeline.lake import CodedText, Rowset
from telco_pipeline.state.faults import Faults, cells_hit, core_hit, faults_beginning

_KINDS = [str(kind) for kind in FaultKind]


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the faults that begin on a day at elements of a part, sorted by their beginning."""
    plant = inputs.plant
    faults = faults_beginning(plant, date, inputs.story)
    faults = faults.select((faults.element >= part.start) & (faults.element < part.stop))
    if not len(faults):
        return Rowset.empty(state.NETWORK_FAULTS)
    day = inputs.day(date)
    columns = {
        "fault_id": pl.Series(faults.fault_id),
        "event_time": moment(day, faults.start - day.start),
        "impact_time": moment(day, faults.impact - day.start),
        "end_time": moment(day, faults.end - day.start),
        "fault_kind": enum_of(_KINDS, faults.kind),
        "element_id": CodedText.of(plant.elements["element_id"], faults.element),
        "cell_id": CodedText.of(plant.cells["cell_id"], faults.cell, faults.cell < 0),
        "cells": pl.Series(_cells(inputs, faults)),
        "capacity_left": pl.Series(faults.capacity),
        "failure_rate": pl.Series(faults.failure),
        "probable_cause": pl.Series(faults.cause),
    }
    return Rowset.of(state.NETWORK_FAULTS, columns)


def _cells(inputs: Inputs, faults: Faults) -> np.ndarray:
    """Return how many cells suffer from each fault: lose capacity, or what the core does."""
    lost, _ = cells_hit(inputs.plant, faults)
    served, _, _ = core_hit(inputs.plant, faults)
    return np.bincount(lost, minlength=len(faults)) + np.bincount(served, minlength=len(faults))
