"""What an extraction is told, held against what there is: examples, settings, budget, the run that is to be covered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from searchinstruct_graph.agents import extractor
from searchinstruct_graph.agents.calls import prompts_in, versions_of
from searchinstruct_graph.agents.extract_context import OPTIONS, SHARE, ExtractContext
from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.acceptance import Rules
from searchinstruct_graph.datasets.coverage import Holes, read_holes
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.datasets.seeds import Seed, read_seeds, seed_of
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.screening import check_language
from searchinstruct_graph.models.chat import chat_model, resolve_model
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.prices import require_price
from searchinstruct_graph.text.digest import file_sha256, sha256
from searchinstruct_graph.tools.corpus import Pile, is_page
from searchinstruct_graph.tools.corpus.sources import scan

FEWEST_EXAMPLES = 10

LEAST_BUDGET = 20
"""Documents that a budget which is not given amounts to at least."""

WITHOUT_END = 10**9
"""The target of a run that ends with its budget."""


def check(context: ExtractContext) -> None:
    """Hold the settings against what is installed and priced.

    Raises:
        UsageError: one cannot be used.
    """
    if not context.corpus:
        raise UsageError("an extraction needs documents; name them with --corpus URI")
    if context.tune:
        require_training(context.embeddings)
    name = resolve_model(context.model_for("extractor"))
    chat_model(name)
    if context.max_cost is not None:
        require_price(name)
    check_language(context)


def check_sources(sources: Sequence[str]) -> None:
    """Raise UsageError for a source that is missing; pages are fetched later."""
    for source in sources:
        if not is_page(source):
            scan(source, time.time_ns())


def require_training(embedding: str) -> None:
    """Raise UsageError when this embedding cannot be tuned, or the packages for it are missing."""
    from searchinstruct_graph.selection.tuning import checked_encoder

    checked_encoder(embedding)
    if find_spec("sentence_transformers") is None:
        raise UsageError("tuning an encoder needs packages: pip install 'searchinstruct-graph[train]'")


def read_examples(files: Sequence[str], questions: Sequence[tuple[str, str]], holes: Holes | None) -> list[Seed]:
    """The target pairs of the files, or those given as (question, answer), or the rows of the run that is to be covered.

    Raises:
        UsageError: there are fewer than 10, or a file cannot be read.
    """
    found = read_seeds(files).seeds if files else []
    given = questions if found or questions or holes is None else holes.pairs
    found += [Seed(**{**seed_of(question), "answer": answer}) for question, answer in given]
    if len(found) < FEWEST_EXAMPLES:
        raise UsageError(
            f"{len(found)} example pairs are too few to say what is wanted; give at least {FEWEST_EXAMPLES}, better 50 or more "
            "(--examples FILE, records with question and answer)"
        )
    return found


def form_of(examples: Sequence[Seed]) -> str:
    """What the examples look like, in words and numbers: the extractor hears this, never an example."""
    kinds = Counter(seed["kind"] for seed in examples)
    shares = ", ".join(f"{kind} {count / len(examples):.0%}" for kind, count in kinds.most_common(4))
    lengths = sorted(len(seed["answer"].split()) for seed in examples if seed["answer"])
    if not lengths:
        return f"kinds of question: {shares}"
    middle = lengths[len(lengths) // 2]
    return f"kinds of question: {shares}; answers of about {middle} words"


def covered(context: ExtractContext, place: Path | None) -> Holes:
    """The holes of the run that is to be covered: as they were when the run in `place` began, which may have filled some."""
    if place is not None and (place / ledgers.NAME).is_file():
        with reading(place / ledgers.NAME) as db:
            kept = ledgers.read_facts(db).get("covered")
        if kept is not None:
            return Holes(**kept, embedder=embeddings(context.embeddings))
    return read_holes(Path(context.cover), context.embeddings)


def budget_of(context: ExtractContext, documents: int, last: int | None = None) -> int:
    """The documents that may be read: what is set, else what was set the `last` time, else the paper's share of the pile; never
    more than there are.
    """
    wanted = context.budget_documents or last or max(LEAST_BUDGET, round(SHARE * documents))
    return min(wanted, documents)


def prompt_versions() -> dict[str, str]:
    """The prompts of an extraction, with their versions."""
    return versions_of(prompts_in(extractor))


def configuration(
    examples: Sequence[Seed], holes: Holes | None, pile: Pile, planned: int, context: ExtractContext
) -> dict[str, Any]:
    """Everything that determines the rows of a run; `planned` is the budget that it began with."""
    settings = {name: value for name, value in asdict(context).items() if name not in OPTIONS}
    for name in ("model", "extractor_model"):
        settings.pop(name)
    settings["planned_documents"] = planned
    return {
        "method": "equal",
        "examples": sha256(ledgers.encoded([[seed["text"], seed["answer"]] for seed in examples])),
        "pile": pile.sha256,
        "holes": sha256(ledgers.encoded([holes.keywords, holes.open.tolist()])) if holes else None,
        "task": {},
        "held_out": {path: file_sha256(path) for path in context.decontaminate},
        "models": {"extractor": resolve_model(context.model_for("extractor"))},
        "prompts": prompt_versions(),
        "settings": settings,
    }


def extraction_rules(context: ExtractContext, fingerprint: str) -> Rules:
    """What is accepted: neither files nor levels have a share, since the examples say what is wanted."""
    return Rules.without_shares(context.target or WITHOUT_END, fingerprint, context.language)
