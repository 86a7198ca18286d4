"""The settings of an edit set: how many wordings and probes a fact gets, and how little of an answer may change."""

from __future__ import annotations

from dataclasses import dataclass

from searchinstruct_graph.agents.context import ResearchContext, RunContext, setting
from searchinstruct_graph.errors import UsageError

OPTIONS = ("target", "concurrency", "max_cost", "index", "review_plan")
"""Settings that may change between two commands on one run: they say how much is done, not what the rows are."""


@dataclass(frozen=True, kw_only=True)
class EditContext(RunContext, ResearchContext):
    """Static settings of an edit set. The limits of research hold for every fact, `max_cost` for the whole run.

    Raises:
        UsageError: a value is out of its range; the message names the field and the range.
    """

    corpus: list[str] = setting(
        [],
        "Where the new state of the facts stands: `pydoc:`, files, folders, or URLs of pages. Empty: `pydoc:`, or with "
        "`web` the web alone.",
    )
    max_searches: int = setting(24, "Queries sent for one fact.", ge=1)
    max_pages: int = setting(15, "Pages read for one fact.", ge=1)
    max_model_calls: int = setting(120, "Model calls for one fact.", ge=4)
    max_tokens: int = setting(1_000_000, "Tokens, in and out, for one fact.", ge=1)
    max_seconds: float = setting(600.0, "Working seconds for one fact.", ge=1)
    target: int | None = setting(None, "Accepted rows after which the run ends; empty: when every fact is done.", ge=1)
    editor_model: str | None = setting(
        None, "Another model for the editor, which revises stale answers; empty: `model`."
    )
    prober_model: str | None = setting(
        None, "Another model for the prober, which words questions and probes; empty: `model`."
    )
    stale_model: str = setting(
        "",
        "The model that is to be corrected, asked from memory for the stale answer. Empty: the stale answer is the fact's own, "
        "or written from the old object.",
    )
    wordings: int = setting(12, "Training wordings of the question of one fact.", ge=1, le=50)
    paraphrases: int = setting(4, "Held-out paraphrases of it, for the probe `generality`.", ge=0, le=20)
    neighbours: int = setting(
        6, "Most probes of `locality` that are made of other facts on the pages of one fact.", ge=0, le=50
    )
    max_change: float = setting(
        0.5,
        "Largest change of a stale answer: tokens inserted and deleted, over the tokens of both answers, 0 to 1.",
        ge=0.01,
        le=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.review_plan:
            raise UsageError("review_plan stops every fact for a person; leave it out for an edit set")
