//! The known name that a misspelt one is nearest to.

/// The nearest of `known`, which is never empty; "" if it were.
pub(crate) fn nearest(word: &str, known: impl IntoIterator<Item = &'static str>) -> &'static str {
    let word: String = word.chars().take(60).collect();
    known.into_iter().min_by_key(|name| strsim::damerau_levenshtein(&word, name)).unwrap_or_default()
}
