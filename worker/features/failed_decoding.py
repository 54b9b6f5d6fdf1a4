"""Remembers photos that ended their decoder, by content, so that no later job tries them again."""

import numpy as np

from worker.features.store import FeatureStore, feature_key
from worker.photos.decoding_limits import DecodingLimits
from worker.photos.formats import decoder_versions
from worker.photos.unreadable import FailedDecoding, SkipReason

REASON = "reason"


class FailedDecodings:
    """The photos that failed with these limits and the installed decoders; other ones get another try.

    Those of this object's own job are remembered even where the store cannot be written.
    """

    def __init__(self, store: FeatureStore, limits: DecodingLimits) -> None:
        self._store = store
        self._recipe = {
            "kind": "failed_decoding",
            "decoders": decoder_versions(),
            "memory": limits.memory,
            "cpu_seconds": limits.cpu_seconds,
        }
        self._seen: dict[str, SkipReason] = {}

    def reason(self, sha256: str) -> SkipReason | None:
        """Why decoding this content failed; None where it did not, or was never tried."""
        if sha256 in self._seen:
            return self._seen[sha256]
        if not (kept := self._store.read(self._key(sha256))):
            return None
        try:
            return SkipReason(kept[REASON].tobytes().decode())
        except (KeyError, ValueError):  # of another version of the worker
            return None

    def remember(self, failed: FailedDecoding) -> None:
        """Keep the reason, unless the content is not known."""
        if failed.sha256:
            self._seen[failed.sha256] = failed.reason
            self._store.write(
                self._key(failed.sha256), {REASON: np.frombuffer(failed.reason.encode(), np.uint8)}
            )

    def _key(self, sha256: str) -> str:
        return feature_key(sha256, "failed", self._recipe, "")
