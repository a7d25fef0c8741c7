//! Tokens of the operator's identity provider.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use askfile::{config::Auth, domain::capability::Capabilities, service::keys::KeyRequest};
use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::State,
    http::Method,
    routing::get,
};
use jiff::SignedDuration;
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::timeout};

use crate::harness::{
    Askfile, PUBLIC_URL,
    keys::{ALL, mcp, message},
    mins,
    rest::rest,
    secs,
    web::{Answer, Link, get as ask},
};

/// An identity provider that publishes its keys.
#[derive(Clone)]
struct Provider {
    url: String,
    /// Seeds of those that it signs with, by their names; the last is the newest.
    seeds: Arc<Mutex<Vec<u8>>>,
    asked: Arc<AtomicUsize>,
}

impl Provider {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Self {
            url: format!("http://{}/", listener.local_addr().unwrap()),
            seeds: Arc::new(Mutex::new(vec![1])),
            asked: Arc::default(),
        };
        let routes = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async |State(it): State<Self>| Json(it.metadata())),
            )
            .route("/keys", get(async |State(it): State<Self>| Json(it.keys())))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        provider
    }

    fn metadata(&self) -> Value {
        json!({ "issuer": self.url, "jwks_uri": format!("{}keys", self.url) })
    }

    fn keys(&self) -> JwkSet {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let seeds = self.seeds.lock().unwrap().clone();
        let keys = seeds.into_iter().map(|seed| {
            let mut key = Jwk::from_encoding_key(&key(seed), Algorithm::EdDSA).unwrap();
            key.common.key_id = Some(name(seed));
            key
        });
        JwkSet {
            keys: keys.collect(),
        }
    }

    /// How often its keys were asked for.
    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// A new key instead of the ones before.
    fn rotate(&self, seed: u8) {
        *self.seeds.lock().unwrap() = vec![seed];
    }

    /// A token about Ana that is valid for an hour, but for these claims.
    fn token(&self, askfile: &Askfile, but: Value) -> String {
        signed(1, &self.claims(askfile, but))
    }

    fn claims(&self, askfile: &Askfile, mut but: Value) -> Value {
        let now = askfile.service.now().as_second();
        let mut claims = json!({
            "iss": self.url, "aud": format!("{PUBLIC_URL}/mcp"), "sub": "ana-1", "name": "Ana",
            "email": "ana@example.com", "iat": now, "exp": now + 3_600,
            "scope": "openid asset:upload media:read",
        });
        for (name, value) in but.as_object_mut().unwrap() {
            claims[name] = value.take();
        }
        claims
    }
}

fn signed(seed: u8, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(name(seed));
    encode(&header, claims, &key(seed)).unwrap()
}

fn name(seed: u8) -> String {
    format!("key-{seed}")
}

/// An Ed25519 key, in the form of RFC 8410.
fn key(seed: u8) -> EncodingKey {
    const PKCS8: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    EncodingKey::from_ed_der(&[&PKCS8[..], &[seed; 32]].concat())
}

async fn with_provider() -> (Askfile, Provider) {
    let provider = Provider::start().await;
    let url = provider.url.clone();
    let askfile = Askfile::start_with(move |settings| {
        settings.auth = Auth {
            oauth: true,
            ..Auth::KEYS
        };
        settings.oauth_issuer = Some(url);
        settings.rate_limit_wrong_per_minute = 0;
    });
    (askfile.await, provider)
}

impl Askfile {
    /// What whoever shows this is answered.
    async fn with(&self, token: &str) -> Answer {
        let asked = rest(Some(token), Method::GET, "/v1/media", &Value::Null);
        self.send(asked).await
    }
}

