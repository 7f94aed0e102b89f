"""Calls follow the network: the state of a cell shows in its calls and in no others."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from telco_pipeline.behaviour.population import EUTRAN, GERAN, NR
from telco_pipeline.behaviour.ports import operator_after_port_out
from telco_pipeline.contracts.codes import LifeChange
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE, SECOND
from telco_pipeline.generators.base import Inputs
from telco_pipeline.generators.cdrs.calls import _calls
from telco_pipeline.generators.cdrs.sides import find_side, go, has_service
from telco_pipeline.state.load import quality
from telco_pipeline.state.plant import TAKERS
from telco_pipeline_tests.generators.kit import inputs_of, make_day, small_world
from telco_pipeline_tests.networks import HandBook, customers_day, network_day, worse

DATE = dt.date(2026, 1, 14)
EVE = DATE - dt.timedelta(days=1)
MO, MT = pl.col("record_type") == "moCallRecord", pl.col("record_type") == "mtCallRecord"
ANSWERED = pl.col("answer_time").is_not_null()
DROPPED = pl.col("cause_for_term") == 4
CARE = small_world().numbering.care_number
START = dt.datetime.combine(DATE, dt.time(), dt.UTC)
NO_TAKERS = -1


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    return inputs_of(small_world(subscribers=4000))


@pytest.fixture
def book(inputs: Inputs) -> HandBook:
    return HandBook(inputs)


@pytest.fixture(scope="module")
def healthy(inputs: Inputs) -> pl.DataFrame:
    HandBook(inputs)
    return make_day(inputs, "cdrs_voice", DATE)


@pytest.fixture(scope="module")
def busiest(inputs: Inputs, healthy: pl.DataFrame) -> tuple[int, int]:
    """Row of the cell and UTC hour with the most calls over the air."""
    counts = (
        healthy.filter(pl.col("cell_id").is_not_null() & (pl.col("rat_type") != "WLAN"))
        .group_by("cell_id", pl.col("event_time").dt.hour().alias("hour"))
        .len()
        .sort("len", "cell_id", "hour", descending=True)
    )
    cell = inputs.cells.cell_id.to_list().index(counts["cell_id"][0])
    return cell, int(counts["hour"][0])


def anew(inputs: Inputs, name: str = "cdrs_voice", date: dt.date = DATE) -> pl.DataFrame:
    """Make a day again, with the state that the book has now."""
    inputs._days.clear()
    return make_day(inputs, name, date)


def since_start(column: str) -> pl.Expr:
    return (pl.col(column) - START).dt.total_microseconds()


# Only the cell that is worse responds.


@pytest.mark.parametrize(
    ("measure", "value", "flag"),
    [
        ("block_probability", 0.5, pl.col("blocked")),
        ("drop_probability", 0.6, DROPPED),
        ("voice_failure", 0.5, pl.col("diagnostics").is_in([38, 41, 42]) & ~ANSWERED),
    ],
)
def test_only_the_calls_of_a_worse_cell_respond(
    inputs: Inputs,
    book: HandBook,
    healthy: pl.DataFrame,
    busiest: tuple[int, int],
    measure: str,
    value: float,
    flag: pl.Expr,
) -> None:
    cell, hour = busiest
    book.on[DATE] = worse(book.steady, cell, hour, **{measure: value})
    suffers = anew(inputs)
    name = inputs.cells.cell_id[cell]
    here = (pl.col("cell_id") == name) & (pl.col("event_time").dt.hour() == hour)
    before, after = (rows.filter(here & flag).height for rows in (healthy, suffers))
    assert after > 5 * max(before, 1)
    _only_the_cell_responds(inputs, healthy, suffers, cell, hour)


def _only_the_cell_responds(
    inputs: Inputs, healthy: pl.DataFrame, suffers: pl.DataFrame, cell: int, hour: int
) -> None:
    """Whatever differs belongs to phones with a call over the cell in the hour."""
    name = inputs.cells.cell_id[cell]
    changed = healthy.join(suffers, on=healthy.columns, how="anti", nulls_equal=True)
    appeared = suffers.join(healthy, on=healthy.columns, how="anti", nulls_equal=True)
    assert changed.height
    # Nothing changes before the hour; later only what follows from a call that was hit: it is tried
    # again, or another one is not made as it lasts longer or shorter, in the hours of its train.
    for rows in (changed, appeared):
        assert rows["event_time"].dt.hour().min() >= hour
        assert rows["event_time"].dt.hour().max() <= hour + 3
    hit = pl.concat([healthy, suffers]).filter(
        ((pl.col("cell_id") == name) | (pl.col("other_cell_id") == name))
        & (pl.col("event_time").dt.hour() == hour)
    )
    numbers = set(hit["calling_number"]) | set(hit["called_number"])
    # Both SIMs of a phone share one line; a call whose partner is hit has him in it.
    leader = pl.Series(inputs.population.leader)
    phones = pl.DataFrame({"number": make_numbers(inputs), "phone": leader})
    shared = phones.filter(
        pl.col("phone").is_in(
            phones.filter(pl.col("number").is_in(list(numbers)))["phone"].implode()
        )
    )
    numbers |= set(shared["number"])
    for rows in (changed, appeared):
        calls = set(zip(rows["calling_number"], rows["called_number"], strict=True))
        assert [pair for pair in calls if not numbers & set(pair)] == []


def measures_at(load: float) -> dict[str, float]:
    """Return what a cell does at a load, by the operator's own model of queues."""
    found = quality(np.array([load]))
    return {
        "load": load,
        "latency_added": float(found.latency[0]),
        "loss_added": float(found.loss[0]),
        "block_probability": float(found.block[0]),
        "drop_probability": float(found.drop[0]),
        "handover_failure": float(found.handover[0]),
    }


