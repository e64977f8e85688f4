//! The provider's side of a recovery, as far as clients' tests need it.

use sabir_mls::keys::sha256;
use sabir_mls::suite;
use sabir_wire::client_api::{RecoverAccountRequest, RecoverAccountResponse};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::uri::ProviderUri;

use super::{FakeProvider, year};
use crate::random;

impl FakeProvider {
    pub(super) fn recover(&self, body: &[u8]) -> Vec<u8> {
        let request = RecoverAccountRequest::from_bytes(body).unwrap();
        let tbs = request.tbs(&ProviderUri::from(&self.0.domain));
        let label = RecoverAccountRequest::SIGNATURE_LABEL;
        suite::verify_ed25519(&request.identity_key, label, &tbs, &request.signature).unwrap();
        let user = request.user.to_string();
        let mut state = self.state();
        // The commitment stands in the certificate, after the extension's number.
        let shown = sha256(&request.proof.recovery_key);
        let commits = state
            .users
            .get(&user)
            .is_some_and(|certificate| certificate.windows(shown.len()).any(|window| window == shown));
        if !commits {
            return RecoverAccountResponse::Refused.to_bytes();
        }
        let issued = self.0.ca.issue_recovered_user(
            &request.user,
            &request.identity_key,
            request.recovery_commitment,
            &request.proof,
            year(),
            &mut random::stream().unwrap(),
        );
        let certificate = issued.unwrap();
        state.users.insert(user.clone(), certificate.clone());
        state.lists.remove(&user);
        state.devices.retain(|_, device| device.user != user);
        RecoverAccountResponse::Recovered {
            user_certificate: certificate,
            provider_ca: self.0.ca.certificate().to_vec(),
        }
        .to_bytes()
    }

    pub(super) fn backup(&self, client: &str, is_get: bool, body: &[u8]) -> Vec<u8> {
        let mut state = self.state();
        let user = state.devices[client].user.clone();
        if is_get {
            return state.backups.get(&user).cloned().unwrap_or_default();
        }
        state.backups.insert(user, body.to_vec());
        Vec::new()
    }
}
