//! One test binary: whole stories, in process. Real store, real disk, real router, real MCP
//! sessions; only time is ours.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod arguments;
mod attach;
mod audit;
mod builtin;
mod card;
mod checks;
mod downloads;
mod elicitation;
mod events;
mod failures;
mod files;
mod forms;
mod grants;
mod guards;
mod handles;
mod harness;
mod hints;
mod images;
mod import;
mod interleavings;
mod keys;
mod languages;
mod life;
mod links;
mod listing;
mod matrix;
mod media;
mod oauth;
mod pages;
mod prompts;
mod quota;
mod rate;
mod rest;
mod sessions;
mod several;
mod store;
mod subscriptions;
mod tools;
mod tools_changed;
mod waiting;
mod webhooks;
