"""What the frozen backbone makes of every view of every photo, and its facts: from the store, or computed once."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import local
from typing import Any

import numpy as np
import numpy.typing as npt

from worker.backbone.architecture import ACTIVATIONS, FEATURES
from worker.backbone.cache import FORMAT, CompiledBackbone
from worker.backbone.engine import make_engine
from worker.catalogue.dataset import Dataset
from worker.catalogue.photo_files import Photo
from worker.cores import usable_cores
from worker.features.scratch import Scratch
from worker.features.store import FeatureStore, feature_key
from worker.photos import augmentation
from worker.photos.decode import RECIPE, SkipReason, UnreadablePhoto, open_photo, read_photo
from worker.photos.facts import RECIPE as FACTS
from worker.photos.facts import PhotoFacts, pack, photo_facts, unpack

SHAPES: dict[str, tuple[int, ...]] = {"features": (FEATURES,), "activations": ACTIVATIONS}
"""What is kept of a view, with its shape; activations only where the tail will be trained on them."""

STEP = 256
# So many photos tell how long the others will take.
PROBED = 16

View = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Extracted:
    """Of each photo of `dataset`: features float16 `[views, 2816]`, what enters the tail, if it was kept,
    float16 `[views, 14, 14, 96]`, and facts. So many views were `computed`; the others were in the store."""

    dataset: Dataset
    features: Scratch
    activations: Scratch | None
    facts: tuple[PhotoFacts, ...]
    computed: int


@dataclass(frozen=True)
class _Seen:
    """What is known of one photo: its views in the order asked for, and its facts."""

    views: list[View]
    facts: PhotoFacts


class Extractor:
    """Looks at photos on all cores, with engines that are made once."""

    def __init__(self, backbone: CompiledBackbone, store: FeatureStore, keep_activations: bool) -> None:
        self._backbone, self._store = backbone, store
        self._kinds = tuple(SHAPES) if keep_activations else ("features",)
        self._mine = local()

    def extract(
        self, dataset: Dataset, views: Sequence[str], step: Callable[[int], None] = lambda done: None
    ) -> Extracted:
        """`step` is told how many photos are done. Photos that turn out unreadable are left out.

        Raises JobError as `PhotoSet.require_usable` does, OSError when storage or the disk fails.
        """
        count = len(dataset.photos)
        scratch = {kind: Scratch(count, (len(views), *SHAPES[kind]), np.float16) for kind in self._kinds}
        unusable: dict[int, SkipReason] = {}
        facts: list[PhotoFacts] = []
        computed = 0
        for place, outcome in enumerate(self._look_at_all(dataset, views, scratch)):
            if isinstance(outcome, SkipReason):
                unusable[place] = outcome
            else:
                facts.append(outcome[0])
                computed += outcome[1]
            step(place + 1)
        kept = np.array([place for place in range(count) if place not in unusable], np.int64)
        left = {kind: rows.only(kept) for kind, rows in scratch.items()}
        usable, activations = dataset.without(unusable), left.get("activations")
        return Extracted(usable, left["features"], activations, tuple(facts), computed)

    def probe(self, dataset: Dataset, views: Sequence[str]) -> int:
        """Look at some photos, which later come from the store; how many that are.

        They are spread over all: those of new products, which are not in the store yet, stand anywhere.
        """
        places = np.unique(np.linspace(0, len(dataset.photos) - 1, PROBED).astype(np.int64)).tolist()

        def look(place: int) -> None:
            # Left out, with the reason, when it is looked at again.
            with suppress(FileNotFoundError, UnreadablePhoto):
                self._look_at(dataset.photos[place], dataset.sha256[place], views)

        with ThreadPoolExecutor(usable_cores(), thread_name_prefix="probe") as threads:
            list(threads.map(look, places))
        return len(places)

    def _look_at_all(
        self, dataset: Dataset, views: Sequence[str], scratch: dict[str, Scratch]
    ) -> Iterator[tuple[PhotoFacts, int] | SkipReason]:
        """For each photo in order its facts and how many views were computed, or why there are none."""

        def look(place: int) -> tuple[PhotoFacts, int] | SkipReason:
            try:
                seen, computed = self._look_at(dataset.photos[place], dataset.sha256[place], views)
            except FileNotFoundError:
                return SkipReason.MISSING
            except UnreadablePhoto as error:
                return error.reason
            for kind, rows in scratch.items():
                rows.write(place, np.stack([view[kind] for view in seen.views]))
            return seen.facts, computed

        with ThreadPoolExecutor(usable_cores(), thread_name_prefix="extract") as threads:
            try:
                for start in range(0, len(dataset.photos), STEP):
                    yield from threads.map(look, range(start, min(start + STEP, len(dataset.photos))))
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise

    def _look_at(self, photo: Photo, sha256: str, views: Sequence[str]) -> tuple[_Seen, int]:
        found = {name: self._read(sha256, name) for name in views}
        missing = [name for name, view in found.items() if view is None]
        kept = self._store.read(_facts_key(sha256))
        facts = kept and unpack(kept)
        if missing or not facts:
            data = read_photo(photo.path)
            # A photo that was replaced since it was prepared is not what its key would say.
            unchanged = hashlib.sha256(data).hexdigest() == sha256
            opened = open_photo(photo.path, data)
        if not facts:
            facts = photo_facts(opened)
            if unchanged:
                self._store.write(_facts_key(sha256), pack(facts))
        if missing:
            outcome = self._engine()(
                np.stack([augmentation.make_view(opened, sha256, name) for name in missing])
            )
            for row, name in enumerate(missing):
                view = {kind: getattr(outcome, kind)[row] for kind in self._kinds}
                if unchanged:
                    self._write(sha256, name, view)
                found[name] = view
        return _Seen([view for view in found.values() if view is not None], facts), len(missing)

    def _read(self, sha256: str, name: str) -> View | None:
        view: View = {}
        for kind in self._kinds:
            entry = self._store.read(self._key(sha256, name, kind))
            if entry is None:
                return None
            view |= entry
        return view

    def _write(self, sha256: str, name: str, view: View) -> None:
        for kind, array in view.items():
            self._store.write(self._key(sha256, name, kind), {kind: array})

    def _key(self, sha256: str, name: str, kind: str) -> str:
        recipe = {"photo": RECIPE, "views": augmentation.RECIPE, "kind": kind, "backbone": FORMAT}
        return feature_key(sha256, name, recipe, self._backbone.facts.weights_sha256)

    def _engine(self) -> Any:
        if not hasattr(self._mine, "engine"):
            self._mine.engine = make_engine(self._backbone)
        return self._mine.engine


def _facts_key(sha256: str) -> str:
    """Facts are the photo's alone, whatever the backbone."""
    return feature_key(sha256, "facts", {"photo": RECIPE, "kind": "facts", "facts": FACTS}, "")
