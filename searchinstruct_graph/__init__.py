"""SearchInstruct Graph: answers and training data whose every statement is traced to a verified quote.

    from searchinstruct_graph import ResearchContext, research_graph

    result = await research_graph.ainvoke({"question": "..."}, context=ResearchContext(corpus=["docs/"]))

Names are imported when first used, so that `import searchinstruct_graph` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from searchinstruct_graph.agents.build_context import BuildContext
    from searchinstruct_graph.agents.context import ResearchContext
    from searchinstruct_graph.agents.edit_context import EditContext
    from searchinstruct_graph.agents.extract_context import ExtractContext
    from searchinstruct_graph.agents.triplet_context import TripletContext
    from searchinstruct_graph.errors import ProviderError, SearchInstructError, UsageError
    from searchinstruct_graph.evals.ragas.experiments import ragas_sample, ragas_trajectory, research_target
    from searchinstruct_graph.evals.ragas.metrics import ragas_metric
    from searchinstruct_graph.evals.ragas.models import ragas_embeddings, ragas_model
    from searchinstruct_graph.graphs.edit import graph as edit_graph
    from searchinstruct_graph.graphs.extract import graph as extract_graph
    from searchinstruct_graph.graphs.instruct import graph as instruct_graph
    from searchinstruct_graph.graphs.persistence import open_persistence
    from searchinstruct_graph.graphs.research import build_graph as build_research_graph
    from searchinstruct_graph.graphs.research import graph as research_graph
    from searchinstruct_graph.graphs.triplets import graph as triplet_graph
    from searchinstruct_graph.integrations.build_dataset import abuild_dataset, build_dataset
    from searchinstruct_graph.integrations.corpus_retriever import CorpusRetriever
    from searchinstruct_graph.integrations.edit_dataset import aedit_set, edit_set
    from searchinstruct_graph.integrations.extract_dataset import aextract_dataset, extract_dataset
    from searchinstruct_graph.integrations.grounding import GroundingMiddleware
    from searchinstruct_graph.integrations.research_tool import ResearchTool, research_tool
    from searchinstruct_graph.integrations.train_retriever import train_retriever
    from searchinstruct_graph.integrations.triplet_set import atriplet_set, triplet_set
    from searchinstruct_graph.tools.corpus import Corpus
    from searchinstruct_graph.tools.fetching import SafeFetcher
    from searchinstruct_graph.tools.search.langchain import from_langchain

    __version__: str

__all__ = [
    "BuildContext",
    "Corpus",
    "CorpusRetriever",
    "EditContext",
    "ExtractContext",
    "GroundingMiddleware",
    "ProviderError",
    "ResearchContext",
    "ResearchTool",
    "SafeFetcher",
    "SearchInstructError",
    "TripletContext",
    "UsageError",
    "__version__",
    "abuild_dataset",
    "aedit_set",
    "aextract_dataset",
    "atriplet_set",
    "build_dataset",
    "build_research_graph",
    "edit_graph",
    "edit_set",
    "extract_dataset",
    "extract_graph",
    "from_langchain",
    "instruct_graph",
    "open_persistence",
    "ragas_embeddings",
    "ragas_metric",
    "ragas_model",
    "ragas_sample",
    "ragas_trajectory",
    "research_graph",
    "research_target",
    "research_tool",
    "train_retriever",
    "triplet_graph",
    "triplet_set",
]

_HOMES = {
    "BuildContext": ("agents.build_context", "BuildContext"),
    "abuild_dataset": ("integrations.build_dataset", "abuild_dataset"),
    "build_dataset": ("integrations.build_dataset", "build_dataset"),
    "EditContext": ("agents.edit_context", "EditContext"),
    "aedit_set": ("integrations.edit_dataset", "aedit_set"),
    "edit_graph": ("graphs.edit", "graph"),
    "edit_set": ("integrations.edit_dataset", "edit_set"),
    "ExtractContext": ("agents.extract_context", "ExtractContext"),
    "aextract_dataset": ("integrations.extract_dataset", "aextract_dataset"),
    "extract_dataset": ("integrations.extract_dataset", "extract_dataset"),
    "extract_graph": ("graphs.extract", "graph"),
    "instruct_graph": ("graphs.instruct", "graph"),
    "Corpus": ("tools.corpus", "Corpus"),
    "CorpusRetriever": ("integrations.corpus_retriever", "CorpusRetriever"),
    "GroundingMiddleware": ("integrations.grounding", "GroundingMiddleware"),
    "ProviderError": ("errors", "ProviderError"),
    "ResearchContext": ("agents.context", "ResearchContext"),
    "ResearchTool": ("integrations.research_tool", "ResearchTool"),
    "SafeFetcher": ("tools.fetching", "SafeFetcher"),
    "SearchInstructError": ("errors", "SearchInstructError"),
    "UsageError": ("errors", "UsageError"),
    "build_research_graph": ("graphs.research", "build_graph"),
    "from_langchain": ("tools.search.langchain", "from_langchain"),
    "open_persistence": ("graphs.persistence", "open_persistence"),
    "ragas_embeddings": ("evals.ragas.models", "ragas_embeddings"),
    "ragas_model": ("evals.ragas.models", "ragas_model"),
    "ragas_metric": ("evals.ragas.metrics", "ragas_metric"),
    "ragas_sample": ("evals.ragas.experiments", "ragas_sample"),
    "ragas_trajectory": ("evals.ragas.experiments", "ragas_trajectory"),
    "research_graph": ("graphs.research", "graph"),
    "research_target": ("evals.ragas.experiments", "research_target"),
    "research_tool": ("integrations.research_tool", "research_tool"),
    "train_retriever": ("integrations.train_retriever", "train_retriever"),
    "TripletContext": ("agents.triplet_context", "TripletContext"),
    "atriplet_set": ("integrations.triplet_set", "atriplet_set"),
    "triplet_graph": ("graphs.triplets", "graph"),
    "triplet_set": ("integrations.triplet_set", "triplet_set"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("searchinstruct-graph")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = getattr(import_module(f"{__name__}.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
