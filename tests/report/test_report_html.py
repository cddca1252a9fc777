from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from fabricated_results import make_results, run_record

from isthmus.errors import RunFolderError
from isthmus.names import MADE
from isthmus.report.html import findings, write_report
from isthmus.report.images import IMAGE_VIEWS
from isthmus.report.pixelwise import DENSE_VIEWS
from isthmus.report.results import Results

VOID = {"meta", "img", "br", "wbr"}


class Page(HTMLParser):
    """Headings, addresses and text of a page; fails on tags that do not pair."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.sections: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.classes: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        self.classes += [name for key, value in attrs if key == "class" for name in (value or "").split()]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.open and self.open[-1] == "h2":
            self.sections.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def report(folder: Path) -> Page:
    return Page(write_report(folder).read_text(encoding="utf-8"))


def test_report_of_a_comparison(write: Callable[..., Path], results: Results) -> None:
    folder = write(results)
    page = report(folder)
    assert page.sections == [
        "Results",
        "Last, selected, oracle",
        "Learning curves",
        "Training losses",
        "Features",
        "Sample predictions",
        "Problem and recipe",
        "Runs and diagnostics",
        "Notes",
    ]
    assert "symnets beats source_only by 11.0 points" in page.text
    assert "73.0 ± 1.5" in page.text
    # Three charts, four embeddings, three pictures of each of three methods.
    assert page.tags.count("img") == 3 + 4 + 9
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "results.json", "runs"]


def test_report_needs_nothing_else(write: Callable[..., Path], results: Results) -> None:
    folder = write(results)
    page = report(folder)
    assert all(address.startswith("data:image/") for address in page.addresses)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|url\(|<script", text)


def test_names_are_escaped(write: Callable[..., Path], results: Results) -> None:
    page = report(write(results))
    assert "cat <b>, dog & co, owl" in page.text
    assert "pets <x>" in page.text
    assert "A note with <i>tags</i>." in page.text
    assert "x" not in page.tags


def test_wrong_predictions_are_marked(write: Callable[..., Path], results: Results) -> None:
    page = report(write(results))
    # The first of three classes is predicted for one picture of each.
    assert page.classes.count("right") == 3
    assert page.classes.count("wrong") == 6
    assert "✗ cat <b> 70 % is dog & co" in page.text


def test_report_without_exam(write: Callable[..., Path]) -> None:
    runs = [run_record(method, 0, None) for method in ("source_only", "symnets:category_confusion=false")]
    page = report(write(make_results(runs, exam=False)))
    assert "Last, selected, oracle" not in page.sections
    assert "Learning curves" in page.sections
    assert "Accuracy is unknown" in page.text
    assert page.classes.count("unknown") == 6


def write_pixels(folder: Path, *known: str) -> None:
    """Predicted and true depths of two images, and features."""
    arrays = {name: np.ones((2, 8, 8)) for name in ("predicted_depth", *known)}
    features = {f"features_layer-2_{domain}": np.eye(2) for domain in ("source", "target")}
    np.savez(folder / DENSE_VIEWS, picture=np.zeros((2, 8, 8, 3), np.uint8), **arrays, **features)


def test_the_captions_of_pictures_say_whether_they_are_the_exams(write: Callable[..., Path]) -> None:
    run = run_record("dann", 0, 0.5)
    folder = write(make_results([run]), views=False)
    write_pixels(folder / run["folder"], "truth_depth")
    assert "Exam images, the truth, and the last model of each method's first seed. White: no label." in (
        report(folder).text
    )
    run = run_record("dann", 0, None)
    folder = write(make_results([run], exam=False), views=False)
    write_pixels(folder / run["folder"])
    text = report(folder).text
    assert "Training images of the target, their labels where there are some, and the last model of each" in text
    for word in ("Exam images", "the truth", "true depth"):
        assert word not in (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("exam", "shown"), [(True, "Exam images"), (False, "Training images")])
def test_the_captions_of_completed_images_say_whether_they_are_the_exams(
    write: Callable[..., Path], exam: bool, shown: str
) -> None:
    run = run_record("dann", 0, 0.5 if exam else None)
    results = make_results([run], exam=exam)
    for domain in results["problem"]["domains"]:
        domain["tasks"] = ["completion"]
    folder = write(results, views=False)
    images = np.zeros((2, 3, 8, 8, 3), np.uint8)
    np.savez(folder / run["folder"] / IMAGE_VIEWS, **{"image": images, "with hole": images, MADE: images})
    assert f"Images {shown}, the same with the hole, and how the last model" in report(folder).text


def test_report_of_a_single_run_in_the_folder_itself(write: Callable[..., Path]) -> None:
    run = run_record("dann", 0, 0.5)
    run["folder"] = "."
    page = report(write(make_results([run]), pictures=0))
    assert "dann reaches 50.0 %" in page.text
    assert "Features" in page.sections
    assert "Sample predictions" not in page.sections


def test_memory_is_shown_where_it_is_known(write: Callable[..., Path]) -> None:
    runs = [run_record("dann", seed, 0.5) for seed in (0, 1)]
    assert "peak MB" not in report(write(make_results(runs), views=False)).text
    runs[1]["peak_memory_mb"] = 2345.6
    page = report(write(make_results(runs), views=False))
    assert "images/s peak MB parameters" in page.text
    assert "1,000 – 1,234" in page.text
    assert "1,000 2,346 1,234" in page.text


def test_report_without_views(write: Callable[..., Path], results: Results) -> None:
    page = report(write(results, views=False))
    assert "Features" not in page.sections
    assert "Sample predictions" not in page.sections
    assert "Learning curves" in page.sections


def test_warnings_stand_before_the_results(write: Callable[..., Path]) -> None:
    runs = [run_record("dann", seed, 0.5, message="2 of 3 classes are never predicted: a < b.") for seed in (0, 1)]
    assert [finding.seeds for finding in findings(runs)] == [[0, 1]]
    page = report(write(make_results(runs), views=False))
    assert page.text.index("Warning, dann (seeds 0, 1): 2 of 3 classes are never predicted: a < b.") < page.text.index(
        "Results"
    )


def test_a_failed_report_leaves_the_old_one(write: Callable[..., Path], results: Results) -> None:
    folder = write(results, views=False)
    before = write_report(folder).read_text(encoding="utf-8")
    (folder / results["runs"][0]["folder"] / "history.json").unlink()
    with pytest.raises(RunFolderError, match=r"history\.json"):
        write_report(folder)
    assert (folder / "report.html").read_text(encoding="utf-8") == before
