//! The missing upload button for AI agents.
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod error;
mod hook;
pub mod http;
pub mod intake;
pub mod link;
pub mod mcp;
pub mod notify;
pub mod objects;
pub mod service;
pub mod store;

pub use error::{Error, Result};
