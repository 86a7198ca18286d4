"""The `offline` model: extractive, without key or network. It chooses sentences; it never invents a word of an answer."""

from searchinstruct_graph.models.offline.model import OfflineChatModel

__all__ = ["OfflineChatModel"]
