//! Reads fields of Stripe's objects; what is not as Stripe writes it is told by its path.

use serde_json::{Map, Value as Json};

/// An object and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Object<'a> {
    fields: &'a Map<String, Json>,
    /// `data.object.`, or nothing.
    path: String,
}

impl<'a> Object<'a> {
    pub(super) fn of(fields: &'a Map<String, Json>, path: impl Into<String>) -> Self {
        Self { fields, path: path.into() }
    }

    /// A field that is there and not null.
    fn field(&self, name: &str) -> Option<&'a Json> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    fn wrong<T>(&self, name: &str, what: &str) -> Result<T, String> {
        Err(format!("`{}{name}` is not {what}", self.path))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// Whether it says by null that there is none.
    pub(super) fn is_null(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(Json::is_null)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, String> {
        match self.field(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => self.wrong(name, "text"),
        }
    }

    pub(super) fn needed(&self, name: &str) -> Result<&'a str, String> {
        self.text(name)?.map_or_else(|| self.wrong(name, "there"), Ok)
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, String> {
        match self.field(name) {
            None => Ok(false),
            Some(Json::Bool(flag)) => Ok(*flag),
            Some(_) => self.wrong(name, "true or false"),
        }
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, String> {
        match self.field(name) {
            None => Ok(None),
            Some(value) => value.as_i64().map_or_else(|| self.wrong(name, "a whole number"), |number| Ok(Some(number))),
        }
    }

    pub(super) fn amount(&self, name: &str) -> Result<i64, String> {
        self.number(name)?.map_or_else(|| self.wrong(name, "there"), Ok)
    }

    /// An instant in seconds since 1970, of this era: what is beyond would not be written as a date.
    pub(super) fn seconds(&self, name: &str) -> Result<i64, String> {
        let seconds = self.amount(name)?;
        if (0..253_402_300_800).contains(&seconds) { Ok(seconds) } else { self.wrong(name, "an instant before the year 10000") }
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, String> {
        match self.field(name) {
            None => Ok(None),
            Some(Json::Object(fields)) => Ok(Some(Self::of(fields, format!("{}{name}.", self.path)))),
            Some(_) => self.wrong(name, "an object"),
        }
    }

    /// The id of what a field names, whether it is expanded or not.
    pub(super) fn id_of(&self, name: &str) -> Result<Option<&'a str>, String> {
        match self.field(name) {
            Some(Json::Object(fields)) => Self::of(fields, format!("{}{name}.", self.path)).text("id"),
            _ => self.text(name),
        }
    }

    /// What a field names, where it is expanded.
    pub(super) fn expanded(&self, name: &str) -> Result<Option<Self>, String> {
        if matches!(self.field(name), Some(Json::Object(_))) { self.object(name) } else { Ok(None) }
    }

    /// The objects of an array.
    pub(super) fn array(&self, name: &str) -> Result<Vec<Self>, String> {
        match self.field(name) {
            None => Ok(Vec::new()),
            Some(Json::Array(all)) => all
                .iter()
                .enumerate()
                .map(|(index, value)| {
                    let of = |fields| Ok(Self::of(fields, format!("{}{name}[{index}].", self.path)));
                    value.as_object().map_or_else(|| self.wrong(&format!("{name}[{index}]"), "an object"), of)
                })
                .collect(),
            Some(_) => self.wrong(name, "an array"),
        }
    }

    /// The objects of a list, and whether there are more that are not told.
    pub(super) fn list(&self, name: &str) -> Result<Option<(Vec<Self>, bool)>, String> {
        let Some(list) = self.object(name)? else { return Ok(None) };
        Ok(Some((list.array("data")?, list.flag("has_more")?)))
    }

    /// What its metadata say under a key; empty says nothing.
    pub(super) fn metadata(&self, key: &str) -> Result<Option<&'a str>, String> {
        self.object("metadata")?.map_or(Ok(None), |metadata| metadata.text(key))
    }
}
