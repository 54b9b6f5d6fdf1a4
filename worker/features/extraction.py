"""Extracts the frozen backbone's features of every view, and each photo's facts: reads the store, computes the rest."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import local
from typing import Any

import numpy as np
import numpy.typing as npt

from worker.backbone.backbone import FORMAT, Backbone
from worker.backbone.engine import make_engine
from worker.catalogue.dataset import Dataset
from worker.catalogue.photo_files import Photo
from worker.cores import usable_cores
from worker.features.failed_decoding import FailedDecodings
from worker.features.scratch import Scratch
from worker.features.store import FeatureStore, feature_key
from worker.photos import augmentation
from worker.photos.decode import PREPARATION
from worker.photos.decoder_process import PreparedPhoto
from worker.photos.decoders import Decoders
from worker.photos.facts import DEFINITION as FACTS
from worker.photos.facts import PhotoFacts, pack, unpack
from worker.photos.unreadable import FailedDecoding, SkipReason, UnreadablePhoto

# Number of photos submitted to the threads at once.
STEP = 256
# Number of photos from whose time the duration of all is estimated.
PROBED = 16

View = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Extracted:
    """For each photo of `dataset`: features float16 `[views, features]`, if kept, tail inputs float16
    `[views, *tail_input]`, and facts. `computed` is the number of views that were not in the store."""

    dataset: Dataset
    features: Scratch
    tail_inputs: Scratch | None
    facts: tuple[PhotoFacts, ...]
    computed: int


@dataclass(frozen=True)
class _Extracted:
    """One photo's views, in the requested order, and its facts."""

    views: list[View]
    facts: PhotoFacts


