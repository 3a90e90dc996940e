import type { Latency } from './histogram.js';

/** What a run has come to. */
export interface LoadResult {
  /** Round trips; deliveries of a room; handshakes; with replies `'none'` messages that the server has taken. */
  readonly messages: number;
  /** Bytes of payload that came back. */
  readonly bytes: number;
  /** Bytes of payload that were sent. */
  readonly sentBytes: number;
  /** Bytes on the wire, as far as TLS does not hide them: with headers, and compressed where they are. */
  readonly wire: { readonly sent: number; readonly received: number };
  /** Milliseconds from the first message to the last reply. */
  readonly elapsed: number;
  readonly latency: Latency | null;
}

/** How far a run has come. */
export interface Progress extends LoadResult {
  /** Messages a second since the last progress. */
  readonly rate: number;
}

export interface RunOptions {
  /** Ends the run before its time; what is under way is still waited for. */
  readonly signal?: AbortSignal;
  /** Called about five times a second. */
  onProgress?(progress: Progress): void;
}
