"""Relations that are met often, with the ways in which pages speak of them: the capital of a county is called its seat."""

from __future__ import annotations

import re
from typing import NamedTuple

from searchinstruct_graph.models.offline.editing.asked import Asked, Said, When, spelled_out
from searchinstruct_graph.models.offline.editing.nouns import is_person, of_noun
from searchinstruct_graph.models.offline.editing.verbs import of_verb, phrase
from searchinstruct_graph.text.editing import surname


class Relation(NamedTuple):
    """A relation that is known by its name."""

    pattern: str
    """Its names, as a regular expression over the whole."""
    ways: tuple[str, ...]
    """Other relations that say the same, nouns and verb phrases."""
    asks: str = ""
    """The verb phrase that asks for it; empty: its own noun does."""
    kind: str | None = None
    """What `asks` asks for ("team", "where")."""
    began: tuple[str, ...] = ()
    """How it began, which is as good where the past is asked about: who moved to a place lived there."""

    within: tuple[str, ...] = ()
    """Nouns that say it where the object's own name holds them: the Reform Party is a party."""


RELATIONS = (
    Relation(
        r"capital|seat|county seat|administrative (?:center|centre|capital)",
        ("capital", "county seat", "administrative center", "administrative centre", "seat"),
    ),
    Relation(
        r"chief executive(?: officer)?|ceo",
        ("chief executive officer", "CEO", "chairman of the managing board", "president", "is led by", "is run by"),
    ),
    Relation(
        r"head coach|coach|trainer|(?:team )?manager",
        ("head coach", "coach", "manager", "trainer", "director", "is managed by"),
    ),
    Relation(
        r"(?:managing |museum |executive |general )?director",
        ("director", "managing director", "head", "is directed by", "is led by", "is managed by"),
    ),
    Relation(
        r"(?:head )?coach of(?: sports team)?|coaches|manages",
        (
            "coaches",
            "is the head coach of",
            "is the manager of",
            "manages",
            "leads",
            "is in charge of",
            "is at the helm of",
        ),
        asks="coaches",
        kind="team",
        began=("is appointed head coach of", "takes charge of"),
    ),
    Relation(
        r"chair|chairman|chairperson|chairwoman|head|leader|president",
        ("head", "leader", "president", "chairman", "chief", "chair", "director", "is led by", "is headed by"),
    ),
    Relation(
        r"head of government|mayor|prime minister",
        ("mayor", "prime minister", "premier", "head of government", "is governed by"),
    ),
    Relation(
        r"position(?: held)?|office(?: held)?|post(?: held)?",
        ("holds the position of", "serves as", "holds the office of"),
        asks="holds",
        kind="position",
        began=("is appointed",),
    ),
    Relation(
        r"(?:military )?rank",
        ("holds the rank of",),
        asks="holds",
        kind="rank",
        began=("is promoted to",),
    ),
    Relation(
        r"employer|works for|works at",
        ("works for", "works at", "is employed by", "teaches at", "is a professor at"),
        asks="works for",
        kind="employer",
    ),
    Relation(
        r"(?:political )?party",
        ("is a member of", "belongs to"),
        asks="belongs to",
        kind="party",
        began=("joins",),
        within=("party",),
    ),
    Relation(
        r"residence|lives in|resides in|place of residence",
        ("lives in", "resides in"),
        asks="lives in",
        kind="where",
        began=("moves to", "settles in"),
    ),
    Relation(
        r"(?:record|music) label",
        ("is signed to", "has a contract with", "releases records with"),
        asks="is signed to",
        kind="record label",
        began=("joins the label",),
    ),
    Relation(
        r"performer|actor|voice(?: actor)?|portrayed by|played by",
        ("is played by", "is portrayed by", "is voiced by", "voice"),
        asks="is played by",
        kind="who",
    ),
    Relation(
        r"parent (?:organi[sz]ation|company)",
        ("is a subsidiary of", "is owned by", "belongs to", "is a part of"),
        began=("is acquired by",),
    ),
    Relation(
        r"owner",
        ("is owned by", "belongs to"),
        began=("is acquired by", "is bequeathed to", "passes to", "is bought by", "is sold to"),
    ),
    Relation(r"operator", ("is operated by", "is run by", "is used by", "is in service with")),
    Relation(
        r"commander|commanding officer",
        ("commander", "commanding officer", "is commanded by", "chief", "captain", "is under the command of"),
    ),
    Relation(
        r"military branch|branch of (?:the )?(?:military|service|armed forces)",
        ("serves in", "is an officer of", "is a member of"),
        asks="serves in",
        kind="branch of the military",
        began=("joins", "is transferred to"),
    ),
    Relation(r"occupant|tenant", ("tenant", "is occupied by", "is leased by", "is the home of")),
    Relation(r"league", ("plays in", "competes in"), asks="plays in", kind="league", began=("joins",)),
    Relation(r"presenter|host", ("host", "is hosted by", "is presented by", "co-host")),
    Relation(
        r"headquarters|headquarters location",
        ("is based in", "is based at", "is located in", "sits in", "meets in"),
        asks="is based in",
        kind="where",
        began=("is moved to",),
    ),
    Relation(
        r"home (?:venue|stadium|ground)", ("home stadium", "home ground", "home", "plays home games at", "plays at")
    ),
    Relation(
        r"school|educated at|alma mater",
        ("studies at", "is a student at", "is educated at", "attends"),
        asks="studies at",
        kind="school",
    ),
    Relation(r"editor(?:-in-chief| in chief)?", ("editor-in-chief", "editor", "is edited by")),
    Relation(
        r"(?:member of )?(?:sports )?team|plays for",
        ("plays for", "is a player of"),
        asks="plays for",
        kind="team",
        began=("joins", "signs for", "moves to", "returns to"),
    ),
    Relation(r"spouse|husband|wife", ("is married to",)),
    Relation(r"publisher", ("is published by",)),
    Relation(r"broadcaster|(?:original )?network", ("is broadcast by", "is broadcast on")),
)

_BY_PATTERN = tuple((re.compile(each.pattern, re.IGNORECASE), each) for each in RELATIONS)


def known(name: str) -> Relation | None:
    """The relation of that name, when it is met often."""
    return next((each for pattern, each in _BY_PATTERN if pattern.fullmatch(name)), None)


def is_known(asked: Asked) -> bool:
    """Whether the fact's relation is one that is met often."""
    return known(spelled_out(asked.relation)) is not None


def asked_for(asked: Asked, when: When) -> tuple[Said, list[Said]]:
    """What can be said with a fact's relation as it is asked for, and the ways to state it, the plainest first."""
    relation = spelled_out(asked.relation)
    if relation.endswith(" of") and is_person(relation, asked.new) and not surname(asked.subject):
        # "chief executive of" of a company: the new object is the person.
        relation = relation.removesuffix(" of")
    found = known(relation)
    if found is None:
        said = _said(asked, relation, when)
        return said, [said]
    first = _said(asked, found.asks or relation, when, found.kind)
    own = [noun for noun in found.within if noun in asked.new.lower().split()]
    stating = [*found.ways, *(found.began if when.past else ()), *own]
    others = [_said(asked, way, when) for way in stating if found.asks or way != relation]
    return first, others if found.asks else [first, *others]


def _said(asked: Asked, relation: str, when: When, kind: str | None = None) -> Said:
    told = phrase(relation, asked.subject, past=when.past)
    return of_verb(asked, told, when, kind) if told else of_noun(asked, relation, when)