def test_half_the_capacity_of_one_cell_shows_in_its_calls_alone(
    inputs: Inputs, book: HandBook, busiest: tuple[int, int]
) -> None:
    cell, hour = busiest
    book.steady = network_day(book.steady.cells, inputs.plant.takers, **measures_at(0.7))
    healthy, media = anew(inputs), anew(inputs, "cdrs_voip")
    book.on[DATE] = worse(book.steady, cell, hour, **measures_at(1.4))
    suffers, poor = anew(inputs), anew(inputs, "cdrs_voip")
    _only_the_cell_responds(inputs, healthy, suffers, cell, hour)
    here = (pl.col("cell_id") == inputs.cells.cell_id[cell]) & (
        pl.col("event_time").dt.hour() == hour
    )
    before, after = (rows.filter(here) for rows in (healthy, suffers))
    # At load 1.4 of M/M/1/40 two in seven attempts find no room; they come back, so there are more.
    assert before["blocked"].mean() < 0.05
    assert 0.15 < after["blocked"].mean() < 0.45
    assert after.filter(MO).height > before.filter(MO).height
    spoken = here & ANSWERED & (pl.col("access") != "VoWiFi")
    assert poor.filter(spoken)["mos"].mean() < media.filter(spoken)["mos"].mean() - 0.2


def test_voip_quality_follows_the_cell(
    inputs: Inputs, book: HandBook, busiest: tuple[int, int]
) -> None:
    cell, hour = busiest
    healthy = anew(inputs, "cdrs_voip")
    book.on[DATE] = worse(book.steady, cell, hour, latency_added=161.7, loss_added=4.0)
    suffers = anew(inputs, "cdrs_voip")
    name = inputs.cells.cell_id[cell]
    here = (
        (pl.col("cell_id") == name)
        & (pl.col("event_time").dt.hour() == hour)
        & (pl.col("access") != "VoWiFi")
        & ANSWERED
    )
    assert healthy.filter(~here).equals(suffers.filter(~here))
    pairs = healthy.filter(here).join(suffers, on="event_id", suffix="_now")
    assert pairs.height > 10
    # 160 ms more of round trip: half of it, and a quarter as jitter.
    more = {
        column: (pairs[f"{column}_now"] - pairs[column]).round(1)
        for column in ("latency", "jitter", "packet_loss")
    }
    assert more["jitter"].is_between(39.9, 40.1).all()
    assert more["latency"].is_between(119.8, 120.2).all()
    assert (more["packet_loss"] == 4.0).all()
    assert (pairs["mos_now"] < pairs["mos"] - 0.3).all()


