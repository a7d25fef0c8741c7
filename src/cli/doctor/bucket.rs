//! Whether the bucket can be used, where files are in one.

use super::Finding;
use crate::{app, config::Settings, objects::Place};

const CHECK: &str = "bucket";

pub(super) async fn check(settings: &Settings) -> Vec<Finding> {
    let place = &settings.objects;
    if *place == Place::Disk {
        return Vec::new();
    }
    let bucket = match app::objects(settings).await {
        Ok(_) => Finding::ok(
            CHECK,
            format!("{place} was written to, read and deleted from"),
        ),
        Err(error) => Finding::wrong(
            CHECK,
            error.to_string(),
            "the README says under \"Files in a bucket\" what is needed",
        ),
    };
    let keys = settings.link_keys.is_empty().then(|| {
        Finding::wrong(
            "link keys",
            "not set, as they must be where files are in a bucket",
            "set link_keys to what `openssl rand -hex 32` prints, and keep it",
        )
    });
    [bucket].into_iter().chain(keys).collect()
}
