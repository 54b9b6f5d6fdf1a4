"""What a job may ask for in "Options"; anything else fails the job with the key's name."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.errors import ErrorCode, JobError


class Options(BaseModel):
    """The keys of "Options", their ranges and defaults. docs/contract.md is checked against them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    epochs: int = Field(default=15, ge=1, le=500, description="passes over the features in the train stage")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="seed of everything that is random")


def parse_options(value: Any) -> Options:
    """Check the value of an "Options" column; raises JobError with the names of the keys at fault."""
    if not isinstance(value, dict):
        raise JobError(
            ErrorCode.INVALID_OPTIONS,
            f'"Options" must be a JSON object such as {{"epochs": 15}}, not {type(value).__name__}.',
        )
    try:
        return Options.model_validate(value)
    except ValidationError as error:
        allowed = ", ".join(Options.model_fields)
        faults = "; ".join(f"{_path(fault['loc'])}: {fault['msg']}" for fault in error.errors())
        raise JobError(
            ErrorCode.INVALID_OPTIONS, f'"Options" is wrong: {faults}. Known keys: {allowed}.'
        ) from None


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)
