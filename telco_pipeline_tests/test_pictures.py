"""Pictures of network, operations and state: what they draw of hand-made rows."""

import base64
import datetime as dt
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from telco_pipeline import panels, pictures
from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts.codes import AlarmSeverity, FaultKind, LifeStatus, NotificationType
from telco_pipeline.lake import Lake
from telco_pipeline_tests.analytics.planted import write

DAY = dt.date(2026, 2, 3)
BRUSSELS = ZoneInfo("Europe/Brussels")
"""An hour ahead of UTC in winter."""


def rows(name: str, **columns: object) -> pl.DataFrame:
    """Return rows of a contract: given columns in its types, sampled ones for the rest."""
    dataset = DATASETS[name]
    given = pl.DataFrame(columns, strict=False)
    given = given.cast({key: dataset.polars_schema[key] for key in given.columns})
    rest = [each for each in dataset.columns if each not in given.columns]
    # What a picture does not look at may be null.
    empty = pl.DataFrame({each: [None] * given.height for each in rest}).cast(
        {each: dataset.polars_schema[each] for each in rest}
    )
    return pl.concat([given, empty], how="horizontal").select(dataset.columns)


def at(hour: float, day: dt.date = DAY) -> dt.datetime:
    """Return a moment of a UTC day."""
    return dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(hours=hour)


def a_lake(root: Path, name: str, *frames: tuple[dt.date, pl.DataFrame]) -> Lake:
    """Return a lake with some days of a dataset."""
    for day, frame in frames:
        write(root, name, day, frame)
    (root / "_world.json").write_text("{}")
    return Lake(root)


def axes_of(lake: Lake, name: str) -> list[Axes]:
    """Draw each panel of a picture by itself and return the axes."""
    view = panels.View(lake.scan(name, DAY, DAY), BRUSSELS, lake, DAY)
    found = []
    for panel in pictures.PANELS[name]:
        figure = Figure()
        FigureCanvasAgg(figure)
        panel(axis := figure.subplots(), view)
        figure.canvas.draw()
        found.append(axis)
    picture = pictures.draw(lake, name, DAY, BRUSSELS)
    assert picture is not None
    png = base64.b64decode(re.fullmatch(r"!\[.*\]\(data:image/png;base64,(.*)\)", picture)[1])
    assert png.startswith(b"\x89PNG")
    assert len(picture) < 200_000
    return found


def cells(lake_root: Path) -> None:
    """Write three cells at two sites."""
    frame = rows(
        "cells",
        cell_id=["C1", "C2", "C3"],
        site_id=["S1", "S1", "S2"],
        longitude=[4.0, 4.0, 5.0],
        latitude=[50.5, 50.5, 51.0],
        rat_type=["EUTRAN", "NR", "EUTRAN"],
        cell_class=["MACRO", "MACRO", "PICO"],
    )
    write(lake_root, "cells", None, frame)


def test_network_state(tmp_path: Path) -> None:
    cells(tmp_path)
    hours = [hour for hour in range(24) for _ in range(3)]
    load = [1.1 if hour == 17 and cell == 1 else 0.2 for hour in range(24) for cell in range(3)]
    out = [30 if hour == 5 and cell == 2 else None for hour in range(24) for cell in range(3)]
    frame = rows(
        "network_state",
        cell_id=["C1", "C2", "C3"] * 24,
        event_time=[at(hour) for hour in hours],
        load=load,
        unavailable_from=out,
    )
    heat, places = axes_of(a_lake(tmp_path, "network_state", (DAY, frame)), "network_state")
    assert [label.get_text() for label in heat.get_yticklabels()] == [
        "4G macro", "4G pico", "5G macro",
    ]  # fmt: skip
    values = heat.collections[0].get_array().reshape(3, 24)
    # 17 h UTC is 18 h in Brussels.
    assert values[2, 18] == pytest.approx(110)
    assert values[0, 18] == pytest.approx(20)
    points, rings = places.collections
    assert points.get_array().tolist() == pytest.approx([20, 110])
    assert rings.get_offsets().tolist() == [[5.0, 51.0]]
    assert places.get_legend().get_texts()[0].get_text() == "a cell out of service: 1"


