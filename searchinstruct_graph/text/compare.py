"""Does one text say what another says? Word coverage, numbers and negation, compared as such. No model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal, NamedTuple

from searchinstruct_graph.text.sentences import Span, sentences
from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import UNSPACED, normal_form, stems, words

# Before a number may stand a letter of a script without spaces: 建于1936年.
NUMBER = re.compile(rf"(?:(?<![\w.])|(?<=[{UNSPACED}]))\d+(?:[.,]\d+)*")
"""A number in digits, with its separators."""
_NEGATIONS = frozenset(
    normal_form(word)
    for word in [
        "not",
        "no",
        "never",
        "none",
        "nor",
        "neither",
        "without",
        "cannot",
        "n't",
        "nicht",
        "kein",
        "keine",
        "keinen",
        "keiner",
        "nie",
        "ohne",
        "nunca",
        "ningún",
        "jamais",
        "aucun",
        "لا",
        "لم",
        "لن",
        "ليس",
        "ليست",
        "نه",
        "نیست",
        "نبود",
        "هرگز",
        "不",
        "没",
        "没有",
        "无",
        "未",
    ]
)
_NEGATION_CHARACTERS = re.compile("[不没未无]")

ENOUGH = 0.7
"""Support from which a statement counts as carried unless a run says otherwise, whoever judged: a language model is asked for
less where a part is missing, and the offline score is scaled so that its own threshold lies here."""

CONFLICT_CAP = 0.5
"""Support of a statement that conflicts with its quotes: never enough to be accepted."""

SHARED = 0.2
"""Share of a statement's content words that its quotes must hold, where both are written in one script: a fair
paraphrase keeps its names and numbers at least."""


def numbers(text: str) -> set[str]:
    """The numbers in digits, without thousands separators and trailing zeros: `1,200` and `1200` are one."""
    found: set[str] = set()
    for raw in NUMBER.findall(normal_form(text)):
        whole = raw
        if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", whole):
            whole = whole.replace(",", "")
        whole = whole.replace(",", ".")
        if whole.count(".") == 1:
            whole = whole.rstrip("0").rstrip(".")
        found.add(whole.lstrip("0") or "0")
    return found


_LOOSE = re.compile(r"(?<![\w.,])\d{1,3}(?:, \d{3})+(?!\d)")


def loose_numbers(text: str) -> set[str]:
    """Numbers whose thousands a tokenizer has set apart (`235, 000`), joined; two numbers of a list may be joined as well, so
    this is for asking whether a text holds a number, not for what it says.
    """
    return {found.replace(", ", "") for found in _LOOSE.findall(normal_form(text))} if ", " in text else set()


def negated(text: str) -> bool:
    """Whether the text holds a negation word."""
    folded = normal_form(text)
    return any(word in _NEGATIONS or word.endswith(("n't", "n’t")) for word in words(folded)) or bool(
        _NEGATION_CHARACTERS.search(folded)
    )


def content(text: str, language: str = "en") -> list[str]:
    """The stems that carry meaning; when all are function words, all of them."""
    found = words(text)
    kept = [word for word in found if not is_stopword(word)] or found
    return stems(" ".join(kept), language)


def coverage(claim: str, evidence: Sequence[str], language: str = "en") -> float:
    """Share of the claim's content words that stand in the evidence, 0 to 1; an empty claim is covered by nothing."""
    wanted = content(claim, language)
    if not wanted:
        return 0.0
    held = set(stems(" ".join(evidence), language))
    return sum(word in held for word in wanted) / len(wanted)


def script(text: str) -> str:
    """The script most letters of `text` are in, by Unicode block (`latin`, `arabic`, `cjk`, ...); `none` without letters."""
    tally = Counter(_block(letter) for letter in text if letter.isalpha())
    return tally.most_common(1)[0][0] if tally else "none"


def _block(letter: str) -> str:
    point = ord(letter)
    return next((name for end, name in _BLOCKS if point < end), "other")


