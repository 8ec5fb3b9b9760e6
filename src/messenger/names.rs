//! Names: what may be one, which we give, and under which name of his own a contact is shown.

use crate::base::event::EventKind;
use crate::base::limits;
use crate::base::names::{folded, oddity};
use crate::content::Item;

use super::command::Refusal;
use super::query;
use super::tables::PeerRow;
use super::tx::{Step, Tx};

impl Tx<'_> {
    /// A contact calls himself so. He is shown under the name that he had when he was accepted; one who had none, under the
    /// first that he tells: for that, once, all names are looked through. Who takes his name away keeps what he told.
    pub(super) fn note_own_name(&mut self, row: &mut PeerRow, said: Option<&str>) -> Step {
        let Some(name) = said.filter(|name| is_seen(name) && *name != row.announced_name) else { return Ok(()) };
        let before = std::mem::replace(&mut row.announced_name, name.to_owned());
        if before.is_empty() && row.known_as.is_empty() {
            row.known_as.clone_from(&row.announced_name);
            row.is_name_taken = !query::is_free(&*self.buf, &row.known_as)?;
        } else {
            self.event(EventKind::ContactRenamed { peer_id: row.peer });
        }
        Ok(())
    }
}

/// The name that somebody gives himself in a capsule: the last that is one and can be seen, so that a capsule tells of one change.
pub(super) fn told_name(items: &[Item]) -> Option<&str> {
    let mut names = items.iter().filter_map(|item| match item {
        Item::Introduction(said) => said.name.as_deref(),
        Item::Profile(profile) => Some(profile.name.as_str()),
        _ => None,
    });
    names.rfind(|name| is_seen(name))
}

/// Whether this can be shown as a name.
fn is_seen(name: &str) -> bool {
    check_name("the name", name).is_ok() && !folded(name).is_empty()
}

/// Takes over a name that somebody gives himself, if it is one.
pub(super) fn note_name(known: &mut String, said: Option<&str>) {
    if let Some(name) = said.filter(|name| check_name("the name", name).is_ok()) {
        name.clone_into(known);
    }
}

/// A name that we give, without blanks around it; refused when it could be taken for something else.
pub(super) fn given_name(name: &str) -> Result<String, Refusal> {
    let name = name.trim();
    check_name("the name", name)?;
    oddity(name).map_or_else(|| Ok(name.to_owned()), |why| Err(Refusal::OddName(why)))
}

/// Refuses what is longer than the bound.
pub(super) fn check_length(what: &'static str, got: usize, max: usize, unit: &'static str) -> Result<(), Refusal> {
    if got > max { Err(Refusal::TooLong { what, got, max, unit }) } else { Ok(()) }
}

/// Refuses a name or subject that is too long or has control characters.
pub(super) fn check_name(what: &'static str, name: &str) -> Result<(), Refusal> {
    check_length(what, name.chars().count(), limits::MAX_NAME_CHARS, "characters")?;
    if name.chars().any(char::is_control) {
        return Err(Refusal::ControlCharacters(what));
    }
    Ok(())
}
