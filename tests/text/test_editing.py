"""How far a text changed, where a name is mentioned, and putting another in its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.text.editing import (
    aliases,
    change,
    holds,
    indefinite,
    is_past,
    mentions,
    replaced,
    surname,
    whole_sentences,
)

TEXTS = st.text(alphabet=st.sampled_from("ab cd.,'5٣ßé東京都ไท\n\u200c\u0301😀\"(") | st.characters(), max_size=40)


@pytest.mark.parametrize(
    ("before", "after", "share", "changed"),
    [
        ("The mayor is Tom Vey.", "The mayor is Ruth Alder.", 4 / 12, ["Ruth Alder"]),
        ("It costs 1,200 euros.", "It costs 1200 euros.", 0.0, []),
        ("a b c", "a c", 1 / 5, []),
        ("a < b", "a <= b", 1 / 7, ["="]),
        ("市长是王伟。", "市长是李娜。", 4 / 12, ["李娜"]),
        ("شهردار رضا است", "شهردار آوا است", 2 / 6, ["آوا"]),
        ("one two", "three four", 1.0, ["three four"]),
        ("", "new", 1.0, ["new"]),
    ],
)
def test_the_share_that_changed_and_where(before: str, after: str, share: float, changed: list[str]) -> None:
    found = change(before, after)
    assert found.share == pytest.approx(share)
    assert [after[start:end] for start, end in found.spans] == changed


@given(TEXTS)
def test_nothing_changes_between_a_text_and_itself(text: str) -> None:
    assert change(text, text) == (0.0, [])


@given(TEXTS, TEXTS)
def test_a_change_is_bounded_and_the_same_both_ways(one: str, other: str) -> None:
    there, back = change(one, other), change(other, one)
    assert there.share == pytest.approx(back.share)
    assert 0 <= there.share <= 1


@given(TEXTS, TEXTS)
def test_spans_are_in_order_and_inside(one: str, other: str) -> None:
    spans = change(one, other).spans
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= start < end <= len(other) for start, end in spans)


def _longest(one: list[str], other: list[str]) -> int:
    """The length of a longest common subsequence, by the table that everybody knows."""
    row = [0] * (len(other) + 1)
    for left in one:
        last = row
        row = [0]
        for at, right in enumerate(other):
            row.append(last[at] + 1 if left == right else max(last[at + 1], row[-1]))
    return row[-1]


@given(st.lists(st.sampled_from("abcd"), max_size=14), st.lists(st.sampled_from("abcd"), max_size=14))
def test_the_share_is_that_of_a_longest_common_subsequence(one: list[str], other: list[str]) -> None:
    total = len(one) + len(other)
    expected = (total - 2 * _longest(one, other)) / total if total else 0.0
    assert change(" ".join(one), " ".join(other)).share == pytest.approx(expected)


@given(st.lists(st.sampled_from(["a", "b", "3.1", "东", "'s", "("]), max_size=14), st.text("ab (东", max_size=14))
def test_what_is_not_marked_was_there_before(old: list[str], after: str) -> None:
    before = " ".join(old)
    rest = after
    for start, end in change(before, after).spans:
        rest = f"{rest[:start]}{' ' * (end - start)}{rest[end:]}"
    assert change(before, rest).spans == []


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("the Lund Trust", ["Lund Trust"]),
        ("'utf-8'", ["utf-8"]),
        ("Dr. Ada Moss", ["Ada Moss"]),
        ("LIFO (last-in, first-out)", ["LIFO"]),
        ("Harbour Research Council (HRC)", ["Harbour Research Council", "HRC"]),
        ("Haldern Harbour Council", ["HHC"]),
        ("str(x)", []),
        ("北京", []),
    ],
)
def test_other_forms_of_a_name(name: str, others: list[str]) -> None:
    assert aliases(name) == [name, *others]


@pytest.mark.parametrize(
    ("name", "last"),
    [("Ada Moss", "Moss"), ("Dr. Ada M. Moss", "Moss"), ("Ludwig van Lund", "Lund"), ("Élise Ortéga", "Ortéga")],
)
def test_people_have_surnames(name: str, last: str) -> None:
    assert surname(name) == last


@pytest.mark.parametrize(
    "name",
    ["Haldern", "Haldern United", "New Haldern", "Python 3.12", "the modified traceback", "5 May 2025", "李 娜", ""],
)
def test_other_things_have_none(name: str) -> None:
    assert surname(name) == ""


@pytest.mark.parametrize(
    ("text", "name", "besides", "found"),
    [
        ("Ada Moss came. Moss left.", "Ada Moss", "", ["Ada Moss", "Moss"]),
        ("moss grows on Moss Road", "Ada Moss", "", ["Moss"]),
        ("version 3.11, not 3.1.", "3.1", "", ["3.1"]),
        ("it is 3.11rc1 now", "3.11", "", []),
        ("equals format(str(x), '') and str(x)", "str(x)", "format(str(x), '')", ["str(x)"]),
        ("equals format(str(x), '')", "format(str(x), '')", "str(x)", ["format(str(x), '')"]),
        ("Ruth Moss followed Ada Moss.", "Ada Moss", "Ruth Moss", ["Ada Moss"]),
        ('a "complex" number', "a complex number", "", ['a "complex" number']),
        ("read as 'utf-8' text", "'utf-8'", "", ["'utf-8'"]),
        ("1,350 seats", "1350", "", ["1,350"]),
        ("市长是李娜。", "李娜", "", ["李娜"]),
        ("anything", "", "", []),
    ],
)
def test_where_a_name_is_mentioned(text: str, name: str, besides: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in mentions(text, name, besides)] == found


def test_a_surname_alone_only_names_on_request() -> None:
    assert not holds("Moss decides.", "Ada Moss")
    assert holds("Moss decides.", "Ada Moss", surnames=True)


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        ("It is an apple.", "apple", "pear", "It is a pear."),
        ("A uniform is worn.", "uniform", "orange vest", "An orange vest is worn."),
        ("Tom Vey's car. Vey drives.", "Tom Vey", "Ruth Alder", "Ruth Alder's car. Alder drives."),
        ("Vey drives.", "Tom Vey", "Ruth Alder", "Ruth Alder drives."),
        ("The Rovers' owner", "Rovers", "Ada Moss", "Ada Moss's owner"),
        ("Read with the old code. The old code is slow.", "the old code", "utf-8", "Read with utf-8. utf-8 is slow."),
        ("The toll is nothing.", "nothing", "The usual fee", "The toll is the usual fee."),
        ("Nothing is paid.", "nothing", "four euros", "Four euros is paid."),
        ("It is format(str(x), '').", "format(str(x), '')", "str(x)", "It is str(x)."),
        ("No such name.", "Tom Vey", "Ruth Alder", "No such name."),
        ("市长是王伟。", "王伟", "李娜", "市长是李娜。"),
    ],
)
def test_a_name_is_replaced_and_its_grammar_mended(text: str, old: str, new: str, expected: str) -> None:
    assert replaced(text, old, new) == expected


@given(TEXTS, TEXTS, TEXTS)
def test_replacing_never_fails(text: str, old: str, new: str) -> None:
    after = replaced(text, old, new)
    if not mentions(text, old, new):
        assert after == text


@pytest.mark.parametrize(
    ("noun", "article"),
    [
        ("pear", "a"),
        ("apple", "an"),
        ("hour", "an"),
        ("harbour", "a"),
        ("union", "a"),
        ("uninvited guest", "an"),
        ("one-off", "a"),
        ("European", "a"),
        ("8 euro ticket", "an"),
        ("18th try", "an"),
        ("180 euro fine", "a"),
        ("FTP server", "an"),
        ("UTF-8 file", "a"),
        ('"old" file', "an"),
    ],
)
def test_a_or_an(noun: str, article: str) -> None:
    assert indefinite(noun) == article


def test_sentences_are_not_cut_inside_of_dotted_names() -> None:
    text = "Calling object.__format__ fails. It raises. 这是一句。这是第二句。"
    pieces = [text[start:end] for start, end in whole_sentences(text)]
    assert pieces == ["Calling object.__format__ fails.", "It raises.", "这是一句。", "这是第二句。"]


@pytest.mark.parametrize("text", ["formerly Tom Vey", "until 2019", "no longer so", "以前是王伟", "شهردار سابق"])
def test_words_that_say_what_is_over(text: str) -> None:
    assert is_past(text)
    assert not is_past("Ruth Alder is the mayor.")
