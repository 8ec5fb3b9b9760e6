//! First contact: PQXDH (docs/protocol/session.md, section 3).

mod bundle;
mod first_contact;
mod pqxdh;

pub use bundle::{RemoteBundle, ResponderKeys};
pub(super) use first_contact::FIRST_CONTACT_LEN;
pub use first_contact::{FirstContact, FirstContactIn};
pub(super) use pqxdh::{Agreed, accept, begin};
