"""`results.json`, schema 1: what was run, on what, and what came of it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from isthmus.data.digests import data_digests
from isthmus.data.inputs import ImageInput, describe
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.tasks import Setting
from isthmus.engine.hardware import Hardware
from isthmus.engine.trainer import Trainer
from isthmus.evaluation.images import directions as image_directions
from isthmus.experiments.folders import write_json
from isthmus.experiments.record import Record
from isthmus.report.results import (
    RESULTS,
    SCHEMA,
    Diagnostic,
    ExamRecord,
    Headline,
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
        "versions": versions(),
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
        "classes": list(problem.task.classes) if _has_classes(problem) else [],
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
    heads = record.results(directions(problem))
    unknown: Scores = {"last": None, "selected": None, "oracle": None}
    # Domains of a joint problem take turns.
    domains = 1 if problem.setting is Setting.JOINT else len(problem.domains)
    images = trainer.steps * problem.recipe.batch_size * domains
    return {
        "method": method,
        "seed": seed,
        **_headline(problem),
        "scores": next(iter(heads.values()), unknown),
        "selected_by": select_by,
        "selected_epoch": record.selected_epoch,
        "epochs": trainer.epoch,
        "steps": trainer.steps,
        "seconds": round(trainer.seconds, 3),
        "images_per_second": round(images / trainer.seconds, 1),
        "peak_memory_mb": peak_memory_mb(trainer.fabric.device),
        "parameters": sum(parameter.numel() for parameter in trainer.method.parameters()),
        "diagnostics": diagnostics(problem, record),
        "heads": heads,
        "folder": folder,
    }


def diagnostics(problem: Problem, record: Record) -> list[Diagnostic]:
    """Label-free facts of the last epoch, with a message where one deserves a look."""
    found: list[Diagnostic] = [
        {"name": name, "value": value, "message": ""} for name, value in record.rows[-1]["scores"].items()
    ]
    if not _has_classes(problem):
        return found
    missing = record.unpredicted
    shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    tasks = [domain.labels.task if domain.labels else problem.task for domain, _ in problem.measured]
    place = "their own domain" if problem.setting is Setting.JOINT else "the target"
    message = f"{len(missing)} of {sum(t.num_classes for t in tasks)} classes are never predicted on {place}: {shown}."
    found.append({"name": "unpredicted_classes", "value": len(missing), "message": message if missing else ""})
    return found


def directions(problem: Problem) -> dict[str, bool]:
    """Of each metric that is no accuracy, whether higher is better."""
    return image_directions(problem) | {
        f"{task.name} {metric}": metric not in task.errors for task in problem.tasks.every for metric in task.metrics
    }


def _headline(problem: Problem) -> Headline:
    """What the scores of a run are."""
    if images := problem.image_task:
        return {"metric": images.metric, "higher_is_better": images.higher_is_better, "unit": ""}
    if problem.setting is not Setting.ASSISTED:
        return {"metric": problem.task.metric, "higher_is_better": problem.task.higher_is_better, "unit": "%"}
    task = problem.tasks.main[0]
    name = f"{task.name} {task.metrics[0]}"
    return {"metric": name, "higher_is_better": directions(problem)[name], "unit": task.unit or "%"}


def _has_classes(problem: Problem) -> bool:
    return problem.setting is not Setting.ASSISTED and problem.image_task is None


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
    """What the figures were computed with."""
    packages = ("torch", "torchvision", "timm", "lightning")
    return {"isthmus": __version__, "python": platform.python_version()} | {name: version(name) for name in packages}


def peak_memory_mb(device: torch.device) -> float | None:
    """Largest memory of a GPU since its statistics were reset; None of other devices, which keep none of a run."""
    return round(torch.cuda.max_memory_allocated(device) / 2**20, 1) if device.type == "cuda" else None
