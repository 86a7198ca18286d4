"""FollowIR and InstructIR through mteb, on small tasks in mteb's own layout; and what is said where mteb, or a task, is missing.

Compared with mteb 2.26.24. Tests that need it are skipped without it: it is an extra, not a dependency.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.instruction_benchmarks import (
    Benchmark,
    ProductSearch,
    followir_scores,
    instructir_scores,
    named_tasks,
)
from searchinstruct_graph.evals.rankers import Ranker, ranker
from searchinstruct_graph.evals.result import EvalResult, figure
from searchinstruct_graph.evals.running import evaluate, items
from searchinstruct_graph.evals.suites import followir, instructir
from tests.support.zygote import ForkedShell, Zygote

# To import mteb takes a minute on a busy machine.
pytestmark = pytest.mark.timeout(600)

TOPICS = {"1": ("mills of Osel", "only mills that grind barley and rye", "only mills that saw oak and pine")}
TOPICS |= {"2": ("bridges of Tarn", "only bridges of stone with arches", "only bridges of iron with girders")}
DOCUMENTS = {
    "d1": ("Grain", "The upper mill of Osel grinds barley and rye for three villages."),
    "d2": ("Wood", "The lower mill of Osel saws oak and pine for the shipyard."),
    "d3": ("", "The stone bridge of Tarn has seven arches over the river."),
    "d4": ("Iron", "The iron bridge of Tarn rests on girders cast in 1867."),
    "d5": ("", "The bell of Osel was cast in bronze."),
}
RIGHT = {"1-og": ("d1", "d2"), "1-changed": ("d2",), "2-og": ("d3", "d4"), "2-changed": ("d4",)}


def layout(folder: Path, **parts: list[dict[str, Any]]) -> str:
    """A folder as mteb's data sets lie on the hub: one configuration a part."""
    folder.mkdir()
    told = []
    for name, rows in parts.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        split = "qrel_diff" if name == "qrel_diff" else "test"
        told.append(f"- config_name: {name}\n  data_files:\n  - split: {split}\n    path: {name}.jsonl\n")
    (folder / "README.md").write_text(f"---\nconfigs:\n{''.join(told)}---\n")
    return str(folder)


def documents() -> list[dict[str, Any]]:
    return [{"_id": name, "title": title, "text": text} for name, (title, text) in DOCUMENTS.items()]


