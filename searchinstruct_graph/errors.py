"""The exceptions a caller may meet.

    SearchInstructError
    ├── UsageError            the input is wrong: says what, where, and what to do (exit code 2)
    └── ProviderError         a model or search provider refuses for good (exit code 1, thread resumable)

They are ValueError and RuntimeError too: LangGraph's server tells clients the words of those and hides all others.

An outcome a caller can expect (no evidence, a refused reply, a dead page) is a value in the result, never an exception.
"""

from __future__ import annotations


class SearchInstructError(Exception):
    """Base of every exception this package raises on purpose; its text is one line for a person."""


class UsageError(SearchInstructError, ValueError):
    """The request cannot be carried out as given. The message says what is wrong, where, and what to do."""


class ProviderError(SearchInstructError, RuntimeError):
    """A provider refuses every further call (bad key, no credit, no such model): retrying cannot help.

    The run stops at once; a checkpointed thread resumes after the cause is mended.
    """
