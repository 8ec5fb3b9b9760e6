//! Where things are: the folder of a profile, its socket, the configuration file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::api::{ApiError, Code};

/// Longest profile name: it is part of a file name and of the path of a socket.
const MAX_PROFILE_NAME: usize = 64;

/// A profile's places.
///
/// | what | where |
/// |---|---|
/// | data | `$XDG_DATA_HOME/rohrpost/<profile>`, or `<data-dir>/<profile>` |
/// | configuration | `$XDG_CONFIG_HOME/rohrpost/config.toml` |
///
/// The socket of a node is where the node says: in the data folder, or where that can hold none, in a folder of the node's own
/// environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the profile.
    pub profile: String,
    /// The folder with its data.
    pub dir: PathBuf,
    /// Folders for the socket of a node of this process, where the folder with the data can hold none; the first that can is taken.
    pub elsewhere: Vec<PathBuf>,
    /// The configuration file, which need not exist; `None` where no folder for it is known.
    pub config: Option<PathBuf>,
}

impl Place {
    /// The places of a profile, from the environment of this process. `data_dir` stands for `$XDG_DATA_HOME/rohrpost`.
    ///
    /// # Errors
    /// `config` when the name cannot be one, or no folder is known.
    pub fn resolve(profile: &str, data_dir: Option<&Path>) -> Result<Self, ApiError> {
        Self::resolve_with(profile, data_dir, &|name| std::env::var_os(name))
    }

    /// The same with another environment.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn resolve_with(
        profile: &str,
        data_dir: Option<&Path>,
        env: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ApiError> {
        check_profile(profile)?;
        // The XDG specification: a path that is not absolute is to be ignored.
        let absolute = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || absolute("HOME");
        let dir = match data_dir {
            Some(dir) => std::path::absolute(dir).map_err(|e| wrong(format!("{}: {e}", dir.display())))?,
            None => absolute("XDG_DATA_HOME")
                .or_else(|| Some(home()?.join(".local/share")))
                .ok_or_else(|| {
                    wrong("no folder for the data is known: HOME is not set").with_hint("give one with `--data-dir`")
                })?
                .join("rohrpost"),
        }
        .join(profile);
        let runtime = absolute("XDG_RUNTIME_DIR").map(|path| path.join("rohrpost"));
        let own = format!("rohrpost-{}", rustix::process::geteuid().as_raw());
        let temporary = [absolute("TMPDIR"), Some("/tmp".into())].into_iter().flatten().map(|path| path.join(&own));
        let config = absolute("XDG_CONFIG_HOME")
            .or_else(|| Some(home()?.join(".config")))
            .map(|path| path.join("rohrpost/config.toml"));
        Ok(Self { profile: profile.to_owned(), dir, elsewhere: runtime.into_iter().chain(temporary).collect(), config })
    }

    /// The profile of this name in the same folder, if it can be one.
    pub(crate) fn sibling(&self, name: &str) -> Option<Self> {
        check_profile(name).ok()?;
        Some(Self { profile: name.to_owned(), dir: self.dir.with_file_name(name), ..self.clone() })
    }

    /// That there is no such profile.
    pub(crate) fn missing(&self) -> ApiError {
        ApiError::new(Code::NoProfile, format!("there is no profile '{}'", self.profile))
    }
}

fn check_profile(name: &str) -> Result<(), ApiError> {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > MAX_PROFILE_NAME || name.starts_with('.') || !name.chars().all(sound) {
        let hint = format!("a profile is named with up to {MAX_PROFILE_NAME} letters, digits, '.', '_' and '-'");
        return Err(wrong(format!("'{name}' cannot be the name of a profile")).with_hint(hint));
    }
    Ok(())
}

fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::new(Code::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &Path)]) -> impl Fn(&str) -> Option<OsString> + use<> {
        let pairs: Vec<(String, OsString)> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
        move |name| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn places_follow_the_xdg_variables() {
        let runtime = tempfile::tempdir().unwrap();
        let env = env(&[
            ("HOME", Path::new("/home/a")),
            ("XDG_DATA_HOME", Path::new("/data")),
            ("XDG_CONFIG_HOME", Path::new("/config")),
            ("XDG_RUNTIME_DIR", runtime.path()),
        ]);
        let place = Place::resolve_with("default", None, &env).unwrap();
        assert_eq!(&place.dir, Path::new("/data/rohrpost/default"));
        assert_eq!(place.elsewhere[0], runtime.path().join("rohrpost"));
        assert_eq!(place.config.as_deref(), Some(Path::new("/config/rohrpost/config.toml")));
    }

    #[test]
    fn without_them_it_is_the_home_and_the_data_folder() {
        let env = env(&[
            ("HOME", Path::new("/home/a")),
            ("XDG_DATA_HOME", Path::new("relative/is/ignored")),
            ("XDG_RUNTIME_DIR", Path::new("/does/not/exist")),
        ]);
        let place = Place::resolve_with("work", None, &env).unwrap();
        assert_eq!(&place.dir, Path::new("/home/a/.local/share/rohrpost/work"));
        let own = format!("/tmp/rohrpost-{}", rustix::process::geteuid().as_raw());
        assert_eq!(place.elsewhere, [Path::new("/does/not/exist/rohrpost"), Path::new(&own)]);
        assert_eq!(place.config.as_deref(), Some(Path::new("/home/a/.config/rohrpost/config.toml")));
    }

    #[test]
    fn an_explicit_folder_stands_for_all_of_them() {
        let env = env(&[("XDG_DATA_HOME", Path::new("/data"))]);
        let place = Place::resolve_with("a", Some(Path::new("/x")), &env).unwrap();
        assert_eq!(place.dir.as_path(), Path::new("/x/a"));
        let here = Place::resolve_with("a", Some(Path::new("x")), &env).unwrap();
        assert!(here.dir.is_absolute() && here.dir.ends_with("x/a"));
    }

    #[test]
    fn without_any_folder_it_says_so() {
        assert!(Place::resolve_with("a", None, &|_| None).unwrap_err().is(Code::Config));
    }

    #[test]
    fn a_profile_name_cannot_lead_elsewhere() {
        for name in ["", ".", "..", ".hidden", "a/b", "a\0", "ä", "a b", &"x".repeat(65)] {
            assert!(Place::resolve_with(name, Some(Path::new("/x")), &|_| None).is_err(), "{name:?}");
        }
        for name in ["default", "a.b-c_d", "7", &"x".repeat(64)] {
            assert!(Place::resolve_with(name, Some(Path::new("/x")), &|_| None).is_ok(), "{name:?}");
        }
    }
}
