"""The support score: true statements above the threshold, turned ones below, in several languages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchinstruct_graph.models.support import Calibration, Piece, assess, calibration, support
from searchinstruct_graph.models.support.calibration import read_calibration
from searchinstruct_graph.models.support.features import FOR, Features, readings
from searchinstruct_graph.models.support.scoring import DIFFERS
from searchinstruct_graph.text.compare import CONFLICT_CAP, ENOUGH

FINAL = ["Arn beat Usk by three goals in the final of 1990."]
TOWER = ["The lighthouse of Karvel was built by Mara Denholm in three summers."]
TREATY = ["The treaty was signed in Usk on May 31, 1859."]

PAIRS = {
    "number": (
        "The dam was finished in 1936.",
        "The dam was finished in 1938.",
        ["The dam was completed in 1936 after five years of work."],
    ),
    "number in words": (
        "It was built by Mara Denholm in 3 summers.",
        "It was built by Mara Denholm in four summers.",
        TOWER,
    ),
    "ordinal": (
        "The church was built in the 16th century.",
        "The church was built in the 17th century.",
        ["The old church was built in the sixteenth century."],
    ),
    "season": (
        "They won the cup in 2018-19.",
        "They won the cup in 2020-21.",
        ["In the season 2018–2019 they won the cup."],
    ),
    "thousands apart": (
        "The hall holds 3,800 people.",
        "The hall holds 3,900 people.",
        ["The new hall holds 3, 800 people."],
    ),
    "unit": (
        "The bridge is 80 km long.",
        "The bridge is 80 miles long.",
        ["The bridge, which is 80 km long, has two roads."],
    ),
    "scale": (
        "About 5 million people live there.",
        "About 5 billion people live there.",
        ["Some 5 million people live there today."],
    ),
    "date": ("The treaty was signed on 31 May 1859.", "The treaty was signed on 31 July 1859.", TREATY),
    "date in digits": ("The treaty was signed on 1859-05-31.", "The treaty was signed on 1859-07-31.", TREATY),
    "name": (
        "The lighthouse was built by Mara Denholm.",
        "The lighthouse was built by Carla Denholm.",
        TOWER,
    ),
    "negation": (
        "The ferry runs in winter.",
        "The ferry does not run in winter.",
        ["The ferry also runs in winter, twice."],
    ),
    "opposite": ("Sales rose in 2019.", "Sales fell in 2019.", ["In 2019 sales rose for the third time in a row."]),
    "synonym of the opposite": (
        "The drug lowers blood pressure.",
        "The drug raises blood pressure.",
        ["In adults, the drug reduces blood pressure."],
    ),
    "order in time": (
        "The museum opened before the war.",
        "The museum opened after the war.",
        ["The museum opened to visitors before the war."],
    ),
    "comparative": (
        "Copper is heavier than iron.",
        "Iron is heavier than copper.",
        ["Copper is heavier than iron and lighter than gold."],
    ),
    "roles": ("Arn beat Usk in the final.", "Usk beat Arn in the final.", FINAL),
    "passive": (
        "Goats were brought to Karvel by monks.",
        "Monks were brought to Karvel by goats.",
        ["Monks brought goats to Karvel in the tenth century."],
    ),
    "two sentences": (
        "The dam of Arn was finished in 1936 and is owned by the city of Usk.",
        "The dam of Arn was finished in 1936 and cost nine million crowns.",
        ["The dam of Arn was finished in 1936. It is owned by the city of Usk. Boats are rented in June."],
    ),
    "Persian number": (
        "پل کارول در سال 1315 ساخته شد.",
        "پل کارول در سال ۱۳۱۶ ساخته شد.",
        ["پل کارول در سال ۱۳۱۵ به دست مهندسان ساخته شد. طول آن ۸۰ متر است."],
    ),
    "Persian negation": (
        "پل کارول در سال 1315 ساخته شد.",
        "پل کارول در سال ۱۳۱۵ ساخته نشد.",
        ["پل کارول در سال ۱۳۱۵ ساخته شد و ۸۰ متر طول دارد."],
    ),
    "Arabic number": ("بني الجسر عام 1936.", "بني الجسر عام 1937.", ["بني الجسر القديم عام 1936."]),
    "Chinese number": (
        "卡维尔大坝于1936年建成。",
        "卡维尔大坝于1937年建成。",
        ["卡维尔大坝高221米，于1936年建成。"],
    ),
    "German negation": (
        "Das Tor wurde 1901 geöffnet.",
        "Das Tor wurde 1901 nicht geöffnet.",
        ["Das alte Tor der Stadt wurde 1901 geöffnet."],
    ),
    "German comparative": (
        "Die Brücke ist älter als der Turm.",
        "Die Brücke ist jünger als der Turm.",
        ["Die Brücke ist zehn Jahre älter als der Turm."],
    ),
    "French order": (
        "Le pont a été construit avant la guerre.",
        "Le pont a été construit après la guerre.",
        ["Le pont de la ville a été construit avant la guerre."],
    ),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_the_true_one_is_carried_and_the_turned_one_is_not(kind: str) -> None:
    true, turned, evidence = PAIRS[kind]
    assert support(true, evidence) >= ENOUGH > support(turned, evidence)


@pytest.mark.parametrize(
    ("kind", "claimed", "held"),
    [
        ("unit", "80 mi", "80 km"),
        ("scale", "5 billion", "5 million"),
        ("name", "Carla", "Mara"),
        ("opposite", "fell", "rose"),
        ("negation", "not run", "runs"),
        ("roles", "usk", "arn"),
        ("German comparative", "jünger", "älter"),
    ],
)
def test_what_differs_is_told_with_what_stands_in_its_place(kind: str, claimed: str, held: str) -> None:
    true, turned, evidence = PAIRS[kind]
    pieces = [Piece(text) for text in evidence]
    assert (claimed, held) in [each[1:] for each in assess(turned, pieces).differences]
    assert assess(true, pieces).differences == ()


def test_another_unit_of_the_same_length_is_no_difference() -> None:
    pieces = [Piece("The bridge is 5 miles long and carries two roads.")]
    converted, wrong = assess("The bridge is 8 km long.", pieces), assess("The bridge is 8 m long.", pieces)
    assert converted.differences == ()
    assert converted.score > wrong.score < ENOUGH
    people = [Piece("The city has 5,000,000 people today.")]
    scaled, more = (assess(f"The city has {count} million people.", people) for count in (5, 6))
    assert scaled.differences == ()
    assert scaled.score > more.score < ENOUGH


def test_an_answer_of_a_few_words_is_held_against_its_question() -> None:
    tickets = ["Tickets cost 12 crowns. Children pay half."]
    assert support("12 crowns", tickets, "How much are tickets?") >= ENOUGH
    assert support("13 crowns", tickets, "How much are tickets?") < ENOUGH
    assert support("Ann Bell", ["The tower was built by Mara Denholm."], "Who built the tower?") < ENOUGH
    # A long wrong answer that repeats its question is no better for it.
    wrong = "The tower of Karvel was built by the famous Carl Hansen."
    right = "The tower was built by Mara Denholm."
    assert support(right, TOWER, "Who built the tower of Karvel?") > support(
        wrong, TOWER, "Who built the tower of Karvel?"
    )


def test_a_verbatim_part_is_certain_and_no_evidence_is_none() -> None:
    found = assess(
        "They eat  seaweed in winter.", [Piece("Goats live here."), Piece("Goats! They eat seaweed\nin winter.")]
    )
    assert (found.score, found.probability, found.piece, found.differences) == (1.0, 1.0, 1, ())
    assert support("大坝高221米。", ["卡维尔大坝于1936年建成，大坝高221米。"]) == 1.0
    assert support("Anything.", []) == 0.0
    assert support("Anything.", [""]) == 0.0
    assert support("", ["Some text."]) == 0.0
    assert support("…", ["Some text."]) == 0.0


def test_a_part_of_a_word_is_not_verbatim() -> None:
    assert support("Ann rowed", ["Joann rowed to the island."]) < 1.0
    assert support("Ann rowed", ["In spring Ann rowed to the island."]) == 1.0
    assert support("the port is open", ["The airthe port is opened."]) < 1.0


def test_headings_count_for_less_than_the_text() -> None:
    claim = "The lighthouse of Karvel opened in 1936."
    scores = [
        assess(claim, [piece]).score
        for piece in (
            Piece("The lighthouse of Karvel was opened in 1936."),
            Piece("It was opened in 1936.", "Lighthouse of Karvel"),
            Piece("It was opened in 1936."),
        )
    ]
    assert scores[0] > scores[1] > scores[2]


def test_one_sentence_that_agrees_is_enough_and_one_that_says_otherwise_is_not_talked_away() -> None:
    crews = [Piece("In 1990 the ferry had 3 crews."), Piece("In 1995 the ferry had 4 crews.")]
    assert assess("In 1995 the ferry had 4 crews in all.", crews).score >= ENOUGH
    mixed = assess("In 1990 the ferry had 4 crews.", crews)
    assert mixed.score < ENOUGH
    assert any(each.held for each in mixed.differences)


def test_the_sentence_that_decides_is_where_it_says() -> None:
    text = "Boats are rented in June. The dam was completed in 1936 after five years of work."
    found = assess("The dam was finished in 1936.", [Piece("Nothing of it."), Piece(text)])
    assert found.piece == 1
    assert text[found.start : found.end].startswith("The dam was completed")
    assert found.pieces[0] == 1


@pytest.mark.parametrize(
    "odd",
    [
        "\ud800 lone",
        "🜁" * 50,
        "ﷺ ٣٫٥ ۱۲۳",
        "ไทยไม่มีช่องว่าง",
        "1" * 400,
        "1.2.3.4",
        "½ x²",
        "\x00",
        "(" * 300,
        "a" * 3_000,
    ],
)
def test_no_text_breaks_it(odd: str) -> None:
    for claim, evidence in ((odd, "Plain words in 1936."), ("Plain words in 1936.", odd), (odd, odd)):
        assert 0.0 <= support(claim, [evidence]) <= 1.0
        assert 0.0 <= support(claim, [evidence], "What is it?") <= 1.0


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=120), st.text(max_size=30))
def test_any_text_gets_a_number_between_0_and_1(claim: str, evidence: str, question: str) -> None:
    found = assess(claim, [Piece(evidence, question)], question)
    assert 0.0 <= found.score <= 1.0
    assert 0.0 <= found.probability <= 1.0


NUMBERED = "The {a} crews of the ferry made {b} trips in {c}, and the dam is {d} metres high."
HELD = [
    "The 4 crews of the ferry made 310 trips in 1990. In 1991 the 5 crews made 280 trips.",
    "The dam of Usk is 221 metres high. It cost 12 million crowns in 1936.",
]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["4", "310", "1990", "221", "5", "280", "1991", "77", "1,936"]), min_size=4, max_size=4),
    st.integers(0, 3),
    st.integers(50_000, 99_999),
)
def test_a_number_from_nowhere_never_raises_the_score(values: list[str], place: int, nowhere: int) -> None:
    changed = [*values[:place], str(nowhere), *values[place + 1 :]]
    before, after = (NUMBERED.format(**dict(zip("abcd", each, strict=True))) for each in (values, changed))
    assert support(after, HELD) <= support(before, HELD)
    assert support(after, HELD) < ENOUGH


def test_the_lazy_comparison_gives_what_comparing_everything_gives() -> None:
    """`assess` stops comparing where no other sentence may score higher."""
    from searchinstruct_graph.models.support.scoring import probability

    weighed = calibration()
    for true, turned, evidence in PAIRS.values():
        for claim in (true, turned):
            pieces = [Piece(text) for text in evidence]
            found = assess(claim, pieces)
            if found.features is not None:
                best = max(probability(each.features, weighed) for each in readings(claim, pieces))
                assert found.probability == pytest.approx(best, abs=1e-4)


# The calibration


def test_the_shipped_calibration_speaks_for_and_against_as_it_must() -> None:
    found = calibration()
    assert set(found.weights) == set(Features._fields)
    assert all(weight >= 0 if name in FOR else weight <= 0 for name, weight in found.weights.items())
    assert DIFFERS < found.threshold < 1
    assert len(found.sets) >= 6
    assert found.command.startswith("python -m benchmarks.support")
    assert read_calibration(found.dump()) == found


def test_the_threshold_lies_where_every_judges_does() -> None:
    found = calibration()
    assert found.support(found.threshold) == ENOUGH
    assert found.support(0.0) == 0.0
    assert found.support(1.0) == pytest.approx(1.0)
    assert found.support(DIFFERS) < ENOUGH
    steps = [found.support(step / 50) for step in range(51)]
    assert steps == sorted(steps)
    assert CONFLICT_CAP < ENOUGH


def test_a_weight_of_the_wrong_sign_is_refused() -> None:
    good = calibration()
    for name, weight in (("sentence", -0.1), ("differs", 0.1)):
        with pytest.raises(ValueError, match="right sign"):
            Calibration(**{**{f: getattr(good, f) for f in good.__slots__}, "weights": {**good.weights, name: weight}})
