"""What a row of anyone's dataset claims, statement by statement with what it cites, and the outcome of checking it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from typing_extensions import TypedDict

from searchinstruct_graph.datasets.records import answer_of, question_of, value_of
from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.text.words import words

Verdict = Literal["supported", "contradicted", "miscited", "not_found"]
"""`miscited`: a citation is at fault, whether or not another place in the corpus says the same."""
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


class StatementCheck(TypedDict):
    """One statement beside the best passage of the corpus."""

    text: str
    verdict: Verdict
    score: float
    """0 to 1."""
    reason: str
    """In words, why it is not supported; empty when it is."""
    uri: str
    """Where the passage stands; empty when nothing was found."""
    title: str
    start: int
    end: int
    passage: str
    """`page[start:end]` of that document."""


class RowCheck(TypedDict):
    """One row; `score` is the least of its statements' scores."""

    where: str
    question: str
    answer: str
    score: float
    passed: bool
    problem: str
    """Why the row could not be checked as a whole; empty when it could."""
    statements: list[StatementCheck]


class Source(NamedTuple):
    """What a row cites: an address, the text that is quoted from it, or both."""

    uri: str
    quotes: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement with the question that it answers and what it cites."""

    text: str
    question: str = ""
    sources: tuple[Source, ...] = ()
    fault: str = ""
    """A citation that names nothing."""


_CHATML = re.compile(r"<\|im_start\|>\s*(\w+)\s*\n(.*?)(?=<\|im_end\|>|<\|im_start\|>|\Z)", re.DOTALL)
_MESSAGES = ("messages", "conversations", "conversation", "chat", "dialog", "dialogue", "turns", "chosen")
_FENCE = re.compile(r"^[ \t]*(`{3}|~{3})[^\n]*\n(.*?)(?:^[ \t]*\1[^\n]*$|\Z)", re.DOTALL | re.MULTILINE)
_CITATION = re.compile(r"[ \t]?\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\](?!\()")
_MARKS = re.compile(rf"(?:{_CITATION.pattern})+")
_NUMBERING = re.compile(r"\(?\d{1,3}[.)]")
_LIST_MARK = re.compile(r"^\s*(?:[-*+•>]\s+|#{1,6}\s+|\(?\d{1,3}[.)]\s+)+")
# Only asterisks: `__init__` is a name.
_EMPHASIS = re.compile(r"(\*\*)(?=\S)([^*\n]+)(?<=\S)\1")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:\S+|\S*/\S*|\S+\.[a-z0-9]{1,5}(?:#\S*)?", re.IGNORECASE)
_LONGEST = 2_000
"""Characters of one statement; what is longer is no sentence and is cut at its lines, then anywhere."""

_BLOCK = 20_000
"""Characters that are split into sentences at once: the splitter takes quadratic time on some texts."""

_QUESTION_MARKS = ("?", "？", "؟")


def exchanges(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The (question, answer) pairs of a record: every reply of a chat, else its question and its answer.

    A chat is a list of messages in any of the usual spellings, or one text in ChatML.
    """
    turns = value_of(data, *_MESSAGES)
    text = value_of(data, "text", "chatml", "prompt", "chosen")
    if isinstance(text, str) and "<|im_start|>" in text:
        turns = [{"role": role, "content": said} for role, said in _CHATML.findall(text)]
    found: list[tuple[str, str]] = []
    asked = asked_in(data)
    for number, turn in enumerate(turns if isinstance(turns, list) else []):
        said = {"role": ("user", "assistant")[number % 2], "content": turn} if isinstance(turn, str) else turn
        if (question := question_of({"messages": [said]})) is not None:
            asked = question
        # Between a question and its answer may stand calls of tools, so the last question counts, not the last turn.
        elif (answer := answer_of({"messages": [{"role": "user", "content": asked or "?"}, said]})) is not None:
            found.append((asked, answer))
    if not found and (answer := answer_of(data)) is not None:
        found.append((asked_in(data), answer))
    return found


def asked_in(data: Mapping[str, Any]) -> str:
    """The question of a record, also under ragas's name for it; empty without one."""
    ragas = value_of(data, "user_input")
    return question_of(data) or (ragas.strip() if isinstance(ragas, str) else "")


def claims_of(data: Mapping[str, Any]) -> Iterator[Claim]:
    """The statements of a record, in order, with what they cite.

    Rows of our own bring theirs with quotes; what their answer says beyond those is a statement as well. Elsewhere answers
    are split into sentences, and a mark `[2]` cites the second of the record's sources, if it has any.
    """
    if _is_row(data):
        yield from _row_claims(data)
        return
    given = _given_sources(data)
    for question, answer in exchanges(data):
        yield from _answer_claims(question, answer, given)


def _is_row(data: Mapping[str, Any]) -> bool:
    statements, sources = data.get("statements"), data.get("sources")
    return (
        isinstance(sources, list)
        and isinstance(statements, list)
        and bool(statements)
        and all(isinstance(each, dict) and isinstance(each.get("text"), str) for each in statements)
    )


