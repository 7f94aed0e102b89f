"""The rows of a small fixed world are what they were, or somebody says why not."""

import pytest

from telco_pipeline.contracts import DATASETS
from telco_pipeline.workers import DERIVED
from telco_pipeline_tests.golden import rows


def test_rows_are_as_they_were() -> None:
    changed = rows.differences(rows.kept(), rows.current())
    if changed:
        pytest.fail(
            f"the rows of {len(changed)} datasets changed:\n{rows.told(changed)}\n"
            "If that is meant: python -m telco_pipeline_tests.golden.update "
            '--why "why they changed"',
            pytrace=False,
        )


def test_every_column_of_every_dataset_is_kept() -> None:
    columns = {key.split()[0]: set(hashes) for key, hashes in rows.kept().items()}
    # Counters are sums of records in a lake: those are kept here, and that the sums are right is
    # proved by tests of their own.
    kept = [name for name in DATASETS if name not in DERIVED]
    assert columns == {name: set(DATASETS[name].columns) for name in kept}


def test_differences_name_datasets_and_columns() -> None:
    before = {"a 2026-01-01": {"x": "1", "y": "2"}, "a 2026-01-02": {"x": "1"}, "b": {"z": "3"}}
    after = {"a 2026-01-01": {"x": "1", "y": "9"}, "a 2026-01-02": {"x": "1"}, "c": {"z": "3"}}
    changed = rows.differences(before, after)
    assert changed == {"a": ["y"], "b": ["(all)"], "c": ["(all)"]}
    assert rows.told(changed).splitlines()[0] == "- a: y"
    assert rows.differences(before, before) == {}
