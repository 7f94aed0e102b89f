"""Presets of the flat table, and bounds in a world file: read strictly, refused in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from telco_pipeline.errors import TelcoError
from telco_pipeline.settings import DEFAULT_WORLD_FILE, WorldConfig, load_world
from telco_pipeline.settings.flat import DEFAULT_PRESET, FlatPreset, load_preset, world_of
from telco_pipeline_tests.generators.kit import inputs_of, make_day, small_world

SHARES = "market_shares: {Zephyr Mobile: 0.40, Meridian Telecom: 0.30, Lys Networks: 0.30}"
PRESET = f"""\
version: 1
table: flat_cdrs
call_types: [VOICE, SMS, DATA]
{SHARES}
duration_s: [10, 3600]
altitude_m: [0, 100]
latitude: [49.5, 51.5]
longitude: [2.5, 6.5]
antennas: 1000
subscribers: auto
"""

World = Callable[..., WorldConfig]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return the world of a preset's text; files are named from the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TELCO_WORLD", raising=False)

    def read(text: str, **options: Any) -> WorldConfig:
        Path("flat.yaml").write_text(text)
        preset, source = load_preset(Path("flat.yaml"))
        return world_of(preset, source, **{"subscribers": 1000, **options})

    return read


def refusal(do: Callable[..., Any], *arguments: Any, **options: Any) -> str:
    with pytest.raises(TelcoError) as told:
        do(*arguments, **options)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_the_shipped_preset_says_what_the_defaults_are() -> None:
    shipped = load_preset()[0]
    assert shipped == load_preset(DEFAULT_PRESET)[0]
    own = FlatPreset(version=1)
    assert shipped.model_copy(update={"market_shares": None}) == own
    operators = load_world(DEFAULT_WORLD_FILE).operators
    assert shipped.market_shares == {each.name: each.share for each in operators}
    assert [each.share for each in operators] == [0.4, 0.3, 0.3]
    assert operators[0].own
    assert (own.duration_s, own.altitude_m, own.antennas) == ((10, 3600), (0, 100), 1000)
    assert (own.latitude, own.longitude) == ((49.5, 51.5), (2.5, 6.5))


def test_each_setting_configures_the_world(world: World) -> None:
    text = PRESET.replace(
        SHARES, "market_shares: {Zephyr Mobile: 0.5, Meridian Telecom: 0.3, Lys Networks: 0.2}"
    )
    text = text.replace("[10, 3600]", "[20, 7200]").replace("[0, 100]", "[10, 40]")
    text = text.replace("[49.5, 51.5]", "[50, 51]").replace("[2.5, 6.5]", "[3, 5]")
    config = world(text.replace("1000", "70"), seed=9)
    assert [each.share for each in config.operators] == [0.5, 0.3, 0.2]
    assert config.network.sites == 70
    assert (config.subscribers, config.seed) == (1000, 9)
    bounds = config.bounds
    assert bounds is not None
    assert (bounds.duration_s, bounds.antenna_height_m) == ((20, 7200), (10, 40))
    assert bounds.box == ((50.0, 51.0), (3.0, 5.0))
    # No limit cuts a session whose rest could then be shorter than the shortest.
    assert config.charging.data_time_limit_s == 7200
    assert config.longest_call_s == 7200
    assert world("version: 1\n").bounds == world(PRESET).bounds


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("table:", "tabel:", "2: unknown key 'tabel': did you mean 'table'?"),
        ("flat_cdrs", "Flat-CDRs", "2: table: must be a table's name of lower-case letters"),
        (
            "SMS, DATA",
            "SMSX",
            "3: call_types: must be a list of one or more of VOICE, SMS and DATA",
        ),
        ("SMS, DATA", "SMS, SMS", "3: call_types: must be a list of one or more of"),
        ("[VOICE, SMS, DATA]", "[]", "3: call_types: must be a list of one or more of"),
        ("0.40", "0.50", "4: market_shares: must sum to 1, not 1.1"),
        ("0.40", "-0.4", "4: market_shares.Zephyr Mobile: must be a number above 0 and at most 1"),
        (
            "Zephyr",
            "Zefyr",
            "4: market_shares: no operator 'Zefyr Mobile' in the world file: did you mean "
            "'Zephyr Mobile'?",
        ),
        (", Lys Networks: 0.30", "", "4: market_shares: lacks Lys Networks: write the share of"),
        ("[10, 3600]", "[3600, 10]", "5: duration_s: must be two whole numbers [low, high] within"),
        (
            "[10, 3600]",
            "[0, 3600]",
            "5: duration_s: must be two whole numbers [low, high] within 1",
        ),
        ("[10, 3600]", "[10, 30]", "5: bounds.duration_s: leave too little room between 10 and 30"),
        ("[10, 3600]", "[121, 3600]", "5: bounds.duration_s: the shortest may be 120 at most"),
        ("[0, 100]", "[0, 500]", "6: altitude_m: must be two heights [low, high] within 0 and 100"),
        (
            "[49.5, 51.5]",
            "[49.5, 52]",
            "7: latitude: must be two latitudes [low, high] within 49.4",
        ),
        ("[49.5, 51.5]", "51.5", "7: latitude: must be two latitudes [low, high] within 49.4"),
        ("[2.5, 6.5]", "[2.5, x]", "8: longitude: must be two longitudes [low, high] within 2.5"),
        ("1000", "0", "9: antennas: must be a whole number from 1 to 20,000, not 0"),
        ("1000", "", "9: antennas: must be a whole number from 1 to 20,000, not nothing"),
        (
            "auto",
            "many",
            "10: subscribers: must be auto or a whole number from 1 to 67,108,864, not",
        ),
        ("version: 1", "version: 2", "1: version: must be 1, the only version of this file so far"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_line(
    world: World, old: str, new: str, told: str
) -> None:
    assert old in PRESET
    assert refusal(world, PRESET.replace(old, new)).startswith(f"flat.yaml:{told}")


def test_a_size_that_the_numbers_do_not_reach_is_refused(world: World) -> None:
    assert refusal(world, PRESET, subscribers=3_000_000).startswith(
        "flat.yaml:10: subscribers: 3,576,000 SIM cards, those of the growth included, need as many"
    )


def test_market_shares_spread_the_contacts_outside(world: World) -> None:
    shares = {"Zephyr Mobile": 0.25, "Meridian Telecom": 0.6, "Lys Networks": 0.15}
    text = PRESET.replace(SHARES, f"market_shares: {shares}".replace("'", ""))
    uneven, even = (
        _other_networks(small_world(operators=world(each).to_dict()["operators"]))
        for each in (text, PRESET)
    )
    assert uneven["20662"] / uneven["20663"] == pytest.approx(4, rel=0.25)
    assert even["20662"] / even["20663"] == pytest.approx(1, rel=0.2)

    def ours(calls: dict[str, int]) -> float:
        mobile = [calls[each] for each in ("20661", "20662", "20663")]
        return mobile[0] / sum(mobile)

    # The less we have of the market, the more often our customers call into other networks.
    assert ours(uneven) < ours(even) - 0.05


def _other_networks(config: WorldConfig) -> dict[str, int]:
    """Return how many of a day's calls of ours go to which network."""
    config = config.model_copy(update={"subscribers": 1500})
    calls = make_day(inputs_of(config), "cdrs_voice", config.epoch)
    calls = calls.filter(pl.col("record_type") == "moCallRecord").drop_nulls("other_plmn")
    return dict(calls.group_by("other_plmn").len().iter_rows())


