//! Insights in a browser: what is opened is told, thumbs can be pressed by everybody, and the page of counts can be read.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::looks::violations;
use super::{fits, nothing_broke, settled};
use crate::support::{Bench, fixture};
use crate::webdriver::{Browser, Server};

/// A server with insights over the handbook. Three people have asked for a parking space before.
fn house() -> (Bench, Server) {
    let bench = Bench::new();
    let config = bench.root.path().join("quarry.toml");
    fs::write(&config, "[insights]\nenabled = true\n").unwrap();
    let now = jiff::Timestamp::now();
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let line = |person: u32| {
        let did = json!({ "search": { "outcome": "nothing", "ms": 2_000 } });
        let who = format!("00000001{person:08x}");
        json!({ "at": now.as_second(), "who": who, "query": "parking space <b>", "did": did }).to_string() + "\n"
    };
    let folder = bench.data().join("insights");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{today}.log")), (1..=3).map(line).collect::<String>()).unwrap();
    let server = Server::start(&bench, &fixture("handbook"), &["--config", config.to_str().unwrap()]);
    (bench, server)
}

fn totals(server: &Server, is_there: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let totals = server.api("/api/v1/insights")["totals"].clone();
        if is_there(&totals) {
            return totals;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{totals}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn what_is_opened_is_told_and_thumbs_can_be_pressed() {
    let (_bench, server) = house();
    let browser = Browser::start();
    browser.open(&server.url("/search?q=travel+expenses"));
    settled(&browser);
    browser.wait("document.querySelectorAll('.hit .asked button').length === 20");
    let pressed = "[...document.querySelectorAll('.hit:nth-child(2) .asked button')].map((it) => it.ariaPressed)";
    assert_eq!(browser.eval(pressed), json!(["false", "false"]));
    let group = browser.eval("document.querySelector('.asked').getAttribute('aria-label')");
    assert_eq!(group, "Was this what you looked for?");
    browser.run("document.querySelector('.hit:nth-child(2) [data-kind=up]').click()");
    assert_eq!(browser.eval(pressed), json!(["true", "false"]));
    assert_eq!(browser.text("#suggested"), "Thank you");
    totals(&server, |totals| totals["up"] == 1);
    browser.run("document.querySelector('.hit:nth-child(2) [data-kind=down]').click()");
    assert_eq!(browser.eval(pressed), json!(["false", "true"]));
    let now = totals(&server, |totals| totals["down"] == 1);
    assert_eq!((&now["up"], &now["searches"], &now["without_click"]), (&json!(0), &json!(4), &json!(1)));
    // Another search without loading the page anew has its own buttons, and coming back shows what was said.
    browser
        .run("window.kept = true; const q = document.getElementById('q'); q.value = 'laptop'; q.form.requestSubmit()");
    browser
        .wait("document.title.startsWith('laptop') && document.querySelectorAll('.hit .asked button').length === 20");
    assert_eq!(browser.eval(pressed), json!(["false", "false"]));
    browser.run("history.back()");
    browser.wait(&format!("document.title.startsWith('travel') && String({pressed}) === 'false,true'"));
    assert_eq!(browser.eval("window.kept"), json!(true));
    // Opened: the search has its click, and the document asks too.
    browser.click(".hit .open");
    browser.wait("document.querySelector('main.document .asked')");
    totals(&server, |totals| totals["without_click"] == 1 && totals["searches"] == 5);
    browser.run("document.querySelector('main.document [data-kind=up]').click()");
    totals(&server, |totals| totals["up"] == 1 && totals["down"] == 1);
    nothing_broke(&browser);
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn counts_can_be_read_by_everybody() {
    let axe = std::env::var("QUARRY_AXE").expect("QUARRY_AXE names axe.min.js: run .ci/browser");
    let axe = fs::read_to_string(axe).unwrap();
    let (_bench, server) = house();
    let browser = Browser::start();
    let mut found = Vec::new();
    for (path, width) in [("/insights", 1280), ("/insights?days=7", 360), ("/search?q=travel+expenses", 1280)] {
        browser.resize(width, 800, 1.0);
        browser.open(&server.url(path));
        settled(&browser);
        fits(&browser, path);
        if path.starts_with("/insights") {
            assert!(browser.text("main").contains("parking space <b>"), "{}", browser.text("main"));
            assert_eq!(browser.count(".pages [aria-current=page]"), 1);
        } else {
            browser.wait("document.querySelector('.pane .text')");
            browser.wait("document.querySelectorAll('.hit .asked button').length === 20");
            browser.run("document.querySelector('.open').focus()");
        }
        browser.run("document.getAnimations().forEach((one) => one.finish())");
        found.extend(violations(&browser, &axe, path));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    nothing_broke(&browser);
}
