"""The skills of an edit set: the question of a fact in many wordings, its smallest correction in an answer, what follows from it.

Relations come in two shapes, a noun ("chief executive": the chief executive of S is O) and a verb phrase ("plays for": S plays
for O); anything else is asked with the question that the fact brings. English has grammar here; in other languages a fact is
asked plainly ("S: R?") rather than badly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from searchinstruct_graph.models.offline.extracting import drafts
from searchinstruct_graph.models.offline.grammar import AUXILIARY, base_form, is_participle, is_plural
from searchinstruct_graph.models.offline.task import Task
from searchinstruct_graph.models.tagged import Tag
from searchinstruct_graph.text import compare
from searchinstruct_graph.text.editing import (
    aliases,
    fitted,
    holds,
    indefinite,
    is_past,
    mentions,
    replaced,
    surname,
    whole_sentences,
)
from searchinstruct_graph.text.sentences import Span
from searchinstruct_graph.text.stopwords import language_of
from searchinstruct_graph.text.words import stems, words


class Asked(NamedTuple):
    """A fact as the grammar sees it."""

    subject: str
    relation: str
    new: str
    old: str = ""
    as_of: str = ""
    question: str = ""


class Said(NamedTuple):
    """What can be said with a fact. `SLOT` stands for the object in statements."""

    direct: tuple[str, ...]
    """Direct questions, the plainest first."""
    embedded: str
    """The question as a clause ("who the mayor of S is")."""
    named: str
    """What is asked for, as a noun phrase ("the mayor of S", "the team that S plays for"); empty when it has no name."""
    statements: tuple[str, ...]
    """Sentences about the object, the plainest first."""
    paraphrases: tuple[str, ...]
    """Questions in other words than those of the relation."""
    other_clause: str
    """The same clause in another order, or the same again."""
    current: bool
    """Whether the present tense is used and no time is named, so that "now" may be added."""


SLOT = "\x00"

# Nouns.

_PERSONS = frozenset(
    """
    actor administrator ambassador artist author bishop boss captain ceo cfo chair chairman chairperson chairwoman
    champion chancellor chief coach commander commissioner composer conductor cto curator dean designer developer
    director editor emperor employee employer executive founder governor head holder host husband inventor king lead
    leader maintainer manager mayor member minister monarch officer owner partner pastor patron performer pope
    premier presenter president principal producer professor quarterback queen rector representative ruler secretary
    senator singer speaker spokesman spokesperson spokeswoman spouse superintendent teacher trainer treasurer wife
    winner writer
    """.split()
)
_NO_PERSONS = frozenset(
    """
    border buffer center centre chapter character color colour corner counter error factor filter floor harbor harbour header
    indicator layer letter meter motor number operator order paper parameter power printer provider register river server
    sponsor summer tower vendor water winter
    """.split()
)
_DOER = re.compile(r"[a-z]{2,}(?:er|or|ist|man|woman|person|ant|ee)")
_ALREADY_NOW = re.compile(r"^(?:latest|newest|current|present|incumbent|most recent|new|last)\b", re.IGNORECASE)
_OTHER_WORDS: tuple[tuple[str, str], ...] = (
    (r"(?:chief executive(?: officer)?|ceo|managing director)", "Who runs {s}?"),
    (r"(?:head coach|coach|manager|trainer)", "Who coaches {s}?"),
    (r"(?:president|chair\w*|leader|director|head|principal|dean|rector|governor)", "Who leads {s}?"),
    (r"mayor", "Who heads the city government of {s}?"),
    (r"owner", "Who owns {s}?"),
    (r"(?:author|writer)", "Who wrote {s}?"),
    (r"founder", "Who founded {s}?"),
    (r"captain", "Who wears the armband for {s}?"),
    (r"(?:spouse|husband|wife)", "Who is {s} married to?"),
    (r"editor(?:-in-chief| in chief)?", "Who edits {s}?"),
    (r"(?:employer)", "Who employs {s}?"),
    (r"population", "How many people live in {s}?"),
    (r"(?:headquarters|location|seat)", "Where is {s} based?"),
    (r"(?:latest|newest|current|latest stable|most recent) (?:version|release)", "Which version of {s} is the newest?"),
    (r"(?:default )?encoding", "In which encoding is {s} read?"),
    (r"(?:price|cost)", "How much does {s} cost?"),
    (r"(?:toll|fee|fare|admission fee)", "How much has to be paid for {s}?"),
    (r"capital", "Which city is the capital of {s}?"),
    (r"currency", "With what money does one pay in {s}?"),
    (r"maintainer", "Who maintains {s}?"),
    (r"publisher", "Who publishes {s}?"),
    (r"licen[cs]e", "Under which licence is {s} published?"),
)


def _of_noun(asked: Asked, noun: str) -> Said:
    subject = _inside(asked.subject)
    many = is_plural(noun) and noun.split()[-1].lower() not in ("headquarters", "status", "series", "news")
    be = "are" if many else "is"
    person = _is_person(noun, asked.new)
    who = "who" if person else "what"
    named = f"the {noun} of {subject}"
    owned = _possessive(subject, noun)
    short = owned or named
    now = not _ALREADY_NOW.match(noun)
    direct = [f"{who} {be} {named}?", f"{who} {be} {short}?"]
    if now and not person:
        direct.append(f"what {be} the current {noun} of {subject}?")
    if person:
        direct.append(f"who {be} currently {named}?" if now else f"which person {be} {named}?")
    elif now:
        direct.append(f"which {noun} {'do' if _many(asked.subject) else 'does'} {subject} have?")
    others = [form.format(s=subject) for pattern, form in _OTHER_WORDS if re.fullmatch(pattern, noun, re.IGNORECASE)]
    changed = "have" if many else "has"
    if now:
        others.append(
            f"the {noun} of {subject} {changed} changed. {who.capitalize()} {be} {'they' if many else 'it'} now?"
        )
    others.append(
        f"fill in the blank: {subject} {'have' if _many(asked.subject) else 'has'} ____ as {_its(asked.subject)} {noun}."
    )
    others.append(
        f"in a text about {subject}, {'whom' if person else 'what'} should I give as {_its(asked.subject)} {noun}?"
    )
    first = f"{SLOT} {be} the {noun} of {subject}."
    having = f"{subject} {'have' if _many(asked.subject) else 'has'} {SLOT} as {_its(asked.subject)} {noun}."
    return Said(
        direct=_sentences(direct),
        embedded=f"{who} {named} {be}",
        other_clause=f"{who} {short} {be}",
        named=named,
        statements=_sentences(
            [f"the {noun} of {subject} {be} {SLOT}.", *([first, having] if _standing(asked) else [])]
        ),
        paraphrases=_sentences(others),
        current=now,
    )


def _is_person(noun: str, value: str) -> bool:
    """Whether a relation asks for a person: its noun says so, or looks like a doer's while the object looks like a name."""
    heads = _head_words(noun)
    if heads & _PERSONS:
        return True
    return bool(surname(value)) and any(_DOER.fullmatch(word) for word in heads - _NO_PERSONS)


