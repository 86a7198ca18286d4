"""What a triplets run is told, held against what there is: pairs, settings, models; and what its rows depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from searchinstruct_graph.agents.sources import fetcher_for
from searchinstruct_graph.agents.triplet_context import OPTIONS, TripletContext
from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.pairs import TripletPair, read_pairs
from searchinstruct_graph.datasets.triplet_run import METHOD
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.contrast import prompt_versions, role_models
from searchinstruct_graph.graphs.given_pairs import GivenPairs
from searchinstruct_graph.graphs.screening import check_language
from searchinstruct_graph.models.chat import chat_model
from searchinstruct_graph.models.embeddings import Embedder
from searchinstruct_graph.models.prices import require_price
from searchinstruct_graph.text.digest import file_sha256, sha256
from searchinstruct_graph.tools.corpus import Corpus, Listing, is_page


class Given(NamedTuple):
    """The pairs of a run: those that were given, else the passages of its corpus in an order drawn by the seed."""

    pairs: Sequence[TripletPair]
    listing: Listing | None
    order: Sequence[int]
    """Of the passages of the listing."""

    def __len__(self) -> int:
        return len(self.pairs) or len(self.order)

    def pair(self, number: int) -> TripletPair:
        """The pair with this number, from 0; one of a passage has no query yet."""
        if self.listing is None:
            return self.pairs[number]
        passage = self.listing.passage(int(self.order[number]))
        return TripletPair(query="", passage=passage.text, uri=passage.uri, title=passage.title, family="")


def check(context: TripletContext) -> None:
    """Hold the settings against what is installed and priced.

    Raises:
        UsageError: one cannot be used.
    """
    for name in sorted(set(role_models(context).values())):
        chat_model(name)
        if context.max_cost is not None:
            require_price(name)
    check_language(context)


def read_given(
    files: Sequence[str], records: Sequence[Mapping[str, Any]], context: TripletContext
) -> list[TripletPair]:
    """The pairs of the files and of the records; none where a corpus is named and no file is.

    Raises:
        UsageError: there is neither a pair nor a corpus, or `read_pairs` refuses them.
    """
    found = read_pairs(files, records)
    if not found and (files or records or not context.corpus):
        told = f"{files[0]} has none" if files else "name files of them, or documents with --corpus URI"
        raise UsageError(f"triplets are made of query-passage pairs: {told}")
    return found


async def open_passages(context: TripletContext) -> Corpus | None:
    """The run's corpus, brought up to date; None when none is named."""
    if not context.corpus:
        return None
    fetcher = fetcher_for(context) if any(map(is_page, context.corpus)) else None
    return await Corpus.open(context.corpus, embedding=context.embeddings, index_dir=context.index, fetcher=fetcher)


async def passages_of(corpus: Corpus, seed: int) -> Given:
    """The passages of a corpus as pairs without queries, in an order drawn by the seed."""
    import numpy as np

    listing = await corpus.listing()
    return Given((), listing, np.random.default_rng(seed).permutation(len(listing)))  # type: ignore[arg-type]


def material_of(given: Given, embedder: Embedder) -> GivenPairs | None:
    """What the given pairs are to each other; None where there are none. Blocking."""
    return GivenPairs(given.pairs, embedder) if given.pairs else None


def configuration(given: Given, context: TripletContext) -> dict[str, Any]:
    """Everything that determines the rows of a run."""
    settings = {name: value for name, value in asdict(context).items() if name not in OPTIONS}
    for name in ("model", *(key for key in settings if key.endswith("_model"))):
        settings.pop(name, None)
    return {
        "method": METHOD,
        "pairs": sha256(ledgers.encoded(given.pairs)) if given.pairs else None,
        "passages": given.listing.sha256 if given.listing else None,
        "pair_count": len(given),
        "task": {},
        "held_out": {path: file_sha256(path) for path in context.decontaminate},
        "models": role_models(context),
        "prompts": prompt_versions(),
        "settings": settings,
    }
