"""Avro: schemas of the contracts, values that any reader reads, and registries that refuse."""

import copy
import datetime as dt
import io
import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fastavro
import polars as pl
import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming import audit, avro
from telco_pipeline.streaming.avro import AvroDecoder, AvroEncoder, schema_of, subject_of
from telco_pipeline.streaming.connection import Connection
from telco_pipeline.streaming.consumer import Reading, readable
from telco_pipeline.streaming.disturb import damaged
from telco_pipeline.streaming.encoding import json_values
from telco_pipeline.streaming.layout import StreamSettings, Topic, progress_topic
from telco_pipeline.streaming.pacing import Pace
from telco_pipeline.streaming.registry import Registry, differences
from telco_pipeline.streaming.stream import Stream
from telco_pipeline_tests.kafka import ApacheKafka, consume, create_topics, unique
from telco_pipeline_tests.lake.kit import DAY
from telco_pipeline_tests.streaming.schema_registry import SmallRegistry, small_registry
from telco_pipeline_tests.streaming.small_day import PARTS, random_rows, rows_of, small_lake
from telco_pipeline_tests.streaming.test_encoding import cells

TOPIC = Topic("any", tuple(DATASETS))
IDS = {("any", name): number for number, name in enumerate(DATASETS, start=1)}
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LAST = dt.datetime(9999, 12, 31, 23, 59, 59, 999999, dt.UTC)


def settings(registry: str | None, **more: Any) -> StreamSettings:
    """Return settings with topics of their own."""
    own = progress_topic(unique("progress"))
    told = {"encoding": "avro", "schema_registry": registry} | more
    return StreamSettings(
        "by_kind", {}, (), own, Topic(unique("disturbed"), (), 1, retention=-1), **told
    )


def decoded(schema: Any, value: bytes) -> Any:
    """Read a value with a schema as written, by nothing of ours."""
    source = io.BytesIO(value[5:])
    found = fastavro.schemaless_reader(source, fastavro.parse_schema(copy.deepcopy(schema)), None)
    assert source.read() == b""
    return found


def frame(dataset: str, rows: list[Any]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=DATASETS[dataset].polars_schema, orient="row")
    return as_sent(dataset, frame)


def as_sent(dataset: str, rows: pl.DataFrame) -> pl.DataFrame:
    sent = dataset == "subscribers"
    return rows.with_columns(in_service=pl.lit(True)) if sent else rows


# --- schemas -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DATASETS)
def test_schemas_say_what_the_contracts_say(name: str) -> None:
    contract, schema = DATASETS[name], schema_of(name)
    parsed = fastavro.parse_schema(copy.deepcopy(schema))
    assert parsed["name"] == f"telco.v{contract.version}.{name}"
    assert schema["doc"] == contract.description
    fields = {one["name"]: one for one in schema["fields"]}
    extra = ["in_service"] if name == "subscribers" else []
    assert list(fields) == contract.columns + extra
    for column, told in contract.schema.columns().items():
        one = fields[column]
        assert one["doc"] == told.description
        assert isinstance(one["type"], list) == told.nullable
        assert ("default" in one) == told.nullable
        assert not told.nullable or (one["type"][0], one["default"]) == ("null", None)
        assert one.get("unit") == (told.metadata or {}).get("unit")
        if isinstance(told.dtype, pl.Enum):
            assert one["values"] == told.dtype.categories.to_list()
            assert one["type"] in ("string", ["null", "string"])


def test_times_and_dates_have_logical_types() -> None:
    fields = {one["name"]: one["type"] for one in schema_of("cdrs_voice")["fields"]}
    assert fields["event_time"] == {"type": "long", "logicalType": "timestamp-micros"}
    fields = {one["name"]: one["type"] for one in schema_of("subscribers")["fields"]}
    assert fields["contract_start"] == {"type": "int", "logicalType": "date"}
    assert fields["birth_date"] == ["null", {"type": "int", "logicalType": "date"}]


