//! Cutting off clients that take nothing.
//!
//! actix-web waits without an end for a socket to take more, and asks the answer for nothing meanwhile, so only the
//! socket can notice. `TCP_USER_TIMEOUT` is the kernel's own: it ends a connection on which something waits to be sent
//! for too long, be it that the other side is silent or that it answers and keeps its window closed. The connection's
//! task then ends with an error, and with it the answer and the work for it.

use std::any::Any;
use std::io;
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;

/// What is to be done with a new connection.
pub(crate) fn cut_off_after(stalled: Duration) -> impl Fn(&dyn Any, &mut Extensions) + Send + Sync + Clone + 'static {
    move |connection, _| {
        let encrypted = || connection.downcast_ref::<TlsStream<TcpStream>>().map(|stream| stream.get_ref().0);
        let Some(socket) = connection.downcast_ref::<TcpStream>().or_else(encrypted) else { return };
        if let Err(error) = limit(socket, stalled) {
            tracing::warn!("a client that reads nothing will not be cut off: {error}");
        }
    }
}

#[cfg(target_os = "linux")]
fn limit(socket: &TcpStream, stalled: Duration) -> io::Result<()> {
    socket2::SockRef::from(socket).set_tcp_user_timeout(Some(stalled))
}

/// Other systems have no such option: there, the budgets alone bound what such a client costs.
#[cfg(not(target_os = "linux"))]
fn limit(_: &TcpStream, _: Duration) -> io::Result<()> {
    Ok(())
}
