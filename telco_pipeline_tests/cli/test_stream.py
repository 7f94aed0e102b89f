"""`telco stream`: what is sent and said, how it stops, and one line where it cannot be."""

import datetime as dt
import json
import signal
import time
from pathlib import Path

import pytest

from telco_pipeline.cli import stream, stream_shown
from telco_pipeline.lake import Lake
from telco_pipeline.streaming.delivery import Delivery, Sent
from telco_pipeline.streaming.pacing import Lateness
from telco_pipeline_tests.cli.conftest import (
    LakeOnDisk,
    Telco,
    assert_refused,
    run_process,
    start_process,
)
from telco_pipeline_tests.kafka import ApacheKafka, Kafka, consume, unique


@pytest.fixture
def names(
    kafka: Kafka | ApacheKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Give topics that nobody else has, by their words, at the broker of the environment."""
    words = ("cdrs", "network_logs", "customer_service", "location_updates", "users")
    found = {word: unique(word) for word in (*words, "progress", "disturbances")}
    topics = "".join(f"  {word}: {{name: {found[word]}, partitions: 2}}\n" for word in words)
    file = tmp_path / "streaming.yaml"
    file.write_text(
        f"version: 1\ntopics:\n{topics}progress: {{name: {found['progress']}}}\n"
        f"disturbances: {{name: {found['disturbances']}}}\n"
    )
    monkeypatch.setenv("TELCO_STREAMING", str(file))
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    return found


def rows(lake: LakeOnDisk, dataset: str, *days: int) -> set[int]:
    """Return the ids of a dataset's events on some days of the lake, counted from 0."""
    store = Lake(str(lake.path))
    there = store.days(dataset)
    return {
        event
        for number in days or range(lake.days)
        for event in store.read(dataset, there[number], there[number])["event_id"]
    }


def sent(kafka: Kafka | ApacheKafka, topic: str) -> list[int]:
    return [json.loads(one.value or b"")["event_id"] for one in consume(kafka.client(), topic)]


def test_a_lake_is_sent_once(
    telco: Telco, small_lake: LakeOnDisk, kafka: Kafka | ApacheKafka, names: dict[str, str]
) -> None:
    wish = ("stream", "--lake", small_lake.path, "--topics", "location_updates,customer_service")
    first = telco(*wish)
    assert first.exit_code == 0, first.output
    assert "3 of 3" in first.stdout
    expected = sorted(rows(small_lake, "location_updates"))
    assert sorted(sent(kafka, names["location_updates"])) == expected

    second = telco(*wish)
    assert second.exit_code == 0
    assert "sent before; --again" in second.stdout
    assert sorted(sent(kafka, names["location_updates"])) == expected

    third = json.loads(telco(*wish, "--again", "--to", "2026-01-01", "--json").stdout)
    assert third["days"][0]["topics"][names["location_updates"]]["records"] == len(
        rows(small_lake, "location_updates", 0)
    )


def test_it_goes_on_where_it_ended(
    telco: Telco, small_lake: LakeOnDisk, kafka: Kafka | ApacheKafka, names: dict[str, str]
) -> None:
    wish = ("stream", "--lake", small_lake.path, "--topics", "location_updates", "--json")
    few = json.loads(telco(*wish, "--max-count", 100).stdout)
    assert few["records"] == 100
    rest = json.loads(telco(*wish).stdout)
    assert all(day["done"] for day in rest["days"])
    expected = rows(small_lake, "location_updates")
    assert few["records"] + rest["records"] == len(expected)
    assert sorted(sent(kafka, names["location_updates"])) == sorted(expected)


def test_days_and_times_are_bounds(
    telco: Telco, small_lake: LakeOnDisk, kafka: Kafka | ApacheKafka, names: dict[str, str]
) -> None:
    wish = ("stream", "--lake", small_lake.path, "--topics", "location_updates", "--json")
    span = ("--from", "2026-01-02T06:00", "--to", "2026-01-02T12:00+00:00")
    told = json.loads(telco(*wish, *span).stdout)
    times = [
        json.loads(one.value or b"")["event_time"]
        for one in consume(kafka.client(), names["location_updates"])
    ]
    assert len(times) == told["records"] > 0
    assert told["days"][0]["part_of_the_day"]
    again = telco(*wish[:-1], *span).stdout
    assert "part of the day" in again
    assert "1 of 1" not in again
    assert "a day has one set of times and users" in again
    assert_refused(telco(*wish, "--from", "2026-01-02"), "times", "--again")
    assert min(times) >= "2026-01-02T06:00:00"
    assert max(times) < "2026-01-02T12:00:00"


def test_a_pace_and_how_late(telco: Telco, small_lake: LakeOnDisk, names: dict[str, str]) -> None:
    result = telco(
        *("stream", "--lake", small_lake.path, "--topics", "location_updates"),
        *("--rate", 500, "--max-count", 500),
    )
    assert result.exit_code == 0, result.output
    assert "of 500 asked for" in result.stdout
    assert "lateness" in result.stdout


def test_disturbances_come_with_their_truth(
    telco: Telco, small_lake: LakeOnDisk, kafka: Kafka | ApacheKafka, names: dict[str, str]
) -> None:
    result = telco(
        *("stream", "--lake", small_lake.path, "--topics", "location_updates", "--json"),
        *("--to", "2026-01-01", "--duplicated", "0.2"),
    )
    told = json.loads(result.stdout)["days"][0]["topics"][names["location_updates"]]
    twice = told["disturbed"]["duplicated"]
    assert twice > 0
    assert len(sent(kafka, names["location_updates"])) == len(
        rows(small_lake, "location_updates", 0)
    ) + (twice)
    assert len(consume(kafka.client(), names["disturbances"])) == twice


def test_ctrl_c_commits_and_says_what_was_sent(
    telco: Telco,
    small_lake: LakeOnDisk,
    kafka: Kafka | ApacheKafka,
    names: dict[str, str],
    tmp_path: Path,
) -> None:
    wish = ("stream", "--lake", small_lake.path, "--topics", "location_updates")
    process = start_process(
        *wish,
        *("--rate", 200, "--name", "mine"),
        cwd=tmp_path,
        TELCO_STREAMING=str(tmp_path / "streaming.yaml"),
    )
    end = time.monotonic() + 60
    while "running" not in (shown := telco("stream", "status", "--lake", small_lake.path).stdout):
        assert time.monotonic() < end, shown
        time.sleep(0.3)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    told, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "stopped; all that is said to be sent is committed" in said
    assert "Traceback" not in said
    name = names["location_updates"]
    (line,) = [line for line in told.splitlines() if line.strip().startswith(name)]
    number = int(line.split()[1].replace(",", ""))
    assert len(sent(kafka, names["location_updates"])) == number > 0

    rest = json.loads(telco(*wish, "--json").stdout)
    assert rest["records"] + number == len(rows(small_lake, "location_updates"))


@pytest.mark.parametrize(
    ("again", "following", "words"),
    [
        (False, dt.date(2026, 1, 2), "committed, the same command goes on after it\n"),
        (True, None, "the same command without --again goes on after it\n"),
        (True, dt.date(2026, 1, 2), "need --again still (--from 2026-01-02)"),
    ],
)
def test_how_to_go_on_after_a_stop(
    capsys: pytest.CaptureFixture[str], again: bool, following: dt.date | None, words: str
) -> None:
    """With --again the same command would begin anew."""
    with pytest.raises(SystemExit):
        stream._stopped(again, following)
    assert words in capsys.readouterr().err


def test_what_a_live_stream_left_out_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    since = dt.datetime(2026, 1, 1, 12, 5, tzinfo=dt.UTC)
    sent = {
        "cdrs": Sent(0, 0, {}, 7, {}, {}, {}, True, since),
        "users": Sent(0, 0, {}, 7, {}, {}, {}, True),
    }
    done = Delivery(since.date(), sent, 0, 1, 0, None, 0, Lateness(), Lateness(), False)
    told = stream_shown.Summary(deliveries=[done])
    stream_shown.print_summary(told, as_json=False, live=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "of 2026-01-01 only what is from 12:05 on was sent to cdrs (a live stream began then): "
        "send all with --again" in shown
    )
    stream_shown.print_summary(told, as_json=False, live=True)
    assert "only what is from" not in capsys.readouterr().out


def test_another_process_pauses_and_stops_it(
    telco: Telco, small_lake: LakeOnDisk, names: dict[str, str], tmp_path: Path
) -> None:
    process = start_process(
        *("stream", "--lake", small_lake.path, "--topics", "location_updates", "--rate", 50),
        *("--name", "other"),
        cwd=tmp_path,
        TELCO_STREAMING=str(tmp_path / "streaming.yaml"),
    )
    where = ("--lake", small_lake.path)

    def until(word: str) -> None:
        end = time.monotonic() + 60
        while word not in (shown := telco("stream", "status", *where).stdout):
            assert time.monotonic() < end, shown
            time.sleep(0.2)

    until("running")
    assert telco("stream", "pause", "other", *where).exit_code == 0
    until("paused")
    assert_refused(
        telco("stream", *where, "--topics", "location_updates", "--name", "other"), "already runs"
    )
    assert telco("stream", "stop", "other", *where).exit_code == 0
    assert process.wait(30) == 130
    process.communicate()
    assert_refused(telco("stream", "stop", "other", *where), "no stream named other")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--topics", "cdr"], ["no topic 'cdr'", "did you mean 'cdrs'"]),
        (["--topics", ","], ["--topics is empty"]),
        (["--layout", "by_tipe"], ["did you mean 'by_type'"]),
        (["--speed", "fast"], ["--speed 'fast'", "max"]),
        (["--speed", "0"], ["--speed", "above 0"]),
        (["--speed", "5", "--rate", "5"], ["--speed and --rate"]),
        (["--speed", "max", "--live"], ["--live"]),
        (["--live", "--to", "2026-01-02"], ["--to and --live"]),
        (["--interval", "60"], ["--interval"]),
        (["--max-count", "0"], ["--max-count"]),
        (["--num-users", "0"], ["--num-users"]),
        (["--late", "2"], ["--late", "0 to 1"]),
        (["--encoding", "avor"], ["--encoding 'avor'", "avro"]),
        (["--encoding", "avro"], ["--schema-registry"]),
        (["--headers", "some"], ["--headers 'some'"]),
        (["--from", "yesterday"], ["--from"]),
        (["--from", "2026-01-01T25:00"], ["--from", "2026-01-31T08:00"]),
        (["--from", "2026-01-03", "--to", "2026-01-01"], ["--to", "after --from"]),
        (["--from", "2026-02-01"], ["no day from 2026-02-01", "2026-01-03"]),
        (["--to", "2026-01-09"], ["2026-01-04", "telco generate"]),
        (["--lake", "none"], ["no lake at none"]),
        (["--name", "a/b"], ["stream name"]),
        (["--bootstrap-servers", "127.0.0.1:1"], ["connection refused"]),
        (["--users-file", "nowhere.json"], ["nowhere.json"]),
        (["stpo"], ["stop"]),
    ],
)
def test_what_cannot_be_is_refused(
    telco: Telco,
    small_lake: LakeOnDisk,
    names: dict[str, str],
    arguments: list[str],
    words: list[str],
) -> None:
    lake = [] if "--lake" in arguments else ["--lake", str(small_lake.path)]
    assert_refused(telco("stream", *lake, *arguments), *words)


