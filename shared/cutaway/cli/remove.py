"""`cutaway remove`: its flags, and the import of what does the work once they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cutaway.cli.commands import FAILED
from cutaway.cli.parameters import BACKEND, Amount, as_json, complete_remover
from cutaway.cli.sections import SectionedCommand

__all__ = ["command"]

_BYTE = click.IntRange(1, 255)
_SECTIONS = {
    "out": "Results",
    "model": "Finding the subject",
    "backend": "Through a service",
    "answer": "The service's own answer instead of a picture",
    "recursive": "The run",
}


@click.command(
    "remove",
    cls=SectionedCommand,
    sections=_SECTIONS,
    epilog=(
        "Exit codes: 0 all done, or skipped as their results are there; 1 some failed; "
        "2 wrong use; 130 interrupted."
    ),
)
@click.argument(
    "inputs", metavar="IN...", nargs=-1, required=True, type=click.Path(allow_dash=True)
)
@click.option(
    "-o",
    "out",
    metavar="OUT",
    type=click.Path(allow_dash=True),
    help="A file, a folder/, or - for standard output.  [default: beside the source]",
)
@click.option(
    "--output",
    type=click.Choice(["cutout", "mask", "flattened"]),
    default="cutout",
    show_default=True,
    help="The subject on transparency, the mask (white = subject), or the subject on a colour.",
)
@click.option(
    "--format",
    type=click.Choice(["png", "webp", "jpg"], case_sensitive=False),
    help="The results' format.  [default: as OUT ends, or png]",
)
@click.option("--quality", type=click.IntRange(20, 99), help="For webp and jpg.  [default: 95]")
@click.option("--background", metavar="COLOUR", help="A fill: '#rrggbb[aa]' or a CSS name.")
@click.option(
    "--keep-hidden-colour",
    is_flag=True,
    help="Keep the colour under full transparency instead of clearing it.",
)
@click.option("--drop-metadata", is_flag=True, help="Leave EXIF, XMP and the like behind.")
@click.option("--overwrite", is_flag=True, help="Replace results that are there already.")
@click.option(
    "--model",
    metavar="MODEL",
    default="auto",
    show_default=True,
    shell_complete=complete_remover,
    help="A model's name, slug or AIR; auto takes the best that is installed.",
)
@click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An ONNX file to use for the named model; it is trusted.",
)
@click.option("--alpha-matting", is_flag=True, help="Solve for hair and fur at the edges.")
@click.option("--foreground-threshold", type=_BYTE, help="For alpha matting.  [default: 240]")
@click.option("--background-threshold", type=_BYTE, help="For alpha matting.  [default: 10]")
@click.option("--erode-size", type=_BYTE, help="For alpha matting.  [default: 10]")
@click.option(
    "--matting-megapixels",
    metavar="MP",
    type=click.FloatRange(0.1, 100),
    help="At which size larger pictures are matted: less is faster, more is finer.  [default: 2]",
)
@click.option("--post-process-mask", is_flag=True, help="Smooth the mask and make it hard-edged.")
@click.option(
    "--refine/--no-refine",
    default=True,
    help="Draw the edges to the picture's own, or leave them as the model found them: quicker.  "
    "[default: draw them]",
)
@click.option(
    "--feather",
    metavar="PIXELS",
    type=click.FloatRange(0, 1000),
    help="Fade the edge over so many pixels.  [default: 0]",
)
@click.option(
    "--clean-edges/--no-clean-edges",
    default=True,
    help="Take the background's colour out of the edges, or leave it.  [default: take it out]",
)
@click.option(
    "--backend",
    type=BACKEND,
    help="Where to find the subject: here, with Runware, or at a service like it.  "
    "[default: as set, or local]",
)
@click.option(
    "--transport",
    type=click.Choice(["http", "websocket"]),
    help="How to reach the service.  [default: as its URL says, or http]",
)
@click.option(
    "--delivery",
    type=click.Choice(["sync", "async"]),
    help="Wait for each result, or ask for it again and again.  [default: sync]",
)
@click.option(
    "--dialect",
    type=click.Choice(["new", "legacy"]),
    help="Ask for removeBackground or imageBackgroundRemoval.  [default: new]",
)
@click.option(
    "--send",
    type=click.Choice(["reduced", "original"]),
    help="Upload a smaller copy without metadata, or the file itself.  [default: reduced]",
)
@click.option(
    "--max-cost",
    metavar="USD",
    type=Amount(zero=True),
    help="Refuse a picture that costs more, or whose price isn't known.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=Amount(zero=False),
    help="How long a picture may take in all.  [default: 300]",
)
@click.option(
    "--return",
    "answer",
    type=click.Choice(["url", "uuid"]),
    help="Tell where the service keeps its result, and download nothing.",
)
@click.option("--webhook-url", metavar="URL", help="Have the result posted there; don't wait.")
@click.option("--upload-endpoint", metavar="URL", help="Have the result put there, by HTTP PUT.")
@click.option(
    "--ttl",
    metavar="SECONDS",
    type=click.IntRange(min=60),
    help="How long the result's URL is to live.",
)
@click.option(
    "--task-uuid",
    metavar="UUID",
    type=click.UUID,
    callback=lambda _ctx, _param, value: value and str(value),
    help="Take the result of a task that was given up, and send nothing.",
)
@click.option("--recursive", is_flag=True, help="Look into the folders below a folder too.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Pictures at once.  [default: 1, or 4 with a service]",
)
@click.option("--dry-run", is_flag=True, help="Tell what would run, be sent and cost; do nothing.")
@click.option("--max-bytes", type=click.IntRange(min=1), help="Refuse larger files.")
@click.option("--max-pixels", type=click.IntRange(min=1), help="Refuse larger pictures.")
@click.option("--allow-private-network", is_flag=True, help="Fetch from private addresses too.")
@as_json
@click.option("--quiet", is_flag=True, help="Tell failures only.")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:  # noqa: ANN401  (each is a field of Flags)
    """Remove the background of pictures.

    IN is a file, a folder of pictures, an http(s) URL, a data URI, or - for standard input; with
    a service also the UUID of a picture that it has stored.

    Without -o, photo.jpg becomes photo-cutout.png beside it (or photo-mask.png,
    photo-flattened.png). What is there already is kept unless --overwrite is given: for one
    picture that is a failure, of several it is skipped.

    Nothing leaves this machine unless --backend or CUTAWAY_BACKEND says so. With --return,
    --webhook-url, --upload-endpoint or --ttl no picture comes back: each is one line, IN -> URL.

    With --json each picture is one line: source, status (done, planned, skipped or failed), path,
    and either the facts about the result or an error with code, what, why and next. With -o - it
    goes to standard error.
    """
    from cutaway.cli.flags import Flags
    from cutaway.cli.run import run

    ctx.exit(FAILED if run(Flags(**given)) else 0)
