"""Fetching pages of the web safely: what is checked is what is dialled, and every limit holds while bytes arrive."""

from __future__ import annotations

from .fetcher import SafeFetcher
from .result import FetchedPage, Unfetched
from .urls import BadUrl, canonical_url, is_web, parse_url

__all__ = ["BadUrl", "FetchedPage", "SafeFetcher", "Unfetched", "canonical_url", "is_web", "parse_url"]
