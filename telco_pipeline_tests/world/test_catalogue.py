"""The catalogue: valid models and plans, and who tends to have which."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from telco_pipeline.contracts.world import DEVICES, PLANS
from telco_pipeline.settings import WorldConfig, load_world
from telco_pipeline.world.catalogue import build_devices, build_plans, device_weights, plan_weights


@pytest.fixture(scope="module")
def config() -> WorldConfig:
    return load_world()


@pytest.fixture(scope="module")
def devices(config: WorldConfig) -> pl.DataFrame:
    return build_devices(config)


@pytest.fixture(scope="module")
def plans(config: WorldConfig) -> pl.DataFrame:
    return build_plans(config)


def popular(
    config: WorldConfig, devices: pl.DataFrame, persona: str, column: str
) -> dict[str, float]:
    weights = device_weights(config, devices, config.personas[persona])
    weighted = devices.with_columns(weight=pl.Series(weights))
    grouped = weighted.group_by(pl.col(column).cast(pl.String))
    return dict(grouped.agg(pl.col("weight").sum()).rows())


def median_age(config: WorldConfig, devices: pl.DataFrame, weights: np.ndarray) -> float:
    age = np.array([(config.epoch - day).days / 365.25 for day in devices["released"]])
    order = np.argsort(age)
    return float(age[order][np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)])


def test_devices_keep_their_contract(config: WorldConfig, devices: pl.DataFrame) -> None:
    DEVICES.schema.validate(devices)
    assert devices.schema == DEVICES.polars_schema
    assert 60 <= len(devices) <= 95
    assert devices["device_id"].is_sorted()
    assert devices["tac_first"].is_unique().all()
    assert (devices["tac_first"].str.head(5) == devices["tac_last"].str.head(5)).all()
    assert devices["released"].max() <= config.epoch
    assert devices["price"].min() > 0
    assert devices.select("brand", "model").is_unique().all()
    assert build_devices(config).equals(devices)


@pytest.mark.parametrize("epoch", [dt.date(2001, 1, 1), dt.date(2019, 6, 1), dt.date(2035, 1, 1)])
def test_other_epochs(config: WorldConfig, epoch: dt.date) -> None:
    other = config.model_copy(update={"epoch": epoch})
    devices, plans = build_devices(other), build_plans(other)
    assert devices["released"].max() <= epoch
    DEVICES.schema.validate(devices)
    for persona in config.personas.values():
        assert sum(device_weights(other, devices, persona)) == pytest.approx(1)
        assert sum(plan_weights(other, plans, persona, False)) == pytest.approx(1)


def test_phones_of_people_are_about_two_and_a_half_years_old(
    config: WorldConfig, devices: pl.DataFrame
) -> None:
    people = [persona for persona in config.personas.values() if persona.kind == "person"]
    weights = sum(
        np.array(device_weights(config, devices, persona)) * persona.share for persona in people
    )
    assert median_age(config, devices, weights) == pytest.approx(2.5, abs=0.4)
    by_persona = {
        name: median_age(config, devices, np.array(device_weights(config, devices, persona)))
        for name, persona in config.personas.items()
    }
    assert by_persona["business_traveller"] < by_persona["family"] < by_persona["senior"]


def test_weights_sum_to_one(
    config: WorldConfig, devices: pl.DataFrame, plans: pl.DataFrame
) -> None:
    for persona in config.personas.values():
        assert sum(device_weights(config, devices, persona)) == pytest.approx(1)
        for prepaid in (False, True):
            assert sum(plan_weights(config, plans, persona, prepaid)) == pytest.approx(1)


def test_modules_fit_the_machine(config: WorldConfig, devices: pl.DataFrame) -> None:
    meter = popular(config, devices, "iot_meter", "best_rat")
    vehicle = popular(config, devices, "iot_vehicle", "best_rat")
    sensor = popular(config, devices, "iot_sensor", "best_rat")
    assert meter["NB-IoT"] > 0.8
    assert vehicle["EUTRAN"] > 0.6
    assert vehicle["NB-IoT"] == 0
    assert sensor["NB-IoT"] + sensor["LTE-M"] > 0.9
    assert popular(config, devices, "iot_meter", "device_class")["smartphone"] == 0


def test_people_have_phones(config: WorldConfig, devices: pl.DataFrame) -> None:
    for name, persona in config.personas.items():
        if persona.kind != "machine":
            classes = popular(config, devices, name, "device_class")
            assert classes["module"] == classes["router"] == 0
    assert popular(config, devices, "senior", "device_class")["feature phone"] > 0.05
    assert popular(config, devices, "call_centre", "device_class")["feature phone"] > 0.5


def test_the_name_of_a_persona_does_not_matter(config: WorldConfig, devices: pl.DataFrame) -> None:
    student = config.personas["student"]
    assert device_weights(config, devices, student) == device_weights(
        config, devices, student.model_copy()
    )


def test_plans_keep_their_contract(config: WorldConfig, plans: pl.DataFrame) -> None:
    PLANS.schema.validate(plans)
    assert plans.schema == PLANS.polars_schema
    assert plans["plan_id"].is_sorted()
    assert plans["offered_from"].max() <= config.epoch
    machine = plans.filter(pl.col("segment") == "machine")
    assert set(machine["access_point_name"]) == {"m2m.zephyr"}
    assert set(machine["s_nssai"]) == {"3-000001"}
    assert set(plans["qci"]) == {6, 8, 9}


def test_plans_fit_the_holder(config: WorldConfig, plans: pl.DataFrame) -> None:
    def likes(name: str, prepaid: bool = False) -> dict[str, float]:
        weights = plan_weights(config, plans, config.personas[name], prepaid)
        return dict(zip(plans["plan_id"], weights, strict=True))

    assert max(likes("student"), key=likes("student").__getitem__) == "POST-YOUTH"
    assert max(likes("senior"), key=likes("senior").__getitem__) == "POST-SENIOR"
    assert likes("iot_meter")["M2M-METER"] > 0.8
    assert likes("iot_vehicle")["M2M-VEHICLE"] > 0.8
    assert likes("iot_sensor")["M2M-SENSOR"] > 0.8
    assert likes("tourist")["VISITOR"] == 1
    for name, persona in config.personas.items():
        payment = dict(plans.select("plan_id", pl.col("payment").cast(pl.String)).rows())
        chosen = {payment[plan] for plan, weight in likes(name, True).items() if weight > 0}
        if persona.kind in ("person", "business"):
            assert chosen == {"prepaid"}
