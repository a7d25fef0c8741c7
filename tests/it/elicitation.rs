//! Clients that show the link to the person themselves.

use std::time::Duration;

use askfile::{Error, domain::session::Status, store::SessionRef};
use rmcp::model::ElicitationAction::{Accept, Cancel, Decline};
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG, PUBLIC_URL,
    keys::{ALL, mcp_of, message},
    legacy::Client,
    listening::{Listening, SILENCE},
    secs,
    shower::{Question, Shower},
    web::{Link, get, press, put},
};

const SESSIONS: &str = "SELECT count(*) FROM upload_session";

async fn impatient() -> Askfile {
    Askfile::start_with(|settings| settings.max_wait = Duration::from_millis(300)).await
}

fn photo() -> Value {
    json!({ "prompt": "A photo" })
}

/// The link that a question shows.
fn shown(url: &str, upload_id: &str) -> Link {
    let (path, query) = url.split_once('?').unwrap();
    Link {
        upload_id: upload_id.to_owned(),
        token: path.rsplit_once('/').unwrap().1.to_owned(),
        workspace_id: String::new(),
        query: query.to_owned(),
    }
}

fn link_of(question: &Question) -> Link {
    shown(&question.url, &question.id)
}

#[track_caller]
fn is(answer: &Value, outcome: &str, status: &str) {
    let stands = (&answer["outcome"], &answer["status"]);
    assert_eq!(stands, (&json!(outcome), &json!(status)), "{answer}");
}

#[track_caller]
fn says(answer: &Value, words: &str) {
    let next = answer["next_action"].as_str().unwrap();
    assert!(next.contains(words), "{next}");
}

#[tokio::test]
async fn the_client_shows_the_link_and_the_call_waits_for_the_file() {
    let askfile = Askfile::start().await;
    let agent = Shower::connect(askfile.service.clone()).await;
    let prompt = "The \u{202e}photo\nof “the sea”";
    let asking = agent.call("upload_request", json!({ "prompt": prompt }));
    let sending = async {
        let question = agent.question().await;
        let link = link_of(&question);
        let page = askfile.fetch(&question.url).await;
        let message = question.message.clone();
        question.choose(Accept);
        askfile.put(&link, PNG).await;
        (link, message, page)
    };
    let (answer, (link, message, page)) = tokio::join!(asking, sending);
    is(&answer, "uploaded", "completed");
    assert_eq!(
        answer["result"]["media"][0]["original_size_bytes"],
        PNG.len()
    );
    assert_eq!(answer["upload_url"], format!("{PUBLIC_URL}{}", link.path()));
    assert_eq!(answer["upload_id"], link.upload_id);

    let (ours, agents) = message.split_once("\n\n").unwrap();
    assert!(ours.starts_with("Claude asks you for a file."), "{message}");
    assert_eq!(agents, "The agent's own words: The photo of “the sea”");
    let words = ours.split_once('“').unwrap().1.split_once('”').unwrap().0;
    assert!(page.html().contains(words), "the page shows them: {words}");
    assert!(!message.contains(&link.token), "{message}");
    let over = format!("notifications/elicitation/complete {}", link.upload_id);
    assert_eq!(agent.told().await, over);
}

#[tokio::test]
async fn who_agreed_and_sends_later_is_waited_for_and_told_of_later() {
    let askfile = impatient().await;
    let agent = Shower::connect(askfile.service.clone()).await;
    for (timeout, outcome) in [(0.1, "timeout"), (300.0, "pending")] {
        let asked = json!({ "prompt": "A photo", "timeout": timeout });
        let choosing = async { agent.question().await.choose(Accept) };
        let (answer, ()) = tokio::join!(agent.call("upload_request", asked), choosing);
        is(&answer, outcome, "pending");
        says(&answer, "nothing to relay");
        let next = answer["next_action"].as_str().unwrap();
        assert_eq!(
            next.starts_with("Waited 0."),
            outcome == "pending",
            "{next}"
        );
        assert!(!agent.is_told().await);
        let link = Link::of(&answer);
        askfile.put(&link, PNG).await;
        let over = format!("notifications/elicitation/complete {}", link.upload_id);
        assert_eq!(agent.told().await, over);
    }
}

