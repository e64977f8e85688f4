use super::MAX_CLIENT_REQUEST;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_opaque};
use crate::device_list::SignedDeviceList;
use crate::enumeration::enumeration;
use crate::field;
use crate::mls::{Credential, MAX_SIGNATURE};
use crate::uri::ProviderUri;

/// A device of an account makes itself known.
///
/// ```text
/// struct {
///     IdentifierUri provider;
///     Credential credential;
///     SignedDeviceList device_list;
/// } RegisterDeviceTBS;
///
/// struct {
///     Credential credential;
///     SignedDeviceList device_list;
///     /* SignWithLabel(device_key, "SabirRegisterDeviceTBS", RegisterDeviceTBS) */
///     opaque signature<V>;
/// } RegisterDeviceRequest;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterDeviceRequest {
    /// X.509: the device certificate, then the user certificate.
    pub credential: Credential,
    /// A list that names the device, newer than the provider's or the same.
    pub device_list: SignedDeviceList,
    /// Over [`RegisterDeviceRequest::tbs`], by the key of the device certificate.
    pub signature: Vec<u8>,
}

impl RegisterDeviceRequest {
    /// The label of `SignWithLabel`.
    pub const SIGNATURE_LABEL: &'static str = "SabirRegisterDeviceTBS";

    /// `RegisterDeviceTBS`.
    #[must_use]
    pub fn tbs(&self, provider: &ProviderUri) -> Vec<u8> {
        let mut out = provider.to_bytes();
        self.credential.encode(&mut out);
        self.device_list.encode(&mut out);
        out
    }
}

impl Encode for RegisterDeviceRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.credential.encode(out);
        self.device_list.encode(out);
        put_opaque(out, &self.signature);
    }
}

impl Decode for RegisterDeviceRequest {
    const NAME: &'static str = "RegisterDeviceRequest";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            credential: r.read_as("credential")?,
            device_list: r.read_as("device_list")?,
            signature: field::bytes(r, "signature", MAX_SIGNATURE)?,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_CLIENT_REQUEST)
    }
}

enumeration! {
    /// What became of a [`RegisterDeviceRequest`].
    ///
    /// ```text
    /// enum {
    ///     registered(0),
    ///     unknownUser(1),
    ///     badCredential(2),
    ///     badDeviceList(3),
    ///     deviceListTooOld(4),
    ///     badSignature(5),
    ///     clientTaken(6),
    ///     (255)
    /// } RegisterDeviceCode;
    /// ```
    RegisterDeviceCode, "RegisterDeviceCode" {
        /// The device may sign in; also the answer to a repetition.
        Registered = 0;
        /// There is no such account.
        UnknownUser = 1;
        /// The certificates do not chain to the account's, or name somebody else.
        BadCredential = 2;
        /// The list is not signed by the account's identity key, or lacks the device.
        BadDeviceList = 3;
        /// The provider has a newer list.
        DeviceListTooOld = 4;
        /// The device's signature does not verify.
        BadSignature = 5;
        /// Another key has this client URI.
        ClientTaken = 6;
    }
}

/// The answer to a [`RegisterDeviceRequest`].
///
/// ```text
/// struct {
///     RegisterDeviceCode code;
/// } RegisterDeviceResponse;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterDeviceResponse {
    /// The outcome.
    pub code: RegisterDeviceCode,
}

impl Encode for RegisterDeviceResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        self.code.encode(out);
    }
}

impl Decode for RegisterDeviceResponse {
    const NAME: &'static str = "RegisterDeviceResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            code: r.read_as("code")?,
        })
    }
}