def _standing(asked: Asked) -> bool:
    """Whether both objects can open a sentence: names, numbers, code, and nouns with an article, but no adjectives."""
    return all(
        not value or not value[0].islower() or value.split()[0] in ("the", "a", "an")
        for value in (asked.new, asked.old)
    )


def _head_words(noun: str) -> set[str]:
    """The words of a noun phrase up to its first preposition, small and singular."""
    head = re.split(r" (?:of|in|for|at|on|to|with) ", noun.lower())[0]
    return {word if word.endswith("ss") else word.removesuffix("s") for word in re.findall(r"[a-z]+", head)}


def _its(subject: str) -> str:
    return "their" if _many(subject) or surname(subject) else "its"


def _possessive(subject: str, noun: str) -> str:
    """`S's noun`, where the subject is short enough and a plain word ends it; else nothing."""
    if len(subject.split()) > 4 or not re.search(r"[^\W\d_]{2}$", subject) or " of " in f"{noun} ":
        return ""
    return f"{subject}{_SIGN if _many(subject) and subject.endswith('s') else f'{_SIGN}s'} {noun}"


_SIGN = "'"


_ONE_STATE = frozenset(
    "states nations netherlands philippines emirates bahamas maldives times post house news alps olympics".split()
)


def _many(subject: str) -> bool:
    """Whether the subject takes a plural verb: a plural in small letters, two things joined, or "the Rovers"."""
    parts = subject.split()
    last = parts[-1].strip("\"'”)")
    if " and " in subject and not re.search(r"[A-Z][\w.]* and [A-Z]", subject):
        return True
    if last.istitle():
        return parts[0].lower() == "the" and len(parts) == 2 and is_plural(last) and last.lower() not in _ONE_STATE
    return last.islower() and last.isalpha() and is_plural(subject)


# Verb phrases.

_STRANDED = "to in on at by with for from as of into under against about over through".split()
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
    designed made sponsored hosted edited presented represented controlled financed taught trained employed
    """.split()
)
_PAST = {
    "become": "became", "begin": "began", "break": "broke", "bring": "brought", "build": "built", "buy": "bought",
    "choose": "chose", "come": "came", "do": "did", "draw": "drew", "drive": "drove", "fall": "fell", "fight": "fought",
    "find": "found", "get": "got", "give": "gave", "go": "went", "grow": "grew", "have": "had", "head": "headed",
    "hold": "held", "keep": "kept", "know": "knew", "lead": "led", "leave": "left", "lie": "lay", "lose": "lost",
    "make": "made", "marry": "married", "meet": "met", "pay": "paid", "put": "put", "read": "read", "rise": "rose",
    "run": "ran", "say": "said", "see": "saw", "sell": "sold", "send": "sent", "set": "set", "sing": "sang", "sit": "sat",
    "speak": "spoke", "spend": "spent", "stand": "stood", "take": "took", "teach": "taught", "tell": "told",
    "win": "won", "write": "wrote",
}  # fmt: skip
_WROTE = {
    "written": ("writes", "wrote"),
    "led": ("leads", "led"),
    "run": ("runs", "ran"),
    "made": ("makes", "made"),
    "taught": ("teaches", "taught"),
}


class _Phrase(NamedTuple):
    """A verb phrase in its parts."""

    helper: str
    """The auxiliary that moves before the subject: `is`, `may`, or `do`, `does`, `did` for a full verb."""
    base: str
    """The full verb's base form; empty after an auxiliary."""
    rest: str
    """What follows; the object stands after it."""
    finite: str
    """The phrase as it stands after its subject."""


