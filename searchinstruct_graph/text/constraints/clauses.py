"""An instruction, cut into sentences and clauses; lists across commas stay together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from searchinstruct_graph.text.dates import month_of
from searchinstruct_graph.text.words import normal_form

from .lexicon import COMMAS, ENDS, FILE_ENDS, FROM, HOST, JOINTS, LANGUAGES, OR, SOURCES, TYPES, WORD


class Token(NamedTuple):
    """A word in normal form, and where it stands."""

    word: str
    start: int
    end: int
    joined: bool = False
    """Whether a comma before it parts the items of a list, and not two clauses."""


def sentences(instruction: str) -> Iterator[list[list[Token]]]:
    """The clauses of each sentence."""
    sentence: list[list[Token]] = []
    clause: list[Token] = []
    comma = False
    for found in WORD.finditer(instruction):
        raw, start = found.group(), found.start()
        if raw in ENDS:
            comma_in_date = raw == "," and clause and clause[-1].word.isdigit() and len(clause) > 1
            if comma_in_date and month_of(clause[-2].word):
                continue
            if clause:
                sentence.append(clause)
            clause, comma = [], raw in COMMAS and bool(sentence)
            if raw not in COMMAS and sentence:
                yield _with_lists(sentence)
                sentence = []
            continue
        core = raw.rstrip(".:")
        opening = len(core) - len(core.lstrip("'’‘`"))
        core = core.strip("'’‘`")
        if core:
            token = Token(normal_form(core), start + opening, start + opening + len(core), comma)
            comma = False
            if token.word in ("but", "aber", "mais", "pero") and clause:
                sentence.append(clause)
                clause = []
                continue
            clause.append(token)
        if raw.endswith((".", ":")) and clause and not month_of(clause[-1].word):
            yield _with_lists([*sentence, clause])
            sentence, clause = [], []
    if clause or sentence:
        yield _with_lists([*sentence, clause] if clause else sentence)


def _with_lists(sentence: Sequence[list[Token]]) -> list[list[Token]]:
    """The clauses of a sentence; one that goes on with a list ("from a.org, b.org") or with "or" belongs to the one before."""
    found: list[list[Token]] = []
    for clause in sentence:
        named = [name for token in clause if (name := _listable(token.word))]
        rest = [token.word for token in clause if not _listable(token.word)]
        alike = bool(found) and {*named} == {_listable(found[-1][-1].word)}
        goes_on = alike and (all(word in JOINTS | FROM | SOURCES for word in rest) or not OR.isdisjoint(rest))
        if found and clause[0].joined and (goes_on or clause[0].word in OR):
            found[-1] += clause
            continue
        found.append([clause[0]._replace(joined=False), *clause[1:]])
    return found


def _listable(word: str) -> str:
    """The kind of a word that names a host, a language or a type by itself; empty for others."""
    if LANGUAGES.get(word):
        return "language"
    if type_of(word):
        return "type"
    return "host" if host_of(word) else ""


def host_of(word: str) -> str:
    """The host that a word names; empty when it names none."""
    host = word.removeprefix("site:").removeprefix("https://").removeprefix("http://").rstrip("/").removeprefix("www.")
    return host if HOST.fullmatch(host) and host.rpartition(".")[2] not in FILE_ENDS else ""


def type_of(word: str) -> str:
    """The type of file that a word names; empty when it names none."""
    word = word.removeprefix(".")
    return next((each for each in (word, word.removesuffix("s")) if each in TYPES), "")


def language_of(word: str) -> str:
    """The ISO 639-1 code of the language that a word names; empty when it names none."""
    return LANGUAGES.get(word.removesuffix("-language").removesuffix("-speaking"), "")
