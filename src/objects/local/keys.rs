//! What lies in the folders, for the operator: nothing else ever lists them.

use std::{fs, io, path::Path};

use super::{MEDIAS, STAGING};

/// The keys of all files, on their way in or there for good.
///
/// # Errors
/// If a folder cannot be read.
pub fn keys(root: &Path) -> io::Result<Vec<String>> {
    let mut keys = Vec::new();
    for folder in [STAGING, MEDIAS] {
        for entry in fs::read_dir(root.join(folder))? {
            keys.push(format!("{folder}/{}", entry?.file_name().display()));
        }
    }
    keys.sort_unstable();
    Ok(keys)
}
