//! Addresses, each with what it needs: whoever adds a route says who may use it, in the same line, or it does not compile.
//!
//! The check stands around the handler itself, behind the router: what was matched is what is checked, however the address
//! was spelled. There is no second table that reads addresses in its own way. `clippy.toml` forbids other ways to add routes.

use std::future::ready;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder, Route, web};

use super::access::{Face, Need, pass};
use crate::app::App;
use crate::error::Error;

/// An address and its methods.
pub(crate) struct Endpoint {
    path: &'static str,
    face: Face,
    resource: Resource,
    methods: Vec<(Method, Need)>,
}

impl Endpoint {
    /// An address that programs use.
    pub(crate) fn api(path: &'static str) -> Self {
        Self::new(path, Face::Program)
    }

    /// An address that assistants use.
    pub(crate) fn agent(path: &'static str) -> Self {
        Self::new(path, Face::Agent)
    }

    /// An address that people look at, whose browser can ask for a key.
    pub(crate) fn page(path: &'static str) -> Self {
        Self::new(path, Face::Page)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where routes are made, each with its check")]
    fn new(path: &'static str, face: Face) -> Self {
        Self { path, face, resource: web::resource(path), methods: Vec::new() }
    }

    /// What answers GET, and HEAD.
    pub(crate) fn get<F, Args>(self, need: Need, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::GET, need, handler)
    }

    /// What answers POST.
    pub(crate) fn post<F, Args>(self, need: Need, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::POST, need, handler)
    }

    /// What answers PUT.
    pub(crate) fn put<F, Args>(self, need: Need, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::PUT, need, handler)
    }

    /// What answers DELETE.
    pub(crate) fn delete<F, Args>(self, need: Need, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::DELETE, need, handler)
    }

    fn on<F, Args>(mut self, method: Method, need: Need, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let route = checked(web::method(method.clone()).to(handler), need, self.face);
        self.resource = self.resource.route(route);
        self.methods.push((method, need));
        self
    }

    /// Its path, as the router matches it.
    pub(crate) fn path(&self) -> &'static str {
        self.path
    }

    /// Whether programs use it.
    #[cfg(test)]
    pub(crate) fn is_api(&self) -> bool {
        matches!(self.face, Face::Program | Face::Agent)
    }

    /// Its methods with what each needs.
    pub(crate) fn methods(&self) -> &[(Method, Need)] {
        &self.methods
    }

    /// Its methods as the header `Allow` names them.
    fn allowed(&self) -> String {
        let heads = self.methods.iter().any(|(method, _)| method == Method::GET).then_some("HEAD");
        let names: Vec<&str> = self.methods.iter().map(|(method, _)| method.as_str()).chain(heads).collect();
        names.join(", ")
    }

    /// Puts it into a server. A method that it does not take is told to those who may come in at all, in the house's form.
    #[expect(clippy::disallowed_methods, reason = "the one place where routes are registered")]
    pub(crate) fn register(self, services: &mut web::ServiceConfig) {
        debug_assert!(!self.methods.is_empty(), "{} answers nothing", self.path);
        let allowed = self.allowed();
        let other = move || ready(Err::<HttpResponse, _>(Error::Method { allowed: allowed.clone() }));
        services.service(self.resource.default_service(checked(web::to(other), Need::Caller, self.face)));
    }
}

/// What answers addresses that do not exist.
pub(crate) fn unmatched() -> Route {
    checked(web::to(not_found), Need::Caller, Face::Either)
}

/// A route behind its check.
fn checked(route: Route, need: Need, face: Face) -> Route {
    route.wrap(from_fn(move |app: web::Data<App>, request: ServiceRequest, next: Next<BoxBody>| {
        pass(app, need, face, request, next)
    }))
}

async fn not_found() -> Result<HttpResponse, Error> {
    Err(Error::NotFound { what: "this address" })
}
