//! What people see, as HTML: the templates of `web`, and what these can do with texts. Pure: data in,
//! HTML out.
//!
//! Names, the prompt and whatever else comes from outside is hostile: the templates escape it, and their
//! filters take out the characters that play tricks.

use std::sync::LazyLock;

use minijinja::{Environment, Error, HtmlEscape, UndefinedBehavior, Value, context, value::Kwargs};
use serde::Serialize;

use crate::{domain::language::Language, intake::filename::harmless_text, phrases::filled};

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.add_filter("one_line", |text: &str| one_line(text));
    templates.add_filter("marked", |text: &str| Value::from_safe_string(marked(text)));
    templates.add_filter("words", |text: Option<&str>| text.map(words));
    for (name, source) in [
        ("layout.html", include_str!("../web/layout.html")),
        ("request.html", include_str!("../web/request.html")),
        ("card.html", include_str!("../web/card.html")),
        ("row.html", include_str!("../web/row.html")),
        ("message.html", include_str!("../web/message.html")),
        ("docs.html", include_str!("../web/docs.html")),
        ("program.html", include_str!("../web/program.html")),
        ("sign-in.html", include_str!("../web/sign-in.html")),
        ("consent.html", include_str!("../web/consent.html")),
        ("connected.html", include_str!("../web/connected.html")),
        ("turned-back.html", include_str!("../web/turned-back.html")),
    ] {
        templates
            .add_template(name, source)
            .expect("the templates are part of the program");
    }
    templates
});

/// A page of a template.
pub(crate) fn render(language: Language, name: &str, data: &Value) -> String {
    let all = context! {
        t => Value::from_function(move |key: &str, values: Kwargs| text(language, key, &values)),
        language => language.as_str(),
        direction => language.direction(),
        ..data.clone()
    };
    TEMPLATES
        .get_template(name)
        .and_then(|template| template.render(all))
        .expect("the templates fit their data, as the tests see")
}

/// Some groups of texts as JSON that can stand in a page.
pub(crate) fn json_in_html(data: &impl Serialize) -> Value {
    let json = serde_json::to_string(data).expect("texts are JSON");
    Value::from_safe_string(json.replace('<', "\\u003c"))
}

/// A text of ours with values filled in; with `n` among them, in the form for so many.
fn text(language: Language, key: &str, values: &Kwargs) -> Result<Value, Error> {
    let phrases = language.phrases();
    let n: Option<u64> = values.get("n")?;
    let text = n.map_or_else(|| phrases.text(key), |n| phrases.form(key, n));
    let html = filled(&HtmlEscape(text).to_string(), |name| {
        let value: Value = values.get(name).ok()?;
        if value.is_safe() {
            return Some(value.to_string());
        }
        Some(HtmlEscape(&value.to_string()).to_string())
    });
    values.assert_all_used()?;
    Ok(Value::from_safe_string(html))
}

/// A name or a sentence from outside.
fn one_line(text: &str) -> String {
    harmless_text(text).replace('\n', " ")
}

/// A sentence of ours, with what stands between backticks as code.
fn marked(text: &str) -> String {
    let parts = text.split('`').map(|part| HtmlEscape(part).to_string());
    let parts = parts.enumerate().map(|(n, part)| match n % 2 {
        0 => part,
        _ => format!("<code>{part}</code>"),
    });
    parts.collect()
}

/// Somebody's words, with their lines. A crowd of empty ones would push the form out of sight.
pub(crate) fn words(text: &str) -> String {
    let text = harmless_text(text);
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    lines.join("\n")
}
