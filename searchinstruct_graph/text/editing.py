"""How one text differs from another that was made of it, token by token; where a name is mentioned; putting another in its place.

For edits that are to change as little as possible: the share that changed, the spans that did, and the smallest replacement
of a name or number that leaves English around it correct.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from searchinstruct_graph.text.sentences import Span, sentences
from searchinstruct_graph.text.words import UNSPACED, normal_form

# Combining marks and joiners stay inside their word, as in `words`; a number keeps its separators.
_LETTER = (
    rf"(?:(?![{UNSPACED}])[\w\u0300-\u036f\u0900-\u0df3\u064b-\u065f\u0670\u0591-\u05c7\u200b-\u200f\u2060\u00ad])"
)
_TOKEN = re.compile(rf"\d+(?:[.,:]\d+)+{_LETTER}*|{_LETTER}+(?:(?!['’]s\b)['’]{_LETTER}+)*|['’]s\b|\S")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")

MOST_TOKENS = 20_000
"""Tokens of one text that are compared; the rest of a longer one counts as changed."""


class _Token(NamedTuple):
    key: str
    start: int
    end: int


def _tokens(text: str) -> list[_Token]:
    """Words, numbers with their separators, single characters of scripts without spaces, and single other marks."""
    return [_Token(_key(match.group()), *match.span()) for match in _TOKEN.finditer(text)]


@lru_cache(maxsize=65_536)
def _key(token: str) -> str:
    if _THOUSANDS.fullmatch(token):
        token = token.replace(",", "")
    return normal_form(token) or token


class Change(NamedTuple):
    """How far a text was changed."""

    share: float
    """(tokens inserted + tokens deleted) / (tokens before + tokens after), 0 to 1."""
    spans: list[Span]
    """What was inserted, as spans of the text after; neighbouring tokens are one span. Deletions leave none."""


def change(before: str, after: str) -> Change:
    """How far `after` differs from `before`: the share and the places of the tokens that are not in a longest common subsequence.

    Tokens are words in normal form, numbers, single characters of scripts that put no spaces between words, and every other
    mark; white space, case and Unicode composition do not count. With n and m tokens and a longest common subsequence of L,
    the share is (n + m - 2L) / (n + m), one less Dice's coefficient over the subsequence: 0 for equal texts, 1 for texts without
    a common token, the same in both directions.
    """
    old, new = _tokens(before), _tokens(after)
    if not old and not new:
        return Change(0.0, [])
    kept = _common([token.key for token in old[:MOST_TOKENS]], [token.key for token in new[:MOST_TOKENS]])
    total = len(old) + len(new)
    changed = [at for at in range(len(new)) if at not in kept]
    return Change((total - 2 * len(kept)) / total, _joined(new, changed))


def _common(one: Sequence[str], other: Sequence[str]) -> set[int]:
    """The positions in `other` of a longest common subsequence.

    Common ends first; then rows of the table of lengths as bit vectors (Hyyrö 2004, "Bit-parallel LCS-length computation
    revisited"), kept so that one subsequence can be read back: a bit of row j is 0 where the length grows with that token.
    """
    head = 0
    while head < min(len(one), len(other)) and one[head] == other[head]:
        head += 1
    tail = 0
    while tail < min(len(one), len(other)) - head and one[-1 - tail] == other[-1 - tail]:
        tail += 1
    kept = {*range(head), *range(len(other) - tail, len(other))}
    left, right = one[head : len(one) - tail], other[head : len(other) - tail]
    places: dict[str, int] = {}
    for at, key in enumerate(left):
        places[key] = places.get(key, 0) | 1 << at
    full = (1 << len(left)) - 1
    rows = [full]
    for key in right:
        row = rows[-1]
        shared = row & places.get(key, 0)
        rows.append(((row + shared) | (row - shared)) & full)
    i, j = len(left), len(right)
    while i and j:
        if left[i - 1] == right[j - 1]:
            i, j = i - 1, j - 1
            kept.add(head + j)
        elif rows[j] >> (i - 1) & 1:
            i -= 1
        else:
            j -= 1
    return kept


def _joined(tokens: Sequence[_Token], chosen: Sequence[int]) -> list[Span]:
    spans: list[Span] = []
    last = -2
    for at in chosen:
        if at == last + 1 and spans:
            spans[-1] = Span(spans[-1].start, tokens[at].end)
        else:
            spans.append(Span(tokens[at].start, tokens[at].end))
        last = at
    return spans


def whole_sentences(text: str) -> list[Span]:
    """`sentences` of `text`, but never cut inside of a dotted name such as `object.__format__`."""
    spans: list[Span] = []
    for span in sentences(text):
        joined = spans and spans[-1].end == span.start and text[span.start - 1] == "."
        if joined and (text[span.start].isalnum() or text[span.start] == "_"):
            spans[-1] = Span(spans[-1].start, span.end)
        else:
            spans.append(span)
    return spans


# Names in a text.

_TITLES = frozenset("mr mrs ms dr sir dame lord lady prof professor".split())
_NO_PERSON = frozenset(
    """
    university college school institute inc ltd llc corp corporation company co group party club fc united city town county
    state states republic kingdom union council ministry department bank airport airlines hotel house church hospital museum
    park street road river lake island islands mountain league championship cup team association federation foundation trust
    district province region regiment bridge castle court service press records academy center centre committee army navy force
    forces ferry ferries times news theatre theater society observatory stadium square tower library office railway
    north south east west new saint san santa los las el la le de the of and for python version windows linux
    january february march april may june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday
    """.split()
)
_SMALL = frozenset("of the and for in on at de la du des von van der".split())
_IN_BRACKETS = re.compile(r"(.*\S)\s+\(([^()]*)\)")
_ACRONYM = re.compile(r"[A-Z][A-Z0-9&.]{1,9}")
_MARKS = "\"'“”‘’«»`*"
"""Marks around words, of quotation and of markup, that a name may be met with or without."""


def aliases(name: str) -> list[str]:
    """The forms under which a name or value may be mentioned as well, `name` itself first: without article, title and quotation
    marks, without what it adds in brackets, and as the acronym that stands there or that its initials make.

    The surname of what looks like a person is not among them: see `surname`. Numbers with and without separators of thousands
    are one token for `mentions`.
    """
    whole = " ".join(name.split())
    found = [whole]
    if brackets := _IN_BRACKETS.fullmatch(whole):
        found.append(brackets.group(1))
        if _ACRONYM.fullmatch(brackets.group(2)):
            found.append(brackets.group(2))
    found += [_bare(form) for form in found]
    if initials := _initials(_bare(whole)):
        found.append(initials)
    return list(dict.fromkeys(form for form in found if form))


def _bare(name: str) -> str:
    """The name without quotation marks around it, its article and titles."""
    if name[:1] in _MARKS and name[-1:] in _MARKS and len(name) > 2:
        name = name[1:-1]
    parts = name.split()
    while len(parts) > 1 and parts[0].lower().rstrip(".") in _TITLES | {"the", "a", "an"}:
        parts.pop(0)
    return " ".join(parts)


def _initials(name: str) -> str:
    """What the capitals of a name of three words and more spell ("European Central Bank"); empty for a person."""
    heads = [part for part in name.split() if part.lower() not in _SMALL]
    if len(heads) < 3 or not all(part[0].isupper() and part[1:].islower() for part in heads) or surname(name):
        return ""
    return "".join(part[0] for part in heads)


def surname(name: str) -> str:
    """The last word of what looks like the name of a person, in a script with capitals; empty for anything else."""
    parts = _bare(name).split()
    if not 2 <= len(parts) <= 4 or not all(re.fullmatch(r"[^\W\d_]+(?:[.'’-][^\W\d_]*)*", part) for part in parts):
        return ""
    if any(part.lower().strip(".") in _NO_PERSON for part in parts if part.lower() not in _SMALL):
        return ""
    first, last = parts[0], parts[-1]
    return last if first[0].isupper() and last[0].isupper() and not last.isupper() and len(last) > 2 else ""


def mentions(text: str, name: str, besides: str = "", *, surnames: bool = True) -> list[Span]:
    """Where `text` names `name` under one of its `aliases` or, with `surnames`, by the surname alone; in order, none inside
    another. Whole tokens only ("3.1" is not in "3.11"); white space, quotation marks and case aside, but a capital must be met by
    a capital.

    What lies inside a longer mention of `besides` is left out: `str(x)` is not mentioned by `format(str(x), '')` when that is
    another name.
    """
    tokens = _tokens(text)
    found = _found(text, tokens, name, surnames)
    others = _found(text, tokens, besides, surnames) if besides else []
    return [
        span
        for span in found
        if not any(
            other.start <= span.start and span.end <= other.end and other.end - other.start > span.end - span.start
            for other in others
        )
    ]


def _found(text: str, tokens: Sequence[_Token], name: str, surnames: bool) -> list[Span]:
    forms = aliases(name)
    if surnames and (last := surname(name)):
        forms.append(last)
    said = [token for token in tokens if token.key not in _MARKS]
    places: dict[str, list[int]] = {}
    for at, token in enumerate(said):
        places.setdefault(token.key, []).append(at)
    found: list[Span] = []
    taken: set[int] = set()
    for form in sorted(forms, key=len, reverse=True):
        wanted = [token for token in _tokens(form) if token.key not in _MARKS]
        for at in places.get(wanted[0].key, []) if wanted else []:
            met = said[at : at + len(wanted)]
            if len(met) < len(wanted) or taken & set(range(at, at + len(wanted))):
                continue
            if all(_meets(token, text, want, form) for token, want in zip(met, wanted, strict=True)):
                taken.update(range(at, at + len(wanted)))
                found.append(_with_marks(text, Span(met[0].start, met[-1].end), form))
    return sorted(found)


def _meets(token: _Token, text: str, wanted: _Token, form: str) -> bool:
    """Whether a token of the text is the wanted one: a capital of the name must be met by a capital."""
    return token.key == wanted.key and (text[token.start].isupper() or not form[wanted.start].isupper())


def _with_marks(text: str, span: Span, form: str) -> Span:
    """The span with the quotation marks around it, where the name brings its own."""
    before, after = text[span.start - 1 : span.start] if span.start else "", text[span.end : span.end + 1]
    own = form[:1] in _MARKS and form[-1:] in _MARKS
    return (
        Span(span.start - 1, span.end + 1)
        if own and before and before in _MARKS and after and after in _MARKS
        else span
    )


def holds(text: str, name: str, besides: str = "", *, surnames: bool = False) -> bool:
    """Whether `text` names `name`: see `mentions`."""
    return bool(mentions(text, name, besides, surnames=surnames))


_PAST = re.compile(
    r"\b(?:former(?:ly)?|previous(?:ly)?|predecessors?|until|till|before|earlier|once|used to|no longer|not|never"
    r"|\w+n['’]t|rather than|instead of|replac\w+|succeed\w+|took over from|prior|originally|at first|in the past"
    r"|früher\w*|bisher\w*|ehemalig\w*|bis|nicht|statt|ancien\w*|auparavant|jusqu\w+|antes|hasta|anterior\w*|ya no)\b"
    r"|قبلی|سابق|پیش از|دیگر|نیست|السابق|قبل|سابقا|لم يعد|以前|此前|之前|曾|不再|而不是|原",
    re.IGNORECASE,
)


def is_past(sentence: str) -> bool:
    """Whether a word of the sentence says that it speaks of what is over or not so ("formerly", "until", "no longer")."""
    return bool(_PAST.search(sentence))


# Putting one name in the place of another.

_SILENT_H = re.compile(r"(?:hon(?:est|ou?r)|hour|heir)", re.IGNORECASE)
_SPOKEN_Y = re.compile(r"(?:uni(?!n|m)|us[ae]|eu|ur[aeiou]|ut[aeio]|ub|one\b|once\b)", re.IGNORECASE)


def indefinite(noun: str) -> str:
    """`a` or `an`, as English has it before `noun`."""
    spoken = noun.lstrip(_MARKS + "([{*_. ")
    first = spoken[:1].lower()
    if first.isdigit():
        return "an" if re.match(r"8|1[18](?!\d)", spoken) else "a"
    if re.match(r"[A-Z]{2,}(?![a-z])", spoken):
        return "an" if first in "aefhilmnorsx" else "a"
    vowel = first in tuple("aeiou") and not _SPOKEN_Y.match(spoken)
    return "an" if vowel or _SILENT_H.match(spoken) else "a"


_ARTICLE_BEFORE = re.compile(r"(?:^|(?<=\s))(?P<article>a|an|the)\s+$", re.IGNORECASE)
_ARTICLE_FIRST = re.compile(r"(?:the|a|an)\s+(?=\S)", re.IGNORECASE)
_OWN_ARTICLE = re.compile(r"The (?=\S)|An? (?=[a-z\"'])")
_PLAIN_WORD = re.compile(r"[^\W\d_]+(?![\w(\[{]|[.:_][^\s]|-\d)")


def replaced(text: str, old: str, new: str) -> str:
    """`text` with `new` where it names `old`, and nothing else changed but what that asks for: a/an and doubled articles before
    the name, the capital that opens a sentence, and the sign of the possessive. A surname is replaced by a surname, where the
    new name has one and stands in full before it.
    """
    pieces: list[str] = []
    at = 0
    for span in mentions(text, old, new):
        mention = text[span.start : span.end]
        full = bool(pieces) and mention == surname(old) and surname(new)
        name = surname(new) if full else new
        before = text[at : span.start]
        if article := _ARTICLE_BEFORE.search(before):
            before, name = _with_article(before, article, name)
        pieces += [before, fitted(name, _opens(text, at + len(before)))]
        at = span.end
        if text[at : at + 1] in ("'", "’") and not text[at + 1 : at + 2].isalnum() and not re.search(r"(?<!s)s$", name):
            pieces.append(f"{text[at]}s")
            at += 1
    return "".join([*pieces, text[at:]])


def _with_article(before: str, article: re.Match[str], name: str) -> tuple[str, str]:
    said = article["article"]
    own = _ARTICLE_FIRST.match(name)
    stem = before[: article.start("article")]
    if own:
        return stem, name
    if said.lower() == "the":
        return (stem if surname(name) else before), name
    fitting = indefinite(name)
    return f"{stem}{fitting.capitalize() if said[0].isupper() else fitting}{before[article.end('article') :]}", name


def _opens(text: str, at: int) -> bool:
    """Whether a sentence starts at `at`, as far as the marks before it show."""
    before = text[max(0, at - 20) : at].rstrip(" \t\"'“‘«(*_")
    return not before or before.endswith((".", "!", "?", "\n"))


def fitted(name: str, opens: bool) -> str:
    """The name with the first letter that its place asks for: a capital where a sentence `opens`, a small article elsewhere.
    Code, numbers and names keep theirs.
    """
    if opens and _PLAIN_WORD.match(name):
        return name[0].upper() + name[1:]
    if not opens and (article := _OWN_ARTICLE.match(name)):
        return article.group().lower() + name[article.end() :]
    return name
