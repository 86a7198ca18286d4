"""Runs alone in a child process: PDF on standard input, JSON on standard output.

Started by `pdf.py` as a plain script, so that a hostile file can at worst kill this process. It imports nothing of
the package, and puts limits on itself before it parses a byte.
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any


def limit(memory_bytes: int, cpu_seconds: int) -> None:
    """Cap address space and processor time of this process, where the system can."""
    try:
        import resource
    except ImportError:
        return
    for kind, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
    ):
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):
            continue  # macOS refuses RLIMIT_AS; the parent's clock still holds


def read(data: bytes, max_pages: int) -> dict[str, object]:
    """`{text, title, date, pages, read}` or `{reason, detail}`."""
    import logging

    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            return {
                "reason": "encrypted",
                "detail": "the PDF is encrypted and needs a password",
            }
        pages = len(reader.pages)
        texts: list[str] = []
        broken = 0
        for number in range(min(pages, max_pages)):
            try:
                texts.append(reader.pages[number].extract_text().strip())
            except (
                MemoryError,
                RecursionError,
                FileNotDecryptedError,
                DependencyError,
            ):
                raise
            except Exception:
                broken += 1
        title, date = _told(reader, "/Title"), _told(reader, "/CreationDate")
    except (FileNotDecryptedError, DependencyError):
        return {
            "reason": "encrypted",
            "detail": "the PDF is encrypted and needs a password",
        }
    except MemoryError:
        return {
            "reason": "memory",
            "detail": "the PDF needs more memory than one file may take",
        }
    except Exception as error:
        return {
            "reason": "broken",
            "detail": f"broken PDF ({type(error).__name__}: {str(error)[:120]})",
        }
    text = "\n\n".join(part for part in texts if part)
    if not text:
        if pages and broken == min(pages, max_pages):
            return {"reason": "broken", "detail": "broken PDF: no page could be read"}
        return {
            "reason": "no_text",
            "detail": "the PDF holds no text, only images or empty pages",
        }
    return {"text": text, "title": title, "date": date, "pages": pages, "read": len(texts)}


def _told(reader: Any, name: str) -> str:
    """A field of the document's own account of itself; empty without one."""
    try:
        return str((reader.metadata or {}).get(name) or "")
    except Exception:
        return ""


def main() -> None:
    """Arguments: memory limit in bytes, processor seconds, pages."""
    memory_bytes, cpu_seconds, max_pages = map(int, sys.argv[1:4])
    limit(memory_bytes, cpu_seconds)
    out = sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever a library prints must not get between parent and answer
    try:
        answer = read(sys.stdin.buffer.read(), max_pages)
    except MemoryError:
        answer = {
            "reason": "memory",
            "detail": "the PDF needs more memory than one file may take",
        }
    out.write(json.dumps(answer).encode("ascii"))
    out.flush()


if __name__ == "__main__":
    main()
