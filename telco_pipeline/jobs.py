"""Jobs: what is run by name, from the UI, a schedule or the command line.

Belongs here: which assets run together. Does not belong here: when (`schedules`), for which world
and where to (`resources`).
"""

from collections.abc import Iterable

import dagster as dg

from telco_pipeline import reporting
from telco_pipeline.assets import dbt as dbt_assets
from telco_pipeline.assets import deliveries
from telco_pipeline.assets import layers as layer_assets
from telco_pipeline.assets import warehouse as warehouse_assets
from telco_pipeline.assets.factory import OTHER_WORLD_TAG
from telco_pipeline.contracts import DAILY_DATASETS, STATIC_DATASETS
from telco_pipeline.dagster_private import UnresolvedAssetJobDefinition

OPERATE = "operate"
BUILD_WORLD = "build_world"
MAKE_RECORDS = "make_records"
WHAT_IF = "what_if"
REALISM = "realism"
SCENARIOS = "scenarios"
PUSH = "push"
LOAD_WAREHOUSE = "load_warehouse"
DBT_CHECKS = "dbt_checks"

TEAM_TAG = {"team": "operations"}


def build_jobs(topics: Iterable[str]) -> list[UnresolvedAssetJobDefinition]:
    """Build all jobs.

    Args:
        topics: Words of the topics that are sent.
    """
    report = dg.AssetSelection.assets(reporting.ASSET)
    layers = dg.AssetSelection.groups(layer_assets.GROUP)
    streamed = dg.AssetSelection.groups(deliveries.GROUP)
    views = dg.AssetSelection.groups(dbt_assets.GROUP)
    loaded = dg.AssetSelection.groups(warehouse_assets.GROUP)
    return [
        dg.define_asset_job(
            OPERATE,
            # The report reads many days again, which a run of one day must not wait for; so do
            # signatures, which also need the control world.
            selection=(dg.AssetSelection.all() - report - layers - streamed - views - loaded)
            | layers.without_checks(),
            description="The main job: the world and every record of a day or a range of days, "
            "each dataset checked before anything is made from it. Safe to repeat: equal rows come "
            "out.",
            tags=TEAM_TAG,
        ),
        dg.define_asset_job(
            BUILD_WORLD,
            selection=dg.AssetSelection.assets(*STATIC_DATASETS),
            description="The world alone: places, network, catalogue and subscribers.",
            tags=TEAM_TAG,
        ),
        dg.define_asset_job(
            MAKE_RECORDS,
            selection=dg.AssetSelection.assets(*DAILY_DATASETS),
            description="The records of a day or a range of days, in a world that is built. The "
            "schedules run it.",
            tags=TEAM_TAG,
        ),
        dg.define_asset_job(
            WHAT_IF,
            selection=dg.AssetSelection.all()
            - report
            - layers
            - streamed
            - views
            - loaded
            - dg.AssetSelection.all_asset_checks(),
            description="Another world beside the main one: choose a partition (one day), and "
            "`world` (and seed, subscribers or layers: [all], [none] or names) in the run "
            "configuration of `operator`. It is written to "
            "`_worlds/<name>/`, checked in the step that makes it, and shows as observations; "
            "the main world's partitions and their state stay as they are.",
            config={"resources": {"operator": {"config": {"world": "what-if", "seed": 43}}}},
            tags=TEAM_TAG | {OTHER_WORLD_TAG: "true"},
        ),
        dg.define_asset_job(
            SCENARIOS,
            selection=layers,
            description="The scenario layers: whom each touches and when; whether its signatures "
            "are seen in the days that lie in the lake, and not in the control world beside it, "
            "which `telco counterfactual --without all`, or the job `counterfactual`, makes; and "
            "whether any single column gives it away.",
            tags=TEAM_TAG,
        ),
        dg.define_asset_job(
            REALISM,
            selection=report,
            description="The realism report on the newest days in the lake (28, or as in the run "
            "configuration), with a check for each row: a row out of band is a warning.",
            tags=TEAM_TAG,
        ),
        dg.define_asset_job(
            PUSH,
            selection=dg.AssetSelection.assets(*(deliveries.key_of(word) for word in topics)),
            description="Sends a day or a range of days to Kafka, to the topics that "
            "scenarios/streaming.yaml switches on, and counts there what arrived. Safe to repeat: "
            "what was sent is not sent again. The sensor `push_days` runs it.",
            tags=TEAM_TAG,
        ),
        dg.define_asset_job(
            LOAD_WAREHOUSE,
            selection=loaded,
            description="Loads a day or a range of days, and the world, into the SQL database of "
            "TELCO_DATABASE_URL, and counts there what arrived. Safe to repeat: what is there with "
            "the same content is left alone. The schedule `load_days` runs it.",
            tags=TEAM_TAG,
        ),
    ]


def build_dbt_job() -> UnresolvedAssetJobDefinition:
    """Build the job of dbt's views; only where they are loaded."""
    return dg.define_asset_job(
        DBT_CHECKS,
        selection=dg.AssetSelection.groups(dbt_assets.GROUP),
        description="Builds dbt's views over the lake, or over the warehouse if the run "
        "configuration says so, and tests them: each test is a check of its view. By default over "
        "every day; `days` in the run configuration takes the newest ones.",
        tags=TEAM_TAG,
    )
