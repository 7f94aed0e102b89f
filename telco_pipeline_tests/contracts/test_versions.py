"""A changed contract needs a new version."""

import dataclasses
from pathlib import Path

import pytest

from telco_pipeline.contracts import DATASETS, versions
from telco_pipeline.contracts.versions import ContractVersion

OLD = {"plans": ContractVersion(2, "aa")}


def test_no_contract_was_changed_without_a_new_version() -> None:
    found = versions.faults(versions.recorded(), versions.current())
    assert found == [], "raise the version in the contract, then record it (see the next test)"


def test_the_record_is_up_to_date() -> None:
    command = "python -m telco_pipeline.contracts.versions"
    assert versions.recorded() == versions.current(), f"run `{command}`"


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({"plans": ContractVersion(2, "aa")}, None),
        ({"plans": ContractVersion(3, "bb")}, None),
        ({"plans": ContractVersion(2, "aa"), "new": ContractVersion(1, "cc")}, None),
        ({}, None),
        ({"plans": ContractVersion(2, "bb")}, "raise its version to 3"),
        ({"plans": ContractVersion(1, "aa")}, "older than the recorded 2"),
    ],
)
def test_faults(now: dict[str, ContractVersion], words: str | None) -> None:
    found = versions.faults(OLD, now)
    assert len(found) == (words is not None)
    assert words is None or words in found[0]


def test_update_writes_nothing_when_a_contract_was_changed(tmp_path: Path) -> None:
    path = tmp_path / "versions.json"
    assert versions.update(path) == []
    sound = path.read_text()
    changed = sound.replace(DATASETS["plans"].fingerprint(), "0" * 16)
    path.write_text(changed)
    assert len(versions.update(path)) == 1
    assert path.read_text() == changed
    assert versions.update(path, unreleased=True) == []
    assert path.read_text() == sound


def test_the_fingerprint_knows_types_keys_and_order() -> None:
    voice = DATASETS["cdrs_voice"]
    changes = [{"sort": ()}, {"foreign_keys": ()}, {"schema": DATASETS["cdrs_sms"].schema}]
    others = {dataclasses.replace(voice, **change).fingerprint() for change in changes}
    assert len(others | {voice.fingerprint()}) == 4
    prose = dataclasses.replace(voice, description="Other words.")
    assert prose.fingerprint() == voice.fingerprint()
