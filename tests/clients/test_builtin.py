"""Clients that people let in, in mode `builtin`."""

from __future__ import annotations

import json
import re
import secrets
import select
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from agent_oauth import LetInNoMore, OAuthAgent, PythonOAuthAgent, TypeScriptOAuthAgent
from askfile import Server, message_of, run, until
from browser import SCREENSHOTS, Open
from consent import (
    FORM,
    Documents,
    Pkce,
    Visit,
    WayBack,
    address,
    grants,
    make_certificate,
    post,
    sign_in_code,
    type_code,
)
from inspector import Inspector
from wire import connect, converse, http, read_answer, request

SHORT = {"oauth_access_token_ttl": "2s"}


@pytest.fixture
def flags() -> list[str]:
    return ["--auth", "builtin"]


@pytest.fixture
def settings(documents: Documents) -> dict[str, str]:
    """Such that the test's own documents are fetched; that site must be there before the server."""
    return {"fetch_private_networks": "127.0.0.0/8"}


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Documents]:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
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
    type_code(tab.page, code)
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
        assert run(tmp_path, "grants", "revoke", "An SDK").returncode == 0
        with pytest.raises(LetInNoMore):
            agent.call("media_list")


def test_an_sdk_shows_a_document_instead_of_registering(
    make: Make,
    server: Server,
    documents: Documents,
    browse: Open,
    way_back: WayBack,
    tmp_path: Path,
) -> None:
    document = documents.put(
        "/agent.json",
        client_name="An SDK with a document",
        redirect_uris=["http://127.0.0.1/callback"],
        token_endpoint_auth_method="none",
    )
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


CHATGPT = {
    "client_uri": "https://chatgpt.com/",
    "client_name": "ChatGPT",
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "private_key_jwt",
    "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
    "token_endpoint_auth_signing_alg": "RS256",
    "jwks_uri": "https://chatgpt.com/oauth/jwks.json",
}
"""Its document, as it was in August 2026, but for the two addresses in it."""

SCOPE = "asset:upload media:read media:attach media:delete"


def discover(server: Server) -> tuple[str, dict[str, Any]]:
    """The resource and the authorization server, found as hosted clients do: by a refused call."""
    refused = server.rpc("tools/list", {})
    assert refused.status == 401
    challenge = refused.headers["www-authenticate"]
    (found,) = re.findall(r'^Bearer .*resource_metadata="([^"]+)"', challenge)
    resource = http("GET", found).json
    assert resource["scopes_supported"] == SCOPE.split()
    (issuer,) = resource["authorization_servers"]
    metadata = http("GET", f"{issuer}/.well-known/oauth-authorization-server").json
    assert metadata["issuer"] == issuer == server.url
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["token_endpoint_auth_methods_supported"] == ["none"]
    assert metadata["client_id_metadata_document_supported"] is True
    assert metadata["authorization_response_iss_parameter_supported"] is True
    return resource["resource"], metadata


def tokens_of(
    server: Server, name: str, client_id: str, redirect: str, code: str
) -> dict[str, Any]:
    """What a hosted client and its user's browser send, from the first request to the tokens."""
    resource, metadata = discover(server)
    pkce, state = Pkce(), secrets.token_urlsafe()
    visit = Visit(
        address(
            server,
            client_id,
            redirect,
            scope=SCOPE,
            state=state,
            resource=resource,
            code_challenge=pkce.challenge,
        )
    )
    assert (visit.screen.status, visit.screen.heading) == (200, f"Connect {name} to askfile")
    consent = visit.send(code=code)
    assert (consent.status, consent.heading) == (200, f"Let {name} in?")
    done = visit.send()
    assert (done.status, done.links) == (200, [done.leads_to])
    to, _, query = done.leads_to.partition("?")
    answer = dict(parse_qsl(query))
    assert (to, answer["state"], answer["iss"]) == (redirect, state, server.url)
    assert set(answer) == {"code", "state", "iss"}
    asked = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "client_id": client_id,
        "redirect_uri": redirect,
        "code_verifier": pkce.verifier,
        "resource": resource,
    }
    given = http("POST", metadata["token_endpoint"], urlencode(asked).encode(), FORM)
    assert given.status == 200, given
    assert given.headers["cache-control"] == "no-store"
    tokens = given.json
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3600)
    assert set(tokens["scope"].split()) == set(SCOPE.split())
    return tokens


def rpc(server: Server, token: str, method: str, **params: Any) -> Any:
    answer = server.rpc(method, params, {"authorization": f"Bearer {token}"})
    assert answer.status == 200, answer
    return message_of(answer)["result"]


@pytest.mark.parametrize(
    ("path", "redirect"),
    [
        ("/oauth/IbUR3zxyNQ16/client.json", "https://chatgpt.com/connector/oauth/IbUR3zxyNQ16"),
        ("/oauth/client.json", "https://chatgpt.com/connector_platform_oauth_redirect"),
    ],
)
def test_chatgpt_connects(
    server: Server, documents: Documents, tmp_path: Path, path: str, redirect: str
) -> None:
    client_id = documents.put(path, redirect_uris=[redirect], **CHATGPT)
    tokens = tokens_of(server, "ChatGPT", client_id, redirect, sign_in_code(tmp_path))
    token = tokens["access_token"]
    tools = {tool["name"]: tool for tool in rpc(server, token, "tools/list")["tools"]}
    (scheme,) = tools["upload_create"]["_meta"]["securitySchemes"]
    assert scheme == {"type": "oauth2", "scopes": ["asset:upload"]}
    created = rpc(server, token, "tools/call", name="upload_create", arguments={})
    assert created["structuredContent"]["ok"] is True
    fields = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    again = post(server, "token", client_id=client_id, resource=server.mcp_url, **fields)
    assert again.status == 200 and again.json["access_token"] != token
    (grant,) = grants(tmp_path)
    assert (grant["name"], grant["client_id"]) == ("ChatGPT", client_id)


