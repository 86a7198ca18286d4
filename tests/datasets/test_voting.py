"""The vote over the samples of an answer."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchinstruct_graph.datasets.voting import MOST_OPEN, Tally, decided, open_vote, tally, temperatures
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.text.answers import Form

A, B = "A", "B"


@pytest.mark.parametrize(
    ("answers", "share", "index"),
    [
        ([A, A, B, None, A], 3 / 5, 0),
        ([A, A, None, None, None], 2 / 5, 0),
        ([B, A, A], 2 / 3, 1),
        ([B, A], 1 / 2, 0),
        ([A, "", A], 1.0, 0),
        ([None, A], 1 / 2, 1),
    ],
)
def test_the_share_counts_abstentions_and_not_empty_responses(
    answers: list[str | None], share: float, index: int
) -> None:
    found = tally(answers, "choice")
    assert (found.share, found.index) == (share, index)
    assert found.majority == answers[index]


def test_nobody_answered() -> None:
    for answers in ([], [None, None], ["", None]):
        found = tally(answers, "number")
        assert found == Tally(None, 0.0, -1, [])
        assert not found.holds(0.1)


def test_equal_answers_do_not_split_the_vote() -> None:
    found = tally(["50 %", "0.4", "1/2", "0.5", "0.4"], "number")
    assert found.groups == [[0, 2, 3], [1, 4]]
    assert found.holds(0.6)


def test_temperatures_cycle() -> None:
    assert temperatures(5) == [0.7, 0.8, 0.9, 0.7, 0.8]


@pytest.mark.parametrize(
    ("answers", "total", "threshold", "done"),
    [
        ([A, A, A], 5, 0.6, True),
        ([A, A], 5, 0.6, False),
        ([A, A], 5, 0.4, False),  # three of B would overtake
        ([A, A, B], 5, 0.4, False),
        ([B, A, A, A], 5, 0.4, True),
        ([None, None], 5, 0.8, True),
        ([None, None, A], 5, 0.6, False),
        ([A, B, None], 5, 0.8, True),
        ([], 5, 0.6, False),
        ([A, B], 2, 0.6, True),
    ],
)
def test_sampling_stops_when_the_outcome_is_sure(
    answers: list[str | None], total: int, threshold: float, done: bool
) -> None:
    assert decided(answers, total, threshold, "choice") is done


def test_a_unit_yet_to_be_stated_can_undo_a_lead() -> None:
    assert not decided(["5 km", "5", "5"], 5, 0.6, "number")
    assert tally(["5 km", "5", "5", "5 miles", "5 miles"], "number").index == 1
    assert decided(["5", "5", "5"], 5, 0.6, "number")


def test_a_percentage_yet_to_be_stated_can_undo_or_unite() -> None:
    assert not decided(["50 %", "50", "50 %", "50 %"], 5, 0.8, "number")
    assert tally(["50 %", "50", "50 %", "50 %", "5000 %"], "number").share == 3 / 5
    assert not decided(["0.05", "5"], 4, 1.0, "number")
    assert tally(["0.05", "5", "5", "5 %"], "number").share == 1.0


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.1, float("nan")])
def test_a_threshold_outside_0_and_1_is_refused(threshold: float) -> None:
    with pytest.raises(UsageError, match="vote threshold"):
        decided([A], 5, threshold, "choice")


NUMBERS = [
    "5",
    "5 km",
    "5 miles",
    "5000",
    "5000 m",
    "50",
    "50 %",
    "0.5",
    "1/2",
    "5000 %",
    "0.5 %",
    "five",
    "unclear",
    "1",
]
POOLS: list[tuple[Form, list[str]]] = [
    ("choice", ["A", "B", "C"]),
    ("number", NUMBERS),
    ("number", ["5", "5 km", "5 miles"]),
    ("number", ["0.5", "50", "50 %", "5000 %", "7 km"]),
    ("text", [*NUMBERS, "Rome", "the Rome"]),
]


@settings(max_examples=1_000, deadline=None)
@given(st.data())
def test_stopping_early_changes_neither_the_decision_nor_the_answer(data: st.DataObject) -> None:
    form, known = data.draw(st.sampled_from(POOLS))
    pool = data.draw(st.lists(st.sampled_from([*known, None, ""]), min_size=1, max_size=4))
    answers = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=9))
    threshold = data.draw(st.one_of(st.sampled_from([1 / 3, 0.4, 0.5, 0.6, 2 / 3, 0.8, 1.0]), st.floats(0.01, 1.0)))
    full = tally(answers, form)
    for drawn in range(len(answers)):
        if decided(answers[:drawn], len(answers), threshold, form):
            early = tally(answers[:drawn], form)
            assert early.holds(threshold) == full.holds(threshold)
            if full.holds(threshold):
                assert early.index == full.index


@settings(deadline=None)
@given(st.lists(st.sampled_from([*NUMBERS, None]), max_size=7), st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_the_order(answers: list[str | None], shuffler: random.Random) -> None:
    order = list(range(len(answers)))
    shuffler.shuffle(order)
    mixed = tally([answers[place] for place in order], "number")
    plain = {frozenset(group) for group in tally(answers, "number").groups}
    assert {frozenset(order[member] for member in group) for group in mixed.groups} == plain
    assert mixed.share == tally(answers, "number").share


BRIDGE = [
    "The bridge was closed because its bearings had rusted through.",
    "Its bearings had rusted through, so the bridge was closed.",
    "The city ran out of money for the night ferry.",
    None,
    "Because the bearings of the bridge had rusted through, it was closed.",
]


def test_open_answers_that_agree_are_one_group() -> None:
    found = open_vote(BRIDGE, embeddings("wordllama"))
    assert sorted(found.groups[0]) == [0, 1, 4]
    assert found.share == 3 / 5
    assert found.index in (0, 1, 4)
    assert found.majority == BRIDGE[found.index]


def test_numbers_and_negation_forbid_what_embeddings_would_link() -> None:
    embedder = embeddings("wordllama")
    apart = ["The wall is 12 metres high today.", "The wall is 14 metres high today."]
    assert len(open_vote(apart, embedder).groups) == 2
    denied = ["The old harbour is safe for swimmers.", "The old harbour is not safe for swimmers."]
    assert len(open_vote(denied, embedder).groups) == 2


def test_a_chain_of_links_is_no_group() -> None:
    # The second agrees with both others, whose numbers exclude one another.
    chain = ["The mill opened in 1802.", "The mill opened.", "The mill opened in 1850."]
    found = open_vote(chain, embeddings("wordllama"))
    assert len(found.groups[0]) == 2
    assert sum(map(len, found.groups)) == 3


def test_open_groups_do_not_depend_on_the_order() -> None:
    embedder = embeddings("wordllama")
    expected = {frozenset(BRIDGE[member] for member in group) for group in open_vote(BRIDGE, embedder).groups}
    chosen = open_vote(BRIDGE, embedder).majority
    for mixed in permutations(BRIDGE):
        found = open_vote(mixed, embedder)
        assert {frozenset(mixed[member] for member in group) for group in found.groups} == expected
        assert found.majority == chosen


def test_open_votes_have_a_limit_and_an_empty_case() -> None:
    embedder = embeddings("wordllama")
    assert open_vote([None, ""], embedder).index == -1
    with pytest.raises(UsageError, match="open answers"):
        open_vote(["Yes."] * (MOST_OPEN + 1), embedder)
    assert open_vote(["Yes, it is so."] * MOST_OPEN, embedder).share == 1.0
