//! Clients are given tokens, and they end.

use askfile::{
    domain::capability::Capabilities, service::keys::KeyRequest, store::oauth::ClientGrant,
};
use axum::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ask, changed, posted, redeeming, refused, tokens};
use crate::harness::{
    Askfile, PUBLIC_URL,
    keys::ALL,
    mins,
    rest::rest,
    secs,
    web::{With, get},
};

#[tokio::test]
async fn a_code_gives_tokens_once_and_showing_it_again_takes_them_back() {
    let askfile = Askfile::builtin().await;
    let (client, code) = askfile.let_in().await;
    let (access, refresh) = tokens(&askfile.redeem(&client, &code).await);
    let asked = askfile.call_with(&access, "upload_create", json!({})).await;
    let link = crate::harness::web::Link::of(&asked);
    assert_eq!(
        refused(&askfile.redeem(&client, &code).await),
        "invalid_grant"
    );
    assert!(
        !askfile.opens(&access).await,
        "one of the two has stolen it"
    );
    assert_eq!(
        refused(&askfile.refresh(&client, &refresh).await),
        "invalid_grant"
    );
    assert_eq!(
        askfile.send(get(&link.path())).await.status,
        409,
        "its links are closed"
    );
    assert_eq!(
        refused(&askfile.redeem(&client, &code).await),
        "invalid_grant"
    );
}

#[tokio::test]
async fn of_many_who_show_one_code_at_once_one_gets_tokens() {
    let askfile = Askfile::builtin().await;
    let (client, code) = askfile.let_in().await;
    let all = join_all((0..20).map(|_| askfile.redeem(&client, &code))).await;
    let given: Vec<_> = all.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(given.len(), 1);
    assert!(!askfile.opens(&tokens(given[0]).0).await);
}

#[tokio::test]
async fn requests_that_refresh_at_once_are_no_theft() {
    let askfile = Askfile::builtin().await;
    let (client, _, refresh) = askfile.connect().await;
    let all = join_all((0..5).map(|_| askfile.refresh(&client, &refresh))).await;
    for given in &all {
        assert!(askfile.opens(&tokens(given).0).await);
    }
    askfile.clock.advance(secs(119));
    let (last, _) = tokens(&askfile.refresh(&client, &refresh).await);
    askfile.clock.advance(secs(1));
    assert_eq!(
        refused(&askfile.refresh(&client, &refresh).await),
        "invalid_grant"
    );
    assert!(!askfile.opens(&last).await, "two minutes later it is one");
}

#[tokio::test]
async fn one_refresh_token_is_good_for_twenty_requests_at_once() {
    let askfile = Askfile::builtin().await;
    let (client, _, refresh) = askfile.connect().await;
    let all = join_all((0..30).map(|_| askfile.refresh(&client, &refresh))).await;
    let given: Vec<_> = all.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(given.len(), 20);
    assert!(askfile.opens(&tokens(given[0]).0).await, "more is no theft");
}

