"""What each command takes and does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from isthmus.checks import random_seed
from isthmus.cli.flags import Folders, Training, chosen_problem
from isthmus.cli.output import (
    method_options,
    method_row,
    print_json,
    show_by_setting,
    show_classes,
    show_method,
    show_pixels,
    show_results,
    write_rows,
)
from isthmus.cli.parsing import Changes
from isthmus.data.recipes import Recipe
from isthmus.engine.hardware import Hardware
from isthmus.errors import OptionError
from isthmus.files import replacing
from isthmus.names import Accelerator, OnBadImage
from isthmus.progress import waiting

LOADING = "Loading PyTorch …"


def compare(
    problem: str | None = None,
    *,
    methods: list[str] = [],  # noqa: B006  (read only)
    seeds: int = 1,
    training: Training,
    folders: Folders,
    recipe: Changes[Recipe],
    hardware: Hardware,
) -> None:
    """Train several methods on one problem and print them side by side.

    Args:
        problem: built-in problem (`isthmus problems` lists them), or a problem file (`rooms.yaml`); `digits-photo`,
            which needs no files, by default.
        methods: names of methods (`isthmus methods` lists them), with options after a colon (`dann:hidden=512`); by
            default the baseline of the problem's setting and two more.
        seeds: number of runs of each method.
        training: what all training commands take.
        folders: images of your own, instead of a built-in problem.
        recipe: changes of the problem's recipe.
        hardware: devices, processes and precision.
    """
    with waiting(LOADING):
        from isthmus import experiments
        from isthmus.experiments.comparison import check_runs
        from isthmus.experiments.folders import comparison_folder

    def output(name: str) -> Path:
        return comparison_folder(training.out, name)

    check_runs(methods, seeds)
    chosen = chosen_problem(problem, folders, training, recipe, methods, output)
    comparison = experiments.compare(methods, chosen, seeds=seeds, hardware=hardware, **training.arguments())
    show_results(comparison.folder, training.json)


def fit(
    method: str,
    problem: str | None = None,
    *,
    seed: int = 0,
    training: Training,
    folders: Folders,
    recipe: Changes[Recipe],
    hardware: Hardware,
) -> None:
    """Train one method.

    Args:
        method: name of a method (`isthmus methods` lists them), with options after a colon (`dann:hidden=512`).
        problem: built-in problem (`isthmus problems` lists them), or a problem file (`rooms.yaml`); `digits-photo`,
            which needs no files, by default.
        seed: of initialisation, shuffles, augmentation and dropout.
        training: what all training commands take.
        folders: images of your own, instead of a built-in problem.
        recipe: changes of the problem's recipe.
        hardware: devices, processes and precision.
    """
    with waiting(LOADING):
        from isthmus import experiments
        from isthmus.experiments.folders import run_folder

    def output(name: str) -> Path:
        return run_folder(training.out, name, method, seed)

    random_seed(seed=seed)
    chosen = chosen_problem(problem, folders, training, recipe, [method], output)
    run = experiments.fit(method, chosen, seed=seed, hardware=hardware, **training.arguments())
    show_results(run.folder, training.json)


def evaluate(
    run: Path,
    problem: str | None = None,
    *,
    exam: Path | None = None,
    on_bad_image: OnBadImage = "fail",
    accelerator: Accelerator = "auto",
    data_root: Path | None = None,
    json: bool = False,
) -> None:
    """Measure a trained model on labelled images.

    Args:
        run: folder of a run or of a model.
        problem: built-in problem or problem file whose exam is taken; by default the built-in one that the model was
            trained on.
        exam: folder with a folder of images for each class, instead of a problem.
        on_bad_image: what to do about an image of that folder that cannot be read.
        accelerator: where the network runs; by default on a GPU where there is one.
        data_root: where benchmark data lies; by default `ISTHMUS_DATA`, else ~/.cache/isthmus.
        json: print the result as JSON.
    """
    with waiting(LOADING):
        from isthmus.evaluation.models import predicted_by
        from isthmus.experiments.evaluation import evaluate_model, model_folder
        from isthmus.experiments.pixelwise import evaluate_pixels

    model = model_folder(run)
    where: dict[str, Any] = {"data_root": data_root, "accelerator": accelerator}
    if predicted_by(model) == "pixels":
        if exam is not None or on_bad_image != "fail":
            raise OptionError(
                "`--exam DIR` and `--on-bad-image` are for folders of classes. Name a problem to measure a model for "
                "pixel-wise tasks."
            )
        result, show = evaluate_pixels(model, problem, **where), show_pixels
    else:
        result, show = evaluate_model(model, problem, exam=exam, on_bad_image=on_bad_image, **where), show_classes
    print_json(result) if json else show(result)


def predict(
    model: Path,
    images: list[Path],
    *,
    out: Path | None = None,
    on_bad_image: OnBadImage = "fail",
    accelerator: Accelerator = "auto",
    json: bool = False,
) -> None:
    """Classify images with a trained model, or write what it says of their pixels.

    Args:
        model: folder of a run or of a model.
        images: image files, or folders of them.
        out: write to this file instead of printing; of a model for pixel-wise tasks, the folder for its files.
        on_bad_image: what to do about an image that cannot be read: refuse all, or leave it out and name it.
        accelerator: where the network runs; by default on a GPU where there is one.
        json: print JSON instead of CSV.
    """
    with waiting(LOADING):
        from isthmus.evaluation.models import predicted_by
        from isthmus.experiments.evaluation import model_folder, predict_images
        from isthmus.experiments.pixelwise import predict_pixels

    model = model_folder(model)
    if predicted_by(model) == "pixels":
        if out is None:
            raise OptionError("A model for pixel-wise tasks writes files: give a folder for them with `--out DIR`.")
        rows = predict_pixels(model, images, out, on_bad_image=on_bad_image, accelerator=accelerator)
        write_rows(rows, sys.stdout, json)
        return
    if out is not None and not out.is_file() and (out.exists() or not out.parent.is_dir()):
        there = "a folder is there" if out.is_dir() else "what is there is no file"
        found = there if out.exists() else "its folder does not exist"
        raise OptionError(f"Expected `--out` to be the path of a file to write, but got `{out}`: {found}.")
    rows = predict_images(model, images, on_bad_image=on_bad_image, accelerator=accelerator)
    if out is None:
        write_rows(rows, sys.stdout, json)
        return
    with replacing(out) as part, part.open("w", newline="", encoding="utf-8") as file:
        write_rows(rows, file, json)


def report(out: Path, *, markdown: bool = False, json: bool = False) -> None:
    """Draw the report of an output folder again, of the runs that are finished, and print their table.

    Args:
        out: folder that `isthmus compare` or `isthmus fit` wrote.
        markdown: print the table as Markdown.
        json: print the content of results.json.
    """
    from isthmus.report.html import write_report
    from isthmus.report.results import read_results
    from isthmus.report.tables import markdown_table

    write_report(out)
    print(markdown_table(read_results(out)), end="") if markdown else show_results(out, json)


def methods(name: str | None = None, *, json: bool = False) -> None:
    """List the methods and the terms they take on (dann+entropy), or describe one with its options.

    Args:
        name: a method, or a term after a plus sign (+dfa); all of them by default.
        json: print JSON.
    """
    from isthmus.methods.registry import method_entries, method_entry, term_entries, term_entry

    if name is not None:
        entry = term_entry(name) if name.startswith("+") else method_entry(name)
        if name != entry.name:
            other = f"Expected one method or term, without options, but got `{name}`. Ask for `{entry.name}`"
            raise OptionError(f"{other}, and for each term by itself: `isthmus methods +dfa`.")
        print_json(method_row(entry) | {"options": method_options(entry)}) if json else show_method(entry)
        return
    rows = [method_row(entry) for entry in (*method_entries(), *term_entries())]
    print_json(rows) if json else show_by_setting(rows)


def problems(*, json: bool = False) -> None:
    """List the built-in problems.

    Args:
        json: print JSON.
    """
    from isthmus.data.benchmarks import entries

    if json:
        print_json(
            [
                {
                    "name": entry.name,
                    "setting": entry.setting,
                    "summary": entry.summary,
                    "source": entry.source,
                    "variants": [f"{entry.name}:{variant}" for variant in entry.variants],
                }
                for entry in entries()
            ]
        )
        return
    rows = []
    for entry in entries():
        summary = f"{entry.summary}; {', '.join(entry.choices)}" if entry.choices else entry.summary
        rows.append({"name": entry.pattern, "setting": entry.setting, "summary": summary, "source": entry.source})
    show_by_setting(rows)
