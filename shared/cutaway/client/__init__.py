"""The client: a source and options in, a `Cutout` out."""

from cutaway.client.asynchronous import AsyncClient
from cutaway.client.synchronous import Client, Source, remove_background

__all__ = ["AsyncClient", "Client", "Source", "remove_background"]
