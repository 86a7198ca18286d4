"""Which side of a split a row is on: whole families together, by hash, so that a dataset that grows keeps its sides.

Families that hold the same instruction (up to case, script variants, white space and punctuation) are one family. A family's
place is a hash of its name and the seed, a number in [0, 1); the sides own stretches of that line, in the order and as long as
their shares say. A family too large for the shortest stretch is put into the longest. Where families are few or uneven, a
boundary that would miss its share by more than a third moves to the nearest family that mends it. With many families none
moves, and then no row ever changes its side however many are added.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.words import same_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LINE = float(2**64)


def parse_shares(text: str) -> dict[str, float]:
    """`train=0.9,test=0.1` as a dictionary, in order. Raises UsageError for anything else, or shares that do not sum to 1."""
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        try:
            share = float(number)
        except ValueError:
            share = math.nan
        if not equals or not name.isidentifier() or not 0 < share <= 1:
            raise UsageError(
                f"--split: {part.strip()!r} is not name=share with a share above 0; say train=0.9,test=0.1."
            )
        if name in shares:
            raise UsageError(f"--split names {name!r} twice; give each side once, as in train=0.9,test=0.1.")
        shares[name] = share
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise UsageError(f"--split: the shares sum to {sum(shares.values()):g}, not to 1; say train=0.9,test=0.1.")
    return shares


def _place(seed: int, family: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(f"{seed}\0{family}".encode("utf-8", "replace"), digest_size=8).digest(), "big"
    )


def _content(instruction: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(same_text(instruction).encode("utf-8", "replace"), digest_size=8).digest(), "big"
    )


class Sides:
    """The side of every family. Made by `assign`."""

    def __init__(
        self, names: Sequence[str], seed: int, places: NDArray[np.uint64], sides: NDArray[np.uint8], rows: Sequence[int]
    ) -> None:
        self._names = list(names)
        self._seed = seed
        self._places = places
        self._sides = sides
        self.rows = dict(zip(names, rows, strict=True))
        """Rows on each side."""

    def __call__(self, family: str) -> str:
        """The side of `family`. Raises KeyError for a family that was not assigned."""
        place = _place(self._seed, family)
        at = int(self._places.searchsorted(place))
        if at == len(self._places) or int(self._places[at]) != place:
            raise KeyError(family)
        return self._names[int(self._sides[at])]


def assign(rows: Iterable[tuple[str, str]], shares: Mapping[str, float], seed: int = 0) -> Sides:
    """Give every family a side. `rows` are (family, instruction) pairs in any order; 16 bytes are held for each.

    Raises UsageError when there are fewer families than sides.
    """
    import numpy as np

    family_places, contents = array("Q"), array("Q")
    for family, instruction in rows:
        family_places.append(_place(seed, family))
        contents.append(_content(instruction))
    places, member, sizes = np.unique(
        np.frombuffer(family_places, dtype=np.uint64), return_inverse=True, return_counts=True
    )
    group = _joined(member, np.frombuffer(contents, dtype=np.uint64), len(places))
    # `places` is sorted and a group is named by its first member, so groups come in the order of their places.
    first, of_place = np.unique(group, return_inverse=True)
    weights = np.bincount(of_place, weights=sizes, minlength=len(first)).astype(np.float64)
    if len(first) < len(shares):
        found = "1 family" if len(first) == 1 else f"{len(first)} families"
        raise UsageError(
            f"{len(member)} rows in {found} cannot be split into {', '.join(shares)}: the rows of one family (a seed and "
            "what was made of it, or one keyword) stay together. Export without --split."
        )
    line = _settled(places[first] / _LINE, weights, list(shares.values()))
    order = np.argsort(line, kind="stable")
    bounds = _bounds(line[order], weights[order], list(shares.values()))
    sides = np.empty(len(first), dtype=np.uint8)
    sides[order] = np.searchsorted(bounds, np.arange(len(first)), side="right")
    held = np.bincount(sides, weights=weights, minlength=len(shares))
    return Sides(list(shares), seed, places, sides[of_place], [int(count) for count in held])


def _joined(member: NDArray[np.intp], contents: NDArray[np.uint64], families: int) -> NDArray[np.intp]:
    """The smallest family that each family is joined to through equal contents. Shape (families,)."""
    import numpy as np

    order = np.argsort(contents, kind="stable")
    same = contents[order][1:] == contents[order][:-1]
    left, right = member[order][:-1][same], member[order][1:][same]
    leader = list(range(families))

    def root(at: int) -> int:
        while leader[at] != at:
            leader[at] = leader[leader[at]]
            at = leader[at]
        return at

    for one, other in zip(left.tolist(), right.tolist(), strict=True):
        low, high = sorted((root(one), root(other)))
        leader[high] = low
    return np.array([root(at) for at in range(families)], dtype=np.intp)


def _settled(places: NDArray[np.float64], weights: NDArray[np.float64], shares: Sequence[float]) -> NDArray[np.float64]:
    """The `places`, but families too large for the shortest stretch stand, in their order, in the middle of the longest."""
    import numpy as np

    longest = max(range(len(shares)), key=lambda side: shares[side])
    large = weights / weights.sum() > min(shares) * 4 / 3
    middle = sum(shares[:longest]) + shares[longest] / 2
    return np.where(large, middle + places * 1e-9, places)


def _bounds(places: NDArray[np.float64], weights: NDArray[np.float64], shares: Sequence[float]) -> list[int]:
    """Where each side but the first begins in the ascending `places`: indices, ascending, each side at least one long."""
    import numpy as np

    before = np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum()
    bounds: list[int] = []
    cut = 0.0
    for side in range(1, len(shares)):
        cut += shares[side - 1]
        slack = min(shares[side - 1], shares[side]) / 3
        low, high = (bounds[-1] if bounds else 0) + 1, len(places) - (len(shares) - side)
        natural = min(max(int(np.searchsorted(places, cut)), low), high)
        bounds.append(_mended(before, natural, cut, slack, low, high))
    return bounds


def _mended(before: NDArray[np.float64], natural: int, cut: float, slack: float, low: int, high: int) -> int:
    """The index nearest to `natural` with a share of rows before it within `slack` of `cut`; failing that, the nearest share."""
    import numpy as np

    off = np.abs(before[low : high + 1] - cut)
    fitting = np.flatnonzero(off <= slack)
    if not len(fitting):
        return low + int(off.argmin())
    return low + int(fitting[np.abs(fitting + low - natural).argmin()])
