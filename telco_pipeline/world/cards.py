"""IMSI, MSISDN, IMEI and ICCID of every SIM of the registry, and whose number range it is.

Belongs here: which SIM gets which number. Does not belong here: the layout of the digits
(`numbering`), who holds the SIM (`subscribers`), numbers that change later (`behaviour`).

Every number is a keyed permutation of the SIM's number in the world: unique by construction,
without a running number and without a list of what is taken.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts.world import PERSON_KINDS
from telco_pipeline.engine import draws
from telco_pipeline.engine.identifiers import Permutation
from telco_pipeline.errors import TelcoError
from telco_pipeline.settings import Operator, WorldConfig
from telco_pipeline.world import numbering
from telco_pipeline.world.numbering import VISITOR_COUNTRIES

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

PORTED_IN: Final = 0.15
"""Part of the numbers of people and businesses that are of another operator's range (our
assumption: numbers can be ported since 2002, and many change network more than once)."""

_VISITOR: Final = PERSON_KINDS.index("visitor")
_MACHINE: Final = PERSON_KINDS.index("machine")


@dataclass(frozen=True)
class Sims:
    """What numbers depend on; one array element per SIM.

    Attributes:
        entity: Number of the SIM in the world.
        phone: Number of the SIM whose phone it is: of the holder's first one for second SIMs.
        kind: Position in `PERSON_KINDS`.
        country: Position in `VISITOR_COUNTRIES`; of use for visitors only.
        account: Number of the customer whose SIMs machines have; of use for machines only.
        dual_sim: Whether the phone takes two SIMs.
        tac_first: First type allocation code of the device model.
        tac_variant: Which of the model's type approvals, from 0.
        tac_variants: How many type approvals there are of a model.
    """

    entity: Integers
    phone: Integers
    kind: Integers
    country: Integers
    account: Integers
    dual_sim: Flags
    tac_first: Integers
    tac_variant: Integers
    tac_variants: int


def check_capacity(config: WorldConfig) -> None:
    """Refuse worlds with more SIMs than numbers.

    A SIM's number is a permutation of its place in the world, whatever it is, so the ranges must
    hold as many as there are SIMs of all kinds.

    Raises:
        TelcoError: When they do not.
    """
    own, reserved = config.own_operator, reserved_positions(config)
    capacity = min(numbering.msisdn_capacity(own.ndcs, reserved), numbering.imsi_capacity(own.plmn))
    if config.all_subscribers > capacity:
        raise TelcoError(
            f"subscribers: {config.all_subscribers:,} SIMs, those of the growth included, but the "
            f"number ranges of {own.name} hold {capacity:,}; write fewer subscribers or add "
            "ndcs to it"
        )


def identities(config: WorldConfig, sims: Sims) -> dict[str, pl.Series]:
    """Return IMSI, MSISDN, holder of its range, IMEI, ICCID and the network of each SIM."""
    own, entity = config.own_operator, sims.entity
    msisdn, holder = _msisdn(config, sims)
    visitor = np.flatnonzero(sims.kind == _VISITOR)
    country = sims.country[visitor]

    prefix = np.full(
        len(entity), int(f"89{config.numbering.country_code}{config.numbering.iccid_issuer}")
    )
    prefix[visitor] = numbering.visitor_iccid_prefixes()[country]
    serial = Permutation(numbering.ICCID_CAPACITY, config.seed, "iccid")(entity)

    network = np.zeros(len(entity), np.int64)
    network[visitor] = country + 1
    holder[visitor] = country + 1
    others = [operator.plmn for operator in config.operators if not operator.own]
    networks = pl.Series([own.plmn, *(c.plmn for c in VISITOR_COUNTRIES), *others])
    return {
        "imsi": numbering.digits(_imsi(config, sims), 15),
        "msisdn": numbering.international(msisdn),
        "number_holder": networks.gather(holder),
        "imei": numbering.digits(_imei(config, sims), 15),
        "iccid": numbering.digits(numbering.iccid(prefix, serial), 19),
        "home_plmn": networks.gather(network),
    }


def _imsi(config: WorldConfig, sims: Sims) -> Integers:
    """Return IMSIs: ours by class, machines' by customer, visitors' by country."""
    plmn, visitor = config.own_operator.plmn, np.flatnonzero(sims.kind == _VISITOR)
    serial = Permutation(numbering.imsi_capacity(plmn), config.seed, "msin")(sims.entity)
    imsi = numbering.imsi(plmn, np.full(len(serial), numbering.PEOPLE_CLASS), serial)
    machine = np.flatnonzero(sims.kind == _MACHINE)
    imsi[machine] = _machine_imsi(config, sims.entity[machine], sims.account[machine])
    visitors = Permutation(numbering.VISITOR_MSIN_CAPACITY, config.seed, "visitor msin")
    imsi[visitor] = numbering.visitor_imsi(sims.country[visitor], visitors(sims.entity[visitor]))
    return imsi


def _machine_imsi(config: WorldConfig, entity: Integers, account: Integers) -> Integers:
    """Return IMSIs of machines: a customer orders SIMs by the thousand, all of one range.

    Which range is whose is a permutation; where a world has more customers than ranges, some share.
    """
    plmn, seed = config.own_operator.plmn, config.seed
    size = numbering.machine_range_size(plmn, config.all_subscribers)
    ranges = numbering.machine_ranges(plmn, size)
    place = Permutation(ranges, seed, "machine range")(account % ranges)
    return numbering.machine_imsi(plmn, size, place, machine_serials(config, entity))


def machine_serials(config: WorldConfig, index: Integers) -> Integers:
    """Return the places of SIMs within their range of machines, from 0; no two are alike.

    Args:
        config: The world.
        index: Number of each SIM in the world; of those that replace others, another one below the
            size of a range.
    """
    size = numbering.machine_range_size(config.own_operator.plmn, config.all_subscribers)
    return Permutation(size, config.seed, "machine msin")(index)


def _msisdn(config: WorldConfig, sims: Sims) -> tuple[Integers, Integers]:
    """Return numbers, and whose range each is in: 0 for ours, from the visitors' on the others'."""
    own, ranges, entity, seed = config.own_operator, config.numbering, sims.entity, config.seed
    reserved = reserved_positions(config)
    capacity = numbering.msisdn_capacity(own.ndcs, reserved)
    serial = Permutation(capacity, seed, "msisdn")(entity)
    msisdn = numbering.msisdn(ranges.country_code, own.ndcs, reserved, serial)
    holder = np.zeros(len(entity), np.int64)

    settled = np.flatnonzero((sims.kind != _VISITOR) & (sims.kind != _MACHINE))
    number, operator = ported_in(config, entity[settled])
    ported = np.flatnonzero(operator >= 0)
    msisdn[settled[ported]] = number[ported]
    holder[settled[ported]] = 1 + len(VISITOR_COUNTRIES) + operator[ported]

    machine = np.flatnonzero(sims.kind == _MACHINE)
    serial = Permutation(numbering.MACHINE_CAPACITY, seed, "machine msisdn")(entity[machine])
    msisdn[machine] = numbering.machine_msisdn(ranges.country_code, ranges.m2m_ndc, serial)
    visitor = np.flatnonzero(sims.kind == _VISITOR)
    for country, layout in enumerate(VISITOR_COUNTRIES):
        members = visitor[sims.country[visitor] == country]
        serial = Permutation(layout.size, seed, f"msisdn/{layout.country}")(entity[members])
        msisdn[members] = numbering.visitor_msisdn(country, serial)
    return msisdn, holder


def ported_in(config: WorldConfig, entity: Integers) -> tuple[Integers, Integers]:
    """Return the numbers that are ported to us with the subscription.

    Of the SIMs of the registry a part brought a number before the epoch; of the prospects all do.
    A permutation of all SIMs chooses who brought a number and gives it a dense index at once. The
    indices are dealt to the other operators by their shares; index 0 of an operator is the last
    number in the order in which it gives out its range, and prospects come behind the registry.
    The directory of its customers takes numbers from the first on (`numbering.other_range`), up to
    `numbering.DIRECTORY_FILL` of the range: where the two would meet, none is ported.

    Args:
        config: The world.
        entity: Numbers of SIMs of people and businesses.

    Returns:
        Numbers as integers, and the operator of each as position among the others in the order
        of the file; -1 where the number is one of our range.
    """
    size, own = config.subscribers, config.own_operator
    others = [operator for operator in config.operators if not operator.own]
    number = np.zeros(len(entity), dtype=np.int64)
    holder = np.full(len(entity), -1)
    later = entity >= size
    index = Permutation(size, config.seed, "ported in")(np.where(later, 0, entity))
    if later.any():
        brought = Permutation(config.prospects, config.seed, "brought along")
        index[later] = brought(entity[later] - size)
    bounds = {False: 0, True: 0}
    for position, operator in enumerate(others):
        order = numbering.other_range(config.seed, operator.ndcs)
        listed = numbering.directory_size(size, own.share, operator.share)
        room = order.size - min(listed, int(order.size * numbering.DIRECTORY_FILL))
        before = 0
        for new, wanted in zip((False, True), _brought(config, operator), strict=True):
            quota = min(wanted, room - before)
            bound = bounds[new]
            inside = (later == new) & (index >= bound) & (index < bound + quota)
            members = np.flatnonzero(inside)
            place = order(order.size - 1 - before - (index[members] - bound))
            country = config.numbering.country_code
            number[members] = numbering.msisdn(country, operator.ndcs, (), place)
            holder[members] = position
            bounds[new] += quota
            before += quota
    services = [config.numbering.voicemail_number, config.numbering.care_number]
    taken = np.isin(number, [int(service.removeprefix("+")) for service in services])
    holder[taken] = -1
    return number, holder


def _brought(config: WorldConfig, operator: Operator) -> tuple[int, int]:
    """Return how many numbers of another operator the registry and the prospects bring."""
    total = sum(each.share for each in config.operators if not each.own)
    part = operator.share / total
    # One more for what rounding would leave over.
    prospects = int(config.prospects * part) + 1 if config.prospects else 0
    return int(config.subscribers * PORTED_IN * part), prospects


def numbers_brought(config: WorldConfig, operator: Operator) -> int:
    """Return how many numbers at the end of another operator's range are not its any more."""
    return sum(_brought(config, operator))


