//! Accounts, devices, invites, tokens and settings in SQLite.

use rusqlite::{Connection, Row, params};

use super::fail::Fail;
use super::query::{execute, find, int, list, number};
use crate::types::Hash;
use crate::{
    Account, AddDevice, CreateAccount, CreateInvite, Device, DeviceOutcome, InviteOutcome, NewAccountOutcome,
    PutToken, RecoverAccount, RecoverOutcome,
};

pub(super) fn create_invite(connection: &Connection, command: &CreateInvite) -> Result<InviteOutcome, Fail> {
    let sql = "INSERT INTO invites (token_hash, expires_at, uses_left) VALUES (?1, ?2, ?3)
        ON CONFLICT (token_hash) DO NOTHING";
    match execute(
        connection,
        sql,
        params![command.token_hash, int(command.expires_at), command.uses],
    )? {
        0 => Ok(InviteOutcome::Same),
        _ => Ok(InviteOutcome::Created),
    }
}

pub(super) fn create(connection: &Connection, command: &CreateAccount) -> Result<NewAccountOutcome, Fail> {
    let CreateAccount {
        invite,
        user,
        name,
        identity_key,
        user_certificate,
        recovery_commitment,
        now,
    } = command;
    if let Some(account) = account(connection, user)? {
        let same = account.identity_key == *identity_key;
        return Ok(if same {
            NewAccountOutcome::Same
        } else {
            NewAccountOutcome::NameTaken
        });
    }
    if find(
        connection,
        "SELECT 1 FROM accounts WHERE name = ?1",
        [name],
        |_| Ok(()),
    )?
    .is_some()
    {
        return Ok(NewAccountOutcome::NameTaken);
    }
    let sql = "SELECT expires_at, uses_left FROM invites WHERE token_hash = ?1";
    match find(connection, sql, [invite], |row| {
        Ok((number(row, 0)?, number(row, 1)?))
    })? {
        None => return Ok(NewAccountOutcome::InviteUnknown),
        Some((expires_at, _)) if expires_at <= *now => return Ok(NewAccountOutcome::InviteExpired),
        Some((_, 0)) => return Ok(NewAccountOutcome::InviteUsed),
        Some(_) => {}
    }
    execute(
        connection,
        "UPDATE invites SET uses_left = uses_left - 1 WHERE token_hash = ?1",
        [invite],
    )?;
    let sql =
        "INSERT INTO accounts (user, name, identity_key, user_certificate, recovery_commitment, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    execute(
        connection,
        sql,
        params![
            user,
            name,
            identity_key,
            user_certificate,
            recovery_commitment,
            int(*now)
        ],
    )?;
    Ok(NewAccountOutcome::Created)
}

pub(super) fn recover(connection: &Connection, command: &RecoverAccount) -> Result<RecoverOutcome, Fail> {
    let RecoverAccount {
        user,
        shown,
        identity_key,
        user_certificate,
        recovery_commitment,
    } = command;
    let Some(account) = account(connection, user)? else {
        return Ok(RecoverOutcome::Refused);
    };
    if account.identity_key == *identity_key && account.recovery_commitment == *recovery_commitment {
        return Ok(RecoverOutcome::Same);
    }
    if account.recovery_commitment != *shown {
        return Ok(RecoverOutcome::Refused);
    }
    let sql = "UPDATE accounts SET identity_key = ?2, user_certificate = ?3, recovery_commitment = ?4,
            device_list = x'', device_list_version = 0
        WHERE user = ?1";
    execute(
        connection,
        sql,
        params![user, identity_key, user_certificate, recovery_commitment],
    )?;
    let sql = "DELETE FROM tokens WHERE client_uri IN (SELECT client_uri FROM devices WHERE user = ?1)";
    execute(connection, sql, [user])?;
    let sql = "UPDATE key_packages SET gone = 1, bytes = x''
        WHERE gone = 0 AND device IN (SELECT client_uri FROM devices WHERE user = ?1)";
    execute(connection, sql, [user])?;
    Ok(RecoverOutcome::Recovered)
}

pub(super) fn list_all(connection: &Connection) -> Result<Vec<Account>, Fail> {
    let sql = "SELECT user, name, identity_key, user_certificate, recovery_commitment, device_list,
            device_list_version, created_at
        FROM accounts ORDER BY user";
    Ok(list(connection, sql, (), read_account)?)
}

pub(super) fn account(connection: &Connection, user: &str) -> Result<Option<Account>, Fail> {
    let sql = "SELECT user, name, identity_key, user_certificate, recovery_commitment, device_list,
            device_list_version, created_at
        FROM accounts WHERE user = ?1";
    Ok(find(connection, sql, [user], read_account)?)
}

