//! What a store's refusals mean: to the rest of the program, and to the operator.

use std::io::{self, ErrorKind};

use object_store::Error;

/// Words of an answer that mean that there is no room; each store has its own.
const FULL: [&str; 4] = ["507 ", "QuotaExceeded", "StorageFull", "quota"];

/// The error as the rest of the program knows it: [`ErrorKind::NotFound`],
/// [`ErrorKind::StorageFull`], or [`ErrorKind::HostUnreachable`] for a store that did not do its work.
pub(super) fn to_io(error: Error) -> io::Error {
    let said = error.to_string();
    let kind = match error {
        Error::NotFound { .. } if !answer(&said).contains("NoSuchBucket") => ErrorKind::NotFound,
        _ if FULL.iter().any(|word| answer(&said).contains(word)) => ErrorKind::StorageFull,
        _ => ErrorKind::HostUnreachable,
    };
    io::Error::new(kind, error)
}

/// Status and body of what the store answered; empty if it did not. The library tells them in the
/// text of its error only.
fn answer(said: &str) -> &str {
    let answer = said.split_once("status code: ");
    answer.map_or("", |(_, answer)| answer)
}

/// Why the store refused, and what to do about it, as the end of a sentence.
pub(super) fn explain(error: &Error) -> String {
    let said = error.to_string();
    let answer = answer(&said);
    let is = |code: &str| answer.contains(&format!("<Code>{code}</Code>"));
    let known = if is("NoSuchBucket") {
        "there is no such bucket: make it, or correct `objects`"
    } else if is("InvalidAccessKeyId") {
        "the store does not know the key in AWS_ACCESS_KEY_ID"
    } else if is("SignatureDoesNotMatch") {
        "AWS_SECRET_ACCESS_KEY is not the secret of AWS_ACCESS_KEY_ID"
    } else if is("ExpiredToken") || is("InvalidToken") {
        "the store does not take AWS_SESSION_TOKEN, or no longer"
    } else if is("RequestTimeTooSkewed") {
        "this machine's clock and the store's are too far apart: set it, and keep it set by NTP"
    } else if is("AuthorizationHeaderMalformed")
        || is("PermanentRedirect")
        || is("IllegalLocationConstraintException")
        || said.contains("without LOCATION")
    {
        "the bucket is in another region: correct `s3.region`"
    } else if is("AccessDenied") || answer.starts_with("403") {
        "access is denied: see that AWS_ACCESS_KEY_ID is right, and let it read, write and delete \
         objects in this bucket"
    } else if said.contains("error sending request") {
        "there is no answer: correct `s3.endpoint`, or see why the store cannot be reached"
    } else if said.contains("metadata") || said.contains("169.254.") {
        "there are no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    } else {
        return said;
    };
    known.to_owned()
}
