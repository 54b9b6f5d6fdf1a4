"""The Dockerfile needs the package registries and a base image, and hides no forgotten mount."""

import re
import shlex
from pathlib import PurePosixPath

from tests.support.shop import ROOT

TEXT = (ROOT / "Dockerfile").read_text()
# Each instruction with its arguments, on one line.
INSTRUCTIONS = [
    tuple(line.split(maxsplit=1))
    for line in re.sub(r"^\s*#.*\n", "", TEXT, flags=re.MULTILINE).replace("\\\n", "").splitlines()
    if line.strip()
]
# What fetches from elsewhere.
FETCHING = {"curl", "wget", "git", "apt", "apt-get", "apk", "npm"}


def arguments(instruction: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def test_no_other_image_and_no_other_place_is_needed() -> None:
    # A line `# syntax=` would have Docker fetch the image that reads the file.
    assert "syntax=" not in TEXT
    assert [base.split()[0] for base in arguments("FROM")] == ["${BASE}", "build", "${BASE}"]
    assert not arguments("ADD")
    words = {word for line in arguments("RUN") for word in shlex.split(line)}
    assert not words & FETCHING
    assert "://" not in "".join(arguments("RUN"))


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    copied = [path for line in arguments("COPY") if "--from" not in line for path in line.split()[:-1]]
    assert copied
    for path in copied:
        assert (ROOT / path).exists()
        assert f"!{path}" in ignored


def test_a_folder_that_was_not_mounted_is_missing() -> None:
    assert not arguments("VOLUME")
    [environment] = [line for line in arguments("ENV") if "OUTPUT_PATH" in line]
    values = dict(part.split("=", 1) for part in environment.split())
    made = " ".join(arguments("RUN") + arguments("COPY"))
    for name in ("STORAGE_PATH", "OUTPUT_PATH"):
        assert PurePosixPath(values[name]).parent == PurePosixPath("/data")
        assert values[name] not in made
    assert arguments("USER") == ["worker"]
