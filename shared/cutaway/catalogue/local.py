"""The models that can run on this machine: what each is good for, and how it wants its picture.

The files, their names and MD5 sums are those of rembg's release v0.0.0; sizes and SHA-256 sums are
as published by several projects that pin the same files (none where they are too few to rely on).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cutaway.catalogue.remote import twin_of
from cutaway.errors import UnknownModel

if TYPE_CHECKING:
    from typing import Literal

    Channels = tuple[float, float, float]

__all__ = ["Model", "find", "models", "size_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A network that finds subjects, and its published file.

    Attributes:
        name: Its name on this machine, which is also its folder's.
        title: Its name for people.
        good_for: What to choose it for, a short phrase.
        file: The published file's name.
        size: The file's length in bytes.
        size_exact: Whether `size` is exact, not a rough figure.
        sha256: The file's published SHA-256 in lower-case hex, if known.
        md5: The file's published MD5 in lower-case hex, if known; one of the two always is.
        licence: The weights' licence.
        licence_note: What else to know about the licence; empty if there is nothing.
        commercial: Whether commercial use is free.
        memory: Bytes that it takes to load and run it in onnxruntime, roughly: measured with
            networks of the same architecture, or of the nearest where its file tells no more.
        input_size: Side of the square picture that the network takes, in pixels.
        mean: Subtracted from red, green and blue once they are scaled to 0..1.
        std: What red, green and blue are divided by after that.
        scale_by_maximum: Scale by the picture's own greatest value instead of 255.
        activation: What the raw output needs to become 0..1.
        auto_rank: Which one `auto` prefers, higher first; None if it must be asked for by name.
    """

    name: str
    title: str
    good_for: str
    file: str
    size: int
    size_exact: bool = True
    sha256: str | None = None
    md5: str | None = None
    licence: str
    licence_note: str = ""
    commercial: bool = True
    memory: int
    input_size: int
    mean: Channels
    std: Channels
    scale_by_maximum: bool = False
    activation: Literal["none", "sigmoid"] = "none"
    auto_rank: int | None = None

    @property
    def air(self) -> str | None:
        """Runware's id of the same weights, if Runware has them."""
        twin = twin_of(self.name)
        return twin.air if twin else None

    @property
    def slug(self) -> str | None:
        """Runware's readable name of the same weights, if Runware has them."""
        twin = twin_of(self.name)
        return twin.slug if twin else None


def models() -> tuple[Model, ...]:
    """Every model, the smallest family first."""
    return _MODELS


def find(name: str) -> Model:
    """The model of that local name, slug or AIR, in any letter case.

    Raises:
        UnknownModel: there is none; the nearest is told.
    """
    model = _BY_NAME.get(name.strip().lower())
    if model is None:
        raise _unknown(name)
    return model


