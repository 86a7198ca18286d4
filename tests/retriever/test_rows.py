from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.retriever.rows import (
    Row,
    Split,
    Triplet,
    batch,
    batch_count,
    numbered,
    read_triplets,
    shuffled_instructions,
    split_plain,
    split_triplets,
    training_rows,
    without_instructions,
)
from searchinstruct_graph.text.words import same_text


def made(query: str, other: str = "", mark: str = "") -> Triplet:
    tail = f"{query} {mark}".strip()
    return Triplet(
        query, f"wanted {tail}", f"page {tail}", other or f"not {tail}", f"poison {tail}", f"one {tail}", f"two {tail}"
    )


def record(**changed: Any) -> dict[str, Any]:
    return {**made("rivers of the north")._asdict(), **changed}


class TestReading:
    def test_published_fields(self) -> None:
        told = record(id="t1", scores={"a": 1.0})
        assert read_triplets([told]) == [made("rivers of the north")]
        told["document"] = told.pop("document_positive")
        assert read_triplets([told]) == [made("rivers of the north")]

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"query_negative": None}, "triplet 2: query_negative is missing or blank"),
            ({"instruction_positive": " \n"}, "triplet 2: instruction_positive is missing or blank"),
            ({"document_positive": ["a"]}, "triplet 2: document_positive is no text"),
            ({"hard_negative_document_1": "page rivers of the north"}, "triplet 2: two of its three passages"),
        ],
    )
    def test_bad_records_are_named(self, changed: dict[str, Any], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            read_triplets([record(), record(**changed)])

    def test_three_rows(self) -> None:
        assert training_rows(made("q", "r")) == (
            Row("q", "wanted q", "page q"),
            Row("q", "poison q", "one q"),
            Row("r", "wanted q", "two q"),
        )

    def test_numbers_and_keys(self) -> None:
        assert numbered(["b", "a", "b"]) == (["b", "a"], [0, 1, 0])
        assert same_text("What is WATER?") == same_text("what is water")
        assert same_text("آب چیست؟") == same_text("آب چيست")
        assert same_text("؟!") != same_text("...")


class TestSplit:
    def test_siblings_stay_together(self) -> None:
        # Each query thrice; the poison of every tenth is the query after it.
        triplets = [
            made(f"question {at}", f"Question {at + 1}?" if at % 10 == 0 else "", str(turn))
            for at in range(100)
            for turn in range(3)
        ]
        dropped = 0
        for seed in range(5):
            split = split_triplets(triplets, 0.2, seed=seed)
            assert len(split.train) + len(split.held) + split.dropped == 300
            assert len(split.held) == 60
            shown = {same_text(text) for each in split.train for text in (each.query_positive, each.query_negative)}
            assert not shown & {same_text(each.query_positive) for each in split.held}
            assert split.dropped % 3 == 0
            dropped += split.dropped
        assert dropped > 0
        assert split_triplets(triplets, 0.2, seed=1) == split_triplets(triplets, 0.2, seed=1)
        assert split_triplets(triplets, 0.2, seed=1) != split_triplets(triplets, 0.2, seed=2)

    def test_poisons_from_anywhere_do_not_make_one_family(self) -> None:
        triplets = [made(f"q{at}", f"q{(7 * at + 3) % 50}") for at in range(50)]
        train, held, dropped = split_triplets(triplets, 0.2)
        assert len(held) == 10
        assert 0 < dropped <= 10
        assert len(train) >= 30

    def test_case_and_punctuation_do_not_part_a_query(self) -> None:
        triplets = [made(text, mark=str(at)) for at in range(10) for text in (f"river {at}?", f"River {at}")]
        held = Counter(same_text(each.query_positive) for each in split_triplets(triplets, 0.3).held)
        assert set(held.values()) == {2}

    def test_families_of_the_callers_own(self) -> None:
        triplets = [made(f"q{at}") for at in range(40)]
        families = [str(at // 4) for at in range(40)]
        held = {each.query_positive for each in split_triplets(triplets, 0.25, families=families).held}
        assert len(held) == 8
        assert all(len({f"q{4 * family + at}" for at in range(4)} & held) in (0, 4) for family in range(10))

    @pytest.mark.parametrize("share", [0.0, 1.0, -0.5])
    def test_a_share_that_is_none(self, share: float) -> None:
        with pytest.raises(UsageError, match="held-out share"):
            split_triplets([made("a"), made("b")], share)

    def test_one_query_cannot_be_split(self) -> None:
        with pytest.raises(UsageError, match="2 triplets in 1 families"):
            split_triplets([made("a"), made("a", mark="x")], 0.5)
        with pytest.raises(UsageError, match="2 triplets, but 1 families"):
            split_triplets([made("a"), made("b")], 0.5, families=["x"])


class TestPlainSplit:
    SPLIT = Split([made("trained", "poison of trained")], [made("Held?", "poison of held")], 0)
    PAIRS: ClassVar[list[tuple[str, str]]] = [
        *((f"free {at}", f"page {at}") for at in range(6)),
        ("free 0", "another page"),
        ("held", "its page"),
        ("Poison of held", "its page"),
        ("trained", "its page"),
    ]

    def test_what_triplets_hold_out_comes_first_and_is_not_trained_on(self) -> None:
        found = split_plain(self.PAIRS, self.SPLIT, 0.4)
        assert len(found.held) in (4, 5)
        assert {"held", "Poison of held"} <= {query for query, _ in found.held}
        assert {same_text(query) for query, _ in found.held}.isdisjoint(same_text(query) for query, _ in found.train)
        assert ("trained", "its page") in found.train
        assert (len(found.train) + len(found.held), found.dropped) == (len(self.PAIRS), 0)
        assert found == split_plain(self.PAIRS, self.SPLIT, 0.4)
        others = {split_plain(self.PAIRS, self.SPLIT, 0.4, seed=seed).held[0] for seed in range(20)}
        assert len(others) > 1

    def test_what_does_not_fit_is_dropped(self) -> None:
        found = split_plain(self.PAIRS, self.SPLIT, 0.4, most=1)
        assert (len(found.train), len(found.held), found.dropped) == (8, 1, 1)
        nothing = split_plain(self.PAIRS, self.SPLIT, 0.0)
        assert (len(nothing.train), nothing.held, nothing.dropped) == (8, [], 2)
        assert split_plain([], self.SPLIT, 0.4) == ([], [], 0)


class TestControls:
    def test_without_instructions(self) -> None:
        [blank] = without_instructions([made("q")])
        assert (blank.instruction_positive, blank.instruction_negative) == ("", "")
        assert blank._replace(instruction_positive="wanted q", instruction_negative="poison q") == made("q")

    @given(st.integers(2, 30), st.integers(0, 5))
    def test_nobody_keeps_their_instructions(self, count: int, seed: int) -> None:
        triplets = [made(f"q{at}") for at in range(count)]
        shuffled = shuffled_instructions(triplets, seed)
        for one, other in zip(triplets, shuffled, strict=True):
            assert other.instruction_positive != one.instruction_positive
            assert other.instruction_negative == other.instruction_positive.replace("wanted", "poison")
            assert other.document_positive == one.document_positive
        assert {each.instruction_positive for each in triplets} == {each.instruction_positive for each in shuffled}

    def test_one_cannot_be_shuffled(self) -> None:
        with pytest.raises(UsageError, match="2 triplets or more"):
            shuffled_instructions([made("q")])


PLAIN = [(f"plain {at}", f"text {at}") for at in range(7)]


class TestBatches:
    @given(st.integers(1, 30), st.integers(1, 8), st.sampled_from([0.0, 0.5, 2.0]), st.integers(0, 3))
    def test_every_triplet_once_an_epoch_and_siblings_together(
        self, count: int, size: int, ratio: float, seed: int
    ) -> None:
        triplets = [made(f"q{at}") for at in range(count)]
        for epoch in (0, 1):
            met: Counter[str] = Counter()
            for place in range(batch_count(count, size)):
                step = epoch * batch_count(count, size) + place
                rows, example = batch(triplets, PLAIN, step, size=size, ratio=ratio, seed=seed)
                assert len(rows) == len(example)
                for at in range(0, 3 * (int(example.max()) + 1), 3):
                    assert len(set(example[at : at + 3].tolist())) == 1
                    [whole] = [each for each in triplets if each.document_positive == rows[at].passage]
                    assert tuple(rows[at : at + 3]) == training_rows(whole)
                    met[whole.query_positive] += 1
                plain = [row for row, number in zip(rows, example, strict=True) if number < 0]
                assert len(plain) == round(ratio * 3 * size)
                assert all((row.query, row.passage) in PLAIN and not row.instruction for row in plain)
            assert set(met.values()) == {1}
            assert len(met) == count

    def test_plain_rows_go_round(self) -> None:
        triplets = [made(f"q{at}") for at in range(20)]
        met: Counter[str] = Counter()
        for step in range(7):
            rows, example = batch(triplets, PLAIN, step, size=1, ratio=1.0)
            met.update(row.query for row, number in zip(rows, example, strict=True) if number < 0)
        assert set(met.values()) == {3}
        assert len(met) == 7

    def test_a_batch_depends_on_its_place_and_the_seed(self) -> None:
        triplets = [made(f"q{at}") for at in range(20)]

        def drawn(step: int, seed: int) -> list[Row]:
            return batch(triplets, PLAIN, step, size=4, ratio=0.5, seed=seed).rows

        assert drawn(3, 1) == drawn(3, 1)
        assert len({tuple(drawn(step, seed)) for step in (0, 3, 5) for seed in (0, 1)}) == 6

    def test_without_plain_rows(self) -> None:
        rows, example = batch([made("q")], [], 5, size=4, ratio=1.0)
        assert len(rows) == 3
        assert np.array_equal(example, [0, 0, 0])
