"""What does not change of subscribers from day to day, in arrays by entity number.

Belongs here: temper, contract dates and fitting plans, from the registry and hashes. Does not
belong here: what changes (`customers`).
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.population import BUSINESS, MACHINE, VISITOR, Population
from telco_pipeline.engine import draws
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.settings import WorldConfig
from telco_pipeline.state.spending import Tariff, rates
from telco_pipeline.world.catalogue import plan_weights

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Days = npt.NDArray[np.int32]

NO_TERM: Final = -1
"""Day of the end of a minimum term where there has never been one."""
CONSUMER_TERM: Final = 730
FIRM_TERM: Final = 1095
"""Days of a minimum term, as of the registry (`world.tenure`)."""

# Contacts with care per person: log-normal, a few make most (practice). Who calls for two SIMs
# does so once, with the first one's number.
_TALK: Final = QuantileTable.level(1.0)
_MOST_TALK: Final = 12.0
_SECOND_SIM: Final = 0.3
# Three in ten bear things in silence: they feel half of what others feel and rarely complain
# (voice and loyalty: Hirschman 1970; the shares are ours).
_QUIET: Final = 0.30
_QUIET_VOICE: Final = 0.15
_LOUD_VOICE: Final = 1.36  # so that the mean over all is 1
_QUIET_SENSE: Final = 0.5
# Of the others, who feels more says more; about 1.2 in the mean.
_LOUD_SENSE: Final = 0.9
_SENSE_OF_TALK: Final = 0.3
_MOST_SENSE: Final = 3.0


@dataclass(frozen=True)
class Facts:
    """Subscribers by entity number, as far as they stay the same.

    Attributes:
        config: The world.
        population: Its subscribers.
        tariff: The plans by row.
        rates: Minutes, messages and megabytes a month by persona, shape (personas, 3).
        fits: Which plans suit a persona, shape (personas, 2, plans): postpaid, prepaid.
        first_prospect: Entity number from which on they are not customers yet on the epoch.
        customer: People and firms: who has an opinion of us.
        score: Monthly hazard of leaving on the epoch.
        contract_start: Day (since 1970) on which the contract began.
        contract_end: Last day of the minimum term on the epoch, `NO_TERM` without one.
        term: Days of a minimum term.
        talk: Inclination to turn to care: its mean is the world's weight of `customer_service`.
        voice: Inclination to complain, mean 1.
        sense: How much is felt of what goes wrong, about 1 in the mean.
    """

    config: WorldConfig
    population: Population
    tariff: Tariff
    rates: Floats
    fits: Flags
    first_prospect: int
    customer: Flags
    score: Floats
    contract_start: Days
    contract_end: Days
    term: Days
    talk: Floats
    voice: Floats
    sense: Floats

    @classmethod
    def of(cls, config: WorldConfig, population: Population, plans: pl.DataFrame) -> Self:
        """Index the registry.

        Args:
            config: The world; entities from `config.subscribers` on are prospects.
            population: Its subscribers.
            plans: The plans, in the order of the rows that `population.plan` names.
        """
        kind = population.kind
        own = draws.keys(draws.stream(config.seed, "customers/temper"), population.leader)
        second = population.leader != np.arange(population.size)
        quiet = draws.chance(draws.bits(own, "quiet"), _QUIET)
        talk = np.minimum(_TALK.sample(draws.bits(own, "talk")), _MOST_TALK)
        loud = _LOUD_SENSE + _SENSE_OF_TALK * np.minimum(talk, _MOST_SENSE)
        firm = (kind == BUSINESS) | (kind == MACHINE)
        weight = config.record_weights.customer_service
        return cls(
            config=config,
            population=population,
            tariff=Tariff.of(plans),
            rates=rates(config),
            fits=_fitting(config, plans),
            first_prospect=config.subscribers,
            customer=kind < VISITOR,
            score=population.churn,
            contract_start=population.contract_start,
            contract_end=population.contract_end,
            term=np.where(firm, FIRM_TERM, CONSUMER_TERM).astype(np.int32),
            talk=talk * np.where(second, _SECOND_SIM, 1.0) * weight,
            voice=np.where(quiet, _QUIET_VOICE, _LOUD_VOICE),
            sense=np.where(quiet, _QUIET_SENSE, loud),
        )

    def use(self, entities: Rows) -> Floats:
        """Return the expected use a month of some subscribers, shape (entities, 3)."""
        population = self.population
        return self.rates[population.persona[entities]] * population.level[entities, None]


def _fitting(config: WorldConfig, plans: pl.DataFrame) -> Flags:
    """Return which plans each persona would consider (`Facts.fits`)."""
    return np.array(
        [
            [
                [weight > 0 for weight in plan_weights(config, plans, persona, prepaid)]
                for prepaid in (False, True)
            ]
            for persona in config.personas.values()
        ]
    )
