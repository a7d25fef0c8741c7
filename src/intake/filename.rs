//! Makes the name that a person's file had harmless. It is data: nothing is ever stored under it.

use http::header::{CONTENT_DISPOSITION, HeaderMap};

use crate::domain::mime;

/// Longest name that is kept, in characters.
const MOST_CHARACTERS: usize = 200;

/// The name to keep: the last part of a path, without control characters and characters that turn
/// the direction of text; `upload.{ext}` where nothing is left.
#[must_use]
pub fn harmless(name: &str, mime_type: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    // Some programs decode names once more than they should.
    let last = last.replace("%00", "");
    let clean: String = last.chars().filter(|c| !is_trick(*c)).collect();
    let clean = shortened(clean.trim().trim_start_matches('.'));
    if clean.is_empty() {
        format!("upload.{}", mime::extension(mime_type))
    } else {
        clean
    }
}

/// The name of what comes with these headers, where they tell one.
#[must_use]
pub fn of_headers(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_DISPOSITION)?;
    of_disposition(std::str::from_utf8(value.as_bytes()).ok()?)
}

/// The name in a `Content-Disposition` (RFC 6266): `filename*=UTF-8''…`, else `filename="…"`.
fn of_disposition(value: &str) -> Option<String> {
    let mut plain = None;
    for parameter in parameters(value).into_iter().skip(1) {
        let Some((key, value)) = parameter.split_once('=') else {
            continue;
        };
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "filename*" => {
                let encoded = value.get(7..).filter(|_| {
                    let charset = value.get(..7).unwrap_or_default();
                    charset.eq_ignore_ascii_case("UTF-8''")
                });
                if let Some(encoded) = encoded {
                    let decoded = percent_encoding::percent_decode_str(encoded);
                    return decoded.decode_utf8().ok().map(Into::into);
                }
            }
            "filename" => plain = Some(unquoted(value)),
            _ => {}
        }
    }
    plain
}

/// The parts of a header value between its semicolons, except those inside quotes.
fn parameters(value: &str) -> Vec<String> {
    let (mut parts, mut is_quoted, mut is_escaped) = (vec![String::new()], false, false);
    for c in value.chars() {
        if c == ';' && !is_quoted {
            parts.push(String::new());
            continue;
        }
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = c == '\\' && is_quoted && !is_escaped;
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

/// A quoted string's text (RFC 9110), or the token that it is.
fn unquoted(value: &str) -> String {
    let inner = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else {
        return value.to_owned();
    };
    let mut text = String::new();
    let mut letters = inner.chars();
    while let Some(c) = letters.next() {
        text.extend(if c == '\\' { letters.next() } else { Some(c) });
    }
    text
}

/// Text of a person's, for example a description: without characters that play tricks. Keeps lines.
#[must_use]
pub fn harmless_text(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let clean: String = text
        .chars()
        .filter(|c| *c == '\n' || !is_trick(*c))
        .collect();
    clean.trim().to_owned()
}

/// Control characters, and those that reorder or hide what stands around them.
fn is_trick(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{180e}' | '\u{e0000}'..='\u{e007f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{061c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// How much of the end of a long name is kept.
const TAIL: usize = 20;

/// Cuts a long name in its middle, so that its extension stays.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= MOST_CHARACTERS {
        return name.to_owned();
    }
    let head: String = name.chars().take(MOST_CHARACTERS - TAIL - 1).collect();
    let tail: String = name.chars().skip(length - TAIL).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_what_is_a_name() {
        let table = [
            ("photo.jpg", "photo.jpg"),
            ("Fjällräven été 2026.jpg", "Fjällräven été 2026.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\fakepath\\photo.jpg", "photo.jpg"),
            ("..", "upload.jpg"),
            (".htaccess", "htaccess"),
            ("a\0b\r\nc.jpg", "abc.jpg"),
            ("invoice\u{202e}gpj.exe", "invoicegpj.exe"),
            ("a%00b.png", "ab.png"),
            ("", "upload.jpg"),
            ("  ", "upload.jpg"),
        ];
        for (name, want) in table {
            assert_eq!(harmless(name, "image/jpeg"), want, "{name:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_but_keeps_its_extension() {
        let name = harmless(&format!("{}.jpg", "é".repeat(500)), "image/jpeg");
        assert_eq!(name.chars().count(), MOST_CHARACTERS);
        assert!(name.ends_with("é.jpg"));
    }

    #[test]
    fn a_header_can_name_the_file() {
        let table = [
            ("attachment; filename=\"photo.jpg\"", Some("photo.jpg")),
            ("attachment; filename=photo.jpg", Some("photo.jpg")),
            ("attachment; filename=\"a;b.png\"", Some("a;b.png")),
            (
                "attachment; filename=\"say \\\"hi\\\".png\"",
                Some("say \"hi\".png"),
            ),
            (
                "attachment; filename=\"x\"; filename*=UTF-8''%C3%A9t%C3%A9.jpg",
                Some("été.jpg"),
            ),
            ("attachment; filename*=UTF-8''%FF", None),
            ("attachment", None),
        ];
        for (header, want) in table {
            assert_eq!(of_disposition(header).as_deref(), want, "{header}");
        }
    }

    #[test]
    fn text_keeps_its_lines() {
        assert_eq!(harmless_text(" a\r\nb\u{202e}\u{7} "), "a\nb");
    }
}
