from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from cutaway.runware.failures import error_for, error_for_status
from cutaway.runware.replies import Complaint

UUID = "d27ab86a-a180-4276-9f35-b9d9dbbbd00e"

KNOWN_CODES = {
    AuthError: """
        invalidApiKey missingApiKey unauthorized forbidden permissionDenied insufficientPermissions
        authenticationFailed invalidAuthentication invalidCredentials missingAuthentication
        tokenExpired tokenInvalid tokenMissing tokenRevoked accountSuspended accountDisabled
        organizationSuspended organizationDisabled workspaceSuspended workspaceDisabled
        """,
    QuotaError: """
        insufficientCredits providerInsufficientCredits thirdPartyInsufficientCredits quotaExceeded
        paymentRequired environmentPaused
        """,
    RateLimited: "rateLimitExceeded inferenceRateLimitExceeded providerRateLimitExceeded",
    InvalidRequest: """
        invalidModel invalidWidth invalidOutputFormat invalidPositivePrompt unsupportedParameter
        unsupportedTaskType unsupportedDuration unknownParameter incompatibleParameters
        mismatchProviderSettingsProvider unknownProviderSettingsProvider transparentModelMismatch
        modelOwnershipValidationError modelAlreadyExists validationFailed conflictTaskUUID
        conflictTaskUUIDDuringRetries failedToTransferImage inferenceRateLimitRequestTooLarge
        """,
    ContentRefused: """
        contentPolicyViolation providerContentPolicyViolation sensitiveContentDetected
        unsafeContentDetected nsfwContentDetected promptBlocked imageBlocked moderationFailed
        invalidProviderContent
        """,
    NotFound: """
        taskCancelled taskFailedOrNotFound taskNotFound taskExpired mediaNotFound mediaExpired
        modelNotFound unknownModel
        """,
    ServerFault: """
        inferenceError processingFailed taskFailed downloadFailed uploadFailed noAvailableServer
        modelUnavailable modelDisabled modelNotReady mediaStorageFileCouldNotBeMoved
        timeout timeoutProvider providerTimeout providerGatewayTimeout webhookTimeout
        internalServerError serviceUnavailable serverUnavailable standardError unknownError
        undefinedError defaultError unrecognizedResponse errorRetrievingAccountManagement
        """,
}
NEW_CODES = {
    QuotaError: "somebodyInsufficientCredits quotaUsedUp",
    RateLimited: "uploadRateLimitExceeded",
    ContentRefused: "violentContentDetected modelContentPolicyViolation",
    ServerFault: "providerOnFire providerAuthenticationFailed providerNotFound uploadTimeout",
    AuthError: "expiredApiKey wrongCredentials authExpired",
    NotFound: "imageNotFound uploadExpired missingTaskNotFound",
    InvalidRequest: """
        invalidSettings missingInputs conflictSeed duplicateInputs unsupportedFormat valueTooHigh
        arrayTooLong maxPixelsExceeded
        """,
}
STATUSES = {
    400: InvalidRequest,
    401: AuthError,
    402: QuotaError,
    403: AuthError,
    404: NotFound,
    405: InvalidRequest,
    408: ServerFault,
    409: InvalidRequest,
    410: NotFound,
    413: InvalidRequest,
    422: InvalidRequest,
    429: RateLimited,
    500: ServerFault,
    502: ServerFault,
    503: ServerFault,
    504: ServerFault,
}


def each(table: dict[type[ServiceError], str]) -> list[tuple[str, type[ServiceError]]]:
    return [(code, kind) for kind, codes in table.items() for code in codes.split()]


@pytest.mark.parametrize(("code", "kind"), each(KNOWN_CODES))
def test_a_known_code_decides_whatever_the_status(code: str, kind: type[ServiceError]):
    for status in (None, 400, 401, 500):
        error = error_for(Complaint(code=code, message="Words"), status=status)
        assert type(error) is kind
        assert error.details.raw_code == code


@pytest.mark.parametrize(("code", "kind"), each(NEW_CODES))
def test_a_new_code_is_understood_by_how_it_begins_or_ends(code: str, kind: type[ServiceError]):
    assert type(error_for(Complaint(code=code), status=409)) is kind


def test_a_code_is_known_however_it_is_spelled():
    for code in ("invalidApiKey", "InvalidAPIKey", "invalid_api_key", "INVALID-API-KEY"):
        assert type(error_for(Complaint(code=code))) is AuthError


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
def test_without_a_code_the_status_decides(status: int, kind: type[ServiceError]):
    for error in (
        error_for(Complaint(message="Words"), status=status),
        error_for(Complaint(code="somethingElse"), status=status),
        error_for(Complaint(status=status)),
        error_for(Complaint(code=str(status))),
        error_for_status(status, "Words", task_uuid=UUID),
    ):
        assert type(error) is kind
        assert error.details.status == status


