/// A batch is cut into statements of powers of two, up to this many rows. So ten statements or so serve every
/// length, and none grows over SQLite's limit of 32,766 parameters.
pub(crate) const STATEMENT_ROWS: usize = 128;

/// One statement per power of two: index 0 writes one row, index 1 two, and so on.
pub(crate) struct Statements(Vec<String>);

impl Statements {
    pub(crate) fn new(one: &str) -> Self {
        let row = one.rsplit_once("VALUES ").map_or("", |(_, row)| row);
        let sizes = 0..=STATEMENT_ROWS.ilog2();
        Self(
            sizes
                .map(|n| one.to_owned() + &format!(", {row}").repeat((1 << n) - 1))
                .collect(),
        )
    }

    /// The statement for the most of `rows` rows that one may write, and how many that are.
    pub(crate) fn for_rows(&'static self, rows: usize) -> (&'static str, usize) {
        let power = rows.min(STATEMENT_ROWS).ilog2();
        (&self.0[power as usize], 1 << power)
    }
}
