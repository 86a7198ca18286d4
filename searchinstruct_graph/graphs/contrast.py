"""One query–passage pair becomes a triplet, or a refusal with its reason: what both the batch and Studio run.

    word_query → instruct → poison → find_negatives → check, each only while nothing has been refused

A hard negative is looked for among the passages that are there before one is written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel
from typing_extensions import TypedDict

from searchinstruct_graph.agents import instructor, passage_writer, poisoner, query_writer, triplet_validator
from searchinstruct_graph.agents.calls import prompts_in, versions_of
from searchinstruct_graph.agents.context import Role
from searchinstruct_graph.agents.instructor import Neighbour, write_instruction, written_fault
from searchinstruct_graph.agents.passage_writer import Pair, judge_passages, mined, unused, write_passage
from searchinstruct_graph.agents.poisoner import poison_instruction, poison_query
from searchinstruct_graph.agents.query_writer import query_fault, write_query
from searchinstruct_graph.agents.triplet_context import OTHERS, TripletContext
from searchinstruct_graph.agents.triplet_validator import Question, validate, verdict
from searchinstruct_graph.datasets.acceptance import Blocked
from searchinstruct_graph.datasets.contamination import Benchmark
from searchinstruct_graph.datasets.pairs import TripletPair
from searchinstruct_graph.datasets.rows import TripletStage
from searchinstruct_graph.datasets.screening import find_secret
from searchinstruct_graph.datasets.triplets import (
    PUBLISHED,
    PassageOrigin,
    Triplet,
    TripletRow,
    draft_faults,
    only_denies,
    query_family,
    triplet_faults,
    triplet_id,
)
from searchinstruct_graph.graphs.answering import Unanswered, language_of_pair
from searchinstruct_graph.models.chat import resolve_model
from searchinstruct_graph.models.limits import Allowance, remaining
from searchinstruct_graph.models.structured import Failure, Reply
from searchinstruct_graph.models.usage import Usage, add_usage, no_usage
from searchinstruct_graph.text.words import same_text, words
from searchinstruct_graph.tools.corpus import Corpus

T = TypeVar("T", bound=BaseModel)

ROLES: tuple[Role, ...] = ("query_writer", "instructor", "poisoner", "passage_writer", "validator")

UNFIT: dict[Question, str] = {
    "a": "document_unfit",
    "b": "poison_still_met",
    "c": "poisoned_query_answered",
    "d": "first_negative_unfit",
    "e": "second_negative_unfit",
}
"""The reason of a refusal by the question of the validator that did not hold."""

FIRST, SECOND = "hard_negative_document_1", "hard_negative_document_2"


class PairOutcome(TypedDict):
    """What working on one pair gave so far; with a `reason`, no triplet. Plain JSON data."""

    pair: TripletPair
    """With its query, once one was written."""
    triplet: TripletRow | None
    """The finished row; its family is by its query alone until it is committed."""
    texts: dict[str, str]
    """What was made of the triplet so far, by its published fields."""
    kind: str
    """What the instruction narrows by; empty before there is one."""
    origins: dict[str, PassageOrigin]
    uris: dict[str, str]
    scores: dict[str, float | None]
    """What the validator gave to each of its questions; empty when it was not asked."""
    reasons: dict[str, str]
    """Its words, by question."""
    stage: TripletStage | Literal[""]
    """Where it stopped; empty while nothing was refused."""
    reason: str
    """A short code; empty while nothing was refused."""
    detail: str
    quarantined: bool
    """Suspect, and not plainly bad: it waits for a person."""
    usage: Usage


@lru_cache(maxsize=1)
def prompt_versions() -> dict[str, str]:
    """Every prompt that a triplet may rest on, with its version."""
    return versions_of(prompts_in(query_writer, instructor, poisoner, passage_writer, triplet_validator))


def role_models(context: TripletContext) -> dict[str, str]:
    """The model of every role that works on triplets."""
    return {role: resolve_model(context.model_for(role)) for role in ROLES}


def begun(pair: TripletPair) -> PairOutcome:
    """A pair before anything was done."""
    return PairOutcome(
        pair=pair,
        triplet=None,
        texts={},
        kind="",
        origins={},
        uris={},
        scores={},
        reasons={},
        stage="",
        reason="",
        detail="",
        quarantined=False,
        usage=no_usage(),
    )


def refused(
    outcome: PairOutcome, stage: TripletStage, reason: str, detail: str, *, quarantined: bool = False
) -> PairOutcome:
    """The outcome with where and why it stopped."""
    stopped: PairOutcome = {**outcome, "triplet": None, "stage": stage, "reason": reason, "detail": detail[:2_000]}
    return {**stopped, "quarantined": quarantined}


def failed_outcome(pair: TripletPair, why: str) -> PairOutcome:
    """The outcome of a pair that a failing provider left undone."""
    return refused(begun(pair), "pair", "provider_failed", why)


# Where other passages come from.


class Material(Protocol):
    """Given pairs, whose passages and queries are at hand beside one of them."""

    async def kin(self, pair: TripletPair) -> list[Neighbour]:
        """The other passages of the pair's family, in order."""

    async def search(self, text: str) -> list[Neighbour]:
        """The passages nearest to a text, nearest first."""

    async def alike(self, pair: TripletPair, count: int) -> list[Neighbour]:
        """The passages of the `count` pairs whose queries are nearest to the pair's, each with its query."""


