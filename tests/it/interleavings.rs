//! Everything that can happen to files, at once and in any order, against what must then be there.

use std::collections::BTreeMap;

use axum::response::Response;
use futures_util::future::join_all;
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::harness::{
    Askfile, PNG,
    body::Feed,
    secs,
    web::{Link, put},
};

const SEEDS: u64 = 6;
const ROUNDS: usize = 25;
/// Deeds that happen at once.
const AT_ONCE: usize = 6;
/// For how long a file is kept that nothing is attached to.
const KEPT_SECONDS: u64 = 60;

/// Numbers as if by chance, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// A body that has begun and not ended.
struct Begun {
    session: usize,
    feed: Feed,
    sending: JoinHandle<Response>,
}

/// Something to do.
enum Deed {
    Send(usize),
    Finish(Begun),
    Cut(Begun),
    Attach(String),
    Consume(usize),
    Delete { media: String, by_force: bool },
    Cancel(usize),
    Sweep,
}

/// What came of it.
#[derive(Debug)]
enum Done {
    Stored { session: usize, media: String },
    Attached(String),
    Consumed(usize),
    Deleted { media: String, by_force: bool },
    Cancelled(usize),
    Nothing,
}

/// A file that must be there, unless its time is over.
#[derive(Debug)]
struct Kept {
    session: usize,
    is_attached: bool,
    retain_until: Timestamp,
}

struct World {
    askfile: Askfile,
    dice: Dice,
    sessions: Vec<Link>,
    kept: BTreeMap<String, Kept>,
    begun: Vec<Begun>,
}

impl World {
    async fn new(seed: u64) -> Self {
        let askfile = Askfile::start_with(|settings| {
            settings.rate_limit_uploads_per_minute = 0;
            settings.purposes[0].retain_seconds = Some(KEPT_SECONDS);
        });
        Self {
            askfile: askfile.await,
            dice: Dice(seed),
            sessions: Vec::new(),
            kept: BTreeMap::new(),
            begun: Vec::new(),
        }
    }

    /// Asks for files, and begins to send one somewhere.
    async fn begin(&mut self) {
        let asked = json!({ "max_files": 1 + self.dice.below(3), "expires_in_seconds": 120 });
        self.sessions.push(self.askfile.ask(asked).await);
        let session = self.dice.below(self.sessions.len());
        let (feed, body) = Feed::new();
        feed.send(&PNG[..20]);
        let sending = tokio::spawn(self.askfile.open(put(&self.sessions[session], body)));
        self.begun.push(Begun {
            session,
            feed,
            sending,
        });
    }

    fn deed(&mut self) -> Deed {
        let session = self.dice.below(self.sessions.len());
        let chosen = self.dice.below(self.kept.len().max(1));
        let media = self.kept.keys().nth(chosen).cloned();
        let begun = self.dice.below(self.begun.len().max(1));
        match (self.dice.below(9), media) {
            (0, _) if !self.begun.is_empty() => Deed::Finish(self.begun.remove(begun)),
            (1, _) if !self.begun.is_empty() => Deed::Cut(self.begun.remove(begun)),
            (2, _) => Deed::Cancel(session),
            (3, _) => Deed::Consume(session),
            (4, _) => Deed::Sweep,
            (5, Some(media)) => Deed::Attach(media),
            (6, Some(media)) => Deed::Delete {
                media,
                by_force: self.dice.below(3) == 0,
            },
            _ => Deed::Send(session),
        }
    }

    async fn do_it(&self, deed: Deed) -> Done {
        let stored = |session, answer: &Value| match answer["media_id"].as_str() {
            Some(media) => Done::Stored {
                session,
                media: media.to_owned(),
            },
            None => Done::Nothing,
        };
        let when = |done, answer: &Value| {
            if answer["ok"] == true {
                done
            } else {
                Done::Nothing
            }
        };
        let on_post = |mut what: Value| {
            what["target_type"] = json!("post");
            what["target_id"] = json!("7");
            self.askfile.call("attach_media", what)
        };
        match deed {
            Deed::Send(session) => {
                let sent = self.askfile.send(put(&self.sessions[session], PNG));
                stored(session, &sent.await.json())
            }
            Deed::Finish(Begun {
                session,
                feed,
                sending,
            }) => {
                feed.send(&PNG[20..]);
                drop(feed);
                let body = sending.await.unwrap().into_body().collect().await;
                let answer = serde_json::from_slice(&body.unwrap().to_bytes());
                stored(session, &answer.unwrap())
            }
            Deed::Cut(Begun { feed, sending, .. }) => {
                feed.cut();
                sending.await.unwrap();
                Done::Nothing
            }
            Deed::Attach(media) => {
                let answer = on_post(json!({ "media_id": media })).await;
                when(Done::Attached(media), &answer)
            }
            Deed::Consume(session) => {
                let what = json!({ "upload_token": self.sessions[session].token });
                when(Done::Consumed(session), &on_post(what).await)
            }
            Deed::Delete { media, by_force } => {
                let which = json!({ "media_id": media, "force": by_force });
                let answer = self.askfile.call("media_delete", which).await;
                when(Done::Deleted { media, by_force }, &answer)
            }
            Deed::Cancel(session) => {
                let which = json!({ "token": self.sessions[session].token });
                let answer = self.askfile.call("upload_cancel", which).await;
                when(Done::Cancelled(session), &answer)
            }
            Deed::Sweep => {
                self.askfile.service.sweep().await.unwrap();
                Done::Nothing
            }
        }
    }

