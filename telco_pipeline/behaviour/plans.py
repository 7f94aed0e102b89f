"""Plans: where everybody stays during one UTC day, and when they move.

Belongs here: the stays of a day and the times of the moves between them. Does not belong here:
which place an outing leads to (`haunts`), ways and cells on them (`terrain`), who is away
(`absences`), how a plan gives way where a layer puts somebody elsewhere (`detours`).

A plan has nine stays, the first at UTC midnight, the last at the next one. Where somebody is at
midnight (the *night place*) is a function of the entity and the day before it, so that two days
that are worked out apart meet. Stops that are left out have the place of the stop before and take
no time. What follows is the template of stops 1 to 8:

    working day   errand, work, lunch, work, after work, home, evening, night place
    free day      outing, another, home, outing, another, home, evening, night place
    customers     errand, work or customers (four), home, evening, night place
    night shift   home, -, -, outing, another, home, work, work
    fleet         seven tours, the depot

On the way to or from a retreat (a weekend or a holiday in the country) *home* changes from the one
to the other at a stop. On a day with a trip abroad everybody waits at home.
"""

import datetime as dt
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour import haunts
from telco_pipeline.behaviour.absences import WEEK, own_trips, stays
from telco_pipeline.behaviour.detours import Windows, give_way, windows_around
from telco_pipeline.behaviour.population import BUSINESS, MACHINE, PERSON, VISITOR, Population
from telco_pipeline.behaviour.presence import NOWHERE, Placed
from telco_pipeline.behaviour.rhythm import CHRONOTYPE_HOURS, NIGHT_SHIFT, OWL, chronotypes
from telco_pipeline.behaviour.terrain import NEIGHBOURS, OLD, PREFERENCE_OF_RAT, Terrain
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND, DayClock, day_number
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import STANDARD_NORMAL, Choice, QuantileTable
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world.zoning import Use

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

STAYS: Final = 9
BOUNDS: Final = 2 * (STAYS - 1)
"""Times of a plan: departure and arrival of each of the eight moves."""
BLOCK: Final = 1 << 14
_HOUR: Final = HOUR // SECOND
_SECONDS: Final = DAY // SECOND

# Working time: start and length in local seconds (practice, Belgian offices and schools).
_START = QuantileTable.of(
    lambda p: max(5.0, min(11.0, 8.2 + 0.8 * STANDARD_NORMAL.inv_cdf(p))) * 3600
)
_LENGTH = QuantileTable.of(
    lambda p: max(4.0, min(11.0, 8.7 + 0.9 * STANDARD_NORMAL.inv_cdf(p))) * 3600
)
_JITTER: Final = 1200  # seconds earlier or later on each day

# Shares of 65,536 (chances of a day or a person).
_UNIT: Final = 1 << 16
# Working days at home (practice after 2020). Our assumptions, of the right order: days of leave and
# illness, people who work at weekends too, part-time with a day off a week.
_HOME_OFFICE: Final = 0.18
_LEAVE: Final = 0.06
_WEEKEND_WORKER: Final = 0.10
_PART_TIME: Final = 0.25
_STUDENT: Final = 0.5  # share of students in a persona from which it has no home office

# Workers without a fixed place of work, who go from customer to customer: trades, care, sales (our
# assumption; firms' own lines more than employees').
_ROVING_SHARE: Final = 0.18
_ROVING_FIRM: Final = 0.45

# Types of a day, with the chance of each stop 1 to 7. Set so that sampled call records show the
# visits by rank and the exploration of Gonzalez 2008 and Song 2010 (realism.md); people are out
# somewhat more than time-use surveys say.
_WORKING, _FREE, _HOMEWORK, _NIGHTLY, _TOURIST, _FLEET, _ROVING, _STILL = range(8)
_CHANCES: Final = np.array([
    (0.24, 0.00, 0.36, 0.00, 0.72, 0.00, 0.41),
    (0.84, 0.60, 0.00, 0.95, 0.60, 0.00, 0.50),
    (0.18, 0.00, 0.00, 0.72, 0.30, 0.00, 0.48),
    (0.00, 0.00, 0.00, 0.66, 0.42, 0.00, 0.00),
    (0.95, 0.72, 0.00, 0.95, 0.72, 0.00, 0.60),
    (0.80, 0.70, 0.65, 0.50, 0.70, 0.65, 0.50),
    (0.00, 0.84, 0.90, 0.90, 0.72, 0.00, 0.41),
    (0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00),
])  # fmt: skip
# By template (working, free, fleet, roving) and stop: earliest departure in local hours and its
# width.
_OUT_AT: Final[tuple[dict[int, tuple[float, float]], ...]] = (
    {3: (11.8, 1.0), 7: (18.8, 2.0)},
    {1: (9.0, 2.5), 4: (13.3, 3.0), 7: (18.8, 2.0)},
    {1: (6.0, 3.0)},
    {7: (18.8, 2.0)},
)
# By template and stop: minutes of its least duration and their spread.
_DWELL: Final[tuple[dict[int, tuple[int, int]], ...]] = (
    {1: (5, 15), 3: (25, 35), 5: (20, 160), 7: (60, 160)},
    {1: (30, 160), 2: (20, 120), 3: (10, 30), 4: (40, 260), 5: (20, 150), 7: (60, 180)},
    dict.fromkeys(range(1, 8), (8, 60)),
    {**dict.fromkeys(range(2, 6), (30, 120)), 7: (60, 160)},
)
_FLEET_AT_REST: Final = 0.3  # how many of the tours there are on a free day
_TEMPLATE_OF_KIND: Final = np.array([0, 1, 1, 1, 1, 2, 3, 1])
_OUT_SECONDS: Final = np.zeros((4, STAYS, 2), dtype=np.int64)
_DWELL_MINUTES: Final = np.ones((4, STAYS, 2), dtype=np.int64)
for _template in range(4):
    for _stop, _hours in _OUT_AT[_template].items():
        _OUT_SECONDS[_template, _stop] = [int(value * _HOUR) for value in _hours]
    for _stop, _minutes in _DWELL[_template].items():
        _DWELL_MINUTES[_template, _stop] = _minutes
