//! What programs do over `/v1`.

mod access;
mod document;
mod failures;
mod links;
mod matrix;
mod media;
mod repeat;
mod targets;
mod uploads;
