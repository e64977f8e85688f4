//! Nonces without memory for strangers: a nonce proves itself and names its connection, and only those that signed
//! somebody in are remembered, until they expire.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use sabir_mls::keys::hmac_sha256;
use sabir_wire::client_api::ClientAuthChallenge;
use zeroize::Zeroizing;

use crate::error::Error;

/// How long a challenge is good for, in milliseconds.
const LIFETIME_MS: u64 = 60_000;

/// Makes and checks challenges.
pub(super) struct Challenges {
    key: Zeroizing<[u8; 32]>,
    used: Mutex<BTreeMap<[u8; 32], u64>>,
}

impl Challenges {
    pub(super) fn new() -> Result<Self, Error> {
        let mut key = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| Error::Internal("no randomness"))?;
        Ok(Self {
            key,
            used: Mutex::default(),
        })
    }

    /// A challenge for the connection with this exporter value.
    pub(super) fn issue(&self, exporter: &[u8; 32], now: u64) -> Result<ClientAuthChallenge, Error> {
        let expires_at = now.saturating_add(LIFETIME_MS);
        let mut random = [0; 8];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| Error::Internal("no randomness"))?;
        let mut nonce = [0; 32];
        let (expiry, rest) = nonce.split_at_mut(8);
        let (chosen, tag) = rest.split_at_mut(8);
        expiry.copy_from_slice(&expires_at.to_be_bytes());
        chosen.copy_from_slice(&random);
        tag.copy_from_slice(&self.tag(expires_at, random, exporter));
        Ok(ClientAuthChallenge { nonce, expires_at })
    }

    /// Whether the nonce is one of ours for this connection, not expired and not used.
    pub(super) fn is_good(&self, nonce: &[u8; 32], exporter: &[u8; 32], now: u64) -> bool {
        let (expiry, rest) = nonce.split_at(8);
        let (random, tag) = rest.split_at(8);
        let (Ok(expiry), Ok(random)) = (expiry.try_into(), random.try_into()) else {
            return false;
        };
        let expires_at = u64::from_be_bytes(expiry);
        let ours = verify_slices_are_equal(tag, &self.tag(expires_at, random, exporter)).is_ok();
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        ours && now < expires_at && !used.contains_key(nonce)
    }

    /// Spends a good nonce; `false` when somebody was faster.
    pub(super) fn spend(&self, nonce: [u8; 32], now: u64) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, expires_at| *expires_at > now);
        used.insert(nonce, now.saturating_add(LIFETIME_MS)).is_none()
    }

    fn tag(&self, expires_at: u64, random: [u8; 8], exporter: &[u8; 32]) -> [u8; 16] {
        let said = [expires_at.to_be_bytes().as_slice(), &random, exporter].concat();
        let mut tag = [0; 16];
        let mac = hmac_sha256(self.key.as_slice(), &said);
        tag.copy_from_slice(mac.split_at(16).0);
        tag
    }
}

impl std::fmt::Debug for Challenges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Challenges(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn a_nonce_is_good_once_here_and_now() {
        let challenges = Challenges::new().unwrap();
        let challenge = challenges.issue(&[1; 32], 1000).unwrap();
        let good = |exporter: u8, now| challenges.is_good(&challenge.nonce, &[exporter; 32], now);
        assert!(good(1, 1000) && good(1, 60_999));
        assert!(!good(2, 1000), "another connection");
        assert!(!good(1, 61_000), "expired");
        for bit in 0..32 {
            let mut other = challenge.nonce;
            other[bit] ^= 1;
            assert!(!challenges.is_good(&other, &[1; 32], 1000), "byte {bit}");
        }
        assert!(challenges.spend(challenge.nonce, 1000));
        assert!(!good(1, 1001), "used");
        assert!(!challenges.spend(challenge.nonce, 1001));
    }
}
