"""A running stream told and telling, across processes."""

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming import control
from telco_pipeline.streaming.control import Control, look, request, streams


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "LOOK_SECONDS", 0.0)


def test_what_a_stream_tells(tmp_path: Path) -> None:
    with Control(tmp_path, "live") as own:
        own.update(force=True, status="running", day="2026-01-01", topics=("a", "b"), records=7)
        found = look(tmp_path, "live")
        assert found is not None
        assert found.alive
        assert found.status == "running"
        assert (found.state.pid, found.state.records) == (os.getpid(), 7)
        assert found.state.topics == ("a", "b")
    ended = look(tmp_path, "live")
    assert ended is not None
    assert not ended.alive
    assert ended.status == "ended"
    assert streams(tmp_path) == [ended]


def test_it_is_written_each_second_or_when_it_must_be(tmp_path: Path) -> None:
    with Control(tmp_path, "live") as own:
        own.update(records=1)
        found = look(tmp_path, "live")
        assert found is not None
        assert found.state.records == 0
        own.update(force=True)
        found = look(tmp_path, "live")
        assert found is not None
        assert found.state.records == 1


def test_requests_are_heard_once(tmp_path: Path) -> None:
    with Control(tmp_path, "live") as own:
        request(tmp_path, "live", "pause")
        assert own.is_paused
        assert not own.is_stopping
        request(tmp_path, "live", "resume")
        assert not own.is_paused
        request(tmp_path, "live", "stop")
        assert own.is_stopping
        assert not list(tmp_path.glob("*.request"))
    with Control(tmp_path, "live") as own:
        assert not own.is_stopping


def test_a_request_to_a_dead_one_does_not_reach_the_next(tmp_path: Path) -> None:
    (tmp_path / "live.request").write_text("stop")
    with Control(tmp_path, "live") as own:
        assert not own.is_stopping


def test_a_failure_is_told(tmp_path: Path) -> None:
    with pytest.raises(TelcoError), Control(tmp_path, "live"):
        raise TelcoError("the broker\nis gone")
    found = look(tmp_path, "live")
    assert found is not None
    assert (found.status, found.state.message) == ("failed", "the broker is gone")


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    with Control(tmp_path, "live"):
        with (
            pytest.raises(TelcoError, match=rf"live already runs \(process {os.getpid()}\)"),
            Control(tmp_path, "live"),
        ):
            pass
        with Control(tmp_path, "other"):
            assert [one.state.name for one in streams(tmp_path)] == ["live", "other"]


def test_who_is_not_there_hears_nothing(tmp_path: Path) -> None:
    with pytest.raises(TelcoError, match=r"no stream named live runs .none runs"):
        request(tmp_path, "live", "stop")
    with pytest.raises(TelcoError, match="runs"):
        request(tmp_path, "../live", "stop")
    with Control(tmp_path, "live"), pytest.raises(TelcoError, match="running: live"):
        request(tmp_path, "lively", "stop")


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".a", "x" * 81])
def test_names_that_are_no_files(name: str) -> None:
    with pytest.raises(TelcoError, match="stream name"):
        Control(None, name)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "live"}', '{"topics": 3}'])
def test_damaged_states_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "live.json").write_text(text)
    assert look(tmp_path, "live") is None
    assert streams(tmp_path) == []


def run_until_stopped(folder: Path) -> None:
    with Control(folder, "live") as own:
        own.update(force=True, status="running")
        while not own.is_stopping:
            time.sleep(0.01)


def wait_for(folder: Path, status: str) -> None:
    end = time.monotonic() + 20
    while (found := look(folder, "live")) is None or found.status != status:
        assert time.monotonic() < end, f"it never was {status}"
        time.sleep(0.02)


def test_one_that_was_killed_is_dead_whoever_has_its_number(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=run_until_stopped, args=(tmp_path,)
    )
    process.start()
    wait_for(tmp_path, "running")
    process.kill()
    process.join()
    # The number of a process that lives.
    path = tmp_path / "live.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pid": os.getpid()}))
    found = look(tmp_path, "live")
    assert found is not None
    assert found.status == "dead"
    with pytest.raises(TelcoError, match="no stream named live runs any more: it was killed"):
        request(tmp_path, "live", "stop")
    with Control(tmp_path, "live"):
        wait_for(tmp_path, "starting")


def test_another_process_is_told_to_stop(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=run_until_stopped, args=(tmp_path,)
    )
    process.start()
    wait_for(tmp_path, "running")
    assert request(tmp_path, "live", "stop").pid == process.pid
    process.join(20)
    assert process.exitcode == 0
    wait_for(tmp_path, "ended")


def test_the_first_interrupt_asks_and_the_second_ends() -> None:
    own = Control()
    before = signal.getsignal(signal.SIGINT)
    with own.signals():
        os.kill(os.getpid(), signal.SIGINT)
        assert own.is_stopping
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_a_directory_that_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(TelcoError, match="cannot be kept in"),
        Control(tmp_path / "file" / "streams", "live"),
    ):
        pass
