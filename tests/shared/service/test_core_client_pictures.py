"""The core's remote backend gets from the service what it gets from the fake: whole pictures.

These are the tests of `tests/shared/test_remote_client.py` in which nothing is scripted but that a
task takes long. One more is left out: the service cleans a cutout's edges, so what comes of a
stored picture doesn't have the very colours of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cutaway.service.configuration import Configuration
from cutaway.service.removing import Remover
from cutaway.settings import Settings
from tests.fakes.planting import plant
from tests.shared.service.counterpart import Counterpart
from tests.shared.test_remote_client import (  # noqa: F401  (collected here once more)
    network,
    test_a_cancel_ends_the_waiting_at_once,
    test_a_key_alone_sends_nothing_anywhere,
    test_a_large_picture_goes_reduced_and_without_its_metadata_and_comes_back_whole,
    test_a_picture_comes_back_as_its_own_pixels_under_the_services_matte,
    test_a_preparation_tells_what_would_be_sent_and_sends_nothing,
    test_a_stored_pictures_mask_is_treated_by_the_model_that_can,
    test_a_submission_gives_the_services_own_answer_and_downloads_nothing,
    test_a_submission_is_sent_as_the_settings_say,
    test_a_submitted_text_goes_as_it_is,
    test_a_task_that_the_service_never_had_is_not_found_and_nothing_is_sent,
    test_an_argument_chooses_the_backend_over_the_settings,
    test_cancelling_the_awaiting_task_ends_the_waiting_at_once,
    test_sixteen_bits_and_their_profile_stay,
    test_the_awaiting_client_does_all_that_the_other_does,
    test_the_facts_tell_the_model_the_service_the_task_and_its_cost,
    test_the_pictures_own_transparency_is_multiplied_in_once,
    test_the_result_of_a_task_that_was_given_up_is_taken_later_and_billed_once,
    test_the_settings_model_is_taken_if_the_service_has_it_else_the_default,
    test_the_stages_are_told_in_order,
    test_what_would_cost_too_much_is_never_sent,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def remover(tmp_path_factory: pytest.TempPathFactory, network: Path) -> Iterator[Remover]:  # noqa: F811  (the fixture)
    """The engine, which has one small network for every model."""
    folder = tmp_path_factory.mktemp("models")
    plant(network, folder, "u2netp")
    remover = Remover(Configuration(allow_fallback=True), Settings.load(models_dir=folder))
    yield remover
    remover.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, remover: Remover) -> Iterator[Counterpart]:
    with Counterpart(tmp_path_factory.mktemp("service"), remover) as running:
        yield running


@pytest.fixture
def service(running: Counterpart) -> Counterpart:
    """A service that removes backgrounds."""
    running.begin_again()
    return running
