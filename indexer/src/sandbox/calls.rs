//! Filters of system calls, by seccomp. What is not allowed fails with "not permitted" and does not kill: a library that
//! asks for a time zone file goes on without it.

#[cfg(target_os = "linux")]
pub(super) use linux::{only_computing, without_network};

#[cfg(not(target_os = "linux"))]
pub(super) fn only_computing() -> Result<String, String> {
    Err("seccomp is a part of Linux".to_string())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn without_network() -> Result<String, String> {
    Err("seccomp is a part of Linux".to_string())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
        TargetArch, apply_filter,
    };

    /// System calls with the conditions under which a rule matches; none: always.
    type Rules = BTreeMap<i64, Vec<SeccompRule>>;

    /// Calls that a process needs to compute, to use what is open, to start threads and to end.
    const COMPUTING: &[i64] = &[
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_pread64,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_lseek,
        libc::SYS_close,
        libc::SYS_fstat,
        libc::SYS_fcntl,
        libc::SYS_ppoll,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_membarrier,
        libc::SYS_futex,
        libc::SYS_set_robust_list,
        libc::SYS_get_robust_list,
        libc::SYS_rseq,
        libc::SYS_set_tid_address,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_nanosleep,
        libc::SYS_clock_nanosleep,
        libc::SYS_clock_gettime,
        libc::SYS_clock_getres,
        libc::SYS_gettimeofday,
        libc::SYS_getrandom,
        libc::SYS_getrusage,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_uname,
        libc::SYS_exit,
        libc::SYS_exit_group,
        // Fails as unknown, see `old_clone`.
        libc::SYS_clone3,
    ];

    /// Calls that no program for reading pictures needs.
    const FOREIGN: &[i64] = &[
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_mount,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_add_key,
        libc::SYS_keyctl,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_kexec_load,
    ];

    /// Nothing but [`COMPUTING`]: no opening, no sockets, no new programs or processes, no memory that can be run.
    pub(in crate::sandbox) fn only_computing() -> Result<String, String> {
        let mut allowed: Rules = COMPUTING.iter().map(|call| (*call, Vec::new())).collect();
        allowed.extend(conditional()?);
        #[cfg(target_arch = "x86_64")]
        allowed.extend([(libc::SYS_poll, Vec::new()), (libc::SYS_arch_prctl, Vec::new())]);
        // First: the other filter allows no further ones.
        apply(&old_clone()?)?;
        apply(&filter(allowed, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow)?)?;
        Ok("seccomp".to_string())
    }

    /// Everything but [`FOREIGN`].
    pub(in crate::sandbox) fn without_network() -> Result<String, String> {
        let refused = FOREIGN.iter().map(|call| (*call, Vec::new())).collect();
        apply(&filter(refused, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM as u32))?)?;
        Ok("seccomp".to_string())
    }

    /// Calls that are allowed with some arguments only.
    fn conditional() -> Result<Rules, String> {
        let thread = libc::CLONE_THREAD as u64;
        let exec = libc::PROT_EXEC as u64;
        let this = u64::from(std::process::id());
        Ok(BTreeMap::from([
            // Threads, not processes.
            (libc::SYS_clone, vec![argument(0, SeccompCmpOp::MaskedEq(thread), thread)?]),
            // Memory that cannot be run.
            (libc::SYS_mmap, vec![argument(2, SeccompCmpOp::MaskedEq(exec), 0)?]),
            (libc::SYS_mprotect, vec![argument(2, SeccompCmpOp::MaskedEq(exec), 0)?]),
            // Its own limits (process 0 is the caller), its own end.
            (libc::SYS_prlimit64, vec![argument(0, SeccompCmpOp::Eq, 0)?]),
            (libc::SYS_tgkill, vec![argument(0, SeccompCmpOp::Eq, this)?]),
            // Names of threads and of memory.
            (
                libc::SYS_prctl,
                vec![
                    argument(0, SeccompCmpOp::Eq, libc::PR_SET_NAME as u64)?,
                    argument(0, SeccompCmpOp::Eq, libc::PR_SET_VMA as u64)?,
                ],
            ),
        ]))
    }

    fn argument(number: u8, compare: SeccompCmpOp, value: u64) -> Result<SeccompRule, String> {
        let condition = SeccompCondition::new(number, SeccompCmpArgLen::Dword, compare, value);
        condition.and_then(|condition| SeccompRule::new(vec![condition])).map_err(|error| error.to_string())
    }

    /// `clone3` hides its flags from filters. Told that it does not exist, the C library takes `clone`.
    fn old_clone() -> Result<BpfProgram, String> {
        let rules = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
        filter(rules, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))
    }

    fn filter(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> Result<BpfProgram, String> {
        let words = |error: seccompiler::BackendError| error.to_string();
        let machine = TargetArch::try_from(std::env::consts::ARCH).map_err(words)?;
        SeccompFilter::new(rules, otherwise, matched, machine).and_then(BpfProgram::try_from).map_err(words)
    }

    fn apply(program: &BpfProgram) -> Result<(), String> {
        apply_filter(program).map_err(|error| error.to_string())
    }
}
