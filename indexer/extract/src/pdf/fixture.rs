//! A tiny writer of PDF files for the tests: objects, their table, and text in Helvetica, bold and Courier.

use std::fmt::Write as _;

/// A file in the making. Object 1 is the catalogue, 2 the tree of pages.
pub(super) struct File {
    objects: Vec<Vec<u8>>,
    pages: Vec<usize>,
    /// Entries of the trailer besides size and root.
    pub(super) trailer: String,
    /// Entries of the catalogue besides type and pages.
    pub(super) catalogue: String,
}

impl File {
    pub(super) fn new() -> Self {
        let mut file =
            Self { objects: vec![Vec::new(); 2], pages: Vec::new(), trailer: String::new(), catalogue: String::new() };
        for name in ["Helvetica", "Helvetica-Bold", "Courier"] {
            file.object(format!("<</Type/Font/Subtype/Type1/BaseFont/{name}/Encoding/WinAnsiEncoding>>"));
        }
        file
    }

    /// A file with these pages.
    pub(super) fn of(pages: &[String]) -> Vec<u8> {
        let mut file = Self::new();
        for page in pages {
            file.page(page, "");
        }
        file.finish()
    }

    /// Number of the last object.
    pub(super) fn objects_so_far(&self) -> usize {
        self.objects.len()
    }

    /// Adds an object and gives its number.
    pub(super) fn object(&mut self, body: impl Into<Vec<u8>>) -> usize {
        self.objects.push(body.into());
        self.objects.len()
    }

    pub(super) fn stream(&mut self, entries: &str, data: &[u8]) -> usize {
        let mut body = format!("<<{entries}/Length {}>>\nstream\n", data.len()).into_bytes();
        body.extend_from_slice(data);
        body.extend_from_slice(b"\nendstream");
        self.object(body)
    }

    /// Adds a page of 600 by 800 points; `resources` go beside the fonts.
    pub(super) fn page(&mut self, content: &str, resources: &str) {
        let content = self.stream("", content.as_bytes());
        self.page_of(&format!("/Contents {content} 0 R"), resources);
    }

    pub(super) fn page_of(&mut self, entries: &str, resources: &str) {
        let fonts = "/Font<</F1 3 0 R/F2 4 0 R/F3 5 0 R>>";
        let page = self.object(format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<<{fonts}{resources}>>{entries}>>"
        ));
        self.pages.push(page);
    }

    /// The page tree as one node.
    pub(super) fn finish(self) -> Vec<u8> {
        let kids: String = self.pages.iter().map(|page| format!("{page} 0 R ")).collect();
        let count = self.pages.len();
        self.finish_with(&format!("<</Type/Pages/Kids[{kids}]/Count {count}>>"))
    }

    /// With a page tree of the test's own.
    pub(super) fn finish_with(mut self, tree: &str) -> Vec<u8> {
        self.objects[0] = format!("<</Type/Catalog/Pages 2 0 R{}>>", self.catalogue).into_bytes();
        self.objects[1] = tree.as_bytes().to_vec();
        let mut file = b"%PDF-1.7\n".to_vec();
        let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", self.objects.len() + 1);
        for (number, body) in self.objects.iter().enumerate() {
            writeln!(table, "{:010} 00000 n ", file.len()).unwrap();
            file.extend(format!("{} 0 obj\n", number + 1).bytes());
            file.extend_from_slice(body);
            file.extend_from_slice(b"\nendobj\n");
        }
        let start = file.len();
        let size = self.objects.len() + 1;
        file.extend(
            format!("{table}trailer\n<</Size {size}/Root 1 0 R{}>>\nstartxref\n{start}\n%%EOF\n", self.trailer).bytes(),
        );
        file
    }
}

/// Operators that show a line at a place, `y` counted from the top of the page.
pub(super) fn line(font: &str, size: f32, x: f32, y: f32, text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)");
    format!("BT /{font} {size} Tf 1 0 0 1 {x} {} Tm ({text}) Tj ET\n", 800.0 - y)
}

/// Lines under each other, 12 points apart, in Helvetica of 10 points.
pub(super) fn lines(x: f32, y: f32, texts: &[&str]) -> String {
    (0..).zip(texts).map(|(number, text)| line("F1", 10.0, x, y + 12.0 * number as f32, text)).collect()
}
