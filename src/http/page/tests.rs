//! What the pages promise.

use std::sync::LazyLock;

use super::*;
use crate::template::words;

const HOSTILE: &str = "</p><script>alert(1)</script>\"'{{ 7*7 }}{% raw %}\u{202e}gpj.exe";

fn page() -> RequestPage<'static> {
    RequestPage {
        language: Language::English,
        asked_by: "Claude",
        workspace_name: Some("Acme"),
        words: "amber otter".into(),
        prompt: Some("The invoice of May,\nas PDF."),
        accepted: "PDF, any image".into(),
        accepted_types: None,
        accept: "application/pdf,image/*".into(),
        max_size: "50 MB".into(),
        max_bytes: 52_428_800,
        takes_images: true,
        caps: Some("image: 10 MB".into()),
        max_files: 1,
        sent: 0,
        checking: 0,
        expires_at: "2026-11-22T14:05:00Z".into(),
        expires_text: "14:05 UTC on 22 November 2026".into(),
        time_left: "15 minutes".into(),
        seconds_left: 900,
        store: None,
        has_qr: true,
        query: "workspace_id=w&expires=1&signature=5",
        token: "11111111-2222-4333-8444-555555555555",
        error: None,
    }
}

fn outcomes() -> Vec<Outcome<'static>> {
    static FILES: LazyLock<[(&str, String); 1]> = LazyLock::new(|| [("may.pdf", "1.4 MB".into())]);
    let files = &FILES[..];
    let (message, next) = ("The server is busy.", "Try again in a minute.");
    vec![
        Outcome::Sent { files, count: 1 },
        Outcome::Checking,
        Outcome::Used,
        Outcome::Expired,
        Outcome::Declined,
        Outcome::Cancelled,
        Outcome::Tampered,
        Outcome::Unknown,
        Outcome::Failed { message, next },
    ]
}

/// What stands between the first `start` and the next `end`.
fn between<'a>(html: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = html
        .split_once(start)
        .unwrap_or_else(|| panic!("no {start}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no {end}")).0
}

fn title(html: &str) -> &str {
    between(html, "<title>", "</title>")
}

/// The values of all attributes of this name, unescaped as far as links need it.
fn attributes(html: &str, name: &str) -> Vec<String> {
    html.split(&format!(" {name}=\""))
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"))
        .collect()
}

fn every_page() -> Vec<String> {
    let several = RequestPage {
        max_files: 5,
        sent: 2,
        error: Some(Problem {
            message: "Too large.".into(),
            next: "Choose another.".into(),
        }),
        ..page()
    };
    let outcomes = outcomes();
    let outcomes = outcomes
        .iter()
        .map(|outcome| outcome.html(Language::English, "../assets"));
    [page().html(), several.html()]
        .into_iter()
        .chain(outcomes)
        .collect()
}

#[test]
fn the_forms_post_to_the_canonical_link_wherever_a_proxy_puts_it() {
    let several = RequestPage {
        max_files: 5,
        sent: 1,
        ..page()
    };
    let token = page().token;
    let query = page().query;
    assert_eq!(
        attributes(&several.html(), "action"),
        [
            format!("?{query}"),
            format!("{token}/done?{query}"),
            format!("{token}/decline?{query}"),
        ]
    );
    for html in every_page() {
        for url in ["action", "href", "src", "data-events"]
            .iter()
            .flat_map(|name| attributes(&html, name))
        {
            assert!(!url.starts_with('/') && !url.contains("//"), "{url}");
        }
    }
}

#[test]
fn the_form_has_the_fields_that_the_link_takes() {
    let html = page().html();
    let form = between(&html, "<form class=\"send\"", "</form>");
    assert!(form.contains("method=\"post\" enctype=\"multipart/form-data\""));
    assert_eq!(attributes(form, "name"), ["media", "description"]);
    assert_eq!(attributes(form, "maxlength"), ["500"]);
    let accept = attributes(form, "accept")[0].replace("&#x2f;", "/");
    assert_eq!(accept, "application/pdf,image/*");
    let decline = between(&html, "<details", "</details>");
    assert_eq!(attributes(decline, "name"), ["reason"]);
    assert!(!decline.contains("enctype"));

    let anything = RequestPage {
        accept: String::new(),
        ..page()
    };
    assert_eq!(
        attributes(&anything.html(), "accept"),
        ["image/*"],
        "the camera's"
    );
}

