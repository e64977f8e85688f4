//! A member of a group on either provider, with the same calls.

use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::*;
use openmls_rust_crypto::{OpenMlsRustCrypto, RustCrypto};
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::{Ciphersuite, CryptoError, SignatureScheme};
use rand_chacha::ChaCha20Rng;
use sabir_mls::keys::SigningKey;
use sabir_mls::provider::Provider;
use sabir_mls::rows::Rows;

use crate::inputs::Inputs;

/// What two members of one epoch must have in common.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shared {
    epoch: u64,
    tree_hash: Vec<u8>,
    confirmed_transcript: Vec<u8>,
    authenticator: Vec<u8>,
    /// Under several labels, contexts and lengths.
    exported: Vec<Vec<u8>>,
}

/// One member, whatever is below.
pub(crate) trait Member {
    fn create(&mut self, group_id: &[u8]);
    fn key_package(&mut self) -> Vec<u8>;
    fn join(&mut self, welcome: &[u8]);
    /// The commit and the Welcome.
    fn add(&mut self, key_package: &[u8]) -> (Vec<u8>, Vec<u8>);
    fn remove(&mut self, leaf: u32) -> Vec<u8>;
    fn update(&mut self) -> Vec<u8>;
    /// The own commit holds.
    fn accepted(&mut self);
    fn say(&mut self, text: &[u8]) -> Vec<u8>;
    /// The text of a message, `None` for a commit that was followed, an error for what is refused.
    fn hear(&mut self, message: &[u8]) -> Result<Option<Vec<u8>>, String>;
    fn leaf(&self) -> u32;
    fn shared(&mut self) -> Shared;
}

/// A member on our provider.
pub(crate) fn ours(name: &str, suite: Ciphersuite, encrypted: bool) -> Box<dyn Member> {
    let mut inputs = Inputs::new(name.bytes().map(u64::from).sum());
    let key = SigningKey::generate(&mut inputs.0, suite.signature_algorithm()).unwrap();
    let backend = Ours {
        rng: inputs.0,
        rows: Rows::new(),
    };
    Box::new(Seat::new(
        name,
        suite,
        encrypted,
        backend,
        key.public().to_vec(),
        key,
    ))
}

/// A member on the library's.
pub(crate) fn theirs(name: &str, suite: Ciphersuite, encrypted: bool) -> Box<dyn Member> {
    let backend = OpenMlsRustCrypto::default();
    let scheme = suite.signature_algorithm();
    let (private, public) = backend.crypto().signature_key_gen(scheme).unwrap();
    let key = TheirKey {
        crypto: RustCrypto::default(),
        scheme,
        private,
    };
    Box::new(Seat::new(name, suite, encrypted, backend, public, key))
}

/// Gives a provider for one call.
trait Backend {
    type Provider: OpenMlsProvider;
    fn call<T>(&mut self, f: impl FnOnce(&Self::Provider) -> T) -> T;
}

/// As engines use it: a provider per call, over rows that are kept between calls.
struct Ours {
    rng: ChaCha20Rng,
    rows: Rows,
}

impl Backend for Ours {
    type Provider = Provider;

    fn call<T>(&mut self, f: impl FnOnce(&Provider) -> T) -> T {
        let provider = Provider::new(&mut self.rng, self.rows.clone());
        let result = f(&provider);
        provider.take_changes().apply_to(&mut self.rows);
        result
    }
}

impl Backend for OpenMlsRustCrypto {
    type Provider = Self;

    fn call<T>(&mut self, f: impl FnOnce(&Self) -> T) -> T {
        f(self)
    }
}

/// A key that signs with their cryptography.
struct TheirKey {
    crypto: RustCrypto,
    scheme: SignatureScheme,
    private: Vec<u8>,
}

impl Signer for TheirKey {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.crypto
            .sign(self.scheme, payload, &self.private)
            .map_err(SignerError::CryptoError)
    }

    fn signature_scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

struct Seat<B, K> {
    backend: B,
    key: K,
    credential: CredentialWithKey,
    suite: Ciphersuite,
    encrypted: bool,
    group: Option<MlsGroup>,
}

impl<B: Backend, K: Signer> Seat<B, K> {
    fn new(name: &str, suite: Ciphersuite, encrypted: bool, backend: B, public: Vec<u8>, key: K) -> Self {
        Self {
            backend,
            key,
            credential: CredentialWithKey {
                credential: BasicCredential::new(name.as_bytes().to_vec()).into(),
                signature_key: public.into(),
            },
            suite,
            encrypted,
            group: None,
        }
    }

    fn with_group<T>(&mut self, f: impl FnOnce(&mut MlsGroup, &B::Provider, &K) -> T) -> T {
        let (group, key) = (self.group.as_mut().unwrap(), &self.key);
        // From storage, so that what was stored counts.
        self.backend.call(|provider| {
            *group = MlsGroup::load(provider.storage(), group.group_id())
                .unwrap()
                .unwrap();
            f(group, provider, key)
        })
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(None, Some(&[self.suite]), None, None, None)
    }

