"""Pictures in and out: any common file, array or Pillow image to `Pixels`, and back to a file."""

from cutaway.images.arrays import from_array
from cutaway.images.decode import decode, from_pil, is_plain
from cutaway.images.encode import encode
from cutaway.images.header import sniff
from cutaway.images.pixels import Metadata, Pixels, to_depth
from cutaway.images.profiles import in_profile, srgb_pixels
from cutaway.images.shallow import Shallow
from cutaway.images.stripes import Rows, stripes

__all__ = [
    "Metadata",
    "Pixels",
    "Rows",
    "Shallow",
    "decode",
    "encode",
    "from_array",
    "from_pil",
    "in_profile",
    "is_plain",
    "sniff",
    "srgb_pixels",
    "stripes",
    "to_depth",
]