def _imei(config: WorldConfig, sims: Sims) -> Integers:
    """Return IMEIs: each phone has two serials in a row, unique over all phones.

    The first SIM of a phone for two has the even one, the second SIM the next. A phone for one
    has either.
    """
    blocks = numbering.tac_blocks(config.all_subscribers)
    phones = blocks * numbering.SERIALS_PER_TAC // numbering.SERIALS_PER_PHONE
    serial = Permutation(phones, config.seed, "imei")(sims.phone)
    either = draws.keys(draws.stream(config.seed, "imei/either"), sims.phone) >> np.uint64(63)
    second = (sims.phone != sims.entity).astype(np.int64)
    serial = serial * numbering.SERIALS_PER_PHONE + np.where(
        sims.dual_sim, second, either.astype(np.int64)
    )
    block, serial = np.divmod(serial, numbering.SERIALS_PER_TAC)
    # Several TACs per model where its block has room for them.
    variant = sims.tac_variant % sims.tac_variants
    return numbering.imei(sims.tac_first, block * sims.tac_variants + variant, serial)


def reserved_positions(config: WorldConfig) -> list[int]:
    """Return the positions in our ranges that no subscriber has: numbers of services."""
    numbers = (config.numbering.voicemail_number, config.numbering.care_number)
    return numbering.reserved_numbers(
        config.numbering.country_code, config.own_operator.ndcs, numbers
    )
