"""Triplets for a retriever that obeys instructions: a query, an instruction and their passage, with two poisoned twins.

Follows InF-IR (arXiv 2505.21439) with its published field names. A row stands for three rows of training: (Q⁺, I⁺) with the
document, (Q⁺, I⁻) with the first hard negative, (Q⁻, I⁺) with the second. Here are the row, the checks in code that need no
model, and a measure of how far the wording of an instruction alone gives away its side. The thresholds of the method are not
published; these are ours, and options.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations, pairwise
from typing import Literal, NamedTuple

from typing_extensions import TypedDict

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.compare import content, negated
from searchinstruct_graph.text.digest import sha256
from searchinstruct_graph.text.orders import orders
from searchinstruct_graph.text.words import normal_form, same_text, words

PassageOrigin = Literal["found", "written"]
"""Whether a hard negative was found in the corpus or written for its row."""


class Triplet(TypedDict):
    """The published fields."""

    query_positive: str
    instruction_positive: str
    document: str
    """Answers the positive query and satisfies the positive instruction."""
    query_negative: str
    instruction_negative: str
    hard_negative_document_1: str
    """Fits the positive query with the negative instruction."""
    hard_negative_document_2: str
    """Fits the negative query with the positive instruction."""


PUBLISHED = tuple(Triplet.__annotations__)


class TripletRow(Triplet):
    """An accepted triplet with what is known of it."""

    id: str
    family: str
    """Rows of one family share a query and stay on one side of a split."""
    kind: str
    """What the instruction narrows by (`time`, `place`, `aspect`, ...), as its writer names it."""
    origins: dict[str, PassageOrigin]
    """Where each hard negative comes from, by field."""
    uris: dict[str, str]
    """Addresses of the passages that stand in the corpus, by field."""
    scores: dict[str, float | None]
    """What the validator gave to each of its questions, 0 to 1; null where it gave nothing."""
    reasons: dict[str, str]
    """The quote or words with which it answered each."""
    models: dict[str, str]
    versions: dict[str, str]


TripletFault = Literal["empty", "same_text", "instruction_edit", "query_edit", "quotes_passage", "too_long", "orders"]


@dataclass(frozen=True, kw_only=True)
class TripletLimits:
    """Thresholds of the checks in code.

    Raises:
        UsageError: a value is out of its range, or the least change is not below the most.
    """

    least_edit: float = 0.05
    """Least edit distance of a poisoned text to its original, over the length of the longer one."""
    most_edit: float = 0.70
    quoted_words: int = 6
    """Words in a row that an instruction may not share with the document."""
    negation_share: float = 0.30
    """Most rows of a set whose poison only adds or drops a negation."""
    instruction_chars: int = 600
    passage_chars: int = 8_000
    least_score: float = 0.5
    """Least score that every question of the validator needs, 0 to 1."""

    def __post_init__(self) -> None:
        for spec in fields(self):
            value, whole = getattr(self, spec.name), isinstance(spec.default, int)
            top = 1_000_000 if whole else 1.0
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not 0 <= value <= top:
                raise UsageError(f"{spec.name} must be a {'whole ' * whole}number between 0 and {top:g}, not {value!r}")
        if self.least_edit >= self.most_edit:
            raise UsageError(
                f"least_edit ({self.least_edit:g}) must be below most_edit ({self.most_edit:g}); lower one or raise the other"
            )


class Fault(NamedTuple):
    """Why a triplet is refused: a code, and what was seen."""

    code: TripletFault
    detail: str


def triplet_faults(triplet: Triplet, limits: TripletLimits | None = None) -> list[Fault]:
    """Everything that is wrong with one triplet as far as code can see, in the order of the checks; empty when nothing is.

    Every text must say something and differ from the others of its kind; a poison must differ from its original by a little
    and not by most; an instruction must not quote the document, nor any text but a passage give orders to a model. Whether
    passages satisfy instructions is the validator's question.
    """
    return draft_faults({name: triplet[name] for name in PUBLISHED}, limits)  # type: ignore[literal-required]


def draft_faults(texts: Mapping[str, str], limits: TripletLimits | None = None) -> list[Fault]:
    """The same of a triplet that is not finished: what is wrong with the texts that there are, by their published names."""
    bounds = limits or TripletLimits()
    if empty := [name for name, text in texts.items() if not words(text)]:
        return [Fault("empty", f"{empty[0]} says nothing")]
    if sizes := _size_faults(texts, bounds):
        # Texts beyond bounds are not compared letter by letter.
        return sizes
    return _likeness_faults(texts, bounds)


def _size_faults(texts: Mapping[str, str], limits: TripletLimits) -> list[Fault]:
    found = []
    for name, text in texts.items():
        brief = name.startswith(("query", "instruction"))
        if len(text) > (most := limits.instruction_chars if brief else limits.passage_chars):
            found.append(Fault("too_long", f"{name} has {len(text)} characters, at most {most} may be"))
        if brief and orders(text):
            found.append(Fault("orders", f"{name} gives orders to a model"))
    return found


def _likeness_faults(texts: Mapping[str, str], limits: TripletLimits) -> list[Fault]:
    found = [
        Fault("same_text", f"{one} and {other} are the same text")
        for one, other in combinations(texts, 2)
        if same_text(texts[one]) == same_text(texts[other])
    ]
    for side, code in (("instruction", "instruction_edit"), ("query", "query_edit")):
        if f"{side}_positive" not in texts or f"{side}_negative" not in texts:
            continue
        share = edit_share(texts[f"{side}_positive"], texts[f"{side}_negative"])
        if not limits.least_edit <= share <= limits.most_edit:
            bounds = f"{limits.least_edit:.0%} to {limits.most_edit:.0%}"
            found.append(Fault(code, f"the {side} was changed by {share:.1%} of its length, not by {bounds}"))  # type: ignore[arg-type]
    found.extend(
        Fault("quotes_passage", f"{name} quotes the document: {run!r}")
        for name in ("instruction_positive", "instruction_negative")
        if name in texts and (run := shared_run(texts[name], texts.get("document", ""), limits.quoted_words))
    )
    return found


def edit_share(one: str, other: str) -> float:
    """Levenshtein distance in code points over the length of the longer text, 0 to 1; white space and case do not count."""
    import numpy as np

    left, right = (" ".join(normal_form(text).split()) for text in (one, other))
    if not left or not right:
        return float(left != right)
    if len(left) < len(right):
        left, right = right, left
    encoded = np.array([ord(letter) for letter in right], dtype=np.int64)
    steps = np.arange(len(right) + 1, dtype=np.int64)
    row = steps.copy()
    for number, letter in enumerate(left, 1):
        reached = np.empty_like(row)
        reached[0] = number
        np.minimum(row[1:] + 1, row[:-1] + (encoded != ord(letter)), out=reached[1:])
        # An insertion costs one step from any place to the left: a running minimum along the row.
        row = np.minimum.accumulate(reached - steps) + steps
    return int(row[-1]) / len(left)


def shared_run(text: str, other: str, size: int) -> str:
    """The first `size` words in a row that both texts hold, in normal form; empty when there are none."""
    mine, theirs = words(text), words(other)
    held = {tuple(theirs[at : at + size]) for at in range(len(theirs) - size + 1)}
    runs = (tuple(mine[at : at + size]) for at in range(len(mine) - size + 1))
    return next((" ".join(run) for run in runs if run in held), "")


_WANTED_OR_NOT = frozenset(
    "avoid ban contain except exclud exclus forbid give ignor includ leav mention mere must no noth omit onli out reject say "
    "should skip without".split()
)


def negation_only(positive: str, negative: str) -> bool:
    """Whether a poison only turns what is wanted into what is not: both speak of the same things, and one denies or excludes."""
    one, other = set(content(positive)), set(content(negative))
    differing = one ^ other
    if not all(word in _WANTED_OR_NOT or negated(word) for word in differing):
        return False
    return bool(differing) or negated(positive) != negated(negative)


def only_denies(row: Triplet) -> bool:
    """Whether the poison of the instruction or of the query is a negation alone."""
    return any(negation_only(row[f"{side}_positive"], row[f"{side}_negative"]) for side in ("instruction", "query"))  # type: ignore[literal-required]


def surplus_negations(rows: Sequence[Triplet], limits: TripletLimits | None = None) -> list[int]:
    """Which rows (indices, ascending) must go so that poisons by negation alone stay within their share; the first ones stay."""
    share = (limits or TripletLimits()).negation_share
    denying = [at for at, row in enumerate(rows) if only_denies(row)]
    others = len(rows) - len(denying)
    allowed = len(denying) if share >= 1 else int(share * others / (1 - share) + 1e-9)
    return denying[allowed:]


def triplet_id(triplet: Triplet) -> str:
    """SHA-256 over the seven published texts."""
    return sha256(json.dumps([triplet[name] for name in PUBLISHED], ensure_ascii=True))  # type: ignore[literal-required]


def triplet_asked(triplet: Triplet) -> str:
    """SHA-256 over what the positive side asks: two triplets that ask the same would name each other's document wrong."""
    asked = f"{same_text(triplet['query_positive'])}\n{same_text(triplet['instruction_positive'])}"
    return sha256(asked.encode("utf-8", "replace").decode())


