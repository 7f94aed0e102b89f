"""The rows of `network_state`.

Belongs here: nothing but handing over what `state.hours` works out.
"""

import datetime as dt

from telco_pipeline.contracts.state import NETWORK_STATE
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.base import Inputs
from telco_pipeline.lake import Rowset
from telco_pipeline.state.hours import network_hours


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the state of all cells in the hours of a day; the day is one part."""
    frame = network_hours(inputs.plant, inputs.demand, inputs.faults(date), date, inputs.story)
    return Rowset.from_frame(NETWORK_STATE, frame)