# Blocking and the core.


def test_a_blocked_attempt_is_recorded_by_the_side_that_is_blocked(
    inputs: Inputs, book: HandBook
) -> None:
    book.steady = network_day(book.steady.cells, inputs.plant.takers, block_probability=0.2)
    voice = anew(inputs)
    blocked = voice.filter(pl.col("blocked"))
    assert blocked.height > 500
    assert set(blocked["diagnostics"]) == {34}
    assert set(blocked["status"]) == {"failed"}
    assert set(blocked["cause_for_term"]) == {3}
    assert blocked["answer_time"].null_count() == blocked.height
    assert not blocked.filter(pl.col("roaming")).height
    assert not blocked.filter(pl.col("rat_type") == "WLAN").height
    # Who has no room never reaches the other one; whose callee has none is told so.
    caller = blocked.filter(MO)
    assert not caller.join(voice.filter(MT), on="call_reference", how="semi").height
    callee = blocked.filter(MT & (pl.col("event_time") > START + dt.timedelta(minutes=1)))
    theirs = callee.join(voice.filter(MO), on="call_reference", suffix="_mo")
    assert theirs.height > 50
    assert set(theirs["diagnostics_mo"]) == {34}
    assert not theirs["blocked_mo"].any()
    ims = anew(inputs, "cdrs_ims").join(blocked, on="icid", how="semi")
    assert set(ims["sip_response"]) == {503}


def test_blocked_attempts_are_tried_again_within_a_minute(inputs: Inputs, book: HandBook) -> None:
    counts = {}
    for chance in (0.003, 0.6):
        book.steady = network_day(book.steady.cells, inputs.plant.takers, block_probability=chance)
        voice = anew(inputs)
        counts[chance] = voice.filter(MO).height
    parties = ["calling_number", "called_number"]
    tries = (
        voice.filter(MO)
        .sort(*parties, "event_time")
        .with_columns(wait=(pl.col("event_time").shift(-1).over(parties) - pl.col("release_time")))
    )
    refused = tries.filter(pl.col("blocked") & (pl.col("event_time").dt.hour() < 20))
    soon = pl.col("wait").is_between(dt.timedelta(seconds=3), dt.timedelta(seconds=60))
    share = refused.select(soon.fill_null(False).mean()).item()
    assert 0.7 < share < 0.9
    # Six in ten attempts blocked, eight in ten of them repeated: the attempts nearly double.
    assert 1.5 < counts[0.6] / counts[0.003] < 2.3


def test_what_the_core_fails_has_its_causes(inputs: Inputs, book: HandBook) -> None:
    book.steady = network_day(book.steady.cells, inputs.plant.takers, voice_failure=0.3)
    voice, voip = anew(inputs), anew(inputs, "cdrs_voip")
    failed = voice.filter(pl.col("diagnostics").is_in([38, 41, 42]) & ~ANSWERED)
    assert failed.height > 0.2 * voice.filter(MO).height
    assert set(failed["diagnostics"]) == {38, 41, 42}
    assert set(failed["record_type"]) == {"moCallRecord"}, "the callee is not reached"
    shares = failed["diagnostics"].value_counts(normalize=True)
    share = dict(zip(shares["diagnostics"], shares["proportion"], strict=True))
    assert abs(share[41] - 0.50) < 0.05
    assert abs(share[38] - 0.15) < 0.05
    responses = failed.join(voip, on="icid", suffix="_voip").select("diagnostics", "sip_response")
    pairs = set(responses.unique().iter_rows())
    assert pairs == {(41, 503), (42, 504), (38, 500)}
    trunks = voip.filter(pl.col("access") == "SIP trunk")
    assert 0.2 < trunks["sip_response"].is_in([500, 503, 504]).mean() < 0.4


