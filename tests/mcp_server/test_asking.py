"""What the server asks of a client: its roots, which narrow what is allowed, and consent."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client
from mcp.types import ElicitRequestFormParams, ElicitResult, ErrorData, ListRootsResult, Root
from pydantic import FileUrl

from cutaway import Settings
from cutaway_mcp import Policy, create_server
from tests.fakes.runware_service import RunwareService
from tests.mcp_server.calling import call, facts_of, in_memory, names, refused
from tests.pictures import as_file, portrait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
def service() -> Iterator[RunwareService]:
    with RunwareService() as service:
        yield service


@dataclass
class User:
    """One who answers when asked for consent."""

    action: str = "accept"
    allow: bool = True
    asked: list[str] = field(default_factory=list)

    async def answer(self, _: object, params: Any) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        self.asked.append(params.message)
        content = {"allow": self.allow} if self.action == "accept" else None
        return ElicitResult(action=self.action, content=content)  # type: ignore[arg-type]

    @property
    def callbacks(self) -> dict[str, Any]:
        return {"elicitation_callback": self.answer}


def remote(service: RunwareService, **choices: Any) -> dict[str, Any]:
    """A server that may use the fake."""
    settings = Settings.load(runware_api_key=service.key)
    allowed = frozenset({service.http_url})
    return {"settings": settings, "allow_backends": allowed, **choices}


def rooted(*uris: str) -> dict[str, Any]:
    """A client with roots."""

    async def roots(_: object) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri=FileUrl(uri)) for uri in uris])

    return {"list_roots_callback": roots}


async def test_the_first_upload_of_a_session_is_asked_about_once(
    era: str, folder: Path, service: RunwareService
) -> None:
    user, path = User(), str(folder / "cat.png")
    choices = remote(service, max_cost=Decimal("0.05"))
    async with in_memory(era, folder, client=user.callbacks, **choices) as client:
        for _ in range(2):
            facts = facts_of(
                await call(client, input=path, backend=service.http_url, overwrite=True)
            )
    assert len(user.asked) == 1
    assert service.http_url in user.asked[0]
    assert "leaves this machine" in user.asked[0]
    assert "0.05" in user.asked[0]
    assert facts["left_machine"] is True
    assert facts["backend"] == service.origin
    assert facts["cost"] == pytest.approx(0.0006)
    assert facts["task_uuid"] in service.billed
    assert len(service.billed) == 2


@pytest.mark.parametrize(
    "user", [User("decline"), User("cancel"), User(allow=False)], ids=["no", "away", "unticked"]
)
async def test_without_the_user_s_consent_nothing_is_sent(
    era: str, folder: Path, service: RunwareService, user: User
) -> None:
    async with in_memory(era, folder, client=user.callbacks, **remote(service)) as client:
        text = await refused(client, input=str(folder / "cat.png"), backend=service.http_url)
    assert "did not agree" in text
    assert "local" in text
    assert not service.requests
    assert names(folder) == ["cat.png"]


@pytest.mark.parametrize(
    "answer",
    [
        ElicitResult(action="accept"),
        ElicitResult(action="accept", content={"allow": "perhaps"}),
        ErrorData(code=-32603, message="there is no window"),
    ],
    ids=["empty", "odd", "error"],
)
async def test_an_answer_that_is_none_is_no_consent(
    folder: Path, service: RunwareService, answer: ElicitResult | ErrorData
) -> None:
    async def answered(*_: object) -> ElicitResult | ErrorData:
        return answer

    client = {"elicitation_callback": answered}
    async with in_memory("legacy", folder, client=client, **remote(service)) as connected:
        arguments = {"input": str(folder / "cat.png"), "backend": service.http_url}
        text = await refused(connected, **arguments)
    assert "no usable answer" in text
    assert "backend local" in text
    assert not service.requests


async def test_each_session_is_asked_for_itself(
    era: str, folder: Path, service: RunwareService
) -> None:
    user, path = User(), str(folder / "cat.png")
    for _ in range(2):
        async with in_memory(era, folder, client=user.callbacks, **remote(service)) as client:
            facts_of(await call(client, input=path, backend=service.http_url, overwrite=True))
    assert len(user.asked) == 2


async def test_a_removal_on_this_machine_is_not_asked_about(
    era: str, folder: Path, service: RunwareService
) -> None:
    user = User()
    async with in_memory(era, folder, client=user.callbacks, **remote(service)) as client:
        facts_of(await call(client, input=str(folder / "cat.png")))
        facts_of(await call(client, input=str(folder / "cat.png"), backend="local", overwrite=True))
    assert not user.asked
    assert not service.requests


async def test_the_operator_s_choice_is_consent_where_a_client_can_t_ask(
    era: str, folder: Path, service: RunwareService
) -> None:
    choices = remote(service, backend=service.http_url)
    async with in_memory(era, folder, **choices) as client:
        facts = facts_of(await call(client, input=str(folder / "cat.png")))
    assert facts["backend"] == service.origin


async def test_a_backend_that_is_not_allowed_is_neither_asked_about_nor_used(
    era: str, folder: Path, service: RunwareService
) -> None:
    user, path = User(), str(folder / "cat.png")
    async with in_memory(era, folder, client=user.callbacks) as client:
        assert "--allow-backend" in await refused(client, input=path, backend=service.http_url)
    choices = remote(service, network=False, backend=service.http_url)
    async with in_memory(era, folder, client=user.callbacks, **choices) as client:
        assert "--no-network" in await refused(client, input=path, backend=service.http_url)
        assert facts_of(await call(client, input=path))["backend"] == "local"
    assert not user.asked
    assert not service.requests


async def test_a_removal_that_costs_more_than_is_allowed_is_refused(
    folder: Path, service: RunwareService
) -> None:
    choices = remote(service, max_cost=Decimal("0.0001"))
    async with in_memory("2026-07-28", folder, **choices) as client:
        text = await refused(
            client, input=str(folder / "cat.png"), backend=service.http_url, model="bria:2@1"
        )
    assert "0.0001" in text
    assert not service.billed


@pytest.mark.parametrize("delivery", ["sync", "async"])
async def test_the_delivery_is_the_call_s(
    folder: Path, service: RunwareService, delivery: str
) -> None:
    async with in_memory("2026-07-28", folder, **remote(service)) as client:
        result = await call(
            client,
            input=str(folder / "cat.png"),
            backend=service.http_url,
            options={"delivery": delivery},
        )
    facts_of(result)
    (message,) = [one.message for one in service.requests if one.task_type == "removeBackground"]
    assert message.get("deliveryMethod", "sync") == delivery


async def test_roots_narrow_what_is_allowed(era: str, folder: Path) -> None:
    inner = folder / "with space & 100%"
    inner.mkdir()
    (inner / "dog.png").write_bytes(as_file(portrait()))
    async with in_memory(era, folder, client=rooted(inner.as_uri())) as client:
        facts_of(await call(client, input=str(inner / "dog.png")))
        assert "not in an allowed folder" in await refused(client, input=str(folder / "cat.png"))
        assert "not in an allowed folder" in await refused(
            client,
            input=str(inner / "dog.png"),
            output_path=str(folder / "dog.png"),
        )


async def test_roots_never_widen_what_is_allowed(era: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "dog.png").write_bytes(as_file(portrait()))
    (folder / "way-out").symlink_to(tmp_path)
    for uri in ("file:///", tmp_path.as_uri(), (folder / "way-out").as_uri()):
        async with in_memory(era, folder, client=rooted(uri)) as client:
            await refused(client, input=str(tmp_path / "dog.png"))
            facts_of(await call(client, input=str(folder / "cat.png"), overwrite=True))


async def test_roots_that_have_nothing_to_do_with_it_change_nothing(
    era: str, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for uris in ((), (elsewhere.as_uri(),), ("file:///missing/folder",), ("file://host/share",)):
        async with in_memory(era, folder, client=rooted(*uris)) as client:
            facts = facts_of(await call(client, input=str(folder / "cat.png"), overwrite=True))
            await refused(client, input=str(elsewhere / "dog.png"))
        assert any("roots" in warning for warning in facts["warnings"]) is bool(uris)


async def test_results_have_their_folder_whatever_the_roots(
    era: str, folder: Path, tmp_path: Path
) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "dog.png").write_bytes(as_file(portrait()))
    roots = rooted((folder / "inner").as_uri())
    async with in_memory(era, folder, client=roots, output_dir=tmp_path / "results") as client:
        facts = facts_of(await call(client, input=str(folder / "inner" / "dog.png")))
        assert not (await call(client, "view_image", path=facts["output_path"])).is_error
        await refused(client, input=str(folder / "cat.png"))
    assert names(tmp_path / "results") == ["dog-cutout.png"]


async def test_roots_around_the_results_alone_leave_the_pictures_allowed(
    era: str, folder: Path, tmp_path: Path
) -> None:
    results = tmp_path / "project" / "results"
    roots = rooted((tmp_path / "project").as_uri())
    async with in_memory(era, folder, client=roots, output_dir=results) as client:
        facts_of(await call(client, input=str(folder / "cat.png")))
    assert names(results) == ["cat-cutout.png"]


@pytest.mark.parametrize("answer", [None, "vscode-remote://host/project"])
async def test_a_client_that_fails_to_tell_its_roots_is_served_all_the_same(
    folder: Path, answer: str | None
) -> None:
    async def roots(_: object) -> Any:
        if answer is None:
            return ErrorData(code=-32603, message="no folder is open")
        return ListRootsResult(roots=[Root.model_construct(uri=answer)])

    client = {"list_roots_callback": roots}
    async with in_memory("legacy", folder, client=client) as connected:
        facts_of(await call(connected, input=str(folder / "cat.png")))


async def test_a_client_that_can_t_ask_its_user_agrees_for_no_other(
    era: str, folder: Path, service: RunwareService
) -> None:
    user = User()
    settings, backends = remote(service).values()
    policy = Policy(allow_dirs=(folder,), allow_backends=backends)
    server = create_server(settings=settings, policy=policy)
    for callbacks in ({}, user.callbacks):
        async with Client(server, mode=era, **callbacks) as client:
            arguments = {"input": str(folder / "cat.png"), "backend": service.http_url}
            facts_of(await call(client, **arguments, overwrite=True))
    assert len(user.asked) == 1


def swap_target(folder: Path, outside: Path) -> None:
    """Put a link to elsewhere where the result is to be."""
    (folder / "inner" / "cat.png").symlink_to(outside / "victim.png")


def swap_folder(folder: Path, outside: Path) -> None:
    """Put a link to elsewhere in place of the result's folder."""
    (folder / "inner").rename(folder / "moved")
    (folder / "inner").symlink_to(outside)


