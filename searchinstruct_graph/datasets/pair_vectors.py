"""Vectors as a ledger keeps them: float16, row after row, as bytes in a table or as base64 in a fact."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


def packed(vectors: Vectors) -> bytes:
    """Vectors as the ledger keeps them."""
    import numpy as np

    return vectors.astype(np.float16).tobytes()


def unpacked(kept: bytes, dimensions: int) -> Vectors:
    """Vectors out of the ledger, shape (n, dimensions)."""
    import numpy as np

    return np.frombuffer(kept, dtype=np.float16).reshape(-1, dimensions).astype(np.float32)


def as_fact(vectors: Vectors) -> dict[str, Any]:
    """Vectors as a fact of the run."""
    kept = base64.b64encode(packed(vectors)).decode("ascii")
    return {"dimensions": vectors.shape[1], "vectors": kept, "count": len(vectors)}


def from_fact(kept: Any) -> Vectors:
    """The vectors that `as_fact` has kept. Raises UsageError for what it has not."""
    try:
        return unpacked(base64.b64decode(kept["vectors"], validate=True), kept["dimensions"])
    except (binascii.Error, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"the run's fact `target` cannot be read ({error}); try: searchinstruct doctor") from error
