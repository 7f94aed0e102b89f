"""What Dagster loads: the assets, checks, jobs, schedules and resources of the operator.

Belongs here: putting the parts together. Does not belong here: any part. Loading reads world.yaml
and the layers beside it (for the epoch and the world's hash) and no data.
"""

import os
import warnings
from collections.abc import Mapping
from functools import cache

import dagster as dg

from telco_pipeline import partitions
from telco_pipeline.assets import (
    build_asset,
    build_counterfactual,
    build_dbt,
    build_deliveries,
    build_history,
    build_layers,
    build_live,
    build_loads,
    build_report,
    policy,
)
from telco_pipeline.checks import (
    build_causality_checks,
    build_checks,
    build_delivery_checks,
    build_history_check,
    build_leakage_checks,
    build_load_checks,
    build_realism_checks,
    build_signature_checks,
)
from telco_pipeline.contracts import DATASETS
from telco_pipeline.database_resource import database
from telco_pipeline.jobs import build_dbt_job, build_jobs
from telco_pipeline.kafka_resource import kafka
from telco_pipeline.logs import LogSettings
from telco_pipeline.notify_sensors import build_notify_sensors
from telco_pipeline.resources import operator
from telco_pipeline.scenarios.loading import load_operator
from telco_pipeline.scenarios.story import layers_of
from telco_pipeline.schedules import build_schedules
from telco_pipeline.sensors import VARIABLE as SENSORS_VARIABLE
from telco_pipeline.sensors import build_sensors, switched_on
from telco_pipeline.settings import Settings, WorldConfig
from telco_pipeline.streaming.layout import StreamSettings
from telco_pipeline.streaming.settings_file import load_settings
from telco_pipeline.warehouse.database import URL_VARIABLE

SCHEDULES_VARIABLE = "TELCO_SCHEDULES"

# Every run would tell several times that what dagster.yaml says of logs is beta; a test of `logs`
# tells us if it changes.
warnings.filterwarnings("ignore", "Handling yaml-defined logging", category=dg.BetaWarning)


def build_defs(
    settings: Settings | None = None,
    overrides: Mapping[str, object] | None = None,
    *,
    config: WorldConfig | None = None,
    daily: dg.DailyPartitionsDefinition | None = None,
    pool: str | None = policy.POOL,
    checks: bool = True,
    streaming: StreamSettings | None = None,
    dbt: bool = False,
) -> dg.Definitions:
    """Build everything that Dagster knows of the operator.

    Args:
        settings: Where world.yaml lies; from the environment by default.
        overrides: Resources to use instead of the usual ones, by name.
        config: The world, if it is not the one of world.yaml.
        daily: The days that exist, if they are not those from the epoch to the running day.
        pool: Concurrency pool of all steps; None for none.
        checks: Whether the asset checks are there too.
        streaming: Which topics there are; those of scenarios/streaming.yaml by default.
        dbt: Whether dbt's views are there too, if dbt is installed; it takes a second to load.
    """
    settings = settings or Settings.from_env()
    config = config or load_operator(settings.world_file)
    daily = daily or partitions.daily_partitions(config.epoch)
    LogSettings.from_env()  # a wrong one is told now, not by each run
    on = os.environ.get(SCHEDULES_VARIABLE, "").lower() == "on"
    sensors_on = switched_on(os.environ.get(SENSORS_VARIABLE, ""))
    streaming = streaming or load_settings()
    resources: dict[str, object] = {"operator": operator, "kafka": kafka, "database": database}
    layers = layers_of(config)
    assets = [build_asset(dataset, config, daily, pool) for dataset in DATASETS.values()]
    guards = [build_checks(dataset, pool) for dataset in DATASETS.values()]
    across = [build_causality_checks(pool), build_realism_checks(pool)]
    across += [*build_signature_checks(layers, pool), *build_leakage_checks(layers, pool)]
    across += [build_delivery_checks(streaming), *build_load_checks(), build_history_check()]
    views = build_dbt(pool) if dbt else []
    jobs = [*build_jobs(streaming.on), build_counterfactual(pool), build_live()]
    jobs += [build_dbt_job()] if views else []
    return dg.Definitions(
        assets=[
            *assets,
            *build_layers(layers, pool),
            build_report(pool),
            build_deliveries(daily, streaming),
            *build_loads(daily),
            build_history(daily),
            *views,
        ],
        asset_checks=[*guards, *across] if checks else [],
        jobs=jobs,
        # A database is loaded by itself only where somebody has named one.
        schedules=build_schedules(
            daily, config.epoch, on=on, load_on=on and bool(os.environ.get(URL_VARIABLE))
        ),
        sensors=[
            *build_sensors(daily, streaming, on=sensors_on),
            *build_notify_sensors(job.name for job in jobs),
        ],
        resources=resources | dict(overrides or {}),
        # Production spreads a step's work over processes itself; a process for each step would
        # only add its start to every one of them.
        executor=dg.in_process_executor,
    )


@cache
def _defs() -> dg.Definitions:
    return build_defs(dbt=True)


def __getattr__(name: str) -> dg.Definitions:
    # `defs` is built when Dagster asks for it: who only imports `build_defs` (the command, a test)
    # has a world of its own and shall not fail on the one that the environment names.
    if name == "defs":
        return _defs()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
