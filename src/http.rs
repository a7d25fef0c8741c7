//! The person's side and everything else that speaks HTTP: the router, and the layers around it.

mod address;
mod assets;
mod auth;
mod body;
mod card;
mod download;
mod events;
mod failure;
mod grant;
mod guards;
mod health;
mod linger;
mod link;
mod log;
mod mcp;
mod oauth;
mod page;
mod range;
mod receive;
mod rest;
pub mod serve;
mod sessions;

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, Method, header},
    middleware::{self, Next},
    response::Response,
    routing::{get, post, put},
};
use rmcp::ServerHandler;
use tower_http::cors::{Any, CorsLayer};

pub use self::guards::{Guards, is_links_only};
pub(crate) use self::guards::{UNKNOWN_NAME, is_on_this_machine};
use crate::{mcp::Tools, service::Service};

/// Everything that askfile serves, ready to be merged or nested into any axum server. `listen` is
/// where it will be reached.
///
/// Serve it with connection info, so that the rate limit knows addresses.
pub fn router(service: &Service, listen: SocketAddr) -> Router {
    let tools = Tools::new(service.clone());
    router_with(service, listen, move || tools.clone())
}

/// The same where `handler` speaks MCP, made anew for each connection: one that does more than
/// [`Tools`] and leaves to a clone of them what it does not do itself.
pub fn router_with<H: ServerHandler>(
    service: &Service,
    listen: SocketAddr,
    handler: impl Fn() -> H + Send + Sync + 'static,
) -> Router {
    let agents = mcp::routes(service, handler);
    let programs = rest::routes(service).layer(middleware::from_fn_with_state(
        service.clone(),
        auth::authenticate,
    ));
    let owners = agents.merge(programs).merge(rest::documents());
    with_links(owners, service, listen)
}

/// Signed links alone, with what their page needs, and health: what others in the network may reach.
pub fn page_router(service: &Service, listen: SocketAddr) -> Router {
    with_links(Router::new(), service, listen)
}

fn with_links(owners: Router<Service>, service: &Service, listen: SocketAddr) -> Router {
    let guards = Guards::new(service, listen);
    let links = Router::new()
        .route(
            "/uploads/{token}",
            get(link::show).post(receive::receive).put(receive::receive),
        )
        .route("/uploads/{token}/events", get(events::events))
        .route("/uploads/{token}/qr.svg", get(events::qr_svg))
        .route("/uploads/{token}/grant", post(grant::grant))
        .route(
            "/uploads/{token}/grant/{grant}",
            put(grant::receive).delete(grant::give_back),
        )
        .route(
            "/uploads/{token}/grant/{grant}/complete",
            post(grant::complete),
        )
        .route("/uploads/{token}/decline", post(link::decline))
        .route("/uploads/{token}/done", post(link::done))
        .route("/uploads/{token}/card", get(card::card))
        // Below the layer, which answers what browsers ask first.
        .method_not_allowed_fallback(failure::unknown_method)
        .layer(card_of_a_chat());
    owners
        .merge(links)
        .merge(oauth::routes(service))
        .route("/assets/{name}", get(assets::asset))
        .route("/m/{workspace}/{handle}", get(download::follow_handle))
        .route("/downloads/{workspace}/{media}", get(download::download))
        .route("/previews/{workspace}/{media}", get(download::preview))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .fallback(failure::unknown_route)
        .method_not_allowed_fallback(failure::unknown_method)
        .with_state(service.clone())
        .layer(middleware::from_fn_with_state(guards, answer))
}

/// The card of a chat has no origin that anybody knows. A link is its own authority, and what is here
/// asks for no other: no cookie and no key goes along.
fn card_of_a_chat() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([header::CONTENT_TYPE, receive::ATTEMPT])
        .expose_headers([header::RETRY_AFTER])
        .max_age(Duration::from_secs(600))
}

/// What is done around every route. In layers of its own each of it would hold more than a kilobyte of
/// every request that waits.
async fn answer(State(guards): State<Guards>, request: Request, next: Next) -> Response {
    let line = log::Line::begin(&request);
    let asked = rest::Asked::of(&request);
    let response = match guards.refusal(&request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    let mut response = asked.as_problem(response);
    add_common_headers(&mut response);
    line.end(&response);
    response
}

/// What every answer says, unless it says otherwise itself.
fn add_common_headers(response: &mut Response) {
    const COMMON: [(header::HeaderName, &str); 4] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    let headers = response.headers_mut();
    for (name, value) in COMMON {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}
