"""The error code of a failed file operation."""

import errno

import pytest

from worker.errors import ErrorCode, code_of


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOMEM, ErrorCode.OUT_OF_MEMORY),
        (errno.ENOSPC, ErrorCode.STORAGE_FULL),
        (errno.EDQUOT, ErrorCode.STORAGE_FULL),
        (errno.EIO, ErrorCode.STORAGE_UNAVAILABLE),
    ],
)
def test_a_failed_file_operation_has_the_code_of_its_cause(number: int, code: ErrorCode) -> None:
    assert code_of(OSError(number, "failed")) == code
