//! Fonts of a document as far as text needs them: which characters a code stands for, how far it moves the pen, and
//! whether the font looks bold or has one width. Characters come from the font's own table (ToUnicode), else from glyph
//! names, else from the character collection of a predefined CMap; what none of them knows is unknown, not guessed,
//! except printable ASCII in fonts with one-byte codes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use hayro_cmap::{BfString, CMap, CMapName, CidFamily};
use hayro_font::kurbo::Vec2;
use hayro_font::{CMapResolverFn, FontCache, FontGlyph, FontQuery, FontResolverFn};
use hayro_syntax::object::{Array, Dict, Name, Object, Stream};

use super::budget::Budget;

/// What a character code draws.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Code {
    /// How far the pen moves, in units of the font size.
    pub(super) advance: Vec2,
    pub(super) text: CodeText,
}

/// Characters of a code.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CodeText {
    One(char),
    /// A ligature, or a character with its accents.
    Several(Box<str>),
    /// Printable ASCII taken for itself, for lack of anything better.
    Guessed(char),
    Unknown,
}

/// A font.
pub(super) struct TextFont<'a> {
    font: hayro_font::Font<'a>,
    pub(super) bold: bool,
    pub(super) mono: bool,
    /// Written from top to bottom.
    pub(super) vertical: bool,
    /// Height of its letters in units of the font size: 1 but for fonts that are drawings (Type 3).
    pub(super) em: f64,
    /// Codes have one byte.
    simple: bool,
    collection: Option<Collection>,
    codes: RefCell<HashMap<u32, Rc<Code>>>,
}

/// From codes to characters by way of a character collection.
struct Collection {
    to_cid: CMap,
    to_unicode: CMap,
}

impl Collection {
    /// The collection of a composite font whose codes have no table of their own.
    fn new(dict: &Dict<'_>) -> Option<Self> {
        if dict.contains_key(b"ToUnicode") {
            return None;
        }
        let Object::Name(name) = dict.get::<Object<'_>>(b"Encoding")? else { return None };
        let to_cid = match CMapName::from_bytes(&name) {
            CMapName::IdentityH => CMap::identity_h(),
            CMapName::IdentityV => CMap::identity_v(),
            name => CMap::parse(hayro_cmap::load_embedded(name)?, hayro_cmap::load_embedded)?,
        };
        let by_cmap = to_cid.metadata().character_collection.as_ref().map(|collection| collection.family.clone());
        let family = by_cmap.filter(|family| *family != CidFamily::AdobeIdentity).or_else(|| described(dict))?;
        let table = hayro_cmap::load_embedded(family.ucs2_cmap()?)?;
        Some(Self { to_cid, to_unicode: CMap::parse(table, hayro_cmap::load_embedded)? })
    }

    fn text(&self, code: u32) -> Option<BfString> {
        let cid = (1..=4).find_map(|bytes| self.to_cid.lookup_cid_code(code, bytes))?;
        self.to_unicode.lookup_bf_string(cid)
    }
}

/// The character collection that the descendant of a composite font names.
fn described(dict: &Dict<'_>) -> Option<CidFamily> {
    let info = descendant(dict)?.get::<Dict<'_>>(b"CIDSystemInfo")?;
    let text = |key: &[u8]| info.get::<hayro_syntax::object::String<'_>>(key);
    Some(CidFamily::from_registry_ordering(text(b"Registry")?.as_bytes(), text(b"Ordering")?.as_bytes()))
}

fn descendant<'a>(dict: &Dict<'a>) -> Option<Dict<'a>> {
    dict.get::<Array<'_>>(b"DescendantFonts")?.iter::<Dict<'_>>().next()
}

impl TextFont<'_> {
    /// The next code of a shown string and its length in bytes.
    pub(super) fn read_code(&self, bytes: &[u8], at: usize) -> (u32, usize) {
        self.font.read_code(bytes, at)
    }

    /// What a code draws.
    pub(super) fn code(&self, code: u32) -> Rc<Code> {
        if let Some(known) = self.codes.borrow().get(&code) {
            return Rc::clone(known);
        }
        let found = Rc::new(Code { advance: self.font.code_advance(code) / 1000.0, text: self.text(code) });
        self.codes.borrow_mut().insert(code, Rc::clone(&found));
        found
    }

    fn text(&self, code: u32) -> CodeText {
        let own = match self.font.glyph(self.font.map_code(code), code) {
            FontGlyph::Outline(glyph) => glyph.as_unicode(),
            FontGlyph::Type3(glyph) => glyph.as_unicode(),
        };
        match own.or_else(|| self.collection.as_ref()?.text(code)) {
            Some(BfString::Char(one)) if one != '\0' => CodeText::One(one),
            Some(BfString::String(several)) => CodeText::Several(several.into()),
            _ => match u8::try_from(code).map(char::from) {
                Ok(guess @ ' '..='~') if self.simple => CodeText::Guessed(guess),
                _ => CodeText::Unknown,
            },
        }
    }
}

