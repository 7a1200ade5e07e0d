"""The core's Runware client passes its own tests with the service itself, not with the fake alone.

These are the tests of `tests/shared/runware` in which nothing has to go wrong but that a task takes
long; here their `service` is the real one, on both transports. Left out are those that script an
answer or cut a connection, and those of the cloud's prices.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.shared.runware.conftest import no_proxy_around  # noqa: F401  (a fixture of all)
from tests.shared.runware.test_runware import (  # noqa: F401  (collected here once more)
    client,
    test_a_client_tells_where_it_leads,
    test_a_closed_client_sends_nothing,
    test_a_service_that_is_not_there_is_told,
    test_a_task_that_costs_too_much_is_refused_before_anything_is_sent,
    test_a_task_that_takes_too_long_is_left_with_its_name,
    test_a_wrong_key_is_told_at_once,
    test_every_parameter_goes_through_as_given,
    test_many_threads_share_a_client,
    test_texts_are_sent_as_they_are,
    test_texts_can_be_uploaded_too,
    test_the_key_is_found_in_the_environment,
    test_the_legacy_dialect_is_spoken_if_chosen,
    test_the_same_bytes_are_uploaded_once,
    test_waiting_for_a_task_that_never_was_tells_so,
    transport,
    waiting,
)
from tests.shared.runware.test_stopping import (  # noqa: F401  (collected here once more)
    hold,
    test_a_cancelled_asyncio_task_stays_cancelled,
    test_a_cancelled_task_is_given_up_and_can_be_waited_for,
    test_a_cancelled_task_leaves_the_others_alone,
    test_a_client_that_no_one_closed_ends_with_the_last_who_knows_it,
    test_a_loop_that_ends_takes_its_tasks_along,
    test_cancelling_the_awaiting_task_ends_the_work,
    test_closing_the_client_ends_what_is_under_way,
    test_ctrl_c_ends_the_waiting_and_the_work,
    test_many_tasks_are_awaited_at_once,
    test_one_client_serves_several_loops,
    test_the_callers_loop_goes_on_while_a_task_is_awaited,
    test_what_is_cancelled_already_is_never_sent,
    url,
)
from tests.shared.service.counterpart import Counterpart

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counterpart]:
    with Counterpart(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def service(running: Counterpart) -> Counterpart:
    """A service that answers at once."""
    running.begin_again()
    return running


@pytest.fixture(autouse=True)
def nothing_stays(service: Counterpart) -> Iterator[None]:
    yield
    service.wait_until(lambda: not service.open_connections)
    assert "cutaway-wire" not in [thread.name for thread in threading.enumerate()]
