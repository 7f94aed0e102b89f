"""What deploy/kafka/broker.py says where it cannot start a broker, and what needs no Java."""

import os
import re
import socket
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from deploy.kafka import broker as launcher

RUN = (sys.executable, launcher.__file__, "run", "--data")
JAVA = """#!/bin/sh
echo 'openjdk version "{version}" 2026-01-01' >&2
"""


def program(folder: Path, name: str, text: str) -> None:
    """Put a program of ours on what a test uses as PATH."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with Java 17 alone; returns the only directory on PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program(programs, "java", JAVA.format(version="17.0.15"))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("JAVA_HOME", "TELCO_KAFKA_LIBS"):
        monkeypatch.delenv(name, raising=False)
    return programs


def refused(*arguments: str) -> str:
    """Return the one line that the launcher says when it starts nothing."""
    answer = subprocess.run(
        [*RUN, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert answer.returncode == 2, answer
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr
    (line,) = [line for line in answer.stderr.splitlines() if not line.startswith("Fetching")]
    return line


def test_no_java(bare: Path, tmp_path: Path) -> None:
    (bare / "java").unlink()
    said = refused(str(tmp_path / "data"))
    assert said.startswith("error: Apache Kafka needs Java 17 or newer; there is no java on PATH")


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_402"])
def test_old_java(bare: Path, tmp_path: Path, version: str) -> None:
    program(bare, "java", JAVA.format(version=version))
    assert f"is Java {version.split('.')[0]} (" in refused(str(tmp_path / "data"))


def test_java_home_goes_before_path(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    assert f"no java in JAVA_HOME={tmp_path / 'nowhere'}" in refused(str(tmp_path / "data"))


def test_no_maven(bare: Path, tmp_path: Path) -> None:
    said = refused(str(tmp_path / "data"))
    assert "there is no mvn on PATH" in said
    assert "TELCO_KAFKA_LIBS" in said


def test_maven_fails(bare: Path, tmp_path: Path) -> None:
    program(bare, "mvn", "#!/bin/sh\necho '[ERROR] Could not find artifact'\nexit 1\n")
    said = refused(str(tmp_path / "data"))
    assert said == "error: Maven did not fetch Kafka: Could not find artifact"
    left = [path.name for path in (tmp_path / "cache" / "telco-pipeline").iterdir()]
    assert [name for name in left if not name.endswith(".lock")] == []


def test_jars_of_an_unpacked_kafka(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELCO_KAFKA_LIBS", str(tmp_path))
    assert refused(str(tmp_path / "data")) == f"error: {tmp_path} holds no kafka_2.13-*.jar"
    (tmp_path / "kafka_2.13-4.9.9.jar").touch()
    assert launcher.fetch() == tmp_path
    assert launcher.version_of(tmp_path) == "4.9.9"


@pytest.fixture
def with_jars(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the launcher come as far as the data directory; returns that."""
    (tmp_path / "kafka_2.13-4.9.9.jar").touch()
    monkeypatch.setenv("TELCO_KAFKA_LIBS", str(tmp_path))
    data = tmp_path / "data"
    data.mkdir()
    (data / "broker.json").write_text('{"ports": {}, "password": "x"}')
    return data


def test_a_port_is_taken(with_jars: Path) -> None:
    with socket.create_server((launcher.HOST, 0)) as server:
        port = server.getsockname()[1]
        said = refused(str(with_jars), "--port", str(port - 1))
    assert said.startswith(f"error: port {port} is taken")


def test_two_brokers_on_one_directory(with_jars: Path) -> None:
    with launcher.locked(with_jars / ".lock"):
        assert refused(str(with_jars)) == f"error: a broker already runs on {with_jars}"


def test_bad_directories(with_jars: Path) -> None:
    (with_jars / "broker.json").write_text("{")
    assert refused(str(with_jars)).endswith(f"broker.json is damaged; delete {with_jars}")
    file = with_jars / "file"
    file.touch()
    assert "File exists" in refused(str(file))
    assert file.exists(), "what is not ours was deleted"


@pytest.mark.parametrize("port", ["-1", "65535"])
def test_impossible_ports(with_jars: Path, port: str) -> None:
    assert f"--port {port}: must lie between" in refused(str(with_jars), f"--port={port}")


def test_java_fails(with_jars: Path, bare: Path) -> None:
    program(bare, "java", JAVA.format(version="17.0.1") + "echo 'java.lang.Error: no' >&2; exit 3")
    said = refused(str(with_jars), "--port", str(launcher.choose_ports(0)["plain"]))
    assert said == f"error: {with_jars} cannot be formatted: java.lang.Error: no"
    (with_jars / "formatted").touch()
    said = refused(str(with_jars))
    assert said.startswith("error: Apache Kafka did not start: java.lang.Error: no (see ")
    assert not (with_jars / "format.args").exists(), "it holds the password"


def test_free_ports_are_no_clients_ports() -> None:
    """A client's own end on a broker's port would meet itself while the broker is down."""
    dynamic = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(dynamic.read_text().split()[0]) if dynamic.exists() else 32_768
    ports = launcher.choose_ports(0).values()
    assert max(ports) < first
    assert len(set(ports)) == len(launcher.LISTENERS)


def test_secret_files_are_written_closed(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        launcher.write_properties(tmp_path / "file", {"a": "1", "path": r"C:\x"})
    finally:
        os.umask(old)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "file").read_text() == "a=1\npath=C:\\\\x\n"


def test_the_pom_pins_versions_and_names_no_host() -> None:
    text = launcher.POM.read_text()
    tree = ElementTree.fromstring(text)
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    properties = {
        element.tag.partition("}")[2]: element.text or ""
        for element in tree.findall("m:properties/*", space)
    }
    versions = [
        re.sub(r"\$\{([^}]+)\}", lambda name: properties[name[1]], element.text or "")
        for element in tree.findall(".//m:dependency/m:version", space)
        + tree.findall(".//m:plugin/m:version", space)
    ]
    assert len(versions) == 3
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions), versions
    assert launcher.pinned_version() in versions
    assert not tree.findall(".//m:repository", space)
    # Names of the format itself, not of a place where anything is fetched.
    assert set(re.findall(r"https?://([^/\"\s]+)", text)) <= {"maven.apache.org", "www.w3.org"}
