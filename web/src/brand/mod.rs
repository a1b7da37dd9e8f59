//! The brand: the company's name, logo, colour, links and questions, read and checked once at the start.
//!
//! Promise: nothing of it can make the page unreadable or less safe. A colour has the contrast that text needs, in light and
//! in dark; a link leads to `https` or stays on this host; the logo is a picture, sent from here under the page's policy.

mod colour;
mod config;
mod logo;

use colour::{Colour, READABLE};
pub use config::{LinkConfig, PageConfig};
use logo::Logo;

/// Characters of a name, and of the text of a link.
const NAME_CHARS: usize = 40;
/// Links at the foot.
const MAX_LINKS: usize = 10;
/// Questions to begin with, and characters of one.
const MAX_QUESTIONS: usize = 12;
const QUESTION_CHARS: usize = 200;
/// Characters of an address.
const URL_CHARS: usize = 2_000;

/// The darkest paper of the light page, the lightest of the dark one, and its ink: as in `assets/page.css`.
const LIGHT: Colour = Colour::of(0xf2, 0xef, 0xe9);
const DARK: Colour = Colour::of(0x26, 0x24, 0x21);
const DARK_INK: Colour = Colour::of(0x17, 0x16, 0x14);
/// Contrast of the accent on the dark page.
const DARK_CONTRAST: f64 = 6.0;

/// What the page shows of the company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Brand {
    pub(crate) name: String,
    pub(crate) links: Vec<LinkConfig>,
    pub(crate) questions: Vec<String>,
    logo: Option<Logo>,
    style: Option<String>,
    /// Stands for the content of logo and style in their addresses.
    version: String,
}

impl Default for Brand {
    fn default() -> Self {
        let PageConfig { name, .. } = PageConfig::default();
        Self { name, links: Vec::new(), questions: Vec::new(), logo: None, style: None, version: String::new() }
    }
}

/// A file of the brand.
pub(crate) struct BrandFile<'a> {
    pub(crate) media_type: &'static str,
    pub(crate) bytes: &'a [u8],
}

/// The name of the styles that the brand changes.
const STYLE: &str = "brand.css";

impl Brand {
    /// Reads what an administrator wants.
    ///
    /// # Errors
    /// What is wrong with it, key by key.
    pub(crate) fn read(config: &PageConfig) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        problems.extend(text_problem("page.name", &config.name, NAME_CHARS));
        check_links(&config.links, &mut problems);
        if config.questions.len() > MAX_QUESTIONS {
            problems.push(format!("page.questions: expected at most {MAX_QUESTIONS}, got {}", config.questions.len()));
        }
        problems
            .extend(config.questions.iter().filter_map(|text| text_problem("page.questions", text, QUESTION_CHARS)));
        let style = style(&config.accent).unwrap_or_else(|problem| {
            problems.push(format!("page.accent: {problem}"));
            None
        });
        let logo = (!config.logo.as_os_str().is_empty()).then(|| Logo::read(&config.logo)).transpose();
        let logo = logo.unwrap_or_else(|problem| {
            problems.push(format!("page.logo: {problem}"));
            None
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(style.as_deref().unwrap_or_default().as_bytes());
        hasher.update(logo.as_ref().map_or(&[], |logo| logo.bytes.as_slice()));
        let version = hasher.finalize().to_hex()[..12].to_string();
        let PageConfig { name, links, questions, .. } = config.clone();
        Ok(Self { name, links, questions, logo, style, version })
    }

    /// The address of the styles that it changes, if it changes any.
    pub(crate) fn style_address(&self) -> Option<String> {
        self.style.as_ref().map(|_| self.address(STYLE))
    }

    /// The address of the logo, if there is one, and its media type.
    pub(crate) fn logo_address(&self) -> Option<(String, &'static str)> {
        self.logo.as_ref().map(|logo| (self.address(logo.name), logo.media_type))
    }

    /// A file of the brand by its name.
    pub(crate) fn file(&self, name: &str) -> Option<BrandFile<'_>> {
        let style = self.style.as_deref().filter(|_| name == STYLE);
        let style = style.map(|style| BrandFile { media_type: "text/css; charset=utf-8", bytes: style.as_bytes() });
        let logo = self.logo.as_ref().filter(|logo| logo.name == name);
        style.or_else(|| logo.map(|logo| BrandFile { media_type: logo.media_type, bytes: &logo.bytes }))
    }

    /// Whether an address is of the files as they are now.
    pub(crate) fn is_version(&self, version: &str) -> bool {
        self.version == version
    }

    fn address(&self, name: &str) -> String {
        format!("/assets/{}/{name}", self.version)
    }
}

fn text_problem(key: &str, text: &str, most: usize) -> Option<String> {
    let length = text.trim().chars().count();
    let is_good = (1..=most).contains(&length) && !text.chars().any(char::is_control);
    (!is_good).then(|| format!("{key}: expected 1 to {most} characters on one line, got {text:?}"))
}

