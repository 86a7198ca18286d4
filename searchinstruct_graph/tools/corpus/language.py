"""Which language a text is in."""

from __future__ import annotations

import re
from functools import cache

UNDETERMINED = "und"
_SAMPLE = 20_000
_TAG = re.compile(r"[a-z]{2}(?:$|[-_])")
_FORMS = {"nn": "no", "nb": "no", "yue": "zh", "wuu": "zh", "arz": "ar", "ary": "ar", "grc": "el", "hbo": "he"}
# What is written of a language that people ask for by its own name.


@cache
def languages() -> frozenset[str]:
    """The codes that `detect` can give."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return frozenset(map(str, LanguageIdentifier.from_model_file(MODEL_FILE).nb_classes))


def detect(texts: list[str]) -> str:
    """ISO 639-1 code of the language of most of `texts` (their beginnings decide), or `und`."""
    import py3langid

    share = max(200, _SAMPLE // max(1, len(texts)))
    sample = "\n".join(text[:share] for text in texts)[:_SAMPLE]
    if not any(ch.isalpha() for ch in sample):
        return UNDETERMINED
    return str(py3langid.classify(sample)[0])


def language_code(declared: str) -> str:
    """The ISO 639-1 code of a language tag such as `de-AT`; empty for what is none."""
    tag = declared.strip().lower()
    return _FORMS.get(tag[:2], tag[:2]) if _TAG.match(tag) else ""


def spoken(text: str, declared: str) -> str:
    """ISO 639-1 code of a text's language: of enough text as it begins, else as it is declared; empty for unknown."""
    if len(text) < _SURE:
        return language_code(declared)
    found = detect([text[:BEGINNING]])
    # The model knows dialects too, and a code for what is no language.
    found = _FORMS.get(found, found)
    return found if len(found) == 2 else ""


BEGINNING = 500
"""Characters of a text that are read to tell its language."""

_SURE = 200
"""Characters from which a text itself tells its language better than what is declared."""
