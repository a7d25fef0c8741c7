//! Saving what was sent in a folder, where nothing is overwritten.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};

use super::{Asked, failure};
use crate::{domain::media::Media, objects::Bytes};

/// Most files of one name in a folder.
const MOST_OF_A_NAME: u32 = 10_000;

/// Saves these files, and says where.
///
/// # Errors
/// A sentence for the operator. The files saved until then stay.
pub(super) async fn all(
    asked: &Asked,
    media: &[Media],
    folder: &Path,
) -> Result<Vec<PathBuf>, String> {
    let mut saved = Vec::new();
    for media in media {
        let bytes = asked.service.open_media(&asked.caller, media.id).await;
        let (media, bytes) = bytes.map_err(|error| failure(&error))?;
        let path = one(&media, bytes, folder)
            .await
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        eprintln!("Saved {}", path.display());
        saved.push(path);
    }
    Ok(saved)
}

async fn one(media: &Media, bytes: Bytes, folder: &Path) -> io::Result<PathBuf> {
    let (file, path) = create(folder, &media.file_name())?;
    let copied = copy(media, bytes, file).await;
    if copied.is_err() {
        std::fs::remove_file(&path)?;
    }
    copied.map(|()| path)
}

/// Writes the bytes and checks that they are the ones that were stored.
async fn copy(media: &Media, mut bytes: Bytes, mut file: File) -> io::Result<()> {
    let mut digest = Sha256::new();
    while let Some(piece) = bytes.try_next().await? {
        digest.update(&piece);
        file.write_all(&piece)?;
    }
    if digest.finalize()[..] != media.stored.sha256 {
        return Err(io::Error::other("the stored file is damaged"));
    }
    file.sync_all()
}

/// A new file of this name, or of one like it: `name (2).ext`. The name was made harmless when the
/// file came.
fn create(folder: &Path, name: &str) -> io::Result<(File, PathBuf)> {
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) => (stem, format!(".{extension}")),
        None => (name, String::new()),
    };
    let further = (2..MOST_OF_A_NAME).map(|n| format!("{stem} ({n}){extension}"));
    for name in std::iter::once(name.to_owned()).chain(further) {
        let path = folder.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a.tar.gz", "a.tar.gz", "a.tar.gz", "plain", "plain"];
        let created = names.map(|name| {
            let (_, path) = create(folder.path(), name).unwrap();
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
        let (_, path) = create(folder.path(), "a.png").unwrap();
        assert_eq!(path, folder.path().join("a (2).png"));
        assert!(!outside.exists());
    }
}
