//! The looks of the page, and for whom: colours, languages, narrow windows, assistive technology, and the
//! pictures of the documents.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::{fits, handbook, nothing_broke, settled};
use crate::webdriver::{Browser, Scripts};

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn colours_follow_the_system_and_the_switch() {
    let (_bench, server) = handbook();
    let browser = Browser::start();
    let is_dark = |browser: &Browser| {
        let paper = browser.eval("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)");
        paper[0].as_u64().unwrap() < 60
    };
    browser.prefers("prefers-color-scheme", "light");
    browser.open(&server.url("/search?q=pay"));
    settled(&browser);
    assert!(!is_dark(&browser));
    browser.prefers("prefers-color-scheme", "dark");
    assert!(is_dark(&browser), "the system's wish is followed at once");
    browser.click("#theme");
    assert!(!is_dark(&browser), "light was chosen");
    browser.open(&server.url("/status"));
    assert!(!is_dark(&browser), "the choice is kept");
    settled(&browser);
    browser.click("#theme");
    browser.prefers("prefers-color-scheme", "light");
    assert!(is_dark(&browser), "dark was chosen");
    browser.open(&server.url("/"));
    assert!(is_dark(&browser));
    nothing_broke(&browser);
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn the_page_speaks_the_visitors_language() {
    let (_bench, server) = handbook();
    let browser = Browser::with(Scripts::On, "zh-CN,zh");
    browser.open(&server.url("/search?q=差旅费怎么报销"));
    settled(&browser);
    assert_eq!(browser.eval("document.documentElement.lang"), "zh-Hans");
    assert!(browser.text("#truth").contains("条结果"));
    assert!(browser.text(".hit").contains("出差费用报销办法"), "{}", browser.text(".hit"));
    assert_eq!(browser.eval("document.querySelector('.hit .snippet').closest('[lang]').lang"), "zh-Hans");
    browser.click(".tools a[hreflang]");
    browser.wait("document.documentElement.lang === 'en'");
    assert!(browser.text("#truth").contains("results in"));
    assert_eq!(browser.eval("document.querySelector('.hit .snippet').closest('[lang]').lang"), "zh");
    nothing_broke(&browser);
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn a_phone_is_wide_enough() {
    let (_bench, server) = handbook();
    let browser = Browser::start();
    browser.resize(360, 740, 2.0);
    let id = server.api("/api/v1/search?q=expenses")["results"][0]["id"].as_str().unwrap().to_string();
    let document = format!("/document/{id}?passage=1&q=expenses");
    for path in [
        "/",
        "/search?q=expenses",
        "/search?q=backup+script",
        "/search?q=qqqq&lang=xx",
        &document,
        "/status",
        "/admin",
        "/admin/keys",
        "/admin/users",
        "/admin/guidance",
        "/admin/server",
        "/nowhere",
    ] {
        browser.open(&server.url(path));
        settled(&browser);
        fits(&browser, path);
    }
    browser.open(&server.url("/search?q=expenses"));
    settled(&browser);
    browser.click(".facet[data-facet=date] summary");
    fits(&browser, "an open menu");
    let menu = browser.eval(
        "(({ left, right }) => [left, right])(document.querySelector('.facet[open] ul').getBoundingClientRect())",
    );
    assert!(menu[0].as_f64() >= Some(0.0) && menu[1].as_f64() <= Some(360.0), "the menu is cut off: {menu}");
    assert_eq!(browser.eval("document.getElementById('pane').hidden || getComputedStyle(document.getElementById('pane')).display === 'none'"), json!(true));
}

/// What axe finds on the page that is open.
pub(super) fn violations(browser: &Browser, axe: &str, place: &str) -> Vec<String> {
    browser.run(axe);
    let report = browser.run_async("const done = arguments[arguments.length - 1]; axe.run(document, { resultTypes: ['violations'] }).then(done, (error) => done({ violations: [String(error)] }))");
    assert!(report["passes"].as_array().is_some_and(|passes| passes.len() > 15), "axe looked at {place}: {report}");
    let violations = report["violations"].as_array().unwrap().iter();
    let told = violations.map(|violation| {
        let nodes: Vec<&Value> = violation["nodes"].as_array().into_iter().flatten().take(3).collect();
        let places: Vec<&Value> = nodes.iter().map(|node| &node["target"]).collect();
        let faults: Vec<&Value> = nodes.iter().map(|node| &node["failureSummary"]).collect();
        format!("{place}: {} {places:?} {faults:?}", violation["id"])
    });
    told.collect()
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn axe_finds_nothing() {
    let axe = std::env::var("QUARRY_AXE").expect("QUARRY_AXE names axe.min.js: run .ci/browser");
    let axe = fs::read_to_string(axe).unwrap();
    let (_bench, server) = handbook();
    let browser = Browser::start();
    let id = server.api("/api/v1/search?q=expenses")["results"][0]["id"].as_str().unwrap().to_string();
    let document = format!("/document/{id}?passage=1&q=expenses");
    let similar = format!("/document/{id}/similar");
    let pages = [
        "/",
        "/search?q=travel+expenses",
        "/search?q=backup&type=shell",
        "/search?q=qqqqqq&lang=xx",
        &document,
        &similar,
        "/status",
        "/admin",
        "/admin/keys",
        "/admin/users",
        "/admin/guidance",
        "/admin/server",
        "/nowhere",
        "/api/docs",
    ];
    let mut found = Vec::new();
    for theme in ["light", "dark"] {
        browser.prefers("prefers-color-scheme", theme);
        for (path, width) in pages.iter().flat_map(|path| [(path, 1280), (path, 360)]) {
            browser.resize(width, 800, 1.0);
            browser.open(&server.url(path));
            if *path == "/api/docs" {
                browser.wait("document.querySelectorAll('#operations details').length > 20");
                browser.run("document.querySelector('#operations details').open = true");
            } else {
                settled(&browser);
            }
            if path.starts_with("/search?q=t") && width == 1280 {
                browser.wait("document.querySelector('.pane .text')");
                browser.run("document.querySelector('.why').open = true; document.querySelector('.facet').open = true; document.querySelector('.open').focus()");
            }
            // What fades in, as under the pointer, is judged when it is there.
            browser.run("document.getAnimations().forEach((one) => one.finish())");
            found.extend(violations(&browser, &axe, &format!("{theme} {width} {path}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn the_description_of_the_api_can_be_read_and_tried() {
    let (_bench, server) = handbook();
    let browser = Browser::start();
    browser.open(&server.url("/api/docs"));
    browser.wait("document.querySelectorAll('#operations details').length > 20");
    let api = server.api("/api/openapi.json");
    let methods: usize = api["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(browser.count("#operations details"), methods as u64, "every operation is there");
    let search = "[...document.querySelectorAll('#operations details')].find((one) => one.querySelector('summary').textContent.startsWith('GET/api/v1/search'))";
    browser.run(&format!("const one = {search}; one.open = true; one.querySelector('input').value = 'travel'; one.querySelector('form button').click()"));
    browser.wait(&format!("{search}.querySelector('pre').textContent.startsWith('200 in')"));
    assert!(
        browser.eval(&format!("{search}.querySelector('pre').textContent.includes('\"results\"')")).as_bool().unwrap()
    );
    fits(&browser, "/api/docs");
    nothing_broke(&browser);
}

/// Takes the pictures of the documents: `QUARRY_SCREENSHOTS=FOLDER .ci/browser`.
#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn screenshots() {
    let Some(folder) = std::env::var_os("QUARRY_SCREENSHOTS").map(PathBuf::from) else { return };
    let (_bench, server) = handbook();
    let browser = Browser::start();
    let save = |name: &str| {
        std::thread::sleep(Duration::from_millis(400));
        fs::write(folder.join(name), browser.screenshot()).unwrap();
    };
    browser.prefers("prefers-color-scheme", "light");
    browser.open(&server.url("/"));
    settled(&browser);
    save("home.png.base64");
    let search = server.url("/search?q=who+approves+travel+claims");
    browser.open(&search);
    browser.wait("document.querySelector('.pane .text')");
    save("results.png.base64");
    browser.open(&server.url("/status"));
    save("status.png.base64");
    browser.prefers("prefers-color-scheme", "dark");
    browser.open(&server.url("/search?q=ERR_4711"));
    browser.wait("document.querySelector('.pane .text')");
    browser.run("document.querySelector('.why').open = true");
    save("dark.png.base64");
    let id =
        server.api("/api/v1/search?q=who+approves+travel+claims")["results"][0]["id"].as_str().unwrap().to_string();
    browser.open(&server.url(&format!("/document/{id}?passage=2&q=who+approves+travel+claims#passage-2")));
    save("document.png.base64");
    browser.prefers("prefers-color-scheme", "light");
    browser.resize(390, 844, 2.0);
    browser.open(&search);
    settled(&browser);
    save("phone.png.base64");
}
