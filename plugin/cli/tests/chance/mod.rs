//! When a program is killed: at random, and the same in every run.

/// A linear congruential generator (Knuth's MMIX).
pub struct Chance(pub u64);

impl Chance {
    /// 0 to 1.
    pub fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 31)
    }
}
