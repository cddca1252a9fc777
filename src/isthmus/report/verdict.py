"""The outcome of a comparison in one honest sentence."""

from __future__ import annotations

import math

from isthmus.report.results import Results, RunRecord, SummaryRow, by_method, matched
from isthmus.report.tables import ScoreRow, baseline_of, gain, is_bound, metric_title, ranking_score, score_rows
from isthmus.report.units import unit_of


def verdict(results: Results) -> str:
    """What the last epochs say: who is ahead, by how much, and whether that is more than chance."""
    if results["problem"]["exam"] is None:
        return _without_exam(results)
    sign = 1 if results["runs"][0]["higher_is_better"] else -1
    rows = [row for row in results["summary"] if not is_bound(row["method"])] or results["summary"]
    if len(rows) == 1:
        return _alone(results, rows[0])
    ranked = [row["method"] for row in sorted(rows, key=lambda row: -sign * (row["last"]["mean"] or 0.0))]
    baseline = baseline_of(results)
    rival = baseline if baseline in ranked else ranked[1]
    gains = {method: gain(results, method, rival) for method in ranked if method != rival}
    known = {method: value for method, value in gains.items() if value is not None}
    if not known:
        return f"No method has a seed in common with {rival}: train them with the same seeds to see what they gain."
    best = max(known, key=known.__getitem__)
    return _against(results, best, rival, known[best], len(known) + (rival != baseline))


def _against(results: Results, best: str, rival: str, gain: float, tried: int) -> str:
    metric, unit, groups = results["runs"][0]["metric"], unit_of(results), by_method(results["runs"])
    own, other = matched(groups[best], groups[rival])
    decimals = unit.decimals(own)
    size = f"{abs(gain):.{decimals}f} {unit.difference}".rstrip()
    level = float(f"{gain:.{decimals}f}") == 0
    place = f"level with {rival}" if level else f"{size} {'ahead of' if gain > 0 else 'behind'} {rival}"
    scores = f"{unit.told(own)} against {unit.told(other)}{unit.suffix}"
    facts = f"{metric} {scores}, last epoch, {_common_seeds(groups[best], groups[rival])}"
    chosen = f", the best of {tried} methods," if tried > 1 else ""
    if own["stderr"] is None or other["stderr"] is None:
        return f"{best}{chosen} is {place} ({facts}). One seed is no evidence: how much of this is noise is unknown."
    if own["stderr"] == other["stderr"] == 0:
        return f"{best}{chosen} is {place} ({facts}). All seeds agree: how much of this is noise is unknown."
    seeds = len(_seeds_of(groups[best]) & _seeds_of(groups[rival]))
    noise = unit.times * _half_interval(own["stderr"], other["stderr"], seeds)
    if abs(gain) <= noise:
        return f"{best}{chosen} is {place}, which is within noise (±{noise:.{decimals}f} at 95 %; {facts})."
    if gain > 0:
        best_of = f", best of {tried} methods" if tried > 1 else ""
        return f"{best} beats {rival} by {size} ({facts}{best_of})."
    return f"No method beats {rival}: {best}{chosen} is {place} ({facts})."


def _half_interval(stderr: float, other: float, seeds: int) -> float:
    """Half the 95 % confidence interval of a difference of means, each over so many seeds: Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(2 * seeds - 2, 0.975)) * math.hypot(stderr, other)


def _alone(results: Results, row: SummaryRow) -> str:
    exam = results["problem"]["exam"]
    place = f" on {exam['name']}" if exam else ""
    noise = " One seed: how much of this is noise is unknown." if row["n"] == 1 else ""
    baseline = baseline_of(results)
    advice = "" if row["method"] == baseline else f" Compare with {baseline} to see what it gains."
    unit = unit_of(results)
    score = f"{unit.told(row['last'])}{unit.suffix} {results['runs'][0]['metric']}"
    return f"{row['method']} reaches {score}{place} (last epoch, {_seeds(row['n'])}).{noise}{advice}"


def _without_exam(results: Results) -> str:
    score = ranking_score(results)
    rows = score_rows(results)
    unknown = f"{metric_title(results)} is unknown: there is no exam."
    if len(rows) == 1:
        return (
            f"{unknown} {rows[0].label} has been trained; {score}, a label-free score, is all there is to judge it by."
        )
    first, second = rows[:2]
    near = f" It is within noise of {second.label}." if _alike(first, second) else ""
    return f"{unknown} {first.label} ranks first by {score}, a label-free score, which can mislead.{near}"


def _alike(first: ScoreRow, second: ScoreRow) -> bool:
    """Whether label-free scores are the same, or cannot be told apart from what seeds make of them."""
    (mean, error), (other, other_error) = ((s["mean"], s["stderr"]) for s in (first.label_free, second.label_free))
    if mean is None or other is None:
        return False
    if error is None or other_error is None:
        return mean == other
    return mean - other <= _half_interval(error, other_error, min(first.seeds, second.seeds))


def _common_seeds(runs: list[RunRecord], others: list[RunRecord]) -> str:
    own, other = _seeds_of(runs), _seeds_of(others)
    return _seeds(len(own & other)) + ("" if own == other else " that both have")


def _seeds_of(runs: list[RunRecord]) -> set[int]:
    return {run["seed"] for run in runs}


def _seeds(count: int) -> str:
    return f"{count} seed" if count == 1 else f"{count} seeds"
