"""Relations that are nouns: the chief executive of S is O."""

from __future__ import annotations

import re

from searchinstruct_graph.models.offline.editing.asked import NOW, SLOT, Asked, Said, When, inside, opened
from searchinstruct_graph.models.offline.grammar import is_many, is_plural
from searchinstruct_graph.text.editing import surname

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
_PERSON_OR_BODY = frozenset(("employer", "occupant"))
_DOER = re.compile(r"[a-z]{2,}(?:er|or|ist|man|woman|person|ant|ee)")
ALREADY_NOW = re.compile(r"^(?:latest|newest|current|present|incumbent|most recent|new|last)\b", re.IGNORECASE)
"""A noun that says "now" by itself."""

_OTHER_WORDS: tuple[tuple[str, str, str], ...] = (
    (r"(?:chief executive(?: officer)?|ceo|managing director)", "Who runs {s}", "Who ran {s}"),
    (r"(?:head coach|coach|manager|trainer)", "Who coaches {s}", "Who coached {s}"),
    (r"(?:president|chair\w*|leader|director|head|principal|dean|rector|governor)", "Who leads {s}", "Who led {s}"),
    (r"mayor", "Who heads the city government of {s}", "Who headed the city government of {s}"),
    (r"head of government", "Who heads the government of {s}", "Who headed the government of {s}"),
    (r"command\w+", "Who is in command of {s}", "Who was in command of {s}"),
    (r"owner", "Who owns {s}", "Who owned {s}"),
    (r"(?:author|writer)", "Who wrote {s}", "Who wrote {s}"),
    (r"founder", "Who founded {s}", "Who founded {s}"),
    (r"captain", "Who wears the armband for {s}", "Who wore the armband for {s}"),
    (r"(?:spouse|husband|wife)", "Who is {s} married to", "Who was {s} married to"),
    (r"editor(?:-in-chief| in chief)?", "Who edits {s}", "Who edited {s}"),
    (r"(?:presenter|host)", "Who hosts {s}", "Who hosted {s}"),
    (r"performer", "Who plays {s}", "Who played {s}"),
    (r"(?:employer)", "Who employs {s}", "Who employed {s}"),
    (r"population", "How many people live in {s}", "How many people lived in {s}"),
    (r"(?:headquarters|location|seat)", "Where is {s} based", "Where was {s} based"),
    (
        r"(?:latest|newest|current|latest stable|most recent) (?:version|release)",
        "Which version of {s} is the newest",
        "",
    ),
    (r"(?:default )?encoding", "In which encoding is {s} read", "In which encoding was {s} read"),
    (r"(?:price|cost)", "How much does {s} cost", "How much did {s} cost"),
    (r"(?:toll|fee|fare|admission fee)", "How much has to be paid for {s}", "How much had to be paid for {s}"),
    (r"capital", "Which city is the capital of {s}", "Which town was the capital of {s}"),
    (r"currency", "With what money does one pay in {s}", "With what money did one pay in {s}"),
    (r"maintainer", "Who maintains {s}", "Who maintained {s}"),
    (r"publisher", "Who publishes {s}", "Who published {s}"),
    (r"licen[cs]e", "Under which licence is {s} published", "Under which licence was {s} published"),
)
"""A noun, and the question for it in other words, in the present and in the past."""


def of_noun(asked: Asked, noun: str, when: When = NOW) -> Said:
    """What can be said with a relation that is a noun."""
    subject = inside(asked.subject)
    many = is_plural(noun) and noun.split()[-1].lower() not in ("headquarters", "status", "series", "news")
    be = ("were" if many else "was") if when.past else "are" if many else "is"
    person = is_person(noun, asked.new)
    who = "who" if person else "what"
    named = f"the {noun} of {subject}"
    short = _possessive(subject, noun) or named
    tail = f" {when.tail}" if when.tail else ""
    now = not when.past and not when.tail and not ALREADY_NOW.match(noun)
    direct = [f"{who} {be} {named}{tail}?", f"{who} {be} {short}{tail}?"]
    if when.tail:
        direct.append(f"{when.tail}, {who} {be} {named}?")
    if now and not person:
        direct.append(f"what {be} the current {noun} of {subject}?")
    if person and not when.past:
        direct.append(f"who {be} currently {named}?" if now else f"which person {be} {named}{tail}?")
    elif now:
        direct.append(f"which {noun} {'do' if is_many(asked.subject) else 'does'} {subject} have?")
    others = [
        f"{(past if when.past else present).format(s=subject)}{tail}?"
        for pattern, present, past in _OTHER_WORDS
        if re.fullmatch(pattern, noun, re.IGNORECASE) and (past or not when.past)
    ]
    if now:
        changed, pronoun = ("have", "they") if many else ("has", "it")
        others.append(f"{named} {changed} changed. {who.capitalize()} {be} {pronoun} now?")
    blank = f"{when.tail}, {named}" if when.tail else named
    others.append(f"fill in the blank: {blank} {be} ____.")
    others.append(f"in a text about {subject}, {'whom' if person else 'what'} should I name as the {noun}{tail}?")
    first = [f"{SLOT} {be} {named}."] if _standing(asked) else []
    return Said(
        direct=opened(direct),
        embedded=f"{who} {named} {be}{tail}",
        other_clause=f"{who} {short} {be}{tail}",
        named=f"{named}{tail}",
        statements=opened([f"{named} {be} {SLOT}.", *first]),
        paraphrases=opened(others),
        current=not when.past and not when.tail,
    )


def is_person(noun: str, value: str) -> bool:
    """Whether a relation asks for a person: its noun says so, or looks like a doer's while the object looks like a name."""
    heads = head_words(noun)
    if heads & _PERSON_OR_BODY and not surname(value):
        return False
    if heads & _PERSONS:
        return True
    return bool(surname(value)) and any(_DOER.fullmatch(word) for word in heads - _NO_PERSONS)


def _standing(asked: Asked) -> bool:
    """Whether both objects can open a sentence: names, code, and nouns with an article, but no numbers and no adjectives."""
    return all(
        not value or value.split()[0] in ("the", "a", "an") or not (value[0].islower() or value[0].isdigit())
        for value in (asked.new, asked.old)
    )


def head_words(noun: str) -> set[str]:
    """The words of a noun phrase up to its first preposition, small and singular."""
    head = re.split(r" (?:of|in|for|at|on|to|with) ", noun.lower())[0]
    return {word if word.endswith("ss") else word.removesuffix("s") for word in re.findall(r"[a-z]+", head)}


_SIGN = "'"


def _possessive(subject: str, noun: str) -> str:
    """`S's noun`, where the subject is short enough and a plain word ends it; else nothing."""
    if len(subject.split()) > 4 or not re.search(r"[^\W\d_]{2}$", subject) or " of " in f"{noun} ":
        return ""
    return f"{subject}{_SIGN if is_many(subject) and subject.endswith('s') else f'{_SIGN}s'} {noun}"