#[tokio::test]
async fn a_code_is_worth_nothing_without_what_belongs_to_it() {
    let askfile = Askfile::builtin().await;
    let other = askfile.client("Other").await;
    let (client, code) = askfile.let_in().await;
    let right = redeeming(&client, &code);
    let (long, short) = ("v".repeat(129), "v".repeat(42));
    let almost = super::VERIFIER.replace("a-verifier", "A-verifier");
    for (name, value, error) in [
        ("client_id", other.as_str(), "invalid_grant"),
        ("client_id", "", "invalid_request"),
        ("client_id", "client_forgotten", "invalid_client"),
        ("redirect_uri", "http://127.0.0.1/back", "invalid_grant"),
        (
            "redirect_uri",
            "https://chat.example/back/",
            "invalid_grant",
        ),
        ("code_verifier", "", "invalid_request"),
        ("code_verifier", &almost, "invalid_grant"),
        ("code_verifier", &short, "invalid_request"),
        ("code_verifier", &long, "invalid_request"),
        ("code", "", "invalid_request"),
        ("code", "made-up", "invalid_grant"),
        ("grant_type", "", "unsupported_grant_type"),
        ("grant_type", "client_credentials", "unsupported_grant_type"),
        ("grant_type", "password", "unsupported_grant_type"),
        (
            "resource",
            "https://elsewhere.example/mcp",
            "invalid_target",
        ),
    ] {
        let answer = askfile.token(&changed(&right, name, value)).await;
        assert_eq!(refused(&answer), error, "{name}={value}");
    }
    let twice = [&right[..], &[("code_verifier", super::VERIFIER)]].concat();
    assert_eq!(refused(&askfile.token(&twice).await), "invalid_request");
    let as_json = rest(None, Method::POST, "/oauth/token", &json!({ "code": code }));
    assert_eq!(refused(&askfile.send(as_json).await), "invalid_request");
    let resource = format!("{PUBLIC_URL}/mcp");
    let given = askfile.token(&changed(&right, "resource", &resource)).await;
    assert_eq!(given.status, 200, "nobody else has used it up");
}

#[tokio::test]
async fn a_code_is_fetched_within_five_minutes() {
    let askfile = Askfile::builtin().await;
    for (after, status) in [(secs(299), 200), (mins(5), 400)] {
        let (client, code) = askfile.let_in().await;
        askfile.clock.advance(after);
        let answer = askfile.redeem(&client, &code).await;
        assert_eq!(answer.status, status, "after {after}");
    }
}

#[tokio::test]
async fn a_token_ends_and_the_client_gets_the_next_by_itself() {
    let askfile = Askfile::builtin().await;
    let (client, access, refresh) = askfile.connect().await;
    askfile.clock.advance(secs(3_599));
    assert!(askfile.opens(&access).await);
    askfile.clock.advance(secs(1));
    assert!(!askfile.opens(&access).await, "the second it ends");
    assert!(
        !askfile.opens(&refresh).await,
        "a refresh token opens nothing"
    );
    let (next, next_refresh) = tokens(&askfile.refresh(&client, &refresh).await);
    assert!(askfile.opens(&next).await);
    assert_ne!((&next, &next_refresh), (&access, &refresh));
    askfile.clock.advance(mins(60 * 24 * 29));
    let (_, last) = tokens(&askfile.refresh(&client, &next_refresh).await);
    askfile.clock.advance(mins(60 * 24 * 30));
    let late = askfile.refresh(&client, &last).await;
    assert_eq!(
        refused(&late),
        "invalid_grant",
        "nobody used it for a month"
    );
}

#[tokio::test]
async fn a_refresh_token_that_is_shown_twice_ends_the_grant() {
    let askfile = Askfile::builtin().await;
    let (client, access, first) = askfile.connect().await;
    let other = askfile.client("Other").await;
    assert_eq!(
        refused(&askfile.refresh(&other, &first).await),
        "invalid_grant"
    );
    let (next, second) = tokens(&askfile.refresh(&client, &first).await);
    askfile.clock.advance(mins(2));
    assert_eq!(
        refused(&askfile.refresh(&other, &first).await),
        "invalid_grant"
    );
    assert!(
        askfile.opens(&next).await,
        "what another client says ends nothing"
    );
    assert_eq!(
        refused(&askfile.refresh(&client, &first).await),
        "invalid_grant"
    );
    for token in [&access, &next] {
        assert!(!askfile.opens(token).await);
    }
    assert_eq!(
        refused(&askfile.refresh(&client, &second).await),
        "invalid_grant"
    );
    let why = "SELECT count(*) FROM audit WHERE action = 'grant.revoked'
        AND detail LIKE '%a refresh token was shown twice%'";
    assert_eq!(askfile.count(why), 1);
}

