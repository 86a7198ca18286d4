"""Two evaluations beside each other: pairing, intervals against what is known, and what is refused or warned of."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals import EvalContext, compare, evaluate, figure
from searchinstruct_graph.evals.comparison import Comparison, Difference, write_comparison
from tests.evals.test_page import Elements
from tests.support.claims import claims, pairs, write_lines
from tests.support.scripted_llm import Script, ScriptedLLM


def the(found: Comparison, measure: str, group: str | None = None) -> Difference:
    """One difference."""
    wanted = [each for each in found["differences"] if each["measure"] == measure and group in (None, each["group"])]
    return wanted[-1]


async def run(tmp_path: Path, name: str, records: list[dict[str, Any]], **settings: Any) -> Path:
    """An evaluation of these records."""
    data = write_lines(tmp_path / "data.jsonl", records)
    await evaluate("support", EvalContext(data=[data], **settings), tmp_path / name)
    return tmp_path / name


async def probes(tmp_path: Path, name: str, right: list[bool]) -> Path:
    """An evaluation of answers to probes of which these are right."""
    asked = [
        {"id": str(n), "kind": "efficacy", "question": f"Who keeps tower {n}?", "answer": "Denholm"}
        for n in range(len(right))
    ]
    said = [{"id": str(n), "response": "Denholm" if good else "Brask"} for n, good in enumerate(right)]
    data = [write_lines(tmp_path / "probes.jsonl", asked), write_lines(tmp_path / f"{name}.jsonl", said)]
    await evaluate("edit", EvalContext(data=data), tmp_path / name)
    return tmp_path / name


async def test_an_evaluation_against_itself_differs_in_nothing(tmp_path: Path) -> None:
    one = await run(tmp_path, "one", claims())
    found = compare(one, one, draws=200)
    assert (found["both"], found["only_a"], found["only_b"], found["warnings"]) == (20, 0, 0, [])
    for each in found["differences"]:
        assert (each["difference"], each["low"], each["high"], each["p"]) == (0.0, 0.0, 0.0, 1.0)
    brier = the(found, "brier")
    assert (brier["better"], brier["worse"], brier["equal"]) == (0, 0, 20)
    assert the(found, "auroc")["better"] is None  # no mean of cases' scores


async def test_answers_of_two_models_are_paired_by_what_was_asked(tmp_path: Path) -> None:
    # 100 probes: 60 right in both, 20 only in B, 5 only in A, 15 in neither.
    one = await probes(tmp_path, "one", [True] * 65 + [False] * 35)
    other = await probes(tmp_path, "other", [True] * 60 + [False] * 5 + [True] * 20 + [False] * 15)
    found = compare(one, other)
    assert found["both"] == 100
    assert not [each for each in found["warnings"] if "too narrow" in each]
    change = the(found, "efficacy")
    assert (change["a"], change["b"], change["difference"], change["cases"]) == (0.65, 0.8, 0.15, 100)
    assert (change["better"], change["worse"], change["equal"]) == (20, 5, 75)
    # The difference of paired cases: mean 0.15, standard error sqrt((0.25 − 0.15²) / 100) = 0.0477.
    low, high = change["low"], change["high"]
    assert low == pytest.approx(0.15 - 1.96 * 0.0477, abs=0.015)
    assert high == pytest.approx(0.15 + 1.96 * 0.0477, abs=0.015)
    assert change["p"] is not None
    assert change["p"] < 0.01
    # The same in the other direction.
    back = the(compare(other, one), "efficacy")
    assert (back["difference"], back["better"], back["worse"]) == (-0.15, 5, 20)
    assert back["low"] == pytest.approx(-(high or 0), abs=0.011)
    assert compare(one, other) == found


async def test_an_interval_covers_a_known_difference_as_often_as_it_says(tmp_path: Path) -> None:
    from searchinstruct_graph.evals.comparison import _difference, _part
    from searchinstruct_graph.evals.result import Column
    from searchinstruct_graph.evals.suite import mean_of

    measure, random, covered = mean_of("score"), np.random.default_rng(5), 0
    for trial in range(100):
        base = random.normal(0.5, 0.3, 60)
        changed = base + random.normal(0.1, 0.2, 60)

        def column(number: int, value: float) -> Column:
            return Column(id=str(number), group="g", values={"score": value}, failed=[], unmade=False)

        rows = [(column(n, a), column(n, b)) for n, (a, b) in enumerate(zip(base, changed, strict=True))]
        part = _part(measure, measure, rows, 300, [trial])
        assert part is not None
        found = _difference(measure, measure, "g", [part])
        assert found["low"] is not None
        assert found["high"] is not None
        covered += found["low"] <= 0.1 <= found["high"]
    assert 87 <= covered <= 99


async def test_groups_are_drawn_apart_and_what_only_one_has_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    write_lines(folder / "claims.jsonl", claims())
    write_lines(folder / "pairs.jsonl", pairs())
    await evaluate("support", EvalContext(data=[str(folder)]), tmp_path / "one")
    await evaluate("support", EvalContext(data=[str(folder)], limit=30, min_support=0.9), tmp_path / "other")
    found = compare(tmp_path / "one", tmp_path / "other", draws=200)
    assert (found["both"], found["only_a"], found["only_b"]) == (30, 10, 0)
    assert {each["group"] for each in found["differences"]} == {"wice", "halueval", "all"}
    whole, parts = the(found, "recall", "all"), [the(found, "recall", name) for name in ("wice", "halueval")]
    assert whole["cases"] == 30
    assert whole["a"] == pytest.approx(sum(each["a"] or 0 for each in parts) / 2, abs=1e-4)
    warnings = "\n".join(found["warnings"])
    for said in ("10 cases are only in one", "the settings differ: limit: 1000 → 30", "min_support: 0.7 → 0.9"):
        assert said in warnings


async def test_what_makes_them_less_comparable_is_said(
    tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]
) -> None:
    scripted_llm({"SupportReport": {"statements": [{"statement": 1, "support": 0.5, "problem": ""}]}})
    one = await run(tmp_path, "one", claims())
    judged = await run(tmp_path, "judged", claims(), judge="openai:scripted", seed=3)
    found = compare(one, judged, draws=100)
    assert [each for each in found["warnings"] if "judges differ: none and openai:scripted" in each]
    assert [each for each in found["warnings"] if "seed: 0 → 3" in each]
    # What only one of them has is no difference.
    assert {each["form"] for each in found["differences"]} == {"offline"}


async def test_results_without_their_cases_are_compared_as_they_are(tmp_path: Path) -> None:
    one = await probes(tmp_path, "one", [True, False, True, False])
    other = await probes(tmp_path, "other", [True, True, True, False])
    (tmp_path / "kept").mkdir()
    shutil.copy(other / "result.json", tmp_path / "kept" / "after.json")
    found = compare(one, tmp_path / "kept" / "after.json")
    change = the(found, "efficacy")
    assert (change["a"], change["b"], change["difference"]) == (0.5, 0.75, 0.25)
    assert (change["low"], change["p"], change["better"], found["both"]) == (None, None, None, 0)
    assert [each for each in found["warnings"] if "of B only the result is left" in each]
    # A result file beside its ledger is as good as the folder.
    whole = compare(one / "result.json", other / "result.json")
    assert whole["both"] == 4
    assert "only 4 cases are in both: intervals and p of so few cases are too narrow to decide by" in whole["warnings"]


async def test_other_suites_and_other_cases_are_refused(tmp_path: Path) -> None:
    one = await run(tmp_path, "one", claims())
    other = await probes(tmp_path, "other", [True])
    with pytest.raises(UsageError, match=r"by the suite support, .* by edit"):
        compare(one, other)
    strange = await run(tmp_path, "strange", [{"claim": "It rains.", "label": "supported", "evidence": ["It rains."]}])
    with pytest.raises(UsageError, match="no case in common"):
        compare(one, strange)
    with pytest.raises(UsageError, match="is no evaluation"):
        compare(one, tmp_path)
    with pytest.raises(UsageError, match="draws"):
        compare(one, one, draws=0)


async def test_the_page_shows_the_cases_that_changed_most(tmp_path: Path) -> None:
    one = await probes(tmp_path, "one", [True, False, True, False])
    other = await probes(tmp_path, "other", [True, True, False, False])
    found = compare(one, other)
    assert found["differences"]
    write_comparison(found, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    names = Elements(text).names
    assert "script" not in names
    assert "2 of 4 cases, the largest change" in text
    assert "Who keeps tower 1?" in text
    assert "Who keeps tower 0?" not in text
    assert 'class="interval"' in text
    assert figure_of(one) == figure_of(other) == 0.5


def figure_of(folder: Path) -> float | None:
    """The efficacy of an evaluation."""
    from searchinstruct_graph.evals import read_result

    return figure(read_result(folder), "efficacy")["value"]
