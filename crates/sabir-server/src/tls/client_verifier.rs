use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage, RequiredEkuNotFoundContext,
};

/// Verifies the certificates that other providers present as TLS clients.
///
/// A name is not checked here: the certificate says which domains the peer is, the `From` header says as which
/// one it speaks (draft-ietf-mimi-protocol-06 §4.1), and `http` compares the two.
#[derive(Debug)]
pub struct PeerCertVerifier {
    anchors: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PeerCertVerifier {
    /// Accepts chains to `anchors`.
    #[must_use]
    pub fn new(anchors: Arc<RootCertStore>, provider: &CryptoProvider) -> Self {
        Self {
            anchors,
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

/// A provider's certificate may be for servers or for clients; none at all means any use (RFC 5280 §4.2.1.12).
struct ServerOrClientAuth;

impl ServerOrClientAuth {
    /// id-kp-serverAuth and id-kp-clientAuth.
    const ACCEPTED: [[usize; 9]; 2] = [[1, 3, 6, 1, 5, 5, 7, 3, 1], [1, 3, 6, 1, 5, 5, 7, 3, 2]];
}

impl ExtendedKeyUsageValidator for ServerOrClientAuth {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let mut present = Vec::new();
        for purpose in purposes {
            let oid = purpose?.to_decoded_oid();
            if Self::ACCEPTED.iter().any(|accepted| oid == accepted) {
                return Ok(());
            }
            present.push(oid);
        }
        if present.is_empty() {
            return Ok(());
        }
        let required = KeyUsage::server_auth();
        Err(webpki::Error::RequiredEkuNotFoundContext(
            RequiredEkuNotFoundContext { required, present },
        ))
    }
}

impl ClientCertVerifier for PeerCertVerifier {
    fn client_auth_mandatory(&self) -> bool {
        // Devices have no certificate; what needs a peer checks for one.
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // No hints: the system's list alone would be over 10 kB in every handshake.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let cert = EndEntityCert::try_from(end_entity).map_err(certificate_error)?;
        cert.verify_for_usage(
            self.algorithms.all,
            &self.anchors.roots,
            intermediates,
            now,
            ServerOrClientAuth,
            None,
            None,
        )
        .map_err(certificate_error)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The alert that tells the peer most about what to repair.
fn certificate_error(error: webpki::Error) -> Error {
    Error::InvalidCertificate(match error {
        webpki::Error::BadDer | webpki::Error::BadDerTime => CertificateError::BadEncoding,
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        webpki::Error::CertExpired { .. } => CertificateError::Expired,
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        other => CertificateError::Other(rustls::OtherError(Arc::new(other))),
    })
}
