"""The catalogue: models of phones and modules, tariff plans, and who tends to have which.

Belongs here: what can be bought, at what price, and the popularity of each for a kind of holder.
Does not belong here: which subscriber has what (`subscribers`), what a record costs (`bss`).

Brands are invented. Type allocation codes begin with 00, as test IMEIs do: the model in row m has
the block 00mmm000 to 00mmm999. What a persona chooses follows from its attributes (kind, tech,
sessions, rhythm...), never from its name, so a world may rename personas or add its own.
"""

import datetime as dt
import math
from dataclasses import dataclass
from typing import Final

import polars as pl

from telco_pipeline.contracts.codes import Rat
from telco_pipeline.contracts.world import DEVICES, PLANS
from telco_pipeline.settings import Persona, WorldConfig
from telco_pipeline.world.core import operator_slug

EURO: Final = 1_000_000  # micro-euro
GIGABYTE: Final = 1_000_000_000


@dataclass(frozen=True)
class _Line:
    """A line of smartphones with a new model every year or two.

    Attributes:
        brand: Brand.
        name: Name of the model; the number of its generation follows.
        first: Year of the first model.
        every: Years between models.
        month: Month of release.
        price: Launch price in euro.
        lte: First year with LTE; before that, UTRAN.
        nr: First year with NR.
        volte: First year with voice over LTE.
        dual_sim: First year with two SIMs.
    """

    brand: str
    name: str
    first: int
    every: int
    month: int
    price: int
    lte: int
    nr: int
    volte: int
    dual_sim: int


_LINES: Final = (
    _Line("Orchard", "Pome", 2012, 1, 9, 999, 2013, 2020, 2015, 2018),
    _Line("Orchard", "Pome Lite", 2018, 2, 3, 529, 2018, 2022, 2018, 2018),
    _Line("Haneul", "Nova S", 2014, 1, 2, 899, 2013, 2019, 2015, 2017),
    _Line("Haneul", "Nova A", 2016, 1, 3, 369, 2015, 2021, 2017, 2017),
    _Line("Haneul", "Nova M", 2019, 1, 4, 199, 2017, 2024, 2019, 2017),
    _Line("Mirava", "Reed", 2018, 1, 5, 279, 2016, 2022, 2018, 2016),
    _Line("Wenlan", "Kite Pro", 2019, 1, 6, 649, 2018, 2020, 2018, 2018),
    _Line("Pikku", "Smart", 2016, 2, 10, 139, 2017, 2026, 2020, 2016),
    _Line("Fairlight", "Repair", 2019, 2, 9, 579, 2017, 2021, 2018, 2017),
)


@dataclass(frozen=True)
class _Model:
    """One model outside the lines of smartphones."""

    brand: str
    model: str
    released: dt.date
    device_class: str
    best_rat: Rat
    volte: bool
    dual_sim: bool
    price: int


_FEATURE: Final = "feature phone"

_MODELS: Final = (
    _Model("Pikku", "Classic 105", dt.date(2013, 3, 1), _FEATURE, Rat.GERAN, False, False, 25),
    _Model("Pikku", "Classic 130", dt.date(2017, 9, 4), _FEATURE, Rat.GERAN, False, True, 35),
    _Model("Pikku", "Fold 4G", dt.date(2020, 11, 2), _FEATURE, Rat.EUTRAN, True, True, 79),
    _Model("Senia", "Clear 2", dt.date(2016, 5, 9), _FEATURE, Rat.UTRAN, False, False, 69),
    _Model("Senia", "Clear 5", dt.date(2022, 4, 4), _FEATURE, Rat.EUTRAN, True, False, 95),
    _Model("Senia", "Desk GSM", dt.date(2015, 1, 12), _FEATURE, Rat.GERAN, False, False, 89),
    _Model("Senia", "Desk 4G", dt.date(2021, 2, 8), _FEATURE, Rat.EUTRAN, True, False, 119),
    _Model("Volt", "Hub 4G", dt.date(2017, 6, 5), "router", Rat.EUTRAN, False, False, 149),
    _Model("Volt", "Hub 5G", dt.date(2021, 9, 6), "router", Rat.NR, False, False, 399),
    _Model("Tramline", "Fleet WiFi", dt.date(2019, 3, 4), "router", Rat.EUTRAN, False, True, 329),
    _Model("Kern", "K2 GPRS", dt.date(2013, 10, 7), "module", Rat.GERAN, False, False, 9),
    _Model("Kern", "K4 Cat 1", dt.date(2017, 2, 6), "module", Rat.EUTRAN, False, False, 19),
    _Model("Kern", "NB1", dt.date(2018, 5, 7), "module", Rat.NB_IOT, False, False, 7),
    _Model("Kern", "NB2", dt.date(2021, 3, 1), "module", Rat.NB_IOT, False, False, 6),
    _Model("Ublink", "SARA NB", dt.date(2019, 11, 4), "module", Rat.NB_IOT, False, False, 8),
    _Model("Ublink", "SARA M1", dt.date(2019, 4, 1), "module", Rat.LTE_M, False, False, 11),
    _Model("Ublink", "SARA M2", dt.date(2022, 6, 6), "module", Rat.LTE_M, False, False, 10),
    _Model("Tramline", "Auto Cat 4", dt.date(2016, 9, 5), "module", Rat.EUTRAN, False, False, 49),
    _Model("Tramline", "Auto Cat 6", dt.date(2019, 9, 2), "module", Rat.EUTRAN, True, False, 65),
    _Model("Tramline", "Auto 5G", dt.date(2023, 9, 4), "module", Rat.NR, True, False, 139),
)  # fmt: skip

