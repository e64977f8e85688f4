use std::path::{Path, PathBuf};

use crate::TownError;

/// Where the built binaries are.
#[derive(Debug, Clone)]
pub struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// The folder this very program was built into, or its parent for a test.
    ///
    /// # Errors
    /// [`TownError::NotBuilt`] where `sabird` or `sabir` is missing there.
    pub fn beside_this() -> Result<Self, TownError> {
        Self::in_folder(&own_folder()?)
    }

    /// As [`Binaries::beside_this`], where nobody asks for the client.
    ///
    /// # Errors
    /// [`TownError::NotBuilt`] where `sabird` is missing there.
    pub fn provider_beside_this() -> Result<Self, TownError> {
        let binaries = Self {
            folder: own_folder()?,
        };
        if binaries.sabird().is_file() {
            Ok(binaries)
        } else {
            Err(TownError::NotBuilt(binaries.sabird()))
        }
    }

    /// The binaries in a folder.
    ///
    /// # Errors
    /// [`TownError::NotBuilt`].
    pub fn in_folder(folder: &Path) -> Result<Self, TownError> {
        let binaries = Self {
            folder: folder.to_owned(),
        };
        for path in [binaries.sabird(), binaries.sabir()] {
            if !path.is_file() {
                return Err(TownError::NotBuilt(path));
            }
        }
        Ok(binaries)
    }

    /// The provider.
    #[must_use]
    pub fn sabird(&self) -> PathBuf {
        self.folder.join("sabird")
    }

    /// The client.
    #[must_use]
    pub fn sabir(&self) -> PathBuf {
        self.folder.join("sabir")
    }
}

fn own_folder() -> Result<PathBuf, TownError> {
    let this = std::env::current_exe().map_err(TownError::io("finding this program"))?;
    let folder = this.parent().unwrap_or(Path::new("."));
    let folder = if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    Ok(folder.to_owned())
}
