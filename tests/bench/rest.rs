//! `POST /v1/uploads` from many at once, and what a full table adds to making, finding and listing.

use std::time::Instant;

use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{client::Client, median, server::Server};

const AT_ONCE: usize = 32;
const UPLOADS: usize = 20_000;
const ROUNDS: usize = 3;
const FEW: u32 = 1_000;
const MANY: u32 = 1_000_000;
/// Requests of one kind in a round.
const ASKED: usize = 500;
/// No limit stands in the way, and what was declared stays.
const SETTINGS: [(&str, &str); 4] = [
    ("ASKFILE_QUOTA_LINKS", "none"),
    ("ASKFILE_RATE_LIMIT_TOOL_CALLS_PER_MINUTE", "0"),
    ("ASKFILE_RATE_LIMIT_LINKS_PER_MINUTE", "0"),
    ("ASKFILE_LINK_TTL", "1d"),
];

pub async fn run() {
    let server = Server::start(&SETTINGS);
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        rates.push(many_at_once(&server).await);
    }
    let rate = median(rates);
    println!("POST /v1/uploads, {AT_ONCE} at once: {rate:.0} a second (goal: 5,000)");
    drop(server);

    let (few, many) = (Table::of(FEW).await, Table::of(MANY).await);
    let kinds: [(&str, Ask); 5] = [
        ("create", |table| create(&table.server.address)),
        ("get", |table| table.get(&format!("/{}", table.id))),
        ("list", |table| table.get("?limit=20")),
        ("list by status", |table| {
            table.get("?limit=20&status=UPLOAD_STATUS_CANCELLED")
        }),
        ("list by label", |table| table.get("?limit=10&label=n%3D7")),
    ];
    for (name, request) in kinds {
        let (mut ratios, mut medians) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let few = few.takes(&request(&few)).await;
            let many = many.takes(&request(&many)).await;
            ratios.push(many / few);
            medians.push(many);
        }
        println!(
            "{name}: {:.2} times as long with {MANY} uploads as with {FEW} ({:.2} ms; goal: at most 1.2)",
            median(ratios),
            1_000.0 * median(medians),
        );
    }
}

fn declared(label: u32) -> Value {
    json!({
        "metadata": { "name": "A picture", "externalId": "case-7", "labels": { "n": label.to_string() } },
        "spec": { "contentType": "image/png", "filename": "cat.png", "sizeBytes": 9 },
    })
}

fn create(host: &str) -> Vec<u8> {
    let body = declared(11).to_string();
    format!(
        "POST /v1/uploads HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}

async fn post(client: &mut Client, request: &[u8]) -> Value {
    client.send(request).await;
    let (status, body) = client.answer().await;
    assert!(status < 300, "{status}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

async fn many_at_once(server: &Server) -> f64 {
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..AT_ONCE {
        let mut client = server.client().await;
        let request = create(&server.address);
        senders.spawn(async move {
            for _ in 0..UPLOADS / AT_ONCE {
                post(&mut client, &request).await;
            }
        });
    }
    senders.join_all().await;
    UPLOADS as f64 / began.elapsed().as_secs_f64()
}

/// A request of a server.
type Ask = fn(&Table) -> Vec<u8>;

/// A server with so many declared uploads, and one of them.
struct Table {
    server: Server,
    id: String,
}

impl Table {
    async fn of(count: u32) -> Self {
        let server = Server::start(&SETTINGS);
        let mut client = server.client().await;
        let made = post(&mut client, &create(&server.address)).await;
        let id = made["metadata"]["id"].as_str().unwrap().to_owned();
        let table = Self { server, id };
        table.fill(count);
        let mut client = table.server.client().await;
        let taken: Value = post(&mut client, &table.get("?limit=1")).await;
        assert_eq!(taken["items"].as_array().unwrap().len(), 1);
        table
    }

    /// Copies the one upload there is, as cancelled ones that were made before it. Of each hundred, one
    /// has the label that is looked for.
    fn fill(&self, count: u32) {
        let path = self.server.folder.path().join("askfile.db");
        let db = Connection::open(path).unwrap();
        db.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
        let columns: Vec<String> = db
            .prepare("SELECT name FROM pragma_table_info('upload_session')")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let values: Vec<&str> = columns
            .iter()
            .map(|column| match column.as_str() {
                "id" => "CAST(substr(id, 1, 4) || randomblob(12) AS BLOB)",
                "token" => "randomblob(16)",
                "state" => "'cancelled'",
                "ended_at" => "created_at",
                "metadata" => "json_set(metadata, '$.labels.n', CAST(value % 100 AS TEXT))",
                other => other,
            })
            .collect();
        db.execute_batch("CREATE TEMP TABLE one AS SELECT * FROM upload_session")
            .unwrap();
        let (columns, values) = (columns.join(", "), values.join(", "));
        // A few at a time, so that the server has its turns.
        for _ in 0..count / FEW {
            db.execute_batch(&format!(
                "BEGIN IMMEDIATE;
                 WITH RECURSIVE n (value) AS
                     (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < {FEW})
                 INSERT INTO upload_session ({columns}) SELECT {values} FROM one, n;
                 COMMIT;"
            ))
            .unwrap();
        }
        db.execute_batch(
            "INSERT INTO declared_label SELECT workspace_id, 'n', metadata ->> '$.labels.n', id
                 FROM upload_session WHERE state = 'cancelled'",
        )
        .unwrap();
    }

    fn get(&self, what: &str) -> Vec<u8> {
        let host = &self.server.address;
        format!("GET /v1/uploads{what} HTTP/1.1\r\nhost: {host}\r\n\r\n").into()
    }

    /// The median time of such a request, in seconds.
    async fn takes(&self, request: &[u8]) -> f64 {
        let mut client = self.server.client().await;
        let mut times = Vec::with_capacity(ASKED);
        for _ in 0..ASKED {
            let began = Instant::now();
            post(&mut client, request).await;
            times.push(began.elapsed().as_secs_f64());
        }
        median(times)
    }
}
