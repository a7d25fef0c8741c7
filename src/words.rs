//! Two words for a link, which stand in the chat and on the page: so that people see that the two belong
//! together.

use sha2::{Digest, Sha256};

use crate::link::LinkQuery;

/// Friendly, short, and hardly taken for one another.
#[rustfmt::skip]
const FIRST: [&str; 128] = [
    "amber", "ample", "apple", "autumn", "azure", "basil", "blue", "bold",
    "brave", "breezy", "bright", "bronze", "brown", "calm", "candid", "carmine",
    "cedar", "cheery", "chestnut", "civil", "clay", "clear", "clever", "cloudy",
    "coastal", "cobalt", "copper", "coral", "cosy", "cotton", "cream", "crimson",
    "crisp", "curly", "daily", "dapper", "dewy", "early", "easy", "emerald",
    "evening", "fair", "fancy", "fern", "festive", "floral", "fluffy", "fond",
    "fresh", "gentle", "ginger", "glad", "golden", "grand", "green", "hazel",
    "honest", "humble", "indigo", "ivory", "jade", "jolly", "keen", "kind",
    "level", "light", "lilac", "lime", "linen", "little", "lively", "lofty",
    "lucky", "lunar", "maple", "marble", "mellow", "merry", "mild", "minty",
    "misty", "modest", "morning", "mossy", "navy", "neat", "nimble", "noble",
    "ocean", "olive", "orange", "orchid", "paper", "peach", "pearl", "pine",
    "plain", "plum", "polite", "prime", "proud", "purple", "quick", "quiet",
    "rapid", "rosy", "royal", "ruby", "rustic", "saffron", "sandy", "scarlet",
    "silent", "silver", "simple", "sincere", "smooth", "snowy", "soft", "solar",
    "spring", "steady", "stellar", "stone", "summer", "sunny", "swift", "tall",
];

/// The same, for things.
#[rustfmt::skip]
const SECOND: [&str; 128] = [
    "acorn", "album", "apron", "arrow", "badge", "balcony", "bamboo", "barn",
    "bean", "beaver", "bench", "berry", "bird", "blanket", "boat", "book",
    "bridge", "brook", "brush", "button", "cabin", "camel", "candle", "canyon",
    "castle", "cello", "cherry", "cliff", "clock", "clover", "coat", "comet",
    "cookie", "corner", "cradle", "cricket", "crown", "daisy", "desk", "dolphin",
    "door", "dove", "duck", "easel", "falcon", "ferry", "field", "finch",
    "flute", "fountain", "fox", "gate", "giraffe", "glove", "grape", "guitar",
    "harbor", "hat", "hedge", "hill", "honey", "house", "island", "jacket",
    "kettle", "kite", "koala", "lake", "lantern", "leaf", "library", "lily",
    "llama", "magnet", "mango", "market", "melon", "mirror", "moon", "mountain",
    "napkin", "oak", "oasis", "otter", "paddle", "panda", "parrot", "pear",
    "pebble", "penguin", "piano", "pillow", "plate", "pocket", "pony", "pumpkin",
    "puzzle", "rabbit", "raft", "rainbow", "ribbon", "river", "rocket", "sail",
    "scarf", "shell", "shoe", "sketch", "spoon", "squirrel", "statue", "street",
    "sunset", "table", "temple", "ticket", "toucan", "train", "tree", "tulip",
    "tunnel", "umbrella", "vase", "village", "wagon", "walrus", "whale", "window",
];

/// The words of a link: whoever makes up another one gets other words.
#[must_use]
pub fn of(link: &LinkQuery) -> String {
    let hash = Sha256::digest(format!("askfile-words\n{}", link.signature));
    let [first, second] = [hash[0], hash[1]].map(|byte| usize::from(byte % 128));
    format!("{} {}", FIRST[first], SECOND[second])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_word_is_there_twice() {
        let all: BTreeSet<&str> = FIRST.into_iter().chain(SECOND).collect();
        assert_eq!(all.len(), 256);
        let is_plain = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
        assert!(all.iter().all(is_plain));
    }

    #[test]
    fn each_link_has_its_own_words() {
        let of = |n: u32| {
            super::of(&LinkQuery {
                workspace_id: String::new(),
                expires: String::new(),
                signature: n.to_string(),
            })
        };
        assert_eq!(of(1), of(1));
        let seen: BTreeSet<String> = (0..100).map(of).collect();
        assert!(seen.len() > 95, "{seen:?}");
    }
}
