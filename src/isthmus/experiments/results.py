"""`results.json`, schema 1: what was run, on what, and what came of it."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from isthmus.data.digests import data_digests
from isthmus.data.inputs import ImageInput, describe
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.tasks import Metric, Setting
from isthmus.engine.hardware import Hardware
from isthmus.engine.trainer import Trainer
from isthmus.experiments.folders import write_json
from isthmus.experiments.record import Record
from isthmus.names import AVERAGE
from isthmus.report.results import (
    RESULTS,
    SCHEMA,
    Diagnostic,
    ExamRecord,
    ProblemRecord,
    Results,
    RunRecord,
    Scores,
    summarise,
)
from isthmus.version import __version__


def write_results(folder: Path, problem: Problem, runs: list[RunRecord]) -> Results:
    """Write `results.json` with all runs so far, and return its content."""
    results: Results = {
        "schema": SCHEMA,
        "problem": problem_description(problem),
        "versions": _distinct([run.get("versions", {}) for run in runs]),
        "runs": runs,
        "summary": summarise(runs),
    }
    write_json(folder / RESULTS, results)
    return results


def problem_description(problem: Problem) -> ProblemRecord:
    """A problem as plain data; no labels in it."""
    return {
        "name": problem.name,
        "setting": str(problem.setting),
        "classes": list(problem.task.classes) if problem.predicted == "classes" else [],
        "domains": [
            {
                "name": domain.name,
                "samples": len(domain.samples),
                "labelled": domain.labels is not None or domain.pixels is not None,
                "classes": list(domain.labels.task.classes) if domain.labels else [],
                "tasks": _task_names(domain),
            }
            for domain in problem.domains
        ],
        "exam": _exam_description(problem.exams),
        "backbone": " ".join(problem.backbones) or problem.backbone,
        "recipe": asdict(problem.recipe),
        "notes": list(problem.notes),
    }


def input_description(problem: Problem) -> dict[str, Any]:
    """What the network sees of a sample, as plain data; the statistics of vectors follow from the data."""
    description = describe(problem.input)
    return (
        description
        if isinstance(problem.input, ImageInput)
        else {key: description[key] for key in ("kind", "features")}
    )


def conditions(problem: Problem, select_by: str, hardware: Hardware) -> dict[str, Any]:
    """What must be the same for a run or a comparison to be continued, besides its methods and seeds."""
    return {
        "problem": problem_description(problem),
        "input": input_description(problem),
        "data": data_digests(problem),
        "select_by": select_by,
        "precision": hardware.precision,
    }


def run_result(
    method: str, seed: int, problem: Problem, trainer: Trainer, record: Record, select_by: str, folder: str
) -> RunRecord:
    """One entry of `runs`."""
    headline, others = metrics_of(problem)
    metrics = {head: others.get(head, headline) for head in record.heads}
    scores = record.results(metrics)
    unknown: Scores = {"last": None, "selected": None, "oracle": None}
    # Domains of a joint problem take turns.
    domains = 1 if problem.setting is Setting.JOINT else len(problem.domains)
    images = trainer.steps * problem.recipe.batch_size * domains
    return {
        "method": method,
        "seed": seed,
        "metric": headline.name,
        "higher_is_better": headline.higher_is_better,
        "unit": headline.unit,
        "scores": next(iter(scores.values()), unknown),
        "selected_by": select_by,
        "selected_epoch": record.selected_epoch,
        "epochs": trainer.epoch,
        "steps": trainer.steps,
        "seconds": round(trainer.seconds, 3),
        "images_per_second": round(images / trainer.seconds, 1),
        "peak_memory_mb": peak_memory_mb(trainer.fabric.device),
        "parameters": sum(parameter.numel() for parameter in trainer.method.parameters()),
        "diagnostics": diagnostics(problem, record),
        "heads": {head: {**scores[head], "unit": metric.unit} for head, metric in metrics.items()},
        "versions": versions(),
        "folder": folder,
    }


def diagnostics(problem: Problem, record: Record) -> list[Diagnostic]:
    """Label-free facts of the last epoch, with a message where one deserves a look."""
    found: list[Diagnostic] = [
        {"name": name, "value": value, "message": ""} for name, value in record.rows[-1]["scores"].items()
    ]
    if problem.predicted != "classes":
        return found
    missing = record.unpredicted
    shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    tasks = [domain.labels.task if domain.labels else problem.task for domain, _ in problem.measured]
    place = "their own domain" if problem.setting is Setting.JOINT else "the target"
    message = f"{len(missing)} of {sum(t.num_classes for t in tasks)} classes are never predicted on {place}: {shown}."
    found.append({"name": "unpredicted_classes", "value": len(missing), "message": message if missing else ""})
    return found


def metrics_of(problem: Problem) -> tuple[Metric, dict[str, Metric]]:
    """The headline's metric, and by name those of the heads that are measured in others."""
    if problem.predicted == "pixels":
        heads = {f"{task.name} {metric.name}": metric for task in problem.tasks.every for metric in task.metrics}
        name, metric = next(iter(heads.items()))
        return replace(metric, name=name), heads
    headline, *besides = (problem.image_task or problem.task).metrics
    places = (AVERAGE, *(domain.name for domain in problem.domains))
    return headline, {f"{place} {metric.name}": metric for metric in besides for place in places}


def _task_names(domain: Domain) -> list[str]:
    if domain.task is not None:
        return [type(domain.task).__name__.lower()]
    return [task.name for task in domain.pixels.tasks] if domain.pixels else []


def _exam_description(exams: Sequence[Exam]) -> ExamRecord | None:
    if not exams:
        return None
    return {
        "name": exams[0].name if len(exams) == 1 else f"the average of {len(exams)} domains",
        "samples": sum(len(exam.samples) for exam in exams),
        "transductive": all(exam.transductive for exam in exams),
    }


def versions() -> dict[str, str]:
    """What figures are computed with now."""
    packages = ("torch", "torchvision", "timm", "lightning")
    return {"isthmus": __version__, "python": platform.python_version()} | {name: version(name) for name in packages}


def _distinct(each: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The versions of several runs by package, more than one where a comparison has grown over an update."""
    names = dict.fromkeys(name for versions in each for name in versions)
    return {name: ", ".join(dict.fromkeys(known[name] for known in each if name in known)) for name in names}


def peak_memory_mb(device: torch.device) -> float | None:
    """Largest memory of a GPU since its statistics were reset; None of other devices, which keep none of a run."""
    return round(torch.cuda.max_memory_allocated(device) / 2**20, 1) if device.type == "cuda" else None
