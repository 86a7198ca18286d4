import numpy as np
import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.embeddings import embeddings


def test_wordllama_gives_unit_rows_and_is_loaded_once() -> None:
    embedder = embeddings("wordllama")
    rows = embedder.embed(["a cat sat on the mat", "une chatte", "\ud800 lone surrogate"])
    assert rows.shape == (3, embedder.dimensions)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert embeddings("wordllama") is embedder


def test_wordllama_agrees_with_the_package_it_reads() -> None:
    import os

    import wordllama

    theirs = wordllama.WordLlama.load(cache_dir=os.path.dirname(wordllama.__file__), disable_download=True)
    texts = ["short", "a much longer text about rivers and the sea " * 20]
    assert np.allclose(embeddings("wordllama").embed(texts), theirs.embed(texts, norm=True), atol=1e-6)


def test_a_text_without_tokens_is_a_zero_row() -> None:
    assert not embeddings("wordllama").embed([""]).any()


@pytest.mark.parametrize("name", ["nonsense", "acme:model", "openai:", ""])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match="known are wordllama"):
        embeddings(name)


def test_a_missing_key_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError, match=r"OPENAI_API_KEY|\[openai\]"):
        embeddings("openai:text-embedding-3-small")


def test_a_missing_package_names_its_extra() -> None:
    pytest.importorskip("langchain")
    import importlib.util

    if importlib.util.find_spec("langchain_huggingface"):
        pytest.skip("the extra is installed here")
    with pytest.raises(UsageError, match=r"searchinstruct-graph\[local\]"):
        embeddings("huggingface:some/model")
