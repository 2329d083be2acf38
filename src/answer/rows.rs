//! Rows of tables as an answer quotes them: each cell after the name of its column.

use crate::analysis::plain;

/// The names of the columns of a table; several header rows make names of several words.
#[derive(Default)]
pub(super) struct Columns(Vec<String>);

impl Columns {
    pub fn of(header: &str) -> Self {
        let mut columns = Self::default();
        header.lines().for_each(|row| columns.add(row));
        columns
    }

    /// The columns that a heading names, as that of CSV does.
    pub fn of_heading(heading: &str) -> Self {
        Self(heading.split(", ").map(str::to_owned).collect())
    }

    /// Adds a header row below the others.
    pub fn add(&mut self, row: &str) {
        for (n, cell) in cells(row, self.0.len()).into_iter().enumerate() {
            match self.0.get_mut(n) {
                None => self.0.push(cell),
                Some(name) if !cell.is_empty() && *name != cell => {
                    if !name.is_empty() {
                        name.push(' ');
                    }
                    name.push_str(&cell);
                }
                Some(_) => {}
            }
        }
    }
}

/// A row of a table.
pub(super) struct Row {
    /// `Intake valve | clearance 0.27 mm`: the first cell, then further cells with the names of
    /// their columns. Without names the row as it is. Empty when every cell is.
    pub quote: String,
    /// The quote with the name of the first column, which a question may have too.
    pub searched: String,
    /// The cells alone.
    pub own: String,
}

impl Row {
    pub fn new(row: &str, Columns(names): &Columns) -> Self {
        if names.is_empty() && !row.contains('|') {
            let own = plain(row);
            return Self { quote: own.clone(), searched: own.clone(), own };
        }
        let cells = cells(row, names.len());
        let own = cells.join(" | ");
        if !cells.iter().any(|cell| cell.contains(|c: char| !c.is_whitespace())) {
            return Self { quote: String::new(), searched: String::new(), own };
        }
        if names.is_empty() {
            return Self { quote: own.clone(), searched: own.clone(), own };
        }
        let name = |n: usize| names.get(n).filter(|name| !name.is_empty());
        let quoted: Vec<String> = cells
            .iter()
            .enumerate()
            .filter(|(_, cell)| !cell.is_empty())
            .map(|(n, cell)| match name(n).filter(|name| n > 0 && *name != cell) {
                Some(name) => format!("{name} {cell}"),
                None => cell.clone(),
            })
            .collect();
        let quote = quoted.join(" | ");
        let searched = match name(0) {
            Some(name) => format!("{name} {quote}"),
            None => quote.clone(),
        };
        Self { quote, searched, own }
    }
}

/// The cells of a row without markup. `n_columns` decides whether outer bars part empty cells; 0
/// if it is unknown.
fn cells(row: &str, n_columns: usize) -> Vec<String> {
    let row = row.trim();
    if !row.contains('|') {
        return fields(row, n_columns);
    }
    let all = split(row);
    let is_framed = row.starts_with('|') && row.ends_with('|') && all.len() > 2;
    let inside = if is_framed && all.len() != n_columns { &all[1..all.len() - 1] } else { &all };
    // In the form of a row, `- 5` and `1. May` are not list items.
    let shown = |cell: &&str| plain(&format!("|{}|", cell.replace("\\|", "|")));
    inside.iter().map(shown).collect()
}

/// The cells of a row without bars, as in CSV and in tables that are aligned with spaces: parted by
/// what gives the expected number of them, or else the whole row.
fn fields(row: &str, n_columns: usize) -> Vec<String> {
    let parted: [fn(&str) -> Vec<String>; 4] = [
        |row| separated(row, '\t'),
        |row| row.split("  ").map(plain).filter(|cell| !cell.is_empty()).collect(),
        |row| separated(row, ';'),
        |row| separated(row, ','),
    ];
    let is_expected = |cells: &Vec<String>| match n_columns {
        0 => cells.len() > 1,
        n => cells.len() == n,
    };
    let found = parted.iter().map(|part| part(row)).find(is_expected);
    found.unwrap_or_else(|| vec![plain(row)])
}

/// The fields of a line of CSV; a separator between quotation marks parts none.
fn separated(row: &str, separator: char) -> Vec<String> {
    let mut is_quoted = false;
    let fields = row.split(|c: char| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    });
    fields
        .map(|field| {
            let field = field.trim();
            let inside = field.strip_prefix('"').and_then(|field| field.strip_suffix('"'));
            inside.map_or_else(|| field.to_owned(), |inside| inside.replace("\"\"", "\""))
        })
        .collect()
}

/// The text between bars that no backslash escapes.
fn split(row: &str) -> Vec<&str> {
    let mut is_escaped = false;
    row.split(|c: char| {
        let is_bar = c == '|' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_bar
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, row: &str, expected: &str) {
        assert_eq!(Row::new(row, &Columns::of(header)).quote, expected, "{header:?} {row:?}");
    }

    #[test]
    fn cells_follow_the_names_of_their_columns() {
        check("Floor | Tenant", "Third | Madame Q", "Third | Tenant Madame Q");
        check("| Part | M8 |", "| **Oil** pan | 22 Nm |", "Oil pan | M8 22 Nm");
        check("Valve | In | Out", "Bay two | | 0.27 mm", "Bay two | Out 0.27 mm");
        check("Valve | In | Out", "| 0.20 mm |", "In 0.20 mm");
        check("| | 2024 |\n| Town | May |", "| Ulm | - 5 |", "Ulm | 2024 May - 5");
        check("A | B", "1 | 2 | 3", "1 | B 2 | 3");
        check("A | B", "| | |", "");
        check("name;price", "\"Nut; brass\";5", "Nut; brass | price 5");
        check("Name  Price", "Nut   5 crowns", "Nut | Price 5 crowns");
        check("Name  Price", "Nut", "Nut");
    }

    #[test]
    fn without_a_header_a_row_is_quoted_as_it_is() {
        check("", "Third | | Madame Q", "Third |  | Madame Q");
        check("", "| a \\| b | c |", "a | b | c");
        check("", "one cell", "one cell");
        check("", "Nut, brass", "Nut, brass");
    }

    #[test]
    fn a_heading_names_the_columns_of_csv() {
        let columns = Columns::of_heading("name, price, stock");
        assert_eq!(Row::new("Nut,5,,", &columns).quote, "Nut,5,,");
        assert_eq!(Row::new("Nut,5,", &columns).quote, "Nut | price 5");
        assert_eq!(Row::new("Nut\t5\t3", &columns).quote, "Nut | price 5 | stock 3");
    }
}