def _phrase(relation: str, subject: str) -> _Phrase | None:
    """The verb phrase that a relation is; None for a noun."""
    parts = relation.split()
    first = parts[0].lower()
    many = _many(subject)
    if first in ("a", "an") and len(parts) > 1:
        return _Phrase("are" if many else "is", "", relation, f"{'are' if many else 'is'} {relation}")
    if parts[-1].lower() == "of" and len(parts) > 1 and first not in AUXILIARY and not base_form(first):
        article = indefinite(relation) if _head_words(relation) & _ONE_OF_MANY else "the"
        return _Phrase("is", "", f"{article} {relation}", f"is {article} {relation}")
    if first in AUXILIARY and len(parts) > 1:
        if first in ("has", "have", "had") and not is_participle(parts[1].lower()):
            base = {"has": "have", "have": "have", "had": "have"}[first]
            return _full(base, parts[1:], relation, first == "had", many)
        agreed = {"is": "are", "was": "were", "has": "have"}.get(first, first) if many else first
        return _Phrase(agreed, "", " ".join(parts[1:]), " ".join([agreed, *parts[1:]]))
    trailing = parts[-1].lower() in _STRANDED and len(parts) > 1
    if trailing and first in _INTRANSITIVE:
        return _full(_base_of_past(first), parts[1:], relation, True, many)
    if trailing and (is_participle(first) or first in _PLACES):
        be = "were" if many and first == "born" else "was" if first in ("born", "founded") else "are" if many else "is"
        return _Phrase(be, "", relation, f"{be} {relation}")
    if base_form(first) and first not in _SURELY_NOUNS and (base_form(first) != first or trailing):
        if len(parts) == 1 and base_form(first) in _SURELY_NOUNS:
            return None
        return _full(base_form(first), parts[1:], relation, False, many)
    if trailing and re.fullmatch(r"(?:re-)?[a-z]{2,}(?:[^s]s|sses|shes|ches)", first) and " of" not in f" {parts[-1]}":
        return _full(first.removesuffix("s"), parts[1:], relation, False, many)
    return None


_SURELY_NOUNS = frozenset("name form type set list result state access store order group point record name".split())


_ONE_OF_MANY = frozenset("member part citizen student child son daughter subsidiary tributary fan ally pupil".split())


def _full(base: str, rest: Sequence[str], relation: str, past: bool, many: bool) -> _Phrase:
    tail = " ".join(rest)
    verb = _past_of(base) if past else base if many else _third(base)
    return _Phrase("did" if past else "do" if many else "does", base, tail, f"{verb} {tail}".strip())


def _third(base: str) -> str:
    if base == "have":
        return "has"
    if re.search(r"[^aeiou]y$", base):
        return f"{base[:-1]}ies"
    return f"{base}es" if re.search(r"(?:s|x|z|ch|sh|o)$", base) else f"{base}s"


def _past_of(base: str) -> str:
    if base in _PAST:
        return _PAST[base]
    if base.endswith("e"):
        return f"{base}d"
    if re.search(r"[^aeiou]y$", base):
        return f"{base[:-1]}ied"
    if re.fullmatch(r"[^aeiou]*[aeiou][bdgmnprt]", base):
        return f"{base}{base[-1]}ed"
    return f"{base}ed"


def _base_of_past(past: str) -> str:
    for base, form in _PAST.items():
        if form == past:
            return base
    if past.endswith("ied"):
        return f"{past[:-3]}y"
    for base in (past.removesuffix("d"), past.removesuffix("ed")):
        if base_form(base) == base:
            return base
    return past.removesuffix("ed") if past.removesuffix("ed")[-2:-1] in "aeiouyrlns" else past.removesuffix("d")


_VERSION = re.compile(r"((?:[A-Z][\w+#-]* )?)(?:version )?v?\d+(?:\.\d+)+(?:\+)?")
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d|\d{1,2} [A-Z][a-z]+ \d{4}|[A-Z][a-z]+(?: \d{1,2},)? \d{4}|\d{4}-\d\d(?:-\d\d)?")


def _of_verb(asked: Asked, phrase: _Phrase) -> Said:
    subject = _inside(asked.subject)
    parts = phrase.rest.split()
    particle = parts[-1].lower() if parts and parts[-1].lower() in _STRANDED else ""
    inner = " ".join(parts[:-1] if particle else parts)
    kind = _kind_of_object(asked, phrase, particle)
    wh = {"when": "when", "where": "where", "who": "who"}.get(kind, f"which {kind}" if kind else "what")
    gone = kind in ("when", "where") and particle in ("in", "on", "at", "since")
    rest = inner if gone else phrase.rest
    turned = " ".join(filter(None, [phrase.helper, subject, phrase.base, rest]))
    finite = phrase.finite.removesuffix(f" {particle}") if gone else phrase.finite
    direct = [f"{wh} {turned}?"]
    if particle and not gone and kind not in ("who", "") and particle not in ("to", "of"):
        direct.append(f"{particle} {wh} {' '.join(filter(None, [phrase.helper, subject, phrase.base, inner]))}?")
    elif particle and not gone and len(inner.split()) < 2 and not inner.endswith(_STILL_VERBAL):
        whom = "whom" if kind == "who" else "what"
        direct.append(f"{particle} {whom} {' '.join(filter(None, [phrase.helper, subject, phrase.base, inner]))}?")
    if particle == "by" and (active := _active(phrase, parts)):
        direct.append(f"{'what' if not kind else wh} {active} {subject}?")
    embedded = f"{wh} {subject} {finite}"
    named = f"the {kind} that {subject} {phrase.finite}" if wh.startswith("which") else ""
    current = phrase.helper not in ("was", "were", "did", "had")
    others = [] if gone else [f"{wh} {'is' if current else 'was'} it that {subject} {phrase.finite}?"]
    others.append(f"fill in the blank: {subject} {phrase.finite} ____.")
    if current:
        others.append(f"it is no longer as it used to be: {wh} {turned} now?")
    others.append(f"I have to finish this sentence: {_upper(subject)} {phrase.finite} ... How does it end?")
    said = f"{subject} {phrase.finite} {SLOT}."
    cleft = f"it {'is' if current else 'was'} {SLOT} that {subject} {phrase.finite}."
    return Said(
        direct=_sentences(direct),
        embedded=embedded,
        other_clause=embedded,
        named=named,
        statements=_sentences([said] if gone or not _brief(asked) else [said, cleft]),
        paraphrases=_sentences(others),
        current=current,
    )


