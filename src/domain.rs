//! What askfile is about: types and legal moves. No I/O, no clock.

pub mod api_key;
pub mod attachment;
pub mod audit;
pub mod budget;
pub mod caller;
pub mod capability;
pub mod client;
pub mod ids;
pub mod language;
pub mod limits;
pub mod media;
pub mod mime;
pub mod principal;
pub mod purpose;
pub mod quota;
pub mod resource;
pub mod session;
pub mod sign_in;
pub mod transfer;
pub mod webhook;
pub mod workspace;
