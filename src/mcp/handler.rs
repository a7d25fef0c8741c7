//! What the protocol asks of a server: each request goes to what answers it.

use http::request::Parts;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, GetPromptRequestParams,
        GetPromptResponse, Implementation, InitializeRequestParams, InitializeResult,
        ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
        PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
        ServerCapabilities, ServerConfig, SubscribeRequestParams, SubscriptionFilter,
        UnsubscribeRequestParams,
    },
    service::{NotificationContext, RequestContext, SubscriptionContext},
    tool_handler,
};

use super::{
    Hearing, ROUTER, Tools, asker, card, may_use, prompts, refusal, resources, subscriptions,
};
use crate::{
    domain::{caller::Caller, capability::Capability},
    error::Error,
    service::must,
};

const INSTRUCTIONS: &str = include_str!("../../tools/server.md");

#[tool_handler(router = ROUTER)]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let name = Implementation::new("askfile", env!("CARGO_PKG_VERSION"))
            .with_title("askfile: files from a person");
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_extensions_with(card::extension());
        ServerConfig::new(capabilities.build())
            .with_server_info(name)
            .with_instructions(INSTRUCTIONS)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        context.peer.set_peer_info(request.clone());
        let mut info = self.negotiate_initialize(&request)?;
        if !self.has_sessions {
            let able = &mut info.capabilities;
            if let Some(tools) = &mut able.tools {
                tools.list_changed = None;
            }
            if let Some(resources) = &mut able.resources {
                resources.subscribe = None;
            }
        }
        Ok(info)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let caller = self.caller(&context);
        let caller = caller.map_err(|error| refusal(&error))?;
        let mut tools = ROUTER.list_all();
        tools.retain(|tool| may_use(&tool.name, &caller).is_ok());
        self.with_schemes(&mut tools);
        let mut listed = ListToolsResult::with_all_items(tools);
        let version = context.protocol_version();
        if version.is_some_and(|version| version >= ProtocolVersion::V_2026_07_28) {
            // What a caller may can change at any time.
            (listed.ttl_ms, listed.cache_scope) = (Some(0), Some(CacheScope::Private));
        }
        Ok(listed)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.call(request, context).await
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let parts = context.extensions.get::<Parts>();
        if let Some(caller) = parts.and_then(|parts| parts.extensions.get::<Caller>()) {
            let asker = asker(&context.extensions, caller);
            let hearing = context.extensions.get::<Hearing>().cloned();
            self.tell_session(caller, asker, hearing, context.peer.clone());
        }
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        let mut accepted = SubscriptionFilter::new();
        accepted.tools_list_changed = requested.tools_list_changed;
        accepted.resource_subscriptions = subscriptions::accepted(requested);
        Some(accepted)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let listened = async {
            let request = context.request_context();
            let caller = self.caller(request)?;
            self.service.charge_call(&caller)?;
            // Who hears of the tools alone costs as much.
            let _place = self.place(request, &caller)?;
            tokio::select! {
                () = self.tell_listener(&context, &caller) => Ok(()),
                refused = self.tell_changes(&context, &caller) => refused,
                () = context.cancelled() => Ok(()),
                () = self.line.hung_up.cancelled() => Ok(()),
                () = self.service.closing() => Ok(()),
            }
        };
        listened.await.map_err(|error: Error| {
            error.log();
            refusal(&error)
        })
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let subscribed = self.subscribe_session(&request.uri, &context).await;
        subscribed.map_err(|error| resources::failure(&error, &request.uri))
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.subscriptions.remove(&request.uri);
        Ok(())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let caller = self.caller(&context);
        let caller = caller.map_err(|error| refusal(&error))?;
        // Who cannot ask for files has nothing to gain by it.
        Ok(match must(&caller, Capability::AssetUpload) {
            Ok(()) => prompts::list(),
            Err(_) => ListPromptsResult::default(),
        })
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let caller = self.caller(&context);
        let may = caller.and_then(|caller| must(&caller, Capability::AssetUpload));
        may.map_err(|error| refusal(&error))?;
        Ok(prompts::get(&request)?.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let caller = self.caller(&context);
        caller.map_err(|error| refusal(&error))?;
        Ok(ListResourcesResult::with_all_items(vec![card::resource()]))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(
            resources::templates(),
        ))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let read = async {
            let caller = self.caller(&context)?;
            self.service.charge_call(&caller)?;
            if request.uri == card::URI {
                // It may talk to where links lead alone, which is to be known by then.
                self.service.settled().await?;
                return Ok(card::read(&self.service));
            }
            resources::read(&self.service, &caller, &request.uri).await
        };
        let read = read.await;
        read.map(Into::into)
            .map_err(|error| resources::failure(&error, &request.uri))
    }
}
