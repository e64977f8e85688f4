use std::sync::Arc;

use sabir_store::{CreateInvite, Store, StoreError};
use sabir_wire::uri::Domain;
use serde::Serialize;

use super::{AccountRow, Invite, Reply, Request};
use crate::{ambient, invite};

/// Longest life of an invite. Far in the future and still a number that the store takes.
const MAX_DAYS: u32 = 3650;
const DAY_MS: u64 = 24 * 3_600_000;

/// Carries out one command.
pub async fn answer(store: &Arc<dyn Store>, domain: &Domain, request: Request) -> Reply {
    let done = match request {
        Request::InviteCreate { uses, days } => create_invite(store, domain, uses, days).await,
        Request::AccountList => list_accounts(store).await,
    };
    done.unwrap_or_else(Reply::Error)
}

async fn create_invite(
    store: &Arc<dyn Store>,
    domain: &Domain,
    uses: u32,
    days: u32,
) -> Result<Reply, String> {
    if uses == 0 || days == 0 || days > MAX_DAYS {
        return Err(format!("uses must be at least 1, days between 1 and {MAX_DAYS}"));
    }
    let token = invite::new_token().map_err(|e| e.to_string())?;
    let token_hash = invite::token_hash(token.as_bytes()).map_err(|e| e.to_string())?;
    let expires_at = ambient::now().saturating_add(u64::from(days).saturating_mul(DAY_MS));
    store
        .create_invite(CreateInvite {
            token_hash,
            expires_at,
            uses,
        })
        .await
        .map_err(told)?;
    ok(&Invite {
        link: invite::link(domain, &token),
        token,
        expires_at,
        uses,
    })
}

async fn list_accounts(store: &Arc<dyn Store>) -> Result<Reply, String> {
    let store = Arc::clone(store);
    // Reads take microseconds each, all accounts together may not.
    let rows = tokio::task::spawn_blocking(move || {
        let row = |account: sabir_store::Account| {
            Ok(AccountRow {
                devices: store.devices(&account.user)?.len(),
                user: account.user,
                created_at: account.created_at,
            })
        };
        store
            .list_accounts()?
            .into_iter()
            .map(row)
            .collect::<Result<Vec<_>, StoreError>>()
    });
    ok(&rows
        .await
        .map_err(|_| "the command was interrupted".to_owned())?
        .map_err(told)?)
}

fn ok(result: &impl Serialize) -> Result<Reply, String> {
    serde_json::to_value(result)
        .map(Reply::Ok)
        .map_err(|e| e.to_string())
}

fn told(error: StoreError) -> String {
    tracing::warn!(%error, "an admin command failed in the store");
    error.to_string()
}
