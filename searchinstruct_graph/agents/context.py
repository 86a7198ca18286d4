"""The settings of one run: what Studio's form shows and what the command line's flags are named after."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.text.compare import ENOUGH
from searchinstruct_graph.tools.corpus import PYDOC, is_page

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

Role = Literal[
    "planner",
    "searcher",
    "writer",
    "critic",
    "expander",
    "respondent",
    "extractor",
    "editor",
    "prober",
    "stale",
    "judge",
    "query_writer",
    "instructor",
    "poisoner",
    "passage_writer",
    "validator",
]
Topic = Literal["general", "news", "finance"]
TimeRange = Literal["day", "week", "month", "year"]
Extract = Literal["never", "fallback", "always"]
ProviderName = Literal["tavily", "searxng"]
RewardName = Literal["transport", "divergence", "similarity", "coverage"]
OrderName = Literal["nearest", "random"]
PriorName = Literal["documents", "mean"]
BaselineName = Literal["random", "all"]
_HOST = re.compile(r"[^\s/:@?#.]+(?:\.[^\s/:@?#.]+)*\.?")
_CHOICES: dict[str, tuple[str, ...]] = {
    "topic": get_args(Topic),
    "time_range": get_args(TimeRange),
    "extract": get_args(Extract),
    "search_providers": get_args(ProviderName),
    "reward": get_args(RewardName),
    "prior": get_args(PriorName),
    "order": get_args(OrderName),
    "baseline": get_args(BaselineName),
}


def setting(default: Any, description: str, **bounds: float) -> Any:
    """A dataclass field of a context: its default, what it does, and its range as `ge` and `le`."""
    metadata = {"description": description, **bounds}
    if isinstance(default, list):
        # The schema that Studio reads says nothing about factories.
        return field(
            default_factory=lambda: list(default), metadata={**metadata, "json_schema_extra": {"default": default}}
        )
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class AgentContext:
    """What every run is told: where its documents are, and which models work on them.

    Raises:
        UsageError: a value is out of its range; the message names the field and the range.
    """

    corpus: list[str] = setting([], "Where the documents are.")
    model: str | None = setting(
        None,
        "Chat model of every role: `offline` (extractive, no key, no network) or any name that LangChain's "
        "init_chat_model knows, such as `openai:gpt-5-mini`. Empty: SEARCHINSTRUCT_MODEL, else `offline`.",
    )
    embeddings: str = setting(
        "wordllama",
        "Embeddings of the corpus: `wordllama` (inside the package), `openai:…`, ..., or the folder of a trained retriever.",
    )
    own_sites: list[str] = setting([], "Hosts whose robots.txt is not asked, because they are yours.")

    def __post_init__(self) -> None:
        for spec in fields(self):
            value = getattr(self, spec.name)
            if "json_schema_extra" in spec.metadata and not (
                isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
            ):
                raise UsageError(f"{spec.name} must be a list of texts, such as {[str(value)]}, not {value!r}")
            low, high = spec.metadata.get("ge"), spec.metadata.get("le")
            if value is None or low is None:
                continue
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise UsageError(f"{spec.name} must be a number, not {value!r}")
            # Written so that NaN, which compares with nothing, is out of every range.
            if (low is not None and not value >= low) or (high is not None and not value <= high):
                allowed = f"between {low} and {high}" if high is not None else f"at least {low}"
                raise UsageError(f"{spec.name} must be {allowed}, not {value}")
        for name, choices in _CHOICES.items():
            given = getattr(self, name, None)
            for choice in given if isinstance(given, list) else [given]:
                if choice is not None and choice not in choices:
                    raise UsageError(f"{name} cannot be {choice!r}; use one of {', '.join(choices)}")

    @property
    def files(self) -> list[str]:
        """The sources of the corpus that are a person's own: neither `pydoc:` nor pages of the web."""
        return [source for source in self.corpus if source != PYDOC and not is_page(source)]

    def model_for(self, role: Role) -> str | None:
        """The model name set for `role`, else the run's; None leaves the choice to the environment."""
        chosen: str | None = getattr(self, f"{role}_model", None)
        return chosen or self.model


