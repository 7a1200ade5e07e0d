"""From what a backend found to the finished picture: the same for every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cutaway.compositing.composition import multiply_into, share
from cutaway.compositing.edge_colours import clean_edge_colours
from cutaway.compositing.feathering import feather
from cutaway.cutout import Cutout
from cutaway.engine import matting, refinement
from cutaway.engine.trimap import BACKGROUND, FOREGROUND, post_process_mask, trimap
from cutaway.images import Metadata, profiles, to_depth
from cutaway.options import Output

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway.backends import Finding
    from cutaway.images import Pixels
    from cutaway.options import RemovalOptions
    from cutaway.progress import Progress

__all__ = ["finish", "shortest_side"]

_ALMOST = 0.002
_NETWORKS = 1024
"""The side that the largest networks see a picture at."""


def shortest_side(options: RemovalOptions) -> int | None:
    """How short a picture's shorter side may come; None where its own pixels are needed.

    Of a mask whose edges nothing draws to the picture's, only an engine looks at the picture.
    """
    only_seen = options.output is Output.MASK and not (options.refine or options.alpha_matting)
    return _NETWORKS if only_seen else None


def finish(
    pixels: Pixels,
    finding: Finding,
    options: RemovalOptions,
    progress: Progress,
    *,
    backend: str,
    name: str | None,
) -> Cutout:
    """Refine what was found and lay it over the original.

    Raises:
        Cancelled: the caller stopped it.
    """
    matte = _full_matte(pixels, finding, options, progress)
    if not options.keep_metadata or _turns_to_colour(pixels, options):
        pixels = profiles.srgb_pixels(pixels)
    colour = _colour(pixels, matte, options, progress)
    alpha = _under_its_own(matte, pixels)
    return Cutout(
        options=options,
        model=finding.model,
        backend=backend,
        confidence=finding.matte.confidence,
        warnings=(*pixels.warnings, *finding.warnings, *_remarks(alpha)),
        seconds=dict(progress.seconds),
        name=name,
        cost=finding.cost,
        task_uuid=finding.task_uuid,
        _colour=colour,
        _alpha=alpha,
        _matte=matte,
        _metadata=_kept(pixels.metadata, options),
    )


def _turns_to_colour(pixels: Pixels, options: RemovalOptions) -> bool:
    """Whether a grey picture comes on a coloured fill, where its own profile can't go along."""
    fill = options.fill if options.output is not Output.MASK else None
    return fill is not None and not fill.neutral and pixels.colour.shape[2] == 1


def _kept(metadata: Metadata, options: RemovalOptions) -> Metadata:
    # A profile that is still there gives the numbers their meaning, and is no one's secret.
    return metadata if options.keep_metadata else Metadata(icc_profile=metadata.icc_profile)


def _remarks(alpha: NDArray[Any]) -> list[str]:
    """What a user should look at before trusting the result."""
    kept = share(alpha)
    if kept < _ALMOST:
        return ["almost nothing was kept"]
    if kept > 1 - _ALMOST:
        return ["almost everything was kept"]
    return []


def _full_matte(
    pixels: Pixels, finding: Finding, options: RemovalOptions, progress: Progress
) -> NDArray[Any]:
    alpha = _at_full_size(pixels, finding, options, progress)
    if options.post_process_mask:
        with progress.stage("post-processing"):
            alpha = to_depth(post_process_mask(to_depth(alpha, 8)), pixels.depth)
    if options.alpha_matting:
        with progress.stage("matting"):
            alpha = _matted(alpha, pixels.guide(), options, progress)
    if options.feather:
        with progress.stage("feathering"):
            feather(alpha, options.feather, progress)
    return alpha


def _at_full_size(
    pixels: Pixels, finding: Finding, options: RemovalOptions, progress: Progress
) -> NDArray[Any]:
    if not options.refine:
        return refinement.enlarge(finding.matte, pixels.size, pixels.depth)
    with progress.stage("refining"):
        return refinement.refine(
            finding.matte, pixels.guide(), pixels.depth, progress, finished=finding.finished
        )


def _matted(
    alpha: NDArray[Any], guide: NDArray[np.uint8], options: RemovalOptions, progress: Progress
) -> NDArray[Any]:
    unknown = trimap(
        to_depth(alpha, 8),
        options.alpha_matting_foreground_threshold,
        options.alpha_matting_background_threshold,
        options.alpha_matting_erode_size,
    )
    if not all((unknown == known).any() for known in (BACKGROUND, FOREGROUND)):
        return alpha  # nothing to tell subject and background by: the matte is the better guess
    solved = matting.estimate_alpha(guide, unknown, progress, options.matting_megapixels)
    solved *= np.iinfo(alpha.dtype).max
    return np.rint(solved, out=solved).astype(alpha.dtype)


def _under_its_own(matte: NDArray[Any], pixels: Pixels) -> NDArray[Any]:
    """The matte, multiplied by the picture's own transparency where it has any."""
    if pixels.alpha is None:
        return matte
    alpha = matte.copy()
    multiply_into(alpha, pixels.alpha)
    return alpha


def _colour(
    pixels: Pixels, alpha: NDArray[Any], options: RemovalOptions, progress: Progress
) -> NDArray[Any]:
    if options.output is Output.MASK:
        return pixels.colour  # never looked at
    # The caller may go on to write to its own memory: a result doesn't change any more.
    colour = pixels.colour.copy() if pixels.borrowed else pixels.colour
    if not options.clean_edges:
        return colour
    with progress.stage("cleaning edges"):
        clean_edge_colours(colour, alpha, progress)
    return colour