class Finder:
    """Searches for one pair: the corpus when there is one, else the passages of the given pairs. Its own passage, parts of it,
    what rests on blocked sources, what is too long for a triplet and what holds a key or password are never found. Keeps what it
    has found, and counts the searches of the corpus.
    """

    def __init__(
        self,
        pair: TripletPair,
        context: TripletContext,
        corpus: Corpus | None,
        material: Material | None,
        blocked: Blocked | None = None,
    ) -> None:
        self._pair, self._context, self._corpus, self._material = pair, context, corpus, material
        self._blocked = blocked or Blocked()
        self._own = same_text(pair["passage"])
        self._known: dict[tuple[str, str], list[Neighbour]] = {}
        self.searches = 0

    @property
    def knows_queries(self) -> bool:
        """Whether there are queries that somebody has asked."""
        return self._material is not None

    async def near(self) -> list[Neighbour]:
        """Other passages beside the pair's: those of its family, then the nearest to its query."""
        kin = await self._material.kin(self._pair) if self._material else []
        return unused([*self._others(kin), *await self.search(self._pair["query"])], [])[: self._context.neighbours]

    async def search(self, query: str, instruction: str = "") -> list[Neighbour]:
        """The passages nearest to a query with an instruction, nearest first."""
        key = (query, instruction)
        if key not in self._known:
            self._known[key] = unused(self._others(await self._found(query, instruction)), [])
        return self._known[key][: self._context.neighbours]

    async def alike(self, count: int) -> list[Neighbour]:
        """The passages of up to `count` pairs with queries like the pair's own, each with its query."""
        found = await self._material.alike(self._pair, count) if self._material and count else []
        return [each for each in self._others(found) if same_text(each.query) != same_text(self._pair["query"])]

    async def _found(self, query: str, instruction: str) -> list[Neighbour]:
        if self._corpus is not None:
            self.searches += 1
            # A few more than are wanted: some are the pair's own passage or say the same.
            hits = await self._corpus.search(query, 2 * OTHERS, instruction=instruction)
            return [Neighbour(hit.text, hit.uri, hit.title) for hit in hits]
        return await self._material.search(f"{query} {instruction}".strip()) if self._material else []

    def _others(self, found: Sequence[Neighbour]) -> list[Neighbour]:
        return [
            each
            for each in found
            if len(each.text) <= self._context.passage_chars
            and not (each.uri and self._blocked.holds(each.uri))
            and not self._is_own(each.text)
            and not find_secret(each.text)
        ]

    def _is_own(self, text: str) -> bool:
        said = same_text(text)
        return said in self._own or self._own in said


# The steps. Each takes the outcome so far and gives it with what it has made, or refused.


class _Account:
    """Asks for one pair, within its allowance, and adds up what it cost."""

    def __init__(self, used: Usage, limit: Allowance) -> None:
        self.used, self._limit = used, limit

    @property
    def left(self) -> Allowance:
        """What the pair may still spend."""
        return remaining(self._limit, self.used)

    async def of(self, call: Awaitable[Reply[T] | Failure]) -> T:
        """The value of a reply. Raises Unanswered for a failure."""
        reply = await call
        self.used = add_usage(self.used, reply.usage)
        if isinstance(reply, Failure):
            raise Unanswered(f"{reply.kind}: {reply.detail}")
        return reply.value


