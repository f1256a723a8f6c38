// The text of `strata-overlay --help`.

export const HELP = `Usage: strata-overlay [OPTIONS] -o lowerdir=DIR[:DIR...][,upperdir=DIR,workdir=DIR][,...] MOUNT_POINT
       strata-overlay SOURCE MOUNT_POINT -o ...      as mount(8) calls it

Mounts directories as one tree: lowerdir is the stack of read-only layers, topmost first; changes
go to upperdir. Without upperdir the mount is read-only. It returns when the tree can be used, and
is ended by umount or fusermount3 -u. The command line is that of fuse-overlayfs.

  -o OPTION[,OPTION...]  mount options; "\\\\," and "\\\\:" stand for themselves in paths
  -f                     stay in the foreground
  -d                     stay in the foreground and say what happens
  -V, --version          print the version
  -h, --help             print this

Mount options
  lowerdir=DIR[:DIR...]  the lower layers
  upperdir=DIR           the layer that takes the changes
  workdir=DIR            an empty directory on upperdir's file system
  ro                     nothing can be changed, though there is an upperdir
  uidmapping=ID:SHOWN:COUNT[:...]  user ids on the disk and as they are shown; gidmapping alike
  squash_to_root         all files are shown as root's; squash_to_uid=ID, squash_to_gid=ID
  xattr_permissions=1|2  owners and modes that can't be set are recorded in security.fuseoverlayfs.
                         override_stat (1) or user.containers.override_stat (2)
  noacl                  no POSIX ACLs
  volatile, fsync=0      nothing is synced: the upper is lost if the machine crashes
  passthrough=auto|all|code|off  which large files of the lower layers the kernel reads past this process, as
                         root: programs and shared libraries (code), or all, which is faster, but who
                         has a file open then sees only on reopening what is written to it after its
                         first change. auto: all where nothing can change, else code
  fast_wakeups=auto|on|off  as root: processors sleep lightly while many requests come; auto: not in virtual
                         machines with more than 8 of them, where all would be kept awake
  timeout=SECONDS        how long names and attributes are believed (for ever); fractions count
  redirect_dir=on|follow|nofollow|off  off, follow: a directory of a lower layer can't be renamed
  metacopy=on            chmod and the like copy no data, for good: other tools need this option too
  copy_up=block|whole    the first write to a lower file copies what is written, the rest later and at
                         the latest when the mount ends (block); or all of it at once
  userxattr              the layers' marks are user.overlay.* xattrs
  context=LABEL          SELinux label; fscontext, defcontext, rootcontext alike
  nodev, nosuid, noexec, noatime, nodiratime, sync, dirsync
  allow_other            all users may use the mount, as their rights are (root's mounts: always so)
  allow_root             root and the user who mounts may, nobody else
  fsname=NAME, subtype=NAME   as what the mount is listed
Always so, whatever their value says:
  default_permissions    the kernel checks owners, modes and ACLs: nothing else here would
  static_nlink           directories have the link count 1, which find and others take for "unknown":
                         counting would read the directory, and the count would change with a copy-up
  xino                   inode numbers are one file system's: unique, and the same over copy-up and remount
  index                  a lower file with several names stays one file when it is changed
Taken without effect: nfs_export (file handles work while the kernel knows the file), and what the
kernel keeps by itself, as rw, relatime, lazytime, remount. Options that are unknown are ignored;
-d names them.
`;
