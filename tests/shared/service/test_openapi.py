"""What the API's description says is what the service does."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator, meta
from schemathesis.checks import CHECKS, load_all_checks

from cutaway.errors import CutawayError, OptionError
from cutaway.runware.mask_settings import MASK_SETTINGS
from cutaway.runware.parameters import text, uuid
from cutaway.runware.tasks import PARAMETERS
from cutaway.service.openapi import document
from cutaway.service.reading import TASK_TYPES, read
from cutaway.service.vocabulary import MEANINGS, TASKS
from tests.pictures import as_file, portrait
from tests.shared.service.running import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import Case, CheckContext, Response

    from tests.shared.service.running import Service

SCHEMAS = document()["components"]["schemas"]
CHECKED = {one.wire: one.check for one in (*PARAMETERS.values(), *MASK_SETTINGS.values())}
UUID = "5B0B5D2E-6d1f-4c1e-9a55-2f0a6f1f8a11"

words = st.sampled_from(["URL", "base64Data", "dataURI", "PNG", "JPG", "WEBP", "sync", "async"])
byte = st.integers(-1, 256)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 300),
    st.floats(0.1, 0.9),
    st.text(max_size=3),
    words,
    st.from_regex(text.schema["pattern"]),
    st.from_regex(uuid.schema["pattern"].strip("^$"), fullmatch=True),
    st.from_regex(PARAMETERS["webhook_url"].check.schema["pattern"].strip("^$"), fullmatch=True),
)
values = st.one_of(
    scalars,
    st.lists(words, max_size=3),
    st.tuples(byte, byte, byte, st.one_of(st.floats(0.1, 0.9), byte)).map(list),
    st.lists(scalars, max_size=5),
    st.dictionaries(st.text(max_size=3), scalars, max_size=2),
)
"""JSON's values, many of them such as parameters hold; a whole number is never written as 1.0."""


ANY_TASK = Draft202012Validator(
    {
        "anyOf": [{"$ref": f"#/components/schemas/{task.__name__}"} for task in TASKS],
        "components": {"schemas": SCHEMAS},
    }
)


def test_every_schema_is_one() -> None:
    for schema in SCHEMAS.values():
        assert meta.is_valid(schema)


def test_every_parameter_of_the_wire_is_told_and_no_other() -> None:
    assert MEANINGS.keys() == CHECKED.keys()
    for name in ("RemoveBackground", "ImageBackgroundRemoval"):
        own = {"taskType", "taskUUID", "inputs", "inputImage", "settings"}
        assert SCHEMAS[name]["properties"].keys() == CHECKED.keys() | own
    assert SCHEMAS["Settings"]["properties"].keys() == {one.wire for one in MASK_SETTINGS.values()}


def test_every_kind_of_task_is_told_and_no_other() -> None:
    kinds = [SCHEMAS[task.__name__]["properties"]["taskType"]["const"] for task in TASKS]
    assert set(kinds) == set(TASK_TYPES)


@pytest.mark.parametrize("name", CHECKED)
@settings(max_examples=60, deadline=None)
@given(value=values.filter(lambda value: value is not None))
def test_a_parameters_schema_lets_through_what_its_check_does(name: str, value: object) -> None:
    try:
        CHECKED[name](name, value)
    except OptionError:
        taken = False
    else:
        taken = True
    assert Draft202012Validator(dict(CHECKED[name].schema)).is_valid(value) == taken


