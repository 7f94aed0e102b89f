"""The same project over a PostgreSQL warehouse: it passes, and finds damage there too."""

import pytest
import sqlalchemy as sa

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import loading
from telco_pipeline.warehouse.database import Database
from telco_pipeline_tests.dbt_checks.kit import Dbt, all_tests, failed
from telco_pipeline_tests.lake.small_lake import DAYS

DAMAGE = {
    "cdrs_sms_accepted_values": "update cdrs_sms set rat_type = 'no such code'",
    "cdrs_sms_ranges": "update cdrs_sms set segments = 99",
    "cdrs_sms_patterns": "update cdrs_sms set imsi = 'no such form'",
    "cdrs_sms_cell_id_refers": "update cdrs_sms set cell_id = 'nowhere'",
    "cdrs_sms_days": f"update cdrs_sms set event_time = timestamp '{DAYS[0]} 12:00'",
    "cdrs_sms_rows": f"delete from cdrs_sms where day = date '{DAYS[1]}' and event_id in "
    "(select min(event_id) from cdrs_sms group by day)",
    "cdrs_sms_fresh": f"delete from telco_loads where day = date '{DAYS[1]}' "
    "and dataset = 'cdrs_sms'",
}
"""What the tables themselves do not keep out, as they do keys that occur twice and nulls."""


def test_a_warehouse_passes(dbt: Dbt, postgres_url: str) -> None:
    load(dbt, postgres_url)
    found = dbt.run("build", target="warehouse", variables={"TELCO_DATABASE_URL": postgres_url})
    assert {name: one.message for name, one in found.items() if not one.good} == {}
    assert set(all_tests()) <= set(found)
    assert not [line for line in dbt.lines if "Not there" in line]


@pytest.mark.long
def test_damage_in_a_warehouse_is_found(dbt: Dbt, postgres_url: str) -> None:
    load(dbt, postgres_url)
    variables = {"TELCO_DATABASE_URL": postgres_url}
    with Database.from_environment(postgres_url, environ={}).engine.begin() as connection:
        for statement in DAMAGE.values():
            connection.execute(sa.text(statement))
    made = dbt.run("run", target="warehouse", variables=variables)
    assert not failed(made)
    arguments = ["test", "--select", "stg_cdrs_sms", "--indirect-selection", "eager"]
    found = dbt.run(*arguments, target="warehouse", variables=variables)
    assert set(DAMAGE) <= failed(found)
    assert not [name for name in failed(found) if found[name].failures == 0], "an error of SQL"


def load(dbt: Dbt, url: str) -> None:
    database = Database.from_environment(url, environ={})
    for name, dataset in DATASETS.items():
        for day in DAYS if dataset.daily else [None]:
            loading.load(database, Lake(dbt.lake), name, day)


@pytest.mark.long
def test_an_empty_warehouse_is_refused_in_one_line(dbt: Dbt, postgres_url: str) -> None:
    variables = {"TELCO_DATABASE_URL": postgres_url}
    with pytest.raises(TelcoError, match=r"no dataset in database .* load them with"):
        dbt.run("build", "--vars", "{days: 1}", target="warehouse", variables=variables)
