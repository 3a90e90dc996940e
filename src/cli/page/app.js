/** The page of `millrace serve`. */

import { Conversation } from './conversation.js';
import { socketUrl } from './link.js';
import { LoadPanel } from './load-panel.js';
import { ServerPanel } from './server-panel.js';

document.getElementById('endpoint').textContent = socketUrl('/echo');

const load = new LoadPanel();
new ServerPanel((time, rate) => load.serverRate(time, rate));
new Conversation();
