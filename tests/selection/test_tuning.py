"""Tuning an encoder on the warm-up's pairs. What trains needs the `train` extra and is skipped without it."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.finetuning import rate_share
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.selection import tuning
from searchinstruct_graph.selection.tuning import (
    RECORD,
    TuningProgress,
    batches,
    checked_encoder,
    no_negatives,
    step_count,
    tune_encoder,
    tuned_encoder,
)
from tests.support.tiny_encoder import needs_training, write_encoder

# Documents are Persian, their pairs English or Chinese: without training nothing tells which belong together.
TOPICS = {
    "آب": "water 水",
    "نان": "bread 面包",
    "کوه": "mountain 山",
    "درخت": "tree 树",
    "باران": "rain 雨",
    "خانه": "house 房子",
    "کتاب": "book 书",
    "ماهی": "fish 鱼",
    "ستاره": "star 星星",
    "راه": "road 路",
}


class Warmup(NamedTuple):
    documents: list[str]
    questions: list[str]
    owner: list[int]


def made(which: list[tuple[str, str]]) -> Warmup:
    """A document about two things each, with two pairs that name them in other languages."""
    documents, questions, owner = [], [], []
    for index, (one, other) in enumerate(which):
        documents.append(f"این متن درباره {one} و {other} است")
        for place in (0, 1):
            words = TOPICS[one].split()[place], TOPICS[other].split()[place]
            questions.append(f"{words[0]} {words[1]} ?\n{words[1]} {words[0]}")
            owner.append(index)
    return Warmup(documents, questions, owner)


def both() -> tuple[Warmup, Warmup]:
    """The warm-up, and documents about other twos of the same things."""
    every = list(combinations(TOPICS, 2))
    held = every[::4]
    return made([two for two in every if two not in held]), made(held)


def recall(folder: str, given: Warmup) -> float:
    """Share of the documents whose nearest pair is their own."""
    embedder = embeddings(f"huggingface:{folder}")
    scores = embedder.embed(given.documents) @ embedder.embed(given.questions).T
    return float(np.mean([given.owner[best] == index for index, best in enumerate(scores.argmax(axis=1))]))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A BERT of two layers with random weights and a vocabulary of the texts' own words."""
    one, other = both()
    words = {word for given in (one, other) for text in given.documents + given.questions for word in text.split()}
    return write_encoder(tmp_path_factory.mktemp("base") / "tiny", words)


FAST: dict[str, Any] = {"epochs": 30, "batch": 16, "rate": 5e-3}


@pytest.fixture(scope="module")
def tuned(base: str, tmp_path_factory: pytest.TempPathFactory) -> tuning.TunedEncoder:
    return tune_encoder(base, *both()[0], tmp_path_factory.mktemp("runs") / "tuned", **FAST)


class TestWithoutTraining:
    def test_the_base_of_an_embedding(self) -> None:
        assert checked_encoder("huggingface:BAAI/bge-base-en-v1.5") == "BAAI/bge-base-en-v1.5"
        assert checked_encoder("huggingface:/models/with:colon") == "/models/with:colon"

    @pytest.mark.parametrize(
        "name", ["wordllama", "openai:text-embedding-3-small", "ollama:bge-m3", "huggingface:", ""]
    )
    def test_an_embedding_without_weights_is_refused(self, name: str) -> None:
        with pytest.raises(UsageError, match=r"cannot be tuned: only huggingface:MODEL"):
            checked_encoder(name)

    def test_a_missing_package_names_the_extra(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "torch", None)
        with pytest.raises(UsageError, match=r"pip install 'searchinstruct-graph\[train\]'"):
            tune_encoder("base", *both()[0], tmp_path / "out")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("documents", "questions", "owner", "message"),
        [
            (["a", "b"], ["q", "r"], [0], "2 pairs, but 1 owners"),
            (["a", "b"], ["q", "r"], [0, 2], "pair 1 belongs to document 2, but there are 2 documents"),
            (["a", "b"], ["q", "r"], [0, -1], "pair 1 belongs to document -1"),
            (["a", "b"], ["q", "r"], [0, 0], "at least 2 documents, and has pairs of 1"),
            (["a", "a"], ["q", "r"], [0, 1], "at least 2 documents, and has pairs of 1"),
            (["a", " \n"], ["q", "r"], [0, 1], "at least 2 documents, and has pairs of 1"),
            (["a", "b"], ["q", " \n"], [0, 1], "at least 2 documents, and has pairs of 1"),
            ([], [], [], "at least 2 documents, and has pairs of 0"),
        ],
    )
    def test_input_that_does_not_fit_together(
        self, tmp_path: Path, documents: list[str], questions: list[str], owner: list[int], message: str
    ) -> None:
        with pytest.raises(UsageError, match=message):
            tune_encoder("base", documents, questions, owner, tmp_path / "out")

    @pytest.mark.parametrize(
        "setting",
        [
            {"epochs": 0},
            {"batch": 1},
            {"rate": 0.0},
            {"rate": math.nan},
            {"temperature": -1.0},
            {"temperature": math.inf},
            {"seed": -1},
        ],
    )
    def test_settings_that_cannot_train(self, tmp_path: Path, setting: dict[str, Any]) -> None:
        with pytest.raises(UsageError, match=f"tuning: {next(iter(setting))} must be"):
            tune_encoder("base", *both()[0], tmp_path / "out", **setting)

    def test_a_folder_of_something_else_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "letter.txt").write_text("mine")
        with pytest.raises(UsageError, match="holds no tuned encoder"):
            tune_encoder("base", *both()[0], tmp_path)
        (tmp_path / RECORD).write_text("[]")
        with pytest.raises(UsageError, match="holds no tuned encoder"):
            tuned_encoder(tmp_path)
        assert (tmp_path / "letter.txt").read_text() == "mine"


