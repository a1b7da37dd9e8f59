//! Every check of what a provider says, each with something that only that check refuses.

use serde_json::{Value, json};

use super::answer::Answer;
use super::bearer::is_token;
use super::claims::Claims;
use super::fault::ProviderError;
use super::provider::Provider;
use super::renewal::{Due, Renewal};
use super::stand_in::{ISSUER, Key, StandIn};
use super::upstream::Upstream;
use crate::jobs::now;

const BROWSER: &str = "browser";

fn sign_in(stand_in: &StandIn, provider: &Provider) -> Result<Upstream, ProviderError> {
    let address = provider.depart(BROWSER, "/search?q=a", now()).unwrap();
    let answer = stand_in.signs_in(&address);
    let (upstream, back) = provider.arrive(BROWSER, &answer, now())?;
    assert_eq!(back, "/search?q=a");
    Ok(upstream)
}

fn plain() -> (StandIn, Provider) {
    let stand_in = StandIn::new();
    let provider = stand_in.provider(|_| {});
    (stand_in, provider)
}

fn why(error: &ProviderError) -> String {
    format!("{}: {error}", error.reason())
}

#[test]
fn whoever_signs_in_is_who_the_provider_says() {
    for key in [Key::Ed, Key::Rsa] {
        let (stand_in, provider) = plain();
        stand_in.state().signs = key;
        let anna = sign_in(&stand_in, &provider).unwrap();
        assert_eq!((anna.name.as_str(), anna.key()), ("Anna A.", format!("{ISSUER}#anna")));
        let principals: Vec<String> = anna.principals().unwrap().iter().map(ToString::to_string).collect();
        let expected =
            ["everyone", "group:https://id.example/realm#staff", "signed-in", "user:https://id.example/realm#anna"];
        assert_eq!(principals, expected);
        assert_eq!(stand_in.asked("/userinfo"), 0, "the ID token says it all");
        assert!(!format!("{anna:?}").contains("refresh-1"), "{anna:?}");
    }
}

#[test]
fn groups_come_from_a_path_or_from_userinfo() {
    let (stand_in, provider) = plain();
    stand_in.state().person = json!({"sub": "anna"});
    stand_in.state().userinfo = json!({"sub": "anna", "groups": ["hr"], "name": "Anna", "preferred_username": "aa"});
    let anna = sign_in(&stand_in, &provider).unwrap();
    assert_eq!((anna.groups.into_iter().collect::<Vec<_>>(), anna.name), (vec!["hr".to_owned()], "Anna".to_owned()));
    assert_eq!((anna.login.as_deref(), stand_in.asked("/userinfo")), (Some("aa"), 1));
    stand_in.state().userinfo = json!({"sub": "bert", "groups": ["it"]});
    assert!(matches!(sign_in(&stand_in, &provider), Err(ProviderError::Untrusted { .. })), "of somebody else");
    let provider = stand_in.provider(|config| config.groups_claim = "realm_access.roles".to_owned());
    stand_in.state().person = json!({"sub": "anna", "realm_access": {"roles": ["r"]}});
    assert!(sign_in(&stand_in, &provider).unwrap().groups.contains("r"));
    let provider = stand_in.provider(|config| config.groups_claim = String::new());
    assert!(sign_in(&stand_in, &provider).unwrap().groups.is_empty());
}

#[test]
fn groups_that_are_not_known_let_nobody_in() {
    let (stand_in, provider) = plain();
    stand_in.state().person = json!({"sub": "anna"});
    assert!(matches!(sign_in(&stand_in, &provider), Err(ProviderError::NoGroups { .. })));
    let lenient = stand_in.provider(|config| config.groups_optional = true);
    assert!(sign_in(&stand_in, &lenient).unwrap().groups.is_empty());
    stand_in.state().person = json!({"sub": "anna", "_claim_names": {"groups": "src1"}});
    for provider in [&provider, &lenient] {
        assert!(matches!(sign_in(&stand_in, provider), Err(ProviderError::TooManyGroups)));
    }
    stand_in.state().person = json!({"sub": "anna", "groups": ["a\u{7}b"]});
    assert!(matches!(sign_in(&stand_in, &provider), Err(ProviderError::Unusable { .. })), "what is no name");
    stand_in.state().person = json!({"sub": "anna", "groups": ["staff"]});
    let closed = stand_in.provider(|config| config.search_groups = vec!["readers".to_owned()]);
    assert!(matches!(sign_in(&stand_in, &closed), Err(ProviderError::NotLetIn)));
}

