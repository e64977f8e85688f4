//! Vectors of the draft of X-Wing and of draft-ietf-hpke-pq, whose long public keys and encapsulations stand
//! here as their SHA-256; and keys and encapsulations that are none.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use openmls_traits::types::{HpkeAeadType, HpkeConfig, HpkeKdfType};

use super::*;
use crate::provider::{hpke, primitives};

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

fn public_of(private: &[u8]) -> Vec<u8> {
    Expanded::of(private).unwrap().public().unwrap()
}

/// Private key, randomness of the encapsulation, shared secret, hashes of public key and encapsulation.
const XWING: [[&str; 5]; 3] = [
    [
        "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
        "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2\
         35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2",
        "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384",
        "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb",
        "17cd532d657e44c897ca6583e548a5424fc70bf54f99515a4d2bcf99e3469f33",
    ],
    [
        "badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
        "17cda7cfad765f5623474d368ccca8af0007cd9f5e4c849f167a580b14aabdef\
         aee7eef47cb0fca9767be1fda69419dfb927e9df07348b196691abaeb580b32d",
        "f2e86241c64d60f6649fbc6c5b7d17180b780a3f34355e64a85749949c45f150",
        "c42ba5f8430d7d2c83739338203819f090e8303ce9c8b02107c272bfa5376916",
        "1661ea86d608a1924ba30840cb0a65f13ae051e3aec9cf0f064efc0bc92f2154",
    ],
    [
        "ef58538b8d23f87732ea63b02b4fa0f4873360e2841928cd60dd4cee8cc0d4c9",
        "22a96188d032675c8ac850933c7aff1533b94c834adbb69c6115bad4692d8619\
         f90b0cdf8a7b9c264029ac185b70b83f2801f2f4b3f70c593ea3aeeb613a7f1b",
        "953f7f4e8c5b5049bdc771d1dffada0dd961477d1a2ae0988baa7ea6898d893f",
        "6b080d6b84f095342092fa7a22423e58bd681397ad0ef00eac92bd254db4fa95",
        "d3ca5578500344b5896cffc4fd740c9311946b82951df155e6fd86a7966b43c6",
    ],
];

#[test]
fn keys_and_encapsulations_of_the_draft_of_x_wing() {
    for [private, seed, secret, public_hash, enc_hash] in XWING {
        let (private, secret) = (unhex(private), unhex(secret));
        let public = public_of(&private);
        assert_eq!(primitives::sha256(&public), *unhex(public_hash));
        let sent = encap(&public, &unhex(seed)).unwrap();
        assert_eq!(primitives::sha256(&sent.enc), *unhex(enc_hash));
        assert_eq!(*sent.shared_secret, secret);
        assert_eq!(*decap(&sent.enc, &private).unwrap(), secret);
    }
}

/// The vector with HKDF-SHA256 and ChaCha20-Poly1305: the KEM's number goes into what it seals.
#[test]
fn a_message_of_the_draft_of_hpke() {
    let config = HpkeConfig(
        HpkeKemType::XWingKemDraft6,
        HpkeKdfType::HkdfSha256,
        HpkeAeadType::ChaCha20Poly1305,
    );
    let private = unhex("3ec47fa82dd5689d27c6190e724c74ec8f608df3331ce331929e37b829676630");
    let seed = unhex(
        "2a1c0a3745fe8a48fb62034d300f54dfe1974a5b2e169e580a8789cb1cf5fd19\
         0fc00f3fd899594e01a8b15334b9f3fa03d8de44da86e19f5776850fb689e6c8",
    );
    let info = unhex("34663634363532303666366532303631323034373732363536333639363136653230353537323665");
    let (aad, plain) = (
        unhex("436f756e742d30"),
        unhex(
            "343236353631373537343739323036393733323037343732373537343638\
             32633230373437323735373436383230363236353631373537343739",
        ),
    );
    let public = public_of(&private);
    assert_eq!(
        primitives::sha256(&public),
        *unhex("ad8aaf3f00d8a39bfeec2947a7d5dde68be08bba19bd301a348a45dc5fcc8341")
    );
    let sealed = hpke::seal(&config, &public, &info, &aad, &plain, &seed).unwrap();
    assert_eq!(
        primitives::sha256(sealed.kem_output.as_slice()),
        *unhex("95c0a5fca31ea59f29bbc66255ad6637b5a476b3212886af11afdc8930aeb772")
    );
    assert_eq!(
        sealed.ciphertext.as_slice(),
        unhex(
            "c5c591f99092d5e38df0a52699af249c66f8275a863423c076de8147a53e65cc584041c963b7\
             7a7e59ea93841b1339b5efda8909b71f74bb0073ad62e899de310c1566dea2fd29eba377"
        )
    );
    assert_eq!(
        hpke::open(&config, &sealed, &private, &info, &aad).unwrap(),
        plain
    );
    let context = unhex("70736575646f72616e646f6d30");
    let (_, exported) = hpke::send_export(&config, &public, &info, &context, 32, &seed).unwrap();
    assert_eq!(
        *exported,
        unhex("5a78d37f40e078c17ef43fa40963f1ff7dcdee56e366da9099dc181c3eccaee5")
    );
}

#[test]
fn what_is_no_key_and_no_encapsulation_is_refused() {
    let pair = derive_key_pair(b"some input of some length").unwrap();
    let seed = [7; SEED];
    let good = encap(&pair.public, &seed).unwrap();
    let invalid = CryptoError::InvalidPublicKey;
    let refused = |public: &[u8]| encap(public, &seed).err();
    for length in [0, 32, 1184, 1215] {
        assert_eq!(refused(&pair.public[..length]), Some(invalid), "{length}");
    }
    assert_eq!(refused(&[pair.public.as_slice(), &[0]].concat()), Some(invalid));
    // A coefficient that is not reduced modulo 3329: twelve ones.
    let mut unreduced = pair.public.clone();
    unreduced[..2].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(refused(&unreduced), Some(invalid));
    // A point of X25519 of small order, on either side.
    let mut zero = pair.public.clone();
    zero[ML_KEM_PUBLIC..].fill(0);
    assert_eq!(refused(&zero), Some(invalid));
    let mut enc = good.enc.clone();
    enc[ML_KEM_ENC..].fill(0);
    assert_eq!(decap(&enc, &pair.private).err(), Some(invalid));
    for length in [0, 32, 1088, 1119] {
        assert_eq!(decap(&good.enc[..length], &pair.private).err(), Some(invalid));
    }
    assert!(decap(&good.enc, &pair.private[..31]).is_err());
    assert!(encap(&pair.public, &seed[..63]).is_err());
    // Altered in either half, it opens to another secret.
    for at in [0, ML_KEM_ENC - 1, ML_KEM_ENC, 1119] {
        let mut altered = good.enc.clone();
        altered[at] ^= 1;
        assert_ne!(*decap(&altered, &pair.private).unwrap(), *good.shared_secret);
    }
}
