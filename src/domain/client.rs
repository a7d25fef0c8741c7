//! OAuth clients: programs that want to act for a person, and where their answers may be sent.

use http::{Uri, uri::Authority};

/// Most addresses that a client may name, and the longest of one, in bytes.
const MOST_REDIRECTS: usize = 10;
const LONGEST_REDIRECT: usize = 1_000;

/// Schemes that a browser itself does something with, so that no program on the device is meant.
#[rustfmt::skip]
const NOT_A_PROGRAM: [&str; 38] = [
    "about", "blob", "callto", "chrome", "content", "data", "facetime", "feed", "file", "filesystem",
    "ftp", "geo", "http", "intent", "irc", "jar", "javascript", "livescript", "magnet", "mailto",
    "news", "resource", "search-ms", "sip", "sips", "sms", "smsto", "ssh", "steam", "tel", "telnet",
    "urn", "vbscript", "view-source", "webcal", "ws", "wss", "xmpp",
];

/// What schemes begin or end with that open pages, parts of a browser, or programs of the system.
const NOT_A_PROGRAMS_START: [&str; 6] = ["web+", "ms-", "microsoft-", "google", "x-", "firefox"];
const NOT_A_PROGRAMS_END: &str = "-extension";

/// A program that asks to be let in. All of them are public: what anybody may register, or anybody may
/// read, is no secret (RFC 6749, section 2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its name for programs: made up by us, or the address of its metadata document.
    pub id: String,
    /// What it calls itself.
    pub name: String,
    /// Where answers to it may be sent.
    pub redirect_uris: Vec<String>,
}

impl Client {
    /// Where an answer is sent: to the address that was asked for if it is one of the client's, or to its
    /// only one where none was. `None`: nowhere.
    #[must_use]
    pub fn redirect_for(&self, asked: Option<&str>) -> Option<String> {
        match (asked, self.redirect_uris.as_slice()) {
            (Some(asked), known) => {
                let is_known = known.iter().any(|known| is_same(known, asked));
                is_known.then(|| asked.to_owned())
            }
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
        }
    }
}

/// Whether these may be a client's addresses.
///
/// # Errors
/// What is wrong, as a sentence.
pub fn check_redirects(uris: &[String]) -> Result<(), String> {
    if !(1..=MOST_REDIRECTS).contains(&uris.len()) {
        return Err(format!("redirect_uris: 1 to {MOST_REDIRECTS} addresses."));
    }
    for uri in uris {
        check_redirect(uri).map_err(|why| format!("redirect_uris: `{uri}` {why}."))?;
    }
    Ok(())
}

fn check_redirect(uri: &str) -> Result<(), &'static str> {
    // Some programs drop what others take for a part of the address.
    let is_plain = uri.bytes().all(|byte| byte.is_ascii_graphic()) && !uri.contains('\\');
    if !is_plain || uri.len() > LONGEST_REDIRECT {
        return Err("is no address, or too long a one");
    }
    if uri.contains('#') {
        return Err("has a fragment");
    }
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme);
    let scheme = scheme.ok_or("has no scheme")?;
    let is_word = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte)
        });
    if !is_word {
        return Err("has no scheme in small letters");
    }
    match web_address(uri) {
        Some((_, authority, _)) if authority.as_str().contains('@') => {
            Err("has a name before its host")
        }
        Some(("https", ..)) => Ok(()),
        Some((_, authority, _)) if is_loopback(&authority) => Ok(()),
        _ if scheme == "https" => Err("has no host"),
        _ if opens_something_else(scheme) || leads_on(&uri[scheme.len() + 1..]) => {
            Err("is neither https, nor on this device, nor a scheme of a program's own")
        }
        _ => Ok(()),
    }
}

fn opens_something_else(scheme: &str) -> bool {
    let mut starts = NOT_A_PROGRAMS_START.iter();
    NOT_A_PROGRAM.contains(&scheme)
        || scheme.ends_with(NOT_A_PROGRAMS_END)
        || starts.any(|start| scheme.starts_with(start))
}

/// Whether another address is in what a program would be told.
fn leads_on(rest: &str) -> bool {
    ["http:", "https:", "http%3a", "https%3a"]
        .iter()
        .any(|web| rest.to_ascii_lowercase().contains(web))
}

/// The host that answers are sent to, or the program on this device, for people.
#[must_use]
pub fn place_of(redirect: &str) -> String {
    match web_address(redirect) {
        Some((_, authority, _)) if is_loopback(&authority) => "this device".to_owned(),
        Some((_, authority, _)) => authority.host().to_owned(),
        None => {
            let scheme = redirect.split(':').next().unwrap_or_default();
            format!("an app on this device ({scheme}:)")
        }
    }
}

/// Exactly the same; on this device with any port, since programs there take the one that is free
/// (RFC 8252, section 7.3).
fn is_same(known: &str, asked: &str) -> bool {
    if known == asked {
        return true;
    }
    let (Some(known), Some(asked)) = (web_address(known), web_address(asked)) else {
        return false;
    };
    let is_local = |(scheme, authority, _): &(&str, Authority, &str)| {
        let port = authority.as_str().strip_prefix(authority.host());
        let port = port.map(|port| port.strip_prefix(':').unwrap_or("0"));
        // One port has one spelling.
        let is_port = |port: &str| port.parse().is_ok_and(|read: u16| read.to_string() == port);
        let has_port = port.is_some_and(is_port);
        *scheme == "http" && is_loopback(authority) && has_port
    };
    is_local(&known) && is_local(&asked) && known.1.host() == asked.1.host() && known.2 == asked.2
}

