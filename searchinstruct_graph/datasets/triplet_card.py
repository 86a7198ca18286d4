"""The dataset card of a set of triplets: a README.md that the Hugging Face Hub, `datasets` and MTEB read, and that tells a person
how the triplets were made and what they are not good for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from searchinstruct_graph.datasets.card import SplitFile, size_category
from searchinstruct_graph.datasets.export import PLAIN
from searchinstruct_graph.datasets.formats import BEIR, columns, features, format_named
from searchinstruct_graph.datasets.triplet_measures import QUESTIONS, TripletMeasures
from searchinstruct_graph.datasets.triplet_run import TripletCounts
from searchinstruct_graph.text.markdown import Code, block, escaped, one_line, table

PAPER = """@misc{zhuang2025infir,
  title = {Towards Better Instruction Following Retrieval Models},
  author = {Yuchen Zhuang and Aaron Trinh and Rushi Qiang and Haotian Sun and Chao Zhang and Hanjun Dai and Bo Dai},
  eprint = {2505.21439},
  archivePrefix = {arXiv},
  year = {2025},
}"""
"""Of InF-IR, whose method and field names these are."""


class TripletCardFacts(TypedDict):
    """Everything that the card is written from."""

    title: str
    command: str
    """The command that makes the set again."""
    format: str
    files: list[SplitFile]
    """Paths from the card; of a BEIR folder its judgements, by side."""
    left_out: Mapping[str, int]
    """Triplets that stand in none of the files, by the reason."""
    settings: Mapping[str, Any]
    """The run's settings, without secrets."""
    found: TripletCounts
    measured: TripletMeasures
    created_by: str


def triplet_card(facts: TripletCardFacts) -> str:
    """The card, Markdown with YAML front matter."""
    sections = (_about, _making, _numbers, _limits, _loading, _reproducing)
    body = "\n\n".join("\n".join(section(facts)) for section in sections)
    return f"---\n{_front_matter(facts)}---\n\n{body}\n"


def _front_matter(facts: TripletCardFacts) -> str:
    import yaml

    told = {
        "pretty_name": one_line(facts["title"], 200),
        "license": "unknown",
        "annotations_creators": ["machine-generated"],
        "task_categories": ["text-retrieval", "sentence-similarity"],
        "size_categories": [size_category(facts["found"]["kept"])],
        "tags": ["synthetic", "instruction-retrieval", "hard-negatives", "triplets", "searchinstruct-graph"],
        "configs": _configs(facts),
    }
    if (named := columns(format_named(facts["format"]), PLAIN)) is not None:
        told["dataset_info"] = [{"config_name": "default", "features": features(named)}]
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=10_000)


def _configs(facts: TripletCardFacts) -> list[dict[str, Any]]:
    files = [{"split": file["split"], "path": file["path"]} for file in facts["files"]]
    if facts["format"] != BEIR:
        return [{"config_name": "default", "data_files": files}]
    texts = [
        {"config_name": name, "data_files": [{"split": name, "path": f"{name}.jsonl"}]}
        for name in ("corpus", "queries")
    ]
    return [{"config_name": "default", "data_files": files}, *texts]


def _about(facts: TripletCardFacts) -> list[str]:
    found = facts["found"]
    said = [
        f"# {escaped(facts['title'], 200)}",
        "",
        f"{found['kept']:,} triplets for a retriever that obeys instructions, made by a program "
        f"({escaped(facts['created_by'])}). Each has a query, an instruction that narrows it, and a passage that fits both; a "
        "poisoned instruction and a poisoned query, for which that passage is wrong; and for each of them a passage that fits "
        "it, and not the right pair.",
        "",
        f"Form: `{facts['format']}` ({format_named(facts['format']).title}).",
        "",
    ]
    said += table(
        ("split", "file", "records"), [(file["split"], Code(file["path"]), file["rows"]) for file in facts["files"]]
    )
    if facts["left_out"]:
        said += ["", *table(("why triplets are in no file", "triplets"), list(facts["left_out"].items()))]
    return said


