"""The runner of evaluations: what is drawn, made, scored, kept and counted, with a suite of our own."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.agents.respondent import respond
from searchinstruct_graph.datasets.run import read_run, stored_run
from searchinstruct_graph.errors import ProviderError, UsageError
from searchinstruct_graph.evals import EvalContext, evaluate, figure, items, read_result, run_eval
from searchinstruct_graph.evals.result import Column, EvalResult, figures, resampled, shortfall, table, value_of
from searchinstruct_graph.evals.running import EvalHappened, drawn, evaluated
from searchinstruct_graph.evals.suite import (
    Case,
    Measure,
    Metric,
    Sample,
    Score,
    Suite,
    case,
    failed,
    mean_of,
    scored,
)
from searchinstruct_graph.evals.suites import suite_named
from tests.support.claims import claims, write_lines
from tests.support.scripted_llm import ChatRequest, Script, ScriptedLLM, status

MODEL = "openai:scripted"


def cases(count: int) -> list[Case]:
    """Cases that a model is asked about."""
    return [
        case("even" if n % 2 == 0 else "odd", {"user_input": f"How much is {n} doubled?", "n": n}) for n in range(count)
    ]


async def ask(given: Case, context: EvalContext) -> Sample:
    """What the model says."""
    research = context.research(samples=1)
    said = await respond(given["given"]["user_input"], "open", (), (), research, research.limits(), 1.0)
    if said["failure"]:
        kind, _, detail = said["failure"].partition(": ")
        return {"failure": kind, "reason": detail}
    return {"response": said["chosen"]}


async def right(sample: Sample, context: EvalContext) -> Score:
    return scored(float(sample["response"] == str(2 * sample["n"])), f"said {sample['response']}")


def suite(count: int, *metrics: Metric, measures: tuple[Measure, ...] = ()) -> Suite:
    """A suite of our own."""

    def read(context: EvalContext) -> Iterator[Case]:
        yield from cases(count)

    chosen = metrics or (Metric("right", "offline", right),)
    return Suite(
        name="support",  # a page looks the suite up by its name
        summary="doubling",
        read=read,
        metrics=lambda context: chosen,
        measures=lambda context: measures or (mean_of("right"),),
        make=ask,
    )


def doubled(request: ChatRequest) -> object:
    """A model that can double, but not 3."""
    number = int(request.tag("question").split()[3])
    return {"response": str(7 if number == 3 else 2 * number)}


def context(**changes: object) -> EvalContext:
    return EvalContext(**{"data": ["x"], "model": MODEL, **changes})  # type: ignore[arg-type]


# Drawing.


@given(st.integers(0, 60), st.integers(0, 70), st.integers(0, 5))
def test_a_draw_is_a_part_in_order_and_the_same_again(count: int, limit: int, seed: int) -> None:
    every = cases(count)
    found = drawn([*every, *every], limit, seed)
    assert len(found) == (min(limit, count) if limit else count)
    places = [every.index(each) for each in found]
    assert places == sorted(set(places))
    assert found == drawn(every, limit, seed)


def test_every_case_is_drawn_as_often_as_any_other() -> None:
    every = cases(10)
    counts = Counter(each["id"] for seed in range(2_000) for each in drawn(every, 3, seed))
    assert len(counts) == 10
    assert all(500 < count < 700 for count in counts.values())  # 600 expected, 20 the standard deviation


# Scores.


def test_nothing_that_is_no_number_becomes_one() -> None:
    for wrong in (math.nan, math.inf, -math.inf):
        assert scored(wrong) == {"value": None, "reason": "the metric gave no number", "failure": "not_a_number"}
    assert scored(None, "not here") == {"value": None, "reason": "not here", "failure": ""}
    assert scored(0.0)["value"] == 0.0


def _column(id_: str, value: float | None, *, group: str = "g", failure: bool = False) -> Column:
    return Column(id=id_, group=group, values={"right": value}, failed=["right"] if failure else [], unmade=False)


def test_a_figure_counts_what_failed_apart_from_what_does_not_apply() -> None:
    columns = [
        _column("a", 1.0),
        _column("b", 0.0),
        _column("c", None),
        _column("d", None, failure=True),
        Column(id="e", group="g", values={}, failed=["whole"], unmade=True),
    ]
    (found,) = figures([mean_of("right")], columns, 0)
    assert (found["value"], found["cases"], found["missing"]) == (0.5, 2, 2)
    assert figures([mean_of("wrong")], columns[:3], 0) == []


def test_groups_count_alike_and_an_interval_is_drawn_within_them() -> None:
    columns = [_column(str(n), 1.0, group="large") for n in range(90)]
    columns += [_column(f"s{n}", float(n < 5), group="small") for n in range(10)]
    found = {each["group"]: each for each in figures([mean_of("right")], columns, 0)}
    assert found["all"]["value"] == 0.75  # not 0.95
    assert (found["large"]["low"], found["large"]["high"]) == (1.0, 1.0)
    low, high = found["all"]["low"], found["all"]["high"]
    assert low is not None
    assert high is not None
    # Half of the small group's own interval.
    assert low == pytest.approx(0.5 + (found["small"]["low"] or 0) / 2, abs=0.06)
    assert 0.75 < high < 1.0


def test_an_interval_has_the_width_of_the_standard_error() -> None:
    random = np.random.default_rng(1)
    values = random.normal(0.4, 0.2, 400)
    measure = mean_of("right")
    part = table(measure, [_column(str(n), float(value)) for n, value in enumerate(values)])
    assert value_of(measure, [part]) == pytest.approx(values.mean())
    found = resampled(measure, [part], 0)
    assert found.std() == pytest.approx(values.std() / 20, rel=0.1)


def test_what_a_figure_must_hold() -> None:
    (found,) = figures([mean_of("right")], [_column(str(n), float(n < 8)) for n in range(10)], 0)
    assert shortfall(found, at_least=0.8) == ""
    assert shortfall(found, at_least=0.81) == "right is 0.8, below 0.81"
    assert shortfall(found, at_most=0.7) == "right is 0.8, above 0.7"
    assert "3 cases are missing" in shortfall({**found, "missing": 3}, at_least=0.1)
    assert shortfall({**found, "missing": 3}, at_least=0.1, no_missing=False) == ""
    assert shortfall({**found, "value": None}, at_least=0.0) == "right has no value"


# Runs.


async def test_a_case_is_asked_once_and_kept(tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]) -> None:
    llm = scripted_llm(doubled)
    heard: list[EvalHappened] = []
    result = await evaluate(suite(6), context(), tmp_path / "run", tell=heard.append)
    assert len(llm.calls()) == 6
    assert (heard[0].text, heard[-1].done, heard[-1].whole) == ("6 cases, 6 to score", 6, 6)
    assert result["spent"]["model_calls"] == 6
    assert result["spent"]["cost_usd"] is None
    assert [figure(result, "right", name)["value"] for name in ("even", "odd")] == [1.0, pytest.approx(2 / 3, abs=1e-3)]
    told = {item["given"]["n"]: item["scores"]["right"] for item in items(tmp_path / "run")}
    assert list(told) == list(range(6))
    assert told[3] == {"value": 0.0, "reason": "said 7", "failure": ""}
    assert read_result(tmp_path / "run")["figures"] == result["figures"]
    again = await evaluate(suite(6), context(), tmp_path / "run")
    assert len(llm.calls()) == 6
    assert again["figures"] == result["figures"]
    with pytest.raises(UsageError, match="samples"):
        await evaluate(suite(6), context(samples=2), tmp_path / "run")
    with pytest.raises(UsageError, match="cases"):
        await evaluate(suite(5), context(), tmp_path / "run")
    await evaluate(suite(5), context(), tmp_path / "run", new_run=True)
    assert sorted(path.name for path in (tmp_path / "run.1").iterdir()) == [
        "ledger.sqlite", "report.html", "result.json", "run.json",
    ]  # fmt: skip


async def test_a_raised_version_and_a_new_metric_ask_nothing_again(
    tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]
) -> None:
    llm = scripted_llm(doubled)
    await evaluate(suite(4), context(), tmp_path / "run")

    async def wrong(sample: Sample, context: EvalContext) -> dict[str, Score]:
        return {
            "wrong": scored(float(sample["response"] != str(2 * sample["n"]))),
            "length": scored(len(sample["response"])),
        }

    async def never(sample: Sample, context: EvalContext) -> Score:
        return scored(0.0)

    metrics = (
        Metric("right", "offline", never, version=2),
        Metric("other", "offline", wrong, gives=("wrong", "length")),
    )
    result = await evaluate(
        suite(4, *metrics, measures=(mean_of("right"), mean_of("wrong"))), context(), tmp_path / "run"
    )
    assert len(llm.calls()) == 4
    assert (figure(result, "right", "odd")["value"], figure(result, "wrong", "odd")["value"]) == (0.0, 0.5)


async def test_what_fails_is_missing_under_every_name_and_is_made_again(
    tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]
) -> None:
    down = True

    def script(request: ChatRequest) -> object:
        return status(400, "not today") if down and " 2 " in request.tag("question") else doubled(request)

    llm = scripted_llm(script)

    async def both(sample: Sample, context: EvalContext) -> Score | dict[str, Score]:
        if sample["n"] == 1:
            return failed("malformed", "cannot be read")
        return {"one": scored(1.0), "two": scored(2.0)}

    metrics = (
        Metric("both", "offline", both, gives=("one", "two")),
        Metric("loose", "offline", both),
        Metric("odd", "offline", right, applies=lambda given: given["n"] % 2 == 1),
        Metric("needy", "offline", right, needs=("nothing",)),
    )
    ours = suite(4, *metrics, measures=tuple(map(mean_of, ("one", "two", "odd", "needy"))))
    first = await evaluate(ours, context(), tmp_path / "run")
    lost = {(each["measure"], each["group"]): (each["cases"], each["missing"]) for each in first["figures"]}
    assert lost[("one", "even")] == lost[("two", "even")] == (1, 1)
    assert lost[("one", "odd")] == (1, 1)
    # What was not made is no case of a metric that is not for it.
    assert lost[("odd", "odd")] == (2, 0)
    assert ("odd", "even") not in lost
    assert not [each for each in first["figures"] if each["measure"] == "needy" and each["cases"]]
    down, asked = False, len(llm.calls())
    again = await evaluate(ours, context(), tmp_path / "run")
    assert len(llm.calls()) == asked + 1
    assert figure(again, "one", "even")["missing"] == 0
    assert figure(again, "one", "odd")["missing"] == 1  # the metric itself still fails
    item = next(item for item in items(tmp_path / "run") if item["given"]["n"] == 2)
    assert not any(score["failure"] for score in item["scores"].values())


async def test_a_stop_keeps_what_is_scored_and_partly_scored(
    tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]
) -> None:
    scripted_llm(doubled)
    drains: list[Callable[[], None]] = []

    def tell(happened: EvalHappened) -> None:
        if happened.done == 3:
            drains[0]()

    first = await evaluate(suite(9), context(concurrency=1), tmp_path / "run", tell=tell, stop=drains.append)
    assert (first["ended"], first["scored"], first["cases"]) == ("stopped", 3, 9)
    last = await evaluate(suite(9), context(concurrency=1), tmp_path / "run")
    assert (last["ended"], last["scored"]) == ("done", 9)


async def test_a_provider_that_is_down_ends_it_and_no_case_counts_as_wrong(
    tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]
) -> None:
    down = True
    llm = scripted_llm(lambda request: status(400, "down for repairs") if down else doubled(request))
    first = await evaluate(suite(30), context(concurrency=2), tmp_path / "run")
    assert (first["ended"], "down for repairs" in first["note"]) == ("provider_down", True)
    assert len(llm.calls()) < 15
    assert all(each["value"] is None for each in first["figures"])
    down = False
    last = await evaluate(suite(30), context(concurrency=2), tmp_path / "run")
    assert (last["ended"], last["scored"], last["failures"]) == ("done", 30, {})


async def test_a_refused_key_is_an_error_and_the_result_is_written(
    tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]
) -> None:
    scripted_llm(lambda request: status(401, "no such account"))
    with pytest.raises(ProviderError, match="no such account"):
        await evaluate(suite(5), context(), tmp_path / "run")
    result = read_result(tmp_path / "run")
    assert (result["ended"], result["scored"], result["figures"]) == ("provider_down", 0, [])


async def test_money_is_a_hard_stop(
    tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    llm = scripted_llm(doubled)
    with pytest.raises(UsageError, match="price"):
        await evaluate(suite(9), context(max_cost=1.0), tmp_path / "run")
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({MODEL: {"input": 100.0, "output": 100.0}}))
    monkeypatch.setenv("SEARCHINSTRUCT_PRICES", str(prices))
    # A call has 15 tokens: 0.0015 dollars.
    first = await evaluate(suite(9), context(max_cost=0.005), tmp_path / "run")
    assert (first["ended"], first["scored"], len(llm.calls())) == ("max_cost", 3, 3)
    last = await evaluate(suite(9), context(max_cost=1.0), tmp_path / "run")
    assert (last["ended"], last["scored"], len(llm.calls())) == ("done", 9, 9)
    assert last["spent"]["cost_usd"] == pytest.approx(9 * 0.0015)


# Folders and doors.


async def test_a_folder_is_named_after_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = write_lines(tmp_path / "claims.jsonl", claims())
    first = await evaluate("support", EvalContext(data=[data], limit=4))
    same = await evaluate("support", EvalContext(data=[data], limit=4, concurrency=1))
    other = await evaluate("support", EvalContext(data=[data], limit=4, seed=1))
    assert first["folder"] == same["folder"] != other["folder"]
    assert Path(first["folder"]).parent.name == "evals"
    chosen, settings, run = evaluated(first["folder"])
    assert (chosen.name, settings.limit, settings.data) == ("support", 4, [data])
    assert stored_run(Path(first["folder"])) == run
    with pytest.raises(UsageError, match=r"is an evaluation \(support\)"):
        read_run(Path(first["folder"]))


def test_the_door_for_code_without_a_loop(tmp_path: Path) -> None:
    data = write_lines(tmp_path / "claims.jsonl", claims())
    result: EvalResult = run_eval("support", tmp_path / "run", data=[data], limit=6)
    assert result["scored"] == 6


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": []}, "--data PATH"),
        ({"review_plan": True}, "review_plan"),
        ({"judge": "openai"}, "unknown model"),
        ({"model": "nobody:x"}, "unknown model provider"),
        ({"data": ["nowhere.jsonl"]}, "nowhere.jsonl"),
    ],
)
async def test_what_cannot_be_done_is_said_before_anything_is_written(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        await evaluate("support", EvalContext(**changes), tmp_path / "run")  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_suite_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'answers'"):
        suite_named("anwsers")
    with pytest.raises(UsageError, match="use one of answers, dataset"):
        suite_named("x")


@pytest.mark.parametrize(
    ("text", "said"),
    [("{}", "no result"), ("[", "cannot be read"), ('{"figures": [], "format": 99}', "another version")],
)
def test_a_file_that_is_no_result(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_result(tmp_path)
    with pytest.raises(UsageError, match="is no evaluation"):
        read_result(tmp_path / "nothing")