def test_network_faults(tmp_path: Path) -> None:
    kinds = [FaultKind.POWER, FaultKind.POWER, FaultKind.POWER, FaultKind.CORE]
    frame = rows(
        "network_faults",
        fault_kind=[str(kind) for kind in kinds],
        event_time=[at(1), at(20), at(21), at(22)],
        end_time=[at(3), at(30), at(22), at(22.01)],
        capacity_left=[0.0, 0.5, 0.0, 1.0],
        cells=[5, 7, 0, 0],
    )
    timeline, bars = axes_of(a_lake(tmp_path, "network_faults", (DAY, frame)), "network_faults")
    labels = [label.get_text() for label in timeline.get_yticklabels()]
    assert labels[2] == "power  (3)"
    assert labels[0] == "hardware  (0)"
    drawn = [list(line.get_xdata()) for line in timeline.lines]
    # Local hours; what lasts longer ends with the day, what is short can be seen.
    assert drawn[0] == pytest.approx([2, 4])
    assert drawn[1] == pytest.approx([21, 25])
    assert drawn[3] == pytest.approx([23, 23 + pictures.SHORTEST_BAR])
    # Only the first puts cells out of service: the third one's batteries last.
    assert [line.get_alpha() == 1 for line in timeline.lines] == [True, False, False, False]
    assert [text.get_text() for text in bars.texts] == ["0", "12"]


def test_alarms(tmp_path: Path) -> None:
    new, cleared = str(NotificationType.NEW), str(NotificationType.CLEARED)
    frame = rows(
        "alarms",
        event_time=[at(8), at(8.5), at(9), at(10)],
        notification_type=[new, new, new, cleared],
        perceived_severity=[
            str(AlarmSeverity.WARNING), str(AlarmSeverity.CRITICAL), str(AlarmSeverity.WARNING),
            str(AlarmSeverity.CLEARED),
        ],
        specific_problem=["Link down", "Link down", "Mains failure", "Link down"],
    )  # fmt: skip
    hours, problems = axes_of(a_lake(tmp_path, "alarms", (DAY, frame)), "alarms")
    legend = [text.get_text() for text in hours.get_legend().get_texts()]
    # The gravest first, and only what was raised.
    assert legend == ["critical (1)", "warning (2)"]
    heights = [patch.get_height() for patch in hours.patches]
    assert heights[9] == 1
    assert heights[24 + 9] == 1
    assert heights[24 + 10] == 1
    assert hours.patches[24 + 9].get_y() == 1
    assert [text.get_text() for text in problems.texts] == ["1", "3"]


def test_alarms_that_only_end(tmp_path: Path) -> None:
    frame = rows(
        "alarms", event_time=[at(8)], notification_type=[str(NotificationType.CLEARED)],
        perceived_severity=[str(AlarmSeverity.CLEARED)], specific_problem=["Link down"],
    )  # fmt: skip
    hours, _ = axes_of(a_lake(tmp_path, "alarms", (DAY, frame)), "alarms")
    assert hours.get_legend() is None


def test_element_metrics(tmp_path: Path) -> None:
    elements = rows(
        "network_elements", element_id=["A", "B", "C"], element_type=["eNB", "eNB", "HSS"]
    )
    write(tmp_path, "network_elements", None, elements)
    frame = rows(
        "element_metrics",
        element_id=["A", "B", "C"] * 24,
        event_time=[at(hour) for hour in range(24) for _ in range(3)],
        cpu_use=[10.0, 30.0, 80.0] * 24,
        capacity_used=[5.0, 10.0, 90.0] * 24,
    )
    heat, links = axes_of(a_lake(tmp_path, "element_metrics", (DAY, frame)), "element_metrics")
    # The busiest type on top.
    assert [label.get_text() for label in heat.get_yticklabels()] == ["HSS", "eNB"]
    values = heat.collections[0].get_array().reshape(2, 24)
    assert values[0].tolist() == [80.0] * 24
    assert values[1].tolist() == [20.0] * 24
    fullest, _, middle = links.lines
    assert set(middle.get_ydata()) == {10.0}
    assert min(fullest.get_ydata()) > 80


