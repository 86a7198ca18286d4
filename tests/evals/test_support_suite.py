"""The suite `support` on statements whose truth is known, with the offline critic and with judges over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals import EvalContext, evaluate, figure, items
from tests.support.claims import TOWERS, claims, pairs, write_lines
from tests.support.scripted_llm import ChatRequest, Script, ScriptedLLM, status


def strict(request: ChatRequest) -> object:
    """A judge that takes a statement for supported when all its numbers stand in the quotes."""
    said = " ".join(tag.text for tag in request.tags("quote"))
    numbers = [word.strip(".") for word in request.tag("statement").split() if word.strip(".").isdigit()]
    right = all(number in said for number in numbers)
    return {
        "statements": [{"statement": 1, "support": 0.9 if right else 0.1, "problem": "" if right else "no such number"}]
    }


async def test_the_offline_critic_tells_changed_years_from_true_ones(tmp_path: Path) -> None:
    data = write_lines(tmp_path / "claims.jsonl", claims())
    result = await evaluate("support", EvalContext(data=[data]), tmp_path / "run")
    assert (result["ended"], result["cases"], result["scored"], result["failures"]) == ("done", 20, 20, {})
    assert result["judge"] == ""
    ranked = figure(result, "auroc")
    assert (ranked["value"], ranked["low"], ranked["high"], ranked["cases"]) == (1.0, 1.0, 1.0, 20)
    assert figure(result, "precision")["value"] == 1.0
    brier = figure(result, "brier")
    assert brier["value"] is not None
    assert brier["value"] < 0.3
    assert not brier["higher_is_better"]
    # Nobody said "refuted", and no statement belongs to a pair: that is no figure of 0.
    assert not {"refuted_found", "pair_order"} & {each["measure"] for each in result["figures"]}
    assert {each["form"] for each in result["figures"]} == {"offline"}
    said = {item["given"]["response"]: item["made"]["support"] for item in items(tmp_path / "run")}
    assert said["The tower of Aldrin was finished in 1873."] > 0.7 > said["The tower of Aldrin was finished in 1886."]


async def test_pairs_and_sets_are_kept_apart(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    write_lines(folder / "claims.jsonl", claims())
    write_lines(folder / "pairs.jsonl", pairs())
    refuted = [{"claim": "The lamp is red.", "evidence": "The lamp is white.", "stance": "refute"}]
    write_lines(folder / "stances.jsonl", refuted)
    write_lines(folder / "strange.jsonl", [{"colour": "red"}])
    result = await evaluate("support", EvalContext(data=[str(folder)]), tmp_path / "run")
    groups = {each["group"] for each in result["figures"]}
    assert groups == {"wice", "halueval", "factcheck", "all"}
    order = [each for each in result["figures"] if each["measure"] == "pair_order"]
    assert [(each["group"], each["cases"]) for each in order if each["group"] != "all"] == [
        ("halueval", 2 * len(TOWERS))
    ]
    assert order[0]["value"] == 1.0
    found = figure(result, "refuted_found", "factcheck")
    assert (found["value"], found["cases"], found["low"]) == (1.0, 1, None)
    # One class alone ranks nothing: the set has no value, and so has the mean over the sets.
    assert figure(result, "auroc", "factcheck")["value"] is None
    assert figure(result, "auroc", "wice")["value"] == 1.0


async def test_a_judge_stands_beside_the_critic(tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]) -> None:
    llm = scripted_llm({"SupportReport": strict})
    data = write_lines(tmp_path / "claims.jsonl", claims())
    result = await evaluate("support", EvalContext(data=[data], judge="openai:scripted"), tmp_path / "run")
    assert len(llm.calls()) == 20
    judged = figure(result, "judge_auroc")
    assert (judged["form"], judged["value"]) == ("judge", 1.0)
    assert figure(result, "judge_calibration_error")["value"] == pytest.approx(0.1)
    assert figure(result, "auroc")["form"] == "offline"
    item = next(item for item in items(tmp_path / "run") if item["given"]["label"] == 0)
    assert item["scores"]["judge_support"]["value"] == 0.1
    assert item["scores"]["judge_support"]["reason"] == "no such number"


async def test_what_the_judge_failed_is_missing_and_asked_again(
    tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]
) -> None:
    broken = True

    def script(request: ChatRequest) -> object:
        if broken and "Corvel" in request.user:
            return status(400, "no lamps today")
        return strict(request)

    llm = scripted_llm(script)
    data = write_lines(tmp_path / "claims.jsonl", claims())
    context = EvalContext(data=[data], judge="openai:scripted")
    first = await evaluate("support", context, tmp_path / "run")
    assert first["ended"] == "done"
    judged = figure(first, "judge_auroc")
    assert (judged["cases"], judged["missing"], judged["value"]) == (18, 2, 1.0)
    assert figure(first, "auroc")["cases"] == 20
    assert first["failures"] == {"provider": 2}  # a failed call counts once, however many scores it was to give
    with reading(tmp_path / "run" / ledgers.NAME) as db:
        spent = ledgers.read_spending(db)
    assert (spent["critic"]["model_calls"], spent["judge"]["model_calls"]) == (20, 20)
    lost = next(item for item in items(tmp_path / "run") if "Corvel" in item["given"]["response"])
    assert lost["scores"]["judge_support"]["value"] is None
    assert "no lamps today" in lost["scores"]["judge_support"]["reason"]
    asked, broken = len(llm.calls()), False
    again = await evaluate("support", context, tmp_path / "run")
    assert len(llm.calls()) == asked + 2
    assert (figure(again, "judge_auroc")["cases"], again["failures"]) == (20, {})


async def test_the_critic_of_the_settings_is_what_is_scored(
    tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]
) -> None:
    generous = {"statements": [{"statement": 1, "support": 1.0, "problem": ""}]}
    llm = scripted_llm({"SupportReport": generous})
    data = write_lines(tmp_path / "claims.jsonl", claims())
    result = await evaluate("support", EvalContext(data=[data], critic_model="openai:scripted"), tmp_path / "run")
    assert len(llm.calls()) == 20
    # Code caps what a generous model says where a number differs.
    assert figure(result, "auroc")["value"] == 1.0
    assert figure(result, "recall")["value"] == 1.0


async def test_any_script_is_scored(tmp_path: Path) -> None:
    texts = [
        ("برج آلدرین در سال ۱۸۷۳ ساخته شد.", "برج آلدرین در سال ۱۸۷۳ به دست بنایان دره ساخته شد."),
        ("灯塔建于1936年。", "这座灯塔建于1936年,由山谷的石匠建造。"),
        ("اكتمل البرج عام 1902.", "اكتمل البرج عام 1902 على يد بنائين من الوادي."),
        ("\u202e\x00 <script>", "<script>alert(1)</script>"),
    ]
    records: list[dict[str, object]] = [
        {"claim": claim, "label": "supported", "evidence": [text]} for claim, text in texts
    ]
    result = await evaluate("support", EvalContext(data=[write_lines(tmp_path / "a.jsonl", records)]), tmp_path / "run")
    assert (result["scored"], result["failures"]) == (4, {})


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"claim": "x", "label": "perhaps", "evidence": ["y"]}, "perhaps"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_wrong_data_is_named_by_its_place(tmp_path: Path, record: dict[str, object], said: str) -> None:
    data = write_lines(tmp_path / "claims.jsonl", [record])
    with pytest.raises(UsageError, match=r"claims\.jsonl:1") as caught:
        await evaluate("support", EvalContext(data=[data]), tmp_path / "run")
    assert said in str(caught.value)
    assert not (tmp_path / "run").exists()