# Drops.


def test_a_healthy_network_drops_as_practice_says(healthy: pl.DataFrame) -> None:
    spoken = healthy.filter(ANSWERED & ~pl.col("roaming"))
    assert 0.002 < spoken.select(DROPPED.mean()).item() < 0.006
    assert set(spoken.filter(DROPPED)["diagnostics"]) == {41}
    assert (healthy["blocked"].mean()) < 0.01


def test_only_the_side_that_lost_its_link_ended_abnormally(inputs: Inputs, book: HandBook) -> None:
    book.steady = network_day(book.steady.cells, inputs.plant.takers, drop_probability=0.3)
    voice = anew(inputs)
    spoken = voice.filter(ANSWERED & (pl.col("status") == "answered"))
    both = spoken.filter(MO).join(spoken.filter(MT), on="call_reference", suffix="_mt")
    cut = both.filter(pl.col("diagnostics") == 41)
    assert cut.height > 100
    assert (cut["diagnostics_mt"] == 41).all()
    first, second = pl.col("cause_for_term") == 4, pl.col("cause_for_term_mt") == 4
    assert cut.select((first ^ second).all()).item(), "the other side ended as it was told to"


def test_a_link_is_lost_at_a_rate(inputs: Inputs, book: HandBook, healthy: pl.DataFrame) -> None:
    """The longer a call would have been, the more often it is lost: p in 150 s."""
    book.steady = network_day(book.steady.cells, inputs.plant.takers, drop_probability=0.3)
    voice = anew(inputs)
    one_sided = healthy.filter(
        (pl.col("status") == "answered")
        & pl.col("other_imei").is_null()
        & ~pl.col("roaming")
        & (pl.col("rat_type") != "WLAN")
        & pl.col("supplementary_service").is_null()
    )
    pairs = one_sided.join(voice.select("event_id", now=pl.col("cause_for_term")), on="event_id")
    for low, high in ((5, 30), (60, 120), (300, 900)):
        some = pairs.filter(pl.col("call_duration").is_between(low, high))
        share = (some["now"] == 4).mean()
        usual = 1.0 - np.exp(-0.3 * some["call_duration"].to_numpy() / 150.0).mean()
        assert some.height > 100
        assert abs(share - usual) < 4 * np.sqrt(usual * (1 - usual) / some.height) + 0.01


def test_an_outage_drops_running_calls_at_its_minute(
    inputs: Inputs, book: HandBook, healthy: pl.DataFrame
) -> None:
    """All cells go down at once, so nothing can take over."""
    begin, end = 17 * HOUR + 7 * MINUTE, 17 * HOUR + 40 * MINUTE
    cells = book.steady.cells
    takers = np.full((cells, TAKERS), NO_TAKERS, dtype=np.int32)
    book.on[DATE] = network_day(
        cells, takers, outages=[(cell, begin, end) for cell in range(cells)]
    )
    voice = anew(inputs)
    running = healthy.filter(
        ANSWERED
        & ~pl.col("roaming")
        & (since_start("answer_time") < begin)
        & (since_start("release_time") > begin + SECOND)
    )
    # (A server forwards to the voicemail, whatever becomes of the radio.)
    on_air = running.filter(
        (pl.col("rat_type") != "WLAN") & pl.col("supplementary_service").is_null()
    )
    assert on_air.height > 5
    now = on_air.join(voice, on="event_id", suffix="_now")
    assert now.height == on_air.height
    ended = now.select(since_start("release_time_now")).to_series()
    assert (ended - begin).is_between(-60_001, 60_001).all()
    assert (now["cause_for_term_now"] == 4).all()
    assert (now["diagnostics_now"] == 41).all()
    # Nobody calls and nobody is reached, but abroad.
    dark = since_start("event_time").is_between(begin, end - 1)
    assert healthy.filter(dark & ~pl.col("roaming")).height > 50
    assert not voice.filter(dark & ~pl.col("roaming")).height
    # Until the minute before all is as it was.
    calm = since_start("event_time") < begin - 5 * HOUR
    assert healthy.filter(calm).equals(voice.filter(calm))
    assert voice.filter(since_start("event_time") >= end).height > 1000


