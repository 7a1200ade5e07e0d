"""What a run needs of a service, found out once and before any picture is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from cutaway.catalogue.remote import KEY_VARIABLE, KEYS_PAGE
from cutaway.errors import AuthError
from cutaway.keys import find_key
from cutaway.runware.base import NO_UUID
from cutaway.runware.endpoint import RUNWARE, Endpoint

if TYPE_CHECKING:
    from cutaway.options import RemovalOptions
    from cutaway.runware.tasks import WireParameters
    from cutaway.settings import Settings

__all__ = ["check_task", "no_key", "with_key"]


def with_key(settings: Settings, *, needed: bool) -> Settings:
    """The settings with the key in them, so that it is looked for once in a run.

    Args:
        settings: Which service, and maybe its key.
        needed: Whether Runware's own key must be there; another service may want none.

    Raises:
        ConfigError: the key can't be used, or the keyring not be read.
        AuthError: there is none.
    """
    account = Endpoint.parse(settings.backend, settings.transport).account
    key = find_key(settings, account)
    if key is not None:
        return settings.model_copy(update={"runware_api_key": SecretStr(key)})
    if needed and account == RUNWARE:
        raise no_key()
    return settings


def no_key() -> AuthError:
    """The error for Runware without its key; another service may need none."""
    return AuthError(
        f"there is no key of {RUNWARE}",
        f"neither {KEY_VARIABLE}, the config file nor the system keyring has one",
        f"Get one at {KEYS_PAGE}, then run: cutaway login",
    )


def check_task(
    settings: Settings, options: RemovalOptions, parameters: WireParameters | None
) -> None:
    """See to it that the model takes what is asked, at a price that is allowed; nothing is sent.

    Args:
        settings: The service, and the most that a picture may cost.
        options: The model.
        parameters: What is asked of the service itself; None if pictures are wanted.

    Raises:
        ConfigError: the key or the service's address can't be used.
        UnknownModel: the service has no such model.
        OptionError: the model or the dialect can't do what is asked, or it costs too much.
    """
    from cutaway.backends.runware import RunwareBackend

    backend = RunwareBackend(settings)
    backend.prepare_task(NO_UUID, backend.model(options.model), parameters or {})
    backend.close()
