/** A load of connections that do nothing, which a server has to keep: for its memory. */

import type { Extension } from '../../core/index.js';
import { HeldLoad } from './held-load.js';
import { type Answer, CountingInbox, type Inbox } from './inbox.js';
import type { LoadTarget } from './target.js';

export interface IdleTraffic {
  readonly connections: number;
}

/** Holds connections open while it runs. A connection that ends, and a message that comes, is a fault; Pings are answered. */
export class IdleLoad extends HeldLoad {
  /** @throws TypeError for a wrong URL or number */
  constructor(target: LoadTarget, { connections }: IdleTraffic) {
    super(target, connections, false);
  }

  protected override inboxOf(_index: number, extensions: readonly Extension[], answer: Answer): Inbox {
    return new CountingInbox(extensions, answer, false);
  }

  protected override prepare(): void {}
  protected override joined(): void {}
  protected override begin(): void {}
  protected override finish(): void {}
  protected override stop(): void {}
  override onMessages(): void {}

  protected override get isWaiting(): boolean {
    return false;
  }
}