fn check_links(links: &[LinkConfig], problems: &mut Vec<String>) {
    if links.len() > MAX_LINKS {
        problems.push(format!("page.links: expected at most {MAX_LINKS}, got {}", links.len()));
    }
    for LinkConfig { text, url } in links {
        problems.extend(text_problem("page.links: text", text, NAME_CHARS));
        if !leads_well(url) {
            problems.push(format!(
                "page.links: url: expected an address that begins with https:// or a path of this host such as \
                 \"/wiki\", got {url:?}"
            ));
        }
    }
}

/// Whether a link leads to a page over TLS, or stays on this host. `//host` and `/\host` leave it.
fn leads_well(url: &str) -> bool {
    let is_plain = url.len() <= URL_CHARS && !url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\');
    let host = url.strip_prefix("https://").map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let is_secure = host.is_some_and(|host| !host.is_empty() && !host.contains('@'));
    is_plain && (is_secure || (url.starts_with('/') && !url.starts_with("//")))
}

/// The styles of an accent, or what is wrong with it.
fn style(accent: &str) -> Result<Option<String>, String> {
    if accent.is_empty() {
        return Ok(None);
    }
    let colour =
        Colour::parse(accent).ok_or_else(|| format!("expected a colour such as \"#0b5a6b\", got {accent:?}"))?;
    let contrast = colour.contrast(LIGHT);
    if contrast < READABLE {
        return Err(format!(
            "expected a colour that can be read on light paper, with a contrast of at least {READABLE}, got {accent:?} \
             with {contrast:.1}: take a darker one (the dark page lightens it by itself)"
        ));
    }
    let light = colour.lightened_on(DARK, DARK_CONTRAST);
    let of = |accent: Colour, paper: Colour, share: f64| {
        format!("--accent:{};--mark:{}", accent.css(), accent.mixed(paper, share).css())
    };
    let (on_light, on_dark) = (of(colour, Colour::WHITE, 0.85), of(light, DARK_INK, 0.75));
    let on_dark = format!("{on_dark};--on-accent:{}", DARK_INK.css());
    Ok(Some(format!(
        ":root{{{on_light}}}\n@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{on_dark}}}}}\n\
         :root[data-theme=dark]{{{on_dark}}}\n"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(config: PageConfig) -> String {
        Brand::read(&config).err().unwrap_or_default().join("\n")
    }

    #[test]
    fn the_papers_are_those_of_the_page() {
        let styles = include_str!("../assets/page.css");
        for colour in [LIGHT, DARK, DARK_INK] {
            assert!(styles.contains(&colour.css()), "{}", colour.css());
        }
    }

    #[test]
    fn a_colour_has_to_be_one_that_can_be_read() {
        for wrong in ["red", "#12", "#0b5a6b;} body { display: none"] {
            assert!(style(wrong).unwrap_err().contains("expected a colour such as"), "{wrong}");
        }
        for pale in ["#fff", "#ffd400", "#7cc7d4"] {
            assert!(style(pale).unwrap_err().contains("take a darker one"), "{pale}");
        }
        let styles = style("#8a1538").unwrap().unwrap();
        assert!(styles.starts_with(":root{--accent:#8a1538;--mark:#"), "{styles}");
        assert_eq!(styles.matches("--on-accent:#171614").count(), 2, "{styles}");
        for accent in ["#000", "#8a1538", "#0000ff", "#0b5a6b"] {
            let colour = Colour::parse(accent).unwrap();
            let light = colour.lightened_on(DARK, DARK_CONTRAST);
            assert!(light.contrast(DARK_INK) >= READABLE, "{accent}: what is written on the accent");
            let (ink, dark_ink) = (Colour::of(0x21, 0x1f, 0x1b), Colour::of(0xeb, 0xe7, 0xdf));
            assert!(ink.contrast(colour.mixed(Colour::WHITE, 0.85)) >= READABLE, "{accent}: what is marked");
            assert!(dark_ink.contrast(light.mixed(DARK_INK, 0.75)) >= READABLE, "{accent}: what is marked in the dark");
        }
    }

    #[test]
    fn links_lead_to_https_or_stay_here() {
        for good in ["https://intranet.example/x?y#z", "/wiki", "/"] {
            assert!(leads_well(good), "{good}");
        }
        let bad = [
            "",
            "wiki",
            "//evil.example",
            "/\\evil.example",
            "http://a.example",
            "javascript:alert(1)",
            "https://",
            "https:///x",
            "https://a@b.example",
            "https://a b.example",
            "data:text/html,x",
            "HTTPS://a.example",
        ];
        for bad in bad {
            assert!(!leads_well(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_key() {
        let link = |text: &str, url: &str| LinkConfig { text: text.to_string(), url: url.to_string() };
        let told = problems(PageConfig {
            name: " ".to_string(),
            logo: "/nowhere/logo.png".into(),
            accent: "#ff0".to_string(),
            questions: vec![String::new()],
            links: vec![link("", "https://a.example"), link("x", "ftp://a")],
        });
        for key in ["page.name", "page.logo", "page.accent", "page.questions", "page.links: text", "page.links: url"] {
            assert!(told.contains(key), "{key}: {told}");
        }
        assert_eq!(Brand::read(&PageConfig::default()).map(|brand| brand.style_address()), Ok(None));
    }
}