#[tokio::test]
async fn a_client_gives_its_tokens_back() {
    let askfile = Askfile::builtin().await;
    let (client, access, refresh) = askfile.connect().await;
    let other = askfile.client("Other").await;
    let end = async |token: &str, client: &str| {
        let form = [("token", token), ("client_id", client)];
        askfile
            .send(posted("/oauth/revoke", &form))
            .await
            .status
            .as_u16()
    };
    assert_eq!(
        end(&refresh, &other).await,
        200,
        "it is not told what there is"
    );
    assert_eq!(end(&access, &other).await, 200);
    assert_eq!(end("made-up", &client).await, 200);
    let key = askfile.key("agent", ALL, &[]).await;
    assert_eq!(end(&key, &client).await, 200);
    assert!(askfile.opens(&access).await && askfile.opens(&key).await);
    assert_eq!(end(&access, &client).await, 200);
    assert!(!askfile.opens(&access).await);
    let (next, last) = tokens(&askfile.refresh(&client, &refresh).await);
    assert_eq!(end(&last, &client).await, 200);
    assert!(
        !askfile.opens(&next).await,
        "with the refresh token all ends"
    );
    assert_eq!(
        refused(&askfile.refresh(&client, &last).await),
        "invalid_grant"
    );
    let nothing = askfile
        .send(posted("/oauth/revoke", &[("client_id", &client)]))
        .await;
    assert_eq!(refused(&nothing), "invalid_request");
}

#[tokio::test]
async fn the_operator_sees_what_was_granted_and_ends_it() {
    let askfile = Askfile::builtin().await;
    let (client, access, refresh) = askfile.connect().await;
    let asked = askfile.call_with(&access, "upload_create", json!({})).await;
    let link = crate::harness::web::Link::of(&asked);
    let operator = askfile.service.operator("a test");
    let grants = askfile.service.client_grants(&operator).await.unwrap();
    let [ClientGrant { key, client_id }] = grants.as_slice() else {
        panic!("{grants:?}");
    };
    assert_eq!((key.name.as_str(), client_id), ("Chat", &client));
    assert_eq!(key.principal.name, "Ana");
    assert!(
        askfile.service.keys(&operator).await.unwrap().is_empty(),
        "it is no key"
    );
    let named = key.id.to_string();
    assert!(askfile.service.revoke_key(&operator, &named).await.is_err());
    let (_, closed) = askfile
        .service
        .revoke_grant(&operator, "Chat")
        .await
        .unwrap();
    assert_eq!(closed, 1);
    assert!(!askfile.opens(&access).await);
    assert_eq!(askfile.send(get(&link.path())).await.status, 409);
    assert_eq!(
        refused(&askfile.refresh(&client, &refresh).await),
        "invalid_grant"
    );
    let unknown = askfile.service.revoke_grant(&operator, "Chat").await;
    assert_eq!(unknown.unwrap_err().row().code, "NOT_FOUND");
    askfile.connect().await;
    let (_, access, _) = askfile.connect().await;
    let several = askfile.service.revoke_grant(&operator, "Chat").await;
    assert_eq!(several.unwrap_err().row().code, "CONFLICT");
    assert!(askfile.opens(&access).await);
}

#[tokio::test]
async fn a_token_opens_its_own_workspace_alone() {
    let askfile = Askfile::builtin().await;
    for alias in ["st-one", "st-two"] {
        askfile.workspace(alias).await;
    }
    let client = askfile.client("Chat").await;
    let code = askfile.code(Some("st-one"), ALL).await;
    let back = askfile.allow(&ask(&client, &[]), &code).await;
    let given = askfile
        .redeem(&client, &super::parameter(&back, "code"))
        .await;
    let (access, _) = tokens(&given);
    let key = askfile.key("agent", ALL, &["st-two"]).await;
    let foreign = askfile.call_with(&key, "upload_create", json!({})).await;
    let status = json!({ "token": foreign["token"] });
    let seen = askfile.call_with(&access, "upload_status", status).await;
    assert_eq!(seen["code"], "NOT_FOUND", "{seen}");
    for (alias, status) in [("st-one", 200), ("st-two", 404)] {
        let path = format!("/v1/media?workspace_id={alias}");
        let asked = rest(Some(&access), Method::GET, &path, &Value::Null);
        assert_eq!(askfile.send(asked).await.status, status, "{alias}");
    }
}

