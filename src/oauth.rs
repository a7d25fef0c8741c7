//! Access tokens of an identity provider that the operator has (mode `oauth`): JSON Web Tokens, checked
//! with the keys that their issuer publishes.

mod issuer;
mod token;

pub use self::{
    issuer::{Issuer, Refused},
    token::Claims,
};
