//! Addresses by which somebody without keys may do one thing with one object: AWS Signature
//! Version 4 in the query.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::{Timestamp, tz::TimeZone};
use object_store::aws::AwsCredential;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::link::hex;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What stays as it is in a query.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What stays as it is in a path.
const IN_PATH: &AsciiSet = &IN_QUERY.remove(b'/');

/// Who signs, where and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signer<'a> {
    pub credential: &'a AwsCredential,
    pub region: &'a str,
    pub now: Timestamp,
}

/// What may be done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permit<'a> {
    pub method: &'static str,
    /// The object's address without a query.
    pub url: &'a str,
    pub query: &'a [(&'a str, &'a str)],
    /// Headers, in lower case, that must be sent as they stand here.
    pub headers: &'a [(&'a str, &'a str)],
    pub lives: Duration,
}

impl Signer<'_> {
    /// The address, good for a while.
    pub(super) fn presign(&self, permit: &Permit<'_>) -> String {
        let now = self.now.to_zoned(TimeZone::UTC);
        let (day, instant) = (now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ"));
        let (day, instant) = (day.to_string(), instant.to_string());
        let scope = format!("{day}/{}/s3/aws4_request", self.region);

        let after_scheme = permit.url.split_once("://").map_or("", |(_, rest)| rest);
        let (host, path) = after_scheme.split_once('/').unwrap_or((after_scheme, ""));
        let path = format!("/{}", utf8_percent_encode(path, IN_PATH));
        let mut headers = [permit.headers, &[("host", host)]].concat();
        headers.sort_unstable();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let headers = headers.iter();
        let headers: Vec<String> = headers
            .map(|(name, value)| format!("{name}:{}", value.trim()))
            .collect();
        let headers = headers.join("\n");

        let signer = format!("{}/{scope}", self.credential.key_id);
        let lives = permit.lives.as_secs().to_string();
        let mut query = permit.query.to_vec();
        query.extend([
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", &signer),
            ("X-Amz-Date", &instant),
            ("X-Amz-Expires", &lives),
            ("X-Amz-SignedHeaders", &names),
        ]);
        let token = self.credential.token.as_deref();
        query.extend(token.map(|token| ("X-Amz-Security-Token", token)));
        let encoded = |text| utf8_percent_encode(text, IN_QUERY);
        let mut query: Vec<String> = query
            .into_iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        query.sort_unstable();
        let query = query.join("&");

        let method = permit.method;
        let request = format!("{method}\n{path}\n{query}\n{headers}\n\n{names}\nUNSIGNED-PAYLOAD");
        let request = hex(&Sha256::digest(request));
        let to_sign = format!("{ALGORITHM}\n{instant}\n{scope}\n{request}");
        let signature = hex(&mac(&self.key(&day), &to_sign));
        let origin = permit.url.len() - after_scheme.len() + host.len();
        let origin = &permit.url[..origin];
        format!("{origin}{path}?{query}&X-Amz-Signature={signature}")
    }

    /// The key of the day.
    fn key(&self, day: &str) -> Vec<u8> {
        let secret = format!("AWS4{}", self.credential.secret_key).into_bytes();
        [day, self.region, "s3", "aws4_request"]
            .iter()
            .fold(secret, |key, part| mac(&key, part))
    }
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of "Authenticating Requests: Using Query Parameters" in Amazon's reference.
    #[test]
    fn the_example_of_the_reference_has_the_signature_of_the_reference() {
        let credential = AwsCredential {
            key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            token: None,
        };
        let signer = Signer {
            credential: &credential,
            region: "us-east-1",
            now: "2013-05-24T00:00:00Z".parse().unwrap(),
        };
        let url = signer.presign(&Permit {
            method: "GET",
            url: "https://examplebucket.s3.amazonaws.com/test.txt",
            query: &[],
            headers: &[],
            lives: Duration::from_secs(86_400),
        });
        assert_eq!(
            url,
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }
}