/// Scheme, authority and all behind it, as they are written.
fn web_address(uri: &str) -> Option<(&str, Authority, &str)> {
    let (scheme, rest) = uri.split_once("://")?;
    if !matches!(scheme, "http" | "https") || uri.parse::<Uri>().is_err() {
        return None;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let authority: Authority = authority.parse().ok()?;
    (!authority.host().is_empty()).then_some((scheme, authority, rest))
}

fn is_loopback(authority: &Authority) -> bool {
    matches!(authority.host(), "127.0.0.1" | "[::1]" | "localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uris: &[&str]) -> Client {
        Client {
            id: "client".into(),
            name: "A program".into(),
            redirect_uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
        }
    }

    #[test]
    fn an_answer_goes_to_exactly_the_address_that_the_client_named() {
        let client = of(&["https://chat.example/back?a=1"]);
        let known = "https://chat.example/back?a=1";
        assert_eq!(client.redirect_for(Some(known)).as_deref(), Some(known));
        for other in [
            "https://chat.example/back",
            "https://chat.example/back?a=1&b=2",
            "https://chat.example/back?a=1/",
            "https://chat.example/BACK?a=1",
            "https://CHAT.example/back?a=1",
            "https://chat.example:443/back?a=1",
            "https://chat.example:8443/back?a=1",
            "https://chat.example@evil.example/back?a=1",
            "https://evil@chat.example/back?a=1",
            "https://chat.example.evil.example/back?a=1",
            "http://chat.example/back?a=1",
            "https://chat.example/back/../back?a=1",
            "https://chat.example/b%61ck?a=1",
            "",
        ] {
            assert_eq!(client.redirect_for(Some(other)), None, "{other}");
        }
    }

    #[test]
    fn a_program_on_the_device_may_take_any_port_and_nothing_else() {
        let client = of(&[
            "http://127.0.0.1/back",
            "http://localhost:3000/",
            "http://[::1]:1/x",
        ]);
        for same in [
            "http://127.0.0.1/back",
            "http://127.0.0.1:51234/back",
            "http://localhost:9/",
            "http://localhost/",
            "http://[::1]:65535/x",
        ] {
            assert_eq!(client.redirect_for(Some(same)).as_deref(), Some(same));
        }
        for other in [
            "http://127.0.0.1:51234/back/more",
            "http://127.0.0.1:51234/back?a",
            "http://127.0.0.1:51234",
            "http://127.0.0.2:51234/back",
            "http://localhost:51234/back",
            "https://127.0.0.1:51234/back",
            "http://127.0.0.1:80@evil.example/back",
            "http://evil@127.0.0.1:80/back",
            "http://127.0.0.1:99999/back",
            "http://127.0.0.1:+80/back",
            "http://127.0.0.1:0080/back",
            "http://127.0.0.1.evil.example:80/back",
        ] {
            assert_eq!(client.redirect_for(Some(other)), None, "{other}");
        }
        let elsewhere = of(&["http://example.com:80/back"]);
        assert_eq!(
            elsewhere.redirect_for(Some("http://example.com:81/back")),
            None
        );
    }

    #[test]
    fn without_an_address_the_only_one_is_meant() {
        assert_eq!(
            of(&["app:/a"]).redirect_for(None).as_deref(),
            Some("app:/a")
        );
        assert_eq!(of(&["app:/a", "app:/b"]).redirect_for(None), None);
    }

    #[test]
    fn addresses_that_lead_into_a_browser_or_over_the_open_net_are_refused() {
        for right in [
            "https://chatgpt.com/connector/oauth/abc",
            "https://claude.ai/api/mcp/auth_callback",
            "http://127.0.0.1:33418/",
            "http://localhost/callback",
            "http://[::1]:8080/x?y=z",
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "com.example.app:/oauth",
        ] {
            assert_eq!(check_redirects(&[right.into()]), Ok(()), "{right}");
        }
        for wrong in [
            "",
            "/back",
            "//chat.example/back",
            "http://chat.example/back",
            "http://127.0.0.1@evil.example/",
            "http://127.0.0.1.evil.example/",
            "http://localhost.evil.example/",
            "https://",
            "https:chat.example",
            "https://me@chat.example/back",
            "https://chat.example/back#part",
            "https://chat.example/ba ck",
            "https://chat.example\\@evil.example/",
            "HTTPS://chat.example/back",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "blob:https://chat.example/x",
            "view-source:https://chat.example",
            "microsoft-edge:https://evil.example/",
            "googlechromes://evil.example/",
            "x-safari-https://evil.example/",
            "firefox://open-url?url=x",
            "web+evil://back",
            "ms-word:ofe|u|x",
            "chrome-extension://x/",
            "app:open?url=https://evil.example",
            "webcal://evil.example/",
        ] {
            assert!(check_redirects(&[wrong.into()]).is_err(), "{wrong}");
        }
        assert!(check_redirects(&[]).is_err());
        let many = vec!["https://chat.example/".to_owned(); 11];
        assert!(check_redirects(&many).is_err());
    }

    #[test]
    fn people_read_where_an_answer_goes() {
        for (redirect, place) in [
            ("https://chatgpt.com/connector/oauth/abc", "chatgpt.com"),
            ("http://127.0.0.1:33418/", "this device"),
            (
                "cursor://anysphere.cursor-mcp/oauth",
                "an app on this device (cursor:)",
            ),
        ] {
            assert_eq!(place_of(redirect), place);
        }
    }
}
