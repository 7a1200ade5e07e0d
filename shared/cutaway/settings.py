"""What this machine's user has set: the environment first, then the config file.

Every field of `Settings` can be given as `CUTAWAY_<NAME>` or as a key of `config.toml` in the
user's configuration folder (`cutaway doctor` tells where; `CUTAWAY_CONFIG` names another file).
Only the key of the Runware API has the name its own documentation gives it, `RUNWARE_API_KEY`.
"""

from __future__ import annotations

import os
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import platformdirs
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from cutaway.errors import ConfigError

__all__ = ["DEFAULT_MODELS_URL", "Limits", "Settings", "config_path"]

DEFAULT_MODELS_URL = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/"


class Limits(BaseModel):
    """How much a picture may be, checked before it is decoded, and where it may come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: Annotated[int, Field(gt=0, description="Bytes of a picture file.")] = 64 << 20
    max_pixels: Annotated[int, Field(gt=0, description="Width times height.")] = 100_000_000
    allow_private_network: Annotated[
        bool, Field(description="Fetch pictures from private and loopback addresses too.")
    ] = False


def config_path() -> Path:
    """The config file's place, whether or not it is there."""
    named = os.environ.get("CUTAWAY_CONFIG")
    return (
        Path(named).expanduser()
        if named
        else platformdirs.user_config_path("cutaway") / "config.toml"
    )


class Settings(BaseSettings):
    """What the user has set; `Settings.load()` reads it."""

    model_config = SettingsConfigDict(
        env_prefix="CUTAWAY_",
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        hide_input_in_errors=True,  # it may be a secret
    )

    model: Annotated[str, Field(min_length=1)] = "auto"
    models_dir: Annotated[Path, AfterValidator(Path.expanduser)] = Field(
        default_factory=lambda: platformdirs.user_cache_path("cutaway") / "models",
        description="Where model files are kept.",
    )
    models_url: Annotated[
        str, Field(pattern="^https?://", description="Where model files come from: a mirror's URL.")
    ] = DEFAULT_MODELS_URL
    threads: Annotated[
        int | None, Field(ge=1, description="Threads for a network; all usable cores if not set.")
    ] = None
    runtime: Annotated[
        Literal["auto", "cuda", "directml", "openvino", "onnxruntime", "opencv", "coreml"],
        Field(description="What runs networks; the best that is here if auto."),
    ] = "auto"
    max_bytes: Annotated[int, Field(gt=0)] = Limits().max_bytes
    max_pixels: Annotated[int, Field(gt=0)] = Limits().max_pixels
    allow_private_network: bool = False
    backend: Annotated[
        str,
        Field(
            pattern=r"^(local|runware|(https?|wss?)://\S+)$",
            description="Where removals run: local, runware, or a compatible service's URL.",
        ),
    ] = "local"
    transport: Annotated[
        Literal["http", "websocket"] | None,
        Field(description="How to reach the service; as its URL says, or http, if not set."),
    ] = None
    delivery: Annotated[
        Literal["sync", "async"], Field(description="Whether to wait for a result or ask for it.")
    ] = "sync"
    dialect: Annotated[
        Literal["new", "legacy"], Field(description="removeBackground or imageBackgroundRemoval.")
    ] = "new"
    send: Annotated[
        Literal["reduced", "original"],
        Field(description="What to upload: a smaller copy without metadata, or the file itself."),
    ] = "reduced"
    max_cost: Annotated[
        Decimal | None, Field(ge=0, description="US dollars that one picture may cost at most.")
    ] = None
    timeout: Annotated[
        float,
        Field(gt=0, allow_inf_nan=False, description="Seconds that a remote removal may take."),
    ] = 300.0
    runware_api_key: Annotated[
        SecretStr | None, Field(validation_alias="runware_api_key", min_length=1)
    ] = None

    @property
    def limits(self) -> Limits:
        """The limits on a picture, on their own."""
        return Limits(
            max_bytes=self.max_bytes,
            max_pixels=self.max_pixels,
            allow_private_network=self.allow_private_network,
        )

    @classmethod
    def load(cls, **overrides: Any) -> Self:  # noqa: ANN401  (any field's value)
        """Read environment and config file; `overrides` win over both.

        Raises:
            ConfigError: the file can't be read or, though named, isn't there; or a key or a value
                is wrong.
        """
        if os.environ.get("CUTAWAY_CONFIG") and not config_path().is_file():
            raise ConfigError(
                f"{config_path()} can't be read", "there is no such file", "Correct CUTAWAY_CONFIG"
            )
        try:
            return cls(**overrides)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            name = ".".join(str(part) for part in first["loc"])
            raise ConfigError(
                f"the setting {name} can't be used",
                first["msg"][:1].lower() + first["msg"][1:],
                f"Change it in {config_path()} or in {_variable(name)}",
            ) from error
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{config_path()} can't be read", str(error), "Mend the file or remove it"
            ) from error

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (a .env may be a stranger's)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (not used)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the config file."""
        file = TomlConfigSettingsSource(settings_cls, config_path())
        return init_settings, env_settings, file


def _variable(name: str) -> str:
    """The environment's name for a setting."""
    return name.upper() if name == "runware_api_key" else f"CUTAWAY_{name.upper()}"