def test_no_call_starts_in_a_dead_cell_and_neighbours_take_over(
    inputs: Inputs, book: HandBook, busiest: tuple[int, int], healthy: pl.DataFrame
) -> None:
    cell, hour = busiest
    name = inputs.cells.cell_id[cell]
    book.on[DATE] = network_day(
        book.steady.cells, inputs.plant.takers, outages=[(cell, hour * HOUR, (hour + 1) * HOUR)]
    )
    voice = anew(inputs)
    inside = pl.col("event_time").dt.hour() == hour
    lived = healthy.filter(inside & (pl.col("cell_id") == name))
    assert lived.height > 10
    assert not voice.filter(inside & (pl.col("cell_id") == name)).height
    assert not voice.filter(inside & (pl.col("other_cell_id") == name)).height
    elsewhere = lived.join(voice, on="event_id", suffix="_now")
    assert elsewhere.height > 0.8 * lived.height, "what takes over carries nearly all"
    takers = set(inputs.plant.takers[cell].tolist())
    rows = inputs.cells.cell_id.to_list()
    for taken in elsewhere["cell_id_now"].unique():
        assert rows.index(taken) in takers


def test_voice_falls_back_to_geran_where_lte_is_lost(
    inputs: Inputs, book: HandBook, healthy: pl.DataFrame
) -> None:
    rat = inputs.cells.rat
    lost = np.flatnonzero((rat == EUTRAN) | (rat == NR))
    book.on[DATE] = network_day(
        book.steady.cells, inputs.plant.takers, outages=[(cell, 0, DAY) for cell in lost.tolist()]
    )
    voice = anew(inputs)
    # The first seconds have the callees' sides of calls of the eve.
    home = voice.filter(~pl.col("roaming") & (since_start("event_time") > 5 * SECOND))
    cells = inputs.cells.cell_id.to_frame("cell_id").with_columns(rat=pl.Series(rat))
    used = home.join(cells, on="cell_id")
    assert (used["rat"] == GERAN).all()
    assert set(home["rat_type"].cast(pl.String)) <= {"GERAN", "WLAN"}
    assert home.height > 0.9 * healthy.filter(~pl.col("roaming")).height
    assert home.filter(pl.col("rat_type") == "GERAN")["icid"].null_count() > 0


# Handovers.


def test_handovers_fail_as_the_cell_left_says(inputs: Inputs, book: HandBook) -> None:
    rates = {}
    for chance in (0.0, 0.0125, 0.2):
        book.steady = network_day(
            book.steady.cells, inputs.plant.takers, handover_failure=chance, drop_probability=0.0
        )
        moving = anew(inputs).filter(ANSWERED & ~pl.col("roaming"))
        done, failed = moving["handovers"].sum(), moving["handovers_failed"].sum()
        assert done > 100
        rates[chance] = failed / (done + failed)
        lost = moving.filter(DROPPED)
        assert (lost["handovers_failed"] >= 1).all(), "nothing else loses a call here"
        changed = moving.filter(pl.col("cell_id") != pl.col("last_cell_id"))
        assert (changed["handovers"] >= 1).all()
        assert not moving.filter(MO & ~ANSWERED)["handovers"].sum()
        if chance == 0.2:
            # One failed handover in eight loses the call.
            assert 0.05 < lost.height / failed < 0.22
    assert rates[0.0] == 0.0
    assert rates[0.0125] < 0.04
    assert 0.1 < rates[0.2] < 0.3


