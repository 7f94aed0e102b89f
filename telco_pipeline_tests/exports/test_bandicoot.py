"""Files for bandicoot: what is in them, what is not, and that bandicoot itself is content."""

import csv
import datetime as dt
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from telco_pipeline.errors import TelcoError
from telco_pipeline.exports import bandicoot
from telco_pipeline.exports.bandicoot import Exported, Wanted, capital, export
from telco_pipeline.exports.directory import NOTE, note, replaced
from telco_pipeline.lake import Lake
from telco_pipeline_tests.exports.kit import (
    EPOCH,
    at,
    busy_people,
    call,
    make_lake,
    missed,
    number,
    text,
)

READER = Path(__file__).with_name("bandicoot_reader.py")
ALL_DAYS = Wanted(EPOCH, EPOCH + dt.timedelta(days=2))
ELSEWHERE = "+32470123456"


def run(lake: Lake, out: Path, wanted: Wanted = ALL_DAYS, **how: Any) -> Exported:
    return export(lake, out, wanted, **how)


def rows_of(out: Path, user: int) -> list[dict[str, str]]:
    with (out / "records" / f"{user}.csv").open() as file:
        return list(csv.DictReader(file))


def attributes_of(out: Path, user: int) -> dict[str, str]:
    with (out / "attributes" / f"{user}.csv").open() as file:
        return {row["key"]: row["value"] for row in csv.DictReader(file)}


