"""The file of users: every subscriber on every topic is in it, as it has him; faults are told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from telco_pipeline.cli.export import app
from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.streaming import people
from telco_pipeline.streaming.feed import DayFeed
from telco_pipeline.streaming.layout import Topic
from telco_pipeline.streaming.people import People
from telco_pipeline_tests.lake.kit import DAY, bound_lake, commit
from telco_pipeline_tests.streaming.small_day import (
    PEOPLE,
    TOPICS,
    identity,
    random_rows,
    rows_of,
    small_lake,
    subscriber,
)

USERS = Topic("users", ("subscribers",), cleanup="compact")
ALL = (*TOPICS, USERS)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return small_lake(tmp_path_factory.mktemp("people"))


def entry(number: int, **changed: Any) -> dict[str, Any]:
    own = identity(number)
    plain = {"subscriber_id": subscriber(number), "phone_number": own["msisdn"]}
    return plain | {"imsi": own["imsi"], "imei": own["imei"]} | changed


def written(path: Path, users: list[dict[str, Any]], **more: Any) -> Path:
    path.write_text(json.dumps({"users": users} | more))
    return path


def sent(lake: Lake, path: Path, topics: tuple[Topic, ...] = ALL) -> list[dict[str, Any]]:
    feed = DayFeed(lake, DAY, topics, people=People.read(path))
    return [json.loads(value) for batch in feed.batches({}) for value in batch.value]


def check_promise(values: list[dict[str, Any]], users: list[dict[str, Any]]) -> None:
    """Hold every record to the file: who is served is in it, as it has him."""
    by_id = {user["subscriber_id"]: user for user in users if user.get("subscriber_id")}
    by_imsi = {user["imsi"]: user for user in users}
    by_number = {user["phone_number"]: user for user in users}
    for value in values:
        if value.get("subscriber_id") is None:
            continue
        user = by_imsi.get(value.get("imsi")) or by_number.get(value.get("msisdn"))
        user = user or by_id[value["subscriber_id"]]
        assert user.get("subscriber_id") in (None, value["subscriber_id"])
        for name, column in (("imsi", "imsi"), ("phone_number", "msisdn"), ("imei", "imei")):
            assert value.get(column) in (None, user[name])


def test_only_people_of_the_file_are_sent(lake: Lake, tmp_path: Path) -> None:
    users = [entry(number) for number in range(0, PEOPLE, 3)]
    values = sent(lake, written(tmp_path / "users.json", users))
    check_promise(values, users)
    keys = {user["subscriber_id"] for user in users}
    for name in ("cdrs_voice", "cdrs_sms", "customer_service"):
        rows = pl.concat(rows_of(name)).filter(pl.col("subscriber_id").is_in(keys))
        found = [value["event_id"] for value in values if value["dataset"] == name]
        assert sorted(found) == sorted(rows["event_id"])
    of_all = sum(rows.height for rows in rows_of("pm_counters"))
    assert sum(value["dataset"] == "pm_counters" for value in values) == of_all
    assert {v["subscriber_id"] for v in values if v["dataset"] == "subscribers"} == keys


def test_edited_identities_are_borne_by_both_ends(lake: Lake, tmp_path: Path) -> None:
    new = {"phone_number": "+33612345678", "imsi": "208010000000001", "imei": "990000000000001"}
    users = [entry(0, **new), *(entry(number) for number in range(1, PEOPLE))]
    values = sent(lake, written(tmp_path / "users.json", users))
    check_promise(values, users)
    old = identity(0)
    as_text = json.dumps(values)
    assert not any(f'"{old[name]}"' in as_text for name in old)
    served = [v for v in values if v.get("subscriber_id") == subscriber(0)]
    assert {v["imsi"] for v in served if "imsi" in v} == {new["imsi"]}
    others = [v for v in values if v.get("subscriber_id") not in (None, subscriber(0))]
    ends = [v.get(name) for v in others for name in ("calling_number", "called_number")]
    assert new["phone_number"] in ends
    assert new["imei"] in [v.get("other_imei") for v in others]


def test_who_is_added_stands_in_for_somebody(lake: Lake, tmp_path: Path) -> None:
    added = [
        {"phone_number": "+33611111111", "imsi": "208010000000001", "imei": "990000000000001"},
        {
            "subscriber_id": 5,
            "phone_number": "+33622222222",
            "imsi": "208010000000002",
            "imei": "990000000000002",
            "plan": {"plan_id": "PLAN-1"},
        },
    ]
    users = [*added, *(entry(number) for number in range(6))]
    path = written(tmp_path / "users.json", users)
    values = sent(lake, path)
    check_promise(values, users)
    imsis = {value.get("imsi") for value in values}
    assert {user["imsi"] for user in added} <= imsis
    registry = {v["imsi"]: v for v in values if v["dataset"] == "subscribers"}
    assert len(registry) == len(users)
    assert registry["208010000000002"]["subscriber_id"] == 5
    assert registry["208010000000002"]["plan_id"] == "PLAN-1"
    # Nobody else's, so that no id on a topic is that of somebody who is not in the file.
    assert registry["208010000000001"]["subscriber_id"] == 1_208010000000001
    ids = {value.get("subscriber_id") for value in values}
    in_file = {subscriber(number) for number in range(6)}
    assert ids == {None, 5, 1_208010000000001, *in_file}
    assert sent(lake, written(path, users[::-1])) == values, "the file's order matters"


@settings(max_examples=15)
@given(data=st.data())
def test_the_promise_holds_however_it_is_edited(
    lake: Lake, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    numbers = data.draw(st.sets(st.integers(0, PEOPLE - 1), min_size=1, max_size=20))
    users = []
    for place, number in enumerate(sorted(numbers)):
        user = entry(number)
        for name, value in (
            ("phone_number", f"+3361{place:07d}"),
            ("imsi", f"20801{place:010d}"),
            ("imei", f"99{place:013d}"),
        ):
            if data.draw(st.booleans(), label=f"edit {name}"):
                user[name] = value
        if user["imsi"].startswith("208") and user["phone_number"].startswith("+33"):
            user["subscriber_id"] = data.draw(st.sampled_from([user["subscriber_id"], 1 + place]))
        users.append(user)
    path = tmp_path_factory.mktemp("edited") / "users.json"
    check_promise(sent(lake, written(path, users)), users)


def test_swaps_of_the_day_do_not_show(tmp_path: Path) -> None:
    lake = small_lake(tmp_path)
    row = random_rows("identity_changes", 1, 9).to_dicts()[0]
    swapped = identity(3) | {"imsi": "206619999999999", "msisdn": "+32479999999"}
    change = row | {"subscriber_id": subscriber(3), "change_type": "number_change"} | swapped
    frame = pl.DataFrame([change], schema=DATASETS["identity_changes"].polars_schema)
    commit(lake, DATASETS["identity_changes"], frame, DAY)
    rows = rows_of("cdrs_voice")
    mine = pl.col("subscriber_id") == subscriber(3)
    rows = [
        part.with_columns(
            pl.when(mine).then(pl.lit(swapped["imsi"])).otherwise("imsi").alias("imsi"),
            pl.col("called_number").replace(identity(3)["msisdn"], swapped["msisdn"]),
        )
        for part in rows
    ]
    commit(lake, DATASETS["cdrs_voice"], rows, DAY)
    users = [entry(number) for number in range(PEOPLE)]
    topics = (Topic("cdrs", ("cdrs_voice", "identity_changes")),)
    values = sent(lake, written(tmp_path / "users.json", users), topics)
    check_promise(values, users)
    assert swapped["imsi"] not in json.dumps(values)
    assert swapped["msisdn"] not in json.dumps(values)


def test_texts_that_name_somebody_are_treated_alike(tmp_path: Path) -> None:
    lake = small_lake(tmp_path)
    rows = random_rows("network_logs", 5, 3).with_columns(
        line=pl.Series(
            [
                f"attach of {identity(1)['imsi']} rejected",
                f"attach of {identity(2)['imsi']} rejected",
                f"call to {identity(1)['msisdn']} and {identity(2)['msisdn']}",
                "element 123456789012345 is nobody",
                "nothing",
            ]
        )
    )
    commit(lake, DATASETS["network_logs"], rows, DAY)
    users = [entry(1, imsi="208010000000009")]
    topics = (Topic("logs", ("network_logs",)),)
    lines = [v["line"] for v in sent(lake, written(tmp_path / "users.json", users), topics)]
    assert sorted(lines) == [
        "attach of 208010000000009 rejected",
        "element 123456789012345 is nobody",
        "nothing",
    ]


def test_truth_about_records_of_others_is_not_sent(tmp_path: Path) -> None:
    lake = small_lake(tmp_path)
    voice = pl.concat(rows_of("cdrs_voice"))
    truth = random_rows("truth_records", voice.height, 8).with_columns(
        voice["event_id"], dataset=pl.lit("cdrs_voice").cast(pl.String)
    )
    truth = truth.cast(DATASETS["truth_records"].polars_schema)  # type: ignore[arg-type]
    commit(lake, DATASETS["truth_records"], truth, DAY)
    users = [entry(number) for number in range(10)]
    topics = (Topic("all", ("cdrs_voice", "truth_records")),)
    values = sent(lake, written(tmp_path / "users.json", users), topics)
    of_records = sorted(
        v["event_id"] for v in values if v.get("dataset") == "cdrs_voice" and "imsi" in v
    )
    of_truth = sorted(v["event_id"] for v in values if v.get("record") == "truth_records")
    assert of_records == of_truth
    assert of_truth


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"users": [\n  {"imsi": 1,}\n]}', "is not JSON: .* at line 2, column"),
        ("{" * 100_000, "is not JSON"),
        ("[]", 'has no list "users"'),
        ('{"users": []}', 'the list "users" is empty'),
        ('{"users": [3]}', r"users\[0\] is not an object"),
        ('{"users": [{"subscriber_id": "7"}]}', r"users\[0\].subscriber_id is \"7\", not a whole"),
        ('{"users": [{"subscriber_id": 0}]}', "not from 1 to"),
        ('{"users": [{"imsi": "123"}]}', r"users\[0\].imsi is \"123\", not 14 or 15 digits"),
        ('{"users": [{"imsi": 206611234567890}]}', "not 14 or 15 digits in quotes"),
        ('{"users": [{"phone_number": "0470123456"}]}', "not a number in international form"),
        ('{"users": [{"imei": "12345678901234x"}]}', "not 15 digits"),
        ('{"users": [{"plan": 3}]}', "not an object with a plan_id"),
        (
            json.dumps({"users": [{"imsi": "206611234567890"}, {}, {"imsi": "206611234567890"}]}),
            r"users\[0\] and users\[2\] have the same imsi 206611234567890",
        ),
    ],
)
def test_a_bad_file_is_told_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "users.json"
    path.write_text(text)
    with pytest.raises(TelcoError, match=message) as caught:
        People.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_does_not_fit_the_world_is_told(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "users.json"

    def message(users: list[dict[str, Any]], **more: Any) -> str:
        with pytest.raises(TelcoError) as caught:
            sent(lake, written(path, users, **more))
        return str(caught.value)

    assert "was written from world 77" in message([entry(1)], world="77")
    assert "users[1] has no subscriber_id, so it needs a phone_number too" in message(
        [entry(1), {}]
    )
    taken = message([entry(1), {"subscriber_id": subscriber(2), "imsi": identity(1)["imsi"]}])
    assert "have the same imsi" in taken
    given = [{"subscriber_id": subscriber(1)}, entry(2, imsi=identity(1)["imsi"])]
    assert "would both have the imsi" in message(given)
    many = [
        {"phone_number": f"+3361{i:07d}", "imsi": f"20801{i:010d}", "imei": f"99{i:013d}"}
        for i in range(PEOPLE + 1)
    ]
    assert "to stand in for: add fewer" in message(many)


def test_a_file_that_was_written_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    assert people.write(lake, path) == PEOPLE
    with_file = sent(lake, path)
    feed = DayFeed(lake, DAY, ALL)
    assert with_file == [json.loads(value) for batch in feed.batches({}) for value in batch.value]
    with pytest.raises(TelcoError, match="is there already"):
        people.write(lake, path)


def test_numbers_of_users(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "new" / "users.json"
    found = people.chosen(lake, path, 7)
    assert found is not None
    assert len(found.users) == 7
    again = people.chosen(lake, path, None)
    assert again is not None
    assert again.identity == found.identity
    more = {user.subscriber_id for user in People.read(path).users}
    people.write(lake, path, 12, replace=True)
    assert more < {user.subscriber_id for user in People.read(path).users}
    with pytest.raises(TelcoError, match="has 12 users and --num-users asks for 7"):
        people.chosen(lake, path, 7)
    with pytest.raises(TelcoError, match=f"has {PEOPLE} people"):
        people.write(lake, path, 1000, replace=True)
    with pytest.raises(TelcoError, match="telco export users"):
        people.chosen(lake, tmp_path / "none.json", None)
    assert people.chosen(lake, None, None) is None


def test_content_tells_who_is_in_the_file(lake: Lake, tmp_path: Path) -> None:
    def content(users: list[dict[str, Any]]) -> dict[str, str]:
        path = written(tmp_path / "users.json", users)
        return dict(DayFeed(lake, DAY, TOPICS, people=People.read(path)).content)

    base = content([entry(1), entry(2)])
    assert content([entry(2), entry(1)]) == base
    assert content([entry(1)]) != base
    assert content([entry(1), entry(2, imei="990000000000001")]) != base


def test_the_command_writes_a_profile_of_each_user(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    run: Callable[..., Any] = CliRunner().invoke
    result = run(app, ["users", "--lake", str(lake.root), "--out", str(path), "--num-users", "5"])
    assert result.exit_code == 0, result.output
    plain = json.loads(path.read_text())
    assert plain["world"] == "000000000000002a"
    assert len(plain["users"]) == 5
    for user in plain["users"]:
        number = (user["subscriber_id"] - subscriber(0)) // 7919
        assert user["phone_number"] == identity(number)["msisdn"]
        assert user["imsi"] == identity(number)["imsi"]
        assert user["imei"] == identity(number)["imei"]
        assert user["plan"]["plan_id"] == f"PLAN-{number % 2}"
        assert {"name", "payment", "monthly_fee"} <= set(user["plan"])
    again = run(app, ["users", "--lake", str(lake.root), "--out", str(path)])
    assert isinstance(again.exception, TelcoError)


@pytest.mark.parametrize("content", [b"my notes", b'{"users": "many"}', b"\xff\x00"])
def test_a_file_that_is_none_of_users_is_never_replaced(
    lake: Lake, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "users.json"
    path.write_bytes(content)
    run: Callable[..., Any] = CliRunner().invoke
    result = run(app, ["users", "--lake", str(lake.root), "--out", str(path), "--replace"])
    assert isinstance(result.exception, TelcoError)
    told = str(result.exception)
    assert "would replace a file that is none of users" in told
    assert str(path) in told
    assert path.read_bytes() == content


def test_a_place_where_no_file_of_users_can_be_is_refused(lake: Lake, tmp_path: Path) -> None:
    run: Callable[..., Any] = CliRunner().invoke
    (tmp_path / "file").touch()
    for out, words in (
        (tmp_path, "is a directory; name a file"),
        (tmp_path / "file" / "users.json", "is a file, not a directory"),
    ):
        result = run(app, ["users", "--lake", str(lake.root), "--out", str(out), "--replace"])
        assert isinstance(result.exception, TelcoError)
        assert words in str(result.exception)
        assert "--out" in str(result.exception)


def test_a_lake_without_a_registry_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TelcoError, match="make them with `telco generate"):
        people.write(bound_lake(tmp_path / "empty"), tmp_path / "users.json")
