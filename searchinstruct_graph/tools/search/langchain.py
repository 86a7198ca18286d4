"""Any LangChain retriever or search tool as a search provider; those of langchain-community too, which is not imported."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from langchain_core.documents import Document as RetrievedText
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.retry import with_retries
from searchinstruct_graph.text.dates import iso_date
from searchinstruct_graph.text.digest import sha256
from searchinstruct_graph.text.urls import urls_in
from searchinstruct_graph.tools.fetching import Unfetched, is_web
from searchinstruct_graph.tools.reading import Document

from .provider import Found, Hit, SearchProvider

SECONDS = 60.0
"""Time for one query, retries included."""

MOST_HELD = 10_000
"""Retrieved texts that are kept to be read; the oldest go first."""

_ADDRESS = ("url", "link", "href", "source")
_TITLE = ("title", "name")
DATES = ("published", "published_date", "publishedDate", "publication_date", "date")


def from_langchain(found_by: BaseRetriever | BaseTool, name: str | None = None) -> SearchProvider:
    """A provider made of a LangChain retriever or of a tool that searches.

    A retriever's texts are the pages: each is read as it was retrieved, under the URI `<source>#<id>`. A tool's results
    (objects with `url` or `link`, JSON, or text with addresses in it) are pages of the web, which the safe fetcher reads.

    Raises:
        UsageError: it is neither, or the tool takes more than one required argument.
    """
    if isinstance(found_by, BaseRetriever):
        return _Retriever(found_by, name or "retriever")
    if isinstance(found_by, BaseTool):
        return _Tool(found_by, name or found_by.name)
    raise UsageError(f"{type(found_by).__name__} is neither a LangChain retriever nor a LangChain tool")


class _Retriever:
    def __init__(self, retriever: BaseRetriever, name: str) -> None:
        self._retriever = retriever
        self.name = name
        self._held: dict[str, Document] = {}

    async def search(self, query: str, count: int, *, instruction: str = "") -> Found:
        texts = await with_retries(lambda: self._retriever.ainvoke(query), what=self.name, seconds=SECONDS, attempts=3)
        return Found([self._hit(text) for text in texts[:count] if text.page_content.strip()])

    def _hit(self, text: RetrievedText) -> Hit:
        content = text.page_content.encode("utf-8", "replace").decode("utf-8")
        digest = sha256(content)
        source = str(_first(text.metadata, _ADDRESS) or self.name)
        title = " ".join(str(_first(text.metadata, _TITLE) or source).split())[:300]
        license = text.metadata.get("license")
        uri = f"{source}#{text.id or digest[:12]}"
        at = datetime.now(UTC).isoformat(timespec="seconds")
        published = iso_date(str(_first(text.metadata, DATES) or ""))
        self._held[uri] = Document(uri, title, content, digest, str(license) if license else None, at, published)
        while len(self._held) > MOST_HELD:
            del self._held[next(iter(self._held))]
        return Hit(uri, title, (0, len(content)), self.name, published)

    async def read(self, uri: str) -> Document | Unfetched | None:
        return self._held.get(uri) or Unfetched(uri, "unreadable", f"{self.name} no longer holds this text")


class _Tool:
    def __init__(self, tool: BaseTool, name: str) -> None:
        required = [key for key, spec in tool.args.items() if "default" not in spec]
        if len(required) > 1 or not tool.args:
            raise UsageError(f"tool {tool.name!r} cannot be asked with a query alone: it takes {', '.join(tool.args)}")
        self._argument = (required or list(tool.args))[0]
        self._tool = tool
        self.name = name

    async def search(self, query: str, count: int, *, instruction: str = "") -> Found:
        answer = await with_retries(
            lambda: self._tool.ainvoke({self._argument: query}), what=self.name, seconds=SECONDS, attempts=3
        )
        hits = {hit.uri: hit for hit in _hits(answer, self.name)}
        return Found(list(hits.values())[:count])

    async def read(self, uri: str) -> Document | Unfetched | None:
        return None


def _hits(answer: Any, name: str) -> Iterator[Hit]:
    """Every web address in a tool's answer, with the title that stands beside it."""
    if isinstance(answer, RetrievedText):
        answer = answer.metadata
    if isinstance(answer, str):
        parsed = _parsed(answer)
        if parsed is None:
            yield from (Hit(url, url, provider=name) for url in urls_in(answer))
        else:
            yield from _hits(parsed, name)
    elif isinstance(answer, dict):
        address = _first(answer, _ADDRESS)
        if isinstance(address, str) and is_web(address):
            title = " ".join(str(_first(answer, _TITLE) or address).split())[:300]
            yield Hit(address, title, provider=name, published=iso_date(str(_first(answer, DATES) or "")))
        else:
            for value in answer.values():
                if isinstance(value, list | dict):
                    yield from _hits(value, name)
    elif isinstance(answer, list | tuple):
        for value in answer:
            yield from _hits(value, name)


def _parsed(text: str) -> Any:
    """The object that the text spells, as JSON or as Python prints it; None when it spells none."""
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return value if isinstance(value, list | dict) else None
    return None


def _first(holder: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((holder[name] for name in names if holder.get(name)), None)
