"""Relations that are verb phrases: S plays for O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from searchinstruct_graph.models.offline.editing.asked import NOW, SLOT, Asked, Said, When, inside, opened, upper
from searchinstruct_graph.models.offline.editing.nouns import head_words
from searchinstruct_graph.models.offline.grammar import (
    AUXILIARY,
    base_form,
    base_of_past,
    is_many,
    is_participle,
    past_of,
    third,
)
from searchinstruct_graph.text.editing import indefinite, surname

STRANDED = "to in on at by with for from as of into under against about over through".split()
"""Prepositions that may end a verb phrase."""
_INTRANSITIVE = frozenset(
    """
    played worked lived served studied competed belonged moved graduated died resided sat stood ran coached raced trained
    """.split()
)
_PLACES = frozenset(
    "located based headquartered situated born buried held hosted living resident stored published kept".split()
)
_CLASSES = {
    "play for": "team",
    "coach for": "team",
    "race for": "team",
    "sign for": "club",
    "sign with": "club",
    "work for": "organisation",
    "work at": "organisation",
    "study at": "institution",
    "teach at": "institution",
    "educated at": "institution",
    "employed by": "organisation",
    "compete in": "competition",
    "play in": "league",
    "written in": "language",
    "broadcast on": "channel",
    "sponsored by": "company",
    "published by": "publisher",
    "a member of": "organisation",
    "member of": "organisation",
    "released on": "platform",
    "signed to": "label",
}
_AGENT = frozenset(
    """
    owned led managed run directed headed coached governed operated maintained produced published developed written founded
    designed made sponsored hosted edited presented represented controlled financed taught trained employed commanded played
    voiced portrayed
    """.split()
)
_WROTE = {
    "written": ("writes", "wrote"),
    "led": ("leads", "led"),
    "run": ("runs", "ran"),
    "made": ("makes", "made"),
    "taught": ("teaches", "taught"),
}
_MORE_VERBS = frozenset(
    "attend coach command compete graduate manage oversee participate represent reside study train".split()
)
_SURELY_NOUNS = frozenset("name form type set list result state access store order group point record".split())
_ONE_OF_MANY = frozenset("member part citizen student child son daughter subsidiary tributary fan ally pupil".split())


class Phrase(NamedTuple):
    """A verb phrase in its parts."""

    helper: str
    """The auxiliary that moves before the subject: `is`, `may`, or `do`, `does`, `did` for a full verb."""
    base: str
    """The full verb's base form; empty after an auxiliary."""
    rest: str
    """What follows; the object stands after it."""
    finite: str
    """The phrase as it stands after its subject."""


_PAST_BE = {"is": "was", "are": "were", "has": "had", "have": "had"}


def phrase(relation: str, subject: str, *, past: bool = False) -> Phrase | None:
    """The verb phrase that a relation is, put into the past when that is asked for; None for a noun."""
    found = _phrase(relation, subject)
    if found is None or not past:
        return found
    if found.base:
        tail = f" {found.rest}" if found.rest else ""
        return found._replace(helper="did", finite=f"{past_of(found.base)}{tail}")
    helper = _PAST_BE.get(found.helper, found.helper)
    return found._replace(helper=helper, finite=f"{helper}{found.finite.removeprefix(found.helper)}")


def _phrase(relation: str, subject: str) -> Phrase | None:
    parts = relation.split()
    first = parts[0].lower()
    many = is_many(subject)
    if first in ("a", "an") and len(parts) > 1:
        return Phrase("are" if many else "is", "", relation, f"{'are' if many else 'is'} {relation}")
    if parts[-1].lower() == "of" and len(parts) > 1 and first not in AUXILIARY and not _base_form(first):
        article = indefinite(relation) if head_words(relation) & _ONE_OF_MANY else "the"
        return Phrase("is", "", f"{article} {relation}", f"is {article} {relation}")
    if first in AUXILIARY and len(parts) > 1:
        if first in ("has", "have", "had") and not is_participle(parts[1].lower()):
            return _full("have", parts[1:], first == "had", many)
        agreed = {"is": "are", "was": "were", "has": "have"}.get(first, first) if many else first
        return Phrase(agreed, "", " ".join(parts[1:]), " ".join([agreed, *parts[1:]]))
    trailing = parts[-1].lower() in STRANDED and len(parts) > 1
    if trailing and first in _INTRANSITIVE:
        return _full(base_of_past(first), parts[1:], True, many)
    if trailing and (is_participle(first) or first in _PLACES):
        be = "were" if many and first == "born" else "was" if first in ("born", "founded") else "are" if many else "is"
        return Phrase(be, "", relation, f"{be} {relation}")
    base = _base_form(first)
    if base and first not in _SURELY_NOUNS and (base != first or trailing):
        if len(parts) == 1 and base in _SURELY_NOUNS:
            return None
        return _full(base, parts[1:], False, many)
    if trailing and re.fullmatch(r"(?:re-)?[a-z]{2,}(?:[^s]s|sses|shes|ches)", first):
        return _full(first.removesuffix("s"), parts[1:], False, many)
    return None


def _base_form(word: str) -> str:
    if found := base_form(word):
        return found
    return next((base for base in _MORE_VERBS if word == third(base)), "")


