"""Layout of IMSI, MSISDN, IMEI and ICCID, ours and visitors'.

Belongs here: how digits are put together from numbers that are already unique, and how many fit.
Does not belong here: who gets which number (`subscribers`), the permutations (`engine`).

All functions take arrays of integers and return arrays of integers; an identifier of up to 19
digits fits an int64 and becomes text once, at the end (`digits`, `international`).

No row shall name a real customer. Our network codes and ranges are ones that nobody holds
(`scenarios/world.yaml`). Visitors come from real countries (MCC and country code are ITU's), with
network codes and mobile prefixes that to our knowledge carry no holder: the ranges that
regulators reserve for fiction (+44 7700 900xxx, +33 6 39 98 xx xx, ...) hold 1,000 to 10,000
numbers, too few to be unique over a world.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.engine.identifiers import Permutation, luhn_digit

Integers = npt.NDArray[np.int64]

PEOPLE_CLASS: Final = 10
"""MSIN prefix of people and businesses."""

FIRST_MACHINE_CLASS: Final = 50
"""First MSIN prefix of machines' ranges, which go on to the end of the MSINs."""

NDC_CAPACITY: Final = 1_000_000
VISITOR_MSIN_CAPACITY: Final = 10**9
ICCID_CAPACITY: Final = 10**10
MACHINE_CAPACITY: Final = 10**9
MACHINE_RANGE: Final = 10**7
"""IMSIs of one range of machines, as far as no world needs larger ones (`machine_range_size`)."""
_MAX_E164: Final = 15
SERIALS_PER_TAC: Final = 1_000_000
SERIALS_PER_PHONE: Final = 2
DIRECTORY_FILL: Final = 0.75
"""Part of another operator's range that its customers in the directory fill at most; the rest is
for numbers that were ported to us."""


@dataclass(frozen=True)
class VisitorCountry:
    """A country that visitors come from.

    Attributes:
        country: ISO 3166 code.
        weight: Share among visitors, in percent; order of Belgian overnight stays by origin
            (Statbel: NL, FR, DE, GB, ES, US, IT lead), shares rounded by us.
        plmn: MCC of the country with a network code that nobody holds, as far as known.
        msin_lead: Digits before the 9 permuted digits of the MSIN, so that the IMSI has 15.
        prefix: Country code and first digits of the mobile number.
        first: Smallest rest of the number.
        size: How many rests there are, from `first` on.
        rest_digits: Digits of the rest.
        language: Language in which we write to them.
        culture: Culture of their names in the vocabulary.
    """

    country: str
    weight: float
    plmn: str
    msin_lead: str
    prefix: str
    first: int
    size: int
    rest_digits: int
    language: str
    culture: str


# Countries that Belgians visit: ISO code, network visited, weight (Statbel, order of magnitude).
TRAVEL_COUNTRIES: Final = (
    ("FR", "20801", 30.0),
    ("NL", "20408", 16.0),
    ("ES", "21407", 14.0),
    ("DE", "26201", 11.0),
    ("IT", "22201", 8.0),
    ("GB", "23430", 6.0),
    ("LU", "27001", 5.0),
    ("TR", "28601", 3.0),
    ("MA", "60400", 3.0),
    ("CH", "22801", 2.0),
    ("US", "310260", 2.0),
)

VISITOR_COUNTRIES: Final = (
    VisitorCountry("NL", 25.0, "20441", "3", "3167", 0, 10**7, 7, "nl", "nld"),
    VisitorCountry("FR", 22.0, "20857", "3", "3371", 0, 10**7, 7, "fr", "fra"),
    VisitorCountry("DE", 14.0, "26257", "3", "49154", 0, 10**8, 8, "de", "de"),
    VisitorCountry("GB", 12.0, "23461", "3", "4472", 0, 10**8, 8, "en", "en"),
    VisitorCountry("ES", 7.0, "21461", "3", "3476", 0, 10**7, 7, "en", "es"),
    # Area code 555 is not in service; an exchange begins with 2 to 9.
    VisitorCountry("US", 6.0, "316900", "", "1555", 2 * 10**6, 8 * 10**6, 7, "en", "en"),
    VisitorCountry("IT", 6.0, "22261", "3", "39399", 0, 10**7, 7, "en", "it"),
    VisitorCountry("PL", 3.5, "26061", "3", "4864", 0, 10**7, 7, "en", "pl"),
    VisitorCountry("LU", 2.5, "27061", "3", "35264", 0, 10**7, 7, "fr", "fra"),
    VisitorCountry("CH", 2.0, "22841", "3", "4173", 0, 10**7, 7, "de", "de"),
)
"""Where visitors come from."""


