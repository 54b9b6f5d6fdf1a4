"""Downloads an architecture's weights, for a limited time, and once."""

import hashlib
import os
import secrets
import time
import urllib.request
from pathlib import Path
from threading import Thread
from typing import Final

from worker.backbone.architecture import Architecture
from worker.backbone.weights import downloaded_to

SECONDS: Final = 20.0
CHUNK: Final = 1 << 18


def download(architecture: Architecture, cache: Path) -> str:
    """Download the weights into `cache`, CACHE_PATH; return "" or, within about SECONDS, why they could not be had."""
    faults: list[str] = []
    target = downloaded_to(architecture, cache)

    def fetch() -> None:
        try:
            _fetch(architecture.pretrained.url, architecture.pretrained.sha256, target)
        except Exception as error:  # whatever a network does, there are other weights
            faults.append(f"{type(error).__name__}: {error}")

    # Looking up a name has no limit of its own.
    thread = Thread(target=fetch, name="download", daemon=True)
    thread.start()
    thread.join(SECONDS)
    if thread.is_alive():
        return f"it took more than {SECONDS:g} seconds"
    return faults[0] if faults else ""


def has_failed_before(architecture: Architecture, cache: Path) -> bool:
    """Whether somebody who shares `cache` has tried and failed: nobody needs to wait for that again."""
    return _mark(architecture, cache).exists()


def note_failure(architecture: Architecture, cache: Path, reason: str) -> None:
    mark = _mark(architecture, cache)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(
        f"{reason}\nTo have it tried again, delete this file or set BACKBONE={architecture.name}.\n"
    )


def _mark(architecture: Architecture, cache: Path) -> Path:
    return downloaded_to(architecture, cache).with_suffix(".not-downloaded")


def _fetch(url: str, sha256: str, target: Path) -> None:
    """Raises OSError where it cannot be had, ValueError where it is another file."""
    deadline = time.monotonic() + SECONDS
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.{secrets.token_hex(4)}.tmp")
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer, unfinished.open("wb") as file:
            while part := answer.read(CHUNK):
                digest.update(part)
                file.write(part)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"it took more than {SECONDS:g} seconds")
        if digest.hexdigest() != sha256:
            raise ValueError(f"{url} holds another file than the one that was published")
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