# --- values --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DATASETS)
def test_rows_of_every_dataset_come_back(name: str) -> None:
    rows = as_sent(name, random_rows(name, 200, 7))
    values = AvroEncoder(IDS).values(TOPIC, name, rows)
    assert {value[:5] for value in values} == {struct.pack(">bI", 0, IDS["any", name])}
    assert [decoded(schema_of(name), value) for value in values] == rows.to_dicts()
    assert AvroEncoder(IDS).values(TOPIC, name, rows.head(0)) == []


@pytest.mark.parametrize("name", ["cdrs_voice", "cdrs_data", "customer_service", "subscribers"])
@given(data=st.data())
def test_any_row_comes_back(name: str, data: st.DataObject) -> None:
    """With nulls, extremes and texts of all characters."""
    columns = DATASETS[name].schema.columns()
    wide = st.datetimes(EPOCH.replace(tzinfo=None), LAST.replace(tzinfo=None))
    drawn = [
        (st.none() if column.nullable else st.nothing())
        | (
            wide.map(lambda moment: moment.replace(tzinfo=dt.UTC))
            if isinstance(column.dtype, pl.Datetime)
            else cells(column.dtype)
        )
        for column in columns.values()
    ]
    rows = frame(name, data.draw(st.lists(st.tuples(*drawn), min_size=1, max_size=4)))
    values = AvroEncoder(IDS).values(TOPIC, name, rows)
    assert [decoded(schema_of(name), value) for value in values] == rows.to_dicts()


def test_a_null_that_the_contract_forbids_is_refused() -> None:
    rows = random_rows("cdrs_sms", 3, 1).with_columns(event_id=pl.lit(None, pl.Int64))
    with pytest.raises(TelcoError, match="cdrs_sms: a row has no event_id"):
        AvroEncoder(IDS).values(TOPIC, "cdrs_sms", rows)


@given(spot=st.integers(0, 2**64 - 1), way=st.integers(0, 2**64 - 1))
def test_what_is_malformed_on_purpose_cannot_be_read(spot: int, way: int) -> None:
    value = SAMPLE[spot % len(SAMPLE)]
    with pytest.raises(TelcoError):
        STOCKED.record(damaged(value, way, spot))


class _Stock(Registry):
    """Has the schemas of `IDS`, and asks nobody."""

    def schema(self, number: int) -> Any:
        names = [name for (_, name), one in IDS.items() if one == number]
        return schema_of(names[0]) if names else None


SAMPLE = AvroEncoder(IDS).values(TOPIC, "cdrs_voice", random_rows("cdrs_voice", 50, 3))
STOCKED = AvroDecoder(_Stock("http://nowhere"))


@pytest.mark.parametrize("name", ["cdrs_voice", "subscribers", "truth_records"])
def test_decoded_text_is_the_json_of_the_row(name: str) -> None:
    rows = as_sent(name, random_rows(name, 50, 5))
    values = AvroEncoder(IDS).values(TOPIC, name, rows)
    told = [json.loads(STOCKED.text(value)) for value in values]
    assert told == [json.loads(value) for value in json_values(name, rows)]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"", "wire format"),
        (b"\x00\x00\x00\x01", "wire format"),
        (b'{"dataset"', "wire format"),
        (b"\x00\x00\x00\x03\xe7rest", "no Avro schema 999"),
        (SAMPLE[0][:-1], "does not read it"),
        (SAMPLE[0] + b"x", "left over"),
        (SAMPLE[0][:5] + b"\xfe" * 12, "does not read it"),
    ],
)
def test_what_is_no_record_is_told(value: bytes, words: str) -> None:
    with pytest.raises(TelcoError, match=words):
        STOCKED.text(value)


# --- evolution -----------------------------------------------------------------------------


