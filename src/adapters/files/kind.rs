//! What a file is, by its content; its name alone proves nothing.

/// The media type of a file that may be a proof; `None`: it is none of PDF, PNG, JPEG, CSV or plain text.
#[must_use]
pub fn media_type(name: &str, bytes: &[u8]) -> Option<&'static str> {
    const PNG: &[u8] = &[0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];
    const JPEG: &[u8] = &[0xff, 0xd8, 0xff];
    match bytes {
        _ if bytes.starts_with(b"%PDF-") => Some("application/pdf"),
        _ if bytes.starts_with(PNG) => Some("image/png"),
        _ if bytes.starts_with(JPEG) => Some("image/jpeg"),
        _ if is_text(bytes) => {
            let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
            match ending.as_deref() {
                Some("csv") => Some("text/csv"),
                Some("txt") => Some("text/plain"),
                _ => None,
            }
        }
        _ => None,
    }
}

/// UTF-8 without control characters but line ends and tabs, and no markup at its beginning.
fn is_text(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let is_plain = text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
    is_plain && !text.is_empty() && !text.trim_start_matches('\u{feff}').trim_start().starts_with('<')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_and_the_ending_only_which_text() {
        let table: [(&str, &[u8], Option<&str>); 11] = [
            ("a.pdf", b"%PDF-1.7\n", Some("application/pdf")),
            ("a.exe", b"%PDF-1.7\n", Some("application/pdf")),
            ("a.png", b"\x89PNG\r\n\x1a\n...", Some("image/png")),
            ("a.jpg", b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            ("a.csv", b"a,b\r\n1,2\r\n", Some("text/csv")),
            ("a.TXT", "grüße\n".as_bytes(), Some("text/plain")),
            ("a.pdf", b"a,b\n", None),
            ("a.csv", b"MZ\x90\x00", None),
            ("a.txt", b"<html><script>", None),
            ("a.txt", b"\xff\xfe", None),
            ("a.txt", b"", None),
        ];
        for (name, bytes, kind) in table {
            assert_eq!(media_type(name, bytes), kind, "{name} {bytes:?}");
        }
    }
}
