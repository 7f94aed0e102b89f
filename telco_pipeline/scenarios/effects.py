"""Effects: what a layer can do to the operator, one model each.

Belongs here: the names, parameters and limits of the effects, and which group of roles each takes.
Does not belong here: how an effect comes about, which is told beside each under *Home*.

An effect holds for its targets from their start to their end (`story.Touch`). `ramp` is how long it
takes to reach its strength, `fade` how long it takes to lose it again before the end; both are
linear, and effects that cannot be weaker (a fault, a swap) have neither. Where several effects
meet, factors multiply, probabilities and additions add up to their limit, and where only one can
hold (a place, a device), the one with the later start does, then the one of the higher layer.
"""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator

from telco_pipeline.scenarios.words import ALength, Amount, Duration, Strict, Written, amount
from telco_pipeline.settings import values
from telco_pipeline.world.catalogue import PLAN_IDS

SUBSCRIBERS: Final = "subscribers"
CELLS: Final = "cells"
SITES: Final = "sites"
ELEMENTS: Final = "network_elements"
PLACES: Final = "places"
DEVICES: Final = "devices"
PLANS: Final = "plans"
MEMBERS: Final = (SUBSCRIBERS, CELLS, SITES, ELEMENTS, PLACES, DEVICES, PLANS)
"""What the members of a role can be."""

_Role = Annotated[str, BeforeValidator(values.IDENTIFIER)]
_Part = Annotated[Amount, BeforeValidator(amount(0, 1)), Written]
_Factor = Annotated[Amount, BeforeValidator(amount(0, 1000)), Written]
_Change = Annotated[Amount, BeforeValidator(amount(-1, 1)), Written]
_Rate = Annotated[Amount, BeforeValidator(amount(0, 10_000)), Written]
_Seconds = Annotated[Amount, BeforeValidator(amount(1, 86_400)), Written]
_Flag = Annotated[bool, BeforeValidator(values.FLAG)]
_Code = Annotated[int, BeforeValidator(values.whole(0, 999))]
_Country = Annotated[
    str, BeforeValidator(values.pattern("a country code in two capitals", "[A-Z]{2}"))
]
_NUMBER_RANGE: Final = values.pattern("text of + and 2 to 12 digits", r"\+[1-9][0-9]{1,11}")

NONE: Final = Amount(0.0, 0.0)
SAME: Final = Amount(1.0, 1.0)
ALL: Final = Amount(1.0, 1.0)


class Effect(Strict):
    """What all effects share.

    Attributes:
        who: The role that it touches.
    """

    takes: ClassVar[tuple[str, ...]] = (SUBSCRIBERS,)
    """What the members of `who` may be."""
    records: ClassVar[tuple[str, ...]] = ()
    """Datasets in which its targets' records count as touched by it."""
    among: ClassVar[str | None] = None
    """Which of the targets' records these are, as a condition in SQL; all if None."""
    ahead: ClassVar[bool] = False
    """Whether it is worked out days ahead, so that no state of a day can trigger it."""

    who: _Role


class Gradual(Effect):
    """An effect that can come and go slowly.

    Attributes:
        ramp: How long it takes to reach its strength.
        fade: How long it takes to lose it again before the end.
    """

    ramp: ALength = Duration("0m")
    fade: ALength = Duration("0m")


_CDRS: Final = ("cdrs_voice", "cdrs_sms", "cdrs_data", "cdrs_voip", "cdrs_ims")

# --- the network ---------------------------------------------------------------------------------


class Fault(Effect):
    """Something breaks, with its alarms, log lines and repair. Home: `state.story_faults`.

    Attributes:
        kind: What kind of fault; on `sites` it is the site's router that it begins at. `power`
            takes the mains from the targets' sites, and from those on the same feeder, all or
            nothing, once the batteries are empty; at no site it is a fault of hardware.
        out: Puts all that hang on it out of service; else `left` of the capacity is left.
        left: Part of the capacity that is left.
        failures: Additional probability that a procedure over it fails, where anything is left; of
            elements of the core, which take no capacity, in any case, and all but `left` if 0.
        cause: Probable cause (RFC 3877); the kind's own if left out.
    """

    takes = (ELEMENTS, CELLS, SITES)
    records = ("alarms", "network_logs", "element_metrics", "pm_counters", *_CDRS)

    kind: Annotated[
        Literal["hardware", "software", "power", "backhaul", "core", "planned_work"],
        BeforeValidator(
            values.one_of("hardware", "software", "power", "backhaul", "core", "planned_work")
        ),
    ]
    out: _Flag = True
    left: _Part = Amount(0.5, 0.5)
    failures: _Part = NONE
    cause: _Code | None = None