#[tokio::test]
async fn a_store_that_fails_once_keeps_nobody_from_being_told() {
    let askfile = impatient().await;
    let agent = Shower::connect(askfile.service.clone()).await;
    let asked = json!({ "prompt": "A photo", "timeout": 0.1 });
    let choosing = async { agent.question().await.choose(Accept) };
    let (answer, ()) = tokio::join!(agent.call("upload_request", asked), choosing);
    let metadata = |what: &str| askfile.sql("UPDATE upload_session SET metadata = ?1", what);
    metadata("nonsense");
    // It is looked every five seconds at least.
    tokio::time::sleep(Duration::from_secs(6)).await;
    metadata("{}");
    let link = Link::of(&answer);
    askfile.put(&link, PNG).await;
    let over = format!("notifications/elicitation/complete {}", link.upload_id);
    assert_eq!(agent.told().await, over);
}

#[tokio::test]
async fn who_comes_with_a_new_secret_is_told_that_the_link_is_over() {
    let askfile = Askfile::with_keys().await;
    let old = askfile.key("laptop", ALL, &[]).await;
    let client = Client::showing(&askfile, &old);
    let session = client.begin().await;
    let arguments = json!({ "prompt": "A photo", "timeout": 0.5 });
    let call = json!({ "name": "upload_request", "arguments": arguments });
    let call = client.rpc(&session, "tools/call", &call);
    let mut call = Listening::of(askfile.open(call).await);
    let question = call.next().await.unwrap();
    let choice =
        json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "action": "accept" } });
    client.post(&session, &choice).await;
    let answer = call.next().await.unwrap()["result"]["structuredContent"].take();
    is(&answer, "timeout", "pending");

    let new = askfile.rotate("laptop").await;
    askfile.clock.advance(secs(2));
    let link = Link::of(&answer);
    askfile.put(&link, PNG).await;
    tokio::time::sleep(SILENCE).await;
    let mut hearing = Client::showing(&askfile, &new).hear(&session).await;
    let told = hearing.next().await.unwrap();
    assert_eq!(told["method"], "notifications/elicitation/complete");
    assert_eq!(told["params"]["elicitationId"], link.upload_id.as_str());
}

#[tokio::test]
async fn who_declines_has_declined_everywhere_on_the_word_of_the_client() {
    let askfile = Askfile::start().await;
    let agent = Shower::connect(askfile.service.clone()).await;
    let choosing = async { agent.question().await.choose(Decline) };
    let (answer, ()) = tokio::join!(agent.call("upload_request", photo()), choosing);
    is(&answer, "declined", "declined");
    says(&answer, "The person declined");
    let refused = askfile.send(put(&Link::of(&answer), PNG)).await;
    refused.is(409, "DECLINED", "declined");
    let by =
        "SELECT count(*) FROM audit WHERE action = 'upload.declined' AND actor_name = 'Claude'";
    assert_eq!(askfile.count(by), 1, "nobody used the link");
}

#[tokio::test]
async fn nobody_declines_for_a_person_what_has_ended_or_without_leave_to_ask() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let which = SessionRef::Id(link.upload_id.parse().unwrap());
    let reader = askfile.caller("reader", "media:read", &[]).await;
    let refused = askfile.service.decline_for(&reader, which).await;
    assert!(matches!(refused, Err(Error::ToolNotEnabled)), "{refused:?}");
    askfile.put(&link, PNG).await;
    let agent = askfile.service.open_caller(None);
    let left = askfile.service.decline_for(&agent, which).await.unwrap();
    assert_eq!(left.session.state.status(), Status::Completed);
}

#[tokio::test]
async fn who_puts_the_question_away_can_still_use_the_link() {
    let askfile = Askfile::start().await;
    let agent = Shower::connect(askfile.service.clone()).await;
    let choosing = async { agent.question().await.choose(Cancel) };
    let (answer, ()) = tokio::join!(agent.call("upload_request", photo()), choosing);
    is(&answer, "pending", "pending");
    says(&answer, "relay `instruction`");
    let link = Link::of(&answer);
    askfile.put(&link, PNG).await;
    let which = json!({ "token": link.token });
    let status = agent.call("upload_status", which).await;
    assert_eq!(status["status"], "completed");
    assert!(!agent.is_told().await, "it shows nothing any more");
}

