"""Small exact algebra: fractions, roots, π, letters. A recursive descent over tokens; nothing is ever evaluated as code.

A value is a sum of terms. A term is a rational coefficient and a product of atoms with rational exponents; an atom is a
prime under a root (`3` in √3), π, or a variable. Two expressions that expand to the same sum are equal.
"""

from __future__ import annotations

import re
from fractions import Fraction

Product = tuple[tuple[str, Fraction], ...]
Value = tuple[tuple[Product, Fraction], ...]
"""The sum in one order: ((atom, exponent), ...) and its coefficient, for each term; zero is empty."""

LENGTH, DEPTH, TERMS, POWER, BITS, RADICAND = 300, 20, 40, 400, 4_000, 10**9
"""Limits on characters, nesting, terms of a sum, exponents, bits of a coefficient, and numbers that are factorised."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,4}(?![\d.]))?)"
    r"|(?P<command>\\[a-zA-Z]+)|(?P<letters>[^\W\d_]+)|(?P<sign>\*\*|[-+*/^(){}\[\]]))"
)
_CLOSING = {"(": ")", "{": "}", "[": "]"}


class Unreadable(ValueError):
    """Not an expression of this algebra, or beyond its limits."""


def constant(number: Fraction | int) -> Value:
    """A rational number as a value."""
    return (((), Fraction(number)),) if number else ()


def rational(value: Value) -> Fraction | None:
    """The number that `value` is, when it is a rational one."""
    if not value:
        return Fraction(0)
    return value[0][1] if len(value) == 1 and not value[0][0] else None


def scaled(value: Value, factor: Fraction) -> Value:
    """`value` times a rational factor other than zero."""
    return tuple((product, coefficient * factor) for product, coefficient in value)


def _summed(terms: list[tuple[Product, Fraction]]) -> Value:
    total: dict[Product, Fraction] = {}
    for product, coefficient in terms:
        total[product] = total.get(product, Fraction(0)) + coefficient
    kept = sorted((product, coefficient) for product, coefficient in total.items() if coefficient)
    if len(kept) > TERMS or any(c.numerator.bit_length() + c.denominator.bit_length() > BITS for _, c in kept):
        raise Unreadable("too large")
    return tuple(kept)


def _joined(one: Product, other: Product) -> tuple[Product, Fraction]:
    exponents = dict(one)
    for atom, exponent in other:
        exponents[atom] = exponents.get(atom, Fraction(0)) + exponent
    factor = Fraction(1)
    for atom, exponent in exponents.items():
        if atom.isdecimal():  # whole powers of a prime leave the root
            whole = exponent.numerator // exponent.denominator
            factor *= Fraction(int(atom)) ** whole
            exponents[atom] = exponent - whole
        elif abs(exponent) > POWER:
            raise Unreadable("exponent too large")
    return tuple(sorted((atom, exponent) for atom, exponent in exponents.items() if exponent)), factor


def _times(one: Value, other: Value) -> Value:
    if len(one) * len(other) > TERMS * TERMS:
        raise Unreadable("too large")
    terms: list[tuple[Product, Fraction]] = []
    for left, a in one:
        for right, b in other:
            product, factor = _joined(left, right)
            terms.append((product, a * b * factor))
    return _summed(terms)


def _inverse(value: Value) -> Value:
    if len(value) == 2:  # 1/(1+√2) by its conjugate
        conjugate = (value[0], (value[1][0], -value[1][1]))
        if norm := rational(_times(value, conjugate)):
            return scaled(conjugate, 1 / norm)
    if len(value) != 1:
        raise Unreadable("division by zero or by a sum")
    product, coefficient = value[0]
    turned, factor = _joined((), tuple((atom, -exponent) for atom, exponent in product))
    return ((turned, factor / coefficient),)


def _primes(number: int) -> dict[int, int]:
    found: dict[int, int] = {}
    divisor = 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            found[divisor] = found.get(divisor, 0) + 1
            number //= divisor
        divisor += 1 if divisor == 2 else 2
    if number > 1:
        found[number] = found.get(number, 0) + 1
    return found


def _root(value: Value, degree: int) -> Value:
    number = rational(value)
    if number is None or not 2 <= degree <= 12:
        raise Unreadable("root of a sum")
    if number < 0:
        if degree % 2 == 0:
            raise Unreadable("even root of a negative number")
        return scaled(_root(constant(-number), degree), Fraction(-1))
    under = number.numerator * number.denominator ** (degree - 1)
    if under > RADICAND:
        raise Unreadable("too large")
    outside, inside = Fraction(1, number.denominator), []
    for prime, power in _primes(under).items():
        outside *= prime ** (power // degree)
        if power % degree:
            inside.append((str(prime), Fraction(power % degree, degree)))
    return ((tuple(sorted(inside)), outside),) if under else ()


def _power(value: Value, exponent: Value) -> Value:
    number = rational(exponent)
    if number is None or abs(number.numerator) > POWER:
        raise Unreadable("exponent")
    base = _root(value, number.denominator) if number.denominator > 1 else value
    if number < 0:
        base = _inverse(base)
    result = constant(1)
    for _ in range(abs(number.numerator)):
        result = _times(result, base)
    return result


class _Parser:
    def __init__(self, text: str, variables: bool) -> None:
        if len(text) > LENGTH:
            raise Unreadable("too long")
        self.tokens: list[str] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise Unreadable(f"at {at}")
            self.tokens.append(found[0].strip())
            at = found.end()
        self.variables = variables
        self.at = 0
        self.depth = 0

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        if not token or (wanted and token != wanted):
            raise Unreadable(f"{token!r} where {wanted or 'more'!r} was expected")
        self.at += 1
        return token

    def sum(self) -> Value:
        self.depth += 1
        if self.depth > DEPTH:
            raise Unreadable("too deep")
        sign = Fraction(-1 if self.take_sign() == "-" else 1)
        total = scaled(self.product(), sign)
        while self.peek() in ("+", "-"):
            sign = Fraction(-1 if self.take() == "-" else 1)
            total = _summed([*total, *scaled(self.product(), sign)])
        self.depth -= 1
        return total

    def take_sign(self) -> str:
        return self.take() if self.peek() in ("+", "-") else ""

    def product(self) -> Value:
        result = self.mixed() or self.factor()
        while (ahead := self.peek()) and ahead not in ("+", "-", ")", "}", "]"):
            if ahead == "/":
                self.take()
                result = _times(result, _inverse(self.factor()))
                continue
            if ahead == "*":
                self.take()
            elif ahead[0].isdigit() or ahead[0] == ".":
                raise Unreadable("two numbers side by side")
            result = _times(result, self.factor())
        return result

    def mixed(self) -> Value | None:
        r"""`2\frac{1}{2}`: nobody means a product by that."""
        pattern = [self.peek(n) for n in range(8)]
        if not (pattern[0].isdigit() and pattern[1:3] == ["\\frac", "{"] and pattern[4:6] == ["}", "{"]):
            return None
        if not (
            pattern[3].isdigit() and pattern[6].isdigit() and pattern[7] == "}" and int(pattern[3]) < int(pattern[6])
        ):
            return None
        self.at += 8
        return constant(int(pattern[0]) + Fraction(int(pattern[3]), int(pattern[6])))

    def factor(self) -> Value:
        if self.peek() in ("+", "-"):
            return scaled(self.factor(), Fraction(-1)) if self.take() == "-" else self.factor()
        base = self.base()
        while self.peek() in ("^", "**"):
            self.take()
            sign = Fraction(-1 if self.take_sign() == "-" else 1)
            base = _power(base, scaled(self.base(), sign))
        return base

    def base(self) -> Value:
        head = self.take()
        if head[0].isdigit() or head[0] == ".":
            mantissa, _, exponent = head.lower().partition("e")
            if abs(int(exponent or 0)) > POWER:
                raise Unreadable("exponent too large")
            return constant(Fraction(mantissa) * Fraction(10) ** int(exponent or 0))
        if head in _CLOSING:
            inner = self.sum()
            self.take(_CLOSING[head])
            return inner
        if head == "\\frac":
            above = self.base()
            return _times(above, _inverse(self.base()))
        if head == "\\sqrt":
            degree = 2
            if self.peek() == "[":
                self.take()
                if not (index := self.take()).isdigit() or len(index) > 2:
                    raise Unreadable("degree of a root")
                degree = int(index)
                self.take("]")
            return _root(self.base(), degree)
        if head == "π" or (self.variables and len(head) == 1 and head.isalpha()):
            return ((((head, Fraction(1)),), Fraction(1)),)
        raise Unreadable(head)


def expression(text: str, variables: bool = False) -> Value | None:
    """The value of plain, ungrouped `text`; None when it is not an expression. Letters are variables when `variables`."""
    try:
        parser = _Parser(text, variables)
        value = parser.sum()
    except (Unreadable, RecursionError, ZeroDivisionError):
        return None
    return value if parser.at == len(parser.tokens) else None
