"""Triplets, the rows that an encoder is trained on, and the batches they come in.

A triplet is a query and an instruction with the passage that fits both, a poisoned query, a poisoned instruction, and a
passage for each of them. It gives three rows, each of them right for itself and wrong for its siblings:

    (Q⁺, I⁺) → P⁺        (Q⁺, I⁻) → HN₁        (Q⁻, I⁺) → HN₂

Siblings stay in one batch, where they are each other's hardest negatives, and on one side of a split. Everything drawn depends
on a seed and a position alone, so that a training that was killed goes on with the same batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.words import same_text

Indices = NDArray[np.int64]


class Triplet(NamedTuple):
    """One example, under the field names that InF-IR was published with."""

    query_positive: str
    instruction_positive: str
    document_positive: str
    query_negative: str
    instruction_negative: str
    hard_negative_document_1: str
    """Fits the query and the poisoned instruction."""
    hard_negative_document_2: str
    """Fits the poisoned query and the instruction."""

    @property
    def hard_negatives(self) -> tuple[str, str]:
        """Both passages that are wrong for the query with its instruction."""
        return self.hard_negative_document_1, self.hard_negative_document_2


class Row(NamedTuple):
    """What one line of a batch contrasts."""

    query: str
    instruction: str
    """"" for a plain row."""
    passage: str


def read_triplets(records: Iterable[Mapping[str, Any]]) -> list[Triplet]:
    """Triplets of records with the published field names; see `triplet_of`."""
    return [triplet_of(record, f"triplet {number}") for number, record in enumerate(records, 1)]


def triplet_of(record: Mapping[str, Any], where: str) -> Triplet:
    """The triplet of a record with the published field names; `document` is taken for `document_positive`. Others are left.

    Raises:
        UsageError: a field is missing, blank or no text, or two of the three passages are one; the message begins with `where`.
    """
    given = {"document_positive": record.get("document"), **record}
    texts = []
    for name in Triplet._fields:
        value = given.get(name)
        if not isinstance(value, str) or not value.strip():
            raise UsageError(
                f"{where}: {name} is {'no text' if _other(value) else 'missing or blank'}; "
                f"a triplet has {', '.join(Triplet._fields)}"
            )
        texts.append(value.strip())
    triplet = Triplet(*texts)
    if len({triplet.document_positive, *triplet.hard_negatives}) < 3:
        raise UsageError(f"{where}: two of its three passages are the same; none can be a negative of itself")
    return triplet


def _other(value: Any) -> bool:
    return value is not None and not isinstance(value, str)


def training_rows(triplet: Triplet) -> tuple[Row, Row, Row]:
    """The three rows of an example, the one with the right query and instruction first."""
    return (
        Row(triplet.query_positive, triplet.instruction_positive, triplet.document_positive),
        Row(triplet.query_positive, triplet.instruction_negative, triplet.hard_negative_document_1),
        Row(triplet.query_negative, triplet.instruction_positive, triplet.hard_negative_document_2),
    )


def numbered(texts: Sequence[str]) -> tuple[list[str], list[int]]:
    """The distinct `texts` in the order of first appearance, and the number of each text among them."""
    known: dict[str, int] = {}
    numbers = [known.setdefault(text, len(known)) for text in texts]
    return list(known), numbers


def families_of(triplets: Sequence[Triplet], names: Sequence[str] | None = None) -> list[str]:
    """What each triplet stays together with: one name for those with the same query, up to case and punctuation, or the same
    name in `names` (a disease, a page), or a chain of such.

    Raises:
        UsageError: `names` of another length.
    """
    if names is not None and len(names) != len(triplets):
        raise UsageError(f"{len(triplets)} triplets, but {len(names)} families; give each triplet one")
    keys = [[same_text(each.query_positive)] for each in triplets]
    for own, name in zip(keys, names or (), strict=names is not None):
        own.append("\0" + name)
    leader = _joined(keys)
    return [leader[own[0]] for own in keys]


class Split(NamedTuple):
    """Triplets to train on, and triplets held out; in the order in which they came."""

    train: list[Triplet]
    held: list[Triplet]
    dropped: int
    """Triplets on neither side, because their poisoned query is one that is held out."""


def split_triplets(
    triplets: Sequence[Triplet], share: float = 0.1, *, seed: int = 0, families: Sequence[str] | None = None
) -> Split:
    """Hold out about `share` of the triplets, by query.

    Families (`families_of`) are held out in the order of a hash of seed and query as long as they fit, so a family larger than
    what is wanted is trained on. A triplet to be trained on whose poisoned query is held out is dropped: it would show which
    passage fits that query.

    Raises:
        UsageError: a share outside 0 to 1, families of another length, or nothing left to train on or to hold out.
    """
    if not 0 < share < 1:
        raise UsageError(f"held-out share: must lie between 0 and 1, not {share}")
    members: dict[str, list[int]] = {}
    for at, name in enumerate(families_of(triplets, families)):
        members.setdefault(name, []).append(at)
    room = round(share * len(triplets))
    held: set[int] = set()
    for family in sorted(members, key=lambda name: _place(seed, name)):
        if len(members[family]) <= room - len(held):
            held.update(members[family])
    hidden = {same_text(triplets[at].query_positive) for at in held}
    train = [
        each for at, each in enumerate(triplets) if at not in held and same_text(each.query_negative) not in hidden
    ]
    if not held or not train:
        raise UsageError(
            f"{len(triplets)} triplets in {len(members)} families of queries cannot be split with a held-out share of "
            f"{share}: families stay together; bring more queries, or another share"
        )
    return Split(train, [triplets[at] for at in sorted(held)], len(triplets) - len(held) - len(train))


class PlainSplit(NamedTuple):
    """Plain rows to train on, and plain rows held out."""

    train: list[tuple[str, str]]
    held: list[tuple[str, str]]
    dropped: int
    """Rows on neither side: their query is one of the triplets that are held out."""


def split_plain(
    pairs: Sequence[tuple[str, str]], split: Split, share: float, *, seed: int = 0, most: int = 1_000
) -> PlainSplit:
    """Hold out about `share` of the queries of plain (query, passage) `pairs`, at most `most`, beside triplets that are split.

    Queries of the triplets held out, right or poisoned, come first, since they must not be trained on; those of triplets that
    are trained on are never held out. The others come in the order of a hash of seed and query.
    """
    hidden, shown = (
        {same_text(query) for each in side for query in (each.query_positive, each.query_negative)}
        for side in (split.held, split.train)
    )
    keys = [same_text(query) for query, _ in pairs]
    distinct = set(keys)
    room = min(most, round(share * len(distinct)))
    candidates = sorted(distinct - shown, key=lambda key: (key not in hidden, _place(seed, key)))
    held = set(candidates[:room])
    train = [pair for pair, key in zip(pairs, keys, strict=True) if key not in held and key not in hidden - shown]
    tested = [pair for pair, key in zip(pairs, keys, strict=True) if key in held]
    return PlainSplit(train, tested, len(pairs) - len(train) - len(tested))


def _joined(keys: Sequence[Sequence[str]]) -> dict[str, str]:
    """The smallest key that each key is joined to by standing in one list with it."""
    leader: dict[str, str] = {key: key for own in keys for key in own}

    def root(key: str) -> str:
        while leader[key] != key:
            leader[key] = leader[leader[key]]
            key = leader[key]
        return key

    for own in keys:
        for key in own[1:]:
            low, high = sorted((root(own[0]), root(key)))
            leader[high] = low
    return {key: root(key) for key in leader}


def _place(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{name}".encode("utf-8", "replace"), digest_size=8).digest()


def without_instructions(triplets: Sequence[Triplet]) -> list[Triplet]:
    """The control that asks what the instructions are worth: the same triplets, every instruction blank."""
    return [each._replace(instruction_positive="", instruction_negative="") for each in triplets]


def shuffled_instructions(triplets: Sequence[Triplet], seed: int = 0) -> list[Triplet]:
    """The control that asks whether they are read: each triplet gets both instructions of another one.

    Raises:
        UsageError: fewer than two triplets.
    """
    if len(triplets) < 2:
        raise UsageError("instructions can be shuffled among 2 triplets or more")
    order = np.random.default_rng(seed).permutation(len(triplets))
    # Everyone takes from the next in a random circle, so nobody keeps their own.
    giver = dict(zip(order.tolist(), np.roll(order, -1).tolist(), strict=True))
    return [
        each._replace(
            instruction_positive=triplets[giver[at]].instruction_positive,
            instruction_negative=triplets[giver[at]].instruction_negative,
        )
        for at, each in enumerate(triplets)
    ]


class Batch(NamedTuple):
    """Rows that meet one another."""

    rows: list[Row]
    """Three a triplet, siblings side by side, then the plain ones."""
    example: Indices
    """(B,): the place of each row's triplet in the batch; −1 for a plain row."""


