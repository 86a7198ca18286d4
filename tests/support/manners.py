"""Triplets about places, each in one of several manners; the instruction names a manner with a word that no passage holds."""

from __future__ import annotations

from collections.abc import Sequence

from searchinstruct_graph.retriever.rows import Triplet

THINGS = "bridge castle harbour museum garden tower market theatre".split()
MANNERS = {
    "granite": "built of hard grey rock and boulders",
    "timber": "built of oak logs and planks",
    "music": "known for concerts and singing",
    "birds": "home to herons and swallows",
    "flood": "damaged when the river rose over its banks",
}


def page(thing: str, manner: str) -> str:
    """What is said of a thing in a manner."""
    return f"The {thing} is {MANNERS[manner]}."


def manners(things: Sequence[str] = THINGS) -> list[Triplet]:
    """A triplet for each of the things in each manner; the poisoned query is another thing, now and then one of `things`."""
    found, names = [], list(MANNERS)
    for at, thing in enumerate(THINGS):
        for turn, manner in enumerate(names):
            other_manner, other_thing = names[(turn + 2) % len(names)], THINGS[(at + turn + 1) % len(THINGS)]
            if thing in things:
                found.append(
                    Triplet(
                        thing,
                        f"only {manner}",
                        page(thing, manner),
                        other_thing,
                        f"only {other_manner}",
                        page(thing, other_manner),
                        page(other_thing, manner),
                    )
                )
    return found
