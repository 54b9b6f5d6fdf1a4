"""A stub of the training child that only reports progress, at a real child's highest rate: ten times a second."""

import os
import sys
import time

from worker.child.messages import Finished, decode_job, decode_reconsider, encode
from worker.job.job import ActiveModel
from worker.job.outcome import TrainedModel
from worker.job.progress import Advanced
from worker.job.promotion import Promotion
from worker.lifeline import die_with_parent

STEP_SECONDS = 0.1


def main() -> None:
    """Advance from 0 to 99 per cent in STUB_SECONDS."""
    die_with_parent(int(os.environ["DAEMON_PID"]))
    job = decode_job(sys.stdin.buffer.readline())
    steps = round(float(os.environ["STUB_SECONDS"]) / STEP_SECONDS)
    for step in range(steps):
        left = (steps - step) * STEP_SECONDS
        message = Advanced(99 * step // steps, f"Training: step {step + 1} of {steps}", left)
        sys.stdout.buffer.write(encode(message))
        sys.stdout.buffer.flush()
        time.sleep(STEP_SECONDS)
    (job.folder / "model.json").write_text("{}")
    conclude(job.active)
    for line in sys.stdin.buffer:
        conclude(decode_reconsider(line).active)


def conclude(active: ActiveModel | None) -> None:
    """Send a Finished with the decision to activate the model."""
    promotion = Promotion(True, "It is as good as the others.", active.version if active else None, None)
    sys.stdout.buffer.write(encode(Finished(TrainedModel("{}", 10, 2, {}, promotion, ()))))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
