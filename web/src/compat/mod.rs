//! The models in the shapes that other software already speaks.

use actix_web::web;

/// The routes of the model endpoints.
pub(crate) fn configure(_: &mut web::ServiceConfig) {}
