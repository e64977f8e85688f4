/// Defines a closed `enum` of one byte: a value outside it is refused, since nothing after it could be read
/// with confidence (RFC 8446 §3.5).
macro_rules! enumeration {
    ($(#[$doc:meta])* $name:ident, $wire:literal {
        $($(#[$item_doc:meta])* $item:ident = $value:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$item_doc])* $item = $value,)*
        }

        impl $crate::codec::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                out.push(*self as u8);
            }
        }

        impl $crate::codec::Decode for $name {
            const NAME: &'static str = $wire;

            fn decode(r: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::codec::DecodeError> {
                let at = r.offset();
                match r.u8("value")? {
                    $($value => Ok(Self::$item),)*
                    other => Err(r.error_at(
                        at,
                        "value",
                        $crate::codec::DecodeErrorKind::UnknownValue(other.into()),
                    )),
                }
            }
        }
    };
}

pub(crate) use enumeration;
