// An echo server that tells its port and its kernels in one line.
import { serve } from 'millrace';
import { info } from 'millrace/kernels';

const message = (ws, data) => ws.send(data);
serve({ port: 0, hostname: '127.0.0.1', message }).then(({ port }) => console.log(JSON.stringify({ port, info })));