def _full(base: str, rest: Sequence[str], past: bool, many: bool) -> Phrase:
    tail = " ".join(rest)
    verb = past_of(base) if past else base if many else third(base)
    return Phrase("did" if past else "do" if many else "does", base, tail, f"{verb} {tail}".strip())


def of_verb(asked: Asked, told: Phrase, when: When = NOW, kind: str | None = None) -> Said:
    """What can be said with a relation that is a verb phrase; `kind` is what is asked for, where that is known."""
    subject = inside(asked.subject)
    parts = told.rest.split()
    particle = parts[-1].lower() if parts and parts[-1].lower() in STRANDED else ""
    inner = " ".join(parts[:-1] if particle else parts)
    kind = _kind_of_object(asked, told, particle) if kind is None else kind
    wh = {"when": "when", "where": "where", "who": "who"}.get(kind, f"which {kind}" if kind else "what")
    gone = kind in ("when", "where") and particle in ("in", "on", "at", "since")
    rest = inner if gone else told.rest
    tail = f" {when.tail}" if when.tail else ""
    turned = " ".join(filter(None, [told.helper, subject, told.base, rest]))
    finite = told.finite.removesuffix(f" {particle}") if gone else told.finite
    direct = [f"{wh} {turned}{tail}?"]
    if when.tail:
        direct.append(f"{when.tail}, {wh} {turned}?")
    before = " ".join(filter(None, [told.helper, subject, told.base, inner]))
    if particle and not gone and kind not in ("who", "") and particle not in ("to", "of"):
        direct.append(f"{particle} {wh} {before}{tail}?")
    elif particle and not gone and kind in ("who", "") and len(inner.split()) < 2 and not inner.endswith(_STILL_VERBAL):
        direct.append(f"{particle} {'whom' if kind == 'who' else 'what'} {before}{tail}?")
    if particle == "by" and (active := _active(told, parts)):
        direct.append(f"{'what' if not kind else wh} {active} {subject}{tail}?")
    embedded = f"{wh} {subject} {finite}{tail}"
    named = f"the {kind} that {subject} {told.finite}{tail}" if wh.startswith("which") else ""
    past = told.helper in ("was", "were", "did", "had")
    current = not past and not when.tail
    others = [] if gone else [f"{wh} {'was' if past else 'is'} it that {subject} {told.finite}{tail}?"]
    others.append(f"fill in the blank: {when.tail + ', ' if when.tail else ''}{subject} {told.finite} ____.")
    if current:
        others.append(f"it is no longer as it used to be: {wh} {turned} now?")
    others.append(f"I have to finish this sentence: {upper(subject)} {told.finite} ... How does it end?")
    said = f"{subject} {told.finite} {SLOT}."
    cleft = f"it {'was' if past else 'is'} {SLOT} that {subject} {told.finite}."
    return Said(
        direct=opened(direct),
        embedded=embedded,
        other_clause=embedded,
        named=named,
        statements=opened([said, cleft] if particle in ("", "for", "in") and not gone and _brief(asked) else [said]),
        paraphrases=opened(others[:-1] if when.tail else others),
        current=current,
    )


def _brief(asked: Asked) -> bool:
    """Whether both objects are names, short enough to stand before what is said of them."""
    return all(not value or (name_like(value) and len(value.split()) <= 4) for value in (asked.new, asked.old))


def name_like(value: str) -> bool:
    """Whether a value looks like a name: capitalised words, few of them."""
    return bool(surname(value)) or (
        bool(re.fullmatch(r"(?:the )?[A-Z][\w.&’'-]+(?: [\w.&’'-]+){0,5}", value)) and value[-1].isalnum()
    )


_STILL_VERBAL = ("is", "are", "be", "to")
_VERSION = re.compile(r"((?:[A-Z][\w+#-]* )?)(?:version )?v?\d+(?:\.\d+)+(?:\+)?")
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d|\d{1,2} [A-Z][a-z]+ \d{4}|[A-Z][a-z]+(?: \d{1,2},)? \d{4}|\d{4}-\d\d(?:-\d\d)?")


def _kind_of_object(asked: Asked, told: Phrase, particle: str) -> str:
    """What is asked for: `when`, `where`, `who`, a class ("team", "Python version"), or nothing that is known."""
    done = told.rest.split()[0].lower() if told.rest else ""
    if particle in ("in", "since", "with") and (version := _VERSION.fullmatch(asked.new)):
        return f"{version.group(1)}version"
    if particle in ("in", "on", "since") and _YEAR.fullmatch(asked.new):
        return "when"
    if particle in ("in", "at", "on", "near") and (done in _PLACES or told.base in ("live", "reside", "stand", "lie")):
        return "where"
    key = f"{told.base} {told.rest}".strip()
    if key in _CLASSES:
        return _CLASSES[key]
    if surname(asked.new) and (particle or told.base):
        return "who"
    return "who" if particle == "by" and done in _AGENT else ""


def _active(told: Phrase, parts: Sequence[str]) -> str:
    """The verb of a passive in the active ("was owned by": `owned`); empty when it is not known."""
    if len(parts) != 2 or told.helper not in ("is", "are", "was", "were"):
        return ""
    past = told.helper in ("was", "were")
    done = parts[0].lower()
    if done in _WROTE:
        return _WROTE[done][past]
    if not done.endswith("ed"):
        return ""
    return done if past else third(base_of_past(done))
