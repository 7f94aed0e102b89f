"""What touches whom on a day: windows, ramps, hours, triggers; names do not matter."""

import datetime as dt

import numpy as np
import pytest

from telco_pipeline.engine.calendar import DAY, HOUR, day_start
from telco_pipeline.scenarios.story import Episodes, Story, Touch, layers_of, without
from telco_pipeline_tests.scenarios.kit import EPOCH, ground, layer, stage, story, world

START = EPOCH + dt.timedelta(days=3)
USAGE = {"usage": {"who": "people", "calls": 2}}
LONG = {"first": "3d", "at": "12:00"}


def days(first: int, last: int) -> list[dt.date]:
    return [EPOCH + dt.timedelta(days=offset) for offset in range(first, last + 1)]


def only(made: Story, date: dt.date, name: str = "usage") -> Touch:
    (touch,) = made.on(date).of(name)
    return touch


def same(one: Touch, other: Touch) -> bool:
    arrays = ("rows", "start", "end", "key")
    return all(np.array_equal(getattr(one, each), getattr(other, each)) for each in arrays)


class TestWindows:
    def test_touches_are_there_in_their_time_only(self) -> None:
        made = story(it=layer(when=LONG))
        assert [len(made.on(day).touches) for day in days(0, 7)] == [0, 0, 0, 1, 1, 1, 0, 0]
        assert not made.on(days(2, 2)[0])
        touch = only(made, START)
        assert len(touch) == 10
        assert (touch.start == day_start(START) + 11 * HOUR).all()
        assert (touch.end - touch.start == 2 * DAY).all()
        assert touch.of == "subscribers"
        assert not touch.benign

    def test_with_a_spread_each_begins_at_a_time_of_its_own(self) -> None:
        people = {"people": {"of": "subscribers", "number": 400}}
        made = story(it=layer(when=LONG, cast=people, stages=[stage(lasts="6h", spread="4d")]))
        start = day_start(START) + 11 * HOUR
        begun: dict[int, int] = {}
        for day in days(0, 10):
            for touch in made.on(day).touches:
                assert ((touch.start < day_start(day) + DAY) & (touch.end > day_start(day))).all()
                begun |= dict(zip(touch.rows.tolist(), touch.start.tolist(), strict=True))
        assert len(begun) == 400
        shift = np.array(list(begun.values())) - start
        assert shift.min() >= 0
        assert shift.max() < 4 * DAY
        assert np.histogram(shift, bins=4, range=(0, 4 * DAY))[0].min() > 70

    def test_a_target_begins_all_effects_of_a_stage_at_once(self) -> None:
        more = {"care": {"who": "people", "share": 1, "topic": "fraud"}}
        made = story(it=layer(stages=[stage(USAGE, more, spread="5h")]))
        usage, care = only(made, START), only(made, START, "care")
        assert (usage.start == care.start).all()
        assert (usage.key != care.key).all()

    def test_of_names(self) -> None:
        made = story(it=layer(stages=[stage(USAGE, {"swap": {"who": "people"}})])).on(START)
        assert [touch.name for touch in made.of("swap", "usage")] == ["usage", "swap"]
        assert made.of("roaming") == ()

    def test_without_layers_nothing_happens(self) -> None:
        made = story()
        assert not made
        assert not made.on(START)

    def test_look_alikes_are_told(self) -> None:
        people = {"people": {"of": "subscribers", "number": 3, "benign": True}}
        assert only(story(it=layer(cast=people)), START).benign

    def test_presence_tells_the_cells(self) -> None:
        roles = {
            "people": {"of": "subscribers", "number": 3},
            "venue": {"of": "places", "number": 1},
        }
        deed = {"presence": {"who": "people", "at": "venue"}}
        touch = only(story(it=layer(cast=roles, stages=[stage(deed)])), START, "presence")
        assert touch.cells is not None
        assert len(set(ground().column("cells", "site_id").gather(touch.cells))) == 3


class TestStrength:
    def touch(self, lasts: str = "1d", **effect: object) -> Touch:
        deed = {"usage": {"who": "people", "calls": 2, **effect}}
        made = story(it=layer(when=LONG, stages=[stage(deed, lasts=lasts)]))
        return only(made, START)

    def at(self, touch: Touch, hours: float) -> float:
        time = touch.start[:1] + round(hours * HOUR)
        return float(touch.strength(np.array([0]), time)[0])

    def test_flat(self) -> None:
        touch = self.touch()
        found = [self.at(touch, hours) for hours in (-0.01, 0, 12, 23.99, 24)]
        assert found == [0, 1, 1, 1, 0]

    def test_ramp_and_fade(self) -> None:
        touch = self.touch(ramp="4h", fade="8h")
        assert [self.at(touch, hours) for hours in (0, 1, 2, 4, 10, 16, 20, 22)] == [
            *(0, 0.25, 0.5, 1, 1, 1, 0.5, 0.25),
        ]

    def test_by_hour_sums_to_the_area(self) -> None:
        touch = self.touch(ramp="4h", fade="8h")
        total = sum(touch.by_hour(day) for day in days(3, 5))
        # 4 hours half, 12 hours full, 8 hours half.
        assert total[0].sum() == pytest.approx(4 * 0.5 + 12 + 8 * 0.5)
        assert total.shape == (10, 24)
        assert (touch.by_hour(days(3, 3)[0])[:, :11] == 0).all()

    def test_by_hour_of_parts_of_hours(self) -> None:
        touch = self.touch(lasts="90m")
        hours = touch.by_hour(START)[0]
        assert hours[11:14].tolist() == [1.0, 0.5, 0.0]
        assert hours.sum() == 1.5

    def test_amounts_follow_the_difficulty(self) -> None:
        deed = {"usage": {"who": "people", "calls": {"easy": 5, "hard": 1}}}
        for difficulty, amount in ((0, 5.0), (0.5, 3.0), (1, 1.0)):
            made = story(it=layer(difficulty=difficulty, stages=[stage(deed)]))
            touch = only(made, START)
            assert touch.amount(touch.effect.calls) == amount  # type: ignore[attr-defined]