def _row_claims(data: Mapping[str, Any]) -> Iterator[Claim]:
    question, answer = asked_in(data), answer_of(data) or ""
    sources = {str(each.get("id")): each for each in data["sources"] if isinstance(each, dict)}
    rest = _spaced(answer)
    for statement in data["statements"]:
        text = _spaced(statement["text"])
        if not words(text):
            continue
        rest = rest.replace(text, "\n", 1)
        quotes: dict[str, list[str]] = {str(each): [] for each in _listed(statement.get("citations"))}
        fault = ""
        for place in _listed(statement.get("quotes")):
            try:
                number, index = place
                quotes.setdefault(str(number), []).append(str(sources[str(number)]["quotes"][index]["text"]))
            except (TypeError, KeyError, IndexError, ValueError):
                fault = "it cites a quote that the row does not have"
        cited = [(sources[number], texts) for number, texts in quotes.items() if number in sources]
        if len(cited) < len(quotes):
            fault = "it cites a source that the row does not have"
        found = tuple(
            Source(str(source.get("uri") or ""), tuple(texts), str(source.get("sha256") or ""))
            for source, texts in cited
        )
        yield Claim(text, question, found, fault)
    for left in rest.split("\n"):
        yield from _answer_claims(question, left, [])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _given_sources(data: Mapping[str, Any]) -> list[Source]:
    """What `[n]` counts in a record: a list of texts, of addresses, or of objects with either."""
    listed = value_of(
        data, "sources", "citations", "retrieved_contexts", "contexts", "passages", "documents", "references", "context"
    )
    found: list[Source] = []
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, str):
            address = len(each) < _LONGEST and _ADDRESS.fullmatch(each.strip())
            found.append(Source(each.strip(), (), "") if address else Source("", (each,), ""))
        elif isinstance(each, dict):
            uri = value_of(each, "uri", "url", "link", "source", "path")
            text = value_of(each, "quote", "quotes", "text", "content", "passage", "page_content", "snippet")
            texts = [text] if isinstance(text, str) else text if isinstance(text, list) else []
            quoted = (value_of(t, "text") if isinstance(t, dict) else t for t in texts)
            found.append(
                Source(
                    uri if isinstance(uri, str) else "",
                    tuple(t for t in quoted if isinstance(t, str) and t.strip()),
                    str(value_of(each, "sha256") or ""),
                )
            )
    return found


def _answer_claims(question: str, answer: str, given: Sequence[Source]) -> Iterator[Claim]:
    for raw in _pieces(answer):
        numbers = [int(n) for found in _CITATION.findall(raw) for n in found.split(",")] if given else []
        text = _plain(raw)
        if not words(text) or text.endswith(_QUESTION_MARKS):
            continue
        wrong = [n for n in numbers if not 1 <= n <= len(given)]
        fault = f"it cites [{wrong[0]}], and the row has {len(given)} sources" if wrong else ""
        yield Claim(text, question, tuple(given[n - 1] for n in dict.fromkeys(numbers) if n not in wrong), fault)


def _pieces(answer: str) -> Iterator[str]:
    """Sentences, and each block of code as one piece; none longer than `_LONGEST`."""
    at = 0
    for block in _FENCE.finditer(answer):
        yield from _sentences(answer[at : block.start()])
        yield from _cut(block[2])
        at = block.end()
    yield from _sentences(answer[at:])


def _cut(piece: str) -> Iterator[str]:
    if len(piece) <= _LONGEST:
        yield piece
        return
    for line in piece.splitlines():
        yield from (line[at : at + _LONGEST] for at in range(0, len(line), _LONGEST))


def _sentences(text: str) -> Iterator[str]:
    """Sentences, each with its number in a list before and the citation marks after it, which the splitter sets apart."""
    held = ""
    for piece in (block[span.start : span.end] for block in _blocks(text) for span in sentences(block)):
        if held and (marks := _MARKS.match(piece)):
            held += marks.group()
            piece = piece[marks.end() :].strip()
        if piece and _NUMBERING.fullmatch(held):
            held = f"{held} {piece}"
        elif piece:
            if held:
                yield from _cut(held)
            held = piece
    if held:
        yield from _cut(held)


def _blocks(text: str) -> Iterator[str]:
    at = 0
    while len(text) - at > _BLOCK:
        window = text[at : at + _BLOCK]
        end = next((found + 1 for mark in "\n. " if (found := window.rfind(mark)) > 0), _BLOCK)
        yield window[:end]
        at += end
    yield text[at:]


def _plain(text: str) -> str:
    """The sentence without list marks, emphasis and citation marks, on one line."""
    return _spaced(_EMPHASIS.sub(r"\2", _LIST_MARK.sub("", _CITATION.sub("", text))))


def _spaced(text: str) -> str:
    return " ".join(text.split())
