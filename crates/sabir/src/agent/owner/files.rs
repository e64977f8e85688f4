//! Files on their way.

use std::path::PathBuf;
use std::time::Duration;

use sabir_client::files::{SaveFile, SendFile};
use sabir_client::types::Transfer;

use super::{Owner, address, failures};
use crate::rpc::files::{FileSave, FileSend};
use crate::rpc::message::Failure;

impl Owner {
    /// `file.send`.
    pub(crate) async fn send_file(&self, params: FileSend) -> Result<Transfer, Failure> {
        let to = address(&params.to)?;
        let file = SendFile {
            path: PathBuf::from(params.path),
            text: params.text,
            keep_metadata: params.keep_metadata,
            key: params.key,
        };
        let client = self.get()?.client;
        client.send_file(&to, file).await.map_err(failures::client)
    }

    /// `file.save`.
    pub(crate) async fn save_file(&self, params: FileSave) -> Result<Transfer, Failure> {
        let file = SaveFile {
            message: params.message.into_text(),
            number: params.number.unwrap_or(1),
            path: PathBuf::from(params.path),
            overwrite: params.overwrite,
        };
        let client = self.get()?.client;
        client.save_file(file).await.map_err(failures::client)
    }

    /// `file.status`: at once when the transfer is over, otherwise when it is, or after `wait`.
    pub(crate) async fn transfer(&self, transfer: u64, wait: Duration) -> Result<Transfer, Failure> {
        let client = self.get()?.client;
        client.transfer(transfer, wait).await.map_err(failures::client)
    }

    /// Transfers that are under way.
    pub(crate) fn transfers(&self) -> usize {
        self.get().map_or(0, |open| open.client.transfers_under_way())
    }
}
