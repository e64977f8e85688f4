//! Data of the application inside MLS structures (draft-ietf-mls-extensions §4.6 to §5).

use super::bounds::sorted_list;
use super::{
    ComponentId, MAX_AUTHENTICATED_DATA, MAX_CODE_POINTS, MAX_COMPONENT, MAX_EXTENSIONS_BYTES, WireFormat,
};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_vec};

macro_rules! component_data {
    ($(#[$doc:meta])* $name:ident, $wire:literal, $(#[$field_doc:meta])* $field:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            /// Whose data it is.
            pub component_id: ComponentId,
            $(#[$field_doc])*
            pub $field: Vec<u8>,
        }

        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                self.component_id.encode(out);
                put_opaque(out, &self.$field);
            }
        }

        impl Decode for $name {
            const NAME: &'static str = $wire;

            fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self {
                    component_id: r.read_as("component_id")?,
                    $field: r.opaque(stringify!($field), $max)?.to_vec(),
                })
            }
        }
    };
}

component_data! {
    /// One entry of an [`AppDataDictionary`].
    ///
    /// ```text
    /// struct {
    ///     ComponentID component_id;
    ///     opaque data<V>;
    /// } ComponentData;
    /// ```
    ComponentData, "ComponentData",
    /// At most [`MAX_COMPONENT`] bytes.
    data, MAX_COMPONENT
}

component_data! {
    /// Application data for one commit (draft-ietf-mls-extensions §4.8).
    ///
    /// ```text
    /// struct {
    ///     ComponentID component_id;
    ///     opaque data<V>;
    /// } AppEphemeral;
    /// ```
    AppEphemeral, "AppEphemeral",
    /// At most [`MAX_COMPONENT`] bytes.
    data, MAX_COMPONENT
}

component_data! {
    /// One entry of a [`SafeAad`].
    ///
    /// ```text
    /// struct {
    ///     ComponentID component_id;
    ///     opaque aad_item_data<V>;
    /// } SafeAADItem;
    /// ```
    SafeAadItem, "SafeAADItem",
    /// At most [`MAX_AUTHENTICATED_DATA`] bytes.
    aad_item_data, MAX_AUTHENTICATED_DATA
}

/// The data of [`ExtensionType::APP_DATA_DICTIONARY`](super::ExtensionType::APP_DATA_DICTIONARY): one value
/// per component (draft-ietf-mls-extensions §4.6).
///
/// ```text
/// struct {
///     ComponentData component_data<V>;
/// } AppDataDictionary;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppDataDictionary {
    /// At most [`MAX_ENTRIES`](super::MAX_ENTRIES), strictly ascending by component.
    pub component_data: Vec<ComponentData>,
}

impl AppDataDictionary {
    /// The data of a component.
    #[must_use]
    pub fn get(&self, component_id: ComponentId) -> Option<&[u8]> {
        let entry = self
            .component_data
            .iter()
            .find(|entry| entry.component_id == component_id)?;
        Some(&entry.data)
    }

    /// Sets the data of a component, at its place in the order.
    pub fn set(&mut self, component_id: ComponentId, data: Vec<u8>) {
        let entry = ComponentData { component_id, data };
        match self
            .component_data
            .binary_search_by_key(&component_id, |entry| entry.component_id)
        {
            Ok(at) => {
                if let Some(old) = self.component_data.get_mut(at) {
                    *old = entry;
                }
            }
            Err(at) => self.component_data.insert(at, entry),
        }
    }

    /// Removes a component and returns its data.
    pub fn remove(&mut self, component_id: ComponentId) -> Option<Vec<u8>> {
        let at = self
            .component_data
            .iter()
            .position(|entry| entry.component_id == component_id)?;
        Some(self.component_data.remove(at).data)
    }
}

impl Encode for AppDataDictionary {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.component_data);
    }
}

impl Decode for AppDataDictionary {
    const NAME: &'static str = "AppDataDictionary";

    /// draft-ietf-mls-extensions §4.6: sorted by `component_id`, at most one entry for each.
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let key = |entry: &ComponentData| entry.component_id;
        Ok(Self {
            component_data: sorted_list(r, "component_data", MAX_EXTENSIONS_BYTES, key)?,
        })
    }
}

