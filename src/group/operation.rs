//! Operations: the signed records from which it follows who belongs to a group (GRP-1 to GRP-6).
//!
//! ```text
//! body = { 0: 1, 1: group, 2: author, 3: [* parent], 4: under / null, 5: kind, 6: [* argument], 7: time }
//! ```

use std::ops::Deref;

use super::consent::Consent;
use super::fault::Fault;
use crate::base::cbor::{CborError, Reader, Writer};
use crate::base::limits::{
    GROUP_LIMIT, MAX_NAME_CHARS, MAX_OPERATION, MAX_OPERATION_DEPTH, MAX_SEATS, MIN_GROUP_LIMIT,
};
use crate::base::{CryptoRng, GroupId, OperationId, PeerId};
use crate::crypto::hash::sha256;
use crate::identity::{Frame, IdentityKey, IdentityKeypair, RecordError, sign_record};

/// The label under which an operation is signed (GRP-2).
pub(super) const LABEL: &str = "rohrpost/group/operation/v1";
/// Before the body whose hash is the ID, `0x00` between (GRP-3).
const ID: &[u8] = b"rohrpost/group/operation-id/v1";
/// Fields of the body: keys 0 to 7.
const FIELDS: usize = 8;
/// The version, the first pair of the body.
const VERSION: u8 = 1;

/// What somebody is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// 1: he adds and removes.
    Admin,
    /// Any other number.
    Member,
}

impl Role {
    const fn from_code(code: u64) -> Self {
        if code == 1 { Self::Admin } else { Self::Member }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Admin => 1,
            Self::Member => 0,
        }
    }
}

/// Why somebody may be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// He agreed.
    Consent(Consent),
    /// The standing that he has: to make a member an admin.
    Base(OperationId),
}

impl Ground {
    /// The operation that it names.
    pub const fn names(&self) -> OperationId {
        match self {
            Self::Consent(consent) => consent.seen,
            Self::Base(base) => *base,
        }
    }
}

/// What a `set` sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// 0: nothing, the operation only joins others; or what this version gives no meaning to (GRP-5).
    Nothing,
    /// 1: the name, 1 to 64 characters.
    Name(String),
    /// 2: the limit, 2 to 250.
    Limit(u16),
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// 1: the group begins; the author is its first admin.
    Create {
        /// Its name; empty: what it says is no name.
        name: String,
        /// Beyond it nobody is added; [`GROUP_LIMIT`] where what it says is no limit.
        limit: u16,
    },
    /// 2: a standing, this person in this role.
    Add {
        /// Who.
        person: PeerId,
        /// As what.
        role: Role,
        /// Why he may be added.
        ground: Ground,
    },
    /// 3: his membership ends.
    Remove {
        /// Whose.
        person: PeerId,
        /// Of his messages those up to this counter count.
        upto: u64,
    },
    /// 4: his office ends, he stays.
    Demote {
        /// Whose.
        person: PeerId,
    },
    /// 5: the author goes.
    Leave {
        /// Of his messages those up to this counter count.
        upto: u64,
    },
    /// 6: a setting of the group.
    Set(Setting),
    /// Of a kind that this version does not know: it changes nothing.
    Other(u64),
}

/// What an operation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The group; of a create 32 random bytes, as its own ID is the group's ([`Operation::group_id`]).
    pub group: GroupId,
    /// The heads of what its author knew, ascending.
    pub parents: Vec<OperationId>,
    /// The standing in which the author acts, a create or an add; none of a create.
    pub under: Option<OperationId>,
    /// What it does.
    pub act: Act,
    /// When it was made, in seconds since 1970 by the author's clock: shown, and never used.
    pub time: u64,
}

impl Content {
    /// The beginning of a group.
    pub fn create(rng: &mut dyn CryptoRng, name: &str, limit: u16, time: u64) -> Self {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let act = Act::Create { name: name.to_owned(), limit };
        Self { group: GroupId::new(seed), parents: Vec::new(), under: None, act, time }
    }

    /// Signs and encodes: deterministic CBOR of at most `MAX_OPERATION` bytes if it has at most 8 parents. They are brought
    /// into their order; a name and a limit that are none are left out (GRP-5).
    pub fn sign(mut self, author: &IdentityKeypair) -> Operation {
        self.parents.sort_unstable();
        self.parents.dedup();
        self.act = self.act.bounded();
        let body = self.encode_body(author.peer_id());
        let record = sign_record(author, LABEL, &body);
        Operation::new(id(&body), author.peer_id(), self, record)
    }

