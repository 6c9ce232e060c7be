//! Where values come from: the built-in file, the user's file, the environment; the later goes before the earlier.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::VARIABLE_PREFIX;
use super::errors::{Place, Problem};
use super::known::{Kind, Known, Named, is_section, named, nearest, variable};

/// The longest configuration, and the longest secret's file.
const LENGTH_MAX_BYTES: u64 = 256 << 10;

/// A value as it was written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) texts: Vec<String>,
    pub(super) place: Place,
}

/// All values, by path, and what is wrong with the way they were written.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) values: BTreeMap<&'static str, Written>,
    /// Paths to files that hold a value.
    files: BTreeMap<&'static str, Written>,
    pub(super) problems: Vec<Problem>,
}

impl Layers {
    pub(super) fn problem(&mut self, place: Place, reason: impl Into<String>, help: Option<String>) {
        self.problems.push(Problem { place, reason: reason.into(), help });
    }

    /// Lays the file over what is there.
    pub(super) fn add_file(&mut self, name: &str, text: &str) {
        let mut of_file = Self::default();
        of_file.read_file(name, text);
        self.lay_over(of_file);
    }

    /// Lays the environment over what is there.
    pub(super) fn add_environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        let mut of_environment = Self::default();
        for (name, value) in variables.filter(|(_, value)| !value.is_empty()) {
            of_environment.read_variable(&name, &value);
        }
        self.lay_over(of_environment);
    }

    /// A value goes before the file that held it in an earlier layer, and the other way round; both in one layer contradict each other.
    fn lay_over(&mut self, above: Self) {
        for (path, file) in &above.files {
            if above.values.contains_key(path) {
                let reason = format!("`{path}` is given both by itself and by a file");
                self.problem(file.place.clone(), reason, Some("leave one of them out".into()));
            }
            self.values.remove(path);
        }
        for path in above.values.keys() {
            self.files.remove(path);
        }
        self.values.extend(above.values);
        self.files.extend(above.files);
        self.problems.extend(above.problems);
    }

    /// Reads the files that hold a value of a key with this prefix.
    pub(super) fn open_files(&mut self, prefix: &str) {
        for (path, Written { texts, place }) in std::mem::take(&mut self.files) {
            if !path.starts_with(prefix) {
                continue;
            }
            let file = texts.first().cloned().unwrap_or_default();
            match read_secret(Path::new(&file)) {
                Ok(text) => {
                    self.values.insert(path, Written { texts: vec![text], place });
                }
                Err(reason) => self.problem(place, format!("the file {file:?} with `{path}` can't be read: {reason}"), None),
            }
        }
    }

    fn read_file(&mut self, name: &str, text: &str) {
        let place = |span: Option<Range<usize>>| place_of(name, text, span.map_or(0, |span| span.start));
        let (table, faults) = DeTable::parse_recoverable(text);
        for fault in &faults {
            self.problem(place(fault.span()), format!("not valid TOML: {}", fault.message()), Some("see toml.io for the format".into()));
        }
        // What can't be read leaves holes that would only look like further errors.
        if faults.is_empty() {
            self.read_table(name, text, "", table.get_ref());
        }
    }

    fn read_table(&mut self, name: &str, text: &str, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
            let place = place_of(name, text, key.span().start);
            match (named(&path), value.get_ref()) {
                (None, DeValue::Table(inner)) if is_section(&path) => self.read_table(name, text, &path, inner),
                (None, _) if is_section(&path) => {
                    self.problem(place, format!("`{path}` is a section"), Some(format!("write [{path}] on a line of its own")));
                }
                (None, _) => self.unknown(place, &path, nearest(&path)),
                (Some(Named::Value(Known { path, kind: Kind::Secret })), _) => {
                    let help = format!("set the variable {}, or put the secret into a file and its path into {path}_file", variable(path));
                    self.problem(
                        place,
                        format!("`{path}` is a secret, and secrets are not taken from this file: it gets copied, shown and kept"),
                        Some(help),
                    );
                }
                (Some(named), value) => match texts_of(named, value) {
                    Ok(texts) => self.keep(named, Written { texts, place: place_of(name, text, value_start(table, key.get_ref())) }),
                    Err(reason) => self.problem(place, format!("`{path}` {reason}"), None),
                },
            }
        }
    }

    fn read_variable(&mut self, name: &str, value: &str) {
        // Other variables of ours have no section: TRIBUTARY_LOG, TRIBUTARY_DATABASE_URL.
        let Some(rest) = name.strip_prefix(VARIABLE_PREFIX).filter(|rest| rest.contains("__")) else { return };
        let path = rest.replace("__", ".").to_lowercase();
        let place = Place::Variable(name.to_owned());
        match named(&path).filter(|_| rest == rest.to_uppercase()) {
            None => self.unknown(place, &path, nearest(&path).map(|path| variable(&path))),
            Some(named) => {
                let is_list = matches!(named, Named::Value(Known { kind: Kind::List, .. }));
                let texts = if is_list { value.split(':').map(str::to_owned).collect() } else { vec![value.to_owned()] };
                self.keep(named, Written { texts, place });
            }
        }
    }

    fn keep(&mut self, named: Named, written: Written) {
        match named {
            Named::Value(known) => self.values.insert(known.path, written),
            Named::FileOf(known) => self.files.insert(known.path, written),
        };
    }

    fn unknown(&mut self, place: Place, path: &str, near: Option<String>) {
        let shown: String = path.chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect();
        let help = near.map_or_else(|| "every key is listed in config/tributary.toml".to_owned(), |near| format!("did you mean `{near}`?"));
        self.problem(place, format!("unknown key `{shown}`"), Some(help));
    }
}

fn value_start(table: &DeTable<'_>, key: &str) -> usize {
    table.get(key).map_or(0, |value| value.span().start)
}

fn texts_of(named: Named, value: &DeValue<'_>) -> Result<Vec<String>, &'static str> {
    let is_list = matches!(named, Named::Value(Known { kind: Kind::List, .. }));
    if !is_list {
        return scalar(value).map(|text| vec![text]).ok_or("must be one value: a text, a whole number, or true or false");
    }
    let elements = value.as_array().ok_or("must be a list of texts, such as [\"a\", \"b\"]")?;
    elements.iter().map(|element| scalar(element.get_ref()).ok_or("must be a list of texts")).collect()
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(integer) if integer.radix() == 10 => Some(integer.as_str().to_owned()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn place_of(name: &str, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    Place::File { name: name.to_owned(), line, column: before.get(line_start..).unwrap_or_default().chars().count() + 1 }
}

/// Reads a file that holds one secret; the end of the line belongs to the file.
fn read_secret(path: &Path) -> Result<String, String> {
    let text = read_limited(path).map_err(|error| error.to_string())?;
    let secret = text.trim_end_matches(['\n', '\r']);
    if secret.is_empty() { Err("it is empty".into()) } else { Ok(secret.to_owned()) }
}

/// Reads a text file that is not too long.
pub(super) fn read_limited(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let length = std::fs::File::open(path)?.take(LENGTH_MAX_BYTES + 1).read_to_string(&mut text)?;
    if u64::try_from(length).is_ok_and(|length| length <= LENGTH_MAX_BYTES) {
        Ok(text)
    } else {
        Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, format!("it has more than {LENGTH_MAX_BYTES} bytes")))
    }
}