def _brief(asked: Asked) -> bool:
    """Whether both objects are names, short enough to stand before what is said of them."""
    return all(not value or (_name_like(value) and len(value.split()) <= 4) for value in (asked.new, asked.old))


_STILL_VERBAL = ("is", "are", "be", "to")


def _kind_of_object(asked: Asked, phrase: _Phrase, particle: str) -> str:
    """What is asked for: `when`, `where`, `who`, a class ("team", "Python version"), or nothing that is known."""
    done = phrase.rest.split()[0].lower() if phrase.rest else ""
    if particle in ("in", "since", "with") and (version := _VERSION.fullmatch(asked.new)):
        return f"{version.group(1)}version"
    if particle in ("in", "on", "since") and _YEAR.fullmatch(asked.new):
        return "when"
    if particle in ("in", "at", "on", "near") and (
        done in _PLACES or phrase.base in ("live", "reside", "stand", "lie")
    ):
        return "where"
    key = f"{phrase.base} {phrase.rest}".strip()
    if key in _CLASSES:
        return _CLASSES[key]
    if surname(asked.new) and (particle or phrase.base):
        return "who"
    return "who" if particle == "by" and done in _AGENT else ""


def _active(phrase: _Phrase, parts: Sequence[str]) -> str:
    """The verb of a passive in the active ("was owned by": `owned`); empty when it is not known."""
    if len(parts) != 2 or phrase.helper not in ("is", "are", "was", "were"):
        return ""
    past = phrase.helper in ("was", "were")
    done = parts[0].lower()
    if done in _WROTE:
        return _WROTE[done][past]
    if not done.endswith("ed"):
        return ""
    return done if past else _third(_base_of_past(done))


# Questions that a fact brings.

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sept?|Oct|Nov|Dec)[a-z]*\.?"
_TIME_TAIL = re.compile(
    r",? ((?:in|from|between|during|after|before|since|until|as of|by|on|around|through)"
    rf"(?: (?:the|early|late|mid|spring|summer|autumn|fall|winter|of|and|to|until|season|year|years|now|{_MONTH},?"
    r"|\d{1,2}(?:st|nd|rd|th)?,?|\d{4}s?(?:[-–/]\d{2,4})?,?))+)$"
)
_CHOICE = re.compile(r", (?:the |an? )?[\w-]+ or (?:the |an? )?[\w-]+$")
_BE_QUESTION = re.compile(
    r"(who|what|which(?: [\w’'-]+){1,4}?|what(?: [\w’'-]+){1,4}?) (is|are|was|were) (.+)", re.IGNORECASE
)
_DO_QUESTION = re.compile(
    r"((?:(?:in|into|for|by|at|to|with|from|on|under) )?(?:whom?|what|which|how many|how much)(?: [\w’'*\"-]+){0,5}?|where|when)"
    r" (did|does|do|can|could|may|must|should|will|would|is|are|was|were) (.+)",
    re.IGNORECASE,
)
# "She lived in which country": what is asked for stands where the answer will.
_IN_PLACE = re.compile(
    r"((?!(?:who|what|which|where|when|how|why|name)\b)\S.{0,200}? )((?:which|what)(?: [\w’'-]+){1,6})", re.IGNORECASE
)


_NO_STATEMENT = "The answer is"


class _Turned(NamedTuple):
    """A question as a clause, and as a statement with a place for its answer; empty where that is not known."""

    embedded: str
    statement: str
    named: str = ""


def _of_question(asked: Asked) -> Said:
    question = " ".join(asked.question.split())
    core, tail = _timed(question.rstrip("?").strip())
    core = _inside_question(core)
    choice = ""
    if (found := _CHOICE.search(core)) and not tail:
        core, choice = core[: found.start()], found.group()
    turned = _turned(core, asked.subject)
    after = f" {tail}" if tail else ""
    direct = [f"{core}?"] if choice else []
    if tail and turned.embedded:
        direct.append(f"{tail}, {core}?" if not question.startswith(_upper(tail)) else f"{core}{after}?")
    statements = [f"{turned.statement}{after}."] if turned.statement else [f"{_NO_STATEMENT} {SLOT}."]
    if turned.statement and tail:
        statements.append(f"{tail}, {turned.statement}.")
    others: list[str] = []
    if turned.statement:
        others.append(f"fill in the blank: {turned.statement.replace(SLOT, '____')}{after}.")
    if tail and turned.named:
        others.append(f"{tail}: give me {turned.named}.")
    current = bool(re.match(r"(?:who|what|which [\w ]+) (?:is|are|does|do)\b", core, re.IGNORECASE)) and not tail
    return Said(
        direct=(question, *(text for text in _sentences(direct) if text != question)),
        embedded=f"{turned.embedded}{after}" if turned.embedded else "",
        other_clause=f"{turned.embedded}{after}" if turned.embedded else "",
        named=f"{turned.named}{after}" if turned.named else "",
        statements=_sentences(statements),
        paraphrases=_sentences(others),
        current=current,
    )


