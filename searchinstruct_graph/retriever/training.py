"""Training an encoder to obey instructions, on the three rows of each triplet (`rows`) with the contrasts of `losses`.

AdamW, 5 % of the steps to warm up and a linear decline, two epochs, and an end when the triplets held out are told apart no
better. What differs from the published code of InF-Embed (arXiv 2505.21439), and why:

* Rate 2e-5 with a warm-up: the code names no rate, its trainer's default is 5e-5 without one.
* One device instead of eight. Batches of any size fit, since gradients are made of a few texts at once (Gao et al.,
  GradCache, arXiv 2101.06983). Instructions are still drawn out of four triplets, what one device held there: among all
  rows of a large batch a sibling's, which teaches most, would hardly ever be drawn.
* No dropout: a training that was killed then goes on to the same weights without any state but that of the optimizer.
* bf16 on a GPU, where the weights stay in 32 bits; 32 bits on a CPU, unless `precision` says otherwise.
* The weights of the best evaluation are saved, not the last.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

from searchinstruct_graph.errors import SearchInstructError, UsageError
from searchinstruct_graph.finetuning import (
    GRADIENT,
    alone,
    input_digest,
    needed,
    placed,
    rate_share,
    repeatable,
    set_rate,
    synced,
    weights_digest,
    written_whole,
)
from searchinstruct_graph.models.joining import Join, checked_join
from searchinstruct_graph.retriever.card import retriever_card
from searchinstruct_graph.retriever.encoder import PAIR_TOKENS, PASSAGE_TOKENS, Encoder, Input, Pair, Precision
from searchinstruct_graph.retriever.evaluation import TripletScores, dense, triplet_scores
from searchinstruct_graph.retriever.losses import (
    METHODS,
    Contrast,
    checked_contrast,
    contrastive_loss,
    draw_instructions,
    marginal_count,
    near_instructions,
    no_negatives,
)
from searchinstruct_graph.retriever.measures import PlainSet, Scores, measured, plain_set, scores_of
from searchinstruct_graph.retriever.rows import Batch, Triplet, batch, batch_count, numbered, training_rows
from searchinstruct_graph.retriever.saving import (
    CARD,
    TrainedRetriever,
    TrainingData,
    found_retriever,
    occupied,
    save_record,
)
from searchinstruct_graph.text.words import same_text

CHECKPOINT = "checkpoint.pt"
WATCHED = 500
"""Held-out triplets that are measured while training, evenly spread among them; all are before and after."""


@dataclass(frozen=True)
class TrainingSettings:
    """How an encoder is trained."""

    contrast: Contrast = METHODS["inf-embed"]
    """What is contrasted with what (`losses.METHODS`)."""
    epochs: int = 2
    examples: int = 32
    """Triplets a step; each gives three rows."""
    rate: float = 2e-5
    """Peak learning rate."""
    warm_up: float = 0.05
    """Share of the steps in which the rate rises."""
    temperature: float = 0.05
    local: int = 4
    """Triplets whose rows lend one another their instructions."""
    div: int = 2
    """A row borrows 3 local / div − 1 instructions."""
    near: float | None = None
    """Cosine from which instructions of two triplets are too near to be borrowed; None: only equal ones are."""
    plain_ratio: float = 0.0
    """Plain rows, queries with passages and no instruction, for each row of a triplet."""
    lora: int = 0
    """Rank of low-rank additions that are trained instead of the weights; 0: the weights."""
    join: Join = "plain"
    pair_tokens: int = PAIR_TOKENS
    passage_tokens: int = PASSAGE_TOKENS
    precision: Precision = "auto"
    """In what is computed; a CPU that knows bfloat16 (AVX-512 BF16, AMX) is about three times as fast in it."""
    evaluations: int = 4
    """How often an epoch the triplets held out are measured."""
    patience: int = 4
    """Measurements without a better one that end the training."""
    checkpoint_every: int = 100
    """Steps between checkpoints; there is one after each measurement too."""
    at_once: int = 0
    """Texts whose gradients are held together; 0: 8 on a CPU, 64 on a GPU. A batch of more goes through twice, part by part.
    Changes memory and speed, not the loss."""
    seed: int = 42


class TrainingProgress(NamedTuple):
    """A step of the training that is done."""

    step: int
    """Counted from 1."""
    steps: int
    loss: float
    """Mean loss of the step's rows, in nats."""
    accuracy: float | None
    """Triplet accuracy on what is held out, where it was measured after this step."""