def test_handovers_to_an_older_generation_fail_more_often(inputs: Inputs, book: HandBook) -> None:
    book.steady = network_day(book.steady.cells, inputs.plant.takers, handover_failure=0.08)
    day = inputs.day(DATE)
    entity = np.arange(inputs.population.size)
    start = np.zeros(len(entity), dtype=np.int64)
    key = draws.keys(draws.stream(1, "test"), entity)
    side = find_side(day, entity, start, key)
    way, _ = go(day, entity, side, key, start, start + DAY - 1, np.ones(len(entity), np.bool_))
    first = np.diff(way.call, prepend=-1) > 0
    before = np.where(first, side.cell[way.call], np.roll(way.cell, 1))
    rat = inputs.cells.rat
    on_air = side.on_air[way.call]
    older = (rat[before] == NR) & (rat[way.cell] == EUTRAN)
    like = rat[before] == rat[way.cell]
    assert (older & on_air).sum() > 200
    assert abs(way.failed[older & on_air].mean() - 0.32) < 0.07
    assert abs(way.failed[like & on_air].mean() - 0.08) < 0.02
    assert not way.failed[~on_air].any()
    assert 0.08 < way.loses[way.failed].mean() < 0.17


# Customer care.


@pytest.fixture(scope="module")
def callers(inputs: Inputs, healthy: pl.DataFrame) -> dict[int, int]:
    """Subscribers who will turn to care in the middle of a call of theirs, and when."""
    ids = inputs.population.subscriber_id
    rows = {int(each): row for row, each in enumerate(ids)}
    long = healthy.filter(
        ANSWERED
        & (pl.col("call_duration") > 60)
        & ~pl.col("roaming")
        & pl.col("event_time").dt.hour().is_between(10, 15)
    ).unique("subscriber_id", keep="first", maintain_order=True)
    times = long.select(since_start("answer_time") + 20 * SECOND).to_series()
    return {
        rows[each]: int(time)
        for each, time in zip(long["subscriber_id"].to_list(), times.to_list(), strict=True)
    }


def test_a_care_call_stands_and_makes_room(
    inputs: Inputs, book: HandBook, callers: dict[int, int]
) -> None:
    book.people_on[DATE] = customers_day(inputs.population.size, contacts=callers.items())
    # A bad network shows that the contact happened all the same.
    book.steady = network_day(
        book.steady.cells,
        inputs.plant.takers,
        block_probability=0.5,
        drop_probability=0.5,
        voice_failure=0.3,
    )
    voice, care = anew(inputs), anew(inputs, "customer_service")
    contacted = care.filter(pl.col("channel") == "call")
    assert contacted.height > 100
    calls = voice.filter(pl.col("called_number") == CARE)
    assert calls.height == contacted.height
    assert (calls["status"] == "answered").all()
    assert (calls["cause_for_term"] == 0).all()
    assert calls["chargeable"].all()
    both = calls.join(contacted, on=["subscriber_id", "event_time", "call_reference"])
    assert both.height == calls.height
    seconds = pl.col("queue_seconds") + pl.col("handling_seconds")
    assert both.filter(pl.col("call_duration") != seconds).height == 0
    # Whatever else the phone does meanwhile is busy. A call centre has many lines.
    centres = inputs.frames["subscribers"].filter(pl.col("persona") == "call_centre")
    mine = (
        voice.join(calls, on="subscriber_id", suffix="_care")
        .join(centres, on="subscriber_id", how="anti")
        .filter(
            (pl.col("event_id") != pl.col("event_id_care"))
            & (pl.col("event_time") < pl.col("release_time_care"))
            & (pl.col("release_time") > pl.col("event_time_care"))
        )
    )
    assert mine.height > 20
    forwarding = pl.col("supplementary_service").is_not_null()
    came = mine.filter(MT & (pl.col("event_time") > pl.col("event_time_care")))
    assert set(came["status"].cast(pl.String)) <= {"busy", "forwarded", "failed"}
    assert not mine.filter(ANSWERED & ~forwarding).height
    assert not mine.filter(MO & ~forwarding).height


def test_nobody_calls_care_without_a_reason(healthy: pl.DataFrame) -> None:
    assert not healthy.filter(pl.col("called_number") == CARE).height


