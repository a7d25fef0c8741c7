//! Requests that were given a key of their own, so that repeating one does not do it twice.

use std::fmt;

use async_trait::async_trait;
use jiff::SignedDuration;

use super::Result;
use crate::domain::ids::PrincipalId;

/// How long an answer is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Remembers requests by their keys. As with [`super::UploadStore`], every method is one transaction.
#[async_trait]
pub trait RequestStore: fmt::Debug + Send + Sync + 'static {
    /// Takes a key for a request that begins now, for so long; says if somebody has it.
    async fn begin(&self, key: RequestKey, lease: SignedDuration) -> Result<Begun>;

    /// The request is still being answered.
    async fn renew(&self, key: RequestKey, lease: SignedDuration) -> Result<()>;

    /// Keeps what the request was, and what was answered.
    async fn finish(&self, key: RequestKey, request: Fingerprint, reply: Reply) -> Result<()>;

    /// Gives the key back: nothing was done.
    async fn give_back(&self, key: RequestKey) -> Result<()>;

    /// Forgets requests that were answered longer ago than [`KEPT`], at most so many; says how many.
    async fn forget_requests(&self, most: u32) -> Result<u32>;
}

/// A request's key is its principal's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// Whose.
    pub principal: PrincipalId,
    /// As it was given.
    pub key: String,
}

/// What a request was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// SHA-256 of method, path and body.
    pub sha256: [u8; 32],
    /// Length of the body.
    pub bytes: u64,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, in JSON; `None`: it held a secret, which is kept nowhere.
    pub body: Option<Vec<u8>>,
}

/// Who has a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nobody had it.
    New,
    /// A request that is still being answered.
    Running,
    /// One that was answered.
    Answered(Fingerprint, Reply),
}
