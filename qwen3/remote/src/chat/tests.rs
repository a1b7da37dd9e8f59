//! A conversation against a server that says what each test wants.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::endpoint::RemoteHttp;

/// Serves these answers, one a connection, and tells what it was sent.
fn served(answers: Vec<String>) -> (Endpoint, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            // The caller may be gone, or want no more: that is what some tests are about.
            let _ = tell.send(request(&stream));
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (Endpoint::parse(&address, RemoteHttp::Refused).unwrap(), told)
}

fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        let is_end = line.trim().is_empty();
        text += &line;
        if is_end {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    text + &String::from_utf8(body).unwrap()
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn streamed(parts: &[&str], end: &str) -> String {
    let event = |part: &&str| format!("data: {}\n\n", json!({"choices": [{"delta": {"content": part}}]}));
    let body: String = parts.iter().map(event).collect::<String>() + end;
    answer("200 OK", "content-type: text/event-stream\r\n", &body)
}

fn chat(endpoint: Endpoint) -> Chat {
    let options = ChatOptions {
        model: "writer".to_owned(),
        key: None,
        timeout: Duration::from_secs(20),
        max_tokens: 64,
        temperature: 0.0,
    };
    Chat::new(endpoint, options)
}

fn asked() -> Vec<Message> {
    vec![Message { role: Role::System, content: "s".to_owned() }, Message { role: Role::User, content: "u".to_owned() }]
}

fn all(chat: &Chat) -> (String, Result<Finish, Fault>) {
    let mut text = String::new();
    let finish = chat.stream(&asked(), &mut |part| {
        text += part;
        ControlFlow::Continue(())
    });
    (text, finish)
}

#[test]
fn an_answer_comes_in_parts() {
    let (endpoint, told) = served(vec![streamed(&["27 ", "days", ""], "data: [DONE]\n\n")]);
    let (text, finish) = all(&chat(endpoint));
    assert_eq!((text.as_str(), finish.unwrap()), ("27 days", Finish::Stop));
    let sent = told.recv().unwrap();
    assert!(sent.starts_with("POST /v1/chat/completions"), "{sent}");
    let body: serde_json::Value = serde_json::from_str(sent.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["messages"][1], json!({"role": "user", "content": "u"}));
    assert_eq!((&body["stream"], &body["max_tokens"]), (&json!(true), &json!(64)));
}

#[test]
fn one_that_does_not_stream_is_understood_too() {
    let body = json!({"choices": [{"message": {"content": "27 days"}, "finish_reason": "length"}]}).to_string();
    let (endpoint, _told) = served(vec![answer("200 OK", "content-type: application/json\r\n", &body)]);
    let (text, finish) = all(&chat(endpoint));
    assert_eq!((text.as_str(), finish.unwrap()), ("27 days", Finish::Length));
}

#[test]
fn what_passes_is_lived_through_and_what_does_not_is_said() {
    let busy = answer("503 Service Unavailable", "retry-after: 0\r\n", "loading");
    let (endpoint, _told) = served(vec![busy.clone(), busy, streamed(&["yes"], "data: [DONE]\n\n")]);
    assert_eq!(all(&chat(endpoint)).0, "yes");

    let (endpoint, _told) = served(vec![answer("401 Unauthorized", "", "{\"error\": \"no\n such key\"}")]);
    let error = all(&chat(endpoint)).1.unwrap_err();
    assert!(!error.is_passing());
    assert!(error.to_string().contains("answers 401: {\"error\": \"no such key\"}; check"), "{error}");

    let page = answer("200 OK", "content-type: text/html; charset=utf-8\r\n", "<html>Sign in</html>");
    let (endpoint, _told) = served(vec![page]);
    let error = all(&chat(endpoint)).1.unwrap_err().to_string();
    assert!(error.contains("a page for people"), "{error}");
}

#[test]
fn an_answer_that_breaks_off_is_none() {
    let (endpoint, _told) = served(vec![streamed(&["27 da"], "")]);
    let (text, finish) = all(&chat(endpoint));
    assert_eq!(text, "27 da");
    assert!(finish.unwrap_err().to_string().contains("broke off"));

    let (endpoint, _told) = served(vec![streamed(&[], "data: <html>\n\n")]);
    let error = all(&chat(endpoint)).1.unwrap_err().to_string();
    assert!(error.contains("not an answer of a chat") && error.contains("<html>"), "{error}");
}

#[test]
fn nobody_is_sent_elsewhere_with_the_key() {
    let (other, other_told) = served(vec![streamed(&["stolen"], "data: [DONE]\n\n")]);
    let moved = answer("307 Temporary Redirect", &format!("location: {}\r\n", other.url("chat/completions")), "");
    let (endpoint, told) = served(vec![moved]);
    let folder = std::env::temp_dir().join(format!("quarry-chat-key-{}", std::process::id()));
    std::fs::write(&folder, "sk-secret").unwrap();
    let key = Key::of_file(&folder).unwrap();
    std::fs::remove_file(&folder).unwrap();
    let chat = Chat::new(endpoint.clone(), ChatOptions { key: Some(key), ..chat(endpoint).options });
    let error = all(&chat).1.unwrap_err().to_string();
    assert!(error.contains("it sends elsewhere") && !error.contains("secret"), "{error}");
    assert!(told.recv().unwrap().to_lowercase().contains("authorization: bearer sk-secret"));
    assert!(other_told.try_recv().is_err(), "nothing went there");
    assert!(!format!("{chat:?}").contains("secret"));
}

#[test]
fn whoever_has_enough_leaves() {
    let (endpoint, _told) = served(vec![streamed(&["one ", "two ", "three"], "data: [DONE]\n\n")]);
    let mut parts = 0;
    let finish = chat(endpoint).stream(&asked(), &mut |_| {
        parts += 1;
        if parts == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((parts, finish.unwrap()), (2, Finish::Left));
}

#[test]
fn an_endpoint_that_keeps_failing_is_left_alone() {
    let broken = || streamed(&["x"], "");
    let (endpoint, told) = served((0..4).map(|_| broken()).collect());
    let chat = chat(endpoint);
    for _ in 0..3 {
        assert!(matches!(all(&chat).1, Err(Fault::Failed { .. })));
    }
    assert!(matches!(all(&chat).1, Err(Fault::Resting { .. })));
    assert_eq!(told.try_iter().count(), 3, "the fourth was not sent");
}
