//! Who may talk to this server at all: the checks that come before every route.
//!
//! A web page that somebody visits can send requests to 127.0.0.1, and a name that an attacker owns
//! can be made to point there. In `open` mode a tunnel in front of the server would make everybody
//! a caller. So names, origins and forwarded requests are checked before anything is done.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::Request,
    http::{HeaderMap, Method, Uri, header, uri::Authority},
    response::Response,
};

use super::{
    failure::{assets_from, failed},
    oauth::AUTHORIZE,
};
use crate::{
    config::Settings,
    error::{Error, Result},
    service::Service,
};

/// What the checks are made against.
#[derive(Debug, Clone)]
pub struct Guards(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    public: Option<Authority>,
    public_origin: String,
    /// Whether people reach this server by a name that is not this machine's own.
    is_public: bool,
    listen: IpAddr,
    /// Whether nobody is asked who they are, and the operator has not said that this is meant.
    is_unlocked: bool,
}

/// Said where the Host is nobody's whom we know.
pub(crate) const UNKNOWN_NAME: &str =
    "This server does not answer to that name; if it should, set public_url.";

/// What a route is for, as far as the checks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// The signed link carries its own authority, and people follow it from anywhere.
    Link,
    /// Says nothing and changes nothing.
    Public,
    /// Acts on the caller's authority.
    Operations,
}

impl Guards {
    /// Guards for a service that is reached at `listen` and at its public address.
    #[must_use]
    pub fn new(service: &Service, listen: SocketAddr) -> Self {
        let public: Option<Uri> = service.public_url().parse().ok();
        let public_origin = public.as_ref().map_or_else(String::new, |uri| {
            let (scheme, authority) = (uri.scheme_str(), uri.authority());
            format!(
                "{}://{}",
                scheme.unwrap_or("http"),
                authority.map_or("", Authority::as_str)
            )
        });
        Self(Arc::new(Parts {
            public: public.and_then(|uri| uri.authority().cloned()),
            public_origin: public_origin.to_ascii_lowercase(),
            is_public: is_public(service.settings(), &service.public_url()),
            listen: listen.ip(),
            is_unlocked: is_unlocked(service.settings()),
        }))
    }

    /// What a request that may not come in is told.
    pub(super) fn refusal(&self, request: &Request) -> Option<Response> {
        let (headers, uri) = (request.headers(), request.uri());
        let zone = zone(request.method(), uri.path());
        let error = self.check(zone, headers, uri).err()?;
        Some(failed(error, headers, &assets_from(uri.path())))
    }

    fn check(&self, zone: Zone, headers: &HeaderMap, uri: &Uri) -> Result<()> {
        let host =
            host(headers, uri).ok_or_else(|| denied("The request does not say its Host."))?;
        let is_public = self
            .0
            .public
            .as_ref()
            .is_some_and(|public| same_host(public, &host));
        if !is_loopback(host.host()) && !is_public && !self.is_address_of_ours(host.host()) {
            return Err(denied(UNKNOWN_NAME));
        }
        if zone == Zone::Operations {
            self.must_not_be_a_stranger(headers, &host)?;
            self.must_be_local(headers, &host)?;
        }
        Ok(())
    }

    /// A name that is an address cannot be made to point elsewhere.
    fn is_address_of_ours(&self, host: &str) -> bool {
        let address = address(host);
        address.is_some_and(|ip| ip == self.0.listen || self.0.listen.is_unspecified())
    }

    /// Another web page must not act with this server's authority.
    fn must_not_be_a_stranger(&self, headers: &HeaderMap, host: &Authority) -> Result<()> {
        let cross_site = headers
            .get("sec-fetch-site")
            .is_some_and(|value| value.as_bytes() == b"cross-site");
        let foreign = headers.get_all(header::ORIGIN).iter().any(|origin| {
            let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
            let own = format!("http://{host}").to_ascii_lowercase();
            origin != own && origin != self.0.public_origin
        });
        if cross_site || foreign {
            return Err(denied("Requests from other web pages are not taken here."));
        }
        Ok(())
    }

    /// Without a lock on the door, only this machine may come in.
    fn must_be_local(&self, headers: &HeaderMap, host: &Authority) -> Result<()> {
        if !self.0.is_unlocked {
            return Ok(());
        }
        let forwarded = headers.keys().any(|name| {
            let name = name.as_str();
            name == "forwarded" || name.starts_with("x-forwarded-") || name.starts_with("cf-")
        });
        if forwarded || self.0.is_public || !is_loopback(host.host()) {
            return Err(denied(
                "This askfile takes everybody for its owner, so behind a proxy, a tunnel or a \
                 public name it serves signed links only. Its operator can ask for keys with \
                 --auth keys.",
            ));
        }
        Ok(())
    }
}

fn denied(why: &str) -> Error {
    Error::PermissionDenied(why.to_owned())
}

fn zone(method: &Method, path: &str) -> Zone {
    if ["/uploads/", "/m/", "/downloads/", "/previews/"]
        .iter()
        .any(|start| path.starts_with(start))
    {
        Zone::Link
    } else if path.starts_with("/assets/")
        || path.starts_with("/.well-known/")
        // Its forms are sent from its own page alone.
        || (path.starts_with("/oauth/") && (path != AUTHORIZE || method != Method::POST))
        || matches!(path, "/healthz" | "/readyz")
    {
        Zone::Public
    } else {
        Zone::Operations
    }
}

/// The one host that a request names.
fn host(headers: &HeaderMap, uri: &Uri) -> Option<Authority> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok()?.parse().ok(),
        (None, None) => uri.authority().cloned(),
        _ => None,
    }
}

fn same_host(a: &Authority, b: &Authority) -> bool {
    a.host().eq_ignore_ascii_case(b.host())
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// Whether this names the machine itself.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || address(host).is_some_and(|ip| ip.to_canonical().is_loopback())
}

/// Whether only this machine can open what is there.
pub(crate) fn is_on_this_machine(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    uri.as_ref().and_then(Uri::host).is_none_or(is_loopback)
}

/// Whether people reach a server with these settings, at this public address, by a name that is not
/// this machine's own.
fn is_public(settings: &Settings, public_url: &str) -> bool {
    // Where the page has a listener of its own, the public name leads to that one.
    !is_on_this_machine(public_url) && settings.page_listen.is_none()
}

/// Whether a server with these settings, at this public address, answers nothing but signed links
/// and health, because that address is not this machine.
#[must_use]
pub fn is_links_only(settings: &Settings, public_url: &str) -> bool {
    is_public(settings, public_url) && is_unlocked(settings)
}

/// Whether everybody is taken for the owner, and that is not known to be meant.
fn is_unlocked(settings: &Settings) -> bool {
    settings.auth.is_open() && !settings.i_know_this_is_open
}