class TestTriggers:
    STAGES = (
        stage(name="first", lasts="2d"),
        stage(name="then", lasts="5d", trigger={"satisfaction": {"to": 0.3}, "share": 0.5}),
    )
    PEOPLE = {"people": {"of": "subscribers", "number": 200}}  # noqa: RUF012

    def made(self) -> Story:
        return story(it=layer(when=LONG, cast=self.PEOPLE, stages=list(self.STAGES)))

    def test_a_watch_is_open_on_the_mornings_of_its_time(self) -> None:
        made = self.made()
        # From noon of the 5th day on, five days long.
        assert [len(made.watches(day)) for day in days(4, 12)] == [0, 0, 1, 1, 1, 1, 1, 0, 0]
        (watch,) = made.watches(days(6, 6)[0])
        assert 70 < len(watch.rows) < 130
        assert set(watch.rows) <= set(made.cast(made.incidents(START)[0])["people"])
        assert watch.lasts == 5 * DAY
        (later,) = made.watches(days(9, 9)[0])
        assert np.array_equal(watch.rows, later.rows)

    def test_nobody_is_touched_before_it_has_begun(self) -> None:
        made = self.made()
        assert made.on(days(7, 7)[0]).touches == ()

    def test_who_has_begun_is_touched_from_then_on(self) -> None:
        made = self.made()
        (watch,) = made.watches(days(8, 8)[0])
        rows = watch.rows[[3, 8]]
        starts = np.array([day_start(day) for day in days(8, 9)])
        episodes = Episodes(rows, np.full(2, watch.code), starts)
        (touch,) = made.on(days(8, 8)[0], episodes).touches
        assert touch.rows.tolist() == rows[:1].tolist()
        (touch,) = made.on(days(10, 10)[0], episodes).touches
        assert touch.rows.tolist() == rows.tolist()
        assert (touch.start == starts).all()
        assert (touch.end == starts + 5 * DAY).all()
        (touch,) = made.on(days(13, 13)[0], episodes).touches
        assert touch.rows.tolist() == rows[1:].tolist()
        # What does not wait for anything is as it was without.
        assert same(only(made, START), made.on(START, episodes).touches[0])

    def test_episodes_of_other_stages_do_not_count(self) -> None:
        made = self.made()
        (watch,) = made.watches(days(8, 8)[0])
        start = np.array([day_start(days(8, 8)[0])])
        episodes = Episodes(watch.rows[:1], np.array([watch.code + 1]), start)
        assert made.on(days(8, 8)[0], episodes).touches == ()


class TestManyLayers:
    def test_order_is_that_of_the_numbers(self) -> None:
        made = story(a=layer(number=9), b=layer(number=2))
        numbers = [touch.incident.layer.number for touch in made.on(START).touches]
        assert numbers == [2, 9]

    def test_names_do_not_matter(self) -> None:
        one, other = story(storm=layer()), story(flood=layer())
        assert same(only(one, START), only(other, START))

    def test_words_for_people_do_not_matter(self) -> None:
        told = layer(title="Other", story="Other.", severity="minor", kind="fraud")
        assert same(only(story(it=layer()), START), only(story(it=told), START))

    def test_a_layer_does_not_disturb_another(self) -> None:
        alone = only(story(it=layer()), START)
        both = story(it=layer(), too=layer(number=3)).on(START).touches
        assert same(alone, both[1])

    def test_numbers_and_seeds_matter(self) -> None:
        one, other = only(story(it=layer()), START), only(story(it=layer(number=8)), START)
        assert one.rows.tolist() != other.rows.tolist()

    def test_without(self) -> None:
        config = story(it=layer(), too=layer(number=3)).config
        assert list(layers_of(without(config, "it"))) == ["too"]
        assert without(config, "it", "too") == world()


class TestUnder:
    def test_cells_and_elements_under_sites(self) -> None:
        roles = {"sites": {"of": "sites", "number": 4}}
        deed = {"fault": {"who": "sites", "kind": "power"}}
        made = story(it=layer(cast=roles, stages=[stage(deed)]))
        touch = only(made, START, "fault")
        for dataset, (position, rows) in (
            ("cells", made.cells_under(touch)),
            ("network_elements", made.elements_under(touch)),
        ):
            owners = ground().column(dataset, "site_id").gather(rows)
            sites = ground().column("sites", "site_id").gather(touch.rows[position])
            assert (owners == sites).all()
            names = list(ground().column("sites", "site_id").gather(touch.rows))
            assert len(rows) == ground().column(dataset, "site_id").is_in(names).sum()