_YEARLY_LOSS: Final = 0.86  # list price a year later, as a share
_LOWEST_PRICE: Final = 0.25  # share of the launch price that a model keeps while it is listed


def build_devices(config: WorldConfig) -> pl.DataFrame:
    """Return the models released before the epoch in the columns of the `devices` contract.

    Prices are list prices on the epoch: what comparable phones cost in Belgium at their launch,
    less 14 % a year, at least a quarter.

    Args:
        config: The world.

    Returns:
        One row per model, sorted by `device_id`.
    """
    # On a very early epoch there would be nothing to buy; the oldest models are then on sale.
    models = [model for model in _all_models(config.epoch) if model.released <= config.epoch]
    models = sorted(models or _MODELS, key=lambda model: (model.released, model.brand, model.model))
    frame = pl.DataFrame(
        {
            "device_id": [f"D{row:03d}" for row in range(1, len(models) + 1)],
            "brand": [model.brand for model in models],
            "model": [model.model for model in models],
            "released": [min(model.released, config.epoch) for model in models],
            "device_class": [model.device_class for model in models],
            "best_rat": [str(model.best_rat) for model in models],
            "volte": [model.volte for model in models],
            "dual_sim": [model.dual_sim for model in models],
            "tac_first": [f"00{row:03d}000" for row in range(1, len(models) + 1)],
            "tac_last": [f"00{row:03d}999" for row in range(1, len(models) + 1)],
            "price": [_list_price(model, config.epoch) for model in models],
        }
    )
    return frame.select(DEVICES.columns).cast(DEVICES.polars_schema).sort("device_id")


def device_weights(config: WorldConfig, devices: pl.DataFrame, persona: Persona) -> list[float]:
    """Return how popular each model is with a persona; the weights sum to 1.

    People choose by class of device (with less tech, more feature phones), by age of the model
    (a bell over the logarithm; median 2.6 years over all, younger with tech) and by price (about
    100 + 480 tech euro). Who calls for a living has a desk phone. Machines choose a
    module: those that move an LTE or 5G one, those that stand NB-IoT or LTE-M by their sessions.

    Args:
        config: The world; age counts from its epoch.
        devices: Frame of `build_devices`.
        persona: Attributes of the holder; its name does not matter.

    Returns:
        One weight per row of `devices`.
    """
    shares = _machine_shares(persona) if persona.kind == "machine" else _phone_shares(persona)
    groups: dict[tuple[str, str], list[int]] = {}
    appeal = []
    for row, model in enumerate(devices.iter_rows(named=True)):
        key = (model["device_class"], model["best_rat"] if persona.kind == "machine" else "")
        groups.setdefault(key, []).append(row)
        appeal.append(_appeal(config.epoch, model, persona))
    weights = [0.0] * len(devices)
    for key, rows in groups.items():
        total = math.fsum(appeal[row] for row in rows)
        for row in rows:
            weights[row] = shares.get(key, 0.0) * appeal[row] / total
    total = math.fsum(weights)
    if total == 0:  # nothing fitting is on sale yet
        return [1 / len(devices)] * len(devices)
    return [round(weight / total, 9) for weight in weights]


