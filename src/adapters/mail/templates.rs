//! Mails from templates that a user may replace. Data are values, never source; HTML is escaped.
//!
//! A mail has two: `NAME.txt`, whose first line is `Subject: …`, and `NAME.html`. Other `.txt` and `.html` files of the directory can be
//! included by them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value as Data};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value;

use super::letter::Letter;
use super::message::one_line;

/// Built in.
const STANDARD: [(&str, &str); 25] = [
    ("layout.html", include_str!("../../../config/templates/mail/layout.html")),
    ("statement.txt", include_str!("../../../config/templates/mail/statement.txt")),
    ("statement.html", include_str!("../../../config/templates/mail/statement.html")),
    ("payout_held.txt", include_str!("../../../config/templates/mail/payout_held.txt")),
    ("payout_held.html", include_str!("../../../config/templates/mail/payout_held.html")),
    ("payout_failed.txt", include_str!("../../../config/templates/mail/payout_failed.txt")),
    ("payout_failed.html", include_str!("../../../config/templates/mail/payout_failed.html")),
    ("carried_forward.txt", include_str!("../../../config/templates/mail/carried_forward.txt")),
    ("carried_forward.html", include_str!("../../../config/templates/mail/carried_forward.html")),
    ("certification_expiring.txt", include_str!("../../../config/templates/mail/certification_expiring.txt")),
    ("certification_expiring.html", include_str!("../../../config/templates/mail/certification_expiring.html")),
    ("destination_changed.txt", include_str!("../../../config/templates/mail/destination_changed.txt")),
    ("destination_changed.html", include_str!("../../../config/templates/mail/destination_changed.html")),
    ("approval_asked.txt", include_str!("../../../config/templates/mail/approval_asked.txt")),
    ("approval_asked.html", include_str!("../../../config/templates/mail/approval_asked.html")),
    ("approval_code.txt", include_str!("../../../config/templates/mail/approval_code.txt")),
    ("approval_code.html", include_str!("../../../config/templates/mail/approval_code.html")),
    ("claim_decided.txt", include_str!("../../../config/templates/mail/claim_decided.txt")),
    ("claim_decided.html", include_str!("../../../config/templates/mail/claim_decided.html")),
    ("claim_failed.txt", include_str!("../../../config/templates/mail/claim_failed.txt")),
    ("claim_failed.html", include_str!("../../../config/templates/mail/claim_failed.html")),
    ("claim_statement.txt", include_str!("../../../config/templates/mail/claim_statement.txt")),
    ("claim_statement.html", include_str!("../../../config/templates/mail/claim_statement.html")),
    ("notice.txt", include_str!("../../../config/templates/mail/notice.txt")),
    ("notice.html", include_str!("../../../config/templates/mail/notice.html")),
];
/// What begins the first line of a text.
const SUBJECT: &str = "Subject: ";
/// The longest template.
const LENGTH_MAX_BYTES: u64 = 256 << 10;
/// Templates in a directory.
const FILES_MAX: usize = 200;
/// Steps that one template may take: no mail is worth more.
const FUEL: u64 = 1_000_000;
/// Characters of a value.
const VALUE_MAX: usize = 2_000;

/// Writes mails.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    /// Where those of the user are.
    paths: BTreeMap<String, PathBuf>,
}

