"""The chat that a question may stand in: a channel that does not exist until somebody writes to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from langgraph.channels import BinaryOperatorAggregate
from langgraph.graph.message import add_messages

# What LangGraph itself takes for "nothing written yet": the start of a channel whose type cannot be made.
_NOTHING = BinaryOperatorAggregate(Any, add_messages).value  # type: ignore[arg-type]


class Chat(BinaryOperatorAggregate[Any]):
    """Messages joined by `add_messages`, without the empty list that LangGraph starts with.

    A run that was asked without a chat then has none in its result, which stays plain JSON.
    """

    def __init__(self, typ: Any, operator: Callable[[Any, Any], Any] = add_messages) -> None:
        super().__init__(typ, operator)
        self.value = _NOTHING

    def update(self, values: Sequence[Any]) -> bool:
        """Join the new messages to those before; the first are given their ids like all others."""
        if values and self.value is _NOTHING:
            self.value = []
        return super().update(values)