def some(valid: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly something that is right."""
    drawn = st.tuples(st.integers(0, 9), valid, scalars)
    return drawn.map(lambda one: one[2] if one[0] == 0 else one[1])


places = st.fixed_dictionaries({}, optional={"image": some(st.just("AAAA"))})
rgba = st.just([1, 2, 3, 255])
tasks = st.fixed_dictionaries(
    {"taskType": some(st.sampled_from(TASK_TYPES)), "taskUUID": some(st.just(UUID))},
    optional={
        "model": some(st.just("classical")),
        "inputs": some(places),
        "inputImage": some(st.just("AAAA")),
        "settings": some(st.fixed_dictionaries({}, optional={"rgba": some(rgba), "x": scalars})),
        "alphaMatting": some(st.booleans()),
        "outputType": some(st.just(["URL", "dataURI"])),
        "outputQuality": some(st.just(90)),
        "operation": some(st.sampled_from(["upload", "delete"])),
        "media": some(st.sampled_from(["AAAA", UUID])),
        "image": some(st.just("AAAA")),
        "apiKey": some(st.just("key")),
        "connectionSessionUUID": some(st.just(UUID)),
        "unknown": scalars,
    },
)


@settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(message=tasks)
def test_a_task_that_its_schema_lets_through_is_read_and_no_other(
    message: dict[str, Any],
) -> None:
    nested = message.get("inputs")
    # What is nested wins, whatever stands in the other place: no schema should say as much.
    assume(not (isinstance(nested, dict) and nested.get("image") and "inputImage" in message))
    try:
        read(message)
    except CutawayError:
        taken = False
    else:
        taken = True
    assert ANY_TASK.is_valid(message) == taken


PICTURE = f"data:image/png;base64,{base64.b64encode(as_file(portrait(32, 24))).decode()}"
NO_WHERE = "https://127.0.0.1:9/nothing"
"""An address that is refused before anything is sent there."""

UNFIT = ("negative_data_rejection", "positive_data_acceptance", "unsupported_method")
"""The status of several tasks is that of the best, and no schema tells whether a picture is one:
`heeded` judges by task instead. And with POST any path takes tasks."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served(tmp_path_factory.mktemp("service"), "--max-queue", "1000") as service:
        yield service


API = schemathesis.openapi.from_dict(document())
LOCKED = schemathesis.openapi.from_dict(document(needs_key=True))
BOUNDED = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def heeded(_context: CheckContext, response: Response, case: Case[Any]) -> None:
    """Each task is answered, and one that the schema doesn't let through is refused."""
    if case.path != "/v1":
        return
    answer, sent = response.json(), sent_by(case)
    errors = answer.get("errors", [])
    if len(answer["data"]) + len(errors) != len(sent):
        assert response.status_code >= 400
        assert not answer["data"]
    else:
        assert sum(not ANY_TASK.is_valid(task) for task in sent) <= len(errors)


def sent_by(case: Case[Any]) -> list[Any]:
    """The messages of a case; none if what is sent is nothing of the kind."""
    match case.body:
        case list() as messages:
            return messages
        case dict() as message:
            return [message]
    return []


@API.parametrize()
@BOUNDED
def test_whatever_the_description_allows_or_forbids_is_answered_as_it_says(
    case: Case[Any], service: Service
) -> None:
    call(case, service)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served(tmp_path_factory.mktemp("locked"), key="open-sesame") as service:
        yield service


@LOCKED.include(path="/metrics").parametrize()
@settings(BOUNDED, max_examples=3)
def test_what_is_said_to_need_the_key_does(case: Case[Any], locked: Service) -> None:
    call(case, locked, headers=locked.headers)


def call(case: Case[Any], service: Service, **more: Any) -> None:
    """Send a case and judge the answer by its description."""
    if case.path == "/v1":
        for task in sent_by(case):
            make_doable(task)
    load_all_checks()
    excluded: Any = CHECKS.get_by_names(list(UNFIT))
    case.call_and_validate(
        service.page, additional_checks=[heeded], excluded_checks=excluded, **more
    )


def test_the_service_shows_the_description_of_itself(service: Service, locked: Service) -> None:
    assert service.get("/openapi.json").json() == document()
    assert locked.get("/openapi.json").json() == document(needs_key=True)


def make_doable(task: object) -> None:
    """Have a task name a picture, and send its result nowhere."""
    if not isinstance(task, dict):
        return
    inputs = task.get("inputs")
    places = [(task, name) for name in ("inputImage", "image", "media")]
    places += [(inputs, "image")] if isinstance(inputs, dict) else []
    for place, name in places:
        if isinstance(place.get(name), str) and place[name].strip():
            place[name] = PICTURE
    if isinstance(task.get("model"), str) and task["model"].strip():
        task["model"] = "classical"
    for name in ("webhookURL", "uploadEndpoint"):
        if isinstance(task.get(name), str) and task[name].startswith("http"):
            task[name] = NO_WHERE
