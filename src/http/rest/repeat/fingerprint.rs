//! What a request is, in a few bytes.

use axum::{extract::Request, http::header};
use sha2::{Digest, Sha256};

use crate::store::requests::Fingerprint;

/// Takes the fingerprint of a request while its body passes by.
#[derive(Debug, Clone)]
pub(super) struct Taker {
    digest: Sha256,
    bytes: u64,
    /// What stands between the parts of a form. Clients make it up anew for each try, so it is left
    /// out.
    boundary: Vec<u8>,
    /// The end of what came, which may be the beginning of a boundary.
    rest: Vec<u8>,
}

impl Taker {
    /// A body's, with this head.
    pub(super) fn new(request: &Request) -> Self {
        let mut digest = Sha256::new();
        let uri = request.uri();
        let target = uri.path_and_query().map_or(uri.path(), |all| all.as_str());
        digest.update(format!("{} {target}\n", request.method()));
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok());
        let boundary = kind.and_then(|kind| multer::parse_boundary(kind).ok());
        Self {
            digest,
            bytes: 0,
            boundary: boundary.unwrap_or_default().into_bytes(),
            rest: Vec::new(),
        }
    }

    /// How much has passed, boundaries left out.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next piece.
    pub(super) fn take(&mut self, piece: &[u8]) {
        if self.boundary.is_empty() {
            self.note(piece);
            return;
        }
        let mut seen = std::mem::take(&mut self.rest);
        seen.extend_from_slice(piece);
        let mut from = 0;
        let boundary = std::mem::take(&mut self.boundary);
        for at in memchr::memmem::find_iter(&seen, &boundary) {
            self.note(&seen[from..at]);
            from = at + boundary.len();
        }
        let sure = seen.len().saturating_sub(boundary.len() - 1).max(from);
        self.note(&seen[from..sure]);
        self.rest = seen.split_off(sure);
        self.boundary = boundary;
    }

    pub(super) fn finish(mut self) -> Fingerprint {
        let rest = std::mem::take(&mut self.rest);
        self.note(&rest);
        Fingerprint {
            sha256: self.digest.finalize().into(),
            bytes: self.bytes,
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    /// The fingerprint of a form with this boundary, which comes in pieces of so many bytes.
    fn form(boundary: &str, file: &str, piece: usize) -> Fingerprint {
        let request = Request::post("/v1/uploads").header(
            "content-type",
            format!("multipart/form-data; boundary={boundary}"),
        );
        let mut taker = Taker::new(&request.body(Body::empty()).unwrap());
        let body = format!("--{boundary}\r\n\r\n{file}\r\n--{boundary}--\r\n");
        body.as_bytes()
            .chunks(piece)
            .for_each(|piece| taker.take(piece));
        taker.finish()
    }

    #[test]
    fn a_form_is_the_same_whatever_its_boundary_and_however_it_is_cut() {
        let one = form("abcdef", "a file", 1_000);
        for piece in 1..40 {
            assert_eq!(form("abcdef", "a file", piece), one, "{piece}");
            assert_eq!(form("another-one", "a file", piece), one, "{piece}");
            assert_ne!(form("abcdef", "another file", piece), one, "{piece}");
        }
    }
}
