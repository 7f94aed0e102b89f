"""Remembering: nothing is worked out twice, and nothing keeps a world alive."""

import gc
import weakref

from telco_pipeline.engine.remembering import remembered


class World:
    """Something that equals itself alone."""


def test_results_are_kept_by_owner_and_arguments() -> None:
    asked: list[tuple[World, int]] = []

    @remembered(2)
    def ask(world: World, number: int) -> int:
        asked.append((world, number))
        return 10 * number

    one, other = World(), World()
    assert [ask(one, 1), ask(one, 1), ask(other, 1), ask(one, 2)] == [10, 10, 10, 20]
    assert asked == [(one, 1), (other, 1), (one, 2)]
    ask(one, 3)
    ask(one, 1)
    assert asked[-1] == (one, 1), "the oldest of two had to go"
    ask(other, 1)
    assert len(asked) == 5, "others are not touched"


def test_an_owner_goes_with_its_results() -> None:
    @remembered(8)
    def ask(world: World) -> World:
        return World()

    owner = World()
    gone, result = weakref.ref(owner), weakref.ref(ask(owner))
    del owner
    gc.collect()
    assert gone() is None
    assert result() is None
