"""The real binary, run for one test, and the links that it makes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

from agent import Way
from wire import PATIENCE, Answer, Part, form, http

REPOSITORY = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("ASKFILE_TEST_BINARY", REPOSITORY / "target/debug/askfile"))

Found = TypeVar("Found")


def until(what: str, look: Callable[[], Found], seconds: float = PATIENCE) -> Found:
    """Looks again and again until there is something to see."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.01)
    return found


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """The environment of a process on a data folder of the test's own, without rate limits."""
    # Settings of whoever runs the tests must not reach the program under test.
    env = {name: value for name, value in os.environ.items() if not name.startswith("ASKFILE_")}
    defaults = {
        "data_dir": str(folder / "data"),
        "listen": "127.0.0.1:0",
        "rate_limit_uploads_per_minute": "0",
        "rate_limit_wrong_per_minute": "0",
        "rate_limit_links_per_minute": "0",
        "rate_limit_tool_calls_per_minute": "0",
    }
    return env | {
        f"ASKFILE_{name.upper()}": value for name, value in (defaults | settings).items()
    }


def run(folder: Path, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command of the binary that ends by itself."""
    return subprocess.run(
        [BINARY, *command],
        cwd=folder,
        env=environment(folder, **settings),
        capture_output=True,
        text=True,
        timeout=120,
    )


def free_port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def free_address() -> str:
    """The same, with the address of this machine."""
    return f"127.0.0.1:{free_port()}"


def node_folder() -> Path:
    """Where tests/run installs the packages of package.json."""
    inspector = shutil.which("mcp-inspector")
    assert inspector, "the Inspector is missing: tests/run installs it"
    return Path(inspector).parents[2]


class Server:
    """`askfile serve` on a free port and a data folder of its own, without rate limits."""

    def __init__(
        self,
        folder: Path,
        *flags: str,
        stop_at: str | None = None,
        inside: tuple[str, ...] = (),
        **settings: str,
    ) -> None:
        """Stops for good at the step `stop_at`, as a crash could; `inside` is a command to run it."""
        self.data = folder / "data"
        self._output = folder / "output.log"
        self._is_asked_to_stop = False
        # Not port 0: an `askfile stdio` beside it must know whose page there is.
        self._env = environment(folder, **({"listen": free_address()} | settings))
        if stop_at:
            self._env["TEST_STOP_AT"] = stop_at
        self._flags = flags
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [*inside, BINARY, "serve", *flags],
                cwd=folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self.mcp_url = until("the server says where it listens", self._listening).group()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        self.url = self.mcp_url.removesuffix("/mcp")

    @property
    def http(self) -> Way:
        """How an agent reaches it over the network."""
        return Way(self.mcp_url, [], {})

    @property
    def stdio(self) -> Way:
        """How an agent starts an askfile of its own beside it, on the same data."""
        return Way(None, [str(BINARY), "stdio", *self._flags], self._env)

    def _listening(self) -> re.Match[str] | None:
        assert self._process.poll() is None, f"the server ended at once:\n{self.output}"
        return re.search(r"http://127\.0\.0\.1:[1-9]\d*/mcp\b", self.output)

    @property
    def output(self) -> str:
        """All that it printed and logged."""
        return self._output.read_text()

    def ask_to_stop(self) -> None:
        assert self._process.poll() is None, f"the server died:\n{self.output}"
        self._process.send_signal(signal.SIGTERM)
        self._is_asked_to_stop = True

    def kill(self) -> None:
        """Ends it as a crash does."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Sees it end in order, when asked to."""
        if not self._is_asked_to_stop:
            self.ask_to_stop()
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        assert status == 0, f"the server ended with {status}:\n{self.output}"
        assert "panicked" not in self.output, self.output

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    @property
    def is_up(self) -> bool:
        return self.runs and http("GET", f"{self.url}/healthz").status == 200

    @property
    def is_ready(self) -> bool:
        """Whether it would take an upload."""
        try:
            return http("GET", f"{self.url}/readyz").status == 200
        except ConnectionError:
            return False

    @property
    def peak_memory(self) -> int:
        """Most resident memory so far, in bytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        kib = re.search(r"VmHWM:\s*(\d+) kB", status)
        assert kib
        return int(kib.group(1)) * 1024

    @property
    def stored(self) -> list[Path]:
        """Every file that was received, whole or in part."""
        # As the process sees it: it may have a disk of its own.
        data = Path(f"/proc/{self._process.pid}/root{self.data}")
        folders = (data / "medias", data / "staging")
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    def ask(self, **arguments: Any) -> Link:
        """A link by `upload_create`, asked for without a client library."""
        answer = self.rpc("tools/call", {"name": "upload_create", "arguments": arguments})
        assert answer.status == 200, answer
        return Link.of(message_of(answer)["result"]["structuredContent"])

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a tool answers with."""
        answer = self.rpc("tools/call", {"name": tool, "arguments": arguments})
        return message_of(answer)["result"]["structuredContent"]

    def status(self, link: Link) -> dict[str, Any]:
        """What the agent sees of a link."""
        return self.call("upload_status", token=link.token)

    def rpc(
        self, method: str, params: dict[str, Any], headers: dict[str, str] | None = None
    ) -> Answer:
        """One JSON-RPC request as protocol 2026-07-28 has it."""
        protocol = "io.modelcontextprotocol"
        meta = {
            f"{protocol}/protocolVersion": "2026-07-28",
            f"{protocol}/clientCapabilities": {},
            f"{protocol}/clientInfo": {"name": "wire", "version": "1"},
        }
        params = {**params, "_meta": {**meta, **params.get("_meta", {})}}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        standard = {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
        if "name" in params:
            standard["mcp-name"] = params["name"]
        return self.post_mcp(json.dumps(body).encode(), standard | (headers or {}))

    def post_mcp(self, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        standard = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        }
        return http("POST", self.mcp_url, body, standard | (headers or {}))


def message_of(answer: Answer) -> Any:
    """The JSON-RPC message of an answer, whether it came as JSON or as an event."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        events = re.findall(r"^data: ?(\{.*)$", answer.text, re.MULTILINE)
        return json.loads(events[-1])
    return answer.json


@dataclass(frozen=True)
class Link:
    """A signed link, as the agent has it."""

    url: str
    token: str
    upload_id: str

    @staticmethod
    def of(session: dict[str, Any]) -> Link:
        return Link(session["upload_url"], session["token"], session["upload_id"])

    def sub(self, route: str) -> str:
        """The address of `…/decline` and its like."""
        path, _, query = self.url.partition("?")
        return f"{path}/{route}?{query}"

    def send(self, data: bytes, filename: str = "photo.png", *fields: Part) -> Answer:
        """Sends a file as a program does."""
        body, headers = form(Part(data, filename=filename), *fields)
        return http("POST", self.url, body, headers)

    @property
    def is_served(self) -> bool:
        """Whether anybody serves its page."""
        try:
            return http("GET", self.url).status == 200
        except ConnectionError:
            return False

    def facts(self) -> dict[str, Any]:
        """What the link tells whoever holds it."""
        return http("GET", self.url, headers={"accept": "application/json"}).json


class Page(HTMLParser):
    """A page as a browser without JavaScript understands it."""

    def __init__(self, url: str, html: str) -> None:
        super().__init__()
        self.url = url
        self.forms: list[Form] = []
        self.text = ""
        self.title = ""
        self._inside: list[str] = []
        self.feed(html)

    @staticmethod
    def open(url: str) -> Page:
        answer = http("GET", url, headers={"accept": "text/html"})
        assert answer.status == 200 and answer.is_html, answer
        return Page(url, answer.text)

    def form(self, field: str) -> Form:
        """The one form that has this field."""
        [found] = [form for form in self.forms if field in form.fields]
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = urljoin(self.url, values.get("action", self.url))
            method = values.get("method", "get").upper()
            self.forms.append(Form(action, method, values.get("enctype", ""), {}))
        elif tag in ("input", "textarea", "select") and "name" in values and self.forms:
            self.forms[-1].fields[values["name"]] = values.get("type", tag)
        if tag in ("title", "style", "script"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text += data
        elif self._inside[-1] == "title":
            self.title += data


@dataclass(frozen=True)
class Form:
    action: str
    method: str
    enctype: str
    fields: dict[str, str]
    """Each field's name and type."""


def png(width: int = 2, height: int = 2) -> bytes:
    """A PNG of one colour, unlike every other."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    colour = uuid.uuid4().bytes[:3]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + colour * width) * height)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def large_text(size: int) -> bytes:
    """A plain text of so many bytes."""
    return (b"All work and no play makes a dull file.\n" * (size // 40 + 1))[:size]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
