//! Accounts, devices, invites and tokens in the model.

use super::State;
use crate::types::Hash;
use crate::{
    Account, AddDevice, CreateAccount, CreateInvite, Device, DeviceOutcome, InviteOutcome, NewAccountOutcome,
    PutToken, RecoverAccount, RecoverOutcome,
};

#[derive(Debug)]
pub(super) struct Invite {
    pub(super) expires_at: u64,
    pub(super) uses_left: u32,
}

#[derive(Debug)]
pub(super) struct Token {
    pub(super) client_uri: String,
    pub(super) expires_at: u64,
}

impl State {
    pub(super) fn create_invite(&mut self, command: CreateInvite) -> InviteOutcome {
        let CreateInvite {
            token_hash,
            expires_at,
            uses,
        } = command;
        if self.invites.contains_key(&token_hash) {
            return InviteOutcome::Same;
        }
        self.invites.insert(
            token_hash,
            Invite {
                expires_at,
                uses_left: uses,
            },
        );
        InviteOutcome::Created
    }

    pub(super) fn create_account(&mut self, command: CreateAccount) -> NewAccountOutcome {
        let CreateAccount {
            invite,
            user,
            name,
            identity_key,
            user_certificate,
            recovery_commitment,
            now,
        } = command;
        if let Some(account) = self.accounts.get(&user) {
            let same = account.identity_key == identity_key;
            return if same {
                NewAccountOutcome::Same
            } else {
                NewAccountOutcome::NameTaken
            };
        }
        if self.accounts.values().any(|account| account.name == name) {
            return NewAccountOutcome::NameTaken;
        }
        let Some(invite) = self.invites.get_mut(&invite) else {
            return NewAccountOutcome::InviteUnknown;
        };
        if invite.expires_at <= now {
            return NewAccountOutcome::InviteExpired;
        }
        let Some(uses_left) = invite.uses_left.checked_sub(1) else {
            return NewAccountOutcome::InviteUsed;
        };
        invite.uses_left = uses_left;
        let account = Account {
            user: user.clone(),
            name,
            identity_key,
            user_certificate,
            recovery_commitment,
            device_list: Vec::new(),
            device_list_version: 0,
            created_at: now,
        };
        self.accounts.insert(user, account);
        NewAccountOutcome::Created
    }

    pub(super) fn recover_account(&mut self, command: RecoverAccount) -> RecoverOutcome {
        let RecoverAccount {
            user,
            shown,
            identity_key,
            user_certificate,
            recovery_commitment,
        } = command;
        let Some(account) = self.accounts.get_mut(&user) else {
            return RecoverOutcome::Refused;
        };
        if account.identity_key == identity_key && account.recovery_commitment == recovery_commitment {
            return RecoverOutcome::Same;
        }
        if account.recovery_commitment != shown {
            return RecoverOutcome::Refused;
        }
        account.identity_key = identity_key;
        account.user_certificate = user_certificate;
        account.recovery_commitment = recovery_commitment;
        account.device_list = Vec::new();
        account.device_list_version = 0;
        let devices = &self.devices;
        let is_theirs = |device: &String| devices.get(device).is_some_and(|device| device.user == user);
        self.tokens.retain(|_, token| !is_theirs(&token.client_uri));
        let packages = self.packages.values_mut();
        packages
            .filter(|package| is_theirs(&package.device))
            .for_each(|package| package.gone = true);
        RecoverOutcome::Recovered
    }

    pub(super) fn add_device(&mut self, command: AddDevice) -> DeviceOutcome {
        let AddDevice {
            user,
            identity_key,
            client_uri,
            credential,
            signature_key,
            device_list,
            device_list_version,
            now,
        } = command;
        let Some(account) = self.accounts.get_mut(&user) else {
            return DeviceOutcome::AccountUnknown;
        };
        if account.identity_key != identity_key {
            return DeviceOutcome::AnotherIdentity;
        }
        let present = self.devices.get(&client_uri);
        let current = account.device_list_version;
        let same_list = device_list_version == current && device_list == account.device_list;
        if let Some(device) = present {
            if device.user != user || device.signature_key != signature_key {
                return DeviceOutcome::ClientTaken;
            }
            if device.credential == credential && (same_list || device_list_version < current) {
                return DeviceOutcome::Same;
            }
        }
        if device_list_version <= current && !same_list {
            return DeviceOutcome::ListNotNewer { current };
        }
        let added_at = present.map_or(now, |device| device.added_at);
        let outcome = if present.is_some() {
            DeviceOutcome::Updated
        } else {
            DeviceOutcome::Added
        };
        account.device_list = device_list;
        account.device_list_version = device_list_version;
        if device_list_version > current {
            let devices = &self.devices;
            let is_theirs = |device: &String| devices.get(device).is_some_and(|device| device.user == user);
            let packages = self.packages.values_mut();
            packages
                .filter(|package| is_theirs(&package.device))
                .for_each(|package| package.gone = true);
        }
        self.devices.insert(
            client_uri.clone(),
            Device {
                client_uri,
                user,
                credential,
                signature_key,
                added_at,
            },
        );
        outcome
    }

    pub(super) fn list_accounts(&self) -> Vec<Account> {
        self.accounts.values().cloned().collect()
    }

    pub(super) fn account(&self, user: &str) -> Option<Account> {
        self.accounts.get(user).cloned()
    }

    pub(super) fn devices(&self, user: &str) -> Vec<Device> {
        self.devices
            .values()
            .filter(|device| device.user == user)
            .cloned()
            .collect()
    }

    pub(super) fn device(&self, client_uri: &str) -> Option<Device> {
        self.devices.get(client_uri).cloned()
    }

    pub(super) fn put_token(&mut self, command: PutToken) {
        let PutToken {
            token_hash,
            client_uri,
            expires_at,
        } = command;
        self.tokens.insert(
            token_hash,
            Token {
                client_uri,
                expires_at,
            },
        );
    }

    pub(super) fn token(&self, token_hash: &Hash, now: u64) -> Option<String> {
        self.tokens
            .get(token_hash)
            .filter(|token| token.expires_at > now)
            .map(|token| token.client_uri.clone())
    }

    pub(super) fn revoke_tokens(&mut self, client_uri: &str) -> u64 {
        let before = self.tokens.len();
        self.tokens.retain(|_, token| token.client_uri != client_uri);
        before.saturating_sub(self.tokens.len()) as u64
    }
}
