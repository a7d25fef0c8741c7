//! Addresses and folders.

use std::{
    net::{AddrParseError, IpAddr, SocketAddr},
    path::PathBuf,
};

use directories::{BaseDirs, ProjectDirs};
use ipnet::IpNet;

use super::{Form, words};
use crate::{
    intake::scan::Clamd,
    objects::{Place, Reach},
};

/// An IP address with a port.
pub struct Address;

impl Form for Address {
    type Value = SocketAddr;

    fn placeholder(&self) -> &'static str {
        "ADDRESS"
    }

    fn read(&self, text: &str) -> Result<SocketAddr, String> {
        text.parse().map_err(|_| {
            "is not an IP address with a port; write it as `127.0.0.1:8787`".to_owned()
        })
    }

    fn show(&self, address: &SocketAddr) -> String {
        address.to_string()
    }
}

/// The same, or `none`.
pub struct PageAddress;

impl Form for PageAddress {
    type Value = Option<SocketAddr>;

    fn placeholder(&self) -> &'static str {
        Address.placeholder()
    }

    fn read(&self, text: &str) -> Result<Option<SocketAddr>, String> {
        match text {
            "none" => Ok(None),
            text => Address.read(text).map(Some),
        }
    }

    fn show(&self, address: &Option<SocketAddr>) -> String {
        address.map_or_else(|| "none".to_owned(), |address| address.to_string())
    }
}

/// Addresses and networks with commas between, or `none`.
pub struct Networks;

impl Form for Networks {
    type Value = Vec<IpNet>;

    fn placeholder(&self) -> &'static str {
        "NETWORKS"
    }

    fn read(&self, text: &str) -> Result<Vec<IpNet>, String> {
        let networks = if text == "none" { vec![] } else { words(text) };
        let networks = networks.into_iter().map(|word| {
            let network = word.parse().or_else(|_| word.parse().map(IpAddr::into));
            network.map_err(|_: AddrParseError| {
                format!(
                    "is refused: `{word}` is neither an IP address nor a network such as `10.0.0.0/8`"
                )
            })
        });
        networks.collect()
    }

    fn show(&self, networks: &Vec<IpNet>) -> String {
        if networks.is_empty() {
            return "none".to_owned();
        }
        let texts = networks.iter().map(|network| {
            if network.prefix_len() == network.max_prefix_len() {
                network.addr().to_string()
            } else {
                network.to_string()
            }
        });
        texts.collect::<Vec<_>>().join(", ")
    }
}

/// Where a web server is reached, with a path before its own paths if need be; or `none`.
pub struct PublicUrl;

impl Form for PublicUrl {
    type Value = Option<String>;

    fn placeholder(&self) -> &'static str {
        "URL"
    }

    fn read(&self, text: &str) -> Result<Option<String>, String> {
        if text == "none" {
            return Ok(None);
        }
        let no_url = || "is not an address such as `https://files.example.com`".to_owned();
        let url: http::Uri = text.parse().map_err(|_| no_url())?;
        let host = url
            .authority()
            .filter(|authority| !authority.host().is_empty());
        let (Some(scheme @ ("http" | "https")), Some(host)) = (url.scheme_str(), host) else {
            return Err(no_url());
        };
        if host.as_str().contains('@') {
            return Err("has a user name in it; give the address alone".to_owned());
        }
        // A fragment is not part of a Uri, so it is looked for in the text.
        if text.contains(['?', '#']) {
            return Err("has a query or a fragment; give the address alone".to_owned());
        }
        let host = host.as_str().to_ascii_lowercase();
        Ok(Some(format!(
            "{scheme}://{host}{}",
            url.path().trim_end_matches('/')
        )))
    }

    fn show(&self, url: &Option<String>) -> String {
        url.clone().unwrap_or_else(|| "none".to_owned())
    }
}

/// Where a scanner listens, or `none`.
pub struct Scanner;

impl Form for Scanner {
    type Value = Option<Clamd>;

    fn placeholder(&self) -> &'static str {
        "CLAMD"
    }

    fn read(&self, text: &str) -> Result<Option<Clamd>, String> {
        match text {
            "none" => Ok(None),
            text => text.parse().map(Some).map_err(str::to_owned),
        }
    }

    fn show(&self, clamd: &Option<Clamd>) -> String {
        clamd
            .as_ref()
            .map_or_else(|| "none".to_owned(), ToString::to_string)
    }
}

/// `disk`, or `s3://` and a bucket, with a prefix or without.
pub struct Objects;

impl Form for Objects {
    type Value = Place;

    fn placeholder(&self) -> &'static str {
        "PLACE"
    }

    fn read(&self, text: &str) -> Result<Place, String> {
        text.parse().map_err(str::to_owned)
    }

    fn show(&self, place: &Place) -> String {
        place.to_string()
    }
}

/// The address of a store as others reach it; `auto`: as we do, `none`: not at all.
pub struct StoreReach;

impl Form for StoreReach {
    type Value = Reach;

