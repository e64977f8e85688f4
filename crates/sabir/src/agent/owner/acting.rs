//! What a person does to messages, and what they set.

use sabir_client::types::{MessageState, Outgoing, Room, Settings};

use super::{Owner, address, failures};
use crate::rpc::message::Failure;
use crate::rpc::methods::{MessageShown, SettingsChange};

impl Owner {
    /// `message.reply`.
    pub(crate) async fn reply(&self, message: &str, text: &str) -> Result<Outgoing, Failure> {
        let client = self.get()?.client;
        let local_id = client.reply(message, text).await.map_err(failures::client)?;
        Ok(self.written_down(local_id).await)
    }

    /// `message.react`.
    pub(crate) async fn react(
        &self,
        message: &str,
        reaction: &str,
        remove: bool,
    ) -> Result<Outgoing, Failure> {
        let client = self.get()?.client;
        let outcome = if remove {
            client.unreact(message, reaction).await
        } else {
            client.react(message, reaction).await
        };
        Ok(self.written_down(outcome.map_err(failures::client)?).await)
    }

    /// `message.edit`.
    pub(crate) async fn edit(&self, message: &str, text: &str) -> Result<Outgoing, Failure> {
        let client = self.get()?.client;
        let local_id = client.edit(message, text).await.map_err(failures::client)?;
        Ok(self.written_down(local_id).await)
    }

    /// `message.delete`.
    pub(crate) async fn delete(&self, message: &str) -> Result<Outgoing, Failure> {
        let client = self.get()?.client;
        let local_id = client.delete(message).await.map_err(failures::client)?;
        Ok(self.written_down(local_id).await)
    }

    /// `message.show`.
    pub(crate) async fn show(&self, message: &str) -> Result<MessageShown, Failure> {
        let client = self.get()?.client;
        let versions = client.versions(message).await.map_err(failures::client)?;
        let message = client.message(message).await.map_err(failures::client)?;
        Ok(MessageShown { message, versions })
    }

    /// `room.read`.
    pub(crate) async fn mark_read(&self, room: &str, until: Option<&str>) -> Result<Room, Failure> {
        let of = address(room)?;
        let client = self.get()?.client;
        let mut room = client.mark_read(&of, until).await.map_err(failures::client)?;
        if let Some(last) = &mut room.last {
            super::shorten(&mut last.text);
        }
        Ok(room)
    }

    /// `settings.show`, and `settings.set` where there is something to set.
    pub(crate) async fn settings(&self, change: SettingsChange) -> Result<Settings, Failure> {
        let client = self.get()?.client;
        let before = client.settings().await.map_err(failures::client)?;
        let after = Settings {
            delivery_receipts: change.delivery_receipts.unwrap_or(before.delivery_receipts),
            read_receipts: change.read_receipts.unwrap_or(before.read_receipts),
            post_quantum: change.post_quantum.unwrap_or(before.post_quantum),
        };
        if after != before {
            client.set_settings(after).await.map_err(failures::client)?;
        }
        Ok(after)
    }

    /// What is on disk is answered so, whatever happens from here on.
    pub(super) async fn written_down(&self, local_id: u64) -> Outgoing {
        let known = match self.get() {
            Ok(open) => open.client.outgoing(local_id).await.ok(),
            Err(_) => None,
        };
        known.unwrap_or(Outgoing {
            local_id,
            state: MessageState::Queued,
            room: None,
            message_id: None,
            accepted_ms: None,
            problem: None,
        })
    }
}
