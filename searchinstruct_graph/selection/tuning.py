"""Contrastive fine-tuning of an encoder, so that a document lies near the question-answer pairs that it yields.

Step A of EQUAL (Zhang et al., arXiv 2505.12250): the pairs of the warm-up documents teach the encoder what a document is
good for, which is not the same as what it is about. Needs the `train` extra; static vectors get a linear map instead
(`selection/alignment.py`).

    L = −ln exp(cos(d, q⁺)/τ) / ( exp(cos(d, q⁺)/τ) + Σ exp(cos(d, q⁻)/τ) )

d is a document, q⁺ a pair of its own, q⁻ the pairs of other documents in the batch. One direction only: pairs are not
asked for their documents. Where paper and published code differ, or leave something open:

* τ: the paper's formula has none, with which the gradient of a cosine is weak; the code has .02, made for two million
  pairs and mined negatives. A warm-up has hundreds of pairs, of which many are about the same thing: .05.
* Negatives: those in the batch, as in the paper. The code adds 15 mined ones a document; a warm-up is too small to mine.
  Another pair of the same document is never a negative, nor is an equal pair of another document.
* Rate 1e-5 with a tenth of the steps to warm up and a linear decline, 2 epochs, 512 tokens: the code's. It trains with 4
  documents a step; 32 give the loss enough negatives without mining.
* No dropout: drawing its masks takes a CPU as long as the products, and a warm-up has a few dozen steps.
* Pooling and prompts: the base's own, as the code keeps bge's first token. The code's retrieval prefix before documents
  is left out, because a run embeds documents and pairs in one way.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.finetuning import (
    GRADIENT,
    SentenceModel,
    as_embedded,
    input_digest,
    needed,
    placed,
    rate_share,
    read_record,
    repeatable,
    set_rate,
    weights_digest,
    write_record,
    written_whole,
)

Indices = NDArray[np.int64]

RECORD = "tuning.json"
"""The file in a tuned folder that says what it was made of."""

_TOKENS = 512
_WARM_UP = 0.1
_PURPOSE = "tuning an encoder"
_MEASURED = 256
# Pairs that the loss before and after is taken on.


class TuningProgress(NamedTuple):
    """A step of the training that is done."""

    step: int
    """Counted from 1."""
    steps: int
    loss: float
    """Mean loss of the step's batch, in nats."""


@dataclass(frozen=True)
class TunedEncoder:
    """A model folder and what its training did. Losses are in nats, on the same batches of the warm-up."""

    folder: str
    """Absolute path; `SentenceTransformer(folder)` loads it."""
    base: str
    dimensions: int
    documents: int
    """Documents that had a pair."""
    pairs: int
    steps: int
    loss_before: float
    loss_after: float
    seconds: float
    digest: str
    """SHA-256 over the weights: what vectors, clusters and distances depend on."""

    @property
    def embedding(self) -> str:
        """The name that `models.embeddings` loads it by."""
        return f"huggingface:{self.folder}"


def checked_encoder(name: str) -> str:
    """The base model's name or folder out of an embedding's name such as `huggingface:BAAI/bge-base-en-v1.5`.

    Raises UsageError for an embedding whose weights are not at hand.
    """
    provider, _, model = name.partition(":")
    if provider == "huggingface" and model.strip():
        return model.strip()
    raise UsageError(
        f"embedding {name!r} cannot be tuned: only huggingface:MODEL has weights that can be trained; "
        "name such a model, or leave the tuning out: a linear map is learned instead"
    )


