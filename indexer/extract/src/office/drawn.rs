//! The words in drawings of Office Open XML: charts (titles, series and their numbers as a table), diagrams (SmartArt:
//! the texts of their points), what a picture is said to show, and comments.

use std::collections::{BTreeMap, BTreeSet};

use super::sheets::NumberFormat;
use super::story::{Piece, Role};
use super::xml::{Node, Xml};
use crate::block::BlockKind;
use crate::error::FileError;
use crate::input::ExtractLimits;

/// Points of a chart that are read; more than this is data, not a picture for people.
const MAX_POINTS: usize = 500;

/// Series of a chart that are read.
const MAX_SERIES: usize = 50;

/// What Office adds to descriptions that it wrote itself.
const GENERATED: &[&str] = &["Description automatically generated", "AI-generated content may be incorrect."];

/// The description of a picture, unless it is the name of a file.
pub(crate) fn description(text: &str) -> Option<Piece> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = GENERATED.iter().find_map(|suffix| text.strip_suffix(suffix)).unwrap_or(&text).trim();
    let is_file = !text.contains(char::is_whitespace) && (text.contains(['.', '/', '\\']) || text.is_ascii());
    (!text.is_empty() && !is_file).then(|| block(text))
}

/// A comment with who made it and on which day.
pub(crate) fn comment(author: Option<&str>, date: Option<&str>, text: &str) -> String {
    let author = author.map(str::trim).filter(|author| !author.is_empty());
    let day = date.and_then(|date| date.get(..10)).map(|day| format!(" ({day})")).unwrap_or_default();
    let by = author.map(|author| format!(" by {author}")).unwrap_or_default();
    format!("Comment{by}{day}: {}", text.trim())
}

/// Reads a drawing by the kind of its relation: `chart` or `diagramData`.
pub(crate) fn read(
    text: &str,
    format: &'static str,
    kind: &str,
    limits: &ExtractLimits,
) -> Result<Vec<Piece>, FileError> {
    if text.len() as u64 > limits.max_text {
        return Ok(Vec::new());
    }
    if kind == "chart" { chart(text, format) } else { diagram(text, format) }
}

fn block(text: &str) -> Piece {
    Piece::Block { kind: BlockKind::Paragraph, text: text.to_owned() }
}

/// The paragraphs of a diagram's points.
fn diagram(text: &str, format: &'static str) -> Result<Vec<Piece>, FileError> {
    let item = |text: String| {
        let Role { kind, prefix } = Role::item(0, "");
        Piece::Block { kind, text: format!("{prefix}{text}") }
    };
    Ok(paragraphs(text, format)?.into_iter().map(item).collect())
}

/// The paragraphs of DrawingML text bodies, in the order they stand in the file.
pub(crate) fn paragraphs(text: &str, format: &'static str) -> Result<Vec<String>, FileError> {
    let mut out = Vec::new();
    let mut paragraph = String::new();
    let mut xml = Xml::new(text, format);
    while let Some(node) = xml.next()? {
        match node {
            // The body of a point is a `t` too, as is each of its runs.
            Node::Open(element) if element.name() == "p" => paragraph.clear(),
            Node::Text(text) => paragraph.push_str(&text),
            Node::Close(closed) if closed.name() == "p" && !paragraph.trim().is_empty() => {
                out.push(paragraph.trim().to_owned());
                paragraph.clear();
            }
            _ => {}
        }
    }
    Ok(out)
}

/// A series of numbers under a name.
#[derive(Debug, Default)]
struct Series {
    name: String,
    /// The names of points, those of their groups on further levels: the innermost level first.
    categories: Vec<BTreeMap<usize, String>>,
    values: BTreeMap<usize, String>,
}

