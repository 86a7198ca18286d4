"""Embeddings by name: `wordllama` from inside the package, a provider through LangChain, or a folder with a trained retriever.

An embedder is synchronous and thread-safe; callers on an event loop run it in a thread.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from searchinstruct_graph.errors import ProviderError, UsageError
from searchinstruct_graph.finetuning import as_embedded, quietly
from searchinstruct_graph.models.joining import RECORD, Join, saved_retriever
from searchinstruct_graph.models.retry import redact

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from searchinstruct_graph.models.rescoring import Rescorer

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


class SearchEmbedder(Embedder, Protocol):
    """An embedder with what a search that is given an instruction needs of it."""

    @property
    def join(self) -> Join:
        """How a query and its instruction become the text that is embedded."""
        ...

    def head(self) -> Rescorer | None:
        """What puts the first passages of a search with an instruction in a new order; None where the vectors have to obey."""
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
    join: Join = "plain"
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

    def head(self) -> Rescorer | None:
        from searchinstruct_graph.models.rescoring import default_rescorer

        return default_rescorer()

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


class _Headed:
    """The static vectors with a trained head: an index of `wordllama` serves it as it is."""

    join: Join = "plain"

    def __init__(self, head: Rescorer) -> None:
        self._vectors = embeddings("wordllama")
        self._head = head
        self.name = self._vectors.name
        self.dimensions = self._vectors.dimensions

    def head(self) -> Rescorer | None:
        return self._head

    def trust(self, language: str) -> float:
        return self._vectors.trust(language)

    def embed(self, texts: Sequence[str]) -> Vectors:
        return self._vectors.embed(texts)


class _LangChain:
    """An embedder behind any LangChain `Embeddings`."""

    join: Join = "plain"

    def __init__(self, name: str, model: Any) -> None:
        self.name = name
        self._model = model
        self._dimensions: int | None = None

    @property
    def dimensions(self) -> int:
        if self._dimensions is None:
            self._dimensions = int(self.embed(["dimensions"]).shape[1])
        return self._dimensions

    def head(self) -> Rescorer | None:
        return None

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


def _provided(name: str) -> SearchEmbedder:
    provider, _, model = name.partition(":")
    if provider not in _PROVIDERS or not model:
        known = ", ".join(["wordllama", *(f"{each}:MODEL" for each in _PROVIDERS), "the folder of a trained retriever"])
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


class _Encoder:
    """A SentenceTransformer in a folder, with queries and instructions joined as it was trained."""

    def __init__(self, name: str, model: Any, join: Join) -> None:
        self.name = name
        self.join: Join = join
        self._model = model
        self.dimensions = int(self.embed(["dimensions"]).shape[1])

    def head(self) -> Rescorer | None:
        return None

    def trust(self, language: str) -> float:
        """As much as BM25, as any contextual model."""
        return 1.0

    def embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        plain = list(map(as_embedded, texts))
        return _unit(self._model.encode(plain, show_progress_bar=False, convert_to_numpy=True))


_MODULES, _CONFIG = "modules.json", "config.json"
"""What a folder holds that SentenceTransformer can load."""


def _saved(folder: Path) -> SearchEmbedder:
    """The trained retriever, or the SentenceTransformer, in a folder."""
    saved = saved_retriever(folder)
    if saved.kind == "rescorer":
        from searchinstruct_graph.models.rescoring import HEAD, load_rescorer

        head = load_rescorer(folder / HEAD)
        if len(head.matrix) != _WordLlama.dimensions:
            raise UsageError(
                f"embedding '{folder}': its head is for vectors of {len(head.matrix)} numbers, those of wordllama have "
                f"{_WordLlama.dimensions}; train it again"
            )
        return _Headed(head)
    if saved.join == "attention":
        raise UsageError(
            f"embedding '{folder}' joins queries and instructions by attention, which no vector index can serve; "
            "train it with --join plain or labelled"
        )
    if importlib.util.find_spec("sentence_transformers") is None:
        raise UsageError(
            f"embedding '{folder}' needs another package: pip install 'searchinstruct-graph[train]' (or [local])"
        )
    from sentence_transformers import SentenceTransformer

    try:
        with quietly():
            model = SentenceTransformer(str(folder))
        return _Encoder(f"{folder}{_MARK}{_digest(folder)}", model, saved.join)
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(f"embedding '{folder}' cannot be loaded: {reason[0]}") from error


_MARK = "#"
"""Stands between a folder and the digest of what is in it: two encoders at one path do not share an index."""


def _digest(folder: Path) -> str:
    """Of every file that a model is loaded from; what is written about it may change."""
    import hashlib

    found = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and each.suffix != ".md"):
        found.update(f"{path.relative_to(folder).as_posix()}\n{path.stat().st_size}\n".encode("utf-8", "surrogatepass"))
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                found.update(block)
    return found.hexdigest()[:16]


def _folder(name: str) -> Path | None:
    """The folder that a name means, resolved; None for a name that is no path.

    Raises:
        UsageError: it looks like a path, and there is no folder, or none with a model in it.
    """
    path = Path(name).expanduser()
    if name.partition(":")[0] in _PROVIDERS or not name.strip() or "\x00" in name:
        return None
    if path.is_dir():
        folder = path.resolve()
        if not any((folder / name).is_file() for name in (RECORD, _MODULES, _CONFIG)):
            raise UsageError(
                f"embedding '{folder}': the folder holds no retriever ({RECORD}) and no SentenceTransformer ({_MODULES}); "
                "name what train-retriever has saved"
            )
        return folder
    if path.is_file():
        raise UsageError(f"embedding {name!r} is a file; name the folder that train-retriever has saved")
    if os.sep in name or name.startswith((".", "~")):
        raise UsageError(f"embedding {name!r}: there is no such folder; name what train-retriever has saved")
    return None


def shown_name(name: str) -> str:
    """An embedder's name as a person gives it: without the digest of a folder."""
    return name.partition(_MARK)[0]


_loaded: dict[str, SearchEmbedder] = {}
# A head loads the vectors that it is for.
_loading = threading.RLock()


def embeddings(name: str = "wordllama") -> SearchEmbedder:
    """The embedder called `name`: `wordllama`, `openai:MODEL`, `ollama:MODEL`, `huggingface:MODEL`, or the folder of a retriever
    that `train-retriever` has saved or that SentenceTransformer loads.

    Loaded once per process, a folder again when its files have changed. Raises UsageError for an unknown name, a missing
    package (names the extra), a missing key (names the variable), and a folder that holds no retriever.
    """
    folder = None if name == "wordllama" else _folder(name)
    key = f"{folder}\n{_stamp(folder)}" if folder else name
    with _loading:
        if key not in _loaded:
            make: Callable[[], SearchEmbedder] = _WordLlama if name == "wordllama" else lambda: _provided(name)
            _loaded[key] = _saved(folder) if folder else make()
        return _loaded[key]


def _stamp(folder: Path) -> str:
    """Changes when a file of the folder may have changed."""
    stats = ((path, path.stat()) for path in sorted(folder.rglob("*")))
    return " ".join(f"{path.name}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}" for path, stat in stats)


def word_rarity(word: str) -> float:
    """How rare a word is by the embedded default's vectors: near 2 for function words, above 10 for rare ones."""
    embedder = embeddings("wordllama")
    assert isinstance(embedder, _WordLlama)
    return embedder.rarity(word)
