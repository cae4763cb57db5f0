//! Where archives are: a folder, an S3-compatible store, or Azure's. Each is the operator's own, named by a setting or a flag
//! and never by a project, so it is spoken to directly, as the mail server is, and not through egress.

use std::{fmt, fs::DirBuilder, os::unix::fs::DirBuilderExt as _, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::{
    ObjectStore, ObjectStoreExt as _, aws::AmazonS3Builder, azure::MicrosoftAzureBuilder, local::LocalFileSystem,
    path::Path,
};
use url::Url;

use crate::{error::ArchiveError, manifest::Manifest};

const MANIFEST: &str = "manifest.json";
/// Bytes of an object that is read: more than any that was written.
const OBJECT_BYTES_MAX: u64 = 1 << 30;
/// Who may look into a folder that an export makes.
const FOLDER_MODE: u32 = 0o700;

/// A place for an archive, or for many. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Store {
    /// The place of this name: `s3://bucket/prefix`, `az://container/prefix`, `file:///folder`, or the path of a folder. What
    /// else a store needs is in the environment, under the names that its own tools use: `AWS_…`, `AZURE_…`.
    ///
    /// # Errors
    /// The name cannot be read, holds credentials, or lacks what the store needs.
    pub fn open(place: &str) -> Result<Self, ArchiveError> {
        if !place.contains("://") {
            return Self::folder(place);
        }
        let url: Url = place.parse().map_err(|error| ArchiveError::Place(format!("{place:?} is no URL: {error}")))?;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            let text = "credentials belong into the environment (AWS_…, AZURE_…), not into the URL of the store";
            return Err(ArchiveError::Place(text.into()));
        }
        match url.scheme() {
            "file" => {
                let folder =
                    url.to_file_path().map_err(|()| ArchiveError::Place(format!("{url} is no folder here")))?;
                Self::folder(&folder.to_string_lossy())
            }
            "s3" => Self::s3(AmazonS3Builder::from_env(), &url),
            "az" => Self::azure(MicrosoftAzureBuilder::from_env(), &url),
            other => {
                let text = format!("{other}: is not known; a folder, s3://bucket/prefix or az://container/prefix is");
                Err(ArchiveError::Place(text))
            }
        }
    }

    /// The same for an S3-compatible store, with options by name (`endpoint`, `region`, …) instead of the environment.
    ///
    /// # Errors
    /// The name cannot be read, an option is unknown, or one is missing.
    pub fn open_s3(
        place: &str,
        options: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self, ArchiveError> {
        let url: Url = place.parse().map_err(|error| ArchiveError::Place(format!("{place:?} is no URL: {error}")))?;
        let mut builder = AmazonS3Builder::new();
        for (name, value) in options {
            builder = builder.with_config(name.parse()?, value);
        }
        Self::s3(builder, &url)
    }

    /// The same for Azure Blob Storage, with options by name (`account_name`, `access_key`, …) instead of the environment.
    ///
    /// # Errors
    /// As of [`Self::open_s3`].
    pub fn open_azure(
        place: &str,
        options: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self, ArchiveError> {
        let url: Url = place.parse().map_err(|error| ArchiveError::Place(format!("{place:?} is no URL: {error}")))?;
        let mut builder = MicrosoftAzureBuilder::new();
        for (name, value) in options {
            builder = builder.with_config(name.parse()?, value);
        }
        Self::azure(builder, &url)
    }

    fn s3(builder: AmazonS3Builder, url: &Url) -> Result<Self, ArchiveError> {
        Ok(Self { objects: Arc::new(builder.with_url(url.as_str()).build()?), prefix: prefix(url)? })
    }

    fn azure(builder: MicrosoftAzureBuilder, url: &Url) -> Result<Self, ArchiveError> {
        Ok(Self { objects: Arc::new(builder.with_url(url.as_str()).build()?), prefix: prefix(url)? })
    }

    /// A folder, which is made for its owner alone where it is missing.
    fn folder(path: &str) -> Result<Self, ArchiveError> {
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(path)
            .map_err(|error| ArchiveError::Place(format!("the folder {path} cannot be made: {error}")))?;
        let objects = LocalFileSystem::new_with_prefix(path)?.with_fsync(true).with_automatic_cleanup(true);
        Ok(Self { objects: Arc::new(objects), prefix: Path::default() })
    }

    /// The place of this name within this one.
    #[must_use]
    pub fn within(&self, name: &str) -> Self {
        Self { objects: Arc::clone(&self.objects), prefix: self.prefix.clone().join(name) }
    }

    /// The names of the places within this one.
    ///
    /// # Errors
    /// The store fails.
    pub async fn places(&self) -> Result<Vec<String>, ArchiveError> {
        let listed = self.objects.list_with_delimiter(Some(&self.prefix)).await?;
        Ok(listed.common_prefixes.iter().filter_map(|path| path.filename().map(ToString::to_string)).collect())
    }

    /// The archive's manifest, or `None`.
    ///
    /// # Errors
    /// The store fails, or it cannot be read.
    pub async fn manifest(&self) -> Result<Option<Manifest>, ArchiveError> {
        match self.get(MANIFEST).await {
            Ok(text) => Manifest::read(&text).map(Some),
            Err(ArchiveError::Store(object_store::Error::NotFound { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the archive's manifest anew.
    ///
    /// # Errors
    /// The store fails.
    pub(crate) async fn put_manifest(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        let text = serde_json::to_vec_pretty(manifest).map_err(|error| ArchiveError::Manifest(error.to_string()))?;
        self.put(MANIFEST, text.into()).await
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// The store fails.
    pub(crate) async fn put(&self, name: &str, bytes: Bytes) -> Result<(), ArchiveError> {
        self.objects.put(&self.prefix.clone().join(name), bytes.into()).await?;
        Ok(())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The store fails, the file is not there, or larger than any of ours.
    pub(crate) async fn get(&self, name: &str) -> Result<Bytes, ArchiveError> {
        let got = self.objects.get(&self.prefix.clone().join(name)).await?;
        if got.meta.size > OBJECT_BYTES_MAX {
            return Err(ArchiveError::TooLarge(name.into()));
        }
        Ok(got.bytes().await?)
    }

    /// Removes the archive: its manifest first, so that what is left after a failure is no archive.
    ///
    /// # Errors
    /// The store fails; what is left can be removed by the same call.
    pub(crate) async fn remove(&self) -> Result<(), ArchiveError> {
        match self.objects.delete(&self.prefix.clone().join(MANIFEST)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let files: Vec<_> = self.objects.list(Some(&self.prefix)).map_ok(|meta| meta.location).try_collect().await?;
        for file in files {
            self.objects.delete(&file).await?;
        }
        Ok(())
    }
}

fn prefix(url: &Url) -> Result<Path, ArchiveError> {
    Path::from_url_path(url.path()).map_err(|error| ArchiveError::Place(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_without_credentials() {
        for (place, part) in [
            ("s3://key:secret@bucket/x", "belong into the environment"),
            ("az://container/x?sig=secret", "belong into the environment"),
            ("gs://bucket/x", "is not known"),
            ("s3://", "Generic"),
        ] {
            let error = Store::open(place).unwrap_err();
            let text = format!("{error} {:?}", std::error::Error::source(&error));
            assert!(text.contains(part), "{place}: {text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