#[tokio::test]
async fn an_administrator_elsewhere_does_not_add_to_a_person_who_let_clients_in() {
    let askfile = Askfile::builtin().await;
    askfile.workspace("st-one").await;
    askfile.connect().await;
    let admin = askfile.caller("admin", "admin", &["st-one"]).await;
    let request = KeyRequest {
        name: "hers".into(),
        person: Some(("Not Ana".into(), Some("ana@example.com".into()))),
        workspaces: Vec::new(),
        capabilities: Capabilities::AGENT,
        expires_in: None,
    };
    let refused = askfile.service.create_key(&admin, request).await;
    assert_eq!(refused.unwrap_err().row().code, "CONFLICT");
    assert!(
        askfile
            .service
            .client_grants(&admin)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_token_in_an_address_opens_nothing() {
    let askfile = Askfile::builtin().await;
    let (_, access, _) = askfile.connect().await;
    for name in ["access_token", "token", "authorization"] {
        let path = format!("/v1/media?{name}={access}");
        assert_eq!(askfile.send(get(&path)).await.status, 401, "{name}");
        let path = format!("/mcp?{name}={access}");
        let call = crate::harness::keys::mcp(None, "tools/list", json!({}));
        let (mut parts, body) = call.into_parts();
        parts.uri = path.parse().unwrap();
        let call = axum::http::Request::from_parts(parts, body);
        assert_eq!(askfile.send(call).await.status, 401, "{name}");
    }
}

#[tokio::test]
async fn clients_in_browsers_of_any_origin_get_their_tokens() {
    let askfile = Askfile::builtin().await;
    for path in [
        "/oauth/token",
        "/oauth/register",
        "/oauth/revoke",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource/mcp",
    ] {
        let asked = crate::harness::web::request(Method::OPTIONS, path)
            .header("origin", "https://inspector.example")
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "content-type, mcp-protocol-version",
            )
            .body(axum::body::Body::empty());
        let answer = askfile.send(asked.unwrap()).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert!(
            answer
                .header("access-control-allow-headers")
                .contains("mcp-protocol-version")
        );
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    let (client, code) = askfile.let_in().await;
    let asked = posted("/oauth/token", &redeeming(&client, &code));
    let asked = asked
        .with("origin", "https://inspector.example")
        .with("sec-fetch-site", "cross-site");
    let given = askfile.send(asked).await;
    assert_eq!(
        (
            given.status.as_u16(),
            given.header("access-control-allow-origin")
        ),
        (200, "*")
    );
    let page = askfile.send(get(&super::at(&ask(&client, &[])))).await;
    assert_eq!(
        page.header("access-control-allow-origin"),
        "",
        "the pages are nobody else's"
    );
}

#[tokio::test]
async fn what_is_over_is_forgotten() {
    let askfile = Askfile::builtin().await;
    let (client, _, refresh) = askfile.connect().await;
    askfile.refresh(&client, &refresh).await;
    askfile.code(None, ALL).await;
    askfile.clock.advance(mins(60 * 24 * 32));
    askfile.service.sweep().await.unwrap();
    for table in [
        "sign_in",
        "authorization_code",
        "refresh_token",
        "api_key_secret",
    ] {
        let left = askfile.count(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(left, 0, "{table}");
    }
    assert_eq!(
        askfile.count("SELECT count(*) FROM oauth_client"),
        1,
        "it was let in"
    );
    let operator = askfile.service.operator("a test");
    assert_eq!(
        askfile
            .service
            .client_grants(&operator)
            .await
            .unwrap()
            .len(),
        1
    );
}
