"""`telco consume` and `telco broker`: what is read and said, and one line where it cannot be."""

import json
import signal
import subprocess
from pathlib import Path

import pytest
from confluent_kafka import Producer

from telco_pipeline.streaming.avro import AvroEncoder, schema_of
from telco_pipeline.streaming.layout import Topic
from telco_pipeline.streaming.registry import Registry
from telco_pipeline_tests.cli.conftest import Telco, assert_refused, run_process, start_process
from telco_pipeline_tests.kafka import (
    ApacheKafka,
    Kafka,
    consume,
    create_topics,
    produce,
    unique,
)
from telco_pipeline_tests.streaming.schema_registry import small_registry
from telco_pipeline_tests.streaming.small_day import random_rows

VALUES = [f'{{"dataset":"cdrs_voice","event_id":{number}}}'.encode() for number in range(200)]


@pytest.fixture
def filled(kafka: Kafka | ApacheKafka, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a topic with records, at the broker that the environment names."""
    name = unique("consume")
    create_topics(kafka.client(), name)
    produce(kafka.client(), name, VALUES)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    return name


def test_counts_and_a_tail(telco: Telco, filled: str) -> None:
    result = telco("consume", "--topics", filled, "--until-end", "--tail", 2)

    assert result.exit_code == 0, result.output
    assert "200 records" in result.stdout
    lines = [line for line in result.stdout.splitlines() if line.startswith(f"{filled}[")]
    assert len(lines) == 2
    assert all("cdrs_voice" in line for line in lines)
    assert "Reading" in result.stderr


def test_as_json(telco: Telco, filled: str) -> None:
    result = telco("consume", "--topics", filled, "--until-end", "--json", "--tail", 3)

    told = json.loads(result.stdout)
    assert told["records"] == 200
    (topic,) = told["topics"].values()
    assert topic["records"] == 200
    assert topic["bytes"] == sum(map(len, VALUES))
    assert topic["lag"] == 0
    assert topic["last_event_time"].endswith("Z")
    assert len(told["tail"]) == 3


def test_avro_is_shown_as_json(
    telco: Telco, kafka: Kafka | ApacheKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = Topic(unique("avro"), ("cdrs_sms",))
    rows = random_rows("cdrs_sms", 1, 9)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    create_topics(kafka.client(), topic.name)
    wish = ("consume", "--topics", topic.name, "--until-end")
    with small_registry() as registry:
        number = Registry.of(registry.url, {}).register("any", schema_of("cdrs_sms"))
        encoder = AvroEncoder({(topic.name, "cdrs_sms"): number})
        produce(kafka.client(), topic.name, encoder.values(topic, "cdrs_sms", rows))
        shown = telco(*wish, "--schema-registry", registry.url)
    assert f'{{"dataset":"cdrs_sms","event_id":{rows["event_id"][0]},' in shown.stdout

    assert "bytes of Avro: name a schema registry" in telco(*wish).stdout
    gone = telco(*wish, "--schema-registry", "http://127.0.0.1:1")
    assert gone.exit_code == 0
    assert "connection refused" in gone.stdout
    assert_refused(telco(*wish, "--schema-registry", "127.0.0.1:8081"), "is no address")


def test_it_stops_when_told(telco: Telco, filled: str) -> None:
    few = telco("consume", "--topics", filled, "--max-count", 7, "--json")
    assert json.loads(few.stdout)["records"] == 7
    none = telco("consume", "--topics", filled, "--latest", "--for", 0.5, "--json")
    assert json.loads(none.stdout)["records"] == 0
    end = telco("consume", "--topics", filled, "--latest", "--until-end", "--json")
    assert json.loads(end.stdout)["records"] == 0


@pytest.mark.parametrize("listener", ["sasl", "tls", "sasl_tls"])
def test_options_lead_through_each_listener(
    telco: Telco, apache_kafka: ApacheKafka, monkeypatch: pytest.MonkeyPatch, listener: str
) -> None:
    name = unique("consume")
    create_topics(apache_kafka.client(), name)
    produce(apache_kafka.client(), name, VALUES[:5])
    client = {key: str(value) for key, value in apache_kafka.client(listener).items()}
    if password := client.get("sasl.password"):
        monkeypatch.setenv("KAFKA_SASL_PASSWORD", password)
    given = [
        (option, client[option[2:].replace("-", ".")])
        for option in (
            "--bootstrap-servers",
            "--security-protocol",
            "--sasl-mechanism",
            "--sasl-username",
            "--ssl-ca-location",
        )
        if option[2:].replace("-", ".") in client
    ]
    arguments = [part for pair in given for part in pair]
    result = telco("consume", "--topics", name, "--until-end", "--json", *arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["records"] == 5
    assert not password or password not in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bootstrap-servers", "127.0.0.1:1"], ["connection refused", "make kafka"]),
        (["--bootstrap-servers", "nowhere"], ["unknown host"]),
        (["--bootstrap-servers", "a:b"], ["--bootstrap-servers", "HOST:PORT"]),
        (["--security-protocol", "TLS"], ["--security-protocol"]),
        (["--layout", "by_tipe"], ["did you mean 'by_type'"]),
        (["--topics", ","], ["--topics is empty"]),
        (["--tail", "-1"], ["--tail"]),
        (["--max-count", "0"], ["--max-count"]),
        (["--for", "0"], ["--for"]),
        (["--topic", "cdrs"], ["--topics"]),
    ],
)
def test_what_cannot_be_is_refused(telco: Telco, arguments: list[str], words: list[str]) -> None:
    assert_refused(telco("consume", *arguments), *words)


def test_a_topic_that_is_not_there(telco: Telco, filled: str) -> None:
    assert_refused(telco("consume", "--topics", "cdr"), "no topic 'cdr'", "did you mean cdrs")


def test_ctrl_c_ends_it_well(filled: str, kafka: Kafka | ApacheKafka, tmp_path: Path) -> None:
    process = start_process("consume", "--topics", filled, cwd=tmp_path)
    assert process.stderr is not None
    assert "Reading" in process.stderr.readline()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(3)  # it goes on at the end
    process.send_signal(signal.SIGINT)
    told, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert "200 records" in told


def test_the_embedded_broker_serves_until_ctrl_c(tmp_path: Path) -> None:
    process = start_process("broker", cwd=tmp_path)
    assert process.stdout is not None
    told = ""
    while "export KAFKA_BOOTSTRAP_SERVERS=" not in told:
        line = process.stdout.readline()
        assert line, process.communicate()
        told += line
    assert "5 MB" in told
    assert "4 partitions" in told
    assert "make kafka" in told
    client = {"bootstrap.servers": told.rpartition("=")[2].strip()}
    name = unique("embedded")
    produce(client, name, VALUES)
    assert len(consume(client, name)) == len(VALUES)
    assert len(Producer(client).list_topics(name, timeout=10).topics[name].partitions) == 4

    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "has ended" in rest
    assert said == ""


def test_a_command_with_an_embedded_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "elsewhere:9092")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "of-another-broker")
    script = "echo $KAFKA_BOOTSTRAP_SERVERS [$KAFKA_SASL_PASSWORD] $0; exit 7"
    result = run_process("broker", "--", "sh", "-c", script, "--debug", cwd=tmp_path)
    assert result.returncode == 7
    assert result.stderr == ""
    first, *_, last = result.stdout.splitlines()
    assert "as long as sh runs" in first
    address = first.split("serves ")[1].split(" ")[0]
    assert last == f"{address} [] --debug"


def test_a_command_that_is_none(tmp_path: Path) -> None:
    result = run_process("broker", "--", "no-such-command", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr == "telco: no-such-command cannot be run: No such file or directory\n"


@pytest.mark.parametrize(
    ("number", "command", "status"),
    [
        (
            signal.SIGTERM,
            "trap 'echo told; exit 5' TERM; echo ready; while :; do sleep 0.1; done",
            5,
        ),
        (signal.SIGINT, "trap 'echo told; exit 6' INT; echo ready; while :; do sleep 0.1; done", 6),
        (signal.SIGTERM, "echo ready; exec sleep 60", 128 + signal.SIGTERM),
    ],
)
def test_signals_pass_through(tmp_path: Path, number: int, command: str, status: int) -> None:
    process = start_process("broker", "--", "sh", "-c", command, cwd=tmp_path)
    assert process.stdout is not None
    while (line := process.stdout.readline()) != "ready\n":
        assert line, process.communicate()
    process.send_signal(number)
    rest, said = process.communicate(timeout=20)
    assert process.returncode == status
    assert ("told" in rest) == ("trap" in command)
    assert said == ""
