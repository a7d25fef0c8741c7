//! Workspaces, principals and keys.

use askfile::{
    domain::{
        api_key::{ApiKey, Secret},
        capability::{Capabilities, Capability},
        principal::PrincipalKind,
        workspace::WorkspaceRef,
    },
    store::{
        StoreError,
        identity::{NewKey, NewSecret},
    },
};

use super::*;
use crate::harness::mins;

fn kept(secret: &Secret) -> NewSecret {
    NewSecret {
        hash: secret.hash(),
        prefix: secret.prefix(),
    }
}

impl Bench {
    fn new_key(&self, name: &str, secret: &Secret) -> NewKey {
        NewKey {
            name: name.into(),
            person: None,
            workspaces: vec![self.workspace.id],
            capabilities: Capabilities::AGENT,
            secret: kept(secret),
            expires_in: None,
        }
    }

    async fn key(&self, name: &str) -> (ApiKey, Secret) {
        let secret = Secret::random();
        let made = self
            .store
            .create_key(self.new_key(name, &secret), somebody())
            .await;
        (made.unwrap(), secret)
    }

    async fn opens(&self, secret: &Secret) -> bool {
        let found = self.store.identify(secret.hash()).await.unwrap();
        found.is_some()
    }
}

pub async fn a_key_is_found_by_its_secret(bench: Bench) {
    let (made, secret) = bench.key("laptop").await;
    let found = bench.store.identify(secret.hash()).await.unwrap().unwrap();
    assert_eq!(*found.caller.principal, made.principal);
    assert_eq!(made.principal.kind, PrincipalKind::ApiKey);
    assert_eq!(*found.caller.workspaces, [bench.workspace.id]);
    assert_eq!(found.caller.capabilities, Capabilities::AGENT);
    let credential = found.caller.credential.unwrap();
    assert_eq!(
        (credential.api_key, found.last_used_at),
        (Some(made.id), None)
    );
    assert!(!bench.opens(&Secret::random()).await);
    bench.store.note_use(secret.hash()).await.unwrap();
    let found = bench.store.identify(secret.hash()).await.unwrap().unwrap();
    assert_eq!(found.last_used_at, Some(made.created_at));
    assert_eq!(bench.store.keys().await.unwrap()[0].prefix, secret.prefix());
}

pub async fn a_key_ends_to_the_second_or_when_it_is_revoked(bench: Bench) {
    let secret = Secret::random();
    let ends = NewKey {
        expires_in: Some(mins(1)),
        ..bench.new_key("ends", &secret)
    };
    let ends = bench.store.create_key(ends, somebody()).await.unwrap();
    let (revoked, other) = bench.key("revoked").await;
    bench.advance(secs(59));
    assert!(bench.opens(&secret).await && bench.opens(&other).await);
    bench.advance(secs(1));
    assert_eq!(
        bench
            .store
            .revoke_key(revoked.id, somebody())
            .await
            .unwrap(),
        0
    );
    for (key, secret) in [(ends.id, secret), (revoked.id, other)] {
        assert!(!bench.opens(&secret).await);
        let gone = [
            bench.store.revoke_key(key, somebody()).await.err(),
            bench
                .store
                .allow_key(key, Capabilities::ALL, somebody())
                .await
                .err(),
            bench
                .store
                .rotate_key(key, kept(&secret), mins(1), somebody())
                .await
                .err(),
        ];
        for error in gone {
            assert!(matches!(error, Some(StoreError::NotFound)), "{error:?}");
        }
    }
    assert_eq!(
        bench.store.keys().await.unwrap().len(),
        2,
        "they stay known"
    );
}

pub async fn a_secret_that_is_replaced_opens_for_a_while(bench: Bench) {
    let (key, first) = bench.key("laptop").await;
    let (second, third) = (Secret::random(), Secret::random());
    let rotate = |secret: &Secret, overlap| {
        bench
            .store
            .rotate_key(key.id, kept(secret), overlap, somebody())
    };
    rotate(&second, mins(2)).await.unwrap();
    bench.advance(mins(1));
    let rotated = rotate(&third, mins(5)).await.unwrap();
    assert_eq!(rotated.prefix, third.prefix());
    bench.advance(mins(1));
    assert!(!bench.opens(&first).await, "it is not made to live longer");
    assert!(bench.opens(&second).await && bench.opens(&third).await);
    bench.advance(mins(4));
    assert!(!bench.opens(&second).await && bench.opens(&third).await);
}

