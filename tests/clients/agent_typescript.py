"""Agents in TypeScript: the official clients, SDK v1 and v2, each behind a small script."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent import Agent, Call, Person, Question, Way
from askfile import node_folder

SCRIPTS = Path(__file__).parent / "typescript"
PATIENCE = 20.0


class TypeScriptAgent(Agent):
    """Commands go out as JSON lines, and results and progress come back so."""

    def __init__(self, script: str, way: Way, era: str, person: Person | None = None) -> None:
        super().__init__()
        self._script = SCRIPTS / script
        self._way = way
        self._era = era
        self._person = person
        self._futures: dict[int, Future[Any]] = {0: Future()}
        self._progress: dict[int, list[str]] = {}

    def __enter__(self) -> TypeScriptAgent:
        self._process = subprocess.Popen(
            ["node", self._script],
            env=os.environ | {"ASKFILE_TEST_NODE": str(node_folder())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read).start()
        shows = self._person is not None
        try:
            self._say(id=0, era=self._era, shows=shows, **asdict(self._way))
            assert self._futures[0].result(PATIENCE) == self._era
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()

    def list_tools(self) -> list[dict[str, Any]]:
        return self._begin("tools").result(PATIENCE)

    def start(self, tool: str, **arguments: Any) -> Call:
        number = len(self._futures)
        self._progress[number] = progress = []
        future = self._begin("call", tool=tool, arguments=arguments)
        return Call(future, progress, lambda: self._say(do="cancel", id=number))

    def follow(self, *uris: str) -> None:
        self._begin("follow", uris=uris).result(PATIENCE)

    def leave(self, *uris: str) -> None:
        self._begin("leave", uris=uris).result(PATIENCE)

    def ended(self, *uris: str) -> str:
        """Waits until the server ends what `follow` began; how it does."""
        return self._begin("ended", uris=uris).result(PATIENCE)

    def read(self, uri: str) -> Any:
        return json.loads(self._begin("read", uri=uri).result(PATIENCE))

    def _begin(self, what: str, **more: Any) -> Future[Any]:
        number = len(self._futures)
        self._futures[number] = future = Future()
        self._say(do=what, id=number, **more)
        return future

    def _say(self, **command: Any) -> None:
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        for line in self._process.stdout:
            said = json.loads(line)
            if "updated" in said:
                self.heard.put(said["updated"])
                continue
            if self._person and ("question" in said or "over" in said):
                self._pass_on(self._person, said)
                continue
            future = self._futures[said["id"]]
            if "progress" in said:
                self._progress[said["id"]].append(said["progress"])
            elif "error" in said:
                future.set_exception(RuntimeError(said["error"]))
            else:
                future.set_result(said["result"])
        for future in self._futures.values():
            if not future.done():
                future.set_exception(RuntimeError("the client ended"))

    def _pass_on(self, person: Person, said: dict[str, Any]) -> None:
        if "over" in said:
            return person.tell(said["over"])
        params = said["params"]

        def choose(action: str) -> None:
            self._say(do="choose", question=said["question"], action=action)

        question = Question(params["url"], params["message"], params.get("elicitationId"), choose)
        person.show(question)
