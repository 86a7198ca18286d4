"""An instruction for static vectors: the best passages of a search are put in a new order by a small trained head.

Static vectors are means over words, and the mean of a query with its instruction hardly moves by "only", "not" or "after 2015".
So the instruction is read apart, in what it wants, what it does not want, and the years it allows, and each of the first
passages is described by a few numbers (`FEATURES`); the head is one weight for each of them, and a matrix for one of the
numbers: the direction in which passages that fit such an instruction differ from those that do not, "how it is treated" towards
drugs and surgery. Both are learnt in numpy, each with one solution: the matrix by ridge regression, the weights by a softmax
over the passages of a search. Without an instruction the order stays as it is.

What the cues below do not know is left to the vectors; a language without cues loses the years and the exclusions, no more.
It learns the kinds of instruction that it is shown: one that is like none of them gains nothing over the joined vectors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.joining import joined
from searchinstruct_graph.text.compare import content, negated
from searchinstruct_graph.text.words import UNSPACED, normal_form, words

Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]
Embed = Callable[[Sequence[str]], Vectors]
"""Texts to unit rows, as `models.embeddings` does it."""

HEAD = "rescorer.npz"
"""The file in a saved folder that holds a head."""

DEPTH = 100
"""How many passages of a search are put in a new order."""

FEATURES = (
    "place",  # −log2(rank + 1) in the search, from 1
    "query",  # cosine to the query
    "both",  # cosine to query and instruction, joined
    "wanted",  # cosine to what the instruction wants
    "unwanted",  # cosine to what it does not want
    "beside",  # cosine of what is left of instruction and passage when the query is taken out of both
    "product",  # query × wanted
    "words",  # share of the wanted words that the passage holds
    "unwanted_words",
    "numbers",  # share of the instruction's numbers that the passage holds
    "years",  # share of the passage's years inside the allowed ones, less the share outside
    "learnt",  # cosine to where the matrix sends what is wanted
    "length",  # log of the length, where the instruction asks for the short or the long: less or more is better
)
_VERSION = 1


class Reading(NamedTuple):
    """An instruction as the head sees it."""

    wanted: str
    unwanted: str
    years: tuple[float, float] | None
    """The first and the last year that are allowed; None: nothing said."""
    length: int
    """−1: short texts are asked for, 1: long ones, 0: nothing said."""


_CLAUSE = re.compile(r"[.;:!?,()\n。！？；，、؟؛،]|\bbut\b|\baber\b|\bmais\b|\bpero\b|\bاما\b|\bلكن\b")
_TOKEN = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
_EXCLUDING = frozenset(
    map(
        normal_form,
        "avoid avoiding exclude excludes excluding except excepting omit omitting skip skipping ignore ignoring leave rather "
        "instead other nothing don't außer statt keinerlei sauf hors sans excepto salvo sin بجز به‌جز جز بدون غیر باستثناء دون "
        "بدون غير 除 避 非 勿 免".split(),
    )
)
_AFTER = re.compile(
    r"\b(?:after|since|from|newer than|later than|no earlier than|not before|nach|seit|ab|après|depuis|después de|desde|"
    r"بعد من|بعد از|بعد|از سال|منذ)\s+(?:the\s+)?(?:year\s+|سال\s+)?(\d{4})\b|(\d{4})\s*年?(?:之后|以后|以来|后)"
)
_BEFORE = re.compile(
    r"\b(?:before|until|till|up to|prior to|older than|earlier than|by|vor|bis|avant|jusqu'en|antes de|hasta|قبل از|قبل|تا سال)"
    r"\s+(?:the\s+)?(?:year\s+|سال\s+)?(\d{4})\b|(\d{4})\s*年?(?:之前|以前|前)"
)
_BETWEEN = re.compile(r"\b(\d{4})\s*(?:-|–|—|to|and|until|bis|und|à|et|y|تا|و|至|到)\s*(\d{4})\b")
_WITHIN = re.compile(r"\b(?:in|during|of|im jahr|en|در سال|سنة|عام)\s+(?:the\s+)?(?:year\s+)?(\d{4})\b")
_NUMBER = re.compile(r"\d+")
_FIRST, _LAST = 1400, 2100
# "Short" and "long" are left out: the long-term outlook, short of breath.
_SHORT = frozenset("brief briefly concise summary kurz court corto کوتاه مختصر قصير 简短 简".split())
_LONG = frozenset("detailed thorough comprehensive ausführlich détaillé detallado مفصل طولانی 详细 详".split())


def read_instruction(instruction: str) -> Reading:
    """Take an instruction apart. In a clause, what follows the first word that denies or excludes is not wanted."""
    wanted, unwanted = [], []
    years: list[tuple[float, float]] = []
    normal = normal_form(instruction)
    for clause in _CLAUSE.split(normal):
        tokens = list(_TOKEN.finditer(clause))
        cut = next(
            (each.start() for each in tokens if each.group() in _EXCLUDING or negated(each.group())), len(clause)
        )
        wanted.append(clause[:cut])
        unwanted.append(clause[cut:])
        years += [_years(clause[:cut]), _turned(_years(clause[cut:]))]
    first, last = max(each[0] for each in years), min(each[1] for each in years)
    said = (first, last) if (first > -np.inf or last < np.inf) and first <= last else None
    told = words(normal)
    length = any(map(_LONG.__contains__, told)) - any(map(_SHORT.__contains__, told))
    return Reading(" ".join(" ".join(wanted).split()), " ".join(" ".join(unwanted).split()), said, length)


_ANY = (-np.inf, np.inf)


def _years(clause: str) -> tuple[float, float]:
    """The years that a clause allows. "After 2010" and "since 2010" both begin with it: texts seldom mean the difference."""
    first, last = _ANY
    if found := _BETWEEN.search(clause):
        return float(found[1]), float(found[2])
    if found := _AFTER.search(clause):
        first = float(found[1] or found[2])
    if found := _BEFORE.search(clause):
        last = float(found[1] or found[2])
    if (first, last) == _ANY and (found := _WITHIN.search(clause)):
        first = last = float(found[1])
    return first, last


def _turned(years: tuple[float, float]) -> tuple[float, float]:
    """What is left when these years are not wanted; a stretch in the middle leaves too much to say."""
    first, last = years
    if first == -np.inf and last < np.inf:
        return last, np.inf
    if last == np.inf and first > -np.inf:
        return -np.inf, first
    return _ANY


class Asked(NamedTuple):
    """A query with its instruction, ready for any number of passages."""

    reading: Reading
    vectors: Vectors
    """(4, d): query, joined, wanted, unwanted."""
    wanted: list[str]
    """Stems of the wanted words that are not the query's."""
    unwanted: list[str]
    numbers: list[str]