def query_family(query: str) -> str:
    """The family of a query alone: SHA-256 of its words.

    A poisoned query does not join families, or they would all be one after a while: a triplet whose poisoned query is asked on
    another side of a split is left out of it instead.
    """
    return sha256(same_text(query).encode("utf-8", "replace").decode())


class WordingLeak(NamedTuple):
    """How well a classifier tells positive from negative instructions by their words alone; .5 is chance."""

    accuracy: float
    deviation: float
    """Standard deviation of the accuracy that chance alone gives with as many families."""
    instructions: int


FOLDS = 5


def wording_leak(rows: Sequence[Triplet], seed: int = 0) -> WordingLeak | None:
    """Accuracy of a logistic regression on the words and word pairs of instructions, cross-validated by family.

    None with fewer families than folds. A value well above .5 means that poisons have a style of their own, and a retriever
    could learn that instead of obeying.
    """
    named = [query_family(row["query_positive"]) for row in rows]
    count = len(set(named))
    if count < FOLDS:
        return None
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline

    texts = [row["instruction_positive"] for row in rows] + [row["instruction_negative"] for row in rows]
    sides = np.array([1] * len(rows) + [0] * len(rows))
    model = make_pipeline(
        CountVectorizer(analyzer=_words_and_pairs, min_df=2, binary=True), LogisticRegression(max_iter=1_000, C=0.3)
    )
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    hits = cross_val_score(model, texts, sides, groups=named * 2, cv=folds, n_jobs=1)
    sizes = [len(test) for _, test in folds.split(texts, sides, named * 2)]
    return WordingLeak(float(np.average(hits, weights=sizes)), 0.5 / count**0.5, len(texts))


def _words_and_pairs(text: str) -> list[str]:
    found = words(text)
    return [*found, *(f"{one} {other}" for one, other in pairwise(found))]
