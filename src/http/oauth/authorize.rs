//! The pages on which a person lets a client in: a sign-in code first, and then what it is for.
//!
//! Both are one address, that of the request with its query, which is read anew each time: what is
//! decided on is what is shown.

use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use minijinja::{context, value::Serde};
use serde::Serialize;
use subtle::ConstantTimeEq;

use crate::{
    domain::{
        api_key::Secret,
        capability::{Capabilities, Capability},
        client::place_of,
        ids::random_letters,
        language::Language,
    },
    error::{Error, Result},
    http::{
        address::ClientAddress,
        body::whole,
        failure::{failure_page, with_waiting},
        page::{Outcome, Problem, html_response},
    },
    service::{
        Service,
        oauth::{AuthorizationRequest, Parameters, Ticket, Turned},
    },
    template::render,
};

/// The way to the stylesheet's folder.
const ASSETS: &str = "../assets";
/// The cookie that shows that a form came from a page which this browser was given.
const COOKIE: &str = "askfile_consent";
/// How many letters it has: 120 random bits, and more.
const COOKIE_LETTERS: usize = 24;
/// Largest form, in bytes.
const MOST_BYTES: usize = 16 * 1024;

/// `GET /oauth/authorize`: changes nothing.
pub(super) async fn ask(
    State(service): State<Service>,
    ClientAddress(from): ClientAddress,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    match service.authorization_request(&query, from).await {
        Ok(request) => {
            let cookie = cookies(&headers).next().map(str::to_owned);
            let cookie = cookie.unwrap_or_else(|| random_letters(COOKIE_LETTERS));
            sign_in_page(&service, &request, &cookie, None)
        }
        Err(turned) => turned_page(turned),
    }
}

/// `POST /oauth/authorize`: a code that was typed, or what was decided.
pub(super) async fn answer(
    State(service): State<Service>,
    ClientAddress(from): ClientAddress,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let query = query.unwrap_or_default();
    let request = match service.authorization_request(&query, from).await {
        Ok(request) => request,
        Err(turned) => return turned_page(turned),
    };
    let answered = async {
        let body = whole(body, MOST_BYTES).await;
        let body = body.map_err(|why| Error::MalformedBody(why.into()))?;
        let form = Parameters::read(&body);
        let cookie = own_form(&headers, &form)?;
        if let Some(ticket) = field(&form, "ticket") {
            let ticket = Secret::given(ticket);
            let to = service.let_in(&request, &ticket, &cookie).await?;
            return Ok(connected_page(&request, &to));
        }
        let typed = field(&form, "code").unwrap_or_default();
        match service.sign_in(&request, typed, &cookie, from).await {
            Ok(ticket) => Ok(consent_page(&request, &cookie, &ticket)),
            Err(error @ Error::Internal(_)) => Err(error),
            Err(error) => Ok(sign_in_page(&service, &request, &cookie, Some(&error))),
        }
    };
    let answered: Result<Response> = answered.await;
    answered.unwrap_or_else(|error| match error {
        Error::Conflict(why) => {
            let (message, next) = (why.as_str(), ANSWERED);
            let html = Outcome::Failed { message, next }.html(Language::English, ASSETS);
            html_response(StatusCode::CONFLICT, html)
        }
        other => failure_page(&other, Language::English, ASSETS),
    })
}

fn field<'a>(form: &'a Parameters, name: &str) -> Option<&'a str> {
    form.one(name).ok().flatten()
}

/// Other sites can have a browser send forms here, but neither read nor set this cookie.
///
/// # Errors
/// [`Error::PermissionDenied`].
fn own_form(headers: &HeaderMap, form: &Parameters) -> Result<String> {
    let shown = field(form, "form").unwrap_or_default();
    // Other servers of the same host may have set one of the same name.
    let is_own = |cookie: &&str| bool::from(cookie.as_bytes().ct_eq(shown.as_bytes()));
    let own = cookies(headers).find(is_own).map(str::to_owned);
    own.ok_or_else(|| {
        Error::PermissionDenied(
            "This form was not sent from the page that this browser was shown, or it takes no \
             cookies: go back to the program and begin anew."
                .into(),
        )
    })
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let pairs = cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'));
    let values = pairs.filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric();
    values.filter(move |value| value.len() == COOKIE_LETTERS && value.bytes().all(is_letter))
}