pub(super) fn add_device(connection: &Connection, command: &AddDevice) -> Result<DeviceOutcome, Fail> {
    let Some(account) = account(connection, &command.user)? else {
        return Ok(DeviceOutcome::AccountUnknown);
    };
    if account.identity_key != command.identity_key {
        return Ok(DeviceOutcome::AnotherIdentity);
    }
    let present = device(connection, &command.client_uri)?;
    let current = account.device_list_version;
    let same_list = command.device_list_version == current && command.device_list == account.device_list;
    if let Some(device) = &present {
        if device.user != command.user || device.signature_key != command.signature_key {
            return Ok(DeviceOutcome::ClientTaken);
        }
        if device.credential == command.credential && (same_list || command.device_list_version < current) {
            return Ok(DeviceOutcome::Same);
        }
    }
    if command.device_list_version <= current && !same_list {
        return Ok(DeviceOutcome::ListNotNewer { current });
    }
    let AddDevice {
        user,
        identity_key: _,
        client_uri,
        credential,
        signature_key,
        device_list,
        device_list_version,
        now,
    } = command;
    let sql = "UPDATE accounts SET device_list = ?2, device_list_version = ?3 WHERE user = ?1";
    execute(
        connection,
        sql,
        params![user, device_list, int(*device_list_version)],
    )?;
    if *device_list_version > current {
        // What lies here carries an older list, and nobody who has seen the new one takes that.
        let sql = "UPDATE key_packages SET gone = 1, bytes = x''
            WHERE gone = 0 AND device IN (SELECT client_uri FROM devices WHERE user = ?1)";
        execute(connection, sql, [user])?;
    }
    let sql = "INSERT INTO devices (client_uri, user, credential, signature_key, added_at) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (client_uri) DO UPDATE SET credential = excluded.credential";
    execute(
        connection,
        sql,
        params![client_uri, user, credential, signature_key, int(*now)],
    )?;
    Ok(if present.is_some() {
        DeviceOutcome::Updated
    } else {
        DeviceOutcome::Added
    })
}

pub(super) fn devices(connection: &Connection, user: &str) -> Result<Vec<Device>, Fail> {
    let sql = "SELECT client_uri, user, credential, signature_key, added_at FROM devices
        WHERE user = ?1 ORDER BY client_uri";
    Ok(list(connection, sql, [user], read_device)?)
}

pub(super) fn device(connection: &Connection, client_uri: &str) -> Result<Option<Device>, Fail> {
    let sql =
        "SELECT client_uri, user, credential, signature_key, added_at FROM devices WHERE client_uri = ?1";
    Ok(find(connection, sql, [client_uri], read_device)?)
}

pub(super) fn put_token(connection: &Connection, command: &PutToken) -> Result<(), Fail> {
    let sql = "INSERT INTO tokens (token_hash, client_uri, expires_at) VALUES (?1, ?2, ?3)
        ON CONFLICT (token_hash) DO UPDATE SET client_uri = excluded.client_uri, expires_at = excluded.expires_at";
    execute(
        connection,
        sql,
        params![command.token_hash, command.client_uri, int(command.expires_at)],
    )?;
    Ok(())
}

pub(super) fn token(connection: &Connection, token_hash: &Hash, now: u64) -> Result<Option<String>, Fail> {
    let sql = "SELECT client_uri FROM tokens WHERE token_hash = ?1 AND expires_at > ?2";
    Ok(find(connection, sql, params![token_hash, int(now)], |row| {
        row.get(0)
    })?)
}

pub(super) fn revoke_tokens(connection: &Connection, client_uri: &str) -> Result<u64, Fail> {
    Ok(execute(
        connection,
        "DELETE FROM tokens WHERE client_uri = ?1",
        [client_uri],
    )? as u64)
}

pub(super) fn setting(connection: &Connection, key: &str) -> Result<Option<Vec<u8>>, Fail> {
    Ok(find(
        connection,
        "SELECT value FROM settings WHERE key = ?1",
        [key],
        |row| row.get(0),
    )?)
}

pub(super) fn put_setting(connection: &Connection, key: &str, value: &[u8]) -> Result<(), Fail> {
    let sql = "INSERT INTO settings (key, value) VALUES (?1, ?2)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    execute(connection, sql, params![key, value])?;
    Ok(())
}

/// Columns in the order of the structure.
fn read_account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        user: row.get(0)?,
        name: row.get(1)?,
        identity_key: row.get(2)?,
        user_certificate: row.get(3)?,
        recovery_commitment: row.get(4)?,
        device_list: row.get(5)?,
        device_list_version: number(row, 6)?,
        created_at: number(row, 7)?,
    })
}

/// Columns in the order of the structure.
fn read_device(row: &Row<'_>) -> rusqlite::Result<Device> {
    Ok(Device {
        client_uri: row.get(0)?,
        user: row.get(1)?,
        credential: row.get(2)?,
        signature_key: row.get(3)?,
        added_at: number(row, 4)?,
    })
}
