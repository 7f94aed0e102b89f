"""Data sessions, messages and location updates follow the state of the cell that serves them."""

import datetime as dt
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE, day_start
from telco_pipeline.generators import Inputs
from telco_pipeline.state.network import NetworkDay
from telco_pipeline_tests.generators.kit import inputs_of, make_day, small_world
from telco_pipeline_tests.generators.test_semantics import holds
from telco_pipeline_tests.networks import HandBook, network_day, worse

DATE = dt.date(2026, 1, 14)
SOUND = {
    "block_probability": 0.0,
    "data_failure": 0.0,
    "drop_probability": 0.0,
    "handover_failure": 0.0,
    "voice_failure": 0.0,
    "signalling_failure": 0.0,
}
"""A network in which nothing fails."""
OUT = (10 * HOUR + 17 * MINUTE, 12 * HOUR + 40 * MINUTE)
"""An outage, in microseconds of the day."""

REFUSED = pl.col("record_type").cast(pl.String) == "sGWRecord"
END = pl.col("event_time") + pl.duration(seconds=pl.col("duration"))


@dataclass(frozen=True)
class World:
    """A world, and its records in networks made by hand."""

    inputs: Inputs

    @property
    def cells(self) -> pl.Series:
        """Keys of the cells."""
        return self.inputs.cells.cell_id

    def network(self, **given: object) -> NetworkDay:
        """Return a network of this world (arguments of `network_day`)."""
        return network_day(len(self.cells), self.inputs.plant.takers, **given)  # type: ignore[arg-type]

    def records(self, name: str, network: NetworkDay, day: dt.date = DATE) -> pl.DataFrame:
        """Return a day's records of a dataset; the outages are of that day alone."""
        HandBook(self.inputs, without_outages(network)).on[day] = network
        return make_day(self.inputs, name, day)

    def beyond_help(self) -> list[int]:
        """Return the cells of a whole area, in whose middle nothing takes over for anything."""
        area = self.inputs.cells.area
        return np.flatnonzero(area == area[self.busiest()]).tolist()

    def busiest(self, rat: str = "EUTRAN") -> int:
        """Return the row of the cell of a radio access in which most sessions start at home."""
        rows = healthy_data().filter(pl.col("rat_type").cast(pl.String) == rat)
        found = rows["cell_id"].drop_nulls().value_counts(sort=True)["cell_id"][0]
        return int(self.cells.index_of(found))  # type: ignore[arg-type]


def without_outages(network: NetworkDay) -> NetworkDay:
    """Return the same network with all cells in service all day."""
    none = np.zeros(0, dtype=np.int64)
    return replace(
        network,
        has_outage=np.zeros(network.cells, dtype=np.bool_),
        outage_cell=none,
        outage_start=none,
        outage_end=none,
    )


@cache
def world() -> World:
    return World(inputs_of(small_world(subscribers=4000, part_size=4096)))


@cache
def healthy_data() -> pl.DataFrame:
    return world().records("cdrs_data", world().network())


def _moment(time: int) -> dt.datetime:
    return dt.datetime.fromtimestamp((day_start(DATE) + time) / 1e6, dt.UTC)


def _changed(before: pl.DataFrame, after: pl.DataFrame, key: str) -> pl.Series:
    """Return the keys under which some row is not the same."""
    hashed = [
        frame.select(key, hash=frame.hash_rows(seed=1)).sort(key, "hash")
        for frame in (before, after)
    ]
    both = [frame.group_by(key, maintain_order=True).agg("hash") for frame in hashed]
    joined = both[0].join(both[1], on=key, how="full", coalesce=True, suffix="_after")
    return joined.filter(~pl.col("hash").eq_missing(pl.col("hash_after")))[key]


# Load ----------------------------------------------------------------------------------------


