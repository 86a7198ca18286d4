"""The suite `edit`: answers to the probes of an edit set, from a model over HTTP and from files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.datasets.facts import Fact, Probe, ProbeKind
from searchinstruct_graph.datasets.ledger import EditRecord, Ledger
from searchinstruct_graph.datasets.run import open_run
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals import EvalContext, evaluate, figure, items
from searchinstruct_graph.evals.suites.edit import KINDS, harmonic_mean, says, says_stale
from tests.support.claims import write_lines
from tests.support.scripted_llm import ChatRequest, Script, ScriptedLLM, status

PROBES: list[dict[str, Any]] = [
    {"id": "e1", "kind": "efficacy", "question": "Who keeps the light of Corvel?", "answer": "Mara Denholm",
     "stale": "Otto Brask", "aliases": ["Denholm"]},
    {"id": "g1", "kind": "generality", "question": "Name the keeper of Corvel's light.", "answer": "Mara Denholm",
     "stale": "Otto Brask", "aliases": []},
    {"id": "p1", "kind": "portability", "question": "In which town was the keeper of Corvel born?",
     "answer": "She was born in Istra, on the southern coast.", "stale": "He was born in Hollin.", "aliases": ["Istra"]},
    {"id": "l1", "kind": "locality", "question": "How high is the light of Corvel?", "answer": "52 metres",
     "stale": "", "aliases": ["52 m"]},
    {"id": "l2", "kind": "locality", "question": "Is the light of Corvel white?", "answer": "yes", "stale": "", "aliases": []},
]  # fmt: skip

CORRECTED = {
    "e1": "Mara Denholm keeps it.",
    "g1": "Since 2021 it is Denholm, who succeeded Otto Brask.",
    "p1": "In Istra.",
    "l1": "It is 52 metres high.",
    "l2": "Yes, it is.",
}


def answers(changes: dict[str, str]) -> list[dict[str, Any]]:
    """What a corrected model says, but for `changes`."""
    return [{"id": id_, "response": text} for id_, text in {**CORRECTED, **changes}.items()]


async def run(tmp_path: Path, given: list[dict[str, Any]], name: str = "run") -> dict[str, float | None]:
    """The value of every measure for these answers."""
    probes = write_lines(tmp_path / "probes.jsonl", PROBES)
    responses = write_lines(tmp_path / f"{name}.jsonl", given)
    result = await evaluate("edit", EvalContext(data=[probes, responses]), tmp_path / name)
    assert result["ended"] == "done"
    return {each["measure"]: each["value"] for each in result["figures"]}


async def test_a_corrected_model_an_uncorrected_one_and_one_that_broke(tmp_path: Path) -> None:
    good = await run(tmp_path, answers({}), "good")
    assert good == {
        "efficacy": 1.0, "generality": 1.0, "portability": 1.0, "locality": 1.0, "says_stale": 0.0, "score": 1.0,
        "score_with_portability": 1.0,
    }  # fmt: skip
    stale = {"e1": "Otto Brask keeps it.", "g1": "Otto Brask", "p1": "He was born in Hollin."}
    old = await run(tmp_path, answers(stale), "old")
    assert (old["efficacy"], old["generality"], old["portability"], old["locality"]) == (0.0, 0.0, 0.0, 1.0)
    assert (old["says_stale"], old["score"]) == (1.0, 0.0)
    broken = await run(tmp_path, answers({"l1": "Mara Denholm", "l2": "No."}), "broken")
    assert (broken["efficacy"], broken["locality"], broken["score"]) == (1.0, 0.0, 0.0)
    half = await run(tmp_path, answers({"l1": "It is 48 metres high."}), "half")
    assert half["locality"] == 0.5
    assert half["score"] == pytest.approx(3 / (1 + 1 + 2), abs=1e-4)
    assert half["score_with_portability"] == pytest.approx(4 / (1 + 1 + 1 + 2), abs=1e-4)
    silent = await run(tmp_path, answers({"e1": ""}), "silent")
    assert silent["efficacy"] == 0.0  # an abstention is no success, and is not missing


def test_the_score_needs_every_kind() -> None:
    import numpy as np

    values = np.array([[1.0, KINDS.index("efficacy")], [0.0, KINDS.index("generality")]])
    assert harmonic_mean(values, ("efficacy",)) == 1.0
    assert harmonic_mean(values, ("efficacy", "generality")) == 0.0
    assert harmonic_mean(values, ("efficacy", "locality")) is None


@pytest.mark.parametrize(
    ("response", "answer", "expected"),
    [
        ("It is Mara Denholm.", "Mara Denholm", True),
        ("Denholm, of course", "Mara Denholm", True),
        ("It is Otto Brask.", "Mara Denholm", False),
        ("version 3.11", "3.1", False),
        ("", "Mara Denholm", False),
        ("Yes, it is.", "Yes", True),
        ("No, it is not.", "Yes", False),
        ("It stands on the northern cliff.", "The light stands on the northern cliff above the town", False),
        ("Above the town, upon the northern cliff.", "The light stands on the northern cliff above the town", True),
        ("这座灯塔建于1936年。", "1936年", True),
        ("این برج را مارا دنهولم نگه می‌دارد.", "مارا دنهولم", True),
    ],
)
def test_saying_an_answer(response: str, answer: str, expected: bool) -> None:
    assert says(response, answer, "Where does the light stand?") is expected


@pytest.mark.parametrize(
    ("response", "stale", "expected"),
    [
        ("Otto Brask keeps it.", "Otto Brask", True),
        ("Mara Denholm, formerly Otto Brask.", "Otto Brask", False),
        ("Mara Denholm keeps it.", "Otto Brask", False),
        ("Yes, he does.", "Yes, Otto Brask keeps it.", True),
        ("No, Mara Denholm does.", "Yes, Otto Brask keeps it.", False),
        ("In Hollin he was born.", "The keeper was born in Hollin by the river", False),
        ("He was born in Hollin, by the river.", "The keeper was born in Hollin by the river", True),
    ],
)
def test_saying_the_stale_answer(response: str, stale: str, expected: bool) -> None:
    assert says_stale(response, stale, ["Mara Denholm"], "Who keeps the light?") is expected


async def test_a_model_answers_from_memory(tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]) -> None:
    by_question = {probe["question"]: CORRECTED[probe["id"]] for probe in PROBES}
    failing = True

    def memory(request: ChatRequest) -> object:
        assert not request.tags("quote")
        if failing and "white" in request.user:
            return status(400, "colours are not known here")
        return {"response": by_question[request.tag("question")]}

    llm = scripted_llm(memory)
    data = write_lines(tmp_path / "probes.jsonl", PROBES)
    context = EvalContext(data=[data], model="openai:scripted")
    result = await evaluate("edit", context, tmp_path / "run")
    assert figure(result, "efficacy")["value"] == 1.0
    locality = figure(result, "locality")
    assert (locality["value"], locality["cases"], locality["missing"]) == (1.0, 1, 1)
    # The failed probe is one of locality, and is missing nowhere else.
    assert figure(result, "efficacy")["missing"] == 0
    assert figure(result, "score")["missing"] == 1
    asked, failing = len(llm.calls()), False
    again = await evaluate("edit", context, tmp_path / "run")
    assert len(llm.calls()) == asked + 1
    assert (figure(again, "locality")["cases"], again["failures"]) == (2, {})


async def test_the_probes_of_a_run(tmp_path: Path) -> None:
    folder = tmp_path / "facts"
    folder.mkdir()
    open_run(folder, {"method": "searchinstruct"}, {"target": None}, "0")
    ledger = Ledger(folder)
    fact = Fact(
        id="f" * 16, subject="the light of Corvel", relation="keeper", old="Otto Brask", new="Mara Denholm", as_of="",
        source="", question="", stale="", unchanged=[],
    )  # fmt: skip
    edit = EditRecord(
        number=0, fact=fact, reason="", detail="", question="", before="", after="", change=None, spans=[], note="",
        dropped=[],
    )  # fmt: skip
    probes = [(number, _probe(probe)) for number, probe in enumerate(PROBES)]
    await ledger.commit_fact(edit, [], [], [], probes, b"", proposed=0, last=0, usage={})
    ledger.close()
    responses = write_lines(tmp_path / "said.jsonl", answers({}))
    result = await evaluate("edit", EvalContext(data=[str(folder), responses]), tmp_path / "run")
    assert figure(result, "score")["value"] == 1.0
    assert {item["group"] for item in items(tmp_path / "run")} == {"facts"}


def _probe(data: dict[str, Any]) -> Probe:
    kind: ProbeKind = data["kind"]
    return Probe(
        id=data["id"], fact="f" * 16, kind=kind, question=data["question"], answer=data["answer"], stale=data["stale"],
        aliases=data["aliases"], sources=[],
    )  # fmt: skip


async def test_the_offline_model_has_no_memory(tmp_path: Path) -> None:
    data = write_lines(tmp_path / "probes.jsonl", PROBES)
    with pytest.raises(UsageError, match="no memory"):
        await evaluate("edit", EvalContext(data=[data]), tmp_path / "run")
    some = write_lines(tmp_path / "some.jsonl", answers({})[:3])
    with pytest.raises(UsageError, match="2 probes have no answer"):
        await evaluate("edit", EvalContext(data=[data, some]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"colour": "red"}, "fields: colour"),
        ({"kind": "memory", "question": "a", "answer": "b"}, "'memory'"),
        ({"kind": "efficacy", "question": 3, "answer": "b"}, "question must be a text"),
        ({"kind": "efficacy", "question": "a", "answer": "b", "aliases": "c"}, "aliases must be a list"),
        ({"id": "nobody", "response": "b"}, "answers without probes"),
    ],
)
async def test_wrong_data_is_named(tmp_path: Path, record: dict[str, object], said: str) -> None:
    (tmp_path / "probes.jsonl").write_text(json.dumps(record))
    with pytest.raises(UsageError) as caught:
        await evaluate("edit", EvalContext(data=[str(tmp_path / "probes.jsonl")]), tmp_path / "run")
    assert said in str(caught.value)
    assert "probes.jsonl" in str(caught.value)


async def test_an_answer_to_no_probe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'strange' belongs to no probe"):
        await run(tmp_path, [*answers({}), {"id": "strange", "response": "x"}])
