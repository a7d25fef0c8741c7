//! Links: what they are checked for, and in which order.

use askfile::link::Token;
use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::harness::{
    Askfile, PNG,
    body::Feed,
    secs,
    web::{Answer, Link, With, get, press, put, request},
};

/// Sends what is wrong in every other way too: it is no form, and its type is not taken.
async fn send_rubbish(askfile: &Askfile, link: &Link) -> Answer {
    let rubbish = request(Method::POST, &link.path());
    let rubbish = rubbish.body("rubbish".into()).unwrap();
    askfile.send(rubbish).await
}

async fn use_up_the_rate_limit(askfile: &Askfile) {
    for _ in 0..10 {
        let link = askfile.link().await;
        askfile.put(&link, PNG).await;
    }
}

#[tokio::test]
async fn a_refusal_names_what_comes_first() {
    let askfile = Askfile::start().await;
    let [used, declined, cancelled, expired] = [
        askfile.link().await,
        askfile.link().await,
        askfile.link().await,
        askfile.link().await,
    ];
    askfile.put(&used, PNG).await;
    askfile.send(press(&declined.below("/decline"))).await;
    let which = json!({ "token": cancelled.token });
    askfile.call("upload_cancel", which).await;
    let late = askfile.service.now() + secs(900);
    let unknown = Link::signed(Token::random(), &used.workspace_id, late);
    askfile.clock.advance(secs(900));

    let [busy, free] = [askfile.link().await, askfile.link().await];
    use_up_the_rate_limit(&askfile).await;
    // A further address has its place on the one that is busy.
    let (feed, body) = Feed::new();
    feed.send(&PNG[..40]);
    let mut elsewhere = put(&busy, body);
    elsewhere
        .extensions_mut()
        .insert(crate::harness::web::from("10.0.0.1"));
    let asking = async {
        askfile.until_phase(&busy, "receiving").await;
        let no_uuid = Link {
            token: "not-a-uuid".into(),
            query: String::new(),
            ..used.clone()
        };
        let no_text = Link {
            token: "%ff".into(),
            query: String::new(),
            ..used.clone()
        };
        let unsigned = Link {
            query: String::new(),
            ..used.clone()
        };
        let table = [
            (&no_uuid, 404, "NOT_FOUND"),
            (&no_text, 404, "NOT_FOUND"),
            (&unsigned, 403, "LINK_INVALID"),
            (&unknown, 404, "NOT_FOUND"),
            (&used, 409, "ALREADY_USED"),
            (&declined, 409, "DECLINED"),
            (&cancelled, 409, "CANCELLED"),
            (&expired, 403, "LINK_EXPIRED"),
            (&busy, 409, "IN_USE"),
            (&free, 429, "RATE_LIMITED"),
        ];
        for (link, status, code) in table {
            send_rubbish(&askfile, link).await.is(status, code, code);
        }
        askfile.clock.advance(secs(6));
        send_rubbish(&askfile, &free)
            .await
            .is(422, "MALFORMED_BODY", "last");
        feed.send(&PNG[40..]);
        drop(feed);
    };
    let (sent, ()) = tokio::join!(askfile.send(elsewhere), asking);
    sent.receipt();
}

#[tokio::test]
async fn what_is_wrong_with_a_header_comes_after_what_is_wrong_with_the_link() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let send = || put(&link, PNG).with("askfile-attempt", "the first");
    askfile
        .send(send())
        .await
        .is(422, "INVALID_ARGUMENT", "no UUID");
    askfile.put(&link, PNG).await;
    askfile
        .send(send())
        .await
        .is(409, "ALREADY_USED", "first things first");
}

#[tokio::test]
async fn a_link_dies_on_the_second_it_expires() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "expires_in_seconds": 60 })).await;
    askfile.clock.advance(secs(59));
    assert_eq!(askfile.send(get(&link.path())).await.status, StatusCode::OK);
    send_rubbish(&askfile, &link)
        .await
        .is(422, "MALFORMED_BODY", "alive");
    askfile.clock.advance(secs(1));
    assert_eq!(
        askfile.send(get(&link.path())).await.status,
        StatusCode::FORBIDDEN
    );
    askfile
        .send(put(&link, PNG))
        .await
        .is(403, "LINK_EXPIRED", "dead");
    for button in ["/decline", "/done"] {
        let pressed = askfile.send(press(&link.below(button))).await;
        pressed.is(403, "LINK_EXPIRED", button);
    }
    let status = askfile.status(&link).await;
    assert_eq!(
        (&status["status"], &status["expired_because"]),
        (&json!("expired"), &json!("link"))
    );
}

/// The link with its query changed.
fn with_query(link: &Link, query: impl Into<String>) -> Link {
    Link {
        query: query.into(),
        ..link.clone()
    }
}

fn parameters(link: &Link) -> Vec<&str> {
    link.query.split('&').collect()
}

