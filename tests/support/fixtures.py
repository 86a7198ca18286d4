"""Fixtures for anyone who tests against a scripted model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.extractive import extractive
from tests.support.scripted_llm import Script, ScriptedLLM
from tests.support.zygote import Zygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """A process that has imported everything, to be forked."""
    with Zygote() as waiting:
        yield waiting


@pytest.fixture
def provider() -> Iterator[ScriptedLLM]:
    """A scripted server that answers as an extractive model would."""
    with ScriptedLLM(extractive) as llm:
        yield llm


@pytest.fixture
def scripted_llm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Script], ScriptedLLM]]:
    """Start a scripted server and point `openai:...` models at it: `llm = scripted_llm({...})`."""
    with ExitStack() as stack:

        def start(script: Script) -> ScriptedLLM:
            llm = stack.enter_context(ScriptedLLM(script))
            monkeypatch.setenv("OPENAI_BASE_URL", llm.base_url)
            monkeypatch.setenv("OPENAI_API_KEY", "sk-test-canary-0123456789")
            return llm

        yield start
