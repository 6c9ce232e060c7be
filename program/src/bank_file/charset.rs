//! Text for banks: letters of every script in the few characters that all of them take.

/// Characters of a holder's name at most, as the SEPA schemes have it; ISO 20022 takes 140.
const NAME_MAX: usize = 70;
/// Characters of what a payment is for at most.
const REFERENCE_MAX: usize = 140;

/// Whether every bank takes a character.
///
/// # Source
/// EPC132-08 §1.4: the basic Latin set of SEPA.
#[must_use]
pub const fn is_permitted(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '?' | ':' | '(' | ')' | '.' | ',' | '\'' | '+' | ' ')
}

/// The name of a holder, 70 characters at most; `None`: it has no letter or digit that can be written so.
///
/// # Source
/// EPC132-08 §1.4, EPC217-08; umlauts as German banks write them.
#[must_use]
pub fn name(text: &str) -> Option<String> {
    written(text, NAME_MAX)
}

/// What a payment is for, 140 characters at most; `None`: it has no letter or digit that can be written so.
///
/// # Source
/// As [`name`].
#[must_use]
pub fn reference(text: &str) -> Option<String> {
    written(text, REFERENCE_MAX)
}

/// No space or slash at an end, no two of them side by side: "//" parts fields in what banks send each other.
fn written(text: &str, most: usize) -> Option<String> {
    let mut out = String::new();
    for c in latin(text).chars() {
        if !matches!((c, out.chars().next_back()), (' ', Some(' ')) | ('/', Some('/'))) {
            out.push(c);
        }
    }
    let ends = |c: char| matches!(c, ' ' | '/');
    // All is ASCII by now, so bytes are characters.
    let begun = out.trim_start_matches(ends);
    let cut = begun.get(..most).unwrap_or(begun).trim_end_matches(ends);
    cut.chars().any(|c| c.is_ascii_alphanumeric()).then(|| cut.to_owned())
}

/// Every character by those that are permitted.
fn latin(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        // An umlaut may come as a letter and two dots of its own.
        let c = rest.next_if_eq(&'\u{308}').and_then(|_| dotted(c)).unwrap_or(c);
        match german(c) {
            Some(pair) if rest.peek().is_some_and(|next| next.is_uppercase()) => out.push_str(&pair.to_ascii_uppercase()),
            Some(pair) => out.push_str(pair),
            None => out.extend(permitted(c)),
        }
    }
    out
}

const fn dotted(c: char) -> Option<char> {
    match c {
        'a' => Some('ä'),
        'o' => Some('ö'),
        'u' => Some('ü'),
        'A' => Some('Ä'),
        'O' => Some('Ö'),
        'U' => Some('Ü'),
        _ => None,
    }
}

const fn german(c: char) -> Option<&'static str> {
    match c {
        'ä' => Some("ae"),
        'ö' => Some("oe"),
        'ü' => Some("ue"),
        'Ä' => Some("Ae"),
        'Ö' => Some("Oe"),
        'Ü' => Some("Ue"),
        'ß' => Some("ss"),
        'ẞ' => Some("SS"),
        _ => None,
    }
}

/// A character by the Latin letters that sound like it, and by a full stop where nobody knows any.
fn permitted(c: char) -> impl Iterator<Item = char> {
    let mut alone = [0; 4];
    // Marks of quotation have more than one sign in ASCII each.
    let c = if matches!(c, '„' | '“' | '”' | '‟' | '«' | '»' | '‘' | '’' | '‚' | '‹' | '›') { '\'' } else { c };
    let text = if c.is_ascii() { None } else { Some(deunicode::deunicode_char(c).unwrap_or(".")) };
    let text = text.map_or_else(|| c.encode_utf8(&mut alone).to_owned(), str::to_owned);
    text.chars().map(nearest).collect::<Vec<_>>().into_iter()
}

/// The permitted character that is nearest to one of ASCII.
const fn nearest(c: char) -> char {
    match c {
        _ if is_permitted(c) => c,
        '&' => '+',
        '_' | '~' | '=' => '-',
        ';' => ',',
        '"' | '`' => '\'',
        '[' | '{' | '<' => '(',
        ']' | '}' | '>' => ')',
        '\\' | '|' => '/',
        '\t' | '\n' | '\r' => ' ',
        _ => '.',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_many_scripts_are_legible() {
        for (text, latin) in [
            ("Müller & Söhne GmbH", "Mueller + Soehne GmbH"),
            ("Mu\u{308}ller", "Mueller"),
            ("GRÖẞE ÜBER ALLES", "GROESSE UEBER ALLES"),
            ("Übergröße", "Uebergroesse"),
            ("Société Générale d'Électricité", "Societe Generale d'Electricite"),
            ("Łódź Ćwiek Žižek Ñuñez Øresund Þór", "Lodz Cwiek Zizek Nunez Oresund Thor"),
            ("Αθήνα", "Athena"),
            ("Москва Щукин", "Moskva Shchukin"),
            ("  a  \t b\n", "a b"),
            ("snake_case;\"quoted\" [x] <y> #7", "snake-case,'quoted' (x) (y) .7"),
            ("“Acme” – 5 €", "'Acme' - 5 EUR"),
            ("„Süd“ «Nord» l’Est", "'Sued' 'Nord' l'Est"),
        ] {
            assert_eq!(name(text).as_deref(), Some(latin), "{text}");
        }
    }

    #[test]
    fn what_says_nothing_is_no_name() {
        for text in ["", "   ", "///", "…", "\u{0}", "&"] {
            assert_eq!(name(text), None, "{text:?}");
        }
    }

    #[test]
    fn references_keep_off_slashes_where_banks_read_them_as_marks() {
        for (text, written) in [("/INV//12/", "INV/12"), ("a/ /b", "a/ /b"), ("/ / /x/ /", "x"), ("p/2026-04/acme/USD", "p/2026-04/acme/USD")] {
            assert_eq!(reference(text).as_deref(), Some(written));
        }
        // The cut falls behind a slash.
        let long = format!("{}/{}", "x".repeat(139), "y".repeat(9));
        assert_eq!(reference(&long), Some("x".repeat(139)));
    }

    proptest! {
        #[test]
        fn whatever_comes_in_only_permitted_characters_come_out(text in any::<String>()) {
            for (out, most) in [(name(&text), NAME_MAX), (reference(&text), REFERENCE_MAX)] {
                let Some(out) = out else { continue };
                prop_assert!(out.chars().all(is_permitted), "{out:?}");
                prop_assert!((1..=most).contains(&out.chars().count()));
                prop_assert!(!out.contains("//") && !out.contains("  "));
                prop_assert!(!out.starts_with(['/', ' ']) && !out.ends_with(['/', ' ']), "{out:?}");
                prop_assert!(!out.trim().is_empty());
            }
        }

        #[test]
        fn what_is_permitted_already_stays_as_it_is(text in "[A-Za-z0-9?:().,'+-]{1,70}") {
            prop_assume!(text.chars().any(|c| c.is_ascii_alphanumeric()));
            prop_assert_eq!(name(&text), Some(text));
        }
    }
}
