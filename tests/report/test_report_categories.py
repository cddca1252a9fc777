"""Which classes are close: the figure and the list beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_problems import RECIPE, other_classes_problem

import isthmus
from isthmus.report.categories import cost_plot, nearest
from isthmus.report.results import read_results

SOURCE, TARGET = ("gull", "hawk", "oak"), ("eagle", "pine")
COSTS = np.array([[0.4, 0.9], [0.1, 1.0], [0.8, 0.2]])


def test_nearest_source_classes_come_first() -> None:
    assert nearest(COSTS, SOURCE, TARGET, count=2) == [
        ("eagle", [("hawk", 0.1), ("gull", 0.4)]),
        ("pine", [("oak", 0.2), ("gull", 0.9)]),
    ]


def test_names_with_dollar_signs_are_drawn_as_they_are() -> None:
    assert cost_plot(COSTS, ("$a$", "b", "c"), TARGET).startswith("<svg")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("inductive") / "out"
    methods = ["finetune_target", "jtln:start=0"]
    return isthmus.compare(methods, other_classes_problem(RECIPE), out=out).folder


def test_the_report_shows_the_costs_of_methods_that_have_some(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert page.count("Costs between source and target classes") == 1
    assert "nearest source classes (cost)" in page
    for name in ("top", "middle", "bottom"):
        assert f"{name} (" in page


def test_results_name_the_classes_of_both_domains(folder: Path) -> None:
    problem = read_results(folder)["problem"]
    assert [domain["classes"] for domain in problem["domains"]] == [["top", "middle", "bottom"], ["left", "right"]]
    assert problem["classes"] == ["left", "right"]