@pytest.mark.parametrize("status", [None, 200, 302, 600, -1])
def test_with_neither_code_nor_status_it_is_an_error_of_the_service_and_no_more(status: int | None):
    for code in ("", "somethingElse", "7"):
        assert type(error_for(Complaint(code=code, status="error"), status=status)) is ServiceError


def test_what_may_pass_is_told_from_what_will_not():
    retryable = {code for code, kind in each(KNOWN_CODES) if kind.retryable}
    assert {"timeout", "providerRateLimitExceeded", "inferenceError"} <= retryable
    assert not {"inferenceRateLimitRequestTooLarge", "conflictTaskUUID", "taskExpired"} & retryable


def test_all_that_the_service_said_is_kept():
    complaint = Complaint(
        code="invalidOutputFormat",
        message="Invalid value for 'outputFormat' parameter.",
        parameter="outputFormat",
        task_uuid=UUID,
        documentation="https://runware.ai/docs",
        allowed_values=("PNG", "WEBP"),
    )
    error = error_for(complaint, status=400, retry_after=3.0)

    assert error.details == ServiceDetails(
        status=400,
        raw_code="invalidOutputFormat",
        message="Invalid value for 'outputFormat' parameter.",
        parameter="outputFormat",
        allowed_values=("PNG", "WEBP"),
        documentation="https://runware.ai/docs",
        retry_after=3.0,
    )
    assert error.task_uuid == UUID
    assert str(error) == (
        "the service doesn't take the task as it is: Invalid value for 'outputFormat' parameter "
        "(invalidOutputFormat). Change outputFormat to one of PNG, WEBP."
    )


def test_the_task_is_that_of_the_caller_where_the_complaint_names_none():
    assert error_for(Complaint(), task_uuid=UUID).task_uuid == UUID
    assert error_for(Complaint(task_uuid=UUID)).task_uuid == UUID
    assert error_for(Complaint()).task_uuid is None


def test_without_a_key_one_learns_where_to_get_it_and_where_to_put_it():
    for complaint, status in (
        (Complaint(code="invalidApiKey"), None),
        (Complaint(code="missingApiKey"), 401),
        (Complaint(), 401),
    ):
        advice = error_for(complaint, status=status).next_step
        assert "https://my.runware.ai/signup" in advice
        assert "cutaway login" in advice
        assert "RUNWARE_API_KEY" in advice


def test_too_much_at_once_tells_how_long_to_wait():
    assert "Try again in 12.5 s" in str(error_for(Complaint(), status=429, retry_after=12.5))
    assert "Try again later" in str(error_for(Complaint(), status=429))


def test_what_is_too_large_is_to_be_sent_smaller():
    assert "smaller picture" in str(error_for(Complaint(), status=413))


def test_only_some_of_many_allowed_values_are_told():
    values = tuple(f"value{number}" for number in range(100))
    complaint = Complaint(code="invalidMode", parameter="mode", allowed_values=values)
    assert error_for(complaint).next_step.endswith("value6, value7, …")


def test_a_taken_uuid_says_how_to_get_its_result():
    assert "result by the UUID" in str(error_for(Complaint(code="conflictTaskUUID"), status=400))


def test_a_status_without_words_still_says_something():
    assert "status 502" in str(error_for_status(502))
    assert "Bad Gateway (status 502)" in str(error_for_status(502, "Bad Gateway"))
    assert "doesn't say why" in str(error_for(Complaint()))


def test_the_services_words_are_made_fit_to_show_and_never_a_whole_picture():
    picture = "iVBORw0KGgo" * 10_000
    error = error_for(
        Complaint(
            code="invalidInputs\x1b[31m",
            message=f"Bad value:\r\n\x1b[31m{picture}",
            parameter=picture,
            allowed_values=("a\nb",) * 20,
            documentation=picture,
        )
    )
    assert str(error).isprintable()
    assert len(str(error)) < 1000
    assert "Bad value: [31miVBOR" in error.why
    assert len(repr(error.details)) < 10_000


@given(
    st.builds(
        Complaint,
        code=st.text(),
        message=st.text(st.characters()),
        parameter=st.text(),
        allowed_values=st.lists(st.text()).map(tuple),
        status=st.none() | st.integers() | st.text(),
        task_uuid=st.none() | st.text(),
    ),
    st.none() | st.integers(),
    st.none() | st.floats(),
)
def test_any_complaint_is_an_error_of_the_service(
    complaint: Complaint, status: int | None, retry_after: float | None
):
    error = error_for(complaint, status=status, retry_after=retry_after, task_uuid=UUID)

    assert isinstance(error, ServiceError)
    assert str(error).isprintable()
    assert error.what
    assert error.why
    assert error.next_step
    assert error.task_uuid == UUID
