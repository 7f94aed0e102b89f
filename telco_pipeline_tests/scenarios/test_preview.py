"""What a preview tells: when, and whom."""

import datetime as dt

import polars as pl
import pytest

from telco_pipeline.engine.calendar import HOUR
from telco_pipeline.scenarios.preview import reach, same_ground, timeline, touching
from telco_pipeline.scenarios.story import Story
from telco_pipeline_tests.scenarios.kit import EPOCH, THERE, ground, layer, stage, story, utc, world


def test_timeline_has_a_bar_for_each_stage_within_the_days() -> None:
    made = layer(
        when={"first": "3d", "at": "12:00", "every": "1w"},
        stages=[stage(name="a"), stage(name="b", trigger={"satisfaction": {"to": 0.5}})],
    )
    bars = timeline(world(), made, EPOCH, 13)
    assert [(bar.incident, bar.stage, bar.waits) for bar in bars] == [
        (0, "a", False), (0, "b", True), (1, "a", False), (1, "b", True),
    ]  # fmt: skip
    noon = utc(EPOCH + dt.timedelta(days=3), 11)
    assert (bars[0].start, bars[0].end) == (noon, noon + 48 * HOUR)
    assert (bars[1].start, bars[1].end) == (noon + 48 * HOUR, noon + 144 * HOUR)
    later = timeline(world(), made, EPOCH + dt.timedelta(days=8), 2)
    assert [(bar.incident, bar.stage) for bar in later] == [(0, "b")]


def test_reach_is_that_of_the_story() -> None:
    roles = {
        "sites": {"of": "sites", "number": 3},
        "people": {"of": "subscribers", "share": 0.1},
        "benign": {"of": "subscribers", "number": 5, "benign": True},
    }
    deeds = ({"fault": {"who": "sites", "kind": "power"}}, {"swap": {"who": "people"}})
    when = {"first": "3d", "every": "1w", "times": 2}
    made = layer(cast=roles, when=when, stages=[stage(*deeds)])
    found = list(touching(world(), made, EPOCH, 35))

    first, second, both = reach(ground(), found)

    assert [role.members for role in first.roles] == [3, 150, 5]
    assert first.roles[1].share == pytest.approx(150 / THERE)
    assert first.roles[2].benign
    assert first.subscribers == 150  # nothing is done to those who only look like it
    whole: Story = story(it=made)
    (touch,) = whole.on(EPOCH + dt.timedelta(days=3)).of("fault")
    assert first.cells == len(whole.cells_under(touch)[1])
    assert both.incident is None
    assert max(first.subscribers, second.subscribers) < both.subscribers <= 300
    assert both.cells <= first.cells + second.cells
    assert both.of_cells == pytest.approx(both.cells / ground().size("cells"))


def test_the_world_in_memory_has_registry_and_prospects() -> None:
    ids = ground().column("subscribers", "subscriber_id")
    assert len(ids) == world().all_subscribers
    assert isinstance(ids, pl.Series)
    assert ids.n_unique() == len(ids)


def test_layers_do_not_change_the_ground() -> None:
    plain = world().to_dict() | {"epoch": str(EPOCH)}
    assert same_ground(plain, story(it=layer()).config)
    assert same_ground(plain | {"layers": {"it": {}}}, world())
    assert not same_ground(plain | {"seed": 1}, world())
    assert not same_ground(None, world())
