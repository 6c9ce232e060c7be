//! What is stored is JSON with a size limit; what is shown is text with one.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The most that an input, a result, a payload or a message body may hold.
pub const JSON_BYTES_MAX: usize = 256 * 1024;
/// The most of an error's text that is kept.
pub const ERROR_CHARS_MAX: usize = 2_000;
/// The longest name of a step, a key or an id.
pub const NAME_BYTES_MAX: usize = 128;

/// A value that can't be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It can't be written as JSON.
    #[error("{what} can't be written as JSON")]
    Write {
        /// What it is.
        what: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// It is too large.
    #[error("{what} has {bytes} bytes as JSON; at most {JSON_BYTES_MAX} are kept: store it in a table and pass its id")]
    TooLarge {
        /// What it is.
        what: String,
        /// Its size.
        bytes: usize,
    },
    /// Stored JSON is not what the code expects.
    #[error("{what} is stored as JSON that this version can't read")]
    Read {
        /// What it is.
        what: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// Writes a value, within the limit.
///
/// # Errors
/// [`JsonError::Write`], [`JsonError::TooLarge`].
pub fn write<T: Serialize + ?Sized>(what: &str, value: &T) -> Result<String, JsonError> {
    let text = serde_json::to_string(value).map_err(|source| JsonError::Write { what: what.to_owned(), source })?;
    if text.len() > JSON_BYTES_MAX {
        return Err(JsonError::TooLarge { what: what.to_owned(), bytes: text.len() });
    }
    Ok(text)
}

/// Reads a stored value.
///
/// # Errors
/// [`JsonError::Read`].
pub fn read<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, JsonError> {
    serde_json::from_str(text).map_err(|source| JsonError::Read { what: what.to_owned(), source })
}

/// An error with its causes in one bounded line.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    bounded(&text)
}

/// At most [`ERROR_CHARS_MAX`] characters of a text, without control characters.
#[must_use]
pub fn bounded(text: &str) -> String {
    text.chars().take(ERROR_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_values_are_refused_by_name_and_size() {
        let error = write("the input", &"x".repeat(JSON_BYTES_MAX)).unwrap_err().to_string();
        assert!(error.starts_with("the input has 262146 bytes"), "{error}");
        assert!(write("the input", &"x".repeat(JSON_BYTES_MAX - 2)).is_ok());
    }

    #[test]
    fn what_is_shown_is_bounded_and_on_one_line() {
        assert_eq!(bounded("a\nb"), "a b");
        assert_eq!(bounded(&"ü".repeat(5_000)).chars().count(), ERROR_CHARS_MAX);
    }
}
