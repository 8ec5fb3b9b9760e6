//! Tasks of which each has a name, so that its end is told whatever ends it.

use std::collections::HashMap;

use tokio::task::{Id, JoinSet};

/// The tasks; those that run end with it.
#[derive(Debug)]
pub(super) struct Tasks<K, T> {
    running: JoinSet<T>,
    names: HashMap<Id, K>,
}

impl<K, T> Default for Tasks<K, T> {
    fn default() -> Self {
        Self { running: JoinSet::new(), names: HashMap::new() }
    }
}

impl<K, T: Send + 'static> Tasks<K, T> {
    pub(super) fn spawn(&mut self, name: K, task: impl Future<Output = T> + Send + 'static) {
        let id = self.running.spawn(task).id();
        self.names.insert(id, name);
    }

    /// The name of the next that has ended, and what it gives; `None` when it has panicked. Nothing at all while none runs.
    /// Nothing is lost when this is dropped.
    pub(super) async fn next(&mut self) -> Option<(K, Option<T>)> {
        let (id, given) = match self.running.join_next_with_id().await? {
            Ok((id, given)) => (id, Some(given)),
            Err(error) => (error.id(), None),
        };
        self.names.remove(&id).map(|name| (name, given))
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.names.len() + self.running.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_has_ended_too() {
        let mut tasks = Tasks::default();
        assert_eq!(tasks.next().await, None);
        tasks.spawn("sound", async { 7 });
        tasks.spawn("unsound", async { panic!("on purpose") });
        let mut ended = [tasks.next().await, tasks.next().await];
        ended.sort();
        assert_eq!(ended, [Some(("sound", Some(7))), Some(("unsound", None))]);
        assert_eq!((tasks.next().await, tasks.count()), (None, 0));
    }
}