def batch_count(triplets: int, size: int) -> int:
    """Batches an epoch, of `size` triplets each, the last one maybe smaller."""
    return -(-triplets // size)


def batch(
    triplets: Sequence[Triplet],
    plain: Sequence[tuple[str, str]],
    step: int,
    *,
    size: int,
    ratio: float = 0.0,
    seed: int = 0,
) -> Batch:
    """The batch of a `step`, counted from 0 through all epochs: `size` triplets, and `ratio` plain rows for each of their rows.

    `plain`: queries with their passages, without an instruction. Triplets are shuffled anew every epoch; plain ones go round in
    an order of their own, shuffled anew every time they begin again.
    """
    epoch, place = divmod(step, batch_count(len(triplets), size))
    order = np.random.default_rng([seed, 0, epoch]).permutation(len(triplets))
    chosen = order[place * size : (place + 1) * size]
    rows = [row for at in chosen for row in training_rows(triplets[at])]
    example = np.repeat(np.arange(len(chosen), dtype=np.int64), 3)
    wanted = round(ratio * 3 * size) if plain else 0
    rows += [Row(plain[at][0], "", plain[at][1]) for at in _round(len(plain), step * wanted, wanted, seed)]
    return Batch(rows, np.concatenate([example, np.full(len(rows) - len(example), -1, dtype=np.int64)]))


def _round(count: int, start: int, wanted: int, seed: int) -> list[int]:
    """`wanted` places from `start` on of an endless line of shuffled rounds through `count`."""
    found: list[int] = []
    while len(found) < wanted:
        circle, at = divmod(start + len(found), count)
        order = np.random.default_rng([seed, 1, circle]).permutation(count)
        found.extend(order[at : at + wanted - len(found)].tolist())
    return found
