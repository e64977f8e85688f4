//! What the module `files` asks of the keeper: its records, files of messages, and messages with files.

use sabir_core::room::{ExpiryWish, FileFacts, RoomState, host, may_send_file};
use sabir_mls::rows::RowChanges;
use sabir_wire::content::ExternalPart;
use sabir_wire::uri::{RoomUri, UserUri};

use super::ClientError;
use super::keeper::{Keep, Keeper};
use super::outgoing::queue;
use crate::files::{FileInfo, Record, compose, find, info, is_shown};
use crate::store::{Marks, StoreError, Tx};

/// Where records are kept among the rows of engines. No room has this name.
const SCOPE: &str = "file transfers";
const COUNTER: &str = "file transfer";

/// The keeper, as far as files need it.
#[derive(Debug, Clone)]
pub(crate) struct Records(pub(super) Keep);

/// What a message with a file is made of.
pub(crate) struct FileMessage {
    pub(crate) to: String,
    pub(crate) text: Option<String>,
    pub(crate) part: ExternalPart,
}

impl Records {
    /// Every record, by number.
    pub(crate) async fn all(&self) -> Result<Vec<(u64, Record)>, ClientError> {
        self.0.run(|keeper| keeper.store.read(records)).await?
    }

    /// A number for a new record.
    pub(crate) async fn next(&self) -> Result<u64, ClientError> {
        let next = self.0.run(|keeper| {
            keeper
                .store
                .transaction("number transfer", |tx| tx.next_number(COUNTER))
        });
        Ok(next.await??)
    }

    /// Writes a record down, and deletes others.
    pub(crate) async fn write(&self, number: u64, record: Record, gone: Vec<u64>) -> Result<(), ClientError> {
        self.0
            .run(move |keeper| {
                keeper
                    .store
                    .transaction("write transfer", |tx| write(tx, number, &record, &gone))
            })
            .await??;
        Ok(())
    }

    /// Checks that something can be sent there, as far as that can be told before: anything, or a file of this media
    /// type and size.
    pub(crate) async fn check_address(
        &self,
        to: String,
        file: Option<(String, u64)>,
    ) -> Result<(), ClientError> {
        self.0
            .run(move |keeper| {
                let room = keeper.check_recipient(&to)?;
                let (Some(room), Some((content_type, size))) = (room, file) else {
                    return Ok(());
                };
                keeper.check_file(&room, &content_type, size)
            })
            .await?
    }

    /// Queues the message of a finished upload and writes its record in one transaction; says the message's local id.
    pub(crate) async fn send(
        &self,
        number: u64,
        message: FileMessage,
        record: impl FnOnce(u64) -> Record + Send + 'static,
    ) -> Result<u64, ClientError> {
        self.0
            .run(move |keeper| {
                keeper.send_file(&message, |tx, local_id| write(tx, number, &record(local_id), &[]))
            })
            .await?
    }

    /// A file of a message.
    pub(crate) async fn file(
        &self,
        message: String,
        number: u32,
    ) -> Result<(ExternalPart, FileInfo), ClientError> {
        self.0.run(move |keeper| keeper.file(&message, number)).await?
    }
}

/// Whether the room takes this file of this person.
fn allowed(
    state: &RoomState,
    me: &UserUri,
    (content_type, size): (&str, u64),
    url: Option<&str>,
) -> Result<(), ClientError> {
    let file = FileFacts {
        content_type,
        size,
        shown: is_shown(content_type),
        // A place that cannot be told is none that is allowed.
        host: url.map(|url| host(url).unwrap_or_default()),
    };
    may_send_file(state, me, file).map_err(|refusal| ClientError::Denied(refusal.to_string()))
}

impl Keeper {
    fn check_file(&mut self, room: &RoomUri, content_type: &str, size: u64) -> Result<(), ClientError> {
        let me = self.me.clone();
        self.step(room, "look at file", |step| {
            allowed(step.engine.state(), &me, (content_type, size), None)
        })
    }

    fn send_file(
        &mut self,
        message: &FileMessage,
        also: impl FnOnce(&mut Tx<'_>, u64) -> Result<(), StoreError>,
    ) -> Result<u64, ClientError> {
        let me = self.me.clone();
        let text = message.text.as_deref();
        // What a face shows that knows no files.
        let shown = text.unwrap_or(&message.part.filename).to_owned();
        let files = vec![info(1, &message.part)];
        self.send_with(&message.to, "queue file", |step| {
            let marks = Marks {
                files,
                ..Marks::default()
            };
            let part = &message.part;
            let facts = (part.content_type.as_str(), part.size);
            allowed(step.engine.state(), &me, facts, Some(&part.url))?;
            let local_id = queue(step, &me, &shown, (marks, ExpiryWish::Room), |origin| {
                compose(origin, text, message.part.clone())
            })?;
            also(step.tx, local_id)?;
            Ok(local_id)
        })
    }

    fn file(&mut self, of: &str, number: u32) -> Result<(ExternalPart, FileInfo), ClientError> {
        let (_, row) = self.locate(of)?;
        let content = data_encoding::BASE64
            .decode(row.entry.content.as_bytes())
            .unwrap_or_default();
        let part = find(&content, number).ok_or(ClientError::NoFile)?;
        let told = info(number, &part);
        Ok((part, told))
    }
}

fn records(tx: &Tx<'_>) -> Result<Vec<(u64, Record)>, ClientError> {
    let rows = tx.rows(SCOPE)?;
    let read = |(key, value): (Vec<u8>, Vec<u8>)| {
        let number = u64::from_be_bytes(key.try_into().ok()?);
        Some((number, serde_json::from_slice(&value).ok()?))
    };
    // One that cannot be read is of no use to anybody.
    Ok(rows.into_iter().filter_map(read).collect())
}

fn write(tx: &mut Tx<'_>, number: u64, record: &Record, gone: &[u64]) -> Result<(), StoreError> {
    let mut changes = RowChanges::default();
    let value = serde_json::to_vec(record).map_err(|_| StoreError::Damaged(SCOPE))?;
    changes.put(number.to_be_bytes().to_vec(), value);
    for number in gone {
        changes.delete(number.to_be_bytes().to_vec());
    }
    tx.apply(SCOPE, &changes)
}
