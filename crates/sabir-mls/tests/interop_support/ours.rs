//! A member on OpenMLS over our provider, loaded from its rows for each call as an engine is.

use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::*;
use openmls_traits::types::Ciphersuite;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sabir_mls::keys::SigningKey;
use sabir_mls::provider::Provider;
use sabir_mls::rows::Rows;

use super::Member;

struct Ours {
    rng: ChaCha20Rng,
    suite: Ciphersuite,
    encrypted: bool,
    key: SigningKey,
    credential: CredentialWithKey,
    rows: Rows,
    group_id: Option<GroupId>,
}

pub(crate) fn ours(name: &str, suite: Ciphersuite, encrypted: bool) -> Box<dyn Member> {
    let mut rng = ChaCha20Rng::from_seed(sabir_mls::keys::sha256(name.as_bytes()));
    let key = SigningKey::generate(&mut rng, suite.signature_algorithm()).unwrap();
    let credential = CredentialWithKey {
        credential: BasicCredential::new(name.as_bytes().to_vec()).into(),
        signature_key: key.public().into(),
    };
    Box::new(Ours {
        rng,
        suite,
        encrypted,
        key,
        credential,
        rows: Rows::new(),
        group_id: None,
    })
}

impl Ours {
    fn call<T>(&mut self, f: impl FnOnce(&Provider, &Self) -> T) -> T {
        let provider = Provider::new(&mut self.rng, self.rows.clone());
        let result = f(&provider, self);
        provider.take_changes().apply_to(&mut self.rows);
        result
    }

    fn with_group<T>(&mut self, f: impl FnOnce(&mut MlsGroup, &Provider, &SigningKey) -> T) -> T {
        self.call(|provider, this| {
            let mut group = MlsGroup::load(provider.storage(), this.group_id.as_ref().unwrap())
                .unwrap()
                .unwrap();
            f(&mut group, provider, &this.key)
        })
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(None, Some(&[self.suite]), None, None, None)
    }

    /// The library's plaintext policies send application messages encrypted all the same.
    const fn policy(&self) -> WireFormatPolicy {
        if self.encrypted {
            PURE_CIPHERTEXT_WIRE_FORMAT_POLICY
        } else {
            MIXED_PLAINTEXT_WIRE_FORMAT_POLICY
        }
    }

    fn join_config(&self) -> MlsGroupJoinConfig {
        MlsGroupJoinConfig::builder()
            .wire_format_policy(self.policy())
            .use_ratchet_tree_extension(true)
            .build()
    }
}

impl Member for Ours {
    fn create(&mut self, group_id: &[u8]) {
        let id = GroupId::from_slice(group_id);
        self.group_id = Some(id.clone());
        self.call(|provider, this| {
            let config = MlsGroupCreateConfig::builder()
                .ciphersuite(this.suite)
                .wire_format_policy(this.policy())
                .capabilities(this.capabilities())
                .use_ratchet_tree_extension(true)
                .build();
            MlsGroup::new_with_group_id(provider, &this.key, &config, id, this.credential.clone()).unwrap();
        });
    }

    fn key_package(&mut self) -> Vec<u8> {
        self.call(|provider, this| {
            let builder = KeyPackage::builder().leaf_node_capabilities(this.capabilities());
            let bundle = builder
                .build(this.suite, provider, &this.key, this.credential.clone())
                .unwrap();
            MlsMessageOut::from(bundle.key_package().clone())
                .to_bytes()
                .unwrap()
        })
    }

    fn join(&mut self, welcome: &[u8]) {
        let MlsMessageBodyIn::Welcome(welcome) = decode(welcome).extract() else {
            panic!("no Welcome")
        };
        let id = self.call(|provider, this| {
            let group = StagedWelcome::new_from_welcome(provider, &this.join_config(), welcome, None)
                .unwrap()
                .into_group(provider)
                .unwrap();
            group.group_id().clone()
        });
        self.group_id = Some(id);
    }

    fn group_info(&mut self) -> Vec<u8> {
        self.with_group(|group, provider, key| {
            group
                .export_group_info(provider.crypto(), key, true)
                .unwrap()
                .to_bytes()
                .unwrap()
        })
    }

