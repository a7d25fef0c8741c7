//! The programs' side: everything below `/v1`, and the document that describes it.

mod docs;
mod extract;
mod failure;
mod keys;
mod links;
mod media;
mod openapi;
mod repeat;
mod routes;
mod targets;
mod uploads;
mod workspaces;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};

pub(super) use self::failure::Asked;
use self::routes::Routes;
use crate::{domain::caller::Caller, service::Service};

/// Every route.
fn all<R: Routes>(routes: R) -> R {
    let routes = links::routes(routes);
    let routes = uploads::routes(routes);
    let routes = media::routes(routes);
    let routes = targets::routes(routes);
    let routes = workspaces::routes(routes);
    keys::routes(routes)
}

/// The routes that act on a caller's authority.
pub(super) fn routes(service: &Service) -> Router<Service> {
    all(Router::new())
        .layer(middleware::from_fn_with_state(
            service.clone(),
            repeat::once,
        ))
        .layer(middleware::from_fn_with_state(service.clone(), charge))
}

/// What describes them, for everybody.
pub(super) fn documents() -> Router<Service> {
    Router::new()
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(openapi::page))
}

/// Says who calls, also where nobody was asked, and counts the call.
async fn charge(State(service): State<Service>, mut request: Request, next: Next) -> Response {
    let extensions = request.extensions_mut();
    let caller = extensions.get_or_insert_with(|| service.open_caller(None));
    match service.charge_call(caller) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}
