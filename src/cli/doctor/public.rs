//! The way from outside: the public address, and the proxies on it.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, Response, StatusCode, Url, header, redirect::Policy};
use serde_json::Value;

use super::{
    Finding,
    trial::{Arrival, Trials},
};
use crate::{
    app,
    cli::network::local_url,
    config::{Settings, units::size_text},
    error::root_cause,
    http,
    service::Service,
};

const CHECK: &str = "public url";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the way is like, and what time it is at its other end. The server must be running.
pub(super) async fn check(settings: &Settings, url: &str) -> (Vec<Finding>, Option<Timestamp>) {
    let client = Client::builder()
        .redirect(Policy::none())
        .timeout(PATIENCE)
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return (vec![unreachable(url, &error)], None),
    };
    let answer = match client.get(format!("{url}/healthz")).send().await {
        Ok(answer) => answer,
        Err(error) => return (vec![unreachable(url, &error)], None),
    };
    let time = time_of(&answer);
    if let Some(problem) = problem_with(settings, url, answer).await {
        return (vec![problem], time);
    }
    let mut findings = Vec::new();
    if url.starts_with("http://") && !http::is_on_this_machine(url) {
        findings.push(Finding::warning(
            CHECK,
            format!("{url}: everybody on the way can read links and files"),
            "let the proxy serve https, and set public_url to that",
        ));
    }
    // A link of the built-in purpose takes a text, whatever else this askfile takes.
    let plain = Settings {
        link_keys: settings.link_keys.clone(),
        max_file_size: settings.max_file_size,
        ..Settings::in_folder(&settings.data_dir)
    };
    match app::start(plain, url.to_owned()).await {
        Ok(service) => findings.extend(through(&client, service, url).await),
        Err(error) => findings.push(Finding::wrong(
            CHECK,
            format!("no link could be made: {error}"),
            "start `askfile serve` with the same settings",
        )),
    }
    (findings, time)
}

/// Tries two links: one with the largest file announced, one with a small file sent whole.
async fn through(client: &Client, service: Service, url: &str) -> Vec<Finding> {
    let trials = Trials::new(client, service);
    match trials.is_reached().await {
        Ok(true) => {}
        Ok(false) => {
            return vec![Finding::wrong(
                CHECK,
                format!("{url} leads to an askfile that does not know this data folder's links"),
                "let the proxy lead here, or use the other askfile's data folder",
            )];
        }
        Err(error) => return vec![could_not_try(&error)],
    }
    let mut findings = vec![Finding::ok(CHECK, format!("{url} leads here"))];
    let largest = size_text(trials.largest());
    let arrival = trials.announce().await;
    let is_streamed = matches!(arrival, Ok(Arrival::Streamed));
    match arrival {
        Ok(Arrival::Streamed) => {
            findings.push(Finding::ok(
                "proxy",
                format!("takes files of {largest} and passes them on as they come"),
            ));
        }
        Ok(Arrival::HeldBack) => findings.push(Finding::warning(
            "proxy",
            "holds a file back until it has all of it: no progress is seen, and large files may \
             time out",
            "nginx: `proxy_request_buffering off;`",
        )),
        Ok(Arrival::Refused(answer)) => {
            let found = match &answer.code {
                Some(code) => format!("askfile refused a file of {largest}: {code}"),
                None => format!(
                    "refuses a file of {largest} with {} before it reaches askfile",
                    answer.status
                ),
            };
            let change = refusal_change(answer.code.as_deref(), answer.status, &largest);
            findings.push(Finding::wrong("proxy", found, change));
            return findings;
        }
        Err(error) => {
            findings.push(could_not_try(&error));
            return findings;
        }
    }
    let sent = size_text(trials.whole() as u64);
    findings.push(match trials.send(is_streamed).await {
        Ok(answer) if answer.code.as_deref() == Some("CANCELLED") => Finding::ok(
            "upload",
            format!("{sent} went through, and nothing was kept"),
        ),
        Ok(answer) => {
            let code = answer.code.as_deref().unwrap_or("not askfile's answer");
            let found = format!("{sent} did not go through: {} ({code})", answer.status);
            let change = refusal_change(answer.code.as_deref(), answer.status, &sent);
            Finding::wrong("upload", found, change)
        }
        Err(error) => could_not_try(&error),
    });
    findings
}

fn refusal_change(code: Option<&str>, status: StatusCode, size: &str) -> String {
    match (code, status) {
        (Some("RATE_LIMITED"), _) => "wait a minute and run `askfile doctor` again".into(),
        (Some("BUSY"), _) => "run `askfile doctor` again when fewer uploads arrive".into(),
        (Some("INSUFFICIENT_STORAGE"), _) => "make room on the disk".into(),
        (Some(_), _) => "look at askfile's log".into(),
        (None, StatusCode::PAYLOAD_TOO_LARGE) => format!(
            "let the proxy take bodies of more than {size} (nginx: `client_max_body_size 0;`), or \
             lower max_file_size"
        ),
        (None, _) => "look at the proxy's log".into(),
    }
}

fn could_not_try(error: &str) -> Finding {
    Finding::wrong(
        CHECK,
        format!("the trial upload ended early: {error}"),
        "look at the proxy's log and at askfile's",
    )
}

fn unreachable(url: &str, error: &reqwest::Error) -> Finding {
    Finding::wrong(
        CHECK,
        format!("{url} cannot be reached: {}", root_cause(error)),
        "check the name, the certificate, and that the proxy or tunnel runs",
    )
}

fn host_of(url: &str) -> String {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str);
    host.unwrap_or_default().to_owned()
}

fn time_of(answer: &Response) -> Option<Timestamp> {
    let date = answer.headers().get(header::DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::parse(date).ok()?;
    Some(date.timestamp())
}

/// What is wrong with the answer to the question for health, if it is not askfile's.
async fn problem_with(settings: &Settings, url: &str, answer: Response) -> Option<Finding> {
    let status = answer.status();
    if status.is_redirection() {
        let to = answer.headers().get(header::LOCATION);
        let to = to
            .and_then(|to| to.to_str().ok())
            .unwrap_or("another address");
        let to = to.trim_end_matches("/healthz");
        return Some(Finding::wrong(
            CHECK,
            format!("{url} redirects to {to}, and an upload does not follow"),
            format!("set public_url to {to}"),
        ));
    }
    if [502, 503, 504].contains(&status.as_u16()) {
        return Some(Finding::wrong(
            CHECK,
            format!("{url} answers {status}: its proxy does not reach askfile"),
            format!(
                "let the proxy lead to {}",
                local_url(settings.page_listen.unwrap_or(settings.listen))
            ),
        ));
    }
    let body: Value = answer.json().await.unwrap_or_default();
    if status.is_success() && body["status"] == "ok" {
        return None;
    }
    let (found, change) = if body["message"] == http::UNKNOWN_NAME {
        (
            format!("askfile is called by another name than {}", host_of(url)),
            "let the proxy pass the name on (nginx: `proxy_set_header Host $host;`); if it does, \
             start askfile again with this public_url",
        )
    } else if body["ok"] == false {
        (
            format!("{url} leads here with the path before askfile's own paths"),
            "let the proxy take that path off (nginx: `rewrite ^/files(/.*)$ $1 break;`, as \
             examples/nginx.conf shows)",
        )
    } else {
        (
            format!("{url}/healthz answers {status}, and it is not askfile that answers"),
            "let the proxy serve /uploads/, /assets/, /m/, /downloads/, /previews/ and /healthz from askfile",
        )
    };
    Some(Finding::wrong(CHECK, found, change))
}
