"""Lineage: what must be there, and checked, before a dataset is made.

Belongs here: order between datasets, worked out from the contracts. Does not belong here: the
contracts themselves, how anything is made (`production`).
"""

from functools import cache

from telco_pipeline.asof import CHANGES
from telco_pipeline.consistency import identity_columns
from telco_pipeline.contracts import DATASETS, STATIC_DATASETS
from telco_pipeline.contracts.state import HISTORY


def sources_of(name: str) -> list[str]:
    """Return what a dataset is made from or refers to.

    What it refers to must be there when its references are checked, unless that is itself made
    from the dataset: see `late_references_of`. A day's records look at the whole world, because
    production loads it as one: its last datasets stand for all. Records that bear an identity are
    checked against the changes of identity: see `needs_changes`.
    """
    dataset = DATASETS[name]
    targets = [each for key in dataset.foreign_keys for each in (key.target, *key.also)]
    referred = [target for target in targets if target != name]
    in_time = [target for target in referred if name not in ancestors_of(target)]
    world = _last() if dataset.daily else []
    changes = [CHANGES] if name != CHANGES and needs_changes(name) else []
    return list(dict.fromkeys([*dataset.depends, *in_time, *world, *changes]))


def needs_changes(name: str) -> bool:
    """Whether the checks of a dataset's day look at the changes of all days from the epoch to it.

    Those of `identity_changes` do so themselves: each change follows from the ones before.
    """
    return bool(identity_columns(DATASETS[name]))


def needs_history(name: str) -> bool:
    """Whether a day of a dataset hangs on all days since the epoch."""
    sources = {name, *ancestors_of(name)}
    return needs_changes(name) or not sources.isdisjoint(("subscriber_state", CHANGES))


def needs_network(name: str) -> bool:
    """Whether a day of a dataset looks at the network of that day and of its eve."""
    return HISTORY[0] in ancestors_of(name)


def follows(name: str) -> bool:
    """Whether a day of a dataset follows from the days before, its own or those of a source."""
    return any(DATASETS[each].follows for each in (name, *ancestors_of(name)))


def eves_of(name: str) -> list[str]:
    """Return the daily sources of which a dataset's day takes the day before too."""
    dataset = DATASETS[name]
    daily = [each for each in dataset.depends if DATASETS[each].daily]
    return [name, *daily] if dataset.follows else daily


def late_references_of(name: str) -> list[str]:
    """Return the datasets whose references can be checked only when this one is made.

    A site names its router, and the router its site: `sites` comes first, so its references are
    checked with `network_elements`.
    """
    return [other for other in DATASETS if _last_target_made_from(other) == name]


def has_late_references(name: str) -> bool:
    """Whether a dataset refers to one that is made from it."""
    return _last_target_made_from(name) is not None


def _last_target_made_from(name: str) -> str | None:
    targets = {key.target for key in DATASETS[name].foreign_keys}
    late = [other for other in DATASETS if other in targets and name in ancestors_of(other)]
    return late[-1] if late else None


@cache
def ancestors_of(name: str) -> frozenset[str]:
    """Return all that a dataset is made from, directly or not."""
    direct = DATASETS[name].depends
    return frozenset(direct).union(*(ancestors_of(each) for each in direct))


def _last() -> list[str]:
    """Return the static datasets from which no other one is made."""
    used = {each for name in STATIC_DATASETS for each in DATASETS[name].depends}
    return [name for name in STATIC_DATASETS if name not in used]
