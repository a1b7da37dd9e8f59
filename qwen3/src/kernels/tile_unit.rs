//! The tile unit (AMX): eight registers of sixteen rows of 64 bytes. Found out, asked for and configured here.
//!
//! A process must ask its kernel before its first use, once. A thread configures the unit for the length of one piece
//! of work ([`Configured`]) and gives it back: nothing else in the process sees that it was used, and a switch of
//! threads has no tiles to save.
#![expect(unsafe_code, reason = "instructions without intrinsics in stable Rust, and one system call")]

use std::{
    arch::{asm, x86_64::__cpuid_count},
    marker::PhantomData,
    sync::LazyLock,
};

/// Rows of a tile.
pub(super) const TILE_ROWS: usize = 16;
/// Words in a row of a tile.
pub(super) const TILE_WORDS: usize = 16;

/// Whether this process may use the unit for bf16 and int8.
pub(super) fn is_usable() -> bool {
    static USABLE: LazyLock<bool> = LazyLock::new(|| has_instructions() && is_granted());
    *USABLE
}

/// AMX-TILE, AMX-BF16 and AMX-INT8 (Intel SDM, CPUID leaf 7).
fn has_instructions() -> bool {
    const NEEDED: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).edx & NEEDED == NEEDED
}

/// Asks Linux for the state of the tiles (arch_prctl(2), "ARCH_REQ_XCOMP_PERM"): it says no where the system does not
/// save it, or where a thread's signal stack is too small for it.
#[cfg(target_os = "linux")]
fn is_granted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    let result: i64;
    // SAFETY: a system call that reads no memory of ours; it changes rcx, r11 and its result.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") REQUEST,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    if result != 0 {
        tracing::info!(result, "the system does not let this process use AMX: AVX-512 computes instead");
    }
    result == 0
}

/// No other system is known to be asked in a way that was tried.
#[cfg(not(target_os = "linux"))]
fn is_granted() -> bool {
    false
}

/// Palette 1, and every tile of full size: what is not needed is zero or left unread.
#[repr(C, align(64))]
struct Config([u8; 64]);

static CONFIG: Config = Config(full_tiles());

const fn full_tiles() -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        bytes[16 + 2 * tile] = 4 * TILE_WORDS as u8;
        bytes[48 + tile] = TILE_ROWS as u8;
        tile += 1;
    }
    bytes
}

/// The unit is configured on this thread as long as this lives. Not to be nested: the inner one would give it back.
pub(super) struct Configured {
    /// Of this thread: not to be sent to another.
    thread: PhantomData<*const ()>,
}

impl Configured {
    /// # Panics
    /// Where the unit is not usable.
    pub(super) fn new() -> Self {
        assert!(is_usable(), "the tile unit is used only where it was found");
        // SAFETY: the machine has the instruction, the process may use it, and the configuration is valid.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG, options(nostack, readonly)) };
        Self { thread: PhantomData }
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        // SAFETY: as above; tiles hold nothing that anyone needs. The fence is for writes past the caches, which other
        // threads could otherwise see late.
        unsafe { asm!("tilerelease", "sfence", options(nostack)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The configuration that the thread has, as it would be saved.
    fn stored() -> [u8; 64] {
        let mut config = Config([0xff; 64]);
        // SAFETY: writes 64 bytes.
        unsafe { asm!("sttilecfg [{}]", in(reg) &raw mut config, options(nostack)) };
        config.0
    }

    #[test]
    fn the_unit_is_given_back() {
        if !is_usable() {
            return;
        }
        let (ask, asked) = std::sync::mpsc::channel();
        // Started before: a new thread begins with what its parent holds.
        let other = std::thread::spawn(move || asked.recv().map(|()| stored()));
        assert_eq!(stored(), [0; 64]);
        let configured = Configured::new();
        assert_eq!(stored(), full_tiles());
        ask.send(()).unwrap();
        assert_eq!(other.join().unwrap(), Ok([0; 64]), "other threads see nothing of it");
        drop(configured);
        assert_eq!(stored(), [0; 64]);
    }
}
