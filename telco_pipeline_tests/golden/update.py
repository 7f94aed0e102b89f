"""Rewrites the golden hashes: `python -m telco_pipeline_tests.golden.update --why "..."`."""

import argparse
import json
import sys

from telco_pipeline_tests.golden import rows


def main() -> int:
    """Write the hashes of today's rows, and into CHANGES.md which columns changed and why."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--why", required=True, help="why the rows changed, in a sentence")
    why = " ".join(parser.parse_args().why.split())
    if not why:
        parser.error("--why must say why the rows changed")
    before = rows.kept() if rows.GOLDEN_FILE.exists() else {}
    after = rows.current()
    changed = rows.differences(before, after)
    if not changed:
        sys.stdout.write("nothing changed\n")
        return 0
    rows.GOLDEN_FILE.write_text(json.dumps(after, indent=1) + "\n")
    entry = f"\n## {why}\n{rows.told(changed)}\n"
    if not rows.CHANGES_FILE.exists():
        entry = "# Changes of the golden rows, the newest last\n" + entry
    with rows.CHANGES_FILE.open("a") as file:
        file.write(entry)
    sys.stdout.write(entry)
    return 0


if __name__ == "__main__":
    sys.exit(main())
