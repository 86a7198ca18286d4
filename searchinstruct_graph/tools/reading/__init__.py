"""From bytes to readable text: plain text in any encoding, HTML without its furniture, PDF in a child process.

Every reader takes bytes and hints and returns a `Reading`, or an `Unreadable` that says why there is none.
"""

from __future__ import annotations

from .decoding import decode_text
from .document import Document
from .html import read_html
from .pdf import read_pdf
from .result import Reading, Unreadable

__all__ = ["Document", "Reading", "Unreadable", "decode_text", "read_html", "read_pdf"]
