"""Everything the research graphs remember, on one page. Plain typed data: it survives a strict msgpack checkpoint."""

from __future__ import annotations

import operator
from typing import Annotated, Literal, NotRequired

from langchain_core.messages import AnyMessage
from typing_extensions import TypedDict

from searchinstruct_graph.agents.critic import Countdown, Judgement, Sample, Verdict
from searchinstruct_graph.agents.evidence import (
    Plan,
    Quote,
    Reading,
    Statement,
    SubQuestion,
    SubStatus,
    merge_applied,
    merge_quotes,
    merge_unique,
)
from searchinstruct_graph.graphs.chat import Chat
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.usage import Usage, add_usage
from searchinstruct_graph.text.constraints import Applied

Status = Literal["answered", "insufficient_evidence", "unsupported", "budget_exhausted"]


class Branch(TypedDict):
    """What one searcher reports about its sub-question (`number` counts from 1)."""

    number: int
    status: SubStatus
    missing: list[str]
    usage: Usage


class Window(TypedDict):
    """A page to read: its address, the provider that named it (empty: a person), the spans that were hit (none: the
    provider names whole pages), and what was asked for.
    """

    uri: str
    provider: str
    hits: list[list[int]]
    queries: list[str]


class SearcherInput(TypedDict):
    """What a searcher branch is sent: one sub-question of the question that was asked, what is known already, and what
    it may spend.
    """

    number: int
    question: str
    sub_question: SubQuestion
    allowance: Allowance
    evidence: Annotated[list[Quote], merge_quotes]
    tried: Annotated[list[str], merge_unique]
    windows: Annotated[list[str], merge_unique]


class SearcherOutput(TypedDict):
    """What a searcher branch hands back; every list channel has an idempotent reducer in the parent."""

    evidence: Annotated[list[Quote], merge_quotes]
    tried: Annotated[list[str], merge_unique]
    windows: Annotated[list[str], merge_unique]
    read: Annotated[list[str], merge_unique]
    readings: Annotated[list[Reading], operator.add]
    problems: Annotated[list[str], operator.add]
    constraints: Annotated[list[Applied], merge_applied]
    branches: Annotated[list[Branch], operator.add]


class SearcherState(SearcherInput, SearcherOutput):
    """A searcher at work. `chosen` are the pages of this hop, `offered` all addresses that searches have given; `usage` is
    the branch's own, pages' usages joined apart.
    """

    hop: int
    offered: Annotated[list[str], merge_unique]
    queries: list[str]
    chosen: list[Window]
    page_usage: Annotated[list[Usage], operator.add]
    usage: Annotated[Usage, add_usage]
    sufficient: bool
    missing: list[str]


class PageTask(TypedDict):
    """What one reading branch is sent."""

    number: int
    sub_question: SubQuestion
    allowance: Allowance
    page: Window


class SampleTask(TypedDict):
    """What one re-answering branch is sent; the draft stays behind for code to compare."""

    number: int
    question: str
    draft_text: str
    shown: list[Quote]
    allowance: Allowance


class ResultQuote(TypedDict):
    """A cited quote: `text == page[start:end]` of the source whose text has the source's sha256."""

    text: str
    start: int
    end: int


class Source(TypedDict):
    """A cited page."""

    id: int
    uri: str
    title: str
    retrieved_at: str
    sha256: str
    license: str | None
    quotes: list[ResultQuote]


class ResultStatement(TypedDict):
    """A sentence of the answer; `citations` are source ids, `quotes` are [source id, index into its quotes]."""

    text: str
    citations: list[int]
    quotes: list[list[int]]
    support: float


class RefusedDraft(TypedDict):
    """A draft that the critic did not accept, and why."""

    text: str
    reason: str


class Critique(TypedDict):
    """The critic's numbers on the draft that ended the run. `answers` are the re-answers (null: one that failed; empty: one
    that found no answer), `refused` every draft that was not accepted.
    """

    verdict: Verdict
    agreement: float | None
    samples: int
    answers: list[str | None]
    rounds: int
    refused: list[RefusedDraft]
    problems: list[str]


class ResearchInput(TypedDict, total=False):
    """What the graph is asked: a question, or a chat whose newest human message is the question."""

    question: str
    messages: Annotated[list[AnyMessage], Chat]


class ResearchOutput(TypedDict):
    """The result of a run (see the README for an example); with `messages`, when a chat was given, the chat so far.

    `constraints`: what the instructions asked of sources, what code checked of it, and how many sources that left out of the
    search that lost the most.
    """

    messages: NotRequired[Annotated[list[AnyMessage], Chat]]
    question: str
    status: Status
    stop_reason: str
    answer: str
    confidence: float
    statements: list[ResultStatement]
    sources: list[Source]
    read: Annotated[list[str], merge_unique]
    constraints: Annotated[list[Applied], merge_applied]
    plan: Plan
    critique: Critique
    usage: Annotated[Usage, add_usage]


class ResearchState(ResearchOutput):
    """The whole memory of a research run; the keys of the result are written at its end.

    `asked` is the question being worked on, `heard` the id of the newest human message that was taken as one, `earlier`
    the chat before it.
    """

    asked: str
    heard: str
    earlier: list[str]
    evidence: Annotated[list[Quote], merge_quotes]
    shown: list[Quote]
    tried: Annotated[list[str], merge_unique]
    windows: Annotated[list[str], merge_unique]
    readings: Annotated[list[Reading], operator.add]
    branches: Annotated[list[Branch], operator.add]
    investigate: list[int]
    draft: list[Statement]
    refused: Annotated[list[RefusedDraft], operator.add]
    doubts: list[str]
    failed: str | None
    samples: Annotated[list[Sample], operator.add]
    sample_usage: Annotated[list[Usage], operator.add]
    problems: Annotated[list[str], operator.add]
    round: int
    known: int
    gained: bool
    countdown: Countdown
    judgement: NotRequired[Judgement]