def test_a_worse_hour_of_one_cell_changes_what_touches_it_only() -> None:
    cell, hour = world().busiest(), 18
    before = healthy_data()
    halved = worse(
        world().network(),
        cell,
        hour,
        throughput_factor=0.15,
        latency_added=60.0,
        loss_added=2.0,
        block_probability=0.2,
        drop_probability=0.1,
        handover_failure=0.3,
    )
    after = world().records("cdrs_data", halved)
    name = world().cells[cell]
    changed = _changed(before, after, "charging_id")
    inside = pl.col("event_time").is_between(_moment((hour - 1) * HOUR), _moment((hour + 1) * HOUR))
    there = (pl.col("cell_id") == name) | (pl.col("last_cell_id") == name)
    # Two changes of the cell lead through one that no record of the session names.
    through = pl.col("handovers") >= 2
    touch = pl.concat([before, after]).filter(inside & (there | through))["charging_id"].unique()
    assert changed.is_in(touch.implode()).all()
    started = before.filter(
        pl.col("event_time").dt.hour() == hour, pl.col("cell_id") == name, ~REFUSED
    )
    assert started.height > 30
    # Whatever begins in the cell in that hour has another quality.
    assert started["charging_id"].is_in(changed.implode()).all()
    # All else is equal row by row.
    rest = [
        frame.filter(~pl.col("charging_id").is_in(changed.implode())) for frame in (before, after)
    ]
    assert rest[0].height > 0.99 * before.height
    assert_frame_equal(*rest)
    both = before.join(after, on="event_id", suffix="_after").filter(
        pl.col("charging_id").is_in(started["charging_id"].implode())
        & (pl.col("event_time").dt.hour() == hour)
        & pl.col("latency").is_not_null()
        & pl.col("latency_after").is_not_null()
    )
    later = both["latency_after"] - both["latency"]
    assert ((later - (60.0 - 1.7)).abs() < 0.2).mean() > 0.9
    assert both["packet_loss_after"].mean() > both["packet_loss"].mean() + 1.0
    slower = both.filter(pl.col("data_volume_downlink") > 100_000)
    assert (slower["throughput_downlink_after"] <= slower["throughput_downlink"]).mean() > 0.95
    refused = after.filter(
        REFUSED, pl.col("cell_id") == name, pl.col("event_time").dt.hour() == hour
    )
    assert 0.08 < refused.height / started.height < 0.4


def test_a_session_in_a_slow_cell_lasts_longer_or_carries_less() -> None:
    fast, slow = (
        world().records("cdrs_data", world().network(throughput_factor=factor, **SOUND))
        for factor in (0.7, 0.05)
    )
    total = [pl.col("duration").sum(), pl.col("data_volume_downlink").sum().alias("down")]
    both = (
        fast.group_by("charging_id")
        .agg(*total, pl.col("roaming", "event_time").first(), pl.col("handovers").sum())
        .join(slow.group_by("charging_id").agg(*total), on="charging_id", suffix="_slow")
        .filter(~pl.col("roaming") & (pl.col("handovers") == 0))
        # Those whole within the day.
        .filter(pl.col("event_time").dt.hour().is_between(1, 21))
    )
    assert both.height > 50_000
    # A change of the cell that comes as it lasts longer may take some of the volume.
    holds(both, pl.col("duration_slow") >= pl.col("duration"))
    assert (both["down_slow"] <= both["down"]).all()
    assert (both["duration_slow"] > both["duration"]).mean() > 0.05
    assert both["down_slow"].sum() < 0.95 * both["down"].sum()
    large = [
        frame.filter(
            ~pl.col("roaming"),
            pl.col("rat_type").cast(pl.String) == "EUTRAN",
            pl.col("data_volume_downlink") > 2_000_000,
        )["throughput_downlink"].median()
        for frame in (fast, slow)
    ]
    assert large[1] < 0.15 * large[0]


def test_the_mean_rate_of_a_record_is_within_its_throughput() -> None:
    for factor in (1.0, 0.1):
        rows = world().records("cdrs_data", world().network(throughput_factor=factor))
        for way in ("downlink", "uplink"):
            mean = pl.col(f"data_volume_{way}") * 8 / 1000 / (pl.col("duration") + 0.5)
            holds(rows, pl.col(f"throughput_{way}") + 0.5 >= mean)
            some = pl.col(f"data_volume_{way}") > 0
            holds(rows, (pl.col(f"throughput_{way}") > 0) == some)


# Admission -----------------------------------------------------------------------------------


