//! Where a request comes from: the one place that says so.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{Extensions, HeaderMap, HeaderName, header::FORWARDED, request::Parts},
};
use ipnet::IpNet;

use crate::service::Service;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of who sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The other end of the connection; where that is a proxy that the operator trusts, whom it names.
    pub(super) fn of(service: &Service, extensions: &Extensions, headers: &HeaderMap) -> Self {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
        Self(client(peer, headers, &service.settings().trusted_proxies))
    }
}

impl FromRequestParts<Service> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Infallible> {
        Ok(Self::of(service, &parts.extensions, &parts.headers))
    }
}

/// A proxy adds whom it serves at the right of one of the two headers, and may pass the other on as a
/// client made it up. So where they differ, neither is believed.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let named = [&X_FORWARDED_FOR, &FORWARDED].map(|header| {
        let hops = hops(headers, header)?;
        Some(first_stranger(peer, &hops, trusted))
    });
    match named {
        [Some(one), Some(other)] if one != other => peer,
        [Some(named), _] | [None, Some(named)] => named,
        [None, None] => peer,
    }
}

/// The hop, seen from here, before which nobody is to be believed.
fn first_stranger(peer: IpAddr, hops: &[&str], trusted: &[IpNet]) -> IpAddr {
    let mut last = peer;
    for hop in hops.iter().rev() {
        let Some(address) = parse(hop) else {
            break;
        };
        last = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    last
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// Those whom a header names, from the client to us; `None` where there is no such header.
fn hops<'a>(headers: &'a HeaderMap, header: &HeaderName) -> Option<Vec<&'a str>> {
    let mut lines = headers.get_all(header).iter().peekable();
    lines.peek()?;
    // What is no text names nobody, but has its place.
    let elements = lines.flat_map(|line| line.to_str().unwrap_or_default().split(','));
    Some(if header == FORWARDED {
        elements.map(forwarded_for).collect()
    } else {
        elements.collect()
    })
}

/// The `for` of an element such as `for="[2001:db8::1]:4711";proto=https` (RFC 7239).
fn forwarded_for(element: &str) -> &str {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    named.next().map_or("", |(_, node)| node)
}

/// An address as proxies write it: bare, in brackets, with a port or without.
fn parse(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim().trim_matches('"');
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let address = bare.unwrap_or(hop).parse();
    let address = address.or_else(|_| hop.parse().map(|with_port: SocketAddr| with_port.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who a request from this peer, with these headers, is from; `10.0.0.0/8` and `::1` are trusted.
    fn seen(peer: &str, headers: &[(&HeaderName, &str)]) -> String {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| ((*name).clone(), value.parse().unwrap()))
            .collect();
        let trusted = ["10.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap());
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn the_first_hop_that_is_not_trusted_is_the_client() {
        #[rustfmt::skip]
        let table = [
            // peer      X-Forwarded-For                              client
            ("10.0.0.1", "203.0.113.7",                               "203.0.113.7"),
            ("10.0.0.1", "198.51.100.1, 203.0.113.7",                 "203.0.113.7"),
            ("10.0.0.1", "198.51.100.1,203.0.113.7, 10.0.0.2 ,10.9.9.9", "203.0.113.7"),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2",                        "10.0.0.3"),
            ("10.0.0.1", "203.0.113.7:4711",                          "203.0.113.7"),
            ("10.0.0.1", "[2001:db8::1]:4711, 10.0.0.2",              "2001:db8::1"),
            ("10.0.0.1", "2001:db8::1",                               "2001:db8::1"),
            ("10.0.0.1", "::ffff:203.0.113.7",                        "203.0.113.7"),
            ("10.0.0.1", "203.0.113.7, unknown",                      "10.0.0.1"),
            ("10.0.0.1", "203.0.113.7, unknown, 10.0.0.2",            "10.0.0.2"),
            ("10.0.0.1", "",                                          "10.0.0.1"),
            ("::ffff:10.0.0.1", "203.0.113.7",                        "203.0.113.7"),
            ("::1",      "203.0.113.7",                               "203.0.113.7"),
            ("192.0.2.1", "203.0.113.7",                              "192.0.2.1"),
            ("192.0.2.1", "10.0.0.2",                                 "192.0.2.1"),
        ];
        for (peer, value, client) in table {
            let header = [(&X_FORWARDED_FOR, value)];
            assert_eq!(seen(peer, &header), client, "{peer} with {value}");
        }
        let lines = [
            (&X_FORWARDED_FOR, "198.51.100.1"),
            (&X_FORWARDED_FOR, "203.0.113.7"),
        ];
        assert_eq!(seen("10.0.0.1", &lines), "203.0.113.7");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn the_standard_header_is_read_the_same_way() {
        #[rustfmt::skip]
        let table = [
            ("for=203.0.113.7",                                          "203.0.113.7"),
            ("For=\"203.0.113.7:80\";proto=https, for=10.0.0.2",         "203.0.113.7"),
            ("for=198.51.100.1, proto=https; for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("for=203.0.113.7, for=_hidden",                             "10.0.0.1"),
            ("for=203.0.113.7, proto=https",                             "10.0.0.1"),
        ];
        for (value, client) in table {
            let header = [(&FORWARDED, value)];
            assert_eq!(seen("10.0.0.1", &header), client, "{value}");
        }
    }

    #[test]
    fn a_header_that_the_proxy_passed_on_does_not_help() {
        let both = |forwarded| {
            let headers = [(&X_FORWARDED_FOR, "203.0.113.7"), (&FORWARDED, forwarded)];
            seen("10.0.0.1", &headers)
        };
        assert_eq!(both("for=203.0.113.7"), "203.0.113.7");
        assert_eq!(both("for=198.51.100.1"), "10.0.0.1");
    }
}
