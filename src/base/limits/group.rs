//! Groups (docs/protocol/group.md). None of what a node keeps decides what it admits.

/// Largest operation of a group.
pub const MAX_OPERATION: usize = 1024;
/// Arrays and maps within each other in the arguments of an operation, which may be of a later program; the list of them included.
pub const MAX_OPERATION_DEPTH: usize = 8;
/// Parents of an operation.
pub const MAX_PARENTS: usize = 8;
/// Appointments between the creator of a group and whoever is appointed.
pub const MAX_APPOINTMENTS: usize = 16;
/// Seats of a group: each message is sealed for each of them.
pub const MAX_SEATS: usize = 250;
/// The limit that a group has when nothing is said: beyond it nobody is added.
pub const GROUP_LIMIT: u16 = 50;
/// The least limit that can be said. The highest is [`MAX_SEATS`].
pub const MIN_GROUP_LIMIT: u16 = 2;
/// Operations of one group that wait for parents.
pub const MAX_WAITING_OPERATIONS: usize = 256;
/// Those among them that came from one peer.
pub const MAX_WAITING_PER_SENDER: usize = 32;
/// Refused operations of one group that are remembered: what builds on them is refused without waiting.
pub const MAX_REFUSED_OPERATIONS: usize = 1_024;
/// Operations of one group that are kept though they do not count.
pub const MAX_IDLE_OPERATIONS: usize = 512;
