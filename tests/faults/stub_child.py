"""A training child that trains nothing: it reports the stages and leaves a model's files, in STUB_SECONDS."""

import json
import os
import sys
import time

from tests.faults.fault import strike
from worker.child.lifeline import die_with_parent
from worker.child.messages import Finished, decode_job, encode
from worker.registry.folder import sync_tree
from worker.training.job import Accuracy, TrainedModel
from worker.training.progress import Advanced, Stage, StageFinished, StageStarted, Update

FILES = ("model.json", "group1-shard1of1.bin", "product_mapping.json", "metadata.json")


def main() -> None:
    """As worker.child, without TensorFlow. The percentages are those of the stages' order."""
    die_with_parent(int(os.environ["DAEMON_PID"]))
    if sys.argv[1:]:
        return  # it has nothing to prepare

    def send(message: Update | Finished) -> None:
        sys.stdout.buffer.write(encode(message))
        sys.stdout.buffer.flush()

    job = decode_job(sys.stdin.buffer.readline())
    seconds = float(os.environ.get("STUB_SECONDS", "0"))
    for number, stage in enumerate(Stage):
        send(StageStarted(stage))
        left = seconds * (len(Stage) - number) / len(Stage)
        send(Advanced(15 * number, f"Stub: {stage}", left))
        strike(stage)
        time.sleep(seconds / len(Stage))
        if stage is Stage.EXPORT:
            for name in FILES:
                (job.folder / name).write_text(json.dumps({"job_id": job.job_id, "version": job.version}))
            sync_tree(job.folder)
        send(StageFinished(stage, seconds / len(Stage)))
    send(Finished(TrainedModel(Accuracy(1.0, 1.0, 10, 2), 10, 2, {})))


if __name__ == "__main__":
    main()
