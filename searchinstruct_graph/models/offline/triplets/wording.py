"""Instructions in words, and back: every criterion can be asked for in several ways, and what was written can be read.

Positive and poisoned instructions go through the same words, so that nothing but the detail tells them apart.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from searchinstruct_graph.models.offline.triplets.criteria import FIRST_YEAR, LAST_YEAR, Criterion, period
from searchinstruct_graph.models.offline.triplets.lexicon import CLOSED, PLACES, WITH_ARTICLE

_PLURAL = (
    "Only passages that {} count",
    "I want passages that {}",
    "I am looking for texts that {}",
    "Show me sources that {}, nothing else",
    "Please keep to texts that {}",
    "For my notes I need passages that {}",
    "Results that {} are what I am after",
    "My readers need pages that {}",
    "Rank pages first that {}",
    "Return documents that {}",
    "Of all that is written on it, give me pieces that {}",
    "Useful to me are results that {}",
)
_MODAL = (
    "The passage should {}",
    "A relevant text must {}",
    "What you find should {}",
    "Each result has to {}",
    "Any page you return must {}",
    "A good result will {}",
)

_MENTION = ("mention {}", "speak of {}", "bring up {}", "say something about {}", "name {}", "refer to {}")
_PLACE = ("deal with {}", "concern {}", "have to do with {}", "take the reader to {}", "mention {}", "speak of {}")
_SPAN = (
    "name a year between {a} and {b}",
    "report on the years {a} to {b}",
    "speak of something that was so between {a} and {b}",
    "tell of the time from {a} to {b}",
)
_DECADE = ("speak of the {a}s", "name a year of the {a}s", "tell of something from the {a}s")
_SINCE = ("name a year after {before}", "speak of {a} or later", "tell of something that was so after {before}")
_UNTIL = ("name a year before {after}", "speak of {b} or earlier", "tell of something that was so before {after}")
_SHORT = ("stay under {} words", "need fewer than {} words", "keep below {} words")
_LONG = ("run to more than {} words", "take more than {} words", "go beyond {} words")


class Said(NamedTuple):
    """A criterion as it stands in an instruction: the span of its phrase, and which phrase it is."""

    criterion: Criterion
    start: int
    end: int
    form: int


def phrases(criterion: Criterion) -> list[str]:
    """The ways to ask for a criterion, as they complete "passages that ..."; a denied one is told by the frame around it."""
    kind, value = criterion.kind, criterion.value
    if kind in CLOSED:
        return list(CLOSED[kind][value].phrases)
    if kind == "mention":
        return [phrase.format(value) for phrase in _MENTION]
    if kind == "place":
        shown = f"the {value}" if value in WITH_ARTICLE else value
        return [phrase.format(shown) for phrase in _PLACE]
    if kind == "length":
        short = value.startswith("-")
        return [phrase.format(value.strip("-")) for phrase in (_SHORT if short else _LONG)]
    low, high = period(value)
    known = {"a": low, "b": high, "before": low - 1, "after": high + 1}
    forms: tuple[str, ...] = _SINCE if value[-1] == "-" else _UNTIL if value[0] == "-" else _SPAN
    if low % 10 == 0 and high == low + 9:
        forms = (*_DECADE, *_SPAN)
    return [phrase.format(**known) for phrase in forms]


def say(criteria: Sequence[Criterion], draw: random.Random) -> str:
    """An instruction that asks for all `criteria`, one sentence each, in wordings that `draw` chooses."""
    return " ".join(_sentence(each, at, draw) for at, each in enumerate(criteria))


def _sentence(criterion: Criterion, at: int, draw: random.Random) -> str:
    phrase = draw.choice(phrases(criterion))
    # The second sentence speaks of what the first has asked for.
    modal = at > 0 or draw.random() < 0.35
    frame = draw.choice(("They should {}", "They must also {}", "At the same time they have to {}")) if at else ""
    frame = frame or draw.choice(_MODAL if modal else _PLURAL)
    if not criterion.denied:
        return f"{frame.format(phrase)}."
    if modal:
        return f"{_denying(frame, draw).format(phrase)}."
    return f"{frame.format(f'do not {phrase}')}."


def _denying(frame: str, draw: random.Random) -> str:
    """The frame with its modal denied."""
    if "ha" in frame and (found := re.search(r"\b(?:has|have) to \{\}", frame)):
        return frame.replace(found.group(), draw.choice(("must not {}", "should not {}")))
    return frame.replace("{}", "not {}") if "must also" not in frame else frame.replace("must also {}", "must not {}")


def replaced(instruction: str, said: Said, criterion: Criterion, form: int | None = None) -> str:
    """The instruction with another criterion in the place of one that it names, in the same form where there is one."""
    options = phrases(criterion)
    phrase = options[(said.form if form is None else form) % len(options)]
    return f"{instruction[: said.start]}{phrase}{instruction[said.end :]}"


# Reading.

_DENIED = re.compile(r"\b(?:not|never|no|without|except|exclud\w+|leave out|nothing)\b[^.;]{0,12}$", re.IGNORECASE)
_SLOT = r"([^.,;:!?]{2,60}?)"
_ENDS = r"(?=\s+(?:count|are what I am after)\b|\s*[.,;:!?]|\s*$)"


def _open(forms: Sequence[str]) -> list[re.Pattern[str]]:
    return [re.compile(rf"\b{form.format(_SLOT)}{_ENDS}", re.IGNORECASE) for form in forms]


_YEAR = r"((?:1[0-9]|20)\d\d)"
_TIMES: tuple[tuple[re.Pattern[str], int, int], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), low, high)
    for pattern, low, high in (
        (rf"\b(?:between|from) {_YEAR} (?:and|to|until) {_YEAR}\b", 0, 0),
        (rf"\byears {_YEAR} to {_YEAR}\b", 0, 0),
        (r"\b((?:1[0-9]|20)\d0)s\b", 0, 9),
        (rf"\bafter {_YEAR}\b", 1, LAST_YEAR),
        (rf"\bsince {_YEAR}\b|\b{_YEAR} or later\b", 0, LAST_YEAR),
        (rf"\bbefore {_YEAR}\b", FIRST_YEAR, -1),
        (rf"\b(?:until|up to) {_YEAR}\b|\b{_YEAR} or earlier\b", FIRST_YEAR, 0),
        (rf"\b(?:in|of|year) {_YEAR}\b", 0, 0),
    )
)
_COUNTS = re.compile(
    r"\b(?:(under|fewer than|below|at most|less than)|(more than|beyond|at least)) (\d{1,5}) words\b", re.IGNORECASE
)


def read(instruction: str) -> list[Said]:
    """The criteria that an instruction names, in order, none overlapping another. Empty for words that are not understood."""
    found: list[Said] = []
    for said in (
        *_read_closed(instruction),
        *_read_times(instruction),
        *_read_lengths(instruction),
        *_read_open(instruction),
    ):
        if not any(said.start < other.end and other.start < said.end for other in found):
            denied = bool(_DENIED.search(instruction[: said.start]))
            found.append(said._replace(criterion=said.criterion._replace(denied=denied)))
    return sorted(found, key=lambda said: said.start)


def _read_closed(instruction: str) -> Iterator[Said]:
    folded = instruction.lower()
    for kind, entries in CLOSED.items():
        for value, entry in entries.items():
            for form, phrase in enumerate(entry.phrases):
                at = folded.find(phrase.lower())
                if at >= 0:
                    yield Said(Criterion(kind, value), at, at + len(phrase), form)


def _read_times(instruction: str) -> Iterator[Said]:
    for pattern, low, high in _TIMES:
        for found in pattern.finditer(instruction):
            given = [int(year) for year in found.groups() if year]
            first, last = given[0], given[-1]
            start = "" if low == FIRST_YEAR else str(first + low)
            end = "" if high == LAST_YEAR else str(last + high)
            criterion = Criterion("time", f"{start}-{end}")
            spelled = [(phrase, form) for form, phrase in enumerate(phrases(criterion))]
            for phrase, form in spelled:
                at = instruction.find(phrase)
                if 0 <= at <= found.start() and found.end() <= at + len(phrase):
                    yield Said(criterion, at, at + len(phrase), form)
                    break
            else:
                yield Said(criterion, found.start(), found.end(), 0)


def _read_lengths(instruction: str) -> Iterator[Said]:
    for found in _COUNTS.finditer(instruction):
        value = f"-{found[3]}" if found[1] else f"{found[3]}-"
        criterion = Criterion("length", value)
        for form, phrase in enumerate(phrases(criterion)):
            if (at := instruction.find(phrase)) >= 0:
                yield Said(criterion, at, at + len(phrase), form)
                break
        else:
            yield Said(criterion, found.start(), found.end(), 0)


_OPEN = [("mention", form, pattern) for form, pattern in enumerate(_open(_MENTION))]
_OPEN += [("place", form, pattern) for form, pattern in enumerate(_open(_PLACE))]


def _read_open(instruction: str) -> Iterator[Said]:
    for kind, form, pattern in _OPEN:
        for found in pattern.finditer(instruction):
            value = found[1].strip(" \"'“”")
            place = value.removeprefix("the ")
            if (place in PLACES) == (kind == "place"):
                yield Said(Criterion(kind, place if kind == "place" else value), *found.span(), form)
