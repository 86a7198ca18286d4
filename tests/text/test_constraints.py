"""What is taken out of an instruction to be checked, what is left, and what metadata decide."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.text.constraints import (
    MOST,
    Constraint,
    Facts,
    account,
    constraint_lines,
    judged,
    read_constraints,
    undecided,
)

TODAY = date(2026, 11, 21)


def one(instruction: str) -> Constraint:
    (found,) = read_constraints(instruction, TODAY).constraints
    return found


@pytest.mark.parametrize(
    ("instruction", "kind", "values", "denied"),
    [
        ("only sources after 2015", "date", ("2016-01-01", ""), False),
        ("since 2015", "date", ("2015-01-01", ""), False),
        ("sources since March 2, 2015 only", "date", ("2015-03-02", ""), False),
        ("2015 or later", "date", ("2015-01-01", ""), False),
        ("from 2015 onwards", "date", ("2015-01-01", ""), False),
        ("published before 2010", "date", ("", "2009-12-31"), False),
        ("studies until June 2010", "date", ("", "2010-06-30"), False),
        ("papers between 2010 and 2015", "date", ("2010-01-01", "2015-12-31"), False),
        ("articles from 2010-2015", "date", ("2010-01-01", "2015-12-31"), False),
        ("reports in 2010", "date", ("2010-01-01", "2010-12-31"), False),
        ("only sources after May 2015", "date", ("2015-06-01", ""), False),
        ("Use sources from 2015 or later.", "date", ("2015-01-01", ""), False),
        ("papers from the 1990s", "date", ("1990-01-01", "1999-12-31"), False),
        ("pre-2010 sources only", "date", ("", "2009-12-31"), False),
        ("not before 2015", "date", ("", "2014-12-31"), True),
        ("exclude anything before 2015", "date", ("", "2014-12-31"), True),
        ("nothing older than two years", "date", ("", "2024-11-20"), True),
        ("do not use sources after 2015", "date", ("2016-01-01", ""), True),
        ("nur Quellen nach 2015", "date", ("2016-01-01", ""), False),
        ("فقط منابع بعد از ۲۰۱۵", "date", ("2016-01-01", ""), False),
        ("papers no older than 5 years", "date", ("", "2021-11-20"), True),
        ("the last five years", "date", ("2021-11-21", ""), False),
        ("بعد از ۲۰۱۵", "date", ("2016-01-01", ""), False),
        ("منذ ٢٠١٥", "date", ("2015-01-01", ""), False),
        ("2015年以来", "date", ("2015-01-01", ""), False),
        ("only from docs.python.org", "host", ("docs.python.org",), False),
        ("not from www.blog.example.com", "host", ("blog.example.com",), True),
        ("only python.org or pypi.org", "host", ("python.org", "pypi.org"), False),
        ("only from python.org and from pypi.org", "host", ("python.org", "pypi.org"), False),
        ("only from python.org, example.net or docs.rs", "host", ("python.org", "example.net", "docs.rs"), False),
        ("only files under Guide/", "path", ("Guide/",), False),
        ("PDFs only", "type", ("pdf",), False),
        ("only PDFs and Markdown files", "type", ("pdf", "markdown"), False),
        ("no PDFs or HTML", "type", ("pdf", "html"), True),
        ("no HTML", "type", ("html",), True),
        ("in German", "language", ("de",), False),
        ("not in English", "language", ("en",), True),
        ("in German, French or English", "language", ("de", "fr", "en"), False),
        ("French and Spanish sources", "language", ("fr", "es"), False),
        ("documents of at most 300 words", "length", ("", "300"), False),
        ("pages with more than 50 words", "length", ("51", ""), False),
    ],
)
def test_what_metadata_decide(instruction: str, kind: str, values: tuple[str, ...], denied: bool) -> None:
    found = one(instruction)
    assert (found.kind, found.values, found.denied) == (kind, values, denied)
    assert read_constraints(instruction, TODAY).left == []


@pytest.mark.parametrize(
    "instruction",
    [
        "not from vendors",
        "for a beginner",
        "before 2010",  # may be about what happened before 2010
        "only reports about events before 2010",
        "preferably after 2015",
        "not only after 2015",
        "after 2015 or from python.org",
        "the last 5 years of his life",
        "after 1500 metres of climbing",
        "projections after 2050",
        "the passage should not name a year before 1804",
        "in German hospitals",
        "about the library of docs.python.org",
        "under 100 words",  # may be the answer's length
        "بعد از ۱۳۹۴",  # a year of the Persian calendar
        "if published after 2015",
        # What is asked about, and not what sources are to be.
        "explain what happened after 2015 in the project",
        "what has changed over the past year",
        "sources about the war after 1945",
        "written for people who started after 2015",
        "phones released after 2015",
        "the release from 2015",
        "releases after 2015",
        "how papers from 2015 were received",
        "about books published before 1900",
        "equipment not older than 10 years",
        "about the docs.python.org redesign",
        "reports on github.com",
        "not socket.io",
        "only numpy.linalg",
        "how to order a coffee in French",
        "answer in German",
        "only HTML and CSS",
        "mentions 1999",
        "passages that name a year after 2007",
        "texts that speak of 2007 or later",
        "did it make the news in 2020",
        "what article was published in 1937",
        "majoring in English literature",
        "learning the Korean language",
        # What is said of sources, and not asked of them.
        "prioritize sources in Korean",
        "sources before 2010 are unreliable",
        "papers published before 2010 are fine too",
        "include sources after 2015",
        # Denials whose reach is not clear, or that are denied.
        "do not leave out PDFs",
        "don't exclude PDFs",
        "no PDFs about eels",
        "no vendor sources after 2015",
        "not in German and from python.org",
        # Stretches of time alone.
        "between 2010 and 2015",
        "pre-2010",
        "the 1990s",
        "not after 2015",
        # Misspelt.
        "afer 2015",
        "only sorces after 2015",
    ],
)
def test_what_is_not_understood_is_left(instruction: str) -> None:
    found = read_constraints(instruction, TODAY)
    assert found.constraints == []
    assert found.left == [instruction]


def test_parts_are_told_apart_in_the_persons_words() -> None:
    found = read_constraints("Only Python sources after 2015, not from vendors; for a beginner, in English.", TODAY)
    assert [each.text for each in found.constraints] == ["sources after 2015", "in English"]
    assert found.left == ["Only Python", "not from vendors", "for a beginner"]


@pytest.mark.parametrize(
    "instruction",
    [
        "only sources after 2015, or classic textbooks",
        "after 2015, or from python.org",
        "only from python.org, the wiki of the city or docs.rs",
        "In the history of Rome, after 1945, what changed",
        "After 1945, the mill was sold",
        "on amazon.com, the boots cost 16 crowns",
    ],
)
def test_commas_hide_neither_alternatives_nor_subjects(instruction: str) -> None:
    assert read_constraints(instruction, TODAY).constraints == []


@pytest.mark.parametrize(
    ("instruction", "excluding"),
    [
        ("after 2020 and before 2010", ("after 2020", "before 2010")),
        ("published after 2020, not published after 2010", ("published after 2020", "not published after 2010")),
        ("in German, for a beginner, not in German", ("in German", "not in German")),
        ("only from a.org; only from b.org", ("only from a.org", "only from b.org")),
        ("only PDFs, only Markdown", ("only PDFs", "only Markdown")),
        (
            "documents under 100 words, documents over 200 words",
            ("documents under 100 words", "documents over 200 words"),
        ),
    ],
)
def test_parts_that_exclude_one_another_are_named_and_not_applied(instruction: str, excluding: tuple[str, ...]) -> None:
    found = read_constraints(instruction, TODAY)
    assert found.contradictory == excluding
    assert found.constraints == []
    told = [each for each in account(found) if each["kind"] == "contradiction"]
    assert [(each["text"], each["applied"]) for each in told] == [(text, False) for text in excluding]
    assert "not applied" in constraint_lines(told)[0]
    # They still steer the order.
    assert undecided(instruction, found.constraints) == instruction


@pytest.mark.parametrize(
    "instruction",
    [
        "sources after 2010 and before 2015",
        "only from python.org, only from docs.python.org",
        "published after 2015, not published after 2020",
        "in German, not in French",
        "not in German, not in French",
        "only sources after 2015, no PDFs, in German",
    ],
)
def test_parts_that_hold_together(instruction: str) -> None:
    found = read_constraints(instruction, TODAY)
    assert len(found.constraints) >= 2
    assert (found.contradictory, found.left) == ((), [])


def test_of_very_many_parts_the_last_are_told_as_one() -> None:
    found = read_constraints("short, " * 9_000, TODAY)
    assert len(found.left) == MOST
    assert sum(part.count("short") for part in found.left) == 9_000
    assert all(len(line) < 300 for line in constraint_lines(account(found)))


def test_what_is_decided_is_taken_out() -> None:
    instruction = "only sources after 2015, not from vendors"
    (after,) = read_constraints(instruction, TODAY).constraints
    assert undecided(instruction, [after]) == "not from vendors"
    assert undecided(instruction, []) == instruction
    assert undecided("only sources after 2015", [one("only sources after 2015")]) == ""


@pytest.mark.parametrize(
    ("instruction", "facts", "verdict"),
    [
        ("after 2015", Facts("a.md", "2016"), "inside"),
        ("after 2015", Facts("a.md", "2015-12-31"), "outside"),
        ("after June 2015", Facts("a.md", "2015"), "unknown"),
        ("after 2015", Facts("a.md"), "unknown"),
        ("not before 2015", Facts("a.md", "2014"), "outside"),
        ("not before 2015", Facts("a.md", "2015-01-01"), "inside"),
        ("only from python.org", Facts("https://docs.python.org/3/"), "inside"),
        ("only from python.org", Facts("https://notpython.org/"), "outside"),
        ("only from python.org", Facts("mirror/python.org/a.html"), "inside"),
        ("only from python.org", Facts("notes/a.md"), "unknown"),
        ("not from python.org", Facts("x.jsonl#1", url="https://www.python.org/a"), "outside"),
        ("only files under guide/", Facts("docs/guide/a.md"), "inside"),
        ("only files under guide/", Facts("docs/misguide/a.md"), "outside"),
        ("PDFs only", Facts("docs/A.PDF"), "inside"),
        ("PDFs only", Facts("docs/records.jsonl#7"), "outside"),
        ("PDFs only", Facts("https://a.example/paper"), "unknown"),
        ("PDFs only", Facts("https://a.example/paper.html?x=1"), "outside"),
        ("in German", Facts("a.md", language="de"), "inside"),
        ("in German", Facts("a.md"), "unknown"),
        ("in German", Facts("a.md", language="fr"), "outside"),
        ("in Norwegian", Facts("a.md", language="da"), "unknown"),
        ("not in Croatian", Facts("a.md", language="sr"), "unknown"),
        ("documents of at most 3 words", Facts("a.md", text="one two three four"), "outside"),
        ("documents of at most 4 words", Facts("a.md", text="one two three four"), "inside"),
        ("only from python.org", Facts("https://[broken/"), "unknown"),
    ],
)
def test_three_verdicts(instruction: str, facts: Facts, verdict: str) -> None:
    assert judged(one(instruction), facts) == verdict


@pytest.mark.parametrize(
    "hostile",
    [
        "after " * 20_000 + "2015 " * 20_000 + "not " * 20_000,
        "a" * 100_000,
        "after 2015 " * 10_000,
        "x." * 50_000,
        "between 2010 and " * 8_000,
        "the " * 50_000 + "2015",
        "(" * 100_000,
        "only from a.b, " * 10_000,
    ],
)
def test_a_hostile_instruction_is_harmless(hostile: str) -> None:
    found = read_constraints(hostile, TODAY)
    assert len(found.constraints) <= MOST
    undecided(hostile, found.constraints)


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    found = read_constraints(text, TODAY)
    for each in found.constraints:
        assert all(text[start:end] for start, end in each.spans)
        assert judged(each, Facts("a.md", "2015", "en", text="x")) in ("inside", "outside", "unknown")


@given(
    st.lists(
        st.sampled_from("only not after before since 2015 from in German PDFs python.org , and or sources".split())
    )
)
def test_any_words_of_the_grammar(told: list[str]) -> None:
    text = " ".join(told)
    found = read_constraints(text, TODAY)
    assert undecided(text, found.constraints) is not None