# Standing of the callee.


def test_calls_to_who_is_no_longer_served(inputs: Inputs, book: HandBook) -> None:
    size = inputs.population.size
    groups = {
        name: range(start, size, 8)
        for start, name in enumerate(("suspended", "ported_out", "terminated", "prospect"))
    }
    book.people = customers_day(size, **groups)
    voice = anew(inputs).filter(MO)
    numbers = inputs.population.subscriber_id
    callee = voice.join(
        pl.DataFrame(
            {
                "called_number": make_numbers(inputs),
                "row": np.arange(size),
                "own": numbers,
            }
        ),
        on="called_number",
    )
    own = inputs.config.own_operator.plmn
    found = {name: callee.filter(pl.col("row").is_in(list(rows))) for name, rows in groups.items()}
    assert min(found[name].height for name in ("suspended", "ported_out", "terminated")) > 50
    failures = {34, 38, 41, 42}
    assert set(found["suspended"]["diagnostics"]) - failures == {21}
    assert set(found["terminated"]["diagnostics"]) - failures == {1}
    assert 16 in set(found["ported_out"]["diagnostics"])
    for name in ("suspended", "terminated"):
        expected = {None} if name == "terminated" else {own, *visited(inputs)}
        assert set(found[name]["other_plmn"]) <= expected
        assert found[name]["other_imei"].null_count() == found[name].height
    gone = found["ported_out"]
    networks = [operator.plmn for operator in inputs.config.operators]
    told = operator_after_port_out(inputs.config, gone["row"].to_numpy())
    assert gone["other_plmn"].to_list() == [networks[place] for place in told]
    assert own not in set(gone["other_plmn"])
    # Who will bring his number is called in the network that it comes from, nobody else of them.
    holders = inputs.frames["subscribers"]["number_holder"].cast(pl.String)
    coming = found["prospect"]
    assert coming.height > 10
    assert coming["other_plmn"].to_list() == holders.gather(coming["row"]).to_list()
    assert own not in set(coming["other_plmn"])
    assert 16 in set(coming["diagnostics"])
    assert not callee.filter(MT & pl.col("own").is_in(coming["own"].implode())).height


def test_a_suspension_counts_from_its_moment(inputs: Inputs, book: HandBook) -> None:
    noon = 12 * HOUR
    suspension = list(LifeChange).index(LifeChange.SUSPENSION)
    size = inputs.population.size
    who = range(0, size, 4)
    book.people_on[DATE] = customers_day(size, changes=dict.fromkeys(who, (suspension, noon)))
    book.people_on[EVE] = customers_day(size)
    voice = anew(inputs)
    ids = inputs.population.subscriber_id[list(who)]
    theirs = voice.filter(pl.col("subscriber_id").is_in(ids.tolist()))
    late = theirs.filter(since_start("event_time") >= noon)
    assert theirs.height > 200
    assert not late.filter(MO & (pl.col("supplementary_service").is_null())).height
    assert not late.filter(MT).height


def make_numbers(inputs: Inputs) -> pl.Series:
    """Return the number of each subscriber at the start of the day."""
    return inputs.identities.msisdn.gather(inputs.day(DATE).identities.start_version)


def visited(inputs: Inputs) -> set[str]:
    """Return the networks of visitors' SIMs."""
    return set(inputs.frames["subscribers"]["home_plmn"].cast(pl.String).unique())


# Both days agree.


