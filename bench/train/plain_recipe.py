"""A baseline: the recipe in the tutorials of Keras and TensorFlow.js.

    python -m bench.train.plain_recipe PHOTOS_FOLDER WEIGHTS OUTPUT_FOLDER SEED

PHOTOS_FOLDER holds one folder for each product. Prints `{"reported": …}`, its accuracy on its held-out photos.
"""

import json
import sys
from pathlib import Path

import keras

from worker.backbone.tfjs_converter import import_converter

SIDE = 224
BATCH = 32
EPOCHS = 15


def main(photos: Path, weights: Path, output: Path, seed: int) -> dict[str, float]:
    """Train on the photos, and write the TensorFlow.js files and the labels; return the held-out top-1."""
    keras.utils.set_random_seed(seed)
    train, validation = keras.utils.image_dataset_from_directory(
        photos, image_size=(SIDE, SIDE), batch_size=BATCH, validation_split=0.2, subset="both", seed=seed
    )
    labels = train.class_names

    augmentation = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(0.05),
            keras.layers.RandomZoom(0.1),
        ]
    )
    backbone = keras.applications.MobileNetV2(
        input_shape=(SIDE, SIDE, 3), include_top=False, pooling="avg", weights=str(weights)
    )
    backbone.trainable = False

    photo = keras.Input((SIDE, SIDE, 3))
    features = backbone(keras.layers.Rescaling(1 / 127.5, offset=-1)(photo), training=False)
    hidden = keras.layers.Dense(128, activation="relu")(keras.layers.Dropout(0.2)(features))
    recogniser = keras.Model(photo, keras.layers.Dense(len(labels), activation="softmax")(hidden))

    # Augmentation is only for training: the published model does not contain it.
    trained = keras.Sequential([photo, augmentation, recogniser])
    trained.compile(
        optimizer=keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    history = trained.fit(train.prefetch(2), validation_data=validation.prefetch(2), epochs=EPOCHS, verbose=0)

    output.mkdir(parents=True)
    import_converter().convert_keras_model_to_graph_model(recogniser, str(output))
    (output / "metadata.json").write_text(json.dumps({"labels": labels}))
    return {"top1": round(float(history.history["val_accuracy"][-1]), 4)}


if __name__ == "__main__":
    reported = main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
    print(json.dumps({"reported": reported}), flush=True)
