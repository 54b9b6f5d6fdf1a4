"""Downloads an architecture's weights, for a limited time, and once."""

import contextlib
import hashlib
import os
import secrets
import time
import urllib.request
from pathlib import Path
from threading import Thread
from typing import Final

from worker.backbone.architecture import Architecture
from worker.backbone.spare import CacheFault
from worker.backbone.weights import downloaded_to

SECONDS: Final = 20.0
CHUNK: Final = 1 << 18


def download(architecture: Architecture, cache: Path) -> str:
    """Download the weights into `cache`, CACHE_PATH; return "" or, within about SECONDS, why they could not be had.

    Raises CacheFault where they were had, and cannot be written.
    """
    faults: list[str] = []
    contents: list[bytes] = []

    def fetch() -> None:
        try:
            contents.append(_fetch(architecture.pretrained.url, architecture.pretrained.sha256))
        except Exception as error:  # whatever a network does, there are other weights
            faults.append(f"{type(error).__name__}: {error}")

    # Looking up a name has no limit of its own.
    thread = Thread(target=fetch, name="download", daemon=True)
    thread.start()
    thread.join(SECONDS)
    for content in contents:
        _keep(content, downloaded_to(architecture, cache))
    if not contents and not faults:
        return f"it took more than {SECONDS:g} seconds"
    return faults[0] if faults else ""


def has_failed_before(architecture: Architecture, cache: Path) -> bool:
    """Whether somebody who shares `cache` has tried and failed: nobody needs to wait for that again."""
    with contextlib.suppress(OSError):
        return _mark(architecture, cache).exists()
    return False


def note_failure(architecture: Architecture, cache: Path, reason: str) -> None:
    """Where it cannot be noted, the next one waits for it again."""
    mark = _mark(architecture, cache)
    with contextlib.suppress(OSError):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(
            f"{reason}\nTo have it tried again, delete this file or set BACKBONE={architecture.name}.\n"
        )


def _mark(architecture: Architecture, cache: Path) -> Path:
    return downloaded_to(architecture, cache).with_suffix(".not-downloaded")


def _fetch(url: str, sha256: str) -> bytes:
    """Raises OSError where it cannot be had, ValueError where it is another file."""
    deadline = time.monotonic() + SECONDS
    parts: list[bytes] = []
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        while part := answer.read(CHUNK):
            parts.append(part)
            if time.monotonic() > deadline:
                raise TimeoutError(f"it took more than {SECONDS:g} seconds")
    content = b"".join(parts)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{url} holds another file than the one that was published")
    return content


def _keep(content: bytes, target: Path) -> None:
    unfinished = target.with_name(f"{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(content)
            os.replace(unfinished, target)
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink()
    except OSError as error:
        raise CacheFault(error.errno, error.strerror, str(target)) from error
