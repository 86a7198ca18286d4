"""A LangChain agent that looks things up with the research tool, and whose last answer the critic checks.

    OPENAI_API_KEY=... python examples/assistant.py "How do I rotate the signing keys?" --corpus docs/

Any chat model that can call tools will do; `--model` takes LangChain's names. Without `--corpus` the Python language
reference is what it knows.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from langchain.agents import create_agent
from langchain.chat_models import init_chat_model

from searchinstruct_graph import GroundingMiddleware, ResearchContext, ResearchTool


def assistant(model: str, corpus: list[str]) -> Any:
    """The agent: one tool, one reviewer. Research and review run on the same model."""
    return create_agent(
        init_chat_model(model),
        tools=[ResearchTool(context=ResearchContext(corpus=corpus, model=model, samples=1))],
        middleware=[GroundingMiddleware(model=model, max_retries=2)],
        system_prompt="Look up every fact with the research tool. Answer in whole sentences, from its results alone.",
    )


async def answer(model: str, corpus: list[str], question: str) -> dict[str, Any]:
    """One question through the agent; the state it ends in."""
    state: dict[str, Any] = await assistant(model, corpus).ainvoke({"messages": [("user", question)]})
    return state


def main() -> None:
    """Ask, and show what was answered, from what, and how it stands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question")
    parser.add_argument("--corpus", action="append", default=[])
    parser.add_argument("--model", default="openai:gpt-5-mini")
    given = parser.parse_args()
    state = asyncio.run(answer(given.model, given.corpus, given.question))
    print(state["messages"][-1].text)
    for message in state["messages"]:
        for source in (getattr(message, "artifact", None) or {}).get("sources", []):
            print(f"  from {source['title']} ({source['uri']})")
    print(f"  {state['grounding']['status']} after {state['grounding']['retries']} retries")


if __name__ == "__main__":
    main()
