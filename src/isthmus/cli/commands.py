"""What each command takes and does."""

from __future__ import annotations

import inspect
import json as json_module
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from isthmus.cli.parsing import Changes
from isthmus.data.recipes import Recipe
from isthmus.engine.hardware import Hardware
from isthmus.errors import OptionError, SettingError
from isthmus.progress import first_process

if TYPE_CHECKING:
    from isthmus.data.problems import Problem
    from isthmus.data.tasks import Setting
    from isthmus.methods.registry import MethodEntry

DEFAULT_PROBLEM = "digits-photo"


@dataclass(frozen=True)
class Folders:
    """Your own images.

    Attributes:
        source: folder with a folder of images for each class.
        target: folder of images of the other domain; class folders of the source's names are used for measuring only,
            those of other names are classes to learn.
        exam: folder with a folder of images for each class, held out for measuring on the target.
        domains: instead of these, two or more folders, each with a folder of images for each of its own classes: a
            joint problem, for which a quarter of each class is held out for measuring.
        image_size: side of the network's input in pixels; by default chosen from the images.
        on_bad_image: what to do about an image that cannot be read.
    """

    source: Path | None = None
    target: Path | None = None
    exam: Path | None = None
    domains: tuple[Path, ...] = ()
    image_size: int | None = None
    on_bad_image: Literal["fail", "skip"] = "fail"

    def given(self) -> bool:
        """Whether the problem is to be made of folders."""
        return self != Folders()

    def setting(self) -> Setting:
        """The setting of their problem, by the names of the class folders; no image is read."""
        from isthmus.data.readers.folder_classes import folder_setting
        from isthmus.data.tasks import Setting

        return Setting.JOINT if self._joint() else folder_setting(*self._domains())

    def reason(self, setting: Setting) -> str:
        """What makes their problem one of this setting."""
        if self._joint():
            return "`--domains` makes a joint problem."
        own = setting.value == "inductive"
        classes = "class folders of other names than the source's" if own else "the source's class folders, or none"
        return f"`{self.target}` has {classes}."

    def problem(self, backbone: str | None) -> Problem:
        """The problem of these folders."""
        from isthmus.data.readers.folders import folder_problem
        from isthmus.data.readers.joint_folders import joint_folder_problem

        reading: dict[str, Any] = {
            "backbone": backbone,
            "image_size": self.image_size,
            "on_bad_image": self.on_bad_image,
        }
        if self._joint():
            return joint_folder_problem(self.domains, **reading)
        return folder_problem(*self._domains(), self.exam, **reading)

    def _joint(self) -> bool:
        """Whether the domains have labels each."""
        others = [name for name in ("source", "target", "exam") if getattr(self, name) is not None]
        if self.domains and others:
            raise OptionError(
                f"Expected `--domains` alone, or `--source`, `--target` and `--exam`, but got `--domains` and "
                f"{', '.join(f'`--{name}`' for name in others)}."
            )
        return bool(self.domains)

    def _domains(self) -> tuple[Path, Path]:
        if self.source is None or self.target is None:
            missing = "--source" if self.source is None else "--target"
            raise OptionError(
                f"Expected both `--source DIR` and `--target DIR`, as for all problems of your own images, "
                f"but `{missing}` is missing."
            )
        return self.source, self.target


