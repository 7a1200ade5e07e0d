from __future__ import annotations

import pickle
from itertools import chain, repeat

import pytest

from cutaway import errors
from cutaway.errors import (
    AuthError,
    ConnectionFailed,
    ConnectionLost,
    InvalidRequest,
    NotFound,
    ProtocolError,
    QuotaError,
    RateLimited,
    ServerFault,
    TimedOut,
)
from cutaway.runware.delivery import Pause, Send, deliver
from cutaway.runware.retries import Pace
from tests.shared.runware.playing import (
    ACCEPTED,
    DONE,
    EMPTY,
    NOT_FOUND,
    TAKEN,
    TASK,
    URL,
    UUID,
    WORKING,
    Answer,
    about,
    complaint,
    play,
    play_waiting,
    reply,
)

UNREACHABLE = ConnectionFailed("no connection", "refused", "Look at the cable")
LOST = ConnectionLost("the connection broke", next_step="Try again later")
LATE = TimedOut("no answer came", next_step="Try again later")
GARBLED = ProtocolError("the answer can't be understood", next_step="Check the address")
BUSY = complaint("serviceUnavailable", status=503)
THROTTLED = complaint("rateLimitExceeded", None, status=429, retry_after=7.0)
SYNC = {**TASK, "deliveryMethod": "sync"}
TAKEN_ANYWAY = "The task may still finish and be billed: wait_for"


def test_a_result_that_comes_at_once_is_the_result():
    story = play([DONE], message=SYNC)
    assert story.course == ["send"]
    assert story.result is not None
    assert story.result.image_url == URL


@pytest.mark.parametrize("answer", [ACCEPTED, EMPTY, WORKING], ids=["ack", "empty", "working"])
def test_an_answer_without_a_picture_is_followed_by_polls_that_grow_apart(answer):
    story = play([answer, WORKING, WORKING, WORKING, DONE])
    assert story.course == ["send", 1, "poll", 1.5, "poll", 2.25, "poll", 3.375, "poll"]
    assert story.result is not None
    assert story.result.image_url == URL


def test_polls_never_lie_further_apart_than_the_pace_says():
    story = play([ACCEPTED, *[WORKING] * 10, DONE])
    assert story.pauses[-4:] == [10, 10, 10, 10]


def test_a_poll_asks_for_the_task_by_its_own_uuid():
    story = play([ACCEPTED, DONE])
    assert story.sends[1].message == {"taskType": "getResponse", "taskUUID": UUID}


def test_a_success_without_a_picture_is_a_result_too_as_it_went_to_an_upload_endpoint():
    story = play([ACCEPTED, reply(about(status="success", imageUUID="1"))])
    assert story.result is not None
    assert story.result.image_uuid == "1"


def test_a_result_is_kept_though_a_complaint_comes_with_it():
    both = reply(about(imageURL=URL), errors=[{"code": "invalidWidth", "taskUUID": UUID}])
    assert play([both]).result is not None


def test_what_comes_for_other_tasks_is_no_answer():
    other = "b770f077-f413-47de-9dac-be0b26a35da6"
    stray = reply(about(other, imageURL=URL), errors=[{"code": "invalidModel", "taskUUID": other}])
    assert play([ACCEPTED, stray, DONE]).exchanges == ["send", "poll", "poll"]


@pytest.mark.parametrize("doubt", [LOST, LATE, GARBLED, BUSY], ids=["lost", "late", "html", "503"])
def test_after_a_doubtful_sending_the_service_is_asked_and_a_known_task_not_sent_again(doubt):
    story = play([doubt, WORKING, DONE])
    assert story.exchanges == ["send", "poll", "poll"]
    assert story.result is not None


@pytest.mark.parametrize("doubt", [LOST, LATE, GARBLED, BUSY], ids=["lost", "late", "html", "503"])
@pytest.mark.parametrize(
    "unknown", [EMPTY, NOT_FOUND, complaint("taskFailedOrNotFound", status=404)], ids=repr
)
def test_after_a_doubtful_sending_a_task_the_service_does_not_know_is_sent_again(doubt, unknown):
    story = play([doubt, unknown, ACCEPTED, DONE])
    assert story.exchanges == ["send", "poll", "send", "poll"]
    assert story.sends[0].message is story.sends[2].message
    assert story.result is not None


@pytest.mark.parametrize("refusal", [UNREACHABLE, THROTTLED], ids=["unreachable", "429"])
def test_a_task_that_was_certainly_not_taken_is_sent_again_without_asking(refusal):
    assert play([refusal, refusal, DONE]).exchanges == ["send", "send", "send"]


