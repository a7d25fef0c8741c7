//! What targets take: what `[target_type.NAME]` tables say.

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeValue, Error, ValueDeserializer},
};

use super::{
    file::{Document, Source, TARGET_TYPES, in_order},
    table::did_you_mean,
};
use crate::domain::attachment::{Room, Target, TargetType};

/// How one key of a table is read.
type Take = fn(&mut TargetType, Spanned<DeValue<'_>>) -> Result<(), Error>;

/// The keys of a table.
const KEYS: [(&str, Take); 3] = [
    ("accepts", |target, value| put(&mut target.accepts, value)),
    ("max_media", |target, value| {
        let mut most = 0;
        put(&mut most, value)?;
        target.room.most = Some(most);
        Ok(())
    }),
    ("one_shot", |target, value| {
        put(&mut target.room.one_shot, value)
    }),
];

fn put<'v, T: Deserialize<'v>>(field: &mut T, value: Spanned<DeValue<'v>>) -> Result<(), Error> {
    *field = T::deserialize(ValueDeserializer::from(value))?;
    Ok(())
}

/// What the file says of targets.
#[derive(Default)]
pub(super) struct TargetTypes {
    pub all: Vec<TargetType>,
    pub problems: Vec<String>,
}

impl TargetTypes {
    pub fn read(file: Option<&Document<'_>>) -> Self {
        let mut targets = Self::default();
        if let Some((file, tables)) = file.and_then(|file| Some((file, file.named(TARGET_TYPES)?)))
        {
            targets.read_all(file.source, tables);
        }
        targets
    }

    fn read_all(&mut self, source: &Source, tables: &Spanned<DeValue<'_>>) {
        let Some(table) = tables.get_ref().as_table() else {
            let what = "target_type: is not a table; write `[target_type.NAME]`";
            self.problems
                .push(source.problem(tables.span().start, what));
            return;
        };
        for (name, table) in in_order(table) {
            let (at, name) = (name.span().start, name.get_ref().as_ref());
            let target = self.read_one(source, at, name, table);
            self.all.push(target);
        }
    }

    fn read_one(
        &mut self,
        source: &Source,
        at: usize,
        name: &str,
        table: &Spanned<DeValue<'_>>,
    ) -> TargetType {
        let mut target = TargetType {
            name: name.to_owned(),
            accepts: Vec::new(),
            room: Room::default(),
        };
        let mut refuse = |at, key: &str, reason: &str| {
            let what = format!("target_type.{name}{key}: {reason}");
            self.problems.push(source.problem(at, &what));
        };
        let Some(table) = table.get_ref().as_table() else {
            refuse(at, "", "is not a table");
            return target;
        };
        if !Target::is_kind(name) {
            refuse(
                at,
                "",
                "a name has 1 to 64 of the characters a-z, 0-9, _ and -",
            );
        }
        for (key, value) in in_order(table) {
            let (at, key) = (key.span().start, key.get_ref().as_ref());
            let Some((_, take)) = KEYS.iter().find(|(known, _)| *known == key) else {
                let hint = did_you_mean(key, KEYS.iter().map(|(known, _)| *known));
                refuse(at, "", &format!("unknown key `{key}`{hint}"));
                continue;
            };
            if let Err(error) = take(&mut target, value.clone()) {
                let at = error.span().map_or(at, |span| span.start);
                refuse(at, &format!(".{key}"), error.message());
            } else if key == "accepts" && target.accepts.is_empty() {
                refuse(at, ".accepts", "is empty, so nothing could be attached");
            } else if target.room.most == Some(0) {
                refuse(at, ".max_media", "is 0, so nothing could be attached");
            }
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(toml: &str) -> TargetTypes {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("askfile.toml");
        fs::write(&path, toml).unwrap();
        let source = Source::open(Some(path), folder.path()).unwrap().unwrap();
        let mut targets = TargetTypes::read(Some(&source.parse().unwrap()));
        let path = format!("{}/", folder.path().display());
        for problem in &mut targets.problems {
            *problem = problem.replace(&path, "");
        }
        targets
    }

    #[test]
    fn every_key_of_a_kind_of_target_is_read() {
        let toml = "[target_type.blog-post]\naccepts = ['image/*']\nmax_media = 4\n\
                    [target_type.avatar]\none_shot = true";
        let targets = read(toml);
        assert!(targets.problems.is_empty(), "{:?}", targets.problems);
        let [post, avatar] = &targets.all[..] else {
            panic!("{:?}", targets.all)
        };
        assert_eq!(post.name, "blog-post");
        assert!(post.accepts("image/png") && !post.accepts("video/mp4"));
        assert_eq!((post.room.most, post.room.one_shot), (Some(4), false));
        assert!(avatar.accepts("video/mp4"));
        assert_eq!((avatar.room.most, avatar.room.one_shot), (None, true));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_key() {
        #[rustfmt::skip]
        let table = [
            ("target_type = 1", "1: target_type: is not a table; write `[target_type.NAME]`"),
            ("target_type.post = 1", "1: target_type.post: is not a table"),
            ("[target_type.Post]", "1: target_type.Post: a name has 1 to 64 of the characters a-z, 0-9, _ and -"),
            ("[target_type.post]\nmax = 4", "2: target_type.post: unknown key `max`; did you mean `max_media`?"),
            ("[target_type.post]\nmax_media = 0", "2: target_type.post.max_media: is 0, so nothing could be attached"),
            ("[target_type.post]\naccepts = []", "2: target_type.post.accepts: is empty, so nothing could be attached"),
            ("[target_type.post]\naccepts = ['png']", "2: target_type.post.accepts: `png` is not a MIME type such as `image/png`, nor a pattern such as `image/*`"),
            ("[target_type.post]\none_shot = 1", "2: target_type.post.one_shot: invalid type: integer `1`, expected a boolean"),
        ];
        for (toml, problem) in table {
            assert_eq!(
                read(toml).problems,
                [format!("askfile.toml:{problem}")],
                "{toml}"
            );
        }
    }
}