_BLOCKS = (
    (0x250, "latin"),
    (0x370, "other"),
    (0x400, "greek"),
    (0x530, "cyrillic"),
    (0x590, "other"),
    (0x600, "hebrew"),
    (0x780, "arabic"),
    (0x900, "other"),
    (0xE00, "indic"),
    (0x2E80, "other"),
    (0xA000, "cjk"),
    (0xAC00, "other"),
    (0xD7B0, "hangul"),
)


def denied(text: str, language: str = "en") -> set[str]:
    """The first content word after each negation: what the text says is not so."""
    found: set[str] = set()
    pending = False
    for word in words(text):
        if word in _NEGATIONS or word.endswith(("n't", "n’t")):
            pending = True
        elif pending and not is_stopword(word):
            found.update(stems(word, language))
            pending = False
    return found


def conflicts(claim: str, evidence: Sequence[str]) -> bool:
    """Whether the claim says what its quotes cannot: hardly a word of theirs, a number that none has, or a negation on
    one side only.

    Quotes deny many things beside what a claim takes from them, so a negation in the evidence counts only where the
    sentence that the claim restates (covers 80 % of it) denies a word of the claim.
    """
    spaced = " ".join(claim.split())
    if any(spaced in " ".join(text.split()) for text in evidence):
        return False
    if numbers(claim) - set().union(*map(numbers, evidence)):
        return True
    if coverage(claim, evidence) < SHARED and script(claim) == script(" ".join(evidence)):
        return True
    if negated(claim):
        return not any(map(negated, evidence))
    pieces = [text[span.start : span.end] for text in evidence for span in sentences(text)]
    best = max(pieces, key=lambda piece: coverage(claim, [piece]), default="")
    return coverage(claim, [best]) >= 0.8 and bool(denied(best) & set(content(claim)))


def support(claim: str, evidence: Sequence[str], language: str = "en") -> float:
    """How far `evidence` (the statement's own quotes) carries `claim`, 0 to 1.

    1 for a verbatim part of the evidence; else word coverage, capped at `CONFLICT_CAP` when the claim has a number
    that no quote has, or a negation on one side only.
    """
    if not evidence:
        return 0.0
    joined = [" ".join(text.split()) for text in evidence]
    if (spaced := " ".join(claim.split())) and any(spaced in text for text in joined):
        return 1.0
    score = coverage(claim, joined, language)
    return min(score, CONFLICT_CAP) if conflicts(claim, joined) else score


AGREEMENT = 0.6
"""Share of the shorter answer's content words that the longer one must hold for the two to agree."""


WHOLE_SENTENCE = 20
"""Characters from which an answer that stands verbatim in another is surely the same answer."""


def agree(one: str, other: str, language: str = "en") -> bool:
    """Whether two answers say the same: one's words stand in the other, their numbers do not conflict, nor their negation."""
    brief, full = sorted((" ".join(one.split()), " ".join(other.split())), key=len)
    if len(brief) >= WHOLE_SENTENCE and brief in full:
        return True
    left, right = set(content(one, language)), set(content(other, language))
    if not left or not right:
        return left == right
    if left == right:
        return negated(one) == negated(other)
    numbers_left, numbers_right = numbers(one), numbers(other)
    if numbers_left and numbers_right and not (numbers_left <= numbers_right or numbers_right <= numbers_left):
        return False
    shorter, longer = sorted((left, right), key=len)
    if len(shorter & longer) / len(shorter) < AGREEMENT:
        return False
    return negated(one) == negated(other) or len(shorter) * 2 < len(longer)


# Marks that `normal_form` takes out of a word stay inside it here, or offsets and words would part ways.
_LETTER = (
    rf"(?:(?![{UNSPACED}])[\w\u0300-\u036f\u0900-\u0df3\u064b-\u065f\u0670\u0591-\u05c7\u200b-\u200f\u2060\u00ad])"
)
_TOKEN = re.compile(rf"\d+(?:[.,]\d+)+|[{UNSPACED}]+|{_LETTER}+(?:['’]{_LETTER}+)*")
_IS_UNSPACED = re.compile(rf"[{UNSPACED}]")
_CHARACTER = re.compile(r"没有|不是|\S")
_IDENTIFIER = re.compile(r"_|[^\W\d_]\d|[^\W_]*[^\W\d_A-ZÀ-ÖØ-ÞΑ-ΩА-Я][A-ZÀ-ÖØ-ÞΑ-ΩА-Я]")
# Short and without blanks at its ends, or a closing mark would be taken for an opening one.
_QUOTED = re.compile(r"[\"“«„`‘「](?=\S)[^\"“”«»„`’「」\n]{1,40}(?<=\S)[\"”»“`’」]|(?<!\w)\w+(?=\(\))")
_OPENING_MARKS = " \t\"'“‘„«([*`>#-"
_SENTENCE_ENDS = ".!?。！？؟।:;\n"

