"""What a row becomes for a trainer: one entry a format in `FORMATS`. Pure functions; `export` writes their records.

A record has the same keys and types in every row of a file, and nothing in it is ever null, an empty list or a bare
time: loaders that read JSON in blocks guess a column's type from the first block, and refuse the file when a later one
differs. What has no value is an empty string. The whole row, with its nulls and lists, is `rows` (JSON Lines, as the
ledger has it) and `parquet` (typed columns).

Where the loaders' forms are described: TRL "Dataset formats and types"; LLaMA-Factory data/README.md; Axolotl
docs/dataset-formats and docs/rlhf; ragas 0.4 `SingleTurnSample`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from searchinstruct_graph.datasets.rows import Row, cited_answer
from searchinstruct_graph.datasets.triplets import PUBLISHED
from searchinstruct_graph.errors import UsageError

Record = Mapping[str, Any]
"""What stands on one line of an export."""

Columns = Mapping[str, Any]
"""Names and types of a record: a type is `str`, `int`, `float`, `bool`, a one-element list of a type, or `Columns`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a row is told; every format reads what concerns it."""

    citations: bool = False
    """Answers carry their [n] markers (`rows.cited_answer`)."""
    system: str = ""
    """A system prompt to put before every instruction; empty: none."""
    conversational: bool = False
    """Prompts and answers as lists of messages instead of plain text, where a format knows both."""
    bare: bool = False
    """Records without their `metadata`, for services that refuse columns they do not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A form of export."""

    title: str
    """One line for help texts and the dataset card."""
    records: Callable[[Row, Shape], Iterable[Record]]
    """The records of a row: none when it lacks what the format is about."""
    columns: Callable[[Shape], Columns] | None
    """Names and types of its records; None when they are free JSON."""
    parquet: bool = False
    """Written as Parquet whatever the file is called."""
    needs: str = ""
    """What a row must have to yield a record, in words; empty: every row does."""
    knows: frozenset[str] = frozenset({"citations", "system", "bare"})
    """The fields of `Shape` that it has a place for."""
    llama_factory: Callable[[Shape], dict[str, Any]] | None = None
    """The entry of LLaMA-Factory's `dataset_info.json`, without the file's name."""
    axolotl: Callable[[Shape], dict[str, Any]] | None = None
    """The keys of Axolotl's configuration; `datasets` holds one entry, without its path."""


_MESSAGES: Columns = {"role": str, "content": str}

METADATA: Columns = {
    "id": str,
    "language": str,
    "grounding": str,
    "method": str,
    "operation": str,
    "family": str,
    "bloom": str,
    "models": str,
    "support": float,
    "agreement": float,
    "samples": int,
    "licenses": str,
    "sources": str,
}
"""Provenance that travels with a training record. `sources` and `licenses` are one a line, in the same order. `support`
is 0 where `grounding` is `none`, and `agreement` says nothing where `samples` is 0. The whole of it is in `rows`."""


def metadata(row: Row) -> Record:
    """The provenance of a row in the columns of `METADATA`."""
    critic, origin = row["critic"], row["origin"]
    return {
        "id": row["id"],
        "language": row["language"],
        "grounding": row["grounding"],
        "method": origin["method"],
        "operation": origin["operation"],
        "family": origin["family"],
        "bloom": origin["bloom"],
        "models": ", ".join(f"{role}={name}" for role, name in sorted(row["models"].items())),
        "support": float(critic["support"] or 0.0),
        "agreement": float(critic["agreement"] or 0.0),
        "samples": critic["samples"],
        "licenses": "\n".join(licence_of(source["license"]) for source in row["sources"]),
        "sources": "\n".join(_line(source["uri"]) for source in row["sources"]),
    }


def _line(text: str) -> str:
    return " ".join(text.split())


