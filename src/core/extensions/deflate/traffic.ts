/** What an extension has saved, and what it cost. */

/** Sizes in bytes, of the messages that were compressed. */
export interface DeflateCounts {
  /** Messages sent compressed, their sizes, and what they came to. */
  readonly messagesCompressed: number;
  readonly bytesToCompress: number;
  readonly bytesCompressed: number;
  /** Messages received compressed, what came, and what came out of it. */
  readonly messagesDecompressed: number;
  readonly bytesToDecompress: number;
  readonly bytesDecompressed: number;
}

/** The counts of everything that has one configuration. */
export class Traffic implements DeflateCounts {
  messagesCompressed = 0;
  bytesToCompress = 0;
  bytesCompressed = 0;
  messagesDecompressed = 0;
  bytesToDecompress = 0;
  bytesDecompressed = 0;
}