/// Changes one component of the group's [`AppDataDictionary`] (draft-ietf-mls-extensions §4.7).
///
/// ```text
/// struct {
///     ComponentID component_id;
///     AppDataUpdateOperation op;
///     select (AppDataUpdate.op) {
///         case update: opaque update<V>;
///         case remove: struct{};
///     };
/// } AppDataUpdate;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppDataUpdate {
    /// The component.
    pub component_id: ComponentId,
    /// What happens to it.
    pub op: AppDataUpdateOperation,
}

/// What an [`AppDataUpdate`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppDataUpdateOperation {
    /// 1: the component's own rules turn this into its new data, at most [`MAX_COMPONENT`] bytes.
    Update(Vec<u8>),
    /// 2: the component leaves the dictionary.
    Remove,
}

impl Encode for AppDataUpdate {
    fn encode(&self, out: &mut Vec<u8>) {
        self.component_id.encode(out);
        match &self.op {
            AppDataUpdateOperation::Update(update) => {
                out.push(1);
                put_opaque(out, update);
            }
            AppDataUpdateOperation::Remove => out.push(2),
        }
    }
}

impl Decode for AppDataUpdate {
    const NAME: &'static str = "AppDataUpdate";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let component_id = r.read_as("component_id")?;
        let at = r.offset();
        let op = match r.u8("op")? {
            1 => AppDataUpdateOperation::Update(r.opaque("update", MAX_COMPONENT)?.to_vec()),
            2 => AppDataUpdateOperation::Remove,
            other => return Err(r.error_at(at, "op", DecodeErrorKind::UnknownValue(other.into()))),
        };
        Ok(Self { component_id, op })
    }
}

/// The `authenticated_data` of a message in a group that has the component
/// [`ComponentId::SAFE_AAD`] (draft-ietf-mls-extensions §4.9).
///
/// ```text
/// struct {
///     SafeAADItem aad_items<V>;
/// } SafeAAD;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SafeAad {
    /// At most [`MAX_ENTRIES`](super::MAX_ENTRIES), strictly ascending by component.
    pub aad_items: Vec<SafeAadItem>,
}

impl SafeAad {
    /// The data of a component.
    #[must_use]
    pub fn get(&self, component_id: ComponentId) -> Option<&[u8]> {
        let entry = self
            .aad_items
            .iter()
            .find(|entry| entry.component_id == component_id)?;
        Some(&entry.aad_item_data)
    }
}

impl Encode for SafeAad {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.aad_items);
    }
}

impl Decode for SafeAad {
    const NAME: &'static str = "SafeAAD";

    /// draft-ietf-mls-extensions §4.9: sorted in increasing order of `component_id`.
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let key = |entry: &SafeAadItem| entry.component_id;
        Ok(Self {
            aad_items: sorted_list(r, "aad_items", MAX_AUTHENTICATED_DATA, key)?,
        })
    }
}

/// `struct { ComponentID component_ids<V>; } ComponentsList` (draft-ietf-mls-extensions §5): the data of
/// [`ComponentId::APP_COMPONENTS`] and [`ComponentId::SAFE_AAD`], at most [`MAX_CODE_POINTS`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ComponentsList {
    /// In the order they came.
    pub component_ids: Vec<ComponentId>,
}

impl Encode for ComponentsList {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.component_ids);
    }
}

impl Decode for ComponentsList {
    const NAME: &'static str = "ComponentsList";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            component_ids: r.list("component_ids", MAX_CODE_POINTS)?,
        })
    }
}

/// `struct { WireFormat wire_formats<V>; } WireFormats` (draft-ietf-mls-extensions §5): the data of the
/// extensions `supported_wire_formats` and `required_wire_formats`, at most [`MAX_CODE_POINTS`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WireFormats {
    /// In the order they came.
    pub wire_formats: Vec<WireFormat>,
}

impl Encode for WireFormats {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.wire_formats);
    }
}

impl Decode for WireFormats {
    const NAME: &'static str = "WireFormats";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            wire_formats: r.list("wire_formats", MAX_CODE_POINTS)?,
        })
    }
}
