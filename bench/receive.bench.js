/**
 * Receiving masked frames from 64 KiB chunks: a `Connection` against the `Receiver` of `ws`, every payload handed
 * over as a Buffer; and the cursor alone, which makes nothing of a payload that nobody asks for.
 */

import { Connection, ConnectionType, Kind } from '../dist/core/index.js';
import { tiers } from '../dist/kernels/index.js';
import { fill, frame, payloads } from './lib/frames.js';
import { compare } from './lib/measure.js';
import { versionOf, wsReceiver } from './lib/peers.js';
import { size, table } from './lib/report.js';

const SIZES = [32, 125, 512, 1024, 4096, 16384];
const CHUNK = 64 * 1024;

/** What every contender adds to, so that no payload is dead. */
let bytesSeen = 0;

function ws(chunk, bufferutil) {
  const Receiver = wsReceiver({ bufferutil });
  const receiver = new Receiver({ isServer: true });
  receiver.on('message', (data) => {
    bytesSeen += data.length;
  });
  return {
    name: bufferutil ? 'ws + bufferutil' : 'ws',
    run(iterations) {
      for (let i = 0; i < iterations; i++) receiver.write(chunk);
    },
  };
}

function cursor(kernels, chunk) {
  const connection = new Connection(ConnectionType.SERVER, [], { kernels });
  return {
    name: 'cursor',
    run(iterations) {
      for (let i = 0; i < iterations; i++) {
        connection.receiveData(chunk);
        while (connection.poll() !== Kind.NEED_DATA) bytesSeen++;
      }
    },
  };
}

function buffers(kernels, chunk) {
  const connection = new Connection(ConnectionType.SERVER, [], { kernels });
  return {
    name: `${kernels.tier}`,
    run(iterations) {
      for (let i = 0; i < iterations; i++) {
        connection.receiveData(chunk);
        while (connection.poll() !== Kind.NEED_DATA) bytesSeen += connection.bytes().length;
      }
    },
  };
}

export default {
  title: `masked binary frames in 64 KiB chunks, against ws ${versionOf('ws')}`,
  async run(options) {
    for (const kernels of tiers) {
      const bufferutil = kernels.tier === 'native';
      const report = table(`${kernels.tier} tier`, 'frame');
      for (const length of SIZES) {
        const { chunk, count } = fill(frame(payloads.binary(length)), CHUNK);
        // Each has a copy of its own: unmasking in place twice gives the first bytes again, but only to one of them.
        const contenders = [
          ws(Buffer.from(chunk), bufferutil),
          buffers(kernels, Buffer.from(chunk)),
          cursor(kernels, Buffer.from(chunk)),
        ];
        report.row(size(length), await compare({ ...options, contenders, units: count }));
      }
      report.end();
    }
    if (bytesSeen === 0) throw new Error('nothing was received');
  },
};