def test_a_service_that_throttles_is_given_the_time_it_asks_for():
    assert play([THROTTLED, THROTTLED, DONE]).pauses == [7, 7]


def test_a_busy_service_is_given_the_time_it_asks_for_before_it_is_asked():
    busy = complaint("serviceUnavailable", status=503, retry_after=4.0)
    assert play([busy, EMPTY, DONE]).course == ["send", 4 + 1, "poll", "send"]


def test_retries_back_off():
    story = play([*[UNREACHABLE] * 6, DONE])
    assert story.pauses == [0.5, 1, 2, 4, 8, 8]


def test_retries_back_off_across_polls_that_know_nothing():
    story = play([BUSY, EMPTY, BUSY, EMPTY, BUSY, EMPTY, DONE])
    assert story.pauses == [1 + 0.5, 1 + 1, 1 + 2]


def test_a_service_has_a_moment_to_see_a_task_before_it_is_believed_not_to_have_it():
    assert play([LOST, EMPTY, DONE], draw=0.0).course == ["send", 1, "poll", "send"]


def test_a_taken_uuid_after_a_resend_means_that_the_task_was_accepted():
    story = play([LOST, EMPTY, TAKEN, EMPTY, WORKING, DONE])
    assert story.exchanges == ["send", "poll", "send", "poll", "poll", "poll"]
    assert story.result is not None


@pytest.mark.parametrize("before", [[], [UNREACHABLE]], ids=["first", "first that got there"])
def test_a_taken_uuid_on_the_first_sending_is_someone_elses(before):
    story = play([*before, TAKEN])
    assert isinstance(story.error, InvalidRequest)
    assert story.error.task_uuid == UUID


def test_an_empty_answer_is_believed_to_be_an_acknowledgement_until_denied_three_times():
    story = play([EMPTY, EMPTY, EMPTY, EMPTY, DONE])
    assert story.exchanges == ["send", "poll", "poll", "poll", "send"]


def test_an_acknowledged_task_that_is_not_visible_yet_is_never_sent_again():
    story = play([ACCEPTED, *[EMPTY, NOT_FOUND] * 5, DONE])
    assert story.exchanges == ["send", *["poll"] * 11]


def test_a_late_denial_is_no_answer_to_a_sending():
    assert play([LOST, EMPTY, NOT_FOUND, DONE]).exchanges == ["send", "poll", "send", "poll"]


@pytest.mark.parametrize(
    "trouble",
    [UNREACHABLE, LOST, LATE, GARBLED, BUSY, THROTTLED, complaint("rateLimitExceeded")],
    ids=["unreachable", "lost", "late", "html", "503", "429", "throttled on a socket"],
)
def test_a_poll_that_fails_is_made_again(trouble):
    story = play([ACCEPTED, trouble, WORKING, DONE])
    assert story.exchanges == ["send", "poll", "poll", "poll"]
    assert story.result is not None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("inferenceError", ServerFault),
        ("timeoutProvider", ServerFault),
        ("contentPolicyViolation", errors.ContentRefused),
        ("failedToTransferImage", InvalidRequest),
        ("taskExpired", NotFound),
        ("taskCancelled", NotFound),
        ("insufficientCredits", QuotaError),
    ],
)
def test_a_complaint_about_the_task_while_polling_is_its_end(code, kind):
    story = play([ACCEPTED, WORKING, complaint(code, status=200)])
    assert isinstance(story.error, kind)
    assert story.error.task_uuid == UUID
    assert story.exchanges == ["send", "poll", "poll"]


def test_a_task_that_failed_at_the_service_may_be_tried_again_only_as_a_new_one():
    story = play([ACCEPTED, complaint("providerRateLimitExceeded", failed=True)])
    assert isinstance(story.error, RateLimited)
    assert "as a new one" in story.error.next_step
    assert "as a new one" in str(pickle.loads(pickle.dumps(story.error)))  # noqa: S301  (our own)


@pytest.mark.parametrize("code", ["inferenceError", "internalServerError"])
def test_a_failed_item_of_data_is_the_tasks_end_too(code):
    failed = reply(about(status="error", error={"code": code, "message": "Oops"}))
    assert isinstance(play([ACCEPTED, failed]).error, ServerFault)


@pytest.mark.parametrize(
    ("code", "status"),
    [("internalServerError", None), ("internalServerError", 500), ("inferenceError", 500)],
)
def test_a_server_fault_that_meets_a_poll_is_not_the_tasks_end(code, status):
    fault = complaint(code, status=status)
    assert play([ACCEPTED, fault, fault, fault, DONE]).result is not None