@dataclass(frozen=True)
class Training:
    """Training and its output.

    Attributes:
        out: output folder; by default one below isthmus-out, named after the problem.
        backbone: `digits`, `svhn`, `signs`, `mlp` or any timm model; the problem's own by default.
        select_by: label-free score that picks the `selected` epoch: `information_maximisation` (the
            default) or `entropy`; in the assisted setting `main_on_source`.
        data_root: where benchmark data lies; by default `ISTHMUS_DATA`, else ~/.cache/isthmus.
        resume: continue what was killed, exactly.
        overwrite: replace what is in the output folder.
        json: print the content of results.json.
    """

    out: Path | None = None
    backbone: str | None = None
    select_by: str | None = None
    data_root: Path | None = None
    resume: bool = False
    overwrite: bool = False
    json: bool = False

    def arguments(self) -> dict[str, Any]:
        """What `isthmus.compare` and `isthmus.fit` take of this."""
        return {name: getattr(self, name) for name in ("out", "backbone", "select_by", "resume", "overwrite")}


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
        problem: built-in problem (`isthmus problems` lists them); `digits-photo`, which needs no files, by default.
        methods: names of methods (`isthmus methods` lists them), with options after a colon (`dann:hidden=512`); by
            default the baseline of the problem's setting and two more.
        seeds: number of runs of each method.
        training: what all training commands take.
        folders: images of your own, instead of a built-in problem.
        recipe: changes of the problem's recipe.
        hardware: devices, processes and precision.
    """
    from isthmus import experiments

    chosen = _problem(problem, folders, training, recipe, methods)
    comparison = experiments.compare(methods, chosen, seeds=seeds, hardware=hardware, **training.arguments())
    _show(comparison.folder, training.json)


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
        problem: built-in problem (`isthmus problems` lists them); `digits-photo`, which needs no files, by default.
        seed: of initialisation, shuffles, augmentation and dropout.
        training: what all training commands take.
        folders: images of your own, instead of a built-in problem.
        recipe: changes of the problem's recipe.
        hardware: devices, processes and precision.
    """
    from isthmus import experiments

    chosen = _problem(problem, folders, training, recipe, [method])
    run = experiments.fit(method, chosen, seed=seed, hardware=hardware, **training.arguments())
    _show(run.folder, training.json)


def evaluate(
    run: Path,
    problem: str | None = None,
    *,
    exam: Path | None = None,
    data_root: Path | None = None,
    json: bool = False,
) -> None:
    """Measure a trained model on labelled images.

    Args:
        run: folder of a run or of a model.
        problem: built-in problem whose exam is taken; by default the one the model was trained on.
        exam: folder with a folder of images for each class, instead of a problem.
        data_root: where benchmark data lies; by default `ISTHMUS_DATA`, else ~/.cache/isthmus.
        json: print the result as JSON.
    """
    from isthmus.experiments.pixelwise import dense_model_folder

    if place := dense_model_folder(run):
        _evaluate_pixels(place, problem, exam, data_root, json)
        return
    from isthmus.experiments.evaluation import evaluate_model

    result = evaluate_model(run, problem, exam=exam, data_root=data_root)
    if json:
        _print_json(result)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "class", "samples", "accuracy %", title=f"{result['exam']}: accuracy {100 * result['accuracy']:.2f} %"
    )
    for row in result["classes"]:
        table.add_row(row["name"], str(row["samples"]), f"{100 * row['accuracy']:.1f}" if row["samples"] else "–")
    Console().print(table)


def predict(model: Path, images: list[Path], *, out: Path | None = None, json: bool = False) -> None:
    """Classify images with a trained model, or write what it says of their pixels.

    Args:
        model: folder of a run or of a model.
        images: image files, or folders of them.
        out: write to this file instead of printing; of a model for pixel-wise tasks, the folder for its files.
        json: print JSON instead of CSV.
    """
    from isthmus.experiments.pixelwise import dense_model_folder, predict_pixels

    if place := dense_model_folder(model):
        if out is None:
            raise OptionError("A model for pixel-wise tasks writes files: give a folder for them with `--out DIR`.")
        _write_rows(predict_pixels(place, images, out), sys.stdout, json)
        return
    from isthmus.experiments.evaluation import predict_images

    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        found = "a folder is there" if out.is_dir() else "its folder does not exist"
        raise OptionError(f"Expected `--out` to be the path of a file to write, but got `{out}`: {found}.")
    rows = predict_images(model, images)
    with out.open("w", newline="", encoding="utf-8") if out else nullcontext(sys.stdout) as file:
        _write_rows(rows, file, json)


def methods(name: str | None = None, *, json: bool = False) -> None:
    """List the methods and the terms they take on (dann+entropy), or describe one with its options.

    Args:
        name: a method, or a term after a plus sign (+dfa); all of them by default.
        json: print JSON.
    """
    from isthmus.methods.registry import method_entries, method_entry, term_entries, term_entry

    if name is not None:
        entry = term_entry(name) if name.startswith("+") else method_entry(name)
        _print_json(_method_row(entry) | {"options": _options(entry)}) if json else _describe(entry)
        return
    rows = [_method_row(entry) for entry in (*method_entries(), *term_entries())]
    _print_json(rows) if json else _print_by_setting(rows)


