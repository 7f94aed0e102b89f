"""The example of docs/scenarios.md is run as it stands there."""

import re
from pathlib import Path

from telco_pipeline.lake import Lake
from telco_pipeline.runs import run_operator
from telco_pipeline.scenarios.loading import load_layer, with_layers
from telco_pipeline.settings import load_world
from telco_pipeline.signatures import figure

GUIDE = Path(__file__).parents[2] / "docs" / "scenarios.md"
WORLD = GUIDE.parents[1] / "scenarios" / "world.yaml"


def test_a_new_story_takes_twenty_lines_and_is_seen(tmp_path: Path) -> None:
    found = re.search(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    lines = [line for line in found[1].splitlines() if line.strip()]
    assert len(lines) <= 20
    path = tmp_path / "concert.yaml"
    path.write_text(found[1], encoding="utf-8")
    layer = load_layer(path)
    (signature,) = layer.signatures
    figures = []
    for name, layers in (("with", {"concert": layer}), ("without", {})):
        config = with_layers(load_world(WORLD, subscribers=2000), layers)
        summary = run_operator(config, tmp_path / name, datasets=["cdrs_data"], days=2)
        assert summary.success, summary.failures
        lake = Lake(tmp_path / name)
        figures.append(figure(lake, "concert", signature, lake.days("cdrs_data")))
    assert signature.seen.holds(figures[0])
    assert signature.unseen.holds(figures[1])
    assert figures[0] > 1.5 * figures[1]
