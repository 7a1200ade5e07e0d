"""What both faces of the client share: everything but the waiting."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack, cast
from uuid import uuid4

from cutaway.catalogue.remote import DEFAULT_REMOTE, KEY_VARIABLE, KEYS_PAGE, find_remote
from cutaway.errors import AuthError, InvalidRequest, NotFound
from cutaway.runware.credential import Credential
from cutaway.runware.endpoint import RUNWARE, Endpoint
from cutaway.runware.parameters import choice, uuid
from cutaway.runware.pictures import check_address, data_uri, kind_of_picture
from cutaway.runware.retries import Pace
from cutaway.runware.tasks import (
    Dialect,
    RemovalTask,
    WireParameters,
    check_cost,
    check_settings,
    encode,
    price,
)
from cutaway.sources.text import SourceKind

if TYPE_CHECKING:
    from concurrent.futures import Future
    from decimal import Decimal

    from cutaway.catalogue.remote import RemoteModel
    from cutaway.runware.replies import Result
    from cutaway.runware.transport import Transport
    from cutaway.runware.wire import Courier

__all__ = ["NO_UUID", "USUAL_PACE", "Order", "RunwareBase"]

USUAL_PACE = Pace()
"""How patient a client is that was told nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One picture to submit, as the caller gave it.

    Attributes:
        image: A picture file's bytes, or a UUID, URL, data URI or base64.
        model: An AIR, slug or local name.
        task_uuid: The task's name for its whole life.
        upload: Whether to store the picture with the service first.
        parameters: What else to send.
    """

    image: str | bytes = field(repr=False)
    model: str = DEFAULT_REMOTE
    task_uuid: str
    upload: bool = False
    parameters: WireParameters = field(default_factory=WireParameters)

    @property
    def remote(self) -> RemoteModel:
        """The model, as the catalogue knows it."""
        return find_remote(self.model)

    def task(self) -> RemovalTask:
        """Give the task in full; bytes become a data URI.

        Raises:
            SourceError: the picture is none that can be sent.
            OptionError: a parameter can't be used.
        """
        kind_of_picture(self.image)
        return RemovalTask(
            task_uuid=self.task_uuid,
            image=self.image if isinstance(self.image, str) else data_uri(self.image),
            model=self.remote.air,
            **cast("dict[str, Any]", self.parameters),
        )


class RunwareBase:
    """A client of the Runware API, or of a service that is compatible with it.

    Args:
        key: The API key; if none is given, that of the environment (`RUNWARE_API_KEY`).
        url: `runware`, or an `http(s)` or `ws(s)` URL; see `Endpoint.parse`.
        transport: `http` or `websocket`; as the URL says if it isn't given.
        dialect: `new` (`removeBackground`) or `legacy` (`imageBackgroundRemoval`).
        max_cost: US dollars that one task may cost at most.
        pace: How patient to be.
        allow_private_network: Pass on URLs of pictures in private networks, and send the key
            unencrypted.

    Raises:
        ConfigError: the key or the URL can't be used, or the key would travel unencrypted.
        OptionError: there is no such dialect.
    """

    def __init__(  # noqa: PLR0913  (each is a choice of its own, and each has a default)
        self,
        key: str | None = None,
        *,
        url: str = RUNWARE,
        transport: str | None = None,
        dialect: str = Dialect.NEW,
        max_cost: Decimal | None = None,
        pace: Pace = USUAL_PACE,
        allow_private_network: bool = False,
    ) -> None:
        from cutaway.runware.uploads import Uploads  # with asyncio, which takes long to import
        from cutaway.runware.wire import Wire

        self._endpoint = Endpoint.parse(url, transport)
        self._credential = Credential.of(key)
        if self._credential is not None:
            self._endpoint.check_key(allow_private_network=allow_private_network)
        self._dialect = Dialect(choice(*Dialect)("dialect", dialect))
        self._max_cost = max_cost
        self._allow_private_network = allow_private_network
        self._wire = Wire(partial(_transport, self._endpoint, self._credential, pace), pace)
        # The wire's thread would go on without a client that nobody closed.
        weakref.finalize(self, self._wire.end).atexit = False
        self._uploads = Uploads()

    def encode(
        self,
        image: str | bytes,
        *,
        model: str = DEFAULT_REMOTE,
        task_uuid: str | None = None,
        **parameters: Unpack[WireParameters],
    ) -> dict[str, Any]:
        """Give the JSON object that `submit` would send, and send nothing; the network isn't used.

        Raises:
            OptionError: as `submit` does; its branch `CostRefused` too.
            SourceError: the picture is none that can be sent.
            UnknownModel: there is no such model.
        """
        order = Order(
            image=image,
            model=model,
            task_uuid=task_uuid or str(uuid4()),
            parameters=parameters,
        )
        return self._message(order)[1]

    def price(
        self, *, model: str = DEFAULT_REMOTE, **parameters: Unpack[WireParameters]
    ) -> Decimal | None:
        """Tell what a task would cost, in US dollars; None where no one can say.

        Raises:
            OptionError: a parameter can't be used.
            UnknownModel: there is no such model.
        """
        order = Order(image=NO_UUID, model=model, task_uuid=NO_UUID, parameters=parameters)
        return price(order.task(), order.remote)

    def check_key(self) -> None:
        """Raise `AuthError` if there is no key, and Runware would want one; nothing is sent."""
        if self._credential is None and self._endpoint.account == RUNWARE:
            raise AuthError(
                "Runware wants a key",
                "none was given",
                f"Get one at {KEYS_PAGE}, then run cutaway login or set {KEY_VARIABLE}",
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._endpoint.origin!r}, {self._endpoint.kind!r})"

    def _begin_submission(self, order: Order) -> Future[Result]:
        return self._wire.start(partial(self._submit, order))

    def _begin_waiting(self, task_uuid: str) -> Future[Result]:
        self.check_key()
        wanted = uuid("task_uuid", task_uuid)
        return self._wire.start(lambda courier: courier.await_result(wanted))

    def _begin_upload(self, image: str | bytes) -> Future[str]:
        return self._wire.start(partial(self._store, image))

    async def _submit(self, order: Order, courier: Courier) -> Result:
        self.check_key()
        stores = order.upload and kind_of_picture(order.image) is not SourceKind.UUID
        # What is wrong with the task is told before its picture is uploaded.
        task, message = self._message(replace(order, image=NO_UUID) if stores else order)
        if stores:
            task = replace(task, image=await self._store(order.image, courier))
            message = encode(task, self._dialect)
        else:
            await self._check_address(order.image)
        try:
            return await courier.deliver(message, "accepted" if task.webhook_url else "output")
        except (InvalidRequest, NotFound):
            self._uploads.forget(task.image)
            raise

    async def _store(self, image: str | bytes, courier: Courier) -> str:
        self.check_key()
        kind = kind_of_picture(image)
        if isinstance(image, str) and kind is SourceKind.UUID:
            return image.strip()
        if isinstance(image, str) and kind is SourceKind.URL:
            await self._check_address(image)
            return await self._uploads.upload(courier, image)
        return await self._uploads.store(courier, image)

    def _message(self, order: Order) -> tuple[RemovalTask, dict[str, Any]]:
        """Give the task and its JSON object, once all is known to be well with them."""
        task, model = order.task(), order.remote
        check_settings(task, model)
        check_cost(task, model, self._max_cost)
        return task, encode(task, self._dialect)

    async def _check_address(self, image: str | bytes) -> None:
        if self._allow_private_network or not isinstance(image, str):
            return
        if kind_of_picture(image) is SourceKind.URL:
            from asyncio import to_thread  # since a name is looked up

            from cutaway.sources.guard import PUBLIC_ONLY

            await to_thread(check_address, image, PUBLIC_ONLY)


def _transport(endpoint: Endpoint, credential: Credential | None, pace: Pace) -> Transport:
    if endpoint.kind == "http":
        from cutaway.runware.http_transport import HttpTransport

        return HttpTransport(endpoint, credential)
    from cutaway.runware.websocket_transport import WebSocketTransport

    return WebSocketTransport(endpoint, credential, pace)


NO_UUID = "00000000-0000-4000-8000-000000000000"
"""Stands where no picture, or no task, is needed yet."""
