//! Vectors of RFC 9180, appendix A.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use openmls_traits::types::{HpkeAeadType, HpkeKdfType, HpkeKemType};

use super::*;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

struct Vector {
    config: HpkeConfig,
    ikm_e: &'static str,
    enc: &'static str,
    ikm_r: &'static str,
    pk_r: &'static str,
    sk_r: &'static str,
    ciphertext: &'static str,
    /// For the exporter contexts of the RFC: empty, `00` and `TestContext`.
    exported: [&'static str; 3],
}

const INFO: &str = "4f6465206f6e2061204772656369616e2055726e";
const PLAINTEXT: &str = "4265617574792069732074727574682c20747275746820626561757479";
const AAD: &str = "436f756e742d30";

/// RFC 9180 A.1.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
const X25519: Vector = Vector {
    config: HpkeConfig(
        HpkeKemType::DhKem25519,
        HpkeKdfType::HkdfSha256,
        HpkeAeadType::AesGcm128,
    ),
    ikm_e: "7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234",
    enc: "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
    ikm_r: "6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037",
    pk_r: "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d",
    sk_r: "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
    ciphertext: "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a",
    exported: [
        "3853fe2b4035195a573ffc53856e77058e15d9ea064de3e59f4961d0095250ee",
        "2e8f0b54673c7029649d4eb9d5e33bf1872cf76d623ff164ac185da9e88c21a5",
        "e9e43065102c3836401bed8c3c3c75ae46be1639869391d62c61f1ec7af54931",
    ],
};

/// RFC 9180 A.3.1: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
const P256: Vector = Vector {
    config: HpkeConfig(
        HpkeKemType::DhKemP256,
        HpkeKdfType::HkdfSha256,
        HpkeAeadType::AesGcm128,
    ),
    ikm_e: "4270e54ffd08d79d5928020af4686d8f6b7d35dbe470265f1f5aa22816ce860e",
    enc: "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be86\
          3c403ce65c9bfcb9382657222d18c4",
    ikm_r: "668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550",
    pk_r: "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6\
           aa8f80e30f1d128aafd68a2ce72ea0",
    sk_r: "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2",
    ciphertext: "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434",
    exported: [
        "5e9bc3d236e1911d95e65b576a8a86d478fb827e8bdfe77b741b289890490d4d",
        "6cff87658931bda83dc857e6353efe4987a201b849658d9b047aab4cf216e796",
        "d8f1ea7942adbba7412c6d431c62d01371ea476b823eb697e1f6e6cae1dab85a",
    ],
};

#[test]
fn rfc_9180_appendix_a() {
    for vector in [X25519, P256] {
        let (enc, pk_r, sk_r) = (unhex(vector.enc), unhex(vector.pk_r), unhex(vector.sk_r));
        let (info, aad, plaintext) = (unhex(INFO), unhex(AAD), unhex(PLAINTEXT));

        let pair = kem::derive_key_pair(vector.config.0, &unhex(vector.ikm_r)).unwrap();
        assert_eq!(
            (pair.private.as_slice(), pair.public.as_slice()),
            (sk_r.as_slice(), pk_r.as_slice())
        );

        let sealed = seal(
            &vector.config,
            &pk_r,
            &info,
            &aad,
            &plaintext,
            &unhex(vector.ikm_e),
        )
        .unwrap();
        assert_eq!(sealed.kem_output.as_slice(), enc);
        assert_eq!(sealed.ciphertext.as_slice(), unhex(vector.ciphertext));
        assert_eq!(
            open(&vector.config, &sealed, &sk_r, &info, &aad).unwrap(),
            plaintext
        );

        let contexts: [&[u8]; 3] = [b"", b"\0", b"TestContext"];
        for (context, expected) in contexts.into_iter().zip(vector.exported) {
            let (sent_enc, sent) =
                send_export(&vector.config, &pk_r, &info, context, 32, &unhex(vector.ikm_e)).unwrap();
            let received = receive_export(&vector.config, &enc, &sk_r, &info, context, 32).unwrap();
            assert_eq!((sent_enc, sent.to_vec()), (enc.clone(), unhex(expected)));
            assert_eq!(received, sent);
        }
    }
}

#[test]
fn refuses_keys_that_are_none() {
    let config = HpkeConfig(
        HpkeKemType::DhKemP256,
        HpkeKdfType::HkdfSha256,
        HpkeAeadType::AesGcm128,
    );
    let seal_to = |config: &HpkeConfig, pk: &[u8]| seal(config, pk, b"", b"", b"hi", &[7; 32]);
    let point = unhex(P256.pk_r);

    assert_eq!(seal_to(&config, &[]), Err(CryptoError::InvalidPublicKey));
    let mut off_curve = point.clone();
    off_curve[64] ^= 1;
    assert_eq!(seal_to(&config, &off_curve), Err(CryptoError::InvalidPublicKey));
    let mut compressed = point[..33].to_vec();
    compressed[0] = 2 + (point[64] & 1);
    assert_eq!(seal_to(&config, &compressed), Err(CryptoError::InvalidPublicKey));
    let mut hybrid = point.clone();
    hybrid[0] = 6 + (point[64] & 1);
    assert_eq!(seal_to(&config, &hybrid), Err(CryptoError::InvalidPublicKey));

    let all_zero = [0; 32];
    assert_eq!(
        seal_to(&X25519.config, &all_zero),
        Err(CryptoError::InvalidPublicKey)
    );
    assert_eq!(
        seal_to(&X25519.config, &unhex(X25519.pk_r)[..31]),
        Err(CryptoError::InvalidPublicKey)
    );
    for scalar in [[0; 32], [0xff; 32]] {
        assert_eq!(
            kem::public_of(HpkeKemType::DhKemP256, &scalar),
            Err(CryptoError::InvalidLength)
        );
    }
}
