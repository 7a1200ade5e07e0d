"""The model files on this machine: our own, and those that rembg or Hugging Face left here.

Our own live in `<models_dir>/<name>/<file>`. Others' are only read, and only if they are exactly
what was published. Nothing here uses the network.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cutaway.catalogue import models, size_text
from cutaway.engine.integrity import Integrity
from cutaway.engine.licences import Licences
from cutaway.errors import ModelDamaged, ModelNotInstalled, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Literal

    from cutaway.catalogue import Model
    from cutaway.engine.integrity import Verdict

    Owner = Literal["cutaway", "rembg", "huggingface"]

__all__ = ["InstalledModel", "ModelStore", "Place"]


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model whose file is here and is the published one.

    Attributes:
        model: What it is.
        path: Its file.
        where: Whose file it is: cutaway, rembg or huggingface.
        sha256: The file's SHA-256, lower-case hex.
    """

    model: Model
    path: Path
    where: Owner
    sha256: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where our own files of one model stand.

    Attributes:
        file: The model itself.
        part: What has come of a download that is not finished.
        origin: What the server said of that download, to resume it.
        lock: Held by whoever writes any of them.
        compiled: A folder for what a runtime has made of the model, to load it sooner.
    """

    file: Path
    part: Path
    origin: Path
    lock: Path
    compiled: Path


class ModelStore:
    """Finds, checks and removes model files.

    Args:
        models_dir: Our own folder; it need not exist.
        environ: Where others' folders are named.
        home: The user's home folder; the system's idea of it if None.

    Attributes:
        licences: Which restricted licences were accepted.
        integrity: What is known of the files.
    """

    def __init__(
        self,
        models_dir: Path,
        environ: Mapping[str, str] = os.environ,
        home: Path | None = None,
    ) -> None:
        self._models_dir = models_dir
        self._environ = environ
        self._home = home or Path.home()
        self.licences = Licences(models_dir / "licences.json")
        self.integrity = Integrity(models_dir / "checked")

    def place(self, model: Model) -> Place:
        """Where our own files of `model` stand, whether or not they exist."""
        file = self._models_dir / model.name / model.file
        return Place(
            file,
            file.with_name(f"{file.name}.part"),
            file.with_name(f"{file.name}.part.json"),
            file.with_name(f"{file.name}.lock"),
            file.with_name("compiled"),
        )

    def locate(self, model: Model) -> InstalledModel | None:
        """The file of `model`, our own first; None if there is none.

        Raises:
            ModelDamaged: our own file is not what was published.
        """
        return self._own(model) or self._foreign(model)

    def require(self, model: Model) -> InstalledModel:
        """The file of `model`, to be used: the one door for engines.

        Raises:
            LicenceNotAccepted: its licence must be accepted first, wherever the file came from.
            ModelNotInstalled: there is no file.
            ModelDamaged: our own file is not what was published.
        """
        self.licences.check(model)
        installed = self.locate(model)
        if installed is None:
            raise _not_installed(model)
        return installed

    def best(self, among: Iterable[Model] | None = None) -> InstalledModel | None:
        """The installed model that `auto` takes; None if there is none.

        Args:
            among: The models to choose from; the whole catalogue if None.

        Raises:
            ModelDamaged: the one it would take is damaged.
        """
        offered = models() if among is None else among
        ranked = [(model.auto_rank, model) for model in offered if model.auto_rank is not None]
        ranked.sort(key=lambda pair: pair[0], reverse=True)
        found = (self.locate(model) for _, model in ranked)
        return next(filter(None, found), None)

    def verify(self, model: Model) -> InstalledModel:
        """Hash the file of `model` again, whatever is remembered of it.

        Raises:
            ModelNotInstalled: there is no file.
            ModelDamaged: it is not what was published; both sums are told.
        """
        own = self.place(model).file
        if own.exists():
            return _sound(model, own, _OURS, self._judge(model, own, afresh=True))
        found = self._foreign(model)
        if found is None:
            raise _not_installed(model)
        return _sound(model, found.path, found.where, self._judge(model, found.path, afresh=True))

    def remove(self, model: Model) -> bool:
        """Delete our own file of `model`, whole or partial; others' files stay.

        Returns:
            Whether there was one.

        Raises:
            OutputError: it can't be deleted, or is being downloaded right now.
        """
        from filelock import FileLock, Timeout

        place = self.place(model)
        if not place.file.parent.is_dir():
            return False
        try:
            # The lock's own file stays: deleting it would part those who wait for it.
            with FileLock(place.lock).acquire(blocking=False):
                self.integrity.forget(place.file)
                gone = [_delete(path) for path in (place.file, place.part, place.origin)]
                shutil.rmtree(place.compiled, ignore_errors=True)
        except Timeout as error:
            raise _unremovable(place.file, "it is being downloaded right now") from error
        except OSError as error:
            raise _unremovable(place.file, error.strerror or str(error)) from error
        return any(gone)

    def _own(self, model: Model) -> InstalledModel | None:
        path = self.place(model).file
        if not path.exists():
            return None
        return _sound(model, path, _OURS, self._judge(model, path))

    def _foreign(self, model: Model) -> InstalledModel | None:
        for path, where in self._foreign_paths(model):
            try:
                verdict = self.integrity.judge(model, path)
            except OSError:
                continue
            if not verdict.fault:
                return InstalledModel(model, path, where, verdict.sha256)
        return None

    def _judge(self, model: Model, path: Path, *, afresh: bool = False) -> Verdict:
        try:
            return self.integrity.judge(model, path, afresh=afresh)
        except OSError as error:
            raise _damaged(model, path, error.strerror or str(error)) from error

    def _foreign_paths(self, model: Model) -> Iterator[tuple[Path, Owner]]:
        name = f"{model.name}.onnx"
        for root in self._rembg_roots():
            yield root / name, "rembg"
            yield root / "models" / model.name / name, "rembg"
        if model.sha256:
            for blob in sorted(self._hub().glob(f"models--*/blobs/{model.sha256}")):
                yield blob, "huggingface"

    def _rembg_roots(self) -> Iterator[Path]:
        for variable in ("U2NET_HOME", "REMBG_HOME"):
            yield from self._named(variable)
        for data in self._named("XDG_DATA_HOME"):
            yield data / "rembg"
            yield data / ".u2net"
        yield self._home / ".rembg"
        yield self._home / ".u2net"

    def _hub(self) -> Path:
        home = self._home / ".cache" / "huggingface"
        return next(self._named("HF_HOME"), home) / "hub"

    def _named(self, variable: str) -> Iterator[Path]:
        """The folder an environment variable names, if it does; `~` is the home folder."""
        value = self._environ.get(variable)
        if value:
            path = Path(value)
            yield self._home.joinpath(*path.parts[1:]) if path.parts[0] == "~" else path


_OURS: Owner = "cutaway"


def _sound(model: Model, path: Path, where: Owner, verdict: Verdict) -> InstalledModel:
    if verdict.fault:
        raise _damaged(model, path, verdict.fault)
    return InstalledModel(model, path, where, verdict.sha256)


def _damaged(model: Model, path: Path, why: str) -> ModelDamaged:
    return ModelDamaged(
        f"{path} is not the published file of {model.name}",
        why,
        f"Get it again with: cutaway models pull {model.name}",
    )


def _not_installed(model: Model) -> ModelNotInstalled:
    return ModelNotInstalled(
        f"the model {model.name} is not installed",
        f"its file ({size_text(model.size)}) is not on this machine",
        f"Get it with: cutaway models pull {model.name}",
    )


def _unremovable(path: Path, why: str) -> OutputError:
    return OutputError(f"{path} was not removed", why, "Close what uses it and try again")


def _delete(path: Path) -> bool:
    existed = path.exists()
    path.unlink(missing_ok=True)
    return existed
