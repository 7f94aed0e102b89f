"""`telco scenarios signatures`: whether what the layers must leave behind is seen, and only then.

Belongs here: the command and its table. Does not belong here: judging (`signatures`), the control
world (`counterfactual`).
"""

from typing import TYPE_CHECKING

import typer

from telco_pipeline.cli import options
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.signatures import Judgement

FAILED_CHECK = 1


def signatures(lake: options.LakeDirectory = None) -> None:
    """Judge the signatures of the layers that are on in a lake, beside its control world.

    Exit status 1 when one is not seen, or is seen without any layer too. What needs more
    subscribers or days says so.

    For example:

      telco counterfactual --without all

      telco scenarios signatures
    """
    found = judged(options.lake_root(lake))
    show(found)
    if failing(found):
        raise typer.Exit(FAILED_CHECK)


def judged(root: str) -> "list[Judgement]":
    """Return what is seen of the signatures of all layers of the main world of a lake.

    Raises:
        TelcoError: There is no world with layers, or a query is wrong.
    """
    from telco_pipeline.cli.counterfactual import held_config
    from telco_pipeline.lake import Lake
    from telco_pipeline.scenarios.story import layers_of
    from telco_pipeline.signatures import judge

    lake = Lake(root)
    config = held_config(lake)
    layers = layers_of(config)
    if not layers:
        raise TelcoError(f"the world in {root} has no layer on: there is no signature to look for")
    return list(judge(config, lake, layers, lake.days("cdrs_voice")))


def failing(found: "list[Judgement]") -> "list[Judgement]":
    """Return the judgements that speak against a layer."""
    from telco_pipeline.signatures import Verdict

    return [one for one in found if one.verdict in (Verdict.NOT_SEEN, Verdict.ALSO_WITHOUT)]


def show(found: "list[Judgement]") -> None:
    """Print judgements as a table."""
    from telco_pipeline.cli.display import Column, print_line, print_table

    def figure(value: float | None) -> str:
        return "-" if value is None else f"{value:,.4g}"

    print_table(
        "Signatures",
        [
            Column("layer"),
            Column("what must be seen"),
            Column("with", True),
            Column("expected", True),
            Column("without", True),
            Column("expected", True),
            Column("verdict"),
        ],
        [
            [
                one.layer,
                one.signature.name,
                figure(one.value),
                str(one.signature.seen),
                figure(one.control),
                str(one.signature.unseen),
                f"{one.verdict}{f': {one.note}' if one.note else ''}",
            ]
            for one in found
        ],
    )
    seen = sum(one.passed for one in found)
    print_line(f"{seen} of {len(found)} signatures seen, and not without the layers.")
