//! `/sign-in/back-channel`: the identity provider says that somebody's sessions are over.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{Error, Problem};
use crate::identity::{self, ProviderError};
use crate::json::Form;

/// What the provider sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct BackChannelBody {
    /// A logout token, signed by the provider.
    logout_token: String,
}

/// Ends the sessions that a logout token of the identity provider names (OpenID Connect Back-Channel Logout 1.0): one by
/// `sid`, or all of a person by `sub`. The token's signature, issuer, audience, time and event are checked, and each is taken
/// once. Only where people sign in by a provider.
#[utoipa::path(post, path = "/sign-in/back-channel", tag = "server",
    request_body(content = BackChannelBody, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "These sessions are over"), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn back_channel(
    app: web::Data<App>,
    request: HttpRequest,
    body: Form<BackChannelBody>,
) -> Result<HttpResponse, Error> {
    let ended = identity::signed_out_upstream(&app, &request, body.0.logout_token).await;
    ended.map_err(|error| match error {
        // Whatever is wrong with it, the specification has one status for it.
        Error::Provider(error @ (ProviderError::Untrusted { .. } | ProviderError::Unusable { .. })) => {
            Error::bad(error.public_detail())
        }
        other => other,
    })?;
    Ok(HttpResponse::Ok().finish())
}
