//! The list of the person's rooms, sealed to their recovery code and left with the provider, whenever it has changed
//! (docs/decisions/0008-recovery.md).

use std::time::Duration;

use sabir_mls::keys::sha256;
use sabir_wire::client_api::path;
use sabir_wire::codec::Encode as _;
use sabir_wire::uri::RoomUri;

use super::ClientError;
use super::keeper::{Keep, Keeper};
use crate::account::seal_rooms;
use crate::store::Name;
use crate::transport::{Call, Transport};

/// After a room came: others often come with it, and one that is being made takes a moment.
pub(super) const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(28)];

/// What is to be left with the provider, and the digest of the rooms in it.
struct Due {
    sealed: Vec<u8>,
    digest: Vec<u8>,
}

/// Leaves the list with the provider where it is another than the last.
pub(super) async fn back_up(keep: &Keep, transport: &Transport) -> Result<(), ClientError> {
    let Some(due) = keep.run(Keeper::backup_due).await?? else {
        return Ok(());
    };
    transport.call(&Call::post(path::BACKUP, due.sealed, 0)).await?;
    keep.run(move |keeper| keeper.backed_up(&due.digest)).await?
}

impl Keeper {
    fn backup_due(&mut self) -> Result<Option<Due>, ClientError> {
        let Some(key) = self.account.backup_key()? else {
            return Ok(None);
        };
        let mut rooms: Vec<RoomUri> = Vec::new();
        for record in self.store.read(|tx| tx.rooms())? {
            if record.is_in_use() && record.making.is_none() {
                rooms.push(RoomUri::parse(&record.room)?);
            }
        }
        // Of a device that comes back: it may be lost again before it is in them.
        let to_join: Vec<String> = self.store.get(Name::TO_JOIN)?.unwrap_or_default();
        for room in to_join {
            rooms.push(RoomUri::parse(&room)?);
        }
        rooms.sort();
        rooms.dedup();
        let mut bytes = key.to_vec();
        rooms.iter().for_each(|room| room.encode(&mut bytes));
        let digest = sha256(&bytes).to_vec();
        if self.store.get::<Vec<u8>>(Name::BACKED_UP)?.as_ref() == Some(&digest) {
            return Ok(None);
        }
        let sealed = seal_rooms(&key, &self.me, &rooms)?;
        Ok(Some(Due { sealed, digest }))
    }

    fn backed_up(&mut self, digest: &[u8]) -> Result<(), ClientError> {
        let digest = digest.to_vec();
        Ok(self
            .store
            .transaction("backed up", |tx| tx.put(Name::BACKED_UP, &digest))?)
    }
}
