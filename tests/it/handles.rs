//! Handles, the calls that are suggested with them, and the addresses that lead to the bytes.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Askfile, PNG, PUBLIC_URL, secs, web::Link};

async fn for_both() -> Askfile {
    Askfile::start_with(|settings| settings.default_purpose = "both".into()).await
}

fn texts(value: &Value) -> Vec<&str> {
    let values = value.as_array().unwrap().iter();
    values.map(|value| value.as_str().unwrap()).collect()
}

/// What stands in quotation marks.
fn quoted(call: &str) -> Vec<&str> {
    call.split('"').skip(1).step_by(2).collect()
}

#[tokio::test]
async fn one_upload_for_both_mints_two_handles_and_suggests_both_calls() {
    let askfile = for_both().await;
    let link = askfile.link().await;
    askfile.put(&link, PNG).await;
    let status = askfile.status(&link).await;
    let handles = &status["result"]["handles"];
    let (person, study) = (
        texts(&handles["person_source"]),
        texts(&handles["study_media"]),
    );
    assert!(
        person[0].starts_with("ps_") && study[0].starts_with("sm_"),
        "{handles}"
    );
    assert_eq!(
        (
            person.len(),
            study.len(),
            handles.as_object().unwrap().len()
        ),
        (1, 1, 2)
    );

    let calls = texts(&status["suggestions"]);
    let generate = format!("person_generate(source_upload_ids=[\"{}\"])", person[0]);
    assert_eq!((calls[0], calls.len()), (generate.as_str(), 2));
    let address = quoted(calls[1])[0];
    assert_eq!(
        calls[1],
        format!("study_add_iteration(content_url=\"{address}\")")
    );
    let start = format!(
        "{PUBLIC_URL}/m/{}/{}?signature=",
        link.workspace_id, study[0]
    );
    assert!(address.starts_with(&start), "{address}");
    assert!(
        !calls.concat().contains(&link.token),
        "a handle is no secret, the token is"
    );
}

#[tokio::test]
async fn several_images_for_both_go_into_one_call_each() {
    let askfile = for_both().await;
    let link = askfile.ask(json!({ "max_files": 2 })).await;
    askfile.put(&link, PNG).await;
    askfile.put(&link, PNG).await;
    let status = askfile.status(&link).await;
    let persons = texts(&status["result"]["handles"]["person_source"]);
    let calls = texts(&status["suggestions"]);
    assert_eq!((quoted(calls[0]), calls.len()), (persons, 2));
    assert!(
        calls[1].starts_with("study_add_iteration(image_urls=[\""),
        "{calls:?}"
    );
    assert_eq!(quoted(calls[1]).len(), 2);
}

#[tokio::test]
async fn the_suggestion_for_a_general_file_names_its_token() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    askfile.put(&link, PNG).await;
    let call = format!(
        "attach_media(upload_token=\"{}\", target_type=…, target_id=…)",
        link.token
    );
    assert_eq!(askfile.status(&link).await["suggestions"], json!([call]));
}

#[tokio::test]
async fn a_handle_names_one_media_whichever_is_used() {
    let askfile = for_both().await;
    let link = askfile.link().await;
    let media = askfile.put(&link, PNG).await["media_id"].clone();
    let handles = askfile.status(&link).await["result"]["handles"].take();
    for name in ["person_source", "study_media"] {
        let what = json!({ "media_id": handles[name][0], "target_type": "x", "target_id": name });
        let attached = askfile.call("attach_media", what).await;
        assert_eq!(attached["attachments"][0]["media_id"], media, "{name}");
    }
}

async fn address(askfile: &Askfile, link: &Link) -> String {
    let status = askfile.status(link).await;
    let calls = texts(&status["suggestions"]);
    let call = calls
        .iter()
        .find(|call| call.contains("content_url"))
        .unwrap();
    quoted(call)[0].to_owned()
}

#[tokio::test]
async fn the_address_of_a_handle_leads_to_the_bytes_for_five_minutes_at_a_time() {
    let askfile = for_both().await;
    let link = askfile.link().await;
    askfile.put(&link, PNG).await;
    let address = address(&askfile, &link).await;
    askfile.clock.advance(secs(365 * 86_400));
    let led = askfile.fetch(&address).await;
    assert_eq!(led.status, StatusCode::FOUND, "it has no expiry: {led:?}");
    let download = led.header("location").to_owned();
    let file = askfile.fetch(&download).await;
    assert_eq!(
        (file.status, &file.body[..]),
        (StatusCode::OK, &askfile.bytes(&askfile.stored()[0])[..])
    );
    assert_eq!(file.header("x-content-type-options"), "nosniff");
    assert_eq!(
        file.header("content-security-policy"),
        "sandbox; default-src 'none'"
    );
    askfile.clock.advance(secs(299));
    assert_eq!(askfile.fetch(&download).await.status, StatusCode::OK);
    askfile.clock.advance(secs(1));
    askfile
        .fetch(&download)
        .await
        .is(403, "LINK_EXPIRED", "five minutes");
}

#[tokio::test]
async fn a_changed_address_leads_nowhere() {
    let askfile = for_both().await;
    let [link, other] = [askfile.link().await, askfile.link().await];
    for link in [&link, &other] {
        askfile.put(link, PNG).await;
    }
    let signed = address(&askfile, &link).await;
    let (path, signature) = signed.split_once("?signature=").unwrap();
    let others = address(&askfile, &other).await;
    let (other_path, _) = others.split_once('?').unwrap();
    let download = askfile.fetch(&signed).await.header("location").to_owned();
    let longer = download.replace("expires=", "expires=9");
    for address in [
        path.to_owned(),
        format!("{path}?signature="),
        format!(
            "{path}?signature={}",
            signature.replace(|c: char| c.is_ascii_digit(), "0")
        ),
        format!("{other_path}?signature={signature}"),
        longer,
        download.split_once('?').unwrap().0.to_owned(),
    ] {
        askfile
            .fetch(&address)
            .await
            .is(403, "LINK_INVALID", &address);
    }
}
