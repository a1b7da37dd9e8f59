//! A small provider for the tests: it describes itself, signs tokens with keys of its own, takes each code and each refresh
//! token once, and can be told to do wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openidconnect::core::{
    CoreEdDsaPrivateSigningKey, CoreJsonWebKey, CoreJwsSigningAlgorithm, CoreRsaPrivateSigningKey,
};
use openidconnect::http::{Request, Response};
use openidconnect::url::{Url, form_urlencoded};
use openidconnect::{JsonWebKeyId, PkceCodeChallenge, PkceCodeVerifier, PrivateSigningKey as _};
use serde_json::{Value, json};

use super::answer::Answer;
use super::claims::Claims;
use super::config::OidcConfig;
use super::provider::Provider;
use super::upstream::Upstream;
use super::wire::{Wire, WireError};
use crate::jobs::now;

pub(crate) const ISSUER: &str = "https://id.example/realm";
pub(crate) const PLACE: &str = "http://localhost:7700";
const ED_PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIBgMyfu+JtHG8K6X6cg4+1FDMy2lV1syRZAWYCrNFueJ\n-----END PRIVATE KEY-----\n";
const OTHER_PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIOUEIPSC87rczWmMWzaHdOD9aPC37OYYDv/wN4nH0Neo\n-----END PRIVATE KEY-----\n";
const RSA_PEM: &str = include_str!("rsa-test-key.pem");

/// By which key something is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Ed,
    /// One that is published only when a test says so.
    Other,
    Rsa,
}