    fn join_externally(&mut self, group_info: &[u8]) -> Vec<u8> {
        let MlsMessageBodyIn::GroupInfo(group_info) = decode(group_info).extract() else {
            panic!("no GroupInfo")
        };
        let (id, commit) = self.call(|provider, this| {
            let (group, bundle) = MlsGroup::external_commit_builder()
                .with_config(this.join_config())
                .build_group(provider, group_info, this.credential.clone())
                .unwrap()
                .leaf_node_parameters(
                    LeafNodeParameters::builder()
                        .with_capabilities(this.capabilities())
                        .build(),
                )
                .load_psks(provider.storage())
                .unwrap()
                .build(provider.rand(), provider.crypto(), &this.key, |_| true)
                .unwrap()
                .finalize(provider)
                .unwrap();
            (group.group_id().clone(), bundle.into_commit().to_bytes().unwrap())
        });
        self.group_id = Some(id);
        commit
    }

    fn add(&mut self, key_package: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let MlsMessageBodyIn::KeyPackage(key_package) = decode(key_package).extract() else {
            panic!("no KeyPackage")
        };
        self.with_group(|group, provider, key| {
            let key_package = key_package
                .validate(provider.crypto(), ProtocolVersion::Mls10)
                .unwrap();
            let (commit, welcome, _) = group.add_members(provider, key, &[key_package]).unwrap();
            (commit.to_bytes().unwrap(), welcome.to_bytes().unwrap())
        })
    }

    fn remove(&mut self, leaf: u32) -> Vec<u8> {
        self.with_group(|group, provider, key| {
            let (commit, _, _) = group
                .remove_members(provider, key, &[LeafNodeIndex::new(leaf)])
                .unwrap();
            commit.to_bytes().unwrap()
        })
    }

    fn commit(&mut self) -> Vec<u8> {
        self.with_group(|group, provider, key| {
            group
                .self_update(provider, key, LeafNodeParameters::default())
                .unwrap()
                .into_commit()
                .to_bytes()
                .unwrap()
        })
    }

    fn accepted(&mut self) {
        self.with_group(|group, provider, _| group.merge_pending_commit(provider).unwrap());
    }

    fn propose_update(&mut self) -> Vec<u8> {
        self.with_group(|group, provider, key| {
            let (proposal, _) = group
                .propose_self_update(provider, key, LeafNodeParameters::default())
                .unwrap();
            proposal.to_bytes().unwrap()
        })
    }

    fn propose_remove(&mut self, leaf: u32) -> Vec<u8> {
        self.with_group(|group, provider, key| {
            let (proposal, _) = group
                .propose_remove_member(provider, key, LeafNodeIndex::new(leaf))
                .unwrap();
            proposal.to_bytes().unwrap()
        })
    }

    fn say(&mut self, text: &[u8]) -> Vec<u8> {
        self.with_group(|group, provider, key| {
            group
                .create_message(provider, key, text)
                .unwrap()
                .to_bytes()
                .unwrap()
        })
    }

    fn hear(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let message = decode(message).try_into_protocol_message().unwrap();
        self.with_group(|group, provider, _| {
            match group.process_message(provider, message).unwrap().into_content() {
                ProcessedMessageContent::ApplicationMessage(text) => return Some(text.into_bytes()),
                ProcessedMessageContent::StagedCommitMessage(commit) => {
                    group.merge_staged_commit(provider, *commit).unwrap();
                }
                ProcessedMessageContent::ProposalMessage(proposal) => {
                    group
                        .store_pending_proposal(provider.storage(), *proposal)
                        .unwrap();
                }
                _ => panic!("unexpected content"),
            }
            None
        })
    }

    fn leaf(&mut self) -> u32 {
        self.with_group(|group, _, _| group.own_leaf_index().u32())
    }

    fn shared(&mut self) -> (u64, Vec<u8>, Vec<u8>, Vec<u8>) {
        self.with_group(|group, provider, _| {
            let exported = group
                .export_secret(provider.crypto(), "interop", b"context", 48)
                .unwrap();
            let authenticator = group.epoch_authenticator().as_slice().to_vec();
            let tree_hash = group.public_group().group_context().tree_hash().to_vec();
            (group.epoch().as_u64(), authenticator, tree_hash, exported)
        })
    }
}

fn decode(message: &[u8]) -> MlsMessageIn {
    MlsMessageIn::tls_deserialize_exact_bytes(message).unwrap()
}