#[test]
fn an_id_token_is_of_the_provider_for_us_now_and_for_this_sign_in() {
    type Alter = fn(&mut Claims);
    let alters: [(Alter, &str); 13] = [
        (|claims| drop(claims.insert("iss".into(), "https://evil.example".into())), "issuer"),
        (|claims| drop(claims.remove("iss")), ""),
        (|claims| drop(claims.insert("aud".into(), "other".into())), "audience"),
        (|claims| drop(claims.insert("aud".into(), json!([]))), "audience"),
        (|claims| drop(claims.insert("aud".into(), json!(["quarry", "other"]))), "azp"),
        (|claims| drop(claims.insert("azp".into(), "other".into())), "azp"),
        (|claims| drop(claims.insert("exp".into(), (now() - 61).into())), "xpired"),
        (|claims| drop(claims.remove("exp")), ""),
        (|claims| drop(claims.insert("iat".into(), (now() + 120).into())), "future"),
        (|claims| drop(claims.insert("nbf".into(), (now() + 120).into())), "future"),
        (|claims| drop(claims.insert("nonce".into(), "another".into())), "nonce"),
        (|claims| drop(claims.remove("nonce")), "nonce"),
        (|claims| drop(claims.remove("sub")), ""),
    ];
    for (at, (alter, expected)) in alters.into_iter().enumerate() {
        let (stand_in, provider) = plain();
        stand_in.state().alter = Box::new(alter);
        let refused = sign_in(&stand_in, &provider).unwrap_err();
        let is_kind = matches!(refused, ProviderError::Untrusted { .. } | ProviderError::Unusable { .. });
        assert!(is_kind && why(&refused).contains(expected), "{at}: {}", why(&refused));
    }
    let (stand_in, provider) = plain();
    stand_in.state().alter = Box::new(|claims| {
        claims.insert("aud".into(), json!(["quarry", "other"]));
        claims.insert("azp".into(), "quarry".into());
        claims.insert("exp".into(), (now() - 50).into());
    });
    sign_in(&stand_in, &provider).expect("for several, made for us, and clocks may differ a little");
}

