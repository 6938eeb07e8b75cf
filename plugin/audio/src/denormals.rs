//! Flushes subnormal numbers to zero while the audio thread is in our code.
//!
//! Decaying envelopes would otherwise end in numbers that cost a hundred times the time, and hosts' validators
//! refuse them in the output. The frameworks leave this to the plugin.

/// While this lives, subnormal operands and results count as zero on this thread (x86-64 and AArch64; nothing
/// elsewhere). Dropping it restores the host's setting.
#[derive(Debug)]
pub struct FlushDenormals {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    before: u64,
}

/// Flush-to-zero and denormals-are-zero in MXCSR (Intel SDM volume 1, 10.2.3).
#[cfg(target_arch = "x86_64")]
const FLUSH: u64 = 1 << 15 | 1 << 6;

/// FZ in FPCR (Arm ARM, C5.2.8).
#[cfg(target_arch = "aarch64")]
const FLUSH: u64 = 1 << 24;

impl FlushDenormals {
    /// Flushes from here on, on this thread.
    pub fn enter() -> Self {
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        {
            let before = control();
            set_control(before | FLUSH);
            Self { before }
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        Self {}
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
impl Drop for FlushDenormals {
    fn drop(&mut self) {
        set_control(self.before);
    }
}

#[cfg(target_arch = "x86_64")]
fn control() -> u64 {
    let mut mxcsr = 0u32;
    // SAFETY: stores the 32 bits of MXCSR into a variable that outlives the instruction.
    unsafe {
        std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags));
    }
    u64::from(mxcsr)
}

#[cfg(target_arch = "x86_64")]
fn set_control(value: u64) {
    let mxcsr = value as u32;
    // SAFETY: loads a value read from MXCSR, in which at most FTZ and DAZ were set: no exception is unmasked and the
    // rounding is the one that Rust assumes. Results differ from the abstract machine's only where they are subnormal,
    // and no code in the guard's scope relies on those.
    unsafe {
        std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack, preserves_flags, readonly));
    }
}

#[cfg(target_arch = "aarch64")]
fn control() -> u64 {
    let fpcr: u64;
    // SAFETY: reads a register that user code may read.
    unsafe {
        std::arch::asm!("mrs {}, fpcr", out(reg) fpcr, options(nomem, nostack, preserves_flags));
    }
    fpcr
}

#[cfg(target_arch = "aarch64")]
fn set_control(value: u64) {
    // SAFETY: writes a value read from FPCR, in which at most FZ was set, as for x86-64 above.
    unsafe {
        std::arch::asm!("msr fpcr, {}", in(reg) value, options(nomem, nostack, preserves_flags));
    }
}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use super::*;
    use std::hint::black_box;

    fn product() -> f32 {
        black_box(1e-20f32) * black_box(1e-20f32)
    }

    #[test]
    fn subnormals_are_zero_inside_the_guard_and_themselves_after_it() {
        assert!(product().is_subnormal());
        {
            let _flush = FlushDenormals::enter();
            assert_eq!(product().to_bits(), 0);
            assert_eq!((black_box(1e-40f32) * black_box(1e20)).to_bits(), 0);
            {
                let _nested = FlushDenormals::enter();
            }
            assert_eq!(product().to_bits(), 0);
        }
        assert!(product().is_subnormal());
    }
}
