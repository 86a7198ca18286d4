"""Which way a sentence points: opposite words, who does it to whom, and whether it asserts at all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import normal_form, stems, words

# One line a pair of sides; words of a side are separated by blanks, the sides by `|`. English words are stemmed.
_OPPOSITES = """
more greater larger bigger | less fewer smaller
increase increases increased increasing rise rises rose risen grow grows grew growth raise raises raised gain
 | decrease decreases decreased decreasing reduce reduces reduced reduction lower lowers lowered decline declines declined drop
 drops dropped fall falls fell diminish diminished shrink shrank loss
higher high highest | lower low lowest
longer longest long | shorter shortest short
older oldest elder | younger youngest
earlier early earliest | later late latest
before | after
first | last
above | below
north northern | south southern
east eastern | west western
win wins won winning winner beat beats victory | lose loses lost losing loser defeat
faster fast fastest quickly | slower slow slowest slowly
better best improve improves improved | worse worst worsen worsens worsened
strong stronger strongest | weak weaker weakest
male men man boy | female women woman girl
father son brother husband uncle king he | mother daughter sister wife aunt queen she
support supports supported favour favor | oppose opposes opposed
accept accepts accepted approve approved | reject rejects rejected refuse refused deny denied
allow allows allowed permit permits permitted | forbid forbids forbidden ban bans banned prohibit prohibited
guilty | innocent
alive | dead died
open opens opened | close closes closed shut
start starts started begin begins began | end ends ended finish finished
import imports imported | export exports exported
buy buys bought purchase | sell sells sold sale
positive positively | negative negatively
promote promotes promoted activate activates activated activation stimulate stimulates stimulated facilitate facilitates
 induce induces | inhibit inhibits inhibited inhibition suppress suppresses suppressed suppression prevent prevents prevented
 block blocks blocked
