"""The `telco` command.

Belongs here: what is typed and what is shown. Does not belong here: work. Every command hands on
to `runs`, `planning`, `integrity` or `benchmarks`, which know nothing of terminals.

`telco --help` must answer at once, so these modules import Dagster, Polars and the contracts
inside functions, never at the top.
"""

from telco_pipeline.cli.frame import app, main

__all__ = ["app", "main"]