/// All fonts of a document, each read once.
pub(super) struct Fonts<'a> {
    cache: FontCache<'a>,
    resolve_font: FontResolverFn,
    resolve_cmap: CMapResolverFn,
    /// By the place of their dictionaries in memory, which stay where they are as long as the document does.
    known: HashMap<(*const u8, usize), Option<Rc<TextFont<'a>>>>,
}

impl<'a> Fonts<'a> {
    pub(super) fn new() -> Self {
        Self {
            cache: FontCache::new(),
            resolve_font: Arc::new(|query| match query {
                FontQuery::Standard(font) => Some(font.get_font_data()),
                FontQuery::Fallback(query) => Some(query.pick_standard_font().get_font_data()),
            }),
            resolve_cmap: Arc::new(hayro_cmap::load_embedded),
            known: HashMap::new(),
        }
    }

    /// The font of a dictionary; `None` where it cannot be used.
    pub(super) fn get(&mut self, dict: &Dict<'a>, budget: &Budget) -> Option<Rc<TextFont<'a>>> {
        let key = (dict.data().as_ptr(), dict.data().len());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let font = self.load(dict, budget).map(Rc::new);
        self.known.insert(key, font.clone());
        font
    }

    fn load(&self, dict: &Dict<'a>, budget: &Budget) -> Option<TextFont<'a>> {
        let inner = descendant(dict);
        let described = inner.as_ref().unwrap_or(dict).get::<Dict<'_>>(b"FontDescriptor").unwrap_or_default();
        if !streams_are_affordable(dict, inner.as_ref(), &described, budget) {
            return None;
        }
        let font = self.cache.font(dict, &self.resolve_font, &self.resolve_cmap)?;
        let kind = dict.get::<Name<'_>>(b"Subtype");
        let composite = kind.as_deref() == Some(b"Type0");
        let name = dict.get::<Name<'_>>(b"BaseFont").map(|name| name.as_str().to_lowercase()).unwrap_or_default();
        let flags = described.get::<u32>(b"Flags").unwrap_or(0);
        let drawn = kind.as_deref() == Some(b"Type3");
        Some(TextFont {
            bold: looks_bold(&name, &described, flags),
            mono: flags & 1 != 0
                || ["courier", "mono", "consolas", "cmtt", "typewriter"].iter().any(|sign| name.contains(sign)),
            vertical: !font.is_horizontal(),
            em: if drawn { drawn_em(dict).unwrap_or(1.0) } else { 1.0 },
            simple: !composite,
            collection: if composite { Collection::new(dict) } else { None },
            codes: RefCell::default(),
            font,
        })
    }
}

fn looks_bold(name: &str, described: &Dict<'_>, flags: u32) -> bool {
    const FORCE_BOLD: u32 = 1 << 18;
    let by_name =
        ["bold", "black", "heavy", "cmbx", "demi", "-bd", "sfbx", "-medi"].iter().any(|sign| name.contains(sign));
    // TeX calls the bold of its Times `Medi`; others call a weight a little above the usual `Medium`.
    let by_name = by_name && !name.ends_with("-medium");
    by_name || flags & FORCE_BOLD != 0 || described.get::<f32>(b"FontWeight").is_some_and(|weight| weight >= 600.0)
}

/// Whether what the font would unpack fits what is left for the document.
fn streams_are_affordable(dict: &Dict<'_>, inner: Option<&Dict<'_>>, described: &Dict<'_>, budget: &Budget) -> bool {
    let of = |dict: &Dict<'_>, key: &[u8]| dict.get::<Stream<'_>>(key).is_none_or(|stream| budget.affords(&stream));
    let files: [&[u8]; 3] = [b"FontFile", b"FontFile2", b"FontFile3"];
    files.iter().all(|key| of(described, key))
        && of(dict, b"ToUnicode")
        && of(dict, b"Encoding")
        && inner.is_none_or(|inner| of(inner, b"CIDToGIDMap"))
}

/// Height of the letters of a font that consists of drawings: their common box, scaled as the font says.
fn drawn_em(dict: &Dict<'_>) -> Option<f64> {
    let matrix = dict.get::<[f64; 6]>(b"FontMatrix")?;
    let bounds = dict.get::<[f64; 4]>(b"FontBBox")?;
    let em = ((bounds[3] - bounds[1]) * matrix[3]).abs();
    (em.is_finite() && em > 0.01).then_some(em)
}
