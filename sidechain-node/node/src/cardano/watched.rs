//! Cardano beside a chain that follows none.

use nupeer_primitives::CardanoPoint;

use super::{CardanoHealth, CardanoView, FollowedCardano, NoCardano, ObservationError};

/// Follows Cardano for the operator to see and to ask: no block of this chain names a point, and nothing is observed.
#[derive(Clone, Debug)]
pub struct WatchedCardano(pub FollowedCardano);

impl CardanoView for WatchedCardano {
    fn point(&self, parent: Option<CardanoPoint>) -> Option<CardanoPoint> {
        NoCardano.point(parent)
    }

    fn observations(
        &self,
        parent: Option<CardanoPoint>,
        point: Option<CardanoPoint>,
    ) -> Result<Vec<Vec<u8>>, ObservationError> {
        NoCardano.observations(parent, point)
    }

    fn health(&self) -> CardanoHealth {
        self.0.health()
    }
}
