"""The model card of a trained retriever: a README.md that the Hugging Face Hub reads, and that tells a person what it was made
of, what it was measured to do, how it is used and what it cannot do.

Names from elsewhere (bases, runs, files) are escaped: they are words on the page, never markup.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.retriever.measures import FEW
from searchinstruct_graph.text.markdown import Code, block, code, escaped, one_line, table

if TYPE_CHECKING:
    from searchinstruct_graph.retriever.measures import Figure, Figures, Measured
    from searchinstruct_graph.retriever.saving import TrainedRetriever

_PACKAGES = (
    "searchinstruct-graph",
    "numpy",
    "scipy",
    "torch",
    "transformers",
    "sentence-transformers",
    "peft",
    "wordllama",
)

_MEASURES = {
    "accuracy": "triplet accuracy",
    "above_first": "right passage above the one for the poisoned instruction",
    "above_second": "right passage above the one for the poisoned query",
    "above_poisoned": "right passage nearer to its instruction than to the poisoned one",
    "p_mrr": "p-MRR",
    "plain_ndcg": "nDCG@10 without an instruction",
}
"""All are shown times 100."""

_LOSSES = {"P": "passages", "IQ": "queries with instructions", "I": "instructions"}


def retriever_card(trained: TrainedRetriever, settings: Mapping[str, Any]) -> str:
    """The card, Markdown with YAML front matter. `settings` are shown as they are."""
    sections = [
        _about(trained, settings),
        _use(trained),
        _figures(trained),
        _data(trained),
        _settings(trained, settings),
        _limits(trained),
    ]
    body = "\n\n".join("\n".join(section) for section in sections)
    return f"---\n{_front_matter(trained)}---\n\n{body}\n"


def _name(base: str) -> str:
    """The base without the way to it on this machine."""
    return Path(base).resolve().name if Path(base).is_dir() or base.startswith(("/", "~", ".")) else base


def _front_matter(trained: TrainedRetriever) -> str:
    import yaml

    base = one_line(_name(trained.base), 200)
    encoder = trained.kind == "encoder"
    told = {
        **({"library_name": "sentence-transformers", "pipeline_tag": "sentence-similarity"} if encoder else {}),
        # The Hub links it, so only a name that may stand there.
        **({"base_model": base} if encoder and base == trained.base and not Path(base).is_dir() else {}),
        "tags": [
            "searchinstruct-graph",
            "instruction-following-retrieval",
            *(["sentence-transformers"] if encoder else []),
        ],
    }
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=10_000)


def _about(trained: TrainedRetriever, settings: Mapping[str, Any]) -> list[str]:
    if trained.kind == "rescorer":
        return [
            "# A re-scorer that reads instructions",
            "",
            f"A small head over the static vectors of {code(_name(trained.base))}: it puts the first passages of a search in the "
            'order that an instruction asks for ("only sources after 2015", "how it is treated"). Without an instruction the '
            "order stays as it is. It is linear in thirteen numbers a passage, one of them by a matrix; it is solved for, not "
            "trained step by step.",
        ]
    contrast = settings.get("contrast", {})
    families = " and ".join(f"{_LOSSES.get(name, name)} (ℓ_{name})" for name in contrast.get("families", ()))
    form = {"uni": "in one softmax", "multi": "each in a softmax of its own"}.get(contrast.get("form", ""), "")
    join = {
        "plain": "as text: the query, one space, the instruction",
        "labelled": "as text: `Instruct: …` and `Query: …`, a line each",
        "attention": "by instruction-query attention, apart through the encoder",
    }[trained.join]
    return [
        "# A retriever that reads instructions",
        "",
        f"{code(_name(trained.base))}, trained to find what fits a query *and* its instruction. Queries and instructions are "
        f"joined {join}. The training contrasts {families or 'nothing'}, {form} (InF-Embed, arXiv 2505.21439).",
    ]


def _use(trained: TrainedRetriever) -> list[str]:
    if trained.join == "attention":
        return [
            "## How to use it",
            "",
            "`--embeddings` refuses it, and `SentenceTransformer` loads it without the attention. In Python:",
            "",
            *block(
                "from searchinstruct_graph.retriever.encoder import Encoder\n\n"
                'encoder = Encoder("FOLDER")\n'
                'queries = encoder.embed_pairs(["a query"], ["an instruction"])\n'
                'passages = encoder.embed(["a passage"])',
                "python",
            ),
        ]
    said = [
        "## How to use it",
        "",
        *block(
            'searchinstruct search "a query" --instruction "an instruction" --corpus docs/ --embeddings FOLDER\n'
            'searchinstruct ask "a question" --instruction "an instruction" --corpus docs/ --embeddings FOLDER',
            "sh",
        ),
    ]
    if trained.kind == "encoder":
        joined = {
            "plain": '"a query an instruction"',
            "labelled": '"Instruct: an instruction\\nQuery: a query"',
        }[trained.join]
        said += [
            "",
            "With sentence-transformers alone, join them yourself; passages, and queries without an instruction, stay alone:",
            "",
            *block(
                "from sentence_transformers import SentenceTransformer\n\n"
                'model = SentenceTransformer("FOLDER")\n'
                f"queries = model.encode([{joined}], normalize_embeddings=True)\n"
                'passages = model.encode(["a passage"], normalize_embeddings=True)',
                "python",
            ),
        ]
    return said


def _figures(trained: TrainedRetriever) -> list[str]:
    found = trained.measured
    if found is None:
        return ["## Measured", "", "Nothing was held out, so nothing was measured."]
    said = [
        "## Measured",
        "",
        f"On {found['triplets']:,} triplets of {found['queries']:,} queries that were held out"
        + (f", and plain queries ({found['plain_queries']:,})" if found["plain_queries"] else "")
        + "; times 100, with 95 % bootstrap intervals over queries:",
        "",
        *table(("measure", "before", "after", "gain"), measured_rows(found)),
        "",
        "p-MRR runs from −100 to 100: how far the right passage falls when its instruction is poisoned; 0 ignores instructions. "
        "Ranks are among the passages of the held-out triplets. “Before” is "
        + (
            "what the embedded default does by itself, with the head that it comes with."
            if trained.kind == "rescorer"
            else "the base, joined in the same way."
        ),
    ]
    if trained.kind == "rescorer":
        said.append("Searches without an instruction are the same before and after.")
    else:
        said.append(
            "Which step's weights were kept was decided by triplet accuracy on these triplets, so “after” is somewhat too high."
        )
    return said


def measured_rows(found: Measured) -> list[tuple[str, str, str, str]]:
    """The rows of the table: measure, before, after, gain, times 100; what was not measured is left out."""
    rows = []
    for name, shown in _MEASURES.items():
        one, other, gain = (_shown(found[when], name) for when in ("before", "after", "gain"))
        if other:
            rows.append((shown, one, other, gain))
    return rows


def _shown(figures: Figures, name: str) -> str:
    figure: Figure | None = figures[name]  # type: ignore[literal-required]
    if figure is None:
        return ""
    # Adding 0 turns a rounded −0 into 0.
    value, low, high = (round(100 * each, 1) + 0.0 for each in (figure["value"], figure["low"], figure["high"]))
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def _data(trained: TrainedRetriever) -> list[str]:
    said = [
        "## Data",
        "",
        f"{trained.triplets:,} triplets (query, instruction, passage, and a poisoned twin of the query and of the instruction "
        f"with a passage each) were trained on, {trained.held:,} of other queries were held out"
        + (f", {trained.plain:,} plain queries with passages were mixed in." if trained.plain else "."),
    ]
    if (data := trained.data) is None:
        return said
    rows = [
        (Code(each["name"]), Code(each["fingerprint"][:16]), each["triplets"], _kept(each["triplets"], each["tries"]))
        for each in data["sources"]
    ]
    said += ["", *table(("source", "fingerprint", "triplets", "kept of its tries"), rows)]
    held = "What was held out are whole families." if trained.held else "Nothing was held out."
    said += ["", f"Families: {data['families']:,}. {held}"]
    if left := {name: count for name, count in data["left_out"].items() if count}:
        said += ["", "Left out:", "", *table(("what", "count"), left.items())]
    return said


def _kept(triplets: int, tries: int | None) -> str:
    return "not told" if not tries else f"{100 * triplets / tries:.0f} % of {tries:,}"


def _settings(trained: TrainedRetriever, settings: Mapping[str, Any]) -> list[str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    said = ["## Settings", "", *block(json.dumps(settings, ensure_ascii=False, indent=1), "json"), ""]
    if trained.kind == "encoder":
        kept = f"the weights of step {trained.best_step:,}" if trained.best_step else "the base's own weights"
        said.append(
            f"{trained.steps:,} of {trained.planned:,} steps were made, and {kept} were kept; the mean loss went from "
            f"{trained.loss_first:.3f} to {trained.loss_last:.3f} nats."
        )
    said += [
        f"SHA-256 over the weights: {code(trained.digest)}.",
        "",
        *table(("made with", "version"), versions.items()),
    ]
    return said


def _limits(trained: TrainedRetriever) -> list[str]:
    said = [
        "## Limits",
        "",
        "* It learnt the kinds of instruction that its triplets hold; of others it may know nothing.",
        "* The figures are of held-out triplets of the same making, which is easier than instructions of people.",
        "* p-MRR alone would reward pushing everything down: look at nDCG of plain queries too.",
    ]
    if trained.measured and trained.measured["triplets"] < FEW:
        said.append("* Few triplets were held out, so the figures and their intervals say little.")
    if trained.truncated_pairs:
        said.append(
            f"* {trained.truncated_pairs:,} queries with instructions of its training were longer than what it reads"
            + (", and lost the end of the instruction." if trained.join == "plain" else ".")
        )
    if trained.truncated_passages:
        said.append(f"* {trained.truncated_passages:,} passages of its training were longer than what it reads.")
    if trained.kind == "rescorer":
        said.append(
            "* It reads “not”, “only” and years in a few languages; elsewhere an instruction is words that are wanted."
        )
        said.append("* A passage that the search does not find among the first hundred cannot be put forward.")
    said.append(
        f"* The licences of {escaped(_name(trained.base))} and of the texts that it was trained on hold for it too."
    )
    return said
