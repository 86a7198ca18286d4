"""Families stay together, shares come near, and rows that are added move nobody."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchinstruct_graph.datasets.split import assign, parse_shares
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.words import same_text

SHARES = {"train": 0.9, "test": 0.1}


def pairs(families: int, each: int) -> list[tuple[str, str]]:
    return [
        (f"family-{family}", f"question {family} of {number}") for family in range(families) for number in range(each)
    ]


def test_shares() -> None:
    assert parse_shares("train=0.9,test=0.1") == SHARES
    assert list(parse_shares(" train = 0.8 , validation=0.1, test=.1")) == ["train", "validation", "test"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train", "'train' is not name=share"),
        ("train=0.9,test=0.2", "sum to 1.1, not to 1"),
        ("train=1.5,test=-0.5", "'train=1.5' is not name=share"),
        ("train=1,test=0", "'test=0' is not name=share"),
        ("train=0.5,train=0.5", "names 'train' twice"),
        ("train=nan,test=0.1", "'train=nan' is not"),
        ("../x=0.5,test=0.5", "is not name=share"),
        ("", "'' is not name=share"),
    ],
)
def test_shares_that_make_no_sense(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_shares(text)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60)), min_size=1, max_size=120),
    st.sampled_from([SHARES, {"train": 0.8, "validation": 0.1, "test": 0.1}, {"a": 0.5, "b": 0.5}]),
    st.integers(0, 5),
)
@settings(deadline=None, max_examples=150)
def test_no_family_and_no_instruction_is_on_two_sides(
    rows: list[tuple[int, int]], shares: dict[str, float], seed: int
) -> None:
    given_rows = [(f"f{family}", f"Question number {text}?") for family, text in rows]
    try:
        sides = assign(given_rows, shares, seed)
    except UsageError:
        return
    by_text: dict[str, set[str]] = {}
    for family, text in given_rows:
        by_text.setdefault(text, set()).add(sides(family))
    assert all(len(found) == 1 for found in by_text.values())
    held = Counter(sides(family) for family, _ in given_rows)
    assert dict(sides.rows) == {name: held[name] for name in shares}
    assert all(sides.rows.values())
    shuffled = random.Random(seed).sample(given_rows, len(given_rows))
    again = assign(shuffled, shares, seed)
    assert all(again(family) == sides(family) for family, _ in given_rows)


def test_families_that_ask_the_same_are_one() -> None:
    rows = [
        *pairs(200, 3),
        ("family-1", "چرا آسمان آبی است؟"),
        ("family-2", "چرا آسمان آبي است"),
        ("family-3", "Why is the SKY blue?!"),
        ("family-4", "why is  the sky “blue”"),
    ]
    for seed in range(20):
        sides = assign(rows, {"train": 0.5, "test": 0.5}, seed)
        assert sides("family-1") == sides("family-2")
        assert sides("family-3") == sides("family-4")


def test_what_has_no_words_is_not_all_one() -> None:
    assert same_text("???") != same_text("!!!")
    assert same_text("Why?") == same_text("why")
    assert same_text("为什么天空是蓝色的？") == same_text("为什么天空是蓝色的")


@pytest.mark.parametrize("families", [2, 3, 10, 20, 100, 1_000])
def test_the_shares_come_near(families: int) -> None:
    for seed in range(20):
        held = assign(pairs(families, 5), SHARES, seed).rows
        share = held["test"] / (families * 5)
        # A third of the share, or the family that it takes to be there at all.
        assert abs(share - 0.1) <= max(0.1 / 3, 1 / families) + 1e-9
        assert held["test"] > 0


def test_a_family_too_large_for_a_side_is_on_the_other() -> None:
    rows = [*(("giant", f"giant {number}") for number in range(500)), *pairs(50, 10)]
    for seed in range(50):
        for shares in (SHARES, {"test": 0.1, "train": 0.9}, {"a": 0.1, "b": 0.8, "c": 0.1}):
            sides = assign(rows, shares, seed)
            largest = max(shares, key=lambda name: shares[name])
            assert sides("giant") == largest
            assert all(60 <= sides.rows[name] <= 140 for name in shares if name != largest)


def test_a_growing_dataset_keeps_its_sides() -> None:
    before = assign(pairs(2_000, 2), SHARES, seed=1)
    after = assign([*pairs(2_000, 5), *((f"late-{n}", f"late {n}") for n in range(3_000))], SHARES, seed=1)
    assert all(before(f"family-{n}") == after(f"family-{n}") for n in range(2_000))


def test_a_small_dataset_moves_few() -> None:
    before = assign(pairs(20, 5), SHARES)
    after = assign(pairs(20, 9), SHARES)
    moved = [n for n in range(20) if before(f"family-{n}") != after(f"family-{n}")]
    assert len(moved) <= 1


def test_another_seed_is_another_split() -> None:
    one, other = (assign(pairs(100, 1), SHARES, seed) for seed in (1, 2))
    assert any(one(f"family-{n}") != other(f"family-{n}") for n in range(100))


def test_too_few_families_to_split() -> None:
    with pytest.raises(UsageError, match="12 rows in 1 family cannot be split into train, test"):
        assign([("seed", f"question {n}") for n in range(12)], SHARES)
    with pytest.raises(UsageError, match="2 rows in 1 family"):
        assign([("a", "Same question?"), ("b", "same question")], SHARES)
    with pytest.raises(UsageError, match="0 rows in 0 families"):
        assign([], SHARES)


def test_a_family_that_was_not_there_has_no_side() -> None:
    with pytest.raises(KeyError):
        assign(pairs(5, 1), SHARES)("family-99")
