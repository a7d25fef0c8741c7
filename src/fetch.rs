//! Fetching what strangers name: over HTTPS, from public addresses alone, however a name resolves.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use reqwest::{
    Client, Response, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue},
    redirect::Policy,
};

/// How long all of a document may take.
const TIME: Duration = Duration::from_secs(5);

/// Fetches over HTTPS, without following anything anywhere.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client,
    reach: Arc<Reach>,
}

impl Fetcher {
    /// Fetches from public addresses, and from these networks too.
    ///
    /// # Errors
    /// Where this machine has no means for TLS.
    pub fn new(also: &[IpNet]) -> reqwest::Result<Self> {
        let reach = Arc::new(Reach { also: also.into() });
        let as_it_is = HeaderValue::from_static("identity");
        let client = Client::builder()
            .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, as_it_is)]))
            .https_only(true)
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(TIME)
            .user_agent(concat!("askfile/", env!("CARGO_PKG_VERSION")))
            // Connections use what this gives them, so nothing can resolve otherwise in between.
            .dns_resolver(Arc::clone(&reach))
            .build()?;
        Ok(Self { client, reach })
    }

    /// What is there, if it is no larger than this.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub async fn get(&self, url: &str, most_bytes: usize) -> Result<Vec<u8>, NotHad> {
        let url: Url = url.parse().map_err(|_| NotHad::NoAddress)?;
        let mut answer = self.open(url, TIME).await?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| why(&error, TIME))? {
            body.extend_from_slice(&piece);
            if body.len() > most_bytes {
                return Err(NotHad::TooLarge(most_bytes));
            }
        }
        Ok(body)
    }

    /// What is there, while it comes in; all of that may take so long.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn open(&self, url: Url, time: Duration) -> Result<Response, NotHad> {
        // An address in digits is not resolved.
        let literal = match url.host() {
            Some(url::Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(url::Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
            _ => None,
        };
        if literal.is_some_and(|ip| !self.reach.allows(ip)) {
            return Err(NotHad::NotPublic);
        }
        let answer = self.client.get(url).timeout(time).send().await;
        let answer = answer.map_err(|error| why(&error, time))?;
        if !answer.status().is_success() {
            return Err(NotHad::Answers(answer.status()));
        }
        let coding = answer.headers().get(CONTENT_ENCODING);
        if coding.is_some_and(|coding| coding != "identity") {
            return Err(NotHad::Coded);
        }
        Ok(answer)
    }
}

/// Why something cannot be had, as the end of a sentence that begins with its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotHad {
    /// It cannot be read as one.
    #[error("is no address")]
    NoAddress,
    /// Neither there nor to be talked to.
    #[error("is not at a public address")]
    NotPublic,
    /// Nobody is there, or nobody who proves to be it.
    #[error("cannot be reached over HTTPS")]
    Unreached,
    /// It takes too long.
    #[error("does not come within {} s", .0.as_secs())]
    Late(Duration),
    /// Another answer than what is there; redirects are not followed.
    #[error("answers {0}")]
    Answers(StatusCode),
    /// It was asked for as it is.
    #[error("comes compressed")]
    Coded,
    /// More than so many bytes.
    #[error("is larger than {0} bytes")]
    TooLarge(usize),
}

impl NotHad {
    /// Whether somebody answered.
    #[must_use]
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Answers(_) | Self::Coded | Self::TooLarge(_))
    }
}

fn why(error: &reqwest::Error, time: Duration) -> NotHad {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<NoPublicAddress>() {
            return NotHad::NotPublic;
        }
        cause = error.source();
    }
    if error.is_timeout() {
        return NotHad::Late(time);
    }
    NotHad::Unreached
}

/// Which addresses may be talked to.
#[derive(Debug)]
struct Reach {
    also: Vec<IpNet>,
}

/// A name leads nowhere that may be talked to.
#[derive(Debug, thiserror::Error)]
#[error("no public address")]
struct NoPublicAddress;

impl Reach {
    fn allows(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        is_public(ip) || self.also.iter().any(|network| network.contains(&ip))
    }

    /// Those of a name's addresses that may be talked to.
    fn pick(
        &self,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, NoPublicAddress> {
        let allowed: Vec<_> = found.filter(|address| self.allows(address.ip())).collect();
        if allowed.is_empty() {
            return Err(NoPublicAddress);
        }
        Ok(allowed)
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let also = self.also.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = Self { also }.pick(found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the open internet, by the registries of special addresses that IANA
/// keeps (RFC 6890).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let is_special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        // Shared by the customers of a provider, for protocols, for benchmarks, relays of old.
        || (a == 100 && (b & 0b1100_0000) == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b & 0b1111_1110) == 18)
        || (a == 192 && b == 88 && c == 99);
    !is_special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let parts = ip.segments();
    let is_global = (parts[0] & 0xe000) == 0x2000;
    let is_special = parts[0] == 0x2002
        || (parts[0] == 0x2001 && parts[1] < 0x0200)
        || (parts[0] == 0x2001 && parts[1] == 0x0db8)
        || (parts[0] & 0xfff0) == 0x3ff0;
    // What stands for an IPv4 address is judged as that one.
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = parts {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    is_global && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_the_open_internet_is_not_talked_to() {
        let reach = Reach { also: Vec::new() };
        for public in [
            "1.1.1.1",
            "93.184.216.34",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
        ] {
            assert!(reach.allows(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!reach.allows(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn a_name_that_leads_to_several_addresses_leads_to_the_public_ones() {
        let reach = Reach { also: Vec::new() };
        let of = |all: &[&str]| {
            let all: Vec<_> = all
                .iter()
                .map(|ip| SocketAddr::new(ip.parse().unwrap(), 0))
                .collect();
            reach.pick(all.into_iter()).map(|picked| picked.len())
        };
        assert_eq!(of(&["127.0.0.1", "1.1.1.1", "fe80::1"]).unwrap(), 1);
        assert!(of(&["127.0.0.1", "::1"]).is_err());
        assert!(of(&[]).is_err());
    }

    #[test]
    fn networks_of_the_operators_are_reached_too() {
        let also: Vec<IpNet> = vec!["10.1.0.0/16".parse().unwrap()];
        let reach = Reach { also };
        assert!(reach.allows("10.1.2.3".parse().unwrap()));
        assert!(reach.allows("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!reach.allows("10.2.0.1".parse().unwrap()));
    }

    #[tokio::test]
    async fn neither_a_name_nor_digits_lead_to_this_machine() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let fetcher = Fetcher::new(&[]).unwrap();
        for host in [
            "localhost",
            "127.0.0.1",
            "[::ffff:127.0.0.1]",
            "2130706433",
            "0x7f.1",
            "0",
        ] {
            let found = fetcher.get(&format!("https://{host}:{port}/x"), 100).await;
            assert_eq!(found.unwrap_err(), NotHad::NotPublic, "{host}");
        }
        let nobody = listener.accept().unwrap_err();
        assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
        let plain = fetcher
            .get(&format!("http://localhost:{port}/x"), 100)
            .await;
        assert!(plain.is_err());
    }
}