def _timed(core: str) -> tuple[str, str]:
    """The question without the time that it ends or opens with, and that time; empty when it names none."""
    if found := _TIME_TAIL.search(core):
        return core[: found.start()], found.group(1)
    opening, comma, rest = core.partition(", ")
    if comma and rest and _TIME_TAIL.fullmatch(f" {opening[:1].lower()}{opening[1:]}"):
        return rest, opening[0].lower() + opening[1:]
    return core, ""


_ASKING = re.compile(
    r"(?:(?:in|into|for|by|at|to|with|from|on|under|of) )?(?:who|whom|whose|what|which|where|when|how|why)\b"
    r"|(?:is|are|was|were|do|does|did|can|may|has|have)\b",
    re.IGNORECASE,
)


def _inside_question(core: str) -> str:
    return core[0].lower() + core[1:] if _ASKING.match(core) else core


_LONG = 8
"""Words of a subject after which a clause puts its verb first: nobody waits that long for it."""


def _turned(core: str, subject: str) -> _Turned:
    if found := _BE_QUESTION.fullmatch(core):
        return _turned_be(found.group(1), found.group(2), found.group(3), subject)
    if found := _DO_QUESTION.fullmatch(core):
        return _turned_do(found.group(1), found.group(2), found.group(3), subject)
    parts = core.split()
    if parts[0].lower() in ("who", "what", "which"):
        for at in range(1 if parts[0].lower() == "who" else 2, min(6, len(parts) - 1)):
            if _finite(parts[at]):
                verb = " ".join(parts[at:])
                return _Turned(core, f"{SLOT} {verb}", _that(" ".join(parts[:at]), verb))
        return _Turned("", "")
    if found := _IN_PLACE.fullmatch(core):
        before, which = found.group(1).strip(), found.group(2)
        return _Turned(f"{which} {before}", f"{before} {SLOT}", _that(which, before))
    return _Turned("", "")


def _that(wh: str, clause: str) -> str:
    """What a `which N` question asks for as a noun phrase: "the N that ..."."""
    words = wh.split()
    return (
        f"the {' '.join(words[1:])} that {clause}" if len(words) > 1 and words[0].lower() in ("which", "what") else ""
    )


def _finite(word: str) -> bool:
    small = word.lower()
    return small == word and (
        is_participle(small) or small in _PAST.values() or (bool(base_form(small)) and small.endswith("s"))
    )


def _turned_be(wh: str, be: str, rest: str, subject: str) -> _Turned:
    first = rest.split()[0].lower()
    if is_participle(first):
        return _Turned(f"{wh} {be} {rest}", f"{SLOT} {be} {rest}", _that(wh, f"{be} {rest}"))
    if split := _after_subject(rest, subject):
        if not split[1]:
            return _Turned(f"{wh} {rest} {be}", f"{rest} {be} {SLOT}")
        clause = f"{split[0]} {be} {split[1]}"
        return _Turned(f"{wh} {clause}", f"{clause} {SLOT}", _that(wh, clause))
    if first in ("the", "his", "her", "their", "its") or re.match(r".{1,60}?['’]s? ", rest):
        clause = f"{rest} {be}" if len(rest.split()) <= _LONG else f"{be} {rest}"
        return _Turned(f"{wh} {clause}", f"{rest} {be} {SLOT}", rest)
    return _Turned(f"{wh} {be} {rest}", f"{SLOT} {be} {rest}", _that(wh, f"{be} {rest}"))


def _turned_do(wh: str, helper: str, rest: str, subject: str) -> _Turned:
    split = _after_subject(rest, subject) or _before_verb(rest)
    if not split or not split[1]:
        return _Turned("", "")
    who, verbal = split
    base, _, tail = verbal.partition(" ")
    if base_form(base) != base and base not in _PAST and not re.fullmatch(r"[a-z]+", base):
        return _Turned("", "")
    verb = {"did": _past_of(base), "does": _third(base), "do": base}.get(helper.lower(), f"{helper} {base}")
    embedded = f"{wh} {who} {verb} {tail}".strip()
    place = wh.lower().split()[0]
    if place in ("where", "when"):
        return _Turned(embedded, "")
    if place in _STRANDED:
        return _Turned(embedded, " ".join(f"{who} {verb} {tail} {place} {SLOT}".split(" ")).replace("  ", " "))
    if tail.split(" ")[-1] in _STRANDED:
        return _Turned(embedded, f"{who} {verb} {tail} {SLOT}", _that(wh, f"{who} {verb} {tail}"))
    return _Turned(embedded, f"{who} {verb} {SLOT} {tail}".strip(), _that(wh, f"{who} {verb} {tail}".strip()))


def _after_subject(rest: str, subject: str) -> tuple[str, str] | None:
    """(subject, what follows) of a clause that opens with the fact's subject; None when it does not."""
    for form in aliases(subject):
        for opening in (form, f"the {form}"):
            if rest.lower().startswith(opening.lower()) and rest[len(opening) : len(opening) + 1] in ("", " "):
                return rest[: len(opening)], rest[len(opening) + 1 :]
    return None


_NO_VERBS = frozenset("of the and in at on for de la van von der to by with from team club company airline".split())


def _before_verb(rest: str) -> tuple[str, str] | None:
    """The clause cut before its first bare verb in small letters, which is not its first word."""
    parts = rest.split()
    for at, part in enumerate(parts[1:8], 1):
        after_name = parts[at - 1][0].isupper() and part.islower() and part.isalpha() and part not in _NO_VERBS
        if (base_form(part) == part or part in _PAST or after_name) and parts[at - 1].lower() not in ("the", "a", "of"):
            return " ".join(parts[:at]), " ".join(parts[at:])
    return None


