"""Stores the frozen backbone's features of photos' views on disk, so that they are computed once.

An entry is one file, `<folder>/<first two hex digits of its key>/<key>`: a checksum, then the arrays as
safetensors. A rename publishes the complete file, which never changes, so that processes can read, write and
prune without a lock. The store only saves time: on any error, it behaves as if it were empty.
"""

import contextlib
import hashlib
import heapq
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

Arrays = Mapping[str, npt.NDArray[Any]]

_CHECKSUM_BYTES = 16
_HOUR = 3600
# Pruning removes only files with such paths: a wrong folder may contain other files.
_OURS = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{62}(?P<temporary>\.[0-9a-f]{16}\.tmp)?")


def feature_key(photo_sha256: str, view: str, recipe: Mapping[str, object], weights_sha256: str) -> str:
    """Return the key of a view's features, 64 hex digits; the order of `recipe` does not matter.

    `recipe` is everything else that the values depend on. Raises TypeError where it is not JSON.
    """
    parts = json.dumps([photo_sha256, view, dict(recipe), weights_sha256], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()


class FeatureStore:
    """Arrays by key. Any number of threads, processes and hosts may use one folder; it need not exist yet.

    `hits` and `misses` count this object's reads, `damaged` the misses with a damaged file.
    `fault` is the first error of a write; after most errors, such as a full disk, writes do nothing.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """`limit_bytes` limits the sum of the files' sizes after `prune`; writes do not check it."""
        self._folder, self._limit_bytes = folder, limit_bytes
        self._lock = threading.Lock()
        self._writes = True
        self.hits = self.misses = self.damaged = 0
        self.fault: OSError | None = None

    def read(self, key: str) -> dict[str, npt.NDArray[Any]] | None:
        """Return a copy of the arrays written under `key`, by name, with their shapes and dtypes.

        None where there is no readable entry; deletes a damaged one. Never raises OSError.
        """
        path = self._folder / key[:2] / key
        arrays, damaged = None, False
        with contextlib.suppress(OSError):
            with open(path, "rb", buffering=0) as file:
                content, used = file.read(), os.fstat(file.fileno()).st_mtime
            arrays = _unpack(content)
            damaged = arrays is None
            if damaged:
                # If another process has just replaced it, a good entry is lost and computed again.
                os.unlink(path)
            elif abs(time.time() - used) > _HOUR:
                os.utime(path)
        with self._lock:
            self.hits += arrays is not None
            self.misses += arrays is None
            self.damaged += damaged
        return arrays

    def write(self, key: str, arrays: Arrays) -> None:
        """Store arrays of any shape under `key`, a result of `feature_key`; replace an existing entry.

        Never raises OSError: see `fault`. Raises SafetensorError for an unsupported dtype, such as object.
        """
        if not self._writes:
            return
        # safetensors writes the memory of a strided array in the wrong order, without an error.
        packed = save({name: np.asarray(array, order="C") for name, array in arrays.items()})
        path, content = self._folder / key[:2] / key, _checksum(packed) + packed
        try:
            try:
                _put(path, content)
            except FileNotFoundError:  # the first entry, or the first after a deletion of the folder
                path.parent.mkdir(parents=True, exist_ok=True)
                _put(path, content)
        except OSError as error:
            with self._lock:
                self.fault = self.fault or error
                # These concern one key or a folder just deleted; with any other error, the next write fails too.
                self._writes &= isinstance(error, IsADirectoryError | FileNotFoundError | FileExistsError)

    def prune(self) -> int:
        """Remove the least recently used entries until the rest is below 90 % of `limit_bytes`.

        Also removes temporary files older than an hour. The time of use is accurate to an hour. Several processes
        may prune at once, with the same result. Returns the number of removed bytes; never raises OSError.
        """
        target = self._limit_bytes * 9 // 10
        newest: list[tuple[int, int, str]] = []
        kept = removed = 0
        for path, temporary, status in _files(self._folder):
            if not temporary:
                heapq.heappush(newest, (status.st_mtime_ns, status.st_size, path))
                kept += status.st_size
            elif time.time() - status.st_mtime > _HOUR:
                removed += _remove(path, status.st_size)
            # Further files only add to the sum, so that the oldest can be removed before all are listed.
            while newest and kept >= target:
                _, size, path = heapq.heappop(newest)
                kept -= size
                removed += _remove(path, size)
        return removed


def _checksum(packed: bytes) -> bytes:
    return hashlib.blake2b(packed, digest_size=_CHECKSUM_BYTES).digest()


def _unpack(content: bytes) -> dict[str, npt.NDArray[Any]] | None:
    """The arrays of a file's content; None where it is damaged."""
    packed = content[_CHECKSUM_BYTES:]
    try:
        return load(packed) if content[:_CHECKSUM_BYTES] == _checksum(packed) else None
    except (SafetensorError, LookupError, ValueError):  # whole, but of another version of safetensors
        return None


def _put(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically. Leaves no file when it raises OSError."""
    temporary = f"{path}.{secrets.token_hex(8)}.tmp"
    try:
        # Not synced: the checksum detects a file that a power cut has damaged.
        with open(temporary, "xb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary, 0)
        raise


def _files(folder: Path) -> Iterator[tuple[str, bool, os.stat_result]]:
    """Yield path, whether it is temporary, and status of each of the store's files; skip files that vanish."""
    # os.walk lists a folder completely before anything in it is removed; NFS may skip files otherwise.
    for shard, _, names in os.walk(folder):
        for name in names:
            if ours := _OURS.fullmatch(f"{os.path.basename(shard)}/{name}"):
                path = os.path.join(shard, name)
                with contextlib.suppress(OSError):
                    yield path, bool(ours["temporary"]), os.lstat(path)


def _remove(path: str | Path, size: int) -> int:
    """Remove the file and return `size`; 0 where it stays or another process has removed it."""
    try:
        os.unlink(path)
    except OSError:
        return 0
    return size
