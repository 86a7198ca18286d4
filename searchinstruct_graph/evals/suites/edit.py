"""The suite `edit`: has a model learnt the facts of an edit set, and nothing else changed?

The probes of an edit set are asked of the model from memory, without a page. Or the data brings the answers of a model that
was asked elsewhere, as records of probe id and `response`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from searchinstruct_graph.agents.editor import kept_as_current
from searchinstruct_graph.agents.respondent import respond
from searchinstruct_graph.datasets.facts import Fact, Probe, ProbeKind
from searchinstruct_graph.datasets.ledger import read_probes
from searchinstruct_graph.datasets.records import read_records
from searchinstruct_graph.datasets.run import RUN
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.files import first, folders, stem
from searchinstruct_graph.evals.suite import Case, Measure, Metric, Sample, Score, Suite, case, mean_of, scored
from searchinstruct_graph.models.chat import OFFLINE, resolve_model
from searchinstruct_graph.text import compare, editing
from searchinstruct_graph.text.answers.extraction import yes_no_answer
from searchinstruct_graph.text.words import words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KINDS: tuple[ProbeKind, ...] = get_args(ProbeKind)

SCORED: tuple[ProbeKind, ...] = ("efficacy", "generality", "locality")
"""What the score of Meng et al. 2022 is the harmonic mean of: they call them efficacy, paraphrase and neighbourhood."""

SHORT = 4
"""Words up to which an answer must be named as it is; a longer one may be told in other words."""


# Reading.


def _read(context: EvalContext) -> Iterator[Case]:
    probes: list[tuple[str, Probe, str | None]] = []
    responses: dict[str, str] = {}
    for place in context.data:
        if (Path(place).expanduser() / RUN).is_file():
            probes += [(stem(place), probe, None) for probe in _of_run(place)]
            continue
        for name, files in folders([place]):
            for path in files:
                if len(files) > 1 and not _known(first(path)):
                    continue
                for record in read_records(path):
                    if _is_response(record.data):
                        responses[str(record.data["id"])] = _text(record.data["response"], record.where, "response")
                    else:
                        given = record.data.get("response")
                        said = None if given is None else _text(given, record.where, "response")
                        probes.append((name, _probe(record.data, record.where), said))
    _check(probes, responses, context)
    for name, probe, said in probes:
        response = responses.get(probe["id"], said)
        yield case(name, _given(probe) if response is None else {**_given(probe), "response": response})


def _of_run(place: str) -> list[Probe]:
    found = read_probes(Path(place).expanduser())
    if not found:
        raise UsageError(f"{place} has no probes; name a run of searchinstruct edit, or a file of its probes")
    return found


def _known(data: Mapping[str, Any]) -> bool:
    return _is_response(data) or {"kind", "question", "answer"} <= data.keys()


def _is_response(data: Mapping[str, Any]) -> bool:
    return {"id", "response"} <= data.keys() and "question" not in data


def _text(value: Any, where: str, field: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{where}: {field} must be a text, not {value!r}")
    return value


def _probe(data: Mapping[str, Any], where: str) -> Probe:
    if not {"kind", "question", "answer"} <= data.keys():
        found = ", ".join(map(str, data)) or "none"
        raise UsageError(
            f"{where}: no probe (fields: {found[:200]}); give kind, question and answer, as searchinstruct export "
            "--format probes writes them, or id and response"
        )
    if data["kind"] not in KINDS:
        raise UsageError(f"{where}: kind is {data['kind']!r}; a probe is one of {', '.join(KINDS)}")
    others = data.get("aliases") or []
    if not isinstance(others, list):
        raise UsageError(f"{where}: aliases must be a list of texts, not {others!r}")
    return Probe(
        id=str(data.get("id") or where),
        fact=str(data.get("fact") or ""),
        kind=data["kind"],
        question=_text(data["question"], where, "question"),
        answer=_text(data["answer"], where, "answer"),
        stale=_text(data.get("stale") or "", where, "stale"),
        aliases=[_text(each, where, "an alias") for each in others],
        sources=data.get("sources") or [],
    )


def _check(probes: list[tuple[str, Probe, str | None]], responses: dict[str, str], context: EvalContext) -> None:
    """Refuse answers without a probe, and probes that nobody could answer."""
    ids = {probe["id"] for _, probe, _ in probes}
    if responses and not ids:
        raise UsageError(f"{', '.join(context.data)}: answers without probes; name the probes as well, with --data")
    if strange := next((id_ for id_ in responses if id_ not in ids), None):
        raise UsageError(f"the answer {strange!r} belongs to no probe; name the probes that were asked")
    asked = [probe for _, probe, said in probes if said is None and probe["id"] not in responses]
    if asked and resolve_model(context.model_for("respondent")) == OFFLINE:
        raise UsageError(
            f"{len(asked)} probes have no answer, and the offline model has no memory to answer from; name the edited model "
            "with --model, or give its answers as records of id and response"
        )


def _given(probe: Probe) -> Sample:
    return {
        "user_input": probe["question"],
        "reference": probe["answer"],
        "reference_contexts": [quote["text"] for source in probe["sources"] for quote in source["quotes"]],
        "kind": probe["kind"],
        "stale": probe["stale"],
        "aliases": probe["aliases"],
        "probe": probe["id"],
        "fact": probe["fact"],
    }


async def _make(given: Case, context: EvalContext) -> Sample:
    if "response" in given["given"]:
        return {}
    research = context.research(samples=1)
    drawn = await respond(given["given"]["user_input"], "open", (), (), research, research.limits(), 1.0)
    if drawn["failure"]:
        kind, _, detail = drawn["failure"].partition(": ")
        return {"failure": kind, "reason": detail}
    return {"response": drawn["chosen"]}


# What an answer says.


def says(response: str, answer: str, question: str, besides: str = "") -> bool:
    """Whether a response gives `answer`: names it or, when it is longer than `SHORT` words, tells what of it is not in the
    question. Yes and no count where they open the response. A mention inside a longer one of `besides` does not count.
    """
    verdict = yes_no_answer(f"Answer: {answer}")
    if verdict is not None and yes_no_answer(f"Answer: {response}") not in (None, verdict):
        return False
    if verdict is not None and len(words(answer)) == 1:
        return yes_no_answer(f"Answer: {response}") == verdict
    if editing.holds(response, answer, besides, surnames=True):
        return True
    return len(words(answer)) > SHORT and _tells(response, answer, question)


def _tells(response: str, answer: str, known: str) -> bool:
    told = set(compare.content(answer)) - set(compare.content(known))
    if not told:
        return compare.agree(response, answer)
    if not compare.numbers(answer) - compare.numbers(known) <= compare.numbers(response):
        return False
    share = len(told & set(compare.content(response))) / len(told)
    return share >= compare.AGREEMENT and compare.negated(answer) == compare.negated(response)


def says_stale(response: str, stale: str, answers: list[str], question: str) -> bool:
    """Whether a response gives the stale answer as what is so now; "formerly" and the like make it no answer."""
    answer = answers[0]
    current = Fact(
        id="", subject="", relation="", old=stale, new=answer, as_of="", source="", question="", stale="", unchanged=[]
    )
    if kept_as_current(current, response):
        return True
    verdict = yes_no_answer(f"Answer: {stale}")
    if verdict is not None and verdict != yes_no_answer(f"Answer: {answer}"):
        return yes_no_answer(f"Answer: {response}") == verdict
    known = f"{question} {' '.join(answers)}"
    # Without a word of its own, the stale answer cannot be told from the new one.
    own = set(compare.content(stale)) - set(compare.content(known))
    return bool(own) and len(words(stale)) > SHORT and _tells(response, stale, known)


async def _scores(sample: Sample, context: EvalContext) -> dict[str, Score]:
    said, question = str(sample.get("response") or ""), sample["user_input"]
    answers = [each for each in (sample["reference"], *sample["aliases"]) if each]
    stale, kind = sample["stale"], sample["kind"]
    if not answers:
        none = scored(None, "the probe has no answer to hold the response against")
        return dict.fromkeys(_GIVEN, none)
    found = next((each for each in answers if says(said, each, question, stale)), "")
    old = bool(stale) and says_stale(said, stale, answers, question)
    told = f"gives {found!r}" if found else f"does not give {answers[0]!r}" if said else "no answer was given"
    told += f", and gives {stale!r} as current" if old else ""
    return {
        "success": scored(float(bool(found) and not old), told),
        "says_answer": scored(float(bool(found)), told),
        "says_stale": scored(float(old) if stale else None, told if stale else "the probe names no stale answer"),
        "_kind": scored(float(KINDS.index(kind))),
    }


_GIVEN = ("success", "says_answer", "says_stale", "_kind")


def _of_kind(kind: ProbeKind) -> Metric:
    async def score(sample: Sample, context: EvalContext) -> Score:
        return (await _scores(sample, context))["success"]

    return Metric(kind, "offline", score, applies=lambda given: given["kind"] == kind)


def _metrics(context: EvalContext) -> tuple[Metric, ...]:
    return (*map(_of_kind, KINDS), Metric("answer", "offline", _scores, gives=_GIVEN))


def harmonic_mean(values: NDArray[np.float64], kinds: tuple[ProbeKind, ...]) -> float | None:
    """The harmonic mean of the shares of success of `kinds`, from rows of success and number of kind; None when one has no
    probe. With `SCORED` it is the score S of Meng et al. 2022 (ROME), here of answers as they are written.
    """
    shares = []
    for kind in kinds:
        own = values[values[:, 1] == KINDS.index(kind), 0]
        if not len(own):
            return None
        shares.append(float(own.mean()))
    return len(shares) / sum(1 / share for share in shares) if all(shares) else 0.0


def _measures(context: EvalContext) -> tuple[Measure, ...]:
    columns = ("success", "_kind")
    return (
        *map(mean_of, cast("tuple[str, ...]", KINDS)),
        mean_of("says_stale", higher_is_better=False),
        Measure("score", "offline", columns, lambda values: harmonic_mean(values, SCORED)),
        Measure("score_with_portability", "offline", columns, lambda values: harmonic_mean(values, KINDS)),
    )


SUITE = Suite(
    name="edit",
    summary="a model's answers to the probes of an edit set",
    read=_read,
    metrics=_metrics,
    measures=_measures,
    make=_make,
    judged=False,
)
