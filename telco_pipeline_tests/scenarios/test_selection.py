"""Whom a role means: conditions, what belongs to what, distances, how many, who is there yet."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest

from telco_pipeline.scenarios import selection
from telco_pipeline.scenarios.selection import cast_of, nearest_cells
from telco_pipeline_tests.scenarios.kit import THERE, cast, ground, incident, layer, world


def members(**role: Any) -> np.ndarray:
    return cast({"them": role})["them"]


def column(dataset: str, name: str) -> pl.Series:
    return ground().column(dataset, name)


class TestConditions:
    def test_a_text(self) -> None:
        rows = members(of="subscribers", where={"kind": "machine"})
        kinds = column("subscribers", "kind").head(THERE)
        assert rows.tolist() == (kinds == "machine").arg_true().to_list()

    def test_one_of_several(self) -> None:
        rows = members(of="cells", where={"rat_type": ["EUTRAN", "GERAN"]})
        assert set(column("cells", "rat_type").gather(rows)) == {"EUTRAN", "GERAN"}
        left = column("cells", "rat_type").to_frame().filter(
            pl.col("rat_type").cast(pl.String).is_in(["EUTRAN", "GERAN"])
        )  # fmt: skip
        assert len(rows) == left.height

    def test_a_flag(self) -> None:
        rows = members(of="subscribers", where={"student": True})
        assert len(rows) > 0
        assert column("subscribers", "student").gather(rows).all()

    def test_a_number(self) -> None:
        rows = members(of="subscribers", where={"sim_slot": 2})
        assert set(column("subscribers", "sim_slot").gather(rows)) == {2}
        some = members(of="subscribers", where={"sim_slot": [1, 2.5]})
        assert set(column("subscribers", "sim_slot").gather(some)) == {1}

    def test_a_range_has_both_ends(self) -> None:
        values = column("cells", "band").len()
        low, high = 806, 947
        rows = members(of="cells", where={"frequency": {"from": low, "to": high}})
        found = column("cells", "frequency").gather(rows)
        assert 0 < len(rows) < values
        assert set(found) == {806, 947}

    def test_numbers_beyond_a_column_fit_nobody_or_all(self) -> None:
        every = ground().size("cells")
        assert len(members(of="cells", where={"sector": {"from": 10**14}})) == 0
        assert len(members(of="cells", where={"sector": {"to": 10**14}})) == every
        assert len(members(of="cells", where={"sector": [10**14, -5, 0.5]})) == 0

    def test_a_date(self) -> None:
        day = dt.date(2010, 1, 1)
        rows = members(of="sites", where={"built": {"to": str(day)}})
        built = column("sites", "built")
        assert rows.tolist() == (built <= day).arg_true().to_list()

    def test_a_length_of_time_counts_from_the_incident(self) -> None:
        where = {"contract_end": {"from": "0d", "to": "60d"}}
        rows = cast({"them": {"of": "subscribers", "where": where}}, when={"first": "20d"})["them"]
        ends = column("subscribers", "contract_end").gather(rows)
        # Midnight of the 21st is still the 20th in UTC.
        start = dt.date(2026, 1, 20)
        assert len(rows) > 0
        assert ends.min() >= start
        assert ends.max() <= start + dt.timedelta(days=60)
        before = {"contract_start": {"to": "-30d"}}
        rows = cast({"them": {"of": "subscribers", "where": before}}, when={"first": "20d"})["them"]
        found = column("subscribers", "contract_start").gather(rows)
        assert found.max() <= start - dt.timedelta(days=30)

    def test_nothing_meets_no_condition(self) -> None:
        rows = members(of="subscribers", where={"birth_date": {"from": "1900-01-01"}})
        assert column("subscribers", "birth_date").gather(rows).null_count() == 0
        assert len(rows) < THERE

    @pytest.mark.parametrize(
        ("of", "where", "leads", "other", "last"),
        [
            ("subscribers", {"plan.payment": "prepaid"}, "plan_id", "plans", "payment"),
            ("subscribers", {"device.volte": True}, "device_id", "devices", "volte"),
            ("subscribers", {"home.vendor": "Nordlys"}, "home_cell_id", "cells", "vendor"),
            ("subscribers", {"place.density": "dense"}, "place_id", "places", "density"),
            ("sites", {"place.region": "BRU"}, "place_id", "places", "region"),
            ("network_elements", {"site.vendor": "Nordlys"}, "site_id", "sites", "vendor"),
            ("cells", {"site.vendor": "Nordlys"}, "site_id", "sites", "vendor"),
        ],
    )
    def test_what_they_lead_to(
        self, of: str, where: dict[str, Any], leads: str, other: str, last: str
    ) -> None:
        rows = members(of=of, where=where)
        wanted = next(iter(where.values()))
        key = selection.KEYS[other]
        table = pl.DataFrame({key: column(other, key), last: column(other, last)})
        found = pl.DataFrame({key: column(of, leads).gather(rows)}).join(table, key, "left")
        assert 0 < len(rows) < ground().size(of)
        assert set(found[last]) == {wanted}

    def test_all_must_hold(self) -> None:
        both = members(of="subscribers", where={"kind": "person", "plan.payment": "prepaid"})
        people = members(of="subscribers", where={"kind": "person"})
        prepaid = members(of="subscribers", where={"plan.payment": "prepaid"})
        assert both.tolist() == np.intersect1d(people, prepaid).tolist()


class TestRelations:
    def test_within_sites(self) -> None:
        found = cast(
            {
                "sites": {"of": "sites", "number": 5},
                "cells": {"of": "cells", "within": "sites"},
                "elements": {"of": "network_elements", "within": "sites"},
                "them": {"of": "subscribers", "within": "cells"},
                "same": {"of": "subscribers", "within": "sites"},
            }
        )
        names = set(column("sites", "site_id").gather(found["sites"]))
        cells = column("cells", "site_id").is_in(list(names)).arg_true().to_list()
        assert found["cells"].tolist() == cells
        assert set(column("network_elements", "site_id").gather(found["elements"])) == names
        homes = list(column("cells", "cell_id").gather(found["cells"]))
        there = column("subscribers", "home_cell_id").head(THERE).is_in(homes)
        assert found["them"].tolist() == there.arg_true().to_list()
        assert found["same"].tolist() == found["them"].tolist()

    def test_within_the_same_dataset(self) -> None:
        found = cast(
            {
                "many": {"of": "cells", "number": 50},
                "few": {"of": "cells", "within": "many", "number": 5},
            }
        )
        assert len(found["few"]) == 5
        assert set(found["few"]) <= set(found["many"])

    @pytest.mark.parametrize("kind", ["devices", "plans", "places"])
    def test_within_what_they_have(self, kind: str) -> None:
        found = cast(
            {"what": {"of": kind, "number": 3}, "them": {"of": "subscribers", "within": "what"}}
        )
        key = selection.KEYS[kind]
        names = list(column(kind, key).gather(found["what"]))
        there = column("subscribers", key).head(THERE).is_in(names)
        assert found["them"].tolist() == there.arg_true().to_list()

    def test_nobody_within_nobody(self) -> None:
        found = cast(
            {
                "none": {"of": "sites", "where": {"place.population": {"to": -1}}},
                "them": {"of": "subscribers", "within": "none"},
                "near": {"of": "subscribers", "near": {"role": "none", "km": 500}},
            }
        )
        assert [len(found[name]) for name in ("none", "them", "near")] == [0, 0, 0]

    def test_nothing_is_near_to_what_is_nowhere(self) -> None:
        """Elements of the core stand at no site; neither is one of them near to another."""
        somewhere = ground().rows("network_elements", "site_id", "sites") >= 0
        assert 0 < somewhere.sum() < len(somewhere)
        found = cast(
            {
                "all": {"of": "network_elements"},
                "near": {"of": "network_elements", "near": {"role": "all", "km": 500}},
            }
        )
        assert found["near"].tolist() == np.flatnonzero(somewhere).tolist()

    def test_near(self) -> None:
        found = cast(
            {
                "centre": {"of": "places", "where": {"name": "Brussels"}, "number": 1},
                "them": {"of": "sites", "near": {"role": "centre", "km": 10}},
            }
        )
        assert len(found["centre"]) == 1
        east, north = ground().plane("sites")
        there_east, there_north = ground().plane("places")
        row = found["centre"][0]
        distance = np.hypot(east - there_east[row], north - there_north[row])
        assert found["them"].tolist() == np.flatnonzero(distance <= 10).tolist()
        assert 0 < len(found["them"]) < len(east)

    def test_outside(self) -> None:
        found = cast(
            {
                "them": {"of": "subscribers", "share": 0.4},
                "others": {"of": "subscribers", "outside": ["them", "people"]},
            }
        )
        assert not set(found["others"]) & (set(found["them"]) | set(found["people"]))
        every = set(found["others"]) | set(found["them"]) | set(found["people"])
        assert len(every) == THERE


class TestHowMany:
    @pytest.mark.parametrize(
        ("role", "count"),
        [
            ({}, THERE),
            ({"number": 7}, 7),
            ({"number": 0}, 0),
            ({"number": 10_000}, THERE),
            ({"share": 0.01}, 15),
            ({"share": 1}, THERE),
            ({"share": 0.0001, "at_least": 4}, 4),
            ({"share": 0.5, "at_most": 20}, 20),
            ({"at_most": 30}, 30),
            ({"number": 2, "at_least": 5}, 5),
        ],
    )
    def test_count(self, role: dict[str, Any], count: int) -> None:
        assert len(members(of="subscribers", **role)) == count

    def test_rows_rise_and_come_from_everywhere(self) -> None:
        rows = members(of="subscribers", number=300)
        assert (np.diff(rows) > 0).all()
        assert 600 < rows.mean() < 900

    def test_each_incident_has_a_cast_of_its_own(self) -> None:
        roles = {"them": {"of": "subscribers", "number": 50}}
        when = {"first": "0d", "parallel": 2}
        first, second = (cast(roles, number, when=when)["them"] for number in (0, 1))
        assert len(set(first) & set(second)) < 15
        assert first.tolist() == cast(roles, 0, when=when)["them"].tolist()

    def test_a_fixed_role_is_the_same_in_all(self) -> None:
        roles = {"them": {"of": "subscribers", "number": 50, "fixed": True}}
        when = {"first": "0d", "parallel": 2}
        first, second = (cast(roles, number, when=when)["them"] for number in (0, 1))
        assert first.tolist() == second.tolist()
        other = layer(
            number=8, when=when, cast={"people": {"of": "subscribers", "number": 1}} | roles
        )
        assert first.tolist() != cast_of(ground(), incident(other))["them"].tolist()

    def test_more_of_a_role_include_the_few(self) -> None:
        few = members(of="subscribers", number=20)
        many = members(of="subscribers", number=200)
        assert set(few) <= set(many)

    def test_names_of_roles_do_not_matter(self) -> None:
        one = cast({"them": {"of": "subscribers", "number": 50}})["them"]
        other = cast({"victims": {"of": "subscribers", "number": 50}})["victims"]
        assert one.tolist() == other.tolist()


class TestWhoIsThere:
    @pytest.mark.parametrize("days", [0, 100, 300])
    def test_who_has_not_joined_is_never_drawn(self, days: int) -> None:
        roles = {"them": {"of": "subscribers"}}
        rows = cast(roles, when={"first": f"{days}d", "at": "12:00"})["them"]
        joined = world().joined_by(world().epoch + dt.timedelta(days=days))
        assert rows.tolist() == list(range(joined))
        assert joined < world().all_subscribers

    def test_who_has_joined_may_be(self) -> None:
        roles = {"them": {"of": "subscribers", "share": 0.5}}
        rows = cast(roles, when={"first": "300d"})["them"]
        assert rows.max() >= THERE + 50


class TestProblems:
    @pytest.mark.parametrize(
        ("role", "place", "words"),
        [
            ({"of": "cells", "where": {"bnd": "n78"}}, "where.bnd", "did you mean 'band'"),
            ({"of": "cells", "where": {"plan.name": "x"}}, "where.plan.name", "lead to site"),
            ({"of": "plans", "where": {"x.y": 1}}, "where.x.y", "lead to nothing"),
            ({"of": "cells", "where": {"band": 5}}, "where.band", "write '5' in quotes"),
            ({"of": "cells", "where": {"band": {"from": 1}}}, "where.band", "is text"),
            ({"of": "cells", "where": {"sector": "one"}}, "where.sector", "is a number"),
            ({"of": "cells", "where": {"sector": True}}, "where.sector", "is a number"),
            ({"of": "cells", "where": {"sector": {"to": "5d"}}}, "where.sector", "is a number"),
            ({"of": "cells", "where": {"rat_type": "LTE"}}, "where.rat_type", "is one of"),
            ({"of": "sites", "where": {"built": 2010}}, "where.built", "is a date"),
            ({"of": "sites", "where": {"built": {"to": 5}}}, "where.built", "is a date"),
            ({"of": "devices", "where": {"volte": "yes"}}, "where.volte", "true or false"),
            ({"of": "sites", "within": "people"}, "within", "sites belong to places"),
            ({"of": "plans", "within": "people"}, "within", "belong to nothing"),
            ({"of": "cells", "one": "imsi_range"}, "one", "cells have no column 'imsi_range'"),
            ({"of": "subscribers", "one": "device.modle"}, "one", "did you mean 'model'"),
            ({"of": "subscribers", "one": "owner.name"}, "one", "lead to plan, device, home"),
            ({"of": "plans", "near": {"role": "people", "km": 1}}, "near", "plans are nowhere"),
        ],
    )
    def test_what_there_is_not(self, role: dict[str, Any], place: str, words: str) -> None:
        made = layer(cast={"people": {"of": "subscribers"}, "them": role})
        ((at, text),) = selection.problems(made)
        assert ".".join(map(str, at)) == f"cast.them.{place}"
        assert words in text

    @pytest.mark.parametrize(
        ("tell", "key", "words"),
        [
            ({"dataset": "cdrs_vioce", "column": "imei"}, "dataset", "did you mean 'cdrs_voice'"),
            ({"dataset": ["cdrs_voice", "x"], "column": "imei"}, "dataset", "data-dictionary.md"),
            ({"dataset": "cdrs_voice", "column": ["imei", "imse"]}, "column", "mean 'imsi'"),
            ({"dataset": ["alarms", "sites"], "column": "qci"}, "column", "alarms and sites have"),
        ],
    )
    def test_tells_of_what_there_is_not(self, tell: dict[str, Any], key: str, words: str) -> None:
        made = layer(
            tells=[
                {"dataset": "cdrs_sms", "column": "imsi", "because": "So."},
                tell | {"because": "It is so."},
            ]
        )
        ((at, text),) = selection.problems(made)
        assert at == ("tells", 1, key)
        assert words in text

    def test_a_column_may_be_in_some_of_the_datasets(self) -> None:
        tell = {"dataset": ["cdrs_data", "cdrs_voice"], "column": ["qci", "imei"], "because": "So."}
        assert selection.problems(layer(tells=[tell])) == []

    def test_all_columns_can_be_asked_for(self) -> None:
        for dataset in selection.KEYS:
            for name in selection.columns_of(dataset):
                assert len(ground().column(dataset, name)) == ground().size(dataset)


class TestOne:
    """Roles of which all members have one value of a column."""

    def ranges(self, rows: np.ndarray) -> list[str]:
        return column("subscribers", "imsi_range").gather(rows).to_list()

    def test_all_of_one_range(self) -> None:
        rows = members(of="subscribers", where={"persona": "iot_meter"}, one="imsi_range")
        (name,) = set(self.ranges(rows))
        every = column("subscribers", "imsi_range").head(THERE)
        assert rows.tolist() == (every == name).arg_true().to_list()
        assert name.startswith(world().own_operator.plmn)

    def test_machines_alone_have_a_range(self) -> None:
        kinds = column("subscribers", "kind")
        assert (column("subscribers", "imsi_range").is_not_null() == (kinds == "machine")).all()
        assert len(members(of="subscribers", where={"kind": "person"}, one="imsi_range")) == 0
        assert len(members(of="subscribers", where={"persona": "none"}, one="imsi_range")) == 0

    def test_a_share_of_those_with_the_value(self) -> None:
        meters = {"of": "subscribers", "where": {"persona": "iot_meter"}, "one": "device.model"}
        whole, part = members(**meters), members(**meters, share=0.25)
        assert len(part) == round(0.25 * len(whole))
        assert np.isin(part, whole).all()
        assert len(set(column("subscribers", "device.model").gather(whole))) == 1

    def test_each_incident_draws_one_the_larger_the_sooner(self) -> None:
        role = {"of": "subscribers", "where": {"persona": "iot_meter"}, "one": "imsi_range"}
        found = [
            self.ranges(cast({"them": role}, number, when={"first": "3d", "every": "5d"})["them"])
            for number in range(60)
        ]
        sizes = {names[0]: len(names) for names in found}
        drawn = [names[0] for names in found]
        assert len(sizes) > 5
        largest = sorted(sizes, key=sizes.__getitem__)[-3:]
        assert sum(drawn.count(name) for name in largest) > 60 * 3 / len(sizes)

    def test_one_that_enough_have(self) -> None:
        role = {"of": "subscribers", "where": {"kind": "machine"}, "one": "imsi_range"}
        when = {"first": "3d", "every": "5d"}
        for number in range(20):
            there = cast({"them": {"of": "subscribers"}}, number, when=when)["them"]
            every = column("subscribers", "imsi_range").gather(there).drop_nulls()
            most = every.value_counts()["count"].max()
            some = cast({"them": role | {"at_least": 12}}, number, when=when)["them"]
            assert len(some) >= 12
            # Where none has so many, it is one of those that have most.
            some = cast({"them": role | {"at_least": 9999}}, number, when=when)["them"]
            assert len(some) == most

    def test_it_does_not_change_whom_others_draw(self) -> None:
        free = {"of": "subscribers", "where": {"kind": "person"}, "number": 9}
        fleet = {"of": "subscribers", "where": {"kind": "machine"}}
        one = cast({"fleet": fleet | {"one": "imsi_range"}, "them": free})["them"]
        assert one.tolist() == cast({"fleet": fleet, "them": free})["them"].tolist()

    def test_a_range_is_a_condition_too(self) -> None:
        rows = members(of="subscribers", where={"kind": "machine"}, one="imsi_range")
        (name,) = set(self.ranges(rows))
        same = members(of="subscribers", where={"imsi_range": name})
        assert same.tolist() == rows.tolist()


class TestNearestCells:
    def test_of_places_they_are_on_three_sites(self) -> None:
        cells = nearest_cells(ground(), "places", [0])
        assert len(set(column("cells", "site_id").gather(cells))) == 3
        assert (np.diff(cells) > 0).all()

    def test_of_cells_and_sites(self) -> None:
        assert nearest_cells(ground(), "cells", [4, 9]).tolist() == [4, 9]
        cells = nearest_cells(ground(), "sites", [3])
        assert set(column("cells", "site_id").gather(cells)) == {column("sites", "site_id")[3]}

    def test_of_nothing(self) -> None:
        assert len(nearest_cells(ground(), "places", [])) == 0