# Everything that can be said.


def said(asked: Asked) -> Said:
    """What the grammar makes of a fact."""
    if not _english(asked):
        return _plainly(asked)
    if asked.question:
        return _of_question(asked)
    relation = _spelled_out(asked.relation)
    if not relation or re.fullmatch(r"[PQ]\d+", relation):
        return _plainly(asked)
    if relation.endswith(" of") and _is_person(relation, asked.new) and not surname(asked.subject):
        # "chief executive of" of a company: the new object is the person.
        relation = relation.removesuffix(" of")
    if phrase := _phrase(relation, asked.subject):
        return _of_verb(asked, phrase)
    return _of_noun(asked, relation)


def _english(asked: Asked) -> bool:
    told = asked.question or asked.relation
    return (
        told.isascii() and language_of(told) == "en"
        if not asked.question
        else compare.script(told) == "latin" and language_of(told) == "en"
    )


def _spelled_out(relation: str) -> str:
    """A relation as words: `headCoach`, `head_coach` and `the head coach` are `head coach`."""
    text = " ".join(relation.strip(" .:?").replace("_", " ").split())
    if " " not in text and re.search(r"[a-z][A-Z]", text):
        text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()
    text = re.sub(r"^the (?=\S)", "", text, flags=re.IGNORECASE)
    return text[0].lower() + text[1:] if text[1:2].islower() or text[1:2] in ("", " ") else text


_END = {"cjk": ("：", "？", "。"), "arabic": (": ", "؟", ".")}


def _plainly(asked: Asked) -> Said:
    """Questions and sentences that need no grammar, for any language."""
    relation = "" if asked.relation == asked.question or re.fullmatch(r"[PQ]\d+", asked.relation) else asked.relation
    colon, mark, stop = _END.get(compare.script(asked.question or relation or asked.subject), (": ", "?", "."))
    subject = asked.subject
    direct = [asked.question] if asked.question else []
    others: list[str] = []
    if relation:
        direct += [f"{subject}{colon}{relation}{mark}"]
        others += [f"{relation} – {subject}{mark}", f"{relation} ({subject}){mark}"]
    if not direct:
        direct = [f"{subject}{colon}{mark}"]
    statement = f"{subject} – {relation}{colon}{SLOT}{stop}" if relation else f"{subject}{colon}{SLOT}{stop}"
    return Said(tuple(direct), "", "", (statement,), tuple(others), other_clause="", current=False)


def stated(asked: Asked, value: str, tone: int = 0) -> str:
    """The sentence that says that the object is `value`, in one of the ways that the relation allows."""
    forms = said(asked).statements
    return put(forms[tone % len(forms)], value)


def put(statement: str, value: str) -> str:
    """A statement with `value` in the place of its object."""
    at = statement.find(SLOT)
    before, after = statement[:at], statement[at + 1 :]
    many = _many(value)
    value = fitted(value.strip(), not before.strip())
    if after.startswith(".") and value.endswith((".", "!", "?")):
        after = after[1:]
    verb = _BE_AFTER.match(after)
    if (not before or before.endswith(", ")) and verb and value[0].isalpha():
        agreed = _AGREED.get((verb.group(2), many), verb.group(2))
        after = f"{verb.group(1)}{agreed}{after[verb.end() :]}"
    return f"{before}{value}{after}"


def _inside(subject: str) -> str:
    return fitted(" ".join(subject.split()), False)


def _upper(text: str) -> str:
    return fitted(text, True)


def _sentences(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_upper(" ".join(text.split(" "))) for text in texts))


# Wordings.


def wordings(asked: Asked) -> tuple[list[str], list[str]]:
    """(wordings of the question, paraphrases of it), the best first; all take the same sentence for an answer."""
    known = said(asked)
    first = known.direct[0]
    if not _english(asked) or not known.embedded:
        return _unturned(asked, known)
    small, clause, other = _inside_question(first), known.embedded, known.other_clause
    subject, asking = _inside(asked.subject), clause.split()[0]
    found = [
        *known.direct[:2],
        f"Can you tell me {clause}?",
        f"As of {asked.as_of}, {small}" if asked.as_of and known.current else "",
        f"I would like to know {other}.",
        *known.direct[2:],
        f"{'Name' if asking in ('who', 'which') else 'State'} {known.named}." if known.named else "",
        f"At the moment, {small}" if known.current else "",
        f"Do you know {clause}?",
        f"Tell me {other}.",
        f"I am not sure {clause}. Can you help?",
        f"I have read different things about {subject}. {first}",
        f"In one sentence, {small}",
        f"For a short note I need to find out {other}.",
        f"A colleague has asked me {clause}. What should I say?",
        f"A question about {subject}: {small}",
        f"Please answer in a full sentence: {small}",
        f"I keep forgetting {other}. Could you remind me?",
        f"Quick question: {small}",
        f"Help me with one fact about {subject}, please: {small}",
        f"Could you please say {clause}?",
        f"What would you answer when asked {other}?",
        f"Before I go on, I want to be sure {clause}.",
        f"There is one thing that I want to look up, namely {other}.",
        f"{first.removesuffix('?')} now?" if known.current else "",
    ]
    others = [
        *known.paraphrases,
        f"Correct me if I am wrong about {subject}: {small}",
        f"If you had to explain to a newcomer {other}, what would you say?",
        f"Somebody is mistaken about {subject} and needs to hear {clause}. What do you tell them?",
    ]
    return apart(found), apart(others)


TOO_NEAR = 0.75
"""Jaccard of word 3-grams from which two wordings are the same but for a word; the pool of a data set draws its line at 0.8."""