def swap_for_pipe(folder: Path, _: Path) -> None:
    """Put a pipe where the result is to be."""
    os.mkfifo(folder / "inner" / "cat.png")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("swap", [swap_target, swap_folder, swap_for_pipe])
async def test_what_takes_the_result_s_place_during_the_call_leads_nowhere(
    folder: Path, tmp_path: Path, service: RunwareService, swap: Any, overwrite: Any
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim.png").write_bytes(b"victim")
    (folder / "inner").mkdir()

    def while_it_works(_: object) -> None:
        swap(folder, outside)

    service.fault_for = while_it_works
    async with in_memory("2026-07-28", folder, **remote(service)) as client:
        text = await refused(
            client,
            input=str(folder / "cat.png"),
            output_path=str(folder / "inner" / "cat.png"),
            backend=service.http_url,
            overwrite=overwrite,
        )
    assert "meanwhile" in text
    assert next(iter(service.billed)) in text  # what was paid for can be asked for again
    assert names(outside) == ["victim.png"]
    assert (outside / "victim.png").read_bytes() == b"victim"
    assert not names(folder, "*.part")


async def test_a_file_that_comes_during_the_call_is_kept(
    folder: Path, service: RunwareService
) -> None:
    def while_it_works(_: object) -> None:
        (folder / "cat-cutout.png").write_bytes(b"mine")

    service.fault_for = while_it_works
    async with in_memory("2026-07-28", folder, **remote(service)) as client:
        text = await refused(client, input=str(folder / "cat.png"), backend=service.http_url)
    assert "came there meanwhile" in text
    assert (folder / "cat-cutout.png").read_bytes() == b"mine"
    assert names(folder) == ["cat-cutout.png", "cat.png"]
