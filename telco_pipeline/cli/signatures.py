"""`telco scenarios signatures` and `audit`: what the layers show, and what gives them away.

Belongs here: the commands and their tables. Does not belong here: judging (`signatures`,
`leakage`), the control world (`counterfactual`).
"""

from typing import TYPE_CHECKING

import typer

from telco_pipeline.cli import options
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.settings import WorldConfig
    from telco_pipeline.signatures import Judgement

FAILED_CHECK = 1


def signatures(lake: options.LakeDirectory = None) -> None:
    """Judge the signatures of the layers that are on in a lake, beside its control world.

    Exit status 1 when one is not seen, or is seen without any layer too. What needs more
    subscribers or days says so. The signatures are those that the layers' files say now; a layer
    that does something else than the one of which the lake was made is judged as that one.

    For example:

      telco counterfactual --without all

      telco scenarios signatures
    """
    root = options.lake_root(lake)
    config, changed = _world(root)
    found = _judged(root, config)
    show(found)
    _tell_other_versions(changed)
    if failing(found):
        raise typer.Exit(FAILED_CHECK)


def _world(root: str) -> "tuple[WorldConfig, list[str]]":
    """Return the main world of a lake, its layers told as their files do now.

    Returns:
        The world, and the names of the layers whose files now do something else, or cannot be read.

    Raises:
        TelcoError: There is none.
    """
    from telco_pipeline.cli.counterfactual import held_config
    from telco_pipeline.lake import Lake
    from telco_pipeline.scenarios.loading import with_words
    from telco_pipeline.settings import Settings

    return with_words(held_config(Lake(root)), Settings.from_env().world_file)


def _tell_other_versions(changed: list[str]) -> None:
    """Say of which layers the files are no longer those of which the lake was made."""
    from telco_pipeline.cli.display import print_line

    if changed:
        print_line(
            f"Judged as the lake was made. Since then the files of {', '.join(changed)} have "
            "changed, or cannot be read: `telco scenarios validate` tells, `telco generate "
            "--replace` makes the world anew."
        )


def judged(root: str) -> "list[Judgement]":
    """Return what is seen of the signatures of all layers of the main world of a lake.

    Raises:
        TelcoError: There is no world with layers, or a query is wrong.
    """
    return _judged(root, _world(root)[0])


def _judged(root: str, config: "WorldConfig") -> "list[Judgement]":
    from telco_pipeline.lake import Lake
    from telco_pipeline.scenarios.story import layers_of
    from telco_pipeline.signatures import judge

    layers = layers_of(config)
    if not layers:
        raise TelcoError(f"the world in {root} has no layer on: there is no signature to look for")
    lake = Lake(root)
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
    from telco_pipeline.cli.display import Column, count, print_line, print_table, progress
    from telco_pipeline.lake import Lake
    from telco_pipeline.leakage import DIFFICULTY, LIMIT, days_of, examine
    from telco_pipeline.scenarios.story import layers_of

    root = Lake(options.lake_root(lake))
    config, changed = _world(str(root.root))
    layers = layers_of(config)
    if not layers:
        raise TelcoError(f"the world in {root.root} has no layer on: there is nothing to give away")
    found = []
    with progress("judgements", "Looking for columns that tell") as meter:
        for judgement in examine(config, root, days_of(root)):
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
    _tell_other_versions(changed)
    judged = sum(not one.note for one in found)
    print_line(
        f"{len(wrong)} columns tell by more than {LIMIT:g} and are not named by their layer; "
        f"{judged} of {len(found)} judgements had rows enough."
    )
    if wrong:
        raise typer.Exit(FAILED_CHECK)
