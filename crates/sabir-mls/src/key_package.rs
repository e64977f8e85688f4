//! Key packages: made by a device, checked by whoever hands them out or adds them.

use openmls::prelude::{
    DeserializeBytes as _, KeyPackage, KeyPackageIn, OpenMlsProvider as _, ProtocolVersion,
};
use rand_core::CryptoRng;
use sabir_wire::device_list::DEVICE_LIST;

use crate::commit_facts::Judge;
use crate::error::MlsError;
use crate::group;
use crate::identity::{Freshness, TrustAnchors, VerifiedClient};
use crate::leaf::{self, Device};
use crate::provider::Provider;
use crate::rows::{RowChanges, Rows};

/// A key package a device made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKeyPackage {
    /// The encoded `KeyPackage`.
    pub bytes: Vec<u8>,
    /// Its KeyPackageRef (RFC 9420 §5.2).
    pub reference: Vec<u8>,
    /// The rows that hold its private keys. They must be durable before the package is published, and are what
    /// [`crate::group::join_welcome`] wants.
    pub private: RowChanges,
}

/// What a provider or an adding member reads from a key package whose signatures and credential hold.
#[derive(Debug, Clone)]
pub struct VerifiedKeyPackage {
    /// Its KeyPackageRef (RFC 9420 §5.2).
    pub reference: Vec<u8>,
    /// Who it belongs to.
    pub client: VerifiedClient,
    /// Cipher suite.
    pub suite: u16,
    /// End of the MLS lifetime, milliseconds since the epoch.
    pub not_after: u64,
    /// The signed device list it carries, as encoded, if any.
    pub device_list: Option<Vec<u8>>,
    pub(crate) inner: KeyPackage,
}

/// Makes `count` key packages.
///
/// # Errors
/// [`MlsError::Internal`] only.
pub fn generate(
    device: &Device,
    count: usize,
    now: u64,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<NewKeyPackage>, MlsError> {
    let mut made = Vec::with_capacity(count);
    for _ in 0..count {
        let provider = Provider::new(rng, Rows::new());
        let leaf = device.leaf(provider.rand())?;
        let bundle = KeyPackage::builder()
            .key_package_lifetime(leaf::lifetime(now))
            .leaf_node_capabilities(leaf.capabilities)
            .leaf_node_extensions(leaf.extensions)
            .build(
                device.suite()?,
                &provider,
                &device.key,
                device.credential_with_key(),
            )
            .map_err(MlsError::internal)?;
        let package = bundle.key_package();
        made.push(NewKeyPackage {
            bytes: group::encode(package)?,
            reference: reference(&provider, package)?,
            private: provider.take_changes(),
        });
    }
    Ok(made)
}

/// Checks an encoded `KeyPackage`: its signatures, its leaf and its credential at `at` milliseconds.
///
/// # Errors
/// [`MlsError`] names what does not hold.
pub fn verify(bytes: &[u8], anchors: &TrustAnchors, at: u64) -> Result<VerifiedKeyPackage, MlsError> {
    let package =
        KeyPackageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| MlsError::Malformed("KeyPackage"))?;
    let provider = Provider::without_randomness();
    let package = package
        .validate(provider.crypto(), ProtocolVersion::Mls10)
        .map_err(MlsError::invalid)?;
    leaf::suite(package.ciphersuite().into())?;
    let node = package.leaf_node();
    leaf::check_leaf(node)?;
    let client = Judge {
        anchors,
        freshness: Freshness::At(at),
    }
    .leaf(node)
    .into_client()?;
    Ok(VerifiedKeyPackage {
        reference: reference(&provider, &package)?,
        client,
        suite: package.ciphersuite().into(),
        not_after: package.life_time().not_after().saturating_mul(1000),
        device_list: leaf::component_of_leaf(node, DEVICE_LIST),
        inner: package,
    })
}

pub(crate) fn reference(provider: &Provider, package: &KeyPackage) -> Result<Vec<u8>, MlsError> {
    package
        .hash_ref(provider.crypto())
        .map(|reference| reference.as_slice().to_vec())
        .map_err(MlsError::internal)
}
