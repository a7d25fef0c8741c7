//! The audit log: every change leaves its line, with who made it, and nothing that should be kept
//! from whoever reads it.

mod access;
mod files;
mod lines;
mod reading;

use std::time::Duration;

use askfile::{
    Error,
    domain::{
        api_key::Secret,
        attachment::Target,
        audit::{Entry, EntryId},
        caller::Caller,
        capability::{Capabilities, Capability},
        quota::{OwnLimit, QuotaChange},
        session::UploadSession,
    },
    service::{AttachRequest, CreateRequest, What, audit::AuditRequest, keys::KeyRequest},
    store::{MediaRef, SessionRef, audit::Start},
};
use axum::http::{Method, StatusCode};
use jiff::Timestamp;
use rusqlite::{Connection, types::ValueRef};
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG,
    body::Form,
    keys::ALL,
    mins, secs,
    web::{Link, With, at, get, post, press, put, request},
};

impl Askfile {
    fn operator(&self) -> Caller {
        self.service.operator("askfile keys")
    }

    /// All lines that somebody gets to see, in pages.
    async fn log_of(&self, caller: &Caller, asked: AuditRequest) -> askfile::Result<Vec<Entry>> {
        let (mut lines, mut start) = (Vec::new(), Some(asked.start));
        while let Some(at) = start {
            let page = AuditRequest {
                start: at,
                ..asked.clone()
            };
            let page = self.service.audit(caller, page).await?;
            assert!(page.entries.len() <= 500, "{}", page.entries.len());
            lines.extend(page.entries);
            start = page.next;
        }
        Ok(lines)
    }

    async fn log(&self) -> Vec<Entry> {
        self.log_of(&self.operator(), everything()).await.unwrap()
    }

    /// The log from its second line on, which follows how the installation began: who, and what.
    async fn told(&self) -> Vec<String> {
        let log = self.log().await;
        assert_eq!(told(&log[0]), "system workspace.created");
        log[1..].iter().map(told).collect()
    }

    /// A key, and whoever comes with it.
    async fn person(&self, name: &str, workspaces: &[&str], capabilities: Capabilities) -> Caller {
        let (_, secret) = self.secret(name, workspaces, capabilities).await;
        self.service.identify(&secret).await.unwrap()
    }

    async fn secret(
        &self,
        name: &str,
        workspaces: &[&str],
        capabilities: Capabilities,
    ) -> (String, Secret) {
        let request = KeyRequest {
            name: name.into(),
            person: Some((name.into(), None)),
            workspaces: workspaces.iter().map(ToString::to_string).collect(),
            capabilities,
            expires_in: None,
        };
        let made = self.service.create_key(&self.operator(), request).await;
        let (key, secret) = made.unwrap();
        (key.id.to_string(), secret)
    }

    async fn workspace_called(&self, name: &str, alias: &str) {
        let operator = self.operator();
        let made = self.service.create_workspace(&operator, name, Some(alias));
        made.await.unwrap();
    }

    /// A link that somebody made.
    async fn link_of(&self, caller: &Caller, request: CreateRequest) -> Link {
        let session = self.service.create(caller, request).await.unwrap();
        let UploadSession { id, token, .. } = session;
        Link {
            upload_id: id.to_string(),
            token: token.to_string(),
            workspace_id: session.workspace_id.to_string(),
            query: self.service.link_query(&session).to_string(),
        }
    }

    fn database(&self) -> Connection {
        let folder = &self.service.settings().data_dir;
        Connection::open(folder.join("askfile.db")).unwrap()
    }
}

fn everything() -> AuditRequest {
    AuditRequest {
        workspace: None,
        start: Start::At(Timestamp::MIN),
        until: None,
        action: None,
        actor: None,
    }
}

/// Who, and what.
fn told(entry: &Entry) -> String {
    let who = entry.actor.name().unwrap_or(entry.actor.kind());
    format!("{who} {}", entry.action.as_str())
}

fn by_token(link: &Link) -> SessionRef {
    SessionRef::Token(link.token.parse().unwrap())
}

async fn attach(askfile: &Askfile, caller: &Caller, what: What) {
    let request = AttachRequest {
        what,
        target: Target {
            kind: "post".into(),
            id: "7".into(),
        },
        alt: None,
        position: None,
    };
    askfile.service.attach(caller, request).await.unwrap();
}
