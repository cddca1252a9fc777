"""The outcome of a comparison in one honest sentence."""

from __future__ import annotations

import math

from isthmus.report.results import Results, SummaryRow
from isthmus.report.tables import baseline_of, is_bound, metric_title, ranking_score, score_rows
from isthmus.report.units import unit_of


def verdict(results: Results) -> str:
    """What the last epochs say: who is ahead, by how much, and whether that is more than chance."""
    if results["problem"]["exam"] is None:
        return _without_exam(results)
    sign = 1 if results["runs"][0]["higher_is_better"] else -1
    rows = [row for row in results["summary"] if not is_bound(row["method"])] or results["summary"]
    ranked = sorted(rows, key=lambda row: -sign * (row["last"]["mean"] or 0.0))
    baseline = next((row for row in ranked if row["method"] == baseline_of(results)), None)
    if len(ranked) == 1:
        return _alone(results, ranked[0])
    others = [row for row in ranked if row is not baseline]
    best, rival = (others[0], baseline) if baseline else (others[0], others[1])
    return _against(results, best, rival, sign, len(others))


def _against(results: Results, best: SummaryRow, rival: SummaryRow, sign: int, tried: int) -> str:
    metric, unit = results["runs"][0]["metric"], unit_of(results)
    decimals = unit.decimals(best["last"])
    gain = sign * unit.times * ((best["last"]["mean"] or 0.0) - (rival["last"]["mean"] or 0.0))
    size = f"{abs(gain):.{decimals}f} {unit.difference}".rstrip()
    place = f"{size} {'ahead of' if gain >= 0 else 'behind'} {rival['method']}"
    scores = f"{unit.told(best['last'])} against {unit.told(rival['last'])}{unit.suffix}"
    facts = f"{metric} {scores}, last epoch, {_seeds(best, rival)}"
    chosen = f", the best of {tried} methods," if tried > 1 else ""
    errors = best["last"]["stderr"], rival["last"]["stderr"]
    if errors[0] is None or errors[1] is None:
        return (
            f"{best['method']}{chosen} is {place} ({facts}). "
            "One seed is no evidence: how much of this is noise is unknown."
        )
    noise = 2 * unit.times * math.hypot(errors[0], errors[1])
    if abs(gain) <= noise:
        return (
            f"{best['method']}{chosen} is {place}, which is within noise "
            f"(±{noise:.{decimals}f} at two standard errors; {facts})."
        )
    if gain > 0:
        best_of = f", best of {tried} methods" if tried > 1 else ""
        return f"{best['method']} beats {rival['method']} by {size} ({facts}{best_of})."
    return f"No method beats {rival['method']}: {best['method']}{chosen} is {place} ({facts})."


def _alone(results: Results, row: SummaryRow) -> str:
    exam = results["problem"]["exam"]
    place = f" on {exam['name']}" if exam else ""
    noise = " One seed: how much of this is noise is unknown." if row["n"] == 1 else ""
    baseline = baseline_of(results)
    advice = "" if row["method"] == baseline else f" Compare with {baseline} to see what it gains."
    unit = unit_of(results)
    score = f"{unit.told(row['last'])}{unit.suffix} {results['runs'][0]['metric']}"
    return f"{row['method']} reaches {score}{place} (last epoch, {_seeds(row, row)}).{noise}{advice}"


def _without_exam(results: Results) -> str:
    score = ranking_score(results)
    rows = score_rows(results)
    unknown = f"{metric_title(results)} is unknown: there is no exam."
    if len(rows) == 1:
        return (
            f"{unknown} {rows[0].label} has been trained; {score}, a label-free score, is all there is to judge it by."
        )
    return f"{unknown} {rows[0].label} ranks first by {score}, a label-free score, which can mislead."


def _seeds(a: SummaryRow, b: SummaryRow) -> str:
    count = str(a["n"]) if a["n"] == b["n"] else f"{a['n']} and {b['n']}"
    return f"{count} seed" if count == "1" else f"{count} seeds"
