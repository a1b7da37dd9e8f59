//! What lies over a page: the values of form fields that nothing draws (ISO 32000-1, 12.7.3), and what people noted in
//! the margin (12.5.6). A field's appearance is what counts; many programs leave it to the viewer to make one.

use hayro_syntax::object::{Array, Dict, Name, Object, Rect, Stream, String as PdfString};

use super::text;

const HIDDEN: u32 = 1 << 1;
const NO_VIEW: u32 = 1 << 5;
/// Flags of text fields.
const MULTILINE: u32 = 1 << 12;
const PASSWORD: u32 = 1 << 13;
/// Fields around a field that are asked for what it inherits.
const MAX_PARENTS: usize = 16;
/// Longest value or note, in characters.
const MAX_CHARACTERS: usize = 20_000;
/// Height of letters where a field leaves it to the viewer, in points.
const USUAL_SIZE: f64 = 11.0;
/// Width of a letter, in letter heights.
pub(super) const LETTER: f64 = 0.5;
/// What a field says that is ticked.
const TICKED: &str = "✓";

/// Kinds of annotations whose contents are a person's words.
const COMMENTS: [&[u8]; 14] = [
    b"Text",
    b"FreeText",
    b"Highlight",
    b"Underline",
    b"StrikeOut",
    b"Squiggly",
    b"Caret",
    b"Stamp",
    b"Ink",
    b"Square",
    b"Circle",
    b"Line",
    b"Polygon",
    b"PolyLine",
];

/// Whether nobody sees it on the screen.
pub(super) fn is_hidden(annotation: &Dict<'_>) -> bool {
    annotation.get::<u32>(b"F").unwrap_or(0) & (HIDDEN | NO_VIEW) != 0
}

/// The normal appearance of an annotation, in the state it is in.
pub(super) fn appearance<'a>(annotation: &Dict<'a>) -> Option<Stream<'a>> {
    match annotation.get::<Dict<'_>>(b"AP")?.get::<Object<'_>>(b"N")? {
        Object::Stream(stream) => Some(stream),
        Object::Dict(states) => states.get::<Stream<'_>>(annotation.get::<Name<'_>>(b"AS")?),
        _ => None,
    }
}

/// What someone noted: `Comment by Ana: check this`. Replies are notes too, and so is a text box that nothing draws.
pub(super) fn comment(annotation: &Dict<'_>, is_drawn: bool) -> Option<String> {
    let kind = annotation.get::<Name<'_>>(b"Subtype")?;
    let drawn_text = is_drawn && matches!(&*kind, b"FreeText" | b"Stamp");
    // Votes on other notes ("accepted") are no words.
    if !COMMENTS.contains(&&*kind) || drawn_text || annotation.contains_key(b"StateModel") {
        return None;
    }
    let words = string(annotation, b"Contents")?;
    match string(annotation, b"T") {
        Some(author) => Some(format!("Comment by {author}: {words}")),
        None => Some(format!("Comment: {words}")),
    }
}

/// A form field as it is to be drawn.
#[derive(Debug, PartialEq)]
pub(super) struct Field {
    /// Left edge and baseline of each line, in the space of the page.
    pub(super) lines: Vec<(f64, f64, String)>,
    /// Height of its letters.
    pub(super) size: f64,
    /// Room that a line has.
    pub(super) width: f64,
}

impl Field {
    /// What a field says whose appearance says nothing.
    pub(super) fn of(annotation: &Dict<'_>) -> Option<Self> {
        if annotation.get::<Name<'_>>(b"Subtype").as_deref() != Some(b"Widget") {
            return None;
        }
        let place = annotation.get::<Rect>(b"Rect")?;
        let chain = chain(annotation);
        let flags = inherited(&chain, b"Ff").and_then(Object::into_i32).unwrap_or(0).cast_unsigned();
        let value = match &*inherited(&chain, b"FT")?.into_name()? {
            b"Tx" if flags & PASSWORD == 0 => inherited(&chain, b"V").and_then(words)?,
            b"Ch" => chosen(&chain)?,
            b"Btn" => ticked(annotation, &chain)?,
            _ => return None,
        };
        Some(Self::laid_out(&value, place, flags & MULTILINE != 0, letter_size(&chain)))
    }

    fn laid_out(value: &str, place: Rect, multiline: bool, size: f64) -> Self {
        let width = (place.x1 - place.x0).abs().max(1.0);
        let (left, top, bottom) = (place.x0.min(place.x1), place.y0.max(place.y1), place.y0.min(place.y1));
        if !multiline {
            let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
            return Self { lines: vec![(left, (top + bottom) / 2.0 - 0.3 * size, line)], size, width };
        }
        let lines = wrapped(value, ((width / (LETTER * size)) as usize).max(8));
        // More lines than fit are set closer, so that they do not run into what stands below.
        let step = (1.15 * size).min((top - bottom) / lines.len() as f64).max(0.5);
        let size = size.min(step / 1.15);
        let place = |(number, line): (usize, String)| (left, top - step * number as f64 - 0.9 * size, line);
        Self { lines: lines.into_iter().enumerate().map(place).collect(), size, width }
    }
}

