"""Function words of the languages we meet most; matching ignores them. Frequency lists, cut by hand.

Left out are words that carry meaning in another of these languages (German "die", French "son", "pour").
"""

from __future__ import annotations

from searchinstruct_graph.text.words import normal_form

_LISTS = """
a an the this that these those of in on at to for from by with as into about over after before between during under
is are was were be been being am do does did done has have had having will would can could should may might must shall
and or but if then than so because while although though it its he she they them his her their i you we our your my me
who whom whose what which when where why how there here not no nor such own same other some any each all both few more
most much many very too also just only s t d ll re ve m
der das dem des ein eine einen einem einer eines und oder aber in im an am auf aus bei mit nach von vom zu zum
zur für über unter vor durch ist sind waren sein wird werden wurde wurden haben hatte hatten als wie auch es er
sie ihr ihre sein seine sich was wer wo wann warum welche welcher welches wie viele nicht
le la les un une des du de et ou mais dans à au aux par avec est sont été être a ont il elle ils elles qui que
quoi quel quelle quels quelles où quand comment combien ne pas ce cette ces se sa ses leur leurs
el los las una unos unas y o pero en por para con del al es fue eran ser ha han se su sus que quien quién cual cuál
qué cuándo dónde cómo cuánto cuántos no
في من على إلى عن مع هو هي هم هذا هذه ذلك التي الذي الذين كان كانت أن إن ما ماذا من متى أين كيف كم لماذا هل و أو ثم قد كل
بعد قبل عند
و در به از که این آن را با برای است بود شد می های ها تا یک بر هم نیز چه کی کجا چگونه چرا چند کدام آیا باید شود دارد
的 了 在 是 和 与 有 为 以 及 于 之 被 什么 哪个 哪些 谁 何时 哪里 多少 怎么 为什么 吗 呢
"""

_STOPWORDS = frozenset(normal_form(word) for word in _LISTS.split())


def is_stopword(word: str) -> bool:
    """Whether `word` (in normal form) is a function word in one of the listed languages."""
    return word in _STOPWORDS
