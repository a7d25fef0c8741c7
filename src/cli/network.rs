//! The addresses by which this machine is reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The address by which this machine reaches itself.
pub(super) fn local_url(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

/// The address by which others in the network reach this listener, as far as can be told.
pub(super) fn reached_at(listen: SocketAddr) -> String {
    match lan_ip() {
        Some(ip) if listen.ip().is_unspecified() => {
            format!("http://{}", SocketAddr::new(ip, listen.port()))
        }
        _ => local_url(listen),
    }
}

/// This machine's address in its network, if it is in one: the one that it would send from. No
/// packet is sent to find out.
pub(super) fn lan_ip() -> Option<IpAddr> {
    // Addresses that are set apart for documentation lead where all others do: to the router.
    const AFAR: [(&str, &str); 2] = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    AFAR.iter().find_map(|(here, there)| {
        let socket = UdpSocket::bind(here).ok()?;
        socket.connect(there).ok()?;
        let ip = socket.local_addr().ok()?.ip();
        (!ip.is_loopback()).then_some(ip)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_everywhere_is_told_as_one_that_can_be_followed() {
        let reached = |listen: &str| reached_at(listen.parse().unwrap());
        assert_eq!(reached("192.168.0.7:80"), "http://192.168.0.7:80");
        assert_eq!(reached("127.0.0.1:80"), "http://127.0.0.1:80");
        assert_eq!(
            local_url("0.0.0.0:80".parse().unwrap()),
            "http://127.0.0.1:80"
        );
        assert_eq!(local_url("[::]:80".parse().unwrap()), "http://[::1]:80");
        for everywhere in ["0.0.0.0:80", "[::]:80"] {
            let url = reached(everywhere);
            assert!(!url.contains("0.0.0.0") && !url.contains("[::]"), "{url}");
        }
    }
}
