"""Function words of the languages we meet most: matching ignores them, and they tell the language of a short text.

Frequency lists, cut by hand. Left out are words that carry meaning in another of these languages (German "die", French
"son", "pour").
"""

from __future__ import annotations

from functools import lru_cache

from searchinstruct_graph.text.words import normal_form, words

_LISTS = {
    "en": (
        "a an the this that these those of in on at to for from by with as into about over after before between during under "
        "is are was were be been being am do does did done has have had having will would can could should may might must shall "
        "and or but if then than so because while although though it its he she they them his her their i you we our your my me "
        "who whom whose what which when where why how there here not no nor such own same other some any each all both few more "
        "most much many very too also just only s t d ll re ve m"
    ),
    "de": (
        "der das dem des ein eine einen einem einer eines und oder aber in im an am auf aus bei mit nach von vom zu zum "
        "zur für über unter vor durch ist sind waren sein wird werden wurde wurden haben hatte hatten als wie auch es er "
        "sie ihr ihre sein seine sich was wer wo wann warum welche welcher welches wie viele nicht"
    ),
    "fr": (
        "le la les un une des du de et ou mais dans à au aux par avec est sont été être a ont il elle ils elles qui que "
        "quoi quel quelle quels quelles où quand comment combien ne pas ce cette ces se sa ses leur leurs"
    ),
    "es": (
        "el los las una unos unas y o pero en por para con del al es fue eran ser ha han se su sus que quien quién cual cuál "
        "qué cuándo dónde cómo cuánto cuántos no"
    ),
    "ar": (
        "في من على إلى عن مع هو هي هم هذا هذه ذلك التي الذي الذين كان كانت أن إن ما ماذا من متى أين كيف كم لماذا هل و أو ثم قد "
        "كل بعد قبل عند"
    ),
    "fa": (
        "و در به از که این آن را با برای است بود شد می های ها تا یک بر هم نیز چه کی کجا چگونه چرا چند کدام آیا باید شود دارد"
    ),
    "zh": ("的 了 在 是 和 与 有 为 以 及 于 之 被 什么 哪个 哪些 谁 何时 哪里 多少 怎么 为什么 吗 呢"),
}

_BY_LANGUAGE = {language: frozenset(map(normal_form, listed.split())) for language, listed in _LISTS.items()}
_STOPWORDS = frozenset().union(*_BY_LANGUAGE.values())


def is_stopword(word: str) -> bool:
    """Whether `word` (in normal form) is a function word in one of the listed languages."""
    return word in _STOPWORDS


@lru_cache(maxsize=4_096)
def language_of(text: str) -> str:
    """ISO 639-1 code of the listed language whose function words `text` holds most of; `en` when none stands out.

    Made for questions, which are too short for statistics over letters.
    """
    found = words(text)
    held = {language: sum(word in listed for word in found) for language, listed in _BY_LANGUAGE.items()}
    best = max(held, key=lambda language: held[language])
    return best if held[best] > held["en"] else "en"