def test_a_wrong_password_is_never_shown(
    small_lake: LakeOnDisk, apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    client = apache_kafka.client("sasl")
    done = run_process(
        *("stream", "--lake", small_lake.path, "--sasl-username", "telco"),
        *("--security-protocol", "SASL_PLAINTEXT", "--sasl-mechanism", "SCRAM-SHA-512"),
        cwd=tmp_path,
        KAFKA_BOOTSTRAP_SERVERS=str(client["bootstrap.servers"]),
        KAFKA_SASL_PASSWORD="hunter2-hunter2",
    )
    assert done.returncode == 2
    assert "refuses user or password" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    assert len(done.stderr.strip().splitlines()) == 1


def test_only_users_of_the_file_are_sent(
    telco: Telco,
    small_lake: LakeOnDisk,
    kafka: Kafka | ApacheKafka,
    names: dict[str, str],
    tmp_path: Path,
) -> None:
    result = telco(
        *("stream", "--lake", small_lake.path, "--topics", "users,location_updates"),
        *("--to", "2026-01-01", "--num-users", 25, "--users-file", "mine.json"),
    )
    assert result.exit_code == 0, result.output
    wanted = {
        user["subscriber_id"] for user in json.loads((tmp_path / "mine.json").read_text())["users"]
    }
    assert len(wanted) == 25
    for word in ("users", "location_updates"):
        records = [json.loads(one.value or b"") for one in consume(kafka.client(), names[word])]
        found = {record["subscriber_id"] for record in records}
        assert found, word
        assert found <= wanted, word