/// A mail's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// A template that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The directory or a file in it can't be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// A mistake in a template.
    #[error("{file}:{line}: {reason}")]
    Mistake {
        /// The file, or the name of a built-in one.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A letter that is no JSON.
    #[error("the data of a mail can't be given to a template: {0}")]
    Data(#[source] serde_json::Error),
}

impl Templates {
    /// The built-in ones, under those of a directory; each of them has been tried.
    ///
    /// # Errors
    /// [`TemplateError`], with file and line.
    pub fn load(directory: Option<&Path>) -> Result<Self, TemplateError> {
        let mut sources: BTreeMap<String, String> = STANDARD.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned())).collect();
        let mut paths = BTreeMap::new();
        for path in directory.map(files).transpose()?.unwrap_or_default() {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            sources.insert(name.to_owned(), read(&path)?);
            paths.insert(name.to_owned(), path);
        }
        let mut templates = Self { environment: environment(), paths };
        for (name, source) in sources {
            let added = templates.environment.add_template_owned(name.clone(), source);
            added.map_err(|error| templates.mistake(&name, &error))?;
        }
        for letter in Letter::examples() {
            templates.write(&letter)?;
        }
        Ok(templates)
    }

    /// Finds the words for a letter.
    ///
    /// # Errors
    /// [`TemplateError::Mistake`].
    pub fn write(&self, letter: &Letter) -> Result<Words, TemplateError> {
        let mut data = serde_json::to_value(letter).map_err(TemplateError::Data)?;
        make_inert(&mut data);
        let data = Data::from(Serde(&data));
        let (text_name, html_name) = (format!("{}.txt", letter.template()), format!("{}.html", letter.template()));
        let (text, html) = (self.render(&text_name, &data)?, self.render(&html_name, &data)?);
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let subject = first.strip_prefix(SUBJECT).map(str::trim).filter(|subject| !subject.is_empty());
        let subject = subject.ok_or_else(|| TemplateError::Mistake {
            file: self.file(&text_name),
            line: 1,
            reason: format!("the first line must be `{SUBJECT}…`, the subject of the mail"),
        })?;
        Ok(Words { subject: subject.to_owned(), text: rest.trim_start().to_owned(), html })
    }

    fn render(&self, name: &str, data: &Data) -> Result<String, TemplateError> {
        let rendered = self.environment.get_template(name).and_then(|template| template.render(data));
        rendered.map_err(|error| self.mistake(name, &error))
    }

    fn mistake(&self, name: &str, error: &minijinja::Error) -> TemplateError {
        let file = self.file(error.name().unwrap_or(name));
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        TemplateError::Mistake { file, line: error.line().unwrap_or(1), reason: format!("{}{detail}", error.kind()) }
    }

    fn file(&self, name: &str) -> String {
        self.paths.get(name).map_or_else(|| format!("(built-in) {name}"), |path| path.display().to_string())
    }
}

/// What templates of text and HTML are read and filled in by, here and for pages.
pub(crate) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|name| if is_kind(name, "html") { AutoEscape::Html } else { AutoEscape::None });
    // A misspelt name is a mistake, not nothing.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    let lines = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    if let Ok(lines) = lines {
        environment.set_syntax(lines);
    }
    environment
}

fn is_kind(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == ending)
}