#[tokio::test]
async fn a_client_that_cannot_show_it_after_all_gets_the_link_to_relay() {
    let askfile = Askfile::start().await;
    let agent = Shower::connect(askfile.service.clone()).await;
    let failing = async { agent.question().await.fail() };
    let (answer, ()) = tokio::join!(agent.call("upload_request", photo()), failing);
    is(&answer, "pending", "pending");
    let next = answer["next_action"].as_str().unwrap();
    assert!(next.starts_with("Relay `instruction`"), "{next}");
    askfile.put(&Link::of(&answer), PNG).await;
}

#[tokio::test]
async fn a_question_that_nobody_answers_is_closed_with_the_call() {
    let askfile = impatient().await;
    let agent = Shower::connect(askfile.service.clone()).await;
    let (answer, question) = tokio::join!(agent.call("upload_request", photo()), agent.question());
    is(&answer, "pending", "pending");
    says(&answer, "has not answered");
    assert_eq!(agent.told().await, "cancelled");
    question.choose(Decline);
    askfile.put(&Link::of(&answer), PNG).await;
}

#[tokio::test]
async fn what_ends_while_the_question_stands_ends_the_call() {
    let askfile = Askfile::start().await;
    let agent = Shower::connect(askfile.service.clone()).await;
    let sending = async {
        let question = agent.question().await;
        askfile.put(&link_of(&question), PNG).await;
        question
    };
    let (answer, question) = tokio::join!(agent.call("upload_request", photo()), sending);
    is(&answer, "uploaded", "completed");
    let mut told = [agent.told().await, agent.told().await];
    told.sort();
    let over = format!("notifications/elicitation/complete {}", question.id);
    assert_eq!(told, ["cancelled", &over]);
    question.choose(Decline);
    let status = askfile.status(&Link::of(&answer)).await;
    assert_eq!(status["status"], "completed", "too late to decline");
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_the_link_as_it_is() {
    let askfile = Askfile::start().await;
    for agreed in [false, true] {
        let agent = Shower::connect(askfile.service.clone()).await;
        let link = {
            let asking = agent.call("upload_request", photo());
            let showing = async {
                let question = agent.question().await;
                let link = link_of(&question);
                if agreed {
                    question.choose(Accept);
                    return (link, None);
                }
                (link, Some(question))
            };
            tokio::select! {
                answer = asking => panic!("{answer}"),
                (link, _question) = showing => link,
            }
        };
        agent.leave().await;
        askfile.is_untouched(&link).await;
        askfile.put(&link, PNG).await;
    }
}

#[tokio::test]
async fn only_who_shows_links_is_asked_and_only_for_a_new_request() {
    let askfile = Askfile::start().await;
    let agent = Shower::declaring(askfile.service.clone(), json!({ "form": {} })).await;
    let answer = agent.call("upload_request", photo()).await;
    is(&answer, "pending", "pending");
    assert!(!agent.is_asked().await);

    let agent = Shower::connect(askfile.service.clone()).await;
    let link = Link::of(&agent.call("upload_create", photo()).await);
    let wait = json!({ "wait": true, "timeout": 0.1 });
    agent.call("upload_create", wait).await;
    let again = json!({ "token": link.token, "timeout": 0.1 });
    is(
        &agent.call("upload_request", again).await,
        "timeout",
        "pending",
    );
    assert!(!agent.is_asked().await);
}

/// A client since 2026-07-28, over HTTP.
struct Modern<'a> {
    askfile: &'a Askfile,
    key: Option<String>,
}

impl<'a> Modern<'a> {
    fn of(askfile: &'a Askfile) -> Self {
        Self { askfile, key: None }
    }

    async fn with_key(askfile: &'a Askfile, name: &str, workspaces: &[&str]) -> Self {
        let key = Some(askfile.key(name, ALL, workspaces).await);
        Self { askfile, key }
    }

    /// One round: a call with what `more` adds to it.
    async fn round(&self, arguments: &Value, more: Value) -> Value {
        let mut call = json!({ "name": "upload_request", "arguments": arguments });
        call.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let able = json!({ "elicitation": { "url": {} } });
        let call = mcp_of(&able, self.key.as_deref(), "tools/call", call);
        let answer = self.askfile.send(call).await;
        message(&answer)["result"].take()
    }