def looked_at(pair: TripletPair, context: TripletContext, blocked: Blocked | None = None) -> PairOutcome:
    """The pair, refused when code alone can see that nothing may be made of it; no model is asked."""
    outcome = begun(pair)
    passage = pair["passage"]
    texts = {"document": passage}
    if pair["query"]:
        texts["query_positive"] = pair["query"]
    if blocked is not None and pair["uri"] and blocked.holds(pair["uri"]):
        return refused(outcome, "pair", "purged", f"{pair['uri']} was purged")
    if secret := find_secret(f"{pair['query']}\n{passage}"):
        return _hidden(outcome, "pair", secret.detail)
    if (unsound := _drafted(outcome, texts, context, "pair"))["reason"]:
        # Nothing was made of it, and it may be long.
        return {**unsound, "texts": {}}
    if context.language:
        language = language_of_pair(pair["query"], passage)
        if language != context.language:
            return refused(outcome, "pair", "language", f"{language}, not {context.language}")
    uris = {"document": pair["uri"]} if pair["uri"] else {}
    return {**outcome, "texts": texts, "uris": uris}


def _drafted(
    outcome: PairOutcome, texts: dict[str, str], context: TripletContext, stage: TripletStage = "checks"
) -> PairOutcome:
    """The outcome with these texts, refused when code sees that they cannot be kept: before more is paid for."""
    outcome = {**outcome, "texts": texts}
    if faults := draft_faults(texts, context.thresholds()):
        return refused(outcome, stage, faults[0].code, "; ".join(fault.detail for fault in faults))
    return outcome


async def word_query(outcome: PairOutcome, context: TripletContext, seed: int) -> PairOutcome:
    """The pair with a query, written for its passage when it has none. Raises Unanswered."""
    pair = outcome["pair"]
    if outcome["reason"] or pair["query"]:
        return outcome
    account = _Account(outcome["usage"], context.limits())
    written = await account.of(
        write_query(pair["passage"], pair["title"], context=context, allowance=account.left, seed=seed)
    )
    outcome = {**outcome, "usage": account.used}
    if fault := query_fault(written, pair["passage"]):
        return refused(outcome, "query", "no_query", fault)
    query = " ".join(written.query.split())
    return {**outcome, "pair": {**pair, "query": query}, "texts": {**outcome["texts"], "query_positive": query}}


async def instruct(outcome: PairOutcome, context: TripletContext, finder: Finder, seed: int) -> PairOutcome:
    """The outcome with an instruction that the passage satisfies. Raises Unanswered."""
    if outcome["reason"]:
        return outcome
    pair, account = outcome["pair"], _Account(outcome["usage"], context.limits())
    near = await finder.near()
    asked = {"context": context, "allowance": account.left, "seed": seed}
    written = await account.of(write_instruction(pair["query"], pair["passage"], near, **asked))  # type: ignore[arg-type]
    outcome = {**outcome, "usage": account.used}
    if fault := written_fault(written, pair["passage"]):
        return refused(outcome, "instruction", "no_instruction", fault)
    texts = {**outcome["texts"], "instruction_positive": " ".join(written.instruction.split())}
    return _drafted({**outcome, "kind": written.kind}, texts, context)


async def poison(outcome: PairOutcome, context: TripletContext, finder: Finder, seed: int) -> PairOutcome:
    """The outcome with its instruction poisoned, then its query. Raises Unanswered."""
    if outcome["reason"]:
        return outcome
    pair, account = outcome["pair"], _Account(outcome["usage"], context.limits())
    query, passage, instruction = pair["query"], pair["passage"], outcome["texts"]["instruction_positive"]
    near = await finder.near()
    wrong = await account.of(
        poison_instruction(query, instruction, passage, near, context=context, allowance=account.left, seed=seed)
    )
    against = " ".join(wrong.instruction.split())
    outcome = {**outcome, "usage": account.used}
    if not against:
        return refused(outcome, "poison", "instruction_unpoisoned", "no change of it makes the passage wrong")
    outcome = _drafted(outcome, {**outcome["texts"], "instruction_negative": against}, context)
    if outcome["reason"]:
        return outcome
    other = ""
    async for others in _batches(finder, query, instruction, context, account, seed):
        asked = await account.of(
            poison_query(query, instruction, passage, others, context=context, allowance=account.left, seed=seed)
        )
        if other := " ".join(asked.query.split()):
            break
    outcome = {**outcome, "usage": account.used}
    if not other:
        return refused(outcome, "poison", "query_unpoisoned", "no change of it leaves the passage without its answer")
    return _drafted(outcome, {**outcome["texts"], "query_negative": other}, context)