    fn placeholder(&self) -> &'static str {
        PublicUrl.placeholder()
    }

    fn read(&self, text: &str) -> Result<Reach, String> {
        match text {
            "auto" => Ok(Reach::Same),
            text => Ok(PublicUrl.read(text)?.map_or(Reach::Not, Reach::At)),
        }
    }

    fn show(&self, reach: &Reach) -> String {
        match reach {
            Reach::Same => "auto".to_owned(),
            Reach::At(url) => url.clone(),
            Reach::Not => "none".to_owned(),
        }
    }
}

/// A folder; `auto` is the place for data on this platform, `~/` the account's home.
pub struct Folder;

impl Form for Folder {
    type Value = PathBuf;

    fn placeholder(&self) -> &'static str {
        "FOLDER"
    }

    fn read(&self, text: &str) -> Result<PathBuf, String> {
        let folder = if text == "auto" {
            ProjectDirs::from("", "", "askfile").map(|dirs| dirs.data_local_dir().to_owned())
        } else if let Some(below) = text.strip_prefix("~/") {
            BaseDirs::new().map(|dirs| dirs.home_dir().join(below))
        } else {
            Some(PathBuf::from(text))
        };
        folder.ok_or_else(|| "is in the account's home, which it has not; name a folder".to_owned())
    }

    fn show(&self, folder: &PathBuf) -> String {
        folder.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port() {
        for text in ["127.0.0.1:8787", "[::1]:80"] {
            assert_eq!(Address.show(&Address.read(text).unwrap()), text);
        }
        for text in ["127.0.0.1", "8787", "localhost:8787", "127.0.0.1:99999"] {
            assert!(Address.read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_second_address_may_be_left_out() {
        for text in ["none", "0.0.0.0:8788"] {
            assert_eq!(PageAddress.show(&PageAddress.read(text).unwrap()), text);
        }
        assert!(PageAddress.read("8788").is_err());
    }

    #[test]
    fn proxies_are_addresses_and_networks() {
        for text in ["none", "127.0.0.1", "10.0.0.0/8, ::1, fd00::/8"] {
            assert_eq!(Networks.show(&Networks.read(text).unwrap()), text);
        }
        for text in ["localhost", "10.0.0.0/33", "127.0.0.1:80", "1.2.3"] {
            let said = Networks.read(text).unwrap_err();
            assert!(
                said.starts_with(&format!("is refused: `{text}` is neither")),
                "{said}"
            );
        }
    }

    #[test]
    fn a_public_url_is_kept_without_its_last_slash() {
        let table = [
            ("https://files.example.com", "https://files.example.com"),
            ("HTTPS://Files.Example.com/", "https://files.example.com"),
            ("http://h:8080/Up/load//", "http://h:8080/Up/load"),
            ("http://[::1]:8787", "http://[::1]:8787"),
        ];
        for (text, kept) in table {
            assert_eq!(PublicUrl.read(text), Ok(Some(kept.to_owned())), "{text}");
        }
        assert_eq!(PublicUrl.read("none"), Ok(None));
    }

    #[test]
    fn what_is_no_public_url_is_refused() {
        let table = [
            ("files.example.com", "is not an address"),
            ("/upload", "is not an address"),
            ("ftp://h", "is not an address"),
            ("https://", "is not an address"),
            ("https://:80", "is not an address"),
            ("https://h/?a=1", "has a query"),
            ("https://h#top", "has a query or a fragment"),
            ("https://me:pw@h", "has a user name"),
        ];
        for (text, reason) in table {
            let said = PublicUrl.read(text).unwrap_err();
            assert!(said.starts_with(reason), "{text}: {said}");
        }
    }

    #[test]
    fn files_are_on_the_disk_or_in_a_bucket() {
        let table = [
            ("disk", "disk"),
            ("s3://my.bucket-1", "s3://my.bucket-1"),
            ("s3://bucket/", "s3://bucket"),
            ("s3://bucket/a/B_2.x/", "s3://bucket/a/B_2.x"),
        ];
        for (text, kept) in table {
            let place = Objects.read(text).unwrap();
            assert_eq!(Objects.show(&place), kept, "{text}");
        }
        for text in [
            "s3",
            "s3://",
            "s3://B",
            "s3://ab",
            "s3://bucket//a",
            "s3://bucket/..",
            "s3://bucket/ä",
            "s3://bucket/a b",
            "/srv",
            "https://bucket",
        ] {
            assert!(Objects.read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_store_is_reached_by_others_as_by_us_or_elsewhere_or_not() {
        for text in ["auto", "none", "https://s3.example.com"] {
            assert_eq!(StoreReach.show(&StoreReach.read(text).unwrap()), text);
        }
        assert!(StoreReach.read("s3.example.com").is_err());
    }

    #[test]
    fn a_folder_may_be_in_the_home_of_the_account() {
        let home = BaseDirs::new().unwrap().home_dir().to_owned();
        assert_eq!(Folder.read("~/files"), Ok(home.join("files")));
        assert_eq!(Folder.read("/srv/files"), Ok(PathBuf::from("/srv/files")));
        let auto = Folder.read("auto").unwrap();
        assert!(auto.starts_with(home) && auto.to_string_lossy().contains("askfile"));
    }
}
