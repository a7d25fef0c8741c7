//! What a file is, judged by its first kilobytes. Names and headers are not believed; a name only
//! tells one kind of text from another.

use crate::domain::mime::{DOCX, PPTX, XLSX};

/// How many bytes of the head are looked at, unless the file is shorter.
pub const HEAD_BYTES: usize = 4096;

/// What the head of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sniffed {
    /// Of this type.
    Type(&'static str),
    /// Of this type if every byte to come is text as well.
    Text(&'static str),
    /// A ZIP archive: an office document, or not, as its directory will tell.
    Zip,
    /// Nothing known.
    Unknown,
}

impl Sniffed {
    /// The types that the file may turn out to be.
    #[must_use]
    pub fn candidates(self) -> Vec<&'static str> {
        match self {
            Self::Type(mime) | Self::Text(mime) => vec![mime],
            Self::Zip => vec![DOCX, XLSX, PPTX, ZIP],
            Self::Unknown => Vec::new(),
        }
    }

    /// The one type that the file is, or else it is nothing that is taken.
    #[must_use]
    pub fn promised(self) -> Option<&'static str> {
        match self {
            Self::Type(mime) | Self::Text(mime) => Some(mime),
            Self::Zip | Self::Unknown => None,
        }
    }
}

/// A ZIP archive that is no office document.
pub const ZIP: &str = "application/zip";

/// Judges the head of a file; `filename` is what the sender calls it.
#[must_use]
pub fn sniff(head: &[u8], filename: &str) -> Sniffed {
    if let Some(markup) = markup(head) {
        return Sniffed::Type(markup);
    }
    let by_magic = infer::get(head).map(|found| normal(found.mime_type()));
    match by_magic {
        Some(DOCX | XLSX | PPTX | ZIP) => Sniffed::Zip,
        // Magic numbers of two or three letters are found in prose too ("BMW", "MZ", "ID3 tags").
        Some(mime) if !is_text(head) || SPELLED_OUT.contains(&mime) => Sniffed::Type(mime),
        _ if is_text(head) => Sniffed::Text(text_type(filename)),
        _ => Sniffed::Unknown,
    }
}

/// Types whose files can begin with plain text, so that text with their magic is theirs.
const SPELLED_OUT: [&str; 7] = [
    "application/pdf",
    "application/postscript",
    "application/rtf",
    "application/x-x509-ca-cert",
    "image/gif",
    "text/calendar",
    "text/x-shellscript",
];

/// The registered name, where the library has another.
fn normal(mime: &'static str) -> &'static str {
    match mime {
        "audio/m4a" => "audio/mp4",
        "audio/x-wav" => "audio/wav",
        "image/heif" => "image/heic",
        "video/x-m4v" => "video/mp4",
        other => other,
    }
}

fn text_type(filename: &str) -> &'static str {
    let extension = filename.rsplit_once('.').map(|(_, extension)| extension);
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => "text/csv",
        Some("md" | "markdown") => "text/markdown",
        Some("json") => "application/json",
        _ => "text/plain",
    }
}

/// Whether these bytes are UTF-8 without control characters; the last one may be cut.
fn is_text(head: &[u8]) -> bool {
    let whole = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    let control = |byte: &u8| *byte < 0x20 && !b"\t\n\x0c\r\x1b".contains(byte);
    whole && !head.is_empty() && !head.iter().any(control)
}

