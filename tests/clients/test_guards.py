"""Who is kept out: foreign hosts, other people's web pages, proxies without a lock, floods."""

from __future__ import annotations

import pytest

from askfile import Link, Server, large_text, png, until
from wire import Answer, Part, connect, form, http, read_answer, request

JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


def denied(answer: Answer) -> None:
    assert answer.status == 403, answer
    assert "PERMISSION_DENIED" in answer.text
    failure = answer.json
    assert failure["error_kind"] == "auth_failed" and failure["message"] and failure["hint"]


def every_route(server: Server, link: Link) -> list[tuple[str, str]]:
    return [
        ("GET", f"{server.url}/"),
        ("GET", f"{server.url}/healthz"),
        ("GET", f"{server.url}/readyz"),
        ("GET", f"{server.url}/no/such/route"),
        ("GET", server.mcp_url),
        ("POST", server.mcp_url),
        ("DELETE", server.mcp_url),
        ("GET", link.url),
        ("HEAD", link.url),
        ("POST", link.url),
        ("PUT", link.url),
        ("POST", link.sub("decline")),
        ("POST", link.sub("done")),
    ]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.1", ""]
)
def test_a_foreign_host_is_refused_on_every_route(server: Server, host: str) -> None:
    link = server.ask()
    for method, url in every_route(server, link):
        answer = http(
            method, url, png() if method in ("POST", "PUT") else b"", JSON | {"host": host}
        )
        assert answer.status == 403, (method, url, answer)
        assert method == "HEAD" or "PERMISSION_DENIED" in answer.text
    assert server.stored == []
    assert link.facts()["status"] == "pending"


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_the_names_of_this_machine_are_served(server: Server, name: str) -> None:
    host = {"host": server.url.removeprefix("http://").replace("127.0.0.1", name)}
    assert http("GET", f"{server.url}/healthz", headers=host).status == 200
    assert server.rpc("tools/list", {}, host).status == 200
    link = server.ask()
    assert http("PUT", link.url, png(), host).status == 201


FOREIGN_PAGES = {
    "cross-site": {"sec-fetch-site": "cross-site"},
    "a foreign origin": {"origin": "https://evil.example"},
    "no origin": {"origin": "null"},
}


@pytest.mark.parametrize("page", FOREIGN_PAGES)
def test_a_web_page_cannot_call_tools(server: Server, page: str) -> None:
    denied(server.rpc("tools/list", {}, FOREIGN_PAGES[page]))
    call = {"name": "upload_create", "arguments": {}}
    denied(server.rpc("tools/call", call, FOREIGN_PAGES[page]))
    # A form needs no preflight and cannot send JSON's content type.
    denied(server.post_mcp(b"{}", FOREIGN_PAGES[page] | {"content-type": "text/plain"}))


def test_the_signed_link_is_its_own_permission(server: Server) -> None:
    for headers in FOREIGN_PAGES.values():
        link = server.ask()
        assert http("GET", link.url, headers=headers).status == 200
        assert http("PUT", link.url, png(), headers).status == 201


PROXIES = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Host": "files.example",
    "X-Forwarded-Proto": "https",
    "Forwarded": "for=203.0.113.7",
    "CF-Connecting-IP": "203.0.113.7",
}


@pytest.mark.parametrize("header", PROXIES)
def test_an_open_server_behind_a_proxy_serves_only_signed_links(
    server: Server, header: str
) -> None:
    proxied = {header: PROXIES[header]}
    denied(server.rpc("tools/list", {}, proxied))
    assert http("GET", f"{server.url}/healthz", headers=proxied).status == 200
    link = server.ask()
    assert http("GET", link.url, headers=proxied).status == 200
    body, content_type = form(Part(png()))
    assert http("POST", link.url, body, content_type | proxied).status == 201


@pytest.mark.parametrize("settings", [{"rate_limit_uploads_per_minute": "10"}])
def test_the_eleventh_upload_of_a_minute_has_to_wait(server: Server) -> None:
    links = [server.ask() for _ in range(11)]
    answers = [link.send(png()) for link in links]
    assert [answer.status for answer in answers] == [201] * 10 + [429]
    late = answers[-1]
    assert late.json["code"] == "RATE_LIMITED" and late.json["error_kind"] == "http_error"
    assert 1 <= int(late.headers["retry-after"]) <= 60
    assert links[-1].facts()["status"] == "pending"


@pytest.mark.parametrize("settings", [{"max_concurrent_uploads": "1"}])
def test_when_all_places_are_taken_the_next_is_told_when_to_come_again(server: Server) -> None:
    first, second = server.ask(), server.ask()
    head, [body] = request("PUT", first.url, large_text(50_000))
    with connect(first.url) as connection:
        connection.sendall(head + body[:20_000])
        until("the first is on its way", lambda: first.facts()["phase"] == "receiving")
        busy = second.send(png())
        assert (busy.status, busy.json["code"]) == (503, "BUSY")
        assert int(busy.headers["retry-after"]) >= 1
        connection.sendall(body[20_000:])
        assert read_answer(connection, "PUT").status == 201
    assert second.send(png()).status == 201