# Local hours and their width: to a retreat on a free day, back, to a retreat after work; of who
# was out late, of night shifts (on the way from 21 h, back from 6 h).
_CHANGE: Final = {3: (9.0, 2.0), 4: (14.0, 4.0), 7: (16.5, 3.0)}
_LATE_HOME: Final = (1.6, 2.6)
_SHIFT_ENDS: Final = (5.5, 1.0)
_SHIFT_STARTS: Final = (20.8, 0.8)
_FRIDAY: Final = 4
_MILLENNIUM: Final = dt.date(2000, 1, 1)  # day 0
_FIRST_SECOND: Final = 1  # of a day in which somebody may leave

# Late evenings: the night place is where the evening was spent, on Friday, Saturday, other days.
_LATE: Final = (0.05, 0.07, 0.008)
_OWL_LATE: Final = 2.0

# Retreats: a weekend (Friday or Saturday to Sunday) or several days, drawn by week, four times as
# often for long in July and August: a few nights a year with family, in second homes or on holiday
# in the country (our assumption).
_WEEKEND_AWAY: Final = 0.045
_LONG_AWAY: Final = 0.012
_SUMMER: Final = 4.0
_FAVOURITE: Final = 0.6  # share of retreats to the same place
_OTHER_RETREATS: Final = 8
_RETREAT_NUMBER: Final = 1 << 40  # numbers of places apart from those of visits
_AWAY_NUMBER: Final = 1 << 41

# Cells overlap: the chance that another site of the surroundings serves who comes to a place, by
# person (many live well inside a cell, others between several), and which one in turn. That phones
# at one place appear at several towers is common in call records; how often is set so that the
# visits by rank fall as measured.
_EDGE: Final = (0.0, 0.0, 0.02, 0.06, 0.40, 0.65, 0.75, 0.80)
_EDGE_LIMIT: Final = np.array([round(share * _UNIT) for share in _EDGE], dtype=np.uint64)
_NEIGHBOUR = Choice.of([19, 16, 14, 12, 11, 10, 9, 9])
_EVENING_CHANGE: Final = (20.5, 3.0)  # local hours in which who stays home may change the site

# Range classes of people: how far they look for places. Travellers' are larger.
_RANGE = Choice.of([
    (8, 14, 20, 22, 18, 11, 7),
    (2, 6, 12, 22, 26, 20, 12),
])  # fmt: skip
_TRAVELLER_TRIPS: Final = 6  # trips a year from which a persona counts as one
_RETREAT_RANGE: Final = 3
_TOURIST_RANGE: Final = 4
_FLEET_RANGE: Final = 4
_AROUND_WORK: Final = 0.25  # share of places that are looked for around work

# Visits are counted from a day of one's own before the epoch: half a year to two years.
_HISTORY: Final = (180, 730)
_VISITS_PER_DAY: Final = 5
_TOURS_PER_DAY: Final = 7
_VISIT_OF_STOP: Final = np.array([0, 0, 3, 0, 1, 1, 0, 2, 0])  # of a working day
_VISIT_OF_FREE_STOP: Final = np.array([0, 0, 3, 0, 1, 4, 0, 2, 0])

_DRIFT: Final = 12  # metres a second, of who stays while the serving site changes
_MOST_TRAVEL: Final = 20 * _HOUR
_DAY_ENDS: Final = 2 * _HOUR  # at most so long before midnight the last arrival is due

_PACE: Final = (850, 400)  # of 1024: how long a way takes, by person and day


@dataclass(frozen=True)
class Plans:
    """Plans of a population for one day.

    Attributes:
        bounds: Departure and arrival of each move in seconds of the UTC day, in order; shape
            (entities, 16). A move that does not happen has both alike. A way to where a layer puts
            somebody, or back, may begin before the day or end after it.
        cells: Row of the cell at each stay, shape (entities, 9), of `Terrain.cell_type`.
        still: Who never moves by a plan of his own on any day, nor changes the cell at rest.
        moved: Who of them all the same has ways on the day.
    """

    bounds: npt.NDArray[np.int32]
    cells: npt.NDArray[np.integer]
    still: Flags
    moved: Rows


@dataclass(frozen=True)
class _Date:
    """What a day is to everybody."""

    number: int
    free: bool
    weekday: int

    @classmethod
    def of(cls, config: WorldConfig, day: dt.date) -> "_Date":
        clock = DayClock(day, config.time_zone, config.country)
        # At noon it is the same date in UTC and in local time.
        return cls(day_number(day), bool(clock.free_day[12]), day.weekday())


