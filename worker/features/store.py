"""Features of a photo's view by a frozen backbone, kept on disk so that they are computed once.

An entry is one file, `<folder>/<first two hex digits of its key>/<key>`: a checksum, then the arrays as
safetensors. It appears whole, by a rename, and is never changed, so the processes that read, write and prune
need no lock. The store only saves time: whatever goes wrong with it, it behaves as if it held nothing.
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
# Pruning removes nothing else: the folder may be a wrong one, with somebody's photos in it.
_OURS = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{62}(?P<temporary>\.[0-9a-f]{16}\.tmp)?")


def feature_key(photo_sha256: str, view: str, recipe: Mapping[str, object], weights_sha256: str) -> str:
    """The 64 hex digits under which a view's features are kept; the order of `recipe` does not matter.

    `recipe` names everything else that the values depend on. Raises TypeError where it is not JSON.
    """
    parts = json.dumps([photo_sha256, view, dict(recipe), weights_sha256], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()


class FeatureStore:
    """Arrays by key. Any number of threads, processes and hosts may use one folder; it need not exist yet.

    `hits` and `misses` count this object's reads, `damaged` those misses that found a torn or corrupted file.
    `fault` is the first error that writing met; after most, a full disk say, nothing more is written.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """`limit_bytes` bounds the sum of the files' sizes after `prune`; writing does not look at it."""
        self._folder, self._limit_bytes = folder, limit_bytes
        self._lock = threading.Lock()
        self._writes = True
        self.hits = self.misses = self.damaged = 0
        self.fault: OSError | None = None

    def read(self, key: str) -> dict[str, npt.NDArray[Any]] | None:
        """The arrays written under `key`, by name, with their shapes and dtypes; they are the caller's own.

        None where there is no entry, or none that can be read; a damaged one is deleted. Never raises OSError.
        """
        path = self._folder / key[:2] / key
        arrays, damaged = None, False
        with contextlib.suppress(OSError):
            with open(path, "rb", buffering=0) as file:
                content, used = file.read(), os.fstat(file.fileno()).st_mtime
            arrays = _unpack(content)
            damaged = arrays is None
            if damaged:
                # Another process may just have replaced it: the good one is computed once more, then.
                os.unlink(path)
            elif abs(time.time() - used) > _HOUR:
                os.utime(path)
        with self._lock:
            self.hits += arrays is not None
            self.misses += arrays is None
            self.damaged += damaged
        return arrays

    def write(self, key: str, arrays: Arrays) -> None:
        """Keep arrays of any shape under `key`, which `feature_key` made; what was there is replaced.

        Never raises OSError: see `fault`. Raises SafetensorError for a dtype it cannot keep, such as object.
        """
        if not self._writes:
            return
        # safetensors writes the memory of a strided array as it lies there, without a word.
        packed = save({name: np.asarray(array, order="C") for name, array in arrays.items()})
        path, content = self._folder / key[:2] / key, _checksum(packed) + packed
        try:
            try:
                _put(path, content)
            except FileNotFoundError:  # the first entry, or the first since somebody deleted the folder
                path.parent.mkdir(parents=True, exist_ok=True)
                _put(path, content)
        except OSError as error:
            with self._lock:
                self.fault = self.fault or error
                # One key's trouble, or a folder deleted just now; any other error would meet the next write too.
                self._writes &= isinstance(error, IsADirectoryError | FileNotFoundError | FileExistsError)

    def prune(self) -> int:
        """Remove the least recently used entries until the rest is below 90 % of `limit_bytes`.

        Removes temporary files older than an hour too. Use is known to the hour. Several processes may prune
        at once: together they keep what one would. Returns the bytes this call removed; never raises OSError.
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
            # Whatever is still to come, the oldest does not fit any more: no need to see all of them first.
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
    """Make `content` the file at `path`, in one step. Raises OSError, and leaves nothing then."""
    temporary = f"{path}.{secrets.token_hex(8)}.tmp"
    try:
        # Not synced: a file that a power cut tears is found by its checksum.
        with open(temporary, "xb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary, 0)
        raise


def _files(folder: Path) -> Iterator[tuple[str, bool, os.stat_result]]:
    """Path, whether it is temporary, and status of each of the store's files; those that vanish are left out."""
    # A folder is listed whole before anything in it is removed: NFS may skip files otherwise.
    for shard, _, names in os.walk(folder):
        for name in names:
            if ours := _OURS.fullmatch(f"{os.path.basename(shard)}/{name}"):
                path = os.path.join(shard, name)
                with contextlib.suppress(OSError):
                    yield path, bool(ours["temporary"]), os.lstat(path)


def _remove(path: str | Path, size: int) -> int:
    """How many bytes that freed: `size`, or 0 where the file stays or another process was faster."""
    try:
        os.unlink(path)
    except OSError:
        return 0
    return size
