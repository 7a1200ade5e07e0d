"""What the MCP registry asks of a server.json: its schema of 2025-12-11, for packages over stdio.

The rules are those of the published `server.schema.json`, and what the registry refuses besides:
ranges of versions. What we have no use for (remotes, icons, other transports) is left out, and so
refused, as a misspelt name is.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, model_validator
from pydantic.alias_generators import to_camel

_RANGES = ("^", "~", "<", ">", "=", "*", "|", " ", "x")


def _exact(version: str) -> str:
    if version == "latest" or any(sign in version for sign in _RANGES):
        raise ValueError(f"{version!r} is no exact version")
    return version


Version = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_exact)]
Text = Annotated[str, Field(min_length=1, max_length=100)]
Name = Annotated[
    str, Field(min_length=3, max_length=200, pattern="^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$")
]
Hash = Annotated[str, Field(pattern="^[a-f0-9]{64}$")]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class _Input(_Rule):
    description: str | None = None
    is_required: bool = False
    is_secret: bool = False
    format: Literal["string", "number", "boolean", "filepath"] = "string"
    value: str | None = None
    default: str | None = None
    placeholder: str | None = None
    choices: list[str] | None = None


class Positional(_Input):
    """A value as it stands on the command line."""

    type: Literal["positional"]
    value_hint: str | None = None
    is_repeated: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Positional:
        if self.value is None and self.value_hint is None:
            raise ValueError("a positional argument has a value or a hint")
        return self


class Named(_Input):
    """A flag and its value."""

    type: Literal["named"]
    name: str
    is_repeated: bool = False


class KeyValue(_Input):
    """An environment variable."""

    name: str


class Stdio(_Rule):
    """The transport of a process on the user's machine."""

    type: Literal["stdio"]


Argument = Annotated[Positional | Named, Field(discriminator="type")]


class Package(_Rule):
    """Where the server is had, and how it is started."""

    registry_type: Literal["npm", "pypi", "oci", "nuget", "mcpb"]
    registry_base_url: HttpUrl | None = None
    identifier: str
    version: Version | None = None
    file_sha256: Hash | None = None
    runtime_hint: str | None = None
    runtime_arguments: list[Argument] = []
    package_arguments: list[Argument] = []
    environment_variables: list[KeyValue] = []
    transport: Stdio

    @model_validator(mode="after")
    def _is_complete(self) -> Package:
        if self.registry_type == "mcpb" and self.file_sha256 is None:
            raise ValueError("a bundle has its hash")
        if self.runtime_arguments and self.runtime_hint is None:
            raise ValueError("arguments for a runtime need to say which")
        return self

    def command(self, **values: list[str]) -> list[str]:
        """What a client runs: the runtime, the package, and its arguments.

        Args:
            values: What the user gives for a flag, by its name without hyphens before it and
                with underscores within.
        """
        line = [self.runtime_hint or "", *_words(self.runtime_arguments, values)]
        return [*line, self.identifier, *_words(self.package_arguments, values)]


class Repository(_Rule):
    """Where the source is."""

    url: HttpUrl
    source: str
    id: str | None = None
    subfolder: str | None = None


class Server(_Rule):
    """The whole file."""

    schema_address: Literal[
        "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
    ] = Field(alias="$schema")
    name: Name
    title: Text | None = None
    description: Text
    version: Version
    website_url: HttpUrl | None = None
    repository: Repository | None = None
    packages: list[Package] = []


def _words(arguments: list[Argument], values: dict[str, list[str]]) -> list[str]:
    words: list[str] = []
    for argument in arguments:
        if isinstance(argument, Positional):
            words.append(argument.value or "")
            continue
        given = values.get(argument.name.lstrip("-").replace("-", "_"), [])
        for value in [argument.value] if argument.value else given:
            words += [argument.name, value]
    return words
