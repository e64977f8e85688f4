//! What the credentials of a group's members claim, read once each: a thousand members carry two thousand
//! certificates, and every commit asks who they are.

use std::cell::RefCell;
use std::collections::BTreeMap;

use sabir_wire::uri::{ClientUri, UserUri};

use crate::identity::ClientCredential;
use crate::keys::sha256;

/// What a credential claims, proved or not.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) client: ClientUri,
    pub(crate) user: UserUri,
    pub(crate) identity_key: [u8; 32],
}

/// A memory of credentials that were read, by the hash of their content. What a credential claims follows from its
/// bytes alone, so nothing in here can be out of date.
#[derive(Debug, Default)]
pub(crate) struct Claims(RefCell<BTreeMap<[u8; 32], Option<Claim>>>);

impl Claims {
    /// What the content of an x509 credential claims; `None` where it does not have our form.
    pub(crate) fn of(&self, content: &[u8]) -> Option<Claim> {
        let key = sha256(content);
        if let Some(known) = self.0.borrow().get(&key) {
            return known.clone();
        }
        let claim = ClientCredential::parse(content).ok().map(|read| Claim {
            client: read.claimed_client().clone(),
            user: read.claimed_user().clone(),
            identity_key: *read.claimed_identity_key(),
        });
        self.0.borrow_mut().insert(key, claim.clone());
        claim
    }

    /// Forgets everything once it holds much more than the credentials of this many members.
    pub(crate) fn bound(&self, members: usize) {
        let mut known = self.0.borrow_mut();
        if known.len() > members.saturating_mul(2).saturating_add(64) {
            known.clear();
        }
    }
}
