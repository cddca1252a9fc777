"""What a run remembers of its epochs: losses, scores, and the epoch that the label-free score picks."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from isthmus.data.tasks import Metric
from isthmus.engine.checkpoints import write_atomically
from isthmus.evaluation.examination import Examination
from isthmus.experiments.folders import write_json
from isthmus.report.results import HISTORY, EpochRow, Scores


@dataclass
class Record:
    """The epochs of one run.

    Attributes:
        rows: one an epoch: `epoch`, `losses`, and, where it was examined, `metrics` and `scores`.
        unpredicted: classes given to no training sample of the domain that counts, at the last examination.
        selected_epoch: the examined epoch with the best label-free score.
        selected_weights: of all predictors, at that epoch.
    """

    rows: list[EpochRow] = field(default_factory=list)
    unpredicted: list[str] = field(default_factory=list)
    selected_epoch: int = 0
    selected_weights: dict[str, Tensor] = field(default_factory=dict)

    def add(self, epoch: int, losses: dict[str, float], examination: Examination | None) -> None:
        """Remember an epoch; `examination` is None where none was held."""
        row: EpochRow = {"epoch": epoch, "losses": losses, "metrics": {}, "scores": {}}
        if examination is not None:
            row["metrics"], row["scores"] = examination.metrics, examination.scores
            self.unpredicted = examination.unpredicted
        self.rows.append(row)

    def beats_selected(self, score: str) -> bool:
        """Whether the last epoch's label-free score is higher than that of the epoch selected so far."""
        selected = next((row for row in self.rows if row["epoch"] == self.selected_epoch), None)
        return selected is None or bool(self.rows[-1]["scores"][score] > selected["scores"][score])

    def select(self, epoch: int, weights: dict[str, Tensor]) -> None:
        """Take this epoch's predictors as the selected ones."""
        self.selected_epoch = epoch
        self.selected_weights = {name: value.detach().clone() for name, value in weights.items()}

    @property
    def heads(self) -> list[str]:
        """Names of what was measured: classifiers, domains or metrics; none without an exam."""
        return next((list(row["metrics"]) for row in reversed(self.rows) if row["metrics"]), [])

    def results(self, metrics: Mapping[str, Metric]) -> dict[str, Scores]:
        """`last`, `selected` and `oracle` score of each head, by what it is measured in.

        Epochs of an earlier version may lack a head: they are passed over.
        """
        examined = [row["metrics"] for row in self.rows if row["metrics"]]
        selected = next((row["metrics"] for row in self.rows if row["epoch"] == self.selected_epoch), {})
        return {
            head: {
                "last": examined[-1][head],
                "selected": selected.get(head),
                "oracle": (max if metric.higher_is_better else min)(row[head] for row in examined if head in row),
            }
            for head, metric in metrics.items()
        }

    def flat_row(self, position: int) -> dict[str, float]:
        """One row with names such as `loss/task`, `metric/target`, `score/entropy`."""
        row = self.rows[position]
        groups = {"loss": row["losses"], "metric": row["metrics"], "score": row["scores"]}
        named = {f"{kind}/{name}": value for kind, values in groups.items() for name, value in values.items()}
        return {"epoch": row["epoch"], **named}

    def write(self, folder: Path) -> None:
        """Write `history.json`, and the same as `metrics.csv`."""
        write_json(folder / HISTORY, self.rows)
        flat = [self.flat_row(position) for position in range(len(self.rows))]
        text = io.StringIO()
        writer = csv.DictWriter(text, list(dict.fromkeys(name for row in flat for name in row)))
        writer.writeheader()
        writer.writerows(flat)
        write_atomically(folder / "metrics.csv", lambda part: part.write_text(text.getvalue(), encoding="utf-8"))