/// Who asks, and for what.
#[derive(Serialize)]
struct Asked<'a> {
    client: &'a str,
    place: String,
    capabilities: Vec<&'static str>,
    cancel: String,
}

impl<'a> Asked<'a> {
    fn of(request: &'a AuthorizationRequest, capabilities: Capabilities) -> Self {
        Self {
            client: &request.client.name,
            place: place_of(&request.redirect_uri),
            capabilities: capabilities.iter().map(Capability::for_people).collect(),
            cancel: request.denied(),
        }
    }
}

fn sign_in_page(
    service: &Service,
    request: &AuthorizationRequest,
    cookie: &str,
    error: Option<&Error>,
) -> Response {
    let asked = Asked::of(request, request.capabilities);
    let problem = error.map(|error| Problem {
        next: match error {
            Error::PermissionDenied(_) => NEW_CODE.to_owned(),
            other => Problem::new(Language::English, other).next,
        },
        ..Problem::new(Language::English, error)
    });
    let html = render(
        Language::English,
        "sign-in.html",
        &context! {
            assets => ASSETS, asked => Serde(asked), problem => Serde(problem), form => cookie,
        },
    );
    let status = error.map_or(StatusCode::OK, |error| error.row().status);
    let mut page = of_forms(html_response(status, html));
    let is_https = service.public_url().starts_with("https://");
    let secure = if is_https { "; Secure" } else { "" };
    // Without a path it is for this folder, whatever a proxy puts before it.
    let cookie = format!("{COOKIE}={cookie}; Max-Age=3600; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        page.headers_mut().append(header::SET_COOKIE, cookie);
    }
    match error {
        Some(error) => with_waiting(page, error),
        None => page,
    }
}

const ANSWERED: &str = "If you allowed it, all is done: go back to the program. Otherwise begin anew \
                        there.";
const NEW_CODE: &str = "Look at it again, or ask whoever runs this askfile for a new one.";

fn consent_page(request: &AuthorizationRequest, cookie: &str, ticket: &Ticket) -> Response {
    let signed_in = &ticket.signed_in;
    let allowed = request.capabilities.iter();
    let allowed = allowed.filter(|one| signed_in.capabilities.has(*one));
    let html = render(
        Language::English,
        "consent.html",
        &context! {
            assets => ASSETS, asked => Serde(Asked::of(request, allowed.collect())), form => cookie,
            ticket => ticket.secret.reveal(), person => signed_in.person.as_str(),
            workspace => signed_in.workspace.name.as_str(),
        },
    );
    of_forms(html_response(StatusCode::OK, html))
}

/// The way back is a page: browsers hold what a form leads to against the policy of the page that it was
/// on, and to apps on the device they do not always go by themselves.
fn connected_page(request: &AuthorizationRequest, to: &str) -> Response {
    let client = &request.client.name;
    let html = render(
        Language::English,
        "connected.html",
        &context! { assets => ASSETS, client, to },
    );
    html_response(StatusCode::OK, html)
}

fn turned_page(turned: Turned) -> Response {
    match turned {
        Turned::Away(Error::InvalidArgument(why)) => {
            tracing::info!(why, "a request to be let in was refused");
            let (message, next) = (why.as_str(), "Go back to the program and begin anew there.");
            let html = Outcome::Failed { message, next }.html(Language::English, ASSETS);
            html_response(StatusCode::BAD_REQUEST, html)
        }
        Turned::Away(error) => failure_page(&error, Language::English, ASSETS),
        Turned::Back { client, why, to } => {
            tracing::info!(client.id, why, "a client's request was refused");
            let html = render(
                Language::English,
                "turned-back.html",
                &context! { assets => ASSETS, client => client.name, why, to },
            );
            html_response(StatusCode::BAD_REQUEST, html)
        }
    }
}

/// Without a referrer browsers do not say which site a form is from, which is looked at.
fn of_forms(mut page: Response) -> Response {
    let own = HeaderValue::from_static("same-origin");
    page.headers_mut().insert(header::REFERRER_POLICY, own);
    page
}
