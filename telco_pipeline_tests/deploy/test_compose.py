"""deploy/compose.yaml and what it builds, as far as can be seen without a Docker engine."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy.kafka import broker as launcher

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
DAGSTER = ("dagster-webserver", "dagster-daemon")
DOCS = (ROOT / "docs" / "streaming.md").read_text()


def published(service: str) -> dict[int, int]:
    """Return the ports of this machine that a service has, and those inside."""
    found = {}
    for entry in SERVICES[service].get("ports", []):
        address, outside, inside = entry.split(":")
        assert address == "127.0.0.1", f"{service} is open to the network"
        found[int(outside)] = int(inside)
    return found


def addresses() -> Iterator[tuple[str, str, int]]:
    """Yield who speaks to which service at which port, as the environments say."""
    for name, service in SERVICES.items():
        for value in service.get("environment", {}).values():
            for host, port in re.findall(r"([a-z][a-z-]*):(\d+)", value):
                if host in SERVICES and host != name:
                    yield name, host, int(port)


def serves(service: str) -> set[int]:
    """Return the ports at which a service answers the others."""
    listeners = SERVICES[service]["environment"].get("KAFKA_ADVERTISED_LISTENERS", "")
    inside = {int(port) for port in re.findall(rf"//{service}:(\d+)", listeners)}
    return inside or set(published(service).values())


def test_services_are_those_of_the_docs() -> None:
    table = DOCS.partition("### With Docker")[2].partition("###")[0]
    rows = re.findall(r"^\| `([a-z-]+)`.*?\|(.*?)\|(.*?)\|$", table, flags=re.MULTILINE)
    assert [name for name, _, _ in rows] == list(SERVICES)
    for name, outside, inside in rows:
        assert {int(port) for port in re.findall(r"localhost:(\d+)", outside)} == set(
            published(name)
        )
        for port in re.findall(rf"{name}:(\d+)", inside):
            assert int(port) in serves(name)


def test_no_port_is_taken_twice() -> None:
    ports = [port for name in SERVICES for port in published(name)]
    assert len(ports) == len(set(ports)) == 5


def test_services_find_each_other() -> None:
    found = list(addresses())
    assert {(who, host) for who, host, _ in found} == {
        ("schema-registry", "kafka"),
        ("console", "kafka"),
        ("console", "schema-registry"),
        *((name, "kafka") for name in DAGSTER),
    }
    for who, host, port in found:
        assert port in serves(host), f"{who} asks {host} at {port}"
        waits_for = SERVICES[who]["depends_on"]
        assert host in waits_for or host == "schema-registry"
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} would wait for ever"


def test_images_are_pinned_and_name_no_registry() -> None:
    images = {name: service["image"] for name, service in SERVICES.items()}
    for name in DAGSTER:
        assert images.pop(name) == "telco-pipeline"
    for image in images.values():
        repository, _, tag = image.partition(":")
        assert re.fullmatch(r"v?\d+(\.\d+)*", tag), image
        assert "." not in repository.split("/")[0], f"{image} names a host"
    assert images["kafka"] == f"apache/kafka:{launcher.pinned_version()}"


def test_the_broker_is_that_of_the_tests() -> None:
    """What both brokers set, they set alike; names follow the image's rule."""
    ours = launcher.server_settings(
        Path("data"),
        {"ports": dict.fromkeys(launcher.LISTENERS, 1), "password": ""},
        None,
        {},
    )
    theirs = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in SERVICES["kafka"]["environment"].items()
        if name != "KAFKA_HEAP_OPTS"
    }
    own = {"listeners", "listener", "inter", "controller", "advertised", "log"}
    common = {name for name in theirs if name.split(".")[0] not in own}
    assert len(common) == 9
    assert common <= set(ours), "a name that Kafka does not know"
    assert {name: theirs[name] for name in common} == {name: ours[name] for name in common}
    assert {name for name in theirs if name not in common} <= set(ours)
    listeners = dict(re.findall(r"([A-Z]+)://[a-z]*:(\d+)", theirs["listeners"]))
    for name, port in re.findall(r"([A-Z]+)://[a-z]+:(\d+)", theirs["advertised.listeners"]):
        assert listeners[name] == port
    protocols = dict(
        entry.split(":") for entry in theirs["listener.security.protocol.map"].split(",")
    )
    assert set(protocols) == set(listeners)
    assert theirs["inter.broker.listener.name"] in listeners
    assert (
        listeners[theirs["controller.listener.names"]]
        == theirs["controller.quorum.voters"].rpartition(":")[2]
    )


