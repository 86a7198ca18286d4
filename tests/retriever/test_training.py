"""Training an encoder of random weights to obey. Everything but the checks of input needs the `train` extra."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.finetuning import alone, rate_share
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.joining import joined
from searchinstruct_graph.retriever import training
from searchinstruct_graph.retriever.encoder import Encoder, Pair
from searchinstruct_graph.retriever.evaluation import dense, triplet_scores
from searchinstruct_graph.retriever.losses import METHODS, Contrast
from searchinstruct_graph.retriever.measures import plain_set, scores_of
from searchinstruct_graph.retriever.rows import Batch, Row, Triplet, batch, split_triplets, without_instructions
from searchinstruct_graph.retriever.saving import TRAINING, TrainedRetriever, trained_retriever
from searchinstruct_graph.retriever.training import (
    CHECKPOINT,
    TrainingProgress,
    TrainingSettings,
    TrainingStopped,
    prepared,
    train_retriever,
)
from tests.support.tiny_encoder import needs_training, write_encoder

# A thing asked for in English and a manner in Persian; passages speak of both in Chinese. Without training nothing tells which
# belong together. The number parts the queries of a thing, and says nothing of the manner: it goes round with the thing.
THINGS = dict(zip("water bread tree rain house book".split(), "水 面包 树 雨 房子 书".split(), strict=True))
MANNERS = dict(zip("سرد گرم بزرگ کوچک تازه کهنه".split(), "冷 热 大 小 新 旧".split(), strict=True))


def made() -> list[Triplet]:
    found = []
    for at, thing in enumerate(THINGS):
        for turn, manner in enumerate(MANNERS):
            other_manner = list(MANNERS)[(turn + 1 + at % 5) % 6]
            other_thing = list(THINGS)[(at + 1 + turn % 5) % 6]

            def page(one: str, other: str) -> str:
                return f"{THINGS[one]} {MANNERS[other]}"

            found.append(
                Triplet(
                    f"{thing} {(turn + at) % 6}",
                    f"فقط {manner}",
                    page(thing, manner),
                    f"{other_thing} {(turn + at) % 6} ?",
                    f"فقط {other_manner}",
                    page(thing, other_manner),
                    page(other_thing, manner),
                )
            )
    return found


TRIPLETS = made()
TRAIN, HELD = TRIPLETS[::2] + TRIPLETS[1::4], TRIPLETS[3::4]
PLAIN = [(f"{thing} ?", THINGS[thing]) for thing in THINGS]
QUICK = TrainingSettings(epochs=1, examples=8, rate=2e-3, evaluations=2, at_once=512, seed=3)


def losses(trained: TrainedRetriever) -> tuple[float, float]:
    """Mean losses at the beginning and at the end."""
    assert trained.loss_first is not None
    assert trained.loss_last is not None
    return trained.loss_first, trained.loss_last


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    words = {word for each in TRIPLETS for text in each for word in text.split()}
    return write_encoder(tmp_path_factory.mktemp("base") / "tiny", {*words, "?"})


class TestWithoutTraining:
    def test_the_rate_rises_and_falls(self) -> None:
        shares = [rate_share(step, 100, 0.05) for step in range(100)]
        assert shares[0] == pytest.approx(0.2)
        assert max(shares) == shares[4] == 1.0
        assert shares[4:] == sorted(shares[4:], reverse=True)
        assert 0 < shares[-1] < 0.02
        assert rate_share(0, 1, 0.05) == 1.0

    @pytest.mark.parametrize(
        "setting",
        [
            {"epochs": 0},
            {"examples": 0},
            {"local": 0},
            {"div": 0},
            {"lora": -1},
            {"patience": 0},
            {"rate": 0.0},
            {"rate": math.nan},
            {"temperature": -1.0},
            {"warm_up": 1.0},
            {"plain_ratio": -1.0},
            {"near": 1.5},
            {"seed": -1},
            {"precision": "float8"},
            {"epochs": "2"},
            {"examples": 4.5},
            {"rate": "fast"},
            {"contrast": "infonce"},
        ],
    )
    def test_settings_that_cannot_train(self, tmp_path: Path, setting: dict[str, Any]) -> None:
        with pytest.raises(UsageError, match=f"training: {next(iter(setting))} must"):
            train_retriever("base", TRAIN, tmp_path / "out", settings=replace(QUICK, **setting))

    def test_a_contrast_of_nothing(self, tmp_path: Path) -> None:
        settings = replace(QUICK, contrast=Contrast(("I",), "uni"), local=1, div=3)
        with pytest.raises(UsageError, match="the family I has nothing to contrast"):
            train_retriever("base", TRAIN, tmp_path / "out", settings=settings)

    def test_input_that_cannot_be_trained_on(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="needs triplets, and has none"):
            train_retriever("base", [], tmp_path / "out")
        with pytest.raises(UsageError, match="query of held-out triplet 0 is trained on too"):
            train_retriever("base", TRAIN, tmp_path / "out", held=TRAIN[:1])
        with pytest.raises(UsageError, match=r"plain_ratio is 0\.5, but there are no plain queries"):
            train_retriever("base", TRAIN, tmp_path / "out", settings=replace(QUICK, plain_ratio=0.5))

    def test_a_folder_of_something_else_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "letter.txt").write_text("mine")
        with pytest.raises(UsageError, match="holds no trained retriever"):
            train_retriever("base", TRAIN, tmp_path)
        (tmp_path / TRAINING).write_text("[]")
        with pytest.raises(UsageError, match="holds no trained retriever"):
            trained_retriever(tmp_path)
        assert (tmp_path / "letter.txt").read_text() == "mine"

    def test_each_text_goes_through_once(self) -> None:
        rows = Batch(
            [Row("q", "i", "p"), Row("q", "j", "h"), Row("r", "i", "g"), Row("s", "", "p")], np.array([0, 0, 0, -1])
        )
        settings = replace(QUICK, local=2)
        found = prepared(rows, settings, np.random.default_rng(0))
        assert found.kept.sum(1).tolist() == [1, 2, 1, 0]
        borrowed = {found.inputs[at] for at in found.others[found.kept]}
        assert borrowed == {Pair("q", "j"), Pair("q", "i"), Pair("r", "j")}
        assert len(found.inputs) == len(set(found.inputs)) == 3 + 1 + 3 + 1
        assert [found.inputs[at] for at in found.pairs] == [
            Pair("q", "i"),
            Pair("q", "j"),
            Pair("r", "i"),
            Pair("s", ""),
        ]
        assert [found.inputs[at] for at in found.passages] == ["p", "h", "g", "p"]
        assert np.argwhere(found.same).tolist() == [[0, 3], [3, 0]]
        assert prepared(rows, replace(settings, contrast=METHODS["infonce"]), np.random.default_rng(0)).others.size == 0

    def test_blank_instructions_make_siblings_no_negatives(self) -> None:
        rows = batch(without_instructions(TRAIN[:1]), [], 0, size=1)
        found = prepared(rows, QUICK, np.random.default_rng(0))
        assert np.argwhere(found.same).tolist() == [[0, 1], [1, 0]]
        assert not found.kept.any()


@needs_training
class TestTraining:
    def test_an_encoder_learns_to_obey(self, base: str, tmp_path: Path) -> None:
        settings = replace(QUICK, epochs=20, rate=5e-3, patience=100)
        trained = train_retriever(base, TRAIN, tmp_path / "out", held=HELD, settings=settings)
        assert trained.accuracy_before is not None
        assert trained.accuracy_after is not None
        assert trained.accuracy_before < 0.5
        assert trained.accuracy_after > 0.8
        assert losses(trained)[1] < 0.7 * losses(trained)[0]
        assert (trained.triplets, trained.held, trained.plain) == (len(TRAIN), len(HELD), 0)
        before, after = (triplet_scores(dense(Encoder(folder)), HELD) for folder in (base, trained.folder))
        assert after.right.mean() == pytest.approx(trained.accuracy_after)
        assert after.p_mrr().value > before.p_mrr().value + 0.1

    def test_the_product_loads_what_was_trained(self, base: str, tmp_path: Path) -> None:
        trained = train_retriever(base, TRAIN, tmp_path / "out", settings=QUICK)
        pairs = [(each.query_positive, each.instruction_positive) for each in HELD]
        found = embeddings(trained.embedding).embed([joined(*pair) for pair in pairs])
        assert np.allclose(found, Encoder(trained.folder).embed_pairs(*zip(*pairs, strict=True)), atol=1e-5)
        assert trained_retriever(Path(trained.folder)) == trained
        assert (trained.accuracy_before, trained.accuracy_after) == (None, None)
        assert trained.steps == trained.planned == trained.best_step == math.ceil(len(TRAIN) / 8)

    @pytest.mark.parametrize("contrast", [Contrast(("P", "IQ", "I"), "uni"), Contrast(("P", "IQ", "I"), "multi")])
    @pytest.mark.parametrize("join", ["plain", "attention"])
    def test_gradients_of_parts_are_the_gradient_of_the_whole(self, base: str, contrast: Contrast, join: Any) -> None:
        torch = pytest.importorskip("torch")
        encoder = Encoder(base, join=join)
        settings = replace(QUICK, contrast=contrast, plain_ratio=0.5)
        work = prepared(batch(TRAIN, PLAIN, 0, size=8, ratio=0.5, seed=1), settings, np.random.default_rng(0))
        gradients, losses = [], []
        for size in (10_000, 5):
            encoder.at_once = size
            for weight in encoder.weights():
                weight.grad = None
            losses.append(training.backward(encoder, work, settings))
            gradients.append([weight.grad.clone() for weight in encoder.weights() if weight.grad is not None])
        assert losses[0] == pytest.approx(losses[1], abs=1e-5)
        assert len(gradients[0]) == len(gradients[1]) > 20
        assert any(float(each.abs().max()) > 1e-3 for each in gradients[0])
        assert all(torch.allclose(one, other, atol=2e-5) for one, other in zip(*gradients, strict=True))

    def test_a_seed_gives_equal_weights(self, base: str, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        digests = []
        for name, seed in (("one", 3), ("two", 3), ("three", 4)):
            torch.rand(5)
            settings = replace(QUICK, seed=seed, plain_ratio=0.3, near=0.95)
            digests.append(
                train_retriever(base, TRAIN, tmp_path / name, held=HELD, plain=PLAIN, settings=settings).digest
            )
        assert digests[0] == digests[1] != digests[2]
        assert not torch.are_deterministic_algorithms_enabled()

    def test_a_training_that_was_stopped_comes_to_the_same_weights(self, base: str, tmp_path: Path) -> None:
        settings = replace(QUICK, epochs=3, checkpoint_every=2, plain_ratio=0.3, patience=100)
        given: dict[str, Any] = {"held": HELD, "plain": PLAIN, "settings": settings}
        through = train_retriever(base, TRAIN, tmp_path / "through", **given)
        seen: list[int] = []
        for last in (3, 4, 8):

            def stop(progress: TrainingProgress, last: int = last) -> None:
                seen.append(progress.step)
                if progress.step == last:
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                train_retriever(base, TRAIN, tmp_path / "parts", on_progress=stop, **given)
            assert not (tmp_path / "parts").exists()
        parts = train_retriever(
            base, TRAIN, tmp_path / "parts", on_progress=lambda each: seen.append(each.step), **given
        )
        assert seen[:3] == [1, 2, 3]
        assert seen[-1] == through.steps == 3 * math.ceil(len(TRAIN) / 8)
        assert seen.count(1) == 1
        same = ("digest", "steps", "best_step", "accuracy_before", "accuracy_after", "loss_first", "loss_last")
        assert [getattr(parts, name) for name in same] == [getattr(through, name) for name in same]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["parts", "through"]

    # A fresh process imports torch, which may take long on a busy machine.
    @pytest.mark.timeout(400)
    def test_a_killed_training_goes_on(self, base: str, tmp_path: Path) -> None:
        script = (
            "import json, os, signal, sys\n"
            "from pathlib import Path\n"
            "from searchinstruct_graph.retriever.rows import Triplet\n"
            "from searchinstruct_graph.retriever.training import TrainingSettings, train_retriever\n"
            "base, out, train, held = json.loads(sys.stdin.read())\n"
            "settings = TrainingSettings(epochs=2, examples=8, rate=2e-3, evaluations=2, at_once=512, seed=3)\n"
            "halfway = lambda seen: seen.step == 5 and os.kill(os.getpid(), signal.SIGKILL)\n"
            "train_retriever(base, [Triplet(*each) for each in train], Path(out),\n"
            "    held=[Triplet(*each) for each in held], settings=settings, on_progress=halfway)\n"
        )
        told = json.dumps([base, str(tmp_path / "out"), TRAIN, HELD])
        single = {**os.environ, "OMP_NUM_THREADS": "1"}
        ended = subprocess.run([sys.executable, "-c", script], input=told, text=True, capture_output=True, env=single)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        assert [path.name for path in tmp_path.iterdir()] == [".out.training"]
        settings = replace(QUICK, epochs=2)
        steps: list[int] = []
        went_on = train_retriever(
            base,
            TRAIN,
            tmp_path / "out",
            held=HELD,
            settings=settings,
            on_progress=lambda each: steps.append(each.step),
        )
        assert 2 <= steps[0] <= 5
        assert train_retriever(base, TRAIN, tmp_path / "new", held=HELD, settings=settings).digest == went_on.digest

    def test_a_training_that_is_asked_to_stop(self, base: str, tmp_path: Path) -> None:
        settings = replace(QUICK, epochs=2, checkpoint_every=100, evaluations=1, patience=100)
        given: dict[str, Any] = {"held": HELD, "settings": settings}
        through = train_retriever(base, TRAIN, tmp_path / "through", **given)
        steps: list[int] = []
        notes: list[str] = []
        with pytest.raises(TrainingStopped, match=f"stopped after step 2 of {through.planned}; the checkpoint is kept"):
            train_retriever(
                base,
                TRAIN,
                tmp_path / "out",
                on_progress=lambda each: steps.append(each.step),
                stop=lambda: len(steps) == 2,
                **given,
            )
        assert (tmp_path / ".out.training" / CHECKPOINT).exists()
        with alone(tmp_path / ".out.training", tmp_path / "out"), pytest.raises(UsageError, match="another process"):
            train_retriever(base, TRAIN, tmp_path / "out", **given)
        trained = train_retriever(base, TRAIN, tmp_path / "out", on_note=notes.append, **given)
        assert f"going on after step 2 of {through.planned}" in notes
        assert not any("measuring the base" in note for note in notes)  # the checkpoint remembers
        assert (trained.digest, trained.measured) == (through.digest, through.measured)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "through"]

    def test_the_price_is_measured_on_plain_queries_held_out(self, base: str, tmp_path: Path) -> None:
        settings = replace(QUICK, epochs=10, rate=5e-3, plain_ratio=0.5, patience=100)
        trained = train_retriever(
            base, TRAIN, tmp_path / "out", held=HELD, plain=PLAIN[:4], held_plain=PLAIN[4:], settings=settings
        )
        assert trained.measured is not None
        assert trained.measured["plain_queries"] == 2
        after = trained.measured["after"]["plain_ndcg"]
        passages = [text for each in HELD for text in (each.document_positive, *each.hard_negatives)]
        found = scores_of(dense(Encoder(trained.folder)), HELD, plain_set(PLAIN[4:], passages))
        assert after is not None
        assert found.plain is not None
        assert after["value"] == pytest.approx(found.plain.mean())
        assert trained.measured["after"]["p_mrr"]["value"] == pytest.approx(found.triplets.obedience.mean())
        with pytest.raises(UsageError, match="a plain query that is held out is trained on too"):
            train_retriever(base, TRAIN, tmp_path / "x", held=HELD, plain=PLAIN, held_plain=PLAIN[:1], settings=QUICK)
        with pytest.raises(UsageError, match="hold out some of both"):
            train_retriever(base, TRAIN, tmp_path / "x", held_plain=PLAIN[:1], settings=QUICK)

    def test_the_folder_tells_the_product_and_people(self, base: str, tmp_path: Path) -> None:
        trained = train_retriever(base, TRAIN, tmp_path / "out", settings=replace(QUICK, join="labelled"))
        record = json.loads((tmp_path / "out" / "retriever.json").read_text())
        assert (record["kind"], record["join"], record["base"]) == ("encoder", "labelled", base)
        card = (tmp_path / "out" / "README.md").read_text()
        assert card.startswith("---\nlibrary_name: sentence-transformers\n")
        assert str(tmp_path) not in card
        embedder = embeddings(trained.embedding)
        assert embedder.join == "labelled"
        texts = [joined("water", "فقط سرد", "labelled")]
        assert np.allclose(
            embedder.embed(texts), Encoder(trained.folder).embed_pairs(["water"], ["فقط سرد"]), atol=1e-5
        )

    def test_a_checkpoint_of_something_else(self, base: str, tmp_path: Path) -> None:
        def stop(progress: TrainingProgress) -> None:
            raise KeyboardInterrupt

        settings = replace(QUICK, checkpoint_every=1)
        with pytest.raises(KeyboardInterrupt):
            train_retriever(base, TRAIN, tmp_path / "out", settings=settings, on_progress=stop)
        with pytest.raises(UsageError, match="made of other rows or settings"):
            train_retriever(base, TRAIN[1:], tmp_path / "out", settings=settings)
        (tmp_path / ".out.training" / CHECKPOINT).write_bytes(b"half a file")
        with pytest.raises(UsageError, match="no checkpoint that can be read"):
            train_retriever(base, TRAIN, tmp_path / "out", settings=settings)

    def test_it_ends_when_it_gets_no_better_and_keeps_the_best(self, base: str, tmp_path: Path) -> None:
        seen: list[TrainingProgress] = []
        # So fast that everything learnt is torn down again.
        settings = replace(QUICK, epochs=60, rate=1.0, patience=3)
        trained = train_retriever(base, TRAIN, tmp_path / "out", held=HELD, settings=settings, on_progress=seen.append)
        measured = [trained.accuracy_before, *(each.accuracy for each in seen if each.accuracy is not None)]
        assert trained.steps < trained.planned
        assert trained.accuracy_after == max(each for each in measured if each is not None)
        found = triplet_scores(dense(Encoder(trained.folder)), HELD)
        assert found.right.mean() == pytest.approx(trained.accuracy_after)

    def test_a_finished_folder_is_handed_back(self, base: str, tmp_path: Path) -> None:
        def never(progress: TrainingProgress) -> None:
            raise AssertionError("it was trained again")

        trained = train_retriever(base, TRAIN, tmp_path / "out", settings=QUICK)
        assert train_retriever(base, TRAIN, tmp_path / "out", settings=QUICK, on_progress=never) == trained
        with pytest.raises(UsageError, match="other rows or settings"):
            train_retriever(base, TRAIN[1:], tmp_path / "out", settings=QUICK)

    def test_attention_is_trained_and_saved_with_its_flag(self, base: str, tmp_path: Path) -> None:
        settings = replace(QUICK, epochs=10, join="attention", rate=5e-3)
        trained = train_retriever(base, TRAIN, tmp_path / "out", settings=settings)
        assert Encoder(trained.folder).join == trained.join == "attention"
        assert losses(trained)[1] < losses(trained)[0]

    def test_low_rank_training(self, base: str, tmp_path: Path) -> None:
        pytest.importorskip("peft")
        settings = replace(QUICK, epochs=3, lora=4, rate=2e-2, checkpoint_every=2)
        given: dict[str, Any] = {"held": HELD, "settings": settings}

        def stop(progress: TrainingProgress) -> None:
            if progress.step == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train_retriever(base, TRAIN, tmp_path / "parts", on_progress=stop, **given)
        one, other = (train_retriever(base, TRAIN, tmp_path / name, **given) for name in ("parts", "through"))
        assert one.digest == other.digest
        assert losses(one)[1] < losses(one)[0]
        assert Encoder(one.folder).embed(["水"]).shape == (1, 32)

    def test_long_and_odd_texts_are_counted_and_trained(self, base: str, tmp_path: Path) -> None:
        odd = Triplet("\ud800 water", "فقط " * 400, "水 " * 500, "", "x", "\udfff", "冷 " * 2)
        trained = train_retriever(base, [*TRAIN, odd._replace(query_negative="آ")], tmp_path / "out", settings=QUICK)
        assert trained.truncated_pairs == 2
        assert trained.truncated_passages == 1

    def test_a_split_trains(self, base: str, tmp_path: Path) -> None:
        train, held, _ = split_triplets(TRIPLETS, 0.3)
        assert train_retriever(base, train, tmp_path / "out", held=held, settings=QUICK).held == len(held)
