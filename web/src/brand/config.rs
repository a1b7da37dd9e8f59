//! What an administrator may say about the look of the page.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The company's name, look, links and questions on the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PageConfig {
    /// What the page calls itself.
    pub name: String,
    /// A picture beside the name: SVG, PNG, JPEG or WebP; empty: the drawing of quarry.
    pub logo: PathBuf,
    /// The colour of links and buttons, as `#rrggbb`; empty: that of quarry.
    pub accent: String,
    /// Questions to begin with; none: headings of the documents.
    pub questions: Vec<String>,
    /// Links at the foot of each page.
    pub links: Vec<LinkConfig>,
}

/// A link at the foot of each page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// What it is called.
    pub text: String,
    /// Where it leads: an address that begins with `https://`, or a path of this host.
    pub url: String,
}

impl Default for PageConfig {
    fn default() -> Self {
        Self {
            name: "quarry".to_string(),
            logo: PathBuf::new(),
            accent: String::new(),
            questions: Vec::new(),
            links: Vec::new(),
        }
    }
}
