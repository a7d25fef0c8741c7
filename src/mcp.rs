//! The agent's side: one file a tool. Their prose, which the model reads, is in `tools/*.md`.

mod arguments;
mod attach_media;
mod card;
mod changes;
mod early;
mod elicitation;
mod handler;
mod hints;
mod media_delete;
mod media_get;
mod media_import;
mod media_list;
mod prompts;
mod resources;
mod schema;
mod subscriptions;
mod upload_cancel;
mod upload_create;
mod upload_request;
mod upload_status;
mod wait;

use std::sync::LazyLock;

use http::request::Parts;
use rmcp::{
    ErrorData, RoleServer,
    handler::server::{
        router::tool::ToolRouter,
        tool::{IntoCallToolResult, ToolCallContext, ToolRoute},
    },
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Extensions,
        MetaObject, Tool,
    },
    service::RequestContext,
};
use serde::Serialize;
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{changes::Telling, subscriptions::Subscriptions, wait::WaitedSince};
pub(crate) use self::{early::wait as wait_early, subscriptions::Hearing};
use crate::{
    domain::{caller::Caller, capability::Capability, language::Language},
    error::Error,
    service::{Asker, Service, must},
};

/// What the tools are. Their schemas take a megabyte, which a process that nobody speaks MCP with
/// does without.
static ROUTER: LazyLock<ToolRouter<Tools>> = LazyLock::new(|| {
    Tools::upload_create_router()
        + Tools::upload_status_router()
        + Tools::upload_request_router()
        + Tools::upload_cancel_router()
        + Tools::attach_media_router()
        + Tools::media_list_router()
        + Tools::media_get_router()
        + Tools::media_import_router()
        + Tools::media_delete_router()
});

/// The tools, on one service. Cloning it is cheap, and gives one for another connection.
#[derive(Clone)]
pub struct Tools {
    service: Service,
    is_local: bool,
    has_sessions: bool,
    subscriptions: Subscriptions,
    tool_changes: Telling,
    line: Line,
}

/// The line to the program that started this one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    /// The calls that are being answered.
    pub calls: TaskTracker,
    /// Ends once nobody is there any more to answer to.
    pub hung_up: CancellationToken,
}

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tools").finish_non_exhaustive()
    }
}

impl Tools {
    /// The tools, on this service, for who calls over HTTP: as the settings' `auth` says, on the
    /// authority of a [`Caller`] in the request's extensions.
    #[must_use]
    pub fn new(service: Service) -> Self {
        Self {
            service,
            is_local: false,
            has_sessions: true,
            subscriptions: Subscriptions::default(),
            tool_changes: Telling::default(),
            line: Line::default(),
        }
    }

    /// The tools, for the program that started this one: nobody is asked for a key.
    #[must_use]
    pub fn local(service: Service) -> Self {
        Self::on_line(service, Line::default())
    }

    /// The same, for who looks after the line.
    pub(crate) fn on_line(service: Service, line: Line) -> Self {
        Self {
            is_local: true,
            line,
            ..Self::new(service)
        }
    }

    /// The same over HTTP without sessions (`legacy_session_mode` is off): clients before 2026-07-28 are
    /// promised nothing then that they could not be told.
    #[must_use]
    pub fn without_sessions(self) -> Self {
        Self {
            has_sessions: false,
            ..self
        }
    }

    /// Who calls.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] if nobody has found out and nobody may come without a key.
    fn caller(&self, context: &RequestContext<RoleServer>) -> Result<Caller, Error> {
        let parts = context.extensions.get::<Parts>();
        if let Some(caller) = parts.and_then(|parts| parts.extensions.get::<Caller>()) {
            return Ok(caller.clone());
        }
        if !self.is_local && !self.service.settings().auth.is_open() {
            return Err(Error::Unauthenticated("This askfile wants a key."));
        }
        let info = context.meta.client_info().or_else(|| {
            let peer = context.peer.peer_info();
            peer.map(|info| info.client_info.clone())
        });
        let name = info.map(|info| info.title.unwrap_or(info.name));
        Ok(self.service.open_caller(name.as_deref()))
    }

    async fn call(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let _answering = self.line.calls.token();
        let may = self.caller(&context).and_then(|caller| {
            may_use(&request.name, &caller)?;
            if WaitedSince::of(&context).is_some() {
                return Ok(());
            }
            self.service.charge_call(&caller)
        });
        if let Err(error) = may {
            return Ok(self.refused(&request.name, &error).into());
        }
        let call = ToolCallContext::new(self, request, context);
        ROUTER.call(call).await
    }
}

