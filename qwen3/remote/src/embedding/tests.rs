//! A model elsewhere that is away.

use super::*;
use crate::endpoint::RemoteHttp;

fn options() -> EmbedOptions {
    EmbedOptions {
        api: EmbedApi::OpenAi,
        model: "m".to_owned(),
        key: None,
        dimension: None,
        prompt: EmbedPrompt::bare(),
        ruler: Ruler::Estimate,
        max_tokens: 512,
        portion: Portion { texts: 2, characters: 1000 },
        at_once: 2,
        timeout: Duration::from_secs(2),
        query_timeout: Duration::from_secs(1),
    }
}

/// An address where nobody listens.
fn nowhere() -> Endpoint {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    Endpoint::parse(&format!("http://{}/v1", listener.local_addr().unwrap()), RemoteHttp::Refused).unwrap()
}

fn identity() -> Identity {
    let vectors: Vec<Vec<f32>> = (0..2).map(|at| (0..4).map(|it| if it == at { 1.0 } else { 0.0 }).collect()).collect();
    Identity::of("m", "{document}", &vectors)
}

#[test]
fn a_known_model_needs_no_answer_and_an_unknown_one_does() {
    let known = identity();
    let embedding = Embedding::known(nowhere(), options(), known.fingerprint(), 4).unwrap().unwrap();
    assert_eq!((embedding.fingerprint(), embedding.dimension()), (known.fingerprint(), 4));
    let cut = EmbedOptions { dimension: Some(2), ..options() };
    assert!(Embedding::known(nowhere(), cut, known.fingerprint(), 4).unwrap().is_none());
    let renamed = EmbedOptions { model: "n".to_owned(), ..options() };
    assert!(Embedding::known(nowhere(), renamed, known.fingerprint(), 4).unwrap().is_none());
    assert!(matches!(Embedding::meet(nowhere(), options(), &[]), Err(Fault::Failed { .. })));
}

#[test]
fn one_that_keeps_failing_is_not_asked_and_that_is_said_at_once() {
    let embedding = Embedding::known(nowhere(), options(), identity().fingerprint(), 4).unwrap().unwrap();
    let away = |result: qwen3::Result<Pending<Vec<f32>>>| {
        let error = result.and_then(Pending::wait).unwrap_err();
        assert!(error.is_away() && error.is_elsewhere(), "{error}");
        error.to_string()
    };
    assert!(matches!(embedding.place(), Place::Elsewhere(it) if !it.condition.is_out() && !it.is_remote));
    for _ in 0..3 {
        away(embedding.query("q", None, Overlong::CutEnd));
    }
    let failures = embedding.stats().failures;
    let told = away(embedding.documents(Lane::Bulk, &["a", "b", "c"], Overlong::CutEnd));
    assert!(told.contains("does not answer"), "{told}");
    assert_eq!(embedding.stats().failures, failures, "nothing was sent");
    assert!(matches!(embedding.place(), Place::Elsewhere(it) if it.condition.is_out()));
}

#[test]
fn token_ids_are_of_models_here() {
    let embedding = Embedding::known(nowhere(), options(), identity().fingerprint(), 4).unwrap().unwrap();
    let error = embedding.sequences(Lane::Soon, vec![vec![1, 2]], Overlong::CutEnd).err().unwrap();
    assert!(error.to_string().contains("send texts"), "{error}");
}