class TestBatches:
    @given(st.lists(st.integers(0, 9), min_size=2, max_size=80), st.integers(2, 20), st.integers(0, 3))
    @settings(max_examples=60, deadline=None)
    def test_every_pair_stands_once_and_none_alone(self, owner: list[int], size: int, seed: int) -> None:
        found = list(batches(np.array(owner), size, np.random.default_rng(seed)))
        assert sorted(np.concatenate(found).tolist()) == list(range(len(owner)))
        assert len(found) == step_count(len(owner), size)
        assert all(2 <= len(chosen) <= size + 1 for chosen in found)

    def test_the_pairs_of_a_document_are_spread(self) -> None:
        owner = np.repeat(np.arange(40), 4)
        for seed in range(20):
            for chosen in batches(owner, 10, np.random.default_rng(seed)):
                assert np.bincount(owner[chosen]).max() <= 2
        first, second = (np.concatenate(list(batches(owner, 10, np.random.default_rng(seed)))) for seed in (0, 1))
        assert not np.array_equal(first, second)

    def test_own_and_equal_pairs_are_no_negatives(self) -> None:
        pairs = tuning.Pairs(
            ["a", "b", "c"], ["p", "q", "p", "r", "s"], np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 2, 3])
        )
        masked = no_negatives(np.array([0, 2, 1, 4]), pairs)
        assert masked.astype(int).tolist() == [[0, 1, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
        assert no_negatives(np.array([3, 2]), pairs).all(axis=0).tolist() == [False, False]

    def test_the_rate_rises_and_falls(self) -> None:
        shares = [rate_share(step, 50, 0.1) for step in range(50)]
        assert shares[0] == pytest.approx(0.2)
        assert max(shares) == shares[4] == 1.0
        assert shares[4:] == sorted(shares[4:], reverse=True)
        assert 0 < shares[-1] < 0.03
        assert rate_share(0, 1, 0.1) == 1.0


@needs_training
class TestTraining:
    def test_documents_find_pairs_of_their_own(self, base: str, tuned: tuning.TunedEncoder) -> None:
        warmup, held = both()
        assert recall(base, warmup) < 0.2
        assert recall(base, held) < 0.3
        assert recall(tuned.folder, warmup) > 0.9
        assert recall(tuned.folder, held) > 0.6
        assert tuned.loss_after < 0.5 * tuned.loss_before
        assert (tuned.documents, tuned.pairs, tuned.steps) == (33, 66, 30 * 5)
        assert (tuned.dimensions, tuned.base) == (32, base)

    def test_the_folder_is_a_model(self, tuned: tuning.TunedEncoder) -> None:
        library = pytest.importorskip("sentence_transformers")
        model = library.SentenceTransformer(tuned.folder)
        texts = both()[0].questions[:3]
        own = model.encode([text.replace("\n", " ") for text in texts], normalize_embeddings=True)
        assert np.allclose(own, embeddings(tuned.embedding).embed(texts), atol=1e-5)
        assert tuned_encoder(Path(tuned.folder)) == tuned

    def test_a_seed_gives_equal_weights(self, base: str, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        short: dict[str, Any] = {"epochs": 1, "batch": 16, "rate": 1e-3}
        digests = []
        for name, seed in (("one", 3), ("two", 3), ("three", 4)):
            torch.rand(5)
            digests.append(tune_encoder(base, *both()[0], tmp_path / name, seed=seed, **short).digest)
        assert digests[0] == digests[1] != digests[2]

    def test_the_callers_random_numbers_go_on(self, base: str, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        state = torch.random.get_rng_state()
        expected = torch.rand(3)
        torch.random.set_rng_state(state)
        tune_encoder(base, *both()[0], tmp_path / "out", epochs=1)
        assert torch.equal(torch.rand(3), expected)
        assert not torch.are_deterministic_algorithms_enabled()

    def test_gradients_of_parts_are_the_gradient_of_the_whole(self, base: str) -> None:
        torch = pytest.importorskip("torch")
        pairs = tuning._examined(*both()[0])
        batch = tuning._batch(np.arange(20), pairs)
        model = tuning._Model(base)
        whole = torch.cat([model._encoded(batch.texts, [at]) for at in range(len(batch.texts))])
        tuning._loss(torch, batch, whole, 0.05).backward()
        expected = [weight.grad.clone() for weight in model.weights() if weight.grad is not None]
        for weight in model.weights():
            weight.grad = None
        vectors = model.vectors(batch.texts).requires_grad_()
        tuning._loss(torch, batch, vectors, 0.05).backward()
        model.backward(batch.texts, vectors.grad)
        found = [weight.grad for weight in model.weights() if weight.grad is not None]
        assert len(found) == len(expected) > 20
        assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(found, expected, strict=True))

    def test_the_loss_is_the_formula(self) -> None:
        torch = pytest.importorskip("torch")
        batch = tuning._Batch([], np.array([0, 1, 1]), np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], dtype=bool))
        vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [1.0, 0.0], [0.0, 1.0]])
        first = -math.log(math.exp(0.6 / 0.5) / (math.exp(0.6 / 0.5) + math.exp(1.0 / 0.5)))
        second = -math.log(math.exp(0.0) / (math.exp(0.0) + math.exp(1.0 / 0.5)))
        third = -math.log(math.exp(1.0 / 0.5) / (math.exp(0.8 / 0.5) + math.exp(1.0 / 0.5)))
        assert float(tuning._loss(torch, batch, vectors, 0.5)) == pytest.approx((first + second + third) / 3, rel=1e-5)

    def test_a_finished_folder_is_handed_back(self, base: str, tuned: tuning.TunedEncoder) -> None:
        def never(progress: TuningProgress) -> None:
            raise AssertionError("it was trained again")

        again = tune_encoder(base, *both()[0], Path(tuned.folder), on_progress=never, **FAST)
        assert again == tuned
        with pytest.raises(UsageError, match="other pairs or settings"):
            tune_encoder(base, *both()[1], Path(tuned.folder), **FAST)

    def test_progress_and_an_early_end(self, base: str, tmp_path: Path) -> None:
        seen: list[TuningProgress] = []

        def stop(progress: TuningProgress) -> None:
            seen.append(progress)
            if progress.step == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            tune_encoder(base, *both()[0], tmp_path / "out", epochs=2, batch=16, on_progress=stop)
        assert [(each.step, each.steps) for each in seen] == [(1, 10), (2, 10), (3, 10)]
        assert all(math.isfinite(each.loss) and each.loss > 0 for each in seen)
        assert not list(tmp_path.iterdir())

    # A fresh process imports torch, which may take long on a busy machine.
    @pytest.mark.timeout(400)
    def test_a_killed_run_leaves_no_folder(self, base: str, tmp_path: Path) -> None:
        script = (
            "import json, os, signal, sys\n"
            "from pathlib import Path\n"
            "from searchinstruct_graph.selection.tuning import tune_encoder\n"
            "base, out, *warmup = json.loads(sys.stdin.read())\n"
            "halfway = lambda seen: seen.step == 3 and os.kill(os.getpid(), signal.SIGKILL)\n"
            "tune_encoder(base, *warmup, Path(out), epochs=1, batch=16, on_progress=halfway)\n"
        )
        told = json.dumps([base, str(tmp_path / "out"), *both()[0]])
        single = {**os.environ, "OMP_NUM_THREADS": "1"}
        ended = subprocess.run([sys.executable, "-c", script], input=told, text=True, capture_output=True, env=single)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        assert not list(tmp_path.iterdir())

    def test_what_a_kill_left_while_writing_is_cleared(
        self, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        out, kept = tmp_path / "out", tmp_path / "kept"

        def looked(folder: Path) -> str:
            assert (folder / "model.safetensors").exists()
            assert not out.exists()
            folder.rename(kept)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(tuning, "weights_digest", looked)
            with pytest.raises(KeyboardInterrupt):
                tune_encoder(base, *both()[0], out, epochs=1)
        (kept / "junk").write_text("half a file")
        kept.rename(tmp_path / ".out.part")
        tuned = tune_encoder(base, *both()[0], out, epochs=1)
        assert tuned == tuned_encoder(out)
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        assert not (out / "junk").exists()

    def test_odd_texts_and_uneven_documents(self, base: str, tmp_path: Path) -> None:
        warmup = both()[0]
        documents = [*warmup.documents, "آب " * 5_000, "\ud800 نان", warmup.documents[0]]
        questions = [*warmup.questions, *(f"water {number}" for number in range(60)), "bread \udfff", "水 面包"]
        owner = [*warmup.owner, *[33] * 60, 34, 35]
        tuned = tune_encoder(base, documents, questions, owner, tmp_path / "out", epochs=1, batch=8)
        assert (tuned.documents, tuned.pairs) == (35, 128)
        assert math.isfinite(tuned.loss_before)
        assert math.isfinite(tuned.loss_after)
        assert np.isfinite(embeddings(tuned.embedding).embed(documents)).all()

    def test_a_base_that_cannot_be_loaded(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(UsageError, match="cannot be loaded"):
            tune_encoder(str(tmp_path / "empty"), *both()[0], tmp_path / "out")
        assert not (tmp_path / "out").exists()
