"""When a page of HTML says that it was published: in its `meta` elements, its JSON-LD, or a `time` element marked as such."""

from __future__ import annotations

import re

from searchinstruct_graph.text.dates import iso_date

_NAMES = frozenset(
    """article:published_time og:published_time og:article:published_time datepublished date pubdate publishdate publish-date
    publish_date publication_date publication-date date.published dc.date dc.date.issued dc.date.created dcterms.date
    dcterms.issued dcterms.created citation_publication_date citation_date citation_online_date prism.publicationdate
    parsely-pub-date sailthru.date article.published bepress_citation_date""".split()
)
# Bounded, and never over another tag, so that no page can make them slow.
_META = re.compile(r"<meta\b([^<>]{0,1000})>", re.IGNORECASE)
_TIME = re.compile(r"<time\b([^<>]{0,500})>", re.IGNORECASE)
_NAME = re.compile(r"""\b(?:name|property|itemprop)\s{0,5}=\s{0,5}["']?([\w:.-]{1,60})""", re.IGNORECASE)
_CONTENT = re.compile(r"""\b(?:content|datetime)\s{0,5}=\s{0,5}["']([^"'<>]{4,100})["']""", re.IGNORECASE)
_PUBDATE = re.compile(r"\bpubdate\b", re.IGNORECASE)
_LINKED_DATA = re.compile(r'"datePublished"\s{0,20}:\s{0,20}"([^"<>]{4,100})"')
_LONGEST = 2_000_000


def published_in(markup: str) -> str:
    """The date of publication that a page gives, as `iso_date` writes it; empty when it gives none that can be read."""
    page = markup[:_LONGEST]
    told = [_given(found[1]) for found in _META.finditer(page)]
    told += [found[1] for found in _LINKED_DATA.finditer(page)]
    told += [_given(found[1], _PUBDATE.search(found[1]) is not None) for found in _TIME.finditer(page)]
    return next((day for day in map(iso_date, filter(None, told)) if day), "")


def _given(attributes: str, marked: bool = False) -> str:
    name, content = _NAME.search(attributes), _CONTENT.search(attributes)
    return content[1] if content and (marked or (name and name[1].lower() in _NAMES)) else ""
