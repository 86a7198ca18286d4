"""Published benchmarks of retrieval under instructions, through mteb: it brings the data and runs the search, we score its runs.

The encoder of `--embeddings` searches as mteb's `SearchProtocol` wants it, each query joined with the instruction that its task
gives it. A case is a topic: the queries that differ in their instruction alone. Its scores are computed from the run, so that
they have intervals over topics, and what they come to must be mteb's own figure of the task.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from searchinstruct_graph.errors import SearchInstructError, UsageError
from searchinstruct_graph.evals import retrieval
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.rankers import Ranker, ranker
from searchinstruct_graph.evals.suite import Case, Metric, Sample, Score, Suite, case, mean_of, scored

NEEDS = "pip install 'searchinstruct-graph[mteb]'"
SPLIT, SUBSET = "test", "default"

_AT_ONCE = 128
# Queries whose scores over all passages are held together.
_SAME = 1e-4
# mteb rounds its figures.

Runs = dict[str, dict[str, float]]
"""Query id to documents with their scores."""


@dataclass(frozen=True)
class Benchmark:
    """What one of them is made of."""

    name: str
    summary: str
    tasks: Callable[[], Sequence[Any]]
    """mteb's tasks, made anew. Raises UsageError when mteb has none."""
    topic: Callable[[str], str]
    """The topic of a query's id."""
    score: Callable[[Sample], dict[str, float | None]]
    """The scores of a topic that was searched for."""
    scores: tuple[str, ...]
    main: str
    """The score whose mean over topics is mteb's figure of a task."""
    fallen: Callable[[Any], Mapping[str, Sequence[str]]] = lambda task: {}
    """Of a task the documents of each topic that have to fall."""

    def suite(self) -> Suite:
        """The evaluation of it; its data comes through mteb, not from `--data`."""
        runs = _TaskRuns(self)
        metric = Metric("ranking", "offline", self._scored, needs=("queries",), gives=self.scores)
        measures = tuple(map(mean_of, self.scores))
        return Suite(
            name=self.name,
            summary=self.summary,
            read=runs.read,
            metrics=lambda context: (metric,),
            measures=lambda context: measures,
            make=runs.make,
            judged=False,
            own_data=True,
        )

    async def _scored(self, sample: Sample, context: EvalContext) -> dict[str, Score]:
        told = f"mteb {sample['mteb']['version']}: {self.main} of the task is {sample['mteb']['value']:g}"
        return {name: scored(value, told) for name, value in self.score(sample).items()}


def mteb(module: str = "mteb") -> Any:
    """The package mteb, or a module that it brings. Raises UsageError, which says what to install, when it is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(f"this evaluation runs through mteb, and {error.name or module} is missing: {NEEDS}") from None


def named_tasks(*names: str) -> list[Any]:
    """The tasks of these names. Raises UsageError for one that the installed mteb does not have."""
    library = mteb()
    try:
        return [library.get_task(name) for name in names]
    except (KeyError, ValueError) as error:
        reason = str(error).strip("'\"").splitlines()[0]
        raise UsageError(f"the installed mteb ({library.__version__}) has no such task: {reason}") from None


def loaded(task: Any) -> Mapping[str, Any]:
    """The data of a task: `queries`, `corpus`, `relevant_docs` and `top_ranked`.

    Raises:
        UsageError: it cannot be loaded.
    """
    with _quiet(), _loading(task):
        task.load_data()
        task.convert_v1_dataset_format_to_v2(num_proc=None)
        found: Mapping[str, Any] = task.dataset[SUBSET][SPLIT]
        return found


@contextmanager
def _loading(task: Any) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"the data of {task.metadata.name} cannot be loaded: {reason}; mteb takes it from the Hugging Face hub, once, "
            "or with HF_HUB_OFFLINE=1 from what is there already"
        ) from error


@contextmanager
def _scoring(task: Any) -> Iterator[None]:
    try:
        yield
    except SearchInstructError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        raise UsageError(
            f"{task.metadata.name}: mteb ({mteb().__version__}) could not score it ({type(error).__name__}: {reason}); clear "
            "what it has downloaded of the task and try again, or install another mteb"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars of mteb's libraries: progress is shown case by case."""
    bars = mteb("datasets.utils")
    shown = not bars.are_progress_bars_disabled()
    bars.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bars()


