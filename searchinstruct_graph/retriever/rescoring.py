"""Training the head that re-scores the first passages of a search by an instruction (`models.rescoring` says what it is).

Both its halves are learnt in numpy, each with one solution: the matrix by ridge regression, the weights by a softmax over the
passages of a search. It learns the kinds of instruction that it is shown: one that is like none of them gains nothing over the
joined vectors.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.finetuning import alone, input_digest, placed, write_record, written_whole
from searchinstruct_graph.models.embeddings import SearchEmbedder
from searchinstruct_graph.models.joining import RECORD, joined
from searchinstruct_graph.models.rescoring import (
    FEATURES,
    HEAD,
    Embed,
    Floats,
    Rescorer,
    Vectors,
    ask,
    features,
    read_instruction,
)
from searchinstruct_graph.retriever.card import retriever_card
from searchinstruct_graph.retriever.evaluation import Scorer, dense
from searchinstruct_graph.retriever.measures import measured, scores_of
from searchinstruct_graph.retriever.rows import Triplet, numbered, training_rows
from searchinstruct_graph.retriever.saving import (
    CARD,
    TrainedRetriever,
    TrainingData,
    found_retriever,
    occupied,
    save_record,
)
from searchinstruct_graph.text.words import same_text

WEIGHED = 3_000
"""Triplets whose searches the weights are fitted on; thirteen numbers need no more."""

_DEPTH = 50
_TELLING = 0.01
_PENALTY = 1e-3
_RIDGE = 10.0


def learn_matrix(triplets: Sequence[Triplet], embed: Embed, *, ridge: float = _RIDGE) -> Vectors:
    """The matrix M, applied to rows: what an instruction wants → how passages that fit it differ from its sibling's; (d, d).

    M = argmin Σ ‖i M − (p − p′)‖² + ridge ‖M‖² over both instructions of each query: i the vector of what is wanted, p that of
    the passage that fits it, p′ that of the passage that fits the other instruction. Zeros without triplets.
    """
    pairs = [training_rows(each)[:2] for each in triplets]
    told = embed([read_instruction(row.instruction).wanted for pair in pairs for row in pair]).astype(np.float64)
    pages = embed([row.passage for pair in pairs for row in pair]).astype(np.float64)
    if not pairs:
        width = embed([""]).shape[1]
        return np.zeros((width, width), dtype=np.float32)
    apart = pages - pages.reshape(-1, 2, pages.shape[1])[:, ::-1].reshape(pages.shape)
    solved = np.linalg.solve(told.T @ told + ridge * np.eye(told.shape[1]), told.T @ apart)
    return solved.astype(np.float32)


class Search(NamedTuple):
    """What a head is trained on: one search and what should have come first."""

    features: NDArray[np.float32]
    """(n, len(FEATURES))."""
    right: int
    """The passage that fits."""


def searches(triplets: Sequence[Triplet], embed: Embed, matrix: Vectors, depth: int = _DEPTH) -> list[Search]:
    """A search for each of the three rows of each triplet, over all their passages, by the cosine to the query alone.

    The passages of the row's siblings take part wherever the search would put them; so does the right one.
    """
    passages, _ = numbered([row.passage for each in triplets for row in training_rows(each)])
    number = {passage: at for at, passage in enumerate(passages)}
    vectors = embed(passages)
    found = []
    for triplet in triplets:
        rows = training_rows(triplet)
        own = [number[row.passage] for row in rows]
        for place, row in enumerate(rows):
            asked = ask(row.query, row.instruction, embed)
            scores = vectors @ asked.vectors[0]
            best = np.argpartition(-scores, min(depth, len(scores)) - 1)[:depth]
            chosen = np.array(sorted({*best.tolist(), *own}, key=lambda at: (-scores[at], at)))
            described = features(asked, [passages[at] for at in chosen], vectors[chosen], matrix)
            found.append(Search(described, int(np.flatnonzero(chosen == own[place])[0])))
    return found


def train_rescorer(
    triplets: Sequence[Triplet],
    embed: Embed,
    *,
    depth: int = _DEPTH,
    penalty: float = _PENALTY,
    ridge: float = _RIDGE,
    most: int = WEIGHED,
) -> Rescorer:
    """Train the head on triplets and the vectors that it will be used with.

    The weights see each triplet through a matrix that was learnt on the queries of the other half: one that knew the triplet
    already would be trusted too much. Of more than `most` triplets, so many, evenly spread, are searched for.

    Raises:
        UsageError: no triplets.
    """
    if not triplets:
        raise UsageError("a re-scorer is trained on triplets, and there is none")
    _, query = numbered([same_text(each.query_positive) for each in triplets])
    halves = [[each for each, number in zip(triplets, query, strict=True) if number % 2 == half] for half in (0, 1)]
    found = [
        search
        for half, other in (halves, halves[::-1])
        if half
        for search in searches(_spread(half, -(-most // 2)), embed, learn_matrix(other, embed, ridge=ridge), depth)
    ]
    return Rescorer(fit_weights(found, penalty=penalty), learn_matrix(triplets, embed, ridge=ridge))


def _spread(triplets: Sequence[Triplet], most: int) -> Sequence[Triplet]:
    if len(triplets) <= most:
        return triplets
    return [triplets[at * len(triplets) // most] for at in range(most)]


def fit_weights(found: Sequence[Search], *, penalty: float = _PENALTY) -> Floats:
    """The weights that make least the mean over `found` of −ln softmax(w·f) at the right passage, plus penalty/2 ‖w·σ‖².

    σ is each feature's standard deviation within its search, so that the penalty treats all alike. L-BFGS from 0. A feature that
    tells passages apart in fewer than one search of a hundred gets no weight: a single odd search would set it.

    Raises:
        UsageError: no searches, or none with two passages.
    """
    from scipy.optimize import minimize

    used = [each for each in found if len(each.features) > 1]
    if not used:
        raise UsageError("a re-scorer is trained on searches with two passages or more, and there is none")
    centred = np.concatenate([each.features - each.features.mean(axis=0) for each in used]).astype(np.float64)
    spread = centred.std(axis=0)
    telling = np.mean([np.ptp(each.features, axis=0) > 1e-9 for each in used], axis=0)
    spread[telling < _TELLING] = 0.0
    rows = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-9)
    starts = np.cumsum([0, *(len(each.features) for each in used)])[:-1]
    search = np.repeat(np.arange(len(used)), [len(each.features) for each in used])
    right = starts + np.array([each.right for each in used])

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = rows @ weights
        scores -= np.maximum.reduceat(scores, starts)[search]
        parts = np.exp(scores)
        totals = np.add.reduceat(parts, starts)
        value = float((np.log(totals) - scores[right]).mean() + penalty / 2 * weights @ weights)
        slope = (rows.T @ (parts / totals[search]) - rows[right].sum(axis=0)) / len(used) + penalty * weights
        return value, slope

    solved = minimize(loss, np.zeros(len(FEATURES)), jac=True, method="L-BFGS-B")
    weights: Floats = np.divide(solved.x, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    return weights


class JoinedEmbedder:
    """An embedder of the product as an encoder of pairs: query and instruction as one text, joined plainly."""

    def __init__(self, embed: Embed) -> None:
        self.embed = embed

    def embed_pairs(self, queries: Sequence[str], instructions: Sequence[str]) -> Vectors:
        """Unit rows (n, d)."""
        return self.embed([joined(*pair) for pair in zip(queries, instructions, strict=True)])


def rescored(head: Rescorer, embed: Embed) -> Scorer:
    """Scores by place, −1 for the first: the order by the cosine to the query alone, its beginning as `head` puts it."""
    known: list[tuple[Sequence[str], Vectors]] = []

    def score(queries: Sequence[str], instructions: Sequence[str], passages: Sequence[str]) -> NDArray[np.floating]:
        if not known or known[0][0] is not passages:
            known[:] = [(passages, embed(passages))]
        vectors = known[0][1]
        before = embed(queries) @ vectors.T
        found = np.empty(before.shape)
        for at, (query, instruction) in enumerate(zip(queries, instructions, strict=True)):
            order = np.argsort(-before[at], kind="stable")
            if instruction.strip():
                asked = ask(query, instruction, embed)
                order = order[head.order(asked, [passages[place] for place in order], vectors[order])]
            found[at, order] = -1.0 - np.arange(len(passages))
        return found

    return score


def train_head(
    triplets: Sequence[Triplet],
    out: Path,
    embedder: SearchEmbedder,
    *,
    held: Sequence[Triplet] = (),
    data: TrainingData | None = None,
    on_note: Callable[[str], None] | None = None,
) -> TrainedRetriever:
    """Train a head over the vectors of `embedder`, measure it on `held`, triplets of other queries, and write the folder `out`.

    What it is measured against is what the embedder does by itself: the head that it comes with.

    The folder appears whole at the end or not at all. The same input gives the same head; a finished folder of it is handed
    back untouched. `data` is told on the model card, `on_note` hears what is being done.

    Raises:
        UsageError: there is no triplet, `out` holds something else, or another process is at it.
    """
    out, note = placed(out), on_note or (lambda line: None)
    settings = {"depth": _DEPTH, "penalty": _PENALTY, "ridge": _RIDGE, "weighed": WEIGHED, "features": list(FEATURES)}
    texts = (text for group in (triplets, held) for each in group for text in each)
    fingerprint = input_digest([embedder.name, settings, len(triplets), len(held)], texts)
    if occupied(out):
        return found_retriever(out, fingerprint)
    started = time.monotonic()
    work = out.with_name(f".{out.name}.training")
    with alone(work, out):
        try:
            note(f"fitting the head on {len(triplets):,} triplets")
            head = train_rescorer(triplets, embedder.embed)
            figures = None
            if held:
                note(f"measuring it on {len(held):,} triplets that were held out")
                shipped = embedder.head()
                own = rescored(shipped, embedder.embed) if shipped else dense(JoinedEmbedder(embedder.embed))
                before = scores_of(own, held)
                figures = measured(before, scores_of(rescored(head, embedder.embed), held))
            with written_whole(out) as draft:
                head.save(draft / HEAD)
                trained = TrainedRetriever(
                    folder=str(out),
                    kind="rescorer",
                    base=embedder.name,
                    join="plain",
                    triplets=len(triplets),
                    held=len(held),
                    plain=0,
                    steps=0,
                    planned=0,
                    best_step=0,
                    loss_first=None,
                    loss_last=None,
                    measured=figures,
                    truncated_pairs=0,
                    truncated_passages=0,
                    seconds=round(time.monotonic() - started, 3),
                    digest=hashlib.sha256(head.weights.tobytes() + head.matrix.tobytes()).hexdigest(),
                    data=data,
                )
                write_record(draft / RECORD, {"kind": "rescorer", "base": embedder.name, "join": "plain"})
                save_record(draft, trained, fingerprint, settings)
                (draft / CARD).write_text(
                    retriever_card(trained, settings), encoding="utf-8", errors="replace", newline="\n"
                )
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return trained
