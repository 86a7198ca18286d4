"""How far evidence carries a statement, 0 to 1: the one scorer behind the offline critic and `searchinstruct verify`.

No model but static word vectors. `features` counts, `calibration` weighs the counts and says what the number means,
`scoring` puts both together.
"""

from searchinstruct_graph.models.support.calibration import Calibration, SetQuality, calibration
from searchinstruct_graph.models.support.features import Piece, is_short
from searchinstruct_graph.models.support.scoring import DIFFERS, Assessment, assess, support

__all__ = [
    "DIFFERS",
    "Assessment",
    "Calibration",
    "Piece",
    "SetQuality",
    "assess",
    "calibration",
    "is_short",
    "support",
]
