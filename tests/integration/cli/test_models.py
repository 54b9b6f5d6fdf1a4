"""`worker models …` as people run it: what it prints, what it changes, and what it refuses."""

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from tests.support.registered import activate, active, assert_audit_holds, audit, changes, publish
from tests.support.shop import ROOT, Shop
from worker.cli.main import main

OLDEST, OLD, NEW, NEWEST = VERSIONS = ("v1_20260101", "v2_20260101", "v3_20260101", "v4_20260101")


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop with four models, of which the first three were active, one after the other."""
    shop = Shop(database, tmp_path / "storage", tmp_path / "models")
    publish(shop, *VERSIONS)
    activate(shop, OLDEST, OLD, NEW)
    return shop


def settings(shop: Shop, output_path: str | None) -> dict[str, str]:
    return {
        "DATABASE_URL": shop.database,
        "OUTPUT_PATH": str(shop.models) if output_path is None else output_path,
    }


def models(shop: Shop, *arguments: str, output_path: str | None = None, status: int = 0) -> str:
    """Run `worker models …` to its end, in this process, which is there already; give what it printed."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in settings(shop, output_path).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["worker", "models", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code or 0
    if isinstance(code, str):
        # As Python does at the end of a process.
        code, _ = 1, err.write(f"{code}\n")
    assert code == status, out.getvalue() + err.getvalue()
    assert (err.getvalue() == "") == (status == 0)
    return out.getvalue() if status == 0 else err.getvalue()


def test_a_process_of_its_own_says_the_same(shop: Shop) -> None:
    for arguments, status in ((["list"], 0), (["activate", "v9_20260101"], 1)):
        ran = subprocess.run(
            [sys.executable, "-m", "worker", "models", *arguments],
            env=os.environ | settings(shop, None),
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        said = models(shop, *arguments, status=status)
        out, err = ("", said) if status else (said, "")
        assert (ran.returncode, ran.stdout, ran.stderr) == (status, out, err)


def test_a_list_has_a_line_a_model_and_the_newest_first(shop: Shop) -> None:
    headings, *lines = models(shop, "list", output_path="").splitlines()
    assert headings.split() == [
        "version",
        "active",
        "trained",
        "(UTC)",
        "top-1",
        "photos",
        "products",
        "path",
    ]
    assert [line.split()[0] for line in lines] == list(reversed(VERSIONS))
    assert [line.split()[0] for line in lines if " yes " in line] == [NEW]
    for line in lines:
        assert line.index("93.8%") == headings.index("top-1")
        assert line.split()[-3:] == ["10", "2", f"models/{line.split()[0]}"]


def test_a_list_is_for_programs_too(shop: Shop) -> None:
    listed = json.loads(models(shop, "list", "--json", output_path=""))
    assert [model["version"] for model in listed] == list(reversed(VERSIONS))
    assert [model["is_active"] for model in listed] == [False, True, False, False]
    assert listed[0]["accuracy"] == {"top1": 0.9375}


def test_an_empty_list_says_so(database: str, tmp_path: Path) -> None:
    shop = Shop(database, tmp_path, tmp_path / "models")
    assert models(shop, "list") == "There are no models yet.\n"
    assert models(shop, "list", "--json") == "[]\n"


def test_a_row_that_a_backend_wrote_as_it_likes_is_listed_and_shown(shop: Shop) -> None:
    with shop.connect() as connection:
        connection.execute(
            """UPDATE "ModelMetadata" SET "AccuracyMetrics" = 'very good', "Notes" = 'by hand'"""
        )
    assert len(models(shop, "list").splitlines()) == 5
    shown = models(shop, "show", OLD)
    assert "very good" in shown
    assert "by hand" in shown


def test_a_model_is_shown_with_its_files_and_its_activations(shop: Shop) -> None:
    shown = models(shop, "show", OLD)
    for words in (OLD, '"top1": 0.9375', f"models/{OLD}", "whole"):
        assert words in shown
    came, went = shown.splitlines()[-2:]
    assert f"activated instead of {OLDEST} by " in came
    assert f"replaced by {NEW} by " in went
    said = json.loads(models(shop, "show", OLD, "--json"))
    assert (said["version"], said["files"]) == (OLD, "whole")
    assert [row["version"] for row in said["activations"]] == [OLD, NEW]


def test_a_model_is_shown_without_its_files_where_these_cannot_be_looked_at(shop: Shop) -> None:
    assert "not looked at: OUTPUT_PATH is not set" in models(shop, "show", OLD, output_path="")
    (shop.models / OLD / "model.json").unlink()
    assert "model.json is missing" in models(shop, "show", OLD)


def test_activating_says_what_was_active_and_leaves_who_and_why(shop: Shop) -> None:
    said = models(shop, "activate", NEWEST, "--reason", "It knows the new boxes.")
    assert said == f"{NEWEST} is active now; before, {NEW} was.\n"
    row = audit(shop)[-1]
    assert row["Reason"] == "It knows the new boxes."
    assert row["ActivatedBy"] == f"{getpass.getuser()}@{socket.gethostname()}"
    assert models(shop, "activate", NEWEST) == f"{NEWEST} was active already.\n"
    assert len(audit(shop)) == 4
    assert_audit_holds(shop)


def test_going_back_twice_goes_back_by_two_and_then_no_further(shop: Shop) -> None:
    assert models(shop, "rollback") == f"{OLD} is active now; before, {NEW} was.\n"
    assert (
        models(shop, "rollback", "--reason", "Still bad.") == f"{OLDEST} is active now; before, {OLD} was.\n"
    )
    assert "No model was active before this one" in models(shop, "rollback", status=1)
    assert changes(shop)[3:] == [(NEW, OLD), (OLD, OLDEST)]
    assert [row["Reason"] for row in audit(shop)[3:]] == [f"Gone back from {NEW}.", "Still bad."]
    assert_audit_holds(shop)


def test_going_back_where_no_model_is_active_leads_to_the_last_one(shop: Shop) -> None:
    with shop.connect() as connection:
        connection.execute('UPDATE "ModelMetadata" SET "IsActive" = false')
    assert models(shop, "rollback") == f"{NEW} is active now; before, no model was.\n"


@pytest.mark.parametrize("command", [["activate", OLD], ["rollback"]], ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("model.json", None, "model.json is missing"),
        ("held_out/model.json", "changed", "held_out/model.json was changed"),
        ("metadata.json", None, "metadata.json is missing"),
    ],
)
def test_a_model_whose_files_are_not_whole_does_not_become_active(
    shop: Shop, command: list[str], file: str, content: str | None, says: str
) -> None:
    path = shop.models / OLD / file
    path.unlink()
    if content:
        path.write_text(content)
    said = models(shop, *command, status=1)
    assert says in said
    assert "Restore the folder from a backup, or activate another version." in said
    assert active(shop) == NEW
    assert len(audit(shop)) == 3


