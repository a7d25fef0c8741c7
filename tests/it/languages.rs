//! What a person is spoken to in.

use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG,
    body::Form,
    keys::{ALL, message},
    web::{Link, With, get, post, press},
};

impl Askfile {
    /// What `upload_create` answers to a client that says this of its person.
    async fn ask_in(&self, key: &str, locale: &str) -> Value {
        let params = json!({
            "name": "upload_create",
            "arguments": { "prompt": "la factura {url}", "max_files": 3 },
            "_meta": { "openai/locale": locale },
        });
        let answer = self.rpc(Some(key), "tools/call", params).await;
        message(&answer)["result"]["structuredContent"].take()
    }

    async fn page(&self, link: &Link, accept_language: &str) -> String {
        let request = get(&link.path()).with("accept", "text/html");
        let page = self
            .send(request.with("accept-language", accept_language))
            .await;
        page.html().to_owned()
    }
}

#[tokio::test]
async fn the_chat_and_the_page_speak_as_the_client_does() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("agent", ALL, &[]).await;
    let answer = askfile.ask_in(&key, "es-MX").await;
    let instruction = answer["instruction"].as_str().unwrap();
    let link = Link::of(&answer);
    for said in [
        "Por favor, envía esto: la factura {url}\n\nAbre este enlace y envía allí los archivos: http",
        "El enlace admite hasta 3 archivos (imágenes, vídeos, audio, documentos; ",
        "funciona durante 15 minutos (hora límite: 00:15 UTC del 1 de enero de 2026). Cuando lo hayas enviado todo, pulsa «Listo» allí",
    ] {
        assert!(instruction.contains(said), "{said}\n{instruction}");
    }
    // The client knows better than a browser that somebody set up long ago.
    for liked in ["en", "ar,en;q=0.5"] {
        let page = askfile.page(&link, liked).await;
        assert!(page.contains("<html lang=\"es\" dir=\"ltr\">"), "{page}");
        assert!(page.contains("te pide hasta 3 archivos"), "{page}");
        assert!(!page.contains("asks you"), "{page}");
    }
    // What programs and models read stays as it is.
    let action = answer["next_action"].as_str().unwrap();
    assert!(action.starts_with("Relay `instruction`"), "{action}");

    let arabic = Link::of(&askfile.ask_in(&key, "ar").await);
    let page = askfile.page(&arabic, "en").await;
    assert!(page.contains("<html lang=\"ar\" dir=\"rtl\">"), "{page}");
}

#[tokio::test]
async fn without_a_word_of_the_client_the_browser_decides() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("agent", ALL, &[]).await;
    for locale in ["", "fr-FR", "tlh"] {
        let answer = askfile.ask_in(&key, locale).await;
        let instruction = answer["instruction"].as_str().unwrap();
        assert!(instruction.starts_with("Please send this"), "{instruction}");
        let link = Link::of(&answer);
        for (liked, language) in [("ar-EG, en;q=0.2", "ar"), ("es", "es"), ("fr", "en")] {
            let page = askfile.page(&link, liked).await;
            assert!(
                page.contains(&format!("<html lang=\"{language}\"")),
                "{page}"
            );
        }
    }
}

#[tokio::test]
async fn how_it_ended_is_told_in_the_same_language() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("agent", ALL, &[]).await;
    let link = Link::of(&askfile.ask_in(&key, "es").await);
    // A form without its file, sent by a browser without scripts.
    let form = post(&link, Form::default());
    let refused = askfile.send(form.with("accept", "text/html")).await;
    let page = refused.html();
    assert!(page.contains("No llegó ningún archivo"), "{page}");
    assert!(
        page.contains("Elige un archivo y envíalo de nuevo."),
        "{page}"
    );
    // Programs read the same failure in English.
    let form = post(&link, Form::default());
    let refused = askfile.send(form.with("accept-language", "es")).await;
    let told = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(!told.contains("llegó"), "{told}");

    askfile.put(&link, PNG).await;
    askfile.send(press(&link.below("/done"))).await;
    let page = askfile.page(&link, "en").await;
    assert!(page.contains("Este enlace ya se ha usado"), "{page}");
    // Also to who presses what a page showed that was opened before.
    for late in [post(&link, Form::default()), press(&link.below("/decline"))] {
        let late = late
            .with("accept", "text/html")
            .with("accept-language", "en");
        let page = askfile.send(late).await.html().to_owned();
        assert!(page.contains("Este enlace ya se ha usado"), "{page}");
    }
    // Of what is no link nobody knows the language but the browser.
    let nothing = get("/uploads/nothing").with("accept", "text/html");
    let nothing = askfile.send(nothing.with("accept-language", "es")).await;
    assert!(nothing.html().contains("Aquí no hay nada"));
}