enhance enhances enhanced | impair impairs impaired attenuate attenuated
upregulate upregulated upregulation | downregulate downregulated downregulation
maximum most | minimum least
inside inner within | outside outer
public | private
major majority | minor minority
same identical similar | different
always | never
pass passed | fail failed
common frequent | rare
easy easily | difficult hard
present presence | absent absence
rich | poor
hot warm | cold cool
light | heavy
sufficient | insufficient
single | married
summer | winter
day | night
true | false
mehr größer größere | weniger kleiner kleinere
höher höchste | niedriger tiefer
länger | kürzer
älter älteste | jünger jüngste
früher | später
steigt stieg gestiegen | sinkt sank gesunken gefallen
nördlich norden | südlich süden
östlich osten | westlich westen
plus | moins
avant | après
augmente augmenté hausse | diminue diminué baisse
más mayor | menos menor
antes | después
aumenta aumentó | disminuye disminuyó
بیشتر بزرگتر | کمتر کوچکتر
افزایش | کاهش
قبل | بعد
شمال شمالی | جنوب جنوبی
شرق شرقی | غرب غربی
أكثر أكبر | أقل أصغر
زيادة ارتفع | انخفاض انخفض
"""
# Scripts without spaces: looked for as they stand.
_OPPOSITES_UNSPACED = """
增加 上升 增长 提高 | 减少 下降 降低
之前 以前 | 之后 以后
大于 多于 高于 超过 | 小于 少于 低于 不足
最大 最高 最多 最长 | 最小 最低 最少 最短
北部 北方 以北 | 南部 南方 以南
东部 东方 以东 | 西部 西方 以西
赢 胜 | 输 败
早于 | 晚于
"""


def _sides(table: str) -> list[tuple[list[str], list[str]]]:
    joined = table.replace("\n ", " ").strip().splitlines()
    return [(one.split(), other.split()) for one, _, other in (line.partition("|") for line in joined)]


def _by_word(pairs: Sequence[tuple[list[str], list[str]]]) -> dict[str, set[int]]:
    """Each word to its sides: 2n and 2n + 1 are opposite."""
    found: dict[str, set[int]] = {}
    for number, sides in enumerate(pairs):
        for side, listed in enumerate(sides):
            for word in listed:
                found.setdefault(normal_form(word), set()).add(2 * number + side)
    return found


_SIDES = _by_word(_sides(_OPPOSITES))
_SIDES_UNSPACED = _sides(_OPPOSITES_UNSPACED)
_FIRST_UNSPACED = 2 * len(_sides(_OPPOSITES))
_CONTRARY = re.compile(r"(?:un|in|im|ir|il|dis|non|de|anti|counter)(?=\w{4})")
_QUESTION = re.compile(r"[?？؟]\W*$")


@lru_cache(maxsize=4_096)
def sides(text: str) -> Mapping[int, str]:
    """Which sides of the listed opposites a text takes, each with the word; 2n and 2n + 1 exclude each other."""
    found: dict[int, str] = {}
    for word in words(text):
        for side in _SIDES.get(word, ()):
            found.setdefault(side, word)
    if not text.isascii():
        for number, pair in enumerate(_SIDES_UNSPACED):
            for side, listed in enumerate(pair):
                if word := next((each for each in listed if each in text), ""):
                    found[_FIRST_UNSPACED + 2 * number + side] = word
    return MappingProxyType(found)


def opposed(claim: str, held: str) -> tuple[str, str] | None:
    """The word of the claim and the one of `held` that take opposite sides ("rose" and "fell", "before" and "after"), if any.

    A side that either text takes together with its opposite says nothing. Negation is not looked at.
    """
    ours, theirs = sides(claim), sides(held)
    for side, word in ours.items():
        if side ^ 1 in theirs and side not in theirs and side ^ 1 not in ours:
            return word, theirs[side ^ 1]
    return None


def contrary(claimed: Sequence[str], held: Sequence[str]) -> tuple[str, str] | None:
    """A stem that stands on one side with a prefix that turns it, and on the other without: stable and unstable."""
    ours, theirs = set(claimed), set(held)
    for mine in sorted(ours - theirs):
        if (bare := _CONTRARY.sub("", mine)) != mine and bare in theirs - ours:
            return mine, bare
    for other in sorted(theirs - ours):
        if (bare := _CONTRARY.sub("", other)) != other and bare in ours - theirs:
            return bare, other
    return None


def asks(sentence: str) -> bool:
    """Whether the sentence is a question, which asserts nothing."""
    return bool(_QUESTION.search(sentence))


_BY = frozenset(map(normal_form, "by von durch par por توسط 被".split()))
_BE = frozenset(
    map(normal_form, "is are was were be been being wird wurde wurden worden est sont été fue fueron شد 被".split())
)
_THAN = frozenset(map(normal_form, "than als que از من 比".split()))
_REACH = 14
"""Words between the first and the last of a role."""


def swapped(claim: str, held: str, language: str = "en") -> tuple[str, str] | None:
    """Two names that change places around a word that both texts share: "Ann beat Bo" against "Bo beat Ann"; stems, if any.

    Where exactly one of the texts is in the passive ("was beaten by"), it is keeping the places that turns the roles. Names
    are words with a capital that are written so in both; with "than", and for the passive, any two words are compared.
    """
    ours, theirs = _placed(claim, language), _placed(held, language)
    order = sorted((stem for stem in ours if stem in theirs), key=lambda stem: ours[stem])
    first, second = words(claim), words(held)
    compares = bool(_THAN & set(first) & set(second))
    lifted = _capitals(claim, language) & _capitals(held, language)
    for one in range(len(order)):
        for last in range(one + 2, len(order)):
            mine, other = (ours[order[one]], ours[order[last]]), (theirs[order[one]], theirs[order[last]])
            if mine[1] - mine[0] > _REACH:
                break
            if abs(other[1] - other[0]) > _REACH:
                continue
            turned = other[0] > other[1]
            between = [stem for stem in order[one + 1 : last] if min(other) < theirs[stem] < max(other)]
            if not between or (turned and not compares and not {order[one], order[last]} <= lifted):
                continue
            passive = _passive(first[mine[0] : mine[1]]) != _passive(second[min(other) : max(other)])
            if turned != passive:
                return order[one], order[last]
    return None


def _passive(found: Sequence[str]) -> bool:
    """Whether what stands between two roles is in the passive: "was brought to Karvel by"."""
    return bool(_BY & set(found[-3:])) and bool(_BE & set(found))


def _placed(text: str, language: str) -> dict[str, int]:
    """Where each stem that carries meaning stands, counted in words; without those that stand there twice."""
    found = stems(text, language)
    often = Counter(found)
    plain = words(text)
    return {stem: at for at, stem in enumerate(found) if often[stem] == 1 and not is_stopword(plain[at])}


def _capitals(text: str, language: str) -> set[str]:
    return {stem for raw in re.findall(r"\w+", text) if raw[:1].isupper() for stem in stems(raw, language)}