    /// Brings what must be there up to date.
    fn learn(&mut self, done: &[Done], now: Timestamp) {
        for one in done {
            if let Done::Stored { session, media } = one {
                let file = Kept {
                    session: *session,
                    is_attached: false,
                    retain_until: now + secs(i64::try_from(KEPT_SECONDS).unwrap()),
                };
                self.kept.insert(media.clone(), file);
            }
        }
        let was_attached: Vec<String> = self
            .kept
            .iter()
            .filter(|(_, file)| file.is_attached)
            .map(|(media, _)| media.clone())
            .collect();
        for one in done {
            for (media, file) in &mut self.kept {
                file.is_attached |= match one {
                    Done::Attached(which) => which == media,
                    Done::Consumed(which) => *which == file.session,
                    _ => false,
                };
            }
        }
        for one in done {
            match one {
                Done::Deleted { media, by_force } => {
                    let attached_now = done
                        .iter()
                        .any(|one| matches!(one, Done::Attached(which) if which == media));
                    assert!(
                        *by_force || !(attached_now || was_attached.contains(media)),
                        "{media} was attached, and deleted without force"
                    );
                    self.kept.remove(media);
                }
                Done::Cancelled(session) => self.kept.retain(|_, file| file.session != *session),
                _ => {}
            }
        }
    }

    /// After a sweep, with nothing going on: there is what must be there, and nothing else.
    async fn check(&mut self, why: &str) {
        self.askfile.service.sweep().await.unwrap();
        let now = self.askfile.service.now();
        for n in 0..self.sessions.len() {
            let is_open = self.askfile.status(&self.sessions[n]).await["status"] == "pending";
            self.kept.retain(|_, file| {
                file.session != n || is_open || file.is_attached || now < file.retain_until
            });
        }
        let mut listed = Vec::new();
        let mut page = json!({ "limit": 100 });
        loop {
            let answer = self.askfile.call("media_list", page.clone()).await;
            let items = answer["items"].as_array().unwrap().iter();
            listed.extend(items.map(|item| item["media_id"].as_str().unwrap().to_owned()));
            page["cursor"] = answer["next_cursor"].clone();
            if page["cursor"].is_null() {
                break;
            }
        }
        listed.sort_unstable();
        let kept: Vec<String> = self.kept.keys().cloned().collect();
        assert_eq!(listed, kept, "{why}: the rows");
        let files = kept.iter().map(|media| format!("{media}.png"));
        let files: Vec<String> = files.collect();
        assert_eq!(self.askfile.stored(), files, "{why}: the files");
        self.askfile.usage_is_counted_right(why);
        let staged = self.askfile.staged().len();
        assert!(staged <= self.begun.len(), "{why}: {staged} staged files");
    }
}

#[tokio::test]
async fn whatever_happens_at_once_files_stay_that_are_needed_and_others_go() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed).await;
        for round in 0..ROUNDS {
            world.begin().await;
            let deeds: Vec<Deed> = (0..AT_ONCE).map(|_| world.deed()).collect();
            let now = world.askfile.service.now();
            let doing = deeds.into_iter().map(|deed| world.do_it(deed));
            let done = join_all(doing).await;
            world.learn(&done, now);
            world
                .check(&format!("seed {seed}, round {round}, {done:?}"))
                .await;
            let pause = world.dice.below(25);
            world
                .askfile
                .clock
                .advance(secs(i64::try_from(pause).unwrap()));
        }
        for begun in std::mem::take(&mut world.begun) {
            world.do_it(Deed::Cut(begun)).await;
        }
        world.askfile.clock.advance(secs(86_400));
        world.check(&format!("seed {seed}, a day later")).await;
        let attached: Vec<String> = world.kept.keys().cloned().collect();
        for media in attached {
            let by_force = true;
            let done = world.do_it(Deed::Delete { media, by_force }).await;
            world.learn(&[done], world.askfile.service.now());
        }
        world.check("after all").await;
        assert!(world.kept.is_empty());
        assert_eq!(world.askfile.staged(), [""; 0]);
        let left = world.askfile.service.due().await.unwrap();
        assert_eq!(left, askfile::store::Due::default());
    }
}
