//! Whether somebody answers where webhooks are posted. Nothing is posted.

use futures_util::future::join_all;

use super::Finding;
use crate::{config::Settings, domain::webhook::Endpoint, notify::webhook::Sender};

const CHECK: &str = "webhook";

pub(super) async fn check(settings: &Settings) -> Vec<Finding> {
    if settings.webhooks.is_empty() {
        return Vec::new();
    }
    match Sender::new() {
        Ok(sender) => join_all(settings.webhooks.iter().map(|of| knock(&sender, of))).await,
        Err(error) => vec![Finding::wrong(
            CHECK,
            format!("nothing can be posted: {error}"),
            "look after the certificates of this machine",
        )],
    }
}

async fn knock(sender: &Sender, endpoint: &Endpoint) -> Finding {
    let name = &endpoint.name;
    match sender.knock(endpoint).await {
        Ok(status) if status.is_redirection() => Finding::warning(
            CHECK,
            format!("{name} redirects, and a webhook does not follow"),
            format!("set webhook.{name}.url to where it leads"),
        ),
        Ok(_) => Finding::ok(CHECK, format!("{name} is there")),
        Err(refused) => Finding::wrong(
            CHECK,
            format!("{name} cannot be reached: {}", refused.why),
            format!("check webhook.{name}.url, and that it runs; what is queued for it is kept"),
        ),
    }
}