def qrel_diff(task: Any) -> Mapping[str, Sequence[str]]:
    """The documents that the changed instructions of a FollowIR task make non-relevant, by topic, as its own scoring reads them.

    Raises:
        UsageError: they cannot be loaded.
    """
    told = task.metadata.dataset
    with _quiet(), _loading(task):
        rows = mteb("datasets").load_dataset(told["path"], "qrel_diff", split="qrel_diff", revision=told["revision"])
        return {row["query-id"]: list(row["corpus-ids"]) for row in rows}


class ProductSearch:
    """The encoder of `--embeddings` as mteb's `SearchProtocol`; it remembers what it has found."""

    def __init__(self, name: str, found_by: Ranker) -> None:
        self._name, self._ranker = name, found_by
        self._ids: list[str] = []
        self._texts: list[str] = []
        self.runs: Runs = {}

    @property
    def mteb_model_meta(self) -> Any:
        """Metadata of the model, as far as mteb wants to know."""
        return _meta(self._name)

    def index(self, corpus: Any, **told: Any) -> None:
        """Take the corpus, a document as its title and text in one line, as mteb's encoders do."""
        self._ids = list(corpus["id"])
        titles = corpus["title"] if "title" in corpus.column_names else [""] * len(self._ids)
        self._texts = [f"{title or ''} {text}".strip() for title, text in zip(titles, corpus["text"], strict=True)]

    def search(self, queries: Any, *, top_k: int, top_ranked: Any = None, **told: Any) -> Runs:
        """The `top_k` best documents of each query, or of those that the task has ranked before, with their scores."""
        ids, texts = list(queries["id"]), list(queries["text"])
        said = queries["instruction"] if "instruction" in queries.column_names else [""] * len(ids)
        instructions = [one or "" for one in said]
        place = {document: at for at, document in enumerate(self._ids)}
        self.runs = {}
        for at in range(0, len(ids), _AT_ONCE):
            part = slice(at, at + _AT_ONCE)
            among = None
            if top_ranked is not None:
                among = [np.array([place[each] for each in top_ranked.get(one, ())], np.int64) for one in ids[part]]
            scores = self._ranker.scores(texts[part], instructions[part], self._texts, among)
            for one, row in zip(ids[part], scores, strict=True):
                # Ties as trec_eval breaks them, also where the last places are cut.
                asked = {self._ids[column]: float(row[column]) for column in np.flatnonzero(np.isfinite(row))}
                self.runs[one] = {document: asked[document] for document in retrieval.ordered(asked)[:top_k]}
        return self.runs


@cache
def _meta(name: str) -> Any:
    meta = mteb("mteb.models.model_meta").ModelMeta
    unknown = {field: None for field, spec in meta.model_fields.items() if spec.is_required()}
    safe = (
        "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "-" for letter in name).strip(
            "-."
        )
        or "encoder"
    )
    return meta(**{**unknown, "name": f"searchinstruct/{safe}", "revision": "none", "framework": ["NumPy"]})


class _Ran(NamedTuple):
    """A task that was searched through."""

    runs: Runs
    value: float
    """mteb's main score of it."""


