from __future__ import annotations

import pytest
from fabricated_results import make_results, run_record

from isthmus.report.results import Results
from isthmus.report.verdict import verdict


def compared(**last: tuple[float, ...]) -> Results:
    return make_results([run_record(m, seed, value) for m, values in last.items() for seed, value in enumerate(values)])


def test_a_clear_win(results: Results) -> None:
    assert verdict(results) == (
        "symnets beats source_only by 11.0 points "
        "(accuracy 73.0 ± 1.5 against 62.0 ± 1.2 %, last epoch, 3 seeds, best of 2 methods)."
    )


def test_a_difference_within_noise() -> None:
    # Standard errors 0.01 and 0.01: the difference's is sqrt(2) points, and Student's t of 2 degrees is 4.303.
    text = verdict(compared(source_only=(0.60, 0.62), dann=(0.64, 0.66)))
    assert "dann is 4.0 points ahead of source_only, which is within noise (±6.1 at 95 %;" in text
    assert "beats" not in text


def test_more_seeds_tell_more() -> None:
    """With the same spread: Student's t of 8 degrees is 2.306."""
    text = verdict(compared(source_only=(0.60, 0.62) * 2 + (0.61,), dann=(0.64, 0.66) * 2 + (0.65,)))
    assert text.startswith("dann beats source_only by 4.0 points")


def test_seeds_that_agree_are_no_evidence() -> None:
    """As they may where an exam has few samples."""
    text = verdict(compared(source_only=(0.50, 0.50), dann=(0.75, 0.75)))
    assert text.startswith("dann is 25.0 points ahead of source_only (")
    assert text.endswith("All seeds agree: how much of this is noise is unknown.")


def test_what_rounds_to_nothing_is_level() -> None:
    text = verdict(compared(source_only=(0.6000, 0.6200), dann=(0.5996, 0.6196)))
    assert text.startswith("dann is level with source_only, which is within noise")


def test_a_clear_loss() -> None:
    text = verdict(compared(source_only=(0.60, 0.62), dann=(0.30, 0.32), mcd=(0.20, 0.21)))
    assert text.startswith(
        "No method beats source_only: dann, the best of 2 methods, is 30.0 points behind source_only"
    )


def test_one_seed_is_no_evidence() -> None:
    text = verdict(compared(source_only=(0.60,), dann=(0.90,)))
    assert "30.0 points ahead of" in text
    assert "One seed is no evidence" in text
    assert "beats" not in text


@pytest.mark.parametrize("method", ["source_only", "dann"])
def test_a_single_method(method: str) -> None:
    text = verdict(compared(**{method: (0.60,)}))
    assert text.startswith(f"{method} reaches 60.0 % accuracy on drawings (held out) (last epoch, 1 seed).")
    assert ("Compare with source_only" in text) == (method != "source_only")


def test_without_baseline_the_two_best_are_compared() -> None:
    assert "dann beats mcd by" in verdict(compared(mcd=(0.60, 0.62), afn=(0.1, 0.1), dann=(0.80, 0.82)))


def test_where_lower_is_better() -> None:
    results = compared(source_only=(0.60, 0.62), dann=(0.30, 0.32))
    for run in results["runs"]:
        run["higher_is_better"] = False
    assert verdict(results).startswith("dann beats source_only by 30.0 points")


def test_methods_are_compared_over_the_seeds_that_both_have() -> None:
    """One that has only seen an easy seed gains nothing by that."""
    text = verdict(compared(source_only=(0.70, 0.50), dann=(0.70,), mcd=(0.71, 0.52)))
    assert "mcd, the best of 2 methods, is 1.5 points ahead" in text
    text = verdict(compared(source_only=(0.70, 0.50), dann=(0.70,)))
    assert text == (
        "dann is level with source_only (accuracy 70.0 against 70.0 %, last epoch, 1 seed that both have). "
        "One seed is no evidence: how much of this is noise is unknown."
    )


def test_without_a_common_seed_nothing_is_compared() -> None:
    results = make_results([run_record("source_only", 0, 0.5), run_record("dann", 1, 0.9)])
    assert verdict(results).startswith("No method has a seed in common with source_only")


def test_a_bound_does_not_win() -> None:
    results = compared(baseline=(0.60, 0.62), headfreeze=(0.80, 0.82), oracle=(0.90, 0.92))
    results["problem"]["setting"] = "assisted"
    assert verdict(results).startswith("headfreeze beats baseline by 20.0 points")
    results = compared(oracle=(0.90, 0.92))
    results["problem"]["setting"] = "assisted"
    assert verdict(results).startswith("oracle reaches 91.0 ± 1.0 % accuracy")


def test_without_exam() -> None:
    runs = [run_record("a", 0, None, label_free=1.0), run_record("b", 0, None, label_free=2.0)]
    text = verdict(make_results(runs, exam=False))
    assert text.startswith("Accuracy is unknown")
    assert "b ranks first by information_maximisation" in text
    assert "noise" not in text


@pytest.mark.parametrize(
    ("a", "b", "noise"),
    [
        ((1.0,), (1.0,), True),
        # Standard errors 0.1 and 0.1: Student's t of 2 degrees is 4.303, and half the interval 0.61.
        ((1.0, 1.2), (1.5, 1.7), True),
        ((1.0, 1.2), (1.8, 2.0), False),
    ],
)
def test_a_rank_within_noise_is_called_so(a: tuple[float, ...], b: tuple[float, ...], noise: bool) -> None:
    runs = [
        run_record(method, seed, None, label_free=value)
        for method, values in {"a": a, "b": b}.items()
        for seed, value in enumerate(values)
    ]
    text = verdict(make_results(runs, exam=False))
    assert ("It is within noise of" in text) == noise