def tune_encoder(
    base: str,
    documents: Sequence[str],
    questions: Sequence[str],
    owner: Sequence[int],
    out: Path,
    *,
    epochs: int = 2,
    batch: int = 32,
    rate: float = 1e-5,
    temperature: float = 0.05,
    seed: int = 0,
    on_progress: Callable[[TuningProgress], None] | None = None,
) -> TunedEncoder:
    """Train `base` on documents and their pairs, and write the result to the folder `out`.

    `questions` are the pairs as a run embeds them (question, line break, answer); `owner[i]` is the index of the document
    of pair i. `batch` counts pairs a step; memory does not grow with it, since gradients are made of a few texts at once.

    The folder appears whole at the end or not at all. When it is there already, made of the same input and settings, it
    is handed back untouched. Equal seeds give equal weights on one machine with one number of threads. An exception of
    `on_progress` ends the training.

    Raises UsageError when the extra is missing, the base cannot be loaded, the input does not fit together, fewer than
    two documents have pairs, or `out` holds something else.
    """
    settings = _Settings(epochs, batch, rate, temperature, seed)
    _check_settings(settings)
    pairs = _examined(documents, questions, owner)
    out = placed(out)
    fingerprint = _fingerprint(base, pairs, settings)
    if out.exists():
        return _found(out, fingerprint)
    started = time.monotonic()
    random = np.random.default_rng(seed)
    with repeatable(needed("torch", _PURPOSE), seed):
        model = _Model(base)
        sample = list(batches(pairs.owner, batch, np.random.default_rng(seed)))[: max(1, _MEASURED // batch)]
        before = _measured(model, pairs, sample, temperature)
        steps = _trained(model, pairs, settings, random, on_progress)
        after = _measured(model, pairs, sample, temperature)
    with written_whole(out) as draft:
        model.save_model(draft)
        tuned = TunedEncoder(
            folder=str(out),
            base=base,
            dimensions=model.dimensions,
            documents=len(pairs.documents),
            pairs=len(pairs.texts),
            steps=steps,
            loss_before=before,
            loss_after=after,
            seconds=round(time.monotonic() - started, 3),
            digest=weights_digest(draft),
        )
        record = {"fingerprint": fingerprint, "settings": asdict(settings), **asdict(tuned)}
        write_record(draft / RECORD, record)
    return tuned


def tuned_encoder(folder: Path) -> TunedEncoder:
    """What `tune_encoder` returned when it wrote `folder`. Raises UsageError when it did not write it."""
    record = _record(Path(folder).absolute())
    return TunedEncoder(**{name: record[name] for name in TunedEncoder.__dataclass_fields__})


@dataclass(frozen=True)
class _Settings:
    epochs: int
    batch: int
    rate: float
    temperature: float
    seed: int


def _check_settings(settings: _Settings) -> None:
    for name, least in (("epochs", 1), ("batch", 2), ("seed", 0)):
        if getattr(settings, name) < least:
            raise UsageError(f"tuning: {name} must be at least {least}, not {getattr(settings, name)}")
    for name in ("rate", "temperature"):
        if not (math.isfinite(getattr(settings, name)) and getattr(settings, name) > 0):
            raise UsageError(f"tuning: {name} must be a number above 0, not {getattr(settings, name)}")


@dataclass(frozen=True)
class Pairs:
    """The warm-up as it is trained on: documents that have a pair, each text once."""

    documents: list[str]
    texts: list[str]
    owner: Indices
    """Per pair: its document. Documents of equal text are one."""
    text: Indices
    """Per pair: a number that pairs of equal text share."""


def _examined(documents: Sequence[str], questions: Sequence[str], owner: Sequence[int]) -> Pairs:
    """The input without what cannot be learned from: documents without pairs, blank texts, pairs that stand twice."""
    if len(questions) != len(owner):
        raise UsageError(f"tuning: {len(questions)} pairs, but {len(owner)} owners; give one document's index a pair")
    found: dict[str, int] = {}
    texts: list[str] = []
    owners: list[int] = []
    numbers: dict[str, int] = {}
    seen: set[tuple[int, int]] = set()
    for at, (question, index) in enumerate(zip(questions, owner, strict=True)):
        if not 0 <= index < len(documents):
            raise UsageError(f"tuning: pair {at} belongs to document {index}, but there are {len(documents)} documents")
        document, text = _plain(documents[index]), _plain(question)
        if not document or not text:
            continue
        key = found.setdefault(document, len(found)), numbers.setdefault(text, len(numbers))
        if key not in seen:
            seen.add(key)
            owners.append(key[0])
            texts.append(text)
    if len(found) < 2:
        raise UsageError(
            f"tuning needs pairs of at least 2 documents, and has pairs of {len(found)}; read more documents"
        )
    return Pairs(
        list(found),
        texts,
        np.array(owners, dtype=np.int64),
        np.array([numbers[text] for text in texts], dtype=np.int64),
    )


def _plain(text: str) -> str:
    """`text` as the embedder hands it to the model, without blanks around it."""
    return as_embedded(text).strip()


def _fingerprint(base: str, pairs: Pairs, settings: _Settings) -> str:
    texts = (text for each in (pairs.documents, pairs.texts) for text in each)
    return input_digest([base, asdict(settings), pairs.owner.tolist()], texts)


def _record(folder: Path) -> dict[str, Any]:
    return read_record(folder / RECORD, list(TunedEncoder.__dataclass_fields__), "tuned encoder")


def _found(out: Path, fingerprint: str) -> TunedEncoder:
    if _record(out)["fingerprint"] != fingerprint:
        raise UsageError(f"{out} holds an encoder tuned on other pairs or settings; remove it, or give another folder")
    return tuned_encoder(out)


def batches(owner: Indices, size: int, random: np.random.Generator) -> Iterator[Indices]:
    """Every pair once, `size` indices at a time, in random order with each document's pairs spread over the whole epoch.

    Pair k of a document's m stands at (k + u)/m of the epoch, u uniform: two pairs of a document meet in one batch only
    when it has more pairs than there are batches. A lone last pair joins the batch before it.
    """
    shuffled = random.permutation(len(owner))
    order = shuffled[np.argsort(owner[shuffled], kind="stable")]
    _, start, count = np.unique(owner[order], return_index=True, return_counts=True)
    place = np.arange(len(order)) - np.repeat(start, count)
    when = (place + np.repeat(random.random(len(count)), count)) / np.repeat(count, count)
    spread = order[np.argsort(when, kind="stable")]
    stops = list(range(size, len(spread), size))
    if stops and len(spread) - stops[-1] == 1:
        stops.pop()
    yield from np.split(spread, stops)


def step_count(pairs: int, size: int) -> int:
    """How many batches `batches` makes of so many pairs."""
    return max(1, math.ceil(pairs / size) - (pairs > size and pairs % size == 1))


def no_negatives(chosen: Indices, pairs: Pairs) -> NDArray[np.bool_]:
    """Which of a batch's pairs are no negatives of which (b, b): other pairs of its document, and equal texts."""
    owner, text = pairs.owner[chosen], pairs.text[chosen]
    masked: NDArray[np.bool_] = (owner[:, None] == owner) | (text[:, None] == text)
    np.fill_diagonal(masked, False)
    return masked


class _Model(SentenceModel):
    """An encoder, and its gradients a few texts at a time."""

    def __init__(self, base: str) -> None:
        super().__init__(base, purpose=_PURPOSE, longest=_TOKENS)
        # A few GB for a model of 12 layers and 768 dimensions.
        self._at_once = 8 if self.device.type == "cpu" else 32

    @property
    def dimensions(self) -> int:
        return int(self.vectors([""]).shape[1])

    def vectors(self, texts: Sequence[str]) -> Any:
        """Unit rows without gradients."""
        with self.torch.no_grad():
            rows = [(part, self._encoded(texts, part)) for part in self._parts(texts)]
        found = self.torch.empty((len(texts), rows[0][1].shape[1]), device=self.device)
        for part, vectors in rows:
            found[part] = vectors
        return found

    def backward(self, texts: Sequence[str], gradient: Any) -> None:
        """Hand the gradient of the loss by `vectors(texts)` on to the weights, a few texts at a time.

        Gradient caching (Gao et al., arXiv 2101.06983).
        """
        for part in self._parts(texts):
            (self._encoded(texts, part) * gradient[part]).sum().backward()

    def _parts(self, texts: Sequence[str]) -> list[list[int]]:
        """Indices of texts of like length, so that little is padded."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        return [order[at : at + self._at_once] for at in range(0, len(order), self._at_once)]

    def _encoded(self, texts: Sequence[str], part: Sequence[int]) -> Any:
        features = self.features([texts[index] for index in part])
        return self.torch.nn.functional.normalize(self.model(features)["sentence_embedding"], dim=1)


class _Batch(NamedTuple):
    texts: list[str]
    """The batch's documents, each once, then its pairs."""
    rows: Indices
    """Per pair: its document among the texts."""
    masked: NDArray[np.bool_]
    """Per pair: the pairs that are no negatives of it."""


def _batch(chosen: Indices, pairs: Pairs) -> _Batch:
    read, rows = np.unique(pairs.owner[chosen], return_inverse=True)
    texts = [pairs.documents[index] for index in read] + [pairs.texts[index] for index in chosen]
    return _Batch(texts, rows, no_negatives(chosen, pairs))


def _loss(torch: Any, batch: _Batch, vectors: Any, temperature: float) -> Any:
    """Mean over the pairs of −ln softmax(cos/τ) at the pair itself."""
    documents, pairs = vectors[: -len(batch.rows)], vectors[-len(batch.rows) :]
    scores = documents[torch.as_tensor(batch.rows, device=vectors.device)] @ pairs.T / temperature
    scores = scores.masked_fill(torch.as_tensor(batch.masked, device=vectors.device), -math.inf)
    right = torch.arange(len(batch.rows), device=vectors.device)
    return torch.nn.functional.cross_entropy(scores, right)


def _measured(model: _Model, pairs: Pairs, sample: Sequence[Indices], temperature: float) -> float:
    """Mean loss a pair over the batches of `sample`."""
    total = 0.0
    for chosen in sample:
        batch = _batch(chosen, pairs)
        total += float(_loss(model.torch, batch, model.vectors(batch.texts), temperature)) * len(chosen)
    return total / sum(map(len, sample))


def _trained(
    model: _Model,
    pairs: Pairs,
    settings: _Settings,
    random: np.random.Generator,
    on_progress: Callable[[TuningProgress], None] | None,
) -> int:
    """Train in place; the number of steps."""
    optimizer = model.torch.optim.AdamW(model.weights(), lr=settings.rate, weight_decay=0.0)
    steps = settings.epochs * step_count(len(pairs.texts), settings.batch)
    step = 0
    for _ in range(settings.epochs):
        for chosen in batches(pairs.owner, settings.batch, random):
            batch = _batch(chosen, pairs)
            vectors = model.vectors(batch.texts).requires_grad_()
            loss = _loss(model.torch, batch, vectors, settings.temperature)
            loss.backward()
            set_rate(optimizer, settings.rate * rate_share(step, steps, _WARM_UP))
            optimizer.zero_grad()
            model.backward(batch.texts, vectors.grad)
            model.torch.nn.utils.clip_grad_norm_(model.weights(), GRADIENT)
            optimizer.step()
            step += 1
            if on_progress:
                on_progress(TuningProgress(step, steps, float(loss.detach())))
    return steps
