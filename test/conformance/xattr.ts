// Cases of extended attributes and of POSIX ACLs, which are two of them.

import { errno } from "../../src/errors.js";
import type { ByteString } from "../../src/path.js";
import * as sys from "../../src/sys/index.js";
import { type Case, define, fails, same } from "./case.js";
import { ACL_VALUE, BINARY_VALUE, OTHER, RAW_NAME, USER } from "./fixture.js";
import { asUser, withUmask } from "./place.js";

const { E2BIG, EACCES, EEXIST, ENODATA, ENOSPC, EOPNOTSUPP, EPERM, ERANGE } = {
  ...errno,
  E2BIG: 7,
};

const WITH_USER = ["file", "topfile", "large", "directory", "empty", "opaque", "lower", RAW_NAME];
const WITH_TRUSTED = [...WITH_USER, "symlink", "dangling", "fifo", "null", "socket"];

function title(name: string): string {
  return name === RAW_NAME ? "a name that is not UTF-8" : name;
}

/** Attributes that a security module may add by itself are not ours to judge. */
function own(names: readonly string[]): string[] {
  return names.filter((name) => !/^security\.(selinux|apparmor|SMACK)/.test(name));
}

const basics: Case[] = [
  ...[
    ...WITH_USER.map((name) => [name, "user.new"]),
    ...WITH_TRUSTED.map((name) => [name, "trusted.new"]),
  ].map(([name = "", attribute = ""]) =>
    define(`setxattr: ${attribute} of ${title(name)}: set, list, change, remove`, (place) => {
      const before = place.identity(name);
      same(place.getxattr(name, attribute), undefined);
      place.setxattr(name, attribute, BINARY_VALUE);
      same(place.getxattr(name, attribute), BINARY_VALUE);
      same(own(place.xattrs(name)), [attribute]);
      place.setxattr(name, attribute, "", sys.XATTR_REPLACE);
      same(place.getxattr(name, attribute), "");
      place.removexattr(name, attribute);
      same(own(place.xattrs(name)), []);
      same(place.identity(name), before);
    }),
  ),
  ...["symlink", "fifo", "null", "socket"].map((name) =>
    define(`setxattr: user.* of ${name} is EPERM`, (place) => {
      fails(() => place.setxattr(name, "user.new", "x"), EPERM);
    }),
  ),
  define("getxattr: of a lower file: text, bytes, empty, trusted, security", (place) => {
    same(place.getxattr("attributes", "user.text"), "hello");
    same(place.getxattr("attributes", "user.binary"), BINARY_VALUE);
    same(place.getxattr("attributes", "user.none"), "");
    same(place.getxattr("attributes", "trusted.root"), "for root");
    same(place.getxattr("attributes", "security.label"), "label");
    same(place.getxattr("attributes", "user.missing"), undefined);
  }),
  define("listxattr: all names, and no mark of a layer", (place) => {
    const names = ["security.label", "trusted.root", "user.binary", "user.none", "user.text"];
    same(own(place.xattrs("attributes")), names);
    for (const name of ["opaque", "directory", "file", "hollow"]) same(own(place.xattrs(name)), []);
  }),
  define("listxattr: after every kind of change still no mark of a layer", (place) => {
    place.write("file", "x", 0);
    place.rename("directory", "moved");
    place.script("sh", "rm -r lower; mkdir lower");
    place.chmod("links-a", 0o600);
    for (const name of ["file", "moved", "lower", "links-b", ""]) same(own(place.xattrs(name)), []);
  }),
  define("XATTR_CREATE: of one that is there is EEXIST", (place) => {
    fails(() => place.setxattr("attributes", "user.text", "x", sys.XATTR_CREATE), EEXIST);
    place.setxattr("attributes", "user.other", "x", sys.XATTR_CREATE);
    same(place.getxattr("attributes", "user.text"), "hello");
  }),
  define("XATTR_REPLACE: of one that is not there is ENODATA", (place) => {
    fails(() => place.setxattr("attributes", "user.other", "x", sys.XATTR_REPLACE), ENODATA);
    place.setxattr("attributes", "user.text", "x", sys.XATTR_REPLACE);
    same(place.getxattr("attributes", "user.text"), "x");
  }),
  define("removexattr: of one that is not there is ENODATA", (place) => {
    fails(() => place.removexattr("attributes", "user.other"), ENODATA);
    fails(() => place.removexattr("file", "user.text"), ENODATA);
    place.removexattr("attributes", "user.text");
    fails(() => place.removexattr("attributes", "user.text"), ENODATA);
    same(place.getxattr("attributes", "user.binary"), BINARY_VALUE);
  }),
  define("setxattr: an unknown namespace is EOPNOTSUPP", (place) => {
    fails(() => place.setxattr("file", "nonsense.x", "y"), EOPNOTSUPP);
    fails(() => place.setxattr("file", "plain", "y"), EOPNOTSUPP);
  }),
  define("setxattr: values of 1 and of 2000 bytes; 65,537 bytes are E2BIG", (place) => {
    const value = "\x80v".repeat(1000);
    place.setxattr("topfile", "user.long", value);
    same(place.getxattr("topfile", "user.long"), value);
    fails(() => place.setxattr("topfile", "user.long", "v".repeat(65_537)), E2BIG, ENOSPC);
    same(place.getxattr("topfile", "user.long"), value);
  }),
  define("setxattr: a name of 255 bytes works, one of 256 is ERANGE", (place) => {
    const name = `user.${"n".repeat(250)}`;
    place.setxattr("file", name, "x");
    same(place.getxattr("file", name), "x");
    fails(() => place.setxattr("file", `${name}n`, "x"), ERANGE);
  }),
  define("setxattr: names whose bytes are not UTF-8", (place) => {
    place.setxattr("file", "user.\xff\xfe", "x");
    same(own(place.xattrs("file")), ["user.\xff\xfe"]);
    same(place.getxattr("file", "user.\xff\xfe"), "x");
  }),
  define("trusted.*: another user neither sees nor sets it", (place) => {
    asUser(USER, USER, () => {
      same(own(place.xattrs("attributes")).includes("trusted.root"), false);
      same(place.getxattr("attributes", "trusted.root"), undefined);
      fails(() => place.setxattr("attributes", "trusted.root", "x"), EPERM);
      fails(() => place.setxattr("file", "trusted.x", "x"), EPERM);
      place.setxattr("file", "user.mine", "x");
      fails(() => place.setxattr("attributes", "user.text", "x"), EACCES);
    });
  }),
  define("security.capability: is kept over chmod and taken by a write", (place) => {
    const capability = `\x01\0\0\x02\0\x04\0\0${"\0".repeat(12)}`;
    place.setxattr("program", "security.capability", capability);
    place.chmod("program", 0o711);
    same(place.getxattr("program", "security.capability"), capability);
    place.write("program", "#!/bin/sh\nexit 0\n", 0);
    same(place.getxattr("program", "security.capability"), undefined);
  }),
  define("setxattr: through a descriptor of a lower file", (place) => {
    const fd = place.open("file", sys.O_RDONLY);
    sys.setxattrFd(fd, "user.fd" as ByteString, Buffer.from("by descriptor"));
    same(place.getxattr("file", "user.fd"), "by descriptor");
    same(sys.listxattrFd(fd).includes("user.fd" as ByteString), true);
  }),
];

