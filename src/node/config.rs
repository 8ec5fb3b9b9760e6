//! What a node is to do: flags beat environment variables, these beat the configuration file.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::addresses;
use super::place::Place;
use crate::api::{ApiError, Code};
use crate::base::PeerId;
use crate::base::words::MailService;
use crate::net::check_listen;

/// Is shown every encoded envelope that is sent, as a wiretap would see it inside Noise.
pub type Tapping = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// Options of a node, and what the configuration file says; what is `None` is looked up in the environment and that file.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunOptions {
    /// Multiaddresses to listen on; an empty list: none.
    pub listen: Option<Vec<String>>,
    /// Multiaddresses with `/p2p/<peer-id>` of peers to connect to at the start.
    pub bootstrap: Option<Vec<String>>,
    /// Whether to find peers in the local network, and be found.
    pub mdns: Option<bool>,
    /// Whether to ask the router for a port.
    pub upnp: Option<bool>,
    /// For whom to keep a mailbox: `open`, `contacts`, `off`, or some: names as wherever somebody is meant, and peer IDs.
    #[serde(deserialize_with = "words")]
    pub serve_mailbox: Option<Vec<String>>,
    /// Whether to be a relay for others.
    pub serve_relay: Option<bool>,
    /// Whether the addresses it listens on can be reached by everybody; otherwise that is found out.
    pub public: Option<bool>,
    /// Where to serve figures, `HOST:PORT` or `PORT`.
    pub metrics: Option<String>,
    /// It is there for one command only: nothing is served to others.
    #[serde(skip)]
    pub brief: bool,
    /// Is shown every envelope that is sent.
    #[serde(skip)]
    pub tap: Option<Tapping>,
}

/// One word, or a list of them.
fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        One(String),
        Many(Vec<String>),
    }
    Ok(Some(match Words::deserialize(from)? {
        Words::One(word) => vec![word],
        Words::Many(words) => words,
    }))
}

/// What a node is to do, decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `None`: the defaults of the network.
    pub(crate) listen: Option<Vec<String>>,
    /// Peers, and where each is.
    pub(crate) bootstrap: Vec<(PeerId, Vec<String>)>,
    pub(crate) mdns: bool,
    pub(crate) upnp: bool,
    pub(crate) serve_mailbox: Keeps,
    pub(crate) serve_relay: bool,
    pub(crate) public: Option<bool>,
    pub(crate) metrics: Option<SocketAddr>,
    /// It lives for one delivery, and can do without a socket.
    pub(crate) brief: bool,
}

/// For whom a mailbox is to be kept, before names are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// For nobody.
    Off,
    /// For everybody.
    Open,
    /// For the contacts.
    Contacts,
    /// For these, as they were written.
    These(Vec<String>),
}

impl Keeps {
    /// `open`, `contacts`, `off`, or some.
    fn read(words: Vec<String>) -> Self {
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] | ["off"] => Self::Off,
            ["open"] => Self::Open,
            ["contacts"] => Self::Contacts,
            _ => Self::These(words),
        }
    }

    /// With everybody known.
    ///
    /// # Errors
    /// `not_found` or `ambiguous` for one who is not.
    pub(crate) fn known(self, whom: impl Fn(&str) -> Result<PeerId, ApiError>) -> Result<MailService, ApiError> {
        let known = |who: &String| whom(who).map_err(|error| unknown_owner(error, who));
        Ok(match self {
            Self::Off => MailService::Off,
            Self::Open => MailService::Open,
            Self::Contacts => MailService::Contacts,
            Self::These(some) => MailService::Listed(some.iter().map(known).collect::<Result<_, _>>()?),
        })
    }
}

fn unknown_owner(mut error: ApiError, who: &str) -> ApiError {
    error.message = format!("no mailbox can be kept for '{who}': {}", error.message);
    match error.is(Code::NotFound) {
        true => error.with_hint(
            "name a contact as `rohrpost contacts` shows it, or give a peer ID; `serve_mailbox` alone can be open, \
             contacts or off",
        ),
        false => error,
    }
}

