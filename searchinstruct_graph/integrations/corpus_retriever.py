"""The hybrid index as a LangChain retriever."""

from __future__ import annotations

import logging

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from searchinstruct_graph.models.loops import finished
from searchinstruct_graph.text.constraints import constraint_lines
from searchinstruct_graph.tools.corpus import Corpus

_LOG = logging.getLogger(__name__)


class CorpusRetriever(BaseRetriever):
    """Passages of `corpus` by words and by meaning, best first.

    Each document's metadata holds `source` (the URI), `title`, `heading`, `start` and `end` (offsets into the page's text)
    and `score` (comparable within one search only); with an instruction also `constraints`, what was made of it, which is logged
    as well, since a list without documents says nothing. The index is brought up to date at every query; what did not change
    costs a look at the files' stamps.

    Raises:
        UsageError: a source is missing or empty, or the query is blank.
    """

    corpus: list[str] = Field(description="`pydoc:`, files, folders or URLs of pages.")
    k: int = Field(default=5, ge=1, description="Passages for a query.")
    instruction: str = Field(default="", description="What kind of passage is wanted, in words.")
    embeddings: str = "wordllama"
    index: str | None = Field(default=None, description="Folder of the index; the user's cache folder by default.")

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun | None = None,
        k: int | None = None,
    ) -> list[Document]:
        corpus = await Corpus.open(self.corpus, embedding=self.embeddings, index_dir=self.index)
        found = await corpus.find(query, k or self.k, instruction=self.instruction)
        for line in constraint_lines(found.constraints):
            _LOG.info(line)
        told = {"constraints": found.constraints} if found.constraints else {}
        return [
            Document(
                id=f"{passage.uri}@{passage.start}-{passage.end}",
                page_content=passage.text,
                metadata={
                    "source": passage.uri,
                    "title": passage.title,
                    "heading": passage.heading,
                    "start": passage.start,
                    "end": passage.end,
                    "score": passage.score,
                    **told,
                },
            )
            for passage in found.passages
        ]

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun | None = None, k: int | None = None
    ) -> list[Document]:
        return finished(self._aget_relevant_documents(query, k=k))
