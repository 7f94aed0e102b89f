"""Where lines of the log go, from which level on, in which form; for `telco` and for runs."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from telco_pipeline import logs
from telco_pipeline.cli import app
from telco_pipeline.errors import TelcoError

# That it is beta, which `definitions` silences where it is loaded.
pytestmark = pytest.mark.filterwarnings("ignore:Handling yaml-defined logging")

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (logs.LEVEL, logs.FORMAT, logs.FILE):
        monkeypatch.delenv(name, raising=False)
    yield
    logs.begin(logs.LogSettings())
    logs.LOGGER.setLevel(logging.NOTSET)


def telco(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        app(list(arguments))
    assert isinstance(left.value.code, int)
    return left.value.code


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_nothing_is_logged_unless_somebody_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert telco("check", "--lake", "nowhere") == 2
    assert not logs.is_on()
    assert logs.instance_settings() == {}
    assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_command_logs_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "telco.log"
    assert telco("--log-file", str(file), "check", "--lake", "no://me:secret@where") == 2
    first, error, last = file.read_text().splitlines()
    assert first.endswith("INFO     telco_pipeline: telco check begins")
    assert "ERROR" in error
    assert "no://me:***@where: lakes in" in error
    assert "secret" not in file.read_text()
    assert "check --lake no://me:***@where: exit status 2 after" in last
    assert "begins" not in capsys.readouterr().err, "the screen stays as it is"


def test_a_level_shows_it_on_the_screen_too(capsys: pytest.CaptureFixture[str]) -> None:
    telco("--log-level", "info", "--log-format", "json", "check", "--lake", "nowhere")
    first, shown, last = capsys.readouterr().err.splitlines()
    assert json.loads(first)["message"] == "telco check begins"
    assert shown.startswith("telco: no lake at nowhere"), "said once, not twice"
    assert set(json.loads(last)) == {"time", "level", "logger", "message"}
    telco("--log-level", "error", "check", "--lake", "nowhere")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_options_beat_variables(tmp_path: Path) -> None:
    environ = {logs.LEVEL: "ERROR", logs.FORMAT: "json", logs.FILE: str(tmp_path / "a.log")}
    found = logs.LogSettings.from_env(environ)
    assert found == logs.LogSettings(logging.ERROR, "json", tmp_path / "a.log")
    found = logs.LogSettings.from_env(environ, level="debug", format=None, file="")
    assert found == logs.LogSettings(logging.DEBUG, "json", None)
    assert logs.LogSettings.from_env({logs.LEVEL: ""}) == logs.LogSettings()


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (logs.LEVEL, "loud", "TELCO_LOG_LEVEL: must be debug, info, warning, error or critical"),
        (logs.FORMAT, "xml", "TELCO_LOG_FORMAT: must be text or json, not 'xml'"),
        (logs.FILE, "/", "TELCO_LOG_FILE: / is a directory; name a file"),
        (logs.FILE, "/no/such/a.log", "TELCO_LOG_FILE: there is no directory /no/such"),
    ],
)
def test_what_is_refused(name: str, value: str, line: str) -> None:
    with pytest.raises(TelcoError, match=line):
        logs.LogSettings.from_env({name: value})


def test_a_wrong_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert telco("--log-level", "loud", "check") == 2
    said = capsys.readouterr().err
    assert said.startswith("telco: --log-level: must be debug, info,")
    assert said.count("\n") == 1


def test_a_log_that_cannot_be_written_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    logs.begin(logs.LogSettings(file=full))
    for _ in range(3):
        logs.LOGGER.info("a line")
    assert capsys.readouterr().err == (
        "telco: cannot write the log /dev/full: [Errno 28] No space left on device\n"
    )


def test_a_file_that_was_rotated_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "telco.log"
    logs.begin(logs.LogSettings(file=file))
    logs.LOGGER.info("one")
    file.rename(tmp_path / "telco.log.1")
    logs.LOGGER.info("two")
    assert "one" in (tmp_path / "telco.log.1").read_text()
    assert file.read_text().endswith("two\n")


def test_an_error_has_its_traceback(tmp_path: Path) -> None:
    file = tmp_path / "telco.log"
    logs.begin(logs.LogSettings(file=file, form="json"))
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logs.LOGGER.exception("it broke")
    (line,) = lines(file)
    assert "ZeroDivisionError" in line["exception"]


# --- runs of Dagster ------------------------------------------------------------------------


@dg.op
def work(context: dg.OpExecutionContext) -> None:
    context.log.info("half of it is done")
    context.log.debug("a detail")
    raise dg.Failure("the disk is full")


@dg.job
def a_job() -> None:
    work()


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.mark.parametrize("name", ["dagster.yaml", "deploy/dagster.yaml"])
def test_runs_log_into_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "runs.log"
    monkeypatch.setenv(logs.FILE, str(file))
    monkeypatch.setenv(logs.FORMAT, "json")
    settings = yaml.safe_load((ROOT / name).read_text())["python_logs"]
    with dg.instance_for_test(overrides={"python_logs": settings}) as instance:
        run = a_job.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)
    found = lines(file)
    assert {line["run"] for line in found} == {run.run_id}
    assert {line["job"] for line in found} == {"a_job"}
    assert found[0]["message"] == "half of it is done"
    assert found[0]["step"] == "work"
    failed = [line["message"] for line in found if line["level"] == "ERROR"]
    assert failed[0] == 'Execution of step "work" failed. the disk is full'
    assert not any("detail" in line["message"] for line in found)


def test_no_file_no_log(tmp_path: Path) -> None:
    settings = yaml.safe_load((ROOT / "dagster.yaml").read_text())["python_logs"]
    with dg.instance_for_test(overrides={"python_logs": settings}) as instance:
        a_job.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)
    assert isinstance(logs.of_runs(), logging.NullHandler)


def test_runs_of_the_command_log_where_the_command_does(tmp_path: Path) -> None:
    file = tmp_path / "telco.log"
    logs.begin(logs.LogSettings(level=logging.DEBUG, file=file))
    settings = logs.instance_settings()
    with dg.DagsterInstance.ephemeral(settings=settings) as instance:
        a_job.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)
    text = file.read_text()
    assert "a_job work: half of it is done" in text
    assert "a detail" in text


def test_the_warning_that_is_silenced_is_still_the_same(tmp_path: Path) -> None:
    """`definitions` silences it by its words."""
    settings = {"python_logs": {"dagster_handler_config": {"handlers": {}}}}
    with (
        pytest.warns(dg.BetaWarning, match="^Handling yaml-defined logging"),
        dg.instance_for_test(overrides=settings) as instance,
    ):
        instance.get_handlers()


def test_the_docs_have_every_variable() -> None:
    docs = (ROOT / "docs" / "notifications.md").read_text()
    for name in (logs.LEVEL, logs.FORMAT, logs.FILE):
        assert f"| `{name}` |" in docs
