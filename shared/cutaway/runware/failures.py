"""What a complaint of the service means: the error that a caller would catch, and what to do.

The service's own code decides. Where it is new to us, how it begins or ends does, as Runware names
its codes by a pattern; and where there is none, the HTTP status.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from cutaway.catalogue.remote import KEY_VARIABLE, KEYS_PAGE
from cutaway.errors import (
    AuthError,
    ContentRefused,
    InvalidRequest,
    NotFound,
    QuotaError,
    RateLimited,
    ServerFault,
    ServiceDetails,
    ServiceError,
)
from cutaway.runware.replies import Complaint, excerpt

__all__ = ["error_for", "error_for_status"]

_LONGEST = 2000
"""Characters of the service's words that an error keeps: they may repeat a whole picture."""

_TOLD = 300
"""Characters of them that its message tells."""

_LISTED = 8
"""How many of the values that a parameter takes are told."""


class _Verdict(NamedTuple):
    kind: type[ServiceError]
    what: str
    next_step: str


_KEY = _Verdict(
    AuthError,
    "the service doesn't accept the key",
    f"Get a key at {KEYS_PAGE}, then run cutaway login or set {KEY_VARIABLE}",
)
_NO_KEY = _KEY._replace(what="the service wants a key")
_FORBIDDEN = _Verdict(
    AuthError,
    "the service doesn't allow this with the key",
    "Look at https://my.runware.ai what the key may do, or use another",
)
_CLOSED = _Verdict(
    AuthError,
    "the service has closed the account",
    "Ask the service's support, or use the key of another account",
)
_NO_CREDIT = _Verdict(
    QuotaError,
    "the account has no credit left",
    "Add credit at https://my.runware.ai, then start again",
)
_TOO_FAST = _Verdict(
    RateLimited,
    "the service has too much to do",
    "Try again later, or with fewer tasks at once",
)
_TOO_LARGE = _Verdict(
    InvalidRequest,
    "the task is too large for the service",
    "Send a smaller picture",
)
_INVALID = _Verdict(
    InvalidRequest,
    "the service doesn't take the task as it is",
    "Change what it complains about, then try again",
)
_CONFLICT = _Verdict(
    InvalidRequest,
    "the service has had a task with this UUID before",
    "Wait for its result by the UUID, or leave the UUID out to start a new task",
)
_NOT_FETCHED = _Verdict(
    InvalidRequest,
    "the service couldn't get the picture",
    "Check that its URL is open to everyone, or send its bytes",
)
_NOT_FOUND = _Verdict(
    NotFound,
    "the service has no such task, picture or model",
    "Check its name; if it was there before, start again",
)
_NOTHING_THERE = _Verdict(
    NotFound,
    "the service has nothing at this address",
    "Check the address of the service",
)
_REFUSED = _Verdict(
    ContentRefused,
    "the service doesn't want to work on this picture",
    "Use another picture, or the backend local",
)
_LATE = _Verdict(
    ServerFault,
    "the service ran out of time",
    "Try again later",
)
_FAULT = _Verdict(
    ServerFault,
    "something failed on the service's side",
    "Try again later, or with another model",
)
_UNKNOWN = _Verdict(
    ServiceError,
    "the service answered with an error",
    "Read what it says, then try again",
)

_CODES = {
    code.lower(): verdict
    for verdict, codes in (
        (
            _KEY,
            """invalidApiKey authenticationFailed invalidAuthentication invalidCredentials
            unauthorized tokenExpired tokenInvalid tokenRevoked""",
        ),
        (_NO_KEY, "missingApiKey missingAuthentication tokenMissing"),
        (_FORBIDDEN, "forbidden permissionDenied insufficientPermissions"),
        (
            _CLOSED,
            """accountSuspended accountDisabled organizationSuspended organizationDisabled
            workspaceSuspended workspaceDisabled""",
        ),
        (
            _NO_CREDIT,
            """insufficientCredits providerInsufficientCredits thirdPartyInsufficientCredits
            quotaExceeded paymentRequired environmentPaused""",
        ),
        (_TOO_FAST, "rateLimitExceeded inferenceRateLimitExceeded providerRateLimitExceeded"),
        (_TOO_LARGE, "inferenceRateLimitRequestTooLarge"),
        (
            _INVALID,
            """unknownParameter incompatibleParameters mismatchProviderSettingsProvider
            unknownProviderSettingsProvider transparentModelMismatch modelAlreadyExists
            modelOwnershipValidationError validationFailed""",
        ),
        (_CONFLICT, "conflictTaskUUID conflictTaskUUIDDuringRetries"),
        (_NOT_FETCHED, "failedToTransferImage"),
        (
            _NOT_FOUND,
            """taskCancelled taskFailedOrNotFound taskNotFound taskExpired mediaNotFound
            mediaExpired modelNotFound unknownModel""",
        ),
        (
            _REFUSED,
            """contentPolicyViolation providerContentPolicyViolation sensitiveContentDetected
            unsafeContentDetected nsfwContentDetected promptBlocked imageBlocked moderationFailed
            invalidProviderContent""",
        ),
        (
            _LATE,
            "timeout timeoutProvider providerTimeout providerGatewayTimeout webhookTimeout",
        ),
        (
            _FAULT,
            """inferenceError processingFailed taskFailed downloadFailed uploadFailed
            noAvailableServer modelUnavailable modelDisabled modelNotReady
            mediaStorageFileCouldNotBeMoved internalServerError serviceUnavailable
            serverUnavailable standardError unknownError undefinedError defaultError
            unrecognizedResponse errorRetrievingAccountManagement""",
        ),
    )
    for code in codes.split()
}

