"""One chat call a row through our one structured call. The job is one JSON argument."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from pydantic import BaseModel

from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Reply, structured


class Fact(BaseModel):
    """One fact."""

    text: str


async def facts(prompt: str, rows: int, in_flight: int) -> list[str]:
    """What came back, a row each."""
    allowance = Allowance(model_calls=2, tokens=10_000, cost_usd=None, searches=1, pages=1, seconds=300.0)
    turns, got = asyncio.Semaphore(in_flight), list[str]()

    async def one(row: int) -> None:
        async with turns:
            reply = await structured(
                Fact,
                [("system", "You tell facts."), ("user", prompt.format(row=row))],
                model="openai:scripted",
                role="writer",
                allowance=allowance,
                temperature=0.7,
            )
        if isinstance(reply, Reply):
            got.append(reply.value.text)

    await asyncio.gather(*(one(row) for row in range(rows)))
    return got


if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    made = asyncio.run(facts(job["prompt"], job["rows"], job["in_flight"]))
    Path(job["folder"], "got.json").write_text(json.dumps(len(made)))