/// The field and those around it, the innermost first.
fn chain<'a>(annotation: &Dict<'a>) -> Vec<Dict<'a>> {
    let around = |field: &Dict<'a>| field.get::<Dict<'_>>(b"Parent");
    std::iter::successors(Some(annotation.clone()), around).take(MAX_PARENTS).collect()
}

/// An entry of a field or of one around it.
fn inherited<'a>(chain: &[Dict<'a>], key: &[u8]) -> Option<Object<'a>> {
    chain.iter().find_map(|field| field.get::<Object<'_>>(key))
}

fn string(dict: &Dict<'_>, key: &[u8]) -> Option<String> {
    words(dict.get::<Object<'_>>(key)?)
}

fn words(value: Object<'_>) -> Option<String> {
    let decoded = match value {
        Object::String(string) => text::decode(string.as_bytes()),
        Object::Stream(stream) if stream.raw_data().len() <= MAX_CHARACTERS => {
            text::decode(&stream.decoded_data().ok()?)
        }
        _ => return None,
    };
    let decoded: String = decoded.chars().take(MAX_CHARACTERS).collect();
    let lines: Vec<String> = decoded.split(['\r', '\n']).map(text::tidy).collect();
    let plain = lines.join("\n");
    (!plain.trim().is_empty()).then(|| plain.trim().to_string())
}

/// The choices of a list, by the names that are shown for them.
fn chosen(chain: &[Dict<'_>]) -> Option<String> {
    let values = match inherited(chain, b"V")? {
        Object::Array(several) => several.iter::<Object<'_>>().filter_map(words).collect(),
        one => vec![words(one)?],
    };
    let options: Vec<(String, String)> = inherited(chain, b"Opt")
        .and_then(Object::into_array)
        .iter()
        .flat_map(Array::iter::<Object<'_>>)
        .filter_map(|option| {
            let mut pair = option.into_array()?.iter::<PdfString<'_>>().collect::<Vec<_>>().into_iter();
            let mut next = || pair.next().map(|text| text::decode(text.as_bytes()));
            Some((next()?, next()?))
        })
        .collect();
    let shown = |value: String| {
        let known = options.iter().find(|(export, _)| *export == value);
        known.map_or(value.clone(), |(_, shown)| text::tidy(shown))
    };
    let shown: Vec<String> = values.into_iter().map(shown).filter(|value| !value.is_empty()).collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

/// A tick for a box or a button that is on.
fn ticked(annotation: &Dict<'_>, chain: &[Dict<'_>]) -> Option<String> {
    let state = annotation.get::<Name<'_>>(b"AS").or_else(|| inherited(chain, b"V")?.into_name())?;
    // Without a state of its own a button of a group is on if it is the one that the group names.
    let own = annotation.get::<Dict<'_>>(b"AP").and_then(|shown| shown.get::<Dict<'_>>(b"N"));
    let is_own = annotation.contains_key(b"AS")
        || own.map_or(!annotation.contains_key(b"Parent"), |own| own.contains_key(&state));
    (&*state != b"Off" && is_own).then(|| TICKED.to_string())
}

/// Height of letters in the operators that a field is to be drawn with: `0 g /Helv 12 Tf`.
fn letter_size(chain: &[Dict<'_>]) -> f64 {
    let operators = inherited(chain, b"DA").and_then(Object::into_string).map(|drawn| text::decode(drawn.as_bytes()));
    let size = operators.and_then(|operators| {
        let words: Vec<&str> = operators.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "Tf")?;
        words.get(at.checked_sub(1)?)?.parse::<f64>().ok()
    });
    size.filter(|size| (2.0..100.0).contains(size)).unwrap_or(USUAL_SIZE)
}

/// Lines of at most so many characters, broken between words.
fn wrapped(value: &str, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in value.split('\n') {
        let mut open = String::new();
        for word in line.split_whitespace() {
            if !open.is_empty() && open.chars().count() + word.chars().count() >= most {
                lines.push(std::mem::take(&mut open));
            }
            if !open.is_empty() {
                open.push(' ');
            }
            open.push_str(word);
        }
        lines.push(open);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_many_lines_stay_in_their_field() {
        let place = Rect::new(10.0, 100.0, 110.0, 140.0);
        let field = Field::laid_out("one two three four five six\nseven", place, true, 10.0);
        let lines: Vec<&str> = field.lines.iter().map(|(_, _, line)| line.as_str()).collect();
        assert_eq!(lines, ["one two three four", "five six", "seven"]);
        assert!(field.lines.iter().all(|(_, baseline, _)| (100.0..140.0).contains(baseline)), "{field:?}");
        let single = Field::laid_out("one\ntwo", place, false, 10.0);
        assert_eq!(single.lines, [(10.0, 117.0, "one two".to_string())]);
    }
}
