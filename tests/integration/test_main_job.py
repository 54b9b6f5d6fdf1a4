"""The main job, with nothing mocked: a real daemon, a real Postgres, real TensorFlow, real files."""

import hashlib
import json
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.support.shop import AS_WORKER, Shop
from tests.support.waiting import DEADLINE, living
from worker.events import Event
from worker.job.progress import Stage

# Of a job that no other one completes with itself.
QUICK_ALONE = {"profile": "quick", "coalesce": False}


def events(log: str) -> list[dict[str, Any]]:
    """A log's events; every line of it must be one."""
    return [json.loads(line) for line in log.splitlines()]


def run(shop: Shop, *arguments: str, status: int = 0, **settings: str) -> list[dict[str, Any]]:
    """Run the worker to its end and give its log; where it fails, standard error has one sentence."""
    process = shop.with_errors.worker(*(arguments or ("run", "--until-idle")), **settings)
    log, errors = process.communicate(timeout=2 * DEADLINE)
    assert process.returncode == status, log + errors
    assert [line[:8] for line in errors.splitlines()] == (["worker: "] if status else [])
    return events(log)


def test_a_row_becomes_a_model(shop: Shop, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    job_id = shop.insert_job({"epochs": 3})
    seen = []
    process = shop.worker("run", "--until-idle", LEASE_SECONDS="15", TMPDIR=str(temporary))
    while process.poll() is None:
        job = shop.job(job_id)
        seen.append((job["ProgressPercentage"], job["LeasedUntil"], job["EstimatedCompletionAt"]))
        time.sleep(0.05)
    assert process.stdout
    log = events(process.stdout.read())

    job = shop.job(job_id)
    assert (job["Status"], job["ProgressPercentage"], job["AttemptCount"]) == ("Completed", 100, 1)
    assert job["DurationSeconds"] > 0
    assert (job["LeasedUntil"], job["ErrorCode"]) == (None, None)
    percentages = [percentage for percentage, _, _ in seen]
    assert percentages == sorted(percentages)
    assert len(set(percentages)) > 3
    assert len({leased for _, leased, _ in seen}) > 3, "the lease was renewed while training"
    assert any(estimate for _, _, estimate in seen)

    [model] = shop.models_in_database()
    assert model["IsActive"]
    assert model["Version"] == job["ResultModelVersion"]
    assert model["ModelPath"] == f"models/{model['Version']}"
    assert (model["TotalPhotosUsed"], model["TotalProductsUsed"]) == (28, 4)
    accuracy = json.loads(model["AccuracyMetrics"])
    assert 0 <= accuracy["top1"] <= accuracy["top3"] <= 1
    assert 0 < accuracy["photos"] <= 28
    assert accuracy["products"] <= 4

    assert_whole(shop.models / model["Version"], accuracy)
    assert_sequence(log)
    assert list(temporary.iterdir()) == [], "TensorFlow writes code there as it fine-tunes"


def assert_whole(folder: Path, accuracy: dict[str, Any]) -> None:
    assert re.fullmatch(r"v\d{10}_\d{8}", folder.name)
    metadata = json.loads((folder / "metadata.json").read_text())
    mapping = json.loads((folder / "product_mapping.json").read_text())
    assert metadata["label_scheme"] == "sku"
    assert metadata["labels"] == sorted(metadata["labels"])
    assert [product["sku"] for product in mapping["products"]] == metadata["labels"]
    assert [product["index"] for product in mapping["products"]] == [0, 1, 2, 3]
    shown = accuracy.keys() & metadata["accuracy"].keys() - {"by_product"}
    assert {"top1", "top1_low", "top3", "macro_recall", "photos"} <= shown
    assert {key: accuracy[key] for key in shown} == {key: metadata["accuracy"][key] for key in shown}
    assert [product["sku"] for product in metadata["accuracy"]["by_product"]] == metadata["labels"]
    assert metadata["rejection"]["accept"]["score"] == accuracy["accept"] >= accuracy["suggest"]
    assert metadata["promotion"]["activate"]
    assert metadata["promotion"]["reason"] == ("There was no active model. The new model was activated.")
    assert metadata["version"] == folder.name
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = {path.as_posix() for path in paths} - {"metadata.json"}
    assert names == set(metadata["files"])
    assert {"model.json", "product_mapping.json", "group1-shard1of2.bin", "report.html"} <= names
    assert {"held_out/model.json", "held_out/metadata.json", "held_out/group1-shard1of2.bin"} <= names
    for name, file in metadata["files"].items():
        content = (folder / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
    graph = json.loads((folder / "model.json").read_text())
    assert graph["format"] == "graph-model"
    assert {
        weight["quantization"]["dtype"]
        for weight in graph["weightsManifest"][0]["weights"]
        if "quantization" in weight
    } == {"float16"}
    assert list(folder.parent.glob(".staging/*")) == []


def assert_sequence(log: list[dict[str, Any]]) -> None:
    stages = [Event.STAGE_STARTED, Event.STAGE_FINISHED] * len(Stage)
    beside = (
        Event.LISTENING,
        Event.BACKBONE_READY,
        Event.EPOCH_FINISHED,
        Event.BACKBONE_CHOSEN,
        Event.FEATURES_READY,
        Event.MODEL_CHOSEN,
    )
    assert [event["event"] for event in log if event["event"] not in beside] == [
        Event.WORKER_STARTED,
        Event.JOB_CLAIMED,
        Event.CHILD_STARTED,
        *stages,
        Event.MODEL_PUBLISHED,
        Event.MODEL_ACTIVATED,
        Event.JOB_COMPLETED,
        Event.WORKER_STOPPED,
    ]
    assert [event["stage"] for event in log if event["event"] == Event.STAGE_FINISHED] == list(Stage)
    [backbone] = [event for event in log if event["event"] == Event.BACKBONE_CHOSEN]
    assert backbone["backbone"] == "efficientnet_lite0"
    assert backbone["reason"] == "BACKBONE is efficientnet_lite0."
    [ready] = [event for event in log if event["event"] == Event.FEATURES_READY]
    assert (ready["photos"], ready["views"]) == (28, 28 * 3)
    [chosen] = [event for event in log if event["event"] == Event.MODEL_CHOSEN]
    assert "held out" in chosen["reason"]
    epochs = [event for event in log if event["event"] == Event.EPOCH_FINISHED]
    assert [(event["phase"], event["epoch"]) for event in epochs[:3]] == [
        ("trial", 1),
        ("trial", 2),
        ("trial", 3),
    ]
    assert [event["epoch"] for event in epochs[3:]] in ([], [1, 2, 3])
    assert all(event["worker"] for event in log)
    assert all(event["job_id"] and event["attempt"] == 1 for event in log if event["event"] in stages)


def test_train_works_on_one_given_job_with_an_npgsql_string(shop: Shop) -> None:
    """And with photos where another backend keeps them."""
    (shop.storage / "items").mkdir()
    with shop.connect() as connection:
        for row in connection.execute('SELECT "Id", "SKU" FROM "Products"'):
            (shop.storage / "products" / str(row["Id"])).rename(shop.storage / "items" / row["SKU"])
    other, job_id = shop.insert_job(), shop.insert_job({"profile": "quick"})
    parts = conninfo_to_dict(shop.database)
    password = str(parts["password"])
    npgsql = "Host={host};Port={port};Database={dbname};Username={user};Password={password}".format(**parts)
    arguments = (
        "--connection-string",
        npgsql,
        "--storage-path",
        str(shop.storage),
        "--output-path",
        str(shop.models),
    )
    log = run(
        shop,
        "train",
        "--job-id",
        str(job_id),
        *arguments,
        DATABASE_URL="",
        STORAGE_PATH="",
        OUTPUT_PATH="",
        PHOTO_PATH="items/{SKU}/{FileName}",
    )
    assert log[-2]["event"] == Event.JOB_COMPLETED
    assert shop.job(job_id)["Status"] == "Completed"
    assert shop.job(other)["Status"] == "Pending"
    assert password not in json.dumps(log)


@pytest.mark.parametrize(
    ("options", "weights", "code", "says"),
    [
        ({"epoch": 3}, "random", "invalid_options", "epoch:"),
        ([1], "random", "invalid_options", "list"),
        ({}, __file__, "base_weights_invalid", __file__),
    ],
)
def test_what_cannot_work_fails_with_a_code_and_a_sentence(
    shop: Shop, options: object, weights: str, code: str, says: str
) -> None:
    job_id = shop.insert_job(options)
    log = run(shop, "train", "--job-id", str(job_id), status=1, BASE_WEIGHTS=weights)
    job = shop.job(job_id)
    assert (job["Status"], job["ErrorCode"]) == ("Failed", code)
    assert says in job["ErrorMessage"]
    assert job["CompletedAt"]
    assert shop.models_in_database() == []
    assert list(shop.models.glob("v*")) == []
    assert [event["error_code"] for event in log if event["event"] == Event.JOB_FAILED] == [code]


def test_too_few_photos_and_a_wrong_mount_are_told_apart(shop: Shop, tmp_path: Path) -> None:
    wrong_mount = shop.insert_job()
    run(shop, "train", "--job-id", str(wrong_mount), status=1, STORAGE_PATH=str(tmp_path))
    job = shop.job(wrong_mount)
    assert job["ErrorCode"] == "storage_incomplete"
    assert "28 of 28" in job["ErrorMessage"]
    assert "products/" in job["ErrorMessage"]
    with shop.connect() as connection:
        connection.execute('UPDATE "Products" SET "IsActive" = "SKU" = (SELECT min("SKU") FROM "Products")')
    too_few = shop.insert_job()
    run(shop, "train", "--job-id", str(too_few), status=1)
    job = shop.job(too_few)
    assert job["ErrorCode"] == "insufficient_photos"
    assert "7 usable photos of 1 active products" in job["ErrorMessage"]


def test_unreadable_photos_are_skipped_counted_and_named(shop: Shop) -> None:
    photos = sorted(shop.storage.glob("products/*/*"))
    photos[0].write_bytes(b"")
    photos[1].write_text("not a photo")
    photos[2].unlink()
    other = add_odd_rows(shop)
    job_id = shop.insert_job({"profile": "quick"})
    log = run(shop)
    assert shop.job(job_id)["Status"] == "Completed"
    [model] = shop.models_in_database()
    assert model["TotalPhotosUsed"] == 25
    counts = {"empty_file": 1, "incomplete_row": 3, "missing": 1, "not_an_image": 1, "unsafe_name": 1}
    said = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    assert model["Notes"] == f"7 photos were left out: {said}."
    metadata = json.loads((shop.models / model["Version"] / "metadata.json").read_text())
    assert metadata["skipped"]["counts"] == counts
    named = {event["photo"] for event in log if event["event"] == Event.PHOTO_SKIPPED}
    assert named == {str(photo.relative_to(shop.storage)) for photo in photos[:3]} | other


def add_odd_rows(shop: Shop) -> set[str]:
    """Add rows with a NULL, and one with a name that no file can have; return the photos that are skipped for it."""
    names: set[str] = set()
    with shop.connect() as connection:
        for column in ("SKU", "Name"):
            connection.execute(f'ALTER TABLE "Products" ALTER "{column}" DROP NOT NULL'.encode())
        connection.execute('ALTER TABLE "ProductPhotos" ALTER "FileName" DROP NOT NULL')
        rows = [("S", None, "a.jpg"), (None, "N", "a.jpg"), ("T", "T", None), ("U", "U", "x" * 256)]
        for sku, name, file_name in rows:
            product = uuid4()
            connection.execute(
                """WITH product AS (
                    INSERT INTO "Products" ("Id", "SKU", "Name", "IsActive") VALUES (%(id)s, %(sku)s, %(name)s, true)
                ) INSERT INTO "ProductPhotos" ("Id", "ProductId", "FileName", "DisplayOrder")
                VALUES (%(id)s, %(id)s, %(file)s, 0)""",
                {"id": product, "sku": sku, "name": name, "file": file_name},
            )
            names.add(f"products/{product}/{file_name or 'NULL'}")
    return names


def test_the_second_model_takes_over_from_the_first_if_it_is_no_worse(shop: Shop) -> None:
    jobs = [shop.insert_job({"profile": "quick"}), shop.insert_job(QUICK_ALONE | {"force": True})]
    log = run(shop)
    assert [event["computed"] for event in log if event["event"] == Event.FEATURES_READY][1] == 0
    versions = [shop.job(job)["ResultModelVersion"] for job in jobs]
    assert [(model["Version"], model["IsActive"]) for model in shop.models_in_database()] == [
        (versions[0], False),
        (versions[1], True),
    ]
    result = shop.job(jobs[1])["Result"]
    assert result["activated"]
    assert f"the active model {versions[0]} on" in result["reason"]
    assert "equally good" in result["reason"], "they are the same model"


def test_where_nothing_has_changed_nothing_is_trained(shop: Shop) -> None:
    jobs = [shop.insert_job(QUICK_ALONE) for _ in range(2)]
    log = run(shop)
    first, second = (shop.job(job) for job in jobs)
    assert (second["Status"], second["ProgressPercentage"]) == ("Completed", 100)
    assert second["ResultModelVersion"] == first["ResultModelVersion"]
    assert (second["Result"]["activated"], second["Result"]["advice"]) == (True, [])
    assert len(shop.models_in_database()) == len(list(shop.models.glob("v*"))) == 1
    assert list(shop.models.glob(".staging/*")) == []
    completed = [event for event in log if event["event"] == Event.JOB_COMPLETED]
    assert [event.get("unchanged", False) for event in completed] == [False, True]
    assert len([event for event in log if event["event"] == Event.FEATURES_READY]) == 1


@pytest.mark.parametrize("event", [Event.CHILD_STARTED, Event.STAGE_STARTED, Event.EPOCH_FINISHED])
def test_sigterm_gives_the_job_back_and_leaves_nothing(shop: Shop, event: Event) -> None:
    job_id = shop.insert_job({"epochs": 500})
    process = shop.worker("run")
    assert process.stdout
    child_pid = 0
    for line in process.stdout:
        logged = json.loads(line)
        child_pid = logged.get("child_pid", child_pid)
        if logged["event"] == event:
            process.send_signal(signal.SIGTERM)
            break
    rest, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, rest
    assert [logged["event"] for logged in events(rest)][-2:] == [Event.JOB_RELEASED, Event.WORKER_STOPPED]
    job = shop.job(job_id)
    assert (job["Status"], job["AttemptCount"], job["LeasedUntil"]) == ("Pending", 0, None)
    assert living(child_pid) == []
    assert list(shop.models.glob("*/*")) == []


def test_a_job_that_is_not_pending_is_refused(shop: Shop) -> None:
    for job_id, says in ((uuid4(), "There is no job"), (completed(shop), "is Completed")):
        process = shop.worker("train", "--job-id", str(job_id))
        output, _ = process.communicate(timeout=DEADLINE)
        assert process.returncode == 1
        assert says in output
        assert "Traceback" not in output


def completed(shop: Shop) -> Any:
    job_id = shop.insert_job()
    with shop.connect() as connection:
        connection.execute(AS_WORKER)
        connection.execute("""UPDATE "TrainingJobs" SET "Status" = 'Completed'""")
    return job_id


def test_a_product_whose_folder_went_missing_stays_in_the_live_model(shop: Shop) -> None:
    """2 of 23 photos: fewer than the tenth with which the storage is called incomplete."""
    with shop.connect() as connection:
        row = connection.execute('SELECT "Id", "SKU" FROM "Products" ORDER BY "SKU" LIMIT 1').fetchone()
        assert row
        connection.execute(
            """DELETE FROM "ProductPhotos" WHERE "ProductId" = %(id)s AND "Id" NOT IN
            (SELECT "Id" FROM "ProductPhotos" WHERE "ProductId" = %(id)s ORDER BY "Id" LIMIT 2)""",
            {"id": row["Id"]},
        )
    first, second = (shop.insert_job(QUICK_ALONE) for _ in range(2))
    run(shop, "train", "--job-id", str(first))
    shutil.rmtree(shop.storage / "products" / str(row["Id"]))
    log = run(shop, "train", "--job-id", str(second))
    result = shop.job(second)["Result"]
    assert result["activated"] is False
    assert f"No photo of {row['SKU']}, which the active model knows, can be read." in result["reason"]
    assert [advice["skus"] for advice in result["advice"] if advice["kind"] == "products_lost"] == [
        [row["SKU"]]
    ]
    [said] = [event for event in log if event["event"] == Event.MODEL_NOT_ACTIVATED]
    assert (said["products_lost"], said["reason"]) == ([row["SKU"]], result["reason"])
    live = [model["Version"] for model in shop.models_in_database() if model["IsActive"]]
    assert live == [shop.job(first)["ResultModelVersion"]]