#[tokio::test]
async fn a_token_acts_for_its_person_within_its_scopes() {
    let (askfile, provider) = with_provider().await;
    let token = provider.token(&askfile, json!({}));
    let made = askfile.call_with(&token, "upload_create", json!({})).await;
    let page = askfile
        .send(ask(made["upload_url"]
            .as_str()
            .unwrap()
            .strip_prefix(PUBLIC_URL)
            .unwrap()))
        .await;
    assert!(page.status == 200);
    let facts = rest(
        Some(&token),
        Method::GET,
        "/v1/media?created_by=me",
        &Value::Null,
    );
    assert_eq!(askfile.send(facts).await.status, 200);
    let tools = askfile.tools_of(&token).await;
    assert!(tools.contains(&"upload_create".to_owned()));
    assert!(!tools.contains(&"media_delete".to_owned()), "{tools:?}");
    let listed = message(&askfile.rpc(Some(&token), "tools/list", json!({})).await);
    for tool in listed["result"]["tools"].as_array().unwrap() {
        let schemes = tool["_meta"]["securitySchemes"].as_array().unwrap();
        assert_eq!((schemes.len(), &schemes[0]["type"]), (1, &json!("oauth2")));
        let scopes = match tool["name"].as_str().unwrap() {
            "upload_status" => json!([]),
            "media_list" | "media_get" => json!(["media:read"]),
            _ => json!(["asset:upload"]),
        };
        assert_eq!(schemes[0]["scopes"], scopes, "{tool}");
    }
    let narrow = provider.token(&askfile, json!({ "scope": "api://askfile/media:read" }));
    let call = json!({ "name": "upload_create", "arguments": {} });
    let mut refused = message(&askfile.rpc(Some(&narrow), "tools/call", call).await);
    let challenge = refused["result"]["_meta"]["mcp/www_authenticate"][0].take();
    let challenge = challenge.as_str().unwrap();
    for part in [
        "Bearer resource_metadata=\"http",
        "error=\"insufficient_scope\"",
        "scope=\"asset:upload\"",
    ] {
        assert!(challenge.contains(part), "{challenge}");
    }
    let refused = askfile.call_with(&narrow, "upload_create", json!({})).await;
    assert_eq!(refused["code"], "TOOL_NOT_ENABLED");
    assert_eq!(askfile.with(&narrow).await.status, 200);
    let scopeless = provider.token(&askfile, json!({ "scope": "openid" }));
    assert_eq!(askfile.with(&scopeless).await.status, 403);
    let asked_by = askfile.count("SELECT count(*) FROM principal WHERE subject = 'ana-1'");
    assert_eq!(asked_by, 1, "she is one, whatever token she shows");
}

#[tokio::test]
async fn only_what_the_issuer_signed_for_us_and_for_now_opens_anything() {
    let (askfile, provider) = with_provider().await;
    let now = askfile.service.now().as_second();
    assert_eq!(
        askfile
            .with(&provider.token(&askfile, json!({})))
            .await
            .status,
        200
    );
    for (why, claims) in [
        (
            "another audience",
            json!({ "aud": "https://elsewhere.example/mcp" }),
        ),
        ("no audience of ours", json!({ "aud": ["a", "b"] })),
        ("another issuer", json!({ "iss": "https://evil.example/" })),
        (
            "the issuer but for a slash",
            json!({ "iss": provider.url.trim_end_matches('/') }),
        ),
        ("over", json!({ "exp": now - 61 })),
        ("not yet", json!({ "nbf": now + 61 })),
        ("nobody", json!({ "sub": "" })),
        ("without an end", json!({ "exp": null })),
    ] {
        let refused = askfile.with(&provider.token(&askfile, claims)).await;
        assert_eq!(refused.problem(), (401, "UNAUTHENTICATED".into()), "{why}");
        let challenge = refused.header("www-authenticate");
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
    for audience in [
        json!(["x", format!("{PUBLIC_URL}/mcp")]),
        json!(format!("{PUBLIC_URL}/mcp/")),
    ] {
        let token = provider.token(&askfile, json!({ "aud": audience }));
        assert_eq!(askfile.with(&token).await.status, 200, "{audience}");
    }
}

#[tokio::test]
async fn a_token_that_somebody_made_themselves_opens_nothing() {
    let (askfile, provider) = with_provider().await;
    let claims = provider.claims(&askfile, json!({}));
    let right = signed(1, &claims);
    let [head, body, signature] = right.split('.').collect::<Vec<_>>()[..] else {
        panic!("{right}");
    };
    let of = |value: &Value| {
        use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
        BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
    };
    let none = of(&json!({ "alg": "none", "kid": "key-1" }));
    let wider = of(&provider.claims(&askfile, json!({ "scope": "admin" })));
    let crit = of(&json!({ "alg": "EdDSA", "kid": "key-1", "crit": ["x"] }));
    // A secret that everybody knows: what is published of the key.
    let published = Jwk::from_encoding_key(&key(1), Algorithm::EdDSA).unwrap();
    let published = serde_json::to_value(published).unwrap()["x"].to_string();
    let mut confused = Header::new(Algorithm::HS256);
    confused.kid = Some("key-1".into());
    let secret = EncodingKey::from_secret(published.as_bytes());
    let stranger = {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some("key-1".into());
        encode(&header, &claims, &key(9)).unwrap()
    };
    for (why, token) in [
        ("no signature", format!("{none}.{body}.")),
        ("no algorithm", format!("{none}.{body}.{signature}")),
        ("other claims", format!("{head}.{wider}.{signature}")),
        ("no signature any more", format!("{head}.{body}.")),
        (
            "what is not understood",
            format!("{crit}.{body}.{signature}"),
        ),
        (
            "a shared secret",
            encode(&confused, &claims, &secret).unwrap(),
        ),
        ("another key by its name", stranger),
        ("no token", "a.b.c".into()),
        (
            "a very long one",
            format!("{head}.{}.{signature}", "x".repeat(9_000)),
        ),
    ] {
        assert_eq!(askfile.with(&token).await.status, 401, "{why}");
    }
    assert_eq!(askfile.with(&right).await.status, 200);
}

#[tokio::test]
async fn the_issuer_changes_its_keys_while_we_run() {
    let (askfile, provider) = with_provider().await;
    let claims = provider.claims(&askfile, json!({ "exp": 4_000_000_000_u64 }));
    let old = signed(1, &claims);
    assert_eq!(askfile.with(&old).await.status, 200);
    provider.rotate(2);
    let new = signed(2, &claims);
    assert_eq!(askfile.with(&new).await.status, 200, "its key is fetched");
    assert_eq!(provider.asked(), 2);
    assert_eq!(
        askfile.with(&old).await.status,
        200,
        "it was checked a moment ago"
    );
    askfile.clock.advance(mins(5));
    assert_eq!(
        askfile.with(&old).await.status,
        401,
        "its key was withdrawn"
    );
}

#[tokio::test]
async fn who_listens_hears_no_more_once_the_key_of_their_token_was_withdrawn() {
    let (askfile, provider) = with_provider().await;
    let claims = provider.claims(&askfile, json!({ "exp": 4_000_000_000_u64 }));
    let old = signed(1, &claims);
    let made = askfile.call_with(&old, "upload_create", json!({})).await;
    let uri = Link::of(&made).uri();
    let wanted = json!({ "notifications": { "resourceSubscriptions": [uri] } });
    let mut listens = Vec::new();
    for token in [
        &old,
        &signed(1, &provider.claims(&askfile, json!({ "sub": "bo" }))),
    ] {
        let listen = mcp(Some(token), "subscriptions/listen", wanted.clone());
        listens.push(askfile.open(listen).await.into_body());
    }
    // A while later its key signs still.
    askfile.clock.advance(mins(6));
    let ended = |listen: Body| timeout(Duration::from_secs(9), to_bytes(listen, usize::MAX));
    let still_listening = ended(listens.pop().unwrap()).await;
    assert!(still_listening.is_err(), "{still_listening:?}");
    provider.rotate(2);
    assert_eq!(askfile.with(&signed(2, &claims)).await.status, 200);
    askfile.clock.advance(mins(6));
    let told = ended(listens.pop().unwrap()).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&told).contains("result"));
}

