//! What `/openapi.json` holds, as a page.

use minijinja::{context, value::Serde};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{domain::language::Language, template::render};

/// In which order groups of operations are shown.
const ORDER: [&str; 6] = ["links", "uploads", "media", "targets", "workspaces", "keys"];
/// How deep the parts of parts are shown.
const DEPTH: usize = 4;

#[derive(Serialize)]
struct Group<'a> {
    name: &'a str,
    operations: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    method: String,
    path: &'a str,
    summary: &'a str,
    description: &'a str,
    parameters: Vec<Field>,
    bodies: Vec<Body<'a>>,
    answers: Vec<Body<'a>>,
    failures: Vec<(&'a str, &'a str)>,
}

/// What is sent or answered in one form.
#[derive(Serialize)]
struct Body<'a> {
    status: &'a str,
    kind: &'a str,
    fields: Vec<Field>,
}

#[derive(Serialize)]
struct Field {
    name: String,
    kind: String,
    is_required: bool,
    text: String,
}

pub(super) fn html(document: &Value) -> String {
    let nothing = Map::new();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap_or(&nothing) {
        for (method, operation) in methods.as_object().unwrap_or(&nothing) {
            let shown = shown(document, path, method, operation);
            let name = text(&operation["tags"][0]);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.operations.push(shown),
                None => groups.push(Group {
                    name,
                    operations: vec![shown],
                }),
            }
        }
    }
    let place = |group: &Group<'_>| ORDER.iter().position(|name| *name == group.name);
    groups.sort_by_key(place);
    let info = &document["info"];
    let introduction: Vec<&str> = text(&info["description"]).split("\n\n").collect();
    render(
        Language::English,
        "docs.html",
        &context! {
            title => "askfile for programs",
            version => text(&info["version"]),
            introduction => Serde(&introduction),
            groups => Serde(&groups),
            assets => "assets",
        },
    )
}

fn shown<'a>(document: &'a Value, path: &'a str, method: &str, operation: &'a Value) -> Shown<'a> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters = parameters.map(|parameter| Field {
        name: text(&parameter["name"]).to_owned(),
        kind: kind(document, &parameter["schema"]),
        is_required: parameter["required"] == true,
        text: text(&parameter["description"]).to_owned(),
    });
    let (mut answers, mut failures) = (Vec::new(), Vec::new());
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        if status.starts_with('2') {
            answers.extend(bodies(document, status, &answer["content"]));
        } else {
            failures.push((status.as_str(), text(&answer["description"])));
        }
    }
    failures.sort_unstable();
    Shown {
        id: text(&operation["operationId"]),
        method: method.to_ascii_uppercase(),
        path,
        summary: text(&operation["summary"]),
        description: text(&operation["description"]),
        parameters: parameters.collect(),
        bodies: bodies(document, "", &operation["requestBody"]["content"]),
        answers,
        failures,
    }
}

fn bodies<'a>(document: &Value, status: &'a str, content: &'a Value) -> Vec<Body<'a>> {
    let forms = content.as_object().into_iter().flatten();
    let forms = forms.map(|(kind, form)| {
        let mut fields = Vec::new();
        list(document, &form["schema"], "", DEPTH, &mut fields);
        Body {
            status,
            kind,
            fields,
        }
    });
    forms.collect()
}

/// Adds the fields of an object, those of its parts with them.
fn list(document: &Value, schema: &Value, within: &str, depth: usize, fields: &mut Vec<Field>) {
    let schema = resolved(document, schema);
    let required = schema["required"].as_array();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        // What the server sets is nobody's to send.
        if property["readOnly"] == true {
            continue;
        }
        let name_in_full = format!("{within}{name}");
        let description = [property, resolved(document, property)].map(|of| &of["description"]);
        let description = description.into_iter().find(|one| one.is_string());
        fields.push(Field {
            kind: kind(document, property),
            is_required: required.is_some_and(|names| names.contains(&name.as_str().into())),
            text: description.map_or("", text).to_owned(),
            name: name_in_full.clone(),
        });
        if depth > 0 {
            let property = resolved(document, property);
            let is_list = property["items"].is_object();
            let (inner, dot) = if is_list {
                (&property["items"], "[].")
            } else {
                (property, ".")
            };
            let within = format!("{name_in_full}{dot}");
            list(document, inner, &within, depth - 1, fields);
        }
    }
}

/// What stands behind a reference, and beside null.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..DEPTH {
        let choices = schema["anyOf"].as_array().or(schema["allOf"].as_array());
        let only = choices.and_then(|all| {
            let mut real = all.iter().filter(|one| one["type"] != "null");
            real.next().filter(|_| real.next().is_none())
        });
        schema = match (schema["$ref"].as_str(), only) {
            (Some(pointer), _) => document
                .pointer(pointer.trim_start_matches('#'))
                .unwrap_or(&Value::Null),
            (None, Some(only)) => only,
            (None, None) => break,
        };
    }
    schema
}

fn kind(document: &Value, schema: &Value) -> String {
    let schema = resolved(document, schema);
    let choices = schema["enum"].as_array().map(|all| all.iter().collect());
    let choices = choices.or_else(|| {
        let all = schema["oneOf"].as_array()?;
        let each = all.iter().map(|one| {
            let only = one["enum"].as_array().and_then(|all| all.first());
            only.or(one.get("const"))
        });
        each.collect::<Option<Vec<&Value>>>()
    });
    if let Some(choices) = choices {
        return choices
            .into_iter()
            .map(text)
            .collect::<Vec<_>>()
            .join(" | ");
    }
    if let Some(all) = schema["anyOf"].as_array() {
        let all: Vec<_> = all.iter().map(|one| kind(document, one)).collect();
        return all.join(" | ");
    }
    if schema["items"].is_object() {
        return format!("list of {}", kind(document, &schema["items"]));
    }
    let kinds = match &schema["type"] {
        Value::Array(all) => all.iter().map(text).find(|kind| *kind != "null"),
        one => one.as_str(),
    };
    let kind = match kinds.unwrap_or("any") {
        "string" if schema["format"] == "binary" => "file",
        kind => kind,
    };
    match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        (Some(least), Some(most)) => format!("{kind}, {least} to {most}"),
        (None, Some(most)) => format!("{kind}, at most {most}"),
        _ => match schema["maxLength"].as_u64() {
            Some(most) => format!("{kind}, at most {most} characters"),
            None => kind.to_owned(),
        },
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