impl RunOptions {
    /// Whether what was given can be meant: before a passphrase is asked, or anything opened.
    ///
    /// # Errors
    /// `config`, `bad_link`.
    pub fn check(&self) -> Result<(), ApiError> {
        self.listen.iter().flatten().try_for_each(|addr| check_listen(addr))?;
        addresses::by_peer(self.bootstrap.as_deref().unwrap_or_default())?;
        self.metrics.as_deref().map_or(Ok(()), |text| metrics_at(text).map(drop))
    }

    /// Decides what holds in the environment of this process.
    ///
    /// # Errors
    /// As [`Self::check`], and `config` when the file or a variable is not understood.
    pub(crate) fn settled(&self, place: &Place) -> Result<Settings, ApiError> {
        self.settle(place, &|name| std::env::var(name).ok())
    }

    /// The same in another environment.
    fn settle(&self, place: &Place, env: &dyn Fn(&str) -> Option<String>) -> Result<Settings, ApiError> {
        let file = read_file(place)?;
        // An empty variable is an unset one.
        let env = |name: &str| env(name).filter(|text| !text.trim().is_empty());
        let list = |name: &str| {
            env(name).map(|text| {
                text.split([',', ' ']).filter(|item| !item.is_empty()).map(str::to_owned).collect::<Vec<_>>()
            })
        };
        let flag = |given: Option<bool>, name: &str, in_file: Option<bool>| match (given, env(name)) {
            (Some(given), _) => Ok(Some(given)),
            (None, Some(text)) => switch(name, &text).map(Some),
            (None, None) => Ok(in_file),
        };
        let given = self.serve_mailbox.clone().or_else(|| list("ROHRPOST_SERVE_MAILBOX")).or(file.serve_mailbox);
        let metrics = self.metrics.clone().or_else(|| env("ROHRPOST_METRICS")).or(file.metrics);
        let bootstrap = self.bootstrap.clone().or_else(|| list("ROHRPOST_BOOTSTRAP")).or(file.bootstrap);
        let listen = self.listen.clone().or_else(|| list("ROHRPOST_LISTEN")).or(file.listen);
        listen.iter().flatten().try_for_each(|addr| check_listen(addr))?;
        let serves = !self.brief;
        Ok(Settings {
            listen,
            bootstrap: addresses::by_peer(&bootstrap.unwrap_or_default())?,
            mdns: flag(self.mdns, "ROHRPOST_MDNS", file.mdns)?.unwrap_or(true),
            upnp: flag(self.upnp, "ROHRPOST_UPNP", file.upnp)?.unwrap_or(true) && serves,
            serve_mailbox: if serves { Keeps::read(given.unwrap_or_default()) } else { Keeps::Off },
            serve_relay: flag(self.serve_relay, "ROHRPOST_SERVE_RELAY", file.serve_relay)?.unwrap_or(false) && serves,
            public: flag(self.public, "ROHRPOST_PUBLIC", file.public)?,
            metrics: metrics.filter(|_| serves).map(|text| metrics_at(&text)).transpose()?,
            brief: self.brief,
        })
    }
}

/// What a node is told, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name in the configuration file.
    pub setting: &'static str,
    /// What is in force, in words.
    pub value: String,
    /// Where that comes from.
    #[serde(flatten)]
    pub from: From,
}

/// Who says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "from", content = "where", rename_all = "snake_case")]
pub enum From {
    /// Nobody says anything else.
    Default,
    /// This variable.
    Environment(&'static str),
    /// The configuration file.
    File(PathBuf),
}

impl RunOptions {
    /// What is in force where nothing is given at the start.
    ///
    /// # Errors
    /// `config`, when the file or a variable is not understood.
    pub fn in_force(place: &Place) -> Result<Vec<Setting>, ApiError> {
        Self::listed(place, &|name| std::env::var(name).ok())
    }

