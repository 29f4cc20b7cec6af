/// Skips leading lines of a file that begin with `--`, and the line break at the end: comments at its beginning are for
/// readers and need not be hashed, sent and logged with every execution.
pub const fn statement(file: &'static str) -> &'static str {
    let mut rest = file;
    while let [b'-', b'-', ..] = rest.as_bytes() {
        let mut line = 0;
        while line < rest.len() && rest.as_bytes()[line] != b'\n' {
            line += 1;
        }
        let end = if line < rest.len() { line + 1 } else { line };
        rest = rest.split_at(end).1;
    }
    rest.trim_ascii()
}

/// A statement from a file below the crate's folder `sql/`.
#[doc(hidden)]
#[macro_export]
macro_rules! sql {
    ($($path:expr),+) => {
        const { $crate::statement(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $($path),+))) }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_in_front_are_for_readers() {
        assert_eq!(statement("-- a\n-- b\nSELECT 1 -- c\n"), "SELECT 1 -- c");
        assert_eq!(statement("SELECT 1"), "SELECT 1");
        assert_eq!(statement("-- a"), "");
    }
}