_CREATIVE_COMMONS = re.compile(
    r"(?:creativecommons\.org/licenses/|\bcc[ -])(?P<terms>by(?:-nc)?(?:-(?:sa|nd))?)[/ -]v?(?P<version>\d\.\d)"
)
_PUBLIC_DOMAIN = re.compile(r"creativecommons\.org/publicdomain/zero|^cc[ -]?0\b")


def licence_of(stated: str | None) -> str:
    """One name for a licence however a page states it: lower case, Creative Commons links by their short name, `unknown`
    when none is stated.
    """
    name = " ".join((stated or "").lower().split())
    if found := _CREATIVE_COMMONS.search(name):
        return f"cc-{found['terms']}-{found['version']}"
    if _PUBLIC_DOMAIN.search(name):
        return "cc0-1.0"
    return name or "unknown"


def _answer(row: Row, shape: Shape) -> str:
    return cited_answer(row) if shape.citations else row["answer"]


def _said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _asked(row: Row, shape: Shape) -> list[dict[str, str]]:
    system = [_said("system", shape.system)] if shape.system else []
    return [*system, _said("user", row["instruction"])]


def _prompt(row: Row, shape: Shape) -> str:
    return f"{shape.system}\n\n{row['instruction']}" if shape.system else row["instruction"]


def _messages(row: Row, shape: Shape) -> Iterator[Record]:
    yield {"messages": [*_asked(row, shape), _said("assistant", _answer(row, shape))], "metadata": metadata(row)}


def _alpaca(row: Row, shape: Shape) -> Iterator[Record]:
    system = {"system": shape.system} if shape.system else {}
    told = {"instruction": row["instruction"], "input": "", "output": _answer(row, shape)}
    yield {**told, **system, "metadata": metadata(row)}


def _alpaca_columns(shape: Shape) -> Columns:
    system = {"system": str} if shape.system else {}
    return {"instruction": str, "input": str, "output": str, **system, "metadata": METADATA}


_SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}


def _sharegpt(row: Row, shape: Shape) -> Iterator[Record]:
    turns = [*_asked(row, shape), _said("assistant", _answer(row, shape))]
    said = [{"from": _SPEAKERS[turn["role"]], "value": turn["content"]} for turn in turns]
    yield {"conversations": said, "metadata": metadata(row)}


def _prompt_completion(row: Row, shape: Shape) -> Iterator[Record]:
    answer = _answer(row, shape)
    if shape.conversational:
        yield {"prompt": _asked(row, shape), "completion": [_said("assistant", answer)], "metadata": metadata(row)}
    else:
        yield {"prompt": _prompt(row, shape), "completion": answer, "metadata": metadata(row)}


def _either(shape: Shape) -> Any:
    return [_MESSAGES] if shape.conversational else str


_TURN = re.compile(r"<\|(im_start|im_end|im_sep|endoftext)\|>")


def _chatml_turn(turn: Mapping[str, str]) -> str:
    # A text that holds the tokens themselves would end its own turn and begin another.
    content = _TURN.sub(r"‹¦\1¦›", turn["content"])
    return f"<|im_start|>{turn['role']}\n{content}<|im_end|>\n"


def _chatml(row: Row, shape: Shape) -> Iterator[Record]:
    turns = [*_asked(row, shape), _said("assistant", _answer(row, shape))]
    yield {"text": "".join(map(_chatml_turn, turns)), "metadata": metadata(row)}


def _preference(row: Row, shape: Shape) -> Iterator[Record]:
    told = metadata(row)
    for draft in row["rejected"]:
        if not draft["answer"].strip() or draft["answer"] == row["answer"]:
            continue
        about = {**told, "reason": draft["reason"]}
        if shape.conversational:
            chosen, rejected = [_said("assistant", row["answer"])], [_said("assistant", draft["answer"])]
            yield {"prompt": _asked(row, shape), "chosen": chosen, "rejected": rejected, "metadata": about}
        else:
            pair = {"chosen": row["answer"], "rejected": draft["answer"]}
            yield {"prompt": _prompt(row, shape), **pair, "metadata": about}