impl Key {
    pub(crate) fn kid(self) -> &'static str {
        match self {
            Self::Ed => "ed",
            Self::Other => "other",
            Self::Rsa => "rsa",
        }
    }

    pub(crate) fn public(self) -> CoreJsonWebKey {
        let kid = Some(JsonWebKeyId::new(self.kid().to_owned()));
        match self {
            Self::Ed => CoreEdDsaPrivateSigningKey::from_ed25519_pem(ED_PEM, kid).unwrap().as_verification_key(),
            Self::Other => CoreEdDsaPrivateSigningKey::from_ed25519_pem(OTHER_PEM, kid).unwrap().as_verification_key(),
            Self::Rsa => CoreRsaPrivateSigningKey::from_pem(RSA_PEM, kid).unwrap().as_verification_key(),
        }
    }

    fn sign(self, message: &[u8]) -> Vec<u8> {
        let ed = |pem| {
            let key = CoreEdDsaPrivateSigningKey::from_ed25519_pem(pem, None).unwrap();
            key.sign(&CoreJwsSigningAlgorithm::EdDsa, message).unwrap()
        };
        match self {
            Self::Ed => ed(ED_PEM),
            Self::Other => ed(OTHER_PEM),
            Self::Rsa => {
                let key = CoreRsaPrivateSigningKey::from_pem(RSA_PEM, None).unwrap();
                key.sign(&CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, message).unwrap()
            }
        }
    }

    /// A token with these claims.
    pub(crate) fn token(self, claims: &Value) -> String {
        let alg = if self == Self::Rsa { "RS256" } else { "EdDSA" };
        self.signed(&json!({"alg": alg, "kid": self.kid(), "typ": "JWT"}), claims)
    }

    /// The same with another header.
    pub(crate) fn signed(self, header: &Value, claims: &Value) -> String {
        let message = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

type Alter = Box<dyn Fn(&mut Claims) + Send>;

/// What the provider does.
pub(crate) struct State {
    pub(crate) signs: Key,
    pub(crate) published: Vec<Key>,
    pub(crate) metadata: Value,
    /// What is said of whoever signs in, in ID tokens.
    pub(crate) person: Value,
    /// What is said beside.
    pub(crate) userinfo: Value,
    /// What an ID token is changed to.
    pub(crate) alter: Alter,
    /// What an ID token is, whatever its claims.
    pub(crate) id_token: Option<String>,
    /// Whether an ID token comes with a refreshed access token.
    pub(crate) refreshes_id_token: bool,
    pub(crate) gives_refresh: bool,
    /// What refreshing is answered, if not with tokens.
    pub(crate) refuses: Option<(u16, &'static str)>,
    pub(crate) is_down: bool,
    /// The paths that were asked for.
    pub(crate) asked: Vec<String>,
    codes: HashMap<String, (String, String)>,
    nonce: String,
    refresh: u64,
}

/// The provider.
#[derive(Clone)]
pub(crate) struct StandIn(Arc<Mutex<State>>);

impl StandIn {
    pub(crate) fn new() -> Self {
        let at = |path: &str| format!("{ISSUER}/{path}");
        Self(Arc::new(Mutex::new(State {
            signs: Key::Ed,
            published: vec![Key::Ed, Key::Rsa],
            metadata: json!({
                "issuer": ISSUER, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"),
                "jwks_uri": at("keys"), "userinfo_endpoint": at("userinfo"), "end_session_endpoint": at("end"),
            }),
            person: json!({"sub": "anna", "name": "Anna A.", "groups": ["staff"], "sid": "s1"}),
            userinfo: json!({"sub": "anna"}),
            alter: Box::new(|_| {}),
            id_token: None,
            refreshes_id_token: true,
            gives_refresh: true,
            refuses: None,
            is_down: false,
            asked: Vec::new(),
            codes: HashMap::new(),
            nonce: String::new(),
            refresh: 0,
        })))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.state().asked.iter().filter(|asked| asked.ends_with(path)).count()
    }

    pub(crate) fn config() -> OidcConfig {
        OidcConfig {
            issuer: ISSUER.to_owned(),
            client_id: "quarry".to_owned(),
            public_url: PLACE.to_owned(),
            audience: "quarry-api".to_owned(),
            admin_groups: vec!["it".to_owned()],
            ..OidcConfig::default()
        }
    }

    /// This provider, as the server knows it.
    pub(crate) fn provider(&self, change: impl FnOnce(&mut OidcConfig)) -> Provider {
        let mut config = Self::config();
        change(&mut config);
        let all = self.clone();
        Provider::with(config, "s3cret".to_owned(), Wire::of(move |request| all.answer(&request)))
    }

    /// What a browser brings back that has signed in where the server has sent it.
    pub(crate) fn signs_in(&self, address: &str) -> Answer {
        let query: HashMap<String, String> = Url::parse(address).unwrap().query_pairs().into_owned().collect();
        assert!(address.starts_with(&format!("{ISSUER}/authorize?")), "{address}");
        assert_eq!((query["client_id"].as_str(), query["response_type"].as_str()), ("quarry", "code"));
        assert_eq!(query["redirect_uri"], format!("{PLACE}/sign-in/callback"));
        assert_eq!(
            (query["code_challenge_method"].as_str(), query["scope"].as_str()),
            ("S256", "openid profile email")
        );
        let mut state = self.state();
        let code = format!("code-{}", state.codes.len() + state.asked.len());
        state.codes.insert(code.clone(), (query["nonce"].clone(), query["code_challenge"].clone()));
        Answer { state: query["state"].clone(), code, ..Answer::default() }
    }

    fn answer(&self, request: &Request<Vec<u8>>) -> Result<Response<Vec<u8>>, WireError> {
        let mut state = self.state();
        state.asked.push(request.uri().path().to_owned());
        if state.is_down {
            return Err(WireError::Resting);
        }
        let (status, body) = match request.uri().path() {
            "/realm/.well-known/openid-configuration" => (200, state.metadata.clone()),
            "/realm/keys" => (200, json!({"keys": state.published.iter().map(|key| key.public()).collect::<Vec<_>>()})),
            "/realm/token" => state.tokens(request),
            "/realm/userinfo" => {
                assert!(request.headers()["authorization"].to_str().unwrap().starts_with("Bearer access-"));
                (200, state.userinfo.clone())
            }
            other => panic!("{other} is no address here"),
        };
        let response = Response::builder().status(status).header("content-type", "application/json");
        Ok(response.body(body.to_string().into_bytes()).unwrap())
    }
}

impl State {
    fn tokens(&mut self, request: &Request<Vec<u8>>) -> (u16, Value) {
        let expected = format!("Basic {}", STANDARD.encode("quarry:s3cret"));
        assert_eq!(request.headers()["authorization"], expected.as_str());
        let form: HashMap<String, String> = form_urlencoded::parse(request.body()).into_owned().collect();
        let refused = |code: &str| (400, json!({"error": code}));
        let is_refresh = form["grant_type"] == "refresh_token";
        if is_refresh {
            if let Some((status, code)) = self.refuses {
                return (status, json!({"error": code}));
            }
            if form["refresh_token"] != format!("refresh-{}", self.refresh) {
                return refused("invalid_grant");
            }
        } else {
            let Some((nonce, challenge)) = self.codes.remove(&form["code"]) else { return refused("invalid_grant") };
            let verifier = PkceCodeVerifier::new(form["code_verifier"].clone());
            assert_eq!(PkceCodeChallenge::from_code_verifier_sha256(&verifier).as_str(), challenge);
            self.nonce = nonce;
        }
        self.refresh += 1;
        let mut tokens =
            json!({"access_token": format!("access-{}", self.refresh), "token_type": "Bearer", "expires_in": 60});
        if self.gives_refresh {
            tokens["refresh_token"] = format!("refresh-{}", self.refresh).into();
        }
        if !is_refresh || self.refreshes_id_token {
            tokens["id_token"] = self.id_token(is_refresh).into();
        }
        (200, tokens)
    }

    fn id_token(&self, is_refresh: bool) -> String {
        if let Some(token) = &self.id_token {
            return token.clone();
        }
        let mut claims = self.person.as_object().unwrap().clone();
        claims.insert("iss".to_owned(), ISSUER.into());
        claims.insert("aud".to_owned(), "quarry".into());
        claims.insert("iat".to_owned(), now().into());
        // Tests ask again as if it were later; the clock of the provider stands still.
        claims.insert("exp".to_owned(), (now() + 10_000).into());
        if !is_refresh {
            claims.insert("nonce".to_owned(), self.nonce.clone().into());
        }
        (self.alter)(&mut claims);
        self.signs.token(&Value::Object(claims))
    }
}

/// Somebody whom this provider signed in so many seconds ago, and of whom it cannot be asked again.
pub(crate) fn upstream(subject: &str, groups: &[&str], ago: i64) -> Upstream {
    Upstream {
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        name: subject.to_owned(),
        login: Some(subject.to_owned()),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        sid: None,
        nonce: String::new(),
        refresh: None,
        id_token: None,
        checked: now() - ago,
        tried: 0,
    }
}
