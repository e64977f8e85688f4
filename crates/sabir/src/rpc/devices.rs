//! Parameters and results of the methods about a person's devices.

use sabir_client::types::Account;
use serde::{Deserialize, Serialize};

/// `device.list`. Result: `Devices`.
pub(crate) const DEVICE_LIST: &str = "device.list";
/// `device.link`. Parameters: [`DeviceLink`]. Result: [`Linking`].
pub(crate) const DEVICE_LINK: &str = "device.link";
/// `device.link_number`. Parameters: [`Patience`]. Result: [`LinkNumber`].
pub(crate) const DEVICE_LINK_NUMBER: &str = "device.link_number";
/// `device.link_confirm`. Parameters: [`Confirm`]. Result: [`Linked`].
pub(crate) const DEVICE_LINK_CONFIRM: &str = "device.link_confirm";
/// `device.add`. Parameters: [`DeviceAdd`]. Result: [`Adding`].
pub(crate) const DEVICE_ADD: &str = "device.add";
/// `device.add_number`. Parameters: [`Patience`]. Result: [`AddNumber`].
pub(crate) const DEVICE_ADD_NUMBER: &str = "device.add_number";
/// `device.add_confirm`. Parameters: [`Confirm`]. Result: `Devices`.
pub(crate) const DEVICE_ADD_CONFIRM: &str = "device.add_confirm";

/// `device.revoke`. Parameters: [`DeviceName`]. Result: `Devices`.
pub(crate) const DEVICE_REVOKE: &str = "device.revoke";

/// `device.rename`. Parameters: [`DeviceRename`]. Result: `Devices`.
pub(crate) const DEVICE_RENAME: &str = "device.rename";

/// Parameters of `device.rename`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceRename {
    /// Which: its identifier, or its name where only one has it.
    pub(crate) device: String,
    /// What to call it.
    pub(crate) name: String,
}

/// Parameters of `device.revoke`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceName {
    /// Which: its identifier, or its name where only one has it.
    pub(crate) device: String,
}

/// Parameters of `device.link`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceLink {
    /// The person's address, or their provider's domain.
    pub(crate) account: String,
    /// What to call this device.
    pub(crate) device_name: String,
    /// Certificates in PEM to trust for providers, in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trust_anchor: Option<String>,
}

/// Result of `device.link`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Linking {
    /// What to give to the other device; null where a linking that was interrupted came to its end.
    pub(crate) text: Option<String>,
    /// The account, where the linking came to its end.
    pub(crate) account: Option<Account>,
}

/// How long to wait.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Patience {
    /// Milliseconds, at most [`super::methods::MAX_WAIT_MS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wait_ms: Option<u64>,
}

/// Result of `device.link_number`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LinkNumber {
    /// Whose device this is to be; null while the other device has not answered.
    pub(crate) address: Option<String>,
    /// What both devices must show; null as before.
    pub(crate) number: Option<String>,
}

/// Parameters of the methods that confirm.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirm {
    /// What the person saw on the other device.
    pub(crate) number: String,
    /// Milliseconds, at most [`super::methods::MAX_WAIT_MS`]; of `device.link_confirm` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wait_ms: Option<u64>,
}

/// Result of `device.link_confirm`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Linked {
    /// The account; null while the person has not confirmed on the other device.
    pub(crate) account: Option<Account>,
}

/// Parameters of `device.add`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceAdd {
    /// What the new device shows.
    pub(crate) text: String,
}

/// Result of `device.add`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Adding {
    /// What the new device calls itself.
    pub(crate) device_name: String,
}

/// Result of `device.add_number`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AddNumber {
    /// What both devices must show; null while the new device has not answered.
    pub(crate) number: Option<String>,
}
