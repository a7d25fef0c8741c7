"""`askfile doctor`: what it finds on a machine, and on the way through real proxies."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from askfile import REPOSITORY, Link, Page, Server, free_address, free_port, png, run
from proxy import EXAMPLE, caddy, example, nginx, without
from wire import http


@dataclass(frozen=True)
class Report:
    status: int
    checks: dict[str, list[dict[str, str]]]

    def the(self, check: str) -> dict[str, str]:
        [finding] = self.checks[check]
        return finding

    def verdict(self, check: str) -> str:
        return self.the(check)["verdict"]

    @property
    def not_ok(self) -> list[dict[str, str]]:
        findings = (finding for all_of in self.checks.values() for finding in all_of)
        return [finding for finding in findings if finding["verdict"] != "ok"]


def doctor(folder: Path, **settings: str) -> Report:
    done = run(folder, "doctor", "--json", **settings)
    report = json.loads(done.stdout)
    assert report["ok"] is (done.returncode == 0), done
    checks: dict[str, list[dict[str, str]]] = {}
    for finding in report["checks"]:
        assert finding["verdict"] == "ok" or finding["change"], finding
        checks.setdefault(finding["check"], []).append(finding)
    return Report(done.returncode, checks)


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[dict[str, str]]:
    """A server on a port of its own, and its settings."""
    settings = {"listen": free_address()} | settings
    server = Server(folder, **settings)
    try:
        yield settings
    finally:
        print(server.output)
        server.stop()


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_before_the_first_start_all_is_well_and_nothing_is_made(tmp_path: Path) -> None:
    listen = free_address()
    report = doctor(tmp_path, listen=listen)
    assert (report.status, report.not_ok) == (0, [])
    assert "made at the first start" in report.the("data folder")["found"]
    assert files(tmp_path) == set()


def test_beside_a_server_all_is_well_and_nothing_stays(tmp_path: Path) -> None:
    with serving(tmp_path) as settings:
        before = files(tmp_path)
        report = doctor(tmp_path, **settings)
        assert (report.status, report.not_ok) == (0, [])
        assert "served by this askfile" in report.the("port")["found"]
        assert files(tmp_path) == before
    before = files(tmp_path)
    report = doctor(tmp_path, **settings)
    assert (report.status, report.not_ok) == (0, [])
    assert "whole" in report.the("database")["found"]
    # What SQLite keeps beside the database goes when the last who has it open closes it.
    beside = {"data/askfile.db-wal", "data/askfile.db-shm"}
    assert files(tmp_path) == before - beside


def test_for_people_each_check_is_a_line_with_what_to_change_below(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    done = run(tmp_path, "doctor", listen=free_address(), link_tll="5m")
    assert done.returncode == 0, done
    settings, _, folder, change, *_ = done.stdout.splitlines()
    assert settings.startswith("! settings ") and "did you mean `ASKFILE_LINK_TTL`" in settings
    assert folder.startswith("! data folder ")
    assert change.strip() == f"→ chmod 700 {tmp_path}/data"
    assert "\n✓ port " in done.stdout


def test_a_database_that_is_damaged_or_newer_is_found(tmp_path: Path) -> None:
    with serving(tmp_path) as settings:
        pass
    path = tmp_path / "data/askfile.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 1000")
    db.close()
    found = doctor(tmp_path, **settings).the("database")
    assert found["verdict"] == "wrong" and "newer askfile" in found["found"]
    path.write_bytes(path.read_bytes()[:4096] + b"\x55" * 65536)
    report = doctor(tmp_path, **settings)
    assert (report.status, report.verdict("database")) == (1, "wrong")


def test_a_key_that_others_can_read_is_found(tmp_path: Path) -> None:
    with serving(tmp_path) as settings:
        pass
    (tmp_path / "data/link.keys").chmod(0o644)
    found = doctor(tmp_path, **settings).the("data folder")
    assert found["verdict"] == "wrong" and found["change"].startswith("chmod 600 ")


def test_a_disk_with_less_room_than_the_floor_is_found(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    report = doctor(tmp_path, listen=free_address(), min_free_disk="1000000TB")
    assert (report.status, report.verdict("room")) == (1, "wrong")


def test_a_port_that_is_taken_is_found(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with serving(tmp_path / "other") as settings:
        report = doctor(tmp_path, **settings)
    assert (report.status, report.verdict("port")) == (1, "wrong")
    assert "--listen" in report.the("port")["change"]


def test_without_a_server_the_public_address_is_left_for_later(tmp_path: Path) -> None:
    listen = free_address()
    report = doctor(tmp_path, listen=listen, public_url="https://files.example.com")
    assert report.status == 0
    [finding] = report.not_ok
    assert finding["check"] == "public url" and "askfile serve" in finding["change"]


Edit = Callable[[str], str]
Proxy = Callable[[Path, int, str], AbstractContextManager[None]]


@contextmanager
def behind_nginx(folder: Path, edit: Edit, path: str = "") -> Iterator[dict[str, str]]:
    port, page_port = free_port(), free_port()
    public = {
        "public_url": f"http://127.0.0.1:{port}{path}",
        "page_listen": f"127.0.0.1:{page_port}",
    }
    with (
        nginx(folder / "nginx", port, edit(example(EXAMPLE, port, page_port))),
        serving(folder, **public) as settings,
    ):
        yield settings


def test_behind_the_example_of_nginx_all_is_well(tmp_path: Path) -> None:
    with behind_nginx(tmp_path, lambda config: config) as settings:
        before = files(tmp_path / "data")
        report = doctor(tmp_path, **settings)
        assert (report.status, report.not_ok) == (0, [])
        assert set(report.checks) >= {"proxy", "upload", "clock"}
        assert files(tmp_path / "data") == before


def test_nginx_as_it_comes_cuts_large_files_and_doctor_says_so(tmp_path: Path) -> None:
    with behind_nginx(tmp_path, lambda it: without(it, "client_max_body_size")) as settings:
        report = doctor(tmp_path, **settings)
    assert (report.status, report.verdict("proxy")) == (1, "wrong")
    assert "413" in report.the("proxy")["found"]
    assert "client_max_body_size 0" in report.the("proxy")["change"]


def test_an_nginx_that_holds_files_back_is_found(tmp_path: Path) -> None:
    with behind_nginx(tmp_path, lambda it: without(it, "proxy_request_buffering")) as settings:
        report = doctor(tmp_path, **settings)
    assert (report.status, report.verdict("proxy")) == (0, "warning")
    assert "proxy_request_buffering off" in report.the("proxy")["change"]
    assert report.verdict("upload") == "ok"


def test_an_nginx_that_passes_another_name_on_is_found(tmp_path: Path) -> None:
    def other_name(config: str) -> str:
        return config.replace("$http_host", "upstream.internal")

    with behind_nginx(tmp_path, other_name) as settings:
        report = doctor(tmp_path, **settings)
    assert (report.status, report.verdict("public url")) == (1, "wrong")
    assert "proxy_set_header Host" in report.the("public url")["change"]


def prefixed(config: str, passed_on: str) -> str:
    """The example for links below /files."""
    start = "location ~ ^/(uploads|assets|m|downloads|previews)/|^/healthz$ {"
    assert start in config
    below = "location ~ ^/files/(uploads|assets|m|downloads|previews)/|^/files/healthz$ {"
    return config.replace(start, f"{below}\n rewrite ^/files(/.*)$ {passed_on} break;")


def test_an_nginx_that_leaves_the_prefix_on_is_found(tmp_path: Path) -> None:
    edit = lambda config: prefixed(config, "/files$1")  # noqa: E731
    with behind_nginx(tmp_path, edit, "/files") as settings:
        report = doctor(tmp_path, **settings)
    assert (report.status, report.verdict("public url")) == (1, "wrong")
    assert "take that path off" in report.the("public url")["change"]


def test_an_nginx_that_takes_the_prefix_off_is_well(tmp_path: Path) -> None:
    edit = lambda config: prefixed(config, "$1")  # noqa: E731
    with behind_nginx(tmp_path, edit, "/files") as settings:
        report = doctor(tmp_path, **settings)
    assert (report.status, report.not_ok) == (0, [])


def test_an_address_that_redirects_is_found(tmp_path: Path) -> None:
    def secure(config: str) -> str:
        return config.replace("proxy_pass", "return 301 https://files.example.com$uri; proxy_pass")

    with behind_nginx(tmp_path, secure) as settings:
        report = doctor(tmp_path, **settings)
    found = report.the("public url")
    assert (report.status, found["verdict"]) == (1, "wrong")
    assert found["change"] == "set public_url to https://files.example.com"


def test_an_address_that_leads_to_another_askfile_is_found(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with serving(tmp_path / "other") as other:
        public = {"public_url": f"http://{other['listen']}"}
        with serving(tmp_path, **public) as settings:
            report = doctor(tmp_path, **settings)
    found = report.the("public url")
    assert found["verdict"] == "wrong" and "does not know" in found["found"]


def test_an_askfile_that_takes_small_images_alone_is_tried_all_the_same(tmp_path: Path) -> None:
    listen = free_address()
    limits = {"allowed_types": "image/png", "max_file_size": "100KB"}
    with serving(tmp_path, listen=listen, public_url=f"http://{listen}", **limits) as settings:
        report = doctor(tmp_path, **settings)
    assert (report.status, report.not_ok) == (0, [])
    assert "100 KB" in report.the("upload")["found"]


def test_an_address_where_nobody_is_is_found(tmp_path: Path) -> None:
    with serving(tmp_path, public_url=f"http://{free_address()}") as settings:
        report = doctor(tmp_path, **settings)
    found = report.the("public url")
    assert found["verdict"] == "wrong" and "cannot be reached" in found["found"]


def test_people_use_links_through_the_example_of_nginx_and_mcp_stays_inside(
    tmp_path: Path,
) -> None:
    through_a_proxy(tmp_path, nginx, EXAMPLE)


def test_people_use_links_through_the_example_of_caddy_and_mcp_stays_inside(
    tmp_path: Path,
) -> None:
    through_a_proxy(tmp_path, caddy, REPOSITORY / "examples/Caddyfile")


def through_a_proxy(folder: Path, proxy: Proxy, config: Path) -> None:
    port, page_port = free_port(), free_port()
    public = f"http://127.0.0.1:{port}"
    settings = {
        "listen": free_address(),
        "page_listen": f"127.0.0.1:{page_port}",
        "public_url": public,
    }
    server = Server(folder, **settings)
    try:
        with proxy(folder / "proxy", port, example(config, port, page_port)):
            link: Link = server.ask(prompt="Your logo")
            assert link.url.startswith(f"{public}/uploads/")
            page = Page.open(link.url)
            assert "Your logo" in page.text
            assert page.form("media").action == link.url
            assert http("GET", f"{public}/assets/page.css").status == 200
            assert link.send(png()).status == 201
            assert http("POST", f"{public}/mcp", b"{}").status == 404
            report = doctor(folder, **settings)
            assert (report.status, report.not_ok) == (0, [])
    finally:
        server.stop()


def test_a_public_name_without_https_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, page_port = free_port(), free_port()
    settings = {
        "listen": free_address(),
        "page_listen": f"127.0.0.1:{page_port}",
        "public_url": "http://files.example.com",
    }
    # The name leads nowhere, so doctor is told that nginx knows the way.
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    with (
        nginx(tmp_path / "nginx", port, example(EXAMPLE, port, page_port)),
        serving(tmp_path, **settings),
    ):
        report = doctor(tmp_path, **settings)
    [warning] = report.not_ok
    assert report.status == 0 and "public_url" in warning["change"] and "https" in warning["change"]
    assert report.verdict("upload") == "ok"


class OfYesterday(BaseHTTPRequestHandler):
    """A server in front of askfile whose clock is wrong."""

    def do_GET(self) -> None:
        body = b'{"status": "ok"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() - 86_400)


def test_a_clock_that_is_wrong_is_found(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), OfYesterday) as front:
        threading.Thread(target=front.serve_forever).start()
        try:
            with serving(tmp_path, public_url=f"http://127.0.0.1:{front.server_port}") as settings:
                report = doctor(tmp_path, **settings)
        finally:
            front.shutdown()
    found = report.the("clock")
    assert found["verdict"] == "warning" and "NTP" in found["change"]
    apart = re.match(r"(\d+) s apart", found["found"])
    assert apart and 86_390 < int(apart.group(1)) < 86_410


def test_a_second_address_that_is_taken_is_found(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with serving(tmp_path / "other") as other:
        free = free_address()
        report = doctor(tmp_path, listen=free, page_listen=other["listen"])
    free, taken = report.checks["port"]
    assert (report.status, free["verdict"], taken["verdict"]) == (1, "ok", "wrong")
    assert "--page-listen" in taken["change"]


def test_a_proxy_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    elsewhere = f"http://{free_address()};"

    def astray(config: str) -> str:
        return re.sub(r"http://127\.0\.0\.1:\d+;", elsewhere, config)

    with behind_nginx(tmp_path, astray) as settings:
        report = doctor(tmp_path, **settings)
    found = report.the("public url")
    assert found["verdict"] == "wrong" and "does not reach askfile" in found["found"]
    assert settings["page_listen"] in found["change"]
