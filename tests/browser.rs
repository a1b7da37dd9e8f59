//! The page in a real browser: chromium looks at the real server on the bundled handbook, with and without scripts, wide
//! and narrow, light and dark, by mouse and by keyboard. `.ci/browser` installs what is needed and runs these.

mod insights;
mod looks;
mod people;
mod written;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Bench, fixture};
use crate::webdriver::{Browser, DOWN, ENTER, ESCAPE, SHIFT, Scripts, Server, UP};

fn handbook() -> (Bench, Server) {
    let bench = Bench::new();
    let server = Server::start(&bench, &fixture("handbook"), &[]);
    (bench, server)
}

fn settled(browser: &Browser) {
    browser.wait("document.documentElement.classList.contains('lively')");
}

fn nothing_broke(browser: &Browser) {
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Nothing is wider than the window.
fn fits(browser: &Browser, what: &str) {
    let widths = browser.eval("[document.documentElement.scrollWidth, innerWidth]");
    assert!(widths[0].as_u64() <= widths[1].as_u64(), "{what} is {} wide in a window of {}", widths[0], widths[1]);
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn a_question_is_answered_on_a_light_page() {
    let (_bench, server) = handbook();
    let browser = Browser::start();
    browser.open(&server.url("/"));
    settled(&browser);
    assert!(browser.text("main").contains("55 documents"), "{}", browser.text("main"));
    assert!(browser.count(".starters a") >= 4);
    assert_eq!(browser.eval("document.activeElement.id"), "q", "the field is ready to be typed into");
    browser.write("#q", &format!("replace my lost key card{ENTER}"));
    browser.wait("document.querySelectorAll('.hit').length === 10");
    assert!(browser.text("#truth").contains("results in"), "{}", browser.text("#truth"));
    assert!(browser.text(".hit").contains("key-cards.md"), "{}", browser.text(".hit"));
    assert!(browser.count(".hit mark") > 3);
    let answer = server.api("/api/v1/search?q=replace+my+lost+key+card&rerank_ms=0");
    let ids: Vec<&Value> = answer["results"].as_array().unwrap().iter().map(|hit| &hit["id"]).collect();
    assert_eq!(browser.eval("[...document.querySelectorAll('.hit')].map((hit) => hit.dataset.id)"), json!(ids));

    // Everything that a first visit to a page of results loads.
    let weight = "performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))
        .filter((entry) => !entry.name.includes('/document/')).map((entry) => [entry.name, entry.encodedBodySize, entry.decodedBodySize])";
    let loaded = browser.eval(weight);
    let sum =
        |column: usize| loaded.as_array().unwrap().iter().map(|entry| entry[column].as_u64().unwrap()).sum::<u64>();
    assert!(sum(1) < 60_000, "{} bytes travel: {loaded:#}", sum(1));
    assert!(sum(2) < 65_000, "{} bytes unpacked: {loaded:#}", sum(2));
    println!("a page of results: {} bytes travel, {} unpacked", sum(1), sum(2));

    browser.click(".pages [rel=next]");
    browser.wait("document.getElementById('hits').start === 11");
    browser.run("history.back()");
    browser.wait("document.getElementById('hits').start === 1");
    nothing_broke(&browser);
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn facets_narrow_and_widen() {
    let (_bench, server) = handbook();
    let browser = Browser::start();
    browser.open(&server.url("/search?q=travel"));
    settled(&browser);
    let total = |browser: &Browser| {
        let text = browser.text("#truth");
        text.trim().split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let all = total(&browser);
    browser.click(".facet[data-facet=type] summary");
    let html =
        "[...document.querySelectorAll('.facet[data-facet=type] a')].find((link) => link.textContent.includes('HTML'))";
    let counted = browser.eval(&format!("Number({html}.querySelector('small').textContent)")).as_u64().unwrap();
    browser.run(&format!("window.kept = true; {html}.click()"));
    browser.wait("location.search.includes('type=html')");
    browser.wait("document.querySelector('.facet.active')?.dataset.facet === 'type'");
    // Under a filter, documents that were too far away before are candidates too.
    let narrowed = total(&browser);
    assert!(counted <= narrowed && narrowed < all, "{counted} counted, {narrowed} of {all} found");
    assert_eq!(browser.eval("window.kept"), json!(true), "the page was not loaded anew");
    assert_eq!(browser.eval("document.activeElement.closest('.facet')?.dataset.facet"), "type", "the focus stays");
    assert!(browser.count(".facet[data-facet=type] li") > 2, "alternatives are still there");
    // Another value of the same field is an alternative.
    browser.click(".facet[data-facet=type] summary");
    browser.run("[...document.querySelectorAll('.facet[data-facet=type] a')].find((link) => link.textContent.includes('Markdown')).click()");
    browser.wait("location.search.includes('type=markdown')");
    browser.wait("document.querySelector('.facet.active summary').textContent.includes('Markdown')");
    assert!(total(&browser) > narrowed);
    browser.click(".clear");
    browser.wait("!location.search.includes('type=')");
    browser.wait("!document.querySelector('.facet.active')");
    browser.run("history.back()");
    browser.wait("document.querySelector('.facet.active')");
    // A menu closes by Esc, and the focus goes back to its chip.
    browser.click(".facet[data-facet=source] summary");
    browser.press(&[ESCAPE]);
    assert_eq!(browser.count(".facet[open]"), 0);
    nothing_broke(&browser);
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn the_keyboard_does_everything() {
    let (_bench, server) = handbook();
    let browser = Browser::start();
    browser.open(&server.url("/search?q=laptop"));
    settled(&browser);
    browser.wait("!document.getElementById('pane').hidden");
    let here = "[...document.querySelectorAll('.open')].indexOf(document.activeElement)";
    browser.press(&["j"]);
    assert_eq!(browser.eval(here), json!(0));
    browser.press(&["j", DOWN, "k"]);
    assert_eq!(browser.eval(here), json!(1));
    let second = browser.text(".hit:nth-child(2) .open bdi");
    browser.wait(&format!("document.querySelector('.pane h2').textContent === {}", json!(second)));
    browser.wait("(({ top, bottom }) => top > 0 && top < innerHeight)(document.querySelector('.pane .found').getBoundingClientRect())");
    browser.press(&["p"]);
    assert_eq!(browser.eval("document.getElementById('pane').hidden"), json!(true));
    browser.press(&["p"]);
    browser.wait("!document.getElementById('pane').hidden");
    browser.press(&["w"]);
    assert_eq!(browser.count(".hit:nth-child(2) .why[open] progress"), 2);
    browser.press(&["c"]);
    browser.wait("document.querySelector('.hit:nth-child(2) .copy span').textContent === 'Link copied'");
    browser.press_with(SHIFT, ENTER);
    assert_eq!(browser.windows(), 2, "the source file opens beside the page");
    browser.press(&["k", UP]);
    assert_eq!(browser.eval("document.activeElement.id"), "q", "up from the first result is the field");
    browser.press(&[DOWN]);
    assert_eq!(browser.eval(here), json!(0));
    browser.press(&[ESCAPE]);
    assert_eq!(browser.eval("document.activeElement.id"), "q");
    browser.press(&[ESCAPE, ESCAPE]);
    assert_eq!(browser.eval("document.getElementById('pane').hidden"), json!(true), "Esc goes back step by step");
    browser.press(&["/"]);
    assert_eq!(browser.eval("document.activeElement.id"), "q");
    assert_eq!(browser.eval("document.activeElement.value"), "laptop", "the slash was not typed");
    browser.press(&[ESCAPE, "?"]);
    assert_eq!(browser.count("dialog[open] kbd"), 13);
    browser.press(&[ESCAPE, "j", ENTER]);
    browser.wait("location.pathname.startsWith('/document/')");
    browser.wait("document.querySelector('.found mark')");
    assert!(browser.eval("scrollY + innerHeight > document.querySelector('.found').offsetTop").as_bool().unwrap());
    let from = browser.eval("location.pathname");
    browser.press(&[ESCAPE]);
    browser.wait("location.pathname === '/search'");
    let back = "document.activeElement.closest('.hit') && document.activeElement.pathname";
    browser.wait(&format!("({back}) === {from}"));
    nothing_broke(&browser);
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn suggestions_are_a_combobox() {
    let (_bench, server) = handbook();
    let browser = Browser::start();
    browser.open(&server.url("/"));
    settled(&browser);
    // Suggestions are made in the background, shortly after the first commit.
    std::thread::sleep(Duration::from_secs(3));
    browser.write("#q", "tra");
    browser.wait("document.querySelectorAll('#suggestions [role=option]').length > 1");
    assert_eq!(browser.eval("q.getAttribute('aria-expanded')"), "true");
    browser.press(&[DOWN]);
    let chosen =
        browser.eval("document.getElementById(q.getAttribute('aria-activedescendant'))?.firstChild.textContent");
    assert_eq!(chosen, browser.eval("q.value"));
    browser.press(&[UP]);
    assert_eq!(browser.eval("q.value"), "tra", "what was typed comes back");
    browser.press(&[ESCAPE]);
    assert_eq!(browser.eval("suggestions.hidden"), json!(true));
    // A title that one document has opens it.
    browser.run("q.value = ''");
    browser.write("#q", "annual holi");
    browser.wait("!suggestions.hidden");
    browser.press(&[DOWN, ENTER]);
    browser.wait("location.pathname.startsWith('/document/')");
    // Ctrl+K goes to the field; what is searched for is kept by the browser until it is told to forget it.
    browser.open(&server.url("/search?q=laptop"));
    settled(&browser);
    browser.run("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true, bubbles: true }))");
    assert_eq!(browser.eval("document.activeElement.id"), "q");
    browser.open(&server.url("/"));
    settled(&browser);
    browser.click("#q");
    browser.wait("suggestions.firstChild?.firstChild?.textContent === 'laptop'");
    browser.press(&[DOWN, DOWN, ENTER]);
    assert_eq!(browser.eval("localStorage.getItem('quarry-recent')"), Value::Null);
    nothing_broke(&browser);
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn the_order_settles_while_the_reranker_reads() {
    let bench = Bench::new();
    let reranker = fixture("models/tiny-reranker").display().to_string();
    let server = Server::start(&bench, &fixture("handbook"), &["--reranker", &reranker]);
    let browser = Browser::start();
    let search = server.url("/search?q=annual+leave");
    browser.open(&search);
    settled(&browser);
    browser.point(1200, 20);
    browser.wait("document.getElementById('results').dataset.state === 'settled'");
    let order = "[...document.querySelectorAll('.hit')].map((hit) => hit.dataset.id)";
    let best = server.api("/api/v1/search?q=annual+leave");
    let best: Vec<&Value> = best["results"].as_array().unwrap().iter().map(|hit| &hit["id"]).collect();
    let fused = server.api("/api/v1/search?q=annual+leave&rerank_ms=0");
    let fused: Vec<&Value> = fused["results"].as_array().unwrap().iter().map(|hit| &hit["id"]).collect();
    assert_ne!(best, fused, "the reranker of this test changes the order");
    browser.run("document.activeElement.blur()");
    browser.wait(&format!("JSON.stringify({order}) === JSON.stringify({})", json!(best)));
    assert!(browser.text("#settling").contains("settled in"), "{}", browser.text("#settling"));
    browser.run("document.querySelector('.why').open = true");
    assert!(browser.text(".why p:nth-of-type(3)").contains('%'), "{}", browser.text(".why"));

    nothing_broke(&browser);
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn nothing_moves_under_the_pointer() {
    let bench = Bench::new();
    let reranker = fixture("models/tiny-reranker").display().to_string();
    let server = Server::start(&bench, &fixture("handbook"), &["--reranker", &reranker]);
    let browser = Browser::start();
    // A stream that says what the test wants, when it wants.
    let stub = "window.EventSource = class extends EventTarget { constructor() { super(); window.stream = this; } close() {} }";
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": stub }));
    browser.open(&server.url("/search?q=annual+leave"));
    browser.wait("window.stream");
    let mut answer = server.api("/api/v1/search?q=annual+leave&rerank_ms=0");
    let order = "[...document.querySelectorAll('.hit')].map((hit) => hit.dataset.id)";
    let fused = browser.eval(order);
    answer["results"].as_array_mut().unwrap().reverse();
    answer["reranked"] = json!(24);
    let reversed: Vec<&Value> = answer["results"].as_array().unwrap().iter().map(|hit| &hit["id"]).collect();
    let say = |event: &str, data: &Value| {
        let data = json!(data.to_string());
        browser.run(&format!("stream.dispatchEvent(new MessageEvent('{event}', {{ data: {data} }}))"));
    };
    browser.point(300, 300);
    browser.wait("document.querySelector('.hit:hover')");
    say("results", &answer);
    assert_eq!(browser.eval(order), fused);
    assert!(browser.text("#settling").contains("24 of 100"), "{}", browser.text("#settling"));
    say("done", &json!({}));
    assert_eq!(browser.text("#settling button"), "Show the new order");
    browser.click("#settling button");
    browser.wait(&format!("JSON.stringify({order}) === JSON.stringify({})", json!(reversed)));
    assert_eq!(browser.count("#settling button"), 0);
    browser.run("document.querySelector('.hit:last-child .open').focus()");
    answer["results"].as_array_mut().unwrap().reverse();
    say("results", &answer);
    assert_eq!(
        browser.eval(order),
        json!(answer["results"].as_array().unwrap().iter().rev().map(|hit| &hit["id"]).collect::<Vec<_>>())
    );
    browser.point(1200, 20);
    browser.run("document.activeElement.blur()");
    browser.wait(&format!("JSON.stringify({order}) === JSON.stringify({fused})"));
    // A document that was not among the first gets a row of its own, as text.
    answer["results"][0]["id"] = json!("0123456789abcdef0123456789abcdef");
    answer["results"][0]["title"] = json!("<img src=x onerror=pwned=1> \u{202e}new");
    answer["results"][0]["path"] = json!("<b>/x\"><script>pwned=1</script>.md");
    answer["results"][0]["passages"][0]["snippet"] = json!("报销 <script>pwned=1</script> leave");
    answer["results"][0]["passages"][0]["highlights"] = json!([{ "start": 0, "end": 6 }]);
    say("results", &answer);
    browser.wait("document.querySelector('.hit').dataset.id.startsWith('0123')");
    assert_eq!(browser.text(".hit .open bdi"), "<img src=x onerror=pwned=1> new");
    assert_eq!(browser.text(".hit mark"), "报销");
    assert_eq!(
        browser.eval("typeof window.pwned + document.querySelectorAll('main script, main img').length"),
        "undefined0"
    );

    // Who does not want movement gets none.
    browser.prefers("prefers-reduced-motion", "reduce");
    browser.open(&server.url("/search?q=annual+leave"));
    browser.wait("window.stream");
    browser.run("window.moved = 0; Element.prototype.animate = () => { window.moved += 1; }");
    say(
        "results",
        &json!({ "results": answer["results"].as_array().unwrap().iter().skip(1).rev().collect::<Vec<_>>(), "reranked": 1 }),
    );
    browser.wait(&format!("JSON.stringify({order}) !== JSON.stringify({fused})"));
    assert_eq!(browser.eval("window.moved"), json!(0));
    nothing_broke(&browser);
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn everything_is_there_without_scripts() {
    let (_bench, server) = handbook();
    let browser = Browser::with(Scripts::Off, "en");
    browser.open(&server.url("/"));
    assert_eq!(browser.eval("document.documentElement.classList.contains('lively')"), json!(false));
    browser.write("#q", "travel");
    browser.click("#search button");
    browser.wait("location.pathname === '/search'");
    assert_eq!(browser.count(".hit"), 10);
    browser.click(".facet[data-facet=type] summary");
    browser.click(".facet[data-facet=type] li:nth-child(2) a");
    browser.wait("location.search.includes('type=')");
    browser.click(".why summary");
    assert!(browser.text(".why").contains("meaning"));
    browser.click(".open");
    browser.wait("location.pathname.startsWith('/document/')");
    assert_eq!(browser.count(".found"), 1);
    browser.run("scrollTo(0, 0)");
    browser.click(".back a");
    browser.wait("location.pathname === '/search'");
    browser.click("#theme");
    browser.wait("document.documentElement.dataset.theme === 'light'");
    assert!(browser.eval("location.search").as_str().unwrap().contains("q=travel"), "back where it was chosen");
    browser.click(".tools a[hreflang]");
    browser.wait("document.documentElement.lang === 'zh-Hans'");
    assert!(browser.text("#truth").contains("条结果"));
    browser.click(".like");
    browser.wait("location.pathname.endsWith('/similar')");
    assert!(browser.count(".hit") > 2);
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn hostile_documents_are_harmless() {
    let bench = Bench::new();
    let long = "wordwithoutend".repeat(300);
    let script = "<script>window.pwned=1</script><img src=x onerror=\"window.pwned=1\">";
    bench.write("\"><img src=x onerror=pwned=1>/a.md", &format!("# {script}\n\ngranite {script}\n\n## javascript:alert(1) {script}\n\n[granite](javascript:window.pwned=1)\n"));
    bench.write("<svg onload=pwned=1>.txt", &format!("granite '\"><svg/onload=window.pwned=1> {long}"));
    bench.write("invoice\u{202e}fdp.md", "# granite\u{202e} reversed\n\ngranite \u{202e}tfel-ot-thgir\n");
    bench.write("page.html", &format!("<title>granite &lt;script&gt;window.pwned=1&lt;/script&gt;</title><p onclick=pwned=1>granite {long}<a href='javascript:pwned=1'>x</a>"));
    bench.write(
        &format!("{}.md", "granite".repeat(30)),
        &format!("# {long}\n\ngranite | a | {script} |\n\n| {script} | b |\n| --- | --- |\n| granite | {long} |\n"),
    );
    bench.write("code.py", &format!("def granite():\n    return \"</code></pre>{script}\"\n"));
    bench.write("broken.md", "\u{0}\u{1}\u{2}\u{0}\u{0}binary<script>pwned=1</script>\u{0}");
    let server = Server::start(&bench, &bench.docs(), &[]);
    let browser = Browser::start();
    for width in [1280, 360] {
        browser.resize(width, 800, 1.0);
        let ids = server.api("/api/v1/search?q=granite");
        let ids = ids["results"].as_array().unwrap().iter().map(|hit| hit["id"].as_str().unwrap().to_string());
        let mut paths: Vec<String> = ids
            .flat_map(|id| [format!("/document/{id}?passage=0&q=granite"), format!("/document/{id}/similar")])
            .collect();
        assert!(paths.len() >= 12, "{paths:?}");
        let attack = "%22%3E%3Cscript%3Ewindow.pwned%3D1%3C%2Fscript%3E%3Cimg+src%3Dx+onerror%3Dpwned%3D1%3E";
        paths.extend([
            "/search?q=granite".to_string(),
            format!("/search?q={attack}"),
            format!("/search?q=granite&source={attack}&type={attack}&after=2020"),
        ]);
        paths.extend([
            format!("/status?path={attack}"),
            "/status".to_string(),
            format!("/admin?told={attack}"),
            "/".to_string(),
            format!("/document/{attack}"),
            format!("/{attack}"),
        ]);
        for path in paths {
            browser.open(&server.url(&path));
            settled(&browser);
            if path.starts_with("/search?q=granite") && width == 1280 && !path.contains("source") {
                browser.wait("document.querySelector('.pane .text')");
                browser.run("document.querySelectorAll('details').forEach((details) => { details.open = true; })");
            }
            assert_eq!(browser.eval("typeof window.pwned"), "undefined", "{path}");
            assert_eq!(browser.eval("document.querySelectorAll('img, iframe, object, embed, main script, [onerror], [onload], [onclick], [style]').length"), json!(0), "{path}");
            let links = "[...document.querySelectorAll('a, form')].every((place) => new URL(place.href ?? place.action).origin === location.origin)";
            assert_eq!(browser.eval(links), json!(true), "a link of {path} leads away");
            assert_eq!(
                browser.eval("/[\\u202a-\\u202e\\u2066-\\u2069]/.test(document.querySelector('main').textContent)"),
                json!(false),
                "{path}"
            );
            fits(&browser, &path);
        }
    }
    // The files themselves are text or downloads, never pages.
    let found = server.api("/api/v1/search?q=granite");
    for hit in found["results"].as_array().unwrap() {
        let id = hit["id"].as_str().unwrap();
        let file = ureq::get(server.url(&format!("/document/{id}/file"))).call().unwrap();
        assert_eq!(file.headers()["content-type"], "text/plain; charset=utf-8", "{hit}");
        assert_eq!(file.headers()["x-content-type-options"], "nosniff");
        assert!(file.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    }
    browser.open(&server.url("/preferences?theme=dark&back=https://evil.example/"));
    assert!(browser.eval("location.href").as_str().unwrap().starts_with(&server.address));
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn a_long_document_comes_in_parts() {
    let bench = Bench::new();
    let sentence = "Gneiss is a rock that was granite once, and now it is banded by heat and pressure of mountains. ";
    let part = |number: usize| format!("## Part number {number}\n\n{}\n\n", sentence.repeat(12));
    bench.write("long.md", &format!("# Long\n\n{}", (0..300).map(part).collect::<String>()));
    let server = Server::start(&bench, &bench.docs(), &[]);
    let id = server.api("/api/v1/search?q=gneiss")["results"][0]["id"].as_str().unwrap().to_string();
    let browser = Browser::start();
    browser.open(&server.url(&format!("/document/{id}?passage=200&q=gneiss#passage-200")));
    assert_eq!(browser.count(".found mark"), browser.count("#passage-200 mark"));
    assert!(browser.count(".text section") < 150);
    let last = "Number([...document.querySelectorAll('.text section')].at(-1).id.split('-')[1])";
    let first = "Number(document.querySelector('.text section').id.split('-')[1])";
    let before = browser.eval(last).as_u64().unwrap();
    browser.click(".part:last-child a");
    browser.wait(&format!("{first} === {}", before + 1));
    browser.click(".part:first-child a");
    browser.wait(&format!("{last} === {before}"));
    assert_eq!(browser.count(".contents li"), 60);
    nothing_broke(&browser);
}

#[test]
#[ignore = "needs chromium and chromedriver: run .ci/browser"]
fn the_status_says_what_became_of_every_file() {
    let bench = Bench::with_documents(70);
    bench.write("broken.md", "\u{0}\u{1}\u{2}\u{0}\u{0}\u{3}\u{4}\u{0}");
    let server = Server::start(&bench, &bench.docs(), &[]);
    let browser = Browser::start();
    browser.open(&server.url("/status"));
    settled(&browser);
    assert!(browser.text(".figures").contains("70"), "{}", browser.text(".figures"));
    assert_eq!(browser.count("#files tbody tr"), 50);
    browser.click("#files [rel=next]");
    browser.wait("document.querySelectorAll('#files tbody tr').length === 21");
    browser.open(&server.url("/status?path=note-00"));
    assert_eq!(browser.count("#files tbody tr"), 10);
    browser.run("document.querySelector('select[name=state]').value = 'failed'; document.querySelector('.filter button').click()");
    browser.wait("location.search.includes('state=failed')");
    assert!(browser.text("#files").contains("No file is in this state"));
    // A file that changes is noticed while the page is open.
    bench.write("note-000.md", "# New words\n\nFelspar everywhere.\n");
    ureq::post(server.url("/api/v1/sources/docs/index")).send_empty().unwrap();
    browser.open(&server.url("/search?q=felspar"));
    browser.wait("document.querySelector('.hit') || location.reload()");
    nothing_broke(&browser);
}
