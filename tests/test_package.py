"""The package: what importing it costs, and that every public name is there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import isthmus

HEAVY = ("torchvision", "timm", "lightning", "torchmetrics", "matplotlib", "sklearn", "scipy", "h5py", "jinja2")


def loaded_by(code: str) -> set[str]:
    """Which of the heavy packages, and torch, a fresh interpreter has loaded after running `code`."""
    ask = f"{code}\nimport sys\nprint(*[name for name in {(*HEAVY, 'torch')!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=120, check=True)
    return set(done.stdout.splitlines()[-1].split()) if done.stdout.strip() else set()


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import isthmus, isthmus.cli") == set()


def test_a_problem_and_a_method_of_ones_own_load_torch_only() -> None:
    assert loaded_by("import isthmus; isthmus.Method, isthmus.Problem, isthmus.Recipe, isthmus.array_problem") == {
        "torch"
    }


@pytest.mark.parametrize("name", isthmus.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(isthmus, name).__doc__
    assert name in dir(isthmus)


def test_the_reference_lists_every_public_name() -> None:
    page = Path(__file__).parents[1] / "docs" / "reference" / "index.md"
    rows = [line.split("|")[1] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(isthmus.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = isthmus.nonsense


def test_type_checkers_see_the_names_that_are_loaded_at_first_use() -> None:
    tree = ast.parse(Path(isthmus.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    declared = {}
    for statement in block.body:
        assert isinstance(statement, ast.ImportFrom)
        for alias in statement.names:
            module = (statement.module or "").removeprefix("isthmus.")
            declared[alias.asname] = module if alias.name == alias.asname else f"{module}:{alias.name}"
    assert declared == isthmus._PLACES
    assert sorted(isthmus.__all__) == sorted(declared)


def test_help_answers_at_once() -> None:
    taken = []
    for _ in range(3):  # the fastest of three: others may be at work on the machine
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "isthmus.cli.main", "--help"], capture_output=True, check=True, timeout=60
        )
        taken.append(time.perf_counter() - started)
    assert min(taken) < 2