/// Tools whose callers come by tokens.
impl Tools {
    fn takes_tokens(&self) -> bool {
        !self.is_local && self.service.settings().auth.takes_tokens()
    }

    /// A refusal, with how to come by a token that may: clients offer to connect anew then.
    fn refused(&self, tool: &str, error: &Error) -> CallToolResult {
        error.log();
        let mut result = CallToolResult::structured_error(error.body());
        let is_of_scope = matches!(error, Error::ToolNotEnabled | Error::PermissionDenied(_));
        if is_of_scope && self.takes_tokens() {
            let scope = needed(tool).map_or("", Capability::as_str);
            let challenge = format!(
                "Bearer resource_metadata=\"{}\", error=\"insufficient_scope\", \
                 error_description=\"{error}\", scope=\"{scope}\"",
                self.service.resource_metadata_url()
            );
            let mut meta = MetaObject::default();
            meta.insert("mcp/www_authenticate".into(), json!([challenge]));
            result.meta = Some(meta);
        }
        result
    }

    /// Tells what token each of these takes, where clients look for it.
    fn with_schemes(&self, tools: &mut [Tool]) {
        if !self.takes_tokens() {
            return;
        }
        for tool in tools {
            let scopes: Vec<_> = needed(&tool.name)
                .map(Capability::as_str)
                .into_iter()
                .collect();
            let schemes = json!([{ "type": "oauth2", "scopes": scopes }]);
            let meta = tool.meta.get_or_insert_default();
            meta.insert("securitySchemes".into(), schemes);
        }
    }
}

/// What a tool takes; what is not here takes nothing but the session's workspace. The operations
/// check it too; here it decides what is listed, and is said before anything else.
const NEEDED: [(&str, Capability); 8] = [
    ("upload_create", Capability::AssetUpload),
    ("upload_request", Capability::AssetUpload),
    ("upload_cancel", Capability::AssetUpload),
    ("media_import", Capability::AssetUpload),
    ("attach_media", Capability::MediaAttach),
    ("media_list", Capability::MediaRead),
    ("media_get", Capability::MediaRead),
    ("media_delete", Capability::MediaDelete),
];

/// # Errors
/// [`Error::ToolNotEnabled`] or [`Error::PermissionDenied`] for a tool that this caller may not use.
fn may_use(tool: &str, caller: &Caller) -> Result<(), Error> {
    needed(tool).map_or(Ok(()), |need| must(caller, need))
}

fn needed(tool: &str) -> Option<Capability> {
    let found = NEEDED.iter().find(|(name, _)| *name == tool);
    found.map(|(_, need)| *need)
}

/// The same tools inside another rmcp server: `Self::tool_router() + routes(&tools)`. What is a
/// resource is read from [`Tools`] alone, and subscribed to there.
#[must_use]
pub fn routes<S: Send + Sync + 'static>(tools: &Tools) -> ToolRouter<S> {
    let mut routes = ToolRouter::new();
    for tool in ROUTER.list_all() {
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
                    tools.call(params, call.request_context).await
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

/// Who asks for what takes longer than this request: in a session, by the credential that it was used
/// with last.
fn asker(extensions: &Extensions, caller: &Caller) -> Asker {
    let regular = extensions.get::<Asker>().cloned();
    regular.unwrap_or_else(|| caller.clone().into())
}

/// What the person is spoken to in, where the client tells it: a hint, of which nothing else depends.
fn language(context: &RequestContext<RoleServer>) -> Option<Language> {
    let tag = context.meta.get("openai/locale")?;
    Language::of_tag(tag.as_str()?)
}

/// A refusal in the terms of the protocol, with the failure object beside it.
fn refusal(error: &Error) -> ErrorData {
    ErrorData::invalid_request(error.to_string(), Some(error.body()))
}

/// A tool's tier and tags, and what ChatGPT says while it is called and after that: 64 characters each
/// at most.
fn meta(tier: &str, tags: &[&str], calling: &str, called: &str) -> MetaObject {
    let mut meta = MetaObject::default();
    meta.insert("tier".into(), json!(tier));
    meta.insert("tags".into(), json!(tags));
    meta.insert("openai/toolInvocation/invoking".into(), json!(calling));
    meta.insert("openai/toolInvocation/invoked".into(), json!(called));
    meta
}