def test_a_version_that_is_gone_or_never_was_is_refused(shop: Shop) -> None:
    with shop.connect() as connection:
        connection.execute('DELETE FROM "ModelMetadata" WHERE "Version" = %s', (OLD,))
    for command in ("activate", "show"):
        assert f"There is no model {OLD}" in models(shop, command, OLD, status=1)
    assert f"{OLD}, which was active before, has no row any more" in models(shop, "rollback", status=1)
    assert active(shop) == NEW


def test_prune_names_what_it_removed_and_keeps_what_may_be_gone_back_to(shop: Shop) -> None:
    assert models(shop, "prune", "--keep", "1") == f"Removed {OLDEST}.\n"
    assert sorted(path.name for path in shop.models.iterdir() if path.name.startswith("v")) == list(
        VERSIONS[1:]
    )
    assert [model["Version"] for model in shop.models_in_database()] == list(VERSIONS[1:])
    assert models(shop, "prune", "--keep", "1") == "There was nothing to remove.\n"
    models(shop, "rollback")
    # The one that was gone back from, too.
    assert models(shop, "prune", "--keep", "1") == "There was nothing to remove.\n"


def test_starting_anew_gives_up_a_model_whose_folder_is_lost(shop: Shop) -> None:
    shutil.rmtree(shop.models)
    assert f"OUTPUT_PATH {shop.models} is no folder" in models(shop, "adopt", "--yes", status=1)
    shop.models.mkdir()
    said = models(shop, "adopt", "--yes", "--reason", "The disk is gone.")
    missing = f"{shop.models / NEW} is missing or empty."
    assert said.splitlines() == [
        f"{missing} {NEW} will not be active any more; the next job trains a model that will be.",
        f"{NEW} was given up, and no model is active: insert a job.",
    ]
    assert active(shop) is None
    assert (changes(shop)[-1], audit(shop)[-1]["Reason"]) == ((NEW, None), "The disk is gone.")
    assert audit(shop)[-1]["ActivatedBy"] == f"{getpass.getuser()}@{socket.gethostname()}"
    assert "No model is active" in models(shop, "adopt", "--yes", status=1)
    assert_audit_holds(shop)


def test_starting_anew_is_for_who_confirms_it_and_for_lost_models_only(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"The active model {NEW} is there" in models(shop, "adopt", "--yes", status=1)
    path = shop.models / NEW / "model.json"
    path.write_bytes(path.read_bytes()[::-1])
    monkeypatch.setattr(sys, "stdin", StringIO("n\n"))
    assert "Aborted" in models(shop, "adopt", status=1)
    assert active(shop) == NEW
    models(shop, "adopt", "--yes")
    assert audit(shop)[-1]["Reason"] == f"It was given up: {path} was changed after it was published."


@pytest.mark.parametrize(
    ("arguments", "settings", "status", "says"),
    [
        (["prune", "--keep", "0"], {}, 2, "greater than or equal to 1"),
        (["prune"], {}, 2, "Missing option '--keep'"),
        (["activate", OLD], {"output_path": ""}, 1, "OUTPUT_PATH: Field required"),
        (["prune", "--keep", "1"], {"output_path": "/nowhere/models"}, 1, "OUTPUT_PATH /nowhere/models"),
        (["list"], {"database": "host=127.0.0.1 port=1"}, 1, "the database cannot be used"),
    ],
)
def test_a_wrong_call_is_told_in_a_sentence(
    shop: Shop, arguments: list[str], settings: dict[str, str], status: int, says: str
) -> None:
    changed = replace(shop, database=settings.get("database", shop.database))
    assert says in models(changed, *arguments, output_path=settings.get("output_path"), status=status)
    assert len(shop.models_in_database()) == 4


def test_a_database_that_was_not_migrated_is_refused_by_name(empty_database: str, tmp_path: Path) -> None:
    shop = Shop(empty_database, tmp_path, tmp_path / "models")
    said = models(shop, "list", status=1)
    assert "0006_registry" in said
    assert "worker migrate" in said