def _ragas(row: Row, shape: Shape) -> Iterator[Record]:
    quotes = [quote["text"] for source in row["sources"] for quote in source["quotes"]]
    if not quotes:
        return
    by_id = {source["id"]: source["quotes"] for source in row["sources"]}
    cited = [by_id[number][at]["text"] for said in row["statements"] for number, at in said["quotes"]]
    yield {
        "user_input": row["instruction"],
        "response": _answer(row, shape),
        "reference": row["answer"],
        "retrieved_contexts": quotes,
        "reference_contexts": list(dict.fromkeys(cited)) or quotes,
        "metadata": metadata(row),
    }


def _typed_row(row: Row, shape: Shape) -> Iterator[Record]:
    named = {
        "models": [{"role": role, "model": name} for role, name in sorted(row["models"].items())],
        "versions": [{"name": name, "version": version} for name, version in sorted(row["versions"].items())],
    }
    yield {**row, "answer": _answer(row, shape), **named}


_QUOTE: Columns = {"text": str, "start": int, "end": int}

ROW: Columns = {
    "id": str,
    "instruction": str,
    "answer": str,
    "language": str,
    "grounding": str,
    "statements": [{"text": str, "citations": [int], "quotes": [[int]], "support": float}],
    "sources": [
        {
            "id": int,
            "uri": str,
            "title": str,
            "retrieved_at": str,
            "sha256": str,
            "license": str,
            "quotes": [_QUOTE],
        }
    ],
    "origin": {
        "method": str,
        "operation": str,
        "parents": [str],
        "family": str,
        "kind": str,
        "subtopic": str,
        "keywords": [str],
        "bloom": str,
        "passages": [str],
        "wave": int,
        "selection": {"pull": int, "cluster": int, "transport": float, "distance": float},
        "edit": {
            "fact": str,
            "subject": str,
            "relation": str,
            "old": str,
            "new": str,
            "as_of": str,
            "change": float,
            "spans": [[int]],
        },
    },
    "critic": {
        "verdict": str,
        "confidence": float,
        "support": float,
        "agreement": float,
        "samples": int,
        "rounds": int,
        "problems": [str],
    },
    "vote": {"answers": [str], "majority": str, "agreement": float, "rule": str, "threshold": float},
    "rejected": [{"answer": str, "reason": str}],
    "models": [{"role": str, "model": str}],
    "versions": [{"name": str, "version": str}],
    "usage": {
        "model_calls": int,
        "input_tokens": int,
        "output_tokens": int,
        "cost_usd": float,
        "searches": int,
        "pages": int,
    },
}
"""A row in typed columns: `rows.Row`, with its two dictionaries as lists of pairs."""

_PREFERENCE_METADATA: Columns = {**METADATA, "reason": str}


