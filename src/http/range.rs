//! Conditions and ranges, as RFC 9110 has them for a strong `ETag`.

use std::ops::Range;

use axum::http::{HeaderMap, HeaderName, header};
use http_range_header::{EndPosition, StartPosition, parse_range_header};

/// What a request wants of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The whole file.
    All,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that the file does not have.
    Nothing,
}

/// Whether the client has what carries this `ETag`.
pub(super) fn is_known(asked: &HeaderMap, etag: &str) -> bool {
    let known = asked.get_all(header::IF_NONE_MATCH).iter();
    known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

/// What the request wants of a file of so many bytes.
///
/// A header that cannot be read is ignored, and so are several ranges in one: the whole file is an
/// answer to them, and putting it in parts helps nobody.
pub(super) fn wanted(asked: &HeaderMap, etag: &str, size: u64) -> Wanted {
    let is_of_another = only(asked, header::IF_RANGE).is_some_and(|known| known != etag);
    let ranges = only(asked, header::RANGE).map(parse_range_header);
    let Some(Ok(ranges)) = ranges.filter(|_| !is_of_another) else {
        return Wanted::All;
    };
    let [range] = ranges.ranges.as_slice() else {
        return Wanted::All;
    };
    let start = match range.start {
        StartPosition::Index(first) => first,
        StartPosition::FromLast(count) => size.saturating_sub(count),
    };
    let end = match range.end {
        EndPosition::Index(last) => last.saturating_add(1).min(size),
        EndPosition::LastByte => size,
    };
    if start < end {
        Wanted::Part(start..end)
    } else {
        Wanted::Nothing
    }
}

fn only(asked: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = asked.get_all(name).iter();
    let value = values.next()?.to_str().unwrap_or("");
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn asked(headers: &[(HeaderName, &'static str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_range_is_what_the_file_has_of_it() {
        for (range, part) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-5", Wanted::Part(2..6)),
            ("bytes=2-", Wanted::Part(2..10)),
            ("bytes=2-99", Wanted::Part(2..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-99", Wanted::Part(0..10)),
            ("bytes=2-18446744073709551615", Wanted::Part(2..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=10-12", Wanted::Nothing),
            ("bytes=5-2", Wanted::Nothing),
            ("bytes=0-1,4-5", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("lines=0-1", Wanted::All),
            ("bytes=99999999999999999999-", Wanted::All),
        ] {
            let asked = asked(&[(header::RANGE, range)]);
            assert_eq!(wanted(&asked, "\"e\"", 10), part, "{range}");
        }
        let twice = [(header::RANGE, "bytes=0-1"), (header::RANGE, "bytes=2-3")];
        let twice: HeaderMap =
            twice
                .into_iter()
                .fold(HeaderMap::new(), |mut all, (name, value)| {
                    all.append(name, HeaderValue::from_static(value));
                    all
                });
        assert_eq!(wanted(&twice, "\"e\"", 10), Wanted::All);
    }

    #[test]
    fn a_range_of_another_file_is_the_whole_one() {
        for (known, part) in [
            ("\"e\"", Wanted::Part(0..2)),
            ("\"f\"", Wanted::All),
            ("W/\"e\"", Wanted::All),
            ("Sat, 01 Aug 2026 00:00:00 GMT", Wanted::All),
        ] {
            let asked = asked(&[(header::RANGE, "bytes=0-1"), (header::IF_RANGE, known)]);
            assert_eq!(wanted(&asked, "\"e\"", 10), part, "{known}");
        }
    }

    #[test]
    fn what_the_client_has_is_told_by_its_etag() {
        for (known, is) in [
            ("\"e\"", true),
            ("W/\"e\"", true),
            ("\"f\", \"e\"", true),
            ("*", true),
            ("\"f\"", false),
            ("e", false),
        ] {
            let asked = asked(&[(header::IF_NONE_MATCH, known)]);
            assert_eq!(is_known(&asked, "\"e\""), is, "{known}");
        }
        assert!(!is_known(&HeaderMap::new(), "\"e\""));
    }
}
