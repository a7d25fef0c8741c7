//! The pages as a person without JavaScript sees them. Pure: data in, HTML out.
//!
//! Names, the prompt and whatever else comes from outside is hostile: the templates escape it, and
//! their filters take out the characters that play tricks.

use std::sync::LazyLock;

use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use minijinja::{Environment, UndefinedBehavior, Value, context, value::Serde};
use serde::Serialize;

use crate::{error::Error, intake::filename::harmless_text};

/// What a page may load and do: nothing but its own stylesheet, pictures and forms.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; \
     img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The way to the stylesheet's folder from the link itself.
const ASSETS_OF_LINK: &str = "../assets";

/// The page of a link that takes files. It is shown at the link itself.
#[derive(Debug, Serialize)]
pub(crate) struct RequestPage<'a> {
    /// Who asks.
    pub asked_by: &'a str,
    /// For which workspace.
    pub workspace_name: &'a str,
    /// The agent's words.
    pub prompt: Option<&'a str>,
    /// What is taken, for a person: `JPEG, PNG, any video`.
    pub accepted: String,
    /// What is taken, for the file dialog: `image/jpeg,video/*`. Empty for anything.
    pub accept: String,
    /// Largest file: `50 MB`.
    pub max_size: String,
    /// The kinds with a smaller largest file, each with that.
    pub caps: Vec<(String, String)>,
    /// How many files the link takes.
    pub max_files: u32,
    /// How many of them are there.
    pub sent: u32,
    /// Until when, as RFC 3339 in UTC.
    pub expires_at: String,
    /// Until when, for a person.
    pub expires_text: String,
    /// How long that is from now: `15 minutes`.
    pub time_left: String,
    /// The canonical signed query, without `?`.
    pub query: &'a str,
    /// The token as it stands in the path.
    pub token: &'a str,
    /// Why the last try was refused.
    pub error: Option<Problem>,
}

/// Why the last try was refused.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    /// What is wrong.
    pub message: String,
    /// What the person can do next.
    pub next: String,
}

impl RequestPage<'_> {
    /// The page.
    pub(crate) fn html(&self) -> String {
        render(
            "request.html",
            &context! { assets => ASSETS_OF_LINK, page => Serde(self) },
        )
    }
}

/// How it ended, or where it stands while there is nothing to fill in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome<'a> {
    /// The file is there.
    Sent {
        /// Its name and size: for the sender's browser only.
        file: Option<(&'a str, &'a str)>,
        /// Whether the link takes more. Such a page is shown at the link itself.
        more: bool,
    },
    /// The file is there and not yet judged. Shown at the link itself, which it opens again and
    /// again.
    Checking,
    /// The link brought its files already.
    Used,
    /// The link's time is over.
    Expired,
    /// The person said no.
    Declined,
    /// The agent took it back.
    Cancelled,
    /// The link was changed, or never came from here.
    Tampered,
    /// There is no such link.
    Unknown,
    /// Anything else that went wrong.
    Failed {
        /// What is wrong.
        message: &'a str,
        /// What the person can do next.
        next: &'a str,
    },
}

impl Outcome<'_> {
    /// The page. `assets` is the way to the stylesheet's folder from where it is shown.
    pub(crate) fn html(&self, assets: &str) -> String {
        let Message {
            title,
            heading,
            text,
            next,
            tone,
        } = self.message();
        let (file, more) = match *self {
            Self::Sent { file, more } => (file, more),
            _ => (None, false),
        };
        let looks_again = matches!(self, Self::Checking);
        let again = match (more, looks_again) {
            (true, _) => Some("Send another file"),
            (_, true) => Some("Look again now"),
            _ => None,
        };
        render(
            "message.html",
            &context! { assets, title, heading, text, next, tone, file, looks_again, again },
        )
    }

    fn message(&self) -> Message<'_> {
        match self {
            Self::Sent { more: false, file } => Message {
                title: "Sent",
                heading: "Sent",
                text: match file {
                    Some(_) => "The chat now has the file.",
                    None => "The chat now has what you sent.",
                },
                next: "Go back to the chat and say that you are done. You can close this page.",
                tone: "good",
            },
            Self::Sent { more: true, .. } => Message {
                title: "Sent, and room for more",
                heading: "This one has arrived",
                text: "The link takes more files.",
                next: "Send the next one, or press Done there if that was all: then the chat has \
                       what you sent.",
                tone: "good",
            },
            Self::Checking => Message {
                title: "Checking the file",
                heading: "Checking the file",
                text: "It has arrived. The chat gets it once the check is over.",
                next: "Keep this page open: it looks again every few seconds.",
                tone: "busy",
            },
            Self::Used => Message::closed(
                &Error::AlreadyUsed,
                "Link used",
                "This link has been used",
                "It takes no more, and nobody can see through it what was sent.",
            ),
            Self::Expired => Message::closed(
                &Error::LinkExpired,
                "Link expired",
                "This link has expired",
                "Links work for a short time only, so that nobody else can use them later.",
            ),
            Self::Declined => Message::closed(
                &Error::Declined,
                "Request declined",
                "This request was declined",
                "The chat is told so. Nothing more can be sent through this link.",
            ),
            Self::Cancelled => Message::closed(
                &Error::Cancelled,
                "Request cancelled",
                "This request was cancelled",
                "The agent took it back. Nothing more can be sent through this link.",
            ),
            Self::Tampered => Message {
                tone: "bad",
                ..Message::closed(
                    &Error::LinkInvalid,
                    "Link not complete",
                    "This link is not complete",
                    "A part of it is missing or was changed on its way.",
                )
            },
            Self::Unknown => Message::closed(
                &Error::NotFound,
                "Nothing here",
                "There is nothing here",
                "The address is not complete, or what was here is gone.",
            ),
            Self::Failed { message, next } => Message {
                title: "That did not work",
                heading: "That did not work",
                text: message,
                next,
                tone: "bad",
            },
        }
    }
}

/// What a page says that is no form.
struct Message<'a> {
    title: &'a str,
    heading: &'a str,
    text: &'a str,
    next: &'a str,
    tone: &'a str,
}

impl<'a> Message<'a> {
    /// For a link that takes nothing; what to do next is the error table's to say.
    fn closed(error: &Error, title: &'a str, heading: &'a str, text: &'a str) -> Self {
        Self {
            title,
            heading,
            text,
            next: error.row().person,
            tone: "closed",
        }
    }
}

/// A page as an answer.
pub(crate) fn html_response(status: StatusCode, html: String) -> Response {
    let policy = [(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)];
    (status, policy, Html(html)).into_response()
}

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.add_filter("one_line", |text: &str| one_line(text));
    templates.add_filter("words", |text: Option<&str>| text.map(words));
    for (name, source) in [
        ("layout.html", include_str!("../../web/layout.html")),
        ("request.html", include_str!("../../web/request.html")),
        ("message.html", include_str!("../../web/message.html")),
    ] {
        templates
            .add_template(name, source)
            .expect("the templates are part of the program");
    }
    templates
});

fn render(name: &str, data: &Value) -> String {
    TEMPLATES
        .get_template(name)
        .and_then(|template| template.render(data))
        .expect("the templates fit their data, as the tests see")
}

/// A name or a sentence from outside.
fn one_line(text: &str) -> String {
    harmless_text(text).replace('\n', " ")
}

/// Somebody's words, with their lines. A crowd of empty ones would push the form out of sight.
fn words(text: &str) -> String {
    let text = harmless_text(text);
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    lines.join("\n")
}

#[cfg(test)]
mod tests;
