import pytest
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.engine.parts import Part, parts, shards


@given(st.integers(0, 10_000), st.integers(1, 3_000))
def test_parts_cover_exactly_and_in_order(entities: int, size: int) -> None:
    cut = parts(entities, size)
    assert [entity for part in cut for entity in range(part.start, part.stop)] == list(
        range(entities)
    )
    assert [part.number for part in cut] == list(range(len(cut)))
    assert all(part.size == size for part in cut[:-1])
    assert all(0 < part.size <= size for part in cut)
    assert cut == sorted(cut)


@given(st.integers(0, 2_000), st.integers(1, 300), st.integers(1, 50))
def test_shards_deal_out_each_part_once(entities: int, size: int, count: int) -> None:
    cut = parts(entities, size)
    dealt = shards(cut, count)
    assert sorted(part for shard in dealt for part in shard) == cut
    assert len(dealt) == min(count, len(cut))
    assert all(shard == sorted(shard) for shard in dealt)
    sizes = [len(shard) for shard in dealt]
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_parts_do_not_depend_on_shards() -> None:
    assert parts(5, 2) == [Part(0, 0, 2), Part(1, 2, 4), Part(2, 4, 5)]
    assert shards(parts(5, 2), 2) == [[Part(0, 0, 2), Part(2, 4, 5)], [Part(1, 2, 4)]]
    assert parts(0, 2) == []
    assert shards([], 3) == []


@pytest.mark.parametrize(("entities", "size"), [(-1, 1), (1, 0), (1, -5)])
def test_parts_refuse_nonsense(entities: int, size: int) -> None:
    with pytest.raises(ValueError, match="cannot cut"):
        parts(entities, size)


@pytest.mark.parametrize("count", [0, -1])
def test_shards_refuse_nonsense(count: int) -> None:
    with pytest.raises(ValueError, match="at least one shard"):
        shards([], count)
