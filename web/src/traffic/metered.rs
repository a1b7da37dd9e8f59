//! The layer that counts large answers as long as they are not sent.

use actix_web::body::{BodySize, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web;

use super::{PIECE, Pieces, client_of};
use crate::app::App;

/// The middleware. An answer in one piece of more than [`PIECE`] bytes takes its size from the client's memory until it
/// is sent; where there is no room for it, the client is told so instead.
pub(crate) async fn metered<B: MessageBody + 'static>(
    app: web::Data<App>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let answer = next.call(request).await?;
    if !matches!(answer.response().body().size(), BodySize::Sized(size) if size > PIECE as u64) {
        return Ok(answer.map_into_left_body());
    }
    let (request, response) = answer.into_parts();
    let (response, body) = response.into_parts();
    let bytes = match body.try_into_bytes() {
        Ok(bytes) => bytes,
        // It is made while it is sent, and counts what it holds by itself.
        Err(body) => return Ok(ServiceResponse::new(request, response.set_body(EitherBody::left(body)))),
    };
    match app.traffic.memory.take(&client_of(&request), bytes.len()) {
        Ok(ticket) => {
            let body = EitherBody::right(Pieces::new(bytes, Some(ticket)).boxed());
            Ok(ServiceResponse::new(request, response.set_body(body)))
        }
        Err(error) => Ok(ServiceResponse::from_err(error, request).map_into_right_body()),
    }
}