def ask(query: str, instruction: str, embed: Embed) -> Asked:
    """Read and embed a query and its instruction."""
    reading = read_instruction(instruction)
    vectors = embed([query, joined(query, instruction), reading.wanted, reading.unwanted])
    known = set(content(query))
    wanted, unwanted = (
        [_shared(stem) for stem in dict.fromkeys(content(text)) if stem not in known] if text else []
        for text in (reading.wanted, reading.unwanted)
    )
    return Asked(reading, vectors, wanted, unwanted, _NUMBER.findall(normal_form(reading.wanted)))


def _shared(stem: str) -> str:
    """What all forms of a word begin with: the stem of surgery ends in i."""
    return stem[:-1] if stem.endswith("i") and len(stem) > 3 else stem


def features(asked: Asked, passages: Sequence[str], vectors: Vectors, matrix: Vectors) -> NDArray[np.float32]:
    """The numbers of each passage, in the order of the search, best first; (n, len(FEATURES)).

    `vectors` (n, d): unit rows of the passages; `matrix` (d, d): as `learn_matrix` makes it.
    """
    found = np.zeros((len(passages), len(FEATURES)), dtype=np.float32)
    if not len(passages):
        return found
    cosines = vectors @ asked.vectors.T
    query, wanted = cosines[:, 0], cosines[:, 2]
    found[:, 0] = -np.log2(np.arange(len(passages)) + 2)
    found[:, 1:5] = cosines
    shared = float(asked.vectors[0] @ asked.vectors[2])
    # Both without their part along the query, at length 1.
    lengths = np.sqrt(np.maximum(1 - query**2, 1e-6) * max(1 - shared**2, 1e-6))
    found[:, 5] = (wanted - query * shared) / lengths if asked.vectors[2].any() else 0.0
    found[:, 6] = query * wanted
    texts = [normal_form(passage) for passage in passages]
    for column, held in ((7, asked.wanted), (8, asked.unwanted), (9, asked.numbers)):
        if held:
            found[:, column] = [sum(stem in text for stem in held) / len(held) for text in texts]
    if asked.reading.years:
        found[:, 10] = [_inside(text, *asked.reading.years) for text in texts]
    towards = asked.vectors[2] @ matrix
    if length := float(np.linalg.norm(towards)):
        found[:, 11] = vectors @ (towards / length)
    if asked.reading.length:
        found[:, 12] = [asked.reading.length * np.log1p(len(text)) for text in texts]
    return found