MOST_TOKENS = 400
"""Content words of one side that are aligned; what is longer is no sentence."""

_ROUND = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
_TEENS = dict(zip("thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(), range(13, 20), strict=True))
_ORDINALS = {
    word: value
    for value, word in enumerate(
        "fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth "
        "seventeenth eighteenth nineteenth twentieth".split(),
        4,
    )
}
SPELLED = {
    normal_form(word): str(value)
    for listed in (
        "two three four five six seven eight nine ten eleven twelve",
        "zwei drei vier fünf sechs sieben acht - zehn elf zwölf",
        "deux trois quatre cinq - sept huit - dix onze douze",
        "dos tres cuatro cinco seis siete ocho nueve diez - doce",
        "دو سه چهار پنج شش هفت هشت - - یازده دوازده",
        "اثنان ثلاثة أربعة خمسة ستة سبعة ثمانية تسعة عشرة - -",
    )
    for value, word in [
        *enumerate(listed.split(), 2),
        *((value, word) for word, value in {**_ROUND, **_TEENS, **_ORDINALS}.items()),
    ]
    if word != "-"
}
"""Numbers in words. "One" is an article in many languages; a dash stands for a word that means something else as well, as
"second" and "third" do."""


_DENYING = frozenset(
    word
    for listed in (
        "fail lack unabl prevent prohibit forbid forbidden refus avoid deni reject exclud unless hardly rare",
        "scheitert verhindert verboten fehlt empêche interdit manque impide prohíbe falta يمنع يفشل",
    )
    for word in listed.split()
)
"""Stems that deny without a negation word."""
_CONTRARY = re.compile(r"(?:un|in|im|ir|il|dis|non|mis)\w{3}")


class Difference(NamedTuple):
    """Where a claim parts with the sentence that it restates."""

    kind: Literal["number", "name", "negation", "opposite"]
    """`opposite`: the other direction, as "rose" where the sentence says "fell", or two names in each other's place."""
    claimed: str
    """The claim's word."""
    held: str
    """The word in its place; empty when there is none."""


class _Token(NamedTuple):
    stem: str
    surface: str
    kind: Literal["number", "name", "opening", "word"]
    """`opening`: capitalised where a sentence starts, so perhaps a name."""
    denied: bool
    """Whether a negation stands before it."""


def differences(claim: str, held: str, context: str = "", language: str = "en") -> list[Difference]:
    """The numbers, names and negations of `claim` that the sentence `held` does not share; empty when it shares all.

    Both are aligned word by word, so a word is compared with the one in its place. A number must stand in `held`; a name
    in `held` or `context` (headings, neighbouring sentences), unless another name stands in its place. A negation is
    compared only where the words around it are the same on both sides. Only meaningful when `held` is about the same
    thing: see `coverage`.
    """
    ours, theirs = _tokens(claim, language), _tokens(held, language)
    matcher = SequenceMatcher(None, [t.stem for t in ours], [t.stem for t in theirs], autojunk=False)
    partner = {block.a + k: block.b + k for block in matcher.get_matching_blocks() for k in range(block.size)}
    found = [
        *_other_numbers(ours, theirs, partner, held),
        *_other_names(ours, theirs, partner, held, context, language),
    ]
    return list(dict.fromkeys([*found, *_other_negations(ours, theirs, partner)]))


def name_stems(text: str, language: str = "en") -> list[str]:
    """The stems of names, identifiers and quoted words, in order; a word that opens a sentence may be anything."""
    return [token.stem for token in _tokens(text, language) if token.kind == "name"]


def shared_words(text: str, other: str, language: str = "en") -> list[Span]:
    """Where the content words stand in `text` that `other` holds as well, in order; for highlighting."""
    wanted = set(content(other, language))
    spans: list[Span] = []
    for found in _TOKEN.finditer(text):
        pieces, start = stems(found.group(), language), found.start()
        if len(pieces) > 1 and _IS_UNSPACED.match(found.group()) and len(pieces) == len(found.group()) - 1:
            spans += _joined([Span(start + k, start + k + 2) for k, piece in enumerate(pieces) if piece in wanted])
        elif any(piece in wanted for piece in pieces):
            spans.append(Span(*found.span()))
    return spans


def _joined(spans: Sequence[Span]) -> list[Span]:
    whole: list[Span] = []
    for span in spans:
        if whole and span.start <= whole[-1].end:
            whole[-1] = Span(whole[-1].start, span.end)
        else:
            whole.append(span)
    return whole


def _tokens(text: str, language: str) -> list[_Token]:
    """The content words in order, each with its kind and whether it is denied; at most `MOST_TOKENS`."""
    found: list[_Token] = []
    pending = False
    marked = _QUOTED.finditer(text)
    quote = next(marked, None)
    for raw, start, end in _raw_words(text):
        while quote is not None and quote.end() < end:
            quote = next(marked, None)
        quoted = quote is not None and quote.start() <= start
        unspaced = _IS_UNSPACED.match(raw)
        for word in (_CHARACTER.findall(raw) if unspaced else words(raw))[:MOST_TOKENS]:
            surface = word if unspaced else raw
            if not quoted and _denies(word):
                pending = True
            elif pending and word == "only":
                pending = False
            elif quoted or not is_stopword(word):
                kind = "name" if quoted and not word.isdigit() else _kind(surface, word, text, start, language)
                found.append(_Token(_key(word, surface, language), surface, kind, pending))
                pending = False
        if len(found) >= MOST_TOKENS:
            break
    if pending and found:
        found[-1] = found[-1]._replace(denied=True)
    return found[:MOST_TOKENS]


def _denies(word: str) -> bool:
    """Whether a word in normal form is a negation. Persian verbs carry theirs as a prefix."""
    return (
        word in _NEGATIONS
        or word.endswith("n't")
        or bool(_NEGATION_CHARACTERS.match(word))
        or word == "نشد"
        or (word[0] == "ن" and len(word) > 3 and (word.startswith("نمي") or is_stopword(word[1:])))
    )


def _raw_words(text: str) -> Iterator[tuple[str, int, int]]:
    for found in _TOKEN.finditer(text):
        yield found.group(), found.start(), found.end()


def _key(word: str, raw: str, language: str) -> str:
    """What two words must share to be the same: the value of a number, else the stem."""
    if word in SPELLED:
        return SPELLED[word]
    if word[0].isdigit() and (values := numbers(raw)):
        return min(values)
    return next(iter(stems(word, language)), word)


def _kind(raw: str, word: str, text: str, start: int, language: str) -> Literal["number", "name", "opening", "word"]:
    if word in SPELLED or (word[0].isdigit() and numbers(raw)):
        return "number"
    if _IDENTIFIER.match(raw):
        return "name"
    # German writes every noun with a capital.
    if raw[0].isupper() and language != "de":
        return "opening" if _opens(text, start) else "name"
    return "word"


def _opens(text: str, at: int) -> bool:
    """Whether a sentence starts at `at`, as far as the characters before it show."""
    before = text[max(0, at - 8) : at].rstrip(_OPENING_MARKS)
    return before[-1:] in _SENTENCE_ENDS if before else at <= 8


_Partner = dict[int, int]


@lru_cache(maxsize=256)
def _around(text: str, language: str) -> tuple[frozenset[str], frozenset[str]]:
    """The stems of a text, and its words that are written small."""
    return frozenset(stems(text, language)), frozenset(raw for raw, _, _ in _raw_words(text) if raw.islower())


def _place(at: int, partner: _Partner, size: int) -> range:
    """Where in the other text the unaligned token `at` would stand: between the partners of its neighbours."""
    low = next((partner[k] + 1 for k in range(at - 1, -1, -1) if k in partner), 0)
    high = next((partner[k] for k in range(at + 1, at + MOST_TOKENS) if k in partner), size)
    return range(low, max(low, high))


def _other_numbers(ours: list[_Token], theirs: list[_Token], partner: _Partner, held: str) -> Iterator[Difference]:
    values = numbers(held) | loose_numbers(held) | {token.stem for token in theirs if token.kind == "number"}
    claimed = {token.stem for token in ours if token.kind == "number"}
    taken = set(partner.values())
    for at, token in enumerate(ours):
        if token.kind != "number" or at in partner:
            continue
        place = [theirs[k] for k in _place(at, partner, len(theirs)) if k not in taken]
        rivals = [each for each in place if each.kind == "number" and each.stem not in claimed]
        rival = rivals[0].surface if rivals else ""
        if token.stem in values:
            if rivals and len(place) == 1 and at - 1 in partner and at + 1 in partner:
                yield Difference("number", token.surface, rival)
        elif rival or token.surface[0].isdigit():
            yield Difference("number", token.surface, rival)


def _other_names(
    ours: list[_Token], theirs: list[_Token], partner: _Partner, held: str, context: str, language: str
) -> Iterator[Difference]:
    suspects = [at for at, token in enumerate(ours) if token.kind in ("name", "opening") and at not in partner]
    if not suspects:
        return
    here, there = _around(held, language), _around(context, language)
    known, common = here[0] | there[0], here[1] | there[1]
    stems_claimed, taken = {token.stem for token in ours}, set(partner.values())
    for at in suspects:
        token = ours[at]
        place = [k for k in _place(at, partner, len(theirs)) if k not in taken]
        rivals = [k for k in place if theirs[k].kind in ("name", "opening") and theirs[k].stem not in stems_claimed]
        if token.kind == "opening":
            rivals = [k for k in rivals if theirs[k].surface.lower() not in common]
            if rivals and token.stem not in known and token.surface.lower() not in common:
                yield Difference("name", token.surface, theirs[rivals[0]].surface)
        elif token.stem not in known:
            yield Difference("name", token.surface, theirs[rivals[0]].surface if rivals else "")
        elif rivals and len(rivals) == len(place) and at - 1 in partner and at + 1 in partner:
            yield Difference("name", token.surface, theirs[rivals[0]].surface)


def _other_negations(ours: list[_Token], theirs: list[_Token], partner: _Partner) -> Iterator[Difference]:
    theirs_deny = any(token.denied or token.stem in _DENYING for token in theirs)
    taken, before = set(partner.values()), (-1, -1)
    for at in sorted(partner):
        mine, their = ours[before[0] + 1 : at + 1], theirs[before[1] + 1 : partner[at] + 1]
        if before == (-1, -1):
            # What stands before the first shared word may be about anything.
            mine, their = mine[-1:], their[-1:]
        # A word on one side alone ("fails to open") may say what the other side denies.
        if mine[-1].denied and not their[-1].denied and (len(their) == 1 or not theirs_deny):
            yield Difference("negation", f"not {ours[at].surface}", theirs[partner[at]].surface)
        elif len(mine) == 1 and not mine[0].denied and len(their) <= 2 and any(token.denied for token in their):
            yield Difference("negation", ours[at].surface, f"not {theirs[partner[at]].surface}")
        before = (at, partner[at])
    for at, token in enumerate(ours):
        if at in partner:
            continue
        place = [theirs[k] for k in _place(at, partner, len(theirs)) if k not in taken]
        for other in place:
            if token.stem == f"ن{other.stem}" or other.stem == f"ن{token.stem}":
                yield Difference("negation", token.surface, other.surface)
        doubled = token.stem in _DENYING or _CONTRARY.match(token.stem)
        if token.denied and not theirs_deny and not doubled and not any(_CONTRARY.match(other.stem) for other in place):
            yield Difference("negation", f"not {token.surface}", place[0].surface if place else "")