/// The templates of a directory, by name.
fn files(directory: &Path) -> Result<Vec<PathBuf>, TemplateError> {
    let unreadable = |reason: String| TemplateError::Unreadable { path: directory.display().to_string(), reason };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| unreadable(error.to_string()))? {
        let path = entry.map_err(|error| unreadable(error.to_string()))?.path();
        if path.to_str().is_some_and(|name| is_kind(name, "html") || is_kind(name, "txt")) {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            return Err(unreadable(format!("it has more than {FILES_MAX} templates")));
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, TemplateError> {
    let unreadable = |reason: String| TemplateError::Unreadable { path: path.display().to_string(), reason };
    let length = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if length > LENGTH_MAX_BYTES {
        return Err(unreadable(format!("it has {length} bytes; at most {LENGTH_MAX_BYTES} are read")));
    }
    fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}

/// A value is one line and not too long: in a plain text it can't pass for another paragraph.
pub(crate) fn make_inert(data: &mut Value) {
    match data {
        Value::String(text) => *text = one_line(text, VALUE_MAX),
        Value::Array(values) => values.iter_mut().for_each(make_inert),
        Value::Object(fields) => fields.values_mut().for_each(make_inert),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use program::payout::HeldFor;

    use crate::adapters::mail::letter::{Notice, PayoutHeld};

    fn held(partner: &str, reason: &str) -> Letter {
        let text = str::to_owned;
        Letter::PayoutHeld(PayoutHeld {
            partner: text(partner),
            reference: text("2026-04"),
            amount: text("7.00"),
            currency: text("USD"),
            reason: text(reason),
        })
    }

    fn load_with(files: &[(&str, &str)]) -> Result<Templates, TemplateError> {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, source) in files {
            fs::write(directory.path().join(name), source).expect("a file");
        }
        Templates::load(Some(directory.path()))
    }

    #[test]
    fn every_letter_has_words() {
        let templates = Templates::load(None).expect("the built-in ones are good");
        for letter in Letter::examples() {
            let words = templates.write(&letter).expect("words");
            for text in [&words.text, &words.html] {
                assert!(text.len() > 50 && !text.contains("{{") && !text.contains("{%"), "{text}");
            }
            assert!(words.html.starts_with("<!doctype html>") && words.html.trim_end().ends_with("</html>"), "{}", words.html);
            assert!(!words.subject.contains('\n') && !words.text.contains(SUBJECT));
        }
    }

    #[test]
    fn every_reason_to_hold_is_said_in_words() {
        let templates = Templates::load(None).expect("the built-in ones are good");
        for reason in HeldFor::ALL.map(HeldFor::name) {
            let words = templates.write(&held("Acme", reason)).expect("words");
            for text in [&words.text, &words.html] {
                // A reason that no words are for is printed as it is.
                assert!(!text.lines().any(|line| line == format!("{reason}.") || line == format!("<p>{reason}.</p>")), "{text}");
                assert!(!text.contains(reason) || reason == "paused" || reason == "suspended", "{text}");
            }
        }
        assert!(templates.write(&held("Acme", "something_new")).expect("words").text.contains("something_new"));
    }

    #[test]
    fn names_are_inert() {
        let templates = Templates::load(None).expect("the built-in ones are good");
        let words = templates.write(&held("<script>alert(1)</script>{{ 7*7 }}{% raw %}\r\nBcc: eve@example.com", "cap")).expect("words");
        assert!(!words.html.contains("<script>") && words.html.contains("&lt;script&gt;"), "{}", words.html);
        assert!(words.html.contains("{{ 7*7 }}") && words.text.contains("{{ 7*7 }}"), "data are no source");
        assert!(!words.text.contains("\nBcc:") && !words.subject.contains('\n'), "{}", words.text);
        let notice = Letter::Notice(Notice { subject: "x\r\nBcc: eve@example.com".into(), lines: vec!["<b>".into()] });
        let words = templates.write(&notice).expect("words");
        assert!(!words.subject.contains(['\r', '\n']) && words.html.contains("&lt;b&gt;"), "{words:?}");
    }

    #[test]
    fn without_a_link_the_commands_are_named() {
        let templates = Templates::load(None).expect("the built-in ones are good");
        let asked = Letter::examples().into_iter().find_map(|letter| if let Letter::ApprovalAsked(asked) = letter { Some(asked) } else { None });
        let asked = asked.expect("there is an example");
        let with = templates.write(&Letter::ApprovalAsked(asked.clone())).expect("words");
        assert!(with.text.contains(&asked.link) && !with.text.contains("mdf claim") && !with.html.contains("mdf claim"), "{}", with.text);
        let without = templates.write(&Letter::ApprovalAsked(super::super::letter::ApprovalAsked { link: String::new(), ..asked })).expect("words");
        for text in [&without.text, &without.html] {
            assert!(text.contains("tributary mdf claim approve CL-1 --by jo") && text.contains("mdf claim reject CL-1"), "{text}");
            assert!(!text.contains("http"), "{text}");
        }
    }

    #[test]
    fn a_user_s_templates_go_before_ours_and_can_include_others() {
        let templates = load_with(&[
            ("payout_held.txt", "Subject: Wait, {{ partner }}\n\n{% include 'footer.txt' %}"),
            ("footer.txt", "Yours, finance\n"),
            ("notes.md", "{{ not a template"),
        ]);
        let words = templates.expect("they are good").write(&held("Acme & Sons", "cap")).expect("words");
        assert_eq!((&*words.subject, &*words.text), ("Wait, Acme & Sons", "Yours, finance\n"));
        assert!(words.html.contains("Acme &amp; Sons"));
    }

    #[test]
    fn mistakes_name_their_file_and_line() {
        for (name, source, part) in [
            ("payout_held.txt", "Subject: x\n\n{{ partner }\n", "payout_held.txt:3: syntax error"),
            ("payout_held.html", "a\n{{ partnr }}\n", "payout_held.html:2: undefined value"),
            ("payout_held.txt", "Hello\n", "payout_held.txt:1: the first line must be `Subject: …`"),
            ("payout_held.txt", "Subject: x\n{% include 'nowhere.txt' %}", "payout_held.txt:2: "),
            (
                "notice.txt",
                "Subject: x\n{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor %}{% endfor %}",
                "notice.txt:2: engine ran out of fuel",
            ),
        ] {
            let error = load_with(&[(name, source)]).expect_err(source).to_string();
            assert!(error.contains(part), "{error}");
        }
        let error = Templates::load(Some(Path::new("/nowhere/at/all"))).expect_err("not there").to_string();
        assert!(error.starts_with("/nowhere/at/all: "), "{error}");
    }
}