def test_a_new_column_that_may_be_null_reads_what_was_written_before() -> None:
    """The next version of a contract is another namespace; its aliases name this one."""
    now = schema_of("cdrs_sms")
    later = copy.deepcopy(now)
    number = DATASETS["cdrs_sms"].version
    later["namespace"] = f"telco.v{number + 1}"
    later["aliases"] = [f"telco.v{one}.cdrs_sms" for one in range(1, number + 1)]
    later["fields"].insert(3, {"name": "new", "type": ["null", "string"], "default": None})
    assert now["aliases"] == [f"telco.v{one}.cdrs_sms" for one in range(1, number)]

    rows = random_rows("cdrs_sms", 20, 2)
    for value, row in zip(
        AvroEncoder(IDS).values(TOPIC, "cdrs_sms", rows), rows.to_dicts(), strict=True
    ):
        read = fastavro.schemaless_reader(
            io.BytesIO(value[5:]), fastavro.parse_schema(now), fastavro.parse_schema(later)
        )
        assert read == row | {"new": None}
    assert list(differences(now, later)) == ["field new is new"]
    assert subject_of("cdrs", now) == f"cdrs-telco.v{number}.cdrs_sms"
    assert subject_of("cdrs", later) == f"cdrs-telco.v{number + 1}.cdrs_sms"


# --- registries ----------------------------------------------------------------------------


@pytest.fixture
def registry() -> Iterator[str]:
    """Any registry: that of SCHEMA_REGISTRY_URL, else a small one."""
    given_one = os.environ.get("SCHEMA_REGISTRY_URL")
    if given_one:
        yield given_one
        return
    with small_registry() as own:
        yield own.url


@pytest.fixture
def small() -> Iterator[SmallRegistry]:
    with small_registry() as own:
        yield own


def refusal(
    registry: str, subject: str | None = None, environ: dict[str, str] | None = None
) -> str:
    began = time.monotonic()
    with pytest.raises(TelcoError) as caught:
        Registry.of(registry, environ or {}).register(
            subject or unique("subject"), schema_of("cdrs_sms")
        )
    assert time.monotonic() - began < 15
    told = str(caught.value)
    assert "\n" not in told
    return told


def test_schemas_are_registered_once_and_come_back(registry: str) -> None:
    one = Registry.of(registry, {})
    schemas = {name: schema_of(name) for name in DATASETS}
    ids = {name: one.register(unique("all"), schema) for name, schema in schemas.items()}
    assert len(set(ids.values())) == len(ids)
    assert {name: one.schema(number) for name, number in ids.items()} == schemas
    subject = unique("twice")
    assert one.register(subject, schemas["alarms"]) == one.register(subject, schemas["alarms"])
    assert one.latest(subject) == schemas["alarms"]
    assert one.latest(unique("none")) is None
    assert one.schema(2_000_000_000) is None


def test_a_schema_that_does_not_fit_is_told_with_what_differs(small: SmallRegistry) -> None:
    other = schema_of("cdrs_sms")
    kept = [one for one in other["fields"] if one["name"] != "imsi"]
    kept[0] = kept[0] | {"type": "string"}
    Registry.of(small.url, {}).register(
        "taken", other | {"fields": [*kept, {"name": "x", "type": "int"}]}
    )
    told = refusal(small.url, "taken")
    assert "registering taken" in told
    assert "field event_id is string there, long here" in told
    assert "field imsi is new" in told
    assert "field x is not here" in told
    assert "another name" in told


def test_a_new_nullable_column_goes_with_the_earlier_schema(small: SmallRegistry) -> None:
    """Also where contract and name stay, as in a subject that is named by hand."""
    one, schema = Registry.of(small.url, {}), schema_of("cdrs_sms")
    first = one.register("grows", schema)
    new = {"name": "new", "type": ["null", "long"], "default": None}
    assert one.register("grows", schema | {"fields": [*schema["fields"], new]}) != first
    assert len(small.subjects["grows"]) == 2


def test_user_and_password() -> None:
    with small_registry("telco:secret-wörd✓") as closed:
        assert "wants user and password" in refusal(closed.url)
        names = ("SCHEMA_REGISTRY_USERNAME", "SCHEMA_REGISTRY_PASSWORD")
        wrong = dict(zip(names, ("telco", "wrong-word"), strict=True))
        told = refusal(closed.url, environ=wrong)
        assert "refuses user or password" in told
        assert "wrong-word" not in told
        assert "SCHEMA_REGISTRY_PASSWORD is not" in refusal(closed.url, environ={names[0]: "telco"})
        right = Registry.of(closed.url, dict(zip(names, ("telco", "secret-wörd✓"), strict=True)))
        assert "secret" not in repr(right)
        assert right.register("x", schema_of("alarms")) == 1


