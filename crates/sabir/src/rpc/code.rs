//! The one registry of error codes. A number and a name never change their meaning; docs/json-rpc.md lists them,
//! and a test holds that list against this one.

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal, $name:literal;)*) => {
        /// Why a request failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code {
            $($(#[doc = $doc])+ $variant,)*
        }

        impl Code {
            /// Every code, in the order of the documentation.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number in the answer's `code`.
            pub(crate) fn number(self) -> i64 {
                match self { $(Self::$variant => $number,)* }
            }

            /// The name in the answer's `data.name`.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The code with this number.
            pub(crate) fn from_number(number: i64) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    /// The line is not JSON.
    Parse = -32700, "parse_error";
    /// The JSON is not a request, or the line is too long.
    InvalidRequest = -32600, "invalid_request";
    /// There is no such method.
    MethodNotFound = -32601, "method_not_found";
    /// A parameter is missing, unknown, or of another type or range.
    InvalidParams = -32602, "invalid_params";
    /// A fault of this program.
    Internal = -32603, "internal_error";
    /// The profile has no account yet.
    NoAccount = 1, "no_account";
    /// The profile has an account already.
    AccountExists = 2, "account_exists";
    /// The invite link is malformed.
    InviteMalformed = 3, "invite_malformed";
    /// The provider knows no such invite, or it was used, or its time is over.
    InviteRefused = 4, "invite_refused";
    /// The provider does not give out this user name.
    NameRefused = 5, "name_refused";
    /// What was given as trust anchor is not a certificate in PEM.
    AnchorMalformed = 6, "anchor_malformed";
    /// An address or identifier is malformed, or of another kind.
    AddressMalformed = 7, "address_malformed";
    /// The provider of that person knows no such person, or gives no keys out.
    PersonUnknown = 8, "person_unknown";
    /// This profile is in no such room.
    RoomUnknown = 9, "room_unknown";
    /// There is no such message, or this profile sent none.
    MessageUnknown = 10, "message_unknown";
    /// The text is empty or too long.
    TextRefused = 11, "text_refused";
    /// The room takes no messages.
    RoomBlocked = 12, "room_blocked";
    /// The provider cannot be reached, or did not answer in time.
    ProviderUnreachable = 13, "provider_unreachable";
    /// The provider, or who claims to be it, could not be verified.
    ProviderUnverified = 14, "provider_unverified";
    /// The provider refused, and said why.
    ProviderRefused = 15, "provider_refused";
    /// The profile on disk cannot be read or written.
    StoreFailed = 16, "store_failed";
    /// The profile is under a passphrase, and none or a wrong one was given.
    Locked = 17, "locked";
    /// Too much is asked at once; ask again later.
    Busy = 18, "busy";
    /// The agent is stopping; nothing of this request was done.
    Stopping = 19, "stopping";
    /// The rules of the room do not let this person do it, or not to this message.
    NotAllowed = 20, "not_allowed";
    /// It is no reaction, or it is there already, or it is not there.
    ReactionRefused = 21, "reaction_refused";
    /// The message was not sent yet: nothing can refer to it.
    MessageNotSent = 22, "message_not_sent";
    /// The message holds more than text, and its text alone cannot be changed.
    MessageNotText = 23, "message_not_text";
    /// The file cannot be sent or saved; the message says why.
    FileRefused = 24, "file_refused";
    /// There is no such transfer, or it was over long ago.
    TransferUnknown = 25, "transfer_unknown";
    /// Several rooms have that name.
    RoomAmbiguous = 26, "room_ambiguous";
    /// The room is a conversation of two people, and no group.
    NotAGroup = 27, "not_a_group";
    /// The room has no role of that name.
    RoleUnknown = 28, "role_unknown";
    /// These rules cannot be a room's.
    RulesMalformed = 29, "rules_malformed";
    /// Two devices were not linked; the message says why.
    PairingFailed = 31, "pairing_failed";
    /// This device does not hold the person's identity key.
    NotIdentityHolder = 32, "not_identity_holder";
    /// The person has no such device, or several are called so.
    DeviceUnknown = 33, "device_unknown";
    /// It is no join link of the room, or none can be made so.
    LinkMalformed = 34, "link_malformed";
    /// This is no recovery code, or not the one of this account, or it was used.
    RecoveryCodeWrong = 35, "recovery_code_wrong";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_lead_back() {
        for (at, code) in Code::ALL.iter().enumerate() {
            assert_eq!(Code::from_number(code.number()), Some(*code));
            for other in Code::ALL.iter().skip(at + 1) {
                assert_ne!(code.number(), other.number());
                assert_ne!(code.name(), other.name());
            }
        }
        assert_eq!(Code::from_number(0), None);
    }

    #[test]
    fn the_documentation_lists_exactly_these() {
        let page = include_str!("../../../../docs/json-rpc.md");
        for code in Code::ALL {
            let row = format!("| {} | `{}` |", code.number(), code.name());
            assert!(page.contains(&row), "docs/json-rpc.md has no row {row}");
        }
        let rows = page.lines().filter(|line| {
            let number = line
                .trim_start_matches("| ")
                .split(" |")
                .next()
                .unwrap_or_default();
            line.starts_with("| ") && number.parse::<i64>().is_ok()
        });
        assert_eq!(
            rows.count(),
            Code::ALL.len(),
            "docs/json-rpc.md lists a code that is none"
        );
    }
}