    /// Asks; gives the question, its link and the state.
    async fn ask(&self, arguments: &Value) -> (Value, String) {
        let mut result = self.round(arguments, json!({})).await;
        assert_eq!(result["resultType"], "input_required", "{result}");
        let state = result["requestState"].as_str().unwrap().to_owned();
        (result["inputRequests"]["link"].take(), state)
    }

    async fn choose(&self, arguments: &Value, state: &str, action: &str) -> Value {
        let responses = json!({ "link": { "action": action } });
        let more = json!({ "requestState": state, "inputResponses": responses });
        self.round(arguments, more).await["structuredContent"].take()
    }
}

fn link_in(question: &Value, state: &str) -> Link {
    let url = question["params"]["url"].as_str().unwrap();
    shown(url, state.split_once('.').unwrap().0)
}

#[track_caller]
fn is_refused(answer: &Value, why: &str) {
    assert_eq!(answer["error_kind"], "validation_error", "{answer}");
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains(why), "{message}");
    assert!(message.contains("Call upload_"), "{message}");
}

#[tokio::test]
async fn since_2026_07_28_the_question_is_in_the_answer_and_the_call_comes_again() {
    let askfile = Askfile::start().await;
    let client = Modern::of(&askfile);
    let (question, state) = client.ask(&photo()).await;
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(question["params"]["mode"], "url");
    let link = link_in(&question, &state);
    let text = question["params"]["message"].as_str().unwrap();
    assert!(text.ends_with("own words: A photo"), "{text}");
    assert!(!state.contains(&link.token) && !text.contains(&link.token));

    let answered = "SELECT count(*) FROM request WHERE status IS NOT NULL";
    let sending = async {
        while askfile.count(answered) == 0 {
            tokio::task::yield_now().await;
        }
        askfile.put(&link, PNG).await;
    };
    let arguments = photo();
    let (answer, ()) = tokio::join!(client.choose(&arguments, &state, "accept"), sending);
    is(&answer, "uploaded", "completed");
    assert_eq!(answer["token"], link.token);
    assert_eq!(askfile.count(SESSIONS), 1);
}

#[tokio::test]
async fn what_the_person_chose_comes_with_the_call() {
    let askfile = impatient().await;
    let client = Modern::of(&askfile);
    for (action, outcome, words) in [
        ("accept", "pending", "nothing to relay"),
        ("cancel", "pending", "relay `instruction`"),
        ("decline", "declined", "The person declined"),
    ] {
        let (question, state) = client.ask(&photo()).await;
        let answer = client.choose(&photo(), &state, action).await;
        assert_eq!(answer["outcome"], outcome, "{action}: {answer}");
        says(&answer, words);
        let sent = askfile.send(put(&link_in(&question, &state), PNG)).await;
        let takes = if action == "decline" { 409 } else { 201 };
        assert_eq!(sent.status, takes, "{action}");
    }
}

#[tokio::test]
async fn a_state_is_good_for_its_own_call_alone() {
    let askfile = impatient().await;
    let client = Modern::of(&askfile);
    let (question, state) = client.ask(&photo()).await;
    let other = client.ask(&photo()).await.1;
    let ((id, signature), (other_id, _)) = (
        state.split_once('.').unwrap(),
        other.split_once('.').unwrap(),
    );
    let wrong = [
        String::new(),
        "x".into(),
        id.to_owned(),
        format!("{other_id}.{signature}"),
        format!("{id}.{}", "0".repeat(64)),
        format!("{state}0"),
    ];
    for state in &wrong {
        let answer = client.choose(&photo(), state, "decline").await;
        is_refused(&answer, "does not belong to this call");
    }
    for arguments in [
        json!({ "prompt": "A photo", "max_files": 2 }),
        json!({ "prompt": "Another" }),
        json!({ "token": link_in(&question, &state).token }),
    ] {
        let answer = client.choose(&arguments, &state, "decline").await;
        is_refused(&answer, "does not belong to this call");
    }
    let stateless = json!({ "inputResponses": { "link": { "action": "accept" } } });
    let answer = client.round(&photo(), stateless).await["structuredContent"].take();
    is_refused(&answer, "must come back");
    let answer = client.choose(&photo(), &state, "dance").await;
    assert_eq!(answer["code"], "INVALID_ARGUMENT");

    // The same arguments written otherwise are the same.
    let same = json!({ "prompt": "A photo", "purpose": null });
    is(
        &client.choose(&same, &state, "accept").await,
        "pending",
        "pending",
    );
    assert_eq!(askfile.count(SESSIONS), 2);
}

