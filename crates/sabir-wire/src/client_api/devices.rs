use super::MAX_CLIENT_REQUEST;
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_vec};
use crate::device_list::{MAX_DEVICES, SignedDeviceList};
use crate::field;
use crate::mls::Credential;

/// Bytes of a [`DevicesResponse`]: every device with a credential of the greatest size that one is registered with.
pub const MAX_DEVICES_RESPONSE: usize = MAX_DEVICES * MAX_CLIENT_REQUEST;

/// A device that is on its person's newest list and has registered.
///
/// ```text
/// struct {
///     Credential credential;
///     uint64 added_at;
/// } ListedDevice;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDevice {
    /// X.509: the device certificate, then the user certificate.
    pub credential: Credential,
    /// When it registered, in milliseconds since 1970.
    pub added_at: u64,
}

impl Encode for ListedDevice {
    fn encode(&self, out: &mut Vec<u8>) {
        self.credential.encode(out);
        self.added_at.encode(out);
    }
}

impl Decode for ListedDevice {
    const NAME: &'static str = "ListedDevice";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            credential: r.read_as("credential")?,
            added_at: r.u64("added_at")?,
        })
    }
}

/// A person's devices as their provider knows them. The list is signed; which device of the list has registered is the
/// provider's word, and each credential proves itself.
///
/// ```text
/// struct {
///     SignedDeviceList device_list;
///     ListedDevice devices<V>;
/// } DevicesResponse;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicesResponse {
    /// The newest list that the provider was given.
    pub device_list: SignedDeviceList,
    /// Those on it that have registered; at most [`MAX_DEVICES`].
    pub devices: Vec<ListedDevice>,
}

impl Encode for DevicesResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        self.device_list.encode(out);
        put_vec(out, &self.devices);
    }
}

impl Decode for DevicesResponse {
    const NAME: &'static str = "DevicesResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let device_list = r.read_as("device_list")?;
        let devices: Vec<ListedDevice> = r.list("devices", MAX_DEVICES_RESPONSE)?;
        if devices.len() > MAX_DEVICES {
            return Err(r.error("devices", DecodeErrorKind::TooLong { max: MAX_DEVICES }));
        }
        Ok(Self { device_list, devices })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_DEVICES_RESPONSE)
    }
}
