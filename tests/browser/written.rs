//! Answers of a writer on the page: heard sentence by sentence, then whole, beside a list that is there at once.

use super::{nothing_broke, settled};
use crate::llm::{Asked, StandIn};
use crate::support::Bench;
use crate::webdriver::{Browser, ENTER, Server};

/// Quotes the passage about holidays, and says more than it can prove.
fn writer(asked: &Asked) -> String {
    let quote = "27 working days of holiday a year";
    let number = (1..=8).find(|number| {
        let part = asked.prompt.split(&format!("passage {number}: ")).nth(1).unwrap_or_default();
        part.split("end of passage").next().unwrap_or_default().contains(quote)
    });
    let number = number.unwrap_or(1);
    format!(
        "[{number}] \"{quote}\" => Full-time staff have 27 days of holiday a year.\n[{number}] \"{quote}\" => They have 99 days in Paris.\n"
    )
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn an_answer_is_written_above_the_results() {
    let bench = Bench::new();
    bench.write("leave.md", "# Holidays\n\nFull-time staff have 27 working days of holiday a year.\n\nAsk in Nest.\n");
    bench.write("printers.md", "# Printers\n\nPrinters on each floor take paper from the store room.\n");
    let elsewhere = StandIn::saying(writer);
    let config = bench.root.path().join("quarry.toml");
    let text = format!("[answers]\nendpoint = \"{}\"\nmodel = \"stand-in\"\n", elsewhere.endpoint);
    std::fs::write(&config, text).unwrap();
    let server = Server::start(&bench, &bench.docs(), &["--config", config.to_str().unwrap()]);
    let browser = Browser::start();
    browser.open(&server.url("/search?q=printers"));
    settled(&browser);
    assert_eq!(browser.count(".reply, [data-write]"), 0, "what is no question is not answered");
    // Without loading the page anew.
    browser.run("document.getElementById('q').value = ''");
    browser.write("#q", &format!("how many days of holiday a year do full-time staff have{ENTER}"));
    browser.wait("document.querySelector('section.reply details s')");
    let reply = browser.text("section.reply");
    assert!(reply.contains("stand-in") && reply.contains("27 days of holiday a year"), "{reply}");
    assert_eq!(browser.count("section.reply"), 1, "what was shown first makes way");
    assert_eq!(browser.count("[data-write]"), 0);
    let struck = browser.eval("document.querySelector('section.reply s').textContent");
    assert_eq!(struck, "They have 99 days in Paris.");
    browser.click("section.reply a.cite");
    browser.wait("location.pathname.startsWith('/document/') && document.querySelector('mark')");
    assert!(browser.text("mark").contains("27 working days"), "{}", browser.text("mark"));
    nothing_broke(&browser);
}
