"""The story of a world whose static datasets lie in a lake.

Belongs here: `story_of`, which those ask who make rows from a lake. Does not belong here: what a
story is (`scenarios.story`).
"""

from functools import lru_cache

from telco_pipeline.lake import Lake
from telco_pipeline.scenarios.selection import Ground
from telco_pipeline.scenarios.story import Story
from telco_pipeline.settings import WorldConfig


@lru_cache(maxsize=2)
def story_of(config: WorldConfig, lake: Lake) -> Story:
    """Return the layers of a world whose static datasets lie in a lake."""
    return Story(config, Ground.of_lake(config, lake))