    fn encode_body(&self, author: PeerId) -> Vec<u8> {
        let mut body = Writer::new();
        body.map(FIELDS).put(0u8).put(VERSION).put(1u8).bytes(self.group.as_bytes());
        body.put(2u8).bytes(author.key_bytes()).put(3u8).array(self.parents.len());
        for parent in &self.parents {
            body.bytes(parent.as_bytes());
        }
        body.put(4u8).bytes_or_null(self.under.as_ref().map(|id| &id.as_bytes()[..])).put(5u8);
        self.act.encode(&mut body);
        body.put(7u8).put(self.time);
        body.into_bytes()
    }
}

impl Act {
    /// With what has a meaning alone.
    fn bounded(self) -> Self {
        match self {
            Self::Create { name, limit } => Self::Create {
                name: if is_name(&name) { name } else { String::new() },
                limit: if is_limit(limit) { limit } else { GROUP_LIMIT },
            },
            Self::Set(Setting::Name(name)) if !is_name(&name) => Self::Set(Setting::Nothing),
            Self::Set(Setting::Limit(limit)) if !is_limit(limit) => Self::Set(Setting::Nothing),
            other => other,
        }
    }

    /// The kind, and under key 6 the arguments.
    fn encode(&self, body: &mut Writer) {
        match self {
            Self::Create { name, limit } => body.put(1u8).put(6u8).array(2).put(name.as_str()).put(*limit),
            Self::Add { person, role, ground } => {
                body.put(2u8).put(6u8).array(3).bytes(person.key_bytes()).put(role.code());
                match ground {
                    Ground::Consent(said) => body.array(2).bytes(said.seen.as_bytes()).bytes(said.signature()),
                    Ground::Base(base) => body.bytes(base.as_bytes()),
                }
            }
            Self::Remove { person, upto } => body.put(3u8).put(6u8).array(2).bytes(person.key_bytes()).put(*upto),
            Self::Demote { person } => body.put(4u8).put(6u8).array(1).bytes(person.key_bytes()),
            Self::Leave { upto } => body.put(5u8).put(6u8).array(1).put(*upto),
            Self::Set(Setting::Nothing) => body.put(6u8).put(6u8).array(2).put(0u8).put(None::<u8>),
            Self::Set(Setting::Name(name)) => body.put(6u8).put(6u8).array(2).put(1u8).put(name.as_str()),
            Self::Set(Setting::Limit(limit)) => body.put(6u8).put(6u8).array(2).put(2u8).put(*limit),
            Self::Other(kind) => body.put(*kind).put(6u8).array(0),
        };
    }

    /// GRP-5: what is of another type or range has no meaning, what is more is passed over; only what the admission looks at
    /// has to be there.
    fn decode(kind: u64, args: &[u8]) -> Result<Self, CborError> {
        let mut args = Args(Reader::new(args));
        let mut left = args.0.array("arguments")?;
        Ok(match kind {
            1 => {
                let (said, limit) = (args.next(&mut left, "name")?, args.next(&mut left, "limit")?);
                Self::Create { name: name_of(said).unwrap_or_default(), limit: limit_of(limit).unwrap_or(GROUP_LIMIT) }
            }
            2 => {
                let person = person(args.next(&mut left, "person")?)?;
                let role = Reader::whole(args.next(&mut left, "role")?, |reader| reader.uint("role"))?;
                let ground = Reader::whole(args.next(&mut left, "ground")?, ground)?;
                Self::Add { person, role: Role::from_code(role), ground }
            }
            3 => Self::Remove {
                person: person(args.next(&mut left, "person")?)?,
                upto: number(args.next(&mut left, "upto")?).unwrap_or_default(),
            },
            4 => Self::Demote { person: person(args.next(&mut left, "person")?)? },
            5 => Self::Leave { upto: number(args.next(&mut left, "upto")?).unwrap_or_default() },
            6 => {
                let (key, value) = (args.next(&mut left, "key")?, args.next(&mut left, "value")?);
                Self::Set(match number(key) {
                    Some(1) => name_of(value).map_or(Setting::Nothing, Setting::Name),
                    Some(2) => limit_of(value).map_or(Setting::Nothing, Setting::Limit),
                    _ => Setting::Nothing,
                })
            }
            other => Self::Other(other),
        })
    }
}

