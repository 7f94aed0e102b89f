"""Lakes of worlds in which layers move SIMs, share devices and swap cards: all checks hold."""

import datetime as dt

import polars as pl
import pytest

from telco_pipeline import asof, consistency, integrity, lineage, whole_lake
from telco_pipeline.contracts import STATIC_DATASETS
from telco_pipeline.lake import Lake
from telco_pipeline.production import produce
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline_tests.behaviour.layered import PRESENCE, SPOT, layer
from telco_pipeline_tests.generators.kit import small_world

EPOCH = dt.date(2026, 1, 12)
DAYS = [EPOCH + dt.timedelta(days=offset) for offset in range(4)]
RECORDS = ("cdrs_voice", "cdrs_sms", "cdrs_data", "cdrs_voip", "cdrs_ims", "location_updates")
_SHARED = {"sharing": {"who": "them", "devices": 8}}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Return four days of a small world, from the layers' first moment to after the last."""
    layers = {
        "a": layer(7, [*PRESENCE, _SHARED], cast=SPOT, people=100, first="1d"),
        "b": layer(
            8,
            PRESENCE,
            cast={"spot": {"of": "places", "number": 1}},
            first="0d",
            at="16:00",
            every="1d",
            lasts="8h",
            spread="2h",
        ),
        "c": layer(
            9,
            [{"roaming": {"who": "them", "country": "ES"}}],
            people=100,
            first="0d",
            at="10:00",
            every="2d",
            spread="5h",
        ),
        "d": layer(
            10,
            [{"swap": {"who": "them"}}],
            people=60,
            first="0d",
            at="16:00",
            every="1d",
            lasts="8h",
            spread="2h",
        ),
    }
    world = small_world(subscribers=1000, part_size=1024, epoch=EPOCH)
    made, config = Lake(tmp_path_factory.mktemp("layered") / "lake"), with_layers(world, layers)
    for name in STATIC_DATASETS:
        produce(config, made, name)
    for name in (*lineage.HISTORY, *RECORDS):
        produce(config, made, name, DAYS)
    return made


@pytest.mark.parametrize("name", ["identity_changes", "subscriber_state", *RECORDS])
def test_every_check_of_the_records_holds(lake: Lake, name: str) -> None:
    checks = [check for check in integrity.checks_of(name) if check in _CHECKS]
    assert integrity.CHECK_UNIQUE in checks
    for check in checks:
        for day in DAYS:
            finding = integrity.CHECKS[check](lake, name, day)
            assert finding.passed, (check, day, finding.message, finding.sample)


_CHECKS = (
    integrity.CHECK_CONTRACT,
    integrity.CHECK_UNIQUE,
    integrity.CHECK_TIMES,
    integrity.CHECK_ORDER,
    integrity.CHECK_IDENTIFIERS,
    integrity.CHECK_IDENTITY,
    integrity.CHECK_POSITIONS,
)


def test_nobody_is_at_two_places_over_all_datasets_and_days(lake: Lake) -> None:
    findings = whole_lake.check(lake, list(RECORDS))
    assert not [each for each in findings if not each.passed and each.check in _CHECKS]


def test_devices_are_shared_as_of_a_moment(lake: Lake) -> None:
    noon = dt.datetime.combine(DAYS[1], dt.time(12), tzinfo=dt.UTC)
    held = asof.identities_as_of(lake, noon).collect()
    users = held.group_by("imei").len()["len"]
    assert (users == 8).sum() >= 8
    later = dt.datetime.combine(DAYS[3], dt.time(12), tzinfo=dt.UTC)
    assert asof.identities_as_of(lake, later).collect()["imei"].is_unique().all()
    borne = lake.scan("cdrs_data", DAYS[1], DAYS[1]).filter(pl.col("event_time") > noon)
    assert borne.group_by("imei").agg(pl.col("imsi").n_unique()).collect()["imsi"].max() >= 5


def test_a_new_phone_is_still_nobody_elses(lake: Lake) -> None:
    """Only a device that was in use when the day began may be another's; with its model."""
    name = "identity_changes"
    changes = lake.scan(name, DAYS[1], DAYS[1]).drop("day").collect()
    start = asof.identities_before(lake, DAYS[1]).collect()
    new = changes.filter(
        pl.col("change_type").cast(pl.String) == "device_upgrade",
        ~pl.col("imei").is_in(start["imei"].implode()),
    )
    assert new.height > 10
    one, other = new.row(0, named=True), new.row(1, named=True)
    taken = changes.with_columns(
        imei=pl.when(pl.col("event_id") == other["event_id"])
        .then(pl.lit(one["imei"]))
        .otherwise("imei")
    )
    faults = consistency.Faults()
    chain = consistency._chained(lake, DAYS[1], taken)
    consistency._note_shared(lake, DAYS[1], chain, "imei", faults)
    assert faults.words == ["1 values of imei belong to two subscribers at once"]