def test_a_refused_attempt_leaves_a_record_without_volume() -> None:
    given = {**SOUND, "block_probability": 0.1, "data_failure": 0.05}
    rows = world().records("cdrs_data", world().network(**given))
    refused, others = rows.filter(REFUSED), rows.filter(~REFUSED)
    for column in ("duration", "data_volume_uplink", "data_volume_downlink", "handovers"):
        holds(refused, pl.col(column) == 0)
    holds(refused, (pl.col("throughput_downlink") == 0) & (pl.col("throughput_uplink") == 0))
    holds(refused, pl.col("cause_for_rec_closing") == 4)
    holds(refused, pl.col("recording_entity") == pl.col("serving_node"))
    holds(refused, pl.col("cell_id") == pl.col("last_cell_id"))
    holds(refused, pl.col("latency").is_null() & pl.col("packet_loss").is_null())
    holds(refused, ~pl.col("roaming") & (pl.col("record_sequence_number") == 1))
    assert refused["charging_id"].is_unique().all()
    assert not refused["charging_id"].is_in(others["charging_id"].implode()).any()
    assert others["diagnostics"].null_count() == others.height
    assert others["latency"].null_count() == others["packet_loss"].null_count() == 0
    # Nothing else is lost abnormally in this network.
    holds(others, pl.col("cause_for_rec_closing").is_in([0, 17, 22]) | pl.col("roaming"))
    home = rows.filter(~pl.col("roaming") & (pl.col("record_sequence_number") == 1))
    assert set(refused["diagnostics"].unique()) == {26, 38}
    for cause, share in ((26, 0.1), (38, 0.05)):
        found = (refused["diagnostics"] == cause).sum() / home.height
        assert abs(found / share - 1) < 0.05, cause


def test_where_everything_is_refused_nothing_else_is_left() -> None:
    rows = world().records("cdrs_data", world().network(**{**SOUND, "block_probability": 1.0}))
    today = pl.col("record_sequence_number") == 1
    # What came over from the day before, and who is abroad.
    begun = rows.filter(~pl.col("roaming") & today & (pl.col("event_time") > _moment(2 * MINUTE)))
    holds(begun, REFUSED & (pl.col("diagnostics") == 26))


# Losses --------------------------------------------------------------------------------------


def test_sessions_are_lost_in_proportion_to_their_length() -> None:
    rows = world().records("cdrs_data", world().network(**{**SOUND, "drop_probability": 0.02}))
    sound = world().records("cdrs_data", world().network(**SOUND))
    home = ~pl.col("roaming")
    kept = sound.filter(home).group_by("charging_id").agg(pl.col("duration").sum().alias("length"))
    lost = rows.filter(home, pl.col("cause_for_rec_closing") == 4)
    by_length = kept.with_columns(lost=pl.col("charging_id").is_in(lost["charging_id"].implode()))
    # Of all sessions the part that the state says of one of usual length.
    assert 0.017 < by_length["lost"].mean() < 0.023
    long = by_length.filter(pl.col("length").is_between(200, 400))["lost"].mean()
    short = by_length.filter(pl.col("length").is_between(20, 40))["lost"].mean()
    assert 5 < long / short < 20
    pairs = lost.group_by("charging_id").agg(pl.col("duration").sum()).join(kept, on="charging_id")
    cut = pairs.filter(pl.col("length") > 60)
    assert (cut["duration"] < cut["length"]).mean() > 0.9
    assert 0.4 < (cut["duration"] / cut["length"]).mean() < 0.6
    assert (sound.filter(home)["cause_for_rec_closing"] != 4).all()


def test_handovers_fail_as_the_cell_that_is_left_says() -> None:
    rows = world().records("cdrs_data", world().network(**{**SOUND, "handover_failure": 0.1}))
    home = rows.filter(~pl.col("roaming"))
    assert home["handovers"].sum() > 2000
    failed = home["handovers_failed"].sum() / (home["handovers"] + home["handovers_failed"]).sum()
    # Some lead to an older generation and fail four times as often.
    assert 0.1 < failed < 0.2
    lost = home.filter(pl.col("cause_for_rec_closing") == 4)
    holds(lost, pl.col("handovers_failed") > 0)
    assert 0.07 < lost.height / home["handovers_failed"].sum() < 0.2
    holds(home, (pl.col("cell_id") == pl.col("last_cell_id")) | (pl.col("handovers") > 0))
    sound = world().records("cdrs_data", world().network(**SOUND))
    assert (sound["handovers_failed"] == 0).all()


# Outages -------------------------------------------------------------------------------------


def _names(cells: list[int]) -> list[str]:
    return [world().cells[cell] for cell in cells]


