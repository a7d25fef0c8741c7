//! Rows in columns, for people.

/// Columns as wide as their widest cell, two spaces between them.
pub(super) fn columns<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let head = head.map(str::to_owned);
    let all = || std::iter::once(&head).chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let lines = all().map(|row| {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [
            ["w-abc".to_owned(), "Ä".to_owned()],
            ["w".into(), "Bea".into()],
        ];
        let table = columns(["ALIAS", "NAME"], &rows);
        assert_eq!(table, "ALIAS  NAME\nw-abc  Ä\nw      Bea");
    }
}