def _making(facts: TripletCardFacts) -> list[str]:
    measured = facts["measured"]
    written = [
        (name.replace("_", " "), counts["found"], counts["written"]) for name, counts in measured["origins"].items()
    ]
    models = [(role, name, count) for role, names in measured["models"].items() for name, count in names.items()]
    versions = [(name, ", ".join(known)) for name, known in measured["versions"].items()]
    settings = json.dumps(dict(facts["settings"]), ensure_ascii=False, indent=2, sort_keys=True, default=str)
    return [
        "## How it was made",
        "",
        "By the method of InF-IR: of each pair of query and passage a model writes an instruction that the passage satisfies, "
        "then poisons instruction and query apart. A hard negative is looked for in the corpus, and written only where none is "
        "found. Code checks lengths, edit distances and copied words; a validator answers five questions with a quote and a "
        "score, and all of them must hold.",
        "",
        *table(("hard negative", "found", "written"), written),
        "",
        "Models, by role:",
        "",
        *table(("role", "model", "triplets"), models),
        "",
        "Versions, of the program and of each prompt:",
        "",
        *table(("name", "version"), versions),
        "",
        "Settings:",
        "",
        *block(settings, "json"),
    ]


def _numbers(facts: TripletCardFacts) -> list[str]:
    found = facts["found"]
    measured = facts["measured"]
    share = f"{found['kept'] / found['tried']:.1%}" if found["tried"] else "none"
    said = [
        "## Counts",
        "",
        f"{found['kept']:,} of {found['tried']:,} tries were kept ({share}), in {found['families']:,} families; triplets of one "
        "family share a query and belong on one side of a split.",
        "",
        *table(("what instructions narrow by", "triplets"), _named(found["kinds"])),
    ]
    if found["reasons"]:
        said += ["", *table(("why tries were not kept", "tries"), _named(found["reasons"]))]
    scores = [
        (f"({question}) {QUESTIONS[question]}", "not given" if spread["mean"] is None else f"{spread['mean']:.3f}")
        for question, spread in measured["scores"].items()
    ]
    said += ["", *table(("the validator's question", "mean score"), scores), ""]
    edits = [
        f"{spread['mean']:.0%} of {name}"
        for name, spread in (("an instruction", measured["instruction_edits"]), ("a query", measured["query_edits"]))
        if spread["mean"] is not None
    ]
    if edits:
        said.append(f"A poison changes {' and '.join(edits)} on average, as an edit distance over the longer text.")
    leak = measured["leak"]
    said.append(
        "Whether instructions give their side away by their wording was not measured: there are too few families."
        if leak is None
        else f"A classifier on the words of instructions alone tells right ones from poisoned ones with accuracy "
        f"{leak.accuracy:.3f}; chance is .500 with a standard deviation of {leak.deviation:.3f}."
    )
    return said


def _named(counts: Mapping[str, int]) -> Sequence[tuple[str, int]]:
    return [((name or "not named").replace("_", " "), count) for name, count in counts.items()]


def _limits(facts: TripletCardFacts) -> list[str]:
    offline = [
        role for role, names in facts["measured"]["models"].items() if any(name.startswith("offline") for name in names)
    ]
    said = ["No triplet was checked by a person."]
    if offline:
        said.append(
            f"The offline extractive model worked as {', '.join(map(escaped, offline))}. It is no language model: it takes "
            "criteria and sentences out of passages by rule, so its instructions know few kinds, and its judgements are rough."
        )
    if facts["found"]["written"]:
        said.append("Some hard negatives were written for their triplet and stand in no document.")
    said += [
        "A passage that is judged as wrong for a query was judged by a model; another passage of the corpus may be right for it.",
        "Passages are copies of the pairs and documents they were made of: clear their licences before you share them.",
    ]
    return ["## Known limits", "", *(f"* {one}" for one in said)]


def _loading(facts: TripletCardFacts) -> list[str]:
    if facts["format"] == BEIR:
        code = [
            "from datasets import load_dataset",
            "",
            'folder = "path/to/this/folder"',
            'corpus = load_dataset(folder, "corpus")["corpus"]',
            'queries = load_dataset(folder, "queries")["queries"]',
            f'judgements = load_dataset(folder, "default")["{facts["files"][-1]["split"]}"]',
        ]
    else:
        code = [
            "from datasets import load_dataset",
            "",
            'triplets = load_dataset("path/to/this/folder")',
            f'print(triplets["{facts["files"][0]["split"]}"][0])',
        ]
    return ["## How to load it", "", *block("\n".join(code), "python")]


def _reproducing(facts: TripletCardFacts) -> list[str]:
    return [
        "## How to make it again",
        "",
        *block(facts["command"], "sh"),
        "",
        "With the same pairs, models, settings and seed the same triplets come out.",
        "",
        "The method:",
        "",
        *block(PAPER, "bibtex"),
    ]
