//! Grants below the signed link: leave to send a file, straight into the store where it can take it.

use std::{collections::BTreeMap, net::IpAddr};

use axum::{
    Json,
    extract::{Path, RawQuery, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    address::ClientAddress,
    link::{TokenInPath, small, writable},
    receive::{header_number, stored},
};
use crate::{
    domain::{
        ids::{AttemptId, MediaId},
        transfer::Spec,
    },
    error::{Error, Result},
    service::{
        GrantRequest, Granted, GrantedBody, LinkedSession, Received, Service, answers::rfc3339,
    },
};

/// What a grant is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    filename: String,
    #[serde(default)]
    mime_type: String,
    size_bytes: u64,
    description: Option<String>,
    attempt: Option<String>,
}

/// How the file is to be sent.
#[derive(Serialize)]
struct GrantAnswer {
    grant_id: String,
    method: &'static str,
    url: String,
    headers: BTreeMap<&'static str, String>,
    expires_at: String,
}

/// `POST /uploads/{token}/grant`: asks to send a file of this type and size.
pub(super) async fn grant(
    State(service): State<Service>,
    TokenInPath(token): TokenInPath,
    RawQuery(query): RawQuery,
    ClientAddress(from): ClientAddress,
    request: Request,
) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let link = writable(&service, &token, query.as_deref(), from).await?;
    let asked: Asked = serde_json::from_slice(&small(body).await?)
        .map_err(|error| Error::InvalidArgument(format!("The body asks for no grant: {error}.")))?;
    let attempt: Option<AttemptId> = asked
        .attempt
        .map(|attempt| attempt.parse())
        .transpose()
        .map_err(|_| Error::InvalidArgument("attempt: this is not a UUID.".into()))?;
    let request = GrantRequest {
        spec: Spec {
            filename: asked.filename,
            mime_type: asked.mime_type,
            size_bytes: asked.size_bytes,
            description: asked.description,
        },
        attempt,
        from,
    };
    match service.grant(&link, request).await? {
        Granted::StoredBefore(received) => Ok(stored(&service, &link, &received, &parts.headers)),
        Granted::Granted {
            id,
            upload,
            spec,
            expires_at,
        } => {
            let (url, headers) = match upload {
                Some(upload) => (upload.url, upload.headers.into_iter().collect()),
                None => (own_url(&service, &link, id), own_headers(&spec)),
            };
            let answer = GrantAnswer {
                grant_id: id.to_string(),
                method: "PUT",
                url,
                headers,
                expires_at: rfc3339(expires_at),
            };
            Ok((StatusCode::CREATED, Json(answer)).into_response())
        }
    }
}

/// Where askfile itself takes in what was granted.
fn own_url(service: &Service, link: &LinkedSession, id: MediaId) -> String {
    let (base, token) = (service.public_url(), link.view.session.token);
    format!("{base}/uploads/{token}/grant/{id}?{}", link.query)
}

fn own_headers(spec: &Spec) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("content-type", spec.mime_type.clone()),
        ("content-length", spec.size_bytes.to_string()),
    ])
}

/// `PUT /uploads/{token}/grant/{grant}`: the file, where askfile itself takes it in.
pub(super) async fn receive(
    State(service): State<Service>,
    Path((token, grant)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    ClientAddress(from): ClientAddress,
    request: Request,
) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let (link, id) = granted(&service, &token, &grant, query.as_deref(), from).await?;
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let sent = GrantedBody {
        body,
        mime_type: content_type.and_then(|value| value.to_str().ok().map(str::to_owned)),
        size_bytes: header_number(&parts.headers),
    };
    let received = service.receive_granted(&link, id, sent).await?;
    Ok(stored(&service, &link, &received, &parts.headers))
}

/// `DELETE /uploads/{token}/grant/{grant}`: nothing will be sent under it.
pub(super) async fn give_back(
    State(service): State<Service>,
    Path((token, grant)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    ClientAddress(from): ClientAddress,
) -> Result<StatusCode> {
    let (link, id) = granted(&service, &token, &grant, query.as_deref(), from).await?;
    service.give_back(&link, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /uploads/{token}/grant/{grant}/complete`: the file was sent; answers as for a file that
/// came through askfile.
pub(super) async fn complete(
    State(service): State<Service>,
    Path((token, grant)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    ClientAddress(from): ClientAddress,
    headers: HeaderMap,
) -> Result<Response> {
    let (link, id) = granted(&service, &token, &grant, query.as_deref(), from).await?;
    let received: Received = service.complete_grant(&link, id).await?;
    Ok(stored(&service, &link, &received, &headers))
}

/// A link that is opened for writing, and the grant below it.
async fn granted(
    service: &Service,
    token: &str,
    grant: &str,
    query: Option<&str>,
    from: IpAddr,
) -> Result<(LinkedSession, MediaId)> {
    let link = writable(service, token, query, from).await?;
    Ok((link, grant.parse().map_err(|_| Error::NotFound)?))
}
