"""Messages of campaigns: the offers of scenario layers, before anybody has sent or taken them.

Belongs here: whom a campaign writes to on a day, from which short code, when. Does not belong
here: who takes the offer (`state.offers`), how messages are delivered (`sms`).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from telco_pipeline.behaviour.population import VISITOR
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import pack
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.base import EVENT_KINDS, RECORDS_PER_EVENT, Day, Rows
from telco_pipeline.scenarios.effects import Offer
from telco_pipeline.scenarios.story import Touch
from telco_pipeline.state.offers import UPGRADE, offered, sent_at

RECIPIENT: Final = 1
"""What the record at the recipient of a message adds to the message's number."""

# Class of the directory's parties that send: short codes, and the one behind them.
_CODES: Final = slice(4, 6)


@dataclass(frozen=True)
class Written:
    """Messages that campaigns write to customers on a day: one array element each.

    Attributes:
        number: Packed number of the message.
        key: Key of its draws.
        sender: Party that sends it: a short code of the directory.
        recipient: Entity number.
        time: When it is sent, microseconds of the UTC day.
    """

    number: Rows
    key: Bits
    sender: Rows
    recipient: Rows
    time: Rows


def message_numbers(touch: Touch, entity: Rows, day: int) -> Rows:
    """Return the packed numbers of the messages that a campaign writes on a day.

    Args:
        touch: The campaign.
        entity: To whom.
        day: Number of the day.
    """
    index = touch.incident.layer.number * RECORDS_PER_EVENT
    return pack(EVENT_KINDS["sms_offer"], day, entity, np.full(len(entity), index))


def written(day: Day, part: Part) -> Written:
    """Return the messages of a day to the subscribers of a part.

    A layer writes to somebody once a day at most. Who has left is not written to over our network:
    offers to come back make no records.
    """
    inputs = day.inputs
    parts = [_nothing()]
    for touch in day.story.of("offer"):
        assert isinstance(touch.effect, Offer)
        if touch.effect.what != UPGRADE:
            continue
        offers = offered(touch)
        who = offers.entity
        ours = (who >= part.start) & (who < part.stop) & (offers.day == day.start // DAY)
        offers = offers.select(ours & (inputs.population.kind[who] < VISITOR))
        first, end = inputs.directory.first[_CODES]
        campaign = np.array([touch.incident.stream(inputs.config, "campaign")], dtype=np.uint64)
        code = first + int(draws.below(draws.bits(campaign, "sender"), end - first)[0])
        size = len(offers.entity)
        parts.append(
            Written(
                message_numbers(touch, offers.entity, day.number),
                draws.bits(offers.key, "message"),
                np.full(size, code),
                offers.entity,
                sent_at(offers.key, day.clock),
            )
        )
    _, once = np.unique(np.concatenate([one.number for one in parts]), return_index=True)
    return Written(
        np.concatenate([one.number for one in parts])[once],
        np.concatenate([one.key for one in parts])[once],
        np.concatenate([one.sender for one in parts])[once],
        np.concatenate([one.recipient for one in parts])[once],
        np.concatenate([one.time for one in parts])[once],
    )


def _nothing() -> Written:
    none = np.zeros(0, dtype=np.int64)
    return Written(none, none.astype(np.uint64), none, none, none)
