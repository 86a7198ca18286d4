"""The settings of a dataset: those of research, and how instructions are made and rows are chosen."""

from __future__ import annotations

from dataclasses import dataclass

from searchinstruct_graph.agents.context import ResearchContext, RunContext, setting
from searchinstruct_graph.errors import UsageError

OPTIONS = ("target", "concurrency", "max_cost", "max_waves", "index", "review_plan")
"""Settings that may change between two commands on one run: they say how much is done, not what the rows are."""


@dataclass(frozen=True, kw_only=True)
class BuildContext(RunContext, ResearchContext):
    """Static settings of a dataset run. The limits of research hold for every row, `max_cost` for the whole run.

    Raises:
        UsageError: a value is out of its range; the message names the field and the range.
    """

    corpus: list[str] = setting(
        [],
        "Where to search: `pydoc:`, files, folders, or URLs of pages. Empty: the web alone, or without it the model's memory.",
    )
    max_searches: int = setting(24, "Queries sent for one row.", ge=1)
    max_pages: int = setting(15, "Pages read for one row.", ge=1)
    max_model_calls: int = setting(120, "Model calls for one row.", ge=4)
    max_tokens: int = setting(1_000_000, "Tokens, in and out, for one row.", ge=1)
    max_seconds: float = setting(600.0, "Working seconds for one row.", ge=1)
    target: int = setting(100, "Accepted rows wanted.", ge=1, le=100_000_000)
    expander_model: str | None = setting(None, "Another model for keywords and new instructions; empty: `model`.")
    respondent_model: str | None = setting(
        None, "Another model for answers in a fixed form and answers without sources; empty: `model`."
    )
    expand: bool = setting(True, "Make new instructions from the seeds; without it only the seeds are answered.")
    answer_seeds: bool = setting(True, "Answer the seeds themselves as well.")
    grow: bool = setting(False, "Let new instructions become seeds of later ones.")
    seeds_per_call: int = setting(8, "Seeds shown to the model at once (n), drawn anew for each call.", ge=1, le=100)
    questions_per_call: int = setting(5, "New instructions asked of one call (k).", ge=1, le=50)
    max_waves: int | None = setting(None, "Rounds of proposals (m); empty: until the target is reached.", ge=1)
    keywords: int = setting(30, "Core keywords asked for at first.", ge=1, le=1_000)
    keyword_rounds: int = setting(
        5, "Rounds of prerequisite and advanced keywords; ends when few are new.", ge=0, le=100
    )
    corpus_rounds: int = setting(5, "Rounds of keywords out of passages of the corpus.", ge=0, le=100)
    pairs: float = setting(0.25, "Share of the instructions that relate two keywords.", ge=0, le=1)
    threshold: float = setting(0.6, "Share of the samples that must agree on a final answer.", ge=0, le=1)
    max_share: float = setting(
        0.05,
        "Largest share of the rows that one file or web site may give; one that holds more of the corpus's text, or is one "
        "of few, may give more.",
        ge=0.0001,
        le=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.review_plan:
            raise UsageError("review_plan stops every row for a person; review seeds with --suggest-seeds instead")
