//! Stories about the real binary: what races, crashes and pauses leave behind. Each has a data
//! folder and servers of its own, and asks them only what any client can ask.
#![cfg_attr(
    not(feature = "s3"),
    expect(dead_code, reason = "of stories about buckets")
)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bodies;
#[cfg(feature = "s3")]
mod bucket;
mod crashes;
#[cfg(feature = "s3")]
mod declared;
#[cfg(feature = "s3")]
mod direct;
#[cfg(feature = "s3")]
mod faults;
mod home;
mod idle;
mod memory;
mod neighbours;
mod page_listen;
mod pauses;
mod quota;
mod races;
mod server;
mod stopping;
#[cfg(feature = "s3")]
mod store;
mod webhooks;
mod wire;
