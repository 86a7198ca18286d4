"""Addresses in running text."""

from __future__ import annotations

import pytest

from searchinstruct_graph.text.urls import urls_in


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("see https://en.example/wiki/Rust_(language).", "https://en.example/wiki/Rust_(language)"),
        ("(see https://a.example/x)", "https://a.example/x"),
        ("**https://a.example/x**", "https://a.example/x"),
        ("`https://a.example/x`, then", "https://a.example/x"),
    ],
)
def test_a_bracket_that_an_address_opens_belongs_to_it(text: str, url: str) -> None:
    assert urls_in(text) == [url]
