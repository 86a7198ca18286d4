"""Statements that people have judged against evidence, read from the published sets that hold them.

A record is recognised by its fields, so a file may have any name. Known are WiCE, QAGS, Factcheck-Bench, SciFact with its
gold abstracts, BEGIN, HaluEval's questions, and FOLIO, in the forms in which they are published or commonly reshaped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from searchinstruct_graph.datasets.records import read_records
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.files import files_in, first


class LabelledStatement(TypedDict):
    """One statement, the texts it was held against, and what people said."""

    set: str
    statement: str
    evidence: list[str]
    question: str
    """What the statement answers; empty when it stands alone."""
    label: float
    """1 supported, 0.5 partly, 0 not."""
    stance: str
    """The set's own word for the label."""
    pair: str
    """Shared by the statements of which one is right; empty when there is no such pair."""


_Reader = Callable[[Mapping[str, Any], str], list[LabelledStatement]]


def _item(
    name: str, statement: str, evidence: list[str], label: float, stance: str, question: str = "", pair: str = ""
) -> LabelledStatement:
    return LabelledStatement(
        set=name, statement=statement, evidence=evidence, question=question, label=label, stance=stance, pair=pair
    )


def _label(stance: str, labels: Mapping[str, float], where: str) -> float:
    found = labels.get(stance.lower())
    if found is None:
        raise UsageError(f"{where}: unknown label {stance!r}; known are {', '.join(labels)}")
    return found


_WICE = {"supported": 1.0, "partially_supported": 0.5, "not_supported": 0.0}
_STANCE = {"completely-support": 1.0, "partially-support": 0.5, "refute": 0.0, "irrelevant": 0.0}
_SCIFACT = {"true": 1.0, "false": 0.0}
_BEGIN = {"fully attributable": 1.0, "not fully attributable": 0.0, "generic": 0.0}
_FOLIO = {"true": 1.0, "false": 0.0, "unknown": 0.0, "uncertain": 0.0}


def wice(record: Mapping[str, Any], where: str) -> list[LabelledStatement]:
    """WiCE (Kamoi et al. 2023): {claim, label, evidence: [sentence]}."""
    label = _label(record["label"], _WICE, where)
    return [_item("wice", record["claim"], list(record["evidence"]), label, record["label"])]


def qags(record: Mapping[str, Any], where: str) -> list[LabelledStatement]:
    """QAGS (Wang et al. 2020): {source, claim, supported}; the file's name tells the two parts apart."""
    name = Path(where.rpartition(":")[0]).name.split(".")[0] or "qags"
    told = bool(record["supported"])
    return [_item(name, record["claim"], [record["source"]], float(told), "supported" if told else "not supported")]


def factcheck(record: Mapping[str, Any], where: str) -> list[LabelledStatement]:
    """Factcheck-Bench (Wang et al. 2023), stance of evidence: {claim, evidence, stance}."""
    label = _label(record["stance"], _STANCE, where)
    return [_item("factcheck", record["claim"], [record["evidence"]], label, record["stance"])]


def scifact(record: Mapping[str, Any], where: str) -> list[LabelledStatement]:
    """SciFact (Wadden et al. 2020) with gold abstracts: {input, gold_ctx: [{title, text}], answer: true | false}."""
    answer = str(record["answer"]).lower()
    texts = [f"{each.get('title', '')}\n\n{each['text']}".strip() for each in record["gold_ctx"]]
    return [_item("scifact", record["input"], texts, _label(answer, _SCIFACT, where), answer)]


def begin(record: Mapping[str, Any], where: str) -> list[LabelledStatement]:
    """BEGIN (Dziri et al. 2022): {knowledge, message, response, begin_label}. The message is talk and no question."""
    label = _label(record["begin_label"], _BEGIN, where)
    return [_item("begin", record["response"], [record["knowledge"]], label, record["begin_label"])]


def halueval(record: Mapping[str, Any], where: str) -> list[LabelledStatement]:
    """HaluEval (Li et al. 2023), questions: {knowledge, question, right_answer, hallucinated_answer}; gives a pair."""
    pair = str(record.get("id") or where)
    return [
        _item("halueval", record[field], [record["knowledge"]], label, stance, record["question"], pair)
        for field, label, stance in (("right_answer", 1.0, "right"), ("hallucinated_answer", 0.0, "hallucinated"))
    ]


def folio(record: Mapping[str, Any], where: str) -> list[LabelledStatement]:
    """FOLIO (Han et al. 2022): {premises: [sentence], conclusion, label: True | False | Unknown}."""
    label = _label(str(record["label"]), _FOLIO, where)
    return [_item("folio", record["conclusion"], list(record["premises"]), label, str(record["label"]))]


_FORMS: tuple[tuple[frozenset[str], _Reader], ...] = (
    (frozenset({"claim", "label", "evidence"}), wice),
    (frozenset({"source", "claim", "supported"}), qags),
    (frozenset({"claim", "evidence", "stance"}), factcheck),
    (frozenset({"input", "gold_ctx", "answer"}), scifact),
    (frozenset({"knowledge", "response", "begin_label"}), begin),
    (frozenset({"knowledge", "question", "right_answer", "hallucinated_answer"}), halueval),
    (frozenset({"premises", "conclusion", "label"}), folio),
)


def recognised(record: Mapping[str, Any]) -> bool:
    """Whether the record has the fields of a known set."""
    return any(fields <= record.keys() for fields, _ in _FORMS)


def labelled_statements(record: Mapping[str, Any], where: str) -> list[LabelledStatement]:
    """The labelled statements of one record; `where` ("FILE:LINE") names it in errors.

    Raises:
        UsageError: no known set has such fields, a label is unknown, or a field is not of its type.
    """
    for fields, read in _FORMS:
        if fields <= record.keys():
            try:
                found = read(record, where)
            except (TypeError, KeyError, AttributeError) as error:
                raise UsageError(f"{where}: a field of this record cannot be read ({error!r})") from None
            if not all(isinstance(text, str) for each in found for text in (each["statement"], *each["evidence"])):
                raise UsageError(f"{where}: statement and evidence must be texts")
            return found
    named = ", ".join(sorted(map(str, record))[:8]) or "none"
    raise UsageError(f"{where}: no labelled set is known by these fields: {named}")


def read_labelled(place: str | Path) -> list[LabelledStatement]:
    """Every labelled statement of a file (.jsonl, .jsonl.gz), or of the files of known sets in a folder and below it.

    In a folder, files whose first record belongs to no known set are left out: it may hold other data as well.

    Raises:
        UsageError: the file or a record of it cannot be read, or the folder holds no known set.
    """
    found: list[LabelledStatement] = []
    folder = os.path.isdir(place)
    for path in files_in(str(place), (".jsonl",)) if folder else [str(place)]:
        if folder and not recognised(first(path)):
            continue
        for record in read_records(path):
            found += labelled_statements(record.data, record.where)
    if not found:
        raise UsageError(
            f"{place}: no labelled statements; known are WiCE, QAGS, Factcheck-Bench, SciFact, BEGIN, "
            "HaluEval and FOLIO as JSONL"
        )
    return found
