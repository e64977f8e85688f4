//! A member on mls-rs over RustCrypto.

use mls_rs::client_builder::MlsConfig;
use mls_rs::group::ReceivedMessage;
use mls_rs::identity::SigningIdentity;
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules, EncryptionOptions};
use mls_rs::{CipherSuite, CipherSuiteProvider as _, Client, CryptoProvider as _, Group, MlsMessage};
use mls_rs_crypto_rustcrypto::RustCryptoProvider;

use super::Member;

struct Theirs<C: MlsConfig> {
    client: Client<C>,
    group: Option<Group<C>>,
}

pub(crate) fn theirs(name: &str, suite: u16, encrypted: bool) -> Box<dyn Member> {
    let (crypto, suite) = (RustCryptoProvider::default(), CipherSuite::from(suite));
    let (secret, public) = crypto
        .cipher_suite_provider(suite)
        .unwrap()
        .signature_key_generate()
        .unwrap();
    let credential = BasicCredential::new(name.as_bytes().to_vec()).into_credential();
    let mut encryption = EncryptionOptions::default();
    encryption.encrypt_control_messages = encrypted;
    let rules = DefaultMlsRules::new()
        .with_commit_options(
            CommitOptions::new()
                .with_path_required(true)
                .with_allow_external_commit(true),
        )
        .with_encryption_options(encryption);
    let client = Client::builder()
        .identity_provider(BasicIdentityProvider)
        .crypto_provider(crypto)
        .mls_rules(rules)
        .signing_identity(SigningIdentity::new(credential, public), secret, suite)
        .build();
    Box::new(Theirs { client, group: None })
}

impl<C: MlsConfig> Theirs<C> {
    fn group(&mut self) -> &mut Group<C> {
        self.group.as_mut().unwrap()
    }
}

impl<C: MlsConfig> Member for Theirs<C> {
    fn create(&mut self, group_id: &[u8]) {
        let group =
            self.client
                .create_group_with_id(group_id.to_vec(), Default::default(), Default::default(), None);
        self.group = Some(group.unwrap());
    }

    fn key_package(&mut self) -> Vec<u8> {
        let message = self
            .client
            .generate_key_package_message(Default::default(), Default::default(), None);
        message.unwrap().to_bytes().unwrap()
    }

    fn join(&mut self, welcome: &[u8]) {
        self.group = Some(self.client.join_group(None, &decode(welcome), None).unwrap().0);
    }

    fn group_info(&mut self) -> Vec<u8> {
        self.group()
            .group_info_message_allowing_ext_commit(true)
            .unwrap()
            .to_bytes()
            .unwrap()
    }

    fn join_externally(&mut self, group_info: &[u8]) -> Vec<u8> {
        let (group, commit) = self.client.commit_external(decode(group_info)).unwrap();
        self.group = Some(group);
        commit.to_bytes().unwrap()
    }

    fn add(&mut self, key_package: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let output = self
            .group()
            .commit_builder()
            .add_member(decode(key_package))
            .unwrap()
            .build()
            .unwrap();
        (
            output.commit_message.to_bytes().unwrap(),
            output.welcome_messages[0].to_bytes().unwrap(),
        )
    }

    fn remove(&mut self, leaf: u32) -> Vec<u8> {
        let output = self
            .group()
            .commit_builder()
            .remove_member(leaf)
            .unwrap()
            .build()
            .unwrap();
        output.commit_message.to_bytes().unwrap()
    }

    fn commit(&mut self) -> Vec<u8> {
        let output = self.group().commit_builder().build().unwrap();
        assert!(output.contains_update_path);
        output.commit_message.to_bytes().unwrap()
    }

    fn accepted(&mut self) {
        self.group().apply_pending_commit().unwrap();
    }

    fn propose_update(&mut self) -> Vec<u8> {
        self.group()
            .propose_update(Vec::new())
            .unwrap()
            .to_bytes()
            .unwrap()
    }

    fn propose_remove(&mut self, leaf: u32) -> Vec<u8> {
        self.group()
            .propose_remove(leaf, Vec::new())
            .unwrap()
            .to_bytes()
            .unwrap()
    }

    fn say(&mut self, text: &[u8]) -> Vec<u8> {
        self.group()
            .encrypt_application_message(text, Vec::new())
            .unwrap()
            .to_bytes()
            .unwrap()
    }

    fn hear(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        match self.group().process_incoming_message(decode(message)).unwrap() {
            ReceivedMessage::ApplicationMessage(message) => Some(message.data().to_vec()),
            _ => None,
        }
    }

    fn leaf(&mut self) -> u32 {
        self.group().current_member_index()
    }

    fn shared(&mut self) -> (u64, Vec<u8>, Vec<u8>, Vec<u8>) {
        let group = self.group();
        let exported = group.export_secret(b"interop", b"context", 48).unwrap();
        let authenticator = group.epoch_authenticator().unwrap();
        let tree_hash = group.context().tree_hash.clone();
        (
            group.current_epoch(),
            authenticator.to_vec(),
            tree_hash,
            exported.to_vec(),
        )
    }
}

fn decode(message: &[u8]) -> MlsMessage {
    MlsMessage::from_bytes(message).unwrap()
}