/// The type of a document whose first element says that it is markup, whatever prolog, comments or
/// white space come before it.
fn markup(head: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let has_prolog = starts_with(text, "<?xml");
    let root = after_prolog(text);
    if starts_with(root, "<svg") || starts_with(root, "<!doctype svg") {
        Some("image/svg+xml")
    } else if infer::text::is_html(root.as_bytes()) {
        Some("text/html")
    } else if has_prolog {
        Some("application/xml")
    } else {
        None
    }
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// What is left once processing instructions and comments are passed over.
fn after_prolog(mut text: &str) -> &str {
    loop {
        let end = if text.starts_with("<?") {
            "?>"
        } else if text.starts_with("<!--") {
            "-->"
        } else {
            return text;
        };
        match text.split_once(end) {
            Some((_, rest)) => text = rest.trim_start(),
            // All of the head is a comment: what follows it cannot be seen, so it is not trusted.
            None => return "<!-- ",
        }
    }
}

/// Checks text as it streams by: UTF-8 throughout, without NUL.
#[derive(Debug, Default)]
pub struct TextCheck {
    cut: Vec<u8>,
    broken: bool,
}

impl TextCheck {
    /// Looks at the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        let mut rest = bytes;
        // A character that the last piece cut in two is completed byte by byte.
        while !self.cut.is_empty() {
            let Some((first, others)) = rest.split_first() else {
                return;
            };
            self.cut.push(*first);
            rest = others;
            match std::str::from_utf8(&self.cut) {
                Ok(_) => self.cut.clear(),
                Err(error) if error.error_len().is_none() => {}
                Err(_) => {
                    self.broken = true;
                    return;
                }
            }
        }
        match std::str::from_utf8(rest) {
            Ok(_) => {}
            Err(error) if error.error_len().is_none() => {
                self.cut = rest[error.valid_up_to()..].to_vec();
            }
            Err(_) => self.broken = true,
        }
        self.broken |= rest.contains(&0);
    }

    /// Whether all of it was text.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.broken && self.cut.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Sniffed::{Text, Type, Unknown, Zip};
    use super::*;

    #[test]
    fn files_are_what_their_first_bytes_say() {
        let table: [(&[u8], &str, Sniffed); 30] = [
            (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "x.exe", Type("image/jpeg")),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "x", Type("image/png")),
            (b"GIF89a\x01\0\x01\0", "x", Type("image/gif")),
            (
                b"GIF89a=1;alert(document.domain)",
                "x.js",
                Type("image/gif"),
            ),
            (b"RIFF\x24\0\0\0WEBPVP8 ", "x", Type("image/webp")),
            (b"RIFF\x24\0\0\0WAVEfmt \x10\0", "x", Type("audio/wav")),
            (b"RIFF\x24\0\0\0ACONanih", "photo.webp", Unknown),
            (
                b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
                "x",
                Type("image/heic"),
            ),
            (
                b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2",
                "x",
                Type("video/mp4"),
            ),
            (
                b"\0\0\0\x14ftypqt  \0\0\0\0qt  ",
                "x",
                Type("video/quicktime"),
            ),
            (
                b"\0\0\0\x1cftypM4A \0\0\0\0M4A mp42",
                "x",
                Type("audio/mp4"),
            ),
            (b"ID3\x03\0\0\0\0\0\x0f", "x", Type("audio/mpeg")),
            (b"%PDF-1.7\n", "x", Type("application/pdf")),
            (b"PK\x03\x04\x14\0\x06\0\x08\0", "x.docx", Zip),
            (
                b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff",
                "photo.png",
                Type("application/vnd.microsoft.portable-executable"),
            ),
            (
                b"<!DOCTYPE html><title>x</title>",
                "x.txt",
                Type("text/html"),
            ),
            (b"  \n<HTML >", "x.png", Type("text/html")),
            (
                b"<?xml version='1.0'?>\n<!-- x -->\n<svg xmlns=''>",
                "x.png",
                Type("image/svg+xml"),
            ),
            (b"\xef\xbb\xbf<svg>", "x.txt", Type("image/svg+xml")),
            (
                b"<?xml version='1.0'?><!DOCTYPE html><html>",
                "x.txt",
                Type("text/html"),
            ),
            (
                b"<?xml version='1.0'?><feed>",
                "x.txt",
                Type("application/xml"),
            ),
            (b"<!-- only a comment", "x.md", Type("text/html")),
            (b"Hello, world\n", "notes.txt", Text("text/plain")),
            (b"BMW sales, 2026\n", "notes.txt", Text("text/plain")),
            (b"a,b\n1,2\n", "Table.CSV", Text("text/csv")),
            (b"# Title\n", "README.md", Text("text/markdown")),
            (b"{\"a\": 1}", "x.json", Text("application/json")),
            ("caf\u{e9}".as_bytes(), "x", Text("text/plain")),
            (b"caf\xe9 ol\xe9", "latin1.txt", Unknown),
            (b"\0\x01\x02\x03", "x.txt", Unknown),
        ];
        for (head, name, want) in table {
            assert_eq!(
                sniff(head, name),
                want,
                "{:?}",
                String::from_utf8_lossy(head)
            );
        }
    }

    fn check(pieces: &[&[u8]]) -> bool {
        let mut check = TextCheck::default();
        for piece in pieces {
            check.update(piece);
        }
        check.passed()
    }

    #[test]
    fn text_may_be_cut_anywhere_but_not_broken() {
        assert!(check(&[b"plain"]));
        assert!(check(&[b"caf\xc3", b"\xa9"]));
        assert!(check(&[b"\xf0", b"\x9f", b"\x98", b"\x80 smile"]));
        assert!(!check(&[b"caf\xc3"]));
        assert!(!check(&[b"caf\xc3", b"x"]));
        assert!(!check(&[b"a\0b"]));
        assert!(!check(&[b"good", b"\xff\xfe", b"good"]));
    }
}
