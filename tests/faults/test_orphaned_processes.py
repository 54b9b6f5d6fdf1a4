"""A SIGKILL while processes are starting: the remaining ones must end, and must not block the job."""

from tests.faults.backend import insert_job
from tests.faults.workers import Workers
from tests.support.shop import Shop
from worker.events import Event

# The converter's process is started just before this stage, and takes a while to start.
AS_THE_CONVERTER_BEGINS = "fetch_photos"


def test_a_worker_killed_as_its_child_begins_leaves_no_child(shop: Shop, workers: Workers) -> None:
    insert_job(shop)
    worker = workers.start(STUB_SECONDS="600")
    worker.saw(Event.CHILD_STARTED)
    worker.process.kill()
    worker.childless()


def test_a_worker_killed_as_the_converter_begins_leaves_no_process(shop: Shop, workers: Workers) -> None:
    insert_job(shop)
    worker = workers.start(TRAINING="real", FAULT=f"{AS_THE_CONVERTER_BEGINS}:daemon:SIGKILL")
    worker.ended()
    worker.childless()


def test_a_child_killed_as_the_converter_begins_is_noticed(shop: Shop, workers: Workers) -> None:
    job_id = insert_job(shop)
    fault = f"{AS_THE_CONVERTER_BEGINS}:child:SIGKILL"
    worker = workers.start(TRAINING="real", RETRY_SECONDS="3600", FAULT=fault)
    worker.saw(Event.CHILD_DIED)
    worker.saw(Event.JOB_RETRIED, error_code="child_died")
    assert shop.job(job_id)["Status"] == "Pending"
    worker.childless()
