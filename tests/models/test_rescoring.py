from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.rescoring import (
    DEPTH,
    FEATURES,
    Reading,
    Rescorer,
    ask,
    features,
    load_rescorer,
    read_instruction,
)

Vectors = NDArray[np.float32]
INFINITY = math.inf
NOTHING = np.zeros((256, 256), np.float32)
"""A matrix that has learnt nothing."""


def embed(texts: Sequence[str]) -> Vectors:
    return embeddings("wordllama").embed(texts)


def described(query: str, instruction: str, *passages: str) -> dict[str, list[float]]:
    found = features(ask(query, instruction, embed), passages, embed(passages), NOTHING)
    return {name: found[:, at].tolist() for at, name in enumerate(FEATURES)}


class TestReading:
    @pytest.mark.parametrize(
        ("instruction", "wanted", "unwanted"),
        [
            ("Only field studies, not advertising by makers.", "only field studies", "not advertising by makers"),
            (
                "Prefer reviews rather than single reports; short ones",
                "prefer reviews short ones",
                "rather than single reports",
            ),
            ("Avoid animals. Children only", "children only", "avoid animals"),
            ("Nur Studien, ohne Werbung", "nur studien", "ohne werbung"),
            ("只要研究，不要广告", "只要研究", "不要广告"),
            ("فقط پژوهش، بدون تبلیغ", "فقط پژوهش", "بدون تبلیغ"),
            ("", "", ""),
        ],
    )
    def test_what_is_wanted_and_what_is_not(self, instruction: str, wanted: str, unwanted: str) -> None:
        from searchinstruct_graph.text.words import normal_form

        found = read_instruction(instruction)
        assert found[:2] == (normal_form(wanted), normal_form(unwanted))

    @pytest.mark.parametrize(
        ("instruction", "years"),
        [
            ("sources after 2015", (2015, INFINITY)),
            ("published before the year 1990", (-INFINITY, 1990)),
            ("between 1990 and 1999", (1990, 1999)),
            ("from 2001–2004 only", (2001, 2004)),
            ("reports in 2010", (2010, 2010)),
            ("since 2000, but not after 2010", (2000, 2010)),
            ("nothing from before 1950", (1950, INFINITY)),
            ("2015年以后的研究", (2015, INFINITY)),
            ("پس از این بعد از ۲۰۱۵", (2015, INFINITY)),
            ("after 2015, before 2010", None),
            ("articles of 300 words", None),
            ("rooms for 2015 guests", None),
        ],
    )
    def test_the_years_it_allows(self, instruction: str, years: tuple[float, float] | None) -> None:
        assert read_instruction(instruction).years == years

    def test_the_length_it_asks_for(self) -> None:
        asked = ("a brief summary", "a detailed report", "the long-term outlook", "short of breath")
        assert [read_instruction(each).length for each in asked] == [-1, 1, 0, 0]

    @given(st.text(max_size=200))
    def test_any_text(self, text: str) -> None:
        assert isinstance(read_instruction(text), Reading)

    def test_a_long_instruction_is_read_in_one_go(self) -> None:
        read_instruction("after " * 20_000 + "2015 " * 20_000 + "not " * 20_000 + " " * 50_000)


class TestFeatures:
    def test_years(self) -> None:
        found = described(
            "bridges", "built after 1950", "opened in 1960", "opened in 1930", "opened late", "1930 and 1960"
        )
        assert found["years"] == [1.0, -1.0, 0.0, 0.0]
        assert described("bridges", "of stone", "opened in 1960")["years"] == [0.0]

    def test_words(self) -> None:
        found = described("bridges", "made of granite, not of timber", "Granite bridges", "timber bridges", "bridges")
        assert found["words"][0] > found["words"][1] == found["words"][2] == 0.0
        assert found["unwanted_words"] == [0.0, 1.0, 0.0]
        assert found["wanted"][0] > found["wanted"][1]
        assert found["unwanted"][1] > found["unwanted"][0]

    def test_places_numbers_and_length(self) -> None:
        found = described("bridges", "a brief text on 12 arches", "12 arches", "with a great many arches")
        assert found["place"] == pytest.approx([-1.0, -math.log2(3)])
        assert found["numbers"] == [1.0, 0.0]
        assert found["length"][0] > found["length"][1]

    def test_what_is_beside_the_query(self) -> None:
        asked = ask("river bridges", "made of granite", embed)
        passages = ["granite bridges over the river", "river bridges, river bridges"]
        vectors = embed(passages)
        query, wanted = asked.vectors[0].astype(float), asked.vectors[2].astype(float)
        rest = wanted - (wanted @ query) * query
        for at, vector in enumerate(vectors.astype(float)):
            own = vector - (vector @ query) * query
            cosine = rest @ own / np.linalg.norm(rest) / np.linalg.norm(own)
            assert features(asked, passages, vectors, NOTHING)[at, FEATURES.index("beside")] == pytest.approx(
                cosine, abs=1e-4
            )

    def test_nothing_at_all(self) -> None:
        assert features(ask("", "", embed), [], np.zeros((0, 256), np.float32), NOTHING).shape == (0, len(FEATURES))
        assert np.isfinite(features(ask("", "", embed), ["", "آب", "水\x00"], embed(["", "آب", "水"]), NOTHING)).all()

    @given(st.text(max_size=60), st.text(max_size=60), st.lists(st.text(max_size=60), min_size=1, max_size=3))
    def test_any_texts(self, query: str, instruction: str, passages: list[str]) -> None:
        assert np.isfinite(features(ask(query, instruction, embed), passages, embed(passages), NOTHING)).all()


class TestHead:
    def test_what_lies_deep_stays(self) -> None:
        head = Rescorer(np.eye(len(FEATURES))[FEATURES.index("words")], NOTHING)
        passages = [f"plain text {at}" for at in range(DEPTH + 20)]
        passages[40] = passages[DEPTH + 5] = "of granite"
        order = head.order(ask("bridge", "granite", embed), passages, embed(passages))
        assert order == [40, *range(40), *range(41, DEPTH + 20)]

    def test_saved_and_loaded(self, tmp_path: Path) -> None:
        random = np.random.default_rng(0)
        head = Rescorer(random.normal(size=len(FEATURES)), random.normal(size=(256, 256)).astype(np.float32))
        head.save(tmp_path / "head.npz")
        again = load_rescorer(tmp_path / "head.npz")
        assert np.array_equal(again.weights, head.weights)
        assert np.array_equal(again.matrix, head.matrix)

    def test_files_that_are_none(self, tmp_path: Path) -> None:
        path = tmp_path / "head.npz"
        with pytest.raises(UsageError, match="no re-scorer that can be read"):
            load_rescorer(path)
        for content in (b"", b"PK half a file", b"{}"):
            path.write_bytes(content)
            with pytest.raises(UsageError, match="no re-scorer that can be read"):
                load_rescorer(path)
        np.savez(path, weights=np.ones(3))
        with pytest.raises(UsageError, match="no re-scorer that can be read"):
            load_rescorer(path)
        names, whole = np.array(FEATURES), np.ones(len(FEATURES))
        np.savez(path, weights=whole, matrix=np.eye(2), features=names[:3], version=np.array(1))
        with pytest.raises(UsageError, match="another version"):
            load_rescorer(path)
        np.savez(path, weights=whole, matrix=np.ones((2, 3)), features=names, version=np.array(1))
        with pytest.raises(UsageError, match="another version"):
            load_rescorer(path)
        np.savez(path, weights=whole * np.nan, matrix=np.eye(2), features=names, version=np.array(1))
        with pytest.raises(UsageError, match="not finite"):
            load_rescorer(path)