#[tokio::test]
async fn who_does_not_answer_is_asked_the_same_again() {
    let askfile = Askfile::start().await;
    let client = Modern::of(&askfile);
    let (question, state) = client.ask(&photo()).await;
    let more = json!({ "requestState": state });
    let again = client.round(&photo(), more).await;
    assert_eq!(again["inputRequests"]["link"], question);
    assert_eq!(again["requestState"], state);
    assert_eq!(askfile.count(SESSIONS), 1);
}

#[tokio::test]
async fn a_state_is_its_callers_own() {
    let askfile = Askfile::with_keys().await;
    askfile.workspace("tp-one").await;
    askfile.workspace("tp-two").await;
    let ana = Modern::with_key(&askfile, "Ana", &["tp-one"]).await;
    let (_, state) = ana.ask(&photo()).await;
    for (name, workspace) in [("Bo", "tp-one"), ("Cy", "tp-two")] {
        let other = Modern::with_key(&askfile, name, &[workspace]).await;
        let answer = other.choose(&photo(), &state, "decline").await;
        is_refused(&answer, "does not belong to this call");
    }
    let answer = ana.choose(&photo(), &state, "decline").await;
    is(&answer, "declined", "declined");
}

#[tokio::test]
async fn the_workspace_of_a_state_must_still_be_the_callers() {
    let askfile = Askfile::start().await;
    let client = Modern::of(&askfile);
    let (_, state) = client.ask(&photo()).await;
    let elsewhere = "UPDATE upload_session SET workspace_id = randomblob(16) WHERE purpose = ?1";
    askfile.sql(elsewhere, "general");
    let answer = client.choose(&photo(), &state, "decline").await;
    is_refused(&answer, "does not belong to this call");
}

#[tokio::test]
async fn a_state_ends_with_its_link() {
    let askfile = Askfile::start().await;
    let client = Modern::of(&askfile);
    let (_, state) = client.ask(&photo()).await;
    askfile.clock.advance(secs(900));
    let answer = client.choose(&photo(), &state, "accept").await;
    is_refused(&answer, "it has expired with its link");
    let id = state.split_once('.').unwrap().0;
    let next = format!("upload_status(upload_id=\"{id}\")");
    assert!(answer["message"].as_str().unwrap().contains(&next));
    assert_eq!(askfile.count(SESSIONS), 1);
}

#[tokio::test]
async fn the_first_choice_stands_and_a_replay_neither_mints_nor_closes_anything() {
    let askfile = impatient().await;
    let client = Modern::of(&askfile);
    for first in ["accept", "cancel"] {
        let (question, state) = client.ask(&photo()).await;
        let link = link_in(&question, &state);
        for _ in 0..2 {
            let answer = client.choose(&photo(), &state, first).await;
            is(&answer, "pending", "pending");
        }
        let neighbour = askfile.neighbour().await;
        for client in [&client, &Modern::of(&neighbour)] {
            let answer = client.choose(&photo(), &state, "decline").await;
            is_refused(&answer, "it was another one");
        }
        askfile.is_untouched(&link).await;
        askfile.put(&link, PNG).await;
        for late in ["accept", "decline", "cancel"] {
            let answer = client.choose(&photo(), &state, late).await;
            is(&answer, "uploaded", "completed");
        }
    }
    let (question, state) = client.ask(&photo()).await;
    for late in ["decline", "decline", "accept"] {
        let answer = client.choose(&photo(), &state, late).await;
        is(&answer, "declined", "declined");
    }
    let link = link_in(&question, &state);
    askfile.send(put(&link, PNG)).await.is(409, "DECLINED", "");
    assert_eq!(askfile.count(SESSIONS), 3);
}

#[tokio::test]
async fn who_declined_on_the_page_meanwhile_has_declined() {
    let askfile = Askfile::start().await;
    let client = Modern::of(&askfile);
    let (question, state) = client.ask(&photo()).await;
    let link = link_in(&question, &state);
    askfile.send(get(&link.path())).await;
    askfile.send(press(&link.below("/decline"))).await;
    let answer = client.choose(&photo(), &state, "accept").await;
    is(&answer, "declined", "declined");
}