def test_claude_connects(server: Server, tmp_path: Path) -> None:
    redirect = "https://claude.ai/api/mcp/auth_callback"
    _, metadata = discover(server)
    own = {
        "client_name": "Claude",
        "redirect_uris": [redirect],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": SCOPE,
    }
    as_json = {"content-type": "application/json"}
    endpoint = metadata["registration_endpoint"]
    registered = http("POST", endpoint, json.dumps(own).encode(), as_json)
    assert registered.status == 201
    assert registered.json["token_endpoint_auth_method"] == "none"
    assert "client_secret" not in registered.json
    client_id = registered.json["client_id"]
    tokens = tokens_of(server, "Claude", client_id, redirect, sign_in_code(tmp_path))
    created = rpc(server, tokens["access_token"], "tools/call", name="upload_create", arguments={})
    assert created["structuredContent"]["ok"] is True
    ended = post(server, "revoke", token=tokens["refresh_token"], client_id=client_id)
    assert ended.status == 200
    assert is_refused(server, tokens["access_token"])
    assert grants(tmp_path) == []


def test_a_client_in_a_browser_may_come_from_any_site(
    server: Server, browse: Open, way_back: WayBack
) -> None:
    found = browse(way_back.url, store=server.url).page.evaluate(
        """async ([server, redirect]) => {
          const headers = { "MCP-Protocol-Version": "2025-11-25" };
          const get = (path) => fetch(server + path, { headers }).then((answer) => answer.json());
          const send = (url, type, body) =>
            fetch(url, { method: "POST", headers: { "content-type": type }, body })
              .then((answer) => answer.json());
          const { resource } = await get("/.well-known/oauth-protected-resource/mcp");
          const metadata = await get("/.well-known/oauth-authorization-server");
          const own = JSON.stringify({ redirect_uris: [redirect] });
          const { client_id } = await send(metadata.registration_endpoint, "application/json", own);
          const grant = { grant_type: "refresh_token", refresh_token: "none", client_id };
          const form = "application/x-www-form-urlencoded";
          const { error } = await send(metadata.token_endpoint, form, new URLSearchParams(grant));
          const ended = await fetch(metadata.revocation_endpoint, {
            method: "POST",
            body: new URLSearchParams({ token: "none", client_id }),
          });
          return [resource, error, ended.status];
        }""",
        [server.url, way_back.address],
    )
    assert found == [server.mcp_url, "invalid_grant", 200]
    # What people see and send there is for nobody else.
    shown = http("GET", f"{server.url}/oauth/authorize", headers={"origin": way_back.url})
    assert "access-control-allow-origin" not in shown.headers


def test_a_refused_call_leaves_its_connection_of_use(server: Server) -> None:
    """On it clients go on to find out how they are let in."""
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    headers = {"connection": "keep-alive", "content-type": "application/json"}
    head, _ = request("POST", server.mcp_url, body, headers)
    with connect(server.url) as connection:
        connection.sendall(head)
        # Some clients send head and body apart, and a hasty server answers in between.
        select.select([connection], [], [], 0.2)
        connection.sendall(body)
        refused = read_answer(connection, "POST")
        assert refused.status == 401
        if refused.headers.get("connection") != "close":
            assert converse(connection, "GET", f"{server.url}/healthz").status == 200


@pytest.fixture
def inspector(tmp_path: Path) -> Iterator[Inspector]:
    inspector = Inspector(tmp_path)
    yield inspector
    inspector.stop()


def test_the_inspector_is_let_in(
    server: Server, inspector: Inspector, chromium: Browser, tmp_path: Path
) -> None:
    page = inspector.open(chromium)
    page.get_by_role("button", name="Add Servers").click()
    page.get_by_role("menuitem", name="Add manually").click()
    page.get_by_label("Server ID").fill("askfile")
    page.get_by_role("textbox", name="Transport").click()
    page.get_by_role("option", name="streamable-http").click()
    page.get_by_role("textbox", name="URL").fill(server.mcp_url)
    page.get_by_role("button", name="Add", exact=True).click()
    # The switch itself lies hidden below what is drawn.
    page.get_by_role("switch", name="askfile").dispatch_event("click")

    expect(page.locator("h1")).to_have_text("Connect MCP Inspector to askfile")
    type_code(page, sign_in_code(tmp_path))
    page.get_by_role("button", name="Allow").click()

    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    page.get_by_role("radiogroup").get_by_text("Tools", exact=True).click()
    page.get_by_role("button", name="upload_create").click()
    expect(page.get_by_role("heading", name="Servers")).to_have_count(0)
    expect(page.get_by_text("Asks a person for a file:")).to_be_visible()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "builtin-inspector.png")
    page.context.close()
    (grant,) = grants(tmp_path)
    assert grant["name"] == "MCP Inspector"
