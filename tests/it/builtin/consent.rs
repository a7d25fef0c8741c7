//! People let clients in.

use askfile::config::Auth;
use futures_util::future::join_all;
use serde_json::json;

use super::{
    BACK, ask, at, cookie, form_of, hidden, parameter, posted, redeeming, tokens, way_back,
};
use crate::harness::{
    Askfile, PUBLIC_URL,
    keys::ALL,
    mins, secs,
    web::{With, from, get},
};

#[tokio::test]
async fn a_client_is_let_in_by_a_person_with_a_code() {
    let askfile = Askfile::builtin().await;
    askfile.workspace("st-one").await;
    let client = askfile.client("Chat <b>").await;
    let query = ask(
        &client,
        &[("scope", "asset:upload media:read admin openid")],
    );
    let page = askfile.send(get(&at(&query))).await;
    for seen in [
        "Connect <bdi>Chat &lt;b&gt;</bdi> to askfile",
        "chat.example",
        "Ask people",
    ] {
        assert!(page.html().contains(seen), "{seen}: {}", page.html());
    }
    let code = askfile.code(Some("st-one"), ALL).await;
    // As people type it.
    let typed = code.to_lowercase().replace('-', " ");
    let page = askfile.type_code(&query, &typed).await;
    for seen in [
        "Let <bdi>Chat &lt;b&gt;</bdi> in?",
        "Ana",
        "st-one",
        "Ask people",
        "See and",
    ] {
        assert!(page.html().contains(seen), "{seen}: {}", page.html());
    }
    assert!(
        !page.html().contains("Manage"),
        "the code does not allow it"
    );
    assert!(!page.html().contains("Delete"), "it was not asked for");
    let ticket = hidden(&page, "ticket");
    let page = askfile.fill_in(&query, &[("ticket", &ticket)]).await;
    let back = super::way_on(&page);
    assert!(
        back.as_str().starts_with(&format!("{BACK}?code=")),
        "{back}"
    );
    assert_eq!(parameter(&back, "state"), "the state & more");
    assert_eq!(
        parameter(&back, "iss"),
        PUBLIC_URL,
        "against mix-up (RFC 9207)"
    );
    let given = askfile.redeem(&client, &parameter(&back, "code")).await;
    assert_eq!(given.header("cache-control"), "no-store");
    let told = given.json();
    assert_eq!(told["scope"], "asset:upload media:read");
    assert_eq!(
        (&told["token_type"], &told["expires_in"]),
        (&json!("Bearer"), &json!(3600))
    );
    let (access, _) = tokens(&given);
    let asked = askfile.call_with(&access, "upload_create", json!({})).await;
    assert_eq!(asked["ok"], true, "{asked}");
    let link = crate::harness::web::Link::of(&asked);
    let page = askfile.send(get(&link.path())).await;
    assert!(page.html().contains("Ana’s agent"), "{}", page.html());
    let refused = askfile
        .call_with(&access, "media_delete", json!({ "media_id": "x" }))
        .await;
    assert_eq!(refused["code"], "PERMISSION_DENIED");
    let lines = askfile.count("SELECT count(*) FROM audit WHERE action = 'grant.created'");
    assert_eq!(lines, 1);
}

#[tokio::test]
async fn a_code_signs_in_once() {
    let askfile = Askfile::builtin().await;
    let client = askfile.client("Chat").await;
    let (query, code) = (ask(&client, &[]), askfile.code(None, ALL).await);
    let tries = (0..20).map(|_| askfile.type_elsewhere(&query, &code));
    let pages = join_all(tries).await;
    let right = pages.iter().filter(|page| page.status == 200).count();
    assert_eq!(right, 1, "of all who type it at once one is signed in");
    let again = askfile.type_elsewhere(&query, &code).await;
    assert_eq!(again.status, 403);
    assert!(again.html().contains("role=\"alert\""));
}

#[tokio::test]
async fn who_clicks_twice_or_reloads_is_signed_in_still() {
    let askfile = Askfile::builtin().await;
    let client = askfile.client("Chat").await;
    let (query, code) = (ask(&client, &[]), askfile.code(None, ALL).await);
    let first = hidden(&askfile.type_code(&query, &code).await, "ticket");
    let other = ask(&client, &[("state", "another")]);
    assert_eq!(askfile.type_code(&other, &code).await.status, 403);
    let page = askfile.type_code(&query, &code).await;
    assert_eq!(page.status, 200);
    let ticket = hidden(&page, "ticket");
    let stale = askfile.fill_in(&query, &[("ticket", &first)]).await;
    assert_eq!(stale.status, 409, "one page at a time");
    let elsewhere = askfile.send(get(&at(&query))).await;
    let elsewhere = form_of(&elsewhere, &query, &[("ticket", &ticket)]);
    assert_eq!(
        askfile.send(elsewhere).await.status,
        409,
        "it is this browser's"
    );
    let allowed = askfile.fill_in(&query, &[("ticket", &ticket)]).await;
    assert_eq!(allowed.status, 200);
    let again = askfile.fill_in(&query, &[("ticket", &ticket)]).await;
    assert_eq!(again.status, 409);
    assert!(again.html().contains("If you allowed it, all is done"));
    assert!(
        !again.html().contains("access_denied"),
        "nobody is told otherwise"
    );
    assert_eq!(askfile.type_code(&query, &code).await.status, 403);
}

