"""Ranges: numbers whose beginnings layers name, and sales lines of other operators.

Belongs here: how long a number of a country is, which network serves it, the numbers of an
incident. Does not belong here: who calls them (`contacts`), the parties of the directory.

The numbers of an incident are a permutation of those that a range holds: as many different ones as
the layer wants, and each is made from its place alone. Whether somebody holds such a number is the
layer's business.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.identifiers import Permutation
from telco_pipeline.scenarios.timeline import Incident
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world import numbering

Rows = npt.NDArray[np.int64]

# Digits of a mobile number with the country code, by that code (national numbering plans, ITU-T
# E.164); a network of the country for those whose numbers are called from anywhere or that frauds
# often end in (MCC of E.212 and a network code in use).
# fmt: off
_DIGITS: Final = {
    7: ("690",), 8: ("682",), 9: ("376", "687", "688"),
    10: (
        "45", "47", "53", "65", "220", "238", "239", "248", "269", "354", "423", "592", "597",
        "674", "676", "677", "678", "679", "680", "685", "691", "692", "960",
    ),
    11: (
        "1", "7", "31", "33", "34", "36", "40", "41", "46", "48", "51", "56", "61", "64", "66",
        "84", "93", "94", "216", "222", "223", "226", "227", "228", "229", "230", "232", "235",
        "236", "241", "253", "257", "266", "267", "268", "356", "357", "370", "371", "372", "373",
        "374", "377", "382", "383", "386", "387", "389", "598", "670", "675", "686", "689", "852",
        "853", "961", "965", "968", "973", "974", "975", "976", "993",
    ),
    12: (
        "20", "27", "30", "39", "43", "44", "52", "57", "58", "60", "62", "63", "81", "82", "90",
        "91", "92", "95", "212", "213", "218", "221", "224", "231", "233", "237", "240", "242",
        "243", "244", "245", "249", "250", "251", "252", "254", "255", "256", "258", "260", "261",
        "262", "263", "264", "265", "351", "352", "353", "355", "358", "359", "375", "378", "380",
        "381", "385", "420", "421", "593", "595", "855", "881", "882", "886", "962", "963", "966",
        "967", "970", "971", "972", "992", "994", "995", "996", "998",
    ),
    13: ("49", "54", "55", "86", "225", "234", "856", "880", "883", "964", "977"),
}
_NETWORKS: Final = {
    "33": "20801", "31": "20408", "49": "26201", "44": "23430", "34": "21407", "39": "22201",
    "48": "26001", "212": "60400", "352": "27001", "41": "22801", "351": "26801", "90": "28601",
    "40": "22610", "213": "60301", "216": "60502", "53": "36801", "220": "60701", "224": "61101",
    "231": "61801", "232": "61901", "235": "62201", "243": "63001", "249": "63401", "252": "63701",
    "257": "64201", "261": "64601", "263": "64801", "265": "65001", "269": "65401", "355": "27601",
    "370": "24601", "371": "24701", "372": "24801", "373": "25901", "375": "25701", "381": "22001",
    "383": "22101", "387": "21890", "389": "29401", "675": "53701", "677": "54001", "678": "54101",
    "685": "54901", "880": "47001", "92": "41001", "93": "41201", "94": "41302", "960": "47201",
    "977": "42901", "992": "43601", "994": "40001",
}
# fmt: on
_LENGTHS: Final = {code: digits for digits, codes in _DIGITS.items() for code in codes}
_LONGEST_CODE: Final = 3
_UNKNOWN: Final = (11, 13)  # digits in all where the country's plan is not known
_AT_HOME: Final = (8, 9)  # digits behind the country code: fixed and premium, mobile
_SALES_LINES: Final = 1000  # numbers at the end of a range among which a sales line is looked for

NETWORKS: Final = tuple(sorted(set(_NETWORKS.values())))
"""Networks abroad that numbers of ranges may belong to."""


def length_of(config: WorldConfig, beginning: str) -> int:
    """Return how many digits a number has in all that begins with `beginning` (+ and digits)."""
    digits = beginning.removeprefix("+")
    home = config.numbering.country_code
    if digits.startswith(home):
        length = len(home) + _AT_HOME[_operator(config, beginning) is not None]
    else:
        code = _country(digits, _LENGTHS)
        least, most = _UNKNOWN
        key = draws.mix_int(draws.aspect_code(f"length/{digits[:_LONGEST_CODE]}"))
        length = least + key % (most - least + 1) if code is None else _LENGTHS[code]
    return max(length, len(digits))


def network_of(config: WorldConfig, beginning: str) -> str | None:
    """Return the network of numbers that begin with `beginning`; None for fixed lines."""
    digits = beginning.removeprefix("+")
    if digits.startswith(config.numbering.country_code):
        return _operator(config, beginning)
    code = _country(digits, _NETWORKS)
    return None if code is None else _NETWORKS[code]


def numbers_of(
    config: WorldConfig, incident: Incident, beginnings: Sequence[str], place: Rows
) -> tuple[Rows, Rows]:
    """Return numbers of an incident: different ones at different places, as far as ranges reach.

    Args:
        config: The world.
        incident: The incident: its effects on the same ranges have the same numbers.
        beginnings: Beginnings of the ranges, with +.
        place: Places of the numbers, from 0.

    Returns:
        Each number as an integer, and the position of its beginning.
    """
    which = (place + incident.stream(config, "range") % len(beginnings)) % len(beginnings)
    turn = place // len(beginnings)
    numbers = np.zeros(len(place), dtype=np.int64)
    for position, beginning in enumerate(beginnings):
        rows = np.flatnonzero(which == position)
        if not rows.size:
            continue
        digits = beginning.removeprefix("+")
        capacity = 10 ** (length_of(config, beginning) - len(digits))
        key = incident.stream(config, f"range/{digits}")
        serial = Permutation(capacity, key, "numbers")(turn[rows] % capacity)
        numbers[rows] = int(digits) * capacity + serial
    return numbers, which


def sales_line(config: WorldConfig, operator: int, taken: Rows) -> int:
    """Return the number of the sales line of another operator: one of its range.

    Args:
        config: The world.
        operator: Position in world.yaml.
        taken: Numbers that somebody has.
    """
    one = config.operators[operator]
    last = int(numbering.msisdn_capacity(one.ndcs) * numbering.DIRECTORY_FILL)
    order = np.arange(last - _SALES_LINES, last)
    serial = numbering.other_range(config.seed, one.ndcs)(order)
    lines = numbering.msisdn(config.numbering.country_code, one.ndcs, (), serial)
    bits = draws.keys(draws.stream(config.seed, "sales line"), order)
    return int(lines[np.lexsort((bits, np.isin(lines, taken)))[0]])


def _operator(config: WorldConfig, beginning: str) -> str | None:
    """Return the operator of our country to whose range a beginning leads; None for none."""
    home = f"+{config.numbering.country_code}"
    for operator in config.operators:
        if any(beginning.startswith(home + ndc) for ndc in operator.ndcs):
            return operator.plmn
    return None


def _country(digits: str, codes: Mapping[str, int | str]) -> str | None:
    """Return the code with which digits begin; no country's code begins with another's."""
    for length in range(1, _LONGEST_CODE + 1):
        if digits[:length] in codes:
            return digits[:length]
    return None
