// A repository of a registry: its manifests, tags and blobs.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints

import { type Digest, digestOf, isDigest } from "../digest.js";
import { EngineError } from "../errors.js";
import {
  type Descriptor,
  DOCKER_INDEX,
  DOCKER_MANIFEST,
  DOCUMENT_LIMIT_BYTES,
  isIndexType,
  isManifestType,
  JsonFields,
  makeDescriptor,
  OCI_INDEX,
  OCI_MANIFEST,
  parseJson,
} from "../oci/index.js";
import { downloadBlob } from "./blob-download.js";
import {
  type KnownBlob,
  type MountResult,
  mountBlob,
  type UploadedBlob,
  uploadBlob,
  uploadStream,
} from "./blob-upload.js";
import { readPages } from "./pages.js";
import { inPieces } from "./pieces.js";
import type { RegistrySession } from "./session.js";

/** A manifest or index as the registry sent it, checked against its digest. */
export interface RemoteDocument {
  readonly bytes: Uint8Array;
  /** Points at it: type, digest, size. */
  readonly descriptor: Descriptor;
}

const ACCEPT = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX].join(", ");

/** A socket gives 64 KiB at a time: written one by one, they keep the disk's threads busier than the disk. */
const DOWNLOAD_PIECE_BYTES = 512 * 1024;

/** Everything that a name holds. All methods throw EngineError: NOT_FOUND, UNAUTHORIZED, UNAVAILABLE, DATA_LOSS, UNSUPPORTED. */
export class Repository {
  readonly session: RegistrySession;
  /** "library/debian". */
  readonly path: string;

  constructor(session: RegistrySession, path: string) {
    this.session = session;
    this.path = path;
  }

  /** What this scope's token must allow. */
  scope(actions: "pull" | "pull,push"): string {
    return `repository:${this.path}:${actions}`;
  }

  /** The address of a part of the repository. */
  target(part: string): string {
    return `/v2/${this.path}/${part}`;
  }

  /** The manifest or index of a tag or digest. */
  async manifest(name: string): Promise<RemoteDocument> {
    const object = `${this.session.domain}/${this.path}${isDigest(name) ? "@" : ":"}${name}`;
    const { response, bytes } = await this.session.document(
      {
        method: "GET",
        target: this.target(`manifests/${name}`),
        headers: { accept: ACCEPT },
        scopes: [this.scope("pull")],
        expect: [200],
        task: "pull",
        object,
      },
      DOCUMENT_LIMIT_BYTES,
    );
    const digest = digestOf(bytes);
    const promised = isDigest(name) ? name : response.header("docker-content-digest");
    if (isDigest(promised) && promised !== digest) {
      throw new EngineError(
        "DATA_LOSS",
        `Cannot pull "${object}": what the registry sent has the digest ${digest} instead of ${promised}`,
      );
    }
    const mediaType = documentType(bytes, response.header("content-type"), object);
    return {
      bytes,
      descriptor: makeDescriptor(mediaType, { digest, sizeBytes: bytes.byteLength }),
    };
  }

  /** All tags, in the registry's order. */
  async tags(): Promise<string[]> {
    return await readPages(this.session, {
      target: this.target("tags/list"),
      scopes: [this.scope("pull")],
      list: "tags",
      object: `${this.session.domain}/${this.path}`,
    });
  }

  /** Names a manifest; all that it points at must be there. Returns the digest that the registry gave it. */
  async putManifest(name: string, bytes: Uint8Array, mediaType: string): Promise<Digest> {
    const object = `${this.session.domain}/${this.path}:${name}`;
    const response = await this.session.send({
      method: "PUT",
      target: this.target(`manifests/${name}`),
      headers: { "content-type": mediaType },
      body: bytes,
      scopes: [this.scope("pull,push")],
      expect: [200, 201, 202],
      task: "push",
      object,
    });
    response.discard();
    const digest = digestOf(bytes);
    const given = response.header("docker-content-digest");
    if (given === undefined || given === digest) return digest;
    throw new EngineError(
      "DATA_LOSS",
      `Cannot push "${object}": the registry stored the digest ${given} instead of ${digest}`,
    );
  }

  /** Whether the registry has a blob in this repository. */
  async hasBlob(digest: Digest): Promise<boolean> {
    const response = await this.session.send({
      method: "HEAD",
      target: this.target(`blobs/${digest}`),
      scopes: [this.scope("pull,push")],
      expect: [200, 404],
      task: "push",
      object: digest,
    });
    response.discard();
    return response.status === 200;
  }

  /** A blob's bytes, taken up where a broken connection left off. Their digest is the reader's to check. */
  download(blob: Descriptor): AsyncGenerator<Uint8Array> {
    return inPieces(downloadBlob(this, blob), DOWNLOAD_PIECE_BYTES);
  }

  /** Takes a blob over from another repository of the registry, where it allows that. */
  async mount(digest: Digest, from: string): Promise<MountResult> {
    return await mountBlob(this, digest, from);
  }

  /** Sends a blob whose digest is known. */
  async upload(blob: KnownBlob): Promise<void> {
    await uploadBlob(this, blob);
  }

  /** Sends bytes whose digest is found on the way. */
  async uploadStream(source: AsyncIterable<Uint8Array>): Promise<UploadedBlob> {
    return await uploadStream(this, source);
  }
}

/** What a document says it is; registries that serve plain files say it in the document only. */
function documentType(bytes: Uint8Array, header: string | undefined, object: string): string {
  const fields = new JsonFields(parseJson(bytes, object), object);
  const told = (header ?? "").replace(/;.*$/, "").trim().toLowerCase();
  const known = isManifestType(told) || isIndexType(told);
  const own = fields.string("mediaType");
  if (known && own !== undefined && own !== told) {
    throw new EngineError(
      "DATA_LOSS",
      `Cannot read "${object}": it is of type "${own}", sent as "${told}"`,
    );
  }
  if (own !== undefined) return own;
  if (known) return told;
  return fields.has("manifests") ? OCI_INDEX : OCI_MANIFEST;
}
