// A stream cut into pieces of one size.

/** Pieces of exactly `pieceBytes`, but for the last one. Each is memory of its own. */
export async function* inPieces(
  source: AsyncIterable<Uint8Array>,
  pieceBytes: number,
): AsyncGenerator<Uint8Array> {
  let piece = Buffer.allocUnsafe(pieceBytes);
  let filled = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.byteLength; ) {
      const step = Math.min(chunk.byteLength - at, pieceBytes - filled);
      piece.set(chunk.subarray(at, at + step), filled);
      at += step;
      filled += step;
      if (filled < pieceBytes) continue;
      yield piece;
      piece = Buffer.allocUnsafe(pieceBytes);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
