//! Fonts of a document as far as text needs them: which characters a code stands for, how far it moves the pen, and
//! whether the font looks bold or has one width. Characters come from the font's own table ([`super::to_unicode`]), else
//! from glyph names, else from the character collection of a predefined CMap; what none of them knows is unknown, not
//! guessed, except printable ASCII in fonts with one-byte codes. A font that `hayro-font` refuses still gives its
//! characters, with widths that are only about right.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use hayro_cmap::{BfString, CMap, CMapName, CidFamily};
use hayro_font::kurbo::Vec2;
use hayro_font::{CMapResolverFn, FontCache, FontGlyph, FontQuery, FontResolverFn};
use hayro_syntax::object::{Array, Dict, Name, Object, Stream};

use super::budget::Budget;
use super::to_unicode::ToUnicode;

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
    shape: Shape<'a>,
    pub(super) bold: bool,
    pub(super) mono: bool,
    /// Written from top to bottom.
    pub(super) vertical: bool,
    /// Height of its letters in units of the font size: 1 but for fonts that are drawings (Type 3).
    pub(super) em: f64,
    /// Codes have one byte.
    simple: bool,
    to_unicode: Option<ToUnicode>,
    /// Of a composite font; made when first asked for.
    collection: OnceCell<Option<Collection>>,
    dict: Dict<'a>,
    codes: RefCell<HashMap<u32, Rc<Code>>>,
}

/// How codes are read and drawn.
enum Shape<'a> {
    Known(hayro_font::Font<'a>),
    /// A font too broken to be loaded: bytes of a code, and how far each moves the pen in thousandths.
    Rough {
        bytes: usize,
        advance: f64,
    },
}

/// From codes to characters by way of a character collection.
struct Collection {
    to_cid: CMap,
    to_unicode: CMap,
}

impl Collection {
    /// The collection of a composite font.
    fn new(dict: &Dict<'_>) -> Option<Self> {
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
    pub(super) fn read_code(&self, shown: &[u8], at: usize) -> (u32, usize) {
        match &self.shape {
            Shape::Known(font) => font.read_code(shown, at),
            Shape::Rough { bytes, .. } => {
                let code = &shown[at..shown.len().min(at + bytes)];
                (code.iter().fold(0, |code, byte| code << 8 | u32::from(*byte)), code.len())
            }
        }
    }

    /// What a code draws.
    pub(super) fn code(&self, code: u32) -> Rc<Code> {
        if let Some(known) = self.codes.borrow().get(&code) {
            return Rc::clone(known);
        }
        let advance = match &self.shape {
            Shape::Known(font) => font.code_advance(code),
            Shape::Rough { advance, .. } => Vec2::new(*advance, 0.0),
        };
        let found = Rc::new(Code { advance: advance / 1000.0, text: self.text(code) });
        self.codes.borrow_mut().insert(code, Rc::clone(&found));
        found
    }

    fn text(&self, code: u32) -> CodeText {
        if let Some(stated) = self.to_unicode.as_ref().and_then(|map| map.text(code)) {
            return stated;
        }
        let named = match &self.shape {
            Shape::Known(font) => match font.glyph(font.map_code(code), code) {
                FontGlyph::Outline(glyph) => glyph.as_unicode(),
                FontGlyph::Type3(glyph) => glyph.as_unicode(),
            },
            Shape::Rough { .. } => None,
        };
        match named.filter(is_something).or_else(|| self.collection()?.text(code)) {
            Some(BfString::Char(one)) if one != '\0' => CodeText::One(one),
            Some(BfString::String(several)) => CodeText::Several(several.into()),
            _ => match u8::try_from(code).map(char::from) {
                Ok(guess @ ' '..='~') if self.simple => CodeText::Guessed(guess),
                _ => CodeText::Unknown,
            },
        }
    }

    fn collection(&self) -> Option<&Collection> {
        self.collection.get_or_init(|| if self.simple { None } else { Collection::new(&self.dict) }).as_ref()
    }
}

/// Whether a table says more than that it does not know.
fn is_something(text: &BfString) -> bool {
    !matches!(text, BfString::Char('\0' | char::REPLACEMENT_CHARACTER))
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
        let kind = dict.get::<Name<'_>>(b"Subtype");
        let composite = kind.as_deref() == Some(b"Type0");
        let name = dict.get::<Name<'_>>(b"BaseFont").map(|name| name.as_str().to_lowercase()).unwrap_or_default();
        let flags = described.get::<u32>(b"Flags").unwrap_or(0);
        let drawn = kind.as_deref() == Some(b"Type3");
        let shape = match self.cache.font(dict, &self.resolve_font, &self.resolve_cmap) {
            Some(font) => Shape::Known(font),
            None => Shape::rough(dict, inner.as_ref()),
        };
        Some(TextFont {
            bold: looks_bold(&name, &described, flags),
            mono: flags & 1 != 0
                || ["courier", "mono", "consolas", "cmtt", "typewriter"].iter().any(|sign| name.contains(sign)),
            vertical: matches!(&shape, Shape::Known(font) if !font.is_horizontal()),
            em: if drawn { drawn_em(dict).unwrap_or(1.0) } else { 1.0 },
            simple: !composite,
            to_unicode: ToUnicode::of(dict),
            collection: OnceCell::new(),
            dict: dict.clone(),
            codes: RefCell::default(),
            shape,
        })
    }
}

impl Shape<'_> {
    fn rough(dict: &Dict<'_>, descendant: Option<&Dict<'_>>) -> Self {
        match descendant {
            Some(inner) => {
                Self::Rough { bytes: 2, advance: inner.get::<f64>(b"DW").unwrap_or(1000.0).clamp(0.0, 2000.0) }
            }
            None => {
                let widths: Vec<f64> = dict.get::<Array<'_>>(b"Widths").iter().flat_map(Array::iter::<f64>).collect();
                let drawn: Vec<f64> = widths.into_iter().filter(|width| (100.0..2000.0).contains(width)).collect();
                let usual = drawn.iter().sum::<f64>() / drawn.len().max(1) as f64;
                Self::Rough { bytes: 1, advance: if drawn.is_empty() { 500.0 } else { usual } }
            }
        }
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
