"""The record of contract versions: a changed contract needs a new version.

Belongs here: `versions.json` (version and fingerprint of every contract), the comparison with
the contracts of today, and the command that brings the record up to date:

    python -m telco_pipeline.contracts.versions

It refuses a contract that was changed under an old version. `--unreleased` accepts that too: for
a version that no lake outside the developer's own machine was ever made with.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from telco_pipeline.contracts import DATASETS, Dataset

VERSIONS_FILE = Path(__file__).with_name("versions.json")


@dataclass(frozen=True)
class ContractVersion:
    """Version of a contract and the fingerprint that it has in this version."""

    version: int
    fingerprint: str


def recorded(path: Path = VERSIONS_FILE) -> dict[str, ContractVersion]:
    """Return the record; empty if there is none."""
    if not path.exists():
        return {}
    plain = json.loads(path.read_text(encoding="utf-8"))
    return {name: ContractVersion(**entry) for name, entry in plain.items()}


def current(datasets: Mapping[str, Dataset] = DATASETS) -> dict[str, ContractVersion]:
    """Return the versions and fingerprints of the contracts as they are."""
    return {
        name: ContractVersion(dataset.version, dataset.fingerprint())
        for name, dataset in sorted(datasets.items())
    }


def faults(before: Mapping[str, ContractVersion], now: Mapping[str, ContractVersion]) -> list[str]:
    """Return what is wrong with the versions of today, one line each."""
    found = []
    for name, old in before.items():
        new = now.get(name)
        if new is None:
            continue
        if new.version < old.version:
            found.append(f"{name}: version {new.version} is older than the recorded {old.version}")
        elif new.version == old.version and new.fingerprint != old.fingerprint:
            found.append(
                f"{name}: the contract has changed; raise its version to {old.version + 1}"
            )
    return found


def update(path: Path = VERSIONS_FILE, *, unreleased: bool = False) -> list[str]:
    """Bring the record up to date and return no faults; write nothing if there are faults."""
    now = current()
    found = [] if unreleased else faults(recorded(path), now)
    if not found:
        plain = {
            name: {"version": entry.version, "fingerprint": entry.fingerprint}
            for name, entry in now.items()
        }
        path.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    return found


def main() -> int:
    """Bring the record up to date; exit status 1 if a contract was changed under its version."""
    parser = argparse.ArgumentParser(description="Record the versions of the contracts.")
    parser.add_argument(
        "--unreleased",
        action="store_true",
        help="accept changes under an old version: no lake was made with it",
    )
    found = update(unreleased=parser.parse_args().unreleased)
    sys.stderr.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
