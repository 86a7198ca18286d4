"""A fact as the grammar sees it, and what can be said with one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from searchinstruct_graph.models.offline.grammar import is_many, with_article
from searchinstruct_graph.models.offline.task import Task
from searchinstruct_graph.text import compare
from searchinstruct_graph.text.editing import fitted
from searchinstruct_graph.text.stopwords import language_of


class Asked(NamedTuple):
    """A fact as the grammar sees it."""

    subject: str
    relation: str
    new: str
    old: str = ""
    as_of: str = ""
    question: str = ""


class When(NamedTuple):
    """The time that is asked about."""

    tail: str = ""
    """As it ends a question ("from 1990 to 1995"); empty when none is named."""
    past: bool = False


NOW = When()


class Said(NamedTuple):
    """What can be said with a fact. `SLOT` stands for the object in statements."""

    direct: tuple[str, ...]
    """Direct questions, the plainest first."""
    embedded: str
    """The question as a clause ("who the mayor of S is")."""
    named: str
    """What is asked for, as a noun phrase ("the mayor of S", "the team that S plays for"); empty when it has no name."""
    statements: tuple[str, ...]
    """Sentences about the object, the plainest first. They name no time: a question that asks about one bears it already, and
    pages seldom date a state as a question does."""
    paraphrases: tuple[str, ...]
    """Questions in other words than those of the relation."""
    other_clause: str
    """The same clause in another order, or the same again."""
    current: bool
    """Whether the present tense is used and no time is named, so that "now" may be added."""


SLOT = "\x00"

LAST_RESORT = f"The answer is {SLOT}."
"""The statement of a fact of which neither question nor relation can be turned into one."""


def read(task: Task) -> Asked:
    """The fact of a task."""
    return Asked(
        task.text("subject"),
        task.text("relation"),
        task.text("new"),
        task.text("old"),
        task.text("as_of"),
        next((tag.text for tag in task.all("question")), ""),
    )


def is_english(asked: Asked) -> bool:
    """Whether a fact is worded in English, by its question, else by its relation."""
    told = asked.question or asked.relation
    fits = compare.script(told) == "latin" if asked.question else told.isascii()
    return fits and language_of(told) == "en"


def spelled_out(relation: str) -> str:
    """A relation as words: `headCoach`, `head_coach` and `the head coach` are `head coach`."""
    text = " ".join(relation.strip(" .:?").replace("_", " ").split())
    if " " not in text and re.search(r"[a-z][A-Z]", text):
        text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()
    text = re.sub(r"^the (?=\S)", "", text, flags=re.IGNORECASE)
    return text[0].lower() + text[1:] if text[1:2].islower() or text[1:2] in ("", " ") else text


def is_label(relation: str) -> bool:
    """Whether a relation is no words but the number of a property ("P54"), or nothing."""
    return not relation or bool(re.fullmatch(r"[PQ]\d+", relation))


_IN_BRACKETS = re.compile(r"(?P<name>.*\S) \([^()]*\)")


def inside(subject: str) -> str:
    """A subject as it stands inside of a sentence: with its article, without what tells it from others in brackets."""
    spaced = " ".join(subject.split())
    bare = _IN_BRACKETS.fullmatch(spaced)
    return with_article(fitted(bare["name"] if bare else spaced, False))


def upper(text: str) -> str:
    """The text as it opens a sentence."""
    return fitted(text, True)


def opened(texts: Iterable[str]) -> tuple[str, ...]:
    """Sentences with a capital first, each once."""
    return tuple(dict.fromkeys(upper(" ".join(text.split(" "))) for text in texts if text))


BE_AFTER = re.compile(r"(\s+)(is|are|was|were|has|have)\b")
AGREED = {
    ("is", True): "are",
    ("are", False): "is",
    ("was", True): "were",
    ("were", False): "was",
    ("has", True): "have",
    ("have", False): "has",
}
"""A verb that follows its subject, in the other number: by the verb, and whether the subject is many."""


_ARTICLES = ("the ", "a ", "an ")


def put(statement: str, value: str) -> str:
    """A statement with `value` in the place of its object."""
    at = statement.find(SLOT)
    before, after = statement[:at], statement[at + 1 :]
    many = is_many(value)
    bare = value.strip()
    value = fitted(bare if before.endswith(_ARTICLES) else with_article(bare), not before.strip())
    if after.startswith(".") and value.endswith((".", "!", "?")):
        after = after[1:]
    verb = BE_AFTER.match(after)
    if (not before or before.endswith(", ")) and verb and value[0].isalpha():
        agreed = AGREED.get((verb.group(2), many), verb.group(2))
        after = f"{verb.group(1)}{agreed}{after[verb.end() :]}"
    return f"{before}{value}{after}"
