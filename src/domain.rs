//! What askfile is about: types and legal moves. No I/O, no clock.

pub mod attachment;
pub mod caller;
pub mod ids;
pub mod limits;
pub mod media;
pub mod mime;
pub mod purpose;
pub mod session;
pub mod transfer;
pub mod workspace;
