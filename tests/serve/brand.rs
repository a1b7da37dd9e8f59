//! The company on the page: name, logo, colour, questions and links; and what only administrators are told.

use std::fs;

use crate::server::Server;
use crate::support::{Bench, fixture};

const LOGO: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\"><circle r=\"4\"/></svg>";

#[test]
fn the_page_carries_the_companys_name_logo_colour_questions_and_links() {
    let bench = Bench::with_documents(2);
    fs::write(bench.root.path().join("acme.svg"), LOGO).unwrap();
    let config = "[page]\nname = \"Acme <finds>\"\nlogo = \"acme.svg\"\naccent = \"#8a1538\"\n\
                  questions = [\"How do I book a trip?\"]\n\
                  links = [{ text = \"Intranet\", url = \"https://intranet.example/a\" }, { text = \"Wiki\", url = \"/wiki\" }]\n";
    let server = Server::configured(&bench, config, &[&bench.docs().display().to_string()]).ready();
    let home = server.get("/");
    let page = &home.text;
    for shown in [
        "<title>Acme &lt;finds&gt;</title>",
        "Acme &lt;finds&gt;: home",
        "href=\"/search?q=How+do+I+book+a+trip%3F\"",
        "href=\"https://intranet.example/a\"",
        "/wiki\" rel=\"noreferrer\">Wiki",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("style="), "the policy of the page forbids inline styles");
    let asset = |end: &str| {
        let upto = page.find(end).unwrap_or_else(|| panic!("{end}: {page}")) + end.len();
        let from = page[..upto].rfind("/assets/").unwrap();
        server.get(&page[from..upto])
    };
    let style = asset("/brand.css");
    assert!(
        style.header("content-type").starts_with("text/css") && style.text.contains("--accent:#8a1538"),
        "{}",
        style.text
    );
    assert!(style.header("cache-control").contains("immutable"));
    let logo = asset("/logo.svg");
    assert_eq!((logo.text.as_str(), logo.header("content-type")), (LOGO, "image/svg+xml"));
    assert!(logo.header("content-security-policy").contains("script-src 'self'"));
    assert!(server.get("/opensearch.xml").text.contains("<ShortName>Acme &lt;finds&gt;</ShortName>"));
}

#[test]
fn a_brand_that_cannot_be_shown_is_refused_by_key() {
    let bench = Bench::with_documents(1);
    let path = bench.root.path().join("quarry.toml");
    let check = |text: &str, expected: &[&str]| {
        fs::write(&path, text).unwrap();
        bench.run(&["--config", path.to_str().unwrap(), "config", "check"]).refused(expected);
    };
    check("[page]\naccent = \"#ffd400\"\n", &["page.accent: expected a colour that can be read", "take a darker one"]);
    check("[page]\nlogo = \"quarry.toml\"\n", &["page.logo: expected a picture as SVG, PNG, JPEG or WebP"]);
    check("[page]\nlinks = [{ text = \"x\", url = \"javascript:alert(1)\" }]\n", &["page.links: url: expected"]);
}

#[test]
fn files_that_could_not_be_read_are_told_to_administrators() {
    let bench = Bench::with_documents(2);
    fs::copy(fixture("handbook/hr/leaving.md"), bench.docs().join("ok.md")).unwrap();
    fs::write(bench.docs().join("broken.pdf"), "%PDF-1.7 and nothing else").unwrap();
    let key =
        |scope: &str| bench.run(&["keys", "create", "test", "--scope", scope]).succeeded().stdout().trim().to_string();
    let (search, admin) = (key("search"), key("admin"));
    let server = Server::start(&bench, &[&bench.docs().display().to_string()]).ready();
    for path in ["/", "/search?q=note", "/status"] {
        let told = |key: &str| {
            server.request("GET", path, &[("x-api-key", key)], &[]).text.contains("1 file could not be read")
        };
        assert!(told(&admin) && !told(&search), "{path}");
    }
}