def variables(tree: object) -> Iterator[str]:
    """Yield the variables that a Dagster instance asks for."""
    if isinstance(tree, dict):
        if set(tree) == {"env"}:
            yield tree["env"]
        for branch in tree.values():
            yield from variables(branch)


@pytest.mark.parametrize("name", DAGSTER)
def test_dagster_gets_its_variables(name: str) -> None:
    environment = SERVICES[name]["environment"]
    asked = set(variables(yaml.safe_load((DEPLOY / "dagster.yaml").read_text())))
    assert len(asked) == 5
    assert asked <= set(environment)
    postgres = SERVICES["postgres"]["environment"]
    for ours, theirs in (("USER", "USER"), ("PASSWORD", "PASSWORD"), ("DB", "DB")):
        assert environment[f"DAGSTER_POSTGRES_{ours}"] == postgres[f"POSTGRES_{theirs}"]
    assert environment["DAGSTER_POSTGRES_HOST"] in SERVICES
    operations = (ROOT / "docs" / "operations.md").read_text()
    for variable in set(environment) - asked:
        assert f"`{variable}`" in operations, f"{variable} is nobody's"


def test_volumes_exist_and_are_used() -> None:
    used = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
    }
    assert used == set(COMPOSE["volumes"])


def test_the_two_instances_differ_by_postgres_only() -> None:
    plain = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    postgres = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    assert set(postgres.pop("storage")) == {"postgres"}
    for instance in (plain, postgres):
        assert instance["concurrency"]["runs"].pop("max_concurrent_runs") > 0
    assert plain == postgres


def test_the_image_is_made_of_what_is_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and line[0] != "#"]
    copied = {source for word, rest in lines if word == "COPY" for source in shlex.split(rest)[:-1]}
    assert len(copied) == 9
    for source in copied:
        assert (ROOT / source).exists(), source
    kept = {
        line.removeprefix("!")
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert kept == copied

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extras,) = re.findall(r"'\.\[([a-z,]+)\]'", text)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    (python,) = re.findall(r"FROM python:(\d+\.\d+)-slim", text)
    assert f"(Python {python}." in (ROOT / "constraints.txt").read_text()
    commands = {SERVICES[name]["command"][0] for name in DAGSTER}
    assert commands == {"dagster-webserver", "dagster-daemon"}


def test_what_the_image_installs_is_pinned() -> None:
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(entry for extra in project["optional-dependencies"].values() for entry in extra),
    ]
    names = {re.split(r"[\[<>=]", entry)[0].lower() for entry in wanted}
    assert names <= pinned, names - pinned


def test_docs_name_the_ports_of_make_kafka() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (first,) = re.findall(r"^KAFKA_PORT \?= (\d+)$", makefile, flags=re.MULTILINE)
    ports = launcher.choose_ports(int(first))
    for name in ("plain", "sasl", "tls", "sasl_tls"):
        row = f"| `{name}` | {launcher.LISTENERS[name]}"
        (line,) = [line for line in DOCS.splitlines() if line.startswith(row)]
        assert f"| {ports[name]} |" in line
        assert f"clients/{name}.conf" in line
    assert f"Apache Kafka {launcher.pinned_version()} " in DOCS
