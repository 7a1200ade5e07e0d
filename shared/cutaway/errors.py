"""Everything that can go wrong, in one tree.

Catch the branch you can act on:

    CutawayError
    ├── ConfigError             a setting or the config file can't be used
    ├── OptionError             an option, or a combination of options, can't be honoured
    │   └── CostRefused         a remote task costs more than was allowed, or no one knows
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
    │   ├── RuntimeUnavailable  nothing here can run it
    │   └── NotEnoughMemory     it needs more memory than is free
    ├── TransportError          the network
    │   ├── ConnectionFailed    no connection, or it broke
    │   │   └── ConnectionLost  it broke after something was sent, which may have arrived
    │   ├── TimedOut            no answer in time
    │   └── DownloadRefused     the server answered, but not with the file
    ├── ProtocolError           the service's answer can't be understood
    ├── ServiceError            the service answered with an error
    │   ├── AuthError           its key is missing, wrong, or not allowed to do this
    │   ├── QuotaError          its account has no credit left
    │   ├── RateLimited         too much at once: try again later
    │   ├── InvalidRequest      it doesn't take the task as it is
    │   ├── NotFound            it has no such task, picture or model (any more)
    │   ├── ContentRefused      it doesn't want to work on this picture
    │   └── ServerFault         something failed on its side: try again later
    └── Cancelled               the caller stopped it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "AddressRefused",
    "AuthError",
    "Cancelled",
    "ConfigError",
    "ConnectionFailed",
    "ConnectionLost",
    "ContentRefused",
    "CostRefused",
    "CutawayError",
    "DownloadRefused",
    "EngineError",
    "InputError",
    "InvalidRequest",
    "LicenceNotAccepted",
    "ModelDamaged",
    "ModelNotInstalled",
    "NoSubjectFound",
    "NotEnoughMemory",
    "NotFound",
    "OptionError",
    "OutputError",
    "OutputExists",
    "ProtocolError",
    "QuotaError",
    "RateLimited",
    "RuntimeUnavailable",
    "ServerFault",
    "ServiceDetails",
    "ServiceError",
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
        task_uuid: The remote task it is about, where there is one; None elsewhere.
    """

    code: ClassVar[str] = "error"

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        super().__init__(what, why, next_step)
        self.what = what
        self.why = why
        self.next_step = next_step
        self.task_uuid: str | None = None

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


class CostRefused(OptionError):
    """A remote task costs more than was allowed, or its price isn't known."""

    code = "cost-refused"


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


class NotEnoughMemory(EngineError):
    """The model needs more memory than is free."""

    code = "not-enough-memory"


class TransportError(CutawayError):
    """The network failed."""

    code = "transport"


class ConnectionFailed(TransportError):
    """No connection could be made, or it broke."""

    code = "connection-failed"


class ConnectionLost(ConnectionFailed):
    """A connection broke after something was sent, which may or may not have arrived."""

    code = "connection-lost"


class TimedOut(TransportError):
    """No answer came in time."""

    code = "timed-out"


class DownloadRefused(TransportError):
    """The server answered, but not with the file."""

    code = "download-refused"


class ProtocolError(CutawayError):
    """The service's answer can't be understood."""

    code = "protocol"


@dataclass(frozen=True, slots=True)
class ServiceDetails:
    """What a service itself said about an error, untouched.

    Attributes:
        status: The HTTP status, where there was one.
        raw_code: Its own code, such as `invalidApiKey`; empty if it gave none.
        message: Its own words.
        parameter: The parameter at fault, if it named one; several are joined by a comma.
        allowed_values: What it takes instead, if it said.
        documentation: A page about it, if it named one.
        retry_after: Seconds to wait before trying again, if it said.
    """

    status: int | None = None
    raw_code: str = ""
    message: str = ""
    parameter: str = ""
    allowed_values: tuple[str, ...] = ()
    documentation: str = ""
    retry_after: float | None = None


class ServiceError(CutawayError):
    """The service answered with an error.

    Attributes:
        details: What it said itself.
        retryable: Whether the same task may succeed later.
    """

    code = "service"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        what: str,
        why: str = "",
        next_step: str = "",
        details: ServiceDetails = ServiceDetails(),
    ) -> None:
        super().__init__(what, why, next_step)
        self.details = details


class AuthError(ServiceError):
    """The service's key is missing, wrong, or not allowed to do this."""

    code = "auth"


class QuotaError(ServiceError):
    """The account has no credit left."""

    code = "quota"


class RateLimited(ServiceError):
    """Too much was asked at once."""

    code = "rate-limited"
    retryable = True


class InvalidRequest(ServiceError):
    """The service doesn't take the task as it is."""

    code = "invalid-request"


class NotFound(ServiceError):
    """The service has no such task, picture or model, or no longer."""

    code = "not-found"


class ContentRefused(ServiceError):
    """The service doesn't want to work on this picture."""

    code = "content-refused"


class ServerFault(ServiceError):
    """Something failed on the service's side."""

    code = "server-fault"
    retryable = True


class Cancelled(CutawayError):
    """The caller stopped the work."""

    code = "cancelled"
