#!/usr/bin/env node
/**
 * The `millrace` command. Exit codes: 0 for done, 1 for what went wrong, 2 for a command line that cannot be meant, and
 * those of shells for a `bench` that a signal has ended: 130 and 143.
 *
 * The commands are imported when they run: `millrace --help` must work where the kernels refuse to load.
 */

import { type ParseArgsConfig, parseArgs } from 'node:util';
import { BENCH_OPTIONS, benchOptions } from './bench/options.js';
import { messageOf, UserError } from './errors.js';
import { HELP } from './help.js';
import { packageVersion } from './version.js';

type Options = NonNullable<ParseArgsConfig['options']>;

const HELP_OPTION = { help: { type: 'boolean', short: 'h' } } as const satisfies Options;

const COMMANDS: Readonly<Record<string, (args: string[]) => Promise<number>>> = { serve, bench, doctor };

async function serve(args: string[]): Promise<number> {
  const options = { ...HELP_OPTION, port: { type: 'string', short: 'p' }, host: { type: 'string' } } as const;
  const values = parse(args, options);
  if (values.help) return print(HELP.serve);
  const port = values.port === undefined ? null : parsePort(values.port);
  if (values.host === '') throw new UserError('--host needs an address or a name', 2);
  const command = await import('./serve.js');
  return command.serveCommand({ port, host: values.host ?? '127.0.0.1' });
}

async function bench(args: string[]): Promise<number> {
  const { values, positionals } = parseAll(args, { ...HELP_OPTION, ...BENCH_OPTIONS }, true);
  if (values.help) return print(HELP.bench);
  const options = benchOptions(values, positionals);
  const command = await import('./bench.js');
  return command.benchCommand(options);
}

async function doctor(args: string[]): Promise<number> {
  const values = parse(args, { ...HELP_OPTION, json: { type: 'boolean' } } as const);
  if (values.help) return print(HELP.doctor);
  const command = await import('./doctor.js');
  return command.doctorCommand({ json: values.json ?? false });
}

async function main(args: string[]): Promise<number> {
  const [name] = args;
  if (name === undefined) return print(HELP.main);
  if (Object.hasOwn(COMMANDS, name)) return COMMANDS[name](args.slice(1));
  if (!name.startsWith('-')) throw new UserError(`there is no command "${name}"`, 2);
  const values = parse(args, { ...HELP_OPTION, version: { type: 'boolean', short: 'v' } } as const);
  return print(values.version ? `${packageVersion()}\n` : HELP.main);
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

function parse<T extends Options>(args: string[], options: T) {
  return parseAll(args, options, false).values;
}

function parseAll<T extends Options>(args: string[], options: T, allowPositionals: boolean) {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals });
  } catch (error) {
    // What follows the first sentence explains how to pass a positional argument, of which there are none.
    throw new UserError(messageOf(error).split(/\. |\.?\n/, 1)[0], 2);
  }
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65535)) throw new UserError(`--port must be a number from 0 to 65535, not "${text}"`, 2);
  return port;
}

function fail(error: unknown): number {
  // The class of a KernelsError cannot be imported here: its module is the one that did not load.
  const expected = error instanceof UserError || (error instanceof Error && error.name === 'KernelsError');
  if (!expected) throw error;
  const exitCode = error instanceof UserError ? error.exitCode : 1;
  const hint = exitCode === 2 ? ' (see millrace --help)' : '';
  process.stderr.write(`millrace: ${messageOf(error)}${hint}\n`);
  return exitCode;
}

// `millrace doctor | head -1` closes the pipe before all is written, which is no fault.
process.stdout.on('error', () => process.exit(0));

process.exitCode = await main(process.argv.slice(2)).catch(fail);
