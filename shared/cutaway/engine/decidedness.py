"""How sure a network's matte looks: the confidence that the network itself doesn't tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decidedness"]

_FAINTEST = 0.05
"""Less than that is the faint skirt around every subject."""


def decidedness(alpha: NDArray[np.float32]) -> float:
    """How far from undecided (0.5) a network was wherever it saw any subject.

    Args:
        alpha: float32, any shape, 0..1.

    Returns:
        0..1; 0 where there is no subject at all.
    """
    seen = alpha[alpha > _FAINTEST]
    return float(np.abs(2.0 * seen - 1.0).mean()) if seen.size else 0.0