class Hazard(Effect):
    """Things break more or less often than usual. Home: `state.hazards`, `state.factors`.

    Attributes:
        of: Kinds of faults; all if left out.
        factor: How many times as often.
    """

    takes = (ELEMENTS, CELLS, SITES)
    records = ("alarms", "network_logs")

    of: Annotated[
        tuple[
            Annotated[
                str,
                BeforeValidator(
                    values.one_of(
                        "hardware", "software", "power", "backhaul", "core", "planned_work"
                    )
                ),
            ],
            ...,
        ],
        BeforeValidator(values.listing("a list of up to 6 kinds of faults", 0, 6)),
    ] = ()
    factor: Annotated[Amount, BeforeValidator(amount(0, 10_000)), Written]


class Degrade(Gradual):
    """Cells serve worse, and no fault is known. Home: `state.hours`, `state.coverage`.

    Attributes:
        coverage: Part of the usual coverage that they still have. Whom they no longer reach, the
            far ones first, others take over as when a cell sleeps, or nobody serves.
        capacity: Factor on what they carry.
        blocks: Additional probability that an attempt is not admitted.
        drops: Additional probability that a call or bearer of usual length is lost.
        handovers: Additional probability that a handover out of them fails.
        latency: Milliseconds more.
        loss: Percent of the packets more.
    """

    takes = (CELLS, SITES, ELEMENTS)
    records = ("pm_counters", *_CDRS)

    coverage: _Part = SAME
    capacity: _Part = SAME
    blocks: _Part = NONE
    drops: _Part = NONE
    handovers: _Part = NONE
    latency: Annotated[Amount, BeforeValidator(amount(0, 2000)), Written] = NONE
    loss: Annotated[Amount, BeforeValidator(amount(0, 50)), Written] = NONE


class Sleep(Effect):
    """Cells serve nobody and say that all is well: no fault, no alarm. Home: `state.hours`.

    Attributes:
        share: Part of each 24 hours from the start that they sleep, at one stretch that begins at
            another time each time; in between they serve as ever.
    """

    takes = (CELLS, SITES, ELEMENTS)
    records = ("pm_counters", *_CDRS)

    share: _Part = ALL


class Errors(Gradual):
    """Elements write more lines of error. Home: `generators.logs`.

    Attributes:
        per_hour: Lines an hour and element, at full strength, times the world's
            `record_weights.network_logs`.
        of: What they are about: hardware, software, transport or power.
    """

    takes = (ELEMENTS, SITES)
    records = ("network_logs",)

    per_hour: _Rate
    of: Annotated[
        Literal["hardware", "software", "transport", "power"],
        BeforeValidator(values.one_of("hardware", "software", "transport", "power")),
    ] = "hardware"


class Strain(Gradual):
    """Elements' own figures get worse, with alarms by threshold. Home: `generators.metrics`.

    Attributes:
        cpu, memory: Percentage points more of the processor and of the memory.
        loss: Percent of the packets more.
        latency: Milliseconds more.
    """

    takes = (ELEMENTS, SITES)
    records = ("element_metrics", "alarms", "network_logs")

    cpu: Annotated[Amount, BeforeValidator(amount(0, 100)), Written] = NONE
    memory: Annotated[Amount, BeforeValidator(amount(0, 100)), Written] = NONE
    loss: Annotated[Amount, BeforeValidator(amount(0, 50)), Written] = NONE
    latency: Annotated[Amount, BeforeValidator(amount(0, 2000)), Written] = NONE


# --- where people are, and with what -------------------------------------------------------------


class Presence(Effect):
    """Subscribers are at a place, all the time, there by the start. Home: `behaviour.presence`.

    Attributes:
        at: Role of cells, sites or places; everybody is at one of its cells (of a place: those
            nearest to its middle).
        share: Part of them who are; the others stay where they would be.
    """

    records = ("location_updates", *_CDRS)
    ahead = True

    at: _Role
    share: _Part = ALL


class Roaming(Effect):
    """Subscribers are abroad, all the time but at the borders. Home: `behaviour.presence`.

    Attributes:
        country: ISO code of a country that people travel to; each to one of his own, as often as
            others travel there, if left out.
    """

    records = ("location_updates", *_CDRS)
    ahead = True

    country: _Country | None = None


class Sharing(Effect):
    """The SIMs sit in few devices, those of some of them, then in their own again.

    Home: `behaviour.imposed`.

    Attributes:
        devices: SIMs for each device.
    """

    records = ("identity_changes", *_CDRS)
    ahead = True

    devices: Annotated[Amount, BeforeValidator(amount(1, 10_000)), Written]


class Swap(Effect):
    """The number goes over to another SIM in somebody else's phone, at the start and for good.

    Home: `behaviour.imposed`.
    """

    records = ("identity_changes",)
    ahead = True


# --- what they do --------------------------------------------------------------------------------


