"""Finds what fine-tuning may go on from in the files of the active model."""

import json

import numpy as np

from worker.backbone.backbone import Backbone
from worker.catalogue.dataset import Dataset
from worker.job.job import ActiveModel
from worker.job.options import Options
from worker.pipeline.active_metadata import read_active_metadata
from worker.pipeline.compare import HELD_OUT_FOLDER, TAIL_TRAINED_ON
from worker.pipeline.fingerprint import recipe
from worker.pipeline.published_model import PublishedModel, read_published
from worker.pipeline.unchanged import are_same_options
from worker.registry.folder import METADATA
from worker.training.heads import Head
from worker.training.warm_start import WarmStart


def find_warm_start(
    active: ActiveModel | None, dataset: Dataset, backbone: Backbone, options: Options
) -> WarmStart | None:
    """`None` where there is no active model that was fine-tuned from the same weights with the same options by the
    same version of training, where its files cannot be read, or where the job forces a new start."""
    if active is None or options.force:
        return None
    metadata = read_active_metadata(active)
    try:
        held_out = json.loads((active.folder / HELD_OUT_FOLDER / METADATA).read_bytes())
        same = (
            metadata.backbone.weights_sha256 == backbone.facts.weights_sha256
            and metadata.recipe == recipe()
            and are_same_options(metadata.training, options)
        )
        seen = frozenset(str(digest) for digest in held_out[TAIL_TRAINED_ON])
        if not same or not seen:
            return None
        model = read_published(active.folder, backbone)
        tried = read_published(active.folder / HELD_OUT_FOLDER, backbone)
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return WarmStart(active.version, model.layers, _head_for(model, dataset), tried.layers, seen)


def _head_for(model: PublishedModel, dataset: Dataset) -> Head:
    """The model's head with the outputs of today's products; a new one begins with nothing."""
    skus = [product.sku for product in dataset.products]
    kernel = np.zeros((len(model.head.kernel), len(skus)), np.float32)
    bias = np.zeros(len(skus), np.float32)
    for place, sku in enumerate(skus):
        if sku in model.labels:
            label = model.labels.index(sku)
            kernel[:, place], bias[place] = model.head.kernel[:, label], model.head.bias[label]
    return Head(kernel, bias)