/// The arguments of an operation, one after the other.
struct Args<'b>(Reader<'b>);

impl<'b> Args<'b> {
    fn next(&mut self, left: &mut u64, field: &'static str) -> Result<&'b [u8], CborError> {
        *left = left.checked_sub(1).ok_or(CborError::Field(field))?;
        self.0.plain(MAX_OPERATION_DEPTH)
    }
}

fn number(item: &[u8]) -> Option<u64> {
    Reader::whole(item, |reader| reader.uint("number")).ok()
}

fn name_of(item: &[u8]) -> Option<String> {
    let name = Reader::whole(item, |reader| reader.text("name", MAX_OPERATION)).ok()?;
    is_name(name).then(|| name.to_owned())
}

/// Whether a group can be called so: 1 to 64 characters (GRP-5).
pub fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_CHARS).contains(&name.chars().count())
}

/// Whether this can be the limit of a group: 2 to 250 (GRP-5).
pub fn is_limit(limit: u16) -> bool {
    limit >= MIN_GROUP_LIMIT && usize::from(limit) <= MAX_SEATS
}

fn limit_of(item: &[u8]) -> Option<u16> {
    u16::try_from(number(item)?).ok().filter(|limit| is_limit(*limit))
}

fn person(item: &[u8]) -> Result<PeerId, CborError> {
    Reader::whole(item, |reader| reader.byte_array("person")).map(PeerId::from_key_bytes)
}

fn ground(reader: &mut Reader<'_>) -> Result<Ground, CborError> {
    if let Ok(base) = reader.clone().byte_array("ground") {
        reader.bytes("ground", base.len())?;
        return Ok(Ground::Base(OperationId::new(base)));
    }
    reader.array_of(2, "ground")?;
    let seen = OperationId::new(reader.byte_array("ground")?);
    Ok(Ground::Consent(Consent::from_parts(seen, reader.byte_array("ground")?)))
}

/// What bytes of a peer are.
#[derive(Clone, Debug)]
pub enum Decoded {
    /// An operation, not verified.
    Operation(Box<OperationIn>),
    /// One of a version that this program does not know: it waits, with what builds on it, for a newer program (GRP-4).
    Newer(OperationId),
}

/// An operation as it came, not verified.
#[derive(Clone, Debug)]
pub struct OperationIn {
    frame: Frame,
    operation: Operation,
}

impl OperationIn {
    /// Decodes strictly (GRP-1, GRP-4): size, frame, version, then the rest. What its arguments are is found out with it, and
    /// no error: one whose arguments are wrong is known by its ID when it comes again.
    ///
    /// # Errors
    /// [`RecordError::TooLarge`] and [`RecordError::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Decoded, RecordError> {
        let frame = Frame::decode(bytes, MAX_OPERATION)?;
        let mut body = Reader::new(&frame.body);
        let pairs = match body.begin() {
            Err(RecordError::UnknownVersion(_)) => return Ok(Decoded::Newer(id(&frame.body))),
            other => other?,
        };
        body.field(1)?;
        let group = GroupId::new(body.byte_array("group")?);
        body.field(2)?;
        let author = PeerId::from_key_bytes(body.byte_array("author")?);
        body.field(3)?;
        let mut parents = Vec::new();
        for _ in 0..body.array("parents")? {
            parents.push(OperationId::new(body.byte_array("a parent")?));
        }
        body.field(4)?;
        let under = if body.null() { None } else { Some(OperationId::new(body.byte_array("under")?)) };
        body.field(5)?;
        let kind = body.uint("kind")?;
        body.field(6)?;
        let args = body.plain(MAX_OPERATION_DEPTH)?;
        Reader::new(args).array("arguments")?;
        body.field(7)?;
        let time = body.uint("time")?;
        body.end(pairs, FIELDS)?;
        let (act, fault) = match Act::decode(kind, args) {
            Ok(act) => (act, None),
            Err(CborError::Field(field) | CborError::TooLong(field)) => (Act::Other(kind), Some(Fault::Form(field))),
            Err(_) => (Act::Other(kind), Some(Fault::Form("arguments"))),
        };
        let content = Content { group, parents, under, act, time };
        let mut operation = Operation::new(id(&frame.body), author, content, bytes.to_vec());
        operation.fault = fault.or(operation.fault);
        Ok(Decoded::Operation(Box::new(Self { frame, operation })))
    }

    /// Its ID. Nothing is to be remembered under it before it is verified: the right copy may come yet (GRP-12).
    pub const fn claimed_id(&self) -> OperationId {
        self.operation.id
    }

    /// Whose it says it is.
    pub const fn claimed_author(&self) -> PeerId {
        self.operation.author
    }

    /// Of which group it says it is.
    pub const fn claimed_group(&self) -> GroupId {
        self.operation.group_id()
    }

    /// Its author's key and signature (GRP-2, GRP-12).
    ///
    /// # Errors
    /// [`RecordError::Signature`], also when the author is no sound key: nobody can have signed it.
    pub fn verify(self) -> Result<Operation, RecordError> {
        let author = IdentityKey::from_peer_id(self.operation.author).map_err(|_| RecordError::Signature)?;
        self.frame.verify(LABEL, &author)?;
        Ok(self.operation)
    }
}

