"""What is released, installed with plain pip as the README says, away from the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.shop import lay_down
from tests.support.shop import ROOT, Shop


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make dist` fills, made in the environment that the tests run in."""
    folder = tmp_path_factory.mktemp("dist")
    execute("make", "dist", f"DIST={folder}", f"VENV={sys.prefix}", cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(release: Path) -> Path:
    [wheel] = release.glob("*.whl")
    return wheel


@pytest.fixture
def installed(release: Path, wheel: Path, tmp_path: Path) -> Iterator[Path]:
    """The `bin` of an environment that holds the release and nothing else."""
    environment = tmp_path / "environment"
    programs = environment / "bin"
    execute(sys.executable, "-m", "venv", str(environment), cwd=tmp_path)
    pip = [str(programs / "pip"), "install", "--quiet", "--no-deps"]
    uv = [str(Path(sys.prefix) / "bin" / "uv"), "pip", "install", "--quiet", "--no-deps"]
    requirements = ["--require-hashes", "-r", str(release / "requirements.txt")]
    # Pip says that it can install them; uv, which links files instead of writing 2 GB of them, does.
    execute(*pip, "--dry-run", *requirements, cwd=tmp_path)
    execute(*uv, "--python", str(programs / "python"), *requirements, cwd=tmp_path)
    execute(*pip, str(wheel), cwd=tmp_path)
    yield programs
    # Where it cannot link, it takes 2 GB, and pytest keeps the folders of three runs.
    shutil.rmtree(environment)


def execute(*command: str, cwd: Path, **settings: str) -> str:
    """What a command says that must succeed, without anything of ours on Python's path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        command,
        cwd=cwd,
        env=environment | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    package = {file.relative_to(ROOT) for file in (ROOT / "worker").rglob("*") if file.is_file()}
    ours = {file.as_posix() for file in package if "__pycache__" not in file.parts}
    ours |= {f"worker/migrations/{file.name}" for file in (ROOT / "migrations").iterdir()}
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in names if ".dist-info/" not in name} == ours
    assert {Path(name).suffix for name in ours} >= {".sql", ".jinja", ".css", ".typed"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_requirements_name_no_place_to_install_from(release: Path) -> None:
    text = (release / "requirements.txt").read_text()
    assert "--hash=sha256:" in text
    assert not [line for line in text.splitlines() if "://" in line or "-index" in line or " @ " in line]


@pytest.mark.timeout(900)
def test_what_was_installed_completes_a_job(
    installed: Path, empty_database: str, drawn_photos: Path, tmp_path: Path
) -> None:
    shop = Shop(empty_database, tmp_path / "storage", tmp_path / "models")
    settings = {
        "DATABASE_URL": shop.database,
        "STORAGE_PATH": str(shop.storage),
        "OUTPUT_PATH": str(shop.models),
        "HEALTH_FILE": str(tmp_path / "health"),
    }
    where = execute(str(installed / "python"), "-c", "import worker; print(worker.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)

    execute(str(installed / "worker"), "migrate", cwd=tmp_path, **settings)
    with shop.connect() as connection:
        lay_down(drawn_photos, shop.storage, connection)
    job_id = shop.insert_job({"profile": "quick"})
    log = execute(str(installed / "worker"), "run", "--until-idle", cwd=tmp_path, **settings)

    job = shop.job(job_id)
    assert job["Status"] == "Completed", log
    published = {file.name for file in (shop.models / job["ResultModelVersion"]).iterdir()}
    assert published >= {"model.json", "metadata.json", "product_mapping.json", "report.html"}
