//! Tokens: those of an identity provider that the operator has (mode `oauth`), JSON Web Tokens that are
//! checked with the keys that their issuer publishes; and what clients say of themselves that ask for
//! one of ours (mode `builtin`).

mod document;
mod failure;
mod issuer;
mod token;

pub use self::{
    document::Documents,
    failure::Failure,
    issuer::{Issuer, Refused},
    token::Claims,
};
