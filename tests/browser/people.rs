//! People who sign in: the form, what the page shows of them, and the way out, with scripts and without.

use std::fs;

use serde_json::{Value, json};

use super::{fits, nothing_broke};
use crate::support::{Bench, fixture};
use crate::webdriver::{Browser, ENTER, Scripts, Server};

fn with_anna() -> (Bench, Server) {
    let bench = Bench::new();
    let add = ["users", "add", "anna", "--groups", "staff", "--password-stdin"];
    bench.run_with(&add, "correct horse").succeeded();
    let server = Server::start(&bench, &fixture("handbook"), &[]);
    (bench, server)
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn people_sign_in_and_out_with_scripts_and_without() {
    let (_bench, server) = with_anna();
    for (scripts, language, wrong) in
        [(Scripts::On, "en", "Name or password are wrong"), (Scripts::Off, "zh", "用户名或密码不正确")]
    {
        let browser = Browser::with(scripts, language);
        browser.open(&server.url("/search?q=laptop"));
        browser.wait("location.pathname === '/sign-in' && document.activeElement.name === 'name'");
        assert_eq!(browser.count(".who, #q"), 0, "nothing is shown of anybody, and nothing can be searched");
        nothing_broke(&browser);
        browser.write("[name=name]", "anna");
        browser.write("[name=password]", &format!("wrong horse{ENTER}"));
        browser.wait("document.querySelector('[role=alert]')");
        assert!(browser.text("[role=alert]").contains(wrong), "{}", browser.text("main"));
        assert_eq!(browser.eval("document.activeElement.name"), "password", "what was wrong is asked for again");
        assert!(browser.complaints().iter().all(|complaint| complaint.contains("422")), "only the answer is noticed");
        browser.write("[name=password]", &format!("correct horse{ENTER}"));
        browser.wait("location.pathname === '/search' && location.search === '?q=laptop'");
        browser.wait("document.querySelectorAll('.hit').length > 3");
        assert!(browser.text(".who").contains("anna"), "{}", browser.text(".who"));
        assert_eq!(browser.eval("document.cookie.includes('session')"), json!(false), "scripts cannot read it");
        for width in [1280, 360] {
            browser.resize(width, 800, 1.0);
            fits(&browser, "a page with a name");
        }
        nothing_broke(&browser);
        browser.click(".who button");
        browser.wait("location.pathname === '/sign-in'");
        nothing_broke(&browser);
        browser.run("history.back()");
        browser.open(&server.url("/status"));
        browser.wait("location.pathname === '/sign-in' && location.search === '?back=%2Fstatus'");
    }
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn whoever_is_signed_out_meanwhile_is_led_to_sign_in_and_back() {
    let (bench, server) = with_anna();
    let browser = Browser::start();
    browser.open(&server.url("/search?q=laptop"));
    browser.write("[name=name]", "anna");
    browser.write("[name=password]", &format!("correct horse{ENTER}"));
    browser.wait("document.documentElement.classList.contains('lively') && document.querySelector('.hit')");
    bench.run_with(&["users", "passwd", "anna", "--password-stdin"], "another horse").succeeded();
    browser.run("document.getElementById('q').value = ''");
    browser.write("#q", &format!("badge{ENTER}"));
    browser.wait("location.pathname === '/sign-in' && location.search.includes('badge')");
    browser.write("[name=name]", "anna");
    browser.write("[name=password]", &format!("another horse{ENTER}"));
    browser.wait("location.pathname === '/search' && location.search === '?q=badge'");
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn axe_finds_nothing_where_people_sign_in() {
    let axe = std::env::var("QUARRY_AXE").expect("QUARRY_AXE names axe.min.js: run .ci/browser");
    let axe = fs::read_to_string(axe).unwrap();
    let (_bench, server) = with_anna();
    let browser = Browser::start();
    let look = |what: &str| {
        for (theme, width) in [("light", 1280), ("dark", 1280), ("light", 360)] {
            browser.prefers("prefers-color-scheme", theme);
            browser.resize(width, 800, 1.0);
            fits(&browser, what);
            browser.run("document.getAnimations().forEach((one) => one.finish())");
            browser.run(&axe);
            let report = browser.run_async("const done = arguments[arguments.length - 1]; axe.run(document, { resultTypes: ['violations'] }).then(done, (error) => done({ violations: [String(error)] }))");
            assert!(
                report["passes"].as_array().is_some_and(|passes| passes.len() > 15),
                "axe looked at {what}: {report}"
            );
            let violations: Vec<&Value> = report["violations"].as_array().unwrap().iter().collect();
            assert!(violations.is_empty(), "{theme} {width} {what}: {violations:#?}");
        }
    };
    browser.open(&server.url("/sign-in"));
    look("the page to sign in");
    browser.write("[name=name]", "anna");
    browser.write("[name=password]", &format!("wrong horse{ENTER}"));
    browser.wait("document.querySelector('[role=alert]')");
    look("the page after a wrong password");
    browser.write("[name=password]", &format!("correct horse{ENTER}"));
    browser.wait("document.querySelector('.who')");
    look("a page with a name");
}
