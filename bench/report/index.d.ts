/** What a report of measurements holds, and what is made of it. */

/** The JSON that `npm run bench:peers` writes: raw values by round, nothing computed. */
export interface Report {
  readonly format: 1;
  readonly command: string;
  /** ISO 8601. */
  readonly started: string;
  /** How long it took. */
  readonly seconds: number;
  readonly quick: boolean;
  readonly rounds: number;
  /** For how many milliseconds at least a server was loaded before it was measured. */
  readonly warmUp?: number;
  readonly machine: Machine;
  /** The id of the server that the others are compared with. */
  readonly baseline: string;
  readonly servers: readonly Server[];
  /** Servers that were to be measured and could not be. */
  readonly absent?: readonly { readonly id: string; readonly name: string; readonly why: string }[];
  readonly workloads: readonly Workload[];
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
  readonly os: string;
  readonly arch: string;
  /** Whether servers and load had cores of their own. */
  readonly pinned: boolean;
}

export interface Server {
  readonly id: string;
  readonly name?: string;
  readonly version?: string;
  readonly runtime?: string;
  /** What a reader should know of how it is set up. */
  readonly note?: string;
  readonly ours?: boolean;
  /** Does less than a WebSocket server has to: shows what cannot be passed. */
  readonly ceiling?: boolean;
}

export interface Workload {
  readonly id: string;
  readonly group: string;
  readonly title: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly metrics: readonly Metric[];
  readonly results: readonly Result[];
}

export interface Metric {
  readonly id: string;
  readonly name?: string;
  readonly unit?: string;
  readonly better?: 'lower' | 'higher';
  readonly main?: boolean;
}

export interface Result {
  readonly server: string;
  /** Why there are no values. */
  readonly failed?: string;
  /** By metric, a value a round; null where a round has none. */
  readonly values?: Readonly<Record<string, readonly (number | null)[]>>;
}

/** A median between its quartiles. */
export interface Quartiles {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** How many rounds it is of. */
  readonly rounds: number;
}

/** How many times as good one is as another, by the ratios of each round. */
export interface Comparison {
  readonly ratio: Quartiles | null;
  /** The quartiles of the ratio include 1, or the medians of the values differ by less than 3 %. */
  readonly noise: boolean;
}

export interface SummaryServer extends Required<Server> {
  readonly baseline: boolean;
}

export interface SummaryMetric extends Required<Omit<Metric, 'better'>> {
  readonly better: 'lower' | 'higher' | null;
}

export interface Summary {
  readonly baseline: SummaryServer | null;
  readonly servers: readonly SummaryServer[];
  readonly workloads: readonly SummaryWorkload[];
}

export interface SummaryWorkload {
  readonly id: string;
  readonly group: string;
  readonly title: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly metrics: readonly SummaryMetric[];
  /** The metric that decides; null where there is none. */
  readonly main: SummaryMetric | null;
  readonly baseline: SummaryServer | null;
  /** In the order of the servers; a server that has no part in this workload has no row. */
  readonly rows: readonly Row[];
  /** Ours that does best by the main metric against the best of the others, ceilings apart. */
  readonly rivalry: Rivalry | null;
}

export interface Row {
  readonly server: string;
  readonly about: SummaryServer;
  readonly failed?: string;
  readonly metrics: Readonly<Record<string, RowMetric>>;
}

export interface RowMetric extends Quartiles, Comparison {
  /** (high − low) / median. */
  readonly spread: number;
  /** Whether it is the best of the rows or within noise of the best, ceilings apart. */
  readonly best: boolean;
  readonly values: readonly (number | null)[];
}

export interface Rivalry extends Comparison {
  readonly ours: Row;
  readonly other: Row;
}

/** What cannot be read as a report. */
export class ReportError extends Error {
  readonly code: 'FORMAT' | 'CONTENT';
}

/** @throws ReportError */
export function summarize(report: Report): Summary;

/** How one row of a workload compares with another, by any metric: `null` where either has no values. */
export function compareRows(
  workload: SummaryWorkload,
  metric: string,
  server: string,
  other: string,
): Comparison | null;

/** A table of one workload for a terminal: lines without a line feed at the end. */
export function terminal(workload: SummaryWorkload, options?: { width?: number; colour?: boolean }): string;

/** @throws ReportError */
export function markdown(report: Report): string;

/**
 * A page that needs nothing but itself.
 *
 * @throws ReportError
 */
export function html(report: Report): string;
