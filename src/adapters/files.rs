//! Files that people hand in, kept by their content: the SHA-256 of the bytes is where they lie, and their names are never paths.

pub mod kind;

use std::path::{Path, PathBuf};

use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions};
use sha2::{Digest as _, Sha256};

/// The largest file.
pub const BYTES_MAX: u64 = 20 << 20;

/// Why files can't be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The address is none that is served.
    #[error("files.url = {0:?} is no place that files can be kept in; write file:DIRECTORY")]
    Url(String),
    /// The directory can't be made or opened.
    #[error("{}: the directory of files can't be used", .directory.display())]
    Directory {
        /// Which.
        directory: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store failed.
    #[error("the store of files failed")]
    Store(#[from] object_store::Error),
    /// Text that is no digest.
    #[error("{0:?} is no digest of a file, like sha256:9f86d0…")]
    Digest(String),
    /// What lies there is something else.
    #[error("the file {0} is not what it was when it was handed in; restore it from a backup")]
    Changed(String),
}

/// Where files are kept.
#[derive(Debug)]
pub struct Files {
    store: LocalFileSystem,
}

impl Files {
    /// Opens the store at `file:DIRECTORY` or `file:///DIRECTORY`; the directory is made when missing.
    ///
    /// # Errors
    /// [`FilesError::Url`], [`FilesError::Directory`].
    pub fn open(url: &str) -> Result<Self, FilesError> {
        let path = url.strip_prefix("file:").ok_or_else(|| FilesError::Url(url.chars().take(200).collect()))?;
        let directory = Path::new(path.strip_prefix("//").unwrap_or(path)).to_owned();
        if directory.as_os_str().is_empty() {
            return Err(FilesError::Url(url.to_owned()));
        }
        std::fs::create_dir_all(&directory).map_err(|source| FilesError::Directory { directory: directory.clone(), source })?;
        Ok(Self { store: LocalFileSystem::new_with_prefix(&directory)?.with_fsync(true) })
    }

    /// Keeps bytes; their digest, `sha256:…`. When this returns, they are on the disk.
    ///
    /// # Idempotency
    /// The content: the same bytes are kept once.
    ///
    /// # Errors
    /// [`FilesError::Store`], [`FilesError::Changed`].
    pub async fn keep(&self, bytes: Vec<u8>) -> Result<String, FilesError> {
        let digest = digest(&bytes);
        let put = self.store.put_opts(&location(&digest)?, bytes.into(), PutOptions::from(PutMode::Create)).await;
        match put {
            Ok(_) => Ok(digest),
            Err(object_store::Error::AlreadyExists { .. }) => self.find(&digest).await.map(|_| digest),
            Err(error) => Err(error.into()),
        }
    }

    /// The bytes of a digest, checked against it.
    ///
    /// # Errors
    /// [`FilesError::Digest`], [`FilesError::Store`], [`FilesError::Changed`].
    pub async fn find(&self, sha256: &str) -> Result<Vec<u8>, FilesError> {
        let bytes = self.store.get(&location(sha256)?).await?.bytes().await?;
        if digest(&bytes) == sha256 { Ok(bytes.into()) } else { Err(FilesError::Changed(sha256.to_owned())) }
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn location(sha256: &str) -> Result<Location, FilesError> {
    let hex = sha256.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let hex = hex.ok_or_else(|| FilesError::Digest(sha256.chars().take(80).collect()))?;
    Ok(Location::from_iter(["sha256", hex.get(..2).unwrap_or_default(), hex]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_are_kept_once_by_their_content() {
        let directory = tempfile::tempdir().expect("a directory");
        let files = Files::open(&format!("file:{}", directory.path().join("proofs").display())).expect("a store");
        let first = files.keep(b"%PDF-1.7 hello".to_vec()).await.expect("kept");
        assert_eq!(first, files.keep(b"%PDF-1.7 hello".to_vec()).await.expect("kept again"));
        assert_eq!(files.find(&first).await.expect("found"), b"%PDF-1.7 hello");
        assert!(matches!(files.find("../../etc/passwd").await, Err(FilesError::Digest(_))));
        let hex = first.trim_start_matches("sha256:");
        let path = directory.path().join("proofs/sha256").join(&hex[..2]).join(hex);
        std::fs::write(&path, "something else").expect("a file can be written");
        assert!(matches!(files.find(&first).await, Err(FilesError::Changed(_))));
        assert!(matches!(files.keep(b"%PDF-1.7 hello".to_vec()).await, Err(FilesError::Changed(_))));
    }

    #[test]
    fn only_directories_are_served() {
        for url in ["s3://bucket", "files", "file:", "https://example.com/"] {
            assert!(matches!(Files::open(url), Err(FilesError::Url(_))), "{url}");
        }
    }
}