def apart(texts: Sequence[str]) -> list[str]:
    """The texts in order, without empty ones and those that are too near an earlier one."""
    kept: list[str] = []
    shapes: list[set[tuple[str, ...]]] = []
    for text in texts:
        told = words(text)
        shape = {tuple(told[at : at + 3]) for at in range(max(1, len(told) - 2))}
        if text and not any(len(shape & other) >= TOO_NEAR * len(shape | other) for other in shapes):
            kept.append(text)
            shapes.append(shape)
    return kept


def _unturned(asked: Asked, known: Said) -> tuple[list[str], list[str]]:
    """Wordings around a question whose grammar is not known: English gets a frame, other languages nothing."""
    found = list(known.direct)
    if _english(asked) and asked.question:
        small = _inside_question(known.direct[0])
        found += [
            f"A question about {_inside(asked.subject)}: {small}",
            f"In one sentence, {small}",
            f"Please answer this question: {small}",
            f"Quick question: {small}",
            f"Can you answer this? {known.direct[0]}",
        ]
        return apart(found), [*known.paraphrases, f"Somebody asks: {known.direct[0]} What do you say?"]
    return apart(found), list(known.paraphrases)


def _read(task: Task) -> Asked:
    return Asked(
        task.text("subject"),
        task.text("relation"),
        task.text("new"),
        task.text("old"),
        task.text("as_of"),
        next((tag.text for tag in task.all("question")), ""),
    )


def word(task: Task) -> dict[str, Any]:
    """The question of a fact in as many wordings as are wanted, one more that is held out, and paraphrases."""
    count = int(task.attribute("wanted", "questions") or 10)
    more = int(task.attribute("wanted", "paraphrases") or 0)
    found, others = wordings(_read(task))
    # The first wording is the plainest: it is trained on, and the next best is held out.
    held = found.pop(min(2, len(found) - 1)) if len(found) > 2 else ""
    questions = [
        {"text": text, "form": "direct" if text.endswith(("?", "？", "؟")) else "statement"} for text in found[:count]
    ]
    return {"questions": questions, "held_out": held, "paraphrases": others[:more]}


# Corrections.

_DATE = rf"(?: (?:the|early|late|mid|{_MONTH},?|\d{{4}}|\d{{1,2}}(?!\d),?))"
_SINCE = re.compile(rf"\b(?:since|as of){_DATE}+", re.IGNORECASE)
_DATED = re.compile(
    rf"\b(?:since|as of|in|from|on|starting with)(?P<date>(?:{_DATE}| (?:[Vv]ersion )?(?:[A-Z][a-z]+ )?\d+\.\d+(?:\.\d+)*)+)"
)
_HIS_STORY = re.compile(r",\s+(?:who|which|whose)\b[^,.;:!?]*(?:\d{4}|since)[^,.;:!?]*,?")
_REFERS_BACK = re.compile(r"(?:He|She|They|His|Her|Their)\b")
_BE_AFTER = re.compile(r"(\s+)(is|are|was|were|has|have)\b")
_AGREED = {
    ("is", True): "are",
    ("are", False): "is",
    ("was", True): "were",
    ("were", False): "was",
    ("has", True): "have",
    ("have", False): "has",
}


def edit(task: Task) -> dict[str, Any]:
    """The stale answer with the new object in the place of the old one; nothing when no quote names the new object."""
    asked, answer = _read(task), task.text("answer")
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
    text = replaced(sentence, asked.old, asked.new)
    text = _agreeing(text, asked)
    if text.startswith(("Yes,", "Yes.")) and asked.old and holds(asked.question, asked.old):
        text = f"No{text[3:]}"
    text = re.sub(r"\b(is|are|was|were) still\b", r"\1", text)
    text = re.sub(r"\bstill (?=\w)", "", text)
    return _redated(text, asked, evidence)


def _agreeing(text: str, asked: Asked) -> str:
    """The verb right after the new object in its number, where the old one had the other."""
    many = _many(asked.new)
    if not asked.old or many == _many(asked.old):
        return text
    for span in mentions(text, asked.new):
        verb = _BE_AFTER.match(text, span.end)
        if verb and not text[: span.start].strip():
            agreed = _AGREED.get((verb.group(2), many), verb.group(2))
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
        return cut if cut[:1].isupper() else _upper(cut)
    return f"{text[: found.start()]}{_upper(put_in) if found.group()[0].isupper() else put_in}{text[found.end() :]}"


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
        return _answered(asked)
    texts = [answer[span.start : span.end] for span in spans]
    wanted = f"{asked.relation} {asked.question}"
    share = [2 * compare.coverage(wanted, [text]) + compare.coverage(asked.subject, [text]) for text in texts]
    at = max(range(len(spans)), key=lambda number: share[number])
    span = spans[at]
    return f"{answer[: span.start]}{_answered(asked)}{answer[span.end :]}"


def _answered(asked: Asked) -> str:
    """The plain statement of the new object: of the question where its grammar is known, else of the relation."""
    if asked.question and said(asked).statements[0].startswith(_NO_STATEMENT):
        asked = asked._replace(question="")
    return stated(asked, asked.new)


# What follows from a fact.

HOPS = 2
"""Questions about the new object itself."""