def read_by_bandicoot(out: Path, *options: str) -> tuple[dict[str, Any], str]:
    """Return the indicators of each user, and all that bandicoot says of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::SyntaxWarning", READER, out, *options],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told, _, found = done.stdout.strip().rpartition("\n")
    return json.loads(found), told + done.stderr


class TestBandicootItself:
    """The real bandicoot loads every user; what it says of its own is checked, not silenced."""

    def test_it_warns_of_nothing(self, tmp_path: Path) -> None:
        calls, texts = busy_people()
        awkward = [
            call(1, number(2), at(1, 9), 3600),
            call(1, number(3), at(1, 9, 10), 120, incoming=True, supplementary_service="CW"),
            missed(1, number(4), at(1, 9, 20), incoming=True, status="busy"),
            call(2, ELSEWHERE, at(2, 20), 300, cell_id=None, roaming_country="FR"),
        ]
        doubled = [text(3, "8010", at(0, 12, 0, 0.2)), text(3, "8010", at(0, 12, 0, 0.9))]
        run(make_lake(tmp_path / "lake", calls + awkward, texts + doubled), tmp_path / "out")

        found, told = read_by_bandicoot(tmp_path / "out")

        assert len(found) >= 20
        assert "arning" not in told
        assert "records from" in told, "bandicoot describes what it loaded"
        for user, one in found.items():
            indicators = one["indicators"]
            assert indicators["reporting__number_of_records"] == len(
                rows_of(tmp_path / "out", int(user))
            )
            assert indicators["reporting__ignored_records__all"] == 0
            assert float(indicators["reporting__percent_records_missing_location"]) == 0
            assert indicators["active_days__allweek__allday__callandtext__mean"] > 0
            assert indicators["attributes__kind"] in ("person", "machine")
            assert one["has_home"]

    def test_both_sides_of_a_call_match_in_its_network(self, tmp_path: Path) -> None:
        run(make_lake(tmp_path / "lake", *busy_people()), tmp_path / "out")

        found, told = read_by_bandicoot(tmp_path / "out", "network")

        assert "arning" not in told
        outside = [
            one["indicators"]["reporting__percent_outofnetwork_calls"] for one in found.values()
        ]
        assert set(outside) == {0}

    @pytest.mark.parametrize("spoil", ["antenna", "overlap", "attributes"])
    def test_it_would_warn(self, tmp_path: Path, spoil: str) -> None:
        """The other way round: bandicoot does complain of an export that is not right."""
        out = tmp_path / "out"
        run(make_lake(tmp_path / "lake", *busy_people()), out)
        file = next((out / "records").glob("*.csv"))
        if spoil == "antenna":
            lines = (out / "antennas.csv").read_text().splitlines()
            (out / "antennas.csv").write_text("\n".join(lines[:-1]))
        elif spoil == "attributes":
            (out / "attributes" / file.name).unlink()
        else:
            with file.open("a") as handle:
                handle.write("call,out,2,2026-03-29 12:00:00,3600,206-61-1-1\n")
                handle.write("call,in,3,2026-03-29 12:10:00,60,206-61-1-1\n")

        _, told = read_by_bandicoot(out)

        assert "Warning" in told


class TestRecords:
    def test_a_call_in_full(self, tmp_path: Path) -> None:
        lake = make_lake(tmp_path / "lake", [call(1, number(2), at(0, 10, 0, 5.7), 61)])
        run(lake, tmp_path / "out")

        assert rows_of(tmp_path / "out", 1) == [
            {
                "interaction": "call",
                "direction": "out",
                "correspondent_id": "2",
                "datetime": "2026-03-28 11:00:05",
                "call_duration": "61",
                "antenna_id": "206-61-1-1",
            }
        ]

    def test_a_text_has_no_duration(self, tmp_path: Path) -> None:
        lake = make_lake(tmp_path / "lake", [], [text(2, number(1), at(0, 10), incoming=True)])
        run(lake, tmp_path / "out")

        (row,) = rows_of(tmp_path / "out", 2)
        assert (row["interaction"], row["direction"], row["call_duration"]) == ("text", "in", "")
        assert row["correspondent_id"] == "1"

    def test_local_time_follows_the_clock_change(self, tmp_path: Path) -> None:
        calls = [call(1, number(2), at(1, 0, 59)), call(1, number(2), at(1, 1, 1))]
        run(make_lake(tmp_path / "lake", calls), tmp_path / "out")

        times = [row["datetime"] for row in rows_of(tmp_path / "out", 1)]
        assert times == ["2026-03-29 01:59:00", "2026-03-29 03:01:00"]

    def test_what_did_not_come_about_is_left_out(self, tmp_path: Path) -> None:
        calls = [
            call(1, number(2), at(0, 9)),
            missed(1, number(2), at(0, 10)),
            missed(1, number(2), at(0, 11), status="unreachable"),
        ]
        lake = make_lake(tmp_path / "lake", calls, [text(1, number(2), at(0, 12), sms_result=38)])
        done = run(lake, tmp_path / "out")

        assert len(rows_of(tmp_path / "out", 1)) == 1
        assert done.attempts == 3

    def test_what_the_voicemail_took_is_left_out(self, tmp_path: Path) -> None:
        voicemail = "+32461000000"
        took: dict[str, Any] = {"status": "forwarded", "supplementary_service": "CFNRy"}
        calls = [
            call(1, number(2), at(0, 9), connected_number=voicemail, **took),
            missed(2, number(1), at(0, 9), incoming=True, **took),
            call(2, voicemail, at(0, 9), supplementary_service="CFNRy"),
            call(2, voicemail, at(0, 10)),
            call(3, number(4), at(0, 9), supplementary_service="CW", incoming=True),
        ]
        done = run(make_lake(tmp_path / "lake", calls), tmp_path / "out")

        assert {file.stem for file in (tmp_path / "out" / "records").iterdir()} == {"2", "3"}
        assert [row["datetime"][11:] for row in rows_of(tmp_path / "out", 2)] == ["11:00:00"]
        assert (done.forwarded, done.attempts) == (2, 1)

    def test_doubles_are_one(self, tmp_path: Path) -> None:
        texts = [text(1, number(2), at(0, 9, 0, part)) for part in (0.1, 0.5, 1.5)]
        done = run(make_lake(tmp_path / "lake", [], texts), tmp_path / "out")

        assert len(rows_of(tmp_path / "out", 1)) == 2
        assert done.doubles == 1

    def test_call_waiting_ends_the_call_that_was_held(self, tmp_path: Path) -> None:
        calls = [
            call(1, number(2), at(0, 9), 3600),
            call(1, number(3), at(0, 9, 20), 60, incoming=True),
            call(1, number(4), at(0, 11), 600),
            call(1, number(5), at(0, 11, 5, 1), 60, incoming=True),
        ]
        done = run(make_lake(tmp_path / "lake", calls), tmp_path / "out")

        durations = [row["call_duration"] for row in rows_of(tmp_path / "out", 1)]
        assert durations == ["1200", "60", "600", "60"], "up to five minutes are let be"
        assert done.shortened == 1

    def test_a_call_is_cut_on_both_sides(self, tmp_path: Path) -> None:
        calls = [
            call(1, number(2), at(0, 9), 3600),
            call(2, number(1), at(0, 9), 3600, incoming=True),
            call(1, number(3), at(0, 9, 20), 60, incoming=True),
        ]
        run(make_lake(tmp_path / "lake", calls), tmp_path / "out")

        assert rows_of(tmp_path / "out", 2)[0]["call_duration"] == "1200"

    def test_abroad_is_the_capital_or_left_out(self, tmp_path: Path) -> None:
        abroad = call(1, ELSEWHERE, at(0, 9), cell_id=None, roaming_country="FR")
        lake = make_lake(tmp_path / "lake", [abroad, call(1, ELSEWHERE, at(0, 10))])
        done = run(lake, tmp_path / "out")
        run(lake, tmp_path / "home", Wanted(EPOCH, EPOCH, abroad=False))

        assert next(row["antenna_id"] for row in rows_of(tmp_path / "out", 1)) == "abroad-FR"
        assert "abroad-FR,48.85341,2.3488" in (tmp_path / "out" / "antennas.csv").read_text()
        assert len(rows_of(tmp_path / "home", 1)) == 1
        assert done.abroad == 1

    def test_capitals(self) -> None:
        assert capital("NL") == pytest.approx((52.37, 4.89), abs=0.02)
        with pytest.raises(TelcoError, match="no-abroad"):
            capital("ZZ")

    def test_attributes(self, tmp_path: Path) -> None:
        calls = [call(1, number(2), at(0, 9)), call(40, number(2), at(0, 9))]
        run(make_lake(tmp_path / "lake", calls), tmp_path / "out")

        person = {"kind": "person", "persona": "family", "language": "nl", "age": "45"}
        assert attributes_of(tmp_path / "out", 1) == person
        assert attributes_of(tmp_path / "out", 40)["age"] == ""


class TestParties:
    def test_others_have_one_pseudonym_each(self, tmp_path: Path) -> None:
        calls = [
            call(1, ELSEWHERE, at(0, 9)),
            call(2, ELSEWHERE, at(1, 9), incoming=True),
            call(1, "112", at(0, 10)),
            call(1, "+112", at(0, 11)),
        ]
        run(make_lake(tmp_path / "lake", calls), tmp_path / "out")

        ids = [row["correspondent_id"] for row in rows_of(tmp_path / "out", 1)]
        assert rows_of(tmp_path / "out", 2)[0]["correspondent_id"] == ids[0]
        assert len(set(ids)) == 3
        assert all(each.startswith("x") and "470123456" not in each for each in ids)

    def test_a_number_that_changes_hands(self, tmp_path: Path) -> None:
        """It belongs to its last holder while nobody has it, then to the next one."""
        mine = number(2)
        changes = [
            {"event_time": at(0, 12), "subscriber_id": 2, "msisdn": "+32461990002"},
            {"event_time": at(2, 8), "subscriber_id": 5, "msisdn": mine},
        ]
        calls = [
            call(1, mine, at(0, 11)),
            call(1, "+32461990002", at(0, 13)),
            call(1, mine, at(1, 9)),
            call(1, mine, at(2, 9)),
        ]
        run(make_lake(tmp_path / "lake", calls, changes=changes), tmp_path / "out")

        ids = [row["correspondent_id"] for row in rows_of(tmp_path / "out", 1)]
        assert ids == ["2", "2", "2", "5"]

    def test_a_lost_day_of_changes_is_refused(self, tmp_path: Path) -> None:
        lake = make_lake(tmp_path / "lake", *busy_people())
        shutil.rmtree(tmp_path / "lake" / "identity_changes" / f"day={EPOCH}")

        with pytest.raises(TelcoError, match="identity_changes"):
            run(lake, tmp_path / "out")
        assert not (tmp_path / "out").exists()


class TestWhole:
    def test_shares_change_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        lake = make_lake(tmp_path / "lake", *busy_people())
        one = run(lake, tmp_path / "one")
        monkeypatch.setattr(bandicoot, "ROWS_OF_A_SHARE", 1)
        monkeypatch.setattr(Lake, "provenance", _provenance_of_many)
        steps: list[tuple[str, int, int]] = []
        many = run(lake, tmp_path / "many", progress=lambda *step: steps.append(step))

        assert one == many
        assert len(steps) > 3 + 20, "each user is a share of its own"
        assert steps[-1][1] == steps[-1][2]
        for file in sorted((tmp_path / "one").rglob("*.csv")):
            again = tmp_path / "many" / file.relative_to(tmp_path / "one")
            assert again.read_bytes() == file.read_bytes()

    def test_a_sample_is_the_same_every_time(self, tmp_path: Path) -> None:
        lake = make_lake(tmp_path / "lake", *busy_people())
        wanted = Wanted(EPOCH, ALL_DAYS.last, sample=7)
        for name in ("one", "two"):
            assert run(lake, tmp_path / name, wanted).users == 7
        chosen = [
            {file.name for file in (tmp_path / name / "records").iterdir()}
            for name in ("one", "two")
        ]
        assert chosen[0] == chosen[1]

    def test_named_users(self, tmp_path: Path) -> None:
        lake = make_lake(tmp_path / "lake", *busy_people())
        run(lake, tmp_path / "out", Wanted(EPOCH, EPOCH, subscribers=[3, 1, 3]))
        assert {f.stem for f in (tmp_path / "out" / "records").iterdir()} == {"1", "3"}
        with pytest.raises(TelcoError, match="no subscriber 99"):
            run(lake, tmp_path / "none", Wanted(EPOCH, EPOCH, subscribers=[99]))

    def test_the_note_tells_where_it_comes_from(self, tmp_path: Path) -> None:
        run(make_lake(tmp_path / "lake", *busy_people()), tmp_path / "out")
        told = json.loads((tmp_path / "out" / "_export.json").read_text())
        assert (told["seed"], told["first"], told["time_zone"]) == (
            7,
            "2026-03-28",
            "Europe/Brussels",
        )

    def test_nothing_to_export_is_said_and_nothing_stays(self, tmp_path: Path) -> None:
        lake = make_lake(tmp_path / "lake")
        with pytest.raises(TelcoError, match="nothing to export"):
            run(lake, tmp_path / "out")
        assert {path.name for path in tmp_path.iterdir()} == {"lake"}


class TestPlace:
    def test_a_swap_that_fails_leaves_the_export_before(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = tmp_path / "out"
        with replaced(target, replace=False) as staging:
            note(staging, {"number": 1})
        rename = Path.rename
        calls: list[Path] = []

        def second_fails(path: Path, to: Path) -> Path:
            calls.append(path)
            if len(calls) == 2:
                raise OSError("the disk is gone")
            return rename(path, to)

        monkeypatch.setattr(Path, "rename", second_fails)
        with (
            pytest.raises(OSError, match="the disk is gone"),
            replaced(target, replace=True) as staging,
        ):
            note(staging, {"number": 2})
        assert '"number": 1' in (target / NOTE).read_text()
        assert list(tmp_path.iterdir()) == [target]

    def test_an_export_is_replaced_only_when_asked(self, tmp_path: Path) -> None:
        lake = make_lake(tmp_path / "lake", *busy_people())
        out = tmp_path / "out"
        out.mkdir()
        run(lake, out)
        with pytest.raises(TelcoError, match="--replace"):
            run(lake, out)
        run(lake, out, Wanted(EPOCH, EPOCH, subscribers=[1]), replace=True)
        assert {file.name for file in (out / "records").iterdir()} == {"1.csv"}
        assert {path.name for path in tmp_path.iterdir()} == {"lake", "out"}

    @pytest.mark.parametrize("replace", [True, False])
    def test_what_is_no_export_is_never_touched(self, tmp_path: Path, *, replace: bool) -> None:
        lake = make_lake(tmp_path / "lake", *busy_people())
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "letter.txt").write_text("mine")
        (tmp_path / "file").write_text("mine")
        for name, words in (
            ("mine", "holds no export"),
            ("file", "is a file"),
            ("lake", "no export"),
        ):
            with pytest.raises(TelcoError, match=words):
                run(lake, tmp_path / name, replace=replace)
        assert (tmp_path / "mine" / "letter.txt").read_text() == "mine"

    def test_a_failure_leaves_the_old_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lake = make_lake(tmp_path / "lake", *busy_people())
        run(lake, tmp_path / "out")
        before = sorted(path.name for path in (tmp_path / "out" / "records").iterdir())

        def broken(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(bandicoot, "_antennas", broken)
        with pytest.raises(KeyboardInterrupt):
            run(lake, tmp_path / "out", replace=True)
        assert sorted(path.name for path in (tmp_path / "out" / "records").iterdir()) == before
        assert {path.name for path in tmp_path.iterdir()} == {"lake", "out"}


class _ManyRows:
    rows = 10_000


def _provenance_of_many(*_: object) -> _ManyRows:
    return _ManyRows()