def test_an_outage_cuts_sessions_and_nothing_starts_in_a_dead_cell() -> None:
    # Where the state of all other cells is sound, what is lost is lost by the outage.
    cell = world().busiest()
    before = world().records("cdrs_data", world().network(**SOUND))
    after = world().records("cdrs_data", world().network(outages=[(cell, *OUT)], **SOUND))
    name, start, end = world().cells[cell], _moment(OUT[0]), _moment(OUT[1])
    inside = pl.col("event_time").is_between(start, end, closed="left")
    there = pl.col("cell_id") == name
    assert before.filter(there & inside).height > 30
    assert after.filter(there & inside).height == 0
    second = dt.timedelta(seconds=1)
    up = before.filter(there & (pl.col("handovers") == 0), pl.col("event_time") < start)
    up = up.filter((END - start) > second)
    assert up.height > 0
    cut = after.filter(pl.col("event_id").is_in(up["event_id"].implode()))
    assert cut.height == up.height
    holds(cut, pl.col("cause_for_rec_closing") == 4)
    holds(cut, (END - start).abs() <= second)
    less = cut.join(up, on="event_id", suffix="_whole")
    volume = pl.col("data_volume_downlink") + pl.col("data_volume_uplink")
    whole = pl.col("data_volume_downlink_whole") + pl.col("data_volume_uplink_whole")
    holds(less, volume <= whole)
    # Nobody stays in the cell beyond the minute, and others take its sessions over.
    still = after.filter((pl.col("last_cell_id") == name) & (pl.col("event_time") < start))
    holds(still, (END - start) <= second)
    taken = before.filter(there & inside).join(after, on="event_id", suffix="_after")
    assert taken.height > 30
    takers = _names(world().inputs.plant.takers[cell].tolist())
    assert taken["cell_id_after"].is_in(takers).all()
    lost = after.filter(~pl.col("roaming"), pl.col("cause_for_rec_closing") == 4)
    holds(lost, (END - start).abs() <= second)


def test_without_a_cell_that_takes_over_there_are_no_sessions() -> None:
    cell = world().busiest()
    takers = [other for other in world().inputs.plant.takers[cell].tolist() if other >= 0]
    dead = [(one, *OUT) for one in (cell, *takers)]
    before = healthy_data()
    after = world().records("cdrs_data", world().network(outages=dead))
    start, end = _moment(OUT[0]), _moment(OUT[1])
    inside = pl.col("event_time").is_between(start, end, closed="left")
    first = pl.col("record_sequence_number") == 1
    lost = before.filter(inside & first & (pl.col("cell_id") == world().cells[cell]))
    assert lost.height > 30
    assert not lost["charging_id"].is_in(after["charging_id"].implode()).any()
    assert after.filter(inside, pl.col("cell_id").is_in(_names([cell, *takers]))).height == 0
    afterwards = before.filter(
        pl.col("event_time") > end, first, pl.col("cell_id") == world().cells[cell]
    )
    assert afterwards["charging_id"].is_in(after["charging_id"].implode()).all()


def test_phones_without_nr_are_not_taken_over_by_nr() -> None:
    rat = world().inputs.cells.rat
    lte, nr = (list(world().inputs.cells.rat).index(code) for code in (3, 6))
    takers = world().inputs.plant.takers.copy()
    cell = world().busiest()
    takers[cell] = -1
    takers[cell, :2] = nr, lte
    assert rat[cell] == 3
    network = network_day(len(world().cells), takers, outages=[(cell, *OUT)])
    after = world().records("cdrs_data", network)
    moved = healthy_data().join(after, on="event_id", suffix="_after")
    moved = moved.filter(
        pl.col("cell_id") == world().cells[cell],
        pl.col("event_time").is_between(_moment(OUT[0]), _moment(OUT[1]), closed="left"),
    )
    there = moved.group_by("cell_id_after", "rat_type_after").len()
    assert set(there["cell_id_after"]) <= set(_names([nr, lte]))
    devices = world().inputs.frames["devices"].select("device_id", "best_rat")
    subscribers = world().inputs.frames["subscribers"].select("subscriber_id", "device_id")
    able = moved.join(subscribers, on="subscriber_id").join(devices, on="device_id")
    on_nr = able.filter(pl.col("cell_id_after") == world().cells[nr])
    assert able.height > on_nr.height > 0
    # Some have bought another phone since the epoch.
    assert (on_nr["best_rat"].cast(pl.String) == "NR").mean() > 0.7


# Location updates ----------------------------------------------------------------------------


def _other_area(cell: int) -> int:
    """Return a cell of the same radio access in another area."""
    cells = world().inputs.cells
    same = (cells.rat == cells.rat[cell]) & (cells.area != cells.area[cell])
    return int(np.flatnonzero(same)[0])


