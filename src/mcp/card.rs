//! The card: what a chat shows of a request for a file, where it can show such things. One file, made of
//! the page's own parts, as MCP Apps (2026-01-26) has it.

use std::{collections::BTreeMap, sync::LazyLock};

use minijinja::{Value, context};
use rmcp::{
    RoleServer,
    model::{
        ExtensionCapabilities, JsonObject, MetaObject, ReadResourceResult, Resource,
        ResourceContents,
    },
    service::RequestContext,
};
use serde_json::json;
use url::Url;

use crate::{
    domain::language::Language,
    service::Service,
    template::{json_in_html, render},
};

/// Its address.
pub(super) const URI: &str = "ui://askfile/card.html";
const MIME_TYPE: &str = "text/html;profile=mcp-app";
/// The extension that clients declare which show cards.
const EXTENSION: &str = "io.modelcontextprotocol/ui";

/// In this order they are one script.
const SCRIPTS: [&str; 7] = [
    include_str!("../../web/words.js"),
    include_str!("../../web/file.js"),
    include_str!("../../web/files.js"),
    include_str!("../../web/follow.js"),
    include_str!("../../web/host.js"),
    include_str!("../../web/ways.js"),
    include_str!("../../web/card.js"),
];
const STYLES: [&str; 2] = [
    include_str!("../../web/look.css"),
    include_str!("../../web/card.css"),
];

/// What the card says where it can fetch nothing.
const TEXTS: [&str; 22] = [
    "card.by_agent",
    "card.loading",
    "card.blocked",
    "card.unreached",
    "card.open",
    "card.failed",
    "card.deleted",
    "card.said_sent",
    "card.said_declined",
    "outcome.sent",
    "outcome.expired",
    "outcome.declined",
    "outcome.cancelled",
    "outcome.tampered",
    "outcome.unknown",
    "script.sent",
    "script.scan_clean",
    "units.decimal",
    "units.bytes",
    "units.KB",
    "units.MB",
    "units.GB",
];

static HTML: LazyLock<String> = LazyLock::new(|| {
    let texts: BTreeMap<_, _> = Language::ALL
        .iter()
        .map(|language| (language.as_str(), language.phrases().some(&TEXTS)))
        .collect();
    let style: String = STYLES.into_iter().flat_map(code).collect();
    // So much of it is for who reads the sources.
    let style = style
        .replace(": ", ":")
        .replace(":0.", ":.")
        .replace(" 0.", " .")
        .replace(" {", "{")
        .replace(", ", ",")
        .replace(" > ", ">")
        .replace(";}", "}");
    let lines = SCRIPTS.into_iter().flat_map(code);
    // In one file, nothing is brought in, and nothing is given away.
    let lines = lines.filter(|line| !line.starts_with("import "));
    let script: String = lines
        .flat_map(|line| [line.strip_prefix("export ").unwrap_or(line), end(line)])
        .collect();
    render(
        Language::English,
        "card.html",
        &context! {
            style => Value::from_safe_string(style),
            script => Value::from_safe_string(script),
            phrases => json_in_html(&texts),
        },
    )
});

/// What has to stand between a line of a script and the next one.
fn end(line: &str) -> &'static str {
    if line.ends_with(['{', ',', ';']) {
        ""
    } else {
        "\n"
    }
}

/// The lines of a source that do something: clients load the card with every conversation.
fn code(source: &str) -> impl Iterator<Item = &str> {
    let mut is_comment = false;
    source.lines().map(str::trim).filter(move |line| {
        let begins = line.starts_with("/*");
        let was_comment = is_comment || begins;
        is_comment = was_comment && !line.ends_with("*/");
        !was_comment && !line.starts_with("//") && !line.is_empty()
    })
}

/// What the server declares of it.
pub(super) fn extension() -> ExtensionCapabilities {
    [(EXTENSION.to_owned(), JsonObject::new())].into()
}

/// Whether the client shows it.
pub(super) fn is_shown(context: &RequestContext<RoleServer>) -> bool {
    let extensions = context.client_capabilities().and_then(|can| can.extensions);
    extensions.is_some_and(|extensions| extensions.contains_key(EXTENSION))
}

/// What a tool that shows the card says of itself, by each name that a client looks for.
pub(super) fn with_card(mut meta: MetaObject) -> MetaObject {
    let ui = json!({ "resourceUri": URI, "visibility": ["model", "app"] });
    meta.insert("ui".into(), ui);
    meta.insert("ui/resourceUri".into(), URI.into());
    meta.insert("openai/outputTemplate".into(), URI.into());
    meta
}

pub(super) fn resource() -> Resource {
    Resource::new(URI, "card")
        .with_title("The card that asks for a file")
        .with_description("Shown by clients that can; it sends the file to the link.")
        .with_mime_type(MIME_TYPE)
}

/// The card. It may talk to the place where links lead, and to no other.
pub(super) fn read(service: &Service) -> ReadResourceResult {
    let origin = service.public_url().parse();
    let origin = origin.map_or_else(
        |_| String::new(),
        |url: Url| url.origin().ascii_serialization(),
    );
    let mut meta = MetaObject::default();
    let ui = json!({
        "csp": { "connectDomains": [origin] },
        "permissions": { "camera": {} },
        "prefersBorder": true,
    });
    meta.insert("ui".into(), ui);
    let contents = ResourceContents::text(HTML.as_str(), URI)
        .with_mime_type(MIME_TYPE)
        .with_meta(meta);
    ReadResourceResult::new(vec![contents])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_is_one_small_file() {
        let html = HTML.as_str();
        assert!(html.len() < 40_000, "{}", html.len());
        for outside in ["src=", "href=", "@import", "url(", "import {", "export "] {
            assert!(!html.contains(outside), "{outside}");
        }
    }

    #[test]
    fn its_script_can_stand_in_fewer_lines() {
        for line in SCRIPTS.into_iter().flat_map(code) {
            // Neither a comment nor a text goes on to the next one.
            assert!(!line.contains(" //"), "{line}");
            assert_eq!(line.matches('`').count() % 2, 0, "{line}");
        }
    }

    #[test]
    fn its_style_can_stand_in_one_line() {
        for line in STYLES.into_iter().flat_map(code) {
            assert!(line.ends_with(['{', '}', ';', ',']), "{line}");
        }
    }

    #[test]
    fn what_it_says_without_the_server_is_in_it_in_every_language() {
        // The server brings these along with what is asked for.
        let later = ["ways", "ways_several", "cut"];
        for language in Language::ALL {
            let texts = language.phrases().some(&TEXTS);
            let all = language.phrases().all()["card"].keys();
            let known: Vec<_> = all.filter(|key| !later.contains(&key.as_str())).collect();
            assert!(texts["card"].keys().eq(known), "{language:?}");
            let count: usize = texts.values().map(BTreeMap::len).sum();
            assert!(count >= TEXTS.len(), "{language:?}");
        }
    }

    #[test]
    fn comments_are_left_out_and_nothing_else() {
        let source = "/* one\n   two */\na {\n  b: c; /* d */\n}\n\n// e\n/** f */\ng();\n";
        let left: Vec<&str> = code(source).collect();
        assert_eq!(left, ["a {", "b: c; /* d */", "}", "g();"]);
    }
}
