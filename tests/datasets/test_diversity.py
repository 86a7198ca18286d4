"""Diversity by its definitions, on texts small enough to count by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from searchinstruct_graph.datasets import diversity
from searchinstruct_graph.models.embeddings import embeddings


def unit(rows: list[list[float]]) -> NDArray[np.float32]:
    made = np.array(rows, dtype=np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def test_distinct_counts_runs_of_words() -> None:
    texts = [["the", "bell", "rings"], ["the", "bell", "sleeps"]]
    assert diversity.distinct(texts, 1) == pytest.approx(4 / 6)
    assert diversity.distinct(texts, 2) == pytest.approx(3 / 4)
    assert diversity.distinct(texts, 4) is None


def test_the_vendi_score_is_the_number_of_different_texts() -> None:
    assert diversity.vendi_score(unit([[1, 0, 0]] * 5)) == pytest.approx(1.0, abs=1e-6)
    assert diversity.vendi_score(unit([[1, 0, 0], [0, 1, 0], [0, 0, 1]])) == pytest.approx(3.0, abs=1e-6)
    assert diversity.vendi_score(unit([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]])) == pytest.approx(2.0, abs=1e-6)
    assert diversity.vendi_score(np.zeros((0, 3), dtype=np.float32)) is None


@settings(max_examples=30)
@given(st.integers(2, 12), st.integers(0, 1_000))
def test_the_mean_cosine_is_that_of_all_pairs(count: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(count, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    products = vectors @ vectors.T
    pairs = [float(products[a, b]) for a in range(count) for b in range(count) if a != b]
    assert diversity.mean_cosine(vectors) == pytest.approx(math.fsum(pairs) / len(pairs), abs=1e-5)


def test_texts_without_a_known_word_are_left_out() -> None:
    kept, vectors = diversity.embedded(["The bell rings.", ""], embeddings())
    assert kept.tolist() == [0]
    assert vectors.shape == (1, 256)