def test_a_missing_preset_is_refused(tmp_path: Path) -> None:
    assert "there is no such preset" in refusal(load_preset, tmp_path / "none.yaml")
    assert "there is no such preset" in refusal(load_preset, tmp_path)


def test_a_world_without_bounds_is_the_world_as_before() -> None:
    plain = load_world(DEFAULT_WORLD_FILE)
    assert plain.bounds is None
    assert "bounds" not in plain.to_dict()
    assert load_world(DEFAULT_WORLD_FILE, bounds=None).world_hash == plain.world_hash


def test_bounds_are_part_of_the_world() -> None:
    plain = load_world(DEFAULT_WORLD_FILE)
    bounded = plain.model_copy(update={"bounds": {"latitude": [50, 51]}})
    assert bounded.world_hash != plain.world_hash
    assert bounded.bounds is not None
    assert bounded.bounds.box == ((50.0, 51.0), (2.5, 6.5))
    assert (bounded.bounds.shortest_s, bounded.bounds.longest_s) == (0, None)
    assert bounded.longest_call_s == plain.charging.voice_max_s
    again = WorldConfig.model_validate(bounded.to_dict())
    assert again == bounded
    assert again.to_dict()["bounds"] == {"latitude": [50.0, 51.0]}


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ({}, "--bounds: bounds nothing: remove this key"),
        ({"latitude": None}, "--bounds: bounds nothing: remove this key"),
        ({"lat": [50, 51]}, "--bounds: unknown key 'lat'"),
        ({"latitude": [51, 50]}, "--bounds: bounds.latitude: must be two latitudes [low, high]"),
        ({"antenna_height_m": [0.5, 20]}, "--bounds: bounds.antenna_height_m: must be two heights"),
        (
            {"duration_s": [10, 3600]},
            "--bounds: charging.data_time_limit_s: is 1,800 and cuts what may last 3,600 seconds",
        ),
        ("wide", "--bounds: must be a mapping with duration_s, latitude, longitude"),
    ],
)
def test_wrong_bounds_of_a_world_are_refused(bounds: Any, told: str) -> None:
    assert refusal(load_world, DEFAULT_WORLD_FILE, bounds=bounds).startswith(told)
