"""The options of a job in "Options"; an unknown key or wrong value fails the job, with the key's name."""

import json
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from worker.errors import ErrorCode, JobError
from worker.limits import MAX_OPTIONS_CHARACTERS
from worker.texts import clean

# Most faults that a message names, and most characters of a key in it.
NAMED: Final = 5
LONGEST_KEY: Final = 100


class Profile(StrEnum):
    """How much time a job may spend on accuracy."""

    QUICK = "quick"
    STANDARD = "standard"
    THOROUGH = "thorough"


class Promote(StrEnum):
    """When the new model becomes the active one."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Options(BaseModel):
    """The keys of "Options", their ranges and defaults. A test compares docs/contract.md with them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    profile: Annotated[Profile, Strict(False)] = Field(
        default=Profile.STANDARD,
        description="`quick` trains a head, `standard` fine-tunes too, `thorough` for longer",
    )
    epochs: int | None = Field(
        default=None,
        ge=1,
        le=500,
        description="passes over the photos in fine-tuning; the profile's unless set",
    )
    time_budget_seconds: float | None = Field(
        default=None,
        gt=0,
        le=86_400,
        description="what the train stage may take; as long as it needs unless set",
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="seed of everything that is random")
    promote: Annotated[Promote, Strict(False)] = Field(
        default=Promote.AUTO,
        description="`auto` activates the new model unless it is worse than the active one or lost a product of it, "
        "`always` and `never` do not ask",
    )
    force: bool = Field(
        default=False,
        description="train even if nothing has changed since the active model, and from the start",
    )
    negatives: Annotated[tuple[str, ...], Strict(False)] = Field(
        default=(),
        description="SKUs of products that are not to be recognised: they teach the model what is not ours",
    )
    coalesce: bool = Field(
        default=True,
        description="when the job completes, complete with it the pending jobs that want the same; `false`: neither "
        "does it that, nor is it completed so by another job",
    )


ASIDE: Final = ("force", "coalesce", "traceparent")
"""Keys in which jobs that want the same may differ: they say when and how to work, not what to make."""


def parse_options(text: str) -> Options:
    """Parse the JSON of an "Options" column; raises JobError with the names of the wrong keys."""
    if len(text) > MAX_OPTIONS_CHARACTERS:
        raise _wrong(f"it is longer than {MAX_OPTIONS_CHARACTERS:,} characters")
    try:
        # Postgres holds numbers of 100,000 digits and lists in lists in lists, of which Python reads neither.
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"it cannot be read ({type(error).__name__})") from None
    if not isinstance(value, dict):
        raise JobError(
            ErrorCode.INVALID_OPTIONS,
            f'"Options" must be a JSON object such as {{"epochs": 15}}, not {type(value).__name__}.',
        )
    try:
        return Options.model_validate(value)
    except ValidationError as error:
        faults = [f"{_path(fault['loc'])}: {fault['msg']}" for fault in error.errors(include_input=False)]
        more = f"; and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        raise _wrong("; ".join(faults[:NAMED]) + more) from None


def _wrong(what: str) -> JobError:
    known = ", ".join(Options.model_fields)
    return JobError(ErrorCode.INVALID_OPTIONS, f'"Options" is wrong: {what}. Known keys: {known}.')


def _path(location: tuple[int | str, ...]) -> str:
    return clean(".".join(str(part) for part in location), LONGEST_KEY)
