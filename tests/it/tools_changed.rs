//! Clients are told when their key allows other tools than before.

use std::time::Duration;

use askfile::domain::capability::Capability;
use serde_json::{Value, json};

use crate::harness::{
    Askfile,
    keys::mcp,
    legacy::Client,
    listening::{Listening, SILENCE},
    secs,
};

impl Askfile {
    /// Lets the key read files, or not.
    async fn let_read(&self, may: bool) {
        let operator = self.service.operator("a test");
        let change = self.service.allow_key(&operator, "laptop", |before| {
            let others = before.iter().filter(|one| *one != Capability::MediaRead);
            others.chain(may.then_some(Capability::MediaRead)).collect()
        });
        change.await.unwrap();
    }
}

impl Listening {
    async fn is_told_of_tools(&mut self) {
        let told = self.next().await.unwrap();
        assert_eq!(told["method"], "notifications/tools/list_changed");
    }
}

#[tokio::test]
async fn however_often_a_client_says_that_it_has_begun_it_is_told_once() {
    let askfile = Askfile::with_keys().await;
    let client = Client::with_key(&askfile, "laptop").await;
    let session = client.begin().await;
    for _ in 0..3 {
        client.is_ready(&session).await;
    }
    let mut hearing = client.hear(&session).await;
    for may in [true, false] {
        askfile.let_read(may).await;
        hearing.is_told_of_tools().await;
        assert!(hearing.is_silent().await);
    }
}

#[tokio::test]
async fn a_session_is_told_on_after_its_key_got_a_new_secret() {
    let askfile = Askfile::with_keys().await;
    let client = Client::with_key(&askfile, "laptop").await;
    let session = client.begin().await;
    let new = askfile.rotate("laptop").await;
    let client = Client::showing(&askfile, &new);
    let mut hearing = client.hear(&session).await;
    askfile.clock.advance(secs(2));
    askfile.let_read(true).await;
    hearing.is_told_of_tools().await;
    assert!(hearing.is_silent().await);

    // Now the newer one comes late.
    let newer = askfile.rotate("laptop").await;
    askfile.clock.advance(secs(2));
    hearing.last().await;
    let mut hearing = Client::showing(&askfile, &newer).hear(&session).await;
    hearing.hears_out().await;
    askfile.let_read(false).await;
    hearing.is_told_of_tools().await;
}

#[tokio::test]
async fn a_store_that_fails_once_is_not_taken_for_a_revoked_key() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("laptop", "asset:upload", &[]).await;
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    let listen = mcp(Some(&key), "subscriptions/listen", wanted);
    let mut listening = Listening::of(askfile.open(listen).await);
    listening.accepted().await;
    let allow = |what: &str| askfile.sql("UPDATE api_key SET capabilities = ?1", what);
    allow("nonsense");
    let failed = async {
        while askfile
            .rpc(Some(&key), "tools/list", Value::Null)
            .await
            .status
            != 500
        {
            tokio::time::sleep(SILENCE).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(9), failed)
        .await
        .unwrap();
    // It is looked every five seconds at least.
    tokio::time::sleep(Duration::from_secs(6)).await;
    allow("asset:upload");
    assert!(listening.is_silent().await);
    askfile.let_read(true).await;
    listening.is_told_of_tools().await;
}
