//! A bounded cache that forgets what was not used for longest, roughly.

use std::{collections::HashMap, hash::Hash};

/// Two generations: what is written or read goes into the young one; when that has half of the weight, the old one is
/// forgotten and the young one grows old. So everything that was used within the last half of the weight is here.
pub struct Generations<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    young_weight: usize,
    generation_weight_max: usize,
}

impl<K: Hash + Eq, V: Clone> Generations<K, V> {
    /// A cache of at most `weight_max`, in the unit of the weights given to [`Generations::insert`].
    pub fn new(weight_max: usize) -> Self {
        let generation_weight_max = weight_max / 2;
        Generations {
            young: HashMap::new(),
            old: HashMap::new(),
            young_weight: 0,
            generation_weight_max,
        }
    }

    /// What was inserted under `key`, if it is still here.
    pub fn get(&mut self, key: &K) -> Option<V> {
        if let Some((value, _)) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, (value, weight)) = self.old.remove_entry(key)?;
        self.insert(key, value.clone(), weight);
        Some(value)
    }

    /// Remembers `value`. One that is heavier than a generation is not worth it.
    pub fn insert(&mut self, key: K, value: V, weight: usize) {
        self.remove(&key);
        if weight > self.generation_weight_max {
            return;
        }
        if self.young_weight.saturating_add(weight) > self.generation_weight_max {
            self.old = std::mem::take(&mut self.young);
            self.young_weight = 0;
        }
        self.young_weight = self.young_weight.saturating_add(weight);
        self.young.insert(key, (value, weight));
    }

    /// Forgets `key`.
    pub fn remove(&mut self, key: &K) {
        if let Some((_, weight)) = self.young.remove(key) {
            self.young_weight = self.young_weight.saturating_sub(weight);
        }
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn weight(cache: &Generations<u8, u32>) -> usize {
        cache
            .young
            .values()
            .chain(cache.old.values())
            .map(|(_, weight)| weight)
            .sum()
    }

    proptest! {
        #[test]
        fn it_never_outgrows_its_weight_and_never_lies(
            steps in prop::collection::vec((any::<u8>(), any::<u32>(), 0usize..40, any::<bool>()), 0..300)
        ) {
            let mut cache = Generations::new(100);
            let mut truth = HashMap::new();
            for (key, value, size, write) in steps {
                if write {
                    cache.insert(key, value, size);
                    truth.insert(key, value);
                } else if let Some(found) = cache.get(&key) {
                    prop_assert_eq!(Some(&found), truth.get(&key));
                }
                prop_assert!(weight(&cache) <= 100);
            }
        }
    }

    #[test]
    fn what_is_used_stays() {
        let mut cache = Generations::new(20);
        cache.insert(0u8, 0u32, 1);
        for key in 1..100 {
            cache.insert(key, 0, 1);
            assert_eq!(cache.get(&0), Some(0), "after {key}");
        }
        assert_eq!(cache.get(&1), None);
    }

    #[test]
    fn what_is_too_heavy_is_not_kept_and_replaces_nothing_else() {
        let mut cache = Generations::new(20);
        cache.insert(1u8, 1u32, 5);
        cache.insert(2, 2, 11);
        assert_eq!((cache.get(&1), cache.get(&2)), (Some(1), None));
    }
}
