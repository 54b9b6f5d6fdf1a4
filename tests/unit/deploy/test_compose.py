"""docker-compose.yml, read by a parser of the Compose Specification: every container is confined, all fits together."""

import re
from typing import Any

import pytest
from compose_spec import PyOptions

from tests.support.shop import ROOT
from worker.settings import LogSettings, Settings

TEXT = (ROOT / "docker-compose.yml").read_text()
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
# Of the container's 3 GB: the daemon, and what is to spare.
DAEMON_MB, SPARE_MB = 80, 256
UNITS = {"m": 1, "mb": 1, "g": 1024, "gb": 1024}


def parsed(text: str) -> dict[str, Any]:
    """The file as Compose would read it: variables filled in, anchors merged. Raises ValueError."""
    filled = VARIABLE.sub(lambda found: found[3] if found[2] == "-" else "secret", text)
    file = PyOptions(apply_merge=True).from_yaml(filled)
    file.validate()
    content: dict[str, Any] = file.to_dict()
    return content


FILE = parsed(TEXT)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
CONFINED = sorted(SERVICES.keys() - {"postgres"})


def megabytes(size: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([a-z]+)", size).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def user_of(service: str) -> str:
    return str(re.findall(r"Username=(\w+)", SERVICES[service]["environment"]["DATABASE_URL"])[0])


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("cap_drop:", "cap_dorp:"),
        ("pids_limit: 512", "pids_limit: many"),
        ("mem_limit: 3g", "mem_limit: 3 gigs"),
    ],
)
def test_the_parser_finds_mistakes(right: str, wrong: str) -> None:
    assert right in TEXT
    with pytest.raises(ValueError):
        parsed(TEXT.replace(right, wrong))


@pytest.mark.parametrize("name", CONFINED)
def test_a_container_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert megabytes(service["mem_limit"]) > 0
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert not service.get("privileged")
    assert ("cap_add" in service) == (name == "folders")
    # The image's own user is none but in these.
    assert service.get("user", "the image's") == {
        "roles": "65534:65534",
        "folders": "0:0",
        "web": "101:101",
    }.get(name, "the image's")


def test_only_the_making_of_roles_is_a_superuser_s() -> None:
    holders = [name for name, service in SERVICES.items() if "PGUSER" in service.get("environment", {})]
    assert holders == ["roles"]
    assert SERVICES["roles"]["environment"]["PGUSER"] == "postgres"
    assert "POSTGRES_USER" not in SERVICES["postgres"]["environment"]
    assert user_of("migrate") == "shop"
    assert user_of("worker") == "training_worker"
    assert SERVICES["migrate"]["command"] == ["migrate", "--grant-to", user_of("worker")]
    roles = (ROOT / "deploy" / "roles.sql").read_text()
    assert all(f"ALTER ROLE {user_of(name)} PASSWORD" in roles for name in ("migrate", "worker"))


def test_every_password_must_be_chosen() -> None:
    needed = {found[1] for found in VARIABLE.finditer(TEXT) if found[2] == "?"}
    assert needed == {found[1] for found in VARIABLE.finditer(TEXT) if "PASSWORD" in found[1]}
    assert len(needed) == 3


def test_every_service_waits_for_services_and_mounts_what_is_there() -> None:
    for name, service in SERVICES.items():
        assert service.get("depends_on", {}).keys() <= SERVICES.keys(), name
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert (ROOT / source).is_file() if source.startswith(".") else source in FILE["volumes"], mount


def test_every_variable_of_the_worker_is_a_setting() -> None:
    known = {name.upper() for kind in (Settings, LogSettings) for name in kind.model_fields}
    for name in ("migrate", "worker"):
        assert SERVICES[name]["environment"].keys() <= known


def test_the_worker_fits_into_its_memory_and_has_time_to_stop() -> None:
    worker = SERVICES["worker"]
    assert worker["memswap_limit"] == worker["mem_limit"]
    temporary = sum(megabytes(str(re.findall(r"size=(\w+)", mount)[0])) for mount in worker["tmpfs"])
    training = int(worker["environment"]["CHILD_MEMORY_MB"])
    assert training + DAEMON_MB + temporary + SPARE_MB <= megabytes(worker["mem_limit"])
    grace = Settings.model_fields["shutdown_grace"].default
    assert int(worker["stop_grace_period"].removesuffix("s")) >= grace + 10


def test_the_folders_of_the_image_are_mounted_where_it_expects_them() -> None:
    image = dict(re.findall(r"\b([A-Z_]+(?:PATH|DIR))=(/data/\w+)", (ROOT / "Dockerfile").read_text()))
    mounted = dict(mount.split(":", 1) for mount in SERVICES["worker"]["volumes"])
    assert mounted == {
        "photos": f"{image['STORAGE_PATH']}:ro",
        "models": image["OUTPUT_PATH"],
        "cache": image["CACHE_PATH"],
        "scratch": image["TMPDIR"],
    }
    made = SERVICES["folders"]
    assert {mount.split(":")[1] for mount in made["volumes"]} == set(image.values())
    assert set(re.findall(r"/data/\w+", made["command"][0])) == set(image.values())
    assert "models:/srv/models:ro" in SERVICES["web"]["volumes"]