async def _batches(
    finder: Finder, query: str, instruction: str, context: TripletContext, account: _Account, seed: int
) -> AsyncIterator[Sequence[Neighbour]]:
    """What lies at hand while a query is poisoned: search hits for it, then pairs with queries like it, a few at a time. Where no
    queries are known, one is written for each passage near it.
    """
    yield await finder.search(query, instruction)
    size, tries = context.neighbours, context.poison_tries - 1
    if not finder.knows_queries:
        if tries:
            yield [await _asked(near, context, account, seed) for near in await finder.near()]
        return
    alike = await finder.alike(size * tries)
    for at in range(0, len(alike), size):
        yield alike[at : at + size]


async def _asked(near: Neighbour, context: TripletContext, account: _Account, seed: int) -> Neighbour:
    """A passage with a query that was written for it; without one where it answers none."""
    written = await account.of(write_query(near.text, near.title, context=context, allowance=account.left, seed=seed))
    return near if query_fault(written, near.text) else near._replace(query=" ".join(written.query.split()))


async def find_negatives(outcome: PairOutcome, context: TripletContext, finder: Finder, seed: int) -> PairOutcome:
    """The outcome with its two hard negatives, found where one is there, else written. Raises Unanswered."""
    if outcome["reason"]:
        return outcome
    pair, texts, account = outcome["pair"], outcome["texts"], _Account(outcome["usage"], context.limits())
    right = Pair(pair["query"], texts["instruction_positive"])
    against = Pair(pair["query"], texts["instruction_negative"])
    other = Pair(texts["query_negative"], texts["instruction_positive"])
    alike = await finder.alike(context.neighbours * context.poison_tries)
    materials = {
        FIRST: [*await finder.near(), *await finder.search(*against)],
        SECOND: [
            *(each for each in alike if same_text(each.query) == same_text(other.query)),
            *await finder.search(other.query),
        ],
    }
    taken, origins, uris = [pair["passage"]], dict(outcome["origins"]), dict(outcome["uris"])
    for name, target in ((FIRST, against), (SECOND, other)):
        hits = unused(materials[name], taken)[: context.neighbours]
        found, origin = await _negative(target, right, pair["passage"], hits, context, account, seed)
        if not words(found.text):
            outcome = {**outcome, "usage": account.used}
            reason = "no_first_negative" if name == FIRST else "no_second_negative"
            detail = (
                f"no passage was found or written that fits {target.query[:200]!r} with {target.instruction[:400]!r}"
            )
            return refused(outcome, "negatives", reason, detail)
        taken.append(found.text)
        texts, origins[name] = {**texts, name: found.text}, origin
        if found.uri:
            uris[name] = found.uri
        outcome = {**outcome, "texts": texts, "origins": dict(origins), "uris": dict(uris)}
    return {**outcome, "usage": account.used}


async def _negative(
    target: Pair,
    avoided: Pair,
    style: str,
    hits: list[Neighbour],
    context: TripletContext,
    account: _Account,
    seed: int,
) -> tuple[Neighbour, PassageOrigin]:
    """A passage among the hits that fits, else a written one; with where it comes from."""
    if hits:
        judged = await account.of(judge_passages(target, avoided, hits, context=context, allowance=account.left))
        if hit := mined(hits, judged, context.least_score):
            return hit, "found"
    made = await account.of(
        write_passage(target, avoided, style, hits, context=context, allowance=account.left, seed=seed)
    )
    return Neighbour(made.passage.strip()), "written"


