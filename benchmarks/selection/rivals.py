"""Orders of reading that need no extraction: by chance, by nearness to the target, by the words of its questions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.text.words import stems

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Order = NDArray[np.int64]

K1, B = 1.5, 0.75


def by_chance(count: int, seed: int) -> Order:
    """Any order of `count` documents."""
    import numpy as np

    return np.random.default_rng(seed).permutation(count)


def by_centroid(documents: Vectors, target: Vectors) -> Order:
    """Nearest to the mean of the target first."""
    import numpy as np

    return np.argsort(-(documents @ target.mean(axis=0)), kind="stable")


def by_nearest(documents: Vectors, target: Vectors) -> Order:
    """By the cosine to the nearest pair of the target."""
    import numpy as np

    return np.argsort(-(documents @ target.T).max(axis=1), kind="stable")


def word_index(stemmed: Sequence[Sequence[str]]) -> tuple[Any, dict[str, int]]:
    """BM25 over documents given as stems, and its vocabulary."""
    import bm25s

    vocabulary: dict[str, int] = {}
    ids = [[vocabulary.setdefault(word, len(vocabulary)) for word in words] for words in stemmed]
    model = bm25s.BM25(k1=K1, b=B, method="lucene")
    model.index((ids, vocabulary), create_empty_token=False, show_progress=False)
    return model, vocabulary


def by_words(stemmed: Sequence[Sequence[str]], questions: Sequence[str]) -> dict[str, Order]:
    """BM25 with the target's questions: by the best score over them, and each question's next best in turn."""
    import numpy as np

    model, vocabulary = word_index(stemmed)
    asked = [
        [vocabulary[word] for word in dict.fromkeys(stems(text, "en")) if word in vocabulary] for text in questions
    ]
    scores = np.stack([model.get_scores_from_ids(ids) for ids in asked if ids])
    ranked = np.argsort(-scores, axis=1, kind="stable")
    in_turn = dict.fromkeys(chain.from_iterable(zip(*ranked.tolist(), strict=True)))
    return {
        "BM25, best score": np.argsort(-scores.max(axis=0), kind="stable"),
        "BM25, in turn": np.array(list(in_turn), dtype=np.int64),
    }
