"""Which language a text is in."""

from __future__ import annotations

from functools import cache

UNDETERMINED = "und"
_SAMPLE = 20_000


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
