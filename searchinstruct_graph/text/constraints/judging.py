"""Whether a source is inside a constraint, by what is known of it."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlsplit

from searchinstruct_graph.text.dates import days_of
from searchinstruct_graph.text.words import words

from .lexicon import ENDINGS, FAR_FUTURE, FAR_PAST, TYPES, listed
from .parts import Constraint, Facts, Verdict


def judged(constraint: Constraint, facts: Facts) -> Verdict:
    """Whether a source is inside what is asked, outside of it, or its metadata do not say."""
    found = _CHECKS[constraint.kind](constraint.values, facts)
    if found is None:
        return "unknown"
    return "inside" if found != constraint.denied else "outside"


def _in_days(values: tuple[str, ...], facts: Facts) -> bool | None:
    days = days_of(facts.published)
    if days is None:
        return None
    first = date.fromisoformat(values[0]) if values[0] else FAR_PAST
    last = date.fromisoformat(values[1]) if values[1] else FAR_FUTURE
    if first <= days.first and days.last <= last:
        return True
    return False if days.last < first or days.first > last else None


def _at_hosts(values: tuple[str, ...], facts: Facts) -> bool | None:
    uri = facts.url or facts.uri
    if uri.lower().startswith(("http://", "https://")):
        try:
            host = (urlsplit(uri).hostname or "").removeprefix("www.")
        except ValueError:
            return None
        return any(host == each or host.endswith(f".{each}") for each in values)
    # A mirror of a site lies in a folder of its name.
    folders = uri.lower().split("/")[:-1]
    return True if any(each in folders for each in values) else None


def _under(values: tuple[str, ...], facts: Facts) -> bool | None:
    path = facts.uri.partition("#")[0].lower()
    return any(path.startswith(each.lower()) or f"/{each.lower()}" in path for each in values)


def _of_type(values: tuple[str, ...], facts: Facts) -> bool | None:
    uri = facts.uri
    if web := uri.lower().startswith(("http://", "https://")):
        try:
            uri = urlsplit(uri).path
        except ValueError:
            return None
    path = uri.partition("#")[0].lower()
    if path.endswith(tuple(ending for each in values for ending in TYPES[each])):
        return True
    # A page of the web without an ending may be anything.
    return False if path.endswith(ENDINGS) or not web else None


def _speaks(values: tuple[str, ...], facts: Facts) -> bool | None:
    if facts.language in values:
        return True
    # Some hundred characters do not tell these apart for sure.
    kin = any(facts.language in alike and not alike.isdisjoint(values) for alike in _KIN)
    return None if kin or not facts.language else False


_KIN = tuple(map(listed, ("da no sv", "hr bs sr", "id ms", "pt gl es ca", "cs sk", "ru uk be bg", "fa ur")))


def _as_long(values: tuple[str, ...], facts: Facts) -> bool | None:
    if not facts.text:
        return None
    count = len(words(facts.text))
    return (not values[0] or count >= int(values[0])) and (not values[1] or count <= int(values[1]))


_CHECKS = {
    "date": _in_days,
    "host": _at_hosts,
    "path": _under,
    "type": _of_type,
    "language": _speaks,
    "length": _as_long,
}