def portability(task: Task) -> dict[str, Any]:
    """Yes-or-no questions about both objects, the fact asked backwards, what was before, and what the quotes say of the new
    object; each only where a quote carries the answer.
    """
    asked, quotes = _read(task), task.all("quote")
    of_new = [tag for tag in quotes if holds(tag.text, asked.new, asked.old)]
    if not of_new:
        return {"probes": []}
    naming_both = [tag for tag in of_new if holds(tag.text, asked.subject)] or of_new
    numbers = [int(tag.attributes["id"]) for tag in naming_both][:3]
    known = said(asked)
    found: list[dict[str, Any]] = []
    if _english(asked) and not known.statements[0].startswith(_NO_STATEMENT):
        found += _yes_or_no(asked, known, numbers)
        found += _backwards(asked, numbers)
        found += _before(asked, known, quotes)
        found += _hops(asked, known, of_new)
    return {"probes": found}


def _probe(
    kind: str, question: str, answer: str, stale: str, other: Sequence[str], quotes: Sequence[int]
) -> dict[str, Any]:
    return {
        "kind": kind,
        "question": _upper(question),
        "answer": answer,
        "stale": stale,
        "aliases": list(other),
        "quotes": list(quotes),
    }


def _yes_or_no(asked: Asked, known: Said, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
    now = stated(asked, asked.new)
    if asked.old:
        yield _probe("confirm", _still(asked, known), f"No. {now}", "Yes", ["No"], numbers)
    question = f"is it correct that {_clause(asked, known, asked.new)}?"
    yield _probe("confirm", question, f"Yes. {now}", "No" if asked.old else "", ["Yes"], numbers)


def _still(asked: Asked, known: Said) -> str:
    """Whether the old object still is it, as a question."""
    relation, subject, old = _spelled_out(asked.relation), _inside(asked.subject), _inside(asked.old)
    if asked.question or (not known.current and _ALREADY_NOW.match(relation) is None):
        return f"is it true that {_clause(asked, known, asked.old)}?"
    if phrase := _phrase(relation, asked.subject):
        return f"{' '.join(filter(None, [phrase.helper, subject, 'still', phrase.base, phrase.rest]))} {old}?"
    noun = relation
    return f"{'are' if is_plural(noun) else 'is'} the {noun} of {subject} still {old}?"


def _clause(asked: Asked, known: Said, value: str) -> str:
    """The statement about `value` as it stands inside of a sentence."""
    form, subject = known.statements[0], _inside(asked.subject)
    told = put(form, value).rstrip(".")
    if form.startswith(SLOT):
        return f"{fitted(value, False)}{told[len(value) :]}"
    if told.startswith(_upper(subject)):
        return f"{subject}{told[len(subject) :]}"
    return told[0].lower() + told[1:] if told.split()[0] in _OPENERS else told


_OPENERS = (
    "The",
    "A",
    "An",
    "In",
    "From",
    "Between",
    "During",
    "As",
    "It",
    "On",
    "At",
    "Since",
    "Until",
    "After",
    "Before",
)


def _name_like(value: str) -> bool:
    return bool(surname(value)) or (
        bool(re.fullmatch(r"(?:the )?[A-Z][\w.&’'-]+(?: [\w.&’'-]+){0,5}", value)) and value[-1].isalnum()
    )


def _backwards(asked: Asked, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
    relation = _spelled_out(asked.relation)
    if asked.question or _phrase(relation, asked.subject) or not _name_like(asked.new):
        return
    noun = relation
    if not is_plural(noun):
        yield _probe(
            "reverse",
            f"what is {_inside(asked.new)} the {noun} of?",
            asked.subject,
            "",
            aliases(asked.subject)[1:],
            numbers,
        )


def _before(asked: Asked, known: Said, quotes: Sequence[Tag]) -> Iterator[dict[str, Any]]:
    """What was before, where a quote names the old object."""
    carrying = [int(tag.attributes["id"]) for tag in quotes if asked.old and holds(tag.text, asked.old, asked.new)]
    relation = _spelled_out(asked.relation)
    if not carrying or asked.question or not known.current or _phrase(relation, asked.subject):
        return
    noun = relation
    if _ALREADY_NOW.match(noun) or is_plural(noun):
        return
    subject, new = _inside(asked.subject), _inside(asked.new)
    if known.direct[0].startswith("Who"):
        question = f"who was the {noun} of {subject} before {new}?"
    else:
        question = f"what was the {noun} of {subject} before it became {new}?"
    yield _probe("before", question, asked.old, "", aliases(asked.old)[1:], carrying[:3])


_WHO_IS = re.compile(r"(?:Who|What) (?:is|was|are|were) \S+(?: [A-Z(]\S*)*\?$")
"""Asked of an unnamed thing, this asks for its name."""


def _hops(asked: Asked, known: Said, quotes: Sequence[Tag]) -> Iterator[dict[str, Any]]:
    """Questions that the quotes answer about the new object, asked about it as what the fact makes it."""
    if not known.named or not known.current or not _name_like(asked.new):
        return
    told: set[str] = set()
    for tag in quotes:
        for draft in drafts(tag.text, tag.attributes.get("title", "")):
            if draft.quality < 0.6 or holds(draft.question, asked.subject) or holds(draft.answer, asked.subject):
                continue
            if not holds(draft.question, asked.new) or (
                asked.old and holds(f"{draft.question} {draft.answer}", asked.old)
            ):
                continue
            question = replaced(draft.question, asked.new, known.named)
            if _WHO_IS.match(draft.question):
                continue
            if draft.answer not in told and len(told) < HOPS:
                told.add(draft.answer)
                yield _probe("hop", question, draft.answer, "", [], [int(tag.attributes["id"])])


SKILLS: dict[str, Callable[[Task], dict[str, Any]]] = {
    "Wordings": word,
    "RevisedAnswer": edit,
    "PortabilityProbes": portability,
}
