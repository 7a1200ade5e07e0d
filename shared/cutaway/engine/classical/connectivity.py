"""How little a patch belongs to the border: robust background detection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway.engine.classical.superpixels import Superpixels

__all__ = ["subject_likelihood"]

_REACH = 10.0  # of a region of like colour, in CIE Lab
_NEARNESS = 0.4  # of patches that are compared, in lengths of the picture
_LIKENESS = 7.0  # of neighbours, in CIE Lab
_BACKGROUND_WEIGHT = 5.0


def subject_likelihood(patches: Superpixels, border: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Find the patches that differ from the background and hang together.

    A patch is background as far as the region of like colour around it lies along the border; it
    is subject as far as it contrasts with the background around it. A least-squares balance of both
    and of likeness between neighbours settles the rest.

    Source: Zhu et al., "Saliency Optimization from Robust Background Detection", CVPR 2014,
    sections 3 to 5.

    Args:
        patches: The picture's patches.
        border: bool, shape (height, width), True on the border's pixels.

    Returns:
        float32, shape (count,): a likelihood in arbitrary units, larger for subject.
    """
    contrast = _pairwise(patches.colours)
    adjacent = _adjacency(patches.labels)
    rim = np.unique(patches.labels[border])
    adjacent[np.ix_(rim, rim)] = True
    np.fill_diagonal(adjacent, val=False)
    background = _background(contrast, adjacent, rim)
    near = np.exp(-_squared(_pairwise(patches.centres) / max(patches.labels.shape), _NEARNESS))
    foreground = (contrast * near) @ background
    return _balance(background, foreground, contrast, adjacent)


def _pairwise(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure the Euclidean distance between each two rows."""
    return np.asarray(np.linalg.norm(vectors[:, None] - vectors[None], axis=2))


def _squared(distance: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Give the exponent of a Gaussian: d^2 / 2 sigma^2."""
    return distance**2 / (2 * sigma**2)


def _adjacency(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the pairs of patches that share an edge; each is beside itself too."""
    count = int(labels.max()) + 1
    adjacent = np.zeros((count, count), bool)
    adjacent[labels[:, 1:], labels[:, :-1]] = True
    adjacent[labels[1:], labels[:-1]] = True
    return adjacent | adjacent.T


def _background(
    contrast: NDArray[np.float64], adjacent: NDArray[np.bool_], rim: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Turn boundary connectivity into a probability, shape (count,): sections 3 and 4."""
    steps = np.where(adjacent, contrast, np.inf)
    slack = max(float(np.median(steps.min(axis=1))), 0.5)
    walks = np.maximum(steps - slack, 0)
    np.fill_diagonal(walks, 0)
    for through in range(len(walks)):  # Floyd and Warshall's shortest walks
        np.minimum(walks, walks[:, through, None] + walks[through], out=walks)
    region = np.exp(-_squared(walks, _REACH))
    connectivity = region[:, rim].sum(axis=1) / np.sqrt(region.sum(axis=1))
    return np.asarray(1 - np.exp(-_squared(connectivity, 1.0)))


def _balance(
    background: NDArray[np.float64],
    foreground: NDArray[np.float64],
    contrast: NDArray[np.float64],
    adjacent: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Minimise sum(w_bg s^2) + sum(w_fg (s - 1)^2) + sum(w_ij (s_i - s_j)^2): section 5."""
    foreground = (foreground - foreground.min()) / max(float(np.ptp(foreground)), 1e-6)
    foreground[foreground < foreground.mean()] = 0
    twice = (adjacent.astype(np.float32) @ adjacent.astype(np.float32) > 0) | adjacent
    alike = (np.exp(-_squared(contrast, _LIKENESS)) + 0.1) * twice
    np.fill_diagonal(alike, 0)
    laplacian = np.diag(alike.sum(axis=1)) - alike
    system = laplacian + np.diag(_BACKGROUND_WEIGHT * background + foreground + 1e-4)
    # symmetric and positive; NumPy's solver would wake a thread for each core, which costs more
    _, likelihood = cv2.solve(system, foreground[:, None], flags=cv2.DECOMP_CHOLESKY)
    return likelihood.ravel().astype(np.float32)