    /// The plaintext policy sends application messages encrypted all the same.
    const fn policy(&self) -> WireFormatPolicy {
        if self.encrypted {
            PURE_CIPHERTEXT_WIRE_FORMAT_POLICY
        } else {
            MIXED_PLAINTEXT_WIRE_FORMAT_POLICY
        }
    }
}

impl<B: Backend, K: Signer> Member for Seat<B, K> {
    fn create(&mut self, group_id: &[u8]) {
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(self.suite)
            .wire_format_policy(self.policy())
            .capabilities(self.capabilities())
            .use_ratchet_tree_extension(true)
            .build();
        let (key, credential, id) = (&self.key, self.credential.clone(), GroupId::from_slice(group_id));
        let group = self
            .backend
            .call(|provider| MlsGroup::new_with_group_id(provider, key, &config, id, credential).unwrap());
        self.group = Some(group);
    }

    fn key_package(&mut self) -> Vec<u8> {
        let (key, credential, suite) = (&self.key, self.credential.clone(), self.suite);
        let builder = KeyPackage::builder().leaf_node_capabilities(self.capabilities());
        self.backend.call(|provider| {
            let bundle = builder.build(suite, provider, key, credential).unwrap();
            MlsMessageOut::from(bundle.key_package().clone())
                .to_bytes()
                .unwrap()
        })
    }

    fn join(&mut self, welcome: &[u8]) {
        let MlsMessageBodyIn::Welcome(welcome) = decode(welcome).unwrap().extract() else {
            panic!("no Welcome")
        };
        let config = MlsGroupJoinConfig::builder()
            .wire_format_policy(self.policy())
            .use_ratchet_tree_extension(true)
            .build();
        let group = self.backend.call(|provider| {
            StagedWelcome::new_from_welcome(provider, &config, welcome, None)
                .unwrap()
                .into_group(provider)
                .unwrap()
        });
        self.group = Some(group);
    }

    fn add(&mut self, key_package: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let MlsMessageBodyIn::KeyPackage(key_package) = decode(key_package).unwrap().extract() else {
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

    fn update(&mut self) -> Vec<u8> {
        self.with_group(|group, provider, key| {
            let bundle = group
                .self_update(provider, key, LeafNodeParameters::default())
                .unwrap();
            bundle.into_commit().to_bytes().unwrap()
        })
    }

    fn accepted(&mut self) {
        self.with_group(|group, provider, _| group.merge_pending_commit(provider).unwrap());
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

    fn hear(&mut self, message: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let message = decode(message)?
            .try_into_protocol_message()
            .map_err(|error| error.to_string())?;
        self.with_group(|group, provider, _| {
            let processed = group
                .process_message(provider, message)
                .map_err(|error| error.to_string())?;
            match processed.into_content() {
                ProcessedMessageContent::ApplicationMessage(text) => Ok(Some(text.into_bytes())),
                ProcessedMessageContent::StagedCommitMessage(commit) => {
                    group.merge_staged_commit(provider, *commit).unwrap();
                    Ok(None)
                }
                _ => panic!("neither commit nor message"),
            }
        })
    }

    fn leaf(&self) -> u32 {
        self.group.as_ref().unwrap().own_leaf_index().u32()
    }

    fn shared(&mut self) -> Shared {
        self.with_group(|group, provider, _| {
            let export = |label: &str, context: &[u8], len: usize| {
                group
                    .export_secret(provider.crypto(), label, context, len)
                    .unwrap()
            };
            Shared {
                epoch: group.epoch().as_u64(),
                tree_hash: group.public_group().group_context().tree_hash().to_vec(),
                confirmed_transcript: group
                    .public_group()
                    .group_context()
                    .confirmed_transcript_hash()
                    .to_vec(),
                authenticator: group.epoch_authenticator().as_slice().to_vec(),
                exported: vec![
                    export("crosscheck", b"", 32),
                    export("crosscheck", b"context", 48),
                    export("another", b"context", 200),
                ],
            }
        })
    }
}

/// Whether the library makes a group of the suite on `provider`.
pub(crate) fn refuses_groups(provider: &impl OpenMlsProvider, suite: Ciphersuite) -> bool {
    assert!(matches!(
        provider.crypto().supports(suite),
        Err(CryptoError::UnsupportedCiphersuite)
    ));
    let mut rng = Inputs::new(0).0;
    let key = SigningKey::generate(&mut rng, suite.signature_algorithm()).unwrap();
    let credential = CredentialWithKey {
        credential: BasicCredential::new(b"nobody".to_vec()).into(),
        signature_key: key.public().into(),
    };
    let config = MlsGroupCreateConfig::builder().ciphersuite(suite).build();
    MlsGroup::new(provider, &key, &config, credential).is_err()
}

fn decode(message: &[u8]) -> Result<MlsMessageIn, String> {
    MlsMessageIn::tls_deserialize_exact_bytes(message).map_err(|error| error.to_string())
}
