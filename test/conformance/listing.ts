// Cases of reading directories, also while they change, and of locks.

import * as sys from "../../src/sys/index.js";
import { type Case, define, same } from "./case.js";

const MANY_NAMES = [
  ...Array.from({ length: 300 }, (_, index) => `f${String(index).padStart(3, "0")}`),
  ...Array.from({ length: 100 }, (_, index) => `g${String(index).padStart(3, "0")}`),
];

const PERL = `
use strict; use warnings;
sub check { my ($ok, $what) = @_; $ok or die "$what\\n" }
sub visible { grep { !/^\\.\\.?$/ } @_ }
`;

/** A script on the directory "many" (400 names), working with a directory stream. */
function stream(name: string, source: string): Case {
  return define(name, (place) => place.script("perl", `${PERL}${source}`), {
    needs: "perl",
    extra: "many",
  });
}

const listing: Case[] = [
  define("readdir: merged directories show every name once", (place) => {
    same(place.names("directory"), ["a", "b", "c", "links-c", "mixed", "sub"]);
    same(place.names("directory/mixed"), ["x", "y"]);
    same(place.names("opaque"), ["new"]);
    same(place.names("covered"), ["inner"]);
    same(place.names("hollow"), []);
    same(place.names("lower"), ["one", "two"]);
  }),
  define("readdir: 400 names of two layers", (place) => same(place.names("many"), MANY_NAMES), {
    extra: "many",
  }),
  define("readdir: '.' and '..' are there, with their inode numbers", (place) => {
    place.script(
      "sh",
      `for d in . directory lower/two empty hollow; do
         [ "$(ls -ai $d | awk '$2 == "." { print $1 }')" = "$(stat -c %i $d)" ] || exit 1
         [ "$(ls -ai $d | awk '$2 == ".." { print $1 }')" = "$(stat -c %i $d/..)" ] || exit 2
       done`,
    );
  }),
  stream(
    "readdir: removing each name as it is read reads them all and leaves none",
    `opendir(my $d, "many") or die $!;
     my $n = 0;
     while (defined(my $e = readdir $d)) { next if $e =~ /^\\./; unlink "many/$e" or die "$e: $!"; $n++ }
     check($n == 400, "read $n");
     rmdir "many" or die "rmdir: $!";`,
  ),
  stream(
    "readdir: renaming each name away as it is read sees none twice and misses none",
    `opendir(my $d, "many") or die $!;
     my %seen;
     while (defined(my $e = readdir $d)) {
       next if $e =~ /^\\.|^new/;
       check(!$seen{$e}++, "$e twice");
       rename "many/$e", "many/new-$e" or die $!;
     }
     check(keys %seen == 400, "saw " . keys %seen);
     closedir $d; opendir($d, "many") or die $!;
     my @names = visible(readdir $d);
     check(@names == 400, "then " . @names);
     check(!(grep { !/^new-/ } @names), "an old name is left");`,
  ),
  stream(
    "readdir: names that stay are seen exactly once while others come and go",
    `opendir(my $d, "many") or die $!;
     my (%seen, $n);
     while (defined(my $e = readdir $d)) {
       $seen{$e}++; $n++;
       open(my $f, ">", "many/x$n") or die $!;
       unlink "many/x" . ($n - 1);
       last if $n > 5000;
     }
     check($n <= 5000, "the listing does not end");
     for my $e (map { sprintf "f%03d", $_ } 0..299) { check(($seen{$e} // 0) == 1, "$e: " . ($seen{$e} // 0)) }`,
  ),
  stream(
    "telldir, seekdir: going back reads the same names again",
    `opendir(my $d, "many") or die $!;
     readdir $d for 1..50;
     my $place = telldir $d;
     my @first = map { scalar readdir $d } 1..100;
     seekdir $d, $place;
     my @second = map { scalar readdir $d } 1..100;
     check("@first" eq "@second", "another order");
     unlink "many/$first[50]";
     seekdir $d, $place;
     my @third = map { scalar readdir $d } 1..20;
     check("@third" eq "@first[0..19]", "other names after a removal");`,
  ),
  stream(
    "rewinddir: shows what was made since",
    `opendir(my $d, "many") or die $!;
     my @before = visible(readdir $d);
     open(my $f, ">", "many/brand-new") or die $!;
     unlink "many/f000" or die $!;
     rewinddir $d;
     my @after = visible(readdir $d);
     check(@before == 400 && @after == 400, @before . " and " . @after);
     check((grep { $_ eq "brand-new" } @after) == 1, "the new name");
     check(!(grep { $_ eq "f000" } @after), "the removed name");`,
  ),
  define("readdir: a new listing shows every change at once", (place) => {
    same(place.names("lower"), ["one", "two"]);
    place.write("lower/three", "");
    same(place.names("lower"), ["one", "three", "two"]);
    place.unlink("lower/one");
    same(place.names("lower"), ["three", "two"]);
    place.rename("lower/two", "lower/zwei");
    same(place.names("lower"), ["three", "zwei"]);
    place.rename("directory/a", "lower/a");
    same(place.names("lower"), ["a", "three", "zwei"]);
  }),
  define("readdir: through a descriptor whose directory was renamed", (place) => {
    const fd = place.open("lower", sys.O_RDONLY | sys.O_DIRECTORY);
    place.rename("lower", "directory/moved");
    same(
      sys
        .readDirents(fd)
        .map((dirent) => dirent.name as string)
        .sort(),
      ["one", "two"],
    );
  }),
];

