//! The ways back to where documents come from: addresses that are pushed or follow from a template, breadcrumbs, and the
//! way back to the results.

use serde_json::{Value, json};

use crate::server::Server;
use crate::support::{Bench, fixture};

fn results(answer: &Value) -> &Vec<Value> {
    answer["results"].as_array().unwrap()
}

#[test]
fn a_document_leads_back_to_where_it_comes_from() {
    let bench = Bench::new();
    bench.write("hr/time off/leave & more.md", "# Leave\n\nThe gecko has leave.");
    let config = format!(
        "[[index.sources]]\nname = \"wiki\"\nfolder = {:?}\nurl = \"https://wiki.example/{{path}}?view\"\n",
        bench.docs()
    );
    let server = Server::configured(&bench, &config, &[]).ready();
    let expected = "https://wiki.example/hr/time%20off/leave%20%26%20more.md?view";
    let found = server.get("/api/v1/search?q=gecko").expect(200);
    assert_eq!(results(&found)[0]["url"], expected);
    let id = results(&found)[0]["id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/api/v1/documents/{id}")).expect(200)["url"], expected);
    let link = format!("href=\"{expected}\"");
    for page in ["/search?q=gecko".to_string(), format!("/document/{id}?q=gecko")] {
        let page = server.get(&page).text;
        assert!(page.contains(&link) && page.contains("Open at the source"), "{page}");
    }
    // What is pushed brings its own; without one, there is none.
    let put = |path: &str, url: Value| {
        let body = json!({ "path": path, "text": format!("A newt, {path}."), "url": url });
        server.send("PUT", "/api/v1/documents", &body)
    };
    put("a.md", json!("https://tickets.example/7")).expect(200);
    put("b.md", json!(null)).expect(200);
    for wrong in ["javascript:alert(1)", "tickets.example/7", "https://tickets.example/a b"] {
        let problem = put("c.md", json!(wrong)).problem(400, "bad-request");
        assert!(problem["detail"].as_str().unwrap().starts_with("url: "), "{problem}");
    }
    let form = "--x\r\ncontent-disposition: form-data; name=\"url\"\r\n\r\nsmb://files.example/d.md\r\n--x\r\n\
                content-disposition: form-data; name=\"file\"; filename=\"d.md\"\r\n\r\nA newt, alone in d.\r\n--x\r\n\
                content-disposition: form-data; name=\"file\"; filename=\"e.md\"\r\n\r\nA newt far away in e.\r\n--x--\r\n";
    let kind = [("content-type", "multipart/form-data; boundary=x")];
    server.request("POST", "/api/v1/documents", &kind, form.as_bytes()).expect(200);
    let urls = |server: &Server| {
        let found = server.get("/api/v1/search?q=newt&source=api&copies=apart&mode=lexical").expect(200);
        let mut urls: Vec<(String, Value)> =
            results(&found).iter().map(|hit| (hit["path"].as_str().unwrap().to_string(), hit["url"].clone())).collect();
        urls.sort_by(|a, b| a.0.cmp(&b.0));
        urls.into_iter().map(|(_, url)| url).collect::<Vec<_>>()
    };
    let expected = [json!("https://tickets.example/7"), json!(null), json!("smb://files.example/d.md"), json!(null)];
    assert_eq!(urls(&server), expected);
    // Also after a start, and on the command line; putting it again without an address takes the address away.
    drop(server);
    let config = bench.root.path().join("quarry.toml").display().to_string();
    let run = bench.run(&["--config", &config, "search", "gecko"]).succeeded().stdout();
    assert!(run.contains("https://wiki.example/hr/time%20off/"), "{run}");
    let server = Server::start(&bench, &["--config", &config]).ready();
    assert_eq!(urls(&server), expected);
    server.put("a.md", "A newt, a.md.").expect(200);
    assert_eq!(urls(&server)[0], json!(null));
}

#[test]
fn breadcrumbs_lead_to_the_search_within_a_folder() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[&fixture("handbook").display().to_string()]).ready();
    let page = server.get("/search?q=leave").text;
    let crumb = "href=\"/search?q=leave&amp;path=hr%2F\"";
    assert!(page.contains(crumb), "{page}");
    let inside = server.get("/api/v1/search?q=leave&path=hr/").expect(200);
    assert!(!results(&inside).is_empty());
    assert!(results(&inside).iter().all(|hit| hit["path"].as_str().unwrap().starts_with("hr/")));
    let id = results(&inside)[0]["id"].as_str().unwrap();
    let document = server.get(&format!("/document/{id}?q=leave")).text;
    assert!(document.contains(crumb) && document.contains("href=\"/search?q=leave\">← "), "{document}");
}

#[test]
fn a_pdf_is_shown_by_the_browser_at_the_page_that_was_found() {
    let bench = Bench::new();
    std::fs::write(bench.docs().join("two.pdf"), pdf(&["Nothing", "The axolotl"])).unwrap();
    let server = Server::start(&bench, &[&bench.docs().display().to_string()]).ready();
    let found = server.get("/api/v1/search?q=axolotl&mode=lexical").expect(200);
    let hit = &results(&found)[0];
    assert_eq!((hit["kind"].as_str(), hit["passages"][0]["page"].as_u64()), (Some("pdf"), Some(2)));
    let (id, passage) = (hit["id"].as_str().unwrap(), &hit["passages"][0]["number"]);
    let page = server.get(&format!("/document/{id}?passage={passage}&q=axolotl")).text;
    assert!(page.contains(&format!("href=\"/document/{id}/file#page=2\"")), "{page}");
    let file = server.get(&format!("/document/{id}/file"));
    assert_eq!(file.header("content-type"), "application/pdf");
    assert!(file.header("content-disposition").starts_with("inline;"), "{}", file.header("content-disposition"));
    assert!(file.header("content-security-policy").contains("default-src 'none'"));
}

/// A PDF with so much text on each page that each has passages of its own.
fn pdf(pages: &[&str]) -> Vec<u8> {
    let kids: Vec<String> = (0..pages.len()).map(|page| format!("{} 0 R", 4 + 2 * page)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_string(),
        format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), pages.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_string(),
    ];
    for (page, text) in pages.iter().enumerate() {
        let line =
            |number: usize| format!("({text} is what line {number} of this page says, and no other.) Tj 0 -11 Td\n");
        let lines: String = (0..60).map(line).collect();
        let content = format!("BT /F1 9 Tf 72 750 Td\n{lines}ET");
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents {} 0 R >>",
            5 + 2 * page
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        places.push(out.len());
        out.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", number + 1).as_bytes());
    }
    let table = out.len();
    out.extend_from_slice(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).as_bytes());
    for place in places {
        out.extend_from_slice(format!("{place:010} 00000 n \n").as_bytes());
    }
    let end = format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1);
    out.extend_from_slice(end.as_bytes());
    out
}
