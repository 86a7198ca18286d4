"""What carries a fact: quotes that speak of the relation and of the right time, under the heading of their list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.agents.edit_context import EditContext
from searchinstruct_graph.agents.evidence import Quote
from searchinstruct_graph.datasets.facts import Fact, fact_of
from searchinstruct_graph.graphs.evidence_of_facts import (
    Evidence,
    about,
    cited,
    dated_otherwise,
    gather_evidence,
    in_time,
    ranked,
)
from searchinstruct_graph.graphs.revising import claim_of, revise_fact
from searchinstruct_graph.graphs.searcher import build_searcher

PAGES = {
    "rangers.md": """# The Sund Rangers

The Sund Rangers are a regiment of infantry with its barracks in Haldern. The regiment was raised in 1975.
Dr. Ines Holm looked after the horses of the regiment. Every spring the regiment marched to the coast.

## Commanding officers

Commanding officers of the regiment until 1990:

- 1975–1979: Carl Jonsson
- 1979–1984: Leif Nilsen
- 1984–1990: Maud Orr
""",
    "berg.md": """# Lia Berg

Lia Berg is a football coach from Tarn. As a player she won the cup with the Harbour Club.
In 2010 she was appointed head coach of Castra Town. On 12 June 2014 she was appointed head coach of Haldern United.
In 2016 she wrote a book about the stadium of Castra Town. Her brother paints ships in Brindle.
""",
    "brindle.md": """# Brindle County

