"""Votes on questions of known answer: what agreement tells, with planted majorities and a scripted model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.result import EvalResult, figure
from searchinstruct_graph.evals.running import evaluate
from searchinstruct_graph.evals.suites.consistency import as_response, form_of, questions
from tests.support.scripted_llm import ChatRequest, Script, ScriptedLLM, refusal

# (question, right answer, what five samples say)
PLANTED = {
    "Does nettle fibre make sailcloth?": ("yes", ["yes"] * 5),
    "Do eels sleep in winter?": ("yes", ["yes", "yes", "no", "yes", "yes"]),
    "Is peat a metal?": ("no", ["no"] * 5),
    "Does barley grow on ice?": ("no", ["no", "no", "yes", "no", "no"]),
    # A misconception that most samples share, and one that all do.
    "Do bells ring under water?": ("yes", ["no", "no", "no", "no", "yes"]),
    "Is a weir a bridge?": ("no", ["yes"] * 5),
    # Nobody knows.
    "Was the mill of Osel built by Ida Torn?": ("yes", ["yes", "no", "maybe", "no", "yes"]),
    "Do herring see red light?": ("maybe", ["maybe", "yes", "no", "maybe", "yes"]),
}


def write(tmp_path: Path, rows: list[dict[str, Any]], name: str = "votes") -> Path:
    file = tmp_path / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return file


def score(tmp_path: Path, *files: Path, model: str = "offline", **settings: Any) -> EvalResult:
    given = {"samples": 5, "min_agreement": 0.6, **settings}
    context = EvalContext(data=[str(file) for file in files], model=model, **given)
    return asyncio.run(evaluate("consistency", context, tmp_path / "evaluation"))


def value(result: EvalResult, measure: str, group: str | None = None) -> float | None:
    return figure(result, measure, group)["value"]


def expect_the_planted(result: EvalResult) -> None:
    # Of 8 votes 6 reach 3 of 5: four right, two wrong; the other two are 2 of 5, split, a tie that the first answer wins.
    assert value(result, "accepted") == pytest.approx(6 / 8)
    assert value(result, "accuracy_accepted") == pytest.approx(4 / 6, abs=1e-4)
    assert value(result, "accuracy_refused") == 1.0
    assert value(result, "wrong_accepted") == 1.0
    assert value(result, "split") == pytest.approx(2 / 8)
    assert value(result, "agreement") == pytest.approx((1 + 0.8 + 1 + 0.8 + 0.8 + 1 + 0.4 + 0.4) / 8, abs=1e-4)
    # Right ones agree 1, .8, 1, .8, .4, .4; wrong ones .8 and 1: 2 wins and 4 ties of 12 pairs.
    assert value(result, "agreement_auroc") == pytest.approx(4 / 12, abs=1e-4)


def test_planted_majorities_are_told_as_the_numbers_say(
    tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]
) -> None:
    def reply(request: ChatRequest) -> object:
        samples = PLANTED[request.tag("question")][1]
        assert request.seed is not None
        return {"response": f"A short reason.\nAnswer: {samples[request.seed - 1]}"}

    llm = scripted_llm(reply)
    rows = [{"question": asked, "final_decision": gold} for asked, (gold, _) in PLANTED.items()]
    result = score(tmp_path, write(tmp_path, rows), model="openai:scripted")
    # All samples are drawn, although most votes are settled after three.
    assert llm.counts()["Response"] == 5 * len(PLANTED)
    assert all("maybe" in request.tag("form") for request in llm.calls("Response"))
    expect_the_planted(result)


def test_samples_of_the_data_give_the_same_figures(tmp_path: Path) -> None:
    rows = [{"question": q, "final_decision": gold, "samples": said} for q, (gold, said) in PLANTED.items()]
    expect_the_planted(score(tmp_path, write(tmp_path, rows)))


def test_a_stricter_threshold_refuses_the_wrong_majority_that_is_not_unanimous(tmp_path: Path) -> None:
    rows = [{"question": q, "final_decision": gold, "samples": said} for q, (gold, said) in PLANTED.items()]
    result = score(tmp_path, write(tmp_path, rows), min_agreement=1.0)
    assert value(result, "accepted") == pytest.approx(3 / 8)
    assert value(result, "wrong_accepted") == 0.5
    assert value(result, "accuracy_accepted") == pytest.approx(2 / 3, abs=1e-4)


def test_numbers_choices_and_texts_are_read_from_published_forms(tmp_path: Path) -> None:
    numbers = write(tmp_path, [{"question": "3 eels and 4 more?", "answer": "3 + 4 = 7\n#### 7"}], "numbers")
    choice = "Which is a fish?\nOptions:\n(A) eel\n(B) bell"
    choices = write(tmp_path, [{"input": choice, "target": "(A)"}], "choices")
    listed = "Is the argument valid?\nOptions:\n- valid\n- invalid"
    texts = write(tmp_path, [{"input": listed, "target": "invalid"}], "texts")
    booleans = write(
        tmp_path, [{"question": "Is peat a metal?", "answer": False, "facts": ["Peat is a soil."]}], "facts"
    )
    found = questions(EvalContext(data=[str(file) for file in (numbers, choices, texts, booleans)]))
    forms = {each["group"]: each["given"] for each in found}
    assert (forms["numbers"]["form"], forms["numbers"]["reference"]) == ("number", "7")
    assert (forms["choices"]["form"], forms["choices"]["reference"]) == ("choice", "A")
    assert forms["choices"]["options"] == ["eel", "bell"]
    assert forms["texts"]["form"] == "text"
    assert (forms["facts"]["form"], forms["facts"]["reference"]) == ("yes_no", "no")
    assert forms["facts"]["retrieved_contexts"] == ["Peat is a soil."]


@pytest.mark.parametrize(
    ("form", "samples", "gold", "right"),
    [
        ("number", ["7", "7.0", "Final answer: 8"], "7", 1.0),
        ("number", ["۷", "۷", "8"], "7", 1.0),
        ("choice", ["B", "(B) bell", "Answer: A"], "(B)", 1.0),
        ("yes_no", ["No.", "Reason.\nAnswer: no", "yes"], "no", 1.0),
        ("yes_no", ["", "", ""], "no", 0.0),
        ("yes_no", ["I cannot tell.", "who knows", "no"], "no", 1.0),
    ],
)
def test_bare_answers_and_full_responses_vote_together(
    tmp_path: Path, form: str, samples: list[str], gold: str, right: float
) -> None:
    row = {"question": "Which?", "answer": gold, "samples": samples}
    if form == "choice":
        row["options"] = ["eel", "bell"]
    result = score(tmp_path, write(tmp_path, [row]))
    assert value(result, "accuracy") == right


def test_an_abstention_counts_against_agreement(tmp_path: Path) -> None:
    rows = [{"question": "Is peat a metal?", "answer": "no", "samples": ["no", "I cannot tell.", "Hard to say."]}]
    result = score(tmp_path, write(tmp_path, rows))
    assert value(result, "agreement") == pytest.approx(1 / 3, abs=1e-4)
    assert value(result, "accepted") == 0


def test_the_offline_model_is_not_asked_for_what_it_can_only_quote(tmp_path: Path) -> None:
    rows = [
        {"question": "Is peat a soil?", "answer": True, "samples": ["yes", "yes", "no"]},
        {"question": "Is peat a metal?", "answer": False, "facts": ["Peat is a soil, and no metal."]},
    ]
    with pytest.raises(
        UsageError, match="votes: the offline model is extractive and gives no final answers to vote on"
    ):
        score(tmp_path, write(tmp_path, rows))
    assert not (tmp_path / "evaluation").exists()


def test_a_model_that_refuses_leaves_no_score(tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]) -> None:
    scripted_llm({"Response": refusal()})
    result = score(
        tmp_path, write(tmp_path, [{"question": "Is peat a metal?", "answer": "no"}]), model="openai:scripted"
    )
    found = figure(result, "accuracy")
    assert (found["value"], found["missing"]) == (None, 1)


def test_free_answers_and_single_samples_are_refused(tmp_path: Path) -> None:
    free = write(tmp_path, [{"question": "Who?", "answer": "Ida Torn, a founder"}], "free")
    with pytest.raises(UsageError, match="free: no questions with an answer in a fixed form"):
        score(tmp_path, free)
    mixed = write(tmp_path, [{"question": "Peat?", "answer": "no"}, {"question": "Who?", "answer": "Ida"}], "mixed")
    with pytest.raises(UsageError, match=r"mixed.jsonl:2: the answer 'Ida'"):
        list(questions(EvalContext(data=[str(mixed)])))
    with pytest.raises(UsageError, match="at least 3"):
        score(tmp_path, mixed, samples=1)


def test_forms_are_told_by_the_answer() -> None:
    assert form_of("Yes.", []) == "yes_no"
    assert form_of("B", ["eel", "bell"]) == "choice"
    assert form_of("B", []) is None
    assert form_of("$1,200", []) == "number"
    assert form_of("12/25/1937", []) is None
    assert as_response("18", "number") == "Final answer: 18"
    assert as_response(None, "number") is None
    assert as_response("", "yes_no") == ""
