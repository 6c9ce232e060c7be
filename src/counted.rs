//! Counts in words.

/// `1 row`, `2 rows`: how many of what has a regular plural.
pub(crate) fn counted(count: impl TryInto<u64> + std::fmt::Display + Copy, noun: &str) -> String {
    let ending = if count.try_into().is_ok_and(|count| count == 1) { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!([counted(0_usize, "row"), counted(1_i64, "row"), counted(2_u64, "row")], ["0 rows", "1 row", "2 rows"]);
    }
}
