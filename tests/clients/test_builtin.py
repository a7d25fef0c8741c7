"""Clients that people let in, in mode `builtin`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import expect

from agent_oauth import LetInNoMore, OAuthAgent, PythonOAuthAgent, TypeScriptOAuthAgent
from askfile import Server, run, until
from browser import Open
from consent import Documents, WayBack, grants, make_certificate, post, sign_in_code
from wire import http

SHORT = {"oauth_access_token_ttl": "2s"}


@pytest.fixture
def flags() -> list[str]:
    return ["--auth", "builtin"]


@pytest.fixture
def way_back() -> Iterator[WayBack]:
    way_back = WayBack()
    yield way_back
    way_back.close()


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Documents]:
    """Must come before the server, which trusts it."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("ASKFILE_TEST", "1")
    documents = Documents(certificate)
    yield documents
    documents.close()


Make = Callable[[str, str, str | None], OAuthAgent]
AGENTS: dict[str, Make] = {
    "typescript-1": partial(TypeScriptOAuthAgent, "oauth-v1.mjs"),
    "typescript-2": partial(TypeScriptOAuthAgent, "oauth-v2.mjs"),
    "python-2": PythonOAuthAgent,
}


@pytest.fixture(params=AGENTS.values(), ids=AGENTS)
def make(request: pytest.FixtureRequest) -> Make:
    return request.param


def let_in(agent: OAuthAgent, code: str, server: Server, browse: Open, way_back: WayBack) -> str:
    """Ana lets the agent in, in her browser; gives the address that she was led to."""
    url = agent.begin()
    tab = browse(url, store=way_back.url)
    tab.page.get_by_label("Sign-in code").fill(code)
    tab.button("Continue").click()
    tab.button("Allow").click()
    answer = way_back.answer()
    assert dict(parse_qsl(answer))["iss"] == server.url
    agent.finish(answer)
    return url


def is_refused(server: Server, token: str) -> bool:
    headers = {"authorization": f"Bearer {token}"}
    return http("GET", f"{server.url}/v1/media", headers=headers).status == 401


@pytest.mark.parametrize("settings", [SHORT])
def test_an_sdk_is_let_in_and_stays_until_the_operator_ends_it(
    make: Make, server: Server, browse: Open, way_back: WayBack, tmp_path: Path
) -> None:
    with make(server.mcp_url, way_back.address, None) as agent:
        let_in(agent, sign_in_code(tmp_path), server, browse, way_back)
        [created] = agent.call("upload_create")
        assert created["ok"] is True

        first = agent.tokens["access_token"]
        until("the token expires", lambda: is_refused(server, first))
        agent.expect_expiry()
        # Models call tools in parallel, and each call finds out by itself.
        assert all(answer["ok"] for answer in agent.call(*["upload_create"] * 3))
        assert agent.tokens["access_token"] != first

        [grant] = grants(tmp_path)
        assert grant["client_id"] == agent.client["client_id"]
        assert run(tmp_path, "grants", "revoke", grant["id"]).returncode == 0
        with pytest.raises(LetInNoMore):
            agent.call("media_list")


def test_an_sdk_shows_a_document_instead_of_registering(
    make: Make, documents: Documents, tmp_path: Path, browse: Open, way_back: WayBack
) -> None:
    document = documents.put(
        "/agent.json",
        client_name="An SDK with a document",
        redirect_uris=["http://127.0.0.1/callback"],
        token_endpoint_auth_method="none",
    )
    allow = {"oauth_private_documents": "127.0.0.0/8"}
    server = Server(tmp_path, "--auth", "keys, builtin", **allow)
    try:
        with make(server.mcp_url, way_back.address, document) as agent:
            url = let_in(agent, sign_in_code(tmp_path), server, browse, way_back)
            assert dict(parse_qsl(urlsplit(url).query))["client_id"] == document
            assert documents.seen.get_nowait() == "/agent.json"
            [created] = agent.call("upload_create")
            assert created["ok"] is True
            [grant] = grants(tmp_path)
            assert (grant["client_id"], grant["name"]) == (document, "An SDK with a document")

            tokens = agent.tokens
            ended = post(server, "revoke", token=tokens["refresh_token"], client_id=document)
            assert ended.status == 200
            assert is_refused(server, tokens["access_token"])
            with pytest.raises(LetInNoMore):
                agent.call("media_list")
    finally:
        print(server.output)  # Shown if the test fails.
        server.stop()
