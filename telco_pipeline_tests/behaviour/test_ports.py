"""Where somebody goes who ports the number out."""

import numpy as np

from telco_pipeline.behaviour.ports import operator_after_port_out
from telco_pipeline_tests.generators.kit import small_world


def test_they_go_to_the_others_by_their_shares() -> None:
    config = small_world()
    entity = np.arange(40_000)
    operator = operator_after_port_out(config, entity)
    assert operator.dtype == np.int8
    found = np.bincount(operator, minlength=len(config.operators)) / len(entity)
    total = sum(each.share for each in config.operators if not each.own)
    for share, each in zip(found, config.operators, strict=True):
        expected = 0.0 if each.own else each.share / total
        assert abs(share - expected) < 0.01


def test_somebody_goes_to_the_same_whoever_asks_with_him() -> None:
    config = small_world()
    all_at_once = operator_after_port_out(config, np.arange(1000))
    some = np.array([7, 999, 7, 300])
    assert (operator_after_port_out(config, some) == all_at_once[some]).all()
