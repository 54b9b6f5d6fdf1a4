"""The app of a procrastinate worker: a job that sleeps, and the retry of stalled jobs."""

import asyncio
import os

from procrastinate import App, JobContext, PsycopgConnector

STALLED_SECONDS = float(os.environ["STALLED_SECONDS"])

app = App(
    connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"]),
    worker_defaults={
        "update_heartbeat_interval": float(os.environ["HEARTBEAT_SECONDS"]),
        "stalled_worker_timeout": STALLED_SECONDS,
    },
)


@app.task(name="bench")
async def wait() -> None:
    await asyncio.sleep(float(os.environ["JOB_SECONDS"]))


@app.periodic(cron=os.environ["RETRY_CRON"])
@app.task(name="retry", queueing_lock="retry", pass_context=True)
async def retry(context: JobContext, timestamp: int) -> None:
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
        await manager.retry_job(job)
