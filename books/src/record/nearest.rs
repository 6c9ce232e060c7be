//! The known name that a misspelt one is nearest to.

/// The nearest of `known`, which is never empty; "" if it were.
pub(crate) fn nearest(word: &str, known: impl IntoIterator<Item = &'static str>) -> &'static str {
    let known: Vec<&str> = known.into_iter().collect();
    nearest_of(word, &known)
}

/// The nearest of `known`, which is never empty; "" if it were.
pub(crate) fn nearest_of<'a>(word: &str, known: &[&'a str]) -> &'a str {
    let word: String = word.chars().take(60).collect();
    known.iter().min_by_key(|name| strsim::damerau_levenshtein(&word, name)).copied().unwrap_or_default()
}
