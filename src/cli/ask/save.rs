//! Saving what was sent in a folder, where nothing is overwritten.

use std::{
    fs::Permissions,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::{Asked, failure};
use crate::{domain::media::Media, objects::Bytes};

/// Longest name, in bytes, without a number: file systems take 255.
const MOST_BYTES: usize = 240;
/// Most files of one name in a folder.
const MOST_OF_A_NAME: u32 = 10_000;

/// Saves these files, and says where; and, where one could not be saved, why.
pub(super) async fn all(
    asked: &Asked,
    media: &[Media],
    folder: &Path,
) -> (Vec<PathBuf>, Option<String>) {
    let mut saved = Vec::new();
    for media in media {
        match one(asked, media, folder).await {
            Ok(path) => {
                eprintln!("Saved {}", path.display());
                saved.push(path);
            }
            Err(problem) => return (saved, Some(problem)),
        }
    }
    (saved, None)
}

/// # Errors
/// A sentence for the operator.
async fn one(asked: &Asked, media: &Media, folder: &Path) -> Result<PathBuf, String> {
    let bytes = asked.service.open_media(&asked.caller, media.id).await;
    let (media, bytes) = bytes.map_err(|error| failure(&error))?;
    let told = |error: io::Error| format!("{}: {error}", folder.display());
    // It has its name when all of it is there.
    let file = tempfile::Builder::new()
        .prefix(".askfile-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(told)?;
    let file = copy(&media, bytes, file).await.map_err(told)?;
    name(file, folder, &media.file_name()).map_err(told)
}

/// Writes the bytes and checks that they are the ones that were stored.
async fn copy(
    media: &Media,
    mut bytes: Bytes,
    mut file: NamedTempFile,
) -> io::Result<NamedTempFile> {
    let mut digest = Sha256::new();
    while let Some(piece) = bytes.try_next().await? {
        digest.update(&piece);
        file.write_all(&piece)?;
    }
    if digest.finalize()[..] != media.stored.sha256 {
        return Err(io::Error::other("the stored file is damaged"));
    }
    file.as_file().sync_all()?;
    Ok(file)
}

/// Gives a file this name, or one like it: `name (2).ext`. The name was made harmless when the file
/// came.
fn name(mut file: NamedTempFile, folder: &Path, name: &str) -> io::Result<PathBuf> {
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() < MOST_BYTES / 2 => {
            (stem, format!(".{extension}"))
        }
        _ => (name, String::new()),
    };
    let stem = within(stem, MOST_BYTES - extension.len());
    let further = (2..MOST_OF_A_NAME).map(|n| format!("{stem} ({n}){extension}"));
    for name in std::iter::once(format!("{stem}{extension}")).chain(further) {
        let path = folder.join(name);
        match file.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => file = error.file,
            Err(error) => return Err(error.error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// As much of a text as has so many bytes.
fn within(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(folder: &Path, called: &str) -> PathBuf {
        let file = NamedTempFile::new_in(folder).unwrap();
        name(file, folder, called).unwrap()
    }

    #[test]
    fn a_name_of_many_bytes_is_cut_before_its_extension() {
        let folder = tempfile::tempdir().unwrap();
        let long = "写".repeat(200);
        let table = [
            (format!("{long}.txt"), format!("{}.txt", "写".repeat(78))),
            (format!("a.{long}"), format!("a.{}", "写".repeat(79))),
        ];
        for (name, expected) in table {
            let path = saved(folder.path(), &name);
            assert_eq!(path.file_name().unwrap().to_str().unwrap(), expected);
        }
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a.tar.gz", "a.tar.gz", "a.tar.gz", "plain", "plain"];
        let created = names.map(|name| {
            let path = saved(folder.path(), name);
            path.file_name().unwrap().to_str().unwrap().to_owned()
        });
        let expected = [
            "a.tar.gz",
            "a.tar (2).gz",
            "a.tar (3).gz",
            "plain",
            "plain (2)",
        ];
        assert_eq!(created, expected);
    }

    #[test]
    fn a_link_in_the_folder_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        std::os::unix::fs::symlink(&outside, folder.path().join("a.png")).unwrap();
        let path = saved(folder.path(), "a.png");
        assert_eq!(path, folder.path().join("a (2).png"));
        assert!(!outside.exists());
    }
}
