//! Hosts that files are fetched from.

use std::str::FromStr;

use super::{Form, words};

/// A host; or with `*.` before it, those below it; or `*`, every one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern(String);

impl HostPattern {
    /// Whether this host, in small letters, is one of them.
    #[must_use]
    pub fn takes(&self, host: &str) -> bool {
        match self.0.strip_prefix('*') {
            Some(rest) => host.ends_with(rest) && host.len() > rest.len(),
            None => self.0 == host,
        }
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.to_ascii_lowercase();
        let name = text.strip_prefix("*.").unwrap_or(&text);
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        let is_host = !name.is_empty() && name.bytes().all(is_letter) && !name.starts_with('.');
        if is_host || text == "*" {
            return Ok(Self(text));
        }
        Err(format!(
            "`{text}` is no host such as `files.example.com` or `*.example.com`"
        ))
    }
}

/// Hosts with commas between, or `none`.
pub struct Hosts;

impl Form for Hosts {
    type Value = Vec<HostPattern>;

    fn placeholder(&self) -> &'static str {
        "HOSTS"
    }

    fn read(&self, text: &str) -> Result<Vec<HostPattern>, String> {
        let hosts = if text == "none" { vec![] } else { words(text) };
        let hosts = hosts.into_iter().map(str::parse);
        let hosts =
            hosts.map(|host| host.map_err(|problem: String| format!("is refused: {problem}")));
        hosts.collect()
    }

    fn show(&self, hosts: &Vec<HostPattern>) -> String {
        if hosts.is_empty() {
            return "none".to_owned();
        }
        let texts: Vec<&str> = hosts.iter().map(|host| host.0.as_str()).collect();
        texts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_a_host_or_those_below_it() {
        let hosts = Hosts.read("files.example.com, *.Example.org").unwrap();
        assert_eq!(Hosts.show(&hosts), "files.example.com, *.example.org");
        let takes = |host: &str| hosts.iter().any(|pattern| pattern.takes(host));
        for right in ["files.example.com", "a.example.org", "a.b.example.org"] {
            assert!(takes(right), "{right}");
        }
        for wrong in [
            "example.com",
            "x.files.example.com",
            "files.example.com.evil.example",
            "example.org",
            ".example.org",
            "evilexample.org",
            "",
        ] {
            assert!(!takes(wrong), "{wrong}");
        }
        assert!(Hosts.read("*").unwrap()[0].takes("anything.example"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for wrong in [
            "https://example.com",
            "example.com:443",
            "*example.com",
            "*.",
            ".",
        ] {
            assert!(Hosts.read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Hosts.show(&Hosts.read("none").unwrap()), "none");
    }
}