@pytest.mark.parametrize("code", ["inferenceError", "internalServerError"])
@pytest.mark.parametrize("status", [None, 200, 500])
def test_a_task_that_is_said_to_have_failed_has_whatever_the_polls_status(code, status):
    failed = complaint(code, status=status, failed=True)
    assert isinstance(play([ACCEPTED, failed]).error, ServerFault)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (complaint("invalidApiKey", None, status=401), AuthError),
        (complaint("insufficientCredits", status=402), QuotaError),
        (complaint("invalidModel", status=400), InvalidRequest),
        (complaint("contentPolicyViolation", status=400), errors.ContentRefused),
        (complaint("modelNotFound", status=404), NotFound),
        (reply(status=401), AuthError),
        (AuthError("no key"), AuthError),
        (errors.DownloadRefused("no"), errors.DownloadRefused),
    ],
    ids=repr,
)
def test_a_task_that_is_refused_for_good_is_sent_once(answer, kind):
    story = play([answer])
    assert isinstance(story.error, kind)
    assert story.error.task_uuid == UUID


@pytest.mark.parametrize("status", [408, 500, 503])
def test_a_fault_that_is_told_by_the_status_alone_leaves_doubt(status):
    assert play([reply(status=status), EMPTY, DONE]).exchanges == ["send", "poll", "send"]


def test_a_service_that_says_no_to_retries_is_asked_but_not_sent_the_task_again():
    no = complaint("serviceUnavailable", status=503, should_retry=False)
    assert play([no, WORKING, DONE]).result is not None
    assert isinstance(play([no, EMPTY]).error, ServerFault)
    throttled = complaint("rateLimitExceeded", status=429, should_retry=False)
    assert isinstance(play([throttled]).error, RateLimited)


def test_a_key_that_is_refused_while_polling_ends_the_waiting_and_says_that_the_task_goes_on():
    story = play([ACCEPTED, complaint("invalidApiKey", status=401)])
    assert isinstance(story.error, AuthError)
    assert TAKEN_ANYWAY in str(story.error)
    assert UUID in str(story.error)


def test_where_no_such_service_is_the_life_ends_early():
    garbled = ProtocolError("the answer is a web page", next_step="Check the address")
    story = play(repeat(garbled))
    assert story.error is garbled
    assert story.exchanges == ["send", *["poll"] * 4]
    assert TAKEN_ANYWAY in garbled.next_step


def test_a_service_that_is_understood_now_and_then_is_not_given_up():
    assert play([*[GARBLED] * 4, WORKING, *[GARBLED] * 4, DONE]).result is not None


def test_a_task_is_sent_only_so_often():
    story = play(chain.from_iterable(repeat((LOST, EMPTY))), pace=Pace(timeout=1e6, sends=4))
    assert story.exchanges.count("send") == 4
    assert story.error is LOST
    story = play(repeat(THROTTLED), pace=Pace(timeout=1e6, sends=4))
    assert story.exchanges == ["send"] * 4
    assert isinstance(story.error, RateLimited)


def test_a_service_that_answers_with_nothing_at_all_is_not_sent_the_task_for_ever():
    story = play(repeat(EMPTY), pace=Pace(timeout=1000, sends=3))
    assert story.exchanges.count("send") == 3
    assert isinstance(story.error, TimedOut)


def test_at_the_deadline_the_error_says_that_the_task_may_go_on_and_how_to_ask_for_it():
    story = play(chain([ACCEPTED], repeat(WORKING)))
    assert isinstance(story.error, TimedOut)
    assert "300 seconds" in story.error.what
    assert f"wait_for('{UUID}')" in story.error.next_step
    assert story.error.task_uuid == UUID
    assert 299 <= story.seconds <= 300


def test_at_the_deadline_the_last_trouble_is_the_cause():
    story = play(chain([ACCEPTED], repeat(UNREACHABLE)))
    assert isinstance(story.error, TimedOut)
    assert story.error.__cause__ is UNREACHABLE


def test_a_service_that_was_never_reached_is_told_as_that():
    story = play(repeat(UNREACHABLE), pace=Pace(timeout=5))
    assert story.error is UNREACHABLE
    assert story.error.task_uuid == UUID
    assert story.seconds <= 5


def test_a_service_that_wants_more_time_than_there_is_is_not_waited_for():
    story = play([THROTTLED], pace=Pace(timeout=6))
    assert isinstance(story.error, RateLimited)
    assert story.seconds == 0


@pytest.mark.parametrize("timeout", [0.1, 1, 5, 42, 300])
def test_no_pause_and_no_answer_reaches_past_the_deadline(timeout):
    answers: list[Answer] = [LATE, WORKING, *[LATE] * 99]
    story = play(answers, message=SYNC, pace=Pace(timeout=timeout))
    assert isinstance(story.error, TimedOut)
    assert 0.9 * timeout <= story.seconds <= timeout


