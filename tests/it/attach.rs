//! Attaching: by each of a file's names, once where it is once, and never another's.

use askfile::{
    Error,
    domain::{caller::Caller, ids::WorkspaceId},
    service::{AttachRequest, CreateRequest, What},
    store::SessionRef,
};
use serde_json::{Value, json};

use crate::harness::{Askfile, PNG, body::Feed, secs, web::put};

/// Attaches what is named by these arguments to post 7.
async fn attach(askfile: &Askfile, mut what: Value) -> Value {
    let object = what.as_object_mut().unwrap();
    for (name, value) in [("target_type", "post"), ("target_id", "7")] {
        object.entry(name).or_insert(json!(value));
    }
    askfile.call("attach_media", what).await
}

#[tokio::test]
async fn a_file_is_attached_by_any_of_its_names() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    askfile.put(&link, PNG).await;
    let result = askfile.status(&link).await["result"].take();
    let media = result["media"][0]["media_id"].as_str().unwrap();
    let handle = result["handles"]["media"][0].as_str().unwrap();
    let key = format!("medias/{}", askfile.stored()[0]);

    let mut answers = Vec::new();
    for (name, value) in [
        ("media_id", media),
        ("media_id", handle),
        ("upload_key", &key),
    ] {
        // Some models write the id of a target as a number.
        let answer = attach(&askfile, json!({ name: value, "target_id": 7 })).await;
        assert_eq!(answer["status"], "completed", "{name} never consumes");
        answers.push(answer["attachments"].clone());
    }
    for (name, value) in [
        ("upload_token", &link.token),
        ("upload_id", &link.upload_id),
    ] {
        let answer = attach(&askfile, json!({ name: value })).await;
        assert_eq!(answer["status"], "consumed", "{name}: {answer}");
        answers.push(answer["attachments"].clone());
    }
    let first = &answers[0];
    assert_eq!(first[0]["media_id"], media);
    assert_eq!(
        (&first[0]["target_type"], &first[0]["target_id"]),
        (&json!("post"), &json!("7"))
    );
    assert_eq!(
        (&first[0]["position"], first.as_array().unwrap().len()),
        (&json!(0), 1)
    );
    assert!(
        first[0]["attachment_id"]
            .as_str()
            .unwrap()
            .starts_with("att_")
    );
    assert!(
        answers.iter().all(|answer| answer == first),
        "one and the same: {answers:?}"
    );
}

#[tokio::test]
async fn consuming_takes_all_files_in_order_and_once() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 2 })).await;
    let sent = [askfile.put(&link, PNG).await, askfile.put(&link, PNG).await];
    let wanted = json!({ "upload_token": link.token, "alt": "a view", "position": 4 });
    let answer = attach(&askfile, wanted.clone()).await;
    let attached = answer["attachments"].as_array().unwrap();
    for (n, (one, sent)) in attached.iter().zip(&sent).enumerate() {
        assert_eq!(
            (&one["media_id"], &one["alt"]),
            (&sent["media_id"], &json!("a view"))
        );
        assert_eq!(one["position"], 4 + n);
    }
    assert_eq!(attached.len(), 2);
    assert_eq!(
        attach(&askfile, wanted).await,
        answer,
        "the same call, the same answer"
    );

    for elsewhere in [
        json!({ "upload_token": link.token, "target_id": "8" }),
        json!({ "upload_id": link.upload_id, "target_type": "page" }),
    ] {
        let refused = attach(&askfile, elsewhere).await;
        assert_eq!(
            (&refused["code"], &refused["error_kind"]),
            (&json!("ALREADY_CONSUMED"), &json!("validation_error"))
        );
        assert!(
            refused["message"].as_str().unwrap().contains("post 7"),
            "{refused}"
        );
    }
    let media = sent[0]["media_id"].clone();
    let again = attach(&askfile, json!({ "media_id": media, "target_id": "8" })).await;
    assert_eq!(again["ok"], true, "a media stays reusable");
}

#[tokio::test]
async fn before_it_is_completed_there_is_nothing_to_attach() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 2 })).await;
    let by_token = json!({ "upload_token": link.token });
    let refused = attach(&askfile, by_token.clone()).await;
    assert_eq!(refused["code"], "NOT_READY");
    assert!(
        refused["hint"].as_str().unwrap().contains("upload_status"),
        "{refused}"
    );

    let (feed, body) = Feed::new();
    feed.send(&PNG[..40]);
    let early = async {
        askfile.until_phase(&link, "receiving").await;
        assert_eq!(
            attach(&askfile, by_token.clone()).await["code"],
            "NOT_READY"
        );
        feed.send(&PNG[40..]);
        drop(feed);
    };
    let (sent, ()) = tokio::join!(askfile.send(put(&link, body)), early);
    let media = sent.receipt()["media_id"].take();
    for one_of_two in [by_token.clone(), json!({ "media_id": media })] {
        assert_eq!(attach(&askfile, one_of_two).await["code"], "NOT_READY");
    }
    askfile.put(&link, PNG).await;
    assert_eq!(attach(&askfile, by_token).await["status"], "consumed");
}

