//! The four ways to write a table in reStructuredText: grids, simple ones, and the directives `list-table` and
//! `csv-table`.

use super::lines::{Lines, indentation};

/// A grid or simple table at the next line.
pub(super) fn table(lines: &mut Lines<'_>) -> Option<Vec<Vec<String>>> {
    let first = lines.peek(0)?.trim();
    if first.starts_with("+-") && first.ends_with('+') && first.bytes().all(|byte| b"+-=".contains(&byte)) {
        return Some(grid(lines));
    }
    let rule = first.starts_with("==") && first.contains(' ') && is_rule(first);
    rule.then(|| simple(lines))
}

fn is_rule(line: &str) -> bool {
    !line.is_empty() && line.bytes().all(|byte| byte == b'=' || byte == b' ')
}

/// Cells between bars, rows between rules; a cell that spans rows or columns keeps its text once.
fn grid(lines: &mut Lines<'_>) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(line) = lines.peek(0).map(str::trim).filter(|line| line.starts_with(['+', '|'])) {
        lines.skip(1);
        if line.starts_with('+') && !line.contains(char::is_alphanumeric) {
            rows.push(Vec::new());
            continue;
        }
        let cells = line.trim_matches('|').split('|').map(|cell| cell.trim_matches(['+', '-', ' ']));
        let Some(row) = rows.last_mut() else { continue };
        for (column, cell) in cells.enumerate() {
            append(row, column, cell);
        }
    }
    rows.retain(|row| !row.is_empty());
    rows
}

/// Columns by the rule above; a line without a first cell goes on with the row above it.
fn simple(lines: &mut Lines<'_>) -> Vec<Vec<String>> {
    let rule = lines.next().unwrap_or_default();
    let starts: Vec<usize> =
        rule.char_indices().filter(|&(at, c)| c == '=' && !rule[..at].ends_with('=')).map(|(at, _)| at).collect();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut rules = 1;
    while let Some(line) = lines.next() {
        if is_rule(line.trim()) {
            rules += 1;
            // Below the header comes a second rule, at the end a third, or the second if there is no header.
            if lines.peek(0).is_none_or(|next| next.trim().is_empty()) || rules == 3 {
                break;
            }
            continue;
        }
        if line.trim().chars().all(|c| c == '-' || c == ' ') {
            continue;
        }
        let characters: Vec<char> = line.chars().collect();
        let cell = |column: usize| {
            let start = starts[column].min(characters.len());
            let end = starts.get(column + 1).copied().unwrap_or(characters.len()).clamp(start, characters.len());
            characters[start..end].iter().collect::<String>()
        };
        let cells: Vec<String> = (0..starts.len()).map(cell).collect();
        if cells[0].trim().is_empty() && !rows.is_empty() {
            if let Some(row) = rows.last_mut() {
                cells.iter().enumerate().for_each(|(column, cell)| append(row, column, cell.trim()));
            }
            continue;
        }
        rows.push(cells);
    }
    rows
}

fn append(row: &mut Vec<String>, column: usize, text: &str) {
    if row.len() <= column {
        row.resize(column + 1, String::new());
    }
    if !row[column].is_empty() && !text.is_empty() {
        row[column].push(' ');
    }
    row[column].push_str(text);
}

/// The body of a `list-table` or `csv-table`.
pub(super) fn directive(name: &str, header: &str, body: &[&str]) -> Vec<Vec<String>> {
    if name == "csv-table" {
        let header = std::iter::once(header).filter(|header| !header.is_empty());
        let body = body.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
        return header.chain(body).map(cells_of_csv).collect();
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    let outer = body.iter().filter(|line| !line.trim().is_empty()).map(|line| indentation(line)).min().unwrap_or(0);
    for line in body.iter().filter(|line| !line.trim().is_empty()) {
        let text = line.trim();
        let starts_row = indentation(line) == outer;
        let text = if starts_row { text.trim_start_matches(['*', '-']).trim_start() } else { text };
        if starts_row {
            rows.push(Vec::new());
        }
        let Some(row) = rows.last_mut() else { continue };
        match text.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
            Some(cell) => row.push(cell.trim().to_owned()),
            None => {
                let last = row.len().saturating_sub(1);
                append(row, last, text);
            }
        }
    }
    rows
}

fn cells_of_csv(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            _ => {
                if let Some(cell) = cells.last_mut() {
                    cell.push(character);
                }
            }
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_are_read() {
        let source =
            "+-----+------+\n| a   | b    |\n+=====+======+\n| one | two  |\n| on  |      |\n+-----+------+\nend";
        let mut lines = Lines::new(source);
        assert_eq!(table(&mut lines).unwrap(), [["a", "b"], ["one on", "two"]]);
        assert_eq!(lines.next(), Some("end"));
    }

    #[test]
    fn simple_tables_are_read() {
        let source = "===== ====\nCity  Rate\n===== ====\nOslo  3 NOK\n      a day\n中文  4\n===== ====\n\nend";
        let rows = table(&mut Lines::new(source)).unwrap();
        let rows: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(|cell| cell.trim()).collect()).collect();
        assert_eq!(rows[0], ["City", "Rate"]);
        assert_eq!(rows[1], ["Oslo", "3 NOK a day"]);
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn directives_are_read() {
        let list = ["* - City", "  - Rate", "* - Oslo", "  - 3", "    NOK"];
        assert_eq!(directive("list-table", "", &list), [["City", "Rate"], ["Oslo", "3 NOK"]]);
        assert_eq!(directive("csv-table", "a, b", &["\"x, y\",z"]), [["a", " b"], ["x, y", "z"]]);
    }

    #[test]
    fn other_lines_are_no_tables() {
        assert!(table(&mut Lines::new("=====\nTitle\n=====")).is_none());
        assert!(table(&mut Lines::new("+ item")).is_none());
    }
}