#[tokio::test]
async fn a_flood_of_unknown_keys_does_not_become_a_flood_of_questions() {
    let (askfile, provider) = with_provider().await;
    let good = provider.token(&askfile, json!({}));
    assert_eq!(askfile.with(&good).await.status, 200);
    let claims = provider.claims(&askfile, json!({}));
    for seed in 10..60 {
        assert_eq!(askfile.with(&signed(seed, &claims)).await.status, 401);
    }
    assert_eq!(provider.asked(), 2, "once for the first, then it rests");
    askfile.clock.advance(secs(10));
    for seed in 60..70 {
        assert_eq!(askfile.with(&signed(seed, &claims)).await.status, 401);
    }
    assert_eq!(provider.asked(), 3);
    askfile.clock.advance(secs(10));
    assert_eq!(askfile.with(&signed(70, &claims)).await.status, 401);
    assert_eq!(provider.asked(), 3, "the pause grows");
    let other = provider.token(&askfile, json!({ "sub": "bo" }));
    assert_eq!(
        askfile.with(&other).await.status,
        200,
        "who is right is let in all the while"
    );
}

#[tokio::test]
async fn while_the_issuer_cannot_be_asked_who_is_known_comes_in() {
    let provider = Provider::start().await;
    let askfile = Askfile::start_with(|settings| {
        settings.auth = Auth {
            oauth: true,
            ..Auth::OPEN
        };
        settings.oauth_issuer = Some("http://127.0.0.1:9/".into());
    });
    let askfile = askfile.await;
    let refused = askfile.with(&provider.token(&askfile, json!({}))).await;
    assert_eq!(refused.problem(), (503, "UNAVAILABLE".into()));
}