/// An operation that its author has signed. What it says is reached directly: `operation.parents`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    id: OperationId,
    author: PeerId,
    content: Content,
    /// What is wrong with it whatever is behind it.
    fault: Option<Fault>,
    record: Vec<u8>,
}

impl Operation {
    fn new(id: OperationId, author: PeerId, content: Content, record: Vec<u8>) -> Self {
        let mut operation = Self { id, author, content, fault: None, record };
        operation.fault = operation.look_at_person();
        operation
    }

    /// One with any ID and without bytes, for histories of the model: `fault` says what would be wrong with its signatures.
    #[cfg(test)]
    pub(super) const fn with_id(id: OperationId, author: PeerId, content: Content, fault: Option<Fault>) -> Self {
        Self { id, author, content, fault, record: Vec::new() }
    }

    /// GRP-16, GRP-18: who is added has a sound key, and agreed if it is said that he did.
    fn look_at_person(&self) -> Option<Fault> {
        let Act::Add { person, ground, .. } = &self.content.act else { return None };
        let Ok(key) = IdentityKey::from_peer_id(*person) else { return Some(Fault::Person) };
        match ground {
            Ground::Consent(said) if said.verify(&key, self.content.group).is_err() => Some(Fault::Consent),
            _ => None,
        }
    }

    /// SHA-256 of its body (GRP-3).
    pub const fn id(&self) -> OperationId {
        self.id
    }

    /// Who signed it.
    pub const fn author(&self) -> PeerId {
        self.author
    }

    /// The group that it belongs to.
    pub const fn group_id(&self) -> GroupId {
        match self.content.act {
            Act::Create { .. } => GroupId::new(*self.id.as_bytes()),
            _ => self.content.group,
        }
    }

    /// The signed bytes as they came, for passing them on.
    pub fn record(&self) -> &[u8] {
        &self.record
    }

    /// What is wrong with it whatever is behind it.
    pub(super) const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Whether its author ends what he is himself: he leaves, or steps down.
    pub fn is_own_end(&self) -> bool {
        match self.content.act {
            Act::Leave { .. } => true,
            Act::Demote { person } => person == self.author,
            _ => false,
        }
    }

    /// Whom it puts in, and as what: a standing.
    pub const fn standing(&self) -> Option<(PeerId, Role)> {
        match self.content.act {
            Act::Create { .. } => Some((self.author, Role::Admin)),
            Act::Add { person, role, .. } => Some((person, role)),
            _ => None,
        }
    }

    /// Whom it puts out.
    pub const fn puts_out(&self) -> Option<PeerId> {
        match self.content.act {
            Act::Leave { .. } => Some(self.author),
            Act::Remove { person, .. } => Some(person),
            _ => None,
        }
    }
}

impl Deref for Operation {
    type Target = Content;

    fn deref(&self) -> &Content {
        &self.content
    }
}

/// GRP-3.
fn id(body: &[u8]) -> OperationId {
    OperationId::new(sha256(&[ID, &[0], body]))
}

#[cfg(test)]
mod tests;
