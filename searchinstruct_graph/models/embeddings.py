"""Embeddings by name: `wordllama` from inside the package, or a provider through LangChain.

An embedder is synchronous and thread-safe; callers on an event loop run it in a thread.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from searchinstruct_graph.errors import ProviderError, UsageError
from searchinstruct_graph.models.retry import redact

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into unit vectors, so that a dot product is a cosine."""

    @property
    def name(self) -> str:
        """The name it was asked for by; an index remembers it."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of one vector. May call a remote model once."""
        ...

    def trust(self, language: str) -> float:
        """How far its rankings of text in `language` (ISO 639-1) count beside BM25's, which count 1."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One float32 row of unit length (or all zeros: a text without a known token) per text, in order."""
        ...


def _unit(vectors: Any) -> Vectors:
    import numpy as np

    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    np.divide(rows, length, out=rows, where=length > 0)
    return rows


class _WordLlama:
    """The mean of static token vectors (github.com/dleemiller/WordLlama).

    Reads the two files that the wordllama package carries. Its own loader imports an HTTP client and sets up root
    logging, and pads every batch to its longest text; this one starts three times as fast and pools without padding.
    """

    name = "wordllama"
    dimensions = 256
    _BATCH = 256

    def __init__(self) -> None:
        import numpy as np
        from safetensors import safe_open
        from tokenizers import Tokenizer

        found = importlib.util.find_spec("wordllama")
        if found is None or not found.submodule_search_locations:
            raise UsageError("embedding 'wordllama': the package wordllama is missing; pip install wordllama")
        home = found.submodule_search_locations[0]
        with safe_open(os.path.join(home, "weights", "l2_supercat_256.safetensors"), framework="np") as weights:
            self._table = np.ascontiguousarray(weights.get_tensor("embedding.weight"), dtype=np.float32)
        self._tokenizer = Tokenizer.from_file(os.path.join(home, "tokenizers", "l2_supercat_tokenizer_config.json"))
        # It would remember whole sentences, up to 70 MB in every thread, and be slower for it.
        if forget := getattr(self._tokenizer.model, "_resize_cache", None):
            forget(0)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def trust(self, language: str) -> float:
        """Static English vectors beside BM25: 0.4 in English, 0.2 elsewhere.

        The values lie in the middle of wide plateaus over seven test sets in four languages (benchmarks/retrieval.py).
        """
        return 0.4 if language == "en" else 0.2

    def embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for at in range(0, len(texts), self._BATCH):
            batch = [_encodable(text) for text in texts[at : at + self._BATCH]]
            for offset, encoding in enumerate(self._tokenizer.encode_batch_fast(batch, add_special_tokens=False)):
                if encoding.ids:
                    self._table[encoding.ids].mean(axis=0, out=rows[at + offset])
        return _unit(rows)

    def rarity(self, word: str) -> float:
        """Norm of the summed token vectors over the root of their number: small for frequent words, above 10 for rare ones."""
        import numpy as np

        ids = self._tokenizer.encode(_encodable(word), add_special_tokens=False).ids
        return float(np.linalg.norm(self._table[ids].sum(axis=0)) / len(ids) ** 0.5) if ids else 0.0


def _encodable(text: str) -> str:
    """`text` with lone surrogates replaced: the Rust tokenizer refuses what UTF-8 cannot carry."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


class _LangChain:
    """An embedder behind any LangChain `Embeddings`."""

    def __init__(self, name: str, model: Any) -> None:
        self.name = name
        self._model = model
        self._dimensions: int | None = None

    @property
    def dimensions(self) -> int:
        if self._dimensions is None:
            self._dimensions = int(self.embed(["dimensions"]).shape[1])
        return self._dimensions

    def trust(self, language: str) -> float:
        """As much as BM25: contextual models understand most languages, and do not lose rare names to an average."""
        return 1.0

    def embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        try:
            return _unit(self._model.embed_documents([_encodable(text) for text in texts]))
        except Exception as error:
            detail = redact(f"{type(error).__name__}: {error}")
            raise ProviderError(f"embedding {self.name!r} cannot be computed: {detail}") from None


# provider: (module that must be importable, pip extra, variable that must be set)
_PROVIDERS: dict[str, tuple[str, str, str | None]] = {
    "openai": ("langchain_openai", "openai", "OPENAI_API_KEY"),
    "ollama": ("langchain_ollama", "ollama", None),
    "huggingface": ("langchain_huggingface", "local", None),
}


def _provided(name: str) -> Embedder:
    provider, _, model = name.partition(":")
    if provider not in _PROVIDERS or not model:
        known = ", ".join(["wordllama", *(f"{each}:MODEL" for each in _PROVIDERS)])
        raise UsageError(f"unknown embedding {name!r}; known are {known}")
    module, extra, key = _PROVIDERS[provider]
    if importlib.util.find_spec(module) is None:
        raise UsageError(f"embedding {name!r} needs another package: pip install 'searchinstruct-graph[{extra}]'")
    if key and not os.environ.get(key):
        raise UsageError(f"embedding {name!r} needs a key: set the environment variable {key}")
    from langchain.embeddings import init_embeddings

    try:
        return _LangChain(name, init_embeddings(model, provider=provider))
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(f"embedding {name!r} cannot be loaded: {reason[0]}") from error


_loaded: dict[str, Embedder] = {}
_loading = threading.Lock()


def embeddings(name: str = "wordllama") -> Embedder:
    """The embedder called `name`: `wordllama`, `openai:MODEL`, `ollama:MODEL` or `huggingface:MODEL`.

    Loaded once per process. Raises UsageError for an unknown name, a missing package (names the extra) or a missing
    key (names the variable).
    """
    with _loading:
        if name not in _loaded:
            make: Callable[[], Embedder] = _WordLlama if name == "wordllama" else lambda: _provided(name)
            _loaded[name] = make()
        return _loaded[name]


def word_rarity(word: str) -> float:
    """How rare a word is by the embedded default's vectors: near 2 for function words, above 10 for rare ones."""
    embedder = embeddings("wordllama")
    assert isinstance(embedder, _WordLlama)
    return embedder.rarity(word)
