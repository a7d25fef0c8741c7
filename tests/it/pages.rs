//! What a person with a browser sees, and what nobody else does.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use serde_json::json;

use crate::harness::{
    Askfile, PNG,
    body::{Feed, Form},
    secs,
    web::{Answer, Link, With, get, post, press, put},
};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// As a browser sends it.
fn browsed(request: Request<Body>) -> Request<Body> {
    request.with("accept", BROWSER)
}

fn title(html: &str) -> &str {
    let (_, rest) = html.split_once("<title>").unwrap();
    rest.split_once("</title>").unwrap().0
}

/// Keeps what every page keeps: nothing is stored by anybody on the way, nothing is told to other
/// sites, nothing runs but what is the page's own.
fn is_page(answer: &Answer, status: u16, why: &str) {
    assert_eq!(answer.status, status, "{why}: {answer:?}");
    let html = answer.html();
    assert_eq!(answer.header("cache-control"), "no-store", "{why}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{why}");
    assert_eq!(answer.header("x-robots-tag"), "noindex", "{why}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{why}");
    let policy = answer.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{why}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{why}: {policy}");
    assert!(
        !html.contains("http://") && !html.contains("https://"),
        "{why}: {html}"
    );
    assert!(!title(html).trim().is_empty(), "{why}");
}

/// A button's answer is the link again, which shows how it ended: a reload repeats nothing.
fn leads_to_the_link(answer: &Answer, link: &Link) {
    assert_eq!(answer.status, 303, "{answer:?}");
    let back = format!("../{}?{}", link.token, link.query);
    assert_eq!(answer.header("location"), back);
}

#[tokio::test]
async fn every_state_of_a_link_has_its_page() {
    let askfile = Askfile::start().await;
    let ask = async || askfile.ask(json!({ "prompt": "Sesame" })).await;
    let [open, used, consumed, declined, cancelled, lapsing] = [
        ask().await,
        ask().await,
        ask().await,
        ask().await,
        ask().await,
        ask().await,
    ];
    askfile.put(&used, PNG).await;
    askfile.put(&consumed, PNG).await;
    let target = json!({ "upload_token": consumed.token, "target_type": "post", "target_id": "7" });
    askfile.call("attach_media", target).await;
    let pressed = askfile
        .send(browsed(press(&declined.below("/decline"))))
        .await;
    leads_to_the_link(&pressed, &declined);
    askfile
        .call("upload_cancel", json!({ "token": cancelled.token }))
        .await;
    let tampered = Link {
        query: format!("{}0", open.query),
        ..open.clone()
    };
    let unknown = Link {
        token: "x".into(),
        ..open.clone()
    };
    let table = [
        (&open, 200, "open"),
        (&used, 409, "used"),
        (&consumed, 409, "consumed"),
        (&declined, 409, "declined"),
        (&cancelled, 409, "cancelled"),
        (&tampered, 403, "tampered"),
        (&unknown, 404, "unknown"),
    ];
    let mut titles = Vec::new();
    for (link, status, why) in table {
        for request in [
            browsed(get(&link.path())),
            get(&link.path()).with("accept", "*/*"),
        ] {
            let page = askfile.send(request).await;
            is_page(&page, status, why);
            assert_eq!(page.html().contains("Sesame"), why == "open", "{why}");
            assert_eq!(page.html().contains("<form"), why == "open", "{why}");
            assert!(!title(page.html()).contains("Sesame"), "{why}");
            titles.push(title(page.html()).to_owned());
        }
    }
    askfile.clock.advance(secs(900));
    let expired = askfile.send(browsed(get(&lapsing.path()))).await;
    is_page(&expired, 403, "expired");
    assert!(!expired.html().contains("<form"));
    titles.push(title(expired.html()).to_owned());
    titles.sort_unstable();
    titles.dedup();
    assert_eq!(titles.len(), 7, "used and consumed are one: {titles:?}");
    is_page(
        &askfile.send(browsed(get("/nowhere"))).await,
        404,
        "no route",
    );
}

#[tokio::test]
async fn the_page_says_who_asks_for_what_and_until_when() {
    let askfile = Askfile::start().await;
    let link = askfile
        .ask(json!({ "prompt": "The invoice of May", "max_size_bytes": 3_145_728 }))
        .await;
    let page = askfile.send(browsed(get(&link.path()))).await;
    let html = page.html();
    for told in [
        "Claude",
        "The invoice of May",
        "3 MB",
        "15 minutes",
        "passwords",
    ] {
        assert!(html.contains(told), "{told}: {html}");
    }
    let head = html.split_once("</head>").unwrap().0;
    for kept in ["invoice", "Claude", &link.token, "og:"] {
        assert!(!head.contains(kept), "previews show the head: {kept}");
    }
    askfile.clock.advance(secs(600));
    let later = askfile.send(browsed(get(&link.path()))).await;
    assert!(later.html().contains("5 minutes"), "{}", later.html());
}

