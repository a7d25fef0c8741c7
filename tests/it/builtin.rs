//! The built-in authorization server.

mod clients;
mod consent;
mod tokens;

use askfile::{
    config::{Auth, Settings},
    service::oauth::SignInRequest,
};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

use crate::harness::{
    Askfile, PUBLIC_URL,
    keys::ALL,
    rest::rest,
    web::{Answer, With, get, request},
};

/// Where answers to the client go.
const BACK: &str = "https://chat.example/back";
/// What the client shows when it fetches its tokens.
const VERIFIER: &str = "a-verifier-of-forty-three-letters-at-least-0";

impl Askfile {
    async fn builtin() -> Self {
        Self::builtin_with(|_| {}).await
    }

    async fn builtin_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_with(|settings| {
            settings.auth = Auth {
                builtin: true,
                ..Auth::KEYS
            };
            change(settings);
        })
        .await
    }

    /// Registers a client of this name; gives its id.
    async fn client(&self, name: &str) -> String {
        let asked =
            json!({ "client_name": name, "redirect_uris": [BACK, "http://127.0.0.1/back"] });
        let answer = self.register(&asked).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["client_id"].as_str().unwrap().to_owned()
    }

    async fn register(&self, asked: &Value) -> Answer {
        self.send(rest(None, Method::POST, "/oauth/register", asked))
            .await
    }

    /// A sign-in code for Ana.
    async fn code(&self, workspace: Option<&str>, allow: &str) -> String {
        let request = SignInRequest {
            person: "Ana".into(),
            email: Some("ana@example.com".into()),
            workspace: workspace.map(str::to_owned),
            capabilities: allow.parse().unwrap(),
        };
        let operator = self.service.operator("a test");
        let offered = self.service.offer_sign_in(&operator, request).await;
        offered.unwrap().code.reveal()
    }

    /// Opens the page of a request, and sends this form from there, always in the same browser.
    async fn fill_in(&self, query: &str, fields: &[(&str, &str)]) -> Answer {
        let browser = format!("askfile_consent={}", "b".repeat(24));
        let page = self.send(get(&at(query)).with("cookie", &browser)).await;
        self.send(form_of(&page, query, fields)).await
    }

    /// Types a code in a browser that was never here.
    async fn type_elsewhere(&self, query: &str, code: &str) -> Answer {
        let page = self.send(get(&at(query))).await;
        self.send(form_of(&page, query, &[("code", code)])).await
    }

    /// Types a code; gives the page that comes then.
    async fn type_code(&self, query: &str, code: &str) -> Answer {
        self.fill_in(query, &[("code", code)]).await
    }

    /// Lets a client in; gives where the browser goes then.
    async fn allow(&self, query: &str, code: &str) -> Url {
        let page = self.type_code(query, code).await;
        assert_eq!(page.status, 200, "{page:?}");
        let ticket = hidden(&page, "ticket");
        let page = self.fill_in(query, &[("ticket", &ticket)]).await;
        way_on(&page)
    }

    /// Lets a new client in; gives its id and its code.
    async fn let_in(&self) -> (String, String) {
        let client = self.client("Chat").await;
        let code = self.code(None, ALL).await;
        let back = self.allow(&ask(&client, &[]), &code).await;
        (client, parameter(&back, "code"))
    }

    /// What the token endpoint answers.
    async fn token(&self, form: &[(&str, &str)]) -> Answer {
        self.send(posted("/oauth/token", form)).await
    }

    async fn redeem(&self, client: &str, code: &str) -> Answer {
        self.token(&redeeming(client, code)).await
    }

    async fn refresh(&self, client: &str, token: &str) -> Answer {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", client),
            ("refresh_token", token),
        ];
        self.token(&form).await
    }

    /// Lets a new client in and gives it tokens: its id, the access token and the refresh token.
    async fn connect(&self) -> (String, String, String) {
        let (client, code) = self.let_in().await;
        let (access, refresh) = tokens(&self.redeem(&client, &code).await);
        (client, access, refresh)
    }

    /// Whether a token opens anything.
    async fn opens(&self, token: &str) -> bool {
        let asked = rest(Some(token), Method::GET, "/v1/media", &Value::Null);
        let answer = self.send(asked).await;
        assert!(matches!(answer.status.as_u16(), 200 | 401), "{answer:?}");
        answer.status == 200
    }
}

