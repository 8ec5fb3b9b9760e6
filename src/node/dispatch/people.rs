//! Calls about requests, contacts and who may write.

use futures::future::BoxFuture;
use serde_json::Value;

use super::{Answering, Dispatcher, Meant, value, whom, whom_among, whom_exactly};
use crate::api::{
    AddContact, ApiError, Call, Code, Contact, Found, HeldMessage, PolicyState, RenameParams, RequestDetail, Resolved,
    SetContact, VerifyParams, Who,
};
use crate::base::PeerId;
use crate::messenger::query::{self, Scope};
use crate::messenger::{Answer, Command};
use crate::node::clock::Clock;
use crate::node::core::Submitted;
use crate::node::errors;

impl Dispatcher {
    /// Calls about others, and who may write.
    pub(super) async fn about_people(&self, call: Call) -> Result<Value, ApiError> {
        match call {
            Call::RequestsList(_) => {
                value(self.core.read(|reader, _| Ok(query::requests(reader, Clock::wall())?)).await)
            }
            Call::RequestsShow(who) => value(self.request(who).await),
            Call::RequestsAccept(who) => {
                let asking = self.found(Scope::Requests, who).await?;
                value(contact_now(self.core.submit(Command::AcceptRequest(asking.peer_id)).await).await)
            }
            Call::RequestsDecline(who) => value(self.change_peer(Scope::Requests, who, Command::DeclineRequest).await),
            Call::RequestsBlock(who) => value(self.block_request(who).await),
            Call::PolicyShow(_) => value(self.policy().await),
            Call::PolicySet(params) => {
                self.core.command(Command::SetPolicy(params.policy)).await?;
                value(self.policy().await)
            }
            Call::ContactsList(_) => value(self.core.read(|reader, me| Ok(query::contacts(reader, me)?)).await),
            Call::ContactsAdd(AddContact { who, name }) => {
                value(self.contact_after(who, |meant| adding(meant, name)).await)
            }
            Call::ContactsShow(who) => value(self.contact(who.who).await),
            Call::ContactsRename(params) => value(self.rename_contact(params).await),
            Call::ContactsVerify(params) => value(self.verify_contact(params).await),
            Call::ContactsSet(SetContact { who, quota }) => {
                value(self.contact_after(who, |meant| Command::SetQuota { peer: meant.peer, bytes: quota }).await)
            }
            Call::ContactsBlock(who) => value(self.change_peer(Scope::People, who, Command::Block).await),
            Call::ContactsUnblock(who) => value(self.change_peer(Scope::People, who, Command::Unblock).await),
            Call::ContactsRemove(who) => value(self.change_peer(Scope::People, who, Command::RemoveContact).await),
            call => Err(errors::internal(format!("nobody answers {}", call.name()))),
        }
    }

    /// Whom something means of these, and whether they ask; by a whole peer ID or a link anybody may be meant.
    pub(super) async fn found(&self, scope: Scope, who: Who) -> Result<Found, ApiError> {
        self.core
            .read(move |reader, me| {
                let peer_id = whom_among(reader, me, scope, &who.who)?.peer;
                let (name, given) = (query::name(reader, &peer_id)?, query::is_named(reader, &peer_id)?);
                Ok(Found { peer_id, name, given, asks: query::asks(reader, &peer_id)? })
            })
            .await
    }

    pub(super) async fn resolve(&self, who: Who) -> Result<Resolved, ApiError> {
        self.found(Scope::People, who).await.map(Resolved::from)
    }

    async fn rename_contact(&self, params: RenameParams) -> Result<Contact, ApiError> {
        let RenameParams { who, name, theirs } = params;
        let renaming = |peer| match (name, theirs) {
            (Some(name), false) => Ok(Command::RenameContact { peer, name }),
            (None, true) => Ok(Command::TakeName(peer)),
            _ => Err(ApiError::new(Code::InvalidParams, "either a name or theirs, and not both")),
        };
        let meant = self.core.read(move |reader, me| whom(reader, me, &who)).await?;
        contact_now(self.core.submit(renaming(meant.peer)?).await).await
    }

