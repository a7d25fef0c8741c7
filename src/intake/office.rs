//! Which office document a ZIP archive is, as its directory tells.

use rawzip::{RECOMMENDED_BUFFER_SIZE, ZipArchive};

use super::sniff::ZIP;
use crate::{
    domain::mime::{DOCX, PPTX, XLSX},
    objects::ReadSeek,
};

/// Most entries of a directory that are looked at; large documents have a few thousand.
const MOST_ENTRIES: u32 = 50_000;

/// The type of a whole ZIP archive. Reads the directory entry by entry, in constant memory; what
/// cannot be read is a ZIP and nothing more.
#[must_use]
pub fn identify(archive: Box<dyn ReadSeek + '_>) -> &'static str {
    read_directory(archive).unwrap_or(ZIP)
}

fn read_directory(archive: Box<dyn ReadSeek + '_>) -> Result<&'static str, rawzip::Error> {
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_seekable(archive, &mut buffer)?;
    let mut entries = archive.entries(&mut buffer);
    let (mut has_types, mut document) = (false, None);
    for _ in 0..MOST_ENTRIES {
        let Some(entry) = entries.next_entry()? else {
            break;
        };
        match entry.file_path().as_ref() {
            b"[Content_Types].xml" => has_types = true,
            b"word/document.xml" => document = Some(DOCX),
            b"xl/workbook.xml" | b"xl/workbook.bin" => document = Some(XLSX),
            b"ppt/presentation.xml" => document = Some(PPTX),
            // Macros make it a program in a document's clothes.
            path if path.ends_with(b"vbaProject.bin") => return Ok(ZIP),
            _ => {}
        }
    }
    Ok(document.filter(|_| has_types).unwrap_or(ZIP))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;

    fn archive(names: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut zip = rawzip::ZipArchiveWriter::new(&mut bytes);
        for name in names {
            let (mut entry, config) = zip.new_file(name).start().unwrap();
            let mut writer = config.wrap(&mut entry);
            writer.write_all(b"<xml/>").unwrap();
            let (_, descriptor) = writer.finish().unwrap();
            entry.finish(descriptor).unwrap();
        }
        zip.finish().unwrap();
        bytes
    }

    fn identified(names: &[&str]) -> &'static str {
        identify(Box::new(Cursor::new(archive(names))))
    }

    #[test]
    fn a_document_is_known_by_its_directory() {
        assert_eq!(
            identified(&["[Content_Types].xml", "word/document.xml"]),
            DOCX
        );
        assert_eq!(
            identified(&["xl/workbook.xml", "[Content_Types].xml"]),
            XLSX
        );
        assert_eq!(
            identified(&["[Content_Types].xml", "ppt/presentation.xml"]),
            PPTX
        );
    }

    #[test]
    fn other_archives_are_archives() {
        assert_eq!(identified(&["photo.png"]), ZIP);
        assert_eq!(identified(&["word/document.xml"]), ZIP);
        assert_eq!(
            identified(&[
                "[Content_Types].xml",
                "word/document.xml",
                "word/vbaProject.bin"
            ]),
            ZIP
        );
        let mut cut = archive(&["[Content_Types].xml", "word/document.xml"]);
        cut.truncate(cut.len() / 2);
        assert_eq!(identify(Box::new(Cursor::new(cut))), ZIP);
    }
}
