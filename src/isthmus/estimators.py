"""Training and prediction in scikit-learn's words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from isthmus.data.readers.arrays import array_problem
from isthmus.engine.hardware import Hardware
from isthmus.experiments.run import resolve, train
from isthmus.selection.scores import score_for


class TransferClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier for a domain without labels, or with a few of other classes, by the labels of another domain.

    Vectors and images as `array_problem` takes them; they need no scaling. That problem's recipe decides what the
    parameters leave open. Nothing is left on disk; `isthmus.fit` writes curves, diagnostics and a report as well.

    Cross-validation of `fit`'s labels, as in a grid search, measures the source and not the target.

    >>> X, y = [[0.0], [1.0], [4.0], [5.0]], ["low", "low", "high", "high"]
    >>> classifier = TransferClassifier("dann", epochs=20).fit(X, y, X_target=[[1.0], [2.0], [5.0], [6.0]])
    >>> classifier.classes_.tolist()
    ['high', 'low']

    Args:
        method: a registered name of the unsupervised or inductive setting, with options after a colon
            (`dann:hidden=512`).
        backbone: name of the network; by the kind and size of the samples if None.
        epochs: passes over the larger domain.
        batch_size: samples of each domain in a step; at most those of the smaller domain.
        lr: learning rate at the start.
        random_state: a seed for the same result at every call, a generator that gives one, or None for any.
        accelerator: `auto`, `cpu`, `cuda` or `mps`, in training.

    Attributes:
        classes_: labels in the order of `predict_proba`'s columns.
        model_: the trained `isthmus.Model`, which can be saved.
    """

    def __init__(
        self,
        method: str = "dann",
        *,
        backbone: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        random_state: int | np.random.RandomState | None = 0,
        accelerator: str = "auto",
    ) -> None:
        self.method = method
        self.backbone = backbone
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state
        self.accelerator = accelerator

    def fit(self, X: Any, y: Any, X_target: Any, y_target: Any = None) -> TransferClassifier:
        """Train on a labelled source and on a target.

        Args:
            X: (n, features) vectors or (n, height, width[, channels]) images of the source.
            y: (n,) whole numbers or strings.
            X_target: (m, …), of the same kind.
            y_target: (m,) labels of other classes, which are predicted then; None for a target without labels.

        Raises:
            IsthmusError: one of its kinds, before training wherever possible.
        """
        problem = array_problem(X, y, X_target, y_target)
        given = {name: getattr(self, name) for name in ("epochs", "batch_size", "lr")}
        changes = {name: value for name, value in given.items() if value is not None}
        recipe = replace(problem.recipe, evaluations=1, **changes)
        problem = resolve([self.method], problem, None, recipe, self.backbone, ())
        hardware = Hardware(accelerator=self.accelerator)
        fabric = hardware.fabric()
        score = score_for(problem.predicted, None)
        with TemporaryDirectory(prefix="isthmus-") as folder:
            self.model_ = train(self.method, problem, self._seed(), score, Path(folder), fabric, hardware).model
        self.classes_ = np.unique(np.asarray(y if y_target is None else y_target))
        if (samples := np.asarray(X)).ndim == 2:
            self.n_features_in_ = samples.shape[1]
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Probabilities of the target's classes, (n, classes).

        Raises:
            NotFittedError: before `fit`.
            DataError: samples of another kind than the training's.
        """
        check_is_fitted(self)
        probabilities: NDArray[np.float32] = self.model_.predict(X).numpy()
        return probabilities

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable label of each sample, (n,).

        Raises:
            NotFittedError: before `fit`.
            DataError: as for `predict_proba`.
        """
        best = self.predict_proba(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[best]
        return labels

    def _seed(self) -> int:
        if isinstance(self.random_state, int):
            return self.random_state
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
