//! Equations as one line of text (Office Math, ECMA-376 part 1 chapter 22): `x^2`, `(a+b)/(c)`, `√(x)`, `∑_(i=1)^n`.
//! Letters and signs stay as they are, so that a formula can be found by what stands in it.

use super::xml::{Node, Xml};
use crate::error::FileError;

/// An open element with the text below it.
#[derive(Debug, Default)]
struct Frame {
    name: String,
    text: String,
    /// The signs of a delimiter or an operator.
    open: Option<String>,
    close: Option<String>,
}

/// Reads the equation that was opened last, to its end.
pub(crate) fn linear(xml: &mut Xml<'_>) -> Result<String, FileError> {
    let outside = xml.depth().saturating_sub(1);
    let mut frames = vec![Frame::default()];
    while xml.depth() > outside {
        match xml.next()? {
            Some(Node::Open(element)) => match element.name() {
                "t" => {
                    let text = xml.text()?;
                    top(&mut frames).text.push_str(&text);
                }
                "chr" | "begChr" | "endChr" => {
                    let value = element.attribute("val");
                    // The properties element lies between the sign and what it belongs to.
                    let owner = frames.len().saturating_sub(2);
                    let name = element.name().to_owned();
                    let owner = &mut frames[owner];
                    if name == "endChr" {
                        owner.close = value
                    } else {
                        owner.open = value
                    }
                    frames.push(Frame { name, ..Frame::default() });
                }
                "rPr" | "ctrlPr" | "del" => xml.skip()?,
                name => frames.push(Frame { name: name.to_owned(), ..Frame::default() }),
            },
            Some(Node::Close(_)) if frames.len() > 1 => {
                let Some(frame) = frames.pop() else { break };
                let text = written(frame);
                top(&mut frames).text.push_str(&text);
            }
            Some(_) => {}
            None => break,
        }
    }
    Ok(frames.into_iter().map(|frame| frame.text).collect::<String>().trim().to_owned())
}

fn top(frames: &mut Vec<Frame>) -> &mut Frame {
    if frames.is_empty() {
        frames.push(Frame::default());
    }
    let last = frames.len() - 1;
    &mut frames[last]
}

/// An element as text, once all that lies below it is.
fn written(frame: Frame) -> String {
    let Frame { name, text, open, close } = frame;
    match name.as_str() {
        "num" => grouped(&text),
        "den" => format!("/{}", grouped(&text)),
        "sup" if !text.is_empty() => format!("^{}", grouped(&text)),
        "sub" if !text.is_empty() => format!("_{}", grouped(&text)),
        "rad" => format!("√({text})"),
        "deg" if !text.is_empty() => format!("{text}, "),
        "d" => format!("{}{text}{}", open.as_deref().unwrap_or("("), close.as_deref().unwrap_or(")")),
        "nary" => format!("{}{text}", open.as_deref().unwrap_or("∫")),
        "lim" => format!("_{}", grouped(&text)),
        "fName" => format!("{text} "),
        "mr" | "e" if text.ends_with(' ') => text,
        "mr" => format!("{text}; "),
        _ => text,
    }
}

/// In parentheses if it is more than one term.
fn grouped(text: &str) -> String {
    let text = text.trim();
    let simple = text.chars().all(char::is_alphanumeric) || text.starts_with('(') && text.ends_with(')');
    if simple { text.to_owned() } else { format!("({text})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(inner: &str) -> String {
        let source = format!("<m:oMath>{inner}</m:oMath>");
        let mut xml = Xml::new(&source, "docx");
        assert!(matches!(xml.next(), Ok(Some(Node::Open(_)))));
        linear(&mut xml).unwrap()
    }

    #[test]
    fn formulas_are_one_line() {
        let run = |text: &str| format!("<m:r><m:rPr><m:sty m:val='p'/></m:rPr><m:t>{text}</m:t></m:r>");
        let power = format!("<m:sSup><m:e>{}</m:e><m:sup>{}</m:sup></m:sSup>", run("x"), run("2"));
        assert_eq!(line(&power), "x^2");
        let fraction = format!("<m:f><m:num>{}</m:num><m:den>{}</m:den></m:f>", run("a+b"), run("c"));
        assert_eq!(line(&fraction), "(a+b)/c");
        let sum = format!(
            "<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr><m:sub>{}</m:sub><m:sup>{}</m:sup><m:e>{power}</m:e></m:nary>",
            run("i=1"),
            run("n"),
        );
        assert_eq!(line(&sum), "∑_(i=1)^nx^2");
        let root = format!("<m:rad><m:deg/><m:e>{}</m:e></m:rad>", run("y"));
        assert_eq!(line(&root), "√(y)");
        let norm =
            format!("<m:d><m:dPr><m:begChr m:val='|'/><m:endChr m:val='|'/></m:dPr><m:e>{}</m:e></m:d>", run("v"));
        assert_eq!(line(&norm), "|v|");
    }
}
