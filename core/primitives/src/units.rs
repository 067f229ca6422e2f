//! Positions in the sidechain and in Cardano, and time. All are unsigned integers with checked steps.

use std::fmt;

use minicbor::{Decode, Encode};

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode,
        )]
        #[cbor(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The value `by` further on, or `None` past the end of the range.
            pub fn checked_add(self, by: u64) -> Option<Self> {
                self.0.checked_add(by).map(Self)
            }

            /// How far `self` lies behind `later`; zero if it lies ahead.
            pub fn until(self, later: Self) -> u64 {
                later.0.saturating_sub(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

unit!(
    /// A sidechain block's height; the genesis state has height 0, the first block 1.
    Height
);
unit!(
    /// A Cardano slot.
    Slot
);
unit!(
    /// A Cardano epoch.
    Epoch
);
unit!(
    /// Unix time in milliseconds, the unit of a sidechain block's time.
    TimeMs
);

impl Height {
    /// The height after this one; saturates, which no chain lives to see.
    pub fn next(self) -> Height {
        Height(self.0.saturating_add(1))
    }
}
