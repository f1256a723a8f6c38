// An open file of the host as a LayerFile. Who may open what, and what else a write means to a
// layer, is the business of the layer's kind.

import {
  close,
  fallocate,
  fdatasync,
  fsync,
  ftruncate,
  lseek,
  pread,
  pwrite,
  type Stat,
  statFd,
} from "../sys/index.js";
import type { LayerFile } from "./layer.js";

/** Owns the descriptor. All methods throw FsError. */
export class DescriptorFile implements LayerFile {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  read(into: Uint8Array, start: number, lengthBytes: number, position: number): number {
    return pread(this.fd, into, start, lengthBytes, position);
  }

  /** Linux appends to an O_APPEND descriptor whatever the position (pwrite(2), BUGS). */
  write(from: Uint8Array, start: number, lengthBytes: number, position: number): number {
    return pwrite(this.fd, from, start, lengthBytes, position);
  }

  stat(): Stat {
    return statFd(this.fd);
  }

  truncate(sizeBytes: number): void {
    ftruncate(this.fd, sizeBytes);
  }

  allocate(mode: number, position: number, lengthBytes: number): void {
    fallocate(this.fd, mode, position, lengthBytes);
  }

  seek(position: number, whence: number): number {
    return lseek(this.fd, position, whence);
  }

  sync(dataOnly: boolean): void {
    if (dataOnly) fdatasync(this.fd);
    else fsync(this.fd);
  }

  close(): void {
    close(this.fd);
  }
}
