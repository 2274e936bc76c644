//! All jobs: which ones wait, which is next, and what is due at which time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use super::controls::Priority;
use super::job::{Job, Phase, Place};
use super::ranks::Ranks;
use super::slots::{Slot, Slots};
use super::submit::Wanted;
use super::work;
use crate::clock;
use crate::state::State;

/// An event that is due at a time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    /// The start deadline of the job passes.
    Start,
    /// A failed attempt is repeated.
    Retry,
    /// The result expires.
    Expire,
}

/// Jobs that compete for the same slots: those of an account. Jobs for its own apps, which need no
/// slot, form a separate group.
type Group = (Option<String>, bool);

fn group(job: &Job) -> Group {
    (
        job.account().map(str::to_owned),
        job.account() == Some(job.app.account.as_str()),
    )
}

#[derive(Default)]
struct Waiting {
    /// For each endpoint, the lines of normal and of low priority.
    lines: HashMap<String, [Ranks; 2]>,
    groups: HashMap<Group, BTreeMap<(Priority, u64), Arc<Job>>>,
    last_order: u64,
}

#[derive(Default)]
struct Agenda {
    entries: BTreeMap<(SystemTime, u64), (Arc<Job>, Due)>,
    last_ordinal: u64,
}

/// The queue of all apps.
#[derive(Default)]
pub(crate) struct Queue {
    jobs: Mutex<HashMap<String, Arc<Job>>>,
    waiting: Mutex<Waiting>,
    agenda: Mutex<Agenda>,
    pub(crate) slots: Arc<Slots>,
    wake: Notify,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Waiting {
    fn line(&mut self, endpoint: &str) -> &mut [Ranks; 2] {
        self.lines.entry(endpoint.to_owned()).or_default()
    }

    fn ahead(&mut self, place: &Place) -> u32 {
        let [normal, low] = self.line(&place.endpoint);
        match place.priority {
            Priority::Normal => normal.before(place.rank),
            Priority::Low => normal.total() + low.before(place.rank),
        }
    }

    fn set(&mut self, place: &Place, present: bool) {
        self.line(&place.endpoint)[place.priority as usize].set(place.rank, present);
    }

    /// Returns a job to its former place after a failed attempt.
    fn enter(&mut self, job: &Arc<Job>) {
        self.set(&job.place, true);
        let key = (job.place.priority, job.place.order);
        self.groups
            .entry(group(job))
            .or_default()
            .insert(key, Arc::clone(job));
    }

    fn leave(&mut self, job: &Job) {
        self.set(&job.place, false);
        if let Some(jobs) = self.groups.get_mut(&group(job)) {
            jobs.remove(&(job.place.priority, job.place.order));
        }
    }
}

impl Queue {
    /// Adds a request. If more than `longest_line` requests wait at the endpoint, returns their
    /// number as the error.
    pub(super) fn enter(
        &self,
        wanted: Wanted,
        id: String,
        endpoint: String,
        longest_line: Option<u32>,
    ) -> Result<(Arc<Job>, u32), u32> {
        let mut waiting = locked(&self.waiting);
        let priority = wanted.controls.priority;
        let line = waiting.line(&endpoint);
        let length = line.iter().map(Ranks::total).sum();
        if longest_line.is_some_and(|longest| length > longest) {
            return Err(length);
        }
        let rank = line[priority as usize].push();
        waiting.last_order += 1;
        let place = Place {
            endpoint,
            priority,
            rank,
            order: waiting.last_order,
        };
        let job = Arc::new(Job::new(wanted, id, place));
        waiting.enter(&job);
        let position = waiting.ahead(&job.place);
        drop(waiting);
        locked(&self.jobs).insert(job.id.clone(), Arc::clone(&job));
        if let Some(deadline) = job.deadline() {
            self.schedule(&job, deadline, Due::Start);
        }
        self.wake();
        Ok((job, position))
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Job>> {
        locked(&self.jobs).get(id).cloned()
    }

    /// The jobs of the app with this name that are `IN_QUEUE`.
    pub(crate) fn pending(&self, app: &str) -> Vec<Arc<Job>> {
        let jobs = locked(&self.jobs);
        jobs.values()
            .filter(|job| job.app.name == app && job.is_pending())
            .cloned()
            .collect()
    }

    /// Removes the output of a request (§14.5).
    pub(crate) fn erase(&self, id: &str) {
        if let Some(job) = self.find(id) {
            job.expire();
        }
    }

    /// The number of requests ahead of a waiting one at its endpoint.
    pub(super) fn position(&self, job: &Job) -> u32 {
        if job.progress().phase != Phase::Waiting {
            return 0;
        }
        locked(&self.waiting).ahead(&job.place)
    }

    /// Wakes the dispatcher, because a job may start or be due.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Schedules the repetition of a failed attempt.
    pub(super) fn retry(&self, job: &Arc<Job>, at: SystemTime) {
        job.requeue();
        self.schedule(job, at, Due::Retry);
    }

    /// Removes a job that has ended from its line.
    pub(super) fn leave(&self, job: &Job) {
        locked(&self.waiting).leave(job);
    }

    pub(super) fn schedule(&self, job: &Arc<Job>, at: SystemTime, due: Due) {
        let mut agenda = locked(&self.agenda);
        agenda.last_ordinal += 1;
        let key = (at, agenda.last_ordinal);
        agenda.entries.insert(key, (Arc::clone(job), due));
        drop(agenda);
        self.wake();
    }

    /// The next job that is due by `now`.
    fn due(&self, now: SystemTime) -> Option<(Arc<Job>, Due)> {
        let mut agenda = locked(&self.agenda);
        let first = agenda
            .entries
            .first_entry()
            .filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }

    fn next_time(&self) -> Option<SystemTime> {
        locked(&self.agenda)
            .entries
            .keys()
            .next()
            .map(|(time, _)| *time)
    }

    /// The jobs that may start now, each with its slot.
    fn startable(&self, limit: Option<u32>) -> Vec<(Arc<Job>, Slot)> {
        let mut waiting = locked(&self.waiting);
        let mut started = Vec::new();
        for jobs in waiting.groups.values() {
            for job in jobs.values() {
                let Some(slot) = self.slots.take(job.caller.as_ref(), &job.app, limit) else {
                    break;
                };
                started.push((Arc::clone(job), slot));
            }
        }
        for (job, _) in &started {
            waiting.leave(job);
        }
        started
    }
}

/// Starts waiting jobs and handles due events, forever.
pub(crate) async fn dispatch(state: Arc<State>) {
    let queue = &state.queue;
    loop {
        let now = state.clock.now();
        while let Some((job, due)) = queue.due(now) {
            match due {
                Due::Start => work::miss_start(&state, &job),
                Due::Expire => job.expire(),
                Due::Retry if job.progress().phase == Phase::Waiting => {
                    locked(&queue.waiting).enter(&job)
                }
                Due::Retry => {}
            }
        }
        for (job, slot) in queue.startable(state.settings().queue.concurrent_requests) {
            tokio::spawn(work::work(Arc::clone(&state), job, slot));
        }
        let next = queue
            .next_time()
            .unwrap_or_else(|| clock::later(now, Duration::from_secs(86_400)));
        tokio::select! {
            () = queue.wake.notified() => {}
            () = queue.slots.freed.notified() => {}
            () = state.clock.sleep_until(next) => {}
        }
    }
}
