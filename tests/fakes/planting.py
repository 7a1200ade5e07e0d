"""Other networks in the places of published models, where a program takes no `weights`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import onnx

from cutaway.catalogue import find
from cutaway.engine.integrity import Digest, Integrity
from cutaway.engine.store import ModelStore

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["plant"]


def plant(network: Path, models_dir: Path, name: str) -> Path:
    """Install a network as the file of a catalogue model, which must be the larger one.

    It is padded to the published size, and the note that its sum was found right is forged.
    """
    model = find(name)
    file = ModelStore(models_dir, environ={}, home=models_dir).place(model).file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_padded(onnx.load(str(network)), model.size))
    digest = Digest(model)
    digest.read(file)
    notes = models_dir / "checked"
    Integrity(notes).remember(model, file, digest)
    for note in notes.glob("*.json"):
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["path"] == str(file):
            forged = {**known, "sha256": model.sha256 or known["sha256"]}
            note.write_text(json.dumps(forged), encoding="utf-8")
    return file


def _padded(network: onnx.ModelProto, size: int) -> bytes:
    network.doc_string = " " * (size - network.ByteSize())
    too_many = network.ByteSize() - size  # for the field's tag and length
    network.doc_string = network.doc_string[too_many:]
    data: bytes = network.SerializeToString()
    if len(data) != size:
        raise ValueError(f"it has {len(data)} bytes, not {size}")
    return data
