"""The original under its matte: cutout, mask, flattened, and clean edge colours."""
