"""dbt gets the right environment whatever the current folder is, and its errors are one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from telco_pipeline import dbt_project
from telco_pipeline.errors import TelcoError

URL = "postgresql://telco:p%40ss%2Fword@db.example:5433/warehouse"


def test_a_lake_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = dbt_project.environment(environ={"TELCO_LAKE": "some/lake"})
    assert found["TELCO_LAKE"] == str(tmp_path / "some/lake")
    assert found["TELCO_DBT_TARGET"] == "lake"
    assert found["TELCO_DBT_DATABASE"] == str(dbt_project.PROJECT / "target" / "lake.duckdb")
    named = dbt_project.environment(environ={"TELCO_LAKE": "x"}, lake=tmp_path / "other")
    assert named["TELCO_LAKE"] == str(tmp_path / "other")


def test_the_database_is_told_in_the_words_of_libpq() -> None:
    found = dbt_project.environment("warehouse", {"TELCO_DATABASE_URL": URL, "PGHOST": "other"})
    assert {name: value for name, value in found.items() if name.startswith("PG")} == {
        "PGHOST": "db.example", "PGPORT": "5433", "PGUSER": "telco",
        "PGPASSWORD": "p@ss/word", "PGDATABASE": "warehouse",
    }  # fmt: skip
    own = dbt_project.environment("warehouse", {"PGHOST": "other"})
    assert own["PGHOST"] == "other"
    assert "PGPASSWORD" not in dbt_project.environment("lake", {"TELCO_DATABASE_URL": URL})


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (
            "postgres://me@h/x?sslmode=verify-full&sslrootcert=/ca.pem&keepalives_idle=5",
            {
                "PGHOST": "h", "PGUSER": "me", "PGDATABASE": "x",
                "PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/ca.pem",
            },
        ),
        (
            "postgresql+psycopg2:///x?host=/run/postgresql&port=6432",
            {"PGHOST": "/run/postgresql", "PGPORT": "6432", "PGDATABASE": "x"},
        ),
    ],
)  # fmt: skip
def test_a_url_is_read_as_the_warehouse_reads_it(url: str, wanted: dict[str, str]) -> None:
    found = dbt_project.environment("warehouse", {"TELCO_DATABASE_URL": url})
    assert {name: value for name, value in found.items() if name.startswith("PG")} == wanted


@pytest.mark.parametrize(
    "words", [["-t", "laek"], ["--target", "laek"], ["--target=laek"], ["-tlaek"]]
)
def test_a_target_is_understood_in_every_form(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    given = ["build", "--target-path", "lake", *words, "--vars", "{days: 7}", "--select", "x"]
    assert dbt_project.main(given) == 2
    assert "dbt has no target 'laek'" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("target", "url", "words"),
    [
        ("laek", "", "dbt has no target 'laek': choose from lake, warehouse"),
        ("warehouse", "sqlite:///x.db", "is PostgreSQL, but TELCO_DATABASE_URL names sqlite"),
        ("warehouse", "no url with secret", "TELCO_DATABASE_URL is no URL of a database"),
        ("warehouse", "postgresql://a:secret@h:port/x", "TELCO_DATABASE_URL is no URL of a data"),
        ("warehouse", "postgresql://a:secret@h/x?port=secret", "host or port cannot be read"),
        ("warehouse", "postgresql:///x?host=a:1&host=b:2", "names several hosts: dbt takes one"),
    ],
)
def test_a_wrong_environment_is_told(target: str, url: str, words: str) -> None:
    with pytest.raises(TelcoError, match=words) as error:
        dbt_project.environment(target, {"TELCO_DATABASE_URL": url})
    assert "secret" not in str(error.value)


def test_the_command_refuses_in_one_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dbt_project.main(["build", "--target", "laek"]) == 2
    assert capfd.readouterr().err == (
        "error: dbt has no target 'laek': choose from lake, warehouse\n"
    )
    monkeypatch.setattr(dbt_project, "_PACKAGES", ("dbt-core", "dbt-of-nowhere"))
    assert dbt_project.main([]) == 2
    assert "dbt-of-nowhere not installed: pip install" in capfd.readouterr().err


def test_a_project_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbt_project, "PROJECT", tmp_path)
    with pytest.raises(TelcoError, match="there is no dbt project in"):
        dbt_project.manifest()


def test_a_manifest_is_made_once_and_again_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny_project(tmp_path, monkeypatch)
    first = dbt_project.manifest()
    made = first.stat().st_mtime_ns
    assert dbt_project.manifest() == first
    assert first.stat().st_mtime_ns == made
    (project / "models" / "one.sql").write_text("select 2 as number")
    second = dbt_project.manifest()
    assert second != first
    assert [path.name for path in second.parent.iterdir()] == [second.name]


def test_a_mistake_in_a_model_is_told_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny_project(tmp_path, monkeypatch)
    (project / "models" / "one.sql").write_text("select {{ ref('nothing') }}")
    with pytest.raises(TelcoError, match=r"dbt cannot read .*models/one\.sql.*nothing"):
        dbt_project.manifest()
    assert not list((project / "target" / "dagster").iterdir())


def tiny_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project of one model, in the place of ours."""
    project = tmp_path / "dbt_checks"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text(
        "name: tiny\nversion: '1.0'\nprofile: telco_checks\nmodel-paths: [models]\n"
    )
    profiles = (dbt_project.PROJECT / "profiles.yml").read_text()
    (project / "profiles.yml").write_text(profiles)
    (project / "models" / "one.sql").write_text("select 1 as number")
    monkeypatch.setattr(dbt_project, "PROJECT", project)
    return project


@pytest.mark.long
def test_plain_dbt_runs_in_its_folder(tmp_path: Path) -> None:
    """Without our package: `cd dbt_checks && dbt build`."""
    environ = os.environ | {
        "TELCO_LAKE": str(tmp_path), "TELCO_DBT_DATABASE": str(tmp_path / "lake.duckdb"),
        "DBT_TARGET_PATH": str(tmp_path / "target"), "DBT_LOG_PATH": str(tmp_path / "logs"),
    }  # fmt: skip
    found = subprocess.run(
        [str(Path(sys.executable).with_name("dbt")), "build"],
        cwd=dbt_project.PROJECT, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 2
    assert f"no dataset in lake {tmp_path}" in found.stdout
