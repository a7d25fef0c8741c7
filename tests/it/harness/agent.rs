//! An agent: a real MCP client on a pipe to the real tools.

use askfile::{mcp::Tools, service::Service};
use rmcp::{
    ClientHandler, ErrorData, RoleClient, ServerHandler, ServiceError, ServiceExt,
    model::{
        CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, Implementation,
        ProgressNotificationParam, ReadResourceRequestParams, Resource, ResourceContents,
        ResourceTemplate, ResourceUpdatedNotificationParam, SubscribeRequestParams, Tool,
        UnsubscribeRequestParams,
    },
    service::{NotificationContext, RunningService},
};
use serde_json::Value;
use tokio::sync::{
    Mutex,
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

/// A session.
pub struct Agent {
    session: RunningService<RoleClient, Listener>,
    progress: Mutex<UnboundedReceiver<String>>,
    updated: Mutex<UnboundedReceiver<String>>,
}

/// Says its name, and keeps what it is told while it waits, and of what it subscribed to.
struct Listener {
    name: String,
    heard: UnboundedSender<String>,
    updates: UnboundedSender<String>,
}

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        let name = Implementation::new(self.name.as_str(), "1");
        ClientConfig::new(ClientCapabilities::default(), name)
    }

    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let _ = self.heard.send(progress.message.unwrap_or_default());
    }

    async fn on_resource_updated(
        &self,
        updated: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let _ = self.updates.send(updated.uri);
    }
}

impl Agent {
    /// Connects to the tools.
    pub async fn connect(service: Service, name: &str) -> Self {
        Self::connect_to(Tools::new(service), name).await
    }

    /// Connects to any server.
    pub async fn connect_to(server: impl ServerHandler, name: &str) -> Self {
        let (near, far) = tokio::io::duplex(4096);
        tokio::spawn(async move { server.serve(far).await.unwrap().waiting().await });
        let (heard, progress) = unbounded_channel();
        let (updates, told) = unbounded_channel();
        let name = name.to_owned();
        let listener = Listener {
            name,
            heard,
            updates,
        };
        Self {
            session: listener.serve(near).await.unwrap(),
            progress: Mutex::new(progress),
            updated: Mutex::new(told),
        }
    }

    /// Calls a tool; gives all that it answers with.
    pub async fn answer(&self, tool: &'static str, arguments: Value) -> CallToolResult {
        let arguments = arguments.as_object().unwrap().clone();
        let call = CallToolRequestParams::new(tool).with_arguments(arguments);
        self.session.call_tool(call).await.unwrap()
    }

    /// Calls a tool; gives its structured content, be it an answer or a failure.
    pub async fn call(&self, tool: &'static str, arguments: Value) -> Value {
        let result = self.answer(tool, arguments).await;
        let content = result.structured_content.unwrap();
        let failed = result.is_error.unwrap_or_default();
        assert_eq!(content["ok"], !failed, "{tool}: {content}");
        content
    }

    /// Reads a resource.
    pub async fn read(&self, uri: &str) -> Result<ResourceContents, ErrorData> {
        let request = ReadResourceRequestParams::new(uri);
        match self.session.read_resource(request).await {
            Ok(mut result) => Ok(result.contents.remove(0)),
            Err(ServiceError::McpError(error)) => Err(error),
            Err(other) => panic!("{other}"),
        }
    }

    /// Subscribes to a resource.
    pub async fn subscribe(&self, uri: &str) -> Result<(), ErrorData> {
        #[expect(deprecated, reason = "as it was before 2026-07-28")]
        let subscribed = self.session.subscribe(SubscribeRequestParams::new(uri));
        match subscribed.await {
            Ok(()) => Ok(()),
            Err(ServiceError::McpError(error)) => Err(error),
            Err(other) => panic!("{other}"),
        }
    }

    /// Subscribes to a resource no longer.
    pub async fn unsubscribe(&self, uri: &str) {
        #[expect(deprecated, reason = "as it was before 2026-07-28")]
        let unsubscribed = self.session.unsubscribe(UnsubscribeRequestParams::new(uri));
        unsubscribed.await.unwrap();
    }

    /// The next resource that it is told has changed.
    pub async fn updated(&self) -> String {
        self.updated.lock().await.recv().await.unwrap()
    }

    /// The templates of resources, and the resources that are listed.
    pub async fn resources(&self) -> (Vec<ResourceTemplate>, Vec<Resource>) {
        let templates = self.session.list_all_resource_templates().await.unwrap();
        (templates, self.session.list_all_resources().await.unwrap())
    }

    /// What `tools/list` shows.
    pub async fn tools(&self) -> Vec<Tool> {
        self.session.list_all_tools().await.unwrap()
    }

    /// The next thing that a waiting call says.
    pub async fn progress(&self) -> String {
        self.progress.lock().await.recv().await.unwrap()
    }
}
