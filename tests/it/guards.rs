//! Who may talk to the server at all.

use askfile::config::Settings;
use axum::http::{Method, Request, header};
use serde_json::json;

use crate::harness::{Askfile, web::Link};

/// What a route is for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum For {
    /// Who has a signed link.
    Links,
    /// Everybody: it says and changes nothing.
    All,
    /// The owner.
    Owner,
}

fn routes(link: &Link) -> Vec<(Method, String, For)> {
    vec![
        (Method::GET, link.path(), For::Links),
        (Method::PUT, link.path(), For::Links),
        (Method::POST, link.below("/done"), For::Links),
        (Method::POST, link.below("/decline"), For::Links),
        (Method::GET, "/m/x/y?signature=z".into(), For::Links),
        (Method::GET, "/downloads/x/y?signature=z".into(), For::Links),
        (Method::GET, "/previews/x/y?signature=z".into(), For::Links),
        (Method::GET, "/healthz".into(), For::All),
        (Method::GET, "/readyz".into(), For::All),
        (Method::GET, "/assets/page.css".into(), For::All),
        (Method::POST, "/mcp".into(), For::Owner),
        (Method::GET, "/mcp".into(), For::Owner),
        (Method::DELETE, "/mcp".into(), For::Owner),
        (Method::GET, "/".into(), For::Owner),
        (Method::POST, "/v1/uploads".into(), For::Owner),
        (Method::GET, "/uploads".into(), For::Owner),
        (Method::GET, "//uploads/x".into(), For::Owner),
        (Method::GET, "/healthz/".into(), For::Owner),
    ]
}