/** Parent and child share a file; the child answers "free" or "held". */
const PYTHON_LOCKS = `
import fcntl, os, sys
def held(kind, mode, *span):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        fd = os.open("file", os.O_RDWR)
        try:
            kind(fd, mode | fcntl.LOCK_NB, *span)
            os.write(write, b"free")
        except BlockingIOError:
            os.write(write, b"held")
        os._exit(0)
    os.waitpid(pid, 0)
    return os.read(read, 4) == b"held"
def check(condition, what):
    if not condition: sys.exit(what)
fd = os.open("file", os.O_RDWR)
`;

function locks(name: string, source: string): Case {
  return define(name, (place) => place.script("python3", PYTHON_LOCKS + source), {
    needs: "python3",
  });
}

const locking: Case[] = [
  locks(
    "flock: exclusive keeps others out, shared lets readers in, release lets all in",
    `
fcntl.flock(fd, fcntl.LOCK_EX)
check(held(fcntl.flock, fcntl.LOCK_EX), "exclusive against exclusive")
check(held(fcntl.flock, fcntl.LOCK_SH), "shared against exclusive")
fcntl.flock(fd, fcntl.LOCK_SH)
check(not held(fcntl.flock, fcntl.LOCK_SH), "shared against shared")
check(held(fcntl.flock, fcntl.LOCK_EX), "exclusive against shared")
fcntl.flock(fd, fcntl.LOCK_UN)
check(not held(fcntl.flock, fcntl.LOCK_EX), "after release")
`,
  ),
  locks(
    "fcntl: byte ranges are locked apart",
    `
fcntl.lockf(fd, fcntl.LOCK_EX, 4, 0)
check(held(fcntl.lockf, fcntl.LOCK_EX, 2, 2), "overlapping")
check(held(fcntl.lockf, fcntl.LOCK_SH, 1, 0), "a reader in it")
check(not held(fcntl.lockf, fcntl.LOCK_EX, 4, 4), "beside it")
fcntl.lockf(fd, fcntl.LOCK_UN, 2, 2)
check(not held(fcntl.lockf, fcntl.LOCK_EX, 2, 2), "a part released")
check(held(fcntl.lockf, fcntl.LOCK_EX, 1, 1), "the rest kept")
`,
  ),
  locks(
    "locks: end with the process that held them, and hold over a first write",
    `
pid = os.fork()
if pid == 0:
    fcntl.lockf(os.open("file", os.O_RDWR), fcntl.LOCK_EX)
    os._exit(0)
os.waitpid(pid, 0)
check(not held(fcntl.lockf, fcntl.LOCK_EX), "a dead holder")
fcntl.lockf(fd, fcntl.LOCK_EX)
os.write(fd, b"changed")
check(held(fcntl.lockf, fcntl.LOCK_EX), "after a write")
`,
  ),
];

export const listingCases: readonly Case[] = [...listing, ...locking];