const ACCESS = "system.posix_acl_access";
const DEFAULT = "system.posix_acl_default";

const acls: Case[] = [
  ...["file", "topfile", "directory", "lower"].map((name) =>
    define(`ACL: of ${name} lets the named user in, and shows in the mode`, (place) => {
      place.setxattr(name, ACCESS, ACL_VALUE);
      same(place.getxattr(name, ACCESS), ACL_VALUE);
      same(place.mode(name), 0o770);
      const flags = name === "file" || name === "topfile" ? sys.O_RDWR : sys.O_RDONLY;
      place.chown(name, 0, 0);
      asUser(USER, USER, () => place.open(name, flags));
      asUser(OTHER, OTHER, () => fails(() => place.open(name, sys.O_RDONLY), EACCES));
    }),
  ),
  define("ACL: chmod changes the mask", (place) => {
    place.chown("file", 0, 0);
    place.setxattr("file", ACCESS, ACL_VALUE);
    place.chmod("file", 0o700);
    same(place.mode("file"), 0o700);
    asUser(USER, USER, () => fails(() => place.open("file"), EACCES));
    place.chmod("file", 0o740);
    asUser(USER, USER, () => place.open("file"));
  }),
  define("ACL: removed, the mode alone counts", (place) => {
    place.chown("file", 0, 0);
    place.setxattr("file", ACCESS, ACL_VALUE);
    place.removexattr("file", ACCESS);
    same(place.getxattr("file", ACCESS), undefined);
    asUser(USER, USER, () => fails(() => place.open("file", sys.O_RDWR), EACCES));
  }),
  define("ACL: one that says no more than a mode becomes the mode", (place) => {
    const minimal =
      "\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x04\0\x04\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff";
    place.setxattr("file", ACCESS, minimal);
    same(place.mode("file"), 0o640);
    same(place.getxattr("file", ACCESS), undefined);
  }),
  define("ACL: a default ACL is refused on a file, and nonsense anywhere", (place) => {
    fails(() => place.setxattr("file", DEFAULT, ACL_VALUE), EACCES, EPERM);
    fails(() => place.setxattr("file", ACCESS, "nonsense"), errno.EINVAL, EOPNOTSUPP);
  }),
  define("ACL: only the owner sets it", (place) => {
    asUser(OTHER, OTHER, () => fails(() => place.setxattr("file", ACCESS, ACL_VALUE), EPERM));
    asUser(USER, USER, () => place.setxattr("file", ACCESS, ACL_VALUE));
  }),
  define(
    "default ACL: of a lower directory is inherited, and the umask is not applied",
    (place) => {
      same(place.getxattr("acl", DEFAULT), ACL_VALUE);
      withUmask(0o077, () => {
        place.open("acl/file", sys.O_CREAT | sys.O_WRONLY, 0o666);
        place.mkdir("acl/directory", 0o777);
        place.mknod("acl/fifo", sys.S_IFIFO | 0o666);
      });
      same(place.mode("acl/file"), 0o660);
      same(place.mode("acl/directory"), 0o770);
      same(place.mode("acl/fifo"), 0o660);
      same(place.getxattr("acl/directory", DEFAULT), ACL_VALUE);
      same(place.getxattr("acl/directory", ACCESS), ACL_VALUE);
      asUser(USER, USER, () => place.open("acl/file", sys.O_RDWR));
    },
  ),
  define("default ACL: is inherited where a whiteout was", (place) => {
    place.setxattr("directory", DEFAULT, ACL_VALUE);
    withUmask(0o077, () => {
      place.open("directory/gone", sys.O_CREAT | sys.O_WRONLY, 0o666);
      place.open("directory/fresh", sys.O_CREAT | sys.O_WRONLY, 0o666);
    });
    same(place.mode("directory/gone"), 0o660);
    same(place.getxattr("directory/gone", ACCESS), place.getxattr("directory/fresh", ACCESS));
  }),
];

export const xattrCases: readonly Case[] = [...basics, ...acls];