FORMATS: dict[str, Format] = {
    "messages": Format(
        title="`messages` of role and content: TRL, LLaMA-Factory, Axolotl",
        records=_messages,
        columns=lambda shape: {"messages": [_MESSAGES], "metadata": METADATA},
        llama_factory=lambda shape: {
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": {
                "role_tag": "role",
                "content_tag": "content",
                "user_tag": "user",
                "assistant_tag": "assistant",
                "system_tag": "system",
            },
        },
        axolotl=lambda shape: {"datasets": [{"type": "chat_template"}]},
    ),
    "alpaca": Format(
        title="`instruction`, `input`, `output`",
        records=_alpaca,
        columns=_alpaca_columns,
        llama_factory=lambda shape: {
            "columns": {
                "prompt": "instruction",
                "query": "input",
                "response": "output",
                **({"system": "system"} if shape.system else {}),
            }
        },
        axolotl=lambda shape: {"datasets": [{"type": "alpaca_w_system" if shape.system else "alpaca"}]},
    ),
    "sharegpt": Format(
        title="`conversations` of from and value",
        records=_sharegpt,
        columns=lambda shape: {"conversations": [{"from": str, "value": str}], "metadata": METADATA},
        llama_factory=lambda shape: {"formatting": "sharegpt", "columns": {"messages": "conversations"}},
        axolotl=lambda shape: {
            "datasets": [
                {
                    "type": "chat_template",
                    "field_messages": "conversations",
                    "message_property_mappings": {"role": "from", "content": "value"},
                }
            ]
        },
    ),
    "prompt-completion": Format(
        title="`prompt` and `completion`, as text or as messages: TRL",
        records=_prompt_completion,
        columns=lambda shape: {"prompt": _either(shape), "completion": _either(shape), "metadata": METADATA},
        knows=frozenset({"citations", "system", "conversational", "bare"}),
    ),
    "chatml": Format(
        title="`text` rendered in ChatML",
        records=_chatml,
        columns=lambda shape: {"text": str, "metadata": METADATA},
        axolotl=lambda shape: {"datasets": [{"type": "completion", "field": "text"}]},
    ),
    "preference": Format(
        title="`prompt`, `chosen`, `rejected`, as text or as messages: TRL's DPO and its kin",
        records=_preference,
        columns=lambda shape: {
            "prompt": _either(shape),
            "chosen": _either(shape),
            "rejected": _either(shape),
            "metadata": _PREFERENCE_METADATA,
        },
        needs="a rejected draft beside the accepted answer",
        # A rejected draft has no [n] markers: with them in the other half, a model would learn the markers.
        knows=frozenset({"system", "conversational", "bare"}),
        # LLaMA-Factory takes text here, or one message, never a list of them.
        llama_factory=lambda shape: (
            {}
            if shape.conversational
            else {"ranking": True, "columns": {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}}
        ),
        axolotl=lambda shape: {
            "rl": "dpo",
            "datasets": [
                {
                    "type": "chat_template.default",
                    "field_messages": "prompt",
                    "field_chosen": "chosen",
                    "field_rejected": "rejected",
                }
            ],
        },
    ),
    "ragas": Format(
        title="`user_input`, `response`, `reference` and their contexts: ragas' EvaluationDataset",
        records=_ragas,
        columns=lambda shape: {
            "user_input": str,
            "response": str,
            "reference": str,
            "retrieved_contexts": [str],
            "reference_contexts": [str],
            "metadata": METADATA,
        },
        needs="quotes",
        knows=frozenset({"citations", "bare"}),
    ),
    "parquet": Format(
        title="whole rows in typed columns",
        records=_typed_row,
        columns=lambda shape: ROW,
        parquet=True,
        knows=frozenset({"citations"}),
    ),
    "rows": Format(
        title="whole rows as the ledger has them, nothing lost",
        records=lambda row, shape: [{**row, "answer": _answer(row, shape)}],
        columns=None,
        knows=frozenset({"citations"}),
    ),
}


PROBES = "probes"
"""Of an edit set, what is held out: questions with the answers of a corrected model and of an uncorrected one. No rows become
it, so it stands beside the table.
"""

TRIPLETS, BEIR = "triplets", "beir"
"""Of a set of triplets: one record a triplet under the published names, and BEIR's folder of corpus, queries and judgements."""

HARD_NEGATIVES = ("hard_negative_document_1", "hard_negative_document_2")
"""The fields of a triplet whose passages were found or written."""


def _triplet(row: Any, shape: Shape) -> Iterator[Record]:
    yield {
        **{name: row[name] for name in PUBLISHED},
        "id": row["id"],
        "family": row["family"],
        "kind": row["kind"],
        "origins": {name: row["origins"].get(name, "") for name in HARD_NEGATIVES},
        "uris": {name: row["uris"].get(name, "") for name in ("document", *HARD_NEGATIVES)},
        # A score that was not given stays null: it is no number that a default could stand for.
        "scores": {question: row["scores"].get(question) for question in "abcde"},
        "models": ", ".join(f"{role}={name}" for role, name in sorted(row["models"].items())),
    }


