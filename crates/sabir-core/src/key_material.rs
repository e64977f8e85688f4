//! Key packages asked for, handed out and checked (draft-ietf-mimi-protocol-06 §5.2).
//!
//! ```text
//!   client --build_request--> own provider --> hub --> target's provider --respond | refuse--> back the same way
//!                             each: verify_request, authorise         hub: references     client: check_response
//! ```
//!
//! The requester proves itself by a signature, so that a request can be passed on; the transport proves who passes it
//! on. Key packages travel through the hub of the room they are for, which must know where their Welcomes go.
//!
//! Pure functions: whose key packages there are, and who consented to what, the caller knows.

mod request;
mod response;
#[cfg(test)]
mod tests;

pub use request::{
    Errand, RequestError, authorise, build_request, build_request_for, required_capabilities, verify_request,
};
pub use response::{Offer, Refusal, ResponseError, check_response, compatible, references, refuse, respond};

use sabir_mls::keys::sha256;
use sabir_wire::codec::Encode;
use sabir_wire::mls::{CipherSuite, KeyPackage, RefHashInput};

/// The KeyPackageRef of a key package (RFC 9420 §5.2); `None` where its suite does not hash with SHA-256. No suite
/// whose signatures are Ed25519, as ours are, hashes with anything else.
#[must_use]
pub fn reference(key_package: &KeyPackage) -> Option<[u8; 32]> {
    match key_package.cipher_suite {
        CipherSuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_ED25519
        | CipherSuite::MLS_128_DHKEMP256_AES128GCM_SHA256_P256
        | CipherSuite::MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_ED25519
        | CipherSuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_ED25519 => Some(sha256(
            &RefHashInput::key_package(&key_package.to_bytes()).to_bytes(),
        )),
        _ => None,
    }
}
