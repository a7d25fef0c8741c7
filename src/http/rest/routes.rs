//! Routes are written once and read in two ways: to be served, and to be described. What describes them
//! takes a megabyte and some milliseconds, which a server does without until somebody asks.

use aide::{
    OperationInput, OperationOutput,
    axum::{ApiRouter, routing::ApiMethodRouter},
    operation::OperationHandler,
    transform::TransformOperation,
};
use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, MethodRouter},
};

use crate::service::Service;

/// Takes routes.
pub(super) trait Routes {
    type Methods: Methods;

    /// At this path, these methods.
    fn at(self, path: &str, methods: impl FnOnce(Self::Methods) -> Self::Methods) -> Self;
}

/// A method, with its handler and what is said of it.
macro_rules! methods {
    ($($name:ident = $method:ident;)+) => {$(
        fn $name<H, I, O, T>(self, handler: H, describe: Describe) -> Self
        where
            H: Handler<T, Service> + OperationHandler<I, O>,
            I: OperationInput,
            O: OperationOutput,
            T: 'static,
        {
            self.on(Method::$method, handler, describe)
        }
    )+};
}

/// Takes the methods of one path.
pub(super) trait Methods: Sized {
    methods! {
        get = Get;
        post = Post;
        put = Put;
        patch = Patch;
        delete = Delete;
    }

    fn on<H, I, O, T>(self, method: Method, handler: H, describe: Describe) -> Self
    where
        H: Handler<T, Service> + OperationHandler<I, O>,
        I: OperationInput,
        O: OperationOutput,
        T: 'static;
}

/// Says of an operation what its types do not.
pub(super) type Describe = fn(TransformOperation<'_>) -> TransformOperation<'_>;

/// Those that we have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Routes for Router<Service> {
    type Methods = MethodRouter<Service>;

    fn at(self, path: &str, methods: impl FnOnce(Self::Methods) -> Self::Methods) -> Self {
        self.route(path, methods(MethodRouter::new()))
    }
}

impl Methods for MethodRouter<Service> {
    fn on<H, I, O, T>(self, method: Method, handler: H, _: Describe) -> Self
    where
        H: Handler<T, Service> + OperationHandler<I, O>,
        I: OperationInput,
        O: OperationOutput,
        T: 'static,
    {
        let filter = match method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
            Method::Put => MethodFilter::PUT,
            Method::Patch => MethodFilter::PATCH,
            Method::Delete => MethodFilter::DELETE,
        };
        Self::on(self, filter, handler)
    }
}

impl Routes for ApiRouter<Service> {
    type Methods = ApiMethodRouter<Service>;

    fn at(self, path: &str, methods: impl FnOnce(Self::Methods) -> Self::Methods) -> Self {
        self.api_route(path, methods(ApiMethodRouter::new()))
    }
}

impl Methods for ApiMethodRouter<Service> {
    fn on<H, I, O, T>(self, method: Method, handler: H, describe: Describe) -> Self
    where
        H: Handler<T, Service> + OperationHandler<I, O>,
        I: OperationInput,
        O: OperationOutput,
        T: 'static,
    {
        match method {
            Method::Get => self.get_with(handler, describe),
            Method::Post => self.post_with(handler, describe),
            Method::Put => self.put_with(handler, describe),
            Method::Patch => self.patch_with(handler, describe),
            Method::Delete => self.delete_with(handler, describe),
        }
    }
}
