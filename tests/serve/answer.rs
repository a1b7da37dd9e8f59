//! Answers: what is said to a question is what a document says, or nothing.

use serde_json::{Value, json};

use crate::server::Server;
use crate::support::{Bench, fixture};

const LEAVE: &str = "How many working days of holiday a year do full-time staff have?";

/// What is given up for lack of time differs from run to run: here there is time.
const UNHURRIED: &str = "[search]\nsentence_ms = 20000\nanswer_ms = 20000\n";

fn over_handbook(bench: &Bench) -> Server {
    Server::configured(bench, UNHURRIED, &[&fixture("handbook").display().to_string()]).ready()
}

fn asked(server: &Server, body: &Value) -> Value {
    server.send("POST", "/api/v1/answer", body).expect(200)
}

fn said(reply: &Value) -> String {
    let sentences = reply["sentences"].as_array().unwrap().iter();
    sentences.map(|sentence| sentence["text"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_question_is_answered_with_words_of_its_source() {
    let bench = Bench::new();
    let server = over_handbook(&bench);
    let reply = asked(&server, &json!({ "question": LEAVE }));
    assert_eq!((&reply["outcome"], &reply["is_rewritten"]), (&json!("answered"), &json!(false)), "{reply:#}");
    assert!(said(&reply).contains("27 working days"), "{reply:#}");
    for sentence in reply["sentences"].as_array().unwrap() {
        let number = sentence["citations"][0].as_u64().unwrap() as usize;
        let citation = &reply["citations"][number - 1];
        let text = citation["text"].as_str().unwrap();
        let quotes = citation["quotes"].as_array().unwrap().iter().map(|quote| {
            let at = |end: &str| quote[end].as_u64().unwrap() as usize;
            &text[at("start")..at("end")]
        });
        assert!(quotes.collect::<Vec<_>>().contains(&sentence["text"].as_str().unwrap()), "{reply:#}");
    }
    let first = &reply["citations"][0];
    assert_eq!((&first["number"], &first["path"]), (&json!(1), &json!("hr/annual-leave.md")));
    // The same as events.
    let headers = [("content-type", "application/json"), ("accept", "text/event-stream")];
    let stream =
        server.request("POST", "/api/v1/answer", &headers, json!({ "question": LEAVE }).to_string().as_bytes());
    assert_eq!((stream.status, stream.header("content-type")), (200, "text/event-stream"));
    let events: Vec<&str> = stream.text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert!(events.first() == Some(&"question") && events.contains(&"sentence") && events.last() == Some(&"done"));
}

#[test]
fn what_the_documents_do_not_say_is_not_said() {
    let bench = Bench::new();
    let server = over_handbook(&bench);
    for question in ["how much is the dividend this year", "股票期权怎么行权", "xqzt vrrk?", "?"] {
        let reply = asked(&server, &json!({ "question": question }));
        assert_eq!(reply["outcome"], "unanswered", "{reply:#}");
        assert!(said(&reply).is_empty() && reply["citations"].as_array().unwrap().is_empty());
        assert!(reply["closest"].as_array().unwrap().len() <= 3);
    }
    for (body, named) in [
        (json!({}), "question"),
        (json!({ "question": "a", "top": 3 }), "top"),
        (json!({ "question": "a ".repeat(9_000) }), "question-too-long"),
        (json!({ "question": "a", "filters": { "after": "soon" } }), "after-not-a-date"),
    ] {
        let refused = server.send("POST", "/api/v1/answer", &body);
        assert!(refused.status == 400 && refused.text.contains(named), "{}", refused.text);
    }
}

#[test]
fn an_answer_follows_its_document() {
    let bench = Bench::new();
    let page = |days: &str| {
        format!(
            "# Holidays\n\nFull-time staff have {days} working days of holiday a year.\n\nHolidays are asked for in Nest.\n"
        )
    };
    bench.write("leave.md", &page("27"));
    bench.write("other.md", "# Printers\n\nPrinters on each floor take paper from the store room.\n");
    let server = Server::configured(&bench, UNHURRIED, &[&bench.docs().display().to_string()]).ready();
    let before = said(&asked(&server, &json!({ "question": LEAVE })));
    assert!(before.contains("27") && !before.contains("33"), "{before}");
    bench.write("leave.md", &page("33"));
    let deadline = std::time::Instant::now() + crate::server::PATIENCE;
    loop {
        let after = said(&asked(&server, &json!({ "question": LEAVE })));
        if after.contains("33") && !after.contains("27") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{after}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn nobody_is_answered_by_what_is_hidden_from_them() {
    let bench = Bench::new();
    bench.write("open.md", "# Printers\n\nPrinters on each floor take paper from the store room.\n");
    let made =
        |scope: &str| bench.run(&["keys", "create", scope, "--scope", scope]).succeeded().stdout().trim().to_string();
    let (admin, person) = (made("admin"), made("search"));
    let server = Server::configured(&bench, UNHURRIED, &[&bench.docs().display().to_string()]).ready();
    let send = |key: &str, method: &str, path: &str, body: &Value| {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        server.request(method, path, &headers, body.to_string().as_bytes())
    };
    let text = "# Holidays\n\nFull-time staff have 27 working days of holiday a year.\n";
    let put = json!({ "path": "leave.md", "text": text, "access": ["group:hr"] });
    send(&admin, "PUT", "/api/v1/documents", &put).expect(200);
    let ask = |key: &str| send(key, "POST", "/api/v1/answer", &json!({ "question": LEAVE })).expect(200);
    assert!(said(&ask(&admin)).contains("27 working days"));
    let hidden = ask(&person);
    assert_eq!(hidden["outcome"], "unanswered");
    assert!(!hidden.to_string().contains("Holidays") && !hidden.to_string().contains("27 working"), "{hidden:#}");
}

#[test]
fn the_page_answers_and_leads_to_the_words() {
    let bench = Bench::new();
    let server = over_handbook(&bench);
    let page = server.get(&format!("/search?q={}", LEAVE.replace(' ', "+").replace('?', "%3F")));
    let part = page.text.split("<section class=\"reply\"").nth(1).and_then(|rest| rest.split("</section>").next());
    let part = part.unwrap_or_else(|| panic!("no answer: {}", page.text));
    assert!(part.contains("27 working days"), "{part}");
    let link = part.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().replace("&amp;", "&");
    assert!(link.contains("&quote="), "{link}");
    let document = server.get(link.split('#').next().unwrap());
    let marked: Vec<&str> =
        document.text.split("<mark>").skip(1).filter_map(|rest| rest.split("</mark>").next()).collect();
    assert!(marked.iter().any(|mark| mark.contains("27 working days")), "{marked:?}");
    // What is no question is not answered, and what cannot be quoted marks the words as always.
    assert!(!server.get("/search?q=annual+holiday").text.contains("class=\"reply\""));
    let odd = link.split("&quote=").next().unwrap().to_string();
    for quote in ["9-1", "0-999999", "x", "1-1"] {
        let shown = server.get(&format!("{odd}&quote={quote}"));
        assert!(shown.status == 200 && shown.text.contains("<mark>"), "{quote}");
    }
    // Asking further: the question stands by itself in the address.
    let further = server.unfollowed("GET", "/search?q=and+in+Chengdu%3F&follows=how+many+days+of+leave%3F", &[], &[]);
    let expected = "/search?q=how+many+days+of+leave%3F+and+in+Chengdu%3F";
    assert_eq!((further.status, further.header("location")), (303, expected));
}

#[test]
fn the_command_line_answers_too() {
    let bench = Bench::new();
    let handbook = fixture("handbook").display().to_string();
    let printed = bench.run(&["ask", LEAVE, "--in", &handbook]).succeeded().stdout();
    assert!(
        printed.contains("27 working days") && printed.contains("[1]") && printed.contains("hr/annual-leave.md"),
        "{printed}"
    );
    let reply = bench.run(&["ask", "and in Chengdu?", "--before", LEAVE, "--in", &handbook, "--json"]);
    let reply: Value = serde_json::from_str(&reply.stdout()).unwrap();
    assert_eq!(
        (&reply["is_rewritten"], &reply["question"]),
        (&json!(true), &json!(format!("{LEAVE} and in Chengdu?")))
    );
    let not = bench.run(&["ask", "how much is the dividend this year", "--in", &handbook]);
    assert!(not.ended_well() && not.stdout().contains("do not seem to answer"), "{}", not.stdout());
}
