/**
 * Waiting for a server to say whether it takes extended CONNECT: nothing may be asked before its settings have come
 * (RFC 8441 §3).
 */

import type { ClientHttp2Session, Settings } from 'node:http2';

/** What to do when it is known; null where the session has ended before. */
type Answer = (allowed: boolean | null) => void;

/** Sessions whose server has not said it yet, and who waits. */
const waiting = new WeakMap<ClientHttp2Session, Set<Answer>>();

/**
 * Calls `answer` once it is known whether a session's server allows extended CONNECT: within this call, where it does.
 *
 * @returns what takes the question back
 */
export function whenConnectAllowed(session: ClientHttp2Session, answer: Answer): () => void {
  if (allows(session.remoteSettings)) {
    answer(true);
    return () => {};
  }
  const answers = waiting.get(session) ?? ask(session);
  answers.add(answer);
  return () => answers.delete(answer);
}

function ask(session: ClientHttp2Session): Set<Answer> {
  const answers = new Set<Answer>();
  waiting.set(session, answers);
  const tell = (allowed: boolean | null) => {
    if (waiting.get(session) !== answers) return;
    waiting.delete(session);
    session.off('remoteSettings', onSettings);
    session.off('close', onClose);
    for (const answer of answers) answer(allowed);
  };
  const onSettings = (settings: Settings) => {
    if (allows(settings)) tell(true);
  };
  const onClose = () => tell(null);
  session.on('remoteSettings', onSettings);
  session.on('close', onClose);
  // Whether settings have come already does not show where they leave out what is looked for. They come before all else,
  // so whoever has answered a PING has sent them.
  const ping = () => {
    if (session.destroyed) return;
    session.ping((error) => {
      if (error === null) tell(allows(session.remoteSettings));
    });
  };
  if (session.connecting) session.once('connect', ping);
  else ping();
  return answers;
}

function allows(settings: Settings): boolean {
  return settings.enableConnectProtocol === true;
}