def problems(*, json: bool = False) -> None:
    """List the built-in problems.

    Args:
        json: print JSON.
    """
    from isthmus.data.benchmarks import entries

    if json:
        _print_json(
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
    _print_by_setting(rows)


def _write_rows(rows: list[dict[str, Any]], file: TextIO, json: bool) -> None:
    if json:
        file.write(_json(rows))
        return
    import csv

    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _evaluate_pixels(model: Path, problem: str | None, exam: Path | None, data_root: Path | None, json: bool) -> None:
    from isthmus.experiments.pixelwise import evaluate_pixels

    if exam is not None:
        raise OptionError("`--exam DIR` is for classes. Name a problem to measure a model for pixel-wise tasks.")
    result = evaluate_pixels(model, problem, data_root=data_root)
    if json:
        _print_json(result)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("task", "metric", "value", title=f"{result['exam']}, {result['samples']} samples")
    for task, values in result["tasks"].items():
        for name, value in values.items():
            table.add_row(task, name, f"{value:.4g}")
    Console().print(table)


def _problem(
    name: str | None, folders: Folders, training: Training, recipe: Changes[Recipe], methods: Sequence[str]
) -> Problem:
    """The problem that the flags describe, with the recipe that they change."""
    from isthmus.experiments.run import check_setting

    if folders.given():
        if name is not None:
            raise OptionError(
                f"Expected a problem's name or flags for images of your own, but got both (`{name}`). "
                f"`--source`, `--target`, `--exam`, `--domains`, `--image-size` and `--on-bad-image` are for your own "
                f"images."
            )
        setting = folders.setting()
        try:
            check_setting(methods, setting)
        except SettingError as error:
            raise SettingError(f"{error} {folders.reason(setting)}") from None
        problem = folders.problem(training.backbone)
    else:
        from isthmus.data.benchmarks import load_problem, setting_of

        name = name or DEFAULT_PROBLEM
        check_setting(methods, setting_of(name))
        problem = load_problem(name, training.data_root)
    return replace(problem, recipe=recipe.over(problem.recipe))


def _show(folder: Path, json: bool) -> None:
    if not first_process():
        return
    from rich.console import Console

    from isthmus.report.pixelwise import metric_names, metric_table
    from isthmus.report.results import read_results
    from isthmus.report.tables import summary_table

    results = read_results(folder)
    if json:
        _print_json(results)
        return
    output = Console()
    output.print(summary_table(results))
    if metric_names(results):
        output.print(metric_table(results))
    output.print(f"Report: {folder / 'report.html'}", markup=False, highlight=False, soft_wrap=True)


def _describe(entry: MethodEntry) -> None:
    from rich.console import Console

    output = Console()
    about = f"{entry.name}: {entry.summary} ({entry.source}; {entry.setting})"
    output.print(about, markup=False, highlight=False, soft_wrap=True)
    output.print(inspect.cleandoc(entry.load().__doc__ or ""), markup=False, highlight=False, soft_wrap=True)
    example = ",".join(f"{name}={'null' if value is None else value}" for name, value in _options(entry).items())
    if example:
        output.print(f"Defaults: {entry.name}:{example}", markup=False, highlight=False, soft_wrap=True)


def _method_row(entry: MethodEntry) -> dict[str, str]:
    return {"name": entry.name, "setting": entry.setting, "summary": entry.summary, "source": entry.source}


def _options(entry: MethodEntry) -> dict[str, Any]:
    """A method's options with their defaults."""
    parameters = inspect.signature(entry.load()).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def _print_by_setting(rows: list[dict[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "summary", "source", box=None, pad_edge=False)
    table.columns[0].no_wrap = True  # a name is there to be copied
    for setting in dict.fromkeys(row["setting"] for row in rows):
        table.add_row(f"\n[bold]{setting}[/bold]")
        for row in rows:
            if row["setting"] == setting:
                table.add_row(row["name"], row["summary"], row["source"])
    Console().print(table)


def _print_json(content: Any) -> None:
    sys.stdout.write(_json(content))


def _json(content: Any) -> str:
    return json_module.dumps(content, indent=2) + "\n"