class Usage(Gradual):
    """More or less of everything. Home: `generators.usage`.

    Attributes:
        calls, messages, sessions: Factors on what they start.
        called: Part that is left of the calls and messages that others begin to them; those come
            about with all that follows in the same train, or not at all. Calls by `incoming`,
            numbers that `destinations` draws, offers and `codes` are none of these.
        evenly: Lets what the factors add come evenly at all hours and on all days of the week,
            as from a machine, instead of by the targets' own rhythm.
        bytes: Factor on the bytes that a session would move, if the network carries them.
        talk: Factor on the length of a call that they start.
        codes: Messages a day more that they get from short codes, such as the codes of banks; each
            target from one for the whole time. Home: `generators.cdrs.notices`.
    """

    records = _CDRS

    calls: _Factor = SAME
    messages: _Factor = SAME
    sessions: _Factor = SAME
    bytes: _Factor = SAME
    talk: _Factor = SAME
    called: _Part = SAME
    codes: _Rate = NONE
    evenly: _Flag = False


_Range = Annotated[
    tuple[Annotated[str, BeforeValidator(_NUMBER_RANGE)], ...],
    BeforeValidator(values.listing("a list of 1 to 100 ranges of numbers", 1, 100)),
]


class Destinations(Gradual):
    """A part of the calls or messages that they begin goes to other numbers than usual.

    Home: `behaviour.contacts`, `generators.cdrs.elsewhere`.

    Attributes:
        of: calls, messages, or both.
        share: Part of them.
        to: Where to: `anyone` of our own subscribers and of other networks of the country, the
            `competitor` (sales line of the operator to whom each would go), or `ranges`.
        ranges: Beginnings of the numbers, in E.164 with +; numbers in them are drawn.
        numbers: How many different numbers of the ranges an incident uses.
    """

    records = ("cdrs_voice", "cdrs_sms", "cdrs_voip", "cdrs_ims")

    of: Annotated[
        Literal["calls", "messages", "both"],
        BeforeValidator(values.one_of("calls", "messages", "both")),
    ] = "calls"
    share: _Part
    to: Annotated[
        Literal["anyone", "competitor", "ranges"],
        BeforeValidator(values.one_of("anyone", "competitor", "ranges")),
    ]
    ranges: _Range | None = None
    numbers: Annotated[int, BeforeValidator(values.whole(1, 100_000))] = 100


class Incoming(Gradual):
    """Subscribers are called from ranges of numbers. Home: `generators.cdrs.missed`.

    Attributes:
        per_day: Calls a day and target, those on phones that are off included.
        ranges: Beginnings of the calling numbers.
        numbers: How many different ones an incident uses.
        rings: Seconds after which the caller hangs up.
        call_back: Part of the missed calls that is called back within two hours.
        holds: Seconds that a call back lasts, in the median.
    """

    records = ("cdrs_voice", "cdrs_voip", "cdrs_ims")

    per_day: _Rate
    ranges: _Range
    numbers: Annotated[int, BeforeValidator(values.whole(1, 100_000))] = 20
    rings: _Seconds = Amount(2.0, 2.0)
    call_back: _Part = NONE
    holds: _Seconds = Amount(60.0, 60.0)


class Reject(Gradual):
    """The network refuses subscribers. Home: `generators.refusals`.

    Attributes:
        share: Part of the attempts.
        of: registration (attach, updates, IMS), sessions (calls, messages, data), or all.
        cause: EMM cause (TS 24.301, 9.9.3.9) of refused attaches and updates; after some, such as
            3, illegal UE, devices do not try again of themselves.
    """

    records = ("location_updates", "network_logs", *_CDRS)

    share: _Part
    of: Annotated[
        Literal["registration", "sessions", "all"],
        BeforeValidator(values.one_of("registration", "sessions", "all")),
    ] = "all"
    cause: Annotated[int, BeforeValidator(values.whole(1, 111))] = 3


class Signalling(Gradual):
    """More attaches and updates than usual, or fewer. Home: `generators.signalling`.

    Attributes:
        factor: How many times as many.
    """

    records = ("location_updates", "network_logs")

    factor: _Factor


class Malfunction(Gradual):
    """The subscribers' devices are at fault. Home: `generators.malfunctions`.

    What they meet by it is no fault of the network's: their satisfaction follows only if a layer
    says so (`content`, `care`).

    Attributes:
        drops: Additional probability that a call or session of usual length is lost, as by a loss
            of the radio link, wherever the device is.
        restarts: How often a day the device restarts: its call and sessions end, and it attaches
            and registers again a minute later, sometimes after a detach.
    """

    records = ("location_updates", *_CDRS)

    drops: _Part = NONE
    restarts: Annotated[Amount, BeforeValidator(amount(0, 200)), Written] = NONE


# --- what they are served as and pay -------------------------------------------------------------