TRIPLET: Columns = {
    **dict.fromkeys((*PUBLISHED, "id", "family", "kind"), str),
    "origins": dict.fromkeys(HARD_NEGATIVES, str),
    "uris": dict.fromkeys(("document", *HARD_NEGATIVES), str),
    "scores": dict.fromkeys("abcde", float),
    "models": str,
}

_BESIDE: dict[str, Format] = {
    PROBES: Format(
        title="held-out questions of an edit set, as `probes.jsonl`: `searchinstruct eval edit`",
        records=lambda probe, shape: [probe],
        columns=None,
        knows=frozenset(),
    ),
    TRIPLETS: Format(
        title="triplets under their published names: `searchinstruct train-retriever`",
        records=_triplet,
        columns=lambda shape: TRIPLET,
        knows=frozenset(),
    ),
    BEIR: Format(
        title="a folder of `corpus.jsonl`, `queries.jsonl` and `qrels/`: BEIR, MTEB",
        # It is several files; `triplet_export` writes them.
        records=lambda row, shape: [],
        columns=None,
        knows=frozenset(),
    ),
}
"""Formats of runs that have other rows than `Row`."""


def format_named(name: str) -> Format:
    """The format called `name`. Raises UsageError with the names there are."""
    if name in _BESIDE:
        return _BESIDE[name]
    if name not in FORMATS:
        raise UsageError(f"There is no export format {name!r}; there are: {', '.join([*FORMATS, *_BESIDE])}.")
    return FORMATS[name]


_OPTIONS = {
    "citations": "citation markers",
    "system": "a system prompt",
    "conversational": "two forms (text, messages)",
    "bare": "records without metadata",
}


def check_shape(name: str, shape: Shape) -> None:
    """Raise UsageError when `shape` asks for something that the format called `name` has no place for."""
    form = format_named(name)
    for option, what in _OPTIONS.items():
        if getattr(shape, option) and option not in form.knows:
            able = ", ".join(other for other, one in FORMATS.items() if option in one.knows)
            raise UsageError(f"The format {name} does not know {what}; these do: {able}.")


def records(form: Format, row: Row, shape: Shape) -> Iterator[Record]:
    """The records of a row in the form and shape."""
    for record in form.records(row, shape):
        yield _bare(record) if shape.bare else record


def columns(form: Format, shape: Shape) -> Columns | None:
    """The names and types of those records; None when they are free JSON."""
    if form.columns is None:
        return None
    return _bare(form.columns(shape)) if shape.bare else form.columns(shape)


def _bare(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in record.items() if name != "metadata"}


def arrow_type(kind: Any) -> Any:
    """The pyarrow type of a column's type."""
    import pyarrow as pa

    if isinstance(kind, Mapping):
        return pa.struct([(name, arrow_type(inner)) for name, inner in kind.items()])
    if isinstance(kind, Sequence):
        return pa.list_(arrow_type(kind[0]))
    return {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}[kind]


_DTYPES = {str: "string", int: "int64", float: "float64", bool: "bool"}


def features(named: Columns) -> list[dict[str, Any]]:
    """The columns as a Hugging Face dataset card declares them (`dataset_info.features`), so that no loader guesses."""
    return [{"name": name, **_feature(kind)} for name, kind in named.items()]


def _feature(kind: Any) -> dict[str, Any]:
    if isinstance(kind, Mapping):
        return {"struct": features(kind)}
    if isinstance(kind, Sequence):
        inner = kind[0]
        if isinstance(inner, Mapping):
            return {"list": features(inner)}
        return {"list": _feature(inner) if isinstance(inner, Sequence) else _DTYPES[inner]}
    return {"dtype": _DTYPES[kind]}
