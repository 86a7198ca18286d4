"""One plain way to write numbers and simple mathematics: any script's digits, LaTeX wrappers and typographic signs gone."""

from __future__ import annotations

import re
import unicodedata

SET_OPEN, SET_CLOSE = "⦃", "⦄"
"""What `\\{` and `\\}` become: braces of a set, told apart from LaTeX's grouping braces."""

_FRACTION_SIGN = re.compile(r"(?<=\d)(?=[\u00bc-\u00be\u2150-\u215e])")
_SUPERSCRIPTS = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u207b]+")
_SIGNS = str.maketrans("⁄÷−–×·⋅∗٫٬٪’", "//--****.,%'", "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad")

# `$x$` as Pandoc reads it: no space inside the marks, no digit after them; so "$5 and $6" is money.
_DOLLARS = re.compile(r"(?<!\\)\$(?=[^\s$])([^$\n]*)(?<=[^\s\\])\$(?!\d)")
_WRAPPER = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mbox|operatorname|boxed|fbox)\s*\{([^{}]*)\}"
)
_SPACING = re.compile(r"\\(?:left|right|displaystyle|quad|qquad|[,;:! ])(?![a-zA-Z])")
_LATEX = (
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)"), "°"),
    (re.compile(r"\\(?:cdot|times|ast)(?![a-zA-Z])"), "*"),
    (re.compile(r"\\div(?![a-zA-Z])"), "/"),
    (re.compile(r"\\(?:approx|simeq)(?![a-zA-Z])"), "≈"),
    (re.compile(r"\\pi(?![a-zA-Z])|\bpi\b"), "π"),
    (re.compile(r"√|\bsqrt(?=\s*[({\d])(?<!\\sqrt)"), r"\\sqrt"),
    (re.compile(r"\\[()\[\]]"), " "),
    (re.compile(r"\\([%$#&_])"), r"\1"),
)

_GROUPED = re.compile(r"\d+(?:[.,' ]\d+)*")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:([,.' ])\d{3})(?:\1\d{3})*")
_LAKHS = re.compile(r"[1-9]\d?(?:,\d{2})+,\d{3}")
_MIXED = re.compile(r"(?<![\d./^])(\d{1,9})(?: +and +| +)(\d{1,9}) ?/ ?(\d{1,9})(?![\d.])")
_TIMES_TEN = re.compile(r"(?<=\d) ?[xX] ?(?=10 ?(?:\^|\*\*))")


def plain(text: str) -> str:
    """`text` with decimal digits of any script in ASCII, one kind of sign, and without LaTeX's wrappers; spaces single."""
    if not text.isascii():
        text = _FRACTION_SIGN.sub(" ", text)
        text = _SUPERSCRIPTS.sub(lambda run: "^{" + unicodedata.normalize("NFKC", run[0]) + "}", text)
        text = unicodedata.normalize("NFKC", text).translate(_SIGNS)
        text = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    if "$" in text:
        text = _DOLLARS.sub(r"\1", text.replace("$$", "$"))
    if "\\" in text:
        text = text.replace("\\{", SET_OPEN).replace("\\}", SET_CLOSE).replace("{,}", ",")
        for _ in range(4):  # wrappers stand in one another; a few levels are all that answers have
            text, unwrapped = _WRAPPER.subn(r" \1 ", text)
            if not unwrapped:
                break
        text = _SPACING.sub(" ", text)
    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
    return _TIMES_TEN.sub("*", " ".join(text.split()))


def _ungrouped(number: str) -> str:
    if " " in number:
        whole, mark, decimals = number.partition("." if "." in number else ",")
        if _THOUSANDS.fullmatch(whole) and " " not in decimals:
            return _ungrouped(whole.replace(" ", "") + mark + decimals)
        return " ".join(map(_ungrouped, number.split(" ")))
    marks = {mark for mark in number if mark in ".,'"}
    if len(marks) == 1 and (_THOUSANDS.fullmatch(number) or _LAKHS.fullmatch(number)) and number.count(".") != 1:
        return number.replace(marks.pop(), "")
    if len(marks) == 2:
        last = max(number.rfind("."), number.rfind(","))
        whole, decimals = number[:last], number[last + 1 :]
        if _THOUSANDS.fullmatch(whole) or _LAKHS.fullmatch(whole):
            return re.sub("[.,']", "", whole) + "." + decimals
    return number.replace(",", ".") if number.count(",") == 1 and "." not in number else number


def ungrouped(text: str) -> str:
    """Plain text whose numbers have no thousands separators and a point before the decimals; mixed numbers as sums.

    `1,200.50`, `1.200,50` and `1 200,50` are one number; a lone comma before other than three digits is a decimal comma,
    a lone point is always a decimal point.
    """
    text = _MIXED.sub(r"(\1+\2/\3)", text)
    return _GROUPED.sub(lambda number: _ungrouped(number[0]), text)