#[test]
fn a_person_can_tell_who_asks_for_what_and_until_when() {
    let html = page().html();
    for told in [
        "<bdi>Claude</bdi>",
        "<bdi>Acme</bdi>",
        "The invoice of May,\nas PDF.</blockquote>",
        "Written by the agent",
        "never asks for passwords",
        "PDF, any image",
        "up to 50 MB (image: 10 MB)",
        "datetime=\"2026-11-22T14:05:00Z\"",
        "14:05 UTC on 22 November 2026",
        "15 minutes",
    ] {
        assert!(html.contains(told), "{told}\n{html}");
    }
    for prompt in [None, Some(""), Some(" \n\u{202e}")] {
        let html = RequestPage { prompt, ..page() }.html();
        assert!(!html.contains("<blockquote"), "{prompt:?}");
        assert!(html.contains("never asks for passwords"), "{prompt:?}");
    }
}

#[test]
fn done_is_offered_once_one_of_several_files_is_there() {
    for (max_files, sent, checking, offered) in [
        (1, 0, 0, false),
        (5, 0, 0, false),
        (5, 1, 0, true),
        (5, 1, 1, false),
    ] {
        let page = RequestPage {
            max_files,
            sent,
            checking,
            ..page()
        };
        let html = page.html();
        let is_hidden = html.contains(" hidden>\n<p>Was that all?");
        let is_there = html.contains("/done?");
        assert_eq!(is_there && !is_hidden, offered, "{sent} of {max_files}");
        let progress = format!("{sent} of {max_files} files sent");
        assert_eq!(html.contains(&progress), max_files > 1, "{progress}");
    }
}

#[test]
fn a_refused_try_says_why_above_everything_else() {
    let error = Problem {
        message: "This file is <larger> than 50 MB.".into(),
        next: "Choose a smaller file.".into(),
    };
    let refused = RequestPage {
        error: Some(error),
        ..page()
    };
    let html = refused.html();
    let alert = between(&html, "class=\"problem\" role=\"alert\"", "</div>");
    assert!(alert.contains("This file is &lt;larger&gt; than 50 MB."));
    assert!(alert.contains("Choose a smaller file."));
    assert!(html.find("role=\"alert\"") < html.find("<h1>"));
    assert_ne!(title(&html), title(&page().html()));
    assert!(!page().html().contains("class=\"problem\""));
}

#[test]
fn what_comes_from_outside_is_text_and_stays_in_its_place() {
    let text = "&lt;&#x2f;p&gt;&lt;script&gt;alert(1)&lt;&#x2f;script&gt;&quot;&#x27;\
                {{ 7*7 }}{% raw %}gpj.exe";
    let request = RequestPage {
        asked_by: HOSTILE,
        workspace_name: Some(HOSTILE),
        prompt: Some(HOSTILE),
        accepted: HOSTILE.into(),
        accept: HOSTILE.into(),
        query: HOSTILE,
        token: HOSTILE,
        error: Some(Problem {
            message: HOSTILE.into(),
            next: "Try again.".into(),
        }),
        ..page()
    }
    .html();
    let isolated = format!("<bdi>{text}</bdi>");
    assert_eq!(request.matches(&isolated).count(), 3, "{request}");
    assert!(request.contains(&format!("<blockquote dir=\"auto\">{text}</blockquote>")));

    let files = [(HOSTILE, "1 MB".into())];
    let sent = Outcome::Sent {
        files: &files,
        count: 1,
    };
    let sent = sent.html(Language::English, "../assets");
    assert!(
        sent.contains(&format!("<bdi class=\"file-name\">{text}</bdi>")),
        "{sent}"
    );
    let failed = Outcome::Failed {
        message: HOSTILE,
        next: "Try again.",
    };
    let failed = failed.html(Language::English, "../assets");
    assert!(failed.contains(&isolated), "{failed}");

    for html in [request, sent, failed] {
        assert!(!html.contains("<script>"), "{html}");
        assert!(!title(&html).contains("gpj"));
    }
}

