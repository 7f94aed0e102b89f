"""Layout of identifiers: widths, ranges, check digits."""

import numpy as np
import pytest

from telco_pipeline.world import numbering
from telco_pipeline.world.numbering import VISITOR_COUNTRIES

EDGES = np.array([0, 1, 999_999])


def luhn_valid(number: str) -> bool:
    """The check as ISO/IEC 7812-1 words it, apart from the code under test."""
    values = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * value, 10)) for value in values[1::2]]
    return (sum(values[::2]) + sum(doubled)) % 10 == 0


@pytest.mark.parametrize(
    ("plmn", "expected"), [("20661", "206615000000007"), ("310995", "310995500000007")]
)
def test_imsi_has_15_digits_whatever_the_length_of_the_network_code(
    plmn: str, expected: str
) -> None:
    imsi = numbering.imsi(plmn, np.array([50]), np.array([7]))
    assert str(imsi[0]) == expected


def test_msisdn_steps_over_reserved_numbers() -> None:
    ndcs = ["461", "462"]
    reserved = numbering.reserved_numbers("32", ndcs, ["+32461999999", "+32461000000", "+3280061"])
    assert reserved == [0, 999_999]
    capacity = numbering.msisdn_capacity(ndcs, reserved)
    numbers = numbering.msisdn("32", ndcs, reserved, np.arange(capacity))
    assert len(np.unique(numbers)) == capacity == 1_999_998
    assert not np.isin([32461000000, 32461999999], numbers).any()
    assert numbers.min() == 32461000001
    assert numbers.max() == 32462999999


def test_machine_numbers_fit_e164() -> None:
    assert numbering.machine_msisdn("32", "77", np.array([42]))[0] == 32770000000042
    assert len(str(numbering.machine_msisdn("352", "777", np.array([42]))[0])) == 15


def test_imei_is_checked_and_keeps_its_leading_zeros() -> None:
    # The example of the GSMA's TS.06: TAC 35209900, serial 176148, check digit 1.
    known = numbering.imei(np.array([35_209_900]), np.array([0]), np.array([176_148]))
    assert known.tolist() == [352_099_001_761_481]
    test = numbering.digits(
        numbering.imei(np.full(3, 42_000), np.array([0, 1, 999]), EDGES), 15
    ).to_list()
    assert all(len(imei) == 15 and luhn_valid(imei) for imei in test)
    assert [imei[:8] for imei in test] == ["00042000", "00042001", "00042999"]


@pytest.mark.parametrize("prefix", [89_161, 893_261, 8_935_261, 89_352_612])
def test_iccid_has_19_digits_and_a_check_digit(prefix: int) -> None:
    serials = np.array([0, 1, numbering.ICCID_CAPACITY - 1])
    for iccid in numbering.iccid(np.full(3, prefix), serials).tolist():
        assert len(str(iccid)) == 19
        assert str(iccid).startswith(str(prefix))
        assert luhn_valid(str(iccid))


def test_visitors_have_identities_of_their_country() -> None:
    serials = np.array([0, 123_456, 7_999_999])
    for number, country in enumerate(VISITOR_COUNTRIES):
        imsis = numbering.visitor_imsi(np.full(3, number), serials).tolist()
        assert all(len(str(imsi)) == 15 and str(imsi).startswith(country.plmn) for imsi in imsis)
        numbers = numbering.visitor_msisdn(number, serials).tolist()
        assert len({len(str(msisdn)) for msisdn in numbers}) == 1
        assert all(str(msisdn).startswith(country.prefix) for msisdn in numbers)
        prefix = str(numbering.visitor_iccid_prefixes()[number])
        assert prefix.startswith("89")
        assert len(prefix) in (6, 7)


def test_visitor_countries_are_distinct_and_their_rests_fit() -> None:
    assert len({country.plmn for country in VISITOR_COUNTRIES}) == len(VISITOR_COUNTRIES)
    for country in VISITOR_COUNTRIES:
        assert country.first + country.size <= 10**country.rest_digits
        assert len(country.plmn + country.msin_lead) == 6


def test_text_forms() -> None:
    assert numbering.digits(np.array([7, 123]), 5).to_list() == ["00007", "00123"]
    assert numbering.digits(np.array([], np.int64), 5).to_list() == []
    assert numbering.international(np.array([32461000001])).to_list() == ["+32461000001"]


@pytest.mark.parametrize(
    ("plmn", "subscribers", "size", "ranges"),
    [
        ("20661", 5_000, 10**7, 500),
        ("20661", 5_000_000, 10**7, 500),
        ("20661", 5_000_001, 10**8, 50),
        ("316900", 5_000, 10**7, 50),
        ("316900", 9_000_000, 10**7, 50),
    ],
)
def test_ranges_of_machines_hold_all_sims_and_lie_behind_the_people(
    plmn: str, subscribers: int, size: int, ranges: int
) -> None:
    assert numbering.machine_range_size(plmn, subscribers) == size
    assert numbering.machine_ranges(plmn, size) == ranges
    assert size >= subscribers
    ends = np.array([[0, ranges - 1], [0, size - 1]])
    first, last = map(str, numbering.machine_imsi(plmn, size, *ends).tolist())
    assert first == f"{plmn}50".ljust(15, "0")
    assert last == plmn.ljust(15, "9")
    digits = numbering.range_digits(plmn, subscribers)
    places = np.arange(ranges)
    for serial in (0, size - 1):
        found = numbering.machine_imsi(plmn, size, places, np.full(ranges, serial))
        assert len({str(one)[:digits] for one in found.tolist()}) == ranges
