"""The suite `answers`, end to end: the offline model answers, plain rules judge over HTTP."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.datasets import ledger
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.errors import ProviderError, UsageError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.overlap import answer_words, chrf, contains, exact_match, rouge_l, token_f1
from searchinstruct_graph.evals.questions import corpus_of, question_cases
from searchinstruct_graph.evals.result import figure
from searchinstruct_graph.evals.running import evaluate, items
from searchinstruct_graph.evals.suites.answers import JUDGED, OFFLINE
from tests.support import scripted_llm as play
from tests.support.judge import judge
from tests.support.quarry import CORPUS, QUESTIONS, write_lines, write_quarry
from tests.support.scripted_llm import ChatRequest, Script, ScriptedLLM

Start = Callable[[Script], ScriptedLLM]

AT_ONCE = {"retry-after-ms": "1"}

GIVEN = [
    {
        "user_input": "Who opened the quarry of Brenn?",
        "response": "The quarry of Brenn was opened by Ilse Marrow.",
        "reference": "The quarry of Brenn was opened by Ilse Marrow.",
        "retrieved_contexts": ["The quarry of Brenn was opened by Ilse Marrow in 1743.", "Bees sleep in winter."],
    },
    {
        "user_input": "What does the quarry of Brenn give?",
        "response": "It gives the reddest marble. It was opened in 1743.",
        "reference": "The quarry of Brenn gives blue slate.",
        "retrieved_contexts": ["The quarry of Brenn gives blue slate. It was opened in 1743."],
    },
    {
        "user_input": "Who sang at the opening?",
        "response": "",
        "reference": "Nobody sang.",
        "retrieved_contexts": [],
    },
]


def values(folder: Path, metric: str) -> dict[str, float | None]:
    """One score of every item, by question."""
    return {item["given"]["user_input"]: item["scores"][metric]["value"] for item in items(folder)}


def test_words_of_answers_in_any_script() -> None:
    assert answer_words("The “Blue-Slate”, of Brenn!") == ["blueslate", "of", "brenn"]
    assert answer_words("兰桥，1590年。") == ["兰", "桥", "1590", "年"]
    assert answer_words("سال ۱۶۸۸.") == ["سال", "1688"]
    assert answer_words("The") == ["the"]
    assert answer_words("") == []


@pytest.mark.parametrize(
    ("response", "reference", "exact", "f1", "rouge"),
    [
        ("The cat", "cat.", 1.0, 1.0, 1.0),
        ("the cat sat", "the cat sat on the mat", 0.0, 2 * 2 / (2 + 4), 2 * 2 / (2 + 4)),
        ("one two three four", "four three two one", 0.0, 1.0, 0.25),
        ("dog", "cat", 0.0, 0.0, 0.0),
        ("1590年", "兰桥建于1590年", 0.0, 2 * 2 / (2 + 6), 2 * 2 / (2 + 6)),
        ("", "cat", 0.0, 0.0, 0.0),
        ("", "", 1.0, 1.0, 1.0),
    ],
)
def test_overlap(response: str, reference: str, exact: float, f1: float, rouge: float) -> None:
    assert exact_match(response, reference) == exact
    assert token_f1(response, reference) == pytest.approx(f1)
    assert rouge_l(response, reference) == pytest.approx(rouge)


def test_the_longest_common_subsequence_is_found_in_long_texts() -> None:
    words = [f"w{n}" for n in range(3_000)]
    assert rouge_l(" ".join(words), " ".join(words[::3])) == pytest.approx(2 * 1_000 / 4_000)


@pytest.mark.parametrize(
    ("response", "reference", "value"),
    [
        # Of sacrebleu 2.6, sentence_chrf.
        (
            "risk assessment must be made of those who are qualified and expertise in the sector - these are the "
            "scientists .",
            "risk assessment has to be undertaken by those who are qualified and expert in the area - that is the "
            "scientists .",
            65.29525178664795,
        ),
        ("The well is 83 metres deep.", "The well of Sandrin is 83 metres deep.", 63.114576551624645),
        ("چاه ۸۳ متر عمق دارد", "چاه سندرین ۸۳ متر عمق دارد", 59.715848210431176),
        ("井深八十三米", "桑德林的井深八十三米。", 44.02582537713412),
        ("the cat sat", "the cat sat on the mat", 49.59348409966008),
        ("cat", "dog", 0.0),
        ("ab", "ab", 100.0),
    ],
)
def test_chrf_is_that_of_sacrebleu(response: str, reference: str, value: float) -> None:
    assert chrf(response, reference) == pytest.approx(value / 100, abs=1e-6)


def test_a_text_contains_whole_words_in_a_row() -> None:
    assert contains("It was opened in 1743 by Ilse Marrow.", "Ilse Marrow")
    assert not contains("It was opened in 1743 by Ilse Marrow.", "Marrow Ilse")
    assert not contains("It was opened in 1743.", "74")
    assert contains("兰桥建于1590年。", "1590年")
    assert not contains("anything", "")


async def test_the_graph_answers_and_is_scored_without_a_model(tmp_path: Path) -> None:
    result = await evaluate("answers", EvalContext(data=[write_quarry(tmp_path)], model="offline"), tmp_path / "e")
    assert (result["ended"], result["cases"], result["failures"]) == ("done", 5, {})
    wanted = {
        "answer_contained": (1.0, 4),
        "answer_cited": (1.0, 4),
        "groundedness": (1.0, 4),
        "citation_precision": (1.0, 4),
        "citation_recall": (1.0, 4),
        "page_recall": (1.0, 4),
        "agreement": (1.0, 4),
        "answered": (1.0, 4),
        "withheld": (1.0, 1),
    }
    for name, (value, cases) in wanted.items():
        found = figure(result, name)
        assert (found["value"], found["cases"], found["missing"]) == (value, cases, 0), name
    assert 0 < (figure(result, "page_precision")["value"] or 0) < 1
    assert {each["form"] for each in result["figures"]} == {"offline"}
    assert {each["group"] for each in result["figures"]} == {"quarry"}
    unanswered = next(item for item in items(tmp_path / "e") if not item["given"]["answerable"])
    assert unanswered["made"]["abstained"] is True
    assert unanswered["scores"]["token_f1"] == {"value": None, "reason": "needs response, references", "failure": ""}
    assert set(unanswered["scores"]) == {metric.name for metric in OFFLINE}


async def test_given_responses_are_judged_and_what_was_withheld_is_not(scripted_llm: Start, tmp_path: Path) -> None:
    scripted_llm(judge)
    data = write_lines(tmp_path / "given.jsonl", GIVEN)
    context = EvalContext(data=[data], judge="openai:scripted")
    result = await evaluate("answers", context, tmp_path / "e")
    assert result["failures"] == {}
    assert (result["model"], result["judge"]) == ("offline", "openai:scripted")
    for name in JUDGED:
        found = figure(result, name)
        assert found["form"] == "judge"
        assert (found["cases"], found["missing"]) == (2, 0), name
        assert found["value"] is not None
        assert 0 <= found["value"] <= 1
    assert list(values(tmp_path / "e", "faithfulness").values()) == [1.0, 0.5, None]
    assert next(iter(values(tmp_path / "e", "factual_correctness").values())) == 1.0
    assert figure(result, "answered")["value"] == pytest.approx(2 / 3, abs=1e-4)
    assert figure(result, "noise_sensitivity")["higher_is_better"] is False
    assert figure(result, "groundedness")["value"] == 0.75
    assert result["spent"]["model_calls"] > 10


class Dying:
    """A judge that is well until it is told to fail after so many requests."""

    def __init__(self, fault: object) -> None:
        self.fault, self.left = fault, 10_000

    def __call__(self, request: ChatRequest) -> object:
        self.left -= 1
        return judge(request) if self.left >= 0 else self.fault


def plain(folder: Path) -> list[Any]:
    """The items of an evaluation as JSON."""
    return [json.loads(json.dumps(item)) for item in items(folder)]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (play.status(500, headers=AT_ONCE), "provider"),
        (play.raw("Everything is true."), "malformed"),
        (play.html(), "provider"),
    ],
)
async def test_a_judge_that_dies_half_way_is_asked_for_the_rest_alone(
    scripted_llm: Start, tmp_path: Path, fault: object, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("searchinstruct_graph.models.retry.FIRST_WAIT", 0.001)
    context = EvalContext(data=[write_lines(tmp_path / "given.jsonl", GIVEN)], judge="openai:scripted", concurrency=1)
    dying = Dying(fault)
    llm = scripted_llm(dying)
    wanted = await evaluate("answers", context, tmp_path / "whole")
    whole = len(llm.calls())
    dying.left = 12
    broken = await evaluate("answers", context, tmp_path / "e")
    assert set(broken["failures"]) == {kind}
    missing = [each for each in broken["figures"] if each["missing"]]
    assert missing
    for item in items(tmp_path / "e"):
        for score in item["scores"].values():
            assert score["value"] is None if score["failure"] else True
    before, dying.left = len(llm.calls()), 10_000
    result = await evaluate("answers", context, tmp_path / "e")
    assert result["figures"] == wanted["figures"]
    assert result["failures"] == {}
    assert plain(tmp_path / "e") == plain(tmp_path / "whole")
    # What was answered before is not asked again: both runs together make the calls of one.
    again = len(llm.calls()) - before
    assert again == whole - 12
    assert (await evaluate("answers", context, tmp_path / "e"))["figures"] == wanted["figures"]
    assert len(llm.calls()) == before + again


async def test_a_closed_connection_is_a_failure_and_no_number(
    scripted_llm: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("searchinstruct_graph.models.retry.FIRST_WAIT", 0.001)
    scripted_llm(lambda request: play.reset() if request.schema == "NLIStatementOutput" else judge(request))
    data = write_lines(tmp_path / "given.jsonl", GIVEN[:1])
    result = await evaluate("answers", EvalContext(data=[data], judge="openai:scripted"), tmp_path / "e")
    assert figure(result, "faithfulness")["value"] is None
    assert figure(result, "faithfulness")["missing"] == 1
    assert figure(result, "context_recall")["value"] == 1.0


async def test_a_refused_key_stops_the_evaluation_and_the_rest_is_scored_later(
    scripted_llm: Start, tmp_path: Path
) -> None:
    dying = Dying(play.status(401))
    llm = scripted_llm(dying)
    context = EvalContext(data=[write_lines(tmp_path / "given.jsonl", GIVEN)], judge="openai:scripted", concurrency=1)
    await evaluate("answers", context, tmp_path / "whole")
    whole, dying.left = len(llm.calls()), 7
    with pytest.raises(ProviderError):
        await evaluate("answers", context, tmp_path / "e")
    before, dying.left = len(llm.calls()), 10_000
    assert (await evaluate("answers", context, tmp_path / "e"))["ended"] == "done"
    assert len(llm.calls()) - before == whole - 7


async def test_money_ends_between_two_calls_of_a_judge(
    scripted_llm: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = tmp_path / "prices.json"
    # A call of ten tokens costs a cent.
    prices.write_text('{"openai:scripted": {"input": 1000, "output": 0}}')
    monkeypatch.setenv("SEARCHINSTRUCT_PRICES", str(prices))
    llm = scripted_llm(judge)
    context = EvalContext(
        data=[write_lines(tmp_path / "given.jsonl", GIVEN)], judge="openai:scripted", concurrency=1, max_cost=0.095
    )
    broke = await evaluate("answers", context, tmp_path / "e")
    assert (broke["ended"], len(llm.calls())) == ("max_cost", 9)
    assert broke["spent"]["cost_usd"] == pytest.approx(0.09)
    with reading(tmp_path / "e" / ledger.NAME) as db:
        assert ledger.read_spending(db)["judge"]["model_calls"] == 9
    rich = replace(context, max_cost=10.0)
    done = await evaluate("answers", rich, tmp_path / "e")
    assert (done["ended"], done["failures"]) == ("done", {})
    calls = len(llm.calls())
    assert done["figures"] == (await evaluate("answers", rich, tmp_path / "whole"))["figures"]
    assert len(llm.calls()) - calls == calls


async def test_a_model_under_test_that_fails_is_missing_everywhere(
    scripted_llm: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("searchinstruct_graph.models.retry.FIRST_WAIT", 0.001)
    scripted_llm(lambda _: play.raw("I would rather not."))
    context = EvalContext(data=[write_quarry(tmp_path, QUESTIONS[:1])], model="openai:scripted")
    result = await evaluate("answers", context, tmp_path / "e")
    (item,) = items(tmp_path / "e")
    assert item["made"]["failure"] == "malformed"
    assert figure(result, "token_f1")["missing"] == 1
    assert figure(result, "token_f1")["value"] is None
    assert all(score["value"] is None for score in item["scores"].values())


def cases(place: str, **settings: Any) -> list[dict[str, Any]]:
    """What is given in every case of a file."""
    return [each["given"] for each in question_cases(EvalContext(data=[place], **settings))]


async def test_questions_that_carry_their_passage_are_answered_from_all_passages(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [
        {"question": "Who opened it?", "context": CORPUS[0]["text"], "answers": {"text": ["Ilse Marrow"], "at": [1]}},
        {"question": "What does it give?", "context": CORPUS[0]["text"], "answers": [{"text": "blue slate"}]},
        {"question": "When was the mill built?", "contexts": [CORPUS[2]["text"]], "long_answer": "In 1612."},
    ]
    place = write_lines(tmp_path / "reading.en.jsonl", records)
    found = cases(place)
    assert [each["references"] for each in found] == [["Ilse Marrow"], ["blue slate"], ["In 1612."]]
    (corpus,) = await corpus_of("reading.en", EvalContext(data=[place]))
    pooled = [json.loads(line) for line in Path(corpus).read_text(encoding="utf-8").splitlines()]
    assert [each["text"] for each in pooled] == [CORPUS[0]["text"], CORPUS[2]["text"]]
    assert [each["gold"] for each in found] == [[pooled[0]["id"]], [pooled[0]["id"]], [pooled[1]["id"]]]
    elsewhere = EvalContext(data=[place], corpus=["pydoc:"])
    assert await corpus_of("reading.en", elsewhere) == ["pydoc:"]
    assert not any("gold" in each["given"] for each in question_cases(elsewhere))


async def test_pages_with_their_questions(tmp_path: Path) -> None:
    page = {
        "id": "p1",
        "title": "The quarry of Brenn",
        "paragraphs": ["The quarry of Brenn gives blue slate.", "It was opened in 1743 by Ilse Marrow."],
        "questions": [
            {"question": "Who opened the quarry of Brenn?", "answers": [{"text": "Ilse Marrow"}]},
            {"question": "Which opera did Petra Lindqvist conduct?", "answers": []},
        ],
    }
    place = write_lines(tmp_path / "pages.jsonl", [page])
    found = cases(place)
    assert [each["answerable"] for each in found] == [True, False]
    result = await evaluate("answers", EvalContext(data=[place], model="offline"), tmp_path / "e")
    assert figure(result, "answer_contained")["value"] == 1.0
    assert figure(result, "citation_recall")["value"] == 1.0
    assert figure(result, "withheld")["value"] == 1.0


async def test_a_folder_is_known_by_its_records(tmp_path: Path) -> None:
    folder = tmp_path / "brenn"
    write_lines(folder / "a.jsonl", QUESTIONS)
    write_lines(folder / "b.jsonl", CORPUS)
    write_lines(folder / "labelled.jsonl", [{"claim": "a", "label": "supported", "evidence": ["a"]}])
    write_lines(folder / "notes.json.jsonl", [{"number": 3}])
    context = EvalContext(data=[str(folder)])
    assert Counter(each["group"] for each in question_cases(context)) == {"brenn": 5}
    assert await corpus_of("brenn", context) == [str(folder / "b.jsonl")]
    write_lines(folder / "c.jsonl", QUESTIONS[:2])
    assert Counter(each["group"] for each in question_cases(context)) == {"brenn/a": 5, "brenn/c": 2}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"title": "x", "body": "y"}, r"data.jsonl:1: has body, title; wanted: a question"),
        ({"question": "Who?"}, r"data.jsonl:1: has question; wanted: a question with `reference`"),
        (
            {"question": "Who?", "reference_tool_calls": [{"name": "read"}]},
            r"data.jsonl:1: reference_tool_calls must be",
        ),
        ({"question": "Who?", "answer": "Ilse"}, r"data.jsonl:1: there is no `response`, and nothing to answer from"),
    ],
)
def test_other_data_is_refused_with_its_place(tmp_path: Path, record: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        cases(write_lines(tmp_path / "data.jsonl", [record]))


def test_a_record_without_a_question_is_refused_with_its_line(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [{"question": "Who?", "answer": "Ilse"}, {"answer": "Ilse"}]
    with pytest.raises(UsageError, match=r"data.jsonl:2: has answer and no question"):
        cases(write_lines(tmp_path / "data.jsonl", records), corpus=["pydoc:"])


def test_no_data_and_no_such_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--data"):
        list(question_cases(EvalContext()))
    with pytest.raises(UsageError, match="does not exist"):
        cases(str(tmp_path / "nowhere"))


def test_a_case_has_the_same_id_wherever_its_data_lies(tmp_path: Path) -> None:
    here, there = (write_quarry(tmp_path / name) for name in ("here", "there"))
    ids = [[each["id"] for each in question_cases(EvalContext(data=[place]))] for place in (here, there)]
    assert ids[0] == ids[1]
