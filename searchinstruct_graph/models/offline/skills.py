"""One skill a reply schema: tagged inputs in, a reply in the schema's shape out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from searchinstruct_graph.models import support as scorer
from searchinstruct_graph.models.offline import editing, extracting, teaching
from searchinstruct_graph.models.offline.choose import (
    STATEMENTS,
    Candidate,
    answers,
    candidates,
    chain,
    shaken,
)
from searchinstruct_graph.models.offline.grammar import AUXILIARY
from searchinstruct_graph.models.offline.lens import look, terms, weight_of
from searchinstruct_graph.models.offline.names import names
from searchinstruct_graph.models.offline.planning import implied_questions, keywords, plan
from searchinstruct_graph.models.offline.task import Task
from searchinstruct_graph.models.offline.triplets import skills as triplets
from searchinstruct_graph.models.tagged import Tag
from searchinstruct_graph.text.compare import ENOUGH
from searchinstruct_graph.text.sentences import Span, sentences
from searchinstruct_graph.text.stopwords import is_stopword, language_of
from searchinstruct_graph.text.words import normal_form, stems, words

QUOTES = 4
"""Most quotes taken from one page."""

WORTH_QUOTING = 0.30
"""Score from which a sentence is worth handing on: an answer may still be put together from parts."""

ALSO_SAYS, SAYS_IT_TOO = 0.70, 0.90
"""A further quote joins the answer when it scores this share of the best one; the second when that holds all that is asked."""

ALL_ASKED = 0.85
"""Share of the question's weight from which a quote holds all that is asked."""


_ANAPHORA = frozenset(
    ("he she it they this that these those his her its their such er sie es dies diese هو هي هذا هذه وی این آن").split()
)


def standing(text: str, spans: Sequence[Span], at: int) -> Span:
    """The sentence, with the one before it when it opens with a word that points back."""
    first = words(text[spans[at].start : spans[at].end][:30])
    if at and first and first[0] in _ANAPHORA and spans[at].start - spans[at - 1].end <= 2:
        return Span(spans[at - 1].start, spans[at].end)
    return spans[at]


def read(task: Task) -> dict[str, Any]:
    """The page's best sentences, in page order."""
    question = task.text("question")
    points = [tag.text for tag in task.all("point")] or [question]
    found: list[tuple[float, str, int]] = []
    for page in task.all("page"):
        spans = sentences(page.text)
        title = page.attributes.get("title", "")
        for number, point in enumerate(points, 1):
            for at, seen in enumerate(look(point, page.text, title, spans)):
                if seen.score >= WORTH_QUOTING and seen.inside:
                    span = standing(page.text, spans, at)
                    found.append((seen.score, page.text[span.start : span.end], number))
    found.sort(key=lambda entry: -entry[0])
    kept: dict[str, tuple[float, int]] = {}
    for score, text, number in found:
        if any(text in held for held in kept):
            continue
        inner = next((held for held in kept if held in text), None)
        if inner is not None:
            kept[text] = kept.pop(inner)
        elif len(kept) < QUOTES:
            kept[text] = (score, number)
    best = max((score for score, _ in kept.values()), default=0.0)
    relevant = "yes" if best >= 0.7 else "partly" if kept else "no"
    return {"relevant": relevant, "quotes": [{"text": text, "point": number} for text, (_, number) in kept.items()]}


def assess(task: Task) -> dict[str, Any]:
    """Enough when every point is answered; else look for the names that the best quotes bring in."""
    question = task.text("question")
    quotes = task.all("quote")
    covered, missing = [], []
    for number, point in enumerate([tag.text for tag in task.all("point")] or [question], 1):
        picked = chain(point, candidates(point, quotes))
        if answers(point, picked):
            covered.append({"point": number, "quotes": [candidate.number for candidate in picked]})
        else:
            missing.append(point)
    ranked = candidates(question, quotes)
    complete = not missing and _complete(question, chain(question, ranked))
    return {
        "sufficient": complete,
        "covered": covered,
        "missing": missing[:5],
        "next_queries": [] if complete else next_queries(question, ranked, [tag.text for tag in task.all("tried")]),
    }


def _complete(question: str, picked: Sequence[Candidate]) -> bool:
    held: set[str] = set()
    for candidate in picked:
        held |= candidate.look.covered
    return weight_of(held, question) >= 0.9


_CALENDAR = re.compile(
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December)\b[\s\d,.]*"
)


def next_queries(question: str, ranked: Sequence[Candidate], tried: Sequence[str]) -> list[str]:
    """Up to three queries: names that the best quotes bring in, each with what the question still lacks."""
    known = {normal_form(query) for query in tried}
    language = language_of(question)
    asked = terms(question, language)
    proposed: dict[str, float] = {}
    for candidate in ranked[:6]:
        held = candidate.look.covered
        lacking = [
            word
            for word in keywords(question).split()
            if not set(stems(word, language)) & held and not is_stopword(normal_form(word))
        ]
        on_topic = weight_of(frozenset(terms(candidate.title, language)), question)
        for name in names(candidate.text):
            told = [stem for stem in terms(name, language) if stem not in asked]
            if not told or len(name) < 3 or _CALENDAR.fullmatch(name):
                continue
            worth = (
                candidate.score
                + 0.5 * on_topic
                + _beside(name, candidate.text, asked, language)
                + 0.15 * (len(name.split()) > 1)
            )
            query = " ".join([name, *lacking[:4]])
            if normal_form(query) not in known:
                proposed[query] = max(proposed.get(query, 0.0), worth)
    best = sorted(proposed, key=lambda query: -proposed[query])[:3]
    if len(best) < 3 and normal_form(keywords(question)) not in known:
        best.append(keywords(question))
    return best