#[tokio::test]
async fn a_link_that_brought_nothing_attaches_nothing() {
    let askfile = Askfile::start().await;
    let (cancelled, expired) = (askfile.link().await, askfile.link().await);
    askfile
        .call("upload_cancel", json!({ "token": cancelled.token }))
        .await;
    askfile.clock.advance(secs(900));
    for (link, code) in [(cancelled, "CANCELLED"), (expired, "LINK_EXPIRED")] {
        let refused = attach(&askfile, json!({ "upload_token": link.token })).await;
        assert_eq!(refused["code"], code);
    }
}

#[tokio::test]
async fn what_is_no_name_of_a_file_is_unknown() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    askfile.put(&link, PNG).await;
    let name = &askfile.stored()[0];
    let id = name.split_once('.').unwrap().0;
    for what in [
        json!({ "media_id": "11111111-2222-7333-8444-555555555555" }),
        json!({ "media_id": "md_00000000000000000000000000" }),
        json!({ "media_id": link.token }),
        json!({ "media_id": name }),
        json!({ "media_id": "" }),
        json!({ "upload_key": name }),
        json!({ "upload_key": format!("staging/{name}") }),
        json!({ "upload_key": format!("medias/../medias/{name}") }),
        json!({ "upload_key": format!("medias/{id}.exe") }),
        json!({ "upload_token": link.upload_id }),
        json!({ "upload_token": "11111111-2222-4333-8444-555555555555" }),
        json!({ "upload_id": link.token }),
    ] {
        let refused = attach(&askfile, what.clone()).await;
        assert_eq!(refused["code"], "NOT_FOUND", "{what}: {refused}");
    }
}

#[tokio::test]
async fn a_purpose_can_say_what_its_files_go_on() {
    let askfile = Askfile::start_with(|settings| {
        let mut purposes = settings.purposes.iter_mut();
        let for_posts = purposes.find(|purpose| purpose.name == "post_media");
        for_posts.unwrap().target_types = vec!["post".into()];
    })
    .await;
    let link = askfile.ask(json!({ "purpose": "post_media" })).await;
    let media = askfile.put(&link, PNG).await["media_id"].clone();
    for what in [
        json!({ "upload_token": link.token }),
        json!({ "media_id": media }),
    ] {
        let mut elsewhere = what.clone();
        elsewhere["target_type"] = json!("page");
        let refused = attach(&askfile, elsewhere).await;
        assert_eq!(refused["code"], "INVALID_ARGUMENT");
        assert!(
            refused["message"]
                .as_str()
                .unwrap()
                .contains("goes on post"),
            "{refused}"
        );
    }
    // It holds as long as the file does, also once its session is forgotten.
    askfile.clock.advance(secs(31 * 86_400));
    assert_eq!(askfile.service.sweep().await.unwrap().forgotten_sessions, 1);
    let page = json!({ "media_id": media, "target_type": "page" });
    assert_eq!(attach(&askfile, page).await["code"], "INVALID_ARGUMENT");
    assert_eq!(
        attach(&askfile, json!({ "media_id": media })).await["ok"],
        true
    );
}

#[tokio::test]
async fn another_workspace_sees_and_moves_nothing() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let media = askfile.put(&link, PNG).await["media_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let owner = askfile.service.open_caller(None);
    let stranger = Caller {
        workspaces: [WorkspaceId::random()].into(),
        ..owner.clone()
    };
    let service = &askfile.service;
    let whichever = [
        SessionRef::Id(link.upload_id.parse().unwrap()),
        SessionRef::Token(link.token.parse().unwrap()),
    ];
    for which in whichever {
        assert!(matches!(
            service.status(&stranger, which).await,
            Err(Error::NotFound)
        ));
        assert!(matches!(
            service.cancel(&stranger, which).await,
            Err(Error::NotFound)
        ));
        assert!(service.status(&owner, which).await.is_ok());
    }
    for what in [What::Session(whichever[1]), What::Media(media)] {
        let wanted = AttachRequest {
            what,
            target: askfile::domain::attachment::Target {
                kind: "post".into(),
                id: "7".into(),
            },
            alt: None,
            position: None,
        };
        let refused = service.attach(&stranger, wanted.clone()).await;
        assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
        assert!(service.attach(&owner, wanted).await.is_ok());
    }
    let theirs = CreateRequest {
        workspace_id: Some(owner.workspaces[0].to_string()),
        ..CreateRequest::default()
    };
    let refused = service.create(&stranger, theirs).await;
    assert!(
        matches!(refused, Err(Error::NoSuchWorkspace(_))),
        "{refused:?}"
    );
}
