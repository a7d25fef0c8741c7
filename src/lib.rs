//! The missing upload button for AI agents.
//!
//! An agent behind MCP asks for a file that only a person has; the person gets a short-lived signed
//! link and sends it; the agent gets durable handles and attaches them to what they are for. The
//! binary is `askfile serve`; this crate is the same inside another server:
//!
//! ```no_run
//! # async fn embed() -> Result<(), Box<dyn std::error::Error>> {
//! use askfile::{app, config::Settings, http};
//!
//! let settings = Settings::in_folder("/var/lib/askfile");
//! let service = app::start(settings, "http://127.0.0.1:3000").await?;
//! let keeping = service.clone();
//! tokio::spawn(async move { keeping.keep_house().await });
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! let router = http::router(&service, listener.local_addr()?); // merge it into your own
//! http::serve::serve(listener, router, &service, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`http::router_with`] serves an MCP handler of your own around the tools, as `examples/conformance`
//! does; [`mcp::routes`] puts the tools into a server of your own.
//!
//! # Layout
//!
//! Dependencies point one way: the faces call the service, the service calls what is below it.
//!
//! | room | holds |
//! | --- | --- |
//! | [`cli`], [`http`], [`mcp`] | the faces: the command line, the person's side, the agent's side |
//! | [`service`] | the operations: create, status and wait, receive, check, attach, hand out, sweep |
//! | [`domain`] | types and legal moves; no I/O, no clock |
//! | [`intake`] | what bytes go through: the body's form, their type, a scanner, images made uniform |
//! | [`store`] | where sessions, claims, media and attachments are remembered, who may, who did what, and who is to be told |
//! | [`objects`] | where bytes live |
//! | [`notify`] | waking whoever waits; posting webhooks |
//! | [`link`], `words`, [`qr`] | signing and checking links; a link as two words, and as a QR code |
//! | `phrases`, `template` | what people read, in their language, and what they see; both from `web` |
//! | [`oauth`] | tokens of an identity provider, and what clients say of themselves |
//! | `fetch` | fetching what strangers name, from public addresses alone |
//! | [`config`], [`error`], [`clock`] | the settings, the one error table, the time |
//! | [`host`] | which process of a data folder serves the page, and where |
//! | [`app`] | putting the parts together |
//! | [`backup`] | copies of a whole installation |
//!
//! Beside `src/`: `tools/` is what models read, `web/` the pages, `tests/it` the stories in process,
//! `tests/process` those on the real binary, `tests/clients` those with other people's clients.
//!
//! # Invariants
//!
//! - **A link is single-use.** A body takes a claim on a slot before its first byte is stored, in the
//!   transaction that checks state, slots and time. A slot has one claim or one media, never two:
//!   the database holds that by `UNIQUE (session, slot)`.
//! - **A claim is a fence.** A heartbeat or a commit names its claim and fails once the claim was
//!   lost, so a writer that was paused cannot commit when it wakes.
//! - **Nothing is lost.** Bytes are synced, and the folder of their name is, before the one transaction
//!   that makes them a media; the 201 comes after that.
//! - **Nothing unjudged is handed out.** What a scanner or a decoder has still to see is a media and
//!   durable, but not published. Whoever has the turn to judge it publishes it; a turn is a fence as
//!   a claim is.
//! - **Nothing is left.** Whatever a crash leaves is found through the row of its claim or its media: a
//!   claim's and a turn's staged bytes have its name, and where they may be published is known before
//!   they are. What is nobody's has a row of its own until it is gone.
//! - **What lands in the store is judged as a copy.** Whoever was granted to put a file there may change
//!   it; so it is copied to where nobody else has a way before it is looked at.
//! - **Deleting is row first, bytes second.** The transaction that takes a media's row looks whether
//!   something is attached and writes down what bytes are nobody's from then on; attaching wins or
//!   loses whole.
//! - **Nothing a client says is believed.** Sizes are counted, types are judged by content, names are
//!   data.
//! - **Moves are one `match`**, in [`domain::session::State::after`].
//! - **Nothing crosses a workspace.** Every operation takes the caller that the request's own
//!   credentials stand for, asks in one place (`service::authority`) whether it may, and looks into its
//!   workspaces alone. What is elsewhere is answered as unknown, in the same words and the same time.
//! - **What a client is granted is a key.** Its access tokens are the key's secrets, so that one look-up,
//!   one audit trail and one way to revoke serve both; codes, tickets and refresh tokens are used once.
//! - **What is done is noted.** Whatever changes a session, a file, a key or a workspace adds a line to
//!   the audit log in its own transaction; lines are never changed or deleted.
//! - **What is told is queued with it.** The lines that a transaction adds to the audit log become
//!   webhooks inside it; a webhook stays until it was taken or given up.
//! - **Time is injected.** Leases and expiries are judged by the store's clock; a session reads as
//!   expired on the second, sweep or no sweep.
//! - **Tokens, signatures and file names are never logged.**

pub mod app;
mod arguments;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod error;
mod fetch;
mod hook;
pub mod host;
pub mod http;
pub mod intake;
pub mod link;
pub mod mcp;
pub mod notify;
pub mod oauth;
pub mod objects;
mod phrases;
pub mod qr;
pub mod service;
pub mod store;
mod template;
mod words;

pub use error::{Error, Result};

#[cfg(test)]
mod tests {
    #[test]
    fn the_readme_embeds_it_as_the_front_page_does() {
        let front = include_str!("lib.rs").lines();
        let code = front
            .map(|line| line.trim_start_matches("//!").trim_start())
            .skip_while(|line| !line.starts_with("use askfile"))
            .take_while(|line| !line.starts_with("# "));
        let readme = include_str!("../README.md");
        for line in code {
            assert!(readme.contains(line), "README.md lacks {line}");
        }
    }
}