def imsi_capacity(plmn: str) -> int:
    """Return how many SIMs fit a class: the MSIN's digits below its class prefix."""
    return 10 ** (13 - len(plmn))


def imsi(plmn: str, msin_class: Integers, serial: Integers) -> Integers:
    """Return IMSIs of our network: MCC, MNC, two digits of class, the rest serial; 15 digits.

    Args:
        plmn: Our MCC and MNC, 5 or 6 digits.
        msin_class: Two digits per SIM, such as `PEOPLE_CLASS`.
        serial: Unique number per SIM, below `imsi_capacity`.
    """
    capacity = imsi_capacity(plmn)
    return (int(plmn) * 100 + msin_class) * capacity + serial


def machine_range_size(plmn: str, subscribers: int) -> int:
    """Return how many IMSIs a range of machines holds: a power of ten, at most a class.

    A SIM's place in its range is a permutation of its number in the world, so a range holds as many
    as there are SIMs of any kind, and as many again for those that replace them.

    Args:
        plmn: Our MCC and MNC.
        subscribers: SIMs that are ever in service.
    """
    largest = imsi_capacity(plmn)
    return min(MACHINE_RANGE, largest) if 2 * subscribers <= MACHINE_RANGE else largest


def machine_ranges(plmn: str, size: int) -> int:
    """Return how many ranges of a size there are for machines."""
    return (100 - FIRST_MACHINE_CLASS) * imsi_capacity(plmn) // size


def machine_imsi(plmn: str, size: int, place: Integers, serial: Integers) -> Integers:
    """Return IMSIs of machines: MCC, MNC, number of the range, the rest serial; 15 digits.

    Args:
        plmn: Our MCC and MNC.
        size: IMSIs of a range (`machine_range_size`).
        place: Range of each SIM, below `machine_ranges`.
        serial: Unique number per SIM, below `size`.
    """
    first = (int(plmn) * 100 + FIRST_MACHINE_CLASS) * imsi_capacity(plmn)
    return first + place * size + serial


def range_digits(plmn: str, subscribers: int) -> int:
    """Return how many leading digits the IMSIs of one range of machines share."""
    return 16 - len(str(machine_range_size(plmn, subscribers)))


def msisdn_capacity(ndcs: Sequence[str], reserved: Sequence[int] = ()) -> int:
    """Return how many numbers our ranges hold, without the reserved ones."""
    return len(ndcs) * NDC_CAPACITY - len(reserved)


def other_range(seed: int, ndcs: Sequence[str]) -> Permutation:
    """Return the order in which the numbers of another operator's ranges are given out.

    The directory of other operators' customers takes them from the first on, `ported` ones are
    taken from the last backwards, so that no number is given twice.
    """
    return Permutation(len(ndcs) * NDC_CAPACITY, seed, f"directory/{ndcs[0]}")


def directory_size(subscribers: int, own_share: float, share: float) -> int:
    """Return how many customers of another operator the market has for a world.

    Args:
        subscribers: SIMs of ours.
        own_share: Our share of the market.
        share: The other operator's share.
    """
    return int(subscribers * share / own_share) + 200


def reserved_numbers(country_code: str, ndcs: Sequence[str], numbers: Sequence[str]) -> list[int]:
    """Return the positions within our joint ranges of numbers that nobody may get.

    Args:
        country_code: Our country code, such as ``"32"``.
        ndcs: Our national destination codes, in order.
        numbers: Numbers in international form, such as that of the voicemail; others than ours
            are skipped.

    Returns:
        Positions from 0 to ``len(ndcs) * NDC_CAPACITY - 1``, rising.
    """
    positions = {
        order * NDC_CAPACITY + int(rest)
        for number in numbers
        for order, ndc in enumerate(ndcs)
        if len(rest := number.removeprefix(f"+{country_code}{ndc}")) == 6 and rest.isdigit()
    }
    return sorted(positions)


