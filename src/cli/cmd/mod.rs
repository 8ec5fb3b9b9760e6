//! The verbs, one in each file: its arguments, what it asks the client, and what it prints.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod contacts;
pub(crate) mod conversation;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod history;
pub(crate) mod id;
pub(crate) mod inbox;
pub(crate) mod init;
pub(crate) mod listen;
pub(crate) mod mailbox;
pub(crate) mod man;
pub(crate) mod openrpc;
pub(crate) mod peers;
pub(crate) mod policy;
pub(crate) mod profiles;
pub(crate) mod read;
pub(crate) mod recover;
pub(crate) mod reply;
pub(crate) mod requests;
pub(crate) mod rpc;
pub(crate) mod run;
pub(crate) mod send;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod version;

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts count columns: the guide names them.
    #[test]
    fn the_guide_tells_the_columns_of_every_list() {
        let guide = include_str!("../../../docs/guide.md");
        let lists: [(&str, &[&str]); 9] = [
            ("inbox", &inbox::TITLES),
            ("history", &history::TITLES),
            ("requests", &requests::TITLES),
            ("contacts", &contacts::TITLES),
            ("mailbox", &mailbox::TITLES),
            ("mailbox list --find", &mailbox::FOUND),
            ("peers", &peers::TITLES),
            ("profiles", &profiles::TITLES),
            ("config", &config::TITLES),
        ];
        for (command, titles) in lists {
            // The column without a title says which way the last message went.
            let names = titles.iter().map(|title| if title.is_empty() { "direction" } else { title }.to_lowercase());
            let row = format!("| `{command}` | {} |\n", names.collect::<Vec<_>>().join(", "));
            assert!(guide.contains(&row), "the guide lacks: {row}");
        }
    }
}
