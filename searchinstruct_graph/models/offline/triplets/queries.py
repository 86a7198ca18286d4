"""Another query in almost the same words: about another person, place or thing, or another side of the same one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from searchinstruct_graph.models.offline.grammar import is_plural
from searchinstruct_graph.models.offline.pairs.page import Page
from searchinstruct_graph.models.offline.triplets.contrast import adapted
from searchinstruct_graph.models.offline.triplets.criteria import FAILS, MEETS
from searchinstruct_graph.models.offline.triplets.matching import answering, asked_by, meeting
from searchinstruct_graph.models.tagged import Tag
from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import normal_form, words

MOST_CHANGED, LEAST_CHANGED = 0.65, 0.06
"""Share of a query's letters that may change, a little inside of the bounds that triplets are checked by."""

KNOWN_CHANGED = 0.5
"""Share that may differ between a query and one that somebody really asked."""

LONGEST_QUERY = 300
"""Characters of a query that is poisoned here; what is longer is no query."""

SURE = 0.6
"""How surely another passage must answer a changed query."""

_GENERIC = frozenset(
    (
        "address average best cause causes city common contact cost costs country county define definition difference "
        "does example examples facts get good information kind kinds know learn located locations long made main "
        "many mean meaning means more much name names number old one overview phone price purpose rate salary should size state "
        "symptoms take tell time treatment type types use used uses way ways word work works year years"
    ).split()
)
_SIDES = (
    "symptoms treatment treatments causes diagnosis prevention history cost benefits advantages disadvantages ingredients "
    "definition meaning prognosis complications location population"
).split()


class Poison(NamedTuple):
    """A changed query, what stood there and what stands there now, and how good it is (2: a passage was found for it)."""

    query: str
    before: str
    after: str
    worth: float


def poisons(query: str, instruction: str, passage: str, others: Sequence[Tag]) -> list[Poison]:
    """Changed queries that the passage does not answer, best first: those that an other passage answers, under the same
    instruction, then those for which the passage itself can be rewritten.
    """
    if len(query) > LONGEST_QUERY:
        return []
    found = [
        *_known(query, instruction, passage, others),
        *_named_anew(query, instruction, passage, others),
        *_rewritable(query, instruction, passage, others),
    ]
    return sorted(found, key=lambda each: (-each.worth, each.query))


def changed(one: str, other: str) -> float:
    """Share of letters that differ, 0 to 1; near the edit distance and quick. 1 for texts too long to be queries."""
    if max(len(one), len(other)) > LONGEST_QUERY:
        return 1.0
    return 1.0 - SequenceMatcher(None, one.lower(), other.lower(), autojunk=False).ratio()


def _close(query: str, other: str) -> bool:
    return LEAST_CHANGED <= changed(query, other) <= MOST_CHANGED and normal_form(query) != normal_form(other)


def _right(other: Tag, query: str, instruction: str, original: str) -> float:
    """How surely another passage is right for a changed query and wrong for the original one; 0 where it does not serve."""
    sure = answering(query, other.text, other.attributes.get("title", ""))
    if sure < SURE or meeting(instruction, other.text).score < MEETS or answering(original, other.text) > 0.5:
        return 0.0
    return sure


def _alike(query: str, other: str) -> bool:
    """Whether two queries ask in the same words: they begin alike or share a word that tells something."""
    mine, theirs = words(query), words(other)
    shared = {word for word in mine if not is_stopword(word) and word not in _GENERIC} & set(theirs)
    return (mine[:2] == theirs[:2] or bool(shared)) and changed(query, other) <= KNOWN_CHANGED


def _known(query: str, instruction: str, passage: str, others: Sequence[Tag]) -> Iterator[Poison]:
    wanted = asked_by(instruction)
    for other in others:
        asked = other.attributes.get("query", "")
        if not asked or not _alike(query, asked) or not _close(query, asked) or answering(asked, passage) > FAILS:
            continue
        if sure := _right(other, asked, instruction, query):
            yield Poison(asked, query, asked, 3.0 + sure - changed(query, asked))
        elif answering(asked, other.text) >= SURE and all(adapted(other.text, each, (passage,)) for each in wanted):
            yield Poison(asked, query, asked, 1.0 - changed(query, asked))


def foci(query: str) -> list[str]:
    """What a query may be about: runs of words that are not function words, without general words at their ends; the longest
    first.
    """
    runs: list[list[str]] = [[]]
    for word in query.split():
        plain = normal_form(word.strip(".'’,?!"))
        if is_stopword(plain) or not plain:
            runs.append([])
        else:
            runs[-1].append(word)
    found = (" ".join(_bare(run)).strip(" .,?!") for run in runs)
    return sorted(dict.fromkeys(run for run in found if len(run) > 2), key=len, reverse=True)


def _bare(run: list[str]) -> list[str]:
    while run and normal_form(run[0]) in _GENERIC:
        run = run[1:]
    while run and normal_form(run[-1].strip(".,?!")) in _GENERIC:
        run = run[:-1]
    return run


