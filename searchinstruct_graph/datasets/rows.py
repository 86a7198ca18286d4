"""What a dataset is made of: instructions, rows with their provenance, rejections with their reasons. Plain JSON data."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

Method = Literal["searchinstruct", "ds2-instruct", "equal", "inf-ir"]

Operation = Literal[
    "seed", "paraphrase", "combination", "new", "keyword", "keyword-pair", "extraction", "edit", "contrast"
]
"""How an instruction came about: a seed as it was given; from shown seeds by rewording one, joining several, or anew;
from one keyword or a pair of them; from a document together with its answer; from a fact that has changed; a query beside its
poisoned twin."""

BLOOM = ("remember", "understand", "apply", "analyze", "evaluate", "create")
"""The six levels of Bloom's revised taxonomy, lowest first."""


class Selected(TypedDict):
    """How an extraction came to read the document of a pair."""

    pull: int
    """Which batch of documents it was read in, counted from 0."""
    cluster: int | None
    """The cluster that was chosen; null in the warm-up and without a choice."""
    transport: float | None
    """Optimal-transport distance from the cluster's pairs, after this pull, to the examples, 0 to 2; null when too few."""
    distance: float
    """1 - cosine from this pair to the nearest example, 0 to 2."""


class Edited(TypedDict):
    """The fact that a row corrects, and how far its answer was changed for that."""

    fact: str
    """Id of the fact, which is also the row's family."""
    subject: str
    relation: str
    old: str
    """What was true before; empty when it was not told."""
    new: str
    as_of: str
    """When `new` is known to hold, as the fact says it; empty when it does not."""
    change: float | None
    """Share of the longer answer's tokens that were inserted or deleted, 0 to 1; null when no stale answer was edited."""
    spans: list[list[int]]
    """What changed, as [start, end] in characters of the row's answer."""


class Origin(TypedDict):
    """Where an instruction came from."""

    method: Method
    operation: Operation
    parents: list[str]
    """Ids of the instructions or seeds it was made from, nearest first."""
    family: str
    """Instructions of one family (a seed and what was made of it, or one keyword) stay on one side of a split."""
    kind: str
    """Question kind (`how`, `why`, `compare`, ...); empty when not known."""
    subtopic: str
    keywords: list[str]
    bloom: str
    """One of `BLOOM`, or empty."""
    passages: list[str]
    """URIs of the passages that were shown to the writer of the instruction."""
    wave: int
    selection: NotRequired[Selected]
    """Of an extraction: how its document was chosen."""
    edit: NotRequired[Edited]
    """Of an edit set: the fact that changed."""


class RowQuote(TypedDict):
    """A cited quote: `text == page[start:end]` of the source whose extracted text has the source's sha256."""

    text: str
    start: int
    end: int


class RowSource(TypedDict):
    """A cited page; `license` is null when none was stated."""

    id: int
    uri: str
    title: str
    retrieved_at: str
    sha256: str
    license: str | None
    quotes: list[RowQuote]


class RowStatement(TypedDict):
    """A sentence of the answer; `citations` are source ids, `quotes` are [source id, index into its quotes]."""

    text: str
    citations: list[int]
    quotes: list[list[int]]
    support: float


class Critic(TypedDict):
    """The critic's numbers on the answer; null where a number was not taken (an ungrounded row has no support)."""

    verdict: str
    confidence: float | None
    support: float | None
    """Least support of a statement from its own quotes, 0 to 1."""
    agreement: float | None
    """Share of the independent samples that agree with the answer, 0 to 1."""
    samples: int
    rounds: int
    problems: list[str]


class Vote(TypedDict):
    """The samples of an answer: each one's final answer (null: abstained or not readable), and what was decided."""

    answers: list[str | None]
    majority: str | None
    agreement: float
    """Size of the largest group of equal answers over all samples, 0 to 1."""
    rule: str
    """Which rule compared them: an answer form (`number`, `choice`, `boxed`, ...) or `open`."""
    threshold: float


class Rejected(TypedDict):
    """An answer to the same instruction that did not hold, with the reason: the other half of a preference pair."""

    answer: str
    reason: str


class Spent(TypedDict):
    """What a row cost; `cost_usd` is null when a price is not known."""

    model_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    searches: int
    pages: int


class Row(TypedDict):
    """An accepted row."""

    id: str
    """SHA-256 over what determines the row: run fingerprint and instruction."""
    instruction: str
    answer: str
    """Plain text without citation markers: what a model is trained on."""
    language: str
    """ISO 639-1 code, `und` when undetermined."""
    grounding: Literal["quotes", "none"]
    statements: list[RowStatement]
    sources: list[RowSource]
    origin: Origin
    critic: Critic
    vote: Vote | None
    rejected: list[Rejected]
    models: dict[str, str]
    """Role to model name."""
    versions: dict[str, str]
    """`searchinstruct-graph`, and every prompt by name."""
    usage: Spent


TripletStage = Literal["pair", "query", "instruction", "poison", "negatives", "checks", "validation", "acceptance"]
"""Where a try at a triplet stopped: at the pair as it was given, while its query, instruction, poisons or hard negatives were
made, at the checks in code, at the validator, or when it stood before the triplets that were accepted already.
"""

Stage = Literal["proposal", "answer", "acceptance"] | TripletStage
"""Where work was refused: as a proposed instruction, while it was answered, or when the answer stood before the pool."""


class RefusedTriplet(TypedDict):
    """What was made of a triplet before it was refused."""

    texts: dict[str, str]
    """By its published fields."""
    kind: str
    """What the instruction narrows by; empty before there was one."""
    origins: dict[str, str]
    uris: dict[str, str]
    reasons: dict[str, str]
    """The validator's words, by question; its scores are the rejection's."""


class Rejection(TypedDict):
    """Work that was refused, kept with its reason. Quarantined work waits for a person: suspect, not plainly bad."""

    id: str
    instruction: str
    stage: Stage
    reason: str
    """A short code: `duplicate`, `near_duplicate`, `contaminated`, `insufficient_evidence`, `pii`, ..."""
    detail: str
    """What was seen, in words: the twin, the judge's words, the pattern."""
    quarantined: bool
    answer: str
    statements: list[RowStatement]
    sources: list[RowSource]
    scores: dict[str, float | None]
    origin: Origin
    usage: Spent
    triplet: NotRequired[RefusedTriplet]
    """Of a triplets run; its `instruction` is the query."""


class Funnel(TypedDict):
    """Counts of a run. `proposed` = `refused` (as instructions) + `admitted`; `answered` = `accepted` + `rejected`."""

    proposed: int
    refused: int
    admitted: int
    answered: int
    accepted: int
    rejected: int
    quarantined: int
    surplus: int
    """Answered after the target was reached; kept, and used when the target is raised."""
    reasons: dict[str, int]
    """Refusals and rejections by reason."""


def no_spending() -> Spent:
    """A new account at zero."""
    return Spent(model_calls=0, input_tokens=0, output_tokens=0, cost_usd=0.0, searches=0, pages=0)


def cited_answer(row: Row) -> str:
    """The answer with its [n] markers; the plain answer when the row is not grounded."""
    if not row["statements"]:
        return row["answer"]
    return " ".join(s["text"] + " " + "".join(f"[{n}]" for n in s["citations"]) for s in row["statements"])
