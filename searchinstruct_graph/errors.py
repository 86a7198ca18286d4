"""The exceptions a caller may meet.

    SearchInstructError
    ├── UsageError            the input is wrong: says what, where, and what to do (exit code 2)
    └── ProviderError         a model or search provider refuses for good (exit code 1, thread resumable)

An outcome a caller can expect (no evidence, a refused reply, a dead page) is a value in the result, never an exception.
"""

from __future__ import annotations


class SearchInstructError(Exception):
    """Base of every exception this package raises on purpose; its text is one line for a person."""


class UsageError(SearchInstructError):
    """The request cannot be carried out as given. The message says what is wrong, where, and what to do."""


class ProviderError(SearchInstructError):
    """A provider refuses every further call (bad key, no credit, no such model): retrying cannot help.

    The run stops at once; a checkpointed thread resumes after the cause is mended.
    """
