//! What a template can see: the fonts, itself, its statement, and the files beside it.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use typst::diag::{FileError, FileResult, PackageError};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};
use typst_kit::fonts::FontStore;

use crate::template::Template;
use crate::typesetter::TypesetError;

/// A file beside the template is at most this large.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What templates read their statement from.
const DATA_FILE: &str = "statement.json";

/// All that statements share. What was read once stays as it was.
pub(crate) struct Shared {
    template: Template,
    main: Source,
    data: FileId,
    library: LazyHash<Library>,
    fonts: FontStore,
    files: Mutex<HashMap<FileId, FileResult<Bytes>>>,
    sources: Mutex<HashMap<FileId, FileResult<Source>>>,
}

impl Shared {
    pub(crate) fn new(template: Template, fonts: FontStore) -> Result<Self, TypesetError> {
        let main = Source::new(file_id(&template.file_name)?, template.text.clone());
        Ok(Self {
            main,
            data: file_id(DATA_FILE)?,
            template,
            library: LazyHash::new(Library::default()),
            fonts,
            files: Mutex::default(),
            sources: Mutex::default(),
        })
    }

    /// The template's text, parsed.
    pub(crate) fn main(&self) -> &Source {
        &self.main
    }

    /// A file as the user knows it.
    pub(crate) fn shown(&self, id: FileId) -> String {
        if id == self.main.id() {
            return self.template.shown.clone();
        }
        let name = id.vpath().get_without_slash();
        self.template.directory.as_ref().map_or_else(|| name.to_owned(), |directory| directory.join(name).display().to_string())
    }

    fn read(&self, id: FileId) -> FileResult<Bytes> {
        match id.root() {
            VirtualRoot::Package(package) => {
                let why = format!("{package}: templates can't use packages; copy what you need into a file beside the template");
                Err(FileError::Package(PackageError::Other(Some(why.into()))))
            }
            VirtualRoot::Project => match &self.template.directory {
                Some(directory) => read_beside(directory, id.vpath()),
                None => Err(FileError::Other(Some("the built-in template has no files beside it".into()))),
            },
        }
    }
}

fn file_id(name: &str) -> Result<FileId, TypesetError> {
    let path = VirtualPath::new(name).map_err(|_| TypesetError::TemplateName { name: name.to_owned() })?;
    Ok(RootedPath::new(VirtualRoot::Project, path).intern())
}

fn read_beside(directory: &Path, wanted: &VirtualPath) -> FileResult<Bytes> {
    let path = wanted.realize(directory)?;
    let at = |error| FileError::from_io(error, &path);
    // A symbolic link must not lead out of the template's directory.
    let root = directory.canonicalize().map_err(at)?;
    let real = path.canonicalize().map_err(at)?;
    if !real.starts_with(&root) {
        return Err(FileError::AccessDenied);
    }
    if real.is_dir() {
        return Err(FileError::IsDirectory);
    }
    let mut bytes = Vec::new();
    File::open(&real).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(at)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        return Err(FileError::Other(Some(format!("larger than {FILE_BYTES_MAX} bytes").into())));
    }
    Ok(Bytes::new(bytes))
}

/// What the template sees while it sets one statement.
pub(crate) struct StatementWorld<'a> {
    shared: &'a Shared,
    statement: Bytes,
}

impl<'a> StatementWorld<'a> {
    pub(crate) fn new(shared: &'a Shared, statement: Vec<u8>) -> Self {
        Self { shared, statement: Bytes::new(statement) }
    }
}

impl World for StatementWorld<'_> {
    fn library(&self) -> &LazyHash<Library> {
        &self.shared.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        self.shared.fonts.book()
    }

    fn main(&self) -> FileId {
        self.shared.main.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.shared.main.id() {
            return Ok(self.shared.main.clone());
        }
        if id == self.shared.data {
            // The statement is data: never source.
            return Err(FileError::NotSource);
        }
        let mut sources = self.shared.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let parse = || {
            let text = std::str::from_utf8(&self.file(id)?)?.to_owned();
            Ok(Source::new(id, text))
        };
        sources.entry(id).or_insert_with(parse).clone()
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        if id == self.shared.data {
            return Ok(self.statement.clone());
        }
        if id == self.shared.main.id() {
            return Ok(Bytes::from_string(self.shared.main.text().to_owned()));
        }
        let mut files = self.shared.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.entry(id).or_insert_with(|| self.shared.read(id)).clone()
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.shared.fonts.font(index)
    }

    /// None: a statement made again must be the same.
    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}
