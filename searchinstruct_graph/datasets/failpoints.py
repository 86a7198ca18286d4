"""Places where a run may be killed on purpose: what the tests of `kill -9` aim at.

A child process is armed by the environment (`SEARCHINSTRUCT_FAILPOINT=name` or `name:3` for the third passage); without
it a failpoint costs one comparison.
"""

from __future__ import annotations

import os
import signal

VARIABLE = "SEARCHINSTRUCT_FAILPOINT"

FAILPOINTS = (
    "call.before",
    "call.answered",
    "call.saved",
    "wave.before",
    "wave.committed",
    "answer.before",
    "answer.committed",
    "accept.before",
    "accept.committed",
    "pull.before",
    "pull.committed",
    "clusters.committed",
    "fact.before",
    "fact.committed",
    "triplet.before",
    "triplet.committed",
    "evaluated.committed",
    "export.half",
    "export.written",
    "export.renamed",
)
"""Every name that `failpoint` is called with, in the order in which a run meets them: `wave` to `accept` are a build's,
`pull` and `clusters` an extraction's, `fact` an edit set's, `triplet` a triplets run's, `evaluated` an evaluation's.
"""

_name, _, _count = os.environ.get(VARIABLE, "").partition(":")
_left = int(_count or 1)


def failpoint(name: str) -> None:
    """Die here, as `kill -9` would have it, when the environment says so."""
    global _left
    if name == _name:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
