"""The `offline` chat model: LangChain's interface over the extractive skills."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel, RunnablePassthrough
from pydantic import BaseModel

from searchinstruct_graph.models.offline.skills import SKILLS
from searchinstruct_graph.models.offline.talk import extractive_answer
from searchinstruct_graph.models.offline.task import Task
from searchinstruct_graph.models.tagged import tags


class OfflineChatModel(BaseChatModel):
    """An extractive chat model that needs no key and no network.

    With `with_structured_output` it fills the reply schemas of this package's agents from the tagged inputs of the
    prompt. Without a schema it answers the last question in the conversation with sentences copied from the rest of
    it. It knows nothing that the prompt does not say, and it never writes a word of its own into an answer.

    `temperature` and `seed` (both may be bound) choose among near-ties; temperature 0 is deterministic.
    """

    temperature: float = 0.0
    seed: int = 0

    @property
    def _llm_type(self) -> str:
        return "searchinstruct-offline-extractive"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": "offline", "temperature": self.temperature, "seed": self.seed}

    def _reply(self, messages: Sequence[BaseMessage], settings: dict[str, Any]) -> str:
        schema = settings.get("reply_schema")
        if schema is None:
            return extractive_answer([(message.type, message.text) for message in messages])
        temperature = settings.get("temperature")
        seed = settings.get("seed")
        task = Task(
            inputs=tuple(tag for message in messages for tag in tags(message.text)),
            temperature=self.temperature if temperature is None else float(temperature),
            seed=self.seed if seed is None else int(seed),
        )
        return json.dumps(SKILLS[schema](task), ensure_ascii=False)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        text = _stopped(self._reply(messages, kwargs), stop)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text, **_METADATA))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        pieces = _stopped(self._reply(messages, kwargs), stop).split(" ")
        for at, piece in enumerate(pieces):
            last = at == len(pieces) - 1
            chunk = AIMessageChunk(content=piece if last else piece + " ", **(_METADATA if last else {}))
            if last:
                chunk.chunk_position = "last"
            generation = ChatGenerationChunk(message=chunk)
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=generation)
            yield generation

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Reply in one of this package's reply schemas (a pydantic class or its JSON schema with `title`).

        Raises:
            ValueError: the schema is not one that the extractive model knows how to fill.
        """
        title = schema.get("title", "") if isinstance(schema, dict) else schema.__name__
        if title not in SKILLS:
            known = ", ".join(sorted(SKILLS))
            raise ValueError(f"the offline model cannot fill the schema {title!r}; it is extractive and fills {known}")

        def parsed(message: AIMessage) -> Any:
            value = json.loads(message.text)
            return schema.model_validate(value) if isinstance(schema, type) and issubclass(schema, BaseModel) else value

        bound = self.bind(reply_schema=title, **kwargs)
        if not include_raw:
            return bound | RunnableLambda(parsed)
        return RunnableParallel(raw=bound) | RunnablePassthrough.assign(
            parsed=lambda found: parsed(found["raw"]), parsing_error=lambda _: None
        )


_METADATA: dict[str, Any] = {
    "response_metadata": {"model_name": "offline", "finish_reason": "stop"},
    "usage_metadata": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0},
}


def _stopped(text: str, stop: Sequence[str] | None) -> str:
    ends = [text.find(mark) for mark in stop or () if mark and mark in text]
    return text[: min(ends)] if ends else text