/// What redeems a code.
fn redeeming<'a>(client: &'a str, code: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ]
}

/// The same form with another value; without the field if it is empty.
fn changed<'a>(
    form: &[(&'a str, &'a str)],
    name: &'a str,
    value: &'a str,
) -> Vec<(&'a str, &'a str)> {
    let mut form: Vec<_> = form.iter().copied().filter(|(of, _)| *of != name).collect();
    form.extend((!value.is_empty()).then_some((name, value)));
    form
}

/// The access token and the refresh token of an answer.
fn tokens(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = answer.json();
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

/// The query of a client's request, with these parameters changed.
fn ask(client: &str, changes: &[(&str, &str)]) -> String {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let resource = format!("{PUBLIC_URL}/mcp");
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", BACK),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("state", "the state & more"),
        ("resource", &resource),
    ];
    for (name, value) in changes {
        query = changed(&query, name, value);
    }
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish()
}

fn at(query: &str) -> String {
    format!("/oauth/authorize?{query}")
}

/// A form on its way, from nowhere in particular.
fn posted(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    request(Method::POST, path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body.into())
        .unwrap()
}

/// A form as a browser sends it from a page.
fn form_of(page: &Answer, query: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let form = hidden(page, "form");
    let fields = [&[("form", form.as_str())], fields].concat();
    posted(&at(query), &fields)
        .with("cookie", &cookie(page))
        .with("origin", PUBLIC_URL)
        .with("sec-fetch-site", "same-origin")
}

/// The cookie that a page sets, as it is sent back.
fn cookie(page: &Answer) -> String {
    let set = page.header("set-cookie").split(';').next();
    set.unwrap_or_default().to_owned()
}

/// A hidden field of a page.
fn hidden(page: &Answer, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let found = page.html().split_once(&start);
    let found = found.unwrap_or_else(|| panic!("no {name}: {page:?}")).1;
    found.split_once('"').unwrap().0.to_owned()
}

/// Where a page leads by itself.
fn way_on(page: &Answer) -> Url {
    assert_eq!(page.status, 200, "{page:?}");
    let refresh = page.html().split_once("content=\"0; url=");
    let refresh = refresh.unwrap_or_else(|| panic!("{page:?}")).1;
    plain(refresh.split_once('"').unwrap().0)
}

/// Where the link of a page leads that is not of this server.
fn way_back(page: &Answer) -> Url {
    let link = page.html().split_once("<a class=\"button\" href=\"");
    let link = link.unwrap_or_else(|| panic!("{page:?}")).1;
    plain(link.split_once('"').unwrap().0)
}

/// An address without HTML's way of writing it.
fn plain(text: &str) -> Url {
    let text = text.replace("&#x2f;", "/").replace("&amp;", "&");
    text.parse().unwrap()
}

/// A parameter of an address.
fn parameter(url: &Url, name: &str) -> String {
    let mut found = url.query_pairs().filter(|(of, _)| of == name);
    let value = found.next().map(|(_, value)| value.into_owned());
    assert_eq!(found.count(), 0, "{name} is there once");
    value.unwrap_or_default()
}

/// The code of a failure in the words of OAuth.
#[track_caller]
fn refused(answer: &Answer) -> String {
    assert!(matches!(answer.status.as_u16(), 400 | 401), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let told = answer.json();
    assert!(told["error_description"].is_string(), "{told}");
    told["error"].as_str().unwrap().to_owned()
}