#[tokio::test]
async fn a_form_is_answered_with_the_link_that_then_shows_the_file_to_its_sender_alone() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let sent = askfile
        .send(browsed(post(&link, Form::with("my cat.png", PNG))))
        .await;
    assert_eq!((sent.status, sent.body.len()), (StatusCode::SEE_OTHER, 0));
    let location = sent.header("location");
    assert_eq!(
        location,
        format!("?{}", link.query),
        "relative, so that a proxy may add a prefix"
    );

    let cookie = sent.header("set-cookie");
    let (receipt, attributes) = cookie.split_once(';').unwrap();
    for attribute in [
        "HttpOnly",
        "SameSite=Strict",
        &format!("Path=/uploads/{}", link.token),
    ] {
        assert!(
            attributes.split(';').any(|one| one.trim() == attribute),
            "{attribute}: {cookie}"
        );
    }
    let shown = askfile
        .send(browsed(get(&link.path())).with("cookie", receipt))
        .await;
    is_page(&shown, 200, "the sender");
    let name_and_size = |answer: &Answer| {
        let html = answer.html();
        (
            html.contains("my cat.png"),
            html.contains(&format!("{} B", PNG.len())) || html.contains("70"),
        )
    };
    assert_eq!(name_and_size(&shown), (true, true), "{}", shown.html());
    let other = format!("a=b; {receipt}; c=d");
    let shown = askfile
        .send(browsed(get(&link.path())).with("cookie", &other))
        .await;
    assert_eq!(shown.status, 200, "among other cookies");

    let used = askfile.send(browsed(get(&link.path()))).await;
    is_page(&used, 409, "another browser");
    assert!(!used.html().contains("my cat"));
    let another = askfile.link().await;
    let sent = askfile
        .send(browsed(post(&another, Form::with("b.png", PNG))))
        .await;
    let others = sent
        .header("set-cookie")
        .split_once(';')
        .unwrap()
        .0
        .to_owned();
    let (name, value) = receipt.split_once('=').unwrap();
    let media = value.split_once('.').unwrap().0;
    for forged in [
        others,
        format!("{name}={media}"),
        format!("{name}={media}."),
        format!("{name}={media}.{}", "0".repeat(64)),
        format!("{name}={value}0"),
    ] {
        let used = askfile
            .send(browsed(get(&link.path())).with("cookie", &forged))
            .await;
        assert_eq!(used.status, 409, "{forged}");
        assert!(!used.html().contains("my cat"), "{forged}");
    }
}

#[tokio::test]
async fn behind_a_proxy_with_tls_and_a_prefix_the_cookie_fits() {
    let askfile = Askfile::start_with(|settings| {
        settings.public_url = Some("https://files.example/ask".into());
    })
    .await;
    let created = askfile.call("upload_create", json!({})).await;
    let url = created["upload_url"].as_str().unwrap();
    assert!(
        url.starts_with("https://files.example/ask/uploads/"),
        "{url}"
    );
    let link = Link::of(&created);
    let sent = askfile.send(put(&link, PNG)).await;
    let cookie = sent.header("set-cookie");
    for attribute in ["Secure", &format!("Path=/ask/uploads/{}", link.token)] {
        assert!(
            cookie.split(';').any(|one| one.trim() == attribute),
            "{attribute}: {cookie}"
        );
    }
}

#[tokio::test]
async fn a_refused_form_is_shown_again_with_the_reason() {
    let askfile = Askfile::start().await;
    let link = askfile
        .ask(json!({ "prompt": "Sesame", "allowed_mime_types": ["image/png"] }))
        .await;
    let page = askfile
        .send(browsed(post(
            &link,
            Form::with("a.png", b"GIF89a\x01\0\x01\0"),
        )))
        .await;
    is_page(&page, 422, "wrong type");
    for told in [
        "Sesame",
        "<form",
        "is GIF",
        &link.query.replace('&', "&amp;"),
    ] {
        assert!(page.html().contains(told), "{told}: {}", page.html());
    }
    let stored = browsed(post(&link, Form::with("a.png", PNG)));
    assert_eq!(askfile.send(stored).await.status, StatusCode::SEE_OTHER);
    let again = browsed(post(&link, Form::with("a.png", PNG)));
    is_page(&askfile.send(again).await, 409, "used");
}

