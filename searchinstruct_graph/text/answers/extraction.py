"""The final answer of a response, by its fixed form alone: a marked line or a box. Anything else is an abstention."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from searchinstruct_graph.text.answers.ballot import text_reading
from searchinstruct_graph.text.answers.plain import plain
from searchinstruct_graph.text.answers.quantities import quantity_within
from searchinstruct_graph.text.words import normal_form

_NAMES = (
    r"final\s+answer|answer|最终答案|最終答案|答案|答え|정답|پاسخ\s+نهایی|جواب\s+نهایی|پاسخ|جواب|الإجابة\s+النهائية|الجواب\s+النهائي"
    r"|الإجابة|الجواب|endgültige\s+antwort|antwort|réponse\s+finale|réponse|respuesta\s+final|respuesta|risposta\s+finale|risposta"
    r"|окончательный\s+ответ|ответ|resposta\s+final|resposta"
)
_COLON = r"[\s*_`]*(?:[:：]|\s(?:is|است|هي|هو)\s*[:：]|[是为為]\s*[:：]?)(?:__\s)?[\s*`]*"
_DECORATION = " \t\u3000\ufeff\u200e\u200f>#*_`-•|$"
_MARKER = re.compile(rf"(?:(?:so|therefore|thus|hence),?\s)?(?:the\s)?(?:correct\s)?(?:{_NAMES}){_COLON}", re.I)
_STATED = re.compile(r"(?:(?:so|therefore|thus|hence),?\s)?the\sfinal\sanswer\sis\s+", re.I)
_HEADING = re.compile(rf"(?:the\s)?(?:{_NAMES})[\s*_`:：]*", re.I)
_HASHES = re.compile(r"####\s*(?=[-+$€£\d])")
# Within a line only a name in capitals counts, or one of a script without them: "the answer: B is wrong" marks nothing.
_INLINE = re.compile(
    rf"(?:(?<=[\s.!?。！？؟)*_])|^)(?:Final\s[Aa]nswer|FINAL\sANSWER|Answer|ANSWER|最终答案|答案|پاسخ نهایی|پاسخ|الإجابة){_COLON}"
)
_LONGEST = 400
_TAIL = 100_000
_PLACEHOLDER = re.compile(
    r"[<\[(]?(?:letter|option|choice|number|your answer|answer|yes or no|yes, no or maybe|\.\.\.|…)[>\])]|\.\.\.|…|_+|<>",
    re.I,
)
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_ANGLED = re.compile(r"\A<([^<>]{1,200})>\Z")  # what a model makes of `Answer: <letter>`
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200e\u200f\u2060\ufeff\u00ad"), None)


def _spoken(response: str) -> str:
    """What was said to the reader: nothing of a thinking block; only the end of a text that is out of all measure."""
    return response.rpartition("</think>")[2][-_TAIL:]


def marked(response: str, hashes: bool = False) -> str | None:
    """What stands behind the last `Answer:` or `Final answer:`, up to the line's end; None without one.

    A marker counts at the head of a line (Markdown around it is passed over); without any, one that follows a sentence.
    A marker alone on its line marks the next line. `hashes`: `#### 42` counts as well.
    """
    lines = [line for line in _spoken(response).splitlines() if line.strip()]
    for number in range(len(lines) - 1, -1, -1):
        line = lines[number].strip()
        if hashes and (found := _HASHES.match(line)):
            return _cleaned(line[found.end() :])
        head = line[:_LONGEST].lstrip(_DECORATION)
        found = _MARKER.match(head) or _STATED.match(head)
        if found and (value := _cleaned(head[found.end() :])):
            return value
        if (found or _HEADING.fullmatch(head)) and number + 1 < len(lines):
            following = lines[number + 1].strip()[:_LONGEST]
            if not _HEADING.match(following.lstrip(_DECORATION)):
                return _cleaned(following)
    for line in reversed(lines):
        spots = list(_INLINE.finditer(line[-4 * _LONGEST :]))
        if spots and (value := _cleaned(line[-4 * _LONGEST :][spots[-1].end() :][:_LONGEST])):
            return value
    return None


def _cleaned(value: str) -> str:
    """Without the Markdown and the stop around it."""
    value = value.translate(_INVISIBLE).strip()
    if (stated := _STATED.match(value)) is not None:
        value = value[stated.end() :]
    value = _BOLD.sub(r"\1", value).strip("*` ").rstrip("。.").strip("*` ")
    return "" if _PLACEHOLDER.fullmatch(value) else _ANGLED.sub(r"\1", value)


def number_answer(response: str, options: Sequence[str] = ()) -> str | None:
    """The number on the line `Final answer:`, with its sign and unit; None when there is not exactly one."""
    value = marked(response, hashes=True)
    return quantity_within(value) if value else None


def text_answer(response: str, options: Sequence[str] = ()) -> str | None:
    """What stands on the line `Final answer:`."""
    return marked(response) or None


def open_answer(response: str, options: Sequence[str] = ()) -> str | None:
    """The whole response."""
    return _spoken(response).strip() or None


def boxed_answer(response: str, options: Sequence[str] = ()) -> str | None:
    r"""What stands in the last `\boxed{}` that holds something, found by counting braces; None when it is cut off."""
    spoken = _spoken(response)
    end = len(spoken)
    while (at := max(spoken.rfind("\\boxed", 0, end), spoken.rfind("\\fbox", 0, end))) >= 0:
        start = spoken.find("{", at, at + 12)
        if start < 0 or spoken[at:start].strip() not in ("\\boxed", "\\fbox"):
            bare = re.match(r"\\(?:boxed|fbox)\s*([^\s{}$.,;]{1,40})", spoken[at : at + 60])
            if bare:
                return bare[1]
        else:
            depth, position = 1, start + 1
            while position < end and depth:
                character = spoken[position]
                if character == "\\":
                    position += 1
                depth += (character == "{") - (character == "}")
                position += 1
            if depth:
                return None
            if (content := spoken[start + 1 : position - 1].strip()) and not _PLACEHOLDER.fullmatch(content):
                return content
        end = at
    return None


_CHOICE = re.compile(
    r"(?:(?:the\s)?(?:option|choice|گزینه|گزینهٔ|选项|الخيار)\s?)?[(\[{]?\s?(?P<letter>[A-Za-z])(?![^\W_])(?P<close>\s?[)\]}])?",
    re.I,
)
_FURTHER = re.compile(
    r"[\s)\]]*(?:[,/&;+|]|\b(?:and|or|und|oder|et|ou|y|o|e)\b|و|یا|和|或)\s?(?:\b(?:and|or)\s)?[(\[]?(?P<letter>[A-Za-z])(?![\w'])"
)
_SETTLED = re.compile(r"\s*(?:$|[^\w\s(&/+#%'’|]|\((?!\s?[A-Za-z]\s?\))|(?:is|because|since|as|due)\b)")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_UNLISTED = 10
_LABEL = re.compile(r"\s*(?:[(\[]?[A-Za-z][)\].:]\s|[-•*]\s)\s*")


def choice_answer(response: str, options: Sequence[str] = ()) -> str | None:
    """The letter on the line `Answer:`, in upper case, when it names one option: `C`, `(C)`, `**C.** the text`.

    A letter that goes on as a sentence ("A portfolio") is none, nor are two letters. With `options`, a line that is the
    text of exactly one of them stands for its letter, and letters past the last option are refused.
    """
    value = marked(response)
    if not value:
        return None
    shown = unicodedata.normalize("NFKC", value)
    shown = plain(shown) if "\\" in shown or "$" in shown else shown
    shown = shown.strip(" *_`'\"“”.")
    allowed = _LETTERS[: len(options) or _UNLISTED]
    found = _CHOICE.match(shown)
    if found and found["letter"].upper() in allowed:
        letter, rest = found["letter"].upper(), shown[found.end() :]
        further = _FURTHER.match(rest)
        fixed = bool(found["close"]) or _SETTLED.match(rest) is not None
        if found["letter"].islower() and not found["close"] and rest[:1] not in ("", ".", ":"):
            fixed = False
        if options and rest.strip() and not fixed:
            fixed = _same_option(rest, options[_LETTERS.index(letter)])
        if fixed and not (further and further["letter"].upper() in allowed and further["letter"].isupper()):
            return letter
    matching = [letter for letter, option in zip(_LETTERS, options, strict=False) if _same_option(shown, option)]
    return matching[0] if len(matching) == 1 else None


def _same_option(shown: str, option: str) -> bool:
    return (
        text_reading(shown).key == text_reading(_LABEL.sub("", option, count=1) if _LABEL.match(option) else option).key
    )


_VERDICTS = {
    normal_form(word): verdict
    for verdict, words in (
        ("yes", "yes ja oui sí sì si sim да да. بله آری بلی نعم أجل 是 是的 はい 네 예 evet"),
        ("no", "no nein non não nao нет خیر نه لا كلا 否 不 不是 いいえ 아니요 hayır"),
        (
            "maybe",
            "maybe uncertain unclear vielleicht peut-être quizás quizá forse talvez возможно شاید ربما 可能 也许 不确定",
        ),
    )
    for word in words.split()
}
_FIRST_WORD = re.compile(r"[^\s.,;:!()،。，；：！—–]+")


def _verdict(response: str, allowed: tuple[str, ...]) -> str | None:
    value = marked(response)
    found = _FIRST_WORD.match(value.strip(" *_`'\"“”([{")) if value else None
    if value is None or found is None:
        return None
    verdict = _VERDICTS.get(normal_form(found[0].strip("*_`'\"“”)]}")))
    rest = value.strip(" *_`'\"“”([{")[found.end() :].strip()
    # "No one knows" and "yes and no" are sentences, no verdicts.
    return verdict if verdict in allowed and not rest[:1].isalnum() and not rest.startswith("/") else None


def yes_no_answer(response: str, options: Sequence[str] = ()) -> str | None:
    """`yes` or `no` from the line `Answer:`, in English whatever the response's language."""
    return _verdict(response, ("yes", "no"))


def yes_no_maybe_answer(response: str, options: Sequence[str] = ()) -> str | None:
    """`yes`, `no` or `maybe` from the line `Answer:`."""
    return _verdict(response, ("yes", "no", "maybe"))


Extract = Callable[[str, Sequence[str]], str | None]
