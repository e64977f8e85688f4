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
        let this = std::env::current_exe().map_err(TownError::io("finding this program"))?;
        let folder = this.parent().unwrap_or(Path::new("."));
        let folder = if folder.ends_with("deps") {
            folder.parent().unwrap_or(folder)
        } else {
            folder
        };
        Self::in_folder(folder)
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
