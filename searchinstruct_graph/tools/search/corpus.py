"""The indexed corpus as a search provider."""

from __future__ import annotations

from searchinstruct_graph.tools.corpus import Corpus
from searchinstruct_graph.tools.fetching import Unfetched
from searchinstruct_graph.tools.reading import Document

from .provider import Found, Hit

CORPUS = "corpus"


class CorpusSearch:
    """Search in an open corpus; its hits are passages."""

    name = CORPUS

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    async def search(self, query: str, count: int, *, instruction: str = "") -> Found:
        """See SearchProvider."""
        found = await self._corpus.find(query, count, instruction=instruction)
        hits = [Hit(each.uri, each.title, (each.start, each.end), self.name) for each in found.passages]
        return Found(hits, constraints=found.constraints)

    async def read(self, uri: str) -> Document | Unfetched | None:
        """The document; one that has vanished since the search is `unreadable`."""
        try:
            return await self._corpus.read(uri)
        except KeyError:
            return Unfetched(uri, "unreadable", "vanished from the corpus")