#[tokio::test]
async fn a_claim_says_which_workspaces() {
    let provider = Provider::start().await;
    let url = provider.url.clone();
    let askfile = Askfile::start_with(move |settings| {
        settings.auth = Auth {
            oauth: true,
            ..Auth::KEYS
        };
        settings.oauth_issuer = Some(url);
        settings.oauth_workspace_claim = Some("groups".into());
    })
    .await;
    askfile.workspace("st-one").await;
    askfile.workspace("st-two").await;
    let listed = async |groups: Value, named: &str| {
        let token = provider.token(&askfile, json!({ "groups": groups }));
        let path = format!("/v1/media?workspace_id={named}");
        let asked = rest(Some(&token), Method::GET, &path, &Value::Null);
        askfile.send(asked).await.status.as_u16()
    };
    assert_eq!(listed(json!("st-one"), "st-one").await, 200);
    assert_eq!(listed(json!("st-one"), "st-two").await, 404);
    assert_eq!(
        listed(json!(["st-one", "st-two", "other", 7]), "st-two").await,
        200
    );
    assert_eq!(listed(json!([]), "st-one").await, 404);
    assert_eq!(listed(json!("st-nono"), "st-one").await, 404);
    let operator = askfile.service.operator("a test");
    askfile
        .service
        .archive_workspace(&operator, "st-one", true)
        .await
        .unwrap();
    assert_eq!(listed(json!("st-one"), "st-one").await, 404, "at once");
}

#[tokio::test]
async fn the_settings_say_whether_keys_tokens_or_both_are_taken() {
    let (both, provider) = with_provider().await;
    let key = both.key("agent", ALL, &[]).await;
    let token = provider.token(&both, json!({}));
    for (auth, by_key, by_token) in [
        (Auth::KEYS, 200, 401),
        (
            Auth {
                oauth: true,
                ..Auth::OPEN
            },
            401,
            200,
        ),
        (
            Auth {
                oauth: true,
                ..Auth::KEYS
            },
            200,
            200,
        ),
    ] {
        let askfile = both.neighbour_with(|settings| settings.auth = auth).await;
        assert_eq!(askfile.with(&key).await.status, by_key, "{auth:?}");
        assert_eq!(askfile.with(&token).await.status, by_token, "{auth:?}");
    }
}

#[tokio::test]
async fn who_has_no_token_learns_where_there_are_some() {
    let (askfile, provider) = with_provider().await;
    let nobody = rest(None, Method::GET, "/v1/media", &Value::Null);
    let refused = askfile.send(nobody).await;
    let challenge = refused.header("www-authenticate");
    let metadata = format!("{PUBLIC_URL}/.well-known/oauth-protected-resource/mcp");
    let scope = ALL.replace(',', "");
    assert_eq!(
        challenge,
        format!("Bearer realm=\"askfile\", resource_metadata=\"{metadata}\", scope=\"{scope}\"")
    );
    for path in [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
    ] {
        let told = askfile.send(ask(path)).await;
        assert_eq!(told.header("access-control-allow-origin"), "*");
        let told = told.json();
        assert_eq!(told["resource"], format!("{PUBLIC_URL}/mcp"));
        assert_eq!(told["authorization_servers"], json!([provider.url]));
        assert_eq!(told["scopes_supported"][0], "asset:upload");
    }
    let keys = Askfile::with_keys().await;
    let none = keys
        .send(ask("/.well-known/oauth-protected-resource"))
        .await;
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn what_has_ended_is_forgotten() {
    let (askfile, provider) = with_provider().await;
    let token = provider.token(&askfile, json!({}));
    assert_eq!(askfile.with(&token).await.status, 200);
    askfile.clock.advance(SignedDuration::from_secs(3_601));
    assert_eq!(askfile.with(&token).await.status, 401);
    askfile.service.sweep().await.unwrap();
    assert_eq!(askfile.count("SELECT count(*) FROM access_token"), 0);
    assert_eq!(
        askfile.count("SELECT count(*) FROM access_token_workspace"),
        0
    );
}

#[tokio::test]
async fn a_person_of_the_provider_is_not_whoever_has_a_key_with_that_address() {
    let (askfile, provider) = with_provider().await;
    let token = provider.token(&askfile, json!({}));
    assert_eq!(askfile.with(&token).await.status, 200);
    let operator = askfile.service.operator("a test");
    let request = KeyRequest {
        name: "hers".into(),
        person: Some(("Another Ana".into(), Some("ana@example.com".into()))),
        workspaces: Vec::new(),
        capabilities: Capabilities::ALL,
        expires_in: None,
    };
    askfile
        .service
        .create_key(&operator, request)
        .await
        .unwrap();
    let people = askfile.count("SELECT count(*) FROM principal WHERE email = 'ana@example.com'");
    assert_eq!(people, 2, "an address is what anybody may claim to have");
    let named = askfile.count("SELECT count(*) FROM principal WHERE name = 'Ana'");
    assert_eq!(named, 1);
}