def test_phones_of_a_dead_cell_come_up_where_another_takes_over_and_go_back() -> None:
    cell = world().busiest()
    taker, takers = _other_area(cell), world().inputs.plant.takers.copy()
    takers[cell] = -1
    takers[cell, 0] = taker
    made = [
        world().records(
            "location_updates", network_day(len(world().cells), takers, outages=out, **SOUND)
        )
        for out in ([], [(cell, *OUT)])
    ]
    area = pl.col("update_type").cast(pl.String) == "tracking area change"
    waves = []
    for time, there in ((OUT[0], taker), (OUT[1], cell)):
        inside = pl.col("event_time").is_between(_moment(time), _moment(time + 90 * 1_000_000))
        wave = [
            frame.filter(area & inside & (pl.col("cell_id") == world().cells[there]))
            for frame in made
        ]
        assert wave[1].height >= wave[0].height + 5
        waves.append(wave[1])
        # Not all at once.
        seconds = wave[1]["event_time"].dt.epoch("s")
        assert seconds.n_unique() > 0.7 * wave[1].height
    gone, back = waves
    assert (gone["tac"] != gone["previous_tac"]).all()
    assert gone["subscriber_id"].is_unique().all()
    stayed = gone["subscriber_id"].is_in(back["subscriber_id"].implode())
    assert stayed.mean() > 0.5
    # Nothing is heard from the dead cell.
    dead = pl.col("event_time").is_between(_moment(OUT[0]), _moment(OUT[1]), closed="left")
    assert made[1].filter(dead & (pl.col("cell_id") == world().cells[cell])).height == 0
    # Who was not there has the same updates.
    touched = pl.concat(made).filter(
        pl.col("cell_id").is_in(_names([cell, taker]))
        | pl.col("subscriber_id").is_in(gone["subscriber_id"].implode())
    )
    rest = [
        frame.filter(~pl.col("subscriber_id").is_in(touched["subscriber_id"].implode()))
        for frame in made
    ]
    assert rest[0].height > 0.8 * made[0].height
    assert_frame_equal(*rest)


def test_who_has_lost_service_attaches_when_it_is_back() -> None:
    dead = world().beyond_help()
    before, after = (
        world().records("location_updates", world().network(outages=out, **SOUND))
        for out in ([], [(one, *OUT) for one in dead])
    )
    attach = pl.col("update_type").cast(pl.String) == "attach"
    back = pl.col("event_time").is_between(_moment(OUT[1]), _moment(OUT[1] + 90 * 1_000_000))
    there = pl.col("cell_id").is_in(_names(dead))
    storm = after.filter(attach & back & there)
    assert storm.height > before.filter(attach & back & there).height + 50
    # When it was lost they tried cells further away, which refused.
    refused = after.filter(pl.col("cause") == 15)
    holds(refused, pl.col("event_time") >= _moment(OUT[0]))
    assert refused.filter(pl.col("event_time") < _moment(OUT[0] + 90 * 1_000_000)).height > 20
    assert not refused["cell_id"].is_in(_names(dead)).any()
    assert (before["cause"] == 0).all()
    assert storm["subscriber_id"].is_unique().all()
    # Not all at once.
    assert storm["event_time"].dt.epoch("s").n_unique() > 60
    dark = pl.col("event_time").is_between(_moment(OUT[0]), _moment(OUT[1]), closed="left")
    assert after.filter(dark & there).height == 0


def test_an_outage_over_midnight_has_its_wave_on_the_new_day() -> None:
    cell = world().busiest()
    taker, takers = _other_area(cell), world().inputs.plant.takers.copy()
    takers[cell] = -1
    takers[cell, 0] = taker
    sound, out = (
        network_day(len(world().cells), takers, outages=lost, **SOUND)
        for lost in ([], [(cell, 0, DAY)])
    )
    book = HandBook(world().inputs)
    book.on = {DATE - dt.timedelta(days=1): sound, DATE: out}
    fresh = make_day(world().inputs, "location_updates", DATE)
    book = HandBook(world().inputs)
    book.on = {DATE - dt.timedelta(days=1): out, DATE: out}
    lasting = make_day(world().inputs, "location_updates", DATE)
    early = pl.col("event_time") < _moment(90 * 1_000_000)
    there = (pl.col("cell_id") == world().cells[taker]) & (
        pl.col("update_type").cast(pl.String) == "tracking area change"
    )
    assert fresh.filter(early & there).height >= lasting.filter(early & there).height + 5


