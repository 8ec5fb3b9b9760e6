//! What a node is to do: flags beat environment variables, these beat the configuration file.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::place::Place;
use crate::api::{ApiError, Code};
use crate::base::PeerId;

/// Reads an environment variable; an argument, so that tests have one of their own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What crossed the boundary between network and node: an encoded envelope, as a wiretap would see it inside Noise.
#[derive(Clone, Copy, Debug)]
pub struct Tap<'a> {
    /// From us to the peer.
    pub outbound: bool,
    /// The other side.
    pub peer: PeerId,
    /// The envelope.
    pub bytes: &'a [u8],
}

/// Is shown every envelope.
pub type Tapping = Arc<dyn Fn(Tap<'_>) + Send + Sync>;

/// Options of a node; what is `None` is looked up in the environment and the configuration file.
#[derive(Clone, Default)]
pub struct RunOptions {
    /// Multiaddresses to listen on; an empty list: none.
    pub listen: Option<Vec<String>>,
    /// Multiaddresses with `/p2p/<peer-id>` of peers to connect to at the start.
    pub bootstrap: Option<Vec<String>>,
    /// Whether to find peers in the local network, and be found.
    pub mdns: Option<bool>,
    /// Whether to ask the router for a port. Nothing does so as yet; accepted, so that scripts can already say no.
    pub upnp: Option<bool>,
    /// Is shown every envelope.
    pub tap: Option<Tapping>,
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("listen", &self.listen)
            .field("bootstrap", &self.bootstrap)
            .field("mdns", &self.mdns)
            .field("upnp", &self.upnp)
            .field("tap", &self.tap.is_some())
            .finish()
    }
}

/// The configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: Option<Vec<String>>,
    bootstrap: Option<Vec<String>>,
    mdns: Option<bool>,
    upnp: Option<bool>,
}

/// What a node is to do, decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `None`: the defaults of the network.
    pub(crate) listen: Option<Vec<String>>,
    pub(crate) bootstrap: Vec<String>,
    pub(crate) mdns: bool,
}

impl RunOptions {
    /// Decides what holds.
    ///
    /// # Errors
    /// `config` when the file or a variable is not understood.
    pub(crate) fn settle(&self, place: &Place, env: Environment<'_>) -> Result<Settings, ApiError> {
        let file = read_file(place)?;
        let list = |name: &str| {
            env(name).map(|text| {
                text.split([',', ' ']).filter(|item| !item.is_empty()).map(str::to_owned).collect::<Vec<_>>()
            })
        };
        let mdns = match self.mdns {
            Some(mdns) => Some(mdns),
            None => env("ROHRPOST_MDNS").map(|text| switch("ROHRPOST_MDNS", &text)).transpose()?,
        };
        Ok(Settings {
            listen: self.listen.clone().or_else(|| list("ROHRPOST_LISTEN")).or(file.listen),
            bootstrap: self
                .bootstrap
                .clone()
                .or_else(|| list("ROHRPOST_BOOTSTRAP"))
                .or(file.bootstrap)
                .unwrap_or_default(),
            mdns: mdns.or(file.mdns).unwrap_or(true),
        })
    }
}

fn read_file(place: &Place) -> Result<File, ApiError> {
    let Some(path) = place.config() else { return Ok(File::default()) };
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|e| {
            ApiError::new(Code::Config, format!("{}: {}", path.display(), e.to_string().trim_end())).with_hint(
                "it may say `listen`, `bootstrap` (lists of multiaddresses), `mdns` and `upnp` (true or false)",
            )
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(File::default()),
        Err(e) => Err(ApiError::new(Code::Config, format!("{}: {e}", path.display()))),
    }
}

fn switch(name: &str, text: &str) -> Result<bool, ApiError> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(ApiError::new(Code::Config, format!("{name} is '{text}', and should be true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(config: &str) -> (tempfile::TempDir, Place) {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join(".config/rohrpost")).unwrap();
        std::fs::write(home.path().join(".config/rohrpost/config.toml"), config).unwrap();
        let path = home.path().as_os_str().to_owned();
        let place = Place::resolve_with("a", None, &|name| (name == "HOME").then(|| path.clone())).unwrap();
        (home, place)
    }

    #[test]
    fn flags_beat_environment_beats_file() {
        let (_home, place) = place("listen = ['/file']\nbootstrap = ['/file']\nmdns = false");
        let settings = RunOptions::default().settle(&place, &|_| None).unwrap();
        assert_eq!(settings.listen, Some(vec!["/file".to_owned()]));
        assert_eq!((settings.bootstrap, settings.mdns), (vec!["/file".to_owned()], false));

        let env = |name: &str| match name {
            "ROHRPOST_LISTEN" => Some("/env/1, /env/2".to_owned()),
            "ROHRPOST_MDNS" => Some("yes".to_owned()),
            _ => None,
        };
        let settings = RunOptions::default().settle(&place, &env).unwrap();
        assert_eq!(settings.listen, Some(vec!["/env/1".to_owned(), "/env/2".to_owned()]));
        assert!(settings.mdns);

        let options = RunOptions { listen: Some(Vec::new()), mdns: Some(false), ..RunOptions::default() };
        let settings = options.settle(&place, &env).unwrap();
        assert_eq!((settings.listen, settings.mdns), (Some(Vec::new()), false));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let (_home, place) = place("lisen = ['/x']");
        let error = RunOptions::default().settle(&place, &|_| None).unwrap_err();
        assert!(error.is(Code::Config) && error.message.contains("listen"), "{error:?}");
        let (_home, place) = self::place("");
        let error = RunOptions::default().settle(&place, &|_| Some("perhaps".into())).unwrap_err();
        assert!(error.message.contains("perhaps"), "{error:?}");
    }
}
