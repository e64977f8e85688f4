//! Hash, MAC, key derivation and AEAD on aws-lc-rs, under OpenMLS's names.

use aws_lc_rs::{aead, digest, hmac};
use openmls_traits::types::{AeadType, CryptoError, HashType};
use zeroize::Zeroizing;

/// Hashes the concatenation of `parts`.
pub(crate) fn hash(hash_type: HashType, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = digest::Context::new(match hash_type {
        HashType::Sha2_256 => &digest::SHA256,
        HashType::Sha2_384 => &digest::SHA384,
        HashType::Sha2_512 => &digest::SHA512,
    });
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

/// The MAC of the concatenation of `parts`.
pub(crate) fn hmac(hash_type: HashType, key: &[u8], parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let key = hmac::Key::new(
        match hash_type {
            HashType::Sha2_256 => hmac::HMAC_SHA256,
            HashType::Sha2_384 => hmac::HMAC_SHA384,
            HashType::Sha2_512 => hmac::HMAC_SHA512,
        },
        key,
    );
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    Zeroizing::new(context.sign().as_ref().to_vec())
}

/// SHA-256 as an array.
pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    array(digest::digest(&digest::SHA256, data).as_ref())
}

/// HMAC-SHA256 as an array.
pub(crate) fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    array(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref())
}

/// HKDF-Extract of RFC 5869 §2.2, which is a MAC. An empty salt is the same as a salt of zeros.
pub(crate) fn extract(hash_type: HashType, salt: &[u8], ikm: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    hmac(hash_type, salt, ikm)
}

/// HKDF-Expand of RFC 5869 §2.3. `info` is the concatenation of its parts.
///
/// Written over the MAC rather than with the library's own HKDF, which panics on a pseudorandom key longer than
/// its largest digest.
///
/// # Errors
/// [`CryptoError::HkdfOutputLengthInvalid`] when `len` is more than 255 digests.
pub(crate) fn expand(
    hash_type: HashType,
    prk: &[u8],
    info: &[&[u8]],
    len: usize,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let blocks =
        u8::try_from(len.div_ceil(hash_type.size())).map_err(|_| CryptoError::HkdfOutputLengthInvalid)?;
    let mut okm = Zeroizing::new(Vec::with_capacity(usize::from(blocks) * hash_type.size()));
    let mut block = Zeroizing::new(Vec::new());
    for counter in 1..=blocks {
        let counter = [counter];
        let mut parts: Vec<&[u8]> = Vec::with_capacity(info.len() + 2);
        parts.push(&block);
        parts.extend_from_slice(info);
        parts.push(&counter);
        block = hmac(hash_type, prk, &parts);
        okm.extend_from_slice(&block);
    }
    okm.truncate(len);
    Ok(okm)
}

/// Encrypts `data`; the answer is the ciphertext with its tag at the end.
///
/// # Errors
/// [`CryptoError::InvalidLength`] for a key or nonce of the wrong length, [`CryptoError::CryptoLibraryError`] for
/// data longer than the algorithm can take.
pub(crate) fn seal(
    alg: AeadType,
    key: &[u8],
    nonce: &[u8],
    aad: &[u8],
    data: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let (key, nonce) = key_and_nonce(alg, key, nonce)?;
    let mut out = Vec::with_capacity(data.len().saturating_add(alg.tag_size()));
    out.extend_from_slice(data);
    key.seal_in_place_append_tag(nonce, aead::Aad::from(aad), &mut out)
        .map_err(|_| CryptoError::CryptoLibraryError)?;
    Ok(out)
}

/// Decrypts what [`seal`] made.
///
/// # Errors
/// [`CryptoError::InvalidLength`] for a key or nonce of the wrong length, [`CryptoError::AeadDecryptionError`] when
/// the tag does not verify.
pub(crate) fn open(
    alg: AeadType,
    key: &[u8],
    nonce: &[u8],
    aad: &[u8],
    ciphertext_and_tag: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let (key, nonce) = key_and_nonce(alg, key, nonce)?;
    let mut out = ciphertext_and_tag.to_vec();
    let len = key
        .open_in_place(nonce, aead::Aad::from(aad), &mut out)
        .map_err(|_| CryptoError::AeadDecryptionError)?
        .len();
    out.truncate(len);
    Ok(out)
}

fn key_and_nonce(
    alg: AeadType,
    key: &[u8],
    nonce: &[u8],
) -> Result<(aead::LessSafeKey, aead::Nonce), CryptoError> {
    let alg = match alg {
        AeadType::Aes128Gcm => &aead::AES_128_GCM,
        AeadType::Aes256Gcm => &aead::AES_256_GCM,
        AeadType::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
    };
    let key = aead::UnboundKey::new(alg, key).map_err(|_| CryptoError::InvalidLength)?;
    let nonce = aead::Nonce::try_assume_unique_for_key(nonce).map_err(|_| CryptoError::InvalidLength)?;
    Ok((aead::LessSafeKey::new(key), nonce))
}

/// Copies an output whose length the algorithm fixes.
fn array(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}
