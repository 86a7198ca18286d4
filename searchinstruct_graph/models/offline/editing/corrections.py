"""The smallest correction of an outdated answer, in the words of the fact and of its quotes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from searchinstruct_graph.models.offline.editing.asked import AGREED, BE_AFTER, Asked, read, upper
from searchinstruct_graph.models.offline.editing.questions import DATE
from searchinstruct_graph.models.offline.editing.statements import stated
from searchinstruct_graph.models.offline.grammar import is_many, with_article
from searchinstruct_graph.models.offline.task import Task
from searchinstruct_graph.text import compare
from searchinstruct_graph.text.editing import holds, is_past, mentions, replaced, surname, whole_sentences
from searchinstruct_graph.text.sentences import Span
from searchinstruct_graph.text.words import stems

_SINCE = re.compile(rf"\b(?:since|as of){DATE}+", re.IGNORECASE)
_DATED = re.compile(
    rf"\b(?:since|as of|in|from|on|starting with)(?P<date>(?:{DATE}| (?:[Vv]ersion )?(?:[A-Z][a-z]+ )?\d+\.\d+(?:\.\d+)*)+)"
)
_HIS_STORY = re.compile(r",\s+(?:who|which|whose)\b[^,.;:!?]*(?:\d{4}|since)[^,.;:!?]*,?")
_REFERS_BACK = re.compile(r"(?:He|She|They|His|Her|Their)\b")


def edit(task: Task) -> dict[str, Any]:
    """The stale answer with the new object in the place of the old one; nothing when no quote names the new object."""
    asked, answer = read(task), task.text("answer")
    quotes = task.all("quote")
    carrying = [tag for tag in quotes if holds(tag.text, asked.new, asked.old)]
    if not carrying or not answer.strip():
        return {"text": "", "quotes": []}
    everywhere = "old_object_kept" in task.text("problem")
    text = corrected(answer, asked, [tag.text for tag in carrying], everywhere=everywhere)
    return {"text": text, "quotes": [int(tag.attributes["id"]) for tag in carrying][:10]}


def corrected(answer: str, asked: Asked, evidence: Sequence[str], *, everywhere: bool = False) -> str:
    """`answer` with the smallest change that makes it say the new object, in the words of the fact and of `evidence`.

    Sentences that give the old object as current get the new one; what the old object alone explains (a relative clause or a
    following sentence with its dates) is left out. An answer that does not name the old object gets its sentence nearest to
    the question replaced.
    """
    spans = whole_sentences(answer)
    touched = [
        at
        for at, span in enumerate(spans)
        if asked.old
        and mentions(answer[span.start : span.end], asked.old, asked.new)
        and (everywhere or _current(answer[span.start : span.end], asked, alone=len(spans) == 1))
    ]
    if not touched:
        return _answered_anew(answer, spans, asked)
    pieces: list[str] = []
    end = 0
    for at, span in enumerate(spans):
        sentence = answer[span.start : span.end]
        gap = answer[end : span.start]
        end = span.end
        if at in touched:
            pieces += [gap, _corrected_sentence(sentence, asked, evidence)]
        elif at - 1 in touched and _only_of_old(sentence, asked, evidence):
            touched.append(at)
        else:
            pieces += [gap, sentence]
    return "".join([*pieces, answer[end:]]).strip()


def _current(sentence: str, asked: Asked, *, alone: bool) -> bool:
    """Whether a sentence that names the old object gives it as what is so."""
    if is_past(sentence) and not alone:
        return False
    wanted = set(compare.content(f"{asked.relation} {asked.question}")) - set(stems(asked.subject))
    return alone or not wanted or bool(wanted & set(stems(sentence))) or holds(sentence, asked.subject)


def _only_of_old(sentence: str, asked: Asked, evidence: Sequence[str]) -> bool:
    """Whether a sentence after a corrected one goes on about a person who is no longer meant."""
    return bool(_REFERS_BACK.match(sentence)) and bool(surname(asked.old)) and compare.support(sentence, evidence) < 0.7


def _corrected_sentence(sentence: str, asked: Asked, evidence: Sequence[str]) -> str:
    for span in reversed(mentions(sentence, asked.old, asked.new)):
        if (story := _HIS_STORY.match(sentence, span.end)) and compare.support(story.group(), evidence) < 0.7:
            sentence = f"{sentence[: span.end]}{sentence[story.end() :]}"
    text = _agreeing(_replaced(sentence, asked), asked)
    if text.startswith(("Yes,", "Yes.")) and asked.old and holds(asked.question, asked.old):
        text = f"No{text[3:]}"
    text = re.sub(r"\b(is|are|was|were) still\b", r"\1", text)
    text = re.sub(r"\bstill (?=\w)", "", text)
    return _redated(text, asked, evidence)


_TAKES_ARTICLE = re.compile(
    r"(?:^|[\s(])(?:to|in|on|at|by|with|for|from|of|into|under|was|is|were|are|be|been|became|joined|and)\s+$",
    re.IGNORECASE,
)


def _replaced(sentence: str, asked: Asked) -> str:
    """The new object in the place of the old one, with the article that it asks for and without the one that the old one had."""
    new = with_article(asked.new)
    first = mentions(sentence, asked.old, asked.new)[0]
    before = sentence[: first.start]
    if new == asked.new and with_article(asked.old) != asked.old:
        # "Belonged to the Reform League" becomes "belonged to Dawn".
        sentence = re.sub(rf"\b[Tt]he (?={re.escape(asked.old)})", "", sentence)
    elif new != asked.new and before.strip() and not _TAKES_ARTICLE.search(before):
        new = asked.new
    return replaced(sentence, asked.old, new)


def _agreeing(text: str, asked: Asked) -> str:
    """The verb right after the new object in its number, where the old one had the other."""
    many = is_many(asked.new)
    if not asked.old or many == is_many(asked.old):
        return text
    for span in mentions(text, asked.new):
        verb = BE_AFTER.match(text, span.end)
        if verb and not text[: span.start].strip():
            agreed = AGREED.get((verb.group(2), many), verb.group(2))
            return f"{text[: verb.start(2)]}{agreed}{text[verb.end() :]}"
    return text


def _redated(text: str, asked: Asked, evidence: Sequence[str]) -> str:
    """The sentence with the date that belonged to the old state ("since 2019") replaced by the one at which the quotes put the
    new one, else by the fact's ("as of"), else left out.
    """
    found = _SINCE.search(text)
    if not found or compare.numbers(found.group()) <= set().union(*map(compare.numbers, evidence)):
        return text
    date = _date_of_new(asked, evidence)
    if date:
        put_in = f"since {date}"
    elif asked.as_of:
        put_in = f"as of {asked.as_of}"
    else:
        cut = text[: found.start()].rstrip(" ,(") + text[found.end() :].lstrip(" ,)")
        return cut if cut[:1].isupper() else upper(cut)
    return f"{text[: found.start()]}{upper(put_in) if found.group()[0].isupper() else put_in}{text[found.end() :]}"


def _date_of_new(asked: Asked, evidence: Sequence[str]) -> str:
    """The date that a sentence about the new object gives after "since" or a like word; empty when none does."""
    for text in evidence:
        for span in whole_sentences(text):
            sentence = text[span.start : span.end]
            if holds(sentence, asked.new, asked.old, surnames=True):
                dates = [
                    found["date"].strip(" ,") for found in _DATED.finditer(sentence) if re.search(r"\d", found["date"])
                ]
                if dates:
                    return dates[0]
    return ""


def _answered_anew(answer: str, spans: Sequence[Span], asked: Asked) -> str:
    """The answer with the sentence that is nearest to the question replaced by the plain statement of the new object."""
    if not spans:
        return stated(asked, asked.new)
    texts = [answer[span.start : span.end] for span in spans]
    wanted = f"{asked.relation} {asked.question}"
    share = [2 * compare.coverage(wanted, [text]) + compare.coverage(asked.subject, [text]) for text in texts]
    at = max(range(len(spans)), key=lambda number: share[number])
    span = spans[at]
    return f"{answer[: span.start]}{stated(asked, asked.new)}{answer[span.end :]}"