    /// The same in another environment.
    fn listed(place: &Place, env: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Setting>, ApiError> {
        Self::default().settle(place, env)?;
        let file = read_file(place)?;
        let list = |list: Option<Vec<String>>| list.map(|list| list.join(" "));
        let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string());
        let all = [
            ("listen", "ROHRPOST_LISTEN", list(file.listen), "every interface, at the ports of last time"),
            ("bootstrap", "ROHRPOST_BOOTSTRAP", list(file.bootstrap), "nobody"),
            ("mdns", "ROHRPOST_MDNS", flag(file.mdns), "true"),
            ("upnp", "ROHRPOST_UPNP", flag(file.upnp), "true"),
            ("public", "ROHRPOST_PUBLIC", flag(file.public), "as is found out"),
            ("serve_mailbox", "ROHRPOST_SERVE_MAILBOX", list(file.serve_mailbox), "off"),
            ("serve_relay", "ROHRPOST_SERVE_RELAY", flag(file.serve_relay), "false"),
            ("metrics", "ROHRPOST_METRICS", file.metrics, "off"),
        ];
        let setting = |(setting, variable, in_file, default): (_, _, Option<String>, &str)| {
            let in_env = env(variable).filter(|text| !text.trim().is_empty());
            let (value, from) = match (in_env, in_file, &place.config) {
                (Some(value), ..) => (value, From::Environment(variable)),
                (None, Some(value), Some(path)) => (value, From::File(path.clone())),
                (None, ..) => (default.to_owned(), From::Default),
            };
            Setting { setting, value, from }
        };
        Ok(all.into_iter().map(setting).collect())
    }
}

fn read_file(place: &Place) -> Result<RunOptions, ApiError> {
    let Some(path) = &place.config else { return Ok(RunOptions::default()) };
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|e| {
            // In one line, as every error is told.
            let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let message = e.message().replace('\n', "; ");
            ApiError::new(Code::Config, format!("{}, line {line}: {message}", path.display())).with_hint(
                "it may say `listen`, `bootstrap` (lists of multiaddresses), `mdns`, `upnp`, `serve_relay`, `public` (true or \
                 false), `serve_mailbox` (\"open\", \"contacts\" or a list of names and peer IDs) and `metrics` (\"HOST:PORT\")",
            )
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(RunOptions::default()),
        Err(e) => Err(ApiError::new(Code::Config, format!("{}: {e}", path.display()))),
    }
}

/// Where to serve figures. They tell how busy a node is: without a host nobody but this machine is told.
fn metrics_at(text: &str) -> Result<SocketAddr, ApiError> {
    let port = text.parse().ok().map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    port.or_else(|| text.parse().ok()).ok_or_else(|| {
        ApiError::new(Code::Config, format!("'{text}' is no place to serve figures at"))
            .with_hint("give a port, or an IP address and a port, as in 127.0.0.1:9464")
    })
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
        const FAR: &str = "/ip4/192.0.2.1/tcp/1/p2p/12D3KooWDwTirQce1RRKnasT5fPVFgzXCy6SiRgSwrwPGLC7zE91";
        let (_home, place) = place(&format!("listen = ['/ip4/127.0.0.1/tcp/1']\nbootstrap = ['{FAR}']\nmdns = false"));
        let settings = RunOptions::default().settle(&place, &|_| None).unwrap();
        assert_eq!(settings.listen, Some(vec!["/ip4/127.0.0.1/tcp/1".to_owned()]));
        assert_eq!((settings.bootstrap, settings.mdns), (addresses::by_peer(&[FAR.to_owned()]).unwrap(), false));

        let env = |name: &str| match name {
            "ROHRPOST_LISTEN" => Some("/ip4/127.0.0.1/tcp/2, /ip4/127.0.0.1/tcp/3".to_owned()),
            "ROHRPOST_MDNS" => Some("yes".to_owned()),
            // An empty variable is an unset one.
            "ROHRPOST_UPNP" | "ROHRPOST_METRICS" | "ROHRPOST_BOOTSTRAP" => Some(String::new()),
            _ => None,
        };
        let settings = RunOptions::default().settle(&place, &env).unwrap();
        assert_eq!(settings.listen, Some(vec!["/ip4/127.0.0.1/tcp/2".to_owned(), "/ip4/127.0.0.1/tcp/3".to_owned()]));
        assert!(settings.mdns && settings.upnp && settings.metrics.is_none());
        assert_eq!(settings.bootstrap.len(), 1);

        let options = RunOptions { listen: Some(Vec::new()), mdns: Some(false), ..RunOptions::default() };
        let settings = options.settle(&place, &env).unwrap();
        assert_eq!((settings.listen, settings.mdns), (Some(Vec::new()), false));
    }