def test_certificates(tmp_path: Path) -> None:
    made = tmp_path / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out",
         "ca.pem"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    made.write_text((tmp_path / "key.pem").read_text() + (tmp_path / "ca.pem").read_text())
    variable = "SCHEMA_REGISTRY_SSL_CA_LOCATION"
    with small_registry(certificate=made) as own:
        assert f"not trusted here: name its file with {variable}" in refusal(own.url)
        trusting = Registry.of(own.url, {variable: str(tmp_path / "ca.pem")})
        assert trusting.register("x", schema_of("alarms")) == 1
        missing = {variable: str(tmp_path / "no.pem")}
        assert "cannot be read" in refusal(own.url, environ=missing)
        assert "TLS" in refusal(own.url.replace("https", "http"))
    with small_registry() as plain:
        assert "no TLS is spoken there" in refusal(plain.url.replace("http", "https"))


def test_addresses_that_lead_nowhere() -> None:
    assert "connection refused" in refusal("http://127.0.0.1:1")
    assert "unknown host" in refusal("http://no.such.host.invalid:8081")
    assert "is no address" in refusal("registry:8081")
    assert "check the address" in refusal("http://a..b:8081")
    assert "check the address" in refusal("http://h:99999")
    told = refusal("http://me:my-secret@127.0.0.1:8081")
    assert "my-secret" not in told
    assert "SCHEMA_REGISTRY_PASSWORD" in told


def test_a_server_that_is_no_registry(small: SmallRegistry) -> None:
    assert "see to it" in refusal(f"{small.url}/other")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert "nobody answers in time" in refusal(f"http://127.0.0.1:{mute.getsockname()[1]}")


# --- settings ------------------------------------------------------------------------------


def test_avro_without_headers_or_registry_is_refused(small: SmallRegistry) -> None:
    topics = (Topic("cdrs", ("cdrs_sms", "cdrs_voice")),)
    with pytest.raises(TelcoError, match="avro needs headers"):
        AvroEncoder.of(settings(small.url, headers="none"), topics, {})
    with pytest.raises(TelcoError, match="--schema-registry"):
        AvroEncoder.of(settings(None), topics, {})
    assert not small.requests
    AvroEncoder.of(settings(small.url), topics, {})
    versions = {name: DATASETS[name].version for name in topics[0].datasets}
    assert set(small.subjects) == {f"cdrs-telco.v{versions[name]}.{name}" for name in versions}