fn chart(text: &str, format: &'static str) -> Result<Vec<Piece>, FileError> {
    let mut titles: Vec<String> = Vec::new();
    let mut series: Vec<Series> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut point = 0usize;
    // How the numbers of a cache are shown, and those of one point that says otherwise.
    let (mut shown, mut shown_here): (Option<NumberFormat>, Option<NumberFormat>) = (None, None);
    let mut from_1904 = false;
    let mut xml = Xml::new(text, format);
    while let Some(node) = xml.next()? {
        match node {
            Node::Open(element) => {
                let within = |name: &str| open.iter().any(|open| open == name);
                match element.name() {
                    "date1904" => from_1904 = element.is_on(),
                    "numCache" | "numLit" => shown = Some(NumberFormat::of("General")),
                    "strCache" | "strLit" | "multiLvlStrCache" => shown = None,
                    "formatCode" => {
                        shown = Some(NumberFormat::of(&xml.text()?));
                        continue;
                    }
                    "title" => titles.push(String::new()),
                    "ser" => series.push(Series::default()),
                    "lvl" if within("multiLvlStrCache") => {
                        series.last_mut().into_iter().for_each(|last| last.categories.push(BTreeMap::new()));
                    }
                    "pt" => {
                        point = element.number("idx").unwrap_or(0);
                        shown_here = element.attribute("formatCode").map(|code| NumberFormat::of(&code));
                    }
                    "t" if within("title") => {
                        let text = xml.text()?;
                        titles.last_mut().into_iter().for_each(|title| title.push_str(&text));
                        continue;
                    }
                    "v" if within("ser") => {
                        let text = xml.text()?;
                        let text = match shown_here.as_ref().or(shown.as_ref()) {
                            Some(format) => format.of_cached(&text, from_1904),
                            None => text,
                        };
                        let Some(last) = series.last_mut() else { continue };
                        if within("cat") || within("xVal") {
                            if last.categories.is_empty() {
                                last.categories.push(BTreeMap::new());
                            }
                            last.categories
                                .last_mut()
                                .into_iter()
                                .for_each(|level| drop(level.insert(point, text.clone())));
                        } else if within("val") || within("yVal") {
                            last.values.insert(point, text);
                        } else if within("tx") {
                            last.name = text;
                        }
                        continue;
                    }
                    _ => {}
                }
                open.push(element.name().to_owned());
            }
            Node::Close(_) => drop(open.pop()),
            Node::Text(_) => {}
        }
    }
    let mut out: Vec<Piece> =
        titles.iter().filter(|title| !title.trim().is_empty()).map(|title| block(title)).collect();
    out.extend(table(&series));
    Ok(out)
}

/// Categories down, series across; groups of categories have columns of their own, and each row says its groups.
fn table(series: &[Series]) -> Option<Piece> {
    let series = &series[..series.len().min(MAX_SERIES)];
    let levels = series.iter().map(|series| series.categories.len()).max()?.max(1);
    let mut rows = vec![vec![String::new(); levels]];
    rows[0].extend(series.iter().map(|series| series.name.clone()));
    let mut points: BTreeSet<usize> = BTreeSet::new();
    for series in series {
        points.extend(series.values.keys().take(MAX_POINTS));
        points.extend(series.categories.iter().flat_map(|level| level.keys().take(MAX_POINTS)));
    }
    for point in points.into_iter().take(MAX_POINTS) {
        let mut row: Vec<String> = (0..levels).rev().map(|level| category(series, level, point)).collect();
        row.extend(series.iter().map(|series| series.values.get(&point).cloned().unwrap_or_default()));
        rows.push(row);
    }
    (rows.len() > 1 && !series.is_empty()).then_some(Piece::Table(rows))
}