@dataclass(frozen=True)
class _People:
    """Some entities, with what they are every day; each array has an element per entity."""

    entity: Rows
    lead: Rows
    key: Bits
    kind: npt.NDArray[np.int8]
    preference: npt.NDArray[np.int8]
    home_cell: Rows
    home: Rows
    work_cell: Rows
    work: Rows
    works: Flags
    still: Flags
    fleet: Flags
    nightly: Flags
    roving: Flags
    later: Rows
    range_class: Rows
    history: Rows

    def __len__(self) -> int:
        return len(self.lead)


class Planner:
    """Makes the plans of a day."""

    def __init__(
        self,
        config: WorldConfig,
        population: Population,
        terrain: Terrain,
        day: dt.date,
        rat: npt.NDArray[np.int8] | None = None,
        placed: Placed | None = None,
    ) -> None:
        """Prepare a day.

        Args:
            config: The world.
            population: Its subscribers.
            terrain: The country.
            day: The UTC day.
            rat: Best radio access of each entity's device on the day; as on the epoch by default.
            placed: Where layers put SIMs around the day; nowhere by default.
        """
        self._config = config
        self._population = population
        self._terrain = terrain
        self._rat = population.rat if rat is None else rat
        self._placed = Placed.none() if placed is None else placed
        self._today = _Date.of(config, day)
        self._before = _Date.of(config, day - dt.timedelta(days=1))
        clock = DayClock(day, config.time_zone, config.country)
        self._offset = int(clock.offset[12]) // SECOND
        self._chronotype = chronotypes(config, population)
        personas = list(config.personas.values())
        self._traveller = np.array([p.trips_per_year >= _TRAVELLER_TRIPS for p in personas])
        self._travels = np.array([p.trips_per_year > 0 for p in personas])
        self._student = np.array([p.student >= _STUDENT for p in personas])
        self._epoch = day_number(config.epoch)

    def make(self) -> Plans:
        """Return the plans of everybody."""
        size = self._population.size
        plans = Plans(
            np.empty((size, BOUNDS), dtype=np.int32),
            np.empty((size, STAYS), dtype=self._terrain.cell_type),
            np.empty(size, dtype=np.bool_),
            np.zeros(0, dtype=np.int64),
        )
        for start in range(0, size, BLOCK):
            rows = slice(start, min(start + BLOCK, size))
            self._block(rows, plans)
        return self._with_detours(plans) if len(self._placed) else plans

    def _with_detours(self, plans: Plans) -> Plans:
        """Let the plans give way where layers put somebody at a place or abroad."""
        placed = windows_around(self._placed, self._today.number)
        entity, row = np.unique(placed.entity, return_inverse=True)
        if not entity.size:
            return plans
        people = self._people(entity)
        # Who goes abroad leaves from home, and comes back there.
        cell = np.where(placed.cell == NOWHERE, people.home_cell[row], placed.cell)
        there = np.flatnonzero(placed.cell != NOWHERE)
        preference = people.preference[row[there]]
        cell[there] = self._camping(cell[there], preference, placed.key[there])
        start = self._today.number * _SECONDS
        windows = Windows(row, placed.start - start, placed.end - start, cell)
        bounds, cells, moved = give_way(
            self._terrain, plans.bounds[entity], plans.cells[entity], windows
        )
        plans.bounds[entity], plans.cells[entity] = bounds, cells
        return replace(plans, moved=entity[moved & plans.still[entity]])

    def _camping(self, cell: Rows, preference: npt.NDArray[np.int8], key: Bits) -> Rows:
        """Return cells, or those near by on which devices camp that have other radio access."""
        terrain = self._terrain
        site = terrain.site[cell].astype(np.int64)
        other = np.flatnonzero(~terrain.camps(cell, preference))
        place, wanted, bits = site[other], preference[other], _place_bits(key[other], site[other])
        pixel = terrain.pixel(terrain.east[place], terrain.north[place])
        place = np.where(wanted == OLD, terrain.near(pixel, wanted, bits), place)
        found = cell.copy()
        found[other] = terrain.camp(place, wanted, bits, Use.VISIT)
        return found

    def _block(self, rows: slice, plans: Plans) -> None:
        people = self._people(np.arange(rows.start, rows.stop))
        draft = self._draft(people)
        cells = self._cells(people, draft.site, draft.at_work)
        plans.bounds[rows] = self._times(draft, cells).T
        plans.still[rows] = people.still
        plans.cells[rows] = cells.T

    def _people(self, entity: Rows) -> _People:
        """Return what is the same on every day."""
        population, terrain = self._population, self._terrain
        lead = population.leader[entity]
        key = draws.keys(draws.stream(self._config.seed, "mobility/person"), lead)
        kind = population.kind[lead]
        persona = population.persona[lead]
        has_work = population.work[lead] >= 0
        bits = draws.bits(key, "person")
        machine = kind == MACHINE
        fleet = machine & has_work & _piece(bits, 0, 0.5)
        # A line that belongs to premises, and machines without a second place, never move.
        still = (machine & ~has_work) | ((kind == BUSINESS) & ~self._travels[persona])
        # Both SIMs sit in one device, unless a layer puts one into another.
        preference = PREFERENCE_OF_RAT[self._rat[entity]]
        home_cell = self._served(population.home[lead], entity, key, preference, Use.HOME)
        second = np.where(has_work, population.work[lead], population.home[lead])
        work_cell = self._served(second, entity, key, preference, Use.WORK)
        chronotype = self._chronotype[lead]
        range_class = _RANGE.sample(
            draws.bits(key, "range"), self._traveller[persona].astype(np.int64)
        ).astype(np.int64)
        range_class[fleet] = np.maximum(range_class[fleet], _FLEET_RANGE)
        few, many = _HISTORY
        return _People(
            entity=entity,
            lead=lead,
            key=key,
            kind=kind,
            preference=preference,
            home_cell=home_cell,
            home=terrain.site[home_cell].astype(np.int64),
            work_cell=work_cell,
            work=terrain.site[work_cell].astype(np.int64),
            works=has_work & ~still & ~fleet & (kind != VISITOR),
            still=still,
            fleet=fleet,
            nightly=chronotype == NIGHT_SHIFT,
            roving=_piece(bits, 1, np.where(kind == BUSINESS, _ROVING_FIRM, _ROVING_SHARE)),
            later=(np.array(CHRONOTYPE_HOURS) * _HOUR).astype(np.int64)[
                np.where(chronotype == OWL, OWL, 0)
            ],
            range_class=range_class,
            history=few + draws.below(draws.bits(key, "history"), many - few),
        )

    def _served(
        self,
        epoch_cell: npt.NDArray[np.int32],
        entity: Rows,
        key: Bits,
        preference: npt.NDArray[np.int8],
        use: Use,
    ) -> Rows:
        """Return the cell at home or work; another one on the site for who has another device."""
        cell = epoch_cell.astype(np.int64)
        before = PREFERENCE_OF_RAT[self._population.rat[entity]]
        rows = np.flatnonzero(before != preference)
        if rows.size:
            terrain = self._terrain
            site = terrain.site[cell[rows]].astype(np.int64)
            bits = _place_bits(key[rows], site)
            # An old device needs a site with older radio, if not this one then the nearest.
            pixel = terrain.pixel(terrain.east[site], terrain.north[site])
            near = terrain.near(pixel, preference[rows], bits)
            site = np.where(preference[rows] == OLD, near, site)
            cell[rows] = terrain.camp(site, preference[rows], bits, use)
        return cell

    def _cells(self, people: _People, site: Rows, at_work: Flags) -> Rows:
        """Return the cell of each stay: home's, work's, or the one on which the device camps.

        Who comes to a place may find another site of its surroundings serving there; the phone
        then keeps that until it leaves. At midnight the site depends on the day that ends.
        """
        cell = np.where(at_work, people.work_cell, people.home_cell)
        stop, rows = _pairs((site != people.home) & ~at_work)
        there = site[stop, rows]
        bits = _place_bits(people.key[rows], there)
        cell[stop, rows] = self._terrain.camp(there, people.preference[rows], bits, Use.VISIT)
        comes = np.ones(site.shape, dtype=np.bool_)
        comes[1:-1] = (site[1:-1] != site[:-2]) | (at_work[1:-1] != at_work[:-2])
        stop, rows = _pairs(comes & ~people.still)
        own = draws.bits(people.key[rows], "overlap")
        bits = self._arrivals(people.lead[rows], stop)
        edge = (bits & np.uint64(_UNIT - 1)) < _EDGE_LIMIT[own >> np.uint64(61)]
        # Overlap belongs to a place: which sites are heard there does not change.
        stop, rows, bits = stop[edge], rows[edge], bits[edge]
        there = self._terrain.site[cell[stop, rows]].astype(np.int64)
        order = _NEIGHBOUR.sample(draws.mix(bits)).astype(np.int64)
        first = draws.below(_place_bits(people.key[rows], there), NEIGHBOURS)
        preference = people.preference[rows]
        beside = self._terrain.neighbour(there, preference, (first + order) % NEIGHBOURS)
        use = np.where(site[stop, rows] == people.home[rows], Use.HOME, Use.VISIT)
        use = np.where(at_work[stop, rows], Use.WORK, use)
        cell[stop, rows] = self._terrain.camp(
            beside, preference, _place_bits(people.key[rows], beside), use
        )
        for number in range(1, STAYS - 1):
            np.copyto(cell[number], cell[number - 1], where=~comes[number])
        return cell

    def _arrivals(self, lead: Rows, stop: Rows) -> Bits:
        """Return the random bits of arrivals at stops; stop 0 is the last of the day before."""
        seed = self._config.seed
        streams = [
            draws.stream(seed, "mobility/arrival", date.number)
            for date in (self._before, self._today)
        ]
        key = draws.keys(0, lead) ^ np.array(streams, dtype=np.uint64)[(stop > 0).astype(np.int64)]
        return draws.events(key, np.where(stop > 0, stop, STAYS - 1))

    # Where somebody is based -----------------------------------------------------------------

    def _abroad(self, people: _People, number: int, start: int, stop: int) -> Flags:
        """Return whose trip abroad touches some seconds around a day."""
        found = np.zeros(len(people), dtype=np.bool_)
        for week in {
            (number + start // _SECONDS) // WEEK,
            (number + (stop - 1) // _SECONDS) // WEEK,
        }:
            found |= own_trips(
                self._config, self._population, self._placed, number, week, people.entity
            ).overlaps(start, stop)
        return found

    def _base(self, people: _People, date: _Date) -> tuple[Rows, Flags, Flags]:
        """Return where each sleeps after a day, whether that is a retreat, and who stays home.

        The last are those whose trip abroad touches the day or the next.
        """
        base = people.home.copy()
        waits = self._abroad(people, date.number, 0, 2 * _SECONDS)
        retreat = np.zeros(len(people), dtype=np.bool_)
        visitors = np.flatnonzero(people.kind == VISITOR)
        if visitors.size:
            base[visitors] = self._lodging(people, visitors, date)
        rows, number = self._retreats(people, date, waits)
        if rows.size:
            retreat[rows] = True
            base[rows] = haunts.place(
                self._terrain,
                people.key[rows],
                _RETREAT_NUMBER + number,
                people.home[rows],
                np.full(len(rows), haunts.RETREAT),
                people.preference[rows],
            )
        return base, retreat, waits

    def _retreats(self, people: _People, date: _Date, waits: Flags) -> tuple[Rows, Rows]:
        """Return who sleeps at a retreat after a day, and the number of its place."""
        week, night = divmod(date.number + 1, WEEK)  # nights from Friday's
        key = draws.keys(draws.stream(self._config.seed, "mobility/retreat", week), people.lead)
        bits = draws.bits(key, "goes")
        able = ((people.kind == PERSON) | (people.kind == BUSINESS)) & ~people.still & ~waits
        # Who looks for places far away goes away more often, too.
        eager = 0.4 + 0.3 * people.range_class
        friday = _MILLENNIUM + dt.timedelta(days=week * WEEK - 1)
        long_away = _LONG_AWAY * (_SUMMER if friday.month in (7, 8) else 1.0)
        uniform = draws.uniform(bits)
        goes = np.flatnonzero(able & (uniform < (_WEEKEND_AWAY + long_away) * eager))
        long = uniform[goes] < long_away * eager[goes]
        key = key[goes]
        first = draws.below(draws.bits(key, "first"), 2)
        last = np.where(long, 2 + draws.below(draws.bits(key, "last"), 5), 1)
        there = (first <= night) & (night <= last)
        other = 1 + draws.below(draws.bits(key, "other"), _OTHER_RETREATS)
        number = np.where(draws.chance(draws.bits(key, "favourite"), _FAVOURITE), 0, other)
        return goes[there], number[there]

    def _lodging(self, people: _People, visitors: Rows, date: _Date) -> Rows:
        """Return where visitors sleep after a day: some nights here, some nights there."""
        arrive, _, window = stays(self._config, date.number, people.lead[visitors])
        part = np.maximum(-arrive // _SECONDS, 0) // 3
        place = haunts.place(
            self._terrain,
            people.key[visitors],
            _RETREAT_NUMBER + window * 8 + part,
            people.home[visitors],
            np.full(len(visitors), haunts.RETREAT),
            people.preference[visitors],
        )
        return np.where(part == 0, people.home[visitors], place)

    def _at_work(self, people: _People, date: _Date) -> tuple[Flags, Flags]:
        """Return who works on a day, and who of them at home."""
        key = draws.keys(draws.stream(self._config.seed, "mobility/work", date.number), people.lead)
        bits, own = draws.bits(key, "day"), draws.bits(people.key, "work")
        weekends = _piece(own, 0, _WEEKEND_WORKER)
        due = np.where(weekends, _piece(bits, 0, 5 / 7), not date.free)
        day_off = ((own >> np.uint64(32)) % np.uint64(5)).astype(np.int64)
        part_time = _piece(own, 1, _PART_TIME) & (day_off == date.weekday)
        works = people.works & due & ~part_time & ~_piece(bits, 1, _LEAVE)
        student = self._student[self._population.persona[people.lead]]
        at_home = works & _piece(bits, 2, _HOME_OFFICE) & (people.kind == PERSON)
        return works, at_home & ~student & ~people.nightly

    def _late(self, people: _People, date: _Date, retreat: Flags, waits: Flags) -> Flags:
        """Return who stays out over UTC midnight after a day."""
        key = draws.keys(draws.stream(self._config.seed, "mobility/late", date.number), people.lead)
        chance = _LATE[{4: 0, 5: 1}.get(date.weekday, 2)]
        chance = np.where(people.later > 0, _OWL_LATE * chance, chance)
        late = draws.chance(key, chance) & (people.kind == PERSON)
        return late & ~retreat & ~waits & ~people.nightly

    # Stops -----------------------------------------------------------------------------------

    def _draft(self, people: _People) -> "_Draft":
        """Return where the nine stops are, and when and for how long."""
        nights = self._nights(people)
        kind, switch = self._kinds(people, nights)
        stop = np.arange(STAYS)[:, None]
        base = np.where(stop >= switch, nights.base, nights.base_before)
        shape = base.shape
        today = self._today.number
        draft = _Draft(
            kind=kind,
            switch=switch,
            dated=draws.keys(draws.stream(self._config.seed, "mobility/day", today), people.lead),
            site=base,
            at_work=np.zeros(shape, dtype=np.bool_),
            depart=np.zeros(shape, dtype=np.int64),
            dwell=np.zeros(shape, dtype=np.int64),
            errand=np.zeros(len(people), dtype=np.bool_),
        )
        self._working_hours(people, draft)
        self._outings(people, draft, self._present(people, draft, nights))
        self._changes(draft)
        self._midnights(people, draft, nights)
        return draft

    def _nights(self, people: _People) -> "_Nights":
        """Return where everybody is at both midnights, and what follows from that."""
        today, before = self._today, self._before
        base, retreat, waits = self._base(people, today)
        base_before, retreat_before, waits_before = self._base(people, before)
        works, at_home = self._at_work(people, today)
        shift_before = np.zeros(len(people), dtype=np.bool_)
        rows = np.flatnonzero(people.nightly)
        if rows.size:
            shift_before[rows] = self._at_work(_some(people, rows), before)[0]
        return _Nights(
            base=base,
            base_before=base_before,
            retreat=retreat,
            retreat_before=retreat_before,
            abroad=self._abroad(people, today.number, 0, _SECONDS),
            works=works,
            at_home=at_home,
            shift=people.nightly & works & ~retreat & ~waits,
            shift_before=shift_before & ~retreat_before & ~waits_before,
            late=self._late(people, today, retreat, waits),
            late_before=self._late(people, before, retreat_before, waits_before),
        )

    def _kinds(self, people: _People, nights: "_Nights") -> tuple[Rows, Rows]:
        """Return the type of everybody's day, and the stop from which on the new base counts."""
        leaves = nights.retreat & ~nights.retreat_before
        friday = self._today.weekday == _FRIDAY
        office = nights.works & ~nights.at_home & ~nights.retreat_before
        office &= ~nights.retreat | (leaves & friday)
        kind = np.select(
            [
                people.still | nights.abroad,
                people.fleet,
                people.kind == VISITOR,
                people.nightly,
                office & people.roving,
                office,
                nights.at_home,
            ],
            [_STILL, _FLEET, _TOURIST, _NIGHTLY, _ROVING, _WORKING, _HOMEWORK],
            _FREE,
        )
        visitors = np.flatnonzero(people.kind == VISITOR)
        if visitors.size:
            arrive, depart, _ = stays(self._config, self._today.number, people.lead[visitors])
            kind[visitors[(arrive >= _SECONDS) | (depart <= 0)]] = _STILL
        switch = np.where(leaves, np.where(office, 7, 3), 4)
        switch[visitors] = 3
        return kind, np.where(nights.base == nights.base_before, STAYS, switch)

    def _utc(self, people: _People, hours: float, spread: float, bits: Bits) -> Rows:
        """Return seconds of the UTC day of a local hour, at most `spread` hours later."""
        start = int(hours * _HOUR) - self._offset
        return start + people.later + draws.below(bits, int(spread * _HOUR))

    def _working_hours(self, people: _People, draft: "_Draft") -> None:
        """Put workers at their place from its start to its end."""
        rows = np.flatnonzero((draft.kind == _WORKING) | (draft.kind == _ROVING))
        key, dated = people.key[rows], draft.dated[rows]
        start = _START.sample(draws.bits(key, "start")).astype(np.int64)
        length = _LENGTH.sample(draws.bits(key, "length")).astype(np.int64)
        bits = draws.bits(dated, "hours")
        start += people.later[rows] - self._offset - _JITTER
        start += _below_16(bits, 0, 2 * _JITTER)
        end = start + length - _JITTER + _below_16(bits, 1, 2 * _JITTER)
        draft.site[2:6, rows] = people.work[rows]
        draft.at_work[2:6, rows] = True
        draft.depart[2, rows] = start
        draft.depart[6, rows] = end
        # Who calls on customers may end the day with one; others go out after work.
        draft.depart[5, rows] = np.where(draft.kind[rows] == _WORKING, end, 0)

    def _present(self, people: _People, draft: "_Draft", nights: "_Nights") -> Flags:
        """Return which of the stops 1 to 7 happen that are not fixed; shape (9, people)."""
        bits = [draws.bits(draft.dated, "stops/early"), draws.bits(draft.dated, "stops/late")]
        # Some people go out a third as often as others.
        habit = 0.5 + draws.uniform(draws.bits(people.key, "goes out"))
        habit[draft.kind == _FLEET] = _FLEET_AT_REST if self._today.free else 1.0
        present = np.zeros((STAYS, len(people)), dtype=np.bool_)
        for stop in range(1, STAYS - 1):
            chance = _CHANCES[draft.kind, stop - 1] * habit
            present[stop] = _piece(bits[stop // 4], stop % 4, chance)
        elsewhere = nights.late_before | nights.shift_before
        present[1:3] &= ~elsewhere & (draft.switch != 3)
        present[4:6] &= draft.switch != 4
        present[7] &= (draft.switch != 7) & ~nights.shift
        present[7] |= nights.late
        tours = draft.kind == _FLEET
        present[2] &= present[1] | tours | (draft.kind == _ROVING)
        present[5] &= present[4] | tours | (draft.kind == _WORKING) | (draft.kind == _ROVING)
        return present

    def _outings(self, people: _People, draft: "_Draft", present: Flags) -> None:
        """Find the places of the stops that happen, and how long they take."""
        working = (draft.kind == _WORKING) | (draft.kind == _ROVING)
        stops, rows = _pairs(present)
        kind = draft.kind[rows]
        site = self._places(people, draft.site[stops, rows], kind, rows, stops, self._today.number)
        draft.site[stops, rows] = site
        draft.at_work[stops, rows] = False
        draft.errand[:] = present[1] & (draft.kind == _WORKING)
        tours = draft.kind == _FLEET
        # A stop that is left out has the place of the one before.
        for stop, copies in ((2, ~working), (3, tours), (5, ~working), (6, tours), (7, tours)):
            copied = ~present[stop] & copies & (draft.switch != stop)
            np.copyto(draft.site[stop], draft.site[stop - 1], where=copied)
        key = draws.events(draft.dated[rows], stops)
        bits = draws.bits(key, "when")
        template = _TEMPLATE_OF_KIND[kind]
        least, spread = _DWELL_MINUTES[template, stops].T
        draft.dwell[stops, rows] = (least + draws.below(bits, spread)) * 60
        first, width = _OUT_SECONDS[template, stops].T
        earliest = first - self._offset + people.later[rows] + _below_16(bits, 0, width)
        draft.depart[stops, rows] = np.where(width > 0, earliest, draft.depart[stops, rows])
        # Tours begin in the morning, whichever is the first.
        fleet = np.flatnonzero(tours)
        hours, spread = _OUT_AT[_TEMPLATE_OF_KIND[_FLEET]][1]
        bits = draws.bits(draft.dated[fleet], "tours")
        draft.depart[1, fleet] = self._utc(_some(people, fleet), hours, spread, bits)

    def _places(
        self, people: _People, base: Rows, kind: Rows, rows: Rows, stops: Rows, day: int
    ) -> Rows:
        """Return the sites of outings.

        Args:
            people: The people.
            base: Site around which somebody away from home looks, per outing.
            kind: Type of the day per outing.
            rows: Row in `people` per outing.
            stops: Stop per outing.
            day: Number of the day.
        """
        person, home = people.key[rows], people.home[rows]
        life = day - self._epoch + people.history[rows]  # days since visits count
        order = np.where(kind == _WORKING, _VISIT_OF_STOP[stops], _VISIT_OF_FREE_STOP[stops])
        visit = life * _VISITS_PER_DAY + order
        calls = (kind == _ROVING) & (stops < 6)
        tours = (kind == _FLEET) | calls
        visit = np.where(tours, life * _TOURS_PER_DAY + stops - 1, visit)
        lunch = (kind == _WORKING) & (stops == 3)
        office = (kind == _WORKING) | (kind == _ROVING)
        away = (base != home) & ~office | (kind == _TOURIST)
        # Lunch places and customers are apart from the places of one's own.
        person = np.where(lunch, draws.bits(person, "lunch"), person)
        person = np.where(calls, draws.bits(person, "customers"), person)
        number = haunts.first_visit(person, np.where(lunch, life, visit))
        number = np.where(away, _AWAY_NUMBER + visit, number)
        around_work = draws.chance(draws.bits(draws.events(person, number), "around"), _AROUND_WORK)
        around_work |= calls
        around_work &= people.works[rows] & ~away
        anchor = np.where(lunch | around_work, people.work[rows], home)
        away_class = np.where(kind == _TOURIST, _TOURIST_RANGE, _RETREAT_RANGE)
        distance = np.where(away, away_class, people.range_class[rows])
        return haunts.place(
            self._terrain,
            person,
            number,
            np.where(away, base, anchor),
            np.where(lunch, haunts.NEAR_WORK, distance),
            people.preference[rows],
        )

    def _changes(self, draft: "_Draft") -> None:
        """Set when people leave for a retreat or come back."""
        for stop, (hours, spread) in _CHANGE.items():
            rows = np.flatnonzero(draft.switch == stop)
            bits = draws.bits(draft.dated[rows], "change")
            earliest = int(hours * _HOUR) - self._offset + draws.below(bits, int(spread * _HOUR))
            draft.depart[stop, rows] = np.maximum(draft.depart[stop, rows], earliest)

    def _midnights(self, people: _People, draft: "_Draft", nights: "_Nights") -> None:
        """Set the first and last stops of who works or is out at a midnight."""
        bits = draws.bits(draft.dated, "morning")
        draft.depart[8] = self._utc(people, *_EVENING_CHANGE, draws.mix(bits.copy()))
        rows = np.flatnonzero(nights.shift_before)
        draft.site[0, rows], draft.at_work[0, rows] = people.work[rows], True
        draft.depart[1, rows] = self._utc(_some(people, rows), *_SHIFT_ENDS, bits[rows])
        rows = np.flatnonzero(nights.shift)
        draft.site[7:9, rows], draft.at_work[7:9, rows] = people.work[rows], True
        draft.depart[7, rows] = self._utc(_some(people, rows), *_SHIFT_STARTS, bits[rows])
        rows = np.flatnonzero(nights.late)
        draft.site[8, rows] = draft.site[7, rows]
        rows = np.flatnonzero(nights.late_before)
        if rows.size:
            stop, free = np.full(len(rows), 7), np.full(len(rows), _FREE)
            home = people.home[rows]
            day = self._before.number
            draft.site[0, rows] = self._places(people, home, free, rows, stop, day)
            start, spread = _LATE_HOME
            # In summer UTC midnight is later than that by the local clock.
            earliest = max(int(start * _HOUR) - self._offset, _FIRST_SECOND)
            late = earliest + draws.below(bits[rows], int(spread * _HOUR))
            draft.depart[1, rows] = np.maximum(draft.depart[1, rows], late)

    # Times -----------------------------------------------------------------------------------

    def _times(self, draft: "_Draft", cells: Rows) -> Rows:
        """Return departures and arrivals of the eight moves in turn, shape (16, people).

        Every move takes its time. The cells are changed (in place) for who would be on the way all
        day.
        """
        site, depart, dwell = draft.site, draft.depart, draft.dwell
        travel = self._travel(draft, cells)
        rows = np.flatnonzero(travel.sum(axis=0) > _MOST_TRAVEL)
        if rows.size:
            # Nothing but the night place then.
            cells[1:-1, rows], site[1:-1, rows] = cells[0, rows], site[0, rows]
            depart[1:-1, rows], dwell[1:-1, rows] = 0, 0
            travel[:, rows] = self._travel(draft, cells)[:, rows]
        # Who works has to be there in time, also with an errand before.
        working = (draft.kind == _WORKING) | (draft.kind == _ROVING)
        depart[2] -= np.where(working, travel[2], 0)
        errand = depart[2] - dwell[1] - travel[1]
        depart[1] = np.where(draft.errand, errand, depart[1])
        # Who comes home from an evening does not wait outside.
        depart[8] = np.where(site[8] != site[7], 0, depart[8])
        bounds = np.empty((BOUNDS, site.shape[1]), dtype=np.int64)
        # At midnight everybody is where the day before ends.
        arrive = np.full(site.shape[1], _FIRST_SECOND)
        for stop in range(1, STAYS):
            start = np.maximum(depart[stop], arrive + dwell[stop - 1])
            arrive = start + travel[stop]
            bounds[2 * stop - 2], bounds[2 * stop - 1] = start, arrive
        # The day ends before midnight, for each a while of its own; what comes before gives way.
        bits = draws.bits(draft.dated, "ends")
        spread = np.maximum(_below_16(bits, 0, _DAY_ENDS), _below_16(bits, 1, _DAY_ENDS))
        latest = _SECONDS - 1 - spread
        for stop in reversed(range(1, STAYS)):
            arrive = np.minimum(bounds[2 * stop - 1], latest)
            latest = np.minimum(bounds[2 * stop - 2], arrive - travel[stop])
            bounds[2 * stop - 2], bounds[2 * stop - 1] = latest, arrive
        return bounds

    def _travel(self, draft: "_Draft", cells: Rows) -> Rows:
        """Return the seconds of the ways to the stops, from antenna to antenna; 0 without a way."""
        planned, site = draft.site, self._terrain.site[cells].astype(np.int64)
        travel = np.zeros_like(planned)
        slowest, spread = _PACE
        pace = slowest + draws.below(draws.bits(draft.dated, "pace"), spread)
        stops, rows = _pairs((site[1:] != site[:-1]) | (planned[1:] != planned[:-1]))
        metres = self._terrain.ways(site[stops, rows], site[stops + 1, rows]).metres
        seconds = self._terrain.travel_seconds(metres) * pace[rows] >> 10
        # Who finds another site serving at the same place has not gone far.
        same = planned[stops, rows] == planned[stops + 1, rows]
        travel[stops + 1, rows] = np.where(same, metres // _DRIFT, seconds)
        return travel


@dataclass(frozen=True)
class _Nights:
    """Both midnights of a day; an element per entity."""

    base: Rows
    base_before: Rows
    retreat: Flags
    retreat_before: Flags
    abroad: Flags
    works: Flags
    at_home: Flags
    shift: Flags
    shift_before: Flags
    late: Flags
    late_before: Flags


@dataclass(frozen=True)
class _Draft:
    """A day in the making: an element per entity, or a row per stop and a column per entity.

    Attributes:
        kind: Type of the day.
        switch: Stop from which on the base is the new one.
        dated: Key of the entity and the day.
        site: Site of each stop.
        at_work: Whether that is the place of work.
        depart: Earliest departure to the stop, in seconds of the UTC day.
        dwell: Least duration of the stop.
        errand: Whether there is an errand before work.
    """

    kind: Rows
    switch: Rows
    dated: Bits
    site: Rows
    at_work: Flags
    depart: Rows
    dwell: Rows
    errand: Flags


def _some(people: _People, rows: Rows) -> _People:
    """Return some of the people."""
    return _People(**{field.name: getattr(people, field.name)[rows] for field in fields(people)})


def _pairs(mask: Flags) -> tuple[Rows, Rows]:
    """Return stop and column where a mask of shape (stops, people) is true, in order."""
    flat = np.flatnonzero(mask)
    edges = np.searchsorted(flat, np.arange(1, len(mask)) * mask.shape[1])
    stop = np.repeat(np.arange(len(mask)), np.diff(edges, prepend=0, append=len(flat)))
    return stop, flat - stop * mask.shape[1]


def _piece(bits: Bits, number: int, probability: "float | npt.NDArray[np.float64]") -> Flags:
    """Return True with a probability (to 1/65,536), from one of the four quarters of the bits."""
    quarter = (bits >> np.uint64(16 * number)) & np.uint64(_UNIT - 1)
    return quarter.astype(np.float64) < np.multiply(probability, _UNIT)


def _below_16(bits: Bits, number: int, bound: "int | Rows") -> Rows:
    """Return integers below a bound from one of the four quarters of the bits."""
    quarter = ((bits >> np.uint64(16 * number)) & np.uint64(_UNIT - 1)).astype(np.int64)
    return quarter * bound >> 16


def _place_bits(key: Bits, site: Rows) -> Bits:
    """Return the bits from which a person's cell at a site is chosen."""
    return draws.bits(draws.events(key, site), "cell")
