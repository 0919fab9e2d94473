//! Which tasks of a service run here, and which worker of this host has each.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use weir_core::task::TaskId;

use super::news::News;

/// The tasks of one service that this host runs. A task is in it from the moment on when it is
/// restored, until it is given up.
pub(super) struct Ownership {
    tasks: Mutex<BTreeMap<TaskId, usize>>,
    news: News,
}

impl Ownership {
    pub(super) fn new(news: News) -> Ownership {
        Ownership {
            tasks: Mutex::default(),
            news,
        }
    }

    /// Worker `worker` runs this task from now on.
    pub(super) fn take(&self, task: TaskId, worker: usize) {
        self.tasks.lock().insert(task, worker);
        self.news.tell();
    }

    /// Worker `worker` does not run this task any more; if another one has it by now, that one
    /// keeps it.
    pub(super) fn give_up(&self, task: TaskId, worker: usize) {
        let mut tasks = self.tasks.lock();
        if tasks.get(&task) == Some(&worker) {
            tasks.remove(&task);
        }
        drop(tasks);
        self.news.tell();
    }

    /// The worker that runs a task.
    pub(super) fn worker_of(&self, task: TaskId) -> Option<usize> {
        self.tasks.lock().get(&task).copied()
    }

    /// All tasks that run here.
    pub(super) fn tasks(&self) -> Vec<TaskId> {
        self.tasks.lock().keys().copied().collect()
    }
}
