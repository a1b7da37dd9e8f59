//! Cookies that hold a word by which a browser is known again: sent back to this server alone, hidden from scripts.
//!
//! Over HTTPS it is a `__Host-` one, which no other host and no page without TLS can set. What is no HTTPS as far as this
//! server knows has another name, so that neither is taken for the other.

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::guard;

/// A cookie, by its names.
pub(super) struct Cookie {
    secure: &'static str,
    plain: &'static str,
}

/// The token of a session.
pub(super) const SESSION: Cookie = Cookie { secure: "__Host-quarry-session", plain: "quarry-session" };
/// The word of a browser that is signing in at the provider.
pub(super) const DEPARTURE: Cookie = Cookie { secure: "__Host-quarry-departure", plain: "quarry-departure" };

impl Cookie {
    fn name(&self, request: &HttpRequest) -> &'static str {
        if guard::is_secure(request) { self.secure } else { self.plain }
    }

    /// What gives the browser a token for so many seconds.
    pub(super) fn given(&self, request: &HttpRequest, token: &str, seconds: i64) -> String {
        let secure = if guard::is_secure(request) { "; Secure" } else { "" };
        format!("{}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", self.name(request))
    }

    /// What takes it away.
    pub(super) fn taken(&self, request: &HttpRequest) -> String {
        self.given(request, "", 0)
    }

    /// The token that a browser sends. Of two cookies of that name one was set by somebody else: neither counts.
    pub(super) fn token(&self, request: &HttpRequest) -> Option<String> {
        let name = self.name(request);
        let lines = request.headers().get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
        let mut tokens = lines
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('=').filter(|(found, _)| *found == name).map(|(_, token)| token));
        let token = tokens.next().filter(|token| !token.is_empty())?;
        tokens.next().is_none().then(|| token.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn one_cookie_of_the_right_name_is_a_token() {
        let sent = |lines: &[&str]| {
            let request = lines.iter().fold(TestRequest::default(), |request, line| {
                request.append_header((header::COOKIE, (*line).to_owned()))
            });
            SESSION.token(&request.to_http_request())
        };
        assert_eq!(sent(&["a=b; quarry-session=x"]).as_deref(), Some("x"));
        assert_eq!(sent(&["a=b", "quarry-session=x"]).as_deref(), Some("x"));
        for none in [
            &["quarry-session=x; quarry-session=y"] as &[&str],
            &["quarry-session=x", "quarry-session=x"],
            &["quarry-session="],
            &["__Host-quarry-session=x"],
            &["Quarry-Session=x"],
            &[],
        ] {
            assert_eq!(sent(none), None, "{none:?}");
        }
    }
}
