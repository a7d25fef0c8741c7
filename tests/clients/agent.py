"""An agent: a real MCP client, behind calls that block."""

from __future__ import annotations

import json
import queue
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Queue
from typing import Any

LEGACY, MODERN = "2025-11-25", "2026-07-28"


@dataclass(frozen=True)
class Way:
    """How to reach askfile: by the address of a server, or by a command that speaks MCP."""

    url: str | None
    command: list[str]
    env: dict[str, str]
    headers: dict[str, str] = field(default_factory=dict)
    """What goes with each request to the address."""


@dataclass(frozen=True)
class Question:
    """A link that a client shows, until somebody chooses."""

    url: str
    message: str
    elicitation_id: str | None
    choose: Callable[[str], object]


class Person:
    """Somebody to whom a client shows links."""

    def __init__(self) -> None:
        self._shown: queue.Queue[Question] = queue.Queue()
        self._over: queue.Queue[str] = queue.Queue()
        self.show = self._shown.put
        self.tell = self._over.put

    def question(self) -> Question:
        """The next link that is shown."""
        return self._shown.get(timeout=20)

    @property
    def is_asked(self) -> bool:
        return not self._shown.empty()

    def over(self) -> str:
        """The next request of which the client is told that it is over."""
        return self._over.get(timeout=20)


@dataclass(frozen=True)
class Call:
    """A call on its way."""

    _future: Future[dict[str, Any]]
    progress: list[str]
    """The progress messages so far."""
    cancel: Callable[[], object]

    def is_over(self) -> bool:
        return self._future.done()

    def result(self, seconds: float = 60) -> dict[str, Any]:
        """The answer, which must come within this time."""
        result = self._future.result(seconds)
        answer = result["structuredContent"]
        assert bool(result.get("isError")) is not answer["ok"], result
        # Agents that know nothing of structured content read the same as text.
        assert json.loads(result["content"][0]["text"]) == answer
        return answer


class Agent(ABC):
    """What the stories ask of a client; each library has an implementation."""

    def __init__(self) -> None:
        self.heard: Queue[str] = Queue()
        """The resources that it was told have changed."""

    @abstractmethod
    def __enter__(self) -> Agent:
        """Connects, and makes sure of the protocol's version."""

    @abstractmethod
    def __exit__(self, *_: object) -> None:
        """Hangs up, whatever calls are on their way."""

    @abstractmethod
    def list_tools(self) -> list[dict[str, Any]]:
        """The tools, as they went over the wire."""

    @abstractmethod
    def start(self, tool: str, **arguments: Any) -> Call:
        """A call that goes on while the story does."""

    def follow(self, *uris: str) -> None:
        """Subscribes to these resources, as its era does. Some clients cannot."""
        raise NotImplementedError

    def leave(self, *uris: str) -> None:
        """Ends what `follow` began with just these."""
        raise NotImplementedError

    def read(self, uri: str) -> Any:
        """What a resource says that is JSON."""
        raise NotImplementedError

    def tools(self) -> dict[str, dict[str, Any]]:
        """The tools by name."""
        return {tool["name"]: tool for tool in self.list_tools()}

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A call that succeeds."""
        answer = self.start(tool, **arguments).result()
        assert answer["ok"] is True, answer
        return answer

    def fail(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A call that fails, in a way that a model can read."""
        answer = self.start(tool, **arguments).result()
        assert answer["ok"] is False, answer
        assert set(answer) == {"ok", "error_kind", "code", "message", "hint"}, answer
        assert answer["message"] and answer["hint"]
        return answer
