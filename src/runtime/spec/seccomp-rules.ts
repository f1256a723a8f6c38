// What docker's default seccomp profile allows, as data: the system calls that every container may
// make, and those that hang on a capability, the processor or their arguments.
// https://docs.docker.com/engine/security/seccomp/

import type { SeccompArgument } from "./runtime-spec.js";

/** When a rule holds: all that is named must hold. */
export interface SeccompCondition {
  /** GOARCH: one of these. */
  readonly architectures?: readonly string[];
  /** All of these, in `includes`; any of these, in `excludes`. */
  readonly capabilities?: readonly string[];
  /** "4.8": this kernel or a newer one. */
  readonly minKernel?: string;
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
  readonly includes?: SeccompCondition;
  readonly excludes?: SeccompCondition;
}

export const ALLOW = "SCMP_ACT_ALLOW";
export const REFUSE = "SCMP_ACT_ERRNO";
const EPERM = 1;
const ENOSYS = 38;
const AF_VSOCK = 40;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NEW_NAMESPACES = 0x7e020000;

/** personality(2): Linux, UNAME26, NO_RANDOMIZE's absence with 32-bit Linux, both, and the question. */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

/** Allowed for all. 64 and 32 bit names stand side by side; the runtime skips unknown ones. */
const ALWAYS = words(`
  accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32
  clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
  clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat
  dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2
  epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group
  faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat
  fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork
  fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64
  futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat
  get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid
  geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid
  getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage
  getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat
  inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents
  io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc kill
  landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link
  linkat listen listmount listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr
  lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat
  mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open
  mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal
  msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat
  _newselect open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free
  pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease
  pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv
  recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename
  renameat renameat2 restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending
  rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
  rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
  sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
  sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select
  semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto
  set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid
  setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid
  setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32
  setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask
  sigreturn socketcall socketpair splice stat stat64 statfs statfs64 statmount statx symlink
  symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete
  timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
  timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate
  truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat utimensat_time64
  utimes vfork vmsplice wait4 waitid waitpid write writev`);

const WITH_CAPABILITY: Readonly<Record<string, string>> = {
  CAP_DAC_READ_SEARCH: "open_by_handle_at",
  CAP_SYS_ADMIN: `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie
    lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree
    perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2
    unshare`,
  CAP_SYS_BOOT: "reboot",
  CAP_SYS_CHROOT: "chroot",
  CAP_SYS_MODULE: "delete_module init_module finit_module",
  CAP_SYS_PACCT: "acct",
  CAP_SYS_PTRACE: "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
  CAP_SYS_RAWIO: "iopl ioperm",
  CAP_SYS_TIME: "settimeofday stime clock_settime clock_settime64",
  CAP_SYS_TTY_CONFIG: "vhangup",
  CAP_SYS_NICE: "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
  CAP_SYSLOG: "syslog",
  CAP_BPF: "bpf",
  CAP_PERFMON: "perf_event_open",
};

const ON_ARCHITECTURE: readonly { readonly names: string; readonly on: readonly string[] }[] = [
  { names: "sync_file_range2 swapcontext", on: ["ppc64le"] },
  {
    names: "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    on: ["arm", "arm64"],
  },
  { names: "arch_prctl", on: ["amd64"] },
  { names: "modify_ldt", on: ["amd64", "386"] },
  { names: "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr", on: ["s390x"] },
  { names: "riscv_flush_icache", on: ["riscv64"] },
];

/** Creating a namespace needs CAP_SYS_ADMIN; clone3 hides its flags from filters, so it is "absent". */
const WITHOUT_SYS_ADMIN: readonly SeccompRule[] = [
  ...[
    {
      index: 0,
      where: { excludes: { capabilities: ["CAP_SYS_ADMIN"], architectures: ["s390x"] } },
    },
    {
      index: 1, // s390 takes the arguments of clone in another order
      where: {
        includes: { architectures: ["s390x"] },
        excludes: { capabilities: ["CAP_SYS_ADMIN"] },
      },
    },
  ].map(({ index, where }) => ({
    names: ["clone"],
    action: ALLOW,
    args: [{ index, value: NEW_NAMESPACES, op: "SCMP_CMP_MASKED_EQ" }],
    ...where,
  })),
  {
    names: ["clone3"],
    action: REFUSE,
    errnoRet: ENOSYS,
    excludes: { capabilities: ["CAP_SYS_ADMIN"] },
  },
];

/** What is not named is refused with this errno. */
export const DEFAULT_ERRNO = EPERM;

export const DEFAULT_RULES: readonly SeccompRule[] = [
  { names: ALWAYS, action: ALLOW },
  {
    // Older kernels let a traced process escape its filter.
    names: words("process_vm_readv process_vm_writev ptrace"),
    action: ALLOW,
    includes: { minKernel: "4.8" },
  },
  {
    names: ["socket"],
    action: ALLOW,
    args: [{ index: 0, value: AF_VSOCK, op: "SCMP_CMP_NE" }],
  },
  ...PERSONALITIES.map((value) => ({
    names: ["personality"],
    action: ALLOW,
    args: [{ index: 0, value, op: "SCMP_CMP_EQ" }],
  })),
  ...ON_ARCHITECTURE.map(({ names, on }) => ({
    names: words(names),
    action: ALLOW,
    includes: { architectures: on },
  })),
  ...Object.entries(WITH_CAPABILITY).map(([capability, names]) => ({
    names: words(names),
    action: ALLOW,
    includes: { capabilities: [capability] },
  })),
  ...WITHOUT_SYS_ADMIN,
];

/** libseccomp's name of a processor, with those whose programs run on it too. By GOARCH. */
export const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  amd64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
  mips64: ["SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64N32"],
  mips64le: ["SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64N32"],
  s390x: ["SCMP_ARCH_S390X", "SCMP_ARCH_S390"],
  riscv64: ["SCMP_ARCH_RISCV64"],
};

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