def _all_models(epoch: dt.date) -> list[_Model]:
    models = list(_MODELS)
    for line in _LINES:
        for generation, year in enumerate(range(line.first, epoch.year + 1, line.every), start=1):
            rat = Rat.NR if year >= line.nr else Rat.EUTRAN if year >= line.lte else Rat.UTRAN
            models.append(
                _Model(
                    brand=line.brand,
                    model=f"{line.name} {generation}",
                    released=dt.date(year, line.month, 1 + generation * 5 % 28),
                    device_class="smartphone",
                    best_rat=rat,
                    volte=year >= line.volte,
                    dual_sim=year >= line.dual_sim,
                    price=line.price,
                )
            )
    return models


def _list_price(model: _Model, epoch: dt.date) -> int:
    """Return the price on the epoch in micro-euro, rounded to ten cents."""
    years = max((epoch - model.released).days, 0) / 365.25
    left = max(_YEARLY_LOSS**years, _LOWEST_PRICE)
    return max(round(model.price * left * 10), 1) * (EURO // 10)


def _moves(persona: Persona) -> bool:
    """Whether a machine is on the road: it has places to go to."""
    return persona.works > 0 or persona.trips_per_year > 0


def _machine_shares(persona: Persona) -> dict[tuple[str, str], float]:
    """Return the share of each kind of module among machines of a persona."""
    if _moves(persona):
        return {
            ("module", Rat.EUTRAN): 0.72,
            ("module", Rat.NR): 0.10 + 0.2 * persona.tech,
            ("module", Rat.GERAN): 0.04,
            ("router", Rat.EUTRAN): 0.04,
        }
    if persona.sessions < 6:  # a reading a few times a day: what NB-IoT was made for
        return {
            ("module", Rat.NB_IOT): 0.84,
            ("module", Rat.LTE_M): 0.08,
            ("module", Rat.GERAN): 0.08,
        }
    return {
        ("module", Rat.NB_IOT): 0.42,
        ("module", Rat.LTE_M): 0.50,
        ("module", Rat.EUTRAN): 0.05,
        ("module", Rat.GERAN): 0.03,
    }


def _phone_shares(persona: Persona) -> dict[tuple[str, str], float]:
    """Return the share of smartphones and feature phones among people of a persona."""
    calls_for_a_living = persona.calls >= 20 and persona.sessions < persona.calls
    simple = 0.85 if calls_for_a_living else 0.30 * (1 - persona.tech) ** 3
    return {("smartphone", ""): 1 - simple, ("feature phone", ""): simple}


def _appeal(epoch: dt.date, model: dict[str, object], persona: Persona) -> float:
    """Return the appeal of a model within its class, above 0."""
    released, price = model["released"], model["price"]
    assert isinstance(released, dt.date)
    assert isinstance(price, int)
    years = max((epoch - released).days / 365.25, 0.1)
    if persona.kind == "machine":  # modules stay in the field for a decade
        return _bell(math.log(years / 5.0), 0.6)
    age = _bell(math.log(years / (4.6 - 2.6 * persona.tech)), 0.7) / years
    if model["device_class"] != "smartphone":
        return _bell(math.log(years / 5.0), 0.6)
    return age * _bell(math.log(price / EURO / (100 + 480 * persona.tech)), 0.75)


def _bell(distance: float, width: float) -> float:
    return math.exp(-0.5 * (distance / width) ** 2) + 1e-6


@dataclass(frozen=True)
class _Beyond:
    """Prices beyond the allowance in euro: a minute, an SMS, a megabyte."""

    minute: float
    message: float
    megabyte: float


@dataclass(frozen=True)
class _Plan:
    """One plan; prices in euro with VAT, allowances a month, None for unlimited."""

    plan_id: str
    name: str
    payment: str
    segment: str
    fee: float
    minutes: int | None
    messages: int | None
    gigabytes: float | None
    beyond: _Beyond
    qci: int
    offered: str


# Consumer and business prices are near those of the three Belgian networks in 2025. Visitors pay
# their network, which pays the wholesale caps of Regulation (EU) 2022/612 for 2026: 0.019 euro a
# minute, 0.003 an SMS, 1.10 a GB.
_STANDARD: Final = _Beyond(0.25, 0.12, 0.02)
_CREDIT: Final = _Beyond(0.25, 0.12, 0.05)
_BUNDLE: Final = _Beyond(0.20, 0.10, 0.02)
_MACHINE: Final = _Beyond(0.20, 0.05, 0.05)
_WHOLESALE: Final = _Beyond(0.019, 0.003, 0.0011)

_POST, _PRE, _GROSS = "postpaid", "prepaid", "wholesale"
_PEOPLE, _FIRMS, _THINGS, _GUESTS = "consumer", "business", "machine", "visitor"
_PLANS: Final = (
    _Plan("POST-S", "S", _POST, _PEOPLE, 14.0, 180, None, 6, _STANDARD, 9, "2023-04-03"),
    _Plan("POST-M", "M", _POST, _PEOPLE, 21.0, None, None, 20, _STANDARD, 9, "2023-04-03"),
    _Plan("POST-L", "L", _POST, _PEOPLE, 30.0, None, None, 60, _STANDARD, 9, "2023-04-03"),
    _Plan("POST-MAX", "Max", _POST, _PEOPLE, 42.0, None, None, None, _STANDARD, 8, "2023-04-03"),
    _Plan("POST-OLD", "Classic", _POST, _PEOPLE, 20.0, 240, 1000, 5, _STANDARD, 9, "2017-02-01"),
    _Plan("POST-YOUTH", "Young", _POST, _PEOPLE, 15.0, None, None, 30, _STANDARD, 9, "2022-09-01"),
    _Plan("POST-SENIOR", "Easy", _POST, _PEOPLE, 10.0, 120, 200, 1.5, _STANDARD, 9, "2021-01-04"),
    _Plan("PRE-FREE", "Prepaid", _PRE, _PEOPLE, 0.0, 0, 0, 0, _CREDIT, 9, "2015-06-01"),
    _Plan("PRE-10", "Prepaid 10", _PRE, _PEOPLE, 10.0, 100, 500, 6, _BUNDLE, 9, "2022-03-01"),
    _Plan("PRE-20", "Prepaid 20", _PRE, _PEOPLE, 20.0, 600, None, 25, _BUNDLE, 9, "2022-03-01"),
    _Plan("BUS-S", "Business S", _POST, _FIRMS, 19.0, 600, None, 8, _BUNDLE, 8, "2021-10-04"),
    _Plan("BUS-M", "Business M", _POST, _FIRMS, 33.0, None, None, 40, _BUNDLE, 8, "2021-10-04"),
    _Plan(
        "BUS-MAX", "Business Max", _POST, _FIRMS, 54.0, None, None, None, _BUNDLE, 6, "2021-10-04"
    ),
    _Plan("M2M-METER", "Meter", _POST, _THINGS, 0.5, 0, 30, 0.010, _MACHINE, 9, "2018-06-04"),
    _Plan("M2M-SENSOR", "Sensor", _POST, _THINGS, 1.0, 0, 30, 0.1, _MACHINE, 9, "2018-06-04"),
    _Plan("M2M-VEHICLE", "Vehicle", _POST, _THINGS, 4.5, 30, 50, 2, _MACHINE, 8, "2019-01-07"),
    _Plan("VISITOR", "Visitor", _GROSS, _GUESTS, 0.0, 0, 0, 0, _WHOLESALE, 9, "2017-06-15"),
)

PLAN_IDS: Final = tuple(plan.plan_id for plan in _PLANS)
"""Keys of the plans."""
# Slice/service type 1 is eMBB, 3 is MIoT (TS 23.501).
_SLICES: Final = {
    _PEOPLE: "1-000000", _GUESTS: "1-000000", _FIRMS: "1-000002", _THINGS: "3-000001",
}  # fmt: skip
_SEGMENT_OF_KIND: Final = {
    "person": _PEOPLE, "business": _FIRMS, "visitor": _GUESTS, "machine": _THINGS,
}  # fmt: skip


def build_plans(config: WorldConfig) -> pl.DataFrame:
    """Return the tariff plans in the columns of the `plans` contract, sorted by `plan_id`.

    Args:
        config: The world; the operator's name is part of the plans' names and the M2M APN.
    """
    slug = operator_slug(config)
    offered = [dt.date.fromisoformat(plan.offered) for plan in _PLANS]
    brand = config.own_operator.name.split()[0]
    points = {"consumer": "internet", "visitor": "internet", "business": "corporate"}
    frame = pl.DataFrame(
        {
            "plan_id": [plan.plan_id for plan in _PLANS],
            "name": [f"{brand} {plan.name}" for plan in _PLANS],
            "payment": [plan.payment for plan in _PLANS],
            "segment": [plan.segment for plan in _PLANS],
            "monthly_fee": [round(plan.fee * EURO) for plan in _PLANS],
            "voice_seconds": [_times(plan.minutes, 60) for plan in _PLANS],
            "messages": [plan.messages for plan in _PLANS],
            "data_bytes": [_times(plan.gigabytes, GIGABYTE) for plan in _PLANS],
            "voice_price": [round(plan.beyond.minute * EURO) for plan in _PLANS],
            "message_price": [round(plan.beyond.message * EURO) for plan in _PLANS],
            "data_price": [round(plan.beyond.megabyte * EURO) for plan in _PLANS],
            "qci": [plan.qci for plan in _PLANS],
            "s_nssai": [_SLICES[plan.segment] for plan in _PLANS],
            "access_point_name": [points.get(plan.segment, f"m2m.{slug}") for plan in _PLANS],
            "offered_from": [min(day, config.epoch) for day in offered],
        }
    )
    return frame.select(PLANS.columns).cast(PLANS.polars_schema).sort("plan_id")


def plan_weights(
    config: WorldConfig, plans: pl.DataFrame, persona: Persona, prepaid: bool
) -> list[float]:
    """Return how popular each plan is with a persona; the weights sum to 1.

    People and firms choose the plan whose data allowance is near what they use (10 GB a month at
    28 sessions a day, BIPT 2024), few the old one; the young and the old have plans of their own.
    Machines choose by whether they move and how often they report.

    Args:
        config: The world; a plan that comes after its epoch has no weight.
        plans: Frame of `build_plans`.
        persona: Attributes of the holder; its name does not matter.
        prepaid: Whether the holder pays in advance; people and firms only.

    Returns:
        One weight per row of `plans`.
    """
    segment = _SEGMENT_OF_KIND[persona.kind]
    in_advance = prepaid and segment in ("consumer", "business")
    weights = []
    for plan in plans.iter_rows(named=True):
        if in_advance:
            fits = plan["payment"] == "prepaid"
        else:
            fits = plan["segment"] == segment and plan["payment"] != "prepaid"
        fits &= plan["offered_from"] <= config.epoch
        weights.append(_plan_appeal(plan, persona) if fits else 0.0)
    total = math.fsum(weights)
    return [round(weight / total, 9) for weight in weights]


def _plan_appeal(plan: dict[str, object], persona: Persona) -> float:
    """Return the appeal of a plan of the right segment, above 0."""
    plan_id = plan["plan_id"]
    if plan["segment"] == "visitor":
        return 1.0
    if plan["segment"] == "machine":
        best = "M2M-SENSOR" if persona.sessions >= 6 else "M2M-METER"
        if _moves(persona):
            best = "M2M-VEHICLE"
        return 0.9 if plan_id == best else 0.05
    data = plan["data_bytes"]
    gigabytes = 120.0 if data is None else max(float(str(data)) / GIGABYTE, 0.3)
    wanted = max(persona.sessions / 28 * 10, 0.5)
    # Who loves technology buys more than they need; who calls for a living needs no data at all.
    appeal = _bell(math.log(gigabytes / (wanted * (0.6 + 1.4 * persona.tech))), 0.9)
    if persona.calls >= 20 and plan["voice_seconds"] is not None:
        appeal *= 0.02
    return appeal * _eligibility(plan_id, persona)


def _eligibility(plan_id: object, persona: Persona) -> float:
    """Return the factor by which a plan made for an age suits a persona."""
    low, high = persona.age or (18, 99)
    factors = {
        "POST-YOUTH": 4.0 if high <= 30 else 1.0 if high <= 40 and low < 20 else 0.0,
        "POST-SENIOR": 3.0 if low >= 55 else 0.1,
        "POST-OLD": 0.6 * (1 - persona.tech),
    }
    return factors.get(str(plan_id), 1.0)


def _times(value: float | None, factor: int) -> int | None:
    return None if value is None else round(value * factor)
