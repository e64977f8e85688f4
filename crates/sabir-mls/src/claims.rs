//! What the credentials of a group's members claim, read once each: a thousand members carry two thousand
//! certificates, and every commit asks who they are.

use std::cell::RefCell;

use sabir_wire::uri::{ClientUri, UserUri};

use crate::identity::{ClientCredential, Identity};

/// What a credential claims, proved or not.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) client: ClientUri,
    pub(crate) user: UserUri,
    pub(crate) identity: Identity,
}

/// A memory of credentials that were read, by leaf. What a credential claims follows from its bytes alone, and they are
/// compared, so nothing that comes out of here can be out of date.
#[derive(Debug, Default)]
pub(crate) struct Claims(RefCell<Vec<Option<Known>>>);

#[derive(Debug)]
struct Known {
    content: Vec<u8>,
    claim: Option<Claim>,
}

impl Claims {
    /// What the content of a leaf's x509 credential claims; `None` where it does not have our form.
    pub(crate) fn of(&self, leaf: u32, content: &[u8]) -> Option<Claim> {
        self.with(leaf, content, |claim| claim.cloned())
    }

    /// As [`Claims::of`], lent to `look`.
    pub(crate) fn with<T>(&self, leaf: u32, content: &[u8], look: impl FnOnce(Option<&Claim>) -> T) -> T {
        let read = || Known {
            content: content.to_vec(),
            claim: claim(content),
        };
        let Ok(place) = usize::try_from(leaf) else {
            return look(read().claim.as_ref());
        };
        let mut known = self.0.borrow_mut();
        if known.len() <= place {
            known.resize_with(place.saturating_add(1), || None);
        }
        let Some(known) = known.get_mut(place) else {
            return look(read().claim.as_ref());
        };
        match known {
            Some(known) if known.content == content => look(known.claim.as_ref()),
            _ => look(known.insert(read()).claim.as_ref()),
        }
    }

    /// Forgets the leaves from this one on.
    pub(crate) fn forget_from(&self, leaf: u32) {
        if let Ok(leaf) = usize::try_from(leaf) {
            self.0.borrow_mut().truncate(leaf);
        }
    }
}

fn claim(content: &[u8]) -> Option<Claim> {
    let read = ClientCredential::parse(content).ok()?;
    Some(Claim {
        client: read.claimed_client().clone(),
        user: read.claimed_user().clone(),
        identity: read.claimed_identity(),
    })
}
