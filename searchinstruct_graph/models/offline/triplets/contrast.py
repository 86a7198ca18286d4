"""What tells two passages on one matter apart: a criterion that one meets and the other fails, and the other way round."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from searchinstruct_graph.models.offline.lens import terms
from searchinstruct_graph.models.offline.triplets.criteria import (
    FAILS,
    MEETS,
    YEAR,
    Criterion,
    around,
    dated,
    held,
    judge,
    period,
    place_pattern,
)
from searchinstruct_graph.models.offline.triplets.lexicon import CLOSED, KIN, PLACES, WITH_ARTICLE
from searchinstruct_graph.models.offline.triplets.matching import answering
from searchinstruct_graph.models.tagged import Tag
from searchinstruct_graph.text.sentences import sentences

ALTERED = frozenset({"time", "place"})
"""Kinds whose detail can be exchanged inside of a passage without touching what else it says."""

KIND_WEIGHTS = {
    "time": 3.0,
    "place": 3.0,
    "aspect": 3.0,
    "mention": 2.0,
    "source": 2.0,
    "quantity": 2.0,
    "audience": 1.5,
    "style": 1.0,
    "length": 0.3,
}
"""How often a kind is chosen where several would do: first what people ask for."""

ON_TOPIC = 0.5
"""How surely another passage must answer the query to stand for the poisoned side as it is."""


JOINED = frozenset({"time", "place", "quantity", "style", "mention"})
"""Kinds that one sentence shows, so that a passage can have another sentence instead."""

FOUND, EXCHANGED, INVENTED, MIXED = 4, 3, 2, 1
"""How good a contrast is: another passage is right for the poisoned side as it stands; a detail of this one must be exchanged
for one of the other, or for one out of the blue; a sentence of this one must give way to a sentence of the other."""


class Contrast(NamedTuple):
    """`mine` holds of the passage and not of the other one, `theirs` the other way round, both of one kind."""

    mine: Criterion
    theirs: Criterion
    rank: int


def contrasts(query: str, passage: str, others: Sequence[Tag], draw: random.Random) -> list[Contrast]:
    """Every contrast between the passage and the others, those that need least writing first; where nothing better than mixing
    is left, contrasts with another year or place out of the blue.
    """
    draws = draw.randrange(28)
    mine = [each for each in held(passage, draws) if not told(each, query)]
    found: list[Contrast] = []
    for other in others:
        on_topic = answering(query, other.text, other.attributes.get("title", "")) >= ON_TOPIC
        for theirs in held(other.text, draws):
            if told(theirs, query) or judge(theirs, passage).score > FAILS:
                continue
            found.extend(
                Contrast(each, theirs, rank)
                for each in mine
                if each.kind == theirs.kind and (rank := _rank(query, passage, each, theirs, other.text, on_topic))
            )
    if not any(each.rank > MIXED for each in found):
        found += [Contrast(each, other, INVENTED) for each in mine for other in elsewhere(each, passage, draw)]
    return sorted(set(found), key=lambda each: (-each.rank, each.mine, each.theirs))


def _rank(query: str, passage: str, mine: Criterion, theirs: Criterion, other: str, on_topic: bool) -> int:
    """How good the contrast is, 0 where there is none."""
    if frozenset({mine.value, theirs.value}) in KIN:
        return 0
    if on_topic and judge(mine, other).score <= FAILS:
        return FOUND
    if altered(passage, mine, theirs, (other,)):
        return EXCHANGED
    if mine.kind == "mention" and (mine.value.islower() or theirs.value.islower()):
        # A common noun of a passage about something else is nothing that anybody would ask for.
        return 0
    made = joined(passage, mine, theirs, (other,))
    return MIXED if made and answering(query, made) >= ON_TOPIC else 0


_CENTURIES = ((1990, 2019, 12), (1900, 1989, 6), (1700, 1899, 2))
"""Where years of pages lie, roughly, with weights: what is made up must not be told by its date."""


def elsewhere(mine: Criterion, passage: str, draw: random.Random) -> list[Criterion]:
    """Another period, or another place of the same group, that the passage can be altered to; empty for other kinds."""
    if mine.kind == "time":
        first, last, _ = draw.choices(_CENTURIES, [weight for _, _, weight in _CENTURIES])[0]
        offered = [Criterion("time", around(draw.randint(first, last), draw.randrange(28)))]
    elif mine.kind == "place" and mine.value != "United States":
        group = PLACES[mine.value][0]
        names = sorted(name for name, (other, _) in PLACES.items() if other == group and name != mine.value)
        offered = [Criterion("place", name) for name in draw.sample(names, 3)]
    else:
        return []
    return [each for each in offered if judge(each, passage).score <= FAILS and altered(passage, mine, each)]


def told(criterion: Criterion, query: str) -> bool:
    """Whether a query asks for a criterion already, or for another of its kind, so that naming it narrows nothing."""
    kind, value = criterion.kind, criterion.value
    if kind == "time":
        return bool(dated(query))
    if kind == "place":
        return any(re.search(rf"\b{re.escape(name)}\b", query, re.IGNORECASE) for name in PLACES)
    if kind == "mention":
        return bool(set(terms(value, "en")) & set(terms(query, "en")))
    entry = CLOSED.get(kind, {}).get(value)
    return bool(entry and entry.asked and entry.asked.search(query))


def chosen(found: Sequence[Contrast], draw: random.Random) -> Contrast | None:
    """One contrast: the kind by weight, those of the best rank only, then by chance. `found` is sorted by rank."""
    if not found:
        return None
    best = [each for each in found if each.rank == found[0].rank]
    kinds = sorted({each.mine.kind for each in best})
    kind = draw.choices(kinds, [KIND_WEIGHTS.get(each, 1.0) for each in kinds])[0]
    return draw.choice([each for each in best if each.mine.kind == kind])


# Exchanging a detail.


def altered(passage: str, mine: Criterion, theirs: Criterion, others: Sequence[str] = ()) -> str:
    """The passage with another period or place in the place of its own; empty where that would not do.

    Years keep their distances. A place is exchanged for one of its group only, with its adjective where it has one.
    """
    if mine.kind != theirs.kind or mine.kind not in ALTERED:
        return ""
    made = _other_years(passage, mine, theirs, others) if mine.kind == "time" else _other_place(passage, mine, theirs)
    if made and judge(theirs, made).score >= MEETS and judge(mine, made).score <= FAILS:
        return made
    return ""


def _other_years(passage: str, mine: Criterion, theirs: Criterion, others: Sequence[str]) -> str:
    low, high = period(mine.value)
    inside = [year for year in dated(passage) if low <= year <= high]
    first, last = period(theirs.value)
    offered = [year for other in others for year in dated(other) if first <= year <= last]
    if not inside or not (offered or first <= 2020 <= last or last < 2020):
        return ""
    target = offered[0] if offered else max(first, min(last, 2015))
    shift = target - inside[0]
    moved = [year + shift for year in dated(passage)]
    if not shift or min(moved) < 1500 or max(moved) > 2029:
        return ""
    return YEAR.sub(lambda found: str(int(found.group()) + shift), passage)


def _other_place(passage: str, mine: Criterion, theirs: Criterion) -> str:
    group, own = PLACES[mine.value]
    other_group, foreign = PLACES[theirs.value]
    if group != other_group:
        return ""

    def exchanged(found: re.Match[str]) -> str:
        # The adjective stands second; a place without one is told by its name.
        new = foreign[min(own.index(found.group()), len(foreign) - 1, 1)]
        bare = new not in WITH_ARTICLE or passage[: found.start()].endswith(("the ", ", "))
        return new if bare else f"the {new}"

    if len(foreign) == 1 and any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", passage) for word in own[1:]):
        return ""
    return place_pattern(mine.value).sub(exchanged, passage)


SENTENCE_WORDS = (5, 40)
"""Words of a sentence that may be taken over from another passage."""


def joined(passage: str, mine: Criterion, theirs: Criterion, others: Sequence[str]) -> str:
    """The passage with a sentence of another one in the place of those that show `mine`; empty where that would not do."""
    if mine.kind != theirs.kind or mine.kind not in JOINED:
        return ""
    pieces = [passage[span.start : span.end] for span in sentences(passage)]
    kept = [piece for piece in pieces if judge(mine, piece).score < MEETS]
    if not kept or len(kept) == len(pieces):
        return ""
    at = next(number for number, piece in enumerate(pieces) if piece not in kept)
    for other in others:
        new = " ".join(judge(theirs, other).quote.split())
        if not SENTENCE_WORDS[0] <= len(new.split()) <= SENTENCE_WORDS[1] or not new[:1].isupper():
            continue
        made = " ".join([*kept[:at], new, *kept[at:]])
        if judge(theirs, made).score >= MEETS and judge(mine, made).score <= FAILS:
            return made
    return ""


def rewritten(query: str, passage: str, mine: Criterion, theirs: Criterion, others: Sequence[str]) -> str:
    """The passage as it fits `theirs` and fails `mine` and still answers: with another detail, else with another sentence."""
    made = (altered(passage, mine, theirs, others), joined(passage, mine, theirs, others))
    return next((text for text in made if text and answering(query, text) >= ON_TOPIC), "")


def adapted(passage: str, wanted: Criterion, others: Sequence[str] = ()) -> str:
    """The passage with another year or place so that it meets `wanted`; itself where it does already, else empty."""
    if judge(wanted, passage).score >= MEETS:
        return passage
    if wanted.denied:
        return ""
    made = (altered(passage, mine, wanted, others) for mine in held(passage) if mine.kind == wanted.kind)
    return next((text for text in made if text), "")


def replacements(
    said: Criterion, passage: str, others: Sequence[Tag], query: str, draw: random.Random
) -> Iterator[tuple[Criterion, int]]:
    """What may stand in the place of a criterion that `passage` meets so that it does not: (criterion, rank of the contrast).

    A demand becomes another demand of its kind that another passage meets; an exclusion becomes the exclusion of something of
    its kind that the passage holds.
    """
    draws = draw.randrange(28)
    plain = said._replace(denied=False)
    if said.denied:
        offered = [each for each in held(passage, draws) if each.kind == said.kind and not told(each, query)]
        for mine in offered:
            ranks = [
                _rank(query, passage, mine, plain, other.text, answering(query, other.text) >= ON_TOPIC)
                for other in others
                if judge(plain, other.text).score >= MEETS
            ]
            if rank := max(ranks, default=0) or INVENTED * bool(altered(passage, mine, plain)):
                yield mine._replace(denied=True), rank
        return
    for other in others:
        on_topic = answering(query, other.text, other.attributes.get("title", "")) >= ON_TOPIC
        for theirs in held(other.text, draws):
            if theirs.kind != said.kind or told(theirs, query) or judge(theirs, passage).score > FAILS:
                continue
            if rank := _rank(query, passage, said, theirs, other.text, on_topic):
                yield theirs, rank
    for theirs in elsewhere(said, passage, draw):
        yield theirs, INVENTED