def _subjects(tag: Tag) -> list[str]:
    """What a passage is about: its title, or the subject that it opens with."""
    topic = Page(tag.text[:2_000], tag.attributes.get("title", "")).topic
    plain = 1 <= len(topic.split()) <= 4 and not re.search(r"ly\b|[\d:;]", topic)
    return [topic] if plain else []


def _named_anew(query: str, instruction: str, passage: str, others: Sequence[Tag]) -> Iterator[Poison]:
    small = query == query.lower()
    for other in others:
        if meeting(instruction, other.text).score < MEETS:
            continue
        for focus in foci(query)[:2]:
            for subject in _subjects(other) if _is_slot(query, focus) else ():
                new = subject.lower() if small else subject
                asked = _exchanged(query, focus, new, named=len(re.findall(r"\b[A-Z]", subject)) > 1)
                if set(words(new)) & set(words(query)) or not _close(query, asked) or answering(asked, passage) > FAILS:
                    continue
                sure = _right(other, asked, instruction, query)
                if sure:
                    yield Poison(asked, focus, new, 2.0 + sure - changed(query, asked))
        for side in _SIDES:
            if re.search(rf"\b{side}\b", query):
                for new in _SIDES:
                    asked = re.sub(rf"\b{side}\b", new, query)
                    if (
                        new != side
                        and answering(asked, passage) <= FAILS
                        and (sure := _right(other, asked, instruction, query))
                    ):
                        yield Poison(asked, side, new, 2.0 + sure)


_BEFORE_SLOT = frozenset("a an the is are was were of in on about for from to with at does do did".split())


def _is_slot(query: str, focus: str) -> bool:
    """Whether another noun may stand where the focus does: after an article, a preposition or a form of "be", or before words
    that only say what is asked of it.
    """
    before, _, after = query.partition(focus)
    if before.split():
        return normal_form(before.split()[-1]) in _BEFORE_SLOT
    rest = [normal_form(word.strip(".,?!")) for word in after.split()]
    return bool(rest) and all(word in _GENERIC or is_stopword(word) for word in rest)


def _is_name(words_of: str) -> bool:
    """Whether words that differ between two queries can be what they are about: none of them says how is asked."""
    plain = [normal_form(word.strip(".,?!'’\"")) for word in words_of.split()]
    return 1 <= len(plain) <= 5 and not any(word in _GENERIC or is_stopword(word) for word in plain)


def _exchanged(query: str, focus: str, new: str, *, named: bool) -> str:
    """The query about something else, its article fitted; the query itself where one thing would become several, or a name."""
    found = re.search(rf"\b(an?) {re.escape(focus)}", query, re.IGNORECASE)
    if found and (is_plural(new) or named):
        return query
    if found:
        return query.replace(found.group(), f"{'an' if new[0].lower() in 'aeiou' else 'a'} {new}")
    return query.replace(focus, new)


def _rewritable(query: str, instruction: str, passage: str, others: Sequence[Tag]) -> Iterator[Poison]:
    """What a query is about, if the passage holds it, exchanged for what a query in the same words is about."""
    for other in others:
        asked = other.attributes.get("query", "")
        before, after = _difference(query, asked)
        if not _is_name(before) or not _is_name(after) or not _alike(query, asked) or not _close(query, asked):
            continue
        if normal_form(after) in normal_form(passage):
            continue
        made = renamed(passage, query, asked, (other.text,))
        if made and meeting(instruction, made).score >= MEETS and answering(asked, passage) <= FAILS:
            yield Poison(asked, before, after, 1.0 - changed(query, asked))


def renamed(passage: str, query: str, asked: str, others: Sequence[str]) -> str:
    """The passage with the name that `asked` has in the place of one of `query`; empty where it does not hold that name."""
    before, after = _difference(query, asked)
    if not _is_name(before) or not _is_name(after) or (own := _loosely(before).search(passage)) is None:
        return ""
    spelled = next((found.group() for other in others if (found := _loosely(after).search(other))), "")
    if not spelled:
        spelled = after.title() if own.group()[0].isupper() and after == after.lower() else after
    made = _loosely(before).sub(lambda _: spelled, passage)
    if answering(asked, made) < 0.5 or answering(query, made) > 0.5:
        return ""
    return made


def _loosely(name: str) -> re.Pattern[str]:
    """A name as pages write it: any case, with or without a comma between its words."""
    spaced = r"[.,]?\s+".join(re.escape(part.strip(".,")) for part in name.split())
    return re.compile(rf"(?<!\w){spaced}(?!\w)", re.IGNORECASE)


def _difference(query: str, asked: str) -> tuple[str, str]:
    """The words that differ, between the words that the two begin and end with."""
    one, other = query.split(), asked.split()
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    return tuple(" ".join(parts[start : len(parts) - end]).strip(" ?.,;!") for parts in (one, other))  # type: ignore[return-value]
