//! The agent's side: one file a tool. Their prose, which the model reads, is in `tools/*.md`.

mod arguments;
mod attach_media;
mod media_delete;
mod media_get;
mod media_list;
mod resources;
mod schema;
mod upload_cancel;
mod upload_create;
mod upload_request;
mod upload_status;
mod wait;

use std::sync::Arc;

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    handler::server::{
        router::tool::ToolRouter,
        tool::{IntoCallToolResult, ToolCallContext, ToolRoute},
    },
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListResourceTemplatesResult, MetaObject, PaginatedRequestParams, ReadResourceRequestParams,
        ReadResourceResponse, ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
    tool_handler,
};
use serde::Serialize;
use serde_json::json;

use crate::{domain::caller::Caller, error::Error, service::Service};

const INSTRUCTIONS: &str = include_str!("../tools/server.md");

/// The tools, on one service. Cloning it is cheap.
#[derive(Clone)]
pub struct Tools {
    service: Service,
    router: Arc<ToolRouter<Self>>,
}

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tools").finish_non_exhaustive()
    }
}

impl Tools {
    /// The tools, on this service.
    #[must_use]
    pub fn new(service: Service) -> Self {
        let router = Self::upload_create_router()
            + Self::upload_status_router()
            + Self::upload_request_router()
            + Self::upload_cancel_router()
            + Self::attach_media_router()
            + Self::media_list_router()
            + Self::media_get_router()
            + Self::media_delete_router();
        Self {
            service,
            router: Arc::new(router),
        }
    }

    /// Runs a tool, if its caller has not called too many.
    async fn call<'a>(
        &'a self,
        call: ToolCallContext<'a, Self>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = self.caller(&call.request_context);
        if let Err(error) = self.service.charge_tool_call(caller.workspace.id) {
            return error.into_call_tool_result();
        }
        self.router.call(call).await
    }

    /// Who calls: in `open` mode everybody is the default workspace's.
    fn caller(&self, context: &RequestContext<RoleServer>) -> Caller {
        let info = context.meta.client_info().or_else(|| {
            let peer = context.peer.peer_info();
            peer.map(|info| info.client_info.clone())
        });
        let name = info.map(|info| info.title.unwrap_or(info.name));
        self.service.open_caller(name.as_deref())
    }
}

#[tool_handler(router = self.router)]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let name = Implementation::new("askfile", env!("CARGO_PKG_VERSION"))
            .with_title("askfile: files from a person");
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources();
        ServerConfig::new(capabilities.build())
            .with_server_info(name)
            .with_instructions(INSTRUCTIONS)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let call = ToolCallContext::new(self, request, context);
        self.call(call).await
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(vec![
            resources::template(),
        ]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let read = async {
            let caller = self.caller(&context);
            self.service.charge_tool_call(caller.workspace.id)?;
            resources::read(&self.service, &caller, &request.uri).await
        };
        let read = read.await;
        read.map(Into::into)
            .map_err(|error| resources::failure(&error, &request.uri))
    }
}

/// The same tools inside another rmcp server: `Self::tool_router() + routes(&tools)`. Files as
/// resources are read from [`Tools`] alone.
#[must_use]
pub fn routes<S: Send + Sync + 'static>(tools: &Tools) -> ToolRouter<S> {
    let mut routes = ToolRouter::new();
    for tool in tools.router.list_all() {
        let tools = tools.clone();
        routes.add_route(ToolRoute::new_dyn(
            tool,
            move |call: ToolCallContext<'_, S>| {
                let tools = tools.clone();
                Box::pin(async move {
                    let mut params = CallToolRequestParams::new(call.name);
                    params.arguments = call.arguments;
                    params.input_responses = call.input_responses;
                    params.request_state = call.request_state;
                    let call = ToolCallContext::new(&tools, params, call.request_context);
                    tools.call(call).await
                })
            },
        ));
    }
    routes
}

/// What a tool answers with when it did what it was asked to.
struct Answer<T>(T);

impl<T: Serialize> IntoCallToolResult for Answer<T> {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        AnswerBeside(self.0, Vec::new()).into_call_tool_result()
    }
}

/// The same, with more beside it: a picture to look at, resources to read.
struct AnswerBeside<T>(T, Vec<ContentBlock>);

impl<T: Serialize> IntoCallToolResult for AnswerBeside<T> {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        match serde_json::to_value(self.0) {
            Ok(value) => {
                let mut result = CallToolResult::structured(value);
                result.content.extend(self.1);
                Ok(result.into())
            }
            Err(error) => Error::internal(error).into_call_tool_result(),
        }
    }
}

impl IntoCallToolResult for Error {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        self.log();
        Ok(CallToolResult::structured_error(self.body()).into())
    }
}

/// A tool's tier and tags.
fn meta(tier: &str, tags: &[&str]) -> MetaObject {
    let mut meta = MetaObject::default();
    meta.insert("tier".into(), json!(tier));
    meta.insert("tags".into(), json!(tags));
    meta
}
