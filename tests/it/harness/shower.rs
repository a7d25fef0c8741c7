//! An agent whose program shows links to the person itself: a real MCP client of before 2026-07-28.

use std::time::Duration;

use askfile::{mcp::Tools, service::Service};
use rmcp::{
    ClientHandler, ErrorData, RoleClient, ServiceExt,
    model::{
        CallToolRequestParams, CancelledNotificationParam, ClientCapabilities, ClientConfig,
        CustomNotification, ElicitRequestParams, ElicitResult, ElicitationAction, Implementation,
    },
    service::{NotificationContext, RequestContext, RunningService},
};
use serde_json::{Value, json};
use tokio::sync::{
    Mutex,
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    oneshot,
};

/// A session.
pub struct Shower {
    session: RunningService<RoleClient, Program>,
    questions: Mutex<UnboundedReceiver<Question>>,
    told: Mutex<UnboundedReceiver<String>>,
}

/// A link that is to be shown.
pub struct Question {
    pub message: String,
    pub url: String,
    pub id: String,
    choice: oneshot::Sender<Result<ElicitationAction, ErrorData>>,
}

impl Question {
    /// The person chooses.
    pub fn choose(self, action: ElicitationAction) {
        self.choice.send(Ok(action)).unwrap();
    }

    /// The program cannot do what it said that it can.
    pub fn fail(self) {
        let error = ErrorData::internal_error("no browser", None);
        self.choice.send(Err(error)).unwrap();
    }
}

struct Program {
    elicitation: Value,
    asked: UnboundedSender<Question>,
    heard: UnboundedSender<String>,
}

impl ClientHandler for Program {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        capabilities.elicitation = serde_json::from_value(self.elicitation.clone()).unwrap();
        ClientConfig::new(capabilities, Implementation::new("Claude", "1"))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::UrlElicitationParams {
            message,
            url,
            elicitation_id: id,
            ..
        } = request
        else {
            panic!("{request:?}");
        };
        let (choice, chosen) = oneshot::channel();
        let question = Question {
            message,
            url,
            id,
            choice,
        };
        self.asked.send(question).unwrap_or_else(|_| panic!());
        let gone = || ErrorData::internal_error("gone", None);
        chosen.await.map_err(|_| gone())?.map(ElicitResult::new)
    }

    async fn on_cancelled(
        &self,
        _: CancelledNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let _ = self.heard.send("cancelled".into());
    }

    async fn on_custom_notification(
        &self,
        notification: CustomNotification,
        _: NotificationContext<RoleClient>,
    ) {
        let params = notification.params.unwrap();
        let id = params["elicitationId"].as_str().unwrap();
        let _ = self.heard.send(format!("{} {id}", notification.method));
    }
}

impl Shower {
    /// Connects to the tools.
    pub async fn connect(service: Service) -> Self {
        Self::declaring(service, json!({ "url": {} })).await
    }

    /// The same, with this under `elicitation` among what it can.
    pub async fn declaring(service: Service, elicitation: Value) -> Self {
        let (near, far) = tokio::io::duplex(4096);
        let tools = Tools::new(service);
        tokio::spawn(async move { tools.serve(far).await.unwrap().waiting().await });
        let (asked, questions) = unbounded_channel();
        let (heard, told) = unbounded_channel();
        let program = Program {
            elicitation,
            asked,
            heard,
        };
        Self {
            session: program.serve(near).await.unwrap(),
            questions: Mutex::new(questions),
            told: Mutex::new(told),
        }
    }

    /// Calls a tool; gives its structured content.
    pub async fn call(&self, tool: &'static str, arguments: Value) -> Value {
        let arguments = arguments.as_object().unwrap().clone();
        let call = CallToolRequestParams::new(tool).with_arguments(arguments);
        let result = self.session.call_tool(call).await.unwrap();
        result.structured_content.unwrap()
    }

    /// The next link to be shown.
    pub async fn question(&self) -> Question {
        soon(self.questions.lock().await.recv()).await
    }

    /// Whether there is one.
    pub async fn is_asked(&self) -> bool {
        self.questions.lock().await.try_recv().is_ok()
    }

    /// The next thing that it is told of a question.
    pub async fn told(&self) -> String {
        soon(self.told.lock().await.recv()).await
    }

    /// Whether it was told something more.
    pub async fn is_told(&self) -> bool {
        self.told.lock().await.try_recv().is_ok()
    }

    /// Hangs up.
    pub async fn leave(self) {
        self.session.cancel().await.unwrap();
    }
}

/// What must come within a time.
async fn soon<T>(coming: impl Future<Output = Option<T>>) -> T {
    let came = tokio::time::timeout(Duration::from_secs(20), coming).await;
    came.unwrap().unwrap()
}
