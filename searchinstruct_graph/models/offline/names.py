"""Names in a text: runs of capitalised words, and what stands in quotation marks. What a chain of questions follows."""

from __future__ import annotations

import re

from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import normal_form

_WORD = r"[A-ZÀ-ÖØ-ÞĀ-ŽΑ-ΩА-Я][\w’'\-]*\.?"
_LINK = r"(?:of|the|and|de|la|le|du|des|van|von|der|den|del|di|da|al|bin|ibn|in|on|for|&|to|a)"
_RUN = re.compile(rf"{_WORD}(?:\s+(?:{_LINK}\s+){{0,2}}{_WORD}|\s+\d+\b)*(?:\s+\((?:[^()]{{1,40}})\))?")
_QUOTED = re.compile(r"[\"“«„]([^\"”»“]{2,80})[\"”»“]")
_CODE = re.compile(r"`+([^`\n]{1,60})`+|\b([a-z]+_[a-z_]+|__\w+__|\w+\(\))")
_OPENING = frozenset(
    (
        "who what which when where why how is are was were do does did the a an in on at of for from by with "
        "as if it he she they this that these those his her their its and but or both can could would should "
        "has have had name after before during while since until although though both many most some all"
    ).split()
)


def names(text: str) -> list[str]:
    """Names in order of appearance, each once, without a leading function word. Empty for scripts without capitals."""
    found: dict[str, str] = {}
    for match in [*_QUOTED.finditer(text), *_RUN.finditer(text), *_CODE.finditer(text)]:
        marked = next((group for group in match.groups() if group), None)
        name = marked.strip() if marked else _trimmed(match.group())
        if name and not all(is_stopword(normal_form(word)) for word in name.split()):
            found.setdefault(normal_form(name), name)
    return list(found.values())


def _trimmed(raw: str) -> str:
    parts = raw.strip(" .,;:'’-").split()
    while parts and normal_form(parts[0]).strip(".") in _OPENING:
        parts.pop(0)
    while parts and normal_form(parts[-1]) in _OPENING:
        parts.pop()
    joined = " ".join(parts).strip(" .,;:'’")
    return joined.removesuffix("'s").removesuffix("’s") if len(joined) > 1 else ""
