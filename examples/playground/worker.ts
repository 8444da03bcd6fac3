/** A worker around `work.ts`. */
import type { Reply, Request } from './protocol.js';
import { handlers } from './work.js';

const here = self as unknown as { onmessage: (event: { readonly data: Request }) => void; postMessage: (reply: Reply) => void };
here.onmessage = ({ data: { id, kind, given } }) => {
  try {
    here.postMessage({ id, answer: handlers[kind](given as never) });
  } catch (error) {
    here.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
};
