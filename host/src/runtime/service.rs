//! A service on this host: its version, its workers, its state, and who may ask it.
//!
//! One thread supervises it: finds the topics, makes the internal ones, opens the state, starts the
//! workers, and ends all of it. What can pass is tried again for ever, with the reason in the
//! status; what cannot makes the service fail, and only this one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use super::blueprint::{Blueprint, Refusal};
use super::globals::Globals;
use super::letter::Letter;
use super::mailbox::Mailbox;
use super::metrics::Meters;
use super::ownership::Ownership;
use super::pool::Pool;
use super::prepare;
use super::shared::{Environment, Shared, Site};
use super::worker::Worker;

/// Requests that wait for one worker.
const MAX_LETTERS: usize = 10_000;

/// How long a swap may take; a worker ends its transaction first.
const SWAP: Duration = Duration::from_secs(30);

/// How often the supervisor looks whether the service shall stop while it waits for something.
const LOOK: Duration = Duration::from_millis(50);

/// A service, for as long as it is deployed.
pub(super) struct Service {
    pub(super) shared: Arc<Shared>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
}

impl Service {
    /// Starts a service; what it needs of Kafka is looked for on its own thread.
    pub(super) fn start(
        name: &str,
        blueprint: Blueprint,
        host: &Arc<Environment>,
    ) -> std::io::Result<Service> {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            host: Arc::clone(host),
            ownership: Ownership::new(host.news.clone()),
            watches: Arc::default(),
            pool: Pool::new(processors.max(2)),
            meters: Meters::of(name),
            stopping: AtomicBool::new(false),
            blueprint: RwLock::new(Arc::new(blueprint)),
            state: Mutex::default(),
        });
        let supervised = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name(format!("{name} supervisor"));
        let supervisor = thread.spawn(move || supervised.supervise())?;
        Ok(Service {
            shared,
            supervisor: Mutex::new(Some(supervisor)),
        })
    }

    /// Lets another version of the same shape take over, worker by worker, each between two
    /// transactions. Waits for it. On an error the old one goes on.
    pub(super) fn swap(&self, new: Blueprint) -> Result<(), Refusal> {
        let shared = &self.shared;
        let old = shared.blueprint();
        old.check_swap(&new)?;
        if let Some(site) = shared.site() {
            site.check_topics(&new.topology)?;
        }
        let new = Arc::new(new);
        // Whoever begins from now on begins with it.
        *shared.blueprint.write() = Arc::clone(&new);
        let mailboxes = shared.state.lock().mailboxes.clone();
        let (done, taken) = mpsc::channel();
        let began = Instant::now();
        for mailbox in &mailboxes {
            // A worker that is gone needs none.
            let _gone = mailbox.insist(Letter::Swap(Arc::clone(&new), done.clone()));
        }
        drop(done);
        while began.elapsed() < SWAP
            && taken
                .recv_timeout(SWAP.saturating_sub(began.elapsed()))
                .is_ok()
        {}
        shared.meters.swaps.increment(1);
        shared.watches.wake_all();
        shared.host.news.tell();
        let (service, version) = (&shared.name, new.program.digest());
        let before = old.program.digest();
        tracing::info!(
            service,
            version,
            before,
            took_ms = began.elapsed().as_millis(),
            "swapped"
        );
        Ok(())
    }

    /// Whether a new version may only start from nothing: this one never came up, or has failed.
    pub(super) fn is_down(&self) -> bool {
        let state = self.shared.state.lock();
        state.site.is_none() || state.failed.is_some() || state.ended
    }

    /// Tells it to stop.
    pub(super) fn begin_stop(&self) {
        self.shared.begin_stop();
    }

    /// Waits until it has stopped: transactions are ended, clients closed, the state is released.
    pub(super) fn finish_stop(&self) {
        let supervisor = self.supervisor.lock().take();
        if supervisor.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(service = self.shared.name, "the supervisor panicked");
        }
    }
}

