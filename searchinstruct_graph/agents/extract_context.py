"""The settings of an extraction: which part of a pile of documents is read, and which of the pairs found there are kept."""

from __future__ import annotations

from dataclasses import dataclass

from searchinstruct_graph.agents.context import BaselineName, OrderName, PriorName, RewardName, RunContext, setting
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.limits import Allowance

OPTIONS = ("target", "concurrency", "max_cost", "budget_documents")
"""Settings that may change between two commands on one run: they say how much is done, not what the rows are."""

SHARE = 0.05
"""The paper's main budget: this share of the pile (arXiv 2505.12250, γ)."""


@dataclass(frozen=True, kw_only=True)
class ExtractContext(RunContext):
    """Static settings of an extraction run (EQUAL, arXiv 2505.12250).

    Raises:
        UsageError: a value is out of its range; the message names the field and the range.
    """

    corpus: list[str] = setting(
        [],
        "The pile to read from: `pydoc:`, files, folders of Markdown, text, reStructuredText, HTML, PDF or JSONL, or URLs of "
        "pages.",
    )
    extractor_model: str | None = setting(
        None, "Another model for the extractor, which reads documents; empty: `model`."
    )
    budget_documents: int | None = setting(
        None, "Documents that may be read, the warm-up among them. Empty: 5 % of the pile, at least 20.", ge=1
    )
    target: int | None = setting(None, "Accepted rows after which the run ends; empty: when the budget is spent.", ge=1)
    pairs_per_document: int = setting(5, "Most pairs asked of one document; none is a good answer.", ge=1, le=50)
    refine: bool = setting(True, "Let the model go over every pair once more: correct it or reject it.")
    domain: str = setting(
        "", "What the examples are about, in words; the extractor never sees the examples themselves."
    )
    min_support: float = setting(
        0.7, "Support from its quotes that an answer's sentence needs, 0.1 to 1.", ge=0.1, le=1
    )
    on_target: float = setting(
        0.95,
        "Keep pairs that lie as near to an example as this share of the examples lies to its own nearest one; 0 keeps all.",
        ge=0,
        le=1,
    )
    tune: bool = setting(
        False,
        "Fine-tune the encoder on the pairs of the warm-up; needs `embeddings` huggingface:MODEL and the extra `train`. "
        "Without it a linear map of the vectors is learned.",
    )
    clusters: int | None = setting(
        None, "Clusters of the pile; empty: the root of half the documents, 8 to 1,000.", ge=2, le=100_000
    )
    warmup: float = setting(0.05, "Share of the budget that is read at random first.", ge=0, le=0.3)
    reward: RewardName = setting(
        "transport",
        "What makes a cluster good: `transport` (the optimal-transport distance from its pairs to the examples), `divergence` "
        "(the Sinkhorn divergence, which few pairs do not bias), `similarity` (mean cosine to the examples' centre), "
        "`coverage` (pairs for the unmet cells of another run, see `cover`).",
    )
    cover: str = setting(
        "",
        "A run made from a task, whose unmet cells (keyword and Bloom level) `coverage` fills; its rows are the examples "
        "where none are given.",
    )
    alpha: str = setting(
        "spread",
        "Weight of exploration: `spread` (half the standard deviation of the rewards), `paper` (1 over the pulls so far), or "
        "a number.",
    )
    prior: PriorName = setting(
        "documents",
        "What a cluster is worth before it is read: `documents` (what its documents' own vectors say) or `mean` (the mean "
        "of the others; each is tried first).",
    )
    order: OrderName = setting(
        "nearest",
        "Which documents of a chosen cluster are read first: those `nearest` to the examples, or `random` ones.",
    )
    neighbours: float = setting(
        0.0, "Clusters within this squared 2-Wasserstein distance share their rewards; 0: none do.", ge=0, le=4
    )
    pulls_in_flight: int = setting(
        8,
        "Pulls that may be under way at once; a pull is chosen without knowing the outcome of as many.",
        ge=1,
        le=1_000,
    )
    baseline: BaselineName | None = setting(
        None, "Read without choosing, for comparison: `random` documents, or `all` in order, up to the same budget."
    )
    section_chars: int = setting(
        6_000, "Characters from which a document is read in sections, each counted as a document.", ge=500, le=200_000
    )
    seed: int = setting(0, "Seed of everything that is drawn.", ge=0, le=2**31)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.weight()
        if self.reward == "coverage" and not self.cover:
            raise UsageError("reward coverage fills the holes of a run; name it with cover (--cover RUN)")
        if self.tune and self.reward == "coverage":
            raise UsageError("a tuned encoder and the reward coverage do not go together; leave out tune or coverage")
        if self.baseline and self.reward == "coverage":
            raise UsageError("a baseline chooses nothing, so it has no reward; leave out reward or baseline")

    def weight(self) -> str | float:
        """The weight of exploration: a rule's name, or a number."""
        if self.alpha in ("spread", "paper"):
            return self.alpha
        try:
            number = float(self.alpha)
        except ValueError:
            number = -1.0
        if not 0 <= number < 1_000:
            raise UsageError(f"alpha must be spread, paper or a number from 0, not {self.alpha!r}")
        return number

    def limits(self) -> Allowance:
        """What reading one document may spend; the run's money is in its purse."""
        return Allowance(
            model_calls=1 + self.pairs_per_document,
            tokens=2_000_000,
            cost_usd=None,
            searches=0,
            pages=1,
            seconds=600.0,
        )
