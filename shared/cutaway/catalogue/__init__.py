"""Every model there is to choose: those that run on this machine, and those that Runware runs."""

from cutaway.catalogue.local import Model, find, models, size_text
from cutaway.catalogue.remote import DEFAULT_REMOTE, RemoteModel, find_remote, remote_models

__all__ = [
    "DEFAULT_REMOTE",
    "Model",
    "RemoteModel",
    "find",
    "find_remote",
    "models",
    "remote_models",
    "size_text",
]