class _TaskRuns:
    """The tasks of a benchmark in this process, each searched through once, when its first topic is wanted."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._benchmark = benchmark
        self._tasks: dict[str, Any] = {}
        self._ran: dict[tuple[str, str], _Ran] = {}
        self._one = threading.Lock()

    def read(self, context: EvalContext) -> Iterator[Case]:
        """One case a topic. Raises UsageError where mteb or a task's data is missing."""
        self._ran.clear()
        self._tasks = {task.metadata.name: task for task in self._benchmark.tasks()}
        for name, task in self._tasks.items():
            yield from self._topics(name, task)

    def _topics(self, name: str, task: Any) -> Iterator[Case]:
        data, fallen = loaded(task), self._benchmark.fallen(task)
        topics: dict[str, list[dict[str, Any]]] = {}
        for row in data["queries"]:
            grades = data["relevant_docs"].get(row["id"])
            if grades:
                told = {
                    "id": row["id"],
                    "text": row["text"],
                    "instruction": row.get("instruction") or "",
                    "grades": dict(grades),
                }
                topics.setdefault(self._benchmark.topic(row["id"]), []).append(told)
        for topic, queries in topics.items():
            given = {"user_input": queries[0]["text"], "topic": topic, "queries": queries}
            yield case(name, {**given, "fallen": list(fallen[topic])} if topic in fallen else given)

    async def make(self, given: Case, context: EvalContext) -> Sample:
        """The ranking of each of the topic's queries, best first, and what mteb says of the task."""
        ran = await asyncio.to_thread(self._run, given["group"], context.embeddings)
        ranked = {each["id"]: list(ran.runs[each["id"]]) for each in given["given"]["queries"]}
        return {"ranked": ranked, "mteb": {"version": mteb().__version__, "value": ran.value}}

    def _run(self, name: str, encoder: str) -> _Ran:
        with self._one:
            if (name, encoder) not in self._ran:
                if name not in self._tasks:
                    self._tasks = {task.metadata.name: task for task in self._benchmark.tasks()}
                self._ran[name, encoder] = self._searched(self._tasks[name], encoder)
            return self._ran[name, encoder]

    def _searched(self, task: Any, encoder: str) -> _Ran:
        loaded(task)
        search = ProductSearch(encoder, ranker(encoder))
        with _quiet(), _scoring(task):
            result = mteb().evaluate(search, [task], cache=None, co2_tracker=False, show_progress_bar=False)
            value = float(result.task_results[0].scores[SPLIT][0]["main_score"])
        ran = _Ran(search.runs, value)
        self._agreed(task, ran)
        return ran

    def _agreed(self, task: Any, ran: _Ran) -> None:
        """Refuse a mteb that scores another way than is reported here."""
        found = []
        for each in self._topics(task.metadata.name, task):
            ranked = {query["id"]: list(ran.runs[query["id"]]) for query in each["given"]["queries"]}
            value = self._benchmark.score({**each["given"], "ranked": ranked})[self._benchmark.main]
            found += [] if value is None else [value]
        own = sum(found) / len(found) if found else float("nan")
        if not abs(own - ran.value) <= _SAME:
            raise UsageError(
                f"{task.metadata.name}: the installed mteb ({mteb().__version__}) says {ran.value:g} where its run comes to "
                f"{own:g} ({self._benchmark.main}); it is not the mteb that this was written for, 2.26"
            )


def followir_scores(sample: Sample) -> dict[str, float | None]:
    """p-MRR of a topic, and MAP@1000 and nDCG@5 under its original and its changed instruction.

    FollowIR (arXiv 2403.15246) reports MAP for Robust04 and Core17 and nDCG@5 for News21, both of the original instruction.
    """
    found: dict[str, float | None] = {}
    rankings: dict[str, list[str]] = {}
    for query in sample["queries"]:
        side = "changed_" if query["id"].endswith("-changed") else ""
        rankings[side] = ranked = sample["ranked"][query["id"]]
        found[f"{side}map@1000"] = retrieval.average_precision(ranked[:1000], query["grades"])
        found[f"{side}ndcg@5"] = retrieval.ndcg_at(ranked, query["grades"], 5)
    both = len(rankings) == 2
    found["p_mrr"] = retrieval.obedience(rankings[""], rankings["changed_"], sample.get("fallen", ())) if both else None
    return found


def instructir_scores(sample: Sample) -> dict[str, float | None]:
    """Robustness@10 of a query, the lowest nDCG@10 over its instructions (InstructIR, arXiv 2402.14334), and the mean of them."""
    values = [retrieval.ndcg_at(sample["ranked"][each["id"]], each["grades"], 10) for each in sample["queries"]]
    told = [value for value in values if value is not None]
    if not told:
        return {"robustness@10": None, "ndcg@10": None}
    return {"robustness@10": min(told), "ndcg@10": sum(told) / len(told)}