def judged(right: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    return [
        {"query-id": query, "corpus-id": document, "score": int(document in names)}
        for query, names in right.items()
        for document in DOCUMENTS
    ]


def local(folder: str, base: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One of mteb's own tasks, whose data are in `folder`."""
    library = pytest.importorskip("mteb")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    task = library.get_task(base)
    task.metadata = task.metadata.model_copy(
        update={"name": f"{base}Local", "dataset": {"path": folder, "revision": "main"}}
    )
    return task


def scored(tmp_path: Path, benchmark: Benchmark, task: Any, **settings: Any) -> EvalResult:
    from dataclasses import replace

    suite = replace(benchmark, tasks=lambda: [task]).suite()
    return asyncio.run(evaluate(suite, EvalContext(model="offline", **settings), tmp_path / "evaluation"))


@pytest.mark.filterwarnings("default")
def test_followir_is_scored_as_mteb_scores_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mteb")
    folder = layout(
        tmp_path / "topics",
        corpus=documents(),
        queries=[
            {"_id": f"{at}-{side}", "text": text} for at, (text, *_) in TOPICS.items() for side in ("og", "changed")
        ],
        instruction=[
            {"query-id": f"{at}-{side}", "instruction": told[1 + (side == "changed")]}
            for at, told in TOPICS.items()
            for side in ("og", "changed")
        ],
        qrels=judged(RIGHT),
        top_ranked=[{"query-id": query, "corpus-ids": list(DOCUMENTS)[:4]} for query in RIGHT],
        qrel_diff=[{"query-id": "1", "corpus-ids": ["d1"]}, {"query-id": "2", "corpus-ids": ["d3"]}],
    )
    task = local(folder, "Core17InstructionRetrieval", monkeypatch)
    result = scored(tmp_path, followir.BENCHMARK, task)
    assert (result["ended"], result["cases"], result["suite"]) == ("done", 2, "followir")
    seen = list(items(tmp_path / "evaluation"))
    told = seen[0]["made"]["mteb"]
    obeyed = figure(result, "p_mrr")
    assert obeyed["value"] == pytest.approx(told["value"], abs=1e-4)
    assert obeyed["value"] is not None
    assert obeyed["value"] > 0.3
    assert obeyed["group"] == "Core17InstructionRetrievalLocal"
    # The task says which documents are ranked, and the fifth is none of them.
    assert set(seen[0]["made"]["ranked"]["1-og"]) == {"d1", "d2", "d3", "d4"}
    assert figure(result, "map@1000")["value"] == 1.0
    assert "p_mrr of the task is" in seen[0]["scores"]["p_mrr"]["reason"]
    # Going on makes nothing anew.
    assert scored(tmp_path, followir.BENCHMARK, task)["figures"] == result["figures"]


@pytest.mark.filterwarnings("default")
def test_instructir_is_scored_as_mteb_scores_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mteb")
    right = {"1_1": ("d1",), "1_2": ("d2",), "2_1": ("d3",), "2_2": ("d1",)}
    folder = layout(
        tmp_path / "people",
        corpus=documents(),
        queries=[{"_id": query, "text": TOPICS[query[0]][0]} for query in right],
        instruction=[{"query-id": query, "instruction": TOPICS[query[0]][int(query[2])]} for query in right],
        qrels=[row for row in judged(right) if row["score"]],
    )
    task = local(folder, "InstructIR", monkeypatch)
    result = scored(tmp_path, instructir.BENCHMARK, task)
    told = next(iter(items(tmp_path / "evaluation")))["made"]["mteb"]
    robust, mean = figure(result, "robustness@10")["value"], figure(result, "ndcg@10")["value"]
    assert robust == pytest.approx(told["value"], abs=1e-4)
    assert robust is not None
    assert mean is not None
    # d1 does not answer the fourth query, so the worst instruction is worse than the mean.
    assert robust < mean < 1


@pytest.mark.filterwarnings("default")
def test_data_that_cannot_be_loaded_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = local(str(tmp_path / "nowhere"), "InstructIR", monkeypatch)
    with pytest.raises(UsageError, match="the data of InstructIRLocal cannot be loaded"):
        scored(tmp_path, instructir.BENCHMARK, task)


class TestScores:
    def test_followir(self) -> None:
        queries = [{"id": f"1-{side}", "grades": {"a": 1, "b": side == "og"}} for side in ("og", "changed")]
        sample = {"queries": queries, "ranked": {"1-og": ["b", "a"], "1-changed": ["a", "b"]}, "fallen": ["b"]}
        assert followir_scores(sample) == {
            "p_mrr": 0.5,
            "map@1000": 1.0,
            "ndcg@5": 1.0,
            "changed_map@1000": 1.0,
            "changed_ndcg@5": 1.0,
        }
        assert followir_scores({**sample, "queries": queries[:1]})["p_mrr"] is None

    def test_the_worst_instruction_counts(self) -> None:
        queries = [{"id": "1", "grades": {"a": 1}}, {"id": "2", "grades": {"b": 1}}]
        found = instructir_scores({"queries": queries, "ranked": {"1": ["a", "b"], "2": ["a", "b"]}})
        assert found["robustness@10"] == pytest.approx(1 / np.log2(3))
        assert found["ndcg@10"] == pytest.approx((1 + 1 / np.log2(3)) / 2)


class TestSearch:
    @pytest.fixture
    def search(self) -> ProductSearch:
        datasets = pytest.importorskip("datasets")
        found = ProductSearch("wordllama", ranker("wordllama"))
        found.index(datasets.Dataset.from_list([{**row, "id": row["_id"]} for row in documents()]))
        return found

    def test_a_query_is_joined_with_its_instruction(self, search: ProductSearch) -> None:
        from datasets import Dataset

        rows = [
            {"id": str(at), "text": "mills of Osel", "instruction": told} for at, told in enumerate(TOPICS["1"][1:])
        ]
        found = search.search(Dataset.from_list(rows), top_k=2)
        assert [list(run) for run in found.values()] == [["d1", "d2"], ["d2", "d1"]]
        assert search.runs is found

    def test_only_what_was_ranked_before_is_ranked(self, search: ProductSearch) -> None:
        from datasets import Dataset

        rows = [{"id": "x", "text": "mills of Osel"}]
        assert list(search.search(Dataset.from_list(rows), top_k=9, top_ranked={"x": ["d5", "d2"]})["x"]) == [
            "d2",
            "d5",
        ]
        assert search.search(Dataset.from_list(rows), top_k=9, top_ranked={})["x"] == {}


def test_a_head_orders_the_first_anew_and_only_under_an_instruction() -> None:
    from searchinstruct_graph.evals.rankers import Plain
    from searchinstruct_graph.models.embeddings import embeddings
    from searchinstruct_graph.models.rescoring import FEATURES, Rescorer

    # Fewest wanted words first.
    weights = np.where(np.array(FEATURES) == "words", -1.0, 0.0)
    plain = Plain(embeddings("wordllama"))
    head = Ranker(plain, Rescorer(weights, np.zeros((256, 256), np.float32)))
    texts = [text for _, text in DOCUMENTS.values()]
    asked = (["mills of Osel"], ["barley and rye"])
    bare = Ranker(plain)(*asked, texts)
    assert bare[0].argmax() == 0
    assert head(*asked, texts)[0].argmin() == 0
    assert (head(asked[0], [""], texts) == Ranker(plain)(asked[0], [""], texts)).all()
    # Of those that are asked about, and no others.
    few = head.scores(*asked, texts, [np.array([0, 4])])[0]
    assert np.isinf(few[1:4]).all()
    assert few[4] > few[0] > 1


class TestCommand:
    def test_without_mteb_one_line_says_what_to_install(self, tmp_path: Path, zygote: Zygote) -> None:
        if importlib.util.find_spec("mteb") is not None:
            pytest.skip("mteb is installed")
        for name in ("followir", "instructir"):
            done = ForkedShell(tmp_path, zygote).do("eval", name)
            assert done.returncode == 2
            (line,) = done.stderr.strip().splitlines()
            assert "mteb is missing: pip install 'searchinstruct-graph[mteb]'" in line

    def test_they_bring_their_own_data(self, tmp_path: Path, zygote: Zygote) -> None:
        done = ForkedShell(tmp_path, zygote).do("eval", "followir", "--data", "x.jsonl")
        assert done.returncode == 2
        assert "the suite followir brings its own data; leave out --data" in done.stderr


def test_mair_is_not_faked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"mteb \(.*\) has no MAIR; .* eval retrieval --data FOLDER"):
        asyncio.run(evaluate("mair", EvalContext(model="offline"), tmp_path / "evaluation"))


def test_a_task_that_mteb_does_not_have_is_named() -> None:
    pytest.importorskip("mteb")
    with pytest.raises(UsageError, match=r"the installed mteb \(.*\) has no such task: .*Core18"):
        named_tasks("Core18InstructionRetrieval")
    assert [task.metadata.name for task in named_tasks(*followir.TASKS)] == list(followir.TASKS)