class Extractor:
    """Extracts features on all cores; makes one engine for each thread, which waits while a process decodes."""

    def __init__(
        self, backbone: Backbone, store: FeatureStore, decoders: Decoders, keep_tail_inputs: bool
    ) -> None:
        """`keep_tail_inputs` where the tail may be fine-tuned."""
        self._backbone, self._store, self._decoders = backbone, store, decoders
        self._failed = FailedDecodings(store, decoders.limits)
        architecture = backbone.architecture
        shapes: dict[str, tuple[int, ...]] = {"features": (architecture.features,)}
        self._shapes = shapes | ({"tail_inputs": architecture.tail_input} if keep_tail_inputs else {})
        self._mine = local()

    def extract(
        self, dataset: Dataset, views: Sequence[str], step: Callable[[int], None] = lambda done: None
    ) -> Extracted:
        """Extract `views` of all photos without the unreadable ones; call `step` with the number of photos done.

        Raises JobError as `PhotoSet.require_usable` and `Decoders.prepare` do, OSError when storage or the disk
        fails.
        """
        count = len(dataset.photos)
        scratch = {
            kind: Scratch(count, (len(views), *shape), np.float16) for kind, shape in self._shapes.items()
        }
        unusable: dict[int, SkipReason] = {}
        facts: list[PhotoFacts] = []
        computed = 0
        for index, outcome in enumerate(self._extract_all(dataset, views, scratch)):
            if isinstance(outcome, SkipReason):
                unusable[index] = outcome
            else:
                facts.append(outcome[0])
                computed += outcome[1]
            step(index + 1)
        kept = np.array([index for index in range(count) if index not in unusable], np.int64)
        left = {kind: rows.only(kept) for kind, rows in scratch.items()}
        usable, tail_inputs = dataset.without(unusable), left.get("tail_inputs")
        return Extracted(usable, left["features"], tail_inputs, tuple(facts), computed)

    def probe(self, dataset: Dataset, views: Sequence[str]) -> int:
        """Extract some photos into the store, and return their number.

        They are spread over all photos, because the photos that are not in the store yet may be anywhere.
        """
        indices = np.unique(np.linspace(0, len(dataset.photos) - 1, PROBED).astype(np.int64)).tolist()

        def extract_one(index: int) -> None:
            # `extract` leaves an unreadable photo out, with the reason.
            with suppress(FileNotFoundError, UnreadablePhoto):
                self._extract_one(dataset.photos[index], dataset.sha256[index], views)

        with ThreadPoolExecutor(usable_cores(), thread_name_prefix="probe") as threads:
            list(threads.map(extract_one, indices))
        return len(indices)

    def _extract_all(
        self, dataset: Dataset, views: Sequence[str], scratch: dict[str, Scratch]
    ) -> Iterator[tuple[PhotoFacts, int] | SkipReason]:
        """Yield for each photo, in order, its facts and the number of computed views, or the reason to skip it."""

        def extract_one(index: int) -> tuple[PhotoFacts, int] | SkipReason:
            try:
                extracted, computed = self._extract_one(dataset.photos[index], dataset.sha256[index], views)
            except FileNotFoundError:
                return SkipReason.MISSING
            except UnreadablePhoto as error:
                return error.reason
            for kind, rows in scratch.items():
                rows.write(index, np.stack([view[kind] for view in extracted.views]))
            return extracted.facts, computed

        with ThreadPoolExecutor(usable_cores(), thread_name_prefix="extract") as threads:
            try:
                for start in range(0, len(dataset.photos), STEP):
                    yield from threads.map(extract_one, range(start, min(start + STEP, len(dataset.photos))))
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise

    def _extract_one(self, photo: Photo, sha256: str, views: Sequence[str]) -> tuple[_Extracted, int]:
        found = {name: self._read(sha256, name) for name in views}
        missing = [name for name, view in found.items() if view is None]
        kept = self._store.read(_facts_key(sha256))
        facts = kept and unpack(kept)
        if missing or not facts:
            prepared = self._prepare(photo, sha256, missing, facts=not facts)
            # The features of a photo that was replaced since its preparation do not belong to its key.
            unchanged = prepared.sha256 == sha256
        if not facts:
            assert prepared.facts
            facts = prepared.facts
            if unchanged:
                self._store.write(_facts_key(sha256), pack(facts))
        if missing:
            outcome = self._engine()(prepared.views)
            for row, name in enumerate(missing):
                view = {kind: getattr(outcome, kind)[row] for kind in self._shapes}
                if unchanged:
                    self._write(sha256, name, view)
                found[name] = view
        return _Extracted([view for view in found.values() if view is not None], facts), len(missing)

    def _prepare(self, photo: Photo, sha256: str, views: Sequence[str], *, facts: bool) -> PreparedPhoto:
        """As `Decoders.prepare`, but tries no photo whose content has failed before."""
        if reason := self._failed.reason(sha256):
            raise FailedDecoding(reason, f"{photo.path} ended its decoder before.", sha256)
        try:
            return self._decoders.prepare(photo.path, sha256, views, facts=facts)
        except FailedDecoding as failed:
            self._failed.remember(failed)
            raise

    def _read(self, sha256: str, name: str) -> View | None:
        view: View = {}
        for kind in self._shapes:
            entry = self._store.read(self._key(sha256, name, kind))
            if entry is None:
                return None
            view |= entry
        return view

    def _write(self, sha256: str, name: str, view: View) -> None:
        for kind, array in view.items():
            self._store.write(self._key(sha256, name, kind), {kind: array})

    def _key(self, sha256: str, name: str, kind: str) -> str:
        recipe = {"photo": PREPARATION, "views": augmentation.DEFINITION, "kind": kind, "backbone": FORMAT}
        return feature_key(sha256, name, recipe, self._backbone.facts.weights_sha256)

    def _engine(self) -> Any:
        if not hasattr(self._mine, "engine"):
            self._mine.engine = make_engine(self._backbone)
        return self._mine.engine


def _facts_key(sha256: str) -> str:
    """The key of a photo's facts, which do not depend on the backbone."""
    return feature_key(sha256, "facts", {"photo": PREPARATION, "kind": "facts", "facts": FACTS}, "")
