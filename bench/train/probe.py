"""A baseline: a linear probe, logistic regression on the worker's frozen features of the whole photos.

    python -m bench.train.probe PHOTOS_FOLDER WITHHELD_FOLDER BACKBONE BASE_WEIGHTS CACHE

Both folders hold one folder for each product, CACHE the converted backbone; BACKBONE and BASE_WEIGHTS are as in the
worker's settings. Prints top-1 and top-3 on the known products of WITHHELD_FOLDER, and the seconds until it is trained.
"""

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.decode_photo import decode_photo
from bench.shares import shares
from bench.train.backbones import AskedBackbone
from bench.train.script import seconds_since_start
from worker.backbone.backbone import Backbone
from worker.backbone.engine import litert_engine
from worker.cores import usable_cores

RUN = 5
"""Number of a product's photos with consecutive names that cross-validation keeps together: they may look alike."""

FOLDS = 5
STRENGTHS = 10.0 ** np.arange(-4, 3)
STRENGTH = "logisticregression__C"

Features = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]


def main(photos: Path, withheld: Path, backbone: Backbone) -> dict[str, Any]:
    """Return the accuracy on the withheld photos, and the probe's own."""
    products = sorted(folder.name for folder in photos.iterdir())
    files, labels, groups = list_photos(photos, products)
    search = fit(features_of(files, backbone), labels, groups)
    seconds = seconds_since_start()
    asked, answers, _ = list_photos(withheld, products)
    order = np.argsort(-search.predict_proba(features_of(asked, backbone)), axis=1)
    right = search.classes_[order[:, :3]] == answers[:, None]
    return {
        "seconds": seconds,
        "measured": shares(right, len(np.unique(answers))),
        "reported": {"top1": round(float(search.best_score_), 4), "strength": search.best_params_[STRENGTH]},
    }


def list_photos(folder: Path, products: Sequence[str]) -> tuple[list[Path], Indices, Indices]:
    """The photos of those `products` that have a folder, their indices in `products`, and the groups of RUN photos."""
    files: list[Path] = []
    labels: list[int] = []
    groups: list[int] = []
    for label, product in enumerate(products):
        for index, file in enumerate(sorted((folder / product).glob("*"))):
            files.append(file)
            labels.append(label)
            groups.append(groups[-1] + (index % RUN == 0) if groups else 0)
    return files, np.array(labels, np.intp), np.array(groups, np.intp)


def fit(features: Features, labels: Indices, groups: Indices) -> GridSearchCV:
    """Logistic regression on standardised features; grouped cross-validation chooses its strength."""
    folds = StratifiedGroupKFold(min(FOLDS, len(np.unique(groups))))
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return GridSearchCV(probe, {STRENGTH: STRENGTHS}, cv=folds, n_jobs=usable_cores()).fit(
        features, labels, groups=groups
    )


def features_of(files: Sequence[Path], backbone: Backbone) -> Features:
    """The features of the whole photos, float32 `[files, features]`, by one engine for each core."""
    own = local()

    def start() -> None:
        own.forward = litert_engine(backbone)

    def look(file: Path) -> npt.NDArray[np.float16]:
        features: npt.NDArray[np.float16] = own.forward(decode_photo(file)[None]).features[0]
        return features

    with ThreadPoolExecutor(usable_cores(), initializer=start) as threads:
        return np.stack(list(threads.map(look, files))).astype(np.float32)


if __name__ == "__main__":
    asked_backbone = AskedBackbone(sys.argv[3], sys.argv[4]).converted(Path(sys.argv[5]))
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), asked_backbone)), flush=True)
