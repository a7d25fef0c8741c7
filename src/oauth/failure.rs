//! Failures in the words of OAuth.

use crate::error::Error;

/// Why a client is not given what it asks for.
#[derive(Debug)]
pub enum Failure {
    /// The request is refused.
    Refused {
        /// What RFC 6749, 7591 or 8707 calls it.
        code: &'static str,
        /// What is wrong, as a sentence.
        why: String,
    },
    /// It could not be answered.
    Other(Error),
}

impl Failure {
    /// A refusal.
    pub fn refused(code: &'static str, why: impl Into<String>) -> Self {
        let why = why.into();
        Self::Refused { code, why }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Other(error.into())
    }
}
