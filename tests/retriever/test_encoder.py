"""Joining queries with instructions. What embeds needs the `train` extra and is skipped without it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.joining import Join, joined, saved_join
from searchinstruct_graph.retriever import encoder as module
from searchinstruct_graph.retriever.encoder import Encoder, Input, Pair, States
from tests.support.tiny_encoder import needs_training, write_encoder

WORDS = "river hill sea only long short north آب کوه 水 山 Instruct: Query: bridge".split()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_encoder(tmp_path_factory.mktemp("base") / "tiny", WORDS)


class TestWithoutTraining:
    def test_a_missing_package_names_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "torch", None)
        with pytest.raises(UsageError, match=r"pip install 'searchinstruct-graph\[train\]'"):
            Encoder("base")


def slow_attention(instruction: NDArray[np.float64], query: NDArray[np.float64]) -> NDArray[np.float64]:
    """The formula for one pair without padding, an instruction's token at a time."""
    total = np.zeros(query.shape[1])
    for state in instruction:
        weights = np.exp(query @ state / np.sqrt(query.shape[1]))
        total += (weights / weights.sum()) @ query
    found: NDArray[np.float64] = total / len(instruction)
    return found


@needs_training
class TestEncoder:
    def test_attention_is_the_formula_and_padding_is_not_seen(self) -> None:
        torch = pytest.importorskip("torch")
        random = np.random.default_rng(3)
        lengths = [(3, 5), (6, 1), (1, 4)]
        instructions, queries = random.normal(size=(3, 6, 8)), random.normal(size=(3, 5, 8))

        def states(values: NDArray[np.float64], side: int) -> States:
            valid = np.arange(values.shape[1]) < np.array([[each[side]] for each in lengths])
            return States(torch.tensor(values), torch.tensor(valid))

        found = module.attended(states(instructions, 0), states(queries, 1)).numpy()
        for at, (m, n) in enumerate(lengths):
            assert np.allclose(found[at], slow_attention(instructions[at, :m], queries[at, :n]))

    @pytest.mark.parametrize("join", ["plain", "labelled"])
    def test_joined_pairs_are_texts(self, base: str, join: Join) -> None:
        encoder = Encoder(base, join=join)
        queries, told = ["river", "کوه", "水"], ["only long", "", "north 山"]
        texts = [joined(*both, join) for both in zip(queries, told, strict=True)]
        assert np.allclose(encoder.embed_pairs(queries, told), encoder.embed(texts), atol=1e-6)

    def test_attention_carries_both_fields(self, base: str) -> None:
        encoder = Encoder(base, join="attention")
        found = encoder.embed_pairs(["river hill", "river hill", "river hill"], ["only long", "north", ""])
        assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        assert np.allclose(found[2], encoder.embed(["river hill"])[0], atol=1e-6)
        assert not np.allclose(found[0], found[1], atol=1e-3)
        # Not the text with the words put together, and not cut out of one: the same words parted otherwise differ.
        other = encoder.embed_pairs(["river"], ["hill only long"])[0]
        assert not np.allclose(found[0], other, atol=1e-3)

    @pytest.mark.parametrize("join", ["plain", "attention"])
    def test_the_order_and_the_company_do_not_matter(self, base: str, join: Join) -> None:
        encoder = Encoder(base, join=join)
        encoder.at_once = 3
        queries = ["river", "hill sea " * 9, "", "آب", "水 山", "bridge north"] * 2
        told = ["only", "", "long " * 12, "کوه", "", "short"] * 2
        together = encoder.embed_pairs(queries, told)
        alone = [encoder.embed_pairs([one], [other])[0] for one, other in zip(queries, told, strict=True)]
        assert np.allclose(together, alone, atol=1e-5)
        assert encoder.embed([]).shape == (0, encoder.dimensions)

    @pytest.mark.parametrize("join", ["plain", "labelled", "attention"])
    def test_saved_and_loaded(self, base: str, tmp_path: Path, join: Join) -> None:
        library = pytest.importorskip("sentence_transformers")
        encoder = Encoder(base, join=join)
        encoder.save(tmp_path)
        again = Encoder(str(tmp_path))
        assert again.join == saved_join(tmp_path) == join
        queries, told = ["river", "sea"], ["only long", "north"]
        assert np.allclose(again.embed_pairs(queries, told), encoder.embed_pairs(queries, told), atol=1e-6)
        texts = ["river of the north", "کوه\nآب"]
        plain = library.SentenceTransformer(str(tmp_path)).encode(
            [text.replace("\n", " ") for text in texts], normalize_embeddings=True
        )
        assert np.allclose(again.embed(texts), plain, atol=1e-5)
        product = embeddings(f"huggingface:{tmp_path}").embed(texts)
        assert np.allclose(again.embed(texts), product, atol=1e-5)

    def test_what_loses_its_end_is_counted(self, base: str) -> None:
        encoder = Encoder(base, pair_tokens=8, passage_tokens=12)
        # [CLS] and [SEP] take two.
        inputs: list[Input] = [Pair("river", "long " * 5), Pair("river", "long " * 6), "sea " * 10, "sea " * 11]
        assert [encoder.truncated([one]) for one in inputs] == [0, 1, 0, 1]
        assert encoder.truncated(inputs) == 2
        apart = Encoder(base, join="attention", pair_tokens=8)
        assert [apart.truncated([Pair("river", "long " * count)]) for count in (6, 7)] == [0, 1]
        most = encoder.embed_pairs(["river"], ["long " * 5])
        assert np.allclose(most, encoder.embed_pairs(["river"], ["long " * 500]), atol=1e-6)

    def test_odd_texts(self, base: str) -> None:
        encoder = Encoder(base)
        found = encoder.embed_pairs(["\ud800 river", "", "a" * 10_000, "\n"], ["\udfff", "", "\x00", "水" * 3_000])
        assert np.isfinite(found).all()

    def test_a_base_that_cannot_be_loaded(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot be loaded"):
            Encoder(str(tmp_path))

    def test_low_rank_parts_are_merged_into_the_weights(self, base: str, tmp_path: Path) -> None:
        pytest.importorskip("peft")
        torch = pytest.importorskip("torch")
        encoder = Encoder(base)
        whole, before = sum(weight.numel() for weight in encoder.weights()), encoder.embed(["river"])
        encoder.add_lora(2)
        assert 0 < sum(weight.numel() for weight in encoder.weights()) < whole / 3
        assert np.allclose(encoder.embed(["river"]), before, atol=1e-6)
        with torch.no_grad():
            for weight in encoder.weights():
                weight.add_(0.05)
        changed = encoder.embed(["river", "sea"])
        assert not np.allclose(changed[0], before[0], atol=1e-3)
        encoder.merge_lora()
        encoder.save(tmp_path)
        assert not json.loads((tmp_path / "config.json").read_text()).get("peft_type")
        assert np.allclose(Encoder(str(tmp_path)).embed(["river", "sea"]), changed, atol=1e-5)
