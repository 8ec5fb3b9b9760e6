//! What waits for some peers, and whatever may happen to it (docs/outgoing.md).

use crate::messenger::fuzzing::Desk;

/// What happens with one input; more shows nothing new.
const STEPS: usize = 512;

/// Three bytes a step: what happens, for whom, and to which or how. Whether something was acknowledged or stored.
pub(super) fn outgoing(bytes: &[u8]) -> bool {
    let mut desk = Desk::default();
    for step in bytes.chunks_exact(3).take(STEPS) {
        desk.happens(step[0], step[1], step[2]);
    }
    desk.has_arrived()
}
