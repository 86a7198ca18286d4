# mypy: ignore-errors
"""One chat call a row with Bespoke Curator; runs in Curator's own environment. The job is one JSON argument."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import tiktoken
from bespokelabs import curator

job = json.loads(sys.argv[1])

# Curator counts tokens with a table that tiktoken downloads; one token a byte needs no network and is no slower.
ONE_A_BYTE = tiktoken.Encoding(
    "bytes", pat_str=r"(?s:.)", mergeable_ranks={bytes([n]): n for n in range(256)}, special_tokens={}
)
tiktoken.get_encoding = lambda name: ONE_A_BYTE


class Facts(curator.LLM):
    """Asks for a fact."""

    def prompt(self, row):
        """The row's own prompt."""
        return row["prompt"]


llm = Facts(
    model_name="scripted",
    backend="openai",
    backend_params={
        "base_url": job["url"],
        "max_concurrent_requests": job["in_flight"],
        "max_requests_per_minute": 10_000_000,
        "max_tokens_per_minute": 1_000_000_000_000,
    },
)
made = llm([{"prompt": job["prompt"].format(row=row)} for row in range(job["rows"])], working_dir=job["folder"])
got = sum(1 for row in made.dataset if row["response"])
Path(job["folder"], "got.json").write_text(json.dumps(got))
