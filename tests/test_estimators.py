"""The scikit-learn face: scikit-learn's own checks, labels of every kind, and the same model as `isthmus.fit`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils import estimator_checks

import isthmus
from isthmus.errors import DataError, OptionError, SettingError

CHECKS = [
    "check_dict_unchanged",
    "check_estimator_sparse_array",
    "check_estimators_dtypes",
    "check_estimators_nan_inf",
    "check_estimators_pickle",
    "check_estimators_unfitted",
    "check_fit_idempotent",
    "check_get_params_invariance",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_no_attributes_set_in_init",
    "check_set_params",
]
"""Of scikit-learn; other ones ask for its own words in messages, or for labels that are no classes."""
SIZE = 60


class OneDomain(isthmus.TransferClassifier):
    """Scikit-learn's checks give one data set: it is source and target."""

    def __init__(
        self,
        method: str = "source_only",
        *,
        backbone: str = "mlp:hidden=8",
        epochs: int = 15,
        batch_size: int | None = None,
        lr: float | None = None,
        random_state: int = 0,
        accelerator: str = "cpu",
    ) -> None:
        super().__init__(
            method,
            backbone=backbone,
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            random_state=random_state,
            accelerator=accelerator,
        )

    def fit(self, X: Any, y: Any) -> OneDomain:  # type: ignore[override]
        super().fit(X, y, X)
        return self


def two_domains() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Two classes apart along the first feature; the target lies a little elsewhere along the second."""
    random = np.random.default_rng(0)
    y = np.arange(SIZE) % 2
    X = random.normal(size=(SIZE, 2)) * 0.3 + np.stack([3.0 * y, np.zeros(SIZE)], axis=1)
    return X, y, X[::-1] + np.array([0.0, 0.2]), y[::-1].copy()


def small(method: str = "source_only", **options: Any) -> isthmus.TransferClassifier:
    return isthmus.TransferClassifier(method, **{"backbone": "mlp:hidden=8", "epochs": 20, "lr": 0.1, **options})


@pytest.mark.parametrize("name", CHECKS)
def test_checks_of_scikit_learn(name: str) -> None:
    getattr(estimator_checks, name)("OneDomain", OneDomain())


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes"]),
        np.array([7, -1]),
        np.array([False, True]),
        np.array([2.0, 10.0]),
        np.array(["b", "a"], dtype=object),
    ],
    ids=["strings", "numbers", "booleans", "whole floats", "objects"],
)
def test_predictions_are_the_labels_that_were_given(labels: NDArray[Any]) -> None:
    X, y, X_target, y_target = two_domains()
    classifier = small().fit(X, labels[y], X_target)
    assert classifier.classes_.tolist() == sorted(labels.tolist())
    assert classifier.score(X, labels[y]) > 0.95
    assert classifier.score(X_target, labels[y_target]) > 0.95
    probabilities = classifier.predict_proba(X_target)
    assert probabilities.shape == (SIZE, 2)
    first = probabilities[:, 0] > 0.5
    assert (classifier.predict(X_target)[first] == sorted(labels.tolist())[0]).all()


def test_it_is_the_model_of_fit(tmp_path: Path) -> None:
    X, y, X_target, _ = two_domains()
    classifier = small("dann", epochs=3, lr=0.02, random_state=5).fit(X, y, X_target)
    problem = isthmus.array_problem(X, y, X_target)
    recipe = isthmus.Recipe(**{**vars(problem.recipe), "epochs": 3, "lr": 0.02, "evaluations": 1})
    run = isthmus.fit("dann", problem, recipe=recipe, backbone="mlp:hidden=8", seed=5, out=tmp_path / "run")
    assert torch.equal(torch.from_numpy(classifier.predict_proba(X_target)), run.predict(X_target))


def test_labels_of_other_classes_are_predicted() -> None:
    X, y, X_target, y_target = two_domains()
    names = np.array(["left", "right"])
    classifier = small("joint_finetune").fit(X, y, X_target[:20], names[y_target[:20]])
    assert classifier.classes_.tolist() == ["left", "right"]
    assert classifier.score(X_target, names[y_target]) > 0.95


def test_images_are_taken() -> None:
    y = np.arange(24) % 2
    images = np.zeros((24, 16, 16), dtype=np.uint8)
    images[y == 1, :8] = 255
    classifier = isthmus.TransferClassifier("source_only", epochs=8, batch_size=6).fit(images, y, images)
    assert classifier.score(images, y) == 1
    assert not hasattr(classifier, "n_features_in_")


def test_a_random_state_decides_the_result() -> None:
    X, y, X_target, _ = two_domains()

    def fitted(random_state: Any) -> NDArray[Any]:
        found: NDArray[Any] = small(epochs=1, random_state=random_state).fit(X, y, X_target).predict_proba(X)
        return found

    assert (fitted(3) == fitted(3)).all()
    assert (fitted(3) != fitted(4)).any()
    assert (fitted(np.random.RandomState(1)) == fitted(np.random.RandomState(1))).all()
    assert (fitted(None) != fitted(None)).any()


def test_it_can_be_searched_over_a_grid() -> None:
    X, y, X_target, _ = two_domains()
    search = GridSearchCV(small(), {"lr": [1e-6, 0.1]}, cv=2).fit(X, y, X_target=X_target[:50])
    assert search.best_params_ == {"lr": 0.1}
    assert search.best_estimator_.model_.classes == ("0", "1")


def test_nothing_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, X_target, _ = two_domains()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)
    small(epochs=1).fit(X, y, X_target)
    assert [path.name for path in tmp_path.rglob("*")] == ["temporary"]


def test_mistakes_are_told() -> None:
    X, y, X_target, _ = two_domains()
    with pytest.raises(DataError, match="expected vectors of 2 features"):
        small().fit(X, y, X_target[:, :1])
    with pytest.raises(OptionError, match="dann"):
        small("dan n").fit(X, y, X_target)
    with pytest.raises(SettingError, match="inductive"):
        small("jtln").fit(X, y, X_target)
    with pytest.raises(OptionError, match="epochs"):
        small(epochs=0).fit(X, y, X_target)
    with pytest.raises(ValueError, match="expected vectors of 2 features"):
        small(epochs=1).fit(X, y, X_target).predict(X[:, :1])


def test_a_clone_is_not_fitted() -> None:
    X, y, X_target, _ = two_domains()
    copy = clone(small(epochs=1).fit(X, y, X_target))
    assert copy.get_params() == small(epochs=1).get_params()
    assert not hasattr(copy, "model_")