_PATTERNS = tuple(
    (re.compile(pattern), verdict)
    for pattern, verdict in (
        (r"insufficientcredits$|^quota|^payment", _NO_CREDIT),
        (r"ratelimit(exceeded)?$", _TOO_FAST),
        (r"contentpolicyviolation$|contentdetected$", _REFUSED),
        (r"timeout$", _LATE),
        (r"^provider", _FAULT),
        (r"apikey$|credentials$|^auth", _KEY),
        (r"(notfound|expired)$", _NOT_FOUND),
        (r"^(invalid|missing|conflict|duplicate|unsupported|value|array|max)", _INVALID),
    )
)
"""How codes begin or end that aren't listed; the first that fits decides."""

_STATUSES = {
    401: _KEY,
    402: _NO_CREDIT,
    403: _FORBIDDEN,
    404: _NOTHING_THERE,
    405: _NOTHING_THERE._replace(kind=InvalidRequest),
    408: _LATE,
    410: _NOT_FOUND,
    413: _TOO_LARGE,
    429: _TOO_FAST,
    504: _LATE,
}
_ERRORS = range(400, 600)
_STATUS = re.compile(r"[45][0-9]{2}")


def error_for(
    complaint: Complaint,
    *,
    status: int | None = None,
    retry_after: float | None = None,
    task_uuid: str | None = None,
) -> ServiceError:
    """Make the error that a complaint of the service stands for.

    Args:
        complaint: What the service said.
        status: The HTTP status that it came with.
        retry_after: Seconds after which to try again, if the service said.
        task_uuid: The task that failed, where the complaint itself names none.

    Returns:
        The error to raise, of the branch that a caller can act on; the service's own words are in
        `why`, on one line and not too long, and everything it said in `details`.
    """
    status = _status_in(complaint) if status is None else status
    verdict = _verdict(complaint.code, status)
    details = ServiceDetails(
        status=status,
        raw_code=complaint.code[:_LONGEST],
        message=complaint.message[:_LONGEST],
        parameter=complaint.parameter[:_LONGEST],
        allowed_values=complaint.allowed_values,
        documentation=complaint.documentation[:_LONGEST],
        retry_after=retry_after,
    )
    error = verdict.kind(verdict.what, _why(details), _next_step(verdict, details), details)
    error.task_uuid = task_uuid or complaint.task_uuid
    return error


def error_for_status(
    status: int,
    message: str = "",
    *,
    retry_after: float | None = None,
    task_uuid: str | None = None,
) -> ServiceError:
    """Make the error for an HTTP status of 400 or more whose body tells nothing, or little."""
    complaint = Complaint(message=message, status=status)
    return error_for(complaint, status=status, retry_after=retry_after, task_uuid=task_uuid)


def _verdict(code: str, status: int | None) -> _Verdict:
    plain = re.sub(r"[\W_]", "", code[:_LONGEST]).lower()
    if plain in _CODES:
        return _CODES[plain]
    for pattern, verdict in _PATTERNS:
        if pattern.search(plain):
            return verdict
    by_class = {4: _INVALID, 5: _FAULT}.get((status or 0) // 100, _UNKNOWN)
    return _STATUSES.get(status or 0, by_class)


def _status_in(complaint: Complaint) -> int | None:
    """The HTTP status that a complaint tells itself; on a WebSocket there is no other."""
    told = (complaint.status, complaint.code)
    codes = (int(one) if isinstance(one, str) and _STATUS.fullmatch(one) else one for one in told)
    return next((one for one in codes if isinstance(one, int) and one in _ERRORS), None)


def _why(details: ServiceDetails) -> str:
    words = excerpt(details.message, _TOLD).rstrip(". ")
    source = excerpt(details.raw_code, 60) or (f"status {details.status}" if details.status else "")
    if not words:
        return f"it says {source}" if source else "it doesn't say why"
    return f"{words} ({source})" if source else words


def _next_step(verdict: _Verdict, details: ServiceDetails) -> str:
    if verdict is _TOO_FAST and details.retry_after:
        return f"Try again in {details.retry_after:g} s, or with fewer tasks at once"
    if verdict is _INVALID and details.parameter:
        values = [excerpt(value, 40) for value in details.allowed_values[:_LISTED]]
        more = ["…"] * (len(details.allowed_values) > len(values))
        allowed = f" to one of {', '.join(values + more)}" if values else ""
        return f"Change {excerpt(details.parameter, 80)}{allowed}"
    return verdict.next_step
