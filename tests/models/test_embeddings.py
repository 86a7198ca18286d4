import json
import sys
from pathlib import Path

import numpy as np
import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.embeddings import embeddings, shown_name
from searchinstruct_graph.models.joining import RECORD, joined
from searchinstruct_graph.models.rescoring import FEATURES, HEAD, Rescorer, default_rescorer
from tests.support.tiny_encoder import needs_training, write_encoder


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


def test_static_vectors_come_with_the_head_of_the_package() -> None:
    assert embeddings("wordllama").head() is default_rescorer()
    assert default_rescorer().weights.shape == (len(FEATURES),)
    assert (
        default_rescorer().weights[FEATURES.index("wanted")]
        > 0
        > default_rescorer().weights[FEATURES.index("unwanted")]
    )
    assert not default_rescorer().matrix.any()


def write_head(folder: Path, width: int = 256) -> Path:
    folder.mkdir(exist_ok=True)
    Rescorer(np.arange(len(FEATURES), dtype=float), np.zeros((width, width), np.float32)).save(folder / HEAD)
    (folder / RECORD).write_text('{"kind": "rescorer"}')
    return folder


def test_a_folder_with_a_head_is_the_static_vectors_with_it(tmp_path: Path) -> None:
    made = embeddings(str(write_head(tmp_path / "head")))
    assert (made.name, made.dimensions, made.trust("en")) == ("wordllama", 256, embeddings("wordllama").trust("en"))
    assert np.array_equal(made.embed(["river"]), embeddings("wordllama").embed(["river"]))
    head = made.head()
    assert head is not None
    assert head.weights.tolist() == list(range(len(FEATURES)))
    assert embeddings(str(tmp_path / "head")) is made


def test_a_head_that_was_trained_again_is_loaded_again(tmp_path: Path) -> None:
    first = embeddings(str(write_head(tmp_path / "head")))
    (tmp_path / "head" / HEAD).unlink()
    assert embeddings(str(write_head(tmp_path / "head"))) is not first


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "holds no retriever"),
        ({RECORD: "{}"}, "save the retriever again"),
        ({RECORD: '{"kind": "rescorer"}'}, "no re-scorer that can be read"),
        ({RECORD: '{"kind": "oracle", "join": "plain"}'}, "save the retriever again"),
        ({RECORD: '{"kind": "encoder", "join": "attention"}'}, "by attention"),
    ],
)
def test_a_folder_that_holds_nothing_of_use(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=said):
        embeddings(str(tmp_path))


def test_a_head_for_other_vectors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="its head is for vectors of 3 numbers"):
        embeddings(str(write_head(tmp_path / "head", 3)))


def test_an_encoder_without_its_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "sentence_transformers" in sys.modules:
        pytest.skip("the extra is installed here")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / "modules.json").write_text("[]")
    with pytest.raises(UsageError, match=r"searchinstruct-graph\[train\]"):
        embeddings(str(tmp_path))


@needs_training
def test_an_encoder_joins_as_it_was_trained_and_is_told_apart_by_its_files(tmp_path: Path) -> None:
    from searchinstruct_graph.retriever.encoder import Encoder

    base = write_encoder(tmp_path / "tiny", "river hill only long Instruct: Query:".split())
    plain = embeddings(base)
    assert (plain.join, plain.head(), plain.trust("fa")) == ("plain", None, 1.0)
    saved = tmp_path / "saved"
    Encoder(base, join="labelled").save(saved)
    made = embeddings(str(saved))
    assert made.join == "labelled"
    assert shown_name(made.name) == str(saved.resolve())
    texts = ["river", "", "long\nhill \ud800"]
    assert np.allclose(made.embed(texts), Encoder(str(saved)).embed(texts), atol=1e-5)
    pair = made.embed([joined("river", "only long", made.join)])
    assert np.allclose(pair, Encoder(str(saved)).embed_pairs(["river"], ["only long"]), atol=1e-5)
    assert made.embed([]).shape == (0, made.dimensions)
    (saved / RECORD).write_text(json.dumps({"kind": "encoder", "join": "plain"}))
    assert embeddings(str(saved)).name != made.name