/// The name of a point on a level, as the last series that has one says it. That of a group stands at its first point;
/// it ends where a group of a level further out begins.
fn category(series: &[Series], level: usize, point: usize) -> String {
    let names = |level: usize| {
        series.iter().rev().find_map(|series| series.categories.get(level).filter(|names| !names.is_empty()))
    };
    let Some(own) = names(level) else { return String::new() };
    if level == 0 {
        // A series that names a point alone still names it.
        let named = series.iter().rev().find_map(|series| series.categories.first()?.get(&point));
        return named.cloned().unwrap_or_default();
    }
    let begins = |level: usize| names(level).and_then(|names| names.range(..=point).next_back());
    let Some((&start, name)) = own.range(..=point).next_back() else { return String::new() };
    let outer = series.iter().map(|series| series.categories.len()).max().unwrap_or(0);
    let is_over = (level + 1..outer).filter_map(begins).any(|(&outer_start, _)| outer_start > start);
    if is_over { String::new() } else { name.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_become_tables() {
        let xml = "<c:chartSpace><c:chart><c:title><a:t>Sales</a:t></c:title><c:ser><c:tx><c:v>2023</c:v></c:tx>\
                   <c:cat><c:pt idx='0'><c:v>North</c:v></c:pt></c:cat><c:val><c:pt idx='0'><c:v>4.5</c:v></c:pt></c:val>\
                   </c:ser></c:chart></c:chartSpace>";
        let pieces = read(xml, "pptx", "chart", &ExtractLimits::default()).unwrap();
        assert_eq!(pieces[0], block("Sales"));
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(pieces[1], Piece::Table(vec![row(["", "2023"]), row(["North", "4.5"])]));
    }

    #[test]
    fn numbers_of_charts_are_shown_by_their_format() {
        let cache = |code: &str, points: &str| {
            format!("<c:numRef><c:numCache><c:formatCode>{code}</c:formatCode>{points}</c:numCache></c:numRef>")
        };
        let days = cache("m/d/yyyy", "<c:pt idx='0'><c:v>45355</c:v></c:pt><c:pt idx='1'><c:v>45356</c:v></c:pt>");
        let values = cache(
            "General",
            "<c:pt idx='0'><c:v>4.4000000000000004</c:v></c:pt><c:pt idx='1' formatCode='0.0%'><c:v>0.125</c:v></c:pt>",
        );
        let series = format!("<c:ser><c:tx><c:v>2023</c:v></c:tx><c:cat>{days}</c:cat><c:val>{values}</c:val></c:ser>");
        let chart = |before: &str| {
            let xml = format!("<c:chartSpace>{before}{series}</c:chartSpace>");
            read(&xml, "xlsx", "chart", &ExtractLimits::default()).unwrap()
        };
        let table = |rows: [[&str; 2]; 3]| [Piece::Table(rows.map(|row| row.map(str::to_owned).to_vec()).to_vec())];
        assert_eq!(chart(""), table([["", "2023"], ["2024-03-04", "4.4"], ["2024-03-05", "12.5%"]]));
        let later = table([["", "2023"], ["2028-03-05", "4.4"], ["2028-03-06", "12.5%"]]);
        assert_eq!(chart("<c:date1904 val='1'/>"), later);
    }

    #[test]
    fn groups_of_categories_are_said_in_every_row() {
        let point = |(at, name): &(usize, &str)| format!("<c:pt idx='{at}'><c:v>{name}</c:v></c:pt>");
        let level = |names: &[(usize, &str)]| format!("<c:lvl>{}</c:lvl>", names.iter().map(point).collect::<String>());
        let cities = level(&[(0, "SF"), (1, "LA"), (2, "Albany"), (3, "York")]);
        let states = level(&[(0, "CA"), (2, "NY")]);
        let countries = level(&[(0, "US"), (3, "UK")]);
        let xml = format!(
            "<c:chartSpace><c:ser><c:tx><c:v>2023</c:v></c:tx><c:cat><c:multiLvlStrRef><c:multiLvlStrCache>{cities}{states}{countries}\
             </c:multiLvlStrCache></c:multiLvlStrRef></c:cat><c:val>{}</c:val></c:ser></c:chartSpace>",
            [(0, "4.3"), (1, "2.5"), (2, "3.5"), (3, "1")].iter().map(point).collect::<String>()
        );
        let pieces = read(&xml, "pptx", "chart", &ExtractLimits::default()).unwrap();
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let rows = [
            ["", "", "", "2023"],
            ["US", "CA", "SF", "4.3"],
            ["US", "CA", "LA", "2.5"],
            ["US", "NY", "Albany", "3.5"],
            ["UK", "", "York", "1"],
        ];
        assert_eq!(pieces, [Piece::Table(rows.map(row).to_vec())]);
    }

    #[test]
    fn descriptions_are_words() {
        assert_eq!(description("image1.png"), None);
        assert_eq!(description("  "), None);
        let generated = "A duck  on a lake\n\nDescription automatically generated";
        assert_eq!(description(generated), Some(block("A duck on a lake")));
    }
}