/// A request with these headers must be let in to what is for these, and to nothing else.
async fn check(askfile: &Askfile, expected: &[For], headers: &[(&str, &str)]) {
    let link = askfile.link().await;
    for (method, path, whose) in routes(&link) {
        let mut request = Request::builder().method(&method).uri(&path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = askfile.send(request.body("".into()).unwrap()).await;
        // The page has the word among its texts.
        let says_so = String::from_utf8_lossy(&answer.body).contains("PERMISSION_DENIED");
        let denied = says_so && answer.status != 200;
        let why = format!("{method} {path} {headers:?}: {answer:?}");
        assert_eq!(!denied, expected.contains(&whose), "{why}");
        assert!(!denied || answer.status == 403, "{why}");
    }
}

const HERE: (&str, &str) = ("host", "127.0.0.1:8787");
const EVERYTHING: &[For] = &[For::Links, For::All, For::Owner];
const NOT_THE_OWNERS: &[For] = &[For::Links, For::All];
const NOTHING: &[For] = &[];

#[tokio::test]
async fn the_server_answers_to_its_own_names_only() {
    let askfile = Askfile::start().await;
    for name in [
        "127.0.0.1:8787",
        "localhost:8787",
        "LOCALHOST",
        "[::1]:8787",
        "127.1.2.3",
        "localhost:9",
    ] {
        check(&askfile, EVERYTHING, &[("host", name)]).await;
    }
    for name in [
        "evil.example",
        "evil.example:8787",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8787",
        "192.168.0.7:8787",
        "0.0.0.0:8787",
        "[::2]",
        "",
        "a b",
    ] {
        check(&askfile, NOTHING, &[("host", name)]).await;
    }
    check(&askfile, NOTHING, &[]).await;
    check(&askfile, NOTHING, &[HERE, ("host", "evil.example")]).await;
    check(&askfile, NOTHING, &[HERE, HERE]).await;
}

#[tokio::test]
async fn other_web_pages_reach_signed_links_only() {
    let askfile = Askfile::start().await;
    for origin in ["http://127.0.0.1:8787", "HTTP://127.0.0.1:8787"] {
        check(&askfile, EVERYTHING, &[HERE, ("origin", origin)]).await;
    }
    for origin in [
        "https://evil.example",
        "null",
        "",
        "http://127.0.0.1:8788",
        "https://127.0.0.1:8787",
        "http://127.0.0.1",
        "http://127.0.0.1:8787.evil.example",
    ] {
        check(&askfile, NOT_THE_OWNERS, &[HERE, ("origin", origin)]).await;
    }
    let both = [
        HERE,
        ("origin", "http://127.0.0.1:8787"),
        ("origin", "https://evil.example"),
    ];
    check(&askfile, NOT_THE_OWNERS, &both).await;
    check(
        &askfile,
        NOT_THE_OWNERS,
        &[HERE, ("sec-fetch-site", "cross-site")],
    )
    .await;
    for site in ["same-origin", "none", "same-site"] {
        check(&askfile, EVERYTHING, &[HERE, ("sec-fetch-site", site)]).await;
    }
}

#[tokio::test]
async fn no_page_of_another_site_is_told_that_it_may_send_a_key() {
    let askfile = Askfile::with_keys().await;
    for method in [Method::OPTIONS, Method::POST, Method::GET] {
        let asked = crate::harness::web::request(method, "/mcp")
            .header(header::ORIGIN, "https://evil.example")
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization");
        let answer = askfile.open(asked.body("".into()).unwrap()).await;
        assert!(!answer.status().is_success(), "{answer:?}");
        let mut told = answer.headers().keys().map(header::HeaderName::as_str);
        let told = told.find(|name| name.starts_with("access-control-"));
        assert_eq!(told, None, "{answer:?}");
    }
}

#[tokio::test]
async fn behind_a_tunnel_there_are_signed_links_only() {
    let forwarded = [
        ("forwarded", "for=192.0.2.1"),
        ("x-forwarded-for", "192.0.2.1"),
        ("X-Forwarded-Host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("cf-connecting-ip", "192.0.2.1"),
        ("CF-Ray", "1"),
    ];
    let askfile = Askfile::start().await;
    for header in forwarded {
        check(&askfile, NOT_THE_OWNERS, &[HERE, header]).await;
    }
    let open = Askfile::start_with(|settings| settings.i_know_this_is_open = true).await;
    for header in forwarded {
        check(&open, EVERYTHING, &[HERE, header]).await;
    }
    check(&open, NOTHING, &[("host", "evil.example")]).await;
    check(
        &open,
        NOT_THE_OWNERS,
        &[HERE, ("origin", "https://evil.example")],
    )
    .await;
    check(
        &open,
        NOT_THE_OWNERS,
        &[HERE, ("sec-fetch-site", "cross-site")],
    )
    .await;
}

#[tokio::test]
async fn a_public_name_is_for_signed_links_only() {
    let public = |settings: &mut Settings| {
        settings.public_url = Some("https://files.example/ask".into());
    };
    let askfile = Askfile::start_with(public).await;
    for name in ["files.example", "FILES.example:443", "127.0.0.1:8787"] {
        check(&askfile, NOT_THE_OWNERS, &[("host", name)]).await;
    }
    check(&askfile, NOTHING, &[("host", "evil.example")]).await;
    let open = Askfile::start_with(|settings| {
        public(settings);
        settings.i_know_this_is_open = true;
    })
    .await;
    check(&open, EVERYTHING, &[("host", "files.example")]).await;
    let same = [
        ("host", "files.example"),
        ("origin", "https://files.example"),
    ];
    check(&open, EVERYTHING, &same).await;
    let other = [
        ("host", "files.example"),
        ("origin", "https://other.example"),
    ];
    check(&open, NOT_THE_OWNERS, &other).await;
}

#[tokio::test]
async fn a_public_name_that_leads_to_a_listener_for_links_leaves_the_owner_in_peace() {
    let askfile = Askfile::start_with(|settings| {
        settings.public_url = Some("https://files.example".into());
        settings.page_listen = Some("0.0.0.0:8788".parse().unwrap());
    })
    .await;
    check(&askfile, EVERYTHING, &[HERE]).await;
    check(&askfile, NOT_THE_OWNERS, &[("host", "files.example")]).await;
    let tunnel = [HERE, ("x-forwarded-for", "203.0.113.7")];
    check(&askfile, NOT_THE_OWNERS, &tunnel).await;
}

#[tokio::test]
async fn an_address_of_the_machine_serves_signed_links_where_it_listens() {
    let askfile =
        Askfile::start_with(|settings| settings.listen = "192.168.0.7:8787".parse().unwrap()).await;
    check(&askfile, NOT_THE_OWNERS, &[("host", "192.168.0.7:8787")]).await;
    check(&askfile, NOTHING, &[("host", "192.168.0.8:8787")]).await;
    let everywhere =
        Askfile::start_with(|settings| settings.listen = "0.0.0.0:8787".parse().unwrap()).await;
    check(&everywhere, NOT_THE_OWNERS, &[("host", "192.168.0.8:8787")]).await;
    check(&everywhere, NOTHING, &[("host", "evil.example")]).await;
}

#[tokio::test]
async fn what_a_page_of_another_site_posts_moves_nothing() {
    let askfile = Askfile::start().await;
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": { "protocolVersion": "2025-11-25", "capabilities": {},
                    "clientInfo": { "name": "x", "version": "1" } },
    });
    let send = |origin: Option<&str>| {
        let mut request = crate::harness::web::request(Method::POST, "/mcp")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream");
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        askfile.open(request.body(call.to_string().into()).unwrap())
    };
    assert_eq!(send(None).await.status(), 200);
    assert_eq!(send(Some("https://evil.example")).await.status(), 403);
}
