//! The parts of a message (section 4.4 of the draft).

/// What a part is for. Any value is kept; an unknown one is shown as [`Self::RENDER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disposition(pub u8);

impl Disposition {
    /// Not said.
    pub const UNSPECIFIED: Self = Self(0);
    /// To be shown.
    pub const RENDER: Self = Self(1);
    /// A reaction to the message in `in_reply_to`.
    pub const REACTION: Self = Self(2);
    /// A profile.
    pub const PROFILE: Self = Self(3);
    /// To be shown within the text.
    pub const INLINE: Self = Self(4);
    /// A small picture.
    pub const ICON: Self = Self(5);
    /// To be fetched on wish.
    pub const ATTACHMENT: Self = Self(6);
    /// A call or its description.
    pub const SESSION: Self = Self(7);
    /// A preview made by the sender.
    pub const PREVIEW: Self = Self(8);
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is for.
    pub disposition: Disposition,
    /// Language tags (RFC 5646), separated by commas; may be empty.
    pub language: String,
    /// What is in it.
    pub body: Body,
}

/// What is in a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing: what is replaced is taken back.
    Null,
    /// Content, here.
    Single {
        /// Its media type, as the sender wrote it.
        content_type: String,
        /// Its bytes.
        content: Vec<u8>,
    },
    /// Content, elsewhere.
    External(Box<External>),
    /// Several parts.
    Multi {
        /// How they belong together.
        semantics: Semantics,
        /// The parts; two at least.
        parts: Vec<Part>,
    },
}

/// How the parts of a part belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Semantics {
    /// The receiver shows one of them.
    ChooseOne = 0,
    /// All or none.
    SingleUnit = 1,
    /// As many as the receiver can.
    ProcessAll = 2,
}

/// Content that is fetched from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct External {
    /// Its media type, as the sender wrote it.
    pub content_type: String,
    /// Where it is.
    pub url: String,
    /// Until when it is there, in seconds after the Unix epoch; 0: not said.
    pub expires: u32,
    /// Its size in bytes; 0: not said.
    pub size: u64,
    /// The AEAD it is encrypted with (IANA number); 0: none.
    pub enc_alg: u16,
    /// Key of the AEAD.
    pub key: Vec<u8>,
    /// Nonce of the AEAD.
    pub nonce: Vec<u8>,
    /// Associated data of the AEAD.
    pub aad: Vec<u8>,
    /// The hash (IANA named information number).
    pub hash_alg: u8,
    /// The hash of what is at the URL.
    pub content_hash: Vec<u8>,
    /// A description for people.
    pub description: String,
    /// A name for the file.
    pub filename: String,
}
