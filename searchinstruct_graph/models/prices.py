"""What a call costs. Prices are the user's own table; a model that is not in it has an unknown cost, never a guess."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from typing import NamedTuple

from searchinstruct_graph.errors import UsageError

PRICES_VARIABLE = "SEARCHINSTRUCT_PRICES"


class Price(NamedTuple):
    """US dollars per million tokens, in and out."""

    input: float
    output: float


@lru_cache(maxsize=8)
def _table(path: str) -> dict[str, Price]:
    try:
        with open(path, encoding="utf-8") as stream:
            rows = json.load(stream)
        return {name: Price(float(row["input"]), float(row["output"])) for name, row in rows.items()}
    except OSError as error:
        raise UsageError(f"{PRICES_VARIABLE} names {path}, which cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        shape = '{"openai:gpt-x": {"input": 1.25, "output": 10}}'
        raise UsageError(
            f"{PRICES_VARIABLE} names {path}, which is not of the form {shape} (US dollars per million tokens)"
        ) from error


def price_of(model: str) -> Price | None:
    """The price of `model`, None when unknown. Raises UsageError when the table cannot be read."""
    if model == "offline":
        return Price(0.0, 0.0)
    path = os.environ.get(PRICES_VARIABLE)
    return _table(path).get(model) if path else None


def require_price(model: str) -> None:
    """Refuse a money limit that could not be kept. Raises UsageError when the price of `model` is unknown."""
    if price_of(model) is None:
        raise UsageError(
            f"a money limit needs the price of {model}: name a JSON file in {PRICES_VARIABLE} with "
            f'{{"{model}": {{"input": USD per million tokens, "output": USD per million tokens}}}}'
        )
