//! The handler: what is a fixture is answered here, and everything else by askfile's tools.
#![expect(
    deprecated,
    reason = "clients before 2026-07-28 subscribe and set levels so"
)]

use std::sync::Arc;

use askfile::mcp::Tools;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult,
        GetPromptRequestParams, GetPromptResponse, ListPromptsResult, ListResourceTemplatesResult,
        ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
        ReadResourceResponse, ServerCapabilities, ServerConfig, SetLevelRequestParams,
        SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
    },
    service::{NotificationContext, RequestContext, SubscriptionContext},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{inputs, prompts, resources, tools};

type Context = RequestContext<RoleServer>;
type Page = Option<PaginatedRequestParams>;

#[derive(Clone)]
pub struct Server {
    tools: Tools,
    /// Tells that there are other tools.
    changed: Arc<Notify>,
}

impl Server {
    pub fn new(tools: Tools) -> Self {
        Self {
            tools,
            changed: Arc::default(),
        }
    }
}

/// What JSON stands for: fixtures are written as the suite describes them.
pub fn read<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

/// The same for a result that nothing follows.
pub fn complete<T: DeserializeOwned>(mut json: Value) -> T {
    json["resultType"] = json!("complete");
    read(json)
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let mut info = self.tools.get_info();
        let more: ServerCapabilities = read(json!({ "completions": {}, "logging": {} }));
        info.capabilities.completions = more.completions;
        info.capabilities.logging = more.logging;
        info
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let ours = tools::all().into_iter().find(|tool| tool.name == name);
        ours.or_else(|| self.tools.get_tool(name))
    }

    async fn list_tools(&self, page: Page, context: Context) -> Result<ListToolsResult, ErrorData> {
        let mut listed = self.tools.list_tools(page, context).await?;
        listed.tools.extend(tools::all());
        Ok(listed)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name == "test_trigger_tool_change" {
            self.changed.notify_waiters();
            return Ok(tools::text("Changed."));
        }
        if let Some(answer) = inputs::call(&request, &context) {
            return answer;
        }
        match tools::call(&request, &context).await {
            Some(answer) => answer,
            None => self.tools.call_tool(request, context).await,
        }
    }

    async fn list_prompts(
        &self,
        page: Page,
        context: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        let mut listed = self.tools.list_prompts(page, context).await?;
        listed.prompts.extend(prompts::all());
        Ok(listed)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        match prompts::get(&request) {
            Some(answer) => Ok(answer),
            None => self.tools.get_prompt(request, context).await,
        }
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: Context,
    ) -> Result<CompleteResult, ErrorData> {
        let values = json!(["paris", "park", "party"]);
        Ok(complete(json!({ "completion": { "values": values } })))
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn list_resources(&self, _: Page, _: Context) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(resources::all()))
    }

    async fn list_resource_templates(
        &self,
        page: Page,
        context: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut listed = self.tools.list_resource_templates(page, context).await?;
        listed.resource_templates.push(resources::template());
        Ok(listed)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        match resources::read(&request.uri) {
            Some(contents) => Ok(contents),
            None => self.tools.read_resource(request, context).await,
        }
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        if request.uri == resources::WATCHED {
            return Ok(());
        }
        self.tools.subscribe(request, context).await
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        self.tools.unsubscribe(request, context).await
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        self.tools.accepted_subscription_filter(requested)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let sink = context.sink().clone();
        let telling = async {
            loop {
                self.changed.notified().await;
                // Who did not ask for it is not told.
                let _ = sink.notify_tool_list_changed().await;
            }
        };
        tokio::select! {
            ended = self.tools.listen(context) => ended,
            () = telling => Ok(()),
        }
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.tools.on_initialized(context).await;
    }
}
