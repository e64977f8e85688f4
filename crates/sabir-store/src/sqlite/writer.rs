//! The writer thread: group commit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{broadcast, oneshot};

use super::fail::Fail;
use super::handover::Handover;
use super::hashes::Hashes;
use super::notes::Notes;
use super::query::execute;
use crate::types::Hint;
use crate::{Cause, Pending, StoreError};

/// The handle of the thread. Dropping it lets the waiting commands finish, then closes the connection.
#[derive(Debug)]
pub(super) struct Writer {
    commands: Option<Sender<Box<dyn Job>>>,
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        hints: broadcast::Sender<Hint>,
        (handover, hashes): (Arc<Handover>, Arc<Hashes>),
    ) -> std::io::Result<Self> {
        let (commands, received) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let group = Group {
            connection,
            hints,
            handover,
            notes: Notes::new(hashes),
            waiting: Arc::clone(&waiting),
        };
        let thread = thread::Builder::new()
            .name("sabir-store-writer".to_owned())
            .spawn(move || group.run(&received))?;
        Ok(Self {
            commands: Some(commands),
            waiting,
            thread: Some(thread),
        })
    }

    /// Queues a command. `act` may run again, when another command of its group took the transaction down.
    pub(super) fn submit<T, F>(&self, command: &'static str, act: F) -> Pending<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection, &mut Notes) -> Result<T, Fail> + Send + 'static,
    {
        let refused = || {
            Pending::ready(Err(StoreError::Unavailable {
                command,
                maybe_applied: false,
                source: None,
            }))
        };
        let Some(commands) = &self.commands else {
            return refused();
        };
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return refused();
        }
        let (reply, answer) = oneshot::channel();
        match commands.send(Box::new(Command {
            command,
            act,
            result: None,
            reply,
        })) {
            Ok(()) => Pending::waiting(command, answer),
            Err(_) => refused(),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told to the commands that waited; here is nobody to tell.
            let _ = thread.join();
        }
    }
}

/// A command without its types.
trait Job: Send {
    /// Runs it and keeps its result.
    fn run(&mut self, connection: &Connection, notes: &mut Notes) -> Ran;
    /// Gives the kept result, or this error instead of it.
    fn answer(self: Box<Self>, failure: Option<&Failure>);
}

#[derive(Debug, PartialEq, Eq)]
enum Ran {
    Keep,
    Undo,
}

/// Why a whole transaction failed.
struct Failure {
    maybe_applied: bool,
    cause: Cause,
}

struct Command<T, F> {
    command: &'static str,
    act: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Command<T, F>
where
    T: Send,
    F: FnMut(&Connection, &mut Notes) -> Result<T, Fail> + Send,
{
    fn run(&mut self, connection: &Connection, notes: &mut Notes) -> Ran {
        let result = (self.act)(connection, notes).map_err(|fail| fail.into_error(self.command));
        let ran = if result.is_ok() { Ran::Keep } else { Ran::Undo };
        self.result = Some(result);
        ran
    }

    fn answer(self: Box<Self>, failure: Option<&Failure>) {
        let Self {
            command,
            result,
            reply,
            ..
        } = *self;
        let unavailable = |maybe_applied, source| StoreError::Unavailable {
            command,
            maybe_applied,
            source,
        };
        let result = match (failure, result) {
            // It conflicted with what others of the failed transaction wrote, perhaps: nothing to rely on.
            (Some(failure), Some(Err(StoreError::Conflict { .. }))) => {
                Err(unavailable(false, Some(Arc::clone(&failure.cause))))
            }
            (_, Some(Err(error))) => Err(error),
            (Some(failure), _) => Err(unavailable(
                failure.maybe_applied,
                Some(Arc::clone(&failure.cause)),
            )),
            (None, Some(Ok(value))) => Ok(value),
            (None, None) => Err(unavailable(false, None)),
        };
        // The caller may have lost interest.
        let _ = reply.send(result);
    }
}

struct Group {
    connection: Connection,
    hints: broadcast::Sender<Hint>,
    handover: Arc<Handover>,
    notes: Notes,
    waiting: Arc<AtomicUsize>,
}

/// How a transaction ended.
enum End {
    Committed,
    /// Rolled back before COMMIT was tried.
    Aborted(Cause),
    /// COMMIT failed: its effects may be in the log on disk.
    InDoubt(Cause),
}

/// What commands without savepoints left of their transaction.
enum All {
    Whole,
    /// One failed after it had written.
    Spoilt,
}

impl Group {
    fn run(mut self, received: &Receiver<Box<dyn Job>>) {
        let mut last = 0_usize;
        while let Ok(first) = received.recv() {
            if last > ALONE && self.waiting.load(Ordering::Relaxed) < MAX_GROUP {
                thread::sleep(GATHERING);
            }
            let mut jobs = vec![first];
            jobs.extend(received.try_iter().take(MAX_GROUP.saturating_sub(1)));
            self.waiting.fetch_sub(jobs.len(), Ordering::Relaxed);
            last = jobs.len();
            self.settle(jobs);
            if self.notes.hashes.tidy(&self.connection).is_err() {
                // A full disk, perhaps. They are found in memory, and wait for the next time.
                self.roll_back();
            }
        }
    }

