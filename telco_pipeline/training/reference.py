"""The columns of training tables, written into docs/training.md.

Belongs here: the tables of that page. Does not belong here: what the columns are (`features`,
`labels`), the rest of the page.

    python -m telco_pipeline.training.reference
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from telco_pipeline.contracts.codes import EntityKind
from telco_pipeline.training.features import Feature, features_of
from telco_pipeline.training.labels import LABELS

PAGE: Final = Path(__file__).parents[2] / "docs" / "training.md"
BEGIN: Final = "<!-- columns: written by python -m telco_pipeline.training.reference -->"
END: Final = "<!-- end of columns -->"


def columns() -> str:
    """Return all columns as Markdown."""
    truth = [Feature(name, name, text) for name, text in LABELS.items()]
    return "\n\n".join(
        [
            "### Features of subscribers",
            _table(features_of(EntityKind.SUBSCRIBER)),
            "### Features of cells, elements and sites",
            _table(features_of(EntityKind.CELL)),
            "### Labels",
            _table(truth),
        ]
    )


def with_columns(page: str) -> str:
    """Return a page with its columns as they are now.

    Raises:
        ValueError: It has no place for them.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{columns()}\n\n{END}{after}"


def _table(rows: Iterable[Feature]) -> str:
    lines = ["| column | unit | what it is |", "|---|---|---|"]
    lines += [f"| `{one.name}` | {one.unit} | {one.text} |" for one in rows]
    return "\n".join(lines)


def main() -> int:
    """Write the columns into the page."""
    PAGE.write_text(with_columns(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