def test_without_the_package_one_line_says_how_to_install_it() -> None:
    script = (
        "import sys; sys.modules['fastavro'] = None\n"
        "from telco_pipeline.errors import TelcoError\n"
        "try:\n    import telco_pipeline.streaming.avro\n"
        "except TelcoError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "pip install 'telco-pipeline[avro]'" in done.stdout
    assert len(done.stdout.splitlines()) == 1


# --- from the lake to readers --------------------------------------------------------------


@dataclass
class Sent:
    """A day that was sent in Avro."""

    stream: Stream
    topics: tuple[Topic, ...]
    kafka: ApacheKafka
    registry: str


@pytest.fixture
def sent(apache_kafka: ApacheKafka, registry: str, tmp_path: Path) -> Sent:
    lake = small_lake(tmp_path / "lake")
    topics = tuple(
        Topic(unique(name), datasets, 3, retention=-1)
        for name, datasets in (
            ("cdrs", ("cdrs_voice", "cdrs_sms")),
            ("rest", ("network_logs", "pm_counters", "customer_service", "truth_entities")),
            ("users", ("subscribers",)),
        )
    )
    connection = Connection({name: str(one) for name, one in apache_kafka.client().items()})
    return Sent(
        Stream(lake, topics, settings(registry), connection), topics, apache_kafka, registry
    )


def listed(rows: list[Any]) -> list[str]:
    """Return rows in an order of their own; zones of one time are told apart by no text."""
    return sorted(json.dumps(row, default=str) for row in rows)


def fetched(registry: str, number: int) -> Any:
    with urllib.request.urlopen(f"{registry}/schemas/ids/{number}") as answer:
        return json.loads(json.load(answer)["schema"])


def test_a_consumer_of_its_own_reads_the_rows_of_the_lake(sent: Sent) -> None:
    sent.stream.prepared()
    done = sent.stream.push(DAY, Pace.of())
    records = consume(sent.kafka.client(), *(topic.name for topic in sent.topics))
    assert len(records) == sum(one.records for one in done.topics.values())
    found: dict[str, list[Any]] = {}
    for record in records:
        magic, number = struct.unpack_from(">bI", record.value or b"")
        schema = fetched(sent.registry, number)
        name = schema["name"].rpartition(".")[2]
        assert magic == 0
        assert record.headers["ce_type"] == f"telco.{name}".encode()
        assert record.headers["content-type"] == avro.CONTENT_TYPE
        assert schema["namespace"] == f"telco.v{(record.headers['schema_version'] or b'').decode()}"
        found.setdefault(name, []).append(decoded(schema, record.value or b""))
    for dataset in PARTS:
        rows = [row for part in rows_of(dataset) for row in part.to_dicts()]
        assert listed(found[dataset]) == listed(rows), dataset
    users = sent.stream.lake.read("subscribers").to_dicts()
    assert listed(found["subscribers"]) == listed([row | {"in_service": True} for row in users])

    again = sent.stream.push(DAY, Pace.of())
    assert sum(one.records for one in again.topics.values()) == 0


def test_disturbed_records_are_counted_and_their_truth_is_json(sent: Sent) -> None:
    topics = sent.topics[:2]
    rates = {"late": 0.1, "out_of_order": 0.0, "duplicated": 0.1, "malformed": 0.2}
    stream = replace(
        sent.stream, topics=topics, settings=replace(sent.stream.settings, disturb=rates)
    )
    stream.prepared()
    stream.push(DAY, Pace.of())
    stream.prepared()  # what lies there now is taken as ours
    for one in audit.compare(stream, [DAY]):
        assert (one.problem, one.gone) == ("", False)
        assert min(one.disturbed[kind] for kind, rate in rates.items() if rate) > 0

    told = [
        json.loads(one.value or b"")
        for one in consume(sent.kafka.client(), stream.settings.disturbances.name)
    ]
    malformed = {one["id"] for one in told if one["kind"] == "malformed"}
    decoder = AvroDecoder(Registry.of(sent.registry, {}))
    broken = set()
    for record in consume(sent.kafka.client(), *(topic.name for topic in topics)):
        try:
            decoder.record(record.value or b"")
        except TelcoError:
            broken.add((record.headers["ce_id"] or b"").decode())
    assert broken == malformed
    assert broken


def test_records_are_shown_as_json(apache_kafka: ApacheKafka, small: SmallRegistry) -> None:
    connection = Connection({name: str(one) for name, one in apache_kafka.client().items()})
    topic = Topic(unique("shown"), ("cdrs_sms",))
    rows = random_rows("cdrs_sms", 1, 4)
    (value,) = AvroEncoder.of(settings(small.url), [topic], {}).values(topic, "cdrs_sms", rows)
    create_topics(apache_kafka.client(), topic.name)
    producer = Producer(connection.client())
    producer.produce(topic.name, value)
    assert producer.flush(20) == 0
    with Reading(connection, [topic.name]) as reading:
        messages: list[Any] = []
        while not messages:
            messages = reading.batch(0.2)
    event = str(rows["event_id"][0])
    assert f'{{"dataset":"cdrs_sms","event_id":{event}' in readable(
        messages[0], AvroDecoder(Registry.of(small.url, {})).text
    )
    assert "bytes of Avro: name a schema registry" in readable(messages[0])
    gone = readable(messages[0], AvroDecoder(Registry.of("http://127.0.0.1:1", {})).text)
    assert "bytes of Avro: fetching schema 1" in gone
    assert "connection refused" in gone