class TrainingStopped(SearchInstructError):
    """A training was asked to stop; its checkpoint is kept, and the same call goes on."""


def train_retriever(
    base: str,
    triplets: Sequence[Triplet],
    out: Path,
    *,
    held: Sequence[Triplet] = (),
    plain: Sequence[tuple[str, str]] = (),
    held_plain: Sequence[tuple[str, str]] = (),
    settings: TrainingSettings | None = None,
    data: TrainingData | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_note: Callable[[str], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> TrainedRetriever:
    """Train `base`, a model's name or folder, and write the result to the folder `out`.

    `held`: triplets of other queries (`rows.split_triplets`) on which it is measured and may end early; without any the last
    weights are kept. `plain`: queries with their passages, of which `settings.plain_ratio` are mixed in; `held_plain`: other
    ones, on which nDCG@10 without an instruction is measured among their passages and those of `held`. `data` is told on the
    model card. `on_note` hears what a person should know. When `stop` says so, the training ends after the step at hand.

    The folder appears whole at the end or not at all. Until then a hidden folder beside it keeps a checkpoint, from which the
    same call goes on; on a CPU with one number of threads to the very weights it would have come to. A finished folder of the
    same input and settings is handed back untouched. An exception of `on_progress` ends the training; the checkpoint stays.

    Raises:
        UsageError: the extra is missing, the base cannot be loaded, a setting cannot train, there is no triplet, a query
            held out is trained on, `out` or its checkpoint holds something else, or another process is at it.
        TrainingStopped: `stop` said so.
    """
    settings = _checked(settings or TrainingSettings())
    _check_input(triplets, held, plain, held_plain, settings)
    out = placed(out)
    fingerprint = _fingerprint(base, triplets, held, plain, held_plain, settings)
    work = out.with_name(f".{out.name}.training")
    if occupied(out):
        found = found_retriever(out, fingerprint)
        # A kill between the last two lines of a training leaves it.
        shutil.rmtree(work, ignore_errors=True)
        return found
    with alone(work, out):
        if occupied(out):
            return found_retriever(out, fingerprint)
        try:
            return _trained(
                _Given(base, triplets, held, plain, held_plain, settings, data, fingerprint),
                out,
                work,
                on_progress,
                on_note or (lambda line: None),
                stop or (lambda: False),
            )
        finally:
            if occupied(out) or not (work / CHECKPOINT).exists():
                shutil.rmtree(work, ignore_errors=True)


class _Given(NamedTuple):
    base: str
    triplets: Sequence[Triplet]
    held: Sequence[Triplet]
    plain: Sequence[tuple[str, str]]
    held_plain: Sequence[tuple[str, str]]
    settings: TrainingSettings
    data: TrainingData | None
    fingerprint: str


def _trained(
    given: _Given,
    out: Path,
    work: Path,
    on_progress: Callable[[TrainingProgress], None] | None,
    on_note: Callable[[str], None],
    stop: Callable[[], bool],
) -> TrainedRetriever:
    settings, started = given.settings, time.monotonic()
    on_note(f"loading {given.base}")
    with repeatable(needed("torch", "a trained retriever"), settings.seed):
        encoder = Encoder(
            given.base,
            join=settings.join,
            pair_tokens=settings.pair_tokens,
            passage_tokens=settings.passage_tokens,
            precision=settings.precision,
        )
        encoder.at_once = min(settings.at_once or encoder.at_once, encoder.at_once)
        cut = _truncated(encoder, given.triplets, given.plain if settings.plain_ratio else (), on_note)
        if settings.lora:
            encoder.add_lora(settings.lora)
        training = _Training(encoder, given, work)
        training.run(on_progress, on_note, stop)
        state = training.finished()
        encoder.merge_lora()
        # Of the weights that are saved, low-rank parts merged.
        if given.held:
            on_note("measuring what came out on the same ones")
        after = training.scores() if given.held else None
    tenth = max(1, len(state.losses) // 10)
    with written_whole(out) as draft:
        encoder.save(draft)
        trained = TrainedRetriever(
            folder=str(out),
            kind="encoder",
            base=given.base,
            join=encoder.join,
            triplets=len(given.triplets),
            held=len(given.held),
            plain=len(given.plain) if settings.plain_ratio else 0,
            steps=state.step,
            planned=training.steps,
            best_step=state.best_step,
            loss_first=float(np.mean(state.losses[:tenth])),
            loss_last=float(np.mean(state.losses[-tenth:])),
            measured=measured(training.before, after) if training.before and after else None,
            truncated_pairs=cut[0],
            truncated_passages=cut[1],
            seconds=round(time.monotonic() - started, 3),
            digest=weights_digest(draft),
            data=given.data,
        )
        told = {**asdict(settings), "contrast": settings.contrast._asdict()}
        save_record(draft, trained, given.fingerprint, told)
        (draft / CARD).write_text(retriever_card(trained, told), encoding="utf-8", errors="replace", newline="\n")
    return trained


def _checked(settings: TrainingSettings) -> TrainingSettings:
    for name, least in (
        ("epochs", 1),
        ("examples", 1),
        ("local", 1),
        ("div", 1),
        ("lora", 0),
        ("pair_tokens", 8),
        ("passage_tokens", 8),
        ("evaluations", 1),
        ("patience", 1),
        ("checkpoint_every", 1),
        ("at_once", 0),
        ("seed", 0),
    ):
        value = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise UsageError(f"training: {name} must be a whole number of at least {least}, not {value!r}")
    for name in ("rate", "temperature", "warm_up", "plain_ratio", *(["near"] if settings.near is not None else [])):
        value = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"training: {name} must be a number, not {value!r}")
    for name in ("rate", "temperature"):
        if not (math.isfinite(getattr(settings, name)) and getattr(settings, name) > 0):
            raise UsageError(f"training: {name} must be a number above 0, not {getattr(settings, name)}")
    if not 0 <= settings.warm_up < 1:
        raise UsageError(f"training: warm_up must be a share below 1, not {settings.warm_up}")
    if not 0 <= settings.plain_ratio <= 100:
        raise UsageError(f"training: plain_ratio must lie between 0 and 100, not {settings.plain_ratio}")
    if settings.near is not None and not 0 < settings.near <= 1:
        raise UsageError(f"training: near must be a cosine above 0, or None, not {settings.near}")
    if settings.precision not in get_args(Precision):
        raise UsageError(f"training: precision must be {', '.join(get_args(Precision))}, not {settings.precision!r}")
    if not isinstance(settings.contrast, tuple) or len(settings.contrast) != 2:
        raise UsageError(
            f"training: contrast must be families and form, as in losses.METHODS, not {settings.contrast!r}"
        )
    contrast = checked_contrast(*settings.contrast)
    if contrast.families == ("I",) and not marginal_count(3 * settings.local, settings.div):
        raise UsageError("training: the family I has nothing to contrast; raise local, or lower div")
    return replace(settings, contrast=contrast, join=checked_join(settings.join))


def _check_input(
    triplets: Sequence[Triplet],
    held: Sequence[Triplet],
    plain: Sequence[tuple[str, str]],
    held_plain: Sequence[tuple[str, str]],
    settings: TrainingSettings,
) -> None:
    if not triplets:
        raise UsageError("training needs triplets, and has none")
    if settings.plain_ratio and not plain:
        raise UsageError(f"training: plain_ratio is {settings.plain_ratio}, but there are no plain queries to mix in")
    trained_on = {same_text(each.query_positive) for each in triplets}
    for at, each in enumerate(held):
        if same_text(each.query_positive) in trained_on:
            raise UsageError(
                f"training: the query of held-out triplet {at} is trained on too; split by query (rows.split_triplets)"
            )
    if held_plain and not held:
        raise UsageError("training: plain queries are held out, but no triplets; hold out some of both, or of neither")
    if not {same_text(query) for query, _ in plain}.isdisjoint(same_text(query) for query, _ in held_plain):
        raise UsageError("training: a plain query that is held out is trained on too; split them by query")


def _fingerprint(
    base: str,
    triplets: Sequence[Triplet],
    held: Sequence[Triplet],
    plain: Sequence[tuple[str, str]],
    held_plain: Sequence[tuple[str, str]],
    settings: TrainingSettings,
) -> str:
    groups = (triplets, held, plain, held_plain)
    texts = (text for group in groups for each in group for text in each)
    return input_digest([base, asdict(settings), [len(group) for group in groups]], texts)


def _truncated(
    encoder: Encoder,
    triplets: Sequence[Triplet],
    plain: Sequence[tuple[str, str]],
    on_note: Callable[[str], None],
) -> tuple[int, int]:
    """How many distinct pairs and passages are longer than what is encoded of them; it is said when there are any."""
    rows = [row for each in triplets for row in training_rows(each)]
    pairs = {Pair(row.query, row.instruction) for row in rows} | {Pair(query, "") for query, _ in plain}
    passages = {row.passage for row in rows} | {passage for _, passage in plain}
    cut = encoder.truncated(sorted(pairs)), encoder.truncated(sorted(passages))
    if cut[0]:
        lost = "their ends are not read" if encoder.join == "attention" else "the end is not read"
        last = ", which is where the instruction stands" if encoder.join == "plain" else ""
        on_note(
            f"{cut[0]:,} of {len(pairs):,} queries with instructions have more than {encoder.pair_tokens} tokens: {lost}{last}"
        )
    if cut[1]:
        on_note(
            f"{cut[1]:,} of {len(passages):,} passages have more than {encoder.passage_tokens} tokens: the end is not read"
        )
    return cut


@dataclass
class _State:
    """Everything that changes while training, but weights and optimizer."""

    step: int
    """Steps done."""
    losses: list[float]
    best: float | None
    best_step: int
    waited: int
    """Measurements since the best."""


class _Training:
    """Steps, measurements and checkpoints of one training."""

    def __init__(self, encoder: Encoder, given: _Given, work: Path) -> None:
        self._encoder, self._torch, self._given = encoder, encoder.torch, given
        self._settings = given.settings
        self._path = work / CHECKPOINT
        self._held_plain: PlainSet | None = None
        if given.held_plain:
            more = [text for each in given.held for text in (each.document_positive, *each.hard_negatives)]
            self._held_plain = plain_set(given.held_plain, more)
        an_epoch = batch_count(len(given.triplets), given.settings.examples)
        self.steps = given.settings.epochs * an_epoch
        self._every = max(1, an_epoch // given.settings.evaluations)
        self._optimizer = self._torch.optim.AdamW(encoder.weights(), lr=given.settings.rate, weight_decay=0.0)
        self._state = _State(0, [], None, 0, 0)
        count = len(given.held)
        self._watched = [at * count // WATCHED for at in range(WATCHED)] if count > WATCHED else list(range(count))
        self.before: Scores | None = None
        """What the base did on what is held out."""
        self._best: dict[str, Any] = {}
        """The weights of the best measurement; empty while those of now are."""

    def run(
        self,
        on_progress: Callable[[TrainingProgress], None] | None,
        on_note: Callable[[str], None],
        stop: Callable[[], bool],
    ) -> None:
        """Train to the end, from the checkpoint on where there is one."""
        state = self._state
        if self._resumed():
            on_note(f"going on after step {state.step:,} of {self.steps:,}")
        elif self._given.held:
            on_note(f"measuring the base on {len(self._given.held):,} triplets that were held out")
            self.before = self.scores()
            state.best = float(self.before.triplets.right[self._watched].mean())
            self._best = self._encoder.state()
        while not self._over():
            if stop():
                self._keep()
                raise TrainingStopped(f"stopped after step {state.step:,} of {self.steps:,}; the checkpoint is kept")
            loss = self._step(state.step)
            state.step += 1
            state.losses.append(loss)
            accuracy = None
            if self._given.held and (state.step % self._every == 0 or state.step == self.steps):
                watched = [self._given.held[at] for at in self._watched]
                accuracy = float(triplet_scores(dense(self._encoder), watched).right.mean())
                self._judge(accuracy)
            if accuracy is not None or state.step % self._settings.checkpoint_every == 0:
                self._keep()
            if on_progress:
                on_progress(TrainingProgress(state.step, self.steps, loss, accuracy))

    def scores(self) -> Scores:
        """What the encoder does now on what is held out."""
        return scores_of(dense(self._encoder), self._given.held, self._held_plain)

    def finished(self) -> _State:
        """Put the best weights in place; what the training came to."""
        if self._given.held:
            self._encoder.restore(self._best)
        else:
            self._state.best_step = self._state.step
        return self._state

    def _over(self) -> bool:
        return self._state.step >= self.steps or self._state.waited >= self._settings.patience

    def _judge(self, accuracy: float) -> None:
        state = self._state
        assert state.best is not None
        # Of equal ones the later: where few triplets are held out and all are right, training may still sharpen.
        if accuracy >= state.best:
            state.waited = 0 if accuracy > state.best else state.waited + 1
            state.best, state.best_step = accuracy, state.step
            self._best = self._encoder.state()
        else:
            state.waited += 1

    def _step(self, step: int) -> float:
        settings = self._settings
        rows = batch(
            self._given.triplets,
            self._given.plain,
            step,
            size=settings.examples,
            ratio=settings.plain_ratio,
            seed=settings.seed,
        )
        work = prepared(rows, settings, np.random.default_rng([settings.seed, 2, step]), self._near(rows))
        set_rate(self._optimizer, settings.rate * rate_share(step, self.steps, settings.warm_up))
        self._optimizer.zero_grad()
        loss = backward(self._encoder, work, settings)
        self._torch.nn.utils.clip_grad_norm_(self._encoder.weights(), GRADIENT)
        self._optimizer.step()
        return loss

    def _near(self, rows: Batch) -> Any:
        if self._settings.near is None or "I" not in self._settings.contrast.families:
            return None
        texts, numbers = numbered([row.instruction for row in rows.rows])
        return near_instructions(self._encoder.embed(texts)[numbers], rows.example, self._settings.near)

    def _keep(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".part")
        held = {
            "fingerprint": self._given.fingerprint,
            "state": asdict(self._state),
            "before": self._packed(self.before),
            "weights": self._encoder.state(),
            "best": self._best,
            "optimizer": self._optimizer.state_dict(),
        }
        with draft.open("wb") as file:
            self._torch.save(held, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self._path)
        synced(self._path.parent)

    def _packed(self, scores: Scores | None) -> Any:
        """Scores as tensors, which is what a checkpoint may hold."""
        if scores is None:
            return None
        columns = {name: self._torch.from_numpy(values) for name, values in vars(scores.triplets).items()}
        return [columns, None if scores.plain is None else self._torch.from_numpy(scores.plain)]

    def _unpacked(self, held: Any) -> Scores | None:
        if held is None:
            return None
        columns, plain = held
        found = TripletScores(**{name: values.numpy() for name, values in columns.items()})
        return Scores(found, None if plain is None else plain.numpy())

    def _resumed(self) -> bool:
        if not self._path.exists():
            return False
        try:
            held = self._torch.load(self._path, map_location="cpu", weights_only=True)
            fingerprint = held["fingerprint"]
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UsageError(f"{self._path} is no checkpoint that can be read: {reason}; remove it") from None
        if fingerprint != self._given.fingerprint:
            raise UsageError(f"{self._path} was made of other rows or settings; remove it, or give another folder")
        self._state.__dict__.update(held["state"])
        self._encoder.restore(held["weights"])
        self._optimizer.load_state_dict(held["optimizer"])
        self._best = held["best"]
        self.before = self._unpacked(held["before"])
        return True


class Prepared(NamedTuple):
    """A batch as it goes through the encoder: distinct inputs, and which of them each row needs."""

    inputs: list[Input]
    pairs: list[int]
    """(B,): u_k."""
    passages: list[int]
    """(B,): p_k."""
    others: Any
    """(B, M): v_kj; meaningless where nothing was drawn."""
    kept: Any
    """(B, M), bool: what was drawn."""
    same: Any
    """(B, B), bool: no negatives."""


def prepared(rows: Batch, settings: TrainingSettings, random: np.random.Generator, near: Any = None) -> Prepared:
    """Number the inputs of a batch and draw its instructions."""
    number: dict[Input, int] = {}

    def at(one: Input) -> int:
        return number.setdefault(one, len(number))

    pairs = [at(Pair(row.query, row.instruction)) for row in rows.rows]
    passages = [at(row.passage) for row in rows.rows]
    count = marginal_count(3 * settings.local, settings.div) if "I" in settings.contrast.families else 0
    told = [row.instruction.strip() for row in rows.rows]
    texts = np.where([bool(text) for text in told], numbered(told)[1], -1).astype(np.int64)
    group = np.where(rows.example < 0, -1, rows.example // settings.local)
    drawn = draw_instructions(texts, group, count, random, near)
    others = np.zeros_like(drawn.rows)
    for row, place in zip(*np.nonzero(drawn.kept), strict=True):
        lender = rows.rows[drawn.rows[row, place]]
        others[row, place] = at(Pair(rows.rows[row].query, lender.instruction))
    same = no_negatives(np.array(pairs), np.array(passages))
    return Prepared(list(number), pairs, passages, others, drawn.kept, same)


def backward(encoder: Encoder, work: Prepared, settings: TrainingSettings) -> float:
    """Add the gradient of the batch's loss to the weights; the loss, in nats.

    A batch that fits at once goes through once. A larger one goes through twice: without gradients for the vectors, on which
    the loss has its own gradient, and then part by part to hand that on to the weights.
    """
    torch = encoder.torch
    parts = encoder.parts(work.inputs)
    whole = len(work.inputs) <= max(settings.at_once, encoder.at_once)

    def through(part: list[int]) -> Any:
        return encoder.encoded([work.inputs[at] for at in part])

    order = [at for part in parts for at in part]
    place = torch.as_tensor(np.argsort(order), device=encoder.device)
    with torch.set_grad_enabled(whole):
        rows = torch.cat([through(part) for part in parts])
    vectors = rows if whole else rows.detach().requires_grad_()
    loss = _loss(torch, vectors[place], work, settings)
    loss.backward()
    if not whole:
        gradients = torch.split(vectors.grad, [len(part) for part in parts])
        for part, gradient in zip(parts, gradients, strict=True):
            (through(part) * gradient).sum().backward()
    value = float(loss.detach())
    if not math.isfinite(value):
        raise UsageError(
            f"training: the loss is {value}; lower the rate, or look for an encoder whose vectors are finite"
        )
    return value


def _loss(torch: Any, vectors: Any, work: Prepared, settings: TrainingSettings) -> Any:
    def tensor(array: Any) -> Any:
        return torch.as_tensor(array, device=vectors.device)

    return contrastive_loss(
        settings.contrast,
        vectors[tensor(work.pairs)],
        vectors[tensor(work.passages)],
        tensor(work.same),
        others=vectors[tensor(work.others)],
        kept=tensor(work.kept),
        temperature=settings.temperature,
    )