def test_the_night_between_two_bad_days_has_no_seam(inputs: Inputs, book: HandBook) -> None:
    """Calls that begin before midnight follow the state of their own day, in either partition."""
    bad = network_day(
        book.steady.cells, inputs.plant.takers, block_probability=0.3, drop_probability=0.2
    )
    book.on[EVE] = bad
    entities = np.arange(inputs.population.size)
    inputs._days.clear()
    whole = _calls(inputs.day(EVE), entities, eve=False)
    found = {}
    for name, network in (("healthy", book.steady), ("bad", bad)):
        book.on[DATE] = network
        inputs._days.clear()
        tail = _calls(inputs.day(EVE), entities, eve=True)
        assert (tail.time >= DAY).sum() > 20
        before = tail.select(np.flatnonzero(tail.time < DAY))
        found[name] = before.select(np.argsort(before.number))
    here = np.flatnonzero(np.isin(whole.number, found["bad"].number))
    here = here[np.argsort(whole.number[here])]
    assert len(here) == len(found["bad"]) > 300
    for tail in found.values():
        for name in ("number", "time", "outcome", "answer", "release", "diverted"):
            assert (getattr(tail, name) == getattr(whole, name)[here]).all(), name
        for name in ("cell", "rat", "blocked", "lost", "last", "failed"):
            for side in ("origin", "target"):
                told, known = (getattr(getattr(one, side), name) for one in (tail, whole))
                assert (told == known[here]).all(), name
    second = anew(inputs)
    book.on[DATE] = book.steady
    first = anew(inputs)
    assert first["event_id"].n_unique() == first.height
    # But calls that begin after midnight follow the day, those of trains of the eve too.
    early = pl.col("event_time").dt.hour() < 2
    assert second.filter(early)["blocked"].mean() > 0.1
    assert first.filter(early)["blocked"].mean() < 0.05


def test_registrations_fail_with_the_signalling_and_try_again(
    inputs: Inputs, book: HandBook
) -> None:
    healthy = anew(inputs, "cdrs_ims").filter(pl.col("sip_method") == "REGISTER")
    book.steady = network_day(book.steady.cells, inputs.plant.takers, signalling_failure=0.4)
    ims = anew(inputs, "cdrs_ims").filter(pl.col("sip_method") == "REGISTER")
    failed = pl.col("sip_response").is_in([503, 504])
    assert healthy.select(failed.mean()).item() < 0.004
    inner = ims.filter(pl.col("event_time").dt.hour().is_between(1, 22))
    dialogues = (
        inner.sort("event_time")
        .group_by("session_id", maintain_order=True)
        .agg("sip_response", "event_time")
    )
    tries = dialogues["sip_response"].list.eval(pl.element().is_in([503, 504])).list.sum()
    share = tries.value_counts(normalize=True).sort("sip_response")["proportion"].to_list()
    # 0.6, 0.24, 0.096, 0.038, 0.026: the fourth failure is the last.
    assert len(share) == 5
    for found, wanted in zip(share, (0.6, 0.24, 0.096, 0.0384, 0.0256), strict=True):
        assert abs(found - wanted) < 0.03
    ended = dialogues["sip_response"].list.last() == 200
    assert 0.95 < ended.mean() < 0.99
    refreshed = dialogues.filter((tries == 2) & (dialogues["sip_response"].list.len() == 3))
    waits = refreshed["event_time"].list.diff().list.slice(1, 2)
    assert (waits.list.get(0).is_between(dt.timedelta(seconds=30), dt.timedelta(seconds=61))).all()
    second = waits.list.get(1)
    assert (second.is_between(dt.timedelta(seconds=60), dt.timedelta(seconds=121))).all()


def test_nobody_registers_without_service(inputs: Inputs, book: HandBook) -> None:
    cells = book.steady.cells
    takers = np.full((cells, TAKERS), NO_TAKERS, dtype=np.int32)
    book.on[DATE] = network_day(
        cells, takers, outages=[(cell, 9 * HOUR, 10 * HOUR) for cell in range(cells)]
    )
    ims = anew(inputs, "cdrs_ims").filter(pl.col("cell_id").is_not_null())
    dark = ims.filter(pl.col("event_time").dt.hour() == 9)
    assert not dark.height
    entity = np.arange(200)
    key = entity.astype(np.uint64)
    day = inputs.day(DATE)
    home = ~day.positions(entity, np.full(200, 9 * HOUR)).abroad
    assert not has_service(day, entity, np.full(200, 9 * HOUR), key)[home].any()
    assert has_service(day, entity, np.full(200, 11 * HOUR), key).all()
