"""`telco scenarios signatures` and `audit`: what the layers show, and what gives them away.

Belongs here: the commands and their tables. Does not belong here: judging (`signatures`,
`leakage`), the control world (`counterfactual`).
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
    root = options.lake_root(lake)
    found = judged(root)
    show(found)
    _tell_other_versions(root)
    if failing(found):
        raise typer.Exit(FAILED_CHECK)


def _tell_other_versions(root: str) -> None:
    """Say of which layers the files are no longer those of which the lake was made."""
    from contextlib import suppress

    from telco_pipeline.cli.counterfactual import held_config
    from telco_pipeline.cli.display import print_line
    from telco_pipeline.lake import Lake
    from telco_pipeline.scenarios.loading import layer_files, load_layer
    from telco_pipeline.scenarios.story import layers_of
    from telco_pipeline.settings import Settings

    layers = layers_of(held_config(Lake(root)))
    changed = []
    with suppress(TelcoError):  # whatever is wrong with other files does not matter here
        for file in layer_files(Settings.from_env().world_file):
            held = layers.get(file.stem)
            if held is not None and load_layer(file).layer_hash != held.layer_hash:
                changed.append(file.stem)
    if changed:
        print_line(
            f"Judged as the lake was made. Since then the files of {', '.join(changed)} have "
            "changed: `telco generate --replace` makes the world anew."
        )


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
    return list(judge(config, lake, layers, lake.days("network_state")))


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


def audit(lake: options.LakeDirectory = None) -> None:
    """Look whether any single column of the observable data gives a layer away.

    Exit status 1 when one does, in a layer of difficulty 0.5 or more whose file does not name it.

    For example:

      telco scenarios audit --lake data/lake
    """
    from telco_pipeline.cli.counterfactual import held_config
    from telco_pipeline.cli.display import Column, count, print_line, print_table, progress
    from telco_pipeline.lake import Lake
    from telco_pipeline.leakage import DIFFICULTY, LIMIT, examine
    from telco_pipeline.scenarios.story import layers_of

    root = Lake(options.lake_root(lake))
    config = held_config(root)
    layers = layers_of(config)
    if not layers:
        raise TelcoError(f"the world in {root.root} has no layer on: there is nothing to give away")
    found = []
    with progress("judgements", "Looking for columns that tell") as meter:
        for judgement in examine(config, root, root.days("network_state")):
            found.append(judgement)
            meter.step(f"{judgement.layer}, {judgement.dataset}")
    print_table(
        "What single columns tell",
        [
            Column("layer"),
            Column("dataset"),
            Column("rows", True),
            Column("entities", True),
            Column("best column"),
            Column("accuracy", True),
        ],
        [
            [
                one.layer,
                one.dataset,
                count(one.rows),
                count(one.entities),
                one.note or (one.best.column if one.best else "-"),
                f"{one.best.accuracy:.3f}" if one.best and not one.note else "-",
            ]
            for one in found
        ],
    )
    wrong = [leak for one in found for leak in one.leaks if not leak.because]
    wrong = [leak for leak in wrong if layers[leak.layer].difficulty >= DIFFICULTY]
    for leak in wrong:
        print_line(f"LEAK {leak.layer}: {leak}")
    _tell_other_versions(str(root.root))
    judged = sum(not one.note for one in found)
    print_line(
        f"{len(wrong)} columns tell by more than {LIMIT:g} and are not named by their layer; "
        f"{judged} of {len(found)} judgements had rows enough."
    )
    if wrong:
        raise typer.Exit(FAILED_CHECK)
