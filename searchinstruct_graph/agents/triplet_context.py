"""The settings of a triplets run: what pairs are made of, which models work on them, and what is checked."""

from __future__ import annotations

from dataclasses import dataclass

from searchinstruct_graph.agents.context import RunContext, setting
from searchinstruct_graph.datasets.triplets import TripletLimits
from searchinstruct_graph.models.limits import Allowance

OPTIONS = ("target", "max_pairs", "concurrency", "max_cost", "index")
"""Settings that may change between two commands on one run: they say how much is done, not what the rows are."""

OTHERS = 8
"""Other passages shown beside the one that is to be found, at most."""

_LIMITS = TripletLimits()


@dataclass(frozen=True, kw_only=True)
class TripletContext(RunContext):
    """Static settings of a triplets run (InF-IR, arXiv 2505.21439).

    Raises:
        UsageError: a value is out of its range; the message names the field and the range.
    """

    corpus: list[str] = setting(
        [],
        "Documents in which hard negatives are looked for: `pydoc:`, files, folders, or URLs of pages. Without pairs, queries "
        "are written for their passages. Empty: the passages of the pairs are searched.",
    )
    target: int | None = setting(
        None, "Accepted triplets after which the run ends; empty: when every pair is tried.", ge=1
    )
    max_pairs: int | None = setting(None, "Pairs that are tried at most, in their order; empty: all.", ge=1)
    query_writer_model: str | None = setting(
        None, "Another model for the query writer, which asks what a passage answers; empty: `model`."
    )
    instructor_model: str | None = setting(
        None, "Another model for the instructor, which narrows queries by instructions; empty: `model`."
    )
    poisoner_model: str | None = setting(
        None, "Another model for the poisoner, which makes instructions and queries subtly wrong; empty: `model`."
    )
    passage_writer_model: str | None = setting(
        None, "Another model for the passage writer, which writes hard negatives; empty: `model`."
    )
    validator_model: str | None = setting(
        None,
        "Another model, best a stronger one, for the validator, which judges search hits and finished triplets; empty: `model`.",
    )
    index: str | None = setting(None, "Folder of the corpus index; empty: the user's cache folder.")
    seed: int = setting(
        0, "Seed of everything that is drawn, the order of the corpus's passages among it.", ge=0, le=2**31
    )
    neighbours: int = setting(
        OTHERS, "Other passages that writers are shown, and that are judged before one is written.", ge=1, le=OTHERS
    )
    poison_tries: int = setting(
        7, "How often poisoning a query is tried at most, each time with other passages at hand.", ge=1, le=20
    )
    least_score: float = setting(
        _LIMITS.least_score, "Score that each question of the validator needs, 0 to 1.", ge=0, le=1
    )
    least_edit: float = setting(
        _LIMITS.least_edit, "Least edit distance of a poisoned text, over the length of the longer text.", ge=0, le=1
    )
    most_edit: float = setting(
        _LIMITS.most_edit, "Largest edit distance of a poisoned text, over the length of the longer text.", ge=0, le=1
    )
    quoted_words: int = setting(
        _LIMITS.quoted_words, "Words in a row that an instruction may not share with its passage.", ge=2, le=100
    )
    negation_share: float = setting(
        _LIMITS.negation_share, "Largest share of triplets whose poison only adds or drops a negation.", ge=0, le=1
    )
    instruction_chars: int = setting(
        _LIMITS.instruction_chars, "Most characters of a query or an instruction.", ge=20, le=1_000
    )
    passage_chars: int = setting(_LIMITS.passage_chars, "Most characters of a passage.", ge=100, le=100_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        # Raises where two thresholds contradict each other.
        self.thresholds()

    def thresholds(self) -> TripletLimits:
        """The thresholds of the checks in code."""
        return TripletLimits(
            least_edit=self.least_edit,
            most_edit=self.most_edit,
            quoted_words=self.quoted_words,
            negation_share=self.negation_share,
            instruction_chars=self.instruction_chars,
            passage_chars=self.passage_chars,
            least_score=self.least_score,
        )

    def limits(self) -> Allowance:
        """What one pair may spend; the run's money is in its purse."""
        return Allowance(
            model_calls=2 * (9 + self.poison_tries + self.neighbours),
            tokens=2_000_000,
            cost_usd=None,
            searches=100,
            pages=1,
            seconds=1_800.0,
        )
