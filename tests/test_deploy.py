"""The files in deploy/: what an operator relies on stands in them, and what they name is there."""

from __future__ import annotations

import fnmatch
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
PREFIX = "PROMPTLET_SERVE_"
NOBODY = 10001
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))
UNIT = (DEPLOY / "promptlet.service").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """(word, rest) of each instruction of the Dockerfile, continued lines joined, comments left out."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = [line.strip().split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(word, rest) for word, rest in found]


def of(word: str) -> list[str]:
    return [rest for one, rest in instructions() if one == word]


def image_environment() -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(of("ENV"))))


def resource(kind: str) -> Any:
    [found] = [one for one in KUBERNETES if one["kind"] == kind]
    return found


def unit() -> dict[str, list[str]]:
    """What the unit says, by name."""
    told: dict[str, list[str]] = {}
    for line in UNIT.splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            told.setdefault(name, []).append(value)
    return told


def unit_environment() -> dict[str, str]:
    lines = [*unit()["Environment"], *re.findall(r"^#Environment=(.*)$", UNIT, re.MULTILINE)]
    return dict(line.split("=", 1) for line in lines)


ENVIRONMENTS = {
    "Dockerfile": image_environment(),
    "compose.yaml": COMPOSE["services"]["promptlet"]["environment"],
    "kubernetes.yaml": resource("ConfigMap")["data"],
    "promptlet.service": unit_environment(),
}


@pytest.mark.parametrize("file", ENVIRONMENTS)
def test_settings_exist_and_their_values_are_allowed(file: str) -> None:
    settings = pytest.importorskip("promptlet.serve.settings")
    given = {name: value for name, value in ENVIRONMENTS[file].items() if name.startswith(PREFIX)}
    assert given
    filled = {name: re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", value) for name, value in given.items()}
    assert settings.read_settings({}, None, filled) is not None


def test_other_variables_are_known_ones() -> None:
    known = {"PATH", "HOME", "TMPDIR", "HF_HOME", "PROMPTLET_CACHE", "PYTHONDONTWRITEBYTECODE"}
    known |= {"PIP_NO_CACHE_DIR", "PIP_DISABLE_PIP_VERSION_CHECK"}
    for environment in ENVIRONMENTS.values():
        assert {name for name in environment if not name.startswith(PREFIX)} <= known


def test_ports_are_those_of_the_settings() -> None:
    settings = pytest.importorskip("promptlet.serve.settings")
    port = settings.ServeSettings.model_fields["port"].default
    assert of("EXPOSE") == [str(port)] and image_environment()[f"{PREFIX}PORT"] == str(port)
    assert COMPOSE["services"]["promptlet"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    [container] = resource("Deployment")["spec"]["template"]["spec"]["containers"]
    assert [one["containerPort"] for one in container["ports"]] == [port]
    assert resource("ConfigMap")["data"][f"{PREFIX}PORT"] == unit_environment()[f"{PREFIX}PORT"] == str(port)


def test_commands_of_the_files_exist_with_their_options() -> None:
    pytest.importorskip("promptlet.serve.settings")
    reference = pytest.importorskip("promptlet.cli.reference")
    known = dict(reference.commands())
    if ("serve",) not in known:
        pytest.skip("promptlet serve is not there yet")
    [command], [entry] = of("CMD"), of("ENTRYPOINT")
    said = [json.loads(entry) + json.loads(command)]
    said += [line.split() for line in re.findall(r"promptlet serve.*", DOCKERFILE + UNIT) if "," not in line]
    said += [
        line.split()
        for line in re.findall(r"promptlet serve-token .*", (DEPLOY / "kubernetes.yaml").read_text())
    ]
    assert len(said) >= 3
    for words in said:
        name = words[1].rstrip(",;`")
        options = {option for one in known[(name,)].params for option in one.opts}
        assert {word for word in words[2:] if word.startswith("--")} <= options, words


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*", "what is not named is not sent"
    kept = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    copied = [words.split()[:-1] for words in of("COPY") if "--from=" not in words]
    assert len(copied) == 3
    for source in (source for sources in copied for source in sources):
        assert (ROOT / source).exists(), source
        assert any(source == one or source.startswith(f"{one}/") for one in kept), source
    assert all((ROOT / one).exists() for one in kept)
    secret = ("tokens.toml", ".env", ".git/config", "deploy/tokens.toml", "prompts/pets.prompt")
    assert not any(fnmatch.fnmatch(path, f"{one}*") for path in secret for one in kept)


def test_the_image_is_built_from_pinned_requirements_of_a_base_that_can_be_chosen() -> None:
    assert instructions()[0] == ("ARG", "BASE=python:3.12-slim") and of("FROM")[0].startswith("${BASE}")
    installs = [one for run in of("RUN") for one in re.findall(r"pip install[^;]*", run)]
    assert len(installs) == 3 and all("-c requirements/test.txt" in one for one in installs)
    pinned = (ROOT / "requirements" / "test.txt").read_text(encoding="utf-8")
    assert re.search(r"^hatchling==", pinned, re.MULTILINE) and re.search(r"^torch==", pinned, re.MULTILINE)
    extras = dict(re.findall(r"(\w+)=(\S*)", " ".join(of("ARG"))))["EXTRAS"]
    assert f"\n{extras} = [" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("script", [rest for word, rest in instructions() if word == "RUN"])
def test_lines_that_run_are_shell_with_programs_that_a_base_has(script: str) -> None:
    checked = subprocess.run(["sh", "-n", "-c", script], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "X", script)
    words = {part.split()[0] for part in re.split(r";|&&|\bthen\b|\belse\b", bare) if part.split()}
    words = {part.split()[-1] if part in ("if",) else part for part in words}
    base = {"python3", "apt-get", "rm", "groupadd", "useradd", "install", "if", "fi", "["}
    assert words <= base | {"/opt/promptlet/bin/pip", "/opt/promptlet/bin/promptlet"}, words


def test_the_image_belongs_to_nobody_and_holds_no_secret() -> None:
    assert of("USER") == [f"{NOBODY}:{NOBODY}"]
    words = [word for word, _ in instructions()]
    assert words.index("USER") < words.index("ENTRYPOINT") and words[-2:] == ["ENTRYPOINT", "CMD"]
    assert all(rest.startswith("[") for rest in of("ENTRYPOINT") + of("CMD"))  # signals reach the server
    for text in (
        DOCKERFILE,
        (DEPLOY / "compose.yaml").read_text(),
        (DEPLOY / "kubernetes.yaml").read_text(),
        UNIT,
    ):
        assert not re.search(r"pl_\w+_\w{20,}|password|sha256\s*=", text)
        assert not re.search(r"https?://", text)  # no host is named
    cache = image_environment()
    assert {cache[name].split("/")[1] for name in ("HOME", "TMPDIR", "HF_HOME", "PROMPTLET_CACHE")} == {
        "cache"
    }


def health() -> list[str]:
    [check] = of("HEALTHCHECK")
    found: list[str] = json.loads(check[check.index("[") :])
    return found


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_asks_and_is_not_led_astray_by_a_proxy(status: int, code: int) -> None:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        program, *words = health()
        assert program == "python3"
        environment = {f"{PREFIX}PORT": str(server.server_port), "http_proxy": "http://127.0.0.1:9"}
        done = subprocess.run([sys.executable, *words], env=environment, check=False, timeout=30)
        thread.join(10)
    assert (done.returncode, asked) == (code, ["/healthz"])


def test_compose_lets_it_do_little() -> None:
    service = COMPOSE["services"]["promptlet"]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"] and service["user"] == f"{NOBODY}:{NOBODY}"
    assert service["mem_limit"] == service["memswap_limit"] and service["pids_limit"] > 0 and service["tmpfs"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    places = {line.split(":")[1]: line for line in service["volumes"]}
    assert places["/prompts"].endswith(":ro") and set(places) == {"/prompts", "/cache"}
    [secret] = service["secrets"]
    assert secret["target"] == json.loads(of("CMD")[0])[-1]
    assert COMPOSE["secrets"][secret["source"]] == {"file": "./tokens.toml"}
    assert seconds(service["stop_grace_period"]) > int(service["environment"][f"{PREFIX}DRAIN_SECONDS"])


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_the_unit_is_hardened_and_waits_for_the_drain() -> None:
    told = {name: values[-1] for name, values in unit().items()}
    assert told["User"] == "promptlet" and told["CapabilityBoundingSet"] == "" and told["UMask"] == "0077"
    assert told["ProtectSystem"] == "strict"
    for name in (
        "NoNewPrivileges",
        "ProtectHome",
        "PrivateTmp",
        "RestrictNamespaces",
        "ProtectKernelModules",
    ):
        assert told[name] == "yes", name
    assert told["Restart"] == "on-failure" and told["SystemCallFilter"] == "@system-service"
    environment = unit_environment()
    assert int(told["TimeoutStopSec"]) > int(environment[f"{PREFIX}DRAIN_SECONDS"])
    assert environment[f"{PREFIX}HOST"] == "127.0.0.1"
    assert environment[f"{PREFIX}PROMPTS"].removeprefix("/var/lib/") in told["StateDirectory"].split()
    for name in ("PROMPTLET_CACHE", "HF_HOME"):
        assert environment[name].split("/")[:4] == ["", "var", "cache", told["CacheDirectory"]]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / "promptlet.service"
    copy.write_text(
        re.sub(r"^ExecStart=.*", "ExecStart=/bin/true", UNIT, flags=re.MULTILINE), encoding="utf-8"
    )
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if copy.name in line]) == (0, [])


def test_pods_may_do_little() -> None:
    pod = resource("Deployment")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False
    may = pod["securityContext"]
    assert may["runAsNonRoot"] is True and may["runAsUser"] == may["fsGroup"] == NOBODY
    assert may["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
    assert "memory" in container["resources"]["limits"]


def test_probes_ask_what_they_are_for() -> None:
    [container] = resource("Deployment")["spec"]["template"]["spec"]["containers"]
    asked = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {name: one["path"] for name, one in asked.items()} == {
        "startup": "/readyz",
        "readiness": "/readyz",
        "liveness": "/healthz",
    }
    ports = {one["name"] for one in container["ports"]}
    assert {one["port"] for one in asked.values()} <= ports
    assert {one["targetPort"] for one in resource("Service")["spec"]["ports"]} <= ports


def test_the_parts_of_the_manifest_find_each_other() -> None:
    deployment, data = resource("Deployment")["spec"], resource("ConfigMap")["data"]
    pod = deployment["template"]["spec"]
    [container] = pod["containers"]
    labels = deployment["template"]["metadata"]["labels"]
    assert labels == deployment["selector"]["matchLabels"] == resource("Service")["spec"]["selector"]
    assert labels == resource("PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    assert container["envFrom"] == [{"configMapRef": {"name": resource("ConfigMap")["metadata"]["name"]}}]
    volumes = {one["name"]: one for one in pod["volumes"]}
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert volumes.keys() == mounts.keys()
    claim = resource("PersistentVolumeClaim")["metadata"]["name"]
    assert volumes["prompts"]["persistentVolumeClaim"]["claimName"] == claim
    assert volumes["tokens"]["secret"] == {"secretName": "promptlet-tokens", "defaultMode": 0o400}
    assert data[f"{PREFIX}TOKEN_FILE"] == f"{mounts['tokens']}/tokens.toml"
    assert data[f"{PREFIX}PROMPTS"] == mounts["prompts"]
    assert image_environment()["PROMPTLET_CACHE"].startswith(f"{mounts['cache']}/")


def test_pods_are_replaced_without_a_gap() -> None:
    deployment, data = resource("Deployment")["spec"], resource("ConfigMap")["data"]
    assert deployment["replicas"] >= 2 and deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert resource("PodDisruptionBudget")["spec"]["minAvailable"] >= 1
    leaving = sum(int(data[f"{PREFIX}{name}_SECONDS"]) for name in ("LEAVE", "DRAIN"))
    assert deployment["template"]["spec"]["terminationGracePeriodSeconds"] > leaving
