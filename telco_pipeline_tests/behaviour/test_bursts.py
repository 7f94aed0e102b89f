"""Trains: sizes, gaps, and what drives them."""

import numpy as np

from telco_pipeline.behaviour.bursts import GAP_EXPONENT, Train
from telco_pipeline.engine import draws

_TRAIN = Train.of(exponent=3.1, positions=8, shortest=20.0, longest=3600.0)
_BITS = draws.keys(draws.stream(7, "test"), np.arange(200_000))


def test_gaps_fall_off_as_the_power_law() -> None:
    gaps = _TRAIN.wait(_BITS) / 1e6
    assert gaps.min() >= 20.0
    assert gaps.max() <= 3600.0
    power = 1.0 - GAP_EXPONENT
    for at in (60.0, 300.0, 1200.0):
        expected = (at**power - 20.0**power) / (3600.0**power - 20.0**power)
        assert abs((gaps < at).mean() - expected) < 0.005


def test_the_longer_a_train_the_likelier_it_goes_on() -> None:
    chance = _TRAIN.chance
    assert chance[-1] == 0.0, "the last position ends it"
    assert np.all(np.diff(chance[1:-1]) > 0)
    # P(size >= n) = product of the chances = n**-3.1 (Karsai 2012).
    surviving = np.cumprod(chance[1:-1])
    assert np.allclose(surviving, np.arange(2, 9) ** -3.1, rtol=1e-5)
