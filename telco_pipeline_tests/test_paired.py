"""What layers did, from a world and its counterfactual: figures, people, campaigns."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from telco_pipeline import paired
from telco_pipeline.contracts import STATIC_DATASETS
from telco_pipeline.counterfactuals import Counterfactual, counterfactual
from telco_pipeline.lake import Lake
from telco_pipeline.lineage import HISTORY
from telco_pipeline.production import produce
from telco_pipeline.reach.measure import Reach, Share
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.settings import WorldConfig
from telco_pipeline_tests.generators.kit import small_world
from telco_pipeline_tests.paired_worlds import deed, layer, people

DAYS = 6
MADE = (*HISTORY, "cdrs_voice")
# Everybody who can be asked is, so that campaign and control group are large in a small world.
ASKED = layer(
    1,
    people(500, **{"plan.payment": "postpaid"}),
    deed("offer", what="upgrade", lift=0.3, control=0.3),
    first="0d",
    at="00:00",
    lasts="4d",
)
TALKS = layer(2, people(20), deed("usage", calls=6), lasts="2d")


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> tuple[WorldConfig, Lake]:
    """Return a world with a campaign and with people who talk, and without both."""
    world = small_world(subscribers=1500)
    network = world.network.model_copy(update={"sites": 20})
    config = with_layers(
        world.model_copy(update={"network": network}), {"asked": ASKED, "talks": TALKS}
    )
    lake = Lake(tmp_path_factory.mktemp("paired"))
    days = [config.epoch + dt.timedelta(days=number) for number in range(DAYS)]
    for name in STATIC_DATASETS:
        produce(config, lake, name)
    for name in MADE:
        produce(config, lake, name, days)
    made = counterfactual(config, ["all"], days[-1])
    other = Lake(lake.root, made.name)
    for name in MADE:
        produce(made.config, other, name, days, overlays=config.world_hash)
    return config, lake


def _compared(worlds: tuple[WorldConfig, Lake]) -> tuple[Counterfactual, paired.Effects]:
    config, lake = worlds
    made = counterfactual(config, ["all"], lake.days("cdrs_voice")[-1])
    lakes = (lake, Lake(lake.root, made.name))
    days = lake.days("cdrs_voice")
    return made, paired.compare(config, made, lakes, days)


@pytest.fixture(scope="module")
def effects(worlds: tuple[WorldConfig, Lake]) -> paired.Effects:
    """Return what both layers did."""
    return _compared(worlds)[1]


def test_figures_are_of_both_worlds_by_day(
    worlds: tuple[WorldConfig, Lake], effects: paired.Effects
) -> None:
    lake = worlds[1]
    other = Lake(lake.root, "control")
    day = lake.days("cdrs_voice")[2]
    told = effects.by_day.filter(pl.col("day") == day, pl.col("figure") == "calls tried")
    tried = [
        one.read("cdrs_voice", day, day)
        .filter(pl.col("record_type").cast(pl.String) == "moCallRecord")
        .height
        for one in (lake, other)
    ]
    assert told.select("with_layers", "without").row(0) == (float(tried[0]), float(tried[1]))
    found = {one.name: one for one in effects.differences}
    assert found["calls tried"].effect > 100
    assert found["minutes talked by subscribers"].effect > 0
    assert found["cell-minutes without service"].effect == 0
    assert "data" not in found  # those were not made
    satisfaction = found["mean satisfaction at the end"]
    assert 0.3 < satisfaction.other < 1.0
    # A figure of the end is that of the last day, not a sum of days.
    last = effects.by_day.filter(pl.col("figure") == satisfaction.name).sort("day").row(-1)
    assert satisfaction.value == last[3]


def test_changes_of_life_are_counted(worlds: tuple[WorldConfig, Lake]) -> None:
    """The words of the figures are those of the state."""
    lake = worlds[1]
    days = lake.days("subscriber_state")
    kinds = lake.read("subscriber_state", days[0], days[-1])["change"].cast(pl.String)
    found = paired.figures((lake, Lake(lake.root, "control")), days)
    told = found.group_by("figure").agg(pl.col("with_layers").sum())
    counted = dict(told.iter_rows())
    lost = kinds.is_in(["port-out", "termination"]).sum()
    assert counted["customers lost"] == lost > 0
    assert counted["changes of plan"] == (kinds == "plan change").sum() > 0


def test_uplift_is_known_person_by_person(
    worlds: tuple[WorldConfig, Lake], effects: paired.Effects
) -> None:
    offers, lake = effects.offers, worlds[1]
    assert offers["subscriber_id"].is_unique().all()
    got = offers.filter(pl.col("day").is_not_null())
    control = offers.filter(pl.col("day").is_null())
    assert len(got) > 200
    assert len(control) > 50
    # Of those who act because of it, and of nobody else, the plan changes in one world alone.
    days = lake.days("subscriber_state")
    acted = [
        set(
            one.read("subscriber_state", days[0], days[-1]).filter(
                pl.col("change").cast(pl.String) == "plan change"
            )["subscriber_id"]
        )
        for one in (lake, Lake(lake.root, "control"))
    ]
    because = set(got.filter(pl.col("outcome") == paired.BECAUSE)["subscriber_id"])
    assert because == (acted[0] - acted[1]) & set(got["subscriber_id"])
    assert set(offers["outcome"]) <= set(paired.OUTCOMES)
    (campaign,) = effects.uplifts
    assert (campaign.layer, campaign.incident, campaign.what) == ("asked", 0, "upgrade")
    assert campaign.because == len(because)
    assert campaign.offered == len(got)
    assert campaign.exact == pytest.approx(len(because) / len(got))
    # A control group sees nothing of the offer; its estimate lies near what is known.
    assert set(control["outcome"]) <= {paired.ANYWAY, paired.NOT}
    assert 0.1 < campaign.exact < 0.5
    assert campaign.estimated == pytest.approx(campaign.exact, abs=0.1)


def test_each_person_has_figures_of_both_worlds(
    worlds: tuple[WorldConfig, Lake], effects: paired.Effects
) -> None:
    found = effects.people
    assert found["subscriber_id"].is_unique().all()
    for name in paired.PERSONAL:
        made = name not in ("gigabytes", "contacts")
        assert (f"{name}_with" in found.columns) is made
    talked = found["minutes_talked_with"] - found["minutes_talked_without"]
    told = {one.name: one for one in effects.differences}
    assert talked.sum() == pytest.approx(told["minutes talked by subscribers"].effect, abs=1e-6)
    left = found["plan_changes_with"].sum() - found["plan_changes_without"].sum()
    assert left == told["changes of plan"].effect
    # Those who are not targets are there because something of them differs.
    others = found.filter(~pl.col("target"))
    assert len(others) > 0
    assert not others["benign"].any()
    assert found["satisfaction_with"].null_count() == 0


def test_the_report_lies_beside_the_world(worlds: tuple[WorldConfig, Lake], tmp_path: Path) -> None:
    config, lake = worlds
    made = counterfactual(config, ["talks"], lake.days("cdrs_voice")[-1])
    assert paired.directory_of(lake, made) == (
        lake.root / "_worlds" / "without-talks" / "_reports" / "effects"
    )
    nobody = pl.Series([], dtype=pl.Int64)
    reach = Reach(nobody, nobody, nobody, 0, 0, 0, 0, [Share("cdrs_voice", 10, 3)])
    rows = pl.DataFrame({"a": [1, 2]})
    files = paired.write(paired.Effects(rows, rows, rows, reach), tmp_path / "there")
    assert [file.name for file in files] == [
        f"{name}.parquet" for name in ("figures", "people", "offers", "reach")
    ]
    assert pl.read_parquet(files[1]).equals(rows)
    assert pl.read_parquet(files[3]).row(0) == ("cdrs_voice", 10, 3)
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == sorted(
        file.name for file in files
    )