impl Shared {
    fn begin_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for mailbox in &self.state.lock().mailboxes {
            mailbox.ring();
        }
        self.watches.wake_all();
        self.host.news.tell();
    }

    /// The life of the service.
    fn supervise(self: Arc<Shared>) {
        let done = self.live();
        self.meters.running.set(0.0);
        let mut state = self.state.lock();
        if let Err(reason) = done {
            tracing::error!(service = self.name, reason, "service failed");
            state.failed = Some(reason);
        }
        state.ended = true;
        state.site = None;
        state.mailboxes.clear();
        drop(state);
        self.host.news.tell();
    }

    fn live(self: &Arc<Shared>) -> Result<(), String> {
        let Some(site) = self.find_site()? else {
            return Ok(());
        };
        let site = Arc::new(site);
        let globals = self.open_globals(&site)?;
        if self.stopping.load(Ordering::SeqCst) {
            return Ok(());
        }
        let workers = self.blueprint().settings.workers.max(1) as usize;
        let mailboxes: Vec<_> = (0..workers)
            .map(|_| Arc::new(Mailbox::new(MAX_LETTERS)))
            .collect();
        let mut state = self.state.lock();
        state.mailboxes.clone_from(&mailboxes);
        // Empty: on its way up.
        state.interrupted = vec![Some(String::new()); workers];
        state.site = Some(Arc::clone(&site));
        drop(state);
        if !self.blueprint().topology.routes().is_empty() {
            self.host.owners.start(&self.host.cluster);
        }
        self.host.news.tell();
        let followers = globals
            .map(|globals| self.spawn("global tables", move || globals.follow()))
            .transpose();
        let followers = followers.map_err(|error| error.to_string())?;
        let done = self.run_workers(&site, &mailboxes);
        self.begin_stop();
        if let Some(follower) = followers {
            let _panicked = follower.join();
        }
        done
    }

    /// Everything that must be there before a worker begins; `None`: stopped before it was.
    fn find_site(&self) -> Result<Option<Site>, String> {
        let mut told = String::new();
        while !self.stopping.load(Ordering::SeqCst) {
            let (reason, pause) = match prepare::prepare(self) {
                Ok(site) => return Ok(Some(site)),
                Err(prepare::Trouble::Fail(reason)) => return Err(reason),
                Err(prepare::Trouble::Wait(reason, pause)) => (reason, pause),
            };
            if reason != told {
                tracing::warn!(service = self.name, reason, "service waits");
                told.clone_from(&reason);
            }
            self.state.lock().waits_for = Some(reason);
            self.rest(pause);
        }
        Ok(None)
    }

    fn open_globals(self: &Arc<Shared>, site: &Site) -> Result<Option<Globals>, String> {
        let Some(mut globals) = Globals::open(self, site)? else {
            return Ok(None);
        };
        while let Err(reason) = globals.bootstrap() {
            if self.stopping.load(Ordering::SeqCst) {
                return Ok(None);
            }
            tracing::warn!(service = self.name, reason, "global tables are read anew");
            self.state.lock().waits_for = Some(format!("global tables: {reason}"));
            self.rest(Duration::from_secs(1));
            match Globals::open(self, site)? {
                Some(anew) => globals = anew,
                None => return Ok(None),
            }
        }
        Ok(Some(globals))
    }

    fn run_workers(
        self: &Arc<Shared>,
        site: &Arc<Site>,
        mailboxes: &[Arc<Mailbox<Letter>>],
    ) -> Result<(), String> {
        let mut threads = Vec::new();
        let mut done = Ok(());
        for (number, mailbox) in mailboxes.iter().enumerate() {
            let (shared, site) = (Arc::clone(self), Arc::clone(site));
            let worker = Worker {
                number,
                shared,
                site,
                mailbox: Arc::clone(mailbox),
            };
            let shared = Arc::clone(self);
            let spawned = self.spawn(&number.to_string(), move || {
                let done = worker.run();
                if done.is_err() {
                    // One that fails takes the others with it: what they do may depend on what it
                    // did not.
                    shared.begin_stop();
                }
                done
            });
            match spawned {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    done = Err(format!("no thread for a worker: {error}"));
                    self.begin_stop();
                    break;
                }
            }
        }
        for thread in threads {
            let ended = thread
                .join()
                .unwrap_or_else(|panic| Err(said(panic.as_ref())));
            if ended.is_err() {
                self.begin_stop();
            }
            done = done.and(ended);
        }
        done
    }

    fn spawn<T: Send + 'static>(
        &self,
        what: &str,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> std::io::Result<JoinHandle<T>> {
        // Guests run on the worker's own stack.
        let thread = std::thread::Builder::new()
            .name(format!("{} {what}", self.name))
            .stack_size(8 << 20);
        thread.spawn(run)
    }

    fn rest(&self, pause: Duration) {
        let end = Instant::now() + pause;
        while !self.stopping.load(Ordering::SeqCst) && Instant::now() < end {
            std::thread::sleep(LOOK);
        }
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!(
        "a worker panicked, which is a mistake of weir's: {}",
        text.unwrap_or("it said nothing")
    )
}
