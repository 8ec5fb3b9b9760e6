//! Calls about requests, contacts and who may write.

use futures::future::BoxFuture;
use serde_json::Value;

use super::{Answering, Dispatcher, Meant, value, whom, whom_exactly};
use crate::api::{
    AddContact, ApiError, Call, Code, Contact, HeldMessage, PolicyParams, PolicyState, RenameParams, Request,
    RequestDetail, Resolved, VerifyParams, Who,
};
use crate::base::PeerId;
use crate::messenger::query;
use crate::messenger::{Answer, Command};
use crate::node::core::Submitted;
use crate::node::{errors, views};

impl Dispatcher {
    /// Calls about others, and who may write.
    pub(super) async fn about_people(&self, call: Call) -> Result<Value, ApiError> {
        match call {
            Call::RequestsList(_) => value(self.requests().await),
            Call::RequestsShow(who) => value(self.request(who).await),
            Call::RequestsAccept(who) => value(self.accept(who).await),
            Call::RequestsDecline(who) => value(self.decline(who).await),
            Call::RequestsBlock(who) => value(self.block_request(who).await),
            Call::PolicyShow(_) => value(self.policy().await),
            Call::PolicySet(params) => value(self.set_policy(params).await),
            Call::ContactsList(_) => value(self.contacts().await),
            Call::ContactsAdd(params) => value(self.add_contact(params).await),
            Call::ContactsShow(who) => value(self.contact(who).await),
            Call::ContactsRename(params) => value(self.rename_contact(params).await),
            Call::ContactsVerify(params) => value(self.verify_contact(params).await),
            Call::ContactsBlock(who) => value(self.change_contact(who, Command::Block).await),
            Call::ContactsUnblock(who) => value(self.change_contact(who, Command::Unblock).await),
            Call::ContactsRemove(who) => value(self.change_contact(who, Command::RemoveContact).await),
            call => Err(errors::internal(format!("nobody answers {}", call.name()))),
        }
    }

    async fn whom(&self, who: String) -> Result<Meant, ApiError> {
        self.core.read(move |reader, _| whom(reader, &who)).await
    }

    pub(super) async fn resolve(&self, who: Who) -> Result<Resolved, ApiError> {
        self.core
            .read(move |reader, me| {
                let peer_id = whom(reader, &who.who)?.peer;
                let name = views::Names::new(reader, me).of(&peer_id)?;
                Ok(Resolved { peer_id, name })
            })
            .await
    }

    async fn requests(&self) -> Result<Vec<Request>, ApiError> {
        self.core
            .read(|reader, _| {
                let found = query::requests(reader)?;
                Ok(found.into_iter().map(views::request).collect())
            })
            .await
    }

    async fn request(&self, who: Who) -> Result<RequestDetail, ApiError> {
        self.core
            .read(move |reader, _| {
                let peer = whom(reader, &who.who)?.peer;
                let found = query::request(reader, &peer)?;
                let (request, texts) = found.ok_or_else(no_request)?;
                let texts = texts.into_iter().map(|text| HeldMessage { text }).collect();
                Ok(RequestDetail { request: views::request(request), texts })
            })
            .await
    }

    async fn accept(&self, who: Who) -> Result<Contact, ApiError> {
        let peer = self.whom(who.who).await?.peer;
        self.contact_command(Command::AcceptRequest(peer)).await
    }

    async fn decline(&self, who: Who) -> Result<Resolved, ApiError> {
        let asking = self.resolve(who).await?;
        self.core.command(Command::DeclineRequest(asking.peer_id)).await?;
        Ok(asking)
    }

    /// Only who asks can be blocked here, so that a typing error blocks nobody else.
    async fn block_request(&self, who: Who) -> Result<Resolved, ApiError> {
        let asking = self.resolve(who).await?;
        let peer = asking.peer_id;
        let pending = self.core.read(move |reader, _| query::request(reader, &peer).map_err(ApiError::from));
        if pending.await?.is_none() {
            return Err(no_request());
        }
        self.core.command(Command::Block(peer)).await?;
        Ok(asking)
    }

    async fn policy(&self) -> Result<PolicyState, ApiError> {
        self.core
            .read(|reader, _| {
                let policy = query::policy(reader)?;
                Ok(PolicyState { policy })
            })
            .await
    }

    async fn set_policy(&self, params: PolicyParams) -> Result<PolicyState, ApiError> {
        self.core.command(Command::SetPolicy(params.policy)).await?;
        self.policy().await
    }

    async fn contacts(&self) -> Result<Vec<Contact>, ApiError> {
        self.core
            .read(|reader, me| {
                let found = query::contacts(reader, me)?;
                Ok(found.into_iter().map(views::contact).collect())
            })
            .await
    }

    async fn contact(&self, who: Who) -> Result<Contact, ApiError> {
        let peer = self.whom(who.who).await?.peer;
        self.contact_of(peer).await
    }

    async fn contact_of(&self, peer: PeerId) -> Result<Contact, ApiError> {
        self.core
            .read(move |reader, me| {
                let found = query::contact(reader, me, &peer)?;
                found.map(views::contact).ok_or_else(|| ApiError::new(Code::NotAContact, "this peer is not a contact"))
            })
            .await
    }

    async fn add_contact(&self, params: AddContact) -> Result<Contact, ApiError> {
        let meant = self.whom(params.who).await?;
        self.contact_command(adding(meant, params.name)).await
    }

    async fn rename_contact(&self, params: RenameParams) -> Result<Contact, ApiError> {
        let peer = self.whom(params.who).await?.peer;
        self.contact_command(Command::RenameContact { peer, name: params.name }).await
    }

    async fn verify_contact(&self, params: VerifyParams) -> Result<Contact, ApiError> {
        let peer = self.whom(params.who).await?.peer;
        match (params.number, params.clear) {
            (None, false) => self.contact_of(peer).await,
            (None, true) => self.contact_command(Command::VerifyContact { peer, number: None }).await,
            (number @ Some(_), false) => self.contact_command(Command::VerifyContact { peer, number }).await,
            (Some(_), true) => Err(ApiError::new(Code::InvalidParams, "either a number or clear, not both")),
        }
    }

    async fn contact_command(&self, command: Command) -> Result<Contact, ApiError> {
        contact_now(self.core.submit(command).await).await
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
    async fn change_contact(&self, who: Who, command: impl FnOnce(PeerId) -> Command) -> Result<Resolved, ApiError> {
        let meant = self.resolve(who).await?;
        self.core.command(command(meant.peer_id)).await?;
        Ok(meant)
    }
}

fn adding(meant: Meant, name: Option<String>) -> Command {
    Command::AddContact { peer: meant.peer, name, hints: meant.hints }
}

async fn contact_now(submitted: Submitted) -> Result<Contact, ApiError> {
    match submitted.outcome().await? {
        Answer::Contact(contact) => Ok(views::contact(*contact)),
        _ => Err(errors::internal("the messenger did not say what the contact is now")),
    }
}

fn no_request() -> ApiError {
    ApiError::new(Code::NoRequest, "there is no pending request from this peer")
}
