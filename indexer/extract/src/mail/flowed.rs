//! Flowed text (RFC 3676): a line that ends in a space goes on in the next one of the same depth of quotation. With
//! `delsp` that space is no part of the text, which is how texts without spaces between words are sent.

/// The text with its paragraphs on one line each.
pub(super) fn unfolded(text: &str, space_goes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let quotes = line.bytes().take_while(|&byte| byte == b'>').count();
        let content = &line[quotes..];
        // A space before the text protects it from being taken for something else.
        let content = content.strip_prefix(' ').unwrap_or(content);
        let is_signature = content == "-- ";
        if open == Some(quotes) && !is_signature {
            if out.ends_with(' ') && (space_goes || is_between_ideographs(&out, content)) {
                out.pop();
            }
        } else {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&line[..quotes]);
            out.push_str(if quotes > 0 { " " } else { "" });
        }
        out.push_str(content);
        open = (content.ends_with(' ') && !is_signature).then_some(quotes);
    }
    out
}

fn is_between_ideographs(before: &str, after: &str) -> bool {
    let is_one = |character: char| matches!(character, '\u{3000}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ff00}'..='\u{ff60}');
    before.trim_end().chars().next_back().is_some_and(is_one) && after.chars().next().is_some_and(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_flow_together() {
        let text = "One sentence \nthat goes on.\nFixed.\n> quoted \n> words\n>> deeper\n-- \nAna \nB";
        assert_eq!(unfolded(text, false), "One sentence that goes on.\nFixed.\n> quoted words\n>> deeper\n-- \nAna B");
        assert_eq!(unfolded("法务部共 \n同签字 \n end", true), "法务部共同签字end");
        assert_eq!(unfolded("法务部共 \n同签字 \nend", false), "法务部共同签字 end");
        assert_eq!(unfolded(" >not a quote\n From here", false), ">not a quote\nFrom here");
    }
}
