//! Contacts, blocks, the own profile: commands that change rows and no conversation.

use crate::base::PeerId;
use crate::base::event::EventKind;
use crate::base::words::{Policy, RequestEnd};
use crate::identity::{IdentityKey, RequestToken, safety_number};
use crate::store::Rows;

use super::command::{Answer, Command, Hints, Refusal};
use super::names::{check_name, given_name};
use super::query;
use super::tables::{PeerRow, Peers, peer_key};
use super::tx::{Step, Tx};

impl Tx<'_> {
    /// Carries out a command of the user.
    pub(super) fn command(&mut self, command: Command) -> Step<Answer> {
        match command {
            Command::SetName { name } => self.set_name(&name),
            Command::RotateToken => self.rotate_token(),
            Command::Send(command) => self.send(command),
            Command::Cancel(message) => self.cancel(&message),
            Command::Read { peer, upto } => self.read(peer, upto),
            Command::DeleteConversation(peer) => self.delete_conversation(peer),
            Command::AcceptRequest(peer) => self.accept(peer),
            Command::DeclineRequest(peer) => self.decline(peer),
            Command::AddContact { peer, name, hints } => self.add_contact(peer, name, &hints),
            Command::RenameContact { peer, name } => self.rename_contact(&peer, &name),
            Command::TakeName(peer) => self.take_name(&peer),
            Command::VerifyContact { peer, number } => self.verify_contact(&peer, number.as_deref()),
            Command::SetQuota { peer, bytes } => self.set_quota(&peer, bytes),
            Command::Block(peer) => self.block(peer),
            Command::Unblock(peer) => self.unblock(&peer),
            Command::RemoveContact(peer) => self.remove_contact(&peer),
            Command::SetPolicy(policy) => self.set_policy(policy),
            Command::SetMailService(service) => self.set_mail_service(&service),
            Command::UseMailbox { peer, addrs } => self.use_mailbox(peer, &addrs),
            Command::DropMailbox(peer) => self.drop_mailbox(peer),
            Command::ConfirmClock => {
                self.mem.clock.confirm();
                Ok(Answer::Done)
            }
            Command::Nothing => Ok(Answer::Done),
        }
    }

    fn set_name(&mut self, name: &str) -> Step<Answer> {
        check_name("the name", name)?;
        let mut row = self.profile()?;
        row.name = name.trim().to_owned();
        self.put_profile(&row)?;
        self.tell_profile()?;
        Ok(Answer::Done)
    }

    /// Tells connected contacts what changed of ourselves; the others learn it with the next message
    /// or when they connect.
    pub(super) fn tell_profile(&mut self) -> Step {
        let connected: Vec<PeerId> = self.mem.links.iter().filter(|(_, l)| l.connected).map(|(p, _)| *p).collect();
        for peer in connected {
            if let Some(mut row) = self.peer(&peer)?
                && self.send_profile(&mut row)?
            {
                self.put_peer(&row)?;
            }
        }
        Ok(())
    }

    fn rotate_token(&mut self) -> Step<Answer> {
        let mut row = self.profile()?;
        row.token = RequestToken::random(&mut *self.rng);
        self.put_profile(&row)?;
        self.mem.mail.look = true;
        Ok(Answer::Done)
    }

    fn set_policy(&mut self, policy: Policy) -> Step<Answer> {
        let mut row = self.profile()?;
        if row.policy != policy {
            row.policy = policy;
            self.reissue_card(&mut row)?;
            self.put_profile(&row)?;
        }
        Ok(Answer::Done)
    }

    fn add_contact(&mut self, peer: PeerId, name: Option<String>, hints: &Hints) -> Step<Answer> {
        let name = given_name(&name.unwrap_or_default())?;
        if self.request(&peer)?.is_some() {
            // Adding whoever asks is accepting.
            self.accept(peer)?;
            if !name.is_empty() {
                return self.rename_contact(&peer, &name);
            }
            return self.contact_answer(&peer);
        }
        let mut row = self.known_or_new(peer)?;
        if row.blocked {
            return Err(Refusal::Blocked.into());
        }
        self.apply_hints(&mut row, hints)?;
        let new = self.welcome(&mut row, name.clone())?;
        if !new
            && !name.is_empty()
            && let Some(contact) = &mut row.contact
        {
            contact.own_name = name;
        }
        self.put_peer(&row)?;
        if new {
            self.event(EventKind::ContactAdded { peer_id: peer });
        }
        self.contact_answer(&peer)
    }

    pub(super) fn contact_answer(&self, peer: &PeerId) -> Step<Answer> {
        let view = query::contact(&*self.buf, self.my_id(), peer)?.ok_or(Refusal::NotAContact)?;
        Ok(Answer::Contact(Box::new(view)))
    }

    pub(super) fn contact_row(&self, peer: &PeerId) -> Step<PeerRow> {
        Ok(self.peer(peer)?.filter(|row| row.contact.is_some()).ok_or(Refusal::NotAContact)?)
    }

    /// Whoever's row does not open can be blocked and removed all the same: it is left behind. Whether it was so.
    fn leave_unreadable(&mut self, peer: &PeerId) -> Step<bool> {
        let key = peer_key(peer);
        let is_lost = self.buf.contains::<Peers>(&key)? && self.buf.get_sound::<Peers>(&key)?.is_none();
        if is_lost {
            self.buf.delete::<Peers>(&key);
        }
        Ok(is_lost)
    }

    fn rename_contact(&mut self, peer: &PeerId, name: &str) -> Step<Answer> {
        let name = given_name(name)?;
        let mut row = self.contact_row(peer)?;
        if let Some(contact) = &mut row.contact {
            contact.own_name = name;
        }
        self.put_peer(&row)?;
        self.contact_answer(peer)
    }

    fn take_name(&mut self, peer: &PeerId) -> Step<Answer> {
        let mut row = self.contact_row(peer)?;
        row.known_as.clone_from(&row.announced_name);
        row.is_name_taken = false;
        if let Some(contact) = &mut row.contact {
            contact.own_name.clear();
        }
        self.put_peer(&row)?;
        self.contact_answer(peer)
    }

    fn verify_contact(&mut self, peer: &PeerId, number: Option<&str>) -> Step<Answer> {
        let mut row = self.contact_row(peer)?;
        let verified = match number {
            None => false,
            Some(number) => {
                let theirs = IdentityKey::from_peer_id(*peer).map_err(|_| Refusal::UnsoundPeer)?;
                let expected = safety_number(self.me.public(), &theirs);
                if !expected.matches(number).map_err(|_| Refusal::MalformedNumber)? {
                    return Err(Refusal::WrongNumber.into());
                }
                true
            }
        };
        if let Some(contact) = &mut row.contact {
            contact.verified = verified;
        }
        self.put_peer(&row)?;
        self.contact_answer(peer)
    }

    fn block(&mut self, peer: PeerId) -> Step<Answer> {
        self.leave_unreadable(&peer)?;
        let mut row = self.known_or_new(peer)?;
        if let Some(request) = self.close_request(&peer, RequestEnd::Blocked)?
            && !request.name.is_empty()
        {
            row.announced_name = request.name;
        }
        row.blocked = true;
        self.void_token(&mut row)?;
        self.put_peer(&row)?;
        self.estrange(peer)?;
        // What is on its way is not recalled; nothing more is sent.
        self.leave_stream(peer)?;
        Ok(Answer::Done)
    }

    fn unblock(&mut self, peer: &PeerId) -> Step<Answer> {
        let mut row = self.peer(peer)?.filter(|row| row.blocked).ok_or(Refusal::NotAContact)?;
        row.blocked = false;
        // The name is kept with the conversation.
        if row.contact.is_none()
            && row.declined_until.is_none()
            && row.known_as.is_empty()
            && row.unaccepted_sent.is_empty()
        {
            self.buf.delete::<Peers>(&peer_key(peer));
        } else {
            if row.contact.is_some() {
                self.befriend(peer);
            }
            self.put_peer(&row)?;
            self.try_now(*peer);
        }
        Ok(Answer::Done)
    }

    fn remove_contact(&mut self, peer: &PeerId) -> Step<Answer> {
        if self.leave_unreadable(peer)? {
            self.estrange(*peer)?;
            return Ok(Answer::Done);
        }
        let mut row = self.contact_row(peer)?;
        row.contact = None;
        row.accepted = false;
        self.void_token(&mut row)?;
        self.mem.contacts = self.mem.contacts.saturating_sub(1);
        self.put_peer(&row)?;
        self.estrange(row.peer)?;
        Ok(Answer::Done)
    }
}

#[cfg(test)]
mod tests;
