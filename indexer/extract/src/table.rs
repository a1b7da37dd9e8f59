//! Rows of cells as the lines of a Markdown table: what every format's tables become, so that a row can be read, found
//! and split off with its header.

/// The text of a table: header, separator, rows. A table of one column is not a table: `None`.
pub(crate) fn markdown_rows(rows: &[Vec<String>]) -> Option<String> {
    let columns = rows.iter().map(Vec::len).max().filter(|&columns| columns > 1)?;
    let mut out = String::new();
    for (number, row) in rows.iter().enumerate() {
        push_row(&mut out, row, columns);
        if number == 0 {
            out.push_str(&"| --- ".repeat(columns));
            out.push_str("|\n");
        }
    }
    out.truncate(out.trim_end().len());
    Some(out)
}

fn push_row(out: &mut String, row: &[String], columns: usize) {
    for column in 0..columns {
        let cell = row.get(column).map_or("", |cell| cell.trim());
        out.push_str("| ");
        out.push_str(&cell.replace('\n', " ").replace('|', "\\|"));
        out.push(' ');
    }
    out.push_str("|\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|&cell| cell.to_owned()).collect()
    }

    #[test]
    fn short_rows_are_filled_and_bars_escaped() {
        let rows = [row(&["Name", "Limit"]), row(&["a|b"]), row(&["c", "two\nlines"])];
        let expected = "| Name | Limit |\n| --- | --- |\n| a\\|b |  |\n| c | two lines |";
        assert_eq!(markdown_rows(&rows).as_deref(), Some(expected));
    }

    #[test]
    fn one_column_is_no_table() {
        assert_eq!(markdown_rows(&[row(&["only"]), row(&["cells"])]), None);
        assert_eq!(markdown_rows(&[]), None);
    }
}