def test_pm_counters(tmp_path: Path) -> None:
    frame = rows(
        "pm_counters",
        cell_id=["C1", "C2"],
        event_time=[at(11), at(11.75)],
        rrc_conn_estab_att=[100, 300],
        rrc_conn_estab_succ=[98, 298],
        erab_estab_att=[50, 50],
        erab_estab_succ=[50, 50],
        ho_exe_att=[0, 0],
        ho_exe_succ=[0, 0],
        pdcp_volume_dl=[10**9, 2 * 10**9],
        pdcp_volume_ul=[10**9, 0],
    )
    success, volume = axes_of(a_lake(tmp_path, "pm_counters", (DAY, frame)), "pm_counters")
    rrc, erab, handover = success.lines[:3]
    assert list(rrc.get_xdata()) == [12]
    assert list(rrc.get_ydata()) == [99.0]
    assert list(erab.get_ydata()) == [100.0]
    # Nobody moved: no line, and no division by nothing.
    assert list(handover.get_ydata()) == []
    assert [patch.get_height() for patch in volume.patches] == [3.0, 1.0]


def test_collected_files(tmp_path: Path) -> None:
    elements = rows("network_elements", element_id=["A", "B"], element_type=["PGW", "MSC"])
    write(tmp_path, "network_elements", None, elements)
    frame = rows(
        "collected_files",
        element_id=["A", "A", "B"],
        dataset=["cdrs_data", "cdrs_data", "cdrs_sms"],
        event_time=[at(11), at(11.25), at(12)],
        closed=[at(11.25), at(11.5), at(12.25)],
        received=[at(11.26), at(11.51), at(14.25)],
        record_count=[10, 30, 8],
    )
    hours, heat, delays = axes_of(
        a_lake(tmp_path, "collected_files", (DAY, frame)), "collected_files"
    )
    assert sum(patch.get_height() for patch in hours.patches) == 3
    assert [label.get_text() for label in heat.get_yticklabels()] == ["PGW", "MSC"]
    values = heat.collections[0].get_array().reshape(2, 24)
    assert values[0, 12] == 20.0
    assert values[1, 13] == 8.0
    counts, edges, _ = delays.patches[0].get_data()
    assert counts.sum() == 3
    assert [count for count, edge in zip(counts, edges, strict=False) if edge > 3600].count(1) == 1


def test_subscriber_state(tmp_path: Path) -> None:
    active, gone = str(LifeStatus.ACTIVE), str(LifeStatus.TERMINATED)

    def state(level: float) -> pl.DataFrame:
        return rows(
            "subscriber_state",
            subscriber_id=np.arange(1, 12),
            # Those who left are no longer asked.
            satisfaction=[level + step / 100 for step in range(10)] + [0.0],
            status=[active] * 10 + [gone],
        )

    days = [DAY - dt.timedelta(days=n) for n in (50, 2, 1, 0)]
    lake = a_lake(
        tmp_path, "subscriber_state", *zip(days, map(state, (0.1, 0.6, 0.7, 0.5)), strict=True)
    )
    time, spread, status = axes_of(lake, "subscriber_state")
    (mean,) = time.lines
    # The day fifty days ago is too far back.
    assert list(mean.get_ydata()) == pytest.approx([0.645, 0.745, 0.545])
    assert len(time.collections) == 2
    assert spread.patches[0].get_data().values.sum() == 10
    # In the order of the code: prospects first, who left last.
    assert [text.get_text() for text in status.texts] == ["0", "10", "0", "0", "1"]
    assert [label.get_text() for label in time.get_xticklabels()] == ["01 Feb", "02 Feb", "03 Feb"]


def test_a_first_day_of_state_is_a_point(tmp_path: Path) -> None:
    frame = rows(
        "subscriber_state",
        subscriber_id=[1],
        satisfaction=[1.0],
        status=[str(LifeStatus.SUSPENDED)],
    )
    time, spread, _ = axes_of(
        a_lake(tmp_path, "subscriber_state", (DAY, frame)), "subscriber_state"
    )
    assert time.lines[0].get_marker() == "o"
    assert spread.patches[0].get_data().values[-1] == 1


def test_colours_of_severities_and_kinds_differ() -> None:
    assert len(set(pictures.SEVERITY_COLOURS.values())) == len(AlarmSeverity)
    assert len(set(pictures.FAULT_COLOURS.values())) == len(FaultKind)