def _beside(name: str, sentence: str, asked: dict[str, float], language: str) -> float:
    """Up to 0.5 for a name that stands right after a word of the question: "directed by NAME" when a director is asked for."""
    before = sentence[: max(0, sentence.find(name))][-60:]
    last = words(before)[-4:]
    for distance, word in enumerate(reversed(last)):
        if any(stem in asked or any(_kin(stem, other) for other in asked) for stem in stems(word, language)):
            return 0.5 / (1 + 0.5 * distance)
    return 0.0


def _kin(one: str, other: str) -> bool:
    # "direct" and "director" share a root that the stemmer keeps apart.
    return min(len(one), len(other)) >= 5 and one[:5] == other[:5]


def write(task: Task) -> dict[str, Any]:
    """The chain that answers each part, then other quotes that say nearly as much; nothing when nothing answers."""
    question = task.text("question")
    quotes = task.all("quote")
    asked = [tag.text for tag in task.all("part")] or [question]
    if len(asked) == 1 or (
        implied_questions(question) and answers(question, chain(question, candidates(question, quotes)))
    ):
        asked = [question]
    picked: dict[int, Candidate] = {}
    for part in asked:
        ranked = shaken(candidates(part, quotes), task.temperature, task.seed)
        best = chain(part, ranked)
        if not answers(part, best):
            continue
        for candidate in best:
            picked.setdefault(candidate.number, candidate)
        complete = weight_of(best[0].look.inside, part) >= ALL_ASKED
        least = (SAYS_IT_TOO if complete else ALSO_SAYS) * best[0].score
        others = [c for c in ranked if c.number not in picked and c.score >= least]
        for candidate in others[: max(0, STATEMENTS - 1 - len(best))]:
            picked.setdefault(candidate.number, candidate)
    # The same sentence on two pages is one statement with two witnesses.
    witnesses: dict[str, list[int]] = {}
    for candidate in picked.values():
        witnesses.setdefault(_spaced(candidate.text), []).append(candidate.number)
    drafted = [{"text": text, "quotes": numbers} for text, numbers in witnesses.items()]
    return {"statements": drafted[: STATEMENTS * len(asked)]}


_BULLET = re.compile(r"^\s*(?:[*#>•+|\-]+\s+)+(?=\S)")


def _spaced(text: str) -> str:
    """The quote as running text: white space folded, a leading bullet or heading mark left out."""
    return _BULLET.sub("", " ".join(text.split()))


def support(task: Task) -> dict[str, Any]:
    """Each statement against its own quotes, by the calibrated count (`models.support`).

    A page's title says whom "he" and "the company" stand for, and so does the heading of a list that is cited beside its item.
    """
    quotes = {tag.attributes["id"]: tag for tag in task.all("quote")}
    judged = []
    for tag in task.all("statement"):
        cited = [quotes[number] for number in tag.attributes.get("quotes", "").split(",") if number in quotes]
        found = scorer.assess(tag.text, _under_headings(cited))
        score, problem = found.score, _problem(found)
        judged.append({"statement": int(tag.attributes["id"]), "support": score, "problem": problem})
    return {"statements": judged}


HEADING = 16
"""Words up to which a quote without a verb is the heading of what is cited beside it."""


def _under_headings(cited: Sequence[Tag]) -> list[scorer.Piece]:
    """The quotes, each under its page's title; list items also under the headings among the quotes of their page."""
    found: list[scorer.Piece] = []
    for tag in cited:
        above = [tag.attributes.get("title", "")]
        if _BULLET.match(tag.text):
            above += [
                other.text
                for other in cited
                if other.attributes.get("title", "") == above[0] and _is_heading(other.text)
            ]
        found.append(scorer.Piece(tag.text, " ".join(above)))
    return found


def _is_heading(text: str) -> bool:
    told = words(text)
    return 0 < len(told) <= HEADING and not _BULLET.match(text) and not AUXILIARY & set(told)


def _problem(found: scorer.Assessment) -> str:
    """What the quotes do not say; empty when they say enough."""
    if found.score >= ENOUGH:
        return ""
    other = next((each for each in found.differences if each.held), None)
    return f"its quotes say “{other.held}”, not “{other.claimed}”" if other else "its quotes do not say all of it"


def reanswer(task: Task) -> dict[str, Any]:
    """The best quote, near-ties drawn by seed."""
    question = task.text("question")
    ranked = shaken(candidates(question, task.all("quote")), task.temperature, task.seed)
    picked = chain(question, ranked)
    if not answers(question, picked):
        return {"answerable": False, "answer": "", "quotes": []}
    return {"answerable": True, "answer": _spaced(picked[0].text)[:2_000], "quotes": [picked[0].number]}


SKILLS: dict[str, Callable[[Task], dict[str, Any]]] = {
    "QuestionPlan": plan,
    "PageQuotes": read,
    "Sufficiency": assess,
    "AnswerDraft": write,
    "SupportReport": support,
    "Reanswer": reanswer,
    **teaching.SKILLS,
    **extracting.SKILLS,
    **editing.SKILLS,
    **triplets.SKILLS,
}