def size_text(size: int) -> str:
    """A number of bytes for people, such as `4.6 MB`."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.{1 if size < 10 * scale else 0}f} {unit}"
    return f"{size} bytes"


_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_DIS5K = "the DIS5K pictures it was trained on have terms of their own"

_u2net = partial(
    Model,
    licence="Apache-2.0",
    memory=700_000_000,
    input_size=320,
    mean=_IMAGENET_MEAN,
    std=_IMAGENET_STD,
    scale_by_maximum=True,
)
_isnet = partial(
    Model,
    licence="Apache-2.0",
    memory=1_000_000_000,
    input_size=1024,
    std=(1.0, 1.0, 1.0),
)
_birefnet = partial(
    Model,
    licence="MIT",
    memory=5_800_000_000,
    input_size=1024,
    mean=_IMAGENET_MEAN,
    std=_IMAGENET_STD,
    activation="sigmoid",
)

_MODELS = (
    _u2net(
        name="u2netp",
        title="U-2-Net small",
        good_for="most subjects, quickly",
        file="u2netp.onnx",
        size=4_574_861,
        sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
        md5="8e83ca70e441ab06c318d82300c84806",
        memory=350_000_000,
        auto_rank=10,
    ),
    _u2net(
        name="silueta",
        title="Silueta",
        good_for="most subjects, in a quarter of U-2-Net's size",
        file="silueta.onnx",
        size=44_173_029,
        sha256="75da6c8d2f8096ec743d071951be73b4a8bc7b3e51d9a6625d63644f90ffeedb",
        md5="55e59e0d8062d2f5d013f4725ee84782",
        memory=400_000_000,
        licence_note="a reduced U-2-Net from a contributor, under U-2-Net's licence",
        auto_rank=20,
    ),
    _u2net(
        name="u2net",
        title="U-2-Net",
        good_for="most subjects",
        file="u2net.onnx",
        size=175_997_641,
        sha256="8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491",
        md5="60024c5c889badc19c04ad937298a77b",
        auto_rank=30,
    ),
    _u2net(
        name="u2net_human_seg",
        title="U-2-Net Human",
        good_for="people",
        file="u2net_human_seg.onnx",
        size=175_997_641,
        sha256="01eb6a29a5c4d8edb30b56adad9bb3a2a0535338e480724a213e0acfd2d1c73c",
        md5="c09ddc2e0104f800e3e1bb4652583d1f",
    ),
    _isnet(
        name="isnet-general-use",
        title="IS-Net General",
        good_for="sharp edges at a moderate cost",
        file="isnet-general-use.onnx",
        size=178_648_008,
        sha256="60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a",
        md5="fc16ebd8b0c10d971d3513d564d01e29",
        licence_note=_DIS5K,
        mean=(0.5, 0.5, 0.5),
        auto_rank=50,
    ),
    # Its authors (SkyTNT/anime-segmentation, inference.py) feed it plain 0..1: no mean taken off.
    _isnet(
        name="isnet-anime",
        title="IS-Net Anime",
        good_for="drawn characters",
        file="isnet-anime.onnx",
        size=176_069_933,
        sha256="f15622d853e8260172812b657053460e20806f04b9e05147d49af7bed31a6e99",
        md5="6f184e756bb3bd901c8849220a83e38e",
        mean=(0.0, 0.0, 0.0),
    ),
    _birefnet(
        name="birefnet-general-lite",
        title="BiRefNet General Lite",
        good_for="fine detail on a plain computer",
        file="BiRefNet-general-bb_swin_v1_tiny-epoch_232.onnx",
        size=224_005_088,
        sha256="5600024376f572a557870a5eb0afb1e5961636bef4e1e22132025467d0f03333",
        md5="4fab47adc4ff364be1713e97b7e66334",
        memory=3_600_000_000,
        auto_rank=70,
    ),
    _birefnet(
        name="birefnet-general",
        title="BiRefNet General",
        good_for="the best result for most subjects",
        file="BiRefNet-general-epoch_244.onnx",
        size=972_666_916,
        sha256="58f621f00f5d756097615970a88a791584600dcf7c45b18a0a6267535a1ebd3c",
        md5="7a35a0141cbbc80de11d9c9a28f52697",
        auto_rank=100,
    ),
    _birefnet(
        name="birefnet-massive",
        title="BiRefNet Massive",
        good_for="unusual subjects",
        file="BiRefNet-massive-TR_DIS5K_TR_TEs-epoch_420.onnx",
        size=972_666_916,
        md5="33e726a2136a3d59eb0fdf613e31e3e9",
        licence_note=_DIS5K,
        auto_rank=90,
    ),
    _birefnet(
        name="birefnet-hrsod",
        title="BiRefNet HRSOD",
        good_for="one plain subject in a large picture",
        file="BiRefNet-HRSOD_DHU-epoch_115.onnx",
        size=972_666_916,
        md5="c017ade5de8a50ff0fd74d790d268dda",
        auto_rank=80,
    ),
    _birefnet(
        name="birefnet-dis",
        title="BiRefNet DIS",
        good_for="thin and intricate objects",
        file="BiRefNet-DIS-epoch_590.onnx",
        size=972_666_916,
        sha256="6470117bac6f8d82a3f62921056f52d0f5c4d36d1d832096331d5ea38a03acb5",
        md5="2d4d44102b446f33a4ebb2e56c051f2b",
        licence_note=_DIS5K,
        auto_rank=60,
    ),
    _birefnet(
        name="birefnet-cod",
        title="BiRefNet COD",
        good_for="camouflaged subjects",
        file="BiRefNet-COD-epoch_125.onnx",
        size=972_666_916,
        md5="f6d0d21ca89d287f17e7afe9f5fd3b45",
        auto_rank=40,
    ),
    _birefnet(
        name="birefnet-portrait",
        title="BiRefNet Portrait",
        good_for="portraits, hair and hands",
        file="BiRefNet-portrait-epoch_150.onnx",
        size=972_666_916,
        sha256="1ba1c8ff5a7bbfadc8d8d13fb11d7be793f91f23d9d466549e37a854f6668f99",
        md5="c3a64a6abf20250d090cd055f12a3b67",
    ),
    # Its network ends in a sigmoid of its own, unlike BiRefNet's.
    Model(
        name="bria-rmbg",
        title="BRIA RMBG 2.0",
        good_for="product and studio pictures, non-commercially",
        file="bria-rmbg-2.0.onnx",
        size=1_024_331_469,
        sha256="5b486f08200f513f460da46dd701db5fbb47d79b4be4b708a19444bcd4e79958",
        licence="BRIA RMBG-2.0, non-commercial",
        licence_note="BRIA sells licences for commercial use: https://huggingface.co/briaai/RMBG-2.0",
        commercial=False,
        memory=5_800_000_000,
        input_size=1024,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
    ),
)


def _known_as(model: Model) -> tuple[str, ...]:
    return tuple(name.lower() for name in (model.name, model.slug, model.air) if name)


_BY_NAME = {name: model for model in _MODELS for name in _known_as(model)}


def _unknown(name: str) -> UnknownModel:
    if ":" in name and "@" in name:
        return UnknownModel(
            f"{name} can't run on this machine",
            "no local model has the weights that this AIR names",
            "Choose a local model, such as birefnet-general",
        )
    from difflib import get_close_matches

    match = get_close_matches(name.strip().lower(), _BY_NAME, n=1, cutoff=0.5)
    known = ", ".join(model.name for model in _MODELS)
    advice = f"The nearest is {match[0]}" if match else f"Known: {known}"
    return UnknownModel(f"there is no model {name}", next_step=advice)
