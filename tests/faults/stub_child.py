"""A stub of the training child: reports the stages and writes a model's files, in STUB_SECONDS.

With STUB_PROMOTE=0 it activates no model, with STUB_UNCHANGED=1 it has nothing to train where a model is active, with
STUB_PHOTOS it has the photos of a folder decoded.
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

from tests.faults.fault import strike
from tests.faults.stub_model import stub_model
from worker.child.messages import Failed, Finished, Message, decode_job, decode_reconsider, encode
from worker.errors import ErrorCode, code_of
from worker.job.job import ActiveModel, Job
from worker.job.outcome import Unchanged
from worker.job.progress import Advanced, Stage, StageFinished, StageStarted
from worker.lifeline import die_with_parent
from worker.registry.folder import sync_tree

FILES = ("model.json", "group1-shard1of1.bin", "product_mapping.json", "metadata.json")


def main() -> None:
    """As worker.child, without TensorFlow. The percentages follow the stages' order."""
    die_with_parent(int(os.environ["DAEMON_PID"]))
    if sys.argv[1:]:
        return  # it has nothing to prepare

    def send(message: Message) -> None:
        sys.stdout.buffer.write(encode(message))
        sys.stdout.buffer.flush()

    job = decode_job(sys.stdin.buffer.readline())
    if os.environ.get("STUB_UNCHANGED") == "1" and job.active and not job.options.force:
        strike(Stage.FETCH_PHOTOS)
        send(Unchanged(job.active.version))
        return
    seconds = float(os.environ.get("STUB_SECONDS", "0"))
    for number, stage in enumerate(Stage):
        send(StageStarted(stage))
        left = seconds * (len(Stage) - number) / len(Stage)
        send(Advanced(15 * number, f"Stub: {stage}", left))
        strike(stage)
        time.sleep(seconds / len(Stage))
        if stage is Stage.TRAIN and (fault := fault_of_photos()):
            send(Failed(ErrorCode.INTERNAL_ERROR, fault))
            return
        if stage is Stage.EXPORT:
            try:
                write_files(job)
            except OSError as error:
                send(Failed(code_of(error), str(error)))
                return
        send(StageFinished(stage, seconds / len(Stage)))
    send(conclude(job.active))
    for line in sys.stdin.buffer:
        strike("reconsider")
        send(conclude(decode_reconsider(line).active))


def fault_of_photos() -> str:
    """What is wrong with how the photos in STUB_PHOTOS are decoded, or ""."""
    if not (folder := os.environ.get("STUB_PHOTOS")):
        return ""
    # NumPy and Pillow take a while to import, and most stubs have no photos.
    from tests.faults.stub_photos import fault_of

    return fault_of(Path(folder))


def write_files(job: Job) -> None:
    """Write the files of a model, each with the job's id; the last one lists the others."""
    content = {"job_id": job.job_id, "version": job.version}
    text = json.dumps(content).encode()
    recorded = {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    for name in FILES[:-1]:
        (job.folder / name).write_bytes(text)
    (job.folder / FILES[-1]).write_text(json.dumps(content | {"files": dict.fromkeys(FILES[:-1], recorded)}))
    sync_tree(job.folder)


def conclude(active: ActiveModel | None) -> Finished:
    """Return a Finished with the decision of STUB_PROMOTE against the active model."""
    activate = os.environ.get("STUB_PROMOTE", "1") == "1"
    return Finished(stub_model(active.version if active else None, activate=activate))


if __name__ == "__main__":
    main()