#[tokio::test]
async fn a_link_that_was_changed_anywhere_opens_nothing() {
    let askfile = Askfile::start().await;
    let (link, other) = (askfile.link().await, askfile.link().await);
    let changed = |from: &str, to: &str| {
        assert!(link.query.contains(from));
        with_query(&link, link.query.replace(from, to))
    };
    let all = parameters(&link);
    let [workspace, expires, signature] = all[..] else {
        panic!("{all:?}")
    };
    let stranger = "workspace_id=11111111-2222-4333-8444-555555555555";
    let later = format!("expires={}", askfile.service.now().as_second() + 86_400);
    let mut tampered = vec![
        Link {
            token: other.token.clone(),
            ..link.clone()
        },
        Link {
            token: link.token.to_uppercase(),
            ..link.clone()
        },
        changed(workspace, stranger),
        changed(expires, &later),
        changed("signature=", "signature=0"),
        changed(
            signature,
            &signature.to_uppercase().replace("SIGNATURE", "signature"),
        ),
        changed(signature, &signature[..signature.len() - 1]),
        changed(signature, parameters(&other)[2]),
        changed(
            workspace,
            &workspace
                .to_uppercase()
                .replace("WORKSPACE_ID", "workspace_id"),
        ),
    ];
    for left_out in &all {
        let rest: Vec<&str> = all.iter().copied().filter(|one| one != left_out).collect();
        tampered.push(with_query(&link, rest.join("&")));
        tampered.push(with_query(&link, format!("{}&{left_out}", link.query)));
    }
    for link in &tampered {
        let why = link.path();
        for write in [
            put(link, PNG),
            press(&link.below("/decline")),
            press(&link.below("/done")),
        ] {
            askfile.send(write).await.is(403, "LINK_INVALID", &why);
        }
        let read = get(&link.path()).with("accept", "application/json");
        askfile.send(read).await.is(403, "LINK_INVALID", &why);
        assert_eq!(
            askfile.send(get(&why)).await.status,
            StatusCode::FORBIDDEN,
            "{why}"
        );
    }
    askfile.is_as_before(&link, "whatever was tried").await;
}

#[tokio::test]
async fn writing_is_strict_and_reading_ignores_what_chat_apps_append() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    for extra in ["utm_source=chat", "fbclid=1", "utm_source", "", "Expires=1"] {
        for query in [
            format!("{}&{extra}", link.query),
            format!("{extra}&{}", link.query),
        ] {
            let link = with_query(&link, query);
            let read = askfile.send(get(&link.path())).await;
            assert_eq!(read.status, StatusCode::OK, "{extra}");
            assert!(
                !read.html().contains("utm_source"),
                "the page posts to the canonical link"
            );
            for write in [put(&link, PNG), press(&link.below("/decline"))] {
                askfile.send(write).await.is(403, "LINK_INVALID", extra);
            }
        }
    }
    askfile.put(&link, PNG).await;
}

#[tokio::test]
async fn looking_at_a_link_burns_nothing() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let look = |method: Method, path: &str| {
        let look = request(method, path);
        look.body(axum::body::Body::empty()).unwrap()
    };
    let head = askfile.send(look(Method::HEAD, &link.path())).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    let facts = get(&link.path()).with("accept", "application/json");
    assert_eq!(askfile.send(facts).await.status, StatusCode::OK);
    askfile.send(look(Method::OPTIONS, &link.path())).await;
    assert_eq!(
        askfile.status(&link).await["phase"],
        "waiting",
        "no person has seen it"
    );
    for method in [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::DELETE,
        Method::PATCH,
    ] {
        for path in [link.path(), link.below("/decline"), link.below("/done")] {
            askfile.send(look(method.clone(), &path)).await;
        }
    }
    for refused in [Method::DELETE, Method::PATCH] {
        let answer = askfile.send(look(refused, &link.path())).await;
        answer.is(405, "INVALID_ARGUMENT", "no such method");
        assert_eq!(answer.header("allow"), "GET,HEAD,POST,PUT");
        let hint = answer.json()["hint"].to_string();
        assert!(hint.contains("the header Allow"), "{hint}");
    }
    assert_eq!(askfile.status(&link).await["phase"], "opened");
    askfile.put(&link, PNG).await;
}

#[tokio::test]
async fn a_program_reads_what_the_link_takes_and_no_more() {
    let askfile = Askfile::start().await;
    let link = askfile
        .ask(json!({ "prompt": "A photo", "max_files": 2 }))
        .await;
    let read = || get(&link.path()).with("accept", "application/json");
    let facts = askfile.send(read()).await.json();
    let names: Vec<&str> = facts
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        names,
        [
            "asked_by",
            "expires_at",
            "limits",
            "phase",
            "prompt",
            "status",
            "workspace_name"
        ]
    );
    assert_eq!(
        (&facts["prompt"], &facts["asked_by"]),
        (&json!("A photo"), &json!("Claude"))
    );
    assert_eq!(
        (
            &facts["limits"]["max_files"],
            &facts["limits"]["field_name"]
        ),
        (&json!(2), &json!("media"))
    );
    assert_eq!(facts["expires_at"], "2026-01-01T00:15:00Z");
    askfile.put(&link, PNG).await;
    askfile.send(press(&link.below("/done"))).await;
    assert_eq!(
        askfile.send(read()).await.json(),
        json!({ "status": "completed" })
    );
}

#[tokio::test]
async fn links_signed_with_a_replaced_key_still_open() {
    let askfile = Askfile::start_with(|settings| {
        settings.link_keys.insert(0, "cd".repeat(32));
    })
    .await;
    let link = askfile.link().await;
    let expires_at = askfile.service.now() + secs(900);
    let token: Token = link.token.parse().unwrap();
    let old = Link::signed(token, &link.workspace_id, expires_at);
    assert_ne!(old.query, link.query);
    askfile.put(&old, PNG).await;
}
