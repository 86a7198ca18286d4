"""Which documents of an index are outside of what an instruction asks, and of which their metadata do not say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from searchinstruct_graph.text.constraints import Constraint, Facts, judged

from .store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Sieve:
    """The verdicts of some constraints on all documents of one index."""

    outside: frozenset[str]
    """Keys of the documents that are known to be outside of a constraint."""
    unknown: frozenset[str]
    """Keys of the others of which a constraint does not know."""
    dropped_by: tuple[int, ...]
    """Documents outside, for each constraint."""
    unknown_to: tuple[int, ...]
    """Documents whose metadata do not say, for each constraint."""
    chunks: NDArray[np.int64]
    """Ids of the chunks of the documents outside."""
    vectors: frozenset[str]
    """Keys of the vectors of all other chunks; empty when no document is outside."""

    @classmethod
    def of(
        cls, store: Store, prefix: str, constraints: Sequence[Constraint], languages: Sequence[str] | None = None
    ) -> Sieve:
        """Judge every document in `store`, whose URIs begin with `prefix`; `languages` are theirs, in the order of their ids."""
        import numpy as np

        outside: dict[int, str] = {}
        unknown: set[str] = set()
        dropped_by, unknown_to = [0] * len(constraints), [0] * len(constraints)
        for id_, key, facts in _facts(store, prefix, {each.kind for each in constraints}, languages):
            for at, constraint in enumerate(constraints):
                verdict = judged(constraint, facts)
                if verdict == "outside":
                    outside[id_] = key
                    dropped_by[at] += 1
                elif verdict == "unknown":
                    unknown.add(key)
                    unknown_to[at] += 1
        gone = frozenset(outside.values())
        places = store.chunk_places() if outside else []
        chunks = np.array([chunk for chunk, document, _ in places if document in outside], dtype=np.int64)
        vectors = frozenset(vector for _, document, vector in places if document not in outside)
        return cls(gone, frozenset(unknown - gone), tuple(dropped_by), tuple(unknown_to), chunks, vectors)


def _facts(
    store: Store, prefix: str, kinds: set[str], languages: Sequence[str] | None
) -> Iterator[tuple[int, str, Facts]]:
    """(id, key, facts) of every document; texts are read only where a constraint asks."""
    texts = store.texts() if "length" in kinds else None
    for at, (id_, key, published, declared, url, _) in enumerate(store.told()):
        # All go by id.
        text = next(texts)[1] if texts else ""
        language = languages[at] if languages else declared
        yield id_, key, Facts(prefix + key, published, language, url, text)