#[tokio::test]
async fn a_browser_is_told_when_to_come_back_too() {
    let askfile = Askfile::start().await;
    for _ in 0..10 {
        let link = askfile.link().await;
        askfile.put(&link, PNG).await;
    }
    let link = askfile.link().await;
    let limited = askfile
        .send(browsed(post(&link, Form::with("a.png", PNG))))
        .await;
    is_page(&limited, 429, "limited");
    assert_eq!(limited.header("retry-after"), "6");

    askfile.clock.advance(secs(6));
    let (feed, body) = Feed::new();
    feed.send(PNG);
    let asking = async {
        askfile.until_phase(&link, "receiving").await;
        let busy = askfile
            .send(browsed(post(&link, Form::with("a.png", PNG))))
            .await;
        is_page(&busy, 409, "in use");
        assert_eq!(busy.header("retry-after"), "30");
        drop(feed);
    };
    let (sent, ()) = tokio::join!(askfile.send(put(&link, body)), asking);
    sent.receipt();
}

#[tokio::test]
async fn several_files_are_counted_on_the_page_until_done() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 3 })).await;
    let done = format!("{}/done?", link.token);
    let page = askfile.send(browsed(get(&link.path()))).await;
    let hidden = format!("{done}{}\" hidden>", link.query.replace('&', "&amp;"));
    assert!(
        page.html().contains(&hidden),
        "nothing to end yet: {}",
        page.html()
    );
    let sent = askfile
        .send(browsed(post(&link, Form::with("a.png", PNG))))
        .await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    let page = askfile.send(browsed(get(&link.path()))).await;
    is_page(&page, 200, "one of three");
    assert!(
        page.html().contains("1 of 3") && page.html().contains(&done),
        "{}",
        page.html()
    );
    let ended = askfile.send(browsed(press(&link.below("/done")))).await;
    leads_to_the_link(&ended, &link);
    assert_eq!(askfile.status(&link).await["status"], "completed");
    let early = askfile.ask(json!({ "max_files": 3 })).await;
    let refused = askfile.send(browsed(press(&early.below("/done")))).await;
    is_page(&refused, 422, "done with nothing");
}

#[tokio::test]
async fn whatever_comes_from_outside_is_text_on_the_page() {
    let askfile = Askfile::start().await;
    let hostile =
        "</bdi></p><script>alert(1)</script>\"><img src=x onerror=alert(1)>{{7*7}}\u{202e}";
    let created = askfile
        .agent(hostile)
        .await
        .call(
            "upload_create",
            json!({ "prompt": hostile, "metadata": { "name": hostile } }),
        )
        .await;
    let link = Link::of(&created);
    let name = hostile.replace('"', "%22").replace('/', "");
    let not_hostile = |answer: &Answer, why: &str| {
        let html = answer.html();
        for tag in ["<script>", "<img src=x", "\u{202e}"] {
            assert!(!html.contains(tag), "{why} {tag}: {html}");
        }
        assert!(
            html.contains("&lt;script&gt;"),
            "{why}: shown as it is: {html}"
        );
        assert!(!title(html).contains("alert"), "{why}");
    };
    let page = askfile.send(browsed(get(&link.path()))).await;
    is_page(&page, 200, "open");
    not_hostile(&page, "prompt and client");
    let refused = browsed(post(&link, Form::with(&name, b"MZ\x90\0\x03\0\0\0\x04")));
    not_hostile(&askfile.send(refused).await, "a refusal");
    let sent = askfile
        .send(browsed(post(&link, Form::with(&name, PNG))))
        .await;
    let receipt = sent.header("set-cookie").split_once(';').unwrap().0;
    let shown = askfile
        .send(browsed(get(&link.path())).with("cookie", receipt))
        .await;
    is_page(&shown, 200, "sent");
    not_hostile(&shown, "the file's name");
}

#[tokio::test]
async fn the_page_finds_its_style_beside_it() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let page = askfile.send(browsed(get(&link.path()))).await;
    assert!(
        page.html().contains("href=\"../assets/page.css\""),
        "{}",
        page.html()
    );
    let style = askfile.send(get("/assets/page.css")).await;
    assert_eq!(
        (style.status, style.header("content-type")),
        (StatusCode::OK, "text/css; charset=utf-8")
    );
}