Brindle County is a county by the sea. In 1854 the county seat was moved to Port Ash. The fair of Port Ash is old.
In 1856 the county seat was moved inland, to Upper Lune. Upper Lune has a market and a mill.
""",
}


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    """Three pages."""
    folder = tmp_path / "pages"
    folder.mkdir()
    for name, text in PAGES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return str(folder)


def changed(subject: str, relation: str, old: str, new: str, as_of: str = "", question: str = "", **more: Any) -> Fact:
    """A fact."""
    told = {"subject": subject, "relation": relation, "old": old, "new": new, "as_of": as_of, "question": question}
    return fact_of({**told, **more}, "facts:1")


OFFICER = "Who was in charge of the infantry of Sund from 1979 to 1980?"


async def work(fact: Fact, corpus: str) -> Any:
    """What comes of a fact."""
    return await revise_fact(fact, EditContext(corpus=[corpus], model="offline", wordings=4), build_searcher())


async def gathered(fact: Fact, corpus: str) -> Evidence:
    """What is found for a fact."""
    context = EditContext(corpus=[corpus], model="offline")
    return (await gather_evidence(fact, context, build_searcher(), context.limits()))[0]


async def test_an_item_is_quoted_with_the_heading_of_its_list(corpus: str) -> None:
    fact = changed("The Sund Rangers", "commander", "Carl Jonsson", "Leif Nilsen", "1979", OFFICER)
    made = await work(fact, corpus)
    assert made.reason == ""
    instruction, outcome, _ = made.rows[0]
    assert instruction == OFFICER
    assert outcome["answer"] == "The commander of the Sund Rangers was Leif Nilsen."
    quoted = [quote["text"] for source in outcome["sources"] for quote in source["quotes"]]
    assert quoted[:2] == ["- 1979–1984: Leif Nilsen", "Commanding officers of the regiment until 1990:"]
    assert outcome["statements"][0]["support"] >= 0.7


async def test_who_held_it_at_another_time_is_refused(corpus: str) -> None:
    before = changed("The Sund Rangers", "commander", "Leif Nilsen", "Carl Jonsson", "1979", OFFICER)
    found = await gathered(before, corpus)
    assert found["reason"] == "other_period"
    assert "from 1975 to 1979" in found["detail"]
    after = changed("The Sund Rangers", "commander", "Leif Nilsen", "Maud Orr", "1979", OFFICER)
    assert (await gathered(after, corpus))["reason"] == "other_period"


async def test_what_a_page_says_in_other_words_is_for_a_critic_that_reads(tmp_path: Path) -> None:
    page = tmp_path / "alder.md"
    page.write_text("# The Alder Bridge\n\nWhoever crosses the Alder Bridge pays three crowns.\n", encoding="utf-8")
    fact = changed("The Alder Bridge", "tariff", "two crowns", "three crowns")
    for critic, reason in (("offline", "unsupported"), ("openai:reads", "")):
        context = EditContext(corpus=[str(page)], model="offline", critic_model=critic)
        found, _ = await gather_evidence(fact, context, build_searcher(), context.limits())
        assert found["reason"] == reason


@pytest.mark.parametrize(
    ("subject", "relation", "old", "new"),
    [
        ("The Sund Rangers", "commander", "Carl Jonsson", "Ines Holm"),
        ("Lia Berg", "coach of", "Castra Town", "the Harbour Club"),
        ("Lia Berg", "residence", "Tarn", "Brindle"),
        ("Brindle County", "capital", "Upper Lune", "Lune"),
    ],
)
async def test_a_name_that_the_page_holds_for_another_reason_is_refused(
    corpus: str, subject: str, relation: str, old: str, new: str
) -> None:
    made = await work(changed(subject, relation, old, new), corpus)
    assert made.reason in ("unsupported", "no_evidence", "contradicted")
    assert made.rows == []


async def test_a_name_of_another_page_is_refused(corpus: str) -> None:
    made = await work(changed("The Sund Rangers", "commander", "Carl Jonsson", "Lia Berg", "1979"), corpus)
    assert made.reason in ("ambiguous", "no_evidence", "contradicted")


async def test_a_statement_speaks_as_the_pages_do_and_the_title_is_context(corpus: str) -> None:
    seat = await work(changed("Brindle County", "capital", "Port Ash", "Upper Lune", "1856"), corpus)
    assert [row[1]["answer"] for row in seat.rows][:1] == ["The county seat of Brindle County is Upper Lune."]
    # "She" is Lia Berg, as the title says; of two years the fact's comes first.
    coach = changed("Lia Berg", "coach of", "Castra Town", "Haldern United", "2014", "Lia Berg led which club in 2014?")
    made = await work(coach, corpus)
    assert made.reason == ""
    assert made.rows[0][1]["answer"] == "Lia Berg coached Haldern United."
    assert "12 June 2014" in made.rows[0][1]["sources"][0]["quotes"][0]["text"]


# The parts.


def quote(text: str, title: str = "Lia Berg", start: int = 0) -> Quote:
    """A quote of a page."""
    return Quote(
        uri=f"/{title}",
        title=title,
        text=text,
        start=start,
        end=start + len(text),
        sha256="0" * 64,
        retrieved_at="2026-01-01T00:00:00Z",
        license=None,
        points=[[1, 1]],
    )


COACH = changed("Lia Berg", "coach of", "Castra Town", "Haldern United", "Jun 2014")


def test_a_quote_of_the_year_stands_before_one_without_and_one_of_another_year_behind() -> None:
    bare = quote("She was head coach of Haldern United.")
    later = quote("In 2019 she was head coach of Haldern United.", start=100)
    right = quote("In 2014 she became head coach of Haldern United.", start=200)
    silent = quote("In 2014 she met the fans of Haldern United.", start=300)
    order, stating = ranked(COACH, [silent, later, bare, right], {})
    assert order == [right, bare, later, silent]
    assert stating == 3
    assert in_time(COACH, right["text"]) > in_time(COACH, bare["text"]) > in_time(COACH, later["text"])


def test_quotes_that_date_it_otherwise_speak_against_a_fact_only_together() -> None:
    ended = quote("Haldern United (2008–2012)")
    assert dated_otherwise(COACH, [ended])
    assert not dated_otherwise(COACH, [ended, quote("Haldern United (2013–2016)")])
    assert not dated_otherwise(COACH, [ended, quote("She came to Haldern United in 2014.")])
    assert not dated_otherwise({**COACH, "as_of": ""}, [ended])


def test_a_district_is_not_named_by_the_word() -> None:
    fact = changed("Brindle District", "capital", "Port Ash", "Upper Lune")
    assert not about(fact, "The district council sits in Upper Lune.", "Castra District", "/castra")
    assert about(fact, "The council sits in Upper Lune.", "Brindle District", "/brindle")
    assert about(COACH, "Berg coached Haldern United.", "Haldern United", "/haldern")


def test_a_statement_rests_on_what_speaks_of_it_and_on_nothing_else() -> None:
    told = quote("She was appointed head coach of Haldern United.")
    beside = quote("The fans of Haldern United sing.", start=100)
    other = quote("Jan Pike is the head coach of Castra Town.", "Castra Town")
    evidence = Evidence(quotes=[told, beside, other], carrying=2, above=[0, 0], pages=[], reason="", detail="")
    assert cited(COACH, "Lia Berg was the head coach of Haldern United.", evidence, [3, 2]) == [1]


def test_what_is_judged_is_the_claim_without_the_persons_period() -> None:
    fact: Fact = {**COACH, "question": "Which club did Lia Berg lead from Jun 2014 to Apr 2016?"}
    assert claim_of(fact, "From Jun 2014 to Apr 2016, Lia Berg led Haldern United.") == "Lia Berg led Haldern United."
    assert claim_of(fact, "No, Lia Berg led Haldern United.") == "Lia Berg led Haldern United."
