"""The client: a source and options in, a `Cutout` out."""

from cutaway.client.asynchronous import AsyncClient
from cutaway.client.many import Removal
from cutaway.client.models import ModelFacts
from cutaway.client.pictures import Submitted, read_image
from cutaway.client.synchronous import Client, Source, remove_background

__all__ = [
    "AsyncClient",
    "Client",
    "ModelFacts",
    "Removal",
    "Source",
    "Submitted",
    "read_image",
    "remove_background",
]
