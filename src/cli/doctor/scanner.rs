//! Whether the scanner answers, and whether it takes files as large as askfile does.

use std::io;

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::Finding;
use crate::{
    config::{Settings, units::size_text},
    intake::scan::{Clamd, Verdict},
};

const CHECK: &str = "scanner";
const PIECE: usize = 256 * 1024;

pub(super) async fn check(settings: &Settings) -> Finding {
    let Some(clamd) = &settings.scan_clamd else {
        return Finding::ok(CHECK, "off: files are not scanned (scan.clamd)");
    };
    if let Err(error) = scan(settings, clamd, 1).await {
        return Finding::wrong(
            CHECK,
            format!("clamd at {clamd} does not answer: {error}"),
            "start clamd, or correct scan.clamd; until then no file is handed out",
        );
    }
    let largest = settings.max_file_size;
    let size = size_text(largest);
    match scan(settings, clamd, largest).await {
        Ok(Verdict::Clean) => Finding::ok(CHECK, format!("clamd at {clamd} takes files of {size}")),
        Ok(_) => Finding::wrong(
            CHECK,
            format!("clamd at {clamd} does not take files of {size}, which are blocked then"),
            format!(
                "set StreamMaxLength, MaxFileSize and MaxScanSize in clamd.conf to at least {size}, \
                 or lower max_file_size"
            ),
        ),
        Err(error) => Finding::warning(
            CHECK,
            format!("clamd at {clamd} gave no verdict on a file of {size}: {error}"),
            "look into clamd's log, or raise scan.timeout",
        ),
    }
}

/// What clamd says of so many zeros.
async fn scan(settings: &Settings, clamd: &Clamd, size: u64) -> io::Result<Verdict> {
    let zeros = Bytes::from(vec![0; PIECE]);
    let whole = usize::try_from(size).unwrap_or(usize::MAX);
    let pieces = stream::iter((0..whole).step_by(PIECE))
        .map(move |at| Ok(zeros.slice(..PIECE.min(whole - at))));
    clamd.scan(pieces.boxed(), settings.scan_timeout).await
}
