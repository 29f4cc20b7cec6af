//! Inserts of many rows where a list can't be one parameter: on SQLite and MySQL.

/// The lengths into which a batch is cut, two for each power of two. So a few statements serve every batch, and those of
/// the application stay in the connection's cache; and none grows over SQLite's limit of 32,766 parameters.
const LENGTHS: [usize; 14] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];

/// One statement for each of the lengths.
pub(crate) struct Statements(Vec<String>);

impl Statements {
    /// From the statement that writes one row: what follows its `VALUES` is repeated.
    pub(crate) fn new(one: &str) -> Self {
        let row = one.rsplit_once("VALUES ").map_or("", |(_, row)| row);
        Self(
            LENGTHS
                .into_iter()
                .map(|rows| one.to_owned() + &format!(", {row}").repeat(rows - 1))
                .collect(),
        )
    }

    /// The statement for the most of `rows` rows that one may write, and how many that are.
    pub(crate) fn for_rows(&'static self, rows: usize) -> (&'static str, usize) {
        let longest = LENGTHS.iter().rposition(|&length| length <= rows).unwrap_or(0);
        (&self.0[longest], LENGTHS[longest])
    }

    /// Whether so many rows are one statement.
    pub(crate) fn is_one(rows: usize) -> bool {
        LENGTHS.contains(&rows)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static INSERT: LazyLock<Statements> =
        LazyLock::new(|| Statements::new("INSERT INTO t (a, b) VALUES (?, ?)"));

    #[test]
    fn a_batch_is_cut_into_few_statements() {
        let mut rest = 1000;
        let mut cuts = Vec::new();
        while rest > 0 {
            let (sql, rows) = INSERT.for_rows(rest);
            assert_eq!(sql.matches("(?, ?)").count(), rows);
            cuts.push(rows);
            rest -= rows;
        }
        assert_eq!(cuts, [128, 128, 128, 128, 128, 128, 128, 96, 8]);
        assert_eq!(INSERT.for_rows(100).1, 96);
        assert!(Statements::is_one(96) && !Statements::is_one(100));
    }
}