    async fn request(&self, who: Who) -> Result<RequestDetail, ApiError> {
        self.core
            .read(move |reader, me| {
                let peer = whom_among(reader, me, Scope::Requests, &who.who)?.peer;
                let (request, texts) = query::request(reader, &peer, Clock::wall())?.ok_or_else(no_request)?;
                let texts = texts.into_iter().map(|text| HeldMessage { text }).collect();
                Ok(RequestDetail { request, texts })
            })
            .await
    }

    /// Only who asks can be blocked here, so that a typing error blocks nobody else.
    async fn block_request(&self, who: Who) -> Result<Resolved, ApiError> {
        let asking = self.found(Scope::Requests, who).await?;
        if !asking.asks {
            return Err(no_request());
        }
        self.core.command(Command::Block(asking.peer_id)).await?;
        Ok(asking.into())
    }

    async fn policy(&self) -> Result<PolicyState, ApiError> {
        self.core.read(|reader, _| Ok(PolicyState { policy: query::policy(reader)? })).await
    }

    async fn contact(&self, who: String) -> Result<Contact, ApiError> {
        self.core
            .read(move |reader, me| {
                let found = query::contact(reader, me, &whom(reader, me, &who)?.peer)?;
                found.ok_or_else(|| ApiError::new(Code::NotAContact, "this peer is not a contact"))
            })
            .await
    }

    async fn verify_contact(&self, params: VerifyParams) -> Result<Contact, ApiError> {
        match (params.number, params.clear) {
            (None, false) => self.contact(params.who).await,
            (Some(_), true) => Err(ApiError::new(Code::InvalidParams, "either a number or clear, not both")),
            (number, _) => {
                self.contact_after(params.who, |meant| Command::VerifyContact { peer: meant.peer, number }).await
            }
        }
    }

    /// The contact as a command leaves it.
    async fn contact_after(&self, who: String, command: impl FnOnce(Meant) -> Command) -> Result<Contact, ApiError> {
        let meant = self.core.read(move |reader, me| whom(reader, me, &who)).await?;
        contact_now(self.core.submit(command(meant)).await).await
    }

    /// What accepts or adds somebody for whom nothing must be looked up.
    pub(super) fn at_once(call: &Call) -> Option<Command> {
        let meant = |who: &str| whom_exactly(who).ok().flatten();
        match call {
            Call::RequestsAccept(who) => Some(Command::AcceptRequest(meant(&who.who)?.peer)),
            Call::ContactsAdd(params) => Some(adding(meant(&params.who)?, params.name.clone())),
            _ => None,
        }
    }

    /// Hands in what makes a contact of somebody.
    pub(super) async fn begin_contact(&self, command: Command) -> BoxFuture<'static, Result<Answering, ApiError>> {
        let submitted = self.core.submit(command).await;
        Box::pin(async move { value(contact_now(submitted).await).map(Answering::Now) })
    }

    /// The name is looked up first: afterwards the peer may have none any more.
    async fn change_peer(
        &self,
        scope: Scope,
        who: Who,
        command: impl FnOnce(PeerId) -> Command,
    ) -> Result<Resolved, ApiError> {
        let meant = self.found(scope, who).await?;
        self.core.command(command(meant.peer_id)).await?;
        Ok(meant.into())
    }
}

fn adding(meant: Meant, name: Option<String>) -> Command {
    Command::AddContact { peer: meant.peer, name, hints: meant.hints }
}

async fn contact_now(submitted: Submitted) -> Result<Contact, ApiError> {
    match submitted.outcome().await? {
        Answer::Contact(contact) => Ok(*contact),
        _ => Err(errors::internal("the messenger did not say what the contact is now")),
    }
}

fn no_request() -> ApiError {
    ApiError::new(Code::NoRequest, "there is no pending request from this peer")
}
