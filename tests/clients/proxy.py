"""Real proxies in front of the real binary."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from askfile import REPOSITORY, until

EXAMPLE = REPOSITORY / "examples/nginx.conf"


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def example(path: Path, port: int, page_port: int) -> str:
    """An example of ours with other ports."""
    text = path.read_text()
    assert "127.0.0.1:8080" in text and "127.0.0.1:8788" in text
    return text.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace(
        "127.0.0.1:8788", f"127.0.0.1:{page_port}"
    )


def without(config: str, *directives: str) -> str:
    """The configuration without these directives, so that the defaults are in force."""
    for directive in directives:
        config, found = re.subn(rf"^\s*{directive} .*;.*\n", "", config, flags=re.MULTILINE)
        assert found, directive
    return config


@contextmanager
def nginx(folder: Path, port: int, config: str) -> Iterator[None]:
    folder.mkdir()
    # Started by root, its workers would be nobody, who may not enter this folder.
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(user + config)
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    assert program, "nginx is missing: tests/run installs it"
    with running([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], folder, port):
        yield


@contextmanager
def caddy(folder: Path, port: int, config: str) -> Iterator[None]:
    folder.mkdir()
    (folder / "Caddyfile").write_text(config)
    program = shutil.which("caddy")
    assert program, "caddy is missing: tests/run installs it"
    command = [program, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with running(command, folder, port):
        yield


@contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={"HOME": str(folder)}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        until(f"{command[0]} listens", lambda: process.poll() is not None or is_listening(port))
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)
        print(log.read_text())
