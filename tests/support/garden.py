"""The pairs that the documentation works with: sicknesses of plants and small ferries, some aspects of each."""

from __future__ import annotations

import json
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples" / "pairs.jsonl"


def read_examples() -> list[dict[str, str]]:
    """Every pair, as a record with query, passage, uri and family."""
    return [json.loads(line) for line in EXAMPLES.read_text(encoding="utf-8").splitlines()]