    fn settle(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let failure = match self.transact(&mut jobs) {
            End::Committed => None,
            End::InDoubt(cause) => Some(Failure {
                maybe_applied: true,
                cause,
            }),
            End::Aborted(cause) if jobs.len() <= 1 => Some(Failure {
                maybe_applied: false,
                cause,
            }),
            End::Aborted(_) => {
                // One of them took the others down (a full disk does): each for itself.
                for job in jobs {
                    self.settle(vec![job]);
                }
                return;
            }
        };
        for job in jobs {
            job.answer(failure.as_ref());
        }
    }

    /// One transaction for all. Publishes news after the commit.
    fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> End {
        let mut ran = self.run_all(jobs);
        if let Ok(All::Spoilt) = ran {
            self.roll_back();
            self.notes.undo_all();
            ran = self.run_each_apart(jobs).map(|()| All::Whole);
        }
        if let Err(error) = ran {
            self.roll_back();
            self.notes.undo_all();
            return End::Aborted(Arc::new(error));
        }
        if let Err(error) = execute(&self.connection, "COMMIT", ()) {
            self.roll_back();
            self.notes.undo_all();
            // It may have happened: only the database knows.
            self.handover.forget();
            return End::InDoubt(Arc::new(error));
        }
        self.notes.committed();
        self.handover.publish(&mut self.notes.news);
        for hint in self.notes.news.hints.drain(..).collect::<BTreeSet<_>>() {
            // Nobody listening is fine: hints are lossy.
            let _ = self.hints.send(hint);
        }
        End::Committed
    }

    /// Runs them without a way back for each. Nearly all that fail do so before they write, and then none is needed; a
    /// savepoint would have SQLite copy every page that its command touches.
    fn run_all(&mut self, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<All> {
        execute(&self.connection, "BEGIN IMMEDIATE", ())?;
        for job in jobs {
            let mark = self.notes.begin();
            let before = self.connection.total_changes();
            if job.run(&self.connection, &mut self.notes) == Ran::Undo {
                self.notes.undo(mark);
                // SQLite rolls back the whole transaction by itself, as it may on a full disk: then nothing is whole.
                if self.connection.total_changes() != before || self.connection.is_autocommit() {
                    return Ok(All::Spoilt);
                }
            }
        }
        Ok(All::Whole)
    }

    /// Runs them once more, each in a savepoint of its own, because one of them failed halfway.
    fn run_each_apart(&mut self, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        execute(&self.connection, "BEGIN IMMEDIATE", ())?;
        for job in jobs {
            execute(&self.connection, "SAVEPOINT command", ())?;
            let mark = self.notes.begin();
            if job.run(&self.connection, &mut self.notes) == Ran::Undo {
                self.notes.undo(mark);
                // Fails when SQLite rolled back the whole transaction by itself, as it may on a full disk.
                execute(&self.connection, "ROLLBACK TO command", ())?;
            }
            execute(&self.connection, "RELEASE command", ())?;
        }
        Ok(())
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // Should this fail too, BEGIN fails next and says so.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

/// A group of so many is no company: the next one waits for nobody.
const ALONE: usize = 4;

/// How long a group waits for others where the last one was larger. What a commit costs (the fsync, the ends of tables
/// written once more) is then shared by more commands, and their answers leave together.
const GATHERING: Duration = Duration::from_millis(2);

/// The most commands in one transaction: bounds how long the first one waits for the last.
const MAX_GROUP: usize = 512;

/// The most commands that wait; more are refused at once, so that overload is told instead of stored.
const MAX_WAITING: usize = 16_384;