    #[test]
    fn what_is_served_to_others() {
        let one = PeerId::from_key_bytes([7; 32]);
        let (_home, place) = place(&format!("serve_mailbox = ['{one}']\nserve_relay = true\nmetrics = '9464'"));
        let settings = RunOptions::default().settle(&place, &|_| None).unwrap();
        assert_eq!(settings.serve_mailbox, Keeps::These(vec![one.to_string()]));
        assert_eq!((settings.serve_relay, settings.metrics), (true, Some("127.0.0.1:9464".parse().unwrap())));
        let brief = RunOptions { brief: true, ..RunOptions::default() }.settle(&place, &|_| None).unwrap();
        assert_eq!((brief.serve_mailbox, brief.serve_relay, brief.metrics), (Keeps::Off, false, None));

        let env = |name: &str| (name == "ROHRPOST_SERVE_MAILBOX").then(|| "contacts".to_owned());
        let settings = RunOptions::default().settle(&place, &env).unwrap();
        assert_eq!(settings.serve_mailbox, Keeps::Contacts);
        let options = RunOptions { serve_mailbox: Some(vec!["open".to_owned()]), ..RunOptions::default() };
        assert_eq!(options.settle(&place, &env).unwrap().serve_mailbox, Keeps::Open);
        let env = |name: &str| (name == "ROHRPOST_SERVE_MAILBOX").then(|| "off".to_owned());
        assert_eq!(RunOptions::default().settle(&place, &env).unwrap().serve_mailbox, Keeps::Off);

        for bad in ["serve_mailbox = 7", "metrics = 'localhost'", "metrics = '70000'"] {
            let (_home, place) = self::place(bad);
            let error = RunOptions::default().settle(&place, &|_| None).unwrap_err();
            assert!(error.is(Code::Config) && error.hint.is_some(), "{bad}: {error:?}");
        }
    }

    /// Whatever a node can be told stands in the list, and says where it comes from.
    #[test]
    fn what_is_in_force_is_told() {
        let (_home, place) = place("listen = ['/ip4/127.0.0.1/tcp/1']\nmdns = false\nupnp = true");
        let env = |name: &str| match name {
            "ROHRPOST_UPNP" => Some("no".to_owned()),
            "ROHRPOST_MDNS" => Some(" ".to_owned()),
            _ => None,
        };
        let all = RunOptions::listed(&place, &env).unwrap();
        let find = |name: &str| all.iter().find(|one| one.setting == name).map(|one| (one.value.as_str(), &one.from));
        let of_file = From::File(place.config.clone().unwrap());
        assert_eq!(find("listen"), Some(("/ip4/127.0.0.1/tcp/1", &of_file)));
        assert_eq!(find("mdns"), Some(("false", &of_file)));
        assert_eq!(find("upnp"), Some(("no", &From::Environment("ROHRPOST_UPNP"))));
        assert_eq!(find("serve_relay"), Some(("false", &From::Default)));
        // The error of an unknown name lists all that there are.
        let error = toml::from_str::<RunOptions>("nothing = 1").err().unwrap().to_string();
        let known: Vec<_> = error.split('`').skip(3).step_by(2).collect();
        assert!(known.len() > 7 && known.iter().all(|name| find(name).is_some()), "{error}");
        assert_eq!(all.len(), known.len());
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
    #[test]
    fn whose_mailbox_is_kept_is_known_by_name() {
        let one = PeerId::from_key_bytes([7; 32]);
        let whom = |who: &str| match who {
            "bob" => Ok(one),
            "some" => Err(ApiError::new(Code::Ambiguous, "more than one").with_hint("say more")),
            who => who.parse().map_err(|_| ApiError::new(Code::NotFound, "nobody is known as that")),
        };
        let known = |words: &[&str]| Keeps::read(words.iter().map(|word| (*word).to_owned()).collect()).known(whom);
        let (other, both) = (PeerId::from_key_bytes([8; 32]), [one, PeerId::from_key_bytes([8; 32])]);
        assert_eq!(known(&["bob", &other.to_string()]), Ok(MailService::Listed(both.into())));
        for (word, service) in
            [("open", MailService::Open), ("contacts", MailService::Contacts), ("off", MailService::Off)]
        {
            assert_eq!(known(&[word]), Ok(service));
        }
        let nobody = known(&["bob", "open"]).unwrap_err();
        assert!(nobody.is(Code::NotFound) && nobody.message.contains("'open'"), "{nobody:?}");
        assert_eq!(known(&["some"]).unwrap_err().hint.as_deref(), Some("say more"));
    }
}
