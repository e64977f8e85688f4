//! The person's devices: looked at, and linked, on both sides.
//!
//! A linking lives in the agent until the other device's word holds; whoever begins another ends the one before.

use std::time::Duration;

use sabir_client::account::{self, AccountError, NewLink, PairingError};
use sabir_client::invite::read_provider;
use sabir_client::store::Store;
use sabir_client::transport::{Timing, read_anchors};
use sabir_client::types::Devices;
use tokio::time::timeout;

use super::create::{check_device_name, open_store};
use super::{Owner, failures, open};
use crate::address;
use crate::profile::Profile;
use crate::rpc::code::Code;
use crate::rpc::devices::{
    AddNumber, Adding, DeviceAdd, DeviceLink, DeviceRename, LinkNumber, Linked, Linking,
};
use crate::rpc::message::Failure;

impl Owner {
    /// `device.list`.
    pub(crate) async fn devices(&self) -> Result<Devices, Failure> {
        self.get()?.client.devices().await.map_err(failures::client)
    }

    /// `device.revoke`.
    pub(crate) async fn revoke_device(&self, device: &str) -> Result<Devices, Failure> {
        let client = self.get()?.client;
        client.revoke_device(device).await.map_err(failures::client)
    }

    /// `device.rename`.
    pub(crate) async fn rename_device(&self, params: DeviceRename) -> Result<Devices, Failure> {
        let client = self.get()?.client;
        let renamed = client.rename_device(&params.device, &params.name).await;
        renamed.map_err(failures::client)
    }

    /// `device.link`.
    pub(crate) async fn link(&self, profile: &Profile, params: DeviceLink) -> Result<Linking, Failure> {
        let (provider, user, connect) = read_provider(&params.account).map_err(|_| {
            Failure::new(
                Code::AddressMalformed,
                "this is neither an address nor a provider",
            )
            .hint(address::HINT)
        })?;
        let anchors = match &params.trust_anchor {
            Some(pem) => read_anchors(pem.as_bytes()).map_err(failures::anchors)?,
            None => Vec::new(),
        };
        check_device_name(&params.device_name)?;
        if self.get().is_ok() {
            return Err(failures::account(AccountError::Exists));
        }
        let mut linking = self.0.linking.lock().await;
        *linking = None;
        let _one = self.0.creating.lock().await;
        let mut store = open_store(profile)?;
        if account::link_in_progress(&mut store).map_err(failures::account)? {
            let account = account::resume_link(&mut store, Timing::default()).await;
            let account = account.map_err(failures::account)?;
            drop(store);
            self.0.open.send_replace(open(profile).await?);
            return Ok(Linking {
                text: None,
                account: Some(account),
            });
        }
        let new = NewLink {
            provider,
            user,
            connect,
            device_name: params.device_name,
            anchors,
        };
        let begun = account::Linking::begin(&mut store, &new, Timing::default());
        let begun = begun.map_err(failures::account)?;
        let text = begun.text();
        *linking = Some(begun);
        Ok(Linking {
            text: Some(text),
            account: None,
        })
    }

    /// `device.link_number`.
    pub(crate) async fn link_number(&self, wait: Duration) -> Result<LinkNumber, Failure> {
        let mut linking = self.0.linking.lock().await;
        let Some(begun) = linking.as_mut() else {
            return Err(nothing_begun());
        };
        match timeout(wait, begun.offer()).await {
            Ok(Ok(offer)) => Ok(LinkNumber {
                address: Some(offer.address),
                number: Some(offer.number),
            }),
            Ok(Err(error)) => {
                *linking = None;
                Err(failures::account(error))
            }
            Err(_) => Ok(LinkNumber {
                address: None,
                number: None,
            }),
        }
    }

    /// `device.link_confirm`.
    pub(crate) async fn link_confirm(
        &self,
        profile: &Profile,
        number: &str,
        wait: Duration,
    ) -> Result<Linked, Failure> {
        let mut linking = self.0.linking.lock().await;
        let Some(begun) = linking.as_ref() else {
            return Err(nothing_begun());
        };
        let _one = self.0.creating.lock().await;
        let mut store: Store = open_store(profile)?;
        let finished = timeout(wait, async {
            if account::link_in_progress(&mut store)? {
                account::resume_link(&mut store, Timing::default()).await
            } else {
                begun.confirm(&mut store, number).await
            }
        });
        let account = match finished.await {
            Ok(Ok(account)) => account,
            Ok(Err(error)) => {
                *linking = None;
                return Err(failures::account(error));
            }
            Err(_) => return Ok(Linked { account: None }),
        };
        drop(store);
        *linking = None;
        self.0.open.send_replace(open(profile).await?);
        Ok(Linked {
            account: Some(account),
        })
    }

    /// `device.add`.
    pub(crate) async fn add_device(&self, params: DeviceAdd) -> Result<Adding, Failure> {
        let client = self.get()?.client;
        let mut adding = self.0.adding.lock().await;
        *adding = None;
        let begun = client
            .begin_adding(&params.text)
            .await
            .map_err(failures::client)?;
        let device_name = begun.device_name().to_owned();
        *adding = Some(begun);
        Ok(Adding { device_name })
    }

    /// `device.add_number`.
    pub(crate) async fn add_number(&self, wait: Duration) -> Result<AddNumber, Failure> {
        let mut adding = self.0.adding.lock().await;
        let Some(begun) = adding.as_mut() else {
            return Err(nothing_begun());
        };
        match timeout(wait, begun.number()).await {
            Ok(Ok(number)) => Ok(AddNumber { number: Some(number) }),
            Ok(Err(error)) => {
                *adding = None;
                Err(failures::client(error))
            }
            Err(_) => Ok(AddNumber { number: None }),
        }
    }

    /// `device.add_confirm`.
    pub(crate) async fn add_confirm(&self, number: &str) -> Result<Devices, Failure> {
        let begun = self.0.adding.lock().await.take().ok_or_else(nothing_begun)?;
        begun.confirm(number).await.map_err(failures::client)
    }
}

/// The agent was started anew meanwhile, or another linking was begun.
fn nothing_begun() -> Failure {
    failures::account(AccountError::Pairing(PairingError::Late))
}