class Qos(Effect):
    """Sessions get another quality of service than the plan says. Home: `generators.cdrs.terms`.

    Attributes:
        plan: Key of the plan as which they are served: with its class, access point and slice. They
            pay what their own says.
        qci: QCI or 5QI in the record, if it is not that plan's.
        rate: Factor on the throughput.
    """

    records = ("cdrs_data",)

    plan: Annotated[str, BeforeValidator(values.one_of(*PLAN_IDS))] | None = None
    qci: Annotated[int, BeforeValidator(values.whole(1, 85))] | None = None
    rate: _Factor = SAME


class Unrated(Effect):
    """Records of use abroad are marked as not to be rated. Home: `generators.cdrs.terms`.

    Attributes:
        share: Part of them.
    """

    records = ("cdrs_voice", "cdrs_data")
    among = "roaming AND NOT chargeable"

    share: _Part = ALL


class Files(Effect):
    """Files of records go missing or arrive twice at mediation. Home: `oss.collection`.

    Attributes:
        lost, doubled: Parts of the files of an element.
    """

    takes = (ELEMENTS,)
    records = ("collected_files",)

    lost: _Part = NONE
    doubled: _Part = NONE


class Content(Effect):
    """Satisfaction of people and firms changes, day by day. Home: `state.customers`.

    Attributes:
        by: Change a day; of a day that is touched in part that part of it.
    """

    records = ("subscriber_state",)

    by: _Change


class Care(Effect):
    """Subscribers turn to care once in the time. Home: `state.contacts`.

    What they say is true of them: who has no bill asks about a payment, who has no minimum term,
    or has met no bad service on the day, has some other question.

    Attributes:
        share: Part of them who do.
        topic: With what: billing (a bill is disputed), roaming, fraud, device, network or contract.
    """

    records = ("customer_service",)

    share: _Part
    topic: Annotated[
        Literal["billing", "roaming", "fraud", "device", "network", "contract"],
        BeforeValidator(
            values.one_of("billing", "roaming", "fraud", "device", "network", "contract")
        ),
    ]


class Bill(Effect):
    """The next bill after the start surprises, be the time over by then. Home: `state.spending`.

    Who has been sent abroad in the month sees the cost of roaming in it; who pays in advance has no
    bill.

    Attributes:
        more: What is added, as a part of what they are used to.
    """

    records = ("subscriber_state",)

    more: Annotated[Amount, BeforeValidator(amount(0, 100)), Written]


class Churn(Gradual):
    """Subscribers are more or less likely to leave, day by day. Home: `state.lifecycle`.

    Attributes:
        factor: On the chance of each day.
        ports: Part of the leavers who take the number along; as usual if left out.
    """

    records = ("identity_changes", "subscriber_state")

    factor: _Factor
    ports: _Part | None = None


class Unpaid(Effect):
    """The next bill after the start stays unpaid for good. Home: `state.lifecycle`.

    The subscription is suspended on one of the usual days of reminders, and terminated by the time
    that others would have paid. Who pays in advance has no bill.

    Attributes:
        share: Part of the subscribers.
    """

    records = ("subscriber_state",)

    share: _Part = ALL


class Offer(Effect):
    """Subscribers are offered something, most of them; the others are the control group.

    Home: `state.offers` and `state.lifecycle`; the offer is a message of the operator's
    (`generators.cdrs.offers`) in the first half of the time. Former customers have no number of
    ours any more, so that the offer to them leaves no record. Of records, the messages and the
    returns of those who take it are labelled one by one (`oss.labels`), whoever else is a target.

    Attributes:
        what: A plan with more data, or to who has been gone for ten days at least coming back.
        lift: What the offer adds to the chance of taking it, over the whole time; it differs from
            person to person around this mean.
        control: Part of the targets that gets no offer.
    """

    records = ("subscriber_state",)

    what: Annotated[
        Literal["upgrade", "win_back"], BeforeValidator(values.one_of("upgrade", "win_back"))
    ]
    lift: _Part
    control: _Part = Amount(0.2, 0.2)


EFFECTS: Final[dict[str, type[Effect]]] = {
    "fault": Fault,
    "hazard": Hazard,
    "degrade": Degrade,
    "sleep": Sleep,
    "errors": Errors,
    "strain": Strain,
    "presence": Presence,
    "roaming": Roaming,
    "sharing": Sharing,
    "swap": Swap,
    "usage": Usage,
    "destinations": Destinations,
    "incoming": Incoming,
    "reject": Reject,
    "signalling": Signalling,
    "malfunction": Malfunction,
    "qos": Qos,
    "unrated": Unrated,
    "files": Files,
    "content": Content,
    "care": Care,
    "bill": Bill,
    "churn": Churn,
    "unpaid": Unpaid,
    "offer": Offer,
}
"""The effects by the names that they have in a layer file."""