pub async fn a_key_that_is_revoked_closes_its_own_links(bench: Bench) {
    let (key, _) = bench.key("laptop").await;
    let with = |api_key| NewSession {
        created_by: somebody_with(api_key),
        ..bench.new_session(1)
    };
    let mine = bench.store.create(with(Some(key.id))).await.unwrap().id;
    let done = bench.store.create(with(Some(key.id))).await.unwrap().id;
    bench.file(done).await;
    let others = bench.store.create(with(None)).await.unwrap().id;
    assert_eq!(bench.store.revoke_key(key.id, somebody()).await.unwrap(), 1);
    assert_eq!(bench.state(mine).await, State::Cancelled);
    assert_eq!(bench.state(done).await, State::Completed);
    assert_eq!(bench.state(others).await, State::Pending);
}

pub async fn what_a_key_may_is_changed_at_once(bench: Bench) {
    let (key, secret) = bench.key("laptop").await;
    let less = Capabilities::AGENT.without(Capability::MediaDelete);
    let changed = bench
        .store
        .allow_key(key.id, less, somebody())
        .await
        .unwrap();
    assert_eq!(changed.capabilities, less);
    let found = bench.store.identify(secret.hash()).await.unwrap().unwrap();
    assert_eq!(found.caller.capabilities, less);
}

pub async fn two_that_live_never_have_one_name(bench: Bench) {
    let (key, _) = bench.key("laptop").await;
    let again = bench.new_key("laptop", &Secret::random());
    let taken = bench.store.create_key(again.clone(), somebody()).await;
    assert!(matches!(taken, Err(StoreError::Taken)), "{taken:?}");
    bench.store.revoke_key(key.id, somebody()).await.unwrap();
    bench.store.create_key(again, somebody()).await.unwrap();

    let alias: askfile::domain::workspace::Alias = "st-one".parse().unwrap();
    let create = || {
        bench
            .store
            .create_workspace("S".into(), Some(alias.clone()), somebody())
    };
    let made = create().await.unwrap();
    let taken = create().await;
    assert!(matches!(taken, Err(StoreError::Taken)), "{taken:?}");
    let home = bench.workspace.id;
    let taken = bench
        .store
        .rename_workspace(home, None, Some(alias.clone()), somebody());
    assert!(matches!(taken.await, Err(StoreError::Taken)));
    let other = "st-two".parse().unwrap();
    let renamed = bench
        .store
        .rename_workspace(made.id, Some("T".into()), Some(other), somebody());
    let renamed = renamed.await.unwrap();
    assert_eq!(
        (renamed.name.as_str(), renamed.alias.as_str()),
        ("T", "st-two")
    );
    let old = bench.store.workspace(&WorkspaceRef::Alias(alias)).await;
    assert_eq!(old.unwrap(), None, "the old one is free");
}

pub async fn an_archived_workspace_is_closed_until_it_is_taken_up_again(bench: Bench) {
    let other = bench
        .store
        .create_workspace("S".into(), None, somebody())
        .await
        .unwrap();
    let secret = Secret::random();
    let both = NewKey {
        workspaces: vec![bench.workspace.id, other.id],
        ..bench.new_key("both", &secret)
    };
    bench.store.create_key(both, somebody()).await.unwrap();
    let there = NewSession {
        workspace_id: other.id,
        ..bench.new_session(1)
    };
    let there = bench.store.create(there).await.unwrap().id;
    let here = bench.session(1).await;
    let reach = async || {
        let found = bench.store.identify(secret.hash()).await.unwrap().unwrap();
        found.caller.workspaces.len()
    };
    assert_eq!(reach().await, 2);
    let archived = bench
        .store
        .archive_workspace(other.id, true, somebody())
        .await;
    assert_eq!(archived.unwrap(), 1);
    assert_eq!(bench.state(there).await, State::Cancelled);
    assert_eq!(bench.state(here).await, State::Pending);
    assert_eq!(reach().await, 1);
    bench
        .store
        .archive_workspace(other.id, false, somebody())
        .await
        .unwrap();
    assert_eq!(reach().await, 2);
    let nobodys = bench.store.archive_workspace(
        askfile::domain::ids::WorkspaceId::random(),
        true,
        somebody(),
    );
    assert!(matches!(nobodys.await, Err(StoreError::NotFound)));
}

pub async fn a_person_is_known_by_the_address(bench: Bench) {
    let mut people = Vec::new();
    for (key, name, email) in [
        ("a", "Ana", Some("ana@example.com")),
        ("b", "Ana B.", Some("ana@example.com")),
        ("c", "Ana", None),
        ("d", "Ana", None),
    ] {
        let new = NewKey {
            person: Some((name.into(), email.map(Into::into))),
            ..bench.new_key(key, &Secret::random())
        };
        people.push(
            bench
                .store
                .create_key(new, somebody())
                .await
                .unwrap()
                .principal,
        );
    }
    assert_eq!(people[0].id, people[1].id);
    assert_eq!(people[1].name, "Ana B.", "as it was said last");
    assert_ne!(people[2].id, people[3].id, "a name is nobody's own");
}