#[tokio::test]
async fn a_code_bears_five_wrong_tries_and_ten_minutes() {
    let askfile = Askfile::builtin().await;
    let query = ask(&askfile.client("Chat").await, &[]);
    for (tries, status) in [(4, 200), (5, 403)] {
        let code = askfile.code(None, ALL).await;
        let wrong = format!("{}-0000-0000", &code[..4]);
        for _ in 0..tries {
            assert_eq!(askfile.type_code(&query, &wrong).await.status, 403);
        }
        let page = askfile.type_code(&query, &code).await;
        assert_eq!(page.status, status, "after {tries} wrong tries");
    }
    for (after, status) in [(secs(599), 200), (mins(10), 403)] {
        let code = askfile.code(None, ALL).await;
        askfile.clock.advance(after);
        let page = askfile.type_code(&query, &code).await;
        assert_eq!(page.status, status, "after {after}");
    }
    for wrong in ["", "7K3M", "' OR 1=1 --", "🦀🦀🦀🦀-🦀🦀🦀🦀-🦀🦀🦀🦀"] {
        assert_eq!(
            askfile.type_code(&query, wrong).await.status,
            403,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn who_guesses_is_told_to_wait_and_not_even_a_right_guess_counts_then() {
    let askfile = Askfile::builtin_with(|settings| settings.rate_limit_wrong_per_minute = 3).await;
    let query = ask(&askfile.client("Chat").await, &[]);
    let code = askfile.code(None, ALL).await;
    for _ in 0..3 {
        let page = askfile.type_code(&query, "0000-0000-0000").await;
        assert_eq!(page.status, 403);
    }
    let page = askfile.type_code(&query, &code).await;
    assert_eq!(
        (page.status.as_u16(), page.header("retry-after")),
        (429, "20")
    );
    let page = askfile.send(get(&at(&query))).await;
    let mut elsewhere = form_of(&page, &query, &[("code", &code)]);
    elsewhere.extensions_mut().insert(from("192.0.2.7"));
    assert_eq!(
        askfile.send(elsewhere).await.status,
        200,
        "others do not wait"
    );
}

#[tokio::test]
async fn an_archived_workspace_lets_nobody_in() {
    let askfile = Askfile::builtin().await;
    askfile.workspace("st-one").await;
    let query = ask(&askfile.client("Chat").await, &[]);
    let archive = async |is_archived| {
        let operator = askfile.service.operator("a test");
        let done = askfile
            .service
            .archive_workspace(&operator, "st-one", is_archived);
        done.await.unwrap();
    };
    let (code, late) = (
        askfile.code(Some("st-one"), ALL).await,
        askfile.code(Some("st-one"), ALL).await,
    );
    let page = askfile.type_code(&query, &late).await;
    let ticket = hidden(&page, "ticket");
    archive(true).await;
    assert_eq!(askfile.type_code(&query, &code).await.status, 403);
    let page = askfile.fill_in(&query, &[("ticket", &ticket)]).await;
    assert_eq!(page.status, 409);
    assert_eq!(askfile.count("SELECT count(*) FROM api_key"), 0);
}

#[tokio::test]
async fn what_is_allowed_is_what_was_shown() {
    let askfile = Askfile::builtin().await;
    let (client, other) = (askfile.client("Chat").await, askfile.client("Other").await);
    let query = ask(&client, &[("scope", "media:read")]);
    let code = askfile.code(None, ALL).await;
    let ticket = hidden(&askfile.type_code(&query, &code).await, "ticket");
    for changed in [
        ask(&other, &[("scope", "media:read")]),
        ask(&client, &[("scope", "media:read media:delete")]),
        ask(
            &client,
            &[
                ("scope", "media:read"),
                ("redirect_uri", "http://127.0.0.1:99/back"),
            ],
        ),
        ask(&client, &[("scope", "media:read"), ("state", "another")]),
    ] {
        let page = askfile.fill_in(&changed, &[("ticket", &ticket)]).await;
        assert_eq!(page.status, 409, "{changed}");
    }
    let wrong = askfile
        .fill_in(&query, &[("ticket", "askfile_made-up")])
        .await;
    assert_eq!(wrong.status, 409);
    let right = askfile.fill_in(&query, &[("ticket", &ticket)]).await;
    assert_eq!(right.status, 200);
    let again = askfile.fill_in(&query, &[("ticket", &ticket)]).await;
    assert_eq!(again.status, 409, "a ticket is used once");
    assert_eq!(askfile.count("SELECT count(*) FROM api_key"), 1);
}

#[tokio::test]
async fn whoever_takes_too_long_to_decide_begins_anew() {
    let askfile = Askfile::builtin().await;
    let query = ask(&askfile.client("Chat").await, &[]);
    for (after, status) in [(secs(599), 200), (mins(10), 409)] {
        let code = askfile.code(None, ALL).await;
        let ticket = hidden(&askfile.type_code(&query, &code).await, "ticket");
        askfile.clock.advance(after);
        let page = askfile.fill_in(&query, &[("ticket", &ticket)]).await;
        assert_eq!(page.status, status, "after {after}");
    }
}

#[tokio::test]
async fn other_sites_cannot_send_the_form() {
    let askfile = Askfile::builtin().await;
    let query = ask(&askfile.client("Chat").await, &[]);
    let code = askfile.code(None, ALL).await;
    let page = askfile.send(get(&at(&query))).await;
    let (form, sent_back) = (hidden(&page, "form"), cookie(&page));
    let typed = [("form", form.as_str()), ("code", code.as_str())];
    let without_cookie = posted(&at(&query), &typed).with("origin", PUBLIC_URL);
    let another = format!("askfile_consent={}", "0".repeat(24));
    let another_cookie = posted(&at(&query), &typed).with("cookie", &another);
    let without_form = posted(&at(&query), &typed[1..]).with("cookie", &sent_back);
    let nothing_at_all = posted(&at(&query), &typed[1..]);
    let empty = posted(&at(&query), &[("form", ""), typed[1]]).with("cookie", "askfile_consent=");
    for forged in [
        without_cookie,
        another_cookie,
        without_form,
        nothing_at_all,
        empty,
    ] {
        assert_eq!(askfile.send(forged).await.status, 403);
    }
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let foreign = posted(&at(&query), &typed)
            .with("cookie", &sent_back)
            .with(name, value);
        assert_eq!(askfile.send(foreign).await.status, 403, "{name}: {value}");
    }
    let stray = format!("{sent_back}x; askfile_consent=; {another}; {sent_back}");
    let own = posted(&at(&query), &typed).with("cookie", &stray);
    let own = askfile.send(own).await;
    assert_eq!(own.status, 200, "none of them has used the code up");
    let attributes = page.header("set-cookie");
    for attribute in ["HttpOnly", "SameSite=Strict"] {
        assert!(attributes.contains(attribute), "{attributes}");
    }
    assert!(!attributes.contains("Secure"), "this is plain HTTP");
}

#[tokio::test]
async fn no_other_site_frames_the_pages_and_nothing_foreign_runs_on_them() {
    let askfile = Askfile::builtin().await;
    let client = askfile.client("<script>alert(1)</script>").await;
    let query = ask(&client, &[]);
    let code = askfile.code(None, ALL).await;
    let consent = askfile.type_code(&query, &code).await;
    let ticket = hidden(&consent, "ticket");
    for page in [
        askfile.send(get(&at(&query))).await,
        askfile.type_code(&query, "wrong").await,
        consent,
        askfile.fill_in(&query, &[("ticket", &ticket)]).await,
        askfile
            .send(get(&at(&ask(&client, &[("response_type", "token")]))))
            .await,
        askfile.send(get(&at(&ask("nobody", &[])))).await,
    ] {
        let policy = page.header("content-security-policy");
        for rule in [
            "frame-ancestors 'none'",
            "form-action 'self'",
            "default-src 'none'",
        ] {
            assert!(policy.contains(rule), "{policy}");
        }
        assert!(!page.html().contains("<script"), "{}", page.html());
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(
            page.header("referrer-policy").ends_with("-origin")
                || page.header("referrer-policy") == "no-referrer"
        );
    }
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_the_clients() {
    let askfile = Askfile::builtin().await;
    let client = askfile.client("Chat").await;
    for elsewhere in [
        "https://evil.example/back",
        "https://chat.example/back/more",
        "https://chat.example/backup",
        "https://chat.example/Back",
        "https://CHAT.example/back",
        "https://chat.example@evil.example/back",
        "https://evil.example@chat.example/back",
        "https://chat.example:444/back",
        "http://chat.example/back",
        "http://127.0.0.1:80@evil.example/back",
        "javascript:alert(1)",
    ] {
        let query = ask(&client, &[("redirect_uri", elsewhere)]);
        let page = askfile.send(get(&at(&query))).await;
        assert_eq!(
            (page.status.as_u16(), page.header("location")),
            (400, ""),
            "{elsewhere}"
        );
        assert!(
            !page.html().contains(elsewhere) && !page.html().contains("evil"),
            "{elsewhere}"
        );
        // With a fault beside it that the client would be told.
        let query = ask(
            &client,
            &[("redirect_uri", elsewhere), ("response_type", "token")],
        );
        let page = askfile.send(get(&at(&query))).await;
        assert!(
            !page.html().contains("evil") && !page.html().contains("class=\"button\""),
            "{elsewhere}"
        );
    }
    for of_nobody in ["client_made-up", ""] {
        let page = askfile.send(get(&at(&ask(of_nobody, &[])))).await;
        assert_eq!((page.status.as_u16(), page.header("location")), (400, ""));
        assert!(
            !page.html().contains("chat.example"),
            "who is unknown has no address"
        );
    }
    let port = ask(&client, &[("redirect_uri", "http://127.0.0.1:51234/back")]);
    assert_eq!(askfile.send(get(&at(&port))).await.status, 200, "RFC 8252");
}

#[tokio::test]
async fn a_wrong_request_sends_nobody_anywhere_by_itself() {
    let askfile = Askfile::builtin().await;
    let client = askfile.client("Chat").await;
    let long = "x".repeat(43);
    for (name, value, code) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "unsupported_response_type"),
        ("response_mode", "fragment", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge", &long[..42], "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge_method", "s256", "invalid_request"),
        ("scope", "openid profile", "invalid_scope"),
        (
            "resource",
            "https://elsewhere.example/mcp",
            "invalid_target",
        ),
    ] {
        let page = askfile
            .send(get(&at(&ask(&client, &[(name, value)]))))
            .await;
        assert_eq!(
            (page.status.as_u16(), page.header("location")),
            (400, ""),
            "{name}={value}"
        );
        assert!(!page.html().contains("http-equiv"), "{name}={value}");
        let back = way_back(&page);
        assert!(
            back.as_str().starts_with(&format!("{BACK}?error=")),
            "{back}"
        );
        assert_eq!(parameter(&back, "error"), code, "{name}={value}");
        assert_eq!(parameter(&back, "state"), "the state & more");
        assert_eq!(parameter(&back, "iss"), PUBLIC_URL);
        assert_eq!(parameter(&back, "code"), "");
    }
    for name in [
        "state",
        "scope",
        "code_challenge",
        "code_challenge_method",
        "response_type",
    ] {
        let twice = format!("{}&{name}=x&{name}=y", ask(&client, &[]));
        let page = askfile.send(get(&at(&twice))).await;
        assert_eq!(page.status, 400, "{name} is given more than once");
    }
    for name in ["client_id", "redirect_uri"] {
        let twice = format!("{}&{name}=x", ask(&client, &[]));
        let page = askfile.send(get(&at(&twice))).await;
        assert_eq!(page.status, 400, "{name} is given twice");
    }
    let long = ask(&client, &[("state", &"x".repeat(9_000))]);
    assert_eq!(askfile.send(get(&at(&long))).await.status, 400);
}

#[tokio::test]
async fn without_the_mode_there_is_none_of_it() {
    let builtin = Askfile::builtin().await;
    let (client, access, refresh) = builtin.connect().await;
    let code = builtin.code(None, ALL).await;
    let key = builtin.key("agent", ALL, &[]).await;
    assert!(
        builtin.opens(&key).await,
        "keys and tokens stand beside each other"
    );
    let keys = builtin
        .neighbour_with(|settings| settings.auth = Auth::KEYS)
        .await;
    assert!(!keys.opens(&access).await);
    for sent in [
        get(&at(&ask(&client, &[]))),
        posted(&at(&ask(&client, &[])), &[("code", &code)]),
        posted("/oauth/token", &redeeming(&client, "x")),
        posted(
            "/oauth/revoke",
            &[("token", &refresh), ("client_id", &client)],
        ),
        posted("/oauth/register", &[]),
        get("/.well-known/oauth-authorization-server"),
        get("/.well-known/oauth-protected-resource"),
    ] {
        let path = sent.uri().path().to_owned();
        assert_eq!(keys.send(sent).await.status, 404, "{path}");
    }
    let alone = builtin.neighbour_with(|settings| {
        settings.auth = Auth {
            builtin: true,
            ..Auth::OPEN
        };
    });
    let alone = alone.await;
    assert!(alone.opens(&access).await && !alone.opens(&key).await);
}