def _inside(text: str, first: float, last: float) -> float:
    # Runs of digits are found far faster than four digits between two that are none.
    years = [year for run in _NUMBER.findall(text) if len(run) == 4 and _FIRST <= (year := int(run)) <= _LAST]
    return 2 * sum(first <= year <= last for year in years) / len(years) - 1 if years else 0.0


@dataclass(frozen=True, eq=False)
class Rescorer:
    """The trained head."""

    weights: Floats
    """(len(FEATURES),)."""
    matrix: Vectors
    """(d, d)."""

    def scores(self, asked: Asked, passages: Sequence[str], vectors: Vectors) -> Floats:
        """A score for each passage, higher is better; (n,). Passages in the order of the search, `vectors` (n, d) unit rows."""
        found: Floats = features(asked, passages, vectors, self.matrix).astype(np.float64) @ self.weights
        return found

    def order(self, asked: Asked, passages: Sequence[str], vectors: Vectors) -> list[int]:
        """The places of the passages in their new order; those behind the first `DEPTH` stay, and ties keep their order."""
        best = self.scores(asked, passages[:DEPTH], vectors[:DEPTH])
        return [*np.argsort(-best, kind="stable").tolist(), *range(len(best), len(passages))]

    def save(self, path: Path) -> None:
        """Write the head as .npz."""
        with path.open("wb") as file:
            np.savez(
                file, weights=self.weights, matrix=self.matrix, features=np.array(FEATURES), version=np.array(_VERSION)
            )


@lru_cache(maxsize=1)
def default_rescorer() -> Rescorer:
    """The head that comes with the package, for the vectors of `wordllama`: weights alone, a matrix of zeros.

    `rescoring.json` beside this file says what it was fitted on.
    """
    told = json.loads(files(__package__).joinpath("rescoring.json").read_text(encoding="utf-8"))
    if tuple(told["features"]) != FEATURES:
        raise RuntimeError("rescoring.json was fitted with other features; fit it again")
    width = int(told["dimensions"])
    return Rescorer(np.array(told["weights"], dtype=np.float64), np.zeros((width, width), dtype=np.float32))


def load_rescorer(path: Path) -> Rescorer:
    """Read a head. Raises UsageError for a file that is none, or one made for other features."""
    try:
        with np.load(path, allow_pickle=False) as held:
            version, names = int(held["version"]), tuple(held["features"].tolist())
            weights, matrix = held["weights"].astype(np.float64), held["matrix"].astype(np.float32)
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise UsageError(f"{path} is no re-scorer that can be read ({type(error).__name__}); train one") from None
    fits = weights.shape == (len(FEATURES),) and matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    if version != _VERSION or names != FEATURES or not fits:
        raise UsageError(f"{path} is a re-scorer of another version; train it again")
    if not (np.isfinite(weights).all() and np.isfinite(matrix).all()):
        raise UsageError(f"{path} holds a number that is not finite; train the re-scorer again")
    return Rescorer(weights, matrix)
