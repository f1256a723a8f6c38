// How pull and push tell what becomes of each layer. The words are the CLI's.

import type { Digest } from "../digest.js";
import type { Reference } from "../oci/index.js";

/** Where a layer is on its way; "waiting" comes first, one of the last four comes last. */
export type LayerState =
  | "waiting"
  | "downloading"
  | "downloaded"
  | "unpacking"
  | "uploading"
  | "pulled"
  | "pushed"
  | "exists"
  | "mounted";

/** Something that happened in a transfer. */
export type TransferEvent =
  | { readonly kind: "image"; readonly reference: Reference; readonly layers: number }
  | {
      readonly kind: "layer";
      /** Pull: the blob's digest. Push: the diff ID. */
      readonly layer: Digest;
      readonly state: LayerState;
      readonly doneBytes: number;
      readonly totalBytes: number | undefined;
      /** The repository that a layer was mounted from. */
      readonly from?: string;
    };

/** Called often; must be cheap and must not throw. */
export type OnTransfer = (event: TransferEvent) => void;

/** How many layers are under way at once. */
export const PARALLEL_LAYERS = 3;
