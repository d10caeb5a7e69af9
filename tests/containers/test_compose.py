"""docker-compose.yaml and the image's roles, as far as they show without containers."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack import role, secrets_file
from stack.home import open_home

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    return found


def test_every_role_of_the_image_is_a_service_of_that_name(services: dict[str, dict[str, Any]]) -> None:
    ours = {name: service["command"] for name, service in services.items() if name != "postgres"}
    assert ours == {name: [name] for name in role.ROLES}


def test_every_service_is_bounded_and_watched_and_starts_again(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["mem_limit"], name
        assert service["restart"], name
        if name == "airflow-init":
            continue  # it ends
        test = service["healthcheck"]["test"]
        assert test[-1] == name if name != "postgres" else "pg_isready" in test
        assert name == "postgres" or name in role.PROBLEMS


def test_nobody_waits_for_less_than_health(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            ends = other == "airflow-init"
            assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy"), name


def test_only_the_ui_is_published_and_on_loopback(services: dict[str, dict[str, Any]]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert list(published) == ["airflow-apiserver"]
    assert all(port.startswith("127.0.0.1:") for port in published["airflow-apiserver"])


def test_data_is_in_named_volumes(services: dict[str, dict[str, Any]]) -> None:
    volumes = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["volumes"]
    for name in ("postgres", "namenode", "datanode"):
        assert any(mount.split(":")[0] in volumes for mount in services[name]["volumes"]), name


def test_the_env_file_has_what_compose_asks_for_and_is_new_each_time() -> None:
    asked = set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yaml").read_text()))
    first, second = (dict(line.split("=", 1) for line in secrets_file.lines() if "=" in line) for _ in range(2))
    assert set(first) == asked
    assert not set(first.values()) & set(second.values())


def test_the_env_file_needs_no_package() -> None:
    command = [sys.executable, "-I", "-S", str(ROOT / "stack" / "secrets_file.py")]
    assert "ADMIN_PASSWORD=" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_image_does_not_run_as_root_and_its_roles_are_its_commands() -> None:
    last = (ROOT / "Dockerfile").read_text().split("\nFROM ")[-1]
    assert "\nUSER chromapress\n" in last
    assert '"stack.role"]' in last


def test_the_image_says_where_the_roles_write_how_to_find_hdfs() -> None:
    settings = dict(re.findall(r"\b(CHROMAPRESS_HOME|HADOOP_CONF_DIR)=(\S+)", (ROOT / "Dockerfile").read_text()))
    home = open_home({"CHROMAPRESS_HOME": settings["CHROMAPRESS_HOME"]})
    assert str(home.hadoop_conf) == settings["HADOOP_CONF_DIR"]


def test_a_health_check_does_not_load_what_it_does_not_need() -> None:
    # It is a process of its own in every container, time and again.
    code = "import sys, stack.role; print({'numpy', 'pyarrow', 'PIL', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_datanodes_of_one_volume_take_folders_of_their_own_and_the_same_after_a_start(tmp_path: Path) -> None:
    claim = (
        "import sys; from pathlib import Path; from stack.role import datanode_folder; "
        "print(datanode_folder(Path(sys.argv[1])).name, flush=True); input()"
    )
    waiting: list[subprocess.Popen[str]] = []
    try:
        for expected in ("datanode-1", "datanode-2", "datanode-1"):
            if len(waiting) == 2:
                waiting[0].communicate("\n")  # the first one ends
            process = subprocess.Popen(
                [sys.executable, "-c", claim, str(tmp_path)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            waiting.append(process)
            assert process.stdout is not None
            assert process.stdout.readline().strip() == expected
    finally:
        for process in waiting:
            process.kill()
            process.communicate()
