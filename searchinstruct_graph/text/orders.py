"""Does a text give orders to a language model? Pages, titles and data-set rows come from strangers."""

from __future__ import annotations

import re

_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,40}\b(?:previous|prior|above|earlier|all|your)\b[^.\n]{0,20}\b(?:instructions?|prompts?|rules|directions)\b"
    r"|\b(?:system prompt|developer message|jailbreak|do anything now)\b"
    r"|\b(?:you are now|you must now|from now on,? you|as an? (?:ai|language model))\b"
    r"|\b(?:approve|accept|reject)\b[^.\n]{0,30}\b(?:this answer|all (?:answers|statements|claims)|the draft)\b"
    r"|忽略(?:之前|以上|先前)的?(?:指令|指示)|(?:تجاهل|اهمل).{0,20}التعليمات|دستورات?.{0,10}قبلی.{0,10}نادیده|ignoriere.{0,30}(?:anweisungen|befehle)",
    re.IGNORECASE,
)
# What every order holds: most texts hold none of it, and the pattern is slow.
_MARKS = (
    *(
        "instruction",
        "prompt",
        "rules",
        "directions",
        "developer message",
        "jailbreak",
        "do anything now",
        "you are now",
    ),
    *(
        "you must now",
        "from now on",
        "as a ai",
        "as an ai",
        "language model",
        "this answer",
        "all answers",
        "all statements",
    ),
    *("all claims", "the draft", "忽略", "التعليمات", "دستور", "ignoriere"),
)


def orders(text: str) -> bool:
    """Whether the text gives orders to a model. Such a passage is no evidence about anything, so it is not quoted.

    A last line, not the defence: what holds is that quotes are only ever data for roles without tools.
    """
    spaced = " ".join(text.split())
    folded = spaced.casefold()
    return any(mark in folded for mark in _MARKS) and bool(_ORDER.search(spaced))
