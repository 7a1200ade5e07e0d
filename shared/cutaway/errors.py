"""Everything that can go wrong, in one tree.

Catch the branch you can act on:

    CutawayError
    ├── ConfigError             a setting or the config file can't be used
    ├── OptionError             an option, or a combination of options, can't be honoured
    ├── InputError              the picture that was given
    │   ├── SourceError         its bytes could not be had
    │   │   └── AddressRefused  its URL leads to a private address
    │   ├── TooLarge            more bytes or pixels than the limits allow
    │   ├── UnsupportedFormat   its type is not one we read
    │   └── UnreadableImage     it is damaged
    ├── OutputError             the result could not be written
    │   └── OutputExists        something is there already, and was kept
    ├── EngineError             removal on this machine
    │   ├── NoSubjectFound      there is nothing to keep in the picture
    │   ├── UnknownModel        no model has that name
    │   ├── ModelNotInstalled   its file is not here
    │   ├── ModelDamaged        its file is not what was published
    │   ├── LicenceNotAccepted  its licence must be accepted first
    │   └── RuntimeUnavailable  nothing here can run it
    ├── TransportError          the network
    │   ├── ConnectionFailed    no connection, or it broke
    │   ├── TimedOut            no answer in time
    │   └── DownloadRefused     the server answered, but not with the file
    └── Cancelled               the caller stopped it
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AddressRefused",
    "Cancelled",
    "ConfigError",
    "ConnectionFailed",
    "CutawayError",
    "DownloadRefused",
    "EngineError",
    "InputError",
    "LicenceNotAccepted",
    "ModelDamaged",
    "ModelNotInstalled",
    "NoSubjectFound",
    "OptionError",
    "OutputError",
    "OutputExists",
    "RuntimeUnavailable",
    "SourceError",
    "TimedOut",
    "TooLarge",
    "TransportError",
    "UnknownModel",
    "UnreadableImage",
    "UnsupportedFormat",
]


class CutawayError(Exception):
    """Any failure of Cutaway's own.

    Attributes:
        what: What happened, one clause without a full stop.
        why: The reason, one clause; empty where `what` says it all.
        next_step: What to do about it, one clause; never empty.
        code: A stable name for machines, such as `too-large`.
    """

    code: ClassVar[str] = "error"

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        super().__init__(what, why, next_step)
        self.what = what
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        """The whole message: what, why, and the next step."""
        cause = f": {self.why.rstrip('.')}" if self.why else ""
        advice = f" {self.next_step.rstrip('.')}." if self.next_step else ""
        return f"{self.what}{cause}.{advice}"


class ConfigError(CutawayError):
    """A setting or the config file can't be used."""

    code = "config"


class OptionError(CutawayError):
    """An option, or a combination of options, can't be honoured."""

    code = "option"


class InputError(CutawayError):
    """The picture that was given can't be used."""

    code = "input"


class SourceError(InputError):
    """The bytes of the picture could not be had."""

    code = "source"


class AddressRefused(SourceError):
    """A URL leads to a private, loopback or link-local address."""

    code = "address-refused"


class TooLarge(InputError):
    """The picture has more bytes or pixels than the limits allow."""

    code = "too-large"


class UnsupportedFormat(InputError):
    """The bytes are not a picture of a type we read."""

    code = "unsupported-format"


class UnreadableImage(InputError):
    """The picture is damaged."""

    code = "unreadable-image"


class OutputError(CutawayError):
    """The result could not be written."""

    code = "output"


class OutputExists(OutputError):
    """Something is at the output's place already; it was kept."""

    code = "output-exists"


class EngineError(CutawayError):
    """Removal on this machine failed."""

    code = "engine"


class NoSubjectFound(EngineError):
    """There is nothing to keep in the picture."""

    code = "no-subject"


class UnknownModel(EngineError):
    """No model has that name."""

    code = "unknown-model"


class ModelNotInstalled(EngineError):
    """The model's file is not on this machine."""

    code = "model-not-installed"


class ModelDamaged(EngineError):
    """The model's file is not what was published."""

    code = "model-damaged"


class LicenceNotAccepted(EngineError):
    """The model's licence must be accepted before its file is fetched or used."""

    code = "licence-not-accepted"


class RuntimeUnavailable(EngineError):
    """Nothing on this machine can run the model."""

    code = "runtime-unavailable"


class TransportError(CutawayError):
    """The network failed."""

    code = "transport"


class ConnectionFailed(TransportError):
    """No connection could be made, or it broke."""

    code = "connection-failed"


class TimedOut(TransportError):
    """No answer came in time."""

    code = "timed-out"


class DownloadRefused(TransportError):
    """The server answered, but not with the file."""

    code = "download-refused"


class Cancelled(CutawayError):
    """The caller stopped the work."""

    code = "cancelled"
