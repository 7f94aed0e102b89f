"""The agents of customer care: shifts, languages, what each knows, and who takes which contact.

Belongs here: the roster of a day and the choice of an agent. Does not belong here: how long
customers wait because all are busy (`care_queue`).

The roster is that of the whole operator, of which a world is a sample; an agent has one contact at
a time.
"""

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import VISITOR
from telco_pipeline.contracts.codes import Reason
from telco_pipeline.contracts.world import LANGUAGES
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import Choice
from telco_pipeline.generators.base import Day, Rows

FIRST_AGENT: Final = 1000  # agents are A1000 to A9999
_MOST: Final = 8999
_FEWEST: Final = 60
_NOBODY: Final = -1

# Teams: service desk, technical desk, customer retention, security, shops.
SERVICE, TECHNICAL, RETENTION, SECURITY, SHOPS = range(5)
_TEAM_OF: Final = {
    Reason.NETWORK: TECHNICAL,
    Reason.DEVICE: TECHNICAL,
    Reason.CANCELLATION: RETENTION,
    Reason.FRAUD: SECURITY,
}
TEAM_OF_REASON: Final = np.array([_TEAM_OF.get(reason, SERVICE) for reason in Reason])
"""Team that answers each reason, in the order of `Reason`."""
_TEAMS = Choice.of([40.0, 33.0, 8.0, 6.0, 13.0])
# Handling hours an agent gives in a week: 38 hours less breaks, training, leave, and the time in
# which nobody is waiting (practice).
_HOURS_A_WEEK: Final = 24.0
# Shifts in local time, and how many work each: desks are open longer than anybody works.
# The last one answers social media late.
_SHIFTS: Final = ((8, 16), (9, 17), (10, 18), (12, 20), (16, 24))
_SHIFT = Choice.of([29.0, 19.0, 19.0, 29.0, 4.0])
# Who works on a working day, and on a weekend or public holiday.
_ON_DUTY: Final = (0.82, 0.45)
# Share of agents with a first language (rows, in the order of LANGUAGES) who also serve in each
# other (practice in a country of three languages).
_ALSO: Final = np.array(
    [
        [1.00, 0.55, 0.08, 0.70],
        [0.40, 1.00, 0.05, 0.55],
        [0.40, 0.85, 1.00, 0.70],
        [0.45, 0.60, 0.10, 1.00],
    ]
)


@dataclass(frozen=True)
class Roster:
    """Who is at work on a UTC day, in local microseconds.

    Attributes:
        agent: Numbers of the agents on duty.
        start, stop: Their shifts.
        skilled: Agents on duty (places in `agent`) by team and language: the team's own who
            speak it, and those of the other desks.
    """

    agent: Rows
    start: Rows
    stop: Rows
    skilled: dict[tuple[int, int], tuple[list[int], list[int]]]

    @classmethod
    def of(cls, day: Day, hours_a_week: float) -> Self:
        """Return the roster of a day.

        Args:
            day: The UTC day; its local noon says whether it is a working day.
            hours_a_week: Hours of work that all agents are planned for in a week.
        """
        seed = day.inputs.config.seed
        count = min(max(math.ceil(hours_a_week / _HOURS_A_WEEK), _FEWEST), _MOST)
        agents = np.arange(count)
        self_keys = draws.keys(draws.stream(seed, "care/agent"), agents)
        week = draws.keys(draws.stream(seed, "care/shift", day.number // 7), agents)
        today = draws.keys(draws.stream(seed, "care/duty", day.number), agents)
        share = _ON_DUTY[int(day.clock.free_day[12])]
        team = _TEAMS.sample(draws.bits(self_keys, "team")).astype(np.int64)
        first = _first_languages(day, draws.bits(self_keys, "language"))
        on = np.flatnonzero(draws.chance(draws.bits(today, "duty"), share))
        shift = _SHIFT.sample(draws.bits(week, "shift"))[on]
        hours = np.array(_SHIFTS, dtype=np.int64) * HOUR
        skilled = {}
        for language in range(len(LANGUAGES)):  # nobody serves at the desk and in a shop
            also = draws.chance(draws.bits(self_keys, f"also/{language}"), _ALSO[first, language])
            speaks = also[on]
            for number in range(SHOPS + 1):
                own = speaks & (team[on] == number)
                desk = speaks & ~own & (team[on] != SHOPS) & (number != SHOPS)
                skilled[number, language] = (
                    np.flatnonzero(own).tolist(),
                    np.flatnonzero(desk).tolist(),
                )
        return cls(on, hours[shift, 0], hours[shift, 1], skilled)

    def desk(self) -> "Desk":
        """Return the roster with nobody at work yet."""
        return Desk(self)


def _first_languages(day: Day, bits: Bits) -> npt.NDArray[np.int64]:
    """Return the first language of each agent: as the customers', position in LANGUAGES."""
    population = day.inputs.population
    ours = population.language.filter(population.kind < VISITOR)
    counted = dict(ours.value_counts().iter_rows())
    weights = [float(counted.get(language, 0)) for language in LANGUAGES]
    return Choice.of(weights if any(weights) else [1.0] * 4).sample(bits).astype(np.int64)


class Desk:
    """The agents of a day while contacts come in, in order of time."""

    def __init__(self, roster: Roster) -> None:
        """Begin with everybody free."""
        self._roster = roster
        self._start, self._stop = roster.start.tolist(), roster.stop.tolist()
        self._free = [0] * len(roster.agent)

    def find(self, team: int, language: int, local: int, choice: int) -> tuple[int, int]:
        """Return an agent (place in the roster) and how long until he is free, 0 if he is.

        From a place by chance on, the first of the team who is at work, speaks the language and is
        free; else of the other desks; else the one who is free first. Where nobody at work speaks
        the language, one of the team in another language, and at last anybody.

        Args:
            team: Team that should answer.
            language: Language of the customer, position in `LANGUAGES`.
            local: Local microseconds of the day at which the customer would be answered; above 24
                hours after midnight, when the last shift stays on.
            choice: A random number that says where to begin.
        """
        for spoken in (language, *range(len(LANGUAGES))):
            best, least = _NOBODY, 1 << 62
            for skilled in self._roster.skilled[team, spoken]:
                place, wait = self._free_first(skilled, local, choice)
                if wait == 0:
                    return place, 0
                if wait < least:
                    best, least = place, wait
            if best != _NOBODY:
                return best, least
        place = choice % len(self._free)
        return place, max(self._free[place] - local, 0)

    def _free_first(self, skilled: list[int], local: int, choice: int) -> tuple[int, int]:
        """Return who of some agents at work is free first, and in how long."""
        best, least = _NOBODY, 1 << 62
        clock = min(local, DAY - 1)
        for step in range(len(skilled)):
            place = skilled[(choice + step) % len(skilled)]
            if self._start[place] <= clock < self._stop[place]:
                wait = max(self._free[place] - local, 0)
                if wait < least:
                    best, least = place, wait
                if wait == 0:
                    break
        return best, least

    def take(self, place: int, until: int) -> int:
        """Let an agent work until a local time, and return his number, from `FIRST_AGENT`."""
        self._free[place] = until
        return FIRST_AGENT + int(self._roster.agent[place])
