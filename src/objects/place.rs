//! What the operator says of where bytes live.

use std::{fmt, str::FromStr};

/// Where bytes live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On the disk, in the data folder.
    Disk,
    /// In a bucket of an S3-compatible store.
    Bucket {
        /// Its name.
        name: String,
        /// What all keys in it begin with, without slashes around; may be empty.
        prefix: String,
    },
}

/// How others than askfile reach the store that bytes live in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// At the address where askfile reaches it.
    Same,
    /// At this address.
    At(String),
    /// Not at all: askfile hands the bytes out.
    Not,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk => f.write_str("disk"),
            Self::Bucket { name, prefix } if prefix.is_empty() => write!(f, "s3://{name}"),
            Self::Bucket { name, prefix } => write!(f, "s3://{name}/{prefix}"),
        }
    }
}

impl FromStr for Place {
    /// The end of a sentence that begins with the text.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "disk" || text == "auto" {
            return Ok(Self::Disk);
        }
        let bucket = text
            .strip_prefix("s3://")
            .ok_or("is no place for files; write `disk` or `s3://bucket/prefix`")?;
        let (name, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !is_bucket(name) {
            return Err(
                "has no bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens",
            );
        }
        if !(prefix.is_empty() || prefix.split('/').all(is_part)) {
            return Err(
                "has a prefix with other characters than letters, digits, `-`, `_` and `.`",
            );
        }
        Ok(Self::Bucket {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

fn is_bucket(name: &str) -> bool {
    let is_known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
    (3..=63).contains(&name.len()) && name.bytes().all(is_known)
}

fn is_part(part: &str) -> bool {
    let is_known = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    !matches!(part, "" | "." | "..") && part.bytes().all(is_known)
}
