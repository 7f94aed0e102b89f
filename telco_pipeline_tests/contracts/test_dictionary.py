"""The data dictionary says what the contracts say."""

import dataframely as dy

from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts.dictionary import DICTIONARY_FILE, data_dictionary


def test_the_page_in_docs_is_up_to_date() -> None:
    command = "python -m telco_pipeline.contracts.dictionary"
    written = DICTIONARY_FILE.read_text(encoding="utf-8")
    assert written == data_dictionary(), f"run `{command}`"


def test_every_dataset_and_column_is_there() -> None:
    page = data_dictionary()
    for dataset in DATASETS.values():
        section = page.split(f"\n### {dataset.name}\n")[1].split("\n### ")[0]
        assert dataset.description in section
        rows = {
            line.split("|")[1].strip(" *`"): line.replace("\\|", "|")
            for line in section.splitlines()
            if line.startswith("|")
        }
        for name, column in dataset.schema.columns().items():
            assert (column.description or "") in rows[name]


def test_every_row_has_the_columns_of_its_head() -> None:
    for line in data_dictionary().splitlines():
        if line.startswith(("| `", "| **`")):
            assert line.replace("\\|", "").count("|") == 9, line


def test_codes_ranges_and_tags_are_told() -> None:
    page = data_dictionary()
    regions = DATASETS["places"].schema.columns()["region"]
    assert isinstance(regions, dy.Enum)
    assert ", ".join(f"`{code}`" for code in regions.categories) in page
    assert "| `call_duration` | int32 | s |" in page
    assert "TS 32.298 servedIMSI" in page