#[test]
fn the_prompt_is_in_its_quotation_only() {
    let html = page().html();
    assert_eq!(html.matches("The invoice of May").count(), 1);
    let (head, _) = html.split_once("<body>").unwrap();
    for name in [page().asked_by, "Acme", "invoice"] {
        assert!(!head.contains(name), "{head}");
    }
    for meta in [
        "content=\"noindex\"",
        "content=\"no-referrer\"",
        "name=\"viewport\"",
    ] {
        assert!(head.contains(meta), "{meta}");
    }
}

#[test]
fn empty_lines_do_not_push_the_form_out_of_sight() {
    assert_eq!(words("a\n\n\n \n\nb\nc"), "a\n\nb\nc");
}

#[test]
fn every_outcome_has_its_own_title_and_a_next_step() {
    let pages: Vec<String> = outcomes()
        .iter()
        .map(|o| o.html(Language::English, "../assets"))
        .collect();
    let mut titles = vec![page().html()];
    titles.extend(pages.iter().cloned());
    let mut titles: Vec<&str> = titles.iter().map(|html| title(html)).collect();
    titles.sort_unstable();
    titles.dedup();
    assert_eq!(titles.len(), pages.len() + 1, "{titles:?}");
    for html in &pages {
        let next = between(html, "<p class=\"next\">", "</p>");
        assert!(next.ends_with('.') && next.contains(' '), "{html}");
    }
}

#[test]
fn a_page_finds_its_stylesheet_from_where_it_is_shown() {
    let sheet = |html: &str| attributes(html, "href")[0].clone();
    assert_eq!(sheet(&page().html()), "../assets/look.css");
    let below = Outcome::Declined.html(Language::English, "../../assets");
    assert_eq!(sheet(&below), "../../assets/look.css");
}

#[test]
fn only_a_page_that_waits_opens_itself_again() {
    for outcome in outcomes() {
        let refreshes = outcome
            .html(Language::English, "../assets")
            .contains("http-equiv=\"refresh\"");
        assert_eq!(
            refreshes,
            matches!(outcome, Outcome::Checking),
            "{outcome:?}"
        );
    }
}

#[test]
fn pages_need_nothing_that_their_policy_forbids() {
    for html in every_page() {
        for forbidden in ["style=", "<style", "<script>", "javascript:", " on"] {
            let found = match forbidden {
                // Handlers such as onload=, but not the word "on".
                " on" => html.split(" on").skip(1).any(|rest| {
                    let name = rest
                        .split(|c: char| !c.is_ascii_lowercase())
                        .next()
                        .unwrap();
                    !name.is_empty() && rest[name.len()..].starts_with('=')
                }),
                other => html.contains(other),
            };
            assert!(!found, "{forbidden}: {html}");
        }
    }
    let css = concat!(
        include_str!("../../../web/look.css"),
        include_str!("../../../web/page.css")
    );
    assert!(!css.contains("url(") && !css.contains("@import"));
}

#[test]
fn a_page_may_talk_to_the_store_that_it_puts_files_into_and_no_other_may() {
    let policy = |page: RequestPage<'_>| {
        let answer = page.response(StatusCode::OK);
        let policy = &answer.headers()["content-security-policy"];
        policy.to_str().unwrap().to_owned()
    };
    assert_eq!(policy(page()), CONTENT_SECURITY_POLICY);
    assert!(!page().html().contains("data-grants"));
    let store = Some("https://s3.example.com");
    let direct = || RequestPage { store, ..page() };
    assert_eq!(
        policy(direct()),
        CONTENT_SECURITY_POLICY.replace(
            "connect-src 'self';",
            "connect-src 'self' https://s3.example.com;"
        )
    );
    let grants = attributes(&direct().html(), "data-grants");
    let query = "workspace_id=w&expires=1&signature=5";
    assert_eq!(grants, [format!("{}/grant?{query}", page().token)]);
}

#[test]
fn an_answer_carries_the_policy() {
    let response = html_response(StatusCode::GONE, "x".into());
    assert_eq!(response.status(), StatusCode::GONE);
    let headers = response.headers();
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(headers["content-security-policy"], CONTENT_SECURITY_POLICY);
    assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
}