@pytest.mark.parametrize(("timeout", "last"), [(20, 19), (2, 1.8)])
def test_the_last_poll_is_made_shortly_before_the_deadline(timeout, last):
    story = play(chain([ACCEPTED], repeat(WORKING)), pace=Pace(timeout=timeout))
    assert story.course[-1] == "poll"
    assert story.seconds == pytest.approx(last)


def test_a_pause_that_takes_too_long_is_the_end():
    story = play([ACCEPTED], oversleep=300)
    assert isinstance(story.error, TimedOut)
    assert play([UNREACHABLE], oversleep=300).error is UNREACHABLE


def test_the_answer_of_a_sync_task_is_awaited_longer_than_an_acknowledgement():
    webhook = {**SYNC, "webhookURL": "https://example.com/hook"}
    waits = [round(play([DONE], message=one).sends[0].timeout) for one in (TASK, SYNC, webhook)]
    assert waits == [30, 120, 30]


@pytest.mark.parametrize(
    "where", [{"inputs": {"image": "A" * 655360}}, {"inputImage": "A" * 655360}]
)
def test_a_big_picture_is_given_the_time_that_a_slow_line_takes_for_it(where):
    small = play([DONE]).sends[0].timeout
    assert play([DONE], message={**TASK, **where}).sends[0].timeout == pytest.approx(
        small + 10, 0.01
    )


@pytest.mark.parametrize(
    ("answers", "exchanges"),
    [
        ([ACCEPTED], ["send"]),
        ([DONE], ["send"]),
        ([EMPTY, WORKING], ["send", "poll"]),
        ([LOST, WORKING], ["send", "poll"]),
        ([LOST, EMPTY, TAKEN], ["send", "poll", "send"]),
        ([LOST, TAKEN], ["send", "poll"]),
    ],
)
def test_until_accepted_any_sign_that_the_task_is_known_ends_it(answers, exchanges):
    story = play(answers, until="accepted")
    assert story.exchanges == exchanges
    assert story.result is not None
    assert story.result.task_uuid == UUID


def test_waiting_for_a_task_asks_at_once_and_never_sends():
    story = play_waiting([WORKING, UNREACHABLE, EMPTY, NOT_FOUND, WORKING, *[NOT_FOUND] * 5, DONE])
    assert set(story.exchanges) == {"poll"}
    assert story.course[0] == "poll"
    assert story.result is not None


def test_waiting_for_a_task_that_the_service_denies_again_and_again_ends():
    story = play_waiting([NOT_FOUND, EMPTY, NOT_FOUND, NOT_FOUND])
    assert isinstance(story.error, NotFound)
    assert story.error.task_uuid == UUID


def test_waiting_for_a_task_of_which_nothing_comes_lasts_until_the_deadline():
    story = play_waiting(repeat(EMPTY), pace=Pace(timeout=30))
    assert isinstance(story.error, TimedOut)
    assert story.error.task_uuid == UUID
    assert story.seconds <= 30


def test_waiting_for_a_task_that_failed_tells_why():
    assert isinstance(play_waiting([complaint("inferenceError")]).error, ServerFault)


@pytest.mark.parametrize(
    "stop", [errors.Cancelled("stop"), KeyboardInterrupt(), RuntimeError("a bug"), OSError("odd")]
)
@pytest.mark.parametrize("when", ["sending", "pausing"])
def test_what_is_no_answer_of_the_service_goes_through_a_life_untouched(stop, when):
    life = deliver(TASK, Pace(), lambda: 0.0, lambda: 1.0)
    assert isinstance(next(life), Send)
    if when == "pausing":
        assert isinstance(life.send(ACCEPTED), Pause)
    with pytest.raises(type(stop)) as caught:
        life.throw(stop)
    assert caught.value is stop


def test_a_life_can_be_left_at_any_point():
    life = deliver(TASK, Pace(), lambda: 0.0, lambda: 1.0)
    next(life)
    life.close()
    assert list(life) == []


def test_a_driver_that_forgets_the_reply_is_told():
    life = deliver(TASK, Pace(), lambda: 0.0, lambda: 1.0)
    next(life)
    with pytest.raises(TypeError, match="Reply"):
        life.send(None)


def test_the_picture_is_not_in_the_representation_of_a_step():
    secret = {**TASK, "inputs": {"image": "QUJD" * 1000}}
    assert "QUJD" not in repr(next(deliver(secret, Pace(), lambda: 0.0, lambda: 1.0)))
