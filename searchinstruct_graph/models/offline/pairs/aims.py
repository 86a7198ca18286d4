"""The question that a study sets out to answer, from the sentence that states its aim. English only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from searchinstruct_graph.models.offline.pairs.findings import MARKS
from searchinstruct_graph.models.offline.pairs.phrases import (
    NOTHING_KNOWN,
    OWN,
    THOSE,
    Found,
    Vocabulary,
    is_many,
    names_itself,
    telling,
    trim,
)
from searchinstruct_graph.models.offline.pairs.relations import EFFECTS, FORMS

# What a study sets out to find: its question, without the answer.

_ASSESS = (
    "determine|determining|assess|assessing|evaluate|evaluating|examine|examining|investigate|investigating"
    "|test|testing|explore|exploring|find out|study|studying|establish|ascertain|clarify|analy[sz]e"
    r"|analy[sz]ing|identify|elucidate|address|compare|comparing|verify|measure|estimate|determined|assessed"
    r"|evaluated|examined|investigated|tested|explored|studied|compared"
)

_WHETHER = re.compile(
    rf"\b(?:{_ASSESS}|hypothesi[sz]ed?|know|unclear|unknown|asked|decide|see|show|questioned) (?:whether|if) (.+)$"
)

_AIM = re.compile(
    rf"\b(?:to|was|we|by|study|analysis) (?:\w+ly )?(?:{_ASSESS}) (?:the )?(?P<kind>effects?|impact|influence"
    r"|association|relationship|correlation|prevalence|incidence|efficacy|effectiveness|safety|role|accuracy"
    r"|value|usefulness|utility|frequency|feasibility|reliability|validity)s? (?P<joint>of|between)"
    r" (?P<what>.+)$"
)


def aims(sentence: str, known: Vocabulary = NOTHING_KNOWN) -> Iterator[Found]:
    """The question that a study sets out to answer in `sentence`; another sentence may answer it."""
    body = sentence.strip().rstrip(". ")
    made = ""
    if found := _WHETHER.search(body):
        made = _yes_or_no(trim(found.group(1)))
    elif found := _AIM.search(body):
        made = _about_aim(found["kind"].rstrip("s"), found["joint"], trim(found["what"]))
    size = len(made.split())
    if (
        made
        and 5 <= size <= 32
        and telling(made) >= 3
        and not OWN.search(THOSE.sub("", made))
        and not MARKS.search(made)
        and made.count("(") == made.count(")")
    ):
        yield Found(f"{made[0].upper()}{made[1:]}", "analyze", 1.05 - max(0, size - 18) * 0.02)


_FINITE_BE = re.compile(r"^(.+?) (is|are|was|were|can|could|may|might|should|would|will|has|have|had) (.+)$")

_FINITE_VERB = re.compile(
    rf"^(.+?) (?:\w+ly )?({FORMS}|differ(?:s|ed)?|correlate[sd]?|predict(?:s|ed)?|play(?:s|ed)?|lead(?:s)?"
    r"|contribute[sd]?) (.+)$"
)


def _yes_or_no(clause: str) -> str:
    """The clause after "whether" as a question; empty when its subject cannot be told."""
    if (found := _FINITE_BE.match(clause)) and _subject(found.group(1)):
        subject, verb, rest = found.groups()
        now = {
            "was": "is",
            "were": "are",
            "could": "can",
            "might": "can",
            "may": "can",
            "had": "has",
            "would": "will",
        }.get(verb, verb)
        return f"{now} {subject} {rest}?"
    if (found := _FINITE_VERB.match(clause)) and _subject(found.group(1)):
        subject, verb, rest = found.groups()
        base = EFFECTS.get(verb) or {
            "differs": "differ",
            "differed": "differ",
            "plays": "play",
            "played": "play",
            "leads": "lead",
        }.get(verb)
        base = base or re.sub(r"(?<=e)[sd]$|(?<=[^e])(?:ed|s)$", "", verb)
        return f"{'do' if is_many(subject) else 'does'} {subject} {base} {rest}?"
    return ""


def _subject(phrase: str) -> bool:
    return names_itself(phrase, 18) and not re.search(r"\b(?:to|for) [a-z]+ing$", phrase)


def _about_aim(kind: str, joint: str, what: str) -> str:
    if not what or " and to " in what or len(what.split()) > 24:
        return ""
    if kind in ("effect", "impact", "influence"):
        cause, on, rest = what.partition(" on ")
        if not on or not names_itself(cause, 16) or len(rest.split()) > 14:
            return ""
        return f"what effect {'do' if is_many(cause) else 'does'} {cause} have on {rest}?"
    if kind in ("association", "relationship", "correlation"):
        what = re.sub(r" (?:more )?\w+ly$", "", what)
        return f"what is the {kind} between {what}?" if joint == "between" and " and " in what else ""
    if joint != "of":
        return ""
    if kind in ("efficacy", "effectiveness"):
        return f"how effective {'are' if is_many(re.split(' (?:in|for|on|as|with) ', what)[0]) else 'is'} {what}?"
    return f"what is the {kind} of {what}?"
