/**
 * millrace and its peers side by side: `node bench/peers.js [--quick] [--only echo,tls] [--servers ws,bun] [--rounds 5]
 * [--out folder] [--list]`. Each server is a process of its own on one core, and the load, which checks what comes back,
 * comes from this process on another.
 */

import { main } from './peers/command.js';

process.exitCode = await main(process.argv.slice(2));
