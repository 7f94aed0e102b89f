"""Mobility rows find the laws that walks were made by."""

import numpy as np
import pytest

from telco_pipeline.analytics.realism import mobility
from telco_pipeline.analytics.realism.findings import Findings

PEOPLE = 150


def walks(
    rng: np.random.Generator, hours: int, rho: float, gamma: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return walks that move each hour: to a new place with rho S^-gamma, else back to an old one.

    Old places are chosen by their visits (Song 2010).
    """
    users, times, sites = [], [], []
    for person in range(PEOPLE):
        visited = [0]
        trail = [0]
        for _ in range(hours - 1):
            known = len(visited)
            if known == 1 or rng.random() < rho * known**-gamma:
                visited.append(known)
                trail.append(known)
            else:
                choice = trail[-1]
                while choice == trail[-1]:
                    choice = trail[rng.integers(len(trail))]
                trail.append(choice)
        users.append(np.full(hours, person))
        times.append(np.arange(hours))
        sites.append(np.array(trail) + person * 10_000)
    return np.concatenate(users), np.concatenate(times), np.concatenate(sites)


def test_exploration_of_song() -> None:
    found = Findings()
    user, hour, site = walks(np.random.default_rng(3), 14 * 24, 0.6, 0.21)
    mobility.exploration(user, hour, site, found)
    assert found.values["mobility.exploration.new"][0] == pytest.approx(0.21, abs=0.05)
    # S grows as n^(1 / (1 + gamma)) where each hour is a move.
    assert found.values["mobility.exploration.exponent"][0] == pytest.approx(0.83, abs=0.05)


def test_too_few_days_have_no_exploration() -> None:
    found = Findings()
    user, hour, site = walks(np.random.default_rng(3), 5 * 24, 0.6, 0.21)
    mobility.exploration(user, hour, site, found)
    assert found.values["mobility.exploration.exponent"][0] is None


def test_zipf_of_visits() -> None:
    rng = np.random.default_rng(4)
    share = np.arange(1.0, 16.0) ** -1.2
    site = rng.choice(15, PEOPLE * 4000, p=share / share.sum())
    found = Findings()
    mobility.visits(np.repeat(np.arange(PEOPLE), 4000), site, found)
    assert found.values["mobility.visits.zipf"][0] == pytest.approx(1.2, abs=0.02)
    two = 100 * share[:2].sum() / share.sum()
    assert found.values["mobility.top_two"][0] == pytest.approx(two, abs=1)


def test_waiting_times() -> None:
    rng = np.random.default_rng(5)
    hours = np.arange(1.0, 97.0)
    law = hours**-1.8 * np.exp(-hours / mobility.WAITING_CUT)
    stay = rng.choice(hours.astype(np.int64), (PEOPLE, 200), p=law / law.sum())
    begun = np.cumsum(stay, axis=1)
    user = np.repeat(np.arange(PEOPLE), 200)
    site = np.tile(np.arange(200) % 2, PEOPLE)
    found = Findings()
    mobility.waiting(user, begun.ravel(), site, found)
    assert found.values["mobility.waiting.exponent"][0] == pytest.approx(1.8, abs=0.05)
