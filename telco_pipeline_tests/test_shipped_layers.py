"""The layers that come with the project, all on: none gives itself away."""

import datetime as dt
from pathlib import Path

import pytest

from telco_pipeline import leakage
from telco_pipeline.contracts import DAILY_DATASETS, STATIC_DATASETS
from telco_pipeline.lake import Lake
from telco_pipeline.production import produce
from telco_pipeline.scenarios.loading import load_operator
from telco_pipeline.scenarios.story import layers_of
from telco_pipeline.workers import shared_crews

WORLD_FILE = Path(__file__).parents[1] / "scenarios" / "world.yaml"
SUBSCRIBERS = 5000
DAYS = 21


@pytest.mark.long
def test_no_column_tells_what_a_layer_touched(tmp_path: Path) -> None:
    """Every column of every observable dataset, at the difficulty at which the layers come.

    In a larger world more rows are judged: `telco scenarios audit` on its lake.
    """
    config = load_operator(WORLD_FILE, ["all"], subscribers=SUBSCRIBERS, seed=11)
    days = [config.epoch + dt.timedelta(days=number) for number in range(DAYS)]
    lake = Lake(tmp_path / "lake")
    with shared_crews():
        for name in STATIC_DATASETS:
            produce(config, lake, name, None, workers=2)
        for name in DAILY_DATASETS:
            produce(config, lake, name, days, workers=2)
    judgements = list(leakage.examine(config, lake, days))
    judged = {one.layer for one in judgements if one.best is not None}
    # Those whose incidents begin later, or that touch too little here.
    assert len(judged) >= len(layers_of(config)) - 5
    assert leakage.audit(config, lake, days) == []
