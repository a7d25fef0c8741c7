//! Failures as programs read them: what is wrong with a request as `{"detail": […]}`, everything else
//! as a problem (RFC 9457).

use aide::{
    OperationOutput,
    generate::GenContext,
    openapi::{Operation, Response as Described, StatusCode as Status},
};
use axum::{
    Json,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::extract::OfQuery;
use crate::{
    error::{Error, ErrorKind},
    http::failure::Failed,
};

/// What a failure is, where it is not a mistake in the request (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
struct Problem {
    /// Always `about:blank`: the code says more.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What happened, for a person.
    detail: String,
    /// Which failure it is, for programs.
    code: &'static str,
    /// Which of seven kinds it is.
    error_kind: ErrorKind,
    /// What to do next.
    hint: &'static str,
}

/// What is wrong with a request.
#[derive(Debug, Serialize, JsonSchema)]
struct Mistakes {
    /// Each mistake; there is one at least.
    detail: Vec<Mistake>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Mistake {
    /// Where it is: `body` or `query`, and the names that lead there.
    loc: Vec<Step>,
    /// What it is, for a person.
    msg: String,
    /// Its code in small letters, such as `invalid_argument` or `size_exceeded`.
    r#type: String,
}

/// A name, or a place in a list.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
enum Step {
    Name(String),
    Place(usize),
}

/// Where else than in the body something stands that a request names; the workspace of a link is in the
/// body.
const ELSEWHERE: [(&str, &str); 4] = [
    ("Idempotency-Key", "header"),
    ("target_type", "path"),
    ("target_id", "path"),
    ("workspace_id", "query"),
];

/// What of a request its failure is told by: below `/v1`, failures have this form, wherever they come from.
pub(in crate::http) struct Asked {
    is_ours: bool,
    is_link: bool,
    is_read: bool,
}

impl Asked {
    pub(in crate::http) fn of(request: &Request) -> Self {
        let (method, path) = (request.method(), request.uri().path());
        Self {
            is_ours: path.starts_with("/v1/"),
            is_link: path == "/v1/links",
            is_read: matches!(*method, Method::GET | Method::HEAD | Method::DELETE),
        }
    }

    pub(in crate::http) fn as_problem(&self, mut response: Response) -> Response {
        let failed = response.extensions_mut().remove::<Failed>();
        let of_query = response.extensions_mut().remove::<OfQuery>().is_some();
        let Some(Failed(error)) = failed.filter(|_| self.is_ours) else {
            return response;
        };
        let usual = if self.is_read || of_query {
            "query"
        } else {
            "body"
        };
        let elsewhere = ELSEWHERE
            .iter()
            .find(|(name, _)| error.argument() == Some(name));
        let elsewhere = elsewhere.filter(|(name, _)| !(self.is_link && *name == "workspace_id"));
        told(
            &error,
            elsewhere.map_or(usual, |(_, place)| *place),
            response,
        )
    }
}

/// The same answer with another body.
fn told(error: &Error, place: &str, response: Response) -> Response {
    let (status, row) = (response.status(), error.row());
    let (mut parts, _) = response.into_parts();
    let told = if status == StatusCode::UNPROCESSABLE_ENTITY {
        let mistake = Mistake {
            loc: way(place, error),
            msg: error.to_string(),
            r#type: row.code.to_ascii_lowercase(),
        };
        Json(Mistakes {
            detail: vec![mistake],
        })
        .into_response()
    } else {
        let problem = Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: error.to_string(),
            code: row.code,
            error_kind: row.kind,
            hint: match error {
                // The table speaks of links to agents.
                Error::NotFound | Error::NoSuchWorkspace(_) => {
                    "Check the address and the ids in it, and whose key this is."
                }
                Error::Conflict(_) => "Look how it stands now, and decide anew.",
                Error::PermissionDenied(_) | Error::ToolNotEnabled => {
                    "Use a key that may, or have whoever runs this server allow it."
                }
                _ => row.hint,
            },
        };
        let kind = HeaderValue::from_static("application/problem+json");
        ([(header::CONTENT_TYPE, kind)], Json(problem)).into_response()
    };
    let (told, body) = told.into_parts();
    for of_the_body in [header::CONTENT_LENGTH, header::CONTENT_SECURITY_POLICY] {
        parts.headers.remove(of_the_body);
    }
    parts.headers.extend(told.headers);
    Response::from_parts(parts, body)
}

/// The way to what is wrong: `metadata.labels.x: …` in a body is `["body", "metadata", "labels", "x"]`.
fn way(place: &str, error: &Error) -> Vec<Step> {
    let mut way = vec![Step::Name(place.to_owned())];
    let named = error.argument().unwrap_or_default();
    let steps = named.split(['.', '[', ']']).filter(|step| !step.is_empty());
    way.extend(steps.map(|step| match step.parse() {
        Ok(place) => Step::Place(place),
        Err(_) => Step::Name(step.to_owned()),
    }));
    way
}

impl OperationOutput for Error {
    type Inner = Self;

    fn inferred_responses(
        context: &mut GenContext,
        operation: &mut Operation,
    ) -> Vec<(Option<Status>, Described)> {
        const PROBLEMS: [(u16, &str); 8] = [
            (401, "The key is missing, wrong, ended or revoked."),
            (403, "The caller may not do this."),
            (404, "It does not exist, or is not the caller's."),
            (409, "Something stands in the way; the code says what."),
            (
                429,
                "Too many calls, or a quota is used up; `Retry-After` says when to come again, where \
                 that is known.",
            ),
            (500, "Something went wrong in askfile."),
            (
                503,
                "Something that askfile depends on cannot be reached, or it is busy.",
            ),
            (507, "The disk is nearly full."),
        ];
        let mistakes = Json::<Mistakes>::operation_response(context, operation);
        let mistakes = mistakes.map(|mut response| {
            response.description = "What the request carries is not as it should be.".into();
            (Some(Status::Code(422)), response)
        });
        let problems = PROBLEMS.into_iter().filter_map(|(status, why)| {
            let mut response = Json::<Problem>::operation_response(context, operation)?;
            let json = response.content.shift_remove("application/json")?;
            response
                .content
                .insert("application/problem+json".into(), json);
            response.description = why.into();
            Some((Some(Status::Code(status)), response))
        });
        problems.chain(mistakes).collect()
    }
}