@dataclass(frozen=True, kw_only=True)
class RunContext(AgentContext):
    """What every run that fills a folder is told besides.

    Raises:
        UsageError: a value is out of its range; the message names the field and the range.
    """

    max_cost: float | None = setting(
        None, "US dollars in the whole run, a hard stop; needs a known price. Empty: no limit.", ge=1e-6
    )
    concurrency: int = setting(8, "Model calls in flight at the same time.", ge=1, le=2_000)
    decontaminate: list[str] = setting([], "Files of held-out questions that no instruction may repeat.")
    language: str = setting("", "ISO 639-1 code of the rows; others are refused. Empty: any.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.language and not (len(self.language) == 2 and self.language.isalpha()):
            raise UsageError(f"language must be a two-letter code such as en, not {self.language!r}")


@dataclass(frozen=True, kw_only=True)
class ResearchContext(AgentContext):
    """Static settings of a research run (LangGraph's `context`). Every limit is enforced in code.

    Raises:
        UsageError: a value is out of its range; the message names the field and the range.
    """

    corpus: list[str] = setting(
        [],
        "Where to search: `pydoc:` (the Python language reference), files, folders of Markdown, text, "
        "reStructuredText, HTML, PDF or JSONL, or URLs of pages. Empty: `pydoc:`, or with `web` the web alone.",
    )
    web: bool = setting(
        False,
        "Search the web as well, with every search provider that is set up: Tavily (TAVILY_API_KEY), "
        "SearxNG (SEARXNG_URL).",
    )
    planner_model: str | None = setting(None, "Another model for the planner; empty: `model`.")
    searcher_model: str | None = setting(None, "Another model for the searcher, which reads pages; empty: `model`.")
    writer_model: str | None = setting(None, "Another model for the writer; empty: `model`.")
    critic_model: str | None = setting(None, "Another model for the critic; empty: `model`.")
    index: str | None = setting(None, "Folder of the corpus index; empty: the user's cache folder.")
    instruction: str = setting(
        "",
        "What kind of sources is wanted, in words, such as `only sources after 2015, not from vendors`. Dates, hosts, folders, "
        "types and languages are checked in code, the rest goes to the planner and steers the search.",
    )
    search_providers: list[ProviderName] = setting(
        [], "Only these of the web search providers: `tavily`, `searxng`. Empty: all that are set up."
    )
    topic: Topic = setting("general", "What web search is about.")
    time_range: TimeRange | None = setting(None, "How old a result of web search may be; empty: any age.")
    include_domains: list[str] = setting([], "Only results from these domains and what is below them.")
    exclude_domains: list[str] = setting([], "No results from these domains and what is below them.")
    extract: Extract = setting(
        "never",
        "Whether Tavily's reader fetches pages, for credits: `never`, `fallback` (pages that cannot be read from here), "
        "`always` (pages that Tavily found).",
    )
    web_beside_corpus: bool = setting(
        False,
        "Allow `web` beside a corpus of files: queries that a model writes after reading them then leave the machine, "
        "never with more than five words in a row from a file.",
    )
    review_plan: bool = setting(
        False, "Stop after planning, so that a person can edit the plan (needs a checkpointer)."
    )
    samples: int = setting(5, "Independent re-answers that the critic compares with the draft.", ge=0, le=25)
    temperature: float = setting(0.7, "Temperature of the critic's re-answers; every other call is at 0.", ge=0, le=2)
    min_sources: int = setting(1, "Different sources that the evidence of a sub-question must come from.", ge=1, le=10)
    min_support: float = setting(ENOUGH, "Support from its quotes that a statement needs, 0.1 to 1.", ge=0.1, le=1)
    min_agreement: float = setting(0.5, "Share of the re-answers that must agree with the draft, 0 to 1.", ge=0, le=1)
    hits: int = setting(5, "Pages chosen for reading after each query.", ge=1, le=50)
    page_chars: int = setting(
        24_000, "Characters of one page that are read at once; longer pages are read around the hits.", ge=1_000
    )
    max_rounds: int = setting(
        3, "Rounds of write and critique; also rounds of search for one sub-question.", ge=1, le=20
    )
    max_sub_questions: int = setting(4, "Sub-questions in a plan.", ge=1, le=20)
    max_searches: int = setting(24, "Queries sent in the whole run.", ge=1)
    max_pages: int = setting(15, "Pages read in the whole run.", ge=1)
    max_model_calls: int = setting(120, "Model calls in the whole run.", ge=4)
    max_tokens: int = setting(1_000_000, "Tokens, in and out, in the whole run.", ge=1)
    max_cost: float | None = setting(
        None, "US dollars in the whole run; needs a known price. Empty: no limit.", ge=1e-6
    )
    max_seconds: float = setting(600.0, "Working seconds of the whole run; waiting for a person does not count.", ge=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("include_domains", "exclude_domains"):
            for domain in getattr(self, name):
                if not _HOST.fullmatch(domain):
                    raise UsageError(f"{name} takes hosts such as docs.python.org, not {domain!r}")
        if self.search_providers and not self.web:
            raise UsageError("search_providers chooses among the providers of the web; ask for it with web (--web)")
        if self.web and self.files and not self.web_beside_corpus:
            raise UsageError(
                f"web and the files in {self.files[0]!r} together could carry words of your files to search providers; "
                "leave one out, or allow it with web_beside_corpus (--web-beside-corpus)"
            )

    def limits(self) -> Allowance:
        """Everything the run may spend."""
        return Allowance(
            model_calls=self.max_model_calls,
            tokens=self.max_tokens,
            cost_usd=self.max_cost,
            searches=self.max_searches,
            pages=self.max_pages,
            seconds=self.max_seconds,
        )


def settings(runtime: Runtime[ResearchContext]) -> ResearchContext:
    """The run's context, or the defaults: LangGraph passes None when the caller gave no context."""
    return runtime.context or ResearchContext()