def msisdn(
    country_code: str, ndcs: Sequence[str], reserved: Sequence[int], serial: Integers
) -> Integers:
    """Return numbers of people: country code, one of our NDCs, six digits.

    Args:
        country_code: Our country code.
        ndcs: Our national destination codes (3 digits each).
        reserved: Positions of `reserved_numbers`, which are stepped over.
        serial: Unique number per SIM, below `msisdn_capacity`.
    """
    position = serial.copy()
    for taken in reserved:
        position += position >= taken
    starts = np.array([int(f"{country_code}{ndc}") * NDC_CAPACITY for ndc in ndcs])
    return starts[position // NDC_CAPACITY] + position % NDC_CAPACITY


def machine_msisdn(country_code: str, m2m_ndc: str, serial: Integers) -> Integers:
    """Return numbers of machines: country code, M2M code, ten digits (BIPT's long numbers).

    Nine digits where ten would exceed E.164's 15. `serial` is below `MACHINE_CAPACITY`.
    """
    prefix = country_code + m2m_ndc
    return int(prefix) * 10 ** min(10, _MAX_E164 - len(prefix)) + serial


def visitor_imsi(country: Integers, serial: Integers) -> Integers:
    """Return IMSIs of visitors, 15 digits.

    Args:
        country: Position in `VISITOR_COUNTRIES` per SIM.
        serial: Unique number per SIM, below `VISITOR_MSIN_CAPACITY`.
    """
    starts = np.array(
        [int(c.plmn + c.msin_lead) * VISITOR_MSIN_CAPACITY for c in VISITOR_COUNTRIES]
    )
    return starts[country] + serial


def visitor_msisdn(country: int, serial: Integers) -> Integers:
    """Return numbers of visitors from one country; `serial` is below the country's `size`."""
    layout = VISITOR_COUNTRIES[country]
    return int(layout.prefix) * 10**layout.rest_digits + layout.first + serial


def imei(tac_first: Integers, tac_offset: Integers, serial: Integers) -> Integers:
    """Return IMEIs: type allocation code, six digits of serial, Luhn digit.

    Args:
        tac_first: First TAC of each SIM's device model, as a number (leading zeros dropped).
        tac_offset: Which TAC of the model's block.
        serial: Serial number below 1,000,000.
    """
    body = (tac_first + tac_offset) * SERIALS_PER_TAC + serial
    return body * 10 + luhn_digit(body, 14)


def tac_blocks(subscribers: int) -> int:
    """Return how many TACs a model needs for two serials per SIM that nobody else has.

    A phone for two SIMs has two IMEIs whose serials follow each other.
    """
    return -(-SERIALS_PER_PHONE * subscribers // SERIALS_PER_TAC)


def iccid(prefix: Integers, serial: Integers) -> Integers:
    """Return ICCIDs of 19 digits: prefix, serial, Luhn digit (E.118).

    Args:
        prefix: 89, country code and issuer of each SIM: 5 to 8 digits.
        serial: Unique number per SIM, below `ICCID_CAPACITY`.
    """
    scale = np.full_like(prefix, 10**13)
    for digits_less, limit in enumerate((10**5, 10**6, 10**7)):
        scale[prefix >= limit] = 10 ** (12 - digits_less)
    body = prefix * scale + serial
    return body * 10 + luhn_digit(body, 18)


def visitor_iccid_prefixes() -> Integers:
    """Return 89, country code and a two-digit issuer (61) of each visitor country."""
    codes = {"US": "01"}  # E.118 pads +1 to two digits
    return np.array(
        [int(f"89{codes.get(c.country, _country_code(c.prefix))}61") for c in VISITOR_COUNTRIES]
    )


def _country_code(prefix: str) -> str:
    """Return the E.164 country code at the head of a mobile prefix."""
    return prefix[:3] if prefix.startswith("352") else prefix[:2]


def digits(numbers: Integers, width: int) -> pl.Series:
    """Return numbers as text, filled up with zeros on the left to `width` digits."""
    text = pl.Series(numbers).cast(pl.String)
    # No identifier but a test IMEI begins with zeros, and filling costs more than casting.
    if numbers.size and int(numbers.min()) < 10 ** (width - 1):
        return text.str.zfill(width)
    return text


def international(numbers: Integers) -> pl.Series:
    """Return E.164 numbers as text with a plus sign."""
    return pl.select("+" + pl.lit(pl.Series(numbers)).cast(pl.String)).to_series()
