//! The task of one transfer: step after step until it is over, whatever happens meanwhile.

use std::sync::Arc;

use tokio::time::sleep;

use super::listing::Uploaded;
use super::record::{self, Record, Saving, Sending, Task, Transfer, TransferState};
use super::trouble::Trouble;
use super::{Files, Work, save, upload};
use crate::account::now;
use crate::sync::{ClientError, FileMessage};
use crate::transport::backoff;

/// How long a transfer may take, waits included.
const LONGEST_MS: u64 = 7 * 24 * 3_600_000;

impl Files {
    /// Starts the task, which ends with the client.
    pub(super) fn start(&self, number: u64) {
        let files = self.clone();
        let mut stopped = self.0.stopped.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = files.work(number) => {}
                _ = stopped.wait_for(|stop| *stop) => {}
            }
        });
    }

    /// Works on a transfer until it is over.
    async fn work(&self, number: u64) {
        let mut failures = 0;
        loop {
            let Ok(place) = Arc::clone(&self.0.places).acquire_owned().await else {
                return;
            };
            let before = self.view(number).map(|view| view.bytes_done);
            let result = Box::pin(self.step(number)).await;
            drop(place);
            let (wait, why) = match result {
                Ok(()) => return,
                Err(Trouble::Stopped) => return,
                Err(Trouble::Fails(why)) => return self.fail(number, why).await,
                Err(Trouble::Waits(wait, why)) => (wait, why),
            };
            if self.is_too_old(number) {
                return self
                    .fail(number, format!("It was given up after a week: {why}"))
                    .await;
            }
            // Whoever gets on is not made to wait longer and longer.
            let after = self.view(number);
            let moved = after.as_ref().map(|view| view.bytes_done) > before;
            failures = if moved {
                0
            } else {
                u32::saturating_add(failures, 1)
            };
            tracing::debug!(number, why, "a transfer waits");
            self.change(number, |view| {
                if let Some(after) = after {
                    (view.bytes_done, view.bytes_total) = (after.bytes_done, after.bytes_total);
                }
                view.state = TransferState::Waiting;
                view.problem = Some(why);
            });
            sleep(wait.unwrap_or_default().max(backoff(failures, &self.0.timing))).await;
        }
    }

    async fn step(&self, number: u64) -> Result<(), Trouble> {
        let Some(record) = self.known().get(&number).map(|entry| entry.record.clone()) else {
            return Err(Trouble::Stopped);
        };
        let work = Work {
            number,
            transport: self.0.transport.clone(),
            stopped: self.0.stopped.clone(),
            files: self.clone(),
        };
        match record.task {
            Task::Send(sending) => self.send_step(&work, *sending).await,
            Task::Save(saving) => {
                save::save(&work, &saving).await?;
                self.end(number, |view| view.state = TransferState::Done).await
            }
        }
    }

    async fn send_step(&self, work: &Work, mut sending: Sending) -> Result<(), Trouble> {
        let plan = match sending.plan.as_ref().map(record::Plan::open) {
            Some(plan) => plan.ok_or_else(|| Trouble::fails("What was kept of the transfer is damaged"))?,
            None => {
                let plan = upload::plan(work, &sending).await?;
                sending.plan = Some(plan.close());
                // Before the first byte goes out: the key is kept, or nothing was encrypted with it.
                self.keep(work.number, |record| {
                    record.task = Task::Send(Box::new(sending.clone()))
                })
                .await?;
                plan
            }
        };
        let (size, key, hash) = (plan.size, plan.key.clone(), plan.hash);
        let stored = upload::upload(work, &sending, plan).await?;
        let view = work.view();
        let part = Uploaded {
            name: &view.name,
            media_type: &view.media_type,
            url: stored.url.to_string(),
            expires_ms: stored.expires_ms,
            size,
            key: &key,
            hash,
        }
        .part();
        let message = FileMessage {
            to: sending.to.clone(),
            text: sending.text.clone(),
            part,
        };
        let begun = self.begun(work.number);
        let done = move |local_id| {
            let view = Transfer {
                state: TransferState::Done,
                problem: None,
                local_id: Some(local_id),
                bytes_done: size,
                bytes_total: size,
                ..view
            };
            // The key is in the message from here on.
            sending.plan = None;
            sending.text = None;
            Record {
                view,
                task: Task::Send(Box::new(sending)),
                begun,
            }
        };
        let (number, kept) = (work.number, done.clone());
        match self.0.records.send(number, message, done).await {
            Ok(local_id) => {
                self.insert(number, kept(local_id));
                self.tell();
                Ok(())
            }
            Err(ClientError::Stopped) => Err(Trouble::Stopped),
            Err(ClientError::Store(error)) => Err(Trouble::Waits(None, error.to_string())),
            Err(error) => Err(Trouble::Fails(error.to_string())),
        }
    }

    /// What waits for so long waits for something that will not come, such as a provider that there never was.
    fn is_too_old(&self, number: u64) -> bool {
        now().is_ok_and(|now| now.saturating_sub(self.begun(number)) > LONGEST_MS)
    }

    fn begun(&self, number: u64) -> u64 {
        self.known()
            .get(&number)
            .map_or(u64::MAX, |entry| entry.record.begun)
    }

    async fn fail(&self, number: u64, why: String) {
        let failed = |view: &mut Transfer| {
            view.state = TransferState::Failed;
            view.problem = Some(why.clone());
        };
        if let Err(trouble) = self.end(number, failed).await {
            // Nobody waits for it meanwhile; when the profile is opened again, it goes on.
            tracing::warn!(number, ?trouble, "that a transfer failed cannot be written down");
            self.change(number, failed);
        }
    }

    /// Writes the end of a transfer down, deletes what it needed meanwhile, and then tells it.
    async fn end(&self, number: u64, change: impl FnOnce(&mut Transfer)) -> Result<(), Trouble> {
        let Some(mut record) = self.known().get(&number).map(|entry| entry.record.clone()) else {
            return Err(Trouble::Stopped);
        };
        let view = &mut record.view;
        change(view);
        if view.state == TransferState::Done {
            view.problem = None;
            view.bytes_done = view.bytes_total;
        }
        if let Task::Send(sending) = &mut record.task {
            sending.plan = None;
        }
        written(self.0.records.write(number, record.clone(), Vec::new()).await)?;
        if let Task::Save(saving) = &record.task {
            tidy(saving, number).await;
        }
        self.insert(number, record);
        self.tell();
        Ok(())
    }

    /// Changes a record here and on disk.
    async fn keep(&self, number: u64, change: impl FnOnce(&mut Record)) -> Result<(), Trouble> {
        let record = {
            let mut known = self.known();
            let Some(entry) = known.get_mut(&number) else {
                return Err(Trouble::Stopped);
            };
            change(&mut entry.record);
            entry.record.clone()
        };
        let outcome = self.0.records.write(number, record, Vec::new()).await;
        self.tell();
        written(outcome)
    }
}

fn written(outcome: Result<(), ClientError>) -> Result<(), Trouble> {
    match outcome {
        Ok(()) => Ok(()),
        Err(ClientError::Stopped) => Err(Trouble::Stopped),
        Err(error) => Err(Trouble::Waits(None, error.to_string())),
    }
}

async fn tidy(saving: &Saving, number: u64) {
    let to = saving.to.clone();
    // Files that stay behind are named after the transfer and are in nobody's way.
    let _ = tokio::task::spawn_blocking(move || save::tidy(&to, number)).await;
}