def test_rejects_follow_the_state() -> None:
    given = {**SOUND, "block_probability": 0.1, "signalling_failure": 0.05}
    rows = world().records("location_updates", world().network(**given))
    asked = rows.filter(~pl.col("update_type").cast(pl.String).is_in(["detach", "cell change"]))
    assert abs((asked["cause"] == 22).mean() - 0.1) < 0.015
    assert abs((asked["cause"] == 17).mean() - 0.05) < 0.01
    assert set(rows["cause"].unique()) == {0, 17, 22}
    following = asked.sort("subscriber_id", "event_time").with_columns(
        pl.col("event_time", "cause").shift(-1).over("subscriber_id").name.prefix("next_")
    )
    rejected = following.filter(
        (pl.col("cause") != 0) & (pl.col("event_time") < _moment(23 * HOUR))
    )
    wait = (rejected["next_event_time"] - rejected["event_time"]).dt.total_milliseconds()
    assert (wait <= 14_000).mean() > 0.95
    # A new attempt may be rejected, too.
    assert 0.1 < (rejected["next_cause"].fill_null(0) != 0).mean() < 0.2


# Messages ------------------------------------------------------------------------------------

_SENT = pl.col("record_type").cast(pl.String).is_in(["moSMSRecord", "mMO1SRecord"])


def test_messages_fail_where_the_core_does() -> None:
    sound = world().records("cdrs_sms", world().network(**SOUND))
    given = {**SOUND, "voice_failure": 0.05, "signalling_failure": 0.05}
    failing = world().records("cdrs_sms", world().network(**given))
    busy = [
        frame.filter(_SENT & ~pl.col("roaming"))["sms_result"] == 192 for frame in (sound, failing)
    ]
    assert busy[0].sum() == 0
    assert abs(busy[1].mean() - 0.1) < 0.015
    # What was not accepted is not delivered.
    lost = failing.filter(_SENT & (pl.col("sms_result") != 0))["message_reference"]
    taken = failing.filter(~_SENT)
    assert not taken["message_reference"].is_in(lost.implode()).any()
    # Some deliveries take a second try, minutes later.
    both = sound.filter(~_SENT).join(taken, on="message_reference", suffix="_late")
    later = (both["event_time_late"] - both["event_time"]).dt.total_seconds()
    assert abs((later > 0).mean() - 0.1) < 0.02
    assert later.min() >= 0
    assert (later.filter(later > 0) >= 60).all()


def test_without_service_nothing_is_sent_and_what_comes_waits() -> None:
    dead, network = world().beyond_help(), world().inputs.plant.takers
    before, after = (
        world().records("cdrs_sms", world().network(outages=out, **SOUND))
        for out in ([], [(one, *OUT) for one in dead])
    )
    start, end = map(_moment, OUT)
    inside = pl.col("event_time").is_between(start, end, closed="left")
    assert after.filter(inside, pl.col("cell_id").is_in(_names(dead))).height == 0
    alone = [one for one in dead if set(network[one].tolist()) <= {*dead, -1}]
    there = pl.col("cell_id").is_in(_names(alone))
    sent = before.filter(_SENT & inside & there)
    assert sent.height > 20
    gone = after["message_reference"].implode()
    assert not sent["message_reference"].is_in(gone).any()
    waiting = before.filter(~_SENT & inside & there)
    found = waiting.join(
        after.filter(~_SENT), on=["message_reference", "subscriber_id"], suffix="_late"
    )
    assert found.height > 20
    holds(found, pl.col("event_time_late") >= end)
    at_once = (found["event_time_late"] - end).dt.total_seconds() <= 60
    assert at_once.mean() > 0.5


@pytest.mark.parametrize("name", ["cdrs_sms", "location_updates"])
def test_records_name_the_cell_that_serves(name: str) -> None:
    """Out of NR's reach, behind walls, it is the LTE cell, as for data sessions."""
    rows = world().records(name, world().network())
    cells = world().inputs.frames["cells"].select("cell_id", "site_id")
    at = {
        each: frame.join(cells, on="cell_id")
        .filter(pl.col("rat_type").cast(pl.String).is_in(["NR", "EUTRAN"]))
        .select("subscriber_id", "event_time", "site_id", rat=pl.col("rat_type").cast(pl.String))
        .sort("event_time")
        for each, frame in ((name, rows), ("cdrs_data", healthy_data()))
    }
    near = at[name].join_asof(
        at["cdrs_data"],
        on="event_time",
        by=["subscriber_id", "site_id"],
        strategy="nearest",
        tolerance="2m",
        suffix="_data",
        check_sortedness=False,
    )
    pairs = near.filter(pl.col("rat_data").is_not_null())
    assert pairs.height > 300
    assert (pairs["rat"] == pairs["rat_data"]).mean() > 0.97
