//! What a stream of bytes goes through on its way in.

pub mod body;
pub mod filename;
pub mod image;
pub mod office;
pub mod scan;
pub mod sniff;
pub mod stage;