async def check(outcome: PairOutcome, context: TripletContext) -> PairOutcome:
    """The outcome with its finished triplet: checked in code, then validated. Raises Unanswered."""
    if outcome["reason"]:
        return outcome
    triplet = Triplet(**{name: outcome["texts"][name] for name in PUBLISHED})  # type: ignore[typeddict-item]
    limits = context.thresholds()
    if secret := find_secret("\n".join(outcome["texts"].values())):
        return _hidden(outcome, "checks", secret.detail)
    if faults := triplet_faults(triplet, limits):
        return refused(outcome, "checks", faults[0].code, "; ".join(fault.detail for fault in faults))
    account = _Account(outcome["usage"], context.limits())
    review = await account.of(validate(triplet, context=context, allowance=account.left))
    judged = verdict(review, triplet, limits)
    outcome = {**outcome, "scores": judged.scores, "reasons": judged.reasons, "usage": account.used}
    if not judged.accepted:
        said = "; ".join(f"({each}) {judged.reasons[each]}" for each in judged.failed)
        return refused(outcome, "validation", UNFIT[judged.failed[0]], said)
    row = TripletRow(
        **triplet,  # type: ignore[typeddict-item]
        id=triplet_id(triplet),
        family=query_family(triplet["query_positive"]),
        kind=outcome["kind"],
        origins=outcome["origins"],
        uris=outcome["uris"],
        scores=judged.scores,
        reasons=judged.reasons,
        # Those that worked on it: a query that was given has no writer, a passage that was found has none.
        models={role: name for role, name in role_models(context).items() if role in account.used["roles"]},
        versions={"searchinstruct-graph": version("searchinstruct-graph"), **prompt_versions()},
    )
    return {**outcome, "triplet": row}


def _hidden(outcome: PairOutcome, stage: TripletStage, secret: str) -> PairOutcome:
    """The refusal of a pair that holds a key or password: nothing of it is kept anywhere."""
    pair = TripletPair(query="", passage="", uri=outcome["pair"]["uri"], title="", family="")
    bare: PairOutcome = {**begun(pair), "usage": outcome["usage"]}
    return refused(bare, stage, "secret", f"a key or password stands in it ({secret})", quarantined=True)


async def make_triplet(
    pair: TripletPair,
    context: TripletContext,
    corpus: Corpus | None,
    material: Material | None,
    *,
    seed: int,
    blocked: Blocked | None = None,
) -> PairOutcome:
    """Work on one pair, within the limits of the settings. Other passages come from the `corpus`, without one from the
    `material`; queries that somebody has asked come from the `material`.

    Raises:
        Unanswered: the provider failed, which says nothing about the pair.
        ProviderError: it refuses every further call.
    """
    outcome = await word_query(looked_at(pair, context, blocked), context, seed)
    finder = Finder(outcome["pair"], context, corpus, material, blocked)
    for step in (instruct, poison, find_negatives):
        outcome = await step(outcome, context, finder, seed)
    outcome = await check(outcome, context)
    return {**outcome, "usage": add_usage(outcome["usage"], {**no_usage(), "searches": finder.searches})}


def held_out(benchmark: Benchmark | None, query: str) -> str:
    """Which held-out question the query repeats, in words; empty when none."""
    match = benchmark.match(query) if benchmark else None
    return "" if match is None else f"{match.rule} match ({match.score:.2f}) with {match.file}:{match.line}"


def standing(
    outcome: PairOutcome,
    *,
    benchmark: Benchmark | None,
    known: Callable[[TripletRow], bool],
    accepted: int,
    denying: int,
    share: float,
) -> PairOutcome:
    """The outcome as it stands before the triplets that were accepted already: refused where it repeats what is held out or one
    that is `known`, or where poisons by negation alone (`denying` of `accepted`) would go over their `share`. Blocking.
    """
    row = outcome["triplet"]
    if row is None:
        return outcome
    for query in (row["query_positive"], row["query_negative"]):
        if match := held_out(benchmark, query):
            return refused(outcome, "acceptance", "contaminated", match)
    if known(row):
        return refused(
            outcome, "acceptance", "duplicate", "another triplet asks the same query with the same instruction"
        )
    if only_denies(row) and denying + 1 > share * (accepted + 1) + 1e-9:
        detail = f"{denying} of {accepted} triplets are poisoned by a negation alone, at most {share:.0%} may be"
        return refused(outcome, "acceptance", "negation_share", detail)
    return outcome
