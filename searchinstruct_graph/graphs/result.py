"""The result is rendered from the evidence, so a citation cannot name a source that was not read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.critic import agreement
from searchinstruct_graph.agents.evidence import Quote, Statement
from searchinstruct_graph.graphs.state import (
    Critique,
    ResearchOutput,
    ResearchState,
    ResultQuote,
    ResultStatement,
    Source,
    Status,
)
from searchinstruct_graph.models.usage import no_usage

NO_ANSWER = "The sources that were read do not answer this question."
MODEL_FAILED = "There is no answer: the model failed, so nothing could be checked. The critique's problems say how."
SEARCH_FAILED = "There is no answer: no search was answered, so nothing was read. The critique's problems say why."
PARTLY = "The sources that were read do not answer this question; what they do say about it:"


def citable(statement: Statement, quotes: int) -> bool:
    """Whether the statement cites something, and nothing beyond the `quotes` that were shown."""
    return bool(statement["quotes"]) and all(1 <= number <= quotes for number in statement["quotes"])


def numbered(quotes: Sequence[Quote]) -> tuple[list[Source], list[list[int]]]:
    """The pages of the quotes as numbered sources, in order of appearance; and of each quote its [source id, index]."""
    sources: dict[tuple[str, str], Source] = {}
    places: list[list[int]] = []
    for quote in quotes:
        source = sources.setdefault(
            (quote["uri"], quote["sha256"]),
            Source(
                id=len(sources) + 1,
                uri=quote["uri"],
                title=quote["title"],
                retrieved_at=quote["retrieved_at"],
                sha256=quote["sha256"],
                license=quote["license"],
                quotes=[],
            ),
        )
        entry = ResultQuote(text=quote["text"], start=quote["start"], end=quote["end"])
        if entry not in source["quotes"]:
            source["quotes"].append(entry)
        places.append([source["id"], source["quotes"].index(entry)])
    return list(sources.values()), places


def cite(statements: Sequence[Statement], quotes: Sequence[Quote]) -> tuple[list[ResultStatement], list[Source]]:
    """Number the cited sources in order of first citation; each keeps only its cited quotes."""
    sources, all_places = numbered([quotes[number - 1] for each in statements for number in each["quotes"]])
    left = iter(all_places)
    cited: list[ResultStatement] = []
    for statement in statements:
        places = list(islice(left, len(statement["quotes"])))
        cited.append(
            ResultStatement(
                text=statement["text"],
                citations=list(dict.fromkeys(place[0] for place in places)),
                quotes=places,
                support=statement["support"],
            )
        )
    return cited, sources


def marked_text(statements: Sequence[ResultStatement]) -> str:
    """The statements as one text, each followed by its [n] markers."""
    return " ".join(s["text"] + " " + "".join(f"[{n}]" for n in s["citations"]) for s in statements)


def confidence(statements: Sequence[ResultStatement], agreed: float | None) -> float:
    """Mean support of the statements, halved as agreement falls from 1 to 0; 0 without statements. Not calibrated."""
    if not statements:
        return 0.0
    mean = sum(statement["support"] for statement in statements) / len(statements)
    return round(mean * (1 + (1.0 if agreed is None else agreed)) / 2, 4)


def status_of(state: ResearchState, *, accepted: bool) -> Status:
    """The typed end of a run: `unsupported` is a draft that the critic refused, `insufficient_evidence` the want of one."""
    if accepted:
        return "answered"
    reason = state["judgement"]["reason"]
    if reason in ("model_calls", "tokens", "cost_usd", "seconds"):
        return "budget_exhausted"
    silent = [sample for sample in state["samples"] if sample["answer"] == ""]
    if reason == "model_failed" or (state["draft"] and len(silent) * 2 <= len(state["samples"])):
        return "unsupported"
    return "insufficient_evidence"


def compose(state: ResearchState, context: ResearchContext, *, accepted: bool) -> ResearchOutput:
    """The run's result. An abstention keeps the statements that their quotes carry, and claims nothing else; a draft that
    independent re-answers contradict is not kept in part either.
    """
    agreed = agreement(state["samples"])
    contradicted = agreed is not None and agreed < context.min_agreement
    kept = [s for s in state["draft"] if s["support"] >= context.min_support and citable(s, len(state["shown"]))]
    kept = [] if contradicted else kept
    statements, sources = cite(kept, state["shown"])
    text = marked_text(statements)
    judgement = state["judgement"]
    if not accepted:
        silent = {"model_failed": MODEL_FAILED, "search_failed": SEARCH_FAILED}.get(judgement["reason"], NO_ANSWER)
        text = f"{PARTLY} {text}" if statements else silent
    return ResearchOutput(
        question=state["question"],
        status=status_of(state, accepted=accepted),
        stop_reason=judgement["reason"],
        answer=text,
        confidence=confidence(statements, agreed) if accepted else 0.0,
        statements=statements,
        sources=sources,
        read=[],
        constraints=[],
        plan=state["plan"],
        critique=Critique(
            verdict=judgement["verdict"],
            agreement=agreed,
            samples=len([s for s in state["samples"] if s["failure"] is None]),
            answers=[sample["answer"] for sample in state["samples"]],
            rounds=state["round"],
            refused=state["refused"],
            problems=list(dict.fromkeys(filter(None, [*state["problems"], *state["doubts"], judgement["cause"]]))),
        ),
        usage=no_usage(),
    )
