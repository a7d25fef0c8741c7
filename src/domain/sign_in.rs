//! Sign-in codes: what the operator gives a person, who types it once to let a client in.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

use super::{api_key::SecretHash, ids::random_bits};

/// Without I, L, O and U, which are read as others or as words (Crockford's base 32).
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// How many letters name a code, and how many stand in a group.
const GROUP: usize = 4;
/// How many there are in all: 20 bits to find it by, and 40 that only its owner knows.
const LENGTH: usize = 3 * GROUP;

/// A code such as `7K3M-Q2XD-90TF`. Its first group is its name, which is no secret; so that wrong
/// tries are counted against the one code that they were meant for.
#[derive(Clone, PartialEq, Eq)]
pub struct SignInCode(String);

impl SignInCode {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        // 256 is a multiple of 32, so every letter is as likely as any other. The bits that a UUID
        // fixes are in its bytes 6 and 8.
        let bits = random_bits();
        let free = bits
            .iter()
            .enumerate()
            .filter(|(at, _)| !matches!(at % 16, 6 | 8));
        let letters = free.map(|(_, byte)| char::from(LETTERS[usize::from(byte % 32)]));
        Self(letters.take(LENGTH).collect())
    }

    /// What it is found by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0[..GROUP]
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(&self.0).into())
    }

    /// In groups, to be shown to whom it is for.
    #[must_use]
    pub fn reveal(&self) -> String {
        let (name, rest) = self.0.split_at(GROUP);
        let (one, other) = rest.split_at(GROUP);
        format!("{name}-{one}-{other}")
    }
}

impl FromStr for SignInCode {
    type Err = ();

    /// As people type it: in any case, with or without what stands between.
    fn from_str(text: &str) -> Result<Self, ()> {
        let letters = text
            .chars()
            .filter(|letter| !letter.is_whitespace() && !matches!(letter, '-' | '–' | '—' | '_'))
            .take(LENGTH + 1)
            .map(|letter| match letter.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            });
        let code: String = letters.collect();
        let is_code = code.len() == LENGTH && code.bytes().all(|byte| LETTERS.contains(&byte));
        is_code.then_some(Self(code)).ok_or(())
    }
}

impl fmt::Debug for SignInCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_back_however_people_type_it() {
        let code = SignInCode::random();
        assert_eq!(code.reveal().len(), LENGTH + 2);
        assert_eq!(code.reveal().parse(), Ok(code.clone()));
        assert_eq!(
            code.reveal().to_lowercase().replace('-', " ").parse(),
            Ok(code.clone())
        );
        assert!(code.reveal().starts_with(code.name()));
        assert_eq!(
            "oil0-1111-1111".parse::<SignInCode>().unwrap().reveal(),
            "0110-1111-1111"
        );
        assert_ne!(SignInCode::random(), code);
        assert!(!format!("{code:?}").contains(code.name()));
    }

    #[test]
    fn what_is_no_code_is_told_at_once() {
        for wrong in [
            "",
            "7K3M",
            "7K3M-Q2XD-90T",
            "7K3M-Q2XD-90TFF",
            "7K3M-Q2XD-90T!",
            "ÄK3M-Q2XD-90TF",
        ] {
            assert_eq!(wrong.parse::<SignInCode>(), Err(()), "{wrong}");
        }
    }
}
