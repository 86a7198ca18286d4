"""Planner: which of the steps that a person took does a plan ask for?

Data: questions with the steps of a person: `decomposition`, a list in StrategyQA's form ("#1" is the answer of the first
step), or `reasoning`, a text whose sentences are the steps. A reference is replaced by the content words of the step that
it names, and steps that only weigh earlier results are left out (`evals.decomposition.parted`).

A text asks for a step when the cosine of their embeddings reaches `NEAR`. Embeddings tell the subject better than the point:
the sentence that answers a step is told from another question's step with AUROC 0.998, from another step of the same question
only with 0.633 (2,061 questions of StrategyQA, `wordllama`; benchmarks/evals.py). `NEAR` is the stricter of the cuts whose
balanced accuracy, averaged over both, is best (0.833 at 0.35, 0.831 at 0.4). So every share stands beside that of the
question itself as the only sub-question, and `nearer_than_question` needs no threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from searchinstruct_graph.agents.planner import make_plan
from searchinstruct_graph.datasets.records import Record, question_of
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.decomposition import cosines, matched, parted
from searchinstruct_graph.evals.files import first, folders, stem
from searchinstruct_graph.evals.suite import Case, Measure, Metric, Sample, Score, Suite, case, mean_of, scored
from searchinstruct_graph.text.compare import coverage
from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.text.words import normal_form, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEAR = 0.4
"""Cosine from which a text asks for a step (see above how it was chosen)."""

REPEATS = 0.9
"""Share of the question's content words from which a query repeats it."""

HIGHER = (
    "steps_covered",
    "steps_asked",
    "steps_matched",
    "precision",
    "best_cosine",
    "nearer_than_question",
    "sub_questions",
    "human_steps",
)
LOWER = ("count_error", "repeats")
BASELINE = ("question_covered", "question_matched", "question_cosine")

_CONCLUDES = frozenset(("thus", "therefore", "so", "hence"))


def read(context: EvalContext) -> Iterator[Case]:
    """One case a question with steps. Raises UsageError for data without such questions."""
    from searchinstruct_graph.datasets.records import read_records

    for name, paths in folders(context.data):
        fitting = [path for path in paths if {"decomposition", "reasoning"} & first(path).keys()]
        if not fitting:
            raise UsageError(
                f"{name}: no questions with steps; wanted question and decomposition (a list), or reasoning"
            )
        for path in fitting:
            group = name if len(fitting) == 1 else f"{name}/{stem(path)}"
            for record in read_records(path):
                question, steps = question_of(record), _steps(record)
                if question and steps:
                    yield case(group, {"user_input": question, "steps": steps})


def _steps(record: Record) -> list[str]:
    given = record.data.get("decomposition")
    if given is None:
        told = str(record.data.get("reasoning") or "")
        spans = [told[span.start : span.end].strip() for span in sentences(told)]
        return [text for text in spans if words(text) and words(text)[0] not in _CONCLUDES]
    if not isinstance(given, list) or not all(isinstance(step, str) for step in given):
        raise UsageError(f"{record.where}: decomposition must be a list of texts")
    return [step.strip() for step in given if step.strip()]


async def make(given: Case, context: EvalContext) -> Sample:
    """The plan of the model under test, without any search."""
    research = context.research()
    plan, _, problem = await make_plan(given["given"]["user_input"], research, research.limits())
    if problem:
        kind = problem.split(":")[1].strip()
        return {"failure": kind, "reason": problem}
    parts = plan["sub_questions"]
    return {"sub_questions": [{"text": part["text"], "queries": part["queries"]} for part in parts]}


def distinct(texts: Sequence[str]) -> list[str]:
    """The texts that differ in more than case and spelling of characters, each as it is written first, in order."""
    found: dict[str, str] = {}
    for text in texts:
        found.setdefault(normal_form(text), text)
    return list(found.values())


async def plan_scores(sample: Sample, context: EvalContext) -> dict[str, Score]:
    """How the plan and, beside it, the bare question cover the steps that are to be looked up."""
    import numpy as np

    question, parts = sample["user_input"], sample["sub_questions"]
    steps = parted(sample["steps"])["looked_up"]
    if not steps:
        return {HIGHER[0]: scored(None, "no step is to be looked up")}
    asked = distinct([text for part in parts for text in (part["text"], *part["queries"])])
    near = cosines(steps, [question, *asked], context.embeddings)
    alone, all_asked = near[:, :1], near[:, 1:]
    by_part = _by_part(all_asked, asked, parts)
    pairs = matched(by_part, NEAR)
    queries = distinct([query for part in parts for query in part["queries"]])
    fewest = f"{len(parts)} sub-questions, {len(asked)} texts for {len(steps)} steps"
    values = {
        "steps_covered": float((all_asked.max(axis=1) >= NEAR).mean()),
        "steps_asked": len(matched(all_asked, NEAR)) / len(steps),
        "steps_matched": len(pairs) / len(steps),
        "precision": len(pairs) / len(parts),
        "best_cosine": float(all_asked.max(axis=1).mean()),
        "nearer_than_question": float((all_asked.max(axis=1) > alone[:, 0] + 1e-3).mean()),
        "sub_questions": float(len(parts)),
        "human_steps": float(len(steps)),
        "count_error": float(abs(len(parts) - len(steps))),
        "repeats": float(np.mean([coverage(question, [query]) >= REPEATS for query in queries])),
        "question_covered": float((alone >= NEAR).mean()),
        "question_matched": len(matched(alone, NEAR)) / len(steps),
        "question_cosine": float(alone.mean()),
    }
    return {name: scored(value, fewest) for name, value in values.items()}


def _by_part(near: NDArray[np.float32], asked: Sequence[str], parts: Sequence[Sample]) -> NDArray[np.float32]:
    """The cosine of each step with the nearest text of each sub-question, [steps, sub-questions]."""
    import numpy as np

    place = {normal_form(text): at for at, text in enumerate(asked)}
    columns = [[place[normal_form(text)] for text in (part["text"], *part["queries"])] for part in parts]
    return np.stack([near[:, own].max(axis=1) for own in columns], axis=1)


def metrics(context: EvalContext) -> tuple[Metric, ...]:
    """All of them compare the plan with the steps."""
    return (
        Metric("plan", "offline", plan_scores, needs=("sub_questions", "steps"), gives=(*HIGHER, *LOWER, *BASELINE)),
    )


def measures(context: EvalContext) -> tuple[Measure, ...]:
    """Means over the questions. `steps_covered`: any text of the plan is near; `steps_asked`: one text a step, greedily;
    `steps_matched`: one sub-question a step; `precision`: sub-questions so matched. `question_*`: the question alone.
    """
    return (
        *(mean_of(name) for name in HIGHER),
        *(mean_of(name, higher_is_better=False) for name in LOWER),
        *(mean_of(name) for name in BASELINE),
    )


SUITE = Suite(
    name="planner",
    summary="sub-questions against human decompositions",
    read=read,
    metrics=metrics,
    measures=measures,
    make=make,
    judged=False,
)
