//! Why operations are refused.

/// Why an operation is refused, for good: whoever has what is behind it refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An argument that the admission looks at is missing or of another type (GRP-15).
    #[error("the argument '{0}' is missing or wrong")]
    Form(&'static str),
    /// Of another group, or a second beginning of this one (GRP-13).
    #[error("it belongs to another group")]
    Group,
    /// A create that builds on something (GRP-13).
    #[error("a group begins with nothing before it")]
    Beginning,
    /// No parents, more than 8, or not ascending (GRP-13).
    #[error("its parents are none, too many or not in order")]
    Parents,
    /// What it builds on was refused (GRP-12).
    #[error("it builds on what was refused")]
    Behind,
    /// It was refused before (GRP-12).
    #[error("it was refused before")]
    Again,
    /// It names no standing of its author's among its ancestors (GRP-14).
    #[error("its author had no such standing")]
    Standing,
    /// An admin's act by who is none in this standing (GRP-14).
    #[error("its author was no admin")]
    Office,
    /// Who is added has no sound key (GRP-16).
    #[error("who is added has no sound key")]
    Person,
    /// Somebody adds himself (GRP-16).
    #[error("nobody adds himself")]
    Himself,
    /// One appointment too far from the creator (GRP-16).
    #[error("too many appointments above it")]
    Depth,
    /// The consent is not signed by who is added, for this group (GRP-18).
    #[error("who is added did not agree")]
    Consent,
    /// What the ground names is no ancestor, or no standing that could be a base (GRP-17, GRP-18).
    #[error("what the ground names is not behind it, or no standing of this person's")]
    Ground,
    /// He was out since: a leave or remove of his is an ancestor that the ground does not know (GRP-19).
    #[error("who is added was out since, and has not agreed anew")]
    Ended,
}