#[test]
fn nobody_else_can_sign() {
    let claims = |nonce: &str| json!({"iss": ISSUER, "aud": "quarry", "sub": "root", "groups": ["it"], "iat": now(), "exp": now() + 300, "nonce": nonce});
    let unsigned = |header: Value, claims: &Value| {
        let token = Key::Ed.signed(&header, claims);
        format!("{}.", token.rsplit_once('.').unwrap().0)
    };
    let public = serde_json::to_value(Key::Rsa.public()).unwrap()["n"].as_str().unwrap().to_owned();
    let hmac = |header: Value, claims: &Value, secret: &[u8]| {
        let token = Key::Ed.signed(&header, claims);
        let message = token.rsplit_once('.').unwrap().0.to_owned();
        format!("{message}.{}", hmac_sha256(secret, message.as_bytes()))
    };
    for case in 0..8 {
        let (stand_in, provider) = plain();
        let address = provider.depart(BROWSER, "/search?q=a", now()).unwrap();
        let answer = stand_in.signs_in(&address);
        let nonce = address.split("nonce=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        let claims = claims(&nonce);
        let good = Key::Ed.token(&claims);
        let (head, signature) = good.rsplit_once('.').unwrap();
        let other = Key::Ed.token(&json!({"sub": "x"}));
        let forged = match case {
            0 => unsigned(json!({"alg": "none"}), &claims),
            1 => unsigned(json!({"alg": "EdDSA", "kid": "ed"}), &claims),
            2 => hmac(json!({"alg": "HS256"}), &claims, b"s3cret"),
            3 => hmac(json!({"alg": "HS256", "kid": "rsa"}), &claims, public.as_bytes()),
            4 => Key::Other.signed(&json!({"alg": "EdDSA", "kid": "ed"}), &claims),
            5 => Key::Other.token(&claims),
            6 => format!("{head}.{}", other.rsplit_once('.').unwrap().1),
            _ => {
                let mut bytes = signature.to_owned().into_bytes();
                bytes[10] = if bytes[10] == b'A' { b'B' } else { b'A' };
                format!("{head}.{}", String::from_utf8(bytes).unwrap())
            }
        };
        stand_in.state().id_token = Some(forged);
        let refused = provider.arrive(BROWSER, &answer, now());
        let is_refused = matches!(refused, Err(ProviderError::Untrusted { .. } | ProviderError::Unusable { .. }));
        assert!(is_refused, "{case}: {refused:?}");
    }
    let (stand_in, provider) = plain();
    let address = provider.depart(BROWSER, "/search?q=a", now()).unwrap();
    let answer = stand_in.signs_in(&address);
    let nonce = address.split("nonce=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    stand_in.state().id_token = Some(Key::Ed.token(&claims(&nonce)));
    provider.arrive(BROWSER, &answer, now()).expect("what is forged above is good where the provider signs it");
}

/// HMAC (RFC 2104) over what the workspace has, so that the forged token is one that a careless check would take.
fn hmac_sha256(key: &[u8], message: &[u8]) -> String {
    use base64::Engine as _;
    use openidconnect::PrivateSigningKey as _;
    use openidconnect::core::CoreHmacKey;
    use openidconnect::core::CoreJwsSigningAlgorithm::HmacSha256;
    let signature = CoreHmacKey::new(key.to_vec()).sign(&HmacSha256, message).unwrap();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature)
}

#[test]
fn an_answer_is_taken_once_and_in_one_browser() {
    let (stand_in, provider) = plain();
    let begin = || stand_in.signs_in(&provider.depart(BROWSER, "/", now()).unwrap());
    let stale = |answer: &Answer, browser: &str, now: i64| {
        let refused = provider.arrive(browser, answer, now);
        assert!(matches!(refused, Err(ProviderError::Stale)), "{refused:?}");
    };
    let answer = begin();
    provider.arrive(BROWSER, &answer, now()).unwrap();
    stale(&answer, BROWSER, now());
    stale(&begin(), "another browser", now());
    stale(&begin(), "", now());
    stale(&begin(), BROWSER, now() + 600);
    stale(&Answer { state: "made up".to_owned(), ..begin() }, BROWSER, now());
    stale(&Answer { state: String::new(), ..begin() }, BROWSER, now());
    let first = begin();
    let replayed = Answer { code: first.code.clone(), ..begin() };
    provider.arrive(BROWSER, &first, now()).unwrap();
    let refused = provider.arrive(BROWSER, &replayed, now());
    assert!(matches!(refused, Err(ProviderError::Refused { .. })), "a code is good once: {refused:?}");
    let [first, second] = [begin(), begin()];
    provider.arrive(BROWSER, &second, now()).unwrap();
    provider.arrive(BROWSER, &first, now()).expect("two windows of one browser");
}

#[test]
fn what_the_provider_refuses_is_said_in_its_words_and_no_others() {
    let (stand_in, provider) = plain();
    let answer = stand_in.signs_in(&provider.depart(BROWSER, "/", now()).unwrap());
    let error = "access_denied<script>\r\n".to_owned() + &"x".repeat(500);
    let refused = provider.arrive(BROWSER, &Answer { error, code: String::new(), ..answer }, now()).unwrap_err();
    let ProviderError::Refused { code } = refused else { panic!("{refused:?}") };
    assert!(code.starts_with("access_deniedscript") && code.len() == 60, "{code}");
    let answer = stand_in.signs_in(&provider.depart(BROWSER, "/", now()).unwrap());
    let from = |iss: Option<&str>| {
        let answer = stand_in.signs_in(&provider.depart(BROWSER, "/", now()).unwrap());
        provider.arrive(BROWSER, &Answer { iss: iss.map(str::to_owned), ..answer }, now())
    };
    drop(answer);
    assert!(matches!(from(Some("https://evil.example")), Err(ProviderError::Untrusted { .. })));
    assert!(from(Some(ISSUER)).is_ok() && from(None).is_ok());
    stand_in.state().metadata["authorization_response_iss_parameter_supported"] = true.into();
    let strict = stand_in.provider(|_| {});
    let answer = stand_in.signs_in(&strict.depart(BROWSER, "/", now()).unwrap());
    assert!(matches!(strict.arrive(BROWSER, &answer, now()), Err(ProviderError::Untrusted { .. })), "it should say");
}

#[test]
fn a_description_is_of_the_provider_that_is_meant_and_leads_nowhere_in_the_open() {
    for (name, value) in [
        ("issuer", "https://id.example/other"),
        ("token_endpoint", "http://id.example/token"),
        ("jwks_uri", "http://id.example/keys"),
        ("end_session_endpoint", "javascript:alert(1)"),
        ("userinfo_endpoint", "http://10.0.0.1/"),
    ] {
        let (stand_in, provider) = plain();
        stand_in.state().metadata[name] = value.into();
        let refused = provider.depart(BROWSER, "/", now());
        assert!(matches!(refused, Err(ProviderError::Unusable { .. })), "{name}: {refused:?}");
    }
}

#[test]
fn a_provider_that_is_away_is_not_asked_all_the_time() {
    let (stand_in, provider) = plain();
    stand_in.state().is_down = true;
    for second in [0, 1, 4] {
        assert!(matches!(provider.depart(BROWSER, "/", now() + second), Err(ProviderError::Away(_))));
    }
    assert_eq!(stand_in.asked("openid-configuration"), 1);
    stand_in.state().is_down = false;
    provider.depart(BROWSER, "/", now() + 6).unwrap();
    for _ in 0..3 {
        sign_in(&stand_in, &provider).unwrap();
    }
    assert_eq!((stand_in.asked("openid-configuration"), stand_in.asked("/keys")), (2, 1), "what is known is kept");
    stand_in.state().is_down = true;
    provider.depart(BROWSER, "/", now() + 100_000).expect("what is old is still good while there is nothing newer");
}

#[test]
fn keys_are_looked_for_when_one_is_not_known_and_not_all_the_time() {
    let (stand_in, provider) = plain();
    sign_in(&stand_in, &provider).unwrap();
    let token = |key: Key| {
        let claims =
            json!({"iss": ISSUER, "aud": "quarry-api", "sub": "bot", "groups": [], "iat": now(), "exp": now() + 900});
        key.token(&claims)
    };
    let later = now() + 31;
    for second in 0..3 {
        assert!(provider.bearer(&token(Key::Other), &api(), now() + second).is_err());
    }
    assert_eq!(stand_in.asked("/keys"), 1, "they were fetched a moment ago");
    stand_in.state().published.push(Key::Other);
    provider.bearer(&token(Key::Other), &api(), later).expect("a new key is found");
    assert_eq!(stand_in.asked("/keys"), 2);
    stand_in.state().published = vec![Key::Other];
    stand_in.state().signs = Key::Other;
    sign_in(&stand_in, &provider).expect("by the new key");
    assert_eq!(stand_in.asked("/keys"), 2);
}

#[test]
fn the_provider_is_asked_again_and_its_word_counts() {
    let (stand_in, provider) = plain();
    let anna = sign_in(&stand_in, &provider).unwrap();
    let later = anna.checked + 15 * 60;
    assert_eq!((provider.due(&anna, later - 1), provider.due(&anna, later)), (Due::Nothing, Due::Asking));
    stand_in.state().person["groups"] = json!(["staff", "hr"]);
    let Renewal::Renewed(renewed) = provider.renew(&anna, later) else { panic!("not renewed") };
    assert!(renewed.groups.contains("hr") && renewed.checked == later);
    assert_eq!(provider.due(&renewed, later + 1), Due::Nothing);
    assert!(matches!(provider.renew(&anna, later), Renewal::Over("provider-refused")), "a refresh token is good once");

    stand_in.state().refreshes_id_token = false;
    stand_in.state().userinfo = json!({"sub": "anna", "groups": ["hr"]});
    let anna = sign_in(&stand_in, &provider).unwrap();
    let Renewal::Renewed(renewed) = provider.renew(&anna, later) else { panic!("not renewed") };
    assert_eq!(renewed.groups.into_iter().collect::<Vec<_>>(), ["hr"], "without an ID token userinfo tells");
    assert!(renewed.id_token.is_some() && renewed.sid.as_deref() == Some("s1"), "what is not said anew stays");
    stand_in.state().userinfo = json!({"sub": "bert", "groups": ["it"]});
    let anna = sign_in(&stand_in, &provider).unwrap();
    assert!(matches!(provider.renew(&anna, later), Renewal::Over("answer-untrusted")), "of somebody else");
}

#[test]
fn whoever_is_gone_is_out_and_a_provider_that_is_away_is_waited_for() {
    let (stand_in, provider) = plain();
    let anna = sign_in(&stand_in, &provider).unwrap();
    let (first, last) = (anna.checked + 15 * 60, anna.checked + 75 * 60);
    for (refused, expected) in [
        (Some((400, "invalid_grant")), true),
        (Some((400, "access_denied")), true),
        (Some((401, "invalid_client")), false),
        (Some((400, "temporarily_unavailable")), false),
        (Some((503, "invalid_grant")), false),
    ] {
        stand_in.state().refuses = refused;
        let renewal = provider.renew(&anna, first);
        assert_eq!(matches!(renewal, Renewal::Over(_)), expected, "{refused:?}: {renewal:?}");
        let renewal = provider.renew(&anna, last);
        assert!(matches!(renewal, Renewal::Over(_)), "in the end all are out, {refused:?}: {renewal:?}");
    }
    stand_in.state().refuses = None;
    stand_in.state().is_down = true;
    let Renewal::Waits(waiting) = provider.renew(&anna, first) else { panic!("it is waited for") };
    assert_eq!((waiting.checked, waiting.groups.clone()), (anna.checked, anna.groups.clone()));
    assert_eq!((provider.due(&waiting, first + 29), provider.due(&waiting, first + 30)), (Due::Nothing, Due::Asking));
    let Renewal::Waits(waiting) = provider.renew(&waiting, last - 1) else { panic!("to the last") };
    assert_eq!(provider.due(&waiting, last), Due::Over("provider-away"));
    assert!(matches!(provider.renew(&anna, last), Renewal::Over("provider-away")));
    stand_in.state().is_down = false;
    let Renewal::Renewed(_) = provider.renew(&waiting, last) else { panic!("it is back") };
}

#[test]
fn a_session_ends_with_the_groups_that_let_somebody_in_and_when_nobody_can_be_asked() {
    let (stand_in, provider) = plain();
    let anna = sign_in(&stand_in, &provider).unwrap();
    let later = anna.checked + 15 * 60;
    let closed = stand_in.provider(|config| config.search_groups = vec!["staff".to_owned()]);
    stand_in.state().person["groups"] = json!([]);
    assert!(matches!(closed.renew(&anna, later), Renewal::Over("not-let-in")));
    stand_in.state().person = json!({"sub": "anna", "hasgroups": true});
    let anna = Upstream { refresh: Some(super::upstream::Sealed("refresh-2".to_owned())), ..anna };
    assert!(matches!(provider.renew(&anna, later), Renewal::Over("too-many-groups")));
    let (stand_in, provider) = plain();
    stand_in.state().gives_refresh = false;
    let anna = sign_in(&stand_in, &provider).unwrap();
    let until = anna.checked + 60 * 60;
    assert_eq!(
        (provider.due(&anna, until - 1), provider.due(&anna, until)),
        (Due::Nothing, Due::Over("no-refresh-token"))
    );
    let other = stand_in.provider(|config| config.issuer = "https://new.example".to_owned());
    assert_eq!(other.due(&anna, anna.checked), Due::Over("other-provider"));
}

#[test]
fn a_token_to_sign_out_is_checked_whole() {
    const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
    let (stand_in, provider) = plain();
    let anna = sign_in(&stand_in, &provider).unwrap();
    let number = std::cell::Cell::new(0);
    let good = || {
        number.set(number.get() + 1);
        json!({"iss": ISSUER, "aud": "quarry", "iat": now(), "exp": now() + 120, "jti": format!("j{}", number.get()),
            "events": {EVENT: {}}, "sub": "anna", "sid": "s1"})
    };
    let ending = provider.ending(&Key::Ed.token(&good()), now()).unwrap();
    assert!(ending.is_of(&anna));
    let with = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    for (claims, expected) in [
        (with("sub", "bert".into()), false),
        (with("sid", "s2".into()), false),
        (without("sid"), true),
        (without("sub"), true),
        (without("exp"), true),
        (with("aud", json!(["other", "quarry"])), true),
    ] {
        let ending = provider.ending(&Key::Ed.token(&claims), now()).unwrap();
        assert_eq!(ending.is_of(&anna), expected, "{claims}");
    }
    let mut nobody = without("sub");
    nobody.as_object_mut().unwrap().remove("sid");
    for (claims, expected) in [
        (with("iss", "https://evil.example".into()), "issuer"),
        (with("aud", "other".into()), "audience"),
        (without("aud"), "audience"),
        (without("iat"), "iat"),
        (with("iat", (now() - 700).into()), "iat"),
        (with("iat", (now() + 120).into()), "future"),
        (with("exp", (now() - 61).into()), "exp"),
        (with("exp", "soon".into()), "exp"),
        (without("jti"), "jti"),
        (without("events"), "events"),
        (with("events", json!({EVENT: "x"})), "events"),
        (with("events", json!({"other": {}})), "events"),
        (with("nonce", "n".into()), "nonce"),
        (nobody, "nobody"),
    ] {
        let refused = provider.ending(&Key::Ed.token(&claims), now()).unwrap_err();
        assert!(why(&refused).starts_with("answer-untrusted") && why(&refused).contains(expected), "{}", why(&refused));
    }
    let claims = good();
    for forged in [
        Key::Other.token(&claims),
        Key::Other.signed(&json!({"alg": "EdDSA", "kid": "ed"}), &claims),
        Key::Ed.signed(&json!({"alg": "none"}), &claims),
        Key::Ed.signed(&json!({"alg": "HS256"}), &claims),
        Key::Ed.signed(&json!({"alg": "EdDSA", "kid": "ed", "typ": "at+jwt"}), &claims),
        Key::Ed.signed(&json!({"alg": "EdDSA", "kid": "ed", "crit": ["x"], "x": 1}), &claims),
        "a.b.c".to_owned(),
        String::new(),
    ] {
        assert!(matches!(provider.ending(&forged, now()), Err(ProviderError::Untrusted { .. })), "{forged}");
    }
    let token = Key::Ed.signed(&json!({"alg": "EdDSA", "kid": "ed", "typ": "logout+jwt"}), &claims);
    provider.ending(&token, now()).unwrap();
    assert!(why(&provider.ending(&token, now()).unwrap_err()).contains("heard before"));
}

/// The audience of tokens for the API.
fn api() -> Vec<String> {
    vec!["quarry-api".to_owned()]
}

#[test]
fn a_program_brings_a_token_that_was_made_for_this_server() {
    let (_stand_in, provider) = plain();
    let good = || json!({"iss": ISSUER, "aud": ["quarry-api"], "sub": "anna", "groups": ["it"], "iat": now(), "exp": now() + 300});
    let bot = provider.bearer(&Key::Rsa.token(&good()), &api(), now()).unwrap();
    assert_eq!((bot.key(), bot.groups.contains("it")), (format!("{ISSUER}#anna"), true));
    let at = Key::Ed.signed(&json!({"alg": "EdDSA", "kid": "ed", "typ": "application/at+jwt"}), &good());
    provider.bearer(&at, &api(), now()).unwrap();
    assert!(matches!(provider.bearer(&at, &api(), now() + 361), Err(ProviderError::Untrusted { .. })), "over");
    for (name, value) in [
        ("aud", json!("quarry")),
        ("iss", json!("https://evil.example")),
        ("exp", json!(now() - 61)),
        ("exp", Value::Null),
        ("nbf", json!(now() + 120)),
        ("events", json!({})),
        ("sub", Value::Null),
        ("_claim_names", json!({"groups": "s"})),
        ("groups", Value::Null),
    ] {
        let mut claims = good();
        claims[name] = value;
        assert!(provider.bearer(&Key::Ed.token(&claims), &api(), now()).is_err(), "{claims}");
    }
    assert!(provider.bearer(&Key::Other.token(&good()), &api(), now()).is_err());
    let logout = Key::Ed.signed(&json!({"alg": "EdDSA", "kid": "ed", "typ": "logout+jwt"}), &good());
    assert!(provider.bearer(&logout, &api(), now()).is_err());
    for others in [vec![], vec!["quarry".to_owned()], vec![String::new()]] {
        assert!(provider.bearer(&Key::Rsa.token(&good()), &others, now()).is_err(), "{others:?}");
    }
    let some = ["https://search.example/mcp".to_owned(), "quarry-api".to_owned()];
    provider.bearer(&Key::Rsa.token(&good()), &some, now()).unwrap();
    assert!(is_token("a.b.c") && !is_token("qk_1_x"));
}

#[test]
fn a_browser_signs_out_at_the_provider_with_its_token() {
    let (stand_in, provider) = plain();
    let anna = sign_in(&stand_in, &provider).unwrap();
    let place = provider.farewell(&anna, now()).unwrap();
    assert!(place.starts_with(&format!("{ISSUER}/end?client_id=quarry&post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A7700%2Fsign-in&id_token_hint=ey")), "{place}");
    stand_in.state().metadata["end_session_endpoint"] = Value::Null;
    assert_eq!(stand_in.provider(|_| {}).farewell(&anna, now()), None);
}
